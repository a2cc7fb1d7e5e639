/* One step of the decoder: everything that is computed for its tokens, in order. */
#ifndef FORWARD_H
#define FORWARD_H

#include "attention.h"
#include "matmul.h"

/* Parts of a row of logits that threads search independently. */
#define SEGMENTS 16

/* A step's memory, cut out of one piece; [rows] is the number of tokens. */
typedef struct {
    float *hidden;    /* [rows][hidden]: the residual stream */
    float *normed;    /* [rows][hidden] */
    float *qkv;       /* [rows][qkv outputs] */
    float *attention; /* [rows][heads * head_size] */
    float *mlp;       /* [rows][intermediate] */
    Activations in;   /* quantized rows, as wide as the widest input */
    Run *runs;
    int32_t *positions, *tables; /* [rows], of the tokens after which logits are wanted */
} Scratch;

typedef struct {
    const Model *model;
    const Step *step;
    Pool *pool;
    Scratch s;
    int32_t hidden, attention, intermediate; /* widths, padded to whole groups */
    int32_t runs;
} Pass;

/* Numbers of a token's queries, keys and values. */
static int32_t qkv_width(const Layer *l) { return l->qkv.outputs + l->values.outputs; }

static int64_t take(char **at, int64_t bytes) {
    const int64_t whole = (bytes + 63) / 64 * 64;
    *at += whole;
    return whole;
}

/* Lay the scratch memory out; returns its size. With base NULL it only measures. */
static int64_t lay_out(const Model *m, int32_t rows, char *base, Scratch *s) {
    const int64_t n = rows > 1 ? rows : 1;
    const int64_t hidden = padded(m->hidden, GROUP), attention = padded(m->heads * m->head_size, GROUP);
    const int64_t intermediate = padded(m->intermediate, GROUP);
    int64_t widest = hidden > attention ? hidden : attention;
    widest = intermediate > widest ? intermediate : widest;
    char *at = base;
    s->hidden = (float *)at, take(&at, 4 * n * hidden);
    s->normed = (float *)at, take(&at, 4 * n * hidden);
    s->qkv = (float *)at, take(&at, 4 * n * qkv_width(&m->layer[0]));
    s->attention = (float *)at, take(&at, 4 * n * attention);
    s->mlp = (float *)at, take(&at, 4 * n * intermediate);
    const int64_t in_tiles = padded((int32_t)n, 16); /* with every instruction set as many as with AMX */
    s->in.values = (int8_t *)at, take(&at, in_tiles * widest);
    s->in.scales = (float *)at, take(&at, 4 * in_tiles * (widest / GROUP));
    s->in.surplus = (int32_t *)at, take(&at, 4 * in_tiles * (widest / GROUP));
    s->in.sums = (int16_t *)at, take(&at, 2 * in_tiles * (widest / 16));
    s->runs = (Run *)at, take(&at, (int64_t)sizeof(Run) * n);
    s->positions = (int32_t *)at, take(&at, 4 * n);
    s->tables = (int32_t *)at, take(&at, 4 * n);
    return at - base;
}

/* One output's weights, which is a row of an embedding. */
static void read_row(const Matrix *m, int32_t row, int32_t width, float *out) {
    const int64_t block = (int64_t)(row / BLOCK) * m->inputs * BLOCK;
    const int32_t lane = row % BLOCK;
    for (int32_t k = 0; k < width; k++) {
        if (m->type == INT8) {
            const uint8_t w = ((const uint8_t *)m->data)[block + (k / 4 * BLOCK + lane) * 4 + k % 4];
            const int64_t group = ((int64_t)(row / BLOCK) * (m->inputs / GROUP) + k / GROUP) * BLOCK + lane;
            const uint32_t bits = (uint32_t)m->scales[group] << 16;
            float scale;
            memcpy(&scale, &bits, 4);
            out[k] = (float)(w - 128) * scale;
        } else if (m->type == BFLOAT16) {
            const uint32_t bits = (uint32_t)((const uint16_t *)m->data)[block + (int64_t)k * BLOCK + lane] << 16;
            memcpy(&out[k], &bits, 4);
        } else {
            out[k] = ((const float *)m->data)[block + (int64_t)k * BLOCK + lane];
        }
    }
}

