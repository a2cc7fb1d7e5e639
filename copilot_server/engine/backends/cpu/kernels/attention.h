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

#define PARTITION 512
/* Queries at a time: with four vectors of output each, their sums must fit the registers. */
#if defined(ISA_AVX512)
#define MAX_QUERIES 7
#elif defined(ISA_AVX2)
#define MAX_QUERIES 3
#else
#define MAX_QUERIES 2
#endif
#define STRIPE (4 * LANES)

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

INLINE vf load_cached(const void *cache, int64_t at, int type) {
    return type == FLOAT32 ? load((const float *)cache + at) : load_half((const half *)cache + at);
}

/* weights[q][..] = scores of the keys in a page, minus infinity for those after the query. */
INLINE void score_page(const Model *m, Queries *s, int64_t page, int32_t start, int32_t column, int count, int type) {
    for (int lane = 0; lane < PAGE_TOKENS; lane += LANES) {
        vf sums[MAX_QUERIES];
        for (int q = 0; q < count; q++) sums[q] = splat(0.0f);
        for (int32_t d = 0; d < m->head_size; d++) {
            vf key = load_cached(m->keys, page + d * PAGE_TOKENS + lane, type);
            for (int q = 0; q < count; q++) sums[q] = fma_(splat(s->query[q][d]), key, sums[q]);
        }
        vi index = splati(start + lane);
        for (int i = 0; i < LANES; i++) index[i] += i;
        for (int q = 0; q < count; q++)
            store(&s->weights[q][column + lane],
                  select_(index <= splati(s->position[q]), sums[q], splat(-INFINITY)));
    }
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

/* part[q][stripe..] = sum over a partition's keys of weight times value. */
INLINE void weigh_values(const Model *m, Queries *s, const int64_t *pages, int32_t count_of_pages, int32_t stripe,
                         int count, int type) {
    vf sums[MAX_QUERIES][4];
    for (int q = 0; q < count; q++)
        for (int v = 0; v < 4; v++) sums[q][v] = splat(0.0f);
    for (int32_t p = 0; p < count_of_pages; p++)
        for (int32_t key = 0; key < PAGE_TOKENS; key++) {
            vf value[4];
            for (int v = 0; v < 4; v++)
                value[v] = load_cached(m->values, pages[p] + key * m->head_size + stripe + v * LANES, type);
            for (int q = 0; q < count; q++) {
                vf weight = splat(s->weights[q][p * PAGE_TOKENS + key]);
                for (int v = 0; v < 4; v++) sums[q][v] = fma_(weight, value[v], sums[q][v]);
            }
        }
    for (int q = 0; q < count; q++)
        for (int v = 0; v < 4; v++) store(&s->part[q][stripe + v * LANES], sums[q][v]);
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

INLINE void attend_partition(const Model *m, Queries *s, const int64_t *pages, int32_t count_of_pages, int32_t start,
                             int count, int type) {
    for (int32_t p = 0; p < count_of_pages; p++)
        score_page(m, s, pages[p], start + p * PAGE_TOKENS, p * PAGE_TOKENS, count, type);
    float most[MAX_QUERIES], total[MAX_QUERIES];
    for (int q = 0; q < count; q++) soften(s->weights[q], count_of_pages * PAGE_TOKENS, &most[q], &total[q]);
    for (int32_t stripe = 0; stripe < m->head_size; stripe += STRIPE)
        weigh_values(m, s, pages, count_of_pages, stripe, count, type);
    for (int q = 0; q < count; q++) merge(s, q, m->head_size, most[q], total[q]);
}

static void attend_partition_of(const Model *m, Queries *s, const int64_t *pages, int32_t n, int32_t start, int count) {
#define WITH(COUNT)                                                                                   \
    case COUNT:                                                                                       \
        if (m->cache_type == FLOAT32) attend_partition(m, s, pages, n, start, COUNT, FLOAT32);        \
        else attend_partition(m, s, pages, n, start, COUNT, BFLOAT16);                                \
        break;
    switch (count) {
        WITH(1)
        WITH(2)
#if MAX_QUERIES > 2
        WITH(3)
#endif
#if MAX_QUERIES > 3
        WITH(4)
        WITH(5)
        WITH(6)
        WITH(7)
#endif
    default: break;
    }
#undef WITH
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
        attend_partition_of(m, &s, pages, n, start, count);
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
