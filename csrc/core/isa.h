/* The instruction sets. PQ_FOR_<isa>(code) keeps the code where that set can be compiled, and drops it elsewhere. */
#ifndef PQ_ISA_H
#define PQ_ISA_H

#if defined(__x86_64__)
#define PQ_FOR_x86_avx512vnni(...) __VA_ARGS__
#define PQ_FOR_x86_avx2(...) __VA_ARGS__
#else
#define PQ_FOR_x86_avx512vnni(...)
#define PQ_FOR_x86_avx2(...)
#endif

/* Compilers know it since GCC 11. PQ_AVXVNNI_BY_AVX512: in the encoding of AVX-512, to test it where only that is there. */
#ifndef PQ_AVXVNNI_BY_AVX512
#define PQ_AVXVNNI_BY_AVX512 0
#endif
#if defined(__x86_64__) && (__GNUC__ >= 11 || defined(__clang__))
#define PQ_AVXVNNI 1
#define PQ_FOR_x86_avxvnni(...) __VA_ARGS__
#else
#define PQ_AVXVNNI 0
#define PQ_FOR_x86_avxvnni(...)
#endif

#if defined(__aarch64__)
#define PQ_FOR_arm_neon_dot(...) __VA_ARGS__
#define PQ_FOR_arm_neon(...) __VA_ARGS__
#else
#define PQ_FOR_arm_neon_dot(...)
#define PQ_FOR_arm_neon(...)
#endif

#define PQ_FOR_scalar(...) __VA_ARGS__

#endif
