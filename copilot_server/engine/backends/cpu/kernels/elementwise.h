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
    int16_t *sums;    /* [rows][inputs / 16]: of 16 values each, or as quantize_tiled lays them out */
    int32_t rows, inputs; /* inputs are padded to whole groups */
} Activations;

/* Rows that a product with the number formats of codes.h takes at a time: their sums must fit the registers. */
#if defined(ISA_AVX512) || defined(ISA_VNNI)
#define CODE_ROWS 6
#elif defined(ISA_AVX2)
#define CODE_ROWS 5
#elif defined(ISA_NEON)
#define CODE_ROWS 4
#else
#define CODE_ROWS 2
#endif

/* Inputs of a row that lie together in a tile: as many as an instruction multiplies. */
#if defined(ISA_I8MM)
#define TOGETHER 8
#else
#define TOGETHER 4
#endif

/* The number of rows of the tile that begins with `row`. */
INLINE int32_t rows_of_tile(int32_t rows, int32_t row) { return rows - row < CODE_ROWS ? rows - row : CODE_ROWS; }

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

/* Symmetric: each value is the nearest of -127 .. 127 times the group's scale. sums: of 16 values each.
 *
 * A group that holds a NaN or an infinity has a scale of NaN, so that every product with it is a NaN.
 */
INLINE void quantize_group(const float *x, int8_t *values, float *scale, int16_t *sums) {
    vf most = splat(0.0f), nothing = splat(0.0f); /* nothing: 0, or NaN where a number is not finite */
    for (int i = 0; i < GROUP; i += LANES) {
        most = max_(most, max_(load(x + i), -load(x + i)));
        nothing += load(x + i) * splat(0.0f);
    }
    const int finite = is_zero((vi)nothing);
    const float largest = max_of(most);
    if (!finite || largest < LEAST_QUANTIZED) {
        memset(values, 0, GROUP);
        memset(sums, 0, GROUP / 16 * sizeof *sums);
        *scale = finite ? 0.0f : NAN;
        return;
    }
    const vf inverse = splat(127.0f / largest);
    const vf magic = splat(12582912.0f); /* 1.5 * 2^23: adding it rounds to a whole number */
    for (int i = 0; i < GROUP; i += LANES) {
        const vi whole = (vi)fma_(load(x + i), inverse, magic) - (vi)magic;
        const v8 narrow = __builtin_convertvector(whole, v8);
        memcpy(values + i, &narrow, sizeof narrow);
    }
    for (int part = 0; part < GROUP / 16; part++) sums[part] = sum_of_16(values + 16 * part);
    *scale = largest / 127.0f;
}

INLINE void quantize_row(const Activations *a, int32_t row, const float *x) {
    for (int32_t g = 0; g < a->inputs / GROUP; g++) {
        const int64_t group = (int64_t)row * (a->inputs / GROUP) + g;
        int16_t *sums = a->sums + group * (GROUP / 16);
        quantize_group(x + g * GROUP, a->values + group * GROUP, a->scales + group, sums);
        a->surplus[group] = HAS_SURPLUS ? 128 * (sums[0] + sums[1] + sums[2] + sums[3]) : 0;
    }
}

#if defined(ISA_AMX)
/* The rows that one instruction multiplies (tiles.h). */
#define AMX_ROWS 16

/* Lay a row out among those of its tile: values[inputs / 64][16][64] and scales[inputs / 64][16]. A last tile of fewer
 * rows has room for as many. */
INLINE void quantize_in_tile(const Activations *a, int32_t row, const float *x) {
    const int32_t groups = a->inputs / GROUP;
    for (int32_t g = 0; g < groups; g++) {
        const int64_t at = ((int64_t)(row / AMX_ROWS) * groups + g) * AMX_ROWS + row % AMX_ROWS;
        int16_t sums[GROUP / 16]; /* which signed weights do without */
        quantize_group(x + g * GROUP, a->values + at * GROUP, a->scales + at, sums);
    }
}
#endif

/* What an activation is stored as for products with codes: a, or a + 128 where codes are signed (unpacking.h). */
#if SIGNED_CODES
#define STORED_FOUR(four) ((four) ^ 0x80808080u)
#else
#define STORED_FOUR(four) (four)
#endif

/* Lay a row out among those of its tile, so that a product reads all that it needs of a tile in one sequence:
 * values[inputs / TOGETHER][rows][TOGETHER], scales[inputs / 64][rows] and sums[inputs / 64][rows][4]. The sums of a
 * group are those of its first and second 32 values, and those of the latter half of each.
 */
INLINE void quantize_tiled(const Activations *a, int32_t row, const float *x) {
    const int32_t first = row / CODE_ROWS * CODE_ROWS, rows = rows_of_tile(a->rows, first), r = row - first;
    for (int32_t g = 0; g < a->inputs / GROUP; g++) {
        const int64_t group = (int64_t)first * (a->inputs / GROUP) + (int64_t)g * rows;
        int8_t values[GROUP], *to = a->values + group * GROUP + TOGETHER * r;
        int16_t of_16[4], *sums = a->sums + (group + r) * 4;
        quantize_group(x + g * GROUP, values, a->scales + group + r, of_16);
        sums[0] = (int16_t)(of_16[0] + of_16[1]), sums[1] = (int16_t)(of_16[2] + of_16[3]);
        sums[2] = of_16[1], sums[3] = of_16[3];
        for (int i = 0; i < GROUP / 4; i++) {
            uint32_t four;
            memcpy(&four, values + 4 * i, 4);
            four = STORED_FOUR(four);
            memcpy(to + 4 * i / TOGETHER * TOGETHER * rows + 4 * i % TOGETHER, &four, 4);
        }
    }
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
