/* Gives blocks of memory their offsets. */
#include <stdlib.h>

#include "pq.h"

enum { AT_ONCE = 64 }; /* blocks of other times that are passed over in the time of one comparison, as arena.py counts them */

struct span { /* the memory of a block that has its offset */
    int64_t start, end, first, last;
};

/* The lowest offset where `size` bytes are beside all spans of the same time, which are sorted by start. */
static int64_t lowest_gap(const struct span *spans, int32_t count, const pq_block *block, int64_t size, int64_t *comparisons) {
    int64_t offset = 0;
    for (const struct span *span = spans; span < spans + count; span++) {
        if (span->first > block->last || span->last < block->first) continue;
        ++*comparisons;
        if (offset + size > span->start && offset < span->end) offset = span->end;
    }
    return offset;
}

static void insert(struct span *spans, int32_t count, struct span span) {
    for (; count > 0 && spans[count - 1].start > span.start; count--) spans[count] = spans[count - 1];
    spans[count] = span;
}

int64_t pq_place_blocks(const pq_block *blocks, const int32_t *order, int32_t n, int64_t alignment, int64_t most, int64_t *offsets) {
    struct span *spans = malloc(((size_t)n + 1) * sizeof *spans);
    if (spans == NULL) return -1;
    int64_t top = 0, comparisons = 0;
    int32_t count = 0;
    for (int32_t k = 0; k < n; k++) {
        const pq_block *block = &blocks[order[k]];
        int64_t *offset = &offsets[order[k]];
        const int64_t size = (block->size + alignment - 1) / alignment * alignment;
        if (*offset == -1) {
            *offset = 0;
            if (comparisons > most) {
                *offset = top;
            } else if (size > 0) {
                *offset = lowest_gap(spans, count, block, size, &comparisons);
                comparisons += n / AT_ONCE;
            }
        }
        const int64_t end = *offset + size;
        if (size > 0 && comparisons <= most) insert(spans, count++, (struct span){*offset, end, block->first, block->last});
        if (end > top) top = end;
    }
    free(spans);
    return top;
}