/* Rows ready for a matrix's product, from floats with `width` numbers a row. */
typedef struct {
    const float *rows;
    Activations in;
} Quantization;

static void quantize_task(void *context, int32_t row) {
    const Quantization *q = context;
    quantize_row(&q->in, row, q->rows + (int64_t)row * q->in.inputs);
}

#if defined(ISA_AMX)
static void quantize_in_tile_task(void *context, int32_t row) {
    const Quantization *q = context;
    quantize_in_tile(&q->in, row, q->rows + (int64_t)row * q->in.inputs);
}
#endif

/* The rows of a tile lie among each other, so that one task writes all of them. */
static void quantize_tile_task(void *context, int32_t tile) {
    const Quantization *q = context;
    const int32_t first = tile * CODE_ROWS, end = first + rows_of_tile(q->in.rows, first);
    for (int32_t row = first; row < end; row++) quantize_tiled(&q->in, row, q->rows + (int64_t)row * q->in.inputs);
}

static Activations prepare(const Pass *pass, const Matrix *matrix, float *rows, int32_t count) {
    Activations in = pass->s.in;
    in.floats = rows;
    in.inputs = matrix->inputs;
    in.rows = count;
    if (matrix->type == FLOAT32 || matrix->type == BFLOAT16) return in;
    Quantization q = {rows, in};
#if defined(ISA_AMX)
    if (is_tiled(matrix, count)) {
        pool_run(pass->pool, quantize_in_tile_task, &q, count);
        return in;
    }
#endif
    if (is_coded(matrix)) pool_run(pass->pool, quantize_tile_task, &q, (count + CODE_ROWS - 1) / CODE_ROWS);
    else pool_run(pass->pool, quantize_task, &q, count);
    return in;
}

typedef struct {
    const Pass *pass;
    const float *weight;
} Norm;

static void norm_task(void *context, int32_t row) {
    const Norm *n = context;
    const Pass *p = n->pass;
    const int64_t at = (int64_t)row * p->hidden;
    rms_norm(p->s.hidden + at, n->weight, p->model->norm_epsilon, p->model->hidden, p->hidden, p->s.normed + at);
}

static void norm(const Pass *pass, const float *weight, int32_t rows) {
    Norm n = {pass, weight};
    pool_run(pass->pool, norm_task, &n, rows);
}

static void embed_task(void *context, int32_t row) {
    const Pass *p = context;
    float *out = p->s.hidden + (int64_t)row * p->hidden;
    memset(out, 0, sizeof(float) * (size_t)p->hidden);
    read_row(&p->model->embedding, p->step->token_ids[row], p->model->hidden, out);
}

typedef struct {
    const Pass *pass;
    int32_t layer;
} OfLayer;

INLINE void store_cached(void *cache, int64_t at, int32_t type, float x) {
    if (type == FLOAT32) ((float *)cache)[at] = x;
    else ((half *)cache)[at] = float_to_half(x);
}

/* Rotate a token's queries and keys; put its keys and values into the cache. */
static void remember_task(void *context, int32_t row) {
    const OfLayer *of = context;
    const Pass *p = of->pass;
    const Model *m = p->model;
    const Step *step = p->step;
    const int32_t size = m->head_size, position = step->positions[row];
    const float *rope = m->rope + (int64_t)position * size;
    const int32_t page = step->page_tables[(int64_t)step->tables[row] * step->table_width + position / PAGE_TOKENS];
    float *qkv = p->s.qkv + (int64_t)row * qkv_width(&m->layer[of->layer]);
    for (int32_t h = 0; h < m->heads + m->kv_heads; h++) rotate(qkv + h * size, rope, size);
    for (int32_t h = 0; h < m->kv_heads; h++) {
        const float *key = qkv + (m->heads + h) * size, *value = key + m->kv_heads * size;
        const int64_t at = page_offset(m, of->layer, h, page), slot = position % PAGE_TOKENS;
        for (int32_t d = 0; d < size; d++) {
            store_cached(m->keys, at + d * PAGE_TOKENS + slot, m->cache_type, key[d]);
            store_cached(m->values, at + slot * size + d, m->cache_type, value[d]);
        }
    }
}

