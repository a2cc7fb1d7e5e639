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

/* y = the products of rows of x with a matrix in a format of codes.h. values, scales, sums: room for the rows. */
void PROBE(product)(const void *data, int32_t type, int32_t outputs, int32_t inputs, float *x, int32_t rows,
                    int8_t *values, float *scales, int16_t *sums, float *y) {
    const Matrix matrix = {.data = data, .outputs = outputs, .inputs = inputs, .type = type};
    const Activations in = {.floats = x, .values = values, .scales = scales, .sums = sums, .rows = rows, .inputs = inputs};
    for (int32_t row = 0; row < rows; row++) quantize_tiled(&in, row, x + (int64_t)row * inputs);
    Pool *pool = pool_open(1);
    product(pool, &matrix, &in, rows, y, outputs, ASSIGN);
    pool_close(pool);
}
