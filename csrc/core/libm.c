/* The C library's elementary functions over arrays. TFLite's lookup tables hold their results to the last bit. */
#include <math.h>
#include <string.h>

#include "pq.h"

#define EVERY_FUNCTION(ROW) \
    ROW(exp) ROW(expm1) ROW(log) ROW(log1p) ROW(tanh) ROW(erf) ROW(erfc) ROW(sqrt) ROW(cbrt) ROW(sin) ROW(cos) ROW(tan) ROW(atan) ROW(floor) ROW(ceil) ROW(rint) ROW(round)

#define FLOAT_ROW(name) {#name "f", name##f},
static const struct {
    const char *name;
    float (*call)(float);
} float_functions[] = {EVERY_FUNCTION(FLOAT_ROW)};

#define DOUBLE_ROW(name) {#name, name},
static const struct {
    const char *name;
    double (*call)(double);
} double_functions[] = {EVERY_FUNCTION(DOUBLE_ROW)};

int32_t pq_libm_float(const char *name, const float *x, float *y, size_t n) {
    for (size_t f = 0; f < sizeof float_functions / sizeof *float_functions; f++) {
        if (strcmp(name, float_functions[f].name) != 0) continue;
        for (size_t i = 0; i < n; i++) y[i] = float_functions[f].call(x[i]);
        return 0;
    }
    return -1;
}

int32_t pq_libm_double(const char *name, const double *x, double *y, size_t n) {
    for (size_t f = 0; f < sizeof double_functions / sizeof *double_functions; f++) {
        if (strcmp(name, double_functions[f].name) != 0) continue;
        for (size_t i = 0; i < n; i++) y[i] = double_functions[f].call(x[i]);
        return 0;
    }
    return -1;
}