static int32_t find_runs(const Model *m, const Step *step, Run *runs) {
    const int32_t longest = run_length(m);
    int32_t count = 0;
    for (int32_t i = 0; i < step->tokens; i++) {
        Run *run = count ? &runs[count - 1] : NULL;
        const int joins = run && run->count < longest && step->tables[i] == step->tables[run->first];
        if (joins) run->count++;
        else runs[count++] = (Run){i, 1};
    }
    return count;
}

/* The queries, keys and values of all tokens; keys and values go into the cache. */
static void remember_block(const Pass *p, int32_t layer) {
    const Layer *l = &p->model->layer[layer];
    const int32_t rows = p->step->tokens;
    norm(p, l->attention_norm, rows);
    Activations in = prepare(p, &l->qkv, p->s.normed, rows);
    product(p->pool, &l->qkv, &in, rows, p->s.qkv, qkv_width(l), ASSIGN);
    if (l->values.outputs) {
        if (is_coded(&l->values) != is_coded(&l->qkv)) in = prepare(p, &l->values, p->s.normed, rows);
        product(p->pool, &l->values, &in, rows, p->s.qkv + l->qkv.outputs, qkv_width(l), ASSIGN);
    }
    OfLayer of = {p, layer};
    pool_run(p->pool, remember_task, &of, rows);
}

static void attention_block(const Pass *p, int32_t layer) {
    const Layer *l = &p->model->layer[layer];
    const int32_t rows = p->step->tokens;
    Attention a = {p->model, p->step, p->s.qkv, p->s.attention, p->s.runs, layer, qkv_width(l), p->attention};
    pool_run(p->pool, attention_task, &a, p->runs * p->model->kv_heads);
    Activations in = prepare(p, &l->output, p->s.attention, rows);
    product(p->pool, &l->output, &in, rows, p->s.hidden, p->hidden, ADD);
}

static void mlp_block(const Pass *p, int32_t layer) {
    const Layer *l = &p->model->layer[layer];
    const int32_t rows = p->step->tokens;
    norm(p, l->mlp_norm, rows);
    Activations in = prepare(p, &l->gate_up, p->s.normed, rows);
    product(p->pool, &l->gate_up, &in, rows, p->s.mlp, p->intermediate, SWIGLU);
    in = prepare(p, &l->down, p->s.mlp, rows);
    product(p->pool, &l->down, &in, rows, p->s.hidden, p->hidden, ADD);
}

/* The likeliest token and the sum of exponentials in a segment of a row of logits. */
typedef struct {
    float most, total;
    int32_t best;
} Peak;

typedef struct {
    const Step *step;
    Peak *peaks; /* [wanted][SEGMENTS] */
    int32_t vocabulary, stride;
} Peaks;

static void peak_task(void *context, int32_t task) {
    const Peaks *p = context;
    const int32_t row = task / SEGMENTS, segment = task % SEGMENTS;
    const int32_t width = padded((p->vocabulary + SEGMENTS - 1) / SEGMENTS, LANES);
    const int32_t from = segment * width, end = from + width;
    const int32_t to = end < p->vocabulary ? end : p->vocabulary;
    const float *logits = p->step->logits + (int64_t)row * p->stride;
    Peak peak = {-INFINITY, 0.0f, from};
    for (int32_t i = from; i < to; i++)
        if (logits[i] > peak.most) peak.most = logits[i], peak.best = i;
    vf totals = splat(0.0f);
    int32_t i = from;
    for (; i + LANES <= to; i += LANES) totals += exp_(load(logits + i) - splat(peak.most));
    peak.total = sum(totals);
    for (; i < to; i++) peak.total += expf(logits[i] - peak.most);
    p->peaks[task] = peak;
}

