/* Causal attention of new tokens over the paged KV cache, with grouped queries.
 *
 * A task takes the queries that share a key head: those of a group of heads and of a few consecutive
 * tokens. Keys are processed in partitions of a fixed size, and the softmax of each is merged with those
 * before it (Milakov and Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135). Since the
 * partitions are fixed, a query's result does not depend on how its prompt was cut into chunks.
 */
#ifndef ATTENTION_H
#define ATTENTION_H

#include "elementwise.h"
#include "pool.h"

#define PARTITION 256
/* The queries of a task: a page's keys are converted to floats once for all of them. */
#define MAX_QUERIES 28
/* Queries at a time: with their sums over the keys of a page, they must fit the registers. */
#if defined(ISA_AVX512)
#define QUERY_TILE 8
#elif defined(ISA_AVX2)
#define QUERY_TILE 6
#elif defined(ISA_NEON)
#define QUERY_TILE 4
#else
#define QUERY_TILE 2
#endif
#define PAGE_VECTORS (PAGE_TOKENS / LANES)
/* Vectors of a value at a time. */
#if defined(ISA_NEON)
#define VALUE_VECTORS 4
#else
#define VALUE_VECTORS 2
#endif
#define STRIPE (VALUE_VECTORS * LANES)

/* Consecutive tokens of one sequence. */
typedef struct {
    int32_t first, count;
} Run;

typedef struct {
    const Model *model;
    const Step *step;
    const float *queries; /* [tokens][query_stride], rotated */
    float *out;           /* [tokens][out_stride] */
    const Run *runs;
    int32_t layer, query_stride, out_stride;
} Attention;

/* The queries of a task, and the softmax so far. */
typedef struct {
    float query[MAX_QUERIES][MAX_HEAD_SIZE]; /* scaled by 1 / sqrt(head_size) */
    float value[MAX_QUERIES][MAX_HEAD_SIZE]; /* sum of exp(score - most) * value */
    float most[MAX_QUERIES], total[MAX_QUERIES];
    int32_t position[MAX_QUERIES];
    float weights[MAX_QUERIES][PARTITION];
    float part[MAX_QUERIES][MAX_HEAD_SIZE];
} Queries;

/* Elements before one layer's key head in a page; keys and values have the same number. */
INLINE int64_t page_offset(const Model *m, int32_t layer, int32_t head, int32_t page) {
    return (((int64_t)page * m->layers + layer) * m->kv_heads + head) * PAGE_TOKENS * m->head_size;
}

/* A page's keys or values of one head as floats: those of the cache, or `room` with a copy of them. */
INLINE const float *page_floats(const Model *m, const void *cache, int64_t page, float *room) {
    if (m->cache_type == FLOAT32) return (const float *)cache + page;
    const half *at = (const half *)cache + page;
    for (int32_t i = 0; i < PAGE_TOKENS * m->head_size; i += LANES) store(room + i, load_half(at + i));
    return room;
}

/* The scores of a page's keys, for the queries of a tile: weights[q][..]. */
INLINE void score_tile(const float *keys, int32_t head_size, const float (*query)[MAX_HEAD_SIZE], int count,
                       float (*weights)[PARTITION]) {
    vf sums[QUERY_TILE][PAGE_VECTORS];
    for (int q = 0; q < count; q++)
        for (int v = 0; v < PAGE_VECTORS; v++) sums[q][v] = splat(0.0f);
    for (int32_t d = 0; d < head_size; d++) {
        vf key[PAGE_VECTORS];
        for (int v = 0; v < PAGE_VECTORS; v++) key[v] = load(keys + d * PAGE_TOKENS + v * LANES);
        for (int q = 0; q < count; q++)
            for (int v = 0; v < PAGE_VECTORS; v++) sums[q][v] = fma_(splat(query[q][d]), key[v], sums[q][v]);
    }
    for (int q = 0; q < count; q++)
        for (int v = 0; v < PAGE_VECTORS; v++) store(weights[q] + v * LANES, sums[q][v]);
}

