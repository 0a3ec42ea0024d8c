/* The recurrent cells for one ISA. */
#define FULL(name) PQ_JOIN(name, ISA)

enum { LANES = 16, LONGEST = 4096, GATES = 4 };

static inline float dot_float(const float *restrict a, const float *restrict b, int32_t n) {
    float lanes[LANES] = {0}, sum = 0;
    int32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int32_t j = 0; j < LANES; j++) lanes[j] += a[i + j] * b[i + j];
    for (; i < n; i++) lanes[0] += a[i] * b[i];
    for (int32_t j = 0; j < LANES; j++) sum += lanes[j];
    return sum;
}

static inline int32_t dot_terms(const int16_t *restrict a, const int8_t *restrict w, int32_t n) {
    uint32_t sum = 0;
    for (int32_t i = 0; i < n; i++) sum += (uint32_t)(a[i] * w[i]);
    return (int32_t)sum;
}

static inline int32_t dot_codes(const int8_t *restrict a, int32_t zero, const int8_t *restrict w, int32_t n) {
    uint32_t sum = 0;
    for (int32_t i = 0; i < n; i++) sum += (uint32_t)((a[i] - zero) * w[i]);
    return (int32_t)sum;
}

/* A row of float activations, with its terms where weights are integers. */
typedef struct {
    const float *real;
    int32_t n;
    float scale;
    int16_t terms[LONGEST];
} row;

static inline void set_row(row *r, const pq_recurrent *p, const float *real, int32_t n) {
    r->real = real, r->n = n;
    if (!p->hybrid) return;
    const pq_dynamic q = pq_dynamic_of(real, (size_t)n, p->asymmetric, p->litert);
    r->scale = q.scale;
    for (int32_t i = 0; i < n; i++) r->terms[i] = pq_dynamic_term(real[i], q);
}

/* A row times row u of the weights in an input slot, whose scale is number `scale`. */
static inline float product(const pq_step *step, const row *r, int32_t slot, int32_t scale, int32_t u) {
    const pq_recurrent *p = step->params;
    const size_t first = (size_t)u * (size_t)r->n;
    if (!p->hybrid) return dot_float(r->real, (const float *)step->in[slot] + first, r->n);
    const float sum = (float)dot_terms(r->terms, (const int8_t *)step->in[slot] + first, r->n);
    return sum * (p->weight_scale[scale] * r->scale);
}

static inline float activation(const pq_recurrent *p, float x) { return p->tanh ? tanhf(x) : pq_clampf(x, p->lo, p->hi); }

/* Elements of one time of a row of the batch, in units of its size. */
static inline size_t at(const pq_recurrent *p, int32_t time, int32_t unit) {
    return p->time_major ? (size_t)time * (size_t)p->batch + (size_t)unit : (size_t)unit * (size_t)p->times + (size_t)time;
}

void FULL(rnn_f32)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_recurrent *p = step->params;
    const float *bias = step->in[3];
    row x, state;
    for (int32_t unit = begin; unit < end; unit++) {
        float *h = (float *)step->in[4] + (size_t)unit * (size_t)p->units;
        for (int32_t time = 0; time < p->times; time++) {
            float *y = (float *)step->out[0] + at(p, time, unit) * (size_t)p->units;
            set_row(&x, p, (const float *)step->in[0] + at(p, time, unit) * (size_t)p->inputs, p->inputs);
            set_row(&state, p, h, p->units);
            for (int32_t u = 0; u < p->units; u++)
                y[u] = activation(p, bias[u] + product(step, &x, 1, 0, u) + product(step, &state, 2, 1, u));
            memcpy(h, y, (size_t)p->units * sizeof *h);
        }
    }
}

void FULL(svdf_f32)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_recurrent *p = step->params;
    const float *bias = step->in[3];
    const size_t memory = (size_t)p->memory;
    row x;
    for (int32_t unit = begin; unit < end; unit++) {
        float *state = (float *)step->in[4] + (size_t)unit * (size_t)p->filters * memory;
        float *y = (float *)step->out[0] + (size_t)unit * (size_t)p->units;
        set_row(&x, p, (const float *)step->in[0] + (size_t)unit * (size_t)p->inputs, p->inputs);
        for (int32_t u = 0; u < p->units; u++) {
            float total = 0;
            for (int32_t f = u * p->rank; f < (u + 1) * p->rank; f++) {
                float *own = state + (size_t)f * memory;
                memmove(own, own + 1, (memory - 1) * sizeof *own);
                own[memory - 1] = product(step, &x, 1, 0, f);
                total += dot_float(own, p->time + (size_t)f * memory, p->memory);
            }
            y[u] = activation(p, bias ? total + bias[u] : total);
        }
    }
}

