/* What a thread does that looks for something again and again. */
#ifndef PQ_RELAX_H
#define PQ_RELAX_H

static inline void pq_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
#endif
