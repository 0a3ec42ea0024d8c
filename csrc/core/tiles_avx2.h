/* The sizes of tiles by the 16 vectors of AVX2: sums of 6 rows of a block or 1 of 4, and what is multiplied. */
#define TILES_OF(name)                                                                                   \
    TILE_OF(name, 1, 4)                                                                                  \
    TILE_OF(name, 1, 1) TILE_OF(name, 2, 1) TILE_OF(name, 3, 1) TILE_OF(name, 4, 1) TILE_OF(name, 5, 1)  \
    TILE_OF(name, 6, 1)                                                                                  \
    LISTED_TILE_OF(name, 1) LISTED_TILE_OF(name, 2) LISTED_TILE_OF(name, 3) LISTED_TILE_OF(name, 4)      \
    LISTED_TILE_OF(name, 5) LISTED_TILE_OF(name, 6)
#define TABLE_OF(name)                                                                                   \
    .of = {{name##_1x1, name##_2x1, name##_3x1, name##_4x1, name##_5x1, name##_6x1}}, .wide = name##_1x4, \
    .listed = {name##_1_listed, name##_2_listed, name##_3_listed, name##_4_listed, name##_5_listed, name##_6_listed}
#include "tiles_loop.h"

PQ_INLINE __m256i four_everywhere(const char *x) { return _mm256_set1_epi32(four_bytes(x)); }
