/* The C interface of pyquant. Python reads this file as the cffi declaration, so it holds declarations only. */
#ifndef PQ_H
#define PQ_H
#include <stddef.h>
#include <stdint.h>

/* One operator of a finished plan, its memory resolved. A kernel does the work units [begin, end) of it, and checks nothing that
   the plan settles. What only its inputs tell, an index or a divisor, it checks: of one that has no result it reports by
   pq_report in core/report.h, and then neither reads nor writes outside its tensors; what its outputs hold is of no account. */
typedef struct pq_step pq_step;
typedef void pq_kernel_function(const pq_step *step, int32_t begin, int32_t end);
typedef pq_kernel_function *pq_kernel;
struct pq_step {
    pq_kernel run;
    const void *params;    /* the kernel's own struct, see kernels/<family>/<family>.h */
    const void *const *in; /* one pointer per operator input, NULL for an absent one */
    void *const *out;
    int32_t units; /* independent pieces of work */
    int32_t chunk; /* units that one worker takes at a time */
    int32_t index; /* its place in the plan */
    int32_t job; /* see pq_plan_step */
    int32_t *failed; /* the session's: the place of the step that reported, INT32_MAX before one did */
};

/* Lay out a kernel's constants as it wants them. Returns the bytes needed, and writes all of them where packed is not NULL.
   The params struct of a kernel that packs starts with `const void *packed`. */
typedef size_t (*pq_pack)(const void *params, void *packed);

/* One row of the kernel table: core/kernels.inc. */
typedef struct {
    const char *operation; /* conv2d_s8 */
    const char *isa;       /* x86_avx2 */
    pq_kernel run; /* NULL of what only lays out constants */
    pq_pack pack;  /* NULL where nothing is packed */
} pq_row;

const pq_row *pq_rows(int32_t *count);

/* What the kernel in that row of the table packs: the bytes needed, 0 where it packs nothing; and memory for them at a multiple of
   64, NULL where memory is short. */
size_t pq_packed_bytes(int32_t row, const void *params);
char *pq_packed_new(size_t bytes);
void pq_packed_free(char *packed);

/* Memory that takes none before it is written, zero then, at a multiple of a page; NULL where there is none. */
char *pq_reserve_new(size_t bytes);
void pq_reserve_free(char *reserve);

/* A thread that packs while its owner goes on: NULL, which packs at once, where there can be none. What a job points to must last until
   free, which waits for all jobs. add: the number of the job, from 1; 0 where it is done. make_pages: a job for memory that only later
   jobs use before it is done, so that who writes there first need not wait for pages. end: no more jobs will come. await, after end:
   until the first so many are done. */
typedef struct pq_packer pq_packer;
pq_packer *pq_packer_new(void);
int32_t pq_packer_add(pq_packer *packer, int32_t row, const void *params, void *packed);
int32_t pq_packer_make_pages(pq_packer *packer, char *memory, size_t bytes);
void pq_packer_end(pq_packer *packer);
void pq_packer_await(pq_packer *packer, int32_t jobs);
void pq_packer_free(pq_packer *packer);

/* Instruction sets that this build knows, best first, scalar last; NULL past the end. */
const char *pq_isa(int32_t index);
int32_t pq_isa_available(int32_t index);

/* A tensor of a plan: a constant, or a piece of the arena. Both start at a multiple of their element size. */
typedef struct {
    const void *constant; /* NULL: in the arena */
    size_t offset;
    size_t bytes;
    size_t element; /* of a piece */
} pq_tensor;

/* A step of a plan before it has memory: indices into the kernel table and the plan's tensors, -1 for an absent input. */
typedef struct {
    int32_t row;
    int32_t in_count;
    int32_t out_count;
    int32_t units;
    int32_t chunk;
    int32_t job; /* of the plan's packer, to be done before; 0 for none */
    const int32_t *in;
    const int32_t *out;
    const void *params;
} pq_plan_step;

typedef struct {
    int32_t tensor_count;
    int32_t step_count;
    const pq_tensor *tensors;
    const pq_plan_step *steps;
    size_t arena_bytes;
    pq_packer *packer; /* which has ended, or NULL */
} pq_plan;

/* The first step that is not sound, with the reason; or -1. A tensor that does not fit the arena is reported as step 0. */
int32_t pq_plan_check(const pq_plan *plan, const char **reason);

/* A checked plan with its memory: arena_bytes at a multiple of 64. Plan and arena must outlive it. NULL where memory is short.
   One caller at a time. */
typedef struct pq_session pq_session;
pq_session *pq_session_new(const pq_plan *plan, void *arena);
void pq_session_free(pq_session *session);

/* Run the steps [first, last) on `threads` threads, the caller's among them. Ends with a step that reports, and returns its
   place; its inputs are then as it found them. -1 where none did. */
int32_t pq_session_run(pq_session *session, int32_t first, int32_t last, int32_t threads);

/* Memory needed from step `first` to step `last`, both included. */
typedef struct {
    int64_t size; /* in bytes */
    int64_t first;
    int64_t last;
} pq_block;

/* Each block in turn, by `order`, at the lowest gap that holds it beside the blocks of the same time: a multiple of `alignment`
   into `offsets`, where -1 stood; any other offset is one that stays. After `most` comparisons of two blocks those left are on
   top of all. Returns the bytes of the whole, or -1 where memory is short. */
int64_t pq_place_blocks(const pq_block *blocks, const int32_t *order, int32_t n, int64_t alignment, int64_t most, int64_t *offsets);

/* real[i] = input · weights[i] / output in double, the product rounded to float first where `single`. */
void pq_real_multipliers(float input, const float *weights, int32_t n, float output, int32_t single, double *real);

/* The same for `channels` of them, all alike where n is 1, but split as by the next function, with its result. */
int32_t pq_rescaling(float input, const float *weights, int32_t n, float output, int32_t single, int32_t channels, int32_t *m, int32_t *e);

/* Split n real multipliers into (m, e), m / 2^31 * 2^e, 2^30 <= |m| < 2^31; below 2^-32 they become (0, 0). Returns the place of one
   that is not finite or needs e > 30, or -1. */
int32_t pq_quantize_multipliers(const double *real, int32_t n, int32_t *m, int32_t *e);

/* Whether n scales are at least `least` and finite, and m zero points from lo to hi: 0 if so, 1 for a scale, 2 for a zero point. */
int32_t pq_scales_fault(const float *scales, int32_t n, float least, const int64_t *zero_points, int32_t m, int64_t lo, int64_t hi);

/* Whether that is so of n times counts[i] scales and zero points, the latter all 0. */
int32_t pq_scales_are_sound(const float *const *scales, const int64_t *const *zero_points, const int32_t *counts, int32_t n, float least);

/* table[i] = exp(-i · (multiplier, exponent)), 256 of them, in units of 2^-31, as 8-bit softmax has it; 0 past the radius. */
void pq_exp_table(int32_t multiplier, int32_t exponent, int32_t radius, int32_t *table);

/* y[i] = f(x[i]) by the C library's function of that name, expf or exp. Return 0, or -1 for a name that is not known. */
int32_t pq_libm_float(const char *name, const float *x, float *y, size_t n);
int32_t pq_libm_double(const char *name, const double *x, double *y, size_t n);
#endif
