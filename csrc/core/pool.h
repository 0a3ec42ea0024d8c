/* Threads that do one piece of work together, meeting at barriers. */
#ifndef PQ_POOL_H
#define PQ_POOL_H
#include <stdbool.h>
#include <stdint.h>

typedef struct pq_pool pq_pool;

/* A pool of `threads` threads, the caller's among them; fewer where the system refuses more. NULL where memory is short. */
pq_pool *pq_pool_new(int32_t threads);
void pq_pool_free(pq_pool *pool);

/* Every thread of the pool calls work(argument, thread); thread is 0 on the caller's, and counts up. Returns when all are done. */
void pq_pool_run(pq_pool *pool, void (*work)(void *argument, int32_t thread), void *argument);

/* Wait, inside work, until every thread of the pool has come here. */
void pq_pool_barrier(pq_pool *pool, int32_t thread);

/* False in a process forked from the one that made the pool, where its threads do not exist. */
bool pq_pool_alive(const pq_pool *pool);
int32_t pq_pool_threads(const pq_pool *pool);
#endif
