/* Python checks models, tokens and positions with messages for their users (layout.py, runner.py). This is the
 * second check, for the case that the first has a mistake: it trusts no number but the byte lengths of arrays.
 * It takes microseconds a step.
 */
#include "bounds.h"

#include <stddef.h>

#include "blocks.h"

/* Limits within which no product in int32 overflows, and no step has more tasks than pool.c can count. */
#define MOST_LAYERS 1024
#define MOST_HIDDEN (1 << 16)
#define MOST_INTERMEDIATE (1 << 18)
#define MOST_HEADS 1024
#define MOST_VOCABULARY (1 << 22)
#define MOST_PAGES (1 << 24)
#define MOST_TOKENS (1 << 13)
#define MOST_SEQUENCES (1 << 20)

static int within(int64_t n, int64_t least, int64_t most) { return least <= n && n <= most; }

static int holds(const void *array, int64_t bytes, int64_t needed) {
    return needed == 0 || (array != NULL && bytes >= needed);
}

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static int sizes_fit(const Model *m) {
    return within(m->layers, 1, MOST_LAYERS) && within(m->hidden, 1, MOST_HIDDEN) &&
           within(m->intermediate, 1, MOST_INTERMEDIATE) && within(m->heads, 1, MOST_HEADS) &&
           within(m->kv_heads, 1, m->heads) && m->heads % m->kv_heads == 0 &&
           within(m->head_size, 2, MAX_HEAD_SIZE) && m->head_size % 2 == 0 &&
           within(m->vocabulary, 1, MOST_VOCABULARY);
}

static int matrix_fits(const Matrix *m, int64_t outputs, int64_t inputs) {
    if (m->outputs != round_up(outputs, PAIR) || m->inputs != round_up(inputs, GROUP)) return 0;
    const int bias_fits = m->bias == NULL || m->bytes[2] >= (int64_t)sizeof(float) * m->outputs;
    if (is_coded(m))
        return bias_fits && m->inputs % coding(m->type).inputs == 0 &&
               holds(m->data, m->bytes[0], m->outputs / BLOCK * code_bytes(m->type, m->inputs));
    if (m->type != FLOAT32 && m->type != BFLOAT16 && m->type != INT8) return 0;
    const int64_t weights = (int64_t)m->outputs * m->inputs;
    const int64_t scales = m->type == INT8 ? weights / GROUP : 0;
    return holds(m->data, m->bytes[0], weights * (m->type == INT8 ? 1 : m->type == BFLOAT16 ? 2 : 4)) &&
           holds(m->scales, m->bytes[1], 2 * scales) && bias_fits;
}

/* Queries, keys and values; the values may be apart, in whole pairs of blocks after the others. */
static int qkv_fits(const Model *m, const Layer *l) {
    const int64_t queries = (int64_t)m->heads * m->head_size, keys = (int64_t)m->kv_heads * m->head_size;
    if (l->values.outputs == 0) return matrix_fits(&l->qkv, queries + 2 * keys, m->hidden);
    return (queries + keys) % PAIR == 0 && matrix_fits(&l->qkv, queries + keys, m->hidden) &&
           matrix_fits(&l->values, keys, m->hidden);
}

static int layer_fits(const Model *m, const Layer *l) {
    const int64_t norm = (int64_t)sizeof(float) * round_up(m->hidden, GROUP);
    const int64_t queries = (int64_t)m->heads * m->head_size;
    return holds(l->attention_norm, l->bytes[0], norm) && holds(l->mlp_norm, l->bytes[1], norm) &&
           qkv_fits(m, l) && matrix_fits(&l->output, m->hidden, queries) &&
           matrix_fits(&l->gate_up, 2 * round_up(m->intermediate, GROUP), m->hidden) &&
           matrix_fits(&l->down, m->hidden, m->intermediate);
}

static int weights_fit(const Model *m) {
    if (!holds(m->layer, m->bytes[0], (int64_t)sizeof(Layer) * m->layers)) return 0;
    for (int32_t i = 0; i < m->layers; i++)
        if (!layer_fits(m, &m->layer[i])) return 0;
    return holds(m->final_norm, m->bytes[1], (int64_t)sizeof(float) * round_up(m->hidden, GROUP)) &&
           !is_coded(&m->embedding) && matrix_fits(&m->embedding, m->vocabulary, m->hidden) &&
           matrix_fits(&m->head, m->vocabulary, m->hidden);
}

static int cache_fits(const Model *m) {
    if (!within(m->pages, 0, MOST_PAGES) || !within(m->cache_type, FLOAT32, BFLOAT16)) return 0;
    const int64_t page = (int64_t)m->layers * m->kv_heads * PAGE_TOKENS * m->head_size;
    /* attention.h reads whole vectors from the last head. */
    const int64_t bytes = (m->pages * page + MAX_HEAD_SIZE) * (m->cache_type == FLOAT32 ? 4 : 2);
    return holds(m->keys, m->bytes[3], bytes) && holds(m->values, m->bytes[4], bytes);
}