/* part[q][..] += the page's values, each times its weight. */
INLINE void value_tile(const float *values, int32_t head_size, const float (*weights)[PARTITION], int count,
                       float (*part)[MAX_HEAD_SIZE]) {
    vf sums[QUERY_TILE][VALUE_VECTORS];
    for (int q = 0; q < count; q++)
        for (int v = 0; v < VALUE_VECTORS; v++) sums[q][v] = load(part[q] + v * LANES);
    for (int32_t key = 0; key < PAGE_TOKENS; key++) {
        vf value[VALUE_VECTORS];
        for (int v = 0; v < VALUE_VECTORS; v++) value[v] = load(values + key * head_size + v * LANES);
        for (int q = 0; q < count; q++)
            for (int v = 0; v < VALUE_VECTORS; v++) sums[q][v] = fma_(splat(weights[q][key]), value[v], sums[q][v]);
    }
    for (int q = 0; q < count; q++)
        for (int v = 0; v < VALUE_VECTORS; v++) store(part[q] + v * LANES, sums[q][v]);
}

/* The compiler makes one loop of registers for each number of queries. */
#if defined(ISA_AVX512)
#define OF_EVERY_COUNT(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8)
#elif defined(ISA_AVX2)
#define OF_EVERY_COUNT(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6)
#elif defined(ISA_NEON)
#define OF_EVERY_COUNT(DO) DO(1) DO(2) DO(3) DO(4)
#else
#define OF_EVERY_COUNT(DO) DO(1) DO(2)
#endif

static void score_tile_of(const float *keys, int32_t head_size, const float (*query)[MAX_HEAD_SIZE], int count,
                          float (*weights)[PARTITION]) {
#define WITH(COUNT) \
    case COUNT: score_tile(keys, head_size, query, COUNT, weights); break;
    switch (count) {
        OF_EVERY_COUNT(WITH)
    default: break;
    }
#undef WITH
}

static void value_tile_of(const float *values, int32_t head_size, const float (*weights)[PARTITION], int count,
                          float (*part)[MAX_HEAD_SIZE]) {
#define WITH(COUNT) \
    case COUNT: value_tile(values, head_size, weights, COUNT, part); break;
    switch (count) {
        OF_EVERY_COUNT(WITH)
    default: break;
    }
#undef WITH
}

/* Turn the scores of a partition's keys into weights; most is the largest score, total the sum of weights. */
INLINE void soften(float *weights, int32_t width, float *most, float *total) {
    vf largest = splat(-INFINITY);
    for (int32_t i = 0; i < width; i += LANES) largest = max_(largest, load(weights + i));
    *most = max_of(largest);
    vf sums = splat(0.0f);
    for (int32_t i = 0; i < width; i += LANES) {
        vf x = *most == -INFINITY ? splat(0.0f) : exp_(load(weights + i) - splat(*most));
        sums += x;
        store(weights + i, x);
    }
    *total = sum(sums);
}

/* Add a partition's softmax to what came before it. */
INLINE void merge(Queries *s, int q, int32_t head_size, float most, float total) {
    if (most == -INFINITY) return;
    const float top = most > s->most[q] ? most : s->most[q];
    const float old = expf(s->most[q] - top), new = expf(most - top);
    for (int32_t d = 0; d < head_size; d += LANES)
        store(&s->value[q][d], load(&s->value[q][d]) * splat(old) + load(&s->part[q][d]) * splat(new));
    s->total[q] = s->total[q] * old + total * new;
    s->most[q] = top;
}

/* Minus infinity for the keys after the query. */
INLINE void mask_page(float *weights, int32_t start, int32_t position) {
    for (int32_t i = 0; i < PAGE_TOKENS; i++)
        if (start + i > position) weights[i] = -INFINITY;
}

