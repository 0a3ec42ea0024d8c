/* Plans and sessions: check a plan once, give it memory, walk its steps on one thread or many. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "packer.h"
#include "pool.h"

struct pq_session {
    const pq_plan *plan;
    unsigned char *arena;
    pq_step *steps;
    void **pointers;   /* the in and out lists of all steps, one after the other */
    pq_pool *pool;
    _Atomic int32_t *taken; /* per thread of the pool and step: how many chunks of its share are taken in this run */
    int32_t first; /* the run under way */
    int32_t last;
    int32_t failed; /* the step of it that reported, see core/report.h */
    pq_packer *packer; /* the plan's, as long as it has not packed all */
};

static const char *tensor_fault(const pq_plan *plan, const pq_tensor *tensor) {
    if (tensor->constant != NULL) return NULL;
    if (tensor->element == 0 || tensor->offset % tensor->element != 0) return "a tensor is not aligned";
    if (tensor->offset > plan->arena_bytes || tensor->bytes > plan->arena_bytes - tensor->offset) return "a tensor leaves the arena";
    return NULL;
}

static const char *step_fault(const pq_plan *plan, const pq_plan_step *step) {
    int32_t row_count;
    const pq_row *rows = pq_rows(&row_count);
    if (step->row < 0 || step->row >= row_count || rows[step->row].run == NULL) return "no such kernel";
    if (step->units < 0 || step->chunk < 1) return "bad work units";
    if (step->job < 0 || (step->job > 0 && plan->packer == NULL)) return "no such job";
    if (step->in_count < 0 || step->out_count < 0) return "bad tensor count";
    for (int32_t i = 0; i < step->in_count; i++)
        if (step->in[i] < -1 || step->in[i] >= plan->tensor_count) return "no such input tensor";
    for (int32_t i = 0; i < step->out_count; i++) {
        if (step->out[i] < 0 || step->out[i] >= plan->tensor_count) return "no such output tensor";
        if (plan->tensors[step->out[i]].constant != NULL) return "the output is a constant";
    }
    return NULL;
}

int32_t pq_plan_check(const pq_plan *plan, const char **reason) {
    for (int32_t t = 0; t < plan->tensor_count; t++)
        if ((*reason = tensor_fault(plan, &plan->tensors[t])) != NULL) return 0;
    for (int32_t s = 0; s < plan->step_count; s++)
        if ((*reason = step_fault(plan, &plan->steps[s])) != NULL) return s;
    return -1;
}

static void *tensor_address(const pq_session *session, int32_t index) {
    if (index < 0) return NULL;
    const pq_tensor *tensor = &session->plan->tensors[index];
    return tensor->constant != NULL ? (void *)(uintptr_t)tensor->constant : session->arena + tensor->offset;
}

static void resolve_steps(pq_session *session) {
    int32_t row_count;
    const pq_row *rows = pq_rows(&row_count);
    void **pointer = session->pointers;
    for (int32_t s = 0; s < session->plan->step_count; s++) {
        const pq_plan_step *from = &session->plan->steps[s];
        pq_step *to = &session->steps[s];
        to->run = rows[from->row].run;
        to->params = from->params;
        to->units = from->units;
        to->chunk = from->chunk;
        to->index = s;
        to->job = from->job;
        to->failed = &session->failed;
        to->in = (const void *const *)pointer;
        for (int32_t i = 0; i < from->in_count; i++) *pointer++ = tensor_address(session, from->in[i]);
        to->out = pointer;
        for (int32_t i = 0; i < from->out_count; i++) *pointer++ = tensor_address(session, from->out[i]);
    }
}

pq_session *pq_session_new(const pq_plan *plan, void *arena) {
    size_t step_count = (size_t)plan->step_count, pointer_count = 0;
    for (size_t s = 0; s < step_count; s++) pointer_count += (size_t)(plan->steps[s].in_count + plan->steps[s].out_count);
    pq_session *session = calloc(1, sizeof *session);
    if (session == NULL) return NULL;
    session->plan = plan;
    session->arena = arena;
    session->packer = plan->packer;
    session->steps = calloc(step_count + 1, sizeof *session->steps);
    session->pointers = calloc(pointer_count + 1, sizeof *session->pointers);
    if (session->steps == NULL || session->pointers == NULL) {
        pq_session_free(session);
        return NULL;
    }
    resolve_steps(session);
    return session;
}

