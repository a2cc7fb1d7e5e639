/* The operations on one token's numbers: norm, quantization, rotation and the activation function. */
#ifndef ELEMENTWISE_H
#define ELEMENTWISE_H

#include <float.h>

#include "decoder.h"
#include "simd.h"

INLINE int32_t padded(int32_t n, int32_t to) { return (n + to - 1) / to * to; }

/* Rows as a matrix product reads them: as floats, or as int8 in groups of 64 with one scale each. */
typedef struct {
    float *floats;    /* [rows][inputs] */
    int8_t *values;   /* [rows][inputs] */
    float *scales;    /* [rows][inputs / GROUP] */
    int32_t *surplus; /* [rows][inputs / GROUP]: 128 times the sum of the group's values */
    int32_t inputs;   /* padded to whole groups */
} Activations;

/* The sum of (x * scale)^2 over `stride` numbers. */
INLINE float sum_of_squares(const float *x, float scale, int32_t stride) {
    vf squares = splat(0.0f);
    for (int32_t i = 0; i < stride; i += LANES) {
        const vf scaled = load(x + i) * splat(scale);
        squares = fma_(scaled, scaled, squares);
    }
    return sum(squares);
}

/* x / sqrt(mean of x^2 + epsilon) * weight, over `width` numbers; those up to `stride` are zeros.
 *
 * Source: Zhang and Sennrich 2019, arXiv:1910.07467. Where the squares overflow float32, the numbers are scaled
 * down first; epsilon no longer matters then.
 */
INLINE void rms_norm(const float *x, const float *weight, float epsilon, int32_t width, int32_t stride, float *y) {
    float scale = 1.0f, squares = sum_of_squares(x, scale, stride);
    if (squares > FLT_MAX) {
        scale = 0x1p-76f; /* 2^20 numbers of FLT_MAX, scaled and squared, then have a sum below 2^124 */
        squares = sum_of_squares(x, scale, stride);
    }
    const vf inverse = splat(1.0f / sqrtf(squares / (float)width + epsilon * scale * scale));
    for (int32_t i = 0; i < stride; i += LANES)
        store(y + i, load(x + i) * splat(scale) * inverse * load(weight + i));
}

typedef int8_t v8 __attribute__((vector_size(LANES)));

/* Groups whose largest number is below this become zeros: the inverse of their scale would overflow. */
#define LEAST_QUANTIZED 0x1p-119f

/* Symmetric: each value is the nearest of -127 .. 127 times the group's scale.
 *
 * A group that holds a NaN or an infinity has a scale of NaN, so that every product with it is a NaN.
 */
INLINE void quantize_group(const float *x, int8_t *values, float *scale, int32_t *surplus) {
    vf most = splat(0.0f), nothing = splat(0.0f); /* nothing: 0, or NaN where a number is not finite */
    for (int i = 0; i < GROUP; i += LANES) {
        most = max_(most, max_(load(x + i), -load(x + i)));
        nothing += load(x + i) * splat(0.0f);
    }
    const int finite = sum(nothing) == 0.0f;
    const float largest = max_of(most);
    if (!finite || largest < LEAST_QUANTIZED) {
        memset(values, 0, GROUP);
        *scale = finite ? 0.0f : NAN;
        *surplus = 0;
        return;
    }
    const vf inverse = splat(127.0f / largest);
    const vf magic = splat(12582912.0f); /* 1.5 * 2^23: adding it rounds to a whole number */
    vi total = splati(0);
    for (int i = 0; i < GROUP; i += LANES) {
        vi whole = (vi)fma_(load(x + i), inverse, magic) - (vi)magic;
        total += whole;
        v8 narrow = __builtin_convertvector(whole, v8);
        memcpy(values + i, &narrow, sizeof narrow);
    }
    int32_t sum_of_values = 0;
    for (int i = 0; i < LANES; i++) sum_of_values += total[i];
    *scale = largest / 127.0f;
    *surplus = HAS_SURPLUS ? 128 * sum_of_values : 0;
}

INLINE void quantize_row(const Activations *a, int32_t row, const float *x) {
    const int32_t groups = a->inputs / GROUP;
    for (int32_t g = 0; g < groups; g++)
        quantize_group(x + g * GROUP, a->values + (int64_t)row * a->inputs + g * GROUP,
                       a->scales + (int64_t)row * groups + g, a->surplus + (int64_t)row * groups + g);
}

/* Rotary position embedding of one head, in place. rope: cosines, then sines, half a head of each.
 *
 * Source: Su et al. 2021, arXiv:2104.09864, with the halves paired as Hugging Face's models have them.
 */
INLINE void rotate(float *x, const float *rope, int32_t head_size) {
    const int32_t half_size = head_size / 2;
    for (int32_t i = 0; i < half_size; i++) {
        const float a = x[i], b = x[i + half_size], c = rope[i], s = rope[i + half_size];
        x[i] = a * c - b * s;
        x[i + half_size] = b * c + a * s;
    }
}

/* SwiGLU (Shazeer 2020, arXiv:2002.05202): silu(gate) * up. */
INLINE vf swiglu(vf gate, vf up) { return gate / (splat(1.0f) + exp_(-gate)) * up; }

#endif
