/* lut_x8, lut_x16: y = table[x], x being read as unsigned bits of that width, as wide as the table's entries. One unit is one
 * element; y may be x. */
#ifndef PQ_LUT_H
#define PQ_LUT_H
#include <stdint.h>

typedef struct {
    const void *table; /* (256) of 8 bits, or (65536) of 16 */
} pq_lut;
#endif