static inline int8_t code(int32_t scaled, int32_t zero) {
    return (int8_t)(pq_clamp(scaled, INT8_MIN - zero, INT8_MAX - zero) + zero);
}

/* What one unit of svdf_s8 sums: of states and weights of time of one type. */
#define SVDF_SUM(TYPE, LEAST, MOST)                                                                                        \
    static inline uint32_t svdf_sum_##TYPE(const pq_step *step, const int8_t *x, TYPE *state, int32_t u) {                  \
        const pq_recurrent *p = step->params;                                                                              \
        const size_t memory = (size_t)p->memory;                                                                           \
        uint32_t total = 0;                                                                                                \
        for (int32_t f = u * p->rank; f < (u + 1) * p->rank; f++) {                                                        \
            const TYPE *time = (const TYPE *)step->in[2] + (size_t)f * memory;                                             \
            TYPE *own = state + (size_t)f * memory;                                                                        \
            const int32_t sum = dot_codes(x, p->x_zero, (const int8_t *)step->in[1] + (size_t)f * (size_t)p->inputs, p->inputs); \
            memmove(own, own + 1, (memory - 1) * sizeof *own);                                                             \
            own[memory - 1] = (TYPE)pq_clamp(pq_multiply(sum, p->multiplier[0], p->exponent[0]), LEAST, MOST);             \
            for (size_t m = 0; m < memory; m++) total += (uint32_t)(own[m] * time[m]);                                     \
        }                                                                                                                  \
        return total;                                                                                                      \
    }
SVDF_SUM(int16_t, INT16_MIN, INT16_MAX)
SVDF_SUM(int8_t, INT8_MIN, INT8_MAX)

void FULL(svdf_s8)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_recurrent *p = step->params;
    const int32_t *bias = step->in[3];
    for (int32_t unit = begin; unit < end; unit++) {
        const int8_t *x = (const int8_t *)step->in[0] + (size_t)unit * (size_t)p->inputs;
        const size_t first = (size_t)unit * (size_t)p->filters * (size_t)p->memory;
        int8_t *y = (int8_t *)step->out[0] + (size_t)unit * (size_t)p->units;
        for (int32_t u = 0; u < p->units; u++) {
            uint32_t total = bias ? (uint32_t)bias[u] : 0;
            total += p->narrow ? svdf_sum_int8_t(step, x, (int8_t *)step->in[4] + first, u)
                               : svdf_sum_int16_t(step, x, (int16_t *)step->in[4] + first, u);
            y[u] = code(pq_multiply((int32_t)total, p->multiplier[1], p->exponent[1]), p->zero_point);
        }
    }
}

static inline float logistic(float x) { return 1 / (1 + expf(-x)); }

/* Gate g of all units but for its activation. cell: what its peephole sees. */
static inline void float_gate(const pq_step *step, const row *x, const row *h, int32_t g, const float *cell, float *restrict gate) {
    const pq_recurrent *p = step->params;
    const float *const peephole = g == 0 ? p->peephole_i : g == 1 ? p->peephole_f : g == 3 ? p->peephole_o : NULL;
    const float *const bias = step->in[IN_B + g], *const norm = p->normalized ? step->in[IN_N + g] : NULL;
    for (int32_t u = 0; u < p->units; u++) {
        gate[u] = product(step, x, IN_W + g, g, u) + product(step, h, IN_R + g, GATES + g, u);
        if (peephole) gate[u] += cell[u] * peephole[u];
    }
    if (norm) {
        float sum = 0, squares = 0;
        for (int32_t u = 0; u < p->units; u++) sum += gate[u], squares += gate[u] * gate[u];
        const float mean = sum / (float)p->units, variance = squares / (float)p->units - mean * mean;
        const float scale = 1 / sqrtf(variance == 0 ? 1e-8f : variance);
        for (int32_t u = 0; u < p->units; u++) gate[u] = (gate[u] - mean) * scale * norm[u];
    }
    for (int32_t u = 0; u < p->units; u++) gate[u] += bias[u];
}

