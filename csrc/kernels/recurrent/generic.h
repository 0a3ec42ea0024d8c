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

void FULL(svdf_s8)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_recurrent *p = step->params;
    const int32_t *bias = step->in[3];
    const size_t memory = (size_t)p->memory;
    for (int32_t unit = begin; unit < end; unit++) {
        const int8_t *x = (const int8_t *)step->in[0] + (size_t)unit * (size_t)p->inputs;
        int16_t *state = (int16_t *)step->in[4] + (size_t)unit * (size_t)p->filters * memory;
        int8_t *y = (int8_t *)step->out[0] + (size_t)unit * (size_t)p->units;
        for (int32_t u = 0; u < p->units; u++) {
            uint32_t total = bias ? (uint32_t)bias[u] : 0;
            for (int32_t f = u * p->rank; f < (u + 1) * p->rank; f++) {
                const int16_t *time = (const int16_t *)step->in[2] + (size_t)f * memory;
                const int8_t *feature = (const int8_t *)step->in[1] + (size_t)f * (size_t)p->inputs;
                int16_t *own = state + (size_t)f * memory;
                const int32_t sum = dot_codes(x, p->x_zero, feature, p->inputs);
                memmove(own, own + 1, (memory - 1) * sizeof *own);
                own[memory - 1] = saturated(pq_multiply(sum, p->multiplier[0], p->exponent[0]));
                for (size_t m = 0; m < memory; m++) total += (uint32_t)(own[m] * time[m]);
            }
            const int32_t scaled = pq_multiply((int32_t)total, p->multiplier[1], p->exponent[1]);
            y[u] = (int8_t)(pq_clamp(scaled, INT8_MIN - p->zero_point, INT8_MAX - p->zero_point) + p->zero_point);
        }
    }
}

void FULL(lstm_f32)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_recurrent *p = step->params;
    const int coupled = !step->in[IN_W];
    const float *const before[] = {p->peephole_i, p->peephole_f, NULL};
    row x, state;
    for (int32_t unit = begin; unit < end; unit++) {
        float *h = (float *)step->in[IN_H] + (size_t)unit * (size_t)p->units;
        float *cell = (float *)step->in[IN_H + 1] + (size_t)unit * (size_t)p->units;
        for (int32_t time = 0; time < p->times; time++) {
            float *y = (float *)step->out[0] + at(p, time, unit) * (size_t)p->units;
            set_row(&x, p, (const float *)step->in[0] + at(p, time, unit) * (size_t)p->inputs, p->inputs);
            set_row(&state, p, h, p->units);
            for (int32_t u = 0; u < p->units; u++) {
                float gate[GATES];
                for (int32_t g = coupled; g < GATES; g++) {
                    gate[g] = product(step, &x, IN_W + g, g, u) + product(step, &state, IN_R + g, GATES + g, u);
                    if (g < 3 && before[g]) gate[g] += cell[u] * before[g][u];
                    if (g < 3) gate[g] += ((const float *)step->in[IN_B + g])[u];
                }
                const float forget = 1 / (1 + expf(-gate[1]));
                const float start = coupled ? 1 - forget : 1 / (1 + expf(-gate[0]));
                const float next = forget * cell[u] + start * activation(p, gate[2]);
                cell[u] = p->cell_clip > 0 ? pq_clampf(next, -p->cell_clip, p->cell_clip) : next;
                if (p->peephole_o) gate[3] += cell[u] * p->peephole_o[u];
                gate[3] += ((const float *)step->in[IN_B + 3])[u];
                y[u] = 1 / (1 + expf(-gate[3])) * activation(p, cell[u]);
            }
            memcpy(h, y, (size_t)p->units * sizeof *h);
        }
    }
}

/* The int16 value of gate g of unit u but for its peephole. */
static inline int32_t gate_code(const pq_step *step, const int8_t *x, const int8_t *h, int32_t g, int32_t u) {
    const pq_recurrent *p = step->params;
    const int8_t *w = (const int8_t *)step->in[IN_W + g] + (size_t)u * (size_t)p->inputs;
    const int8_t *r = (const int8_t *)step->in[IN_R + g] + (size_t)u * (size_t)p->units;
    const uint32_t sum = (uint32_t)dot_codes(x, p->x_zero, w, p->inputs) + (uint32_t)((const int32_t *)step->in[IN_B + g])[u];
    const int32_t from_x = saturated(pq_multiply((int32_t)sum, p->multiplier[g], p->exponent[g]));
    const int32_t from_h = pq_multiply(dot_codes(h, p->h_zero, r, p->units), p->multiplier[GATES + g], p->exponent[GATES + g]);
    return saturated((int64_t)from_x + from_h);
}

static inline int32_t with_peephole(const pq_step *step, int32_t gate, int32_t which, int32_t u, int32_t cell) {
    const pq_recurrent *p = step->params;
    const int16_t *weights = step->in[IN_P + which];
    if (!weights) return gate;
    return saturated((int64_t)gate + pq_multiply(cell * weights[u], p->multiplier[8 + which], p->exponent[8 + which]));
}

void FULL(lstm_s8)(const pq_step *step, int32_t begin, int32_t end) {
    const pq_recurrent *p = step->params;
    const int coupled = !step->in[IN_W];
    for (int32_t unit = begin; unit < end; unit++) {
        int8_t *h = (int8_t *)step->in[IN_H] + (size_t)unit * (size_t)p->units;
        int16_t *cell = (int16_t *)step->in[IN_H + 1] + (size_t)unit * (size_t)p->units;
        for (int32_t time = 0; time < p->times; time++) {
            const int8_t *x = (const int8_t *)step->in[0] + at(p, time, unit) * (size_t)p->inputs;
            int8_t *y = (int8_t *)step->out[0] + at(p, time, unit) * (size_t)p->units;
            for (int32_t u = 0; u < p->units; u++) {
                const int32_t was = cell[u];
                const int32_t forget = p->logistic_of[with_peephole(step, gate_code(step, x, h, 1, u), 1, u, was) + 32768];
                const int32_t start =
                    coupled ? 32767 - forget : p->logistic_of[with_peephole(step, gate_code(step, x, h, 0, u), 0, u, was) + 32768];
                const int32_t candidate = p->tanh_of[gate_code(step, x, h, 2, u) + 32768];
                const int32_t kept = pq_rounding_shift(forget * was, 15);
                const int32_t next = saturated((int64_t)kept + pq_rounding_shift(start * candidate, 30 + p->cell_power));
                cell[u] = (int16_t)(p->cell_limit ? pq_clamp(next, -p->cell_limit, p->cell_limit) : next);
                const int32_t out = p->logistic_of[with_peephole(step, gate_code(step, x, h, 3, u), 2, u, cell[u]) + 32768];
                const int32_t scaled = pq_multiply(out * p->tanh_cell[cell[u] + 32768], p->multiplier[11], p->exponent[11]);
                y[u] = (int8_t)(pq_clamp(scaled, INT8_MIN - p->zero_point, INT8_MAX - p->zero_point) + p->zero_point);
            }
            memcpy(h, y, (size_t)p->units);
        }
    }
}