static void find_peaks(const Pass *pass, Peak *peaks) {
    const Step *step = pass->step;
    Peaks context = {step, peaks, pass->model->vocabulary, pass->model->head.outputs};
    pool_run(pass->pool, peak_task, &context, step->wanted * SEGMENTS);
    for (int32_t row = 0; row < step->wanted; row++) {
        const Peak *peak = peaks + (int64_t)row * SEGMENTS;
        Peak top = peak[0];
        for (int s = 1; s < SEGMENTS; s++)
            if (peak[s].most > top.most) top = peak[s];
        float total = 0.0f;
        for (int s = 0; s < SEGMENTS; s++)
            if (peak[s].total > 0.0f) total += peak[s].total * expf(peak[s].most - top.most);
        step->best[row] = top.best;
        step->log_total[row] = top.most + logf(total);
    }
}

/* Go on with the tokens after which logits are wanted: `last` becomes the step, and their rows move to the front. */
static void keep_wanted(Pass *p, Step *last) {
    const Step *step = p->step;
    const int32_t width = qkv_width(&p->model->layer[p->model->layers - 1]);
    for (int32_t i = 0; i < step->wanted; i++) { /* wanted rows ascend, so none is overwritten before it is read */
        const int32_t row = step->wanted_rows[i];
        memmove(p->s.hidden + (int64_t)i * p->hidden, p->s.hidden + (int64_t)row * p->hidden,
                sizeof(float) * (size_t)p->hidden);
        memmove(p->s.qkv + (int64_t)i * width, p->s.qkv + (int64_t)row * width, sizeof(float) * (size_t)width);
        p->s.positions[i] = step->positions[row];
        p->s.tables[i] = step->tables[row];
    }
    *last = *step;
    last->tokens = step->wanted;
    last->positions = p->s.positions;
    last->tables = p->s.tables;
    p->step = last;
    p->runs = find_runs(p->model, last, p->s.runs);
}

/* The logits that are wanted, from the hidden states after the last layer. */
static void head_block(const Pass *p) {
    const Step *step = p->step;
    norm(p, p->model->final_norm, step->wanted);
    Activations in = prepare(p, &p->model->head, p->s.normed, step->wanted);
    product(p->pool, &p->model->head, &in, step->wanted, step->logits, p->model->head.outputs, ASSIGN);
    find_peaks(p, (Peak *)p->s.mlp);
}

SHARED void forward(const Model *model, const Step *step, void *scratch, Pool *pool) {
    Pass pass = {.model = model, .step = step, .pool = pool};
    lay_out(model, step->tokens, scratch, &pass.s);
    pass.hidden = padded(model->hidden, GROUP);
    pass.attention = padded(model->heads * model->head_size, GROUP);
    pass.intermediate = padded(model->intermediate, GROUP);
    memset(pass.s.attention, 0, sizeof(float) * (size_t)pass.attention * (size_t)step->tokens);
    pass.runs = find_runs(model, step, pass.s.runs);
    pool_run(pool, embed_task, &pass, step->tokens);
    Step last;
    for (int32_t layer = 0; layer < model->layers; layer++) {
        remember_block(&pass, layer);
        /* Of the last layer, other tokens only have to leave their keys and values. */
        if (layer == model->layers - 1) keep_wanted(&pass, &last);
        if (pass.step->tokens == 0) return;
        attention_block(&pass, layer);
        mlp_block(&pass, layer);
    }
    head_block(&pass);
}

#endif
