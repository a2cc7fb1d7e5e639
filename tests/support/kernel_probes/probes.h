/* Entry points to the functions that the kernels inline, named after the instruction set: probe_exp_avx2.
 *
 * Each file that includes this header first defines PROBE(function) and the instruction set (isa.h). `n` is a
 * multiple of 16, the widest vector.
 */
#include "attention.h"
#include "matmul.h"

void PROBE(exp)(const float *x, float *y, int32_t n) {
    for (int32_t i = 0; i < n; i += LANES) store(y + i, exp_(load(x + i)));
}

void PROBE(swiglu)(const float *gate, const float *up, float *y, int32_t n) {
    for (int32_t i = 0; i < n; i += LANES) store(y + i, swiglu(load(gate + i), load(up + i)));
}

void PROBE(rms_norm)(const float *x, const float *weight, float epsilon, int32_t width, int32_t stride, float *y) {
    rms_norm(x, weight, epsilon, width, stride, y);
}

void PROBE(quantize)(const float *x, int8_t *values, float *scale, int16_t *sums) {
    quantize_group(x, values, scale, sums);
}

void PROBE(rotate)(float *x, const float *rope, int32_t head_size) { rotate(x, rope, head_size); }

void PROBE(load_half)(const uint16_t *x, float *y, int32_t n) {
    for (int32_t i = 0; i < n; i += LANES) store(y + i, load_half(x + i));
}

void PROBE(float_to_half)(const float *x, uint16_t *y, int32_t n) {
    for (int32_t i = 0; i < n; i++) y[i] = float_to_half(x[i]);
}

void PROBE(load_bfloat)(const uint16_t *x, float *y, int32_t n) {
    for (int32_t i = 0; i < n; i += LANES) store(y + i, load_bfloat(x + i));
}

void PROBE(soften)(float *weights, int32_t width, float *most, float *total) {
    soften(weights, width, most, total);
}

/* y = the products of rows of x with a matrix in int8 or in a format of codes.h. `scratch` has room for the rows as
 * the product reads them, which may be in tiles of 16: 2 bytes for each number. */
void PROBE(product)(const uint8_t *data, const uint16_t *weight_scales, int32_t type, int32_t outputs, int32_t inputs,
                    float *x, int32_t rows, int8_t *scratch, float *y) {
    const Matrix matrix = {.data = data, .scales = weight_scales, .outputs = outputs, .inputs = inputs, .type = type};
    const int64_t numbers = (int64_t)padded(rows, 16) * inputs;
    float *scales = (float *)(scratch + numbers);
    int32_t *surplus = (int32_t *)(scales + numbers / GROUP);
    int16_t *sums = (int16_t *)(surplus + numbers / GROUP);
    const Activations in = {x, scratch, scales, surplus, sums, rows, inputs};
    for (int32_t row = 0; row < rows; row++)
#if defined(ISA_AMX)
        if (is_tiled(&matrix, rows)) quantize_in_tile(&in, row, x + (int64_t)row * inputs);
        else
#endif
        if (is_coded(&matrix)) quantize_tiled(&in, row, x + (int64_t)row * inputs);
        else quantize_row(&in, row, x + (int64_t)row * inputs);
    Pool *pool = pool_open(1);
    product(pool, &matrix, &in, rows, y, outputs, ASSIGN);
    pool_close(pool);
}

/* The attention of one token's queries, [heads][head_size], to `count` keys and values, [count][head_size], of one key
 * head, through a cache in half precision. `cache` has room for both in whole pages and one head more. */
void PROBE(attend)(const float *queries, const float *keys, const float *values, uint16_t *cache, int32_t *pages,
                   int32_t heads, int32_t head_size, int32_t count, float *out) {
    const int32_t page_count = padded(count, PAGE_TOKENS) / PAGE_TOKENS, page = PAGE_TOKENS * head_size;
    uint16_t *cached_keys = cache, *cached_values = cache + (int64_t)page_count * page;
    for (int32_t i = 0; i < count; i++) {
        pages[i / PAGE_TOKENS] = i / PAGE_TOKENS;
        for (int32_t d = 0; d < head_size; d++) {
            const int64_t at = (int64_t)(i / PAGE_TOKENS) * page, slot = i % PAGE_TOKENS;
            cached_keys[at + d * PAGE_TOKENS + slot] = float_to_half(keys[(int64_t)i * head_size + d]);
            cached_values[at + slot * head_size + d] = float_to_half(values[(int64_t)i * head_size + d]);
        }
    }
    const Model model = {.layers = 1, .heads = heads, .kv_heads = 1, .head_size = head_size, .keys = cached_keys,
                         .values = cached_values, .cache_type = BFLOAT16};
    const int32_t position = count - 1, table = 0;
    const Step step = {.tokens = 1, .table_width = page_count, .positions = &position, .tables = &table,
                       .page_tables = pages};
    const Run run = {0, 1};
    Attention attention = {&model, &step, queries, out, &run, 0, heads * head_size, heads * head_size};
    attention_task(&attention, 0);
}
