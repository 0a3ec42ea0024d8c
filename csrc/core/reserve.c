/* Memory of an arena before its size is known: address space, whose pages are made as they are written, or earlier by a packer. */
#if defined(__linux__)
#define _GNU_SOURCE /* MADV_POPULATE_WRITE */
#endif
#include <stdint.h>
#include <sys/mman.h>

#include "packer.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#if defined(__linux__) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; earlier ones refuse it */
#endif

enum { PAGE = 1 << 12 };    /* bytes; where pages are larger, those of what does not begin with one are not made early */
enum { AT_ONCE = 1 << 16 }; /* bytes whose pages one call makes, as threads that ask for memory wait as long: some whole pages */

/* The memory is behind a piece that holds the size of both. */
char *pq_reserve_new(size_t bytes) {
    const size_t size = bytes + AT_ONCE;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    *(size_t *)(void *)memory = size;
    return memory + AT_ONCE;
}

void pq_reserve_free(char *reserve) {
    char *memory = reserve - AT_ONCE;
    munmap(memory, *(const size_t *)(const void *)memory);
}

size_t pq_make_pages(const void *bytes, void *memory) {
    const size_t size = *(const size_t *)bytes;
#if defined(__linux__)
    for (size_t at = -(uintptr_t)memory % PAGE; at < size; at += AT_ONCE)
        if (madvise((char *)memory + at, size - at < AT_ONCE ? size - at : AT_ONCE, MADV_POPULATE_WRITE) != 0) break;
#else
    (void)memory;
#endif
    return size;
}
