/* The cells of activations for one TYPE, after cells.h and convert.h. */

#if BYTES
/* The cell of a zero term. */
static inline int32_t NAME(x_zero)(ORIGIN origin) {
#if HYBRID
    return LOWEST - (int32_t)(origin.lo - origin.after);
#else
    return origin - MOVED;
#endif
}

static inline CELL NAME(cell)(CODE x, ORIGIN origin) {
#if HYBRID
    return (CELL)(NAME(term)(x, origin) + NAME(x_zero)(origin));
#else
    return (void)origin, (CELL)(x - MOVED);
#endif
}
#else
static inline int32_t NAME(x_zero)(ORIGIN origin) { return (void)origin, 0; }

static inline CELL NAME(cell)(CODE x, ORIGIN origin) { return NAME(term)(x, origin); }
#endif

/* The cells of n activations. */
static inline void NAME(plain_cells)(const CODE *restrict x, size_t n, ORIGIN origin, CELL *restrict cells) {
    for (size_t i = 0; i < n; i++) cells[i] = NAME(cell)(x[i], origin);
}