void FULL(lstm_f32)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_recurrent *p = step->params;
    const int coupled = !step->in[IN_W];
    const float *const bias = step->in[IN_PROJECTION + 1];
    float gate[GATES][LONGEST], *const out = gate[3];
    row x, state;
    for (int32_t unit = begin; unit < end; unit++) {
        float *h = (float *)step->in[IN_H] + (size_t)unit * (size_t)p->outputs;
        float *cell = (float *)step->in[IN_H + 1] + (size_t)unit * (size_t)p->units;
        for (int32_t time = 0; time < p->times; time++) {
            set_row(&x, p, (const float *)step->in[0] + at(p, time, unit) * (size_t)p->inputs, p->inputs);
            set_row(&state, p, h, p->outputs);
            for (int32_t g = coupled; g < 3; g++) float_gate(step, &x, &state, g, cell, gate[g]);
            for (int32_t u = 0; u < p->units; u++) {
                const float forget = logistic(gate[1][u]), start = coupled ? 1 - forget : logistic(gate[0][u]);
                const float next = forget * cell[u] + start * activation(p, gate[2][u]);
                cell[u] = p->cell_clip > 0 ? pq_clampf(next, -p->cell_clip, p->cell_clip) : next;
            }
            float_gate(step, &x, &state, 3, cell, out);
            for (int32_t u = 0; u < p->units; u++) out[u] = logistic(out[u]) * activation(p, cell[u]);
            if (step->in[IN_PROJECTION]) {
                set_row(&x, p, out, p->units);
                for (int32_t o = 0; o < p->outputs; o++) {
                    const float sum = product(step, &x, IN_PROJECTION, 2 * GATES, o) + (bias ? bias[o] : 0);
                    h[o] = p->projection_clip > 0 ? pq_clampf(sum, -p->projection_clip, p->projection_clip) : sum;
                }
            } else {
                memcpy(h, out, (size_t)p->units * sizeof *h);
            }
            memcpy((float *)step->out[0] + at(p, time, unit) * (size_t)p->outputs, h, (size_t)p->outputs * sizeof *h);
        }
    }
}

/* Layer normalization of int16 gates, in place, by factors w and then b: gate g of pq_recurrent. */
static inline void normalize(const pq_recurrent *p, const int16_t *restrict w, const int32_t *restrict b, int32_t g, int16_t *restrict gate) {
    int64_t sum = 0, squares = 0;
    for (int32_t u = 0; u < p->units; u++) sum += gate[u], squares += (int64_t)gate[u] * gate[u];
    const int64_t mean = sum * 1024 / p->units, variance = (squares * ((1 << 20) / p->units) - mean * mean) / (1 << 20);
    const root r = inverse_square_root((int32_t)(variance < 1 ? p->guard[g] : variance));
    for (int32_t u = 0; u < p->units; u++) {
        const int32_t scaled = pq_multiply(1024 * gate[u] - (int32_t)mean, r.multiplier, r.exponent);
        const int32_t value = (int32_t)((uint32_t)scaled * (uint32_t)w[u] + (uint32_t)b[u]);
        const int32_t rounded = (int32_t)(((int64_t)value + (value > 0 ? 512 : -512)) / 1024);
        gate[u] = saturated(pq_multiply(rounded, p->multiplier[13 + g], p->exponent[13 + g] + 12));
    }
}

/* Gate g of all units of row `unit`. cell: what its peephole sees, but TFLite takes as many units of it as there are outputs:
 * of rows one after the other, in the memory of all rows that it computes at once. */
