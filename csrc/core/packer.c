/* A thread that lays out constants while its owner goes on. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "pq.h"
#include "relax.h"

struct job {
    struct job *next;
    pq_pack pack;
    const void *params;
    void *packed;
};

struct pq_packer {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct job *first, *last;
    atomic_uint told; /* counts jobs, and the end, as they come */
    bool sleeping;    /* until it is woken, which takes its owner as long as planning a node */
    bool done;        /* no more jobs will come */
};

enum {
    ALIGNMENT = 64,
    LOOKS = 500, /* for a job, before it sleeps: about a millisecond, in which an owner plans some nodes */
    PAUSES = 50  /* between them */
};

static void await_more(pq_packer *packer, unsigned heard) {
    for (int look = 0; look < LOOKS; look++) {
        for (int i = 0; i < PAUSES; i++) {
            if (atomic_load_explicit(&packer->told, memory_order_relaxed) != heard) return;
            pq_relax();
        }
        sched_yield(); /* to the owner, where there is but one processor */
    }
}

static struct job *next_job(pq_packer *packer, unsigned *heard) {
    await_more(packer, *heard);
    pthread_mutex_lock(&packer->mutex);
    while (packer->first == NULL && !packer->done) {
        packer->sleeping = true;
        pthread_cond_wait(&packer->changed, &packer->mutex);
    }
    struct job *job = packer->first;
    if (job != NULL && (packer->first = job->next) == NULL) packer->last = NULL;
    if (packer->first == NULL) *heard = atomic_load_explicit(&packer->told, memory_order_relaxed);
    pthread_mutex_unlock(&packer->mutex);
    return job;
}

static void *work(void *argument) {
    unsigned heard = 0;
    for (struct job *job; (job = next_job(argument, &heard)) != NULL; free(job)) job->pack(job->params, job->packed);
    return NULL;
}

pq_packer *pq_packer_new(void) {
    pq_packer *packer = calloc(1, sizeof *packer);
    if (packer == NULL) return NULL;
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

void pq_packer_add(pq_packer *packer, int32_t row, const void *params, void *packed) {
    const pq_pack pack = pack_of(row);
    struct job *job = packer == NULL ? NULL : malloc(sizeof *job);
    if (job == NULL) {
        pack(params, packed);
        return;
    }
    *job = (struct job){NULL, pack, params, packed};
    pthread_mutex_lock(&packer->mutex);
    if (packer->last == NULL) packer->first = job;
    else packer->last->next = job;
    packer->last = job;
    tell(packer);
    pthread_mutex_unlock(&packer->mutex);
}

void pq_packer_free(pq_packer *packer) {
    if (packer == NULL) return;
    pthread_mutex_lock(&packer->mutex);
    packer->done = true;
    tell(packer);
    pthread_mutex_unlock(&packer->mutex);
    work(packer); /* what is left, as long as the thread does */
    pthread_join(packer->thread, NULL);
    pthread_cond_destroy(&packer->changed);
    pthread_mutex_destroy(&packer->mutex);
    free(packer);
}