void pq_session_free(pq_session *session) {
    if (session == NULL) return;
    pq_pool_free(session->pool);
    free((void *)session->taken);
    free(session->pointers);
    free(session->steps);
    free(session);
}

/* A step of one chunk is the leader's alone, so two of them in a row need no barrier between them. */
static bool is_small(const pq_step *step) { return step->chunk >= step->units; }

static _Atomic int32_t *taken_by(const pq_session *session, int32_t thread, int32_t step) {
    return &session->taken[(size_t)thread * (size_t)session->plan->step_count + (size_t)step];
}

/* Every thread has a share of the chunks, side by side and the same in each run, so that it finds what it has written itself.
   Once its own is done it takes from others', who may be late. */
static void share_units(pq_session *session, const pq_step *step, int32_t thread) {
    const int32_t threads = pq_pool_threads(session->pool);
    const int64_t chunks = ((int64_t)step->units + step->chunk - 1) / step->chunk;
    for (int32_t i = 0, whose = thread; i < threads; i++, whose = whose + 1 < threads ? whose + 1 : 0) {
        _Atomic int32_t *taken = taken_by(session, whose, step->index);
        const int64_t first = chunks * whose / threads, end = chunks * (whose + 1) / threads;
        for (int64_t chunk; (chunk = first + atomic_fetch_add_explicit(taken, 1, memory_order_relaxed)) < end;) {
            const int64_t begin = chunk * step->chunk, left = step->units - begin;
            step->run(step, (int32_t)begin, left < step->chunk ? step->units : (int32_t)begin + step->chunk);
        }
    }
}

static void await_constants(const pq_session *session, const pq_step *step) {
    if (step->job > 0 && session->packer != NULL) pq_packer_await(session->packer, step->job);
}

/* Whether a step before this one reported: the same for all threads that ask after the barrier before it. */
static bool has_failed_before(const pq_step *step) { return __atomic_load_n(step->failed, __ATOMIC_RELAXED) < step->index; }

static void walk(void *argument, int32_t thread) {
    pq_session *session = argument;
    for (int32_t s = session->first; s < session->last; s++) {
        const pq_step *step = &session->steps[s];
        bool small = is_small(step);
        if (s > session->first && !(small && is_small(step - 1))) {
            pq_pool_barrier(session->pool, thread);
            if (has_failed_before(step)) return;
        }
        await_constants(session, step);
        if (!small) share_units(session, step, thread);
        else if (thread == 0 && step->units > 0 && !has_failed_before(step)) step->run(step, 0, step->units);
    }
}

static void walk_alone(const pq_session *session, int32_t first, int32_t last) {
    for (const pq_step *step = session->steps + first; step < session->steps + last && !has_failed_before(step); step++) {
        await_constants(session, step);
        if (step->units > 0) step->run(step, 0, step->units);
    }
}

/* The session's pool, remade where the thread count is another or the process was forked. NULL where there can be none. */
static pq_pool *pool_of(pq_session *session, int32_t threads) {
    if (session->pool != NULL && (!pq_pool_alive(session->pool) || pq_pool_threads(session->pool) != threads)) {
        pq_pool_free(session->pool);
        session->pool = NULL;
    }
    if (session->pool == NULL) {
        free((void *)session->taken);
        session->taken = calloc((size_t)threads * (size_t)session->plan->step_count, sizeof *session->taken);
        if (session->taken != NULL) session->pool = pq_pool_new(threads);
    }
    return session->pool;
}

int32_t pq_session_run(pq_session *session, int32_t first, int32_t last, int32_t threads) {
    session->failed = INT32_MAX;
    if (session->packer != NULL && pq_packer_is_done(session->packer)) session->packer = NULL;
    if (threads <= 1 || pool_of(session, threads) == NULL) {
        walk_alone(session, first, last);
    } else {
        session->first = first;
        session->last = last;
        for (int32_t thread = 0; thread < pq_pool_threads(session->pool); thread++)
            for (int32_t s = first; s < last; s++)
                atomic_store_explicit(taken_by(session, thread, s), 0, memory_order_relaxed);
        pq_pool_run(session->pool, walk, session);
    }
    return session->failed == INT32_MAX ? -1 : session->failed;
}
