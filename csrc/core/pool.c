/* The thread pool: workers wait at a barrier for work, spinning a little before they sleep. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_getcpu */
#endif
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "relax.h"

enum { SPINS = 1000 }; /* some tens of microseconds: longer than most steps leave a worker idle */

struct pq_pool {
    atomic_int threads;
    atomic_int arrived;
    atomic_uint phase; /* counts completed barriers */
    atomic_int sleepers;
    void (*work)(void *argument, int32_t thread);
    void *argument;
    bool quit;
    pid_t process;
    pthread_mutex_t mutex;
    pthread_cond_t phase_changed;
    struct pq_member { /* the first is the caller */
        pq_pool *pool;
        int32_t thread;
        atomic_int cpu; /* where it came to the last barrier, -1 where that is not known */
        pthread_t handle;
    } members[];
};

static int current_cpu(void) {
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}

/* Whether spinning would keep another thread of the pool from running, as happens where the system has more to do. */
static bool shares_cpu(pq_pool *pool, int32_t thread) {
    const int own = atomic_load_explicit(&pool->members[thread].cpu, memory_order_relaxed);
    for (int32_t i = 0; i < pq_pool_threads(pool) && own >= 0; i++)
        if (i != thread && atomic_load_explicit(&pool->members[i].cpu, memory_order_relaxed) == own) return true;
    return false;
}

static void await_phase_after(pq_pool *pool, unsigned phase, int32_t thread) {
    const int spins = shares_cpu(pool, thread) ? 0 : SPINS;
    for (int spin = 0; spin < spins; spin++) {
        if (atomic_load(&pool->phase) != phase) return;
        pq_relax();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1); /* before the phase is read: whoever changes it now sees a sleeper */
    while (atomic_load(&pool->phase) == phase) pthread_cond_wait(&pool->phase_changed, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

void pq_pool_barrier(pq_pool *pool, int32_t thread) {
    unsigned phase = atomic_load(&pool->phase);
    atomic_store_explicit(&pool->members[thread].cpu, current_cpu(), memory_order_relaxed);
    if (atomic_fetch_add(&pool->arrived, 1) + 1 < atomic_load(&pool->threads)) {
        await_phase_after(pool, phase, thread);
        return;
    }
    atomic_store(&pool->arrived, 0);
    atomic_fetch_add(&pool->phase, 1);
    if (atomic_load(&pool->sleepers) == 0) return; /* no system call where all spin */
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->phase_changed);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker(void *argument) {
    const struct pq_member *own = argument;
    pq_pool *pool = own->pool;
    for (;;) {
        pq_pool_barrier(pool, own->thread);
        if (pool->quit) return NULL;
        pool->work(pool->argument, own->thread);
        pq_pool_barrier(pool, own->thread);
    }
}

pq_pool *pq_pool_new(int32_t threads) {
    pq_pool *pool = calloc(1, sizeof *pool + sizeof(struct pq_member) * (size_t)threads);
    if (pool == NULL) return NULL;
    pool->process = getpid();
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->phase_changed, NULL);
    atomic_store(&pool->threads, threads);
    for (int32_t i = 0; i < threads; i++) atomic_store(&pool->members[i].cpu, -1);
    int32_t started = 0;
    for (; started < threads - 1; started++) {
        struct pq_member *own = &pool->members[started + 1];
        own->pool = pool;
        own->thread = started + 1;
        if (pthread_create(&own->handle, NULL, worker, own) != 0) break;
    }
    atomic_store(&pool->threads, started + 1); /* the workers are all at the first barrier, which needs the caller too */
    return pool;
}

void pq_pool_free(pq_pool *pool) {
    if (pool == NULL) return;
    if (pq_pool_alive(pool)) {
        pool->quit = true;
        pq_pool_barrier(pool, 0);
        for (int32_t i = 1; i < pq_pool_threads(pool); i++) pthread_join(pool->members[i].handle, NULL);
        pthread_cond_destroy(&pool->phase_changed);
        pthread_mutex_destroy(&pool->mutex);
    }
    free(pool);
}

void pq_pool_run(pq_pool *pool, void (*work)(void *argument, int32_t thread), void *argument) {
    pool->work = work;
    pool->argument = argument;
    pq_pool_barrier(pool, 0);
    work(argument, 0);
    pq_pool_barrier(pool, 0);
}

bool pq_pool_alive(const pq_pool *pool) { return pool->process == getpid(); }

int32_t pq_pool_threads(const pq_pool *pool) { return atomic_load(&pool->threads); }