static inline void integer_gate(const pq_step *step, int32_t unit, const int8_t *x, const int8_t *h, int32_t g, const int16_t *cell, int16_t *restrict gate) {
    const pq_recurrent *p = step->params;
    const int16_t *const peephole = g == 2 ? NULL : step->in[IN_P + (g == 3 ? 2 : g)];
    const int32_t *const bias = step->in[IN_B + g], own = 2 * GATES + (g == 3 ? 2 : g);
    for (int32_t u = 0; u < p->units; u++) {
        const int8_t *w = (const int8_t *)step->in[IN_W + g] + (size_t)u * (size_t)p->inputs;
        const int8_t *r = (const int8_t *)step->in[IN_R + g] + (size_t)u * (size_t)p->outputs;
        const uint32_t sum = (uint32_t)dot_codes(x, p->x_zero, w, p->inputs) + (p->normalized ? 0 : (uint32_t)bias[u]);
        const int32_t from_x = saturated(pq_multiply((int32_t)sum, p->multiplier[g], p->exponent[g]));
        const int32_t recurrent = dot_codes(h, p->h_zero, r, p->outputs);
        gate[u] = saturated((int64_t)from_x + pq_multiply(recurrent, p->multiplier[GATES + g], p->exponent[GATES + g]));
        const int64_t place = p->time_major ? (int64_t)unit * p->units + u : u;
        if (peephole && place < (p->time_major ? (int64_t)p->batch * p->outputs : p->outputs)) {
            const int32_t seen = cell[u] * peephole[place % p->outputs];
            gate[u] = saturated((int64_t)gate[u] + pq_multiply(seen, p->multiplier[own], p->exponent[own]));
        }
    }
    if (p->normalized) normalize(p, step->in[IN_N + g], bias, g, gate);
}

void FULL(lstm_s8)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_recurrent *p = step->params;
    const int coupled = !step->in[IN_W];
    const int16_t *const logistic_of = p->logistic_of + 32768, *const tanh_of = p->tanh_of + 32768, *const bound = p->tanh_cell + 32768;
    const int32_t *const bias = step->in[IN_PROJECTION + 1];
    int16_t gate[GATES][LONGEST];
    int8_t out[LONGEST];
    for (int32_t unit = begin; unit < end; unit++) {
        int8_t *h = (int8_t *)step->in[IN_H] + (size_t)unit * (size_t)p->outputs;
        int16_t *cell = (int16_t *)step->in[IN_H + 1] + (size_t)unit * (size_t)p->units;
        for (int32_t time = 0; time < p->times; time++) {
            const int8_t *x = (const int8_t *)step->in[0] + at(p, time, unit) * (size_t)p->inputs;
            for (int32_t g = coupled; g < 3; g++) integer_gate(step, unit, x, h, g, cell, gate[g]);
            for (int32_t u = 0; u < p->units; u++) {
                const int32_t forget = logistic_of[gate[1][u]], candidate = tanh_of[gate[2][u]];
                const int32_t start = coupled ? 32767 - forget : logistic_of[gate[0][u]];
                const int32_t added = pq_rounding_shift(start * candidate, 30 + p->cell_power);
                const int32_t next = saturated((int64_t)pq_rounding_shift(forget * cell[u], 15) + added);
                cell[u] = (int16_t)(p->cell_limit ? pq_clamp(next, -p->cell_limit, p->cell_limit) : next);
            }
            integer_gate(step, unit, x, h, 3, cell, gate[3]);
            for (int32_t u = 0; u < p->units; u++) {
                const int32_t product = logistic_of[gate[3][u]] * bound[cell[u]];
                out[u] = code(pq_multiply(product, p->multiplier[11], p->exponent[11]), p->zero_point);
            }
            if (step->in[IN_PROJECTION]) {
                for (int32_t o = 0; o < p->outputs; o++) {
                    const int8_t *w = (const int8_t *)step->in[IN_PROJECTION] + (size_t)o * (size_t)p->units;
                    const uint32_t sum = (uint32_t)dot_codes(out, p->zero_point, w, p->units) + (bias ? (uint32_t)bias[o] : 0);
                    const int8_t found = code(pq_multiply((int32_t)sum, p->multiplier[12], p->exponent[12]), p->h_zero);
                    h[o] = (int8_t)(p->projection_limit ? pq_clamp(found, -p->projection_limit, p->projection_limit) : found);
                }
            } else {
                memcpy(h, out, (size_t)p->units);
            }
            memcpy((int8_t *)step->out[0] + at(p, time, unit) * (size_t)p->outputs, h, (size_t)p->outputs);
        }
    }
}
