/* A program for ThreadSanitizer: sessions of one plan run on pools of several threads, from several threads at once, steps
 * of one chunk and of many mixed, some runs ended by a step that reports; and packers. Exits with 0 where all results are right. */
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/report.h"
#include "pq.h"

enum { STEPS = 24, SIZE = 512, CALLERS = 4, RUNS = 200, REFUSED = 99, PAGES = 1 << 17 };

/* y[i] = x[i] + x[neighbour of i] mod 256: reads what other threads wrote in the step before. Where its params, a number, are 1
 * it looks for REFUSED. */
static void add_neighbours(const pq_step *step, int32_t begin, int32_t end) {
    const unsigned char *x = step->in[0];
    unsigned char *y = step->out[0];
    for (int32_t i = begin; i < end; i++) {
        if (*(const int32_t *)step->params == 1 && x[i] == REFUSED) pq_report(step);
        y[i] = (unsigned char)(x[i] + x[(i + SIZE / 2) % SIZE]);
    }
}

static size_t pack_number(const void *params, void *packed) {
    *(int32_t *)packed = 1 + *(const int32_t *)params;
    return sizeof(int32_t);
}

const pq_row *pq_rows(int32_t *count) {
    static const pq_row row = {"add_neighbours", "scalar", add_neighbours, pack_number};
    *count = 1;
    return &row;
}

static pq_tensor tensors[STEPS + 1];
static int32_t indices[STEPS + 1];

/* numbers: the params of each step, which are the packer's jobs if there is one. */
static pq_plan make_plan(pq_plan_step steps[STEPS], const int32_t numbers[STEPS], pq_packer *packer) {
    for (int32_t i = 0; i <= STEPS; i++) {
        tensors[i] = (pq_tensor){NULL, (size_t)i * SIZE, SIZE, 1};
        indices[i] = i;
    }
    for (int32_t i = 0; i < STEPS; i++)
        steps[i] = (pq_plan_step){0, 1, 1, SIZE, i % 3 == 0 ? SIZE : 16 + i, packer == NULL ? 0 : i + 1, &indices[i], &indices[i + 1], &numbers[i]};
    return (pq_plan){STEPS + 1, STEPS, tensors, steps, (STEPS + 1) * SIZE, packer};
}

struct caller {
    pthread_t thread;
    const pq_plan *plan;
    int seed, runs;
};

static void *call(void *argument) {
    const struct caller *own = argument;
    _Alignas(64) unsigned char arena[(STEPS + 1) * SIZE] = {0}, expected[2][SIZE];
    pq_session *session = pq_session_new(own->plan, arena);
    intptr_t wrong = 0;
    for (int32_t run = 0; run < own->runs; run++) {
        for (int32_t i = 0; i < SIZE; i++) arena[i] = expected[0][i] = (unsigned char)((run + own->seed + i) % 90);
        if (run % 7 == 0) arena[run % SIZE] = REFUSED;
        for (int32_t s = 0; s < STEPS; s++)
            for (int32_t i = 0; i < SIZE; i++)
                expected[(s + 1) % 2][i] = (unsigned char)(expected[s % 2][i] + expected[s % 2][(i + SIZE / 2) % SIZE]);
        const int32_t failed = pq_session_run(session, 0, STEPS, 1 + run / 50);
        if (failed != (run % 7 == 0 ? 0 : -1)) wrong++;
        if (failed < 0 && memcmp(arena + STEPS * SIZE, expected[STEPS % 2], SIZE) != 0) wrong++;
    }
    pq_session_free(session);
    return (void *)wrong;
}

/* What is handed to a packer is there when it is freed, whether its thread waited for it, slept, or was at work. */
static intptr_t pack_all(int32_t pauses) {
    int32_t numbers[SIZE], packed[SIZE] = {0};
    pq_packer *packer = pq_packer_new();
    for (int32_t i = 0; i < SIZE; i++) {
        numbers[i] = i;
        if (pauses > 0 && i % (SIZE / pauses) == 0) nanosleep(&(struct timespec){0, 10000000}, NULL);
        pq_packer_add(packer, 0, &numbers[i], &packed[i]);
    }
    pq_packer_free(packer);
    intptr_t wrong = 0;
    for (int32_t i = 0; i < SIZE; i++) wrong += packed[i] != 1 + i;
    return wrong;
}

/* How much went wrong in runs of a plan from several threads at once. */
static intptr_t call_all(const pq_plan *plan, int runs) {
    struct caller callers[CALLERS];
    const char *reason;
    if (pq_plan_check(plan, &reason) >= 0) return 1;
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){0, plan, i, runs};
        pthread_create(&callers[i].thread, NULL, call, &callers[i]);
    }
    intptr_t all = 0;
    for (int i = 0; i < CALLERS; i++) {
        void *wrong;
        pthread_join(callers[i].thread, &wrong);
        all += (intptr_t)wrong;
    }
    return all;
}

/* Runs that begin before all params are there: the first of them is 1, as in the other plan. */
static intptr_t run_while_packing(void) {
    int32_t given[STEPS], numbers[STEPS] = {0};
    pq_plan_step steps[STEPS];
    pq_packer *packer = pq_packer_new();
    for (int32_t i = 0; i < STEPS; i++) {
        given[i] = i;
        if (pq_packer_add(packer, 0, &given[i], &numbers[i]) != i + 1) return 1;
    }
    char *reserve = pq_reserve_new(PAGES);
    const int32_t pages = pq_packer_make_pages(packer, reserve, PAGES);
    pq_packer_end(packer);
    const pq_plan plan = make_plan(steps, numbers, packer);
    const intptr_t wrong = call_all(&plan, 4);
    pq_packer_await(packer, pages);
    memset(reserve, 1, PAGES);
    pq_packer_free(packer);
    pq_reserve_free(reserve);
    return wrong;
}

int main(void) {
    static const int32_t numbers[STEPS] = {1};
    pq_plan_step steps[STEPS];
    const pq_plan plan = make_plan(steps, numbers, NULL);
    intptr_t all = pack_all(0) + pack_all(8) + call_all(&plan, RUNS);
    for (int i = 0; i < 20; i++) all += run_while_packing();
    printf("%d runs, %d wrong\n", CALLERS * RUNS, (int)all);
    return all != 0;
}
