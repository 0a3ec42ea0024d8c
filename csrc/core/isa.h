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

#if defined(__aarch64__)
#define PQ_FOR_arm_neon_dot(...) __VA_ARGS__
#define PQ_FOR_arm_neon(...) __VA_ARGS__
#else
#define PQ_FOR_arm_neon_dot(...)
#define PQ_FOR_arm_neon(...)
#endif

#define PQ_FOR_scalar(...) __VA_ARGS__

#endif