int32_t check_model(const Model *model) {
    if (model == NULL || !sizes_fit(model)) return REFUSED_SIZE;
    if (!weights_fit(model)) return REFUSED_WEIGHTS;
    return cache_fits(model) ? 0 : REFUSED_CACHE;
}

int32_t check_length(int32_t tokens) { return within(tokens, 0, MOST_TOKENS) ? 0 : REFUSED_SIZE; }

int32_t check_page(const Model *model, int32_t page) { return within(page, 0, model->pages - 1) ? 0 : REFUSED_PAGE; }

static int arrays_fit(const Model *m, const Step *s) {
    const int64_t size = sizeof(int32_t), logits = (int64_t)s->wanted * m->head.outputs;
    return holds(s->token_ids, s->bytes[0], size * s->tokens) && holds(s->positions, s->bytes[1], size * s->tokens) &&
           holds(s->tables, s->bytes[2], size * s->tokens) &&
           holds(s->page_tables, s->bytes[3], size * s->sequences * s->table_width) &&
           holds(s->wanted_rows, s->bytes[4], size * s->wanted) && holds(s->logits, s->bytes[5], size * logits) &&
           holds(s->best, s->bytes[6], size * s->wanted) && holds(s->log_total, s->bytes[7], size * s->wanted);
}

static int32_t check_tokens(const Model *m, const Step *s) {
    const int64_t rotated = m->rope == NULL ? 0 : m->bytes[2] / ((int64_t)sizeof(float) * m->head_size);
    const int64_t paged = (int64_t)s->table_width * PAGE_TOKENS;
    const int64_t positions = rotated < paged ? rotated : paged;
    for (int32_t i = 0; i < s->tokens; i++) {
        if (!within(s->token_ids[i], 0, m->vocabulary - 1)) return REFUSED_TOKEN;
        if (!within(s->positions[i], 0, positions - 1)) return REFUSED_POSITION;
        if (!within(s->tables[i], 0, s->sequences - 1)) return REFUSED_PAGE;
    }
    return 0;
}

/* A token's keys and values are those of all pages up to its own, which neighbours of a sequence share. */
static int32_t check_pages(const Model *m, const Step *s) {
    for (int32_t i = 0, checked = 0; i < s->tokens; i++) {
        const int32_t *pages = s->page_tables + (int64_t)s->tables[i] * s->table_width;
        if (i == 0 || s->tables[i] != s->tables[i - 1]) checked = 0;
        for (; checked <= s->positions[i] / PAGE_TOKENS; checked++)
            if (check_page(m, pages[checked])) return REFUSED_PAGE;
    }
    return 0;
}

/* Ascending: forward.h moves each row to the front before the later ones. */
static int32_t check_rows(const Step *s) {
    for (int32_t i = 0, least = 0; i < s->wanted; i++) {
        if (!within(s->wanted_rows[i], least, s->tokens - 1)) return REFUSED_ROW;
        least = s->wanted_rows[i] + 1;
    }
    return 0;
}

int32_t check_step(const Model *model, const Step *step) {
    if (step == NULL || check_length(step->tokens) || !within(step->wanted, 0, step->tokens) ||
        !within(step->table_width, 0, MOST_PAGES) || !within(step->sequences, 0, MOST_SEQUENCES))
        return REFUSED_SIZE;
    if (!arrays_fit(model, step)) return REFUSED_ARRAY;
    int32_t refused = check_tokens(model, step);
    if (!refused) refused = check_pages(model, step);
    return refused ? refused : check_rows(step);
}

/* Whether the types are those of a file and of what can be made of them, and the rows have whole blocks. */
static int types_fit(const Rows *r) {
    const Stored of = stored(r->source);
    if (of.inputs == 0 || r->inputs % of.inputs) return 0;
    return r->target == INT8 || (r->target == r->source && of.inputs > 1 && r->inputs % GROUP == 0 &&
                                r->first == 0 && r->count % BLOCK == 0);
}

int32_t check_packing(const Rows *r) {
    if (r == NULL || !within(r->count, 0, MOST_VOCABULARY) || !within(r->inputs, 1, MOST_INTERMEDIATE) ||
        !within(r->first, 0, BLOCK - 1) || !within(r->stride, 1, 2) || !types_fit(r))
        return REFUSED_SIZE;
    const Stored of = stored(r->source);
    const int64_t spread = r->count ? (int64_t)(rows_blocks(r) - 1) * r->stride + 1 : 0;
    const int64_t weights = spread * BLOCK * round_up(r->inputs, GROUP);
    const int64_t bytes = r->target == INT8 ? weights : spread * code_bytes(r->target, r->inputs);
    return holds(r->rows, r->bytes[0], (int64_t)r->count * (r->inputs / of.inputs) * of.bytes) &&
                   holds(r->data, r->bytes[1], bytes) &&
                   holds(r->scales, r->bytes[2], r->target == INT8 ? 2 * weights / GROUP : 0)
               ? 0
               : REFUSED_ARRAY;
}
