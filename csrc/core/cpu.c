/* What the processor and the operating system can run. */
#include "isa.h"
#include "pq.h"

PQ_FOR_x86_avx2(
    static int32_t has_x86_avx2(void) { return __builtin_cpu_supports("avx2"); }

    static int32_t has_x86_avx512vnni(void) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
    }
)

static int32_t always(void) { return 1; }

static const struct {
    const char *name;
    int32_t (*available)(void);
} isas[] = {
    PQ_FOR_x86_avx512vnni({"x86_avx512vnni", has_x86_avx512vnni},)
    PQ_FOR_x86_avx2({"x86_avx2", has_x86_avx2},)
    PQ_FOR_arm_neon({"arm_neon", always},)
    {"scalar", always},
};

const char *pq_isa(int32_t index) { return index < (int32_t)(sizeof isas / sizeof *isas) ? isas[index].name : NULL; }

int32_t pq_isa_available(int32_t index) { return isas[index].available() != 0; }
