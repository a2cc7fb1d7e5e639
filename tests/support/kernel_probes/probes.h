/* Entry points to the functions that the kernels inline, named after the instruction set: probe_exp_avx2.
 *
 * Each file that includes this header first defines PROBE(function) and the instruction set (isa.h). `n` is a
 * multiple of 16, the widest vector.
 */
#include "attention.h"

void PROBE(exp)(const float *x, float *y, int32_t n) {
    for (int32_t i = 0; i < n; i += LANES) store(y + i, exp_(load(x + i)));
}

void PROBE(swiglu)(const float *gate, const float *up, float *y, int32_t n) {
    for (int32_t i = 0; i < n; i += LANES) store(y + i, swiglu(load(gate + i), load(up + i)));
}

void PROBE(rms_norm)(const float *x, const float *weight, float epsilon, int32_t width, int32_t stride, float *y) {
    rms_norm(x, weight, epsilon, width, stride, y);
}

void PROBE(quantize)(const float *x, int8_t *values, float *scale, int32_t *surplus) {
    quantize_group(x, values, scale, surplus);
}

int32_t PROBE(has_surplus)(void) { return HAS_SURPLUS; }

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
