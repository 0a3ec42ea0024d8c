/* Memory of an arena before its size is known: address space, whose pages are made as they are written, or earlier by a packer. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <sys/mman.h>

#include "packer.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

enum { PAGE = 1 << 12, FRONT = 1 << 16 }; /* bytes: of a page at least, of some whole pages */

/* The memory is behind a piece that holds the size of both. */
char *pq_reserve_new(size_t bytes) {
    const size_t size = bytes + FRONT;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    *(size_t *)(void *)memory = size;
    return memory + FRONT;
}

void pq_reserve_free(char *reserve) {
    char *memory = reserve - FRONT;
    munmap(memory, *(const size_t *)(const void *)memory);
}

/* By writing to each: a system call for the same keeps others from getting memory, for milliseconds. */
size_t pq_make_pages(const void *bytes, void *memory) {
    const size_t size = *(const size_t *)bytes;
    for (size_t at = 0; at < size; at += PAGE) *((volatile char *)memory + at) = 0;
    return size;
}
