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

enum { STEPS = 24, SIZE = 512, CALLERS = 4, RUNS = 200, REFUSED = 99 };

/* y[i] = x[i] + x[neighbour of i] mod 256: reads what other threads wrote in the step before. With params it looks for
 * REFUSED. */
static void add_neighbours(const pq_step *step, int32_t begin, int32_t end) {
    const unsigned char *x = step->in[0];
    unsigned char *y = step->out[0];
    for (int32_t i = begin; i < end; i++) {
        if (step->params != NULL && x[i] == REFUSED) pq_report(step);
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

static pq_plan plan;
static pq_tensor tensors[STEPS + 1];
static pq_plan_step steps[STEPS];
static int32_t indices[STEPS + 1];

static void make_plan(void) {
    for (int32_t i = 0; i <= STEPS; i++) {
        tensors[i] = (pq_tensor){NULL, (size_t)i * SIZE, SIZE, 1};
        indices[i] = i;
    }
    for (int32_t i = 0; i < STEPS; i++)
        steps[i] = (pq_plan_step){0, 1, 1, SIZE, i % 3 == 0 ? SIZE : 16 + i, 0, &indices[i], &indices[i + 1], i == 0 ? "" : NULL};
    plan = (pq_plan){STEPS + 1, STEPS, tensors, steps, (STEPS + 1) * SIZE, NULL};
}

static void *call(void *seed) {
    _Alignas(64) unsigned char arena[(STEPS + 1) * SIZE] = {0}, expected[2][SIZE];
    pq_session *session = pq_session_new(&plan, arena);
    intptr_t wrong = 0;
    for (int32_t run = 0; run < RUNS; run++) {
        for (int32_t i = 0; i < SIZE; i++) arena[i] = expected[0][i] = (unsigned char)((run + *(int *)seed + i) % 90);
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

int main(void) {
    const char *reason;
    make_plan();
    if (pq_plan_check(&plan, &reason) >= 0) return 2;
    pthread_t callers[CALLERS];
    int seeds[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        seeds[i] = i;
        pthread_create(&callers[i], NULL, call, &seeds[i]);
    }
    intptr_t all = pack_all(0) + pack_all(8);
    for (int i = 0; i < CALLERS; i++) {
        void *wrong;
        pthread_join(callers[i], &wrong);
        all += (intptr_t)wrong;
    }
    printf("%d runs, %d wrong\n", CALLERS * RUNS, (int)all);
    return all != 0;
}
