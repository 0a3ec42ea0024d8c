/* A thread that lays out constants while its owner goes on. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "pq.h"

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
    size_t untold; /* bytes of jobs that came since the thread was last woken, which takes as long as packing some */
    bool done;     /* no more jobs will come */
};

enum { WORTH_WAKING = 1 << 18, ALIGNMENT = 64 };

static struct job *next_job(pq_packer *packer) {
    pthread_mutex_lock(&packer->mutex);
    while (packer->first == NULL && !packer->done) pthread_cond_wait(&packer->changed, &packer->mutex);
    struct job *job = packer->first;
    if (job != NULL && (packer->first = job->next) == NULL) packer->last = NULL;
    pthread_mutex_unlock(&packer->mutex);
    return job;
}

static void *work(void *argument) {
    for (struct job *job; (job = next_job(argument)) != NULL; free(job)) job->pack(job->params, job->packed);
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

static pq_pack pack_of(int32_t row) {
    int32_t count;
    return pq_rows(&count)[row].pack;
}

size_t pq_packed_bytes(int32_t row, const void *params) {
    const pq_pack pack = pack_of(row);
    return pack == NULL ? 0 : pack(params, NULL);
}

void *pq_packed_new(size_t bytes) { return aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT); }

void pq_packed_free(void *packed) { free(packed); }

void pq_packer_add(pq_packer *packer, int32_t row, const void *params, void *packed, size_t bytes) {
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
    packer->untold += bytes;
    if (packer->untold >= WORTH_WAKING) {
        packer->untold = 0;
        pthread_cond_signal(&packer->changed);
    }
    pthread_mutex_unlock(&packer->mutex);
}

void pq_packer_free(pq_packer *packer) {
    if (packer == NULL) return;
    pthread_mutex_lock(&packer->mutex);
    packer->done = true;
    pthread_cond_signal(&packer->changed);
    pthread_mutex_unlock(&packer->mutex);
    work(packer); /* what is left, as long as the thread does */
    pthread_join(packer->thread, NULL);
    pthread_cond_destroy(&packer->changed);
    pthread_mutex_destroy(&packer->mutex);
    free(packer);
}