static void attend_partition(const Model *m, Queries *s, const int64_t *pages, int32_t count_of_pages, int32_t start,
                             int count) {
    _Alignas(64) float room[PAGE_TOKENS * MAX_HEAD_SIZE];
    const int32_t size = m->head_size, tiles = (count + QUERY_TILE - 1) / QUERY_TILE;
    for (int32_t p = 0; p < count_of_pages; p++) {
        const float *keys = page_floats(m, m->keys, pages[p], room);
        for (int32_t t = 0; t < tiles; t++) {
            const int32_t from = count * t / tiles, to = count * (t + 1) / tiles;
            float(*weights)[PARTITION] = (float(*)[PARTITION])(&s->weights[from][p * PAGE_TOKENS]);
            score_tile_of(keys, size, &s->query[from], to - from, weights);
        }
        const int32_t first = start + p * PAGE_TOKENS;
        for (int q = 0; q < count; q++)
            if (first + PAGE_TOKENS > s->position[q]) mask_page(&s->weights[q][p * PAGE_TOKENS], first, s->position[q]);
    }
    float most[MAX_QUERIES], total[MAX_QUERIES];
    for (int q = 0; q < count; q++) {
        soften(s->weights[q], count_of_pages * PAGE_TOKENS, &most[q], &total[q]);
        memset(s->part[q], 0, sizeof(float) * (size_t)padded(size, STRIPE));
    }
    for (int32_t p = 0; p < count_of_pages; p++) {
        const float *values = page_floats(m, m->values, pages[p], room);
        for (int32_t t = 0; t < tiles; t++) {
            const int32_t from = count * t / tiles, to = count * (t + 1) / tiles;
            const float(*weights)[PARTITION] = (const float(*)[PARTITION])(&s->weights[from][p * PAGE_TOKENS]);
            for (int32_t d = 0; d < size; d += STRIPE)
                value_tile_of(values + d, size, weights, to - from, (float(*)[MAX_HEAD_SIZE])(&s->part[from][d]));
        }
    }
    for (int q = 0; q < count; q++) merge(s, q, size, most[q], total[q]);
}

/* `count` queries, query i belonging to token token[i] and head head[i]. */
INLINE void attend(const Attention *a, int32_t kv_head, const int32_t *token, const int32_t *head, int count) {
    const Model *m = a->model;
    const int32_t *table = a->step->page_tables + (int64_t)a->step->tables[token[0]] * a->step->table_width;
    const float scale = 1.0f / sqrtf((float)m->head_size);
    Queries s;
    int32_t last = 0;
    for (int q = 0; q < count; q++) {
        const float *query = a->queries + (int64_t)token[q] * a->query_stride + head[q] * m->head_size;
        for (int32_t d = 0; d < m->head_size; d++) s.query[q][d] = query[d] * scale;
        memset(s.value[q], 0, sizeof(float) * (size_t)m->head_size);
        s.most[q] = -INFINITY;
        s.total[q] = 0.0f;
        s.position[q] = a->step->positions[token[q]];
        last = s.position[q] > last ? s.position[q] : last;
    }
    for (int32_t start = 0; start <= last; start += PARTITION) {
        const int32_t left = padded(last + 1 - start, PAGE_TOKENS);
        const int32_t n = (left < PARTITION ? left : PARTITION) / PAGE_TOKENS;
        int64_t pages[PARTITION / PAGE_TOKENS];
        for (int32_t p = 0; p < n; p++) pages[p] = page_offset(m, a->layer, kv_head, table[start / PAGE_TOKENS + p]);
        attend_partition(m, &s, pages, n, start, count);
    }
    for (int q = 0; q < count; q++) {
        float *out = a->out + (int64_t)token[q] * a->out_stride + head[q] * m->head_size;
        const float inverse = 1.0f / s.total[q];
        for (int32_t d = 0; d < m->head_size; d++) out[d] = s.value[q][d] * inverse;
    }
}

SHARED void attention_task(void *context, int32_t task) {
    const Attention *a = context;
    const int32_t group = a->model->heads / a->model->kv_heads;
    const int32_t kv_head = task % a->model->kv_heads;
    const Run run = a->runs[task / a->model->kv_heads];
    const int32_t queries = run.count * group;
    const int32_t parts = (queries + MAX_QUERIES - 1) / MAX_QUERIES;
    for (int32_t part = 0; part < parts; part++) {
        const int32_t from = queries * part / parts, count = queries * (part + 1) / parts - from;
        int32_t token[MAX_QUERIES] = {0}, head[MAX_QUERIES] = {0};
        for (int32_t q = 0; q < count; q++) {
            token[q] = run.first + (from + q) / group;
            head[q] = kv_head * group + (from + q) % group;
        }
        attend(a, kv_head, token, head, count);
    }
}

/* How many tokens a run may have, so that its queries fill the registers. */
INLINE int32_t run_length(const Model *m) {
    const int32_t group = m->heads / m->kv_heads;
    return group >= MAX_QUERIES ? 1 : MAX_QUERIES / group;
}

#endif
