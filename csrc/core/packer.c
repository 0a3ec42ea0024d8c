/* A thread that lays out constants while its owner goes on. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "packer.h"
#include "relax.h"

struct job {
    struct job *next;
    pq_pack pack;
    const void *params;
    void *packed;
    size_t bytes; /* the params of pq_make_pages */
};

struct pq_packer {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct job *all, *last, *next; /* in their order, which is that of packing; the next one to be packed */
    atomic_uint told;              /* counts jobs, and the end, as they come */
    bool sleeping;                 /* until it is woken, which takes its owner as long as planning a node */
    bool ended;                    /* no more jobs will come */
    int32_t count;
    atomic_int packed; /* the first so many jobs are done */
    atomic_flag joined, again;
    pid_t process;
};

enum {
    ALIGNMENT = 64,
    LOOKS = 500, /* for a job, before it sleeps: about a millisecond, in which an owner plans some nodes */
    PAUSES = 50  /* between them */
};

/* Whether a number differs from `old`, looking for a moment, then leaving the processor to others. */
static bool differs(const atomic_uint *number, unsigned old) {
    for (int i = 0; i < PAUSES; i++) {
        if (atomic_load_explicit(number, memory_order_relaxed) != old) return true;
        pq_relax();
    }
    sched_yield();
    return false;
}

static struct job *next_job(pq_packer *packer, unsigned *heard) {
    for (int look = 0; look < LOOKS && !differs(&packer->told, *heard);) look++;
    pthread_mutex_lock(&packer->mutex);
    while (packer->next == NULL && !packer->ended) {
        packer->sleeping = true;
        pthread_cond_wait(&packer->changed, &packer->mutex);
    }
    struct job *job = packer->next;
    if (job != NULL) packer->next = job->next;
    if (packer->next == NULL) *heard = atomic_load_explicit(&packer->told, memory_order_relaxed);
    pthread_mutex_unlock(&packer->mutex);
    return job;
}

static void *work(void *argument) {
    pq_packer *packer = argument;
    unsigned heard = 0;
    for (struct job *job; (job = next_job(packer, &heard)) != NULL;) {
        job->pack(job->params, job->packed);
        atomic_fetch_add_explicit(&packer->packed, 1, memory_order_release);
    }
    return NULL;
}

pq_packer *pq_packer_new(void) {
    pq_packer *packer = calloc(1, sizeof *packer);
    if (packer == NULL) return NULL;
    packer->process = getpid();
    atomic_flag_clear(&packer->joined);
    atomic_flag_clear(&packer->again);
    pthread_mutex_init(&packer->mutex, NULL);
    pthread_cond_init(&packer->changed, NULL);
    if (pthread_create(&packer->thread, NULL, work, packer) == 0) return packer;
    free(packer);
    return NULL;
}

/* Under the mutex. */
static void tell(pq_packer *packer) {
    atomic_fetch_add_explicit(&packer->told, 1, memory_order_relaxed);
    if (packer->sleeping) pthread_cond_signal(&packer->changed);
    packer->sleeping = false;
}

static pq_pack pack_of(int32_t row) {
    int32_t count;
    return pq_rows(&count)[row].pack;
}

size_t pq_packed_bytes(int32_t row, const void *params) {
    const pq_pack pack = pack_of(row);
    return pack == NULL ? 0 : pack(params, NULL);
}

char *pq_packed_new(size_t bytes) { return aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT); }

void pq_packed_free(char *packed) { free(packed); }

/* The number of a job, from 1. */
static int32_t append(pq_packer *packer, struct job *job) {
    pthread_mutex_lock(&packer->mutex);
    if (packer->all == NULL) packer->all = job;
    else packer->last->next = job;
    packer->last = job;
    if (packer->next == NULL) packer->next = job;
    const int32_t number = ++packer->count;
    tell(packer);
    pthread_mutex_unlock(&packer->mutex);
    return number;
}

int32_t pq_packer_add(pq_packer *packer, int32_t row, const void *params, void *packed) {
    const pq_pack pack = pack_of(row);
    struct job *job = packer == NULL ? NULL : malloc(sizeof *job);
    if (job == NULL) {
        pack(params, packed);
        return 0;
    }
    *job = (struct job){NULL, pack, params, packed, 0};
    return append(packer, job);
}

int32_t pq_packer_make_pages(pq_packer *packer, char *memory, size_t bytes) {
    struct job *job = packer == NULL ? NULL : malloc(sizeof *job);
    if (job == NULL) return 0;
    *job = (struct job){NULL, pq_make_pages, &job->bytes, memory, bytes};
    return append(packer, job);
}

void pq_packer_end(pq_packer *packer) {
    if (packer == NULL) return;
    pthread_mutex_lock(&packer->mutex);
    packer->ended = true;
    tell(packer);
    pthread_mutex_unlock(&packer->mutex);
}

static bool has_packed(const pq_packer *packer, int32_t jobs) {
    return atomic_load_explicit(&packer->packed, memory_order_acquire) >= jobs;
}

/* All jobs that are not done, by the caller: in a process forked meanwhile, which the thread is not in. */
static void pack_again(pq_packer *packer) {
    if (atomic_flag_test_and_set(&packer->again)) return;
    int32_t done = atomic_load_explicit(&packer->packed, memory_order_acquire);
    for (const struct job *job = packer->all; job != NULL; job = job->next)
        if (--done < 0) job->pack(job->params, job->packed);
    atomic_store_explicit(&packer->packed, packer->count, memory_order_release);
}

void pq_packer_await(pq_packer *packer, int32_t jobs) {
    if (has_packed(packer, jobs)) return;
    if (packer->process != getpid()) pack_again(packer);
    while (!has_packed(packer, jobs)) sched_yield();
}

static void join(pq_packer *packer) {
    if (packer->process == getpid() && !atomic_flag_test_and_set(&packer->joined)) pthread_join(packer->thread, NULL);
}

bool pq_packer_is_done(pq_packer *packer) {
    if (packer == NULL) return true;
    if (!has_packed(packer, packer->count)) return false;
    join(packer);
    return true;
}

void pq_packer_free(pq_packer *packer) {
    if (packer == NULL) return;
    if (packer->process == getpid()) {
        pq_packer_end(packer);
        work(packer); /* what is left, as long as the thread does */
        join(packer);
        pthread_cond_destroy(&packer->changed);
        pthread_mutex_destroy(&packer->mutex);
    }
    for (struct job *job = packer->all, *next; job != NULL; job = next) {
        next = job->next;
        free(job);
    }
    free(packer);
}
