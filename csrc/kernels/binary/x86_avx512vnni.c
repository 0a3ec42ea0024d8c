/* add and multiply of codes by the vectors of AVX-512; what their exact scaling does not hold for is left to AVX2. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include <string.h>

#include "binary.h"
#include "pq.h"
#include "rescale_avx512.h"

pq_kernel_function add_s8_x86_avx2, add_u8_x86_avx2, add_s16_x86_avx2;
pq_kernel_function multiply_s8_x86_avx2, multiply_u8_x86_avx2, multiply_s16_x86_avx2;

#define PQ_TWO_BYTES_s8 0
#define PQ_TWO_BYTES_u8 0
#define PQ_TWO_BYTES_s16 1

#define ISA x86_avx512vnni
#define TYPE s8
#include "vectors.h"
#define TYPE u8
#include "vectors.h"
#define TYPE s16
#include "vectors.h"
#endif
