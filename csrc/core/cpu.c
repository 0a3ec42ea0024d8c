/* What the processor and the operating system can run. */
#include "isa.h"
#include "pq.h"

#if defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

static int32_t has_arm_neon_dot(void) {
    int32_t has = 0;
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, NULL, 0) == 0 && has;
}
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

static int32_t has_arm_neon_dot(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#elif defined(__aarch64__)
static int32_t has_arm_neon_dot(void) { return 0; }
#endif

PQ_FOR_x86_avx2(
    static int32_t has_x86_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

    static int32_t has_x86_avx512vnni(void) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
    }
)

PQ_FOR_x86_avxvnni(
    static int32_t has_x86_avxvnni(void) { return PQ_AVXVNNI_BY_AVX512 ? has_x86_avx512vnni() : __builtin_cpu_supports("avxvnni"); }
)

static int32_t always(void) { return 1; }

static const struct {
    const char *name;
    int32_t (*available)(void);
} isas[] = {
    PQ_FOR_x86_avx512vnni({"x86_avx512vnni", has_x86_avx512vnni},)
    PQ_FOR_x86_avxvnni({"x86_avxvnni", has_x86_avxvnni},)
    PQ_FOR_x86_avx2({"x86_avx2", has_x86_avx2},)
    PQ_FOR_arm_neon_dot({"arm_neon_dot", has_arm_neon_dot},)
    PQ_FOR_arm_neon({"arm_neon", always},)
    {"scalar", always},
};

const char *pq_isa(int32_t index) { return index < (int32_t)(sizeof isas / sizeof *isas) ? isas[index].name : NULL; }

int32_t pq_isa_available(int32_t index) { return isas[index].available() != 0; }
