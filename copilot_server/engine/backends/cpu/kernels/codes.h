/* Products with weights in the number formats of GGUF files, as the file has them: nothing is rounded again.
 *
 * A matrix comes in blocks of 16 outputs, like the others. Of each block a piece is unpacked at a time into one
 * byte for each weight, in the order that int8 weights have, which all rows of activations then use. A code is
 * never negative, so that AVX2 multiplies it without a change of signs and adds several products in 16 bits.
 *
 * Source of the formats: ggml-quants.h and ggml-common.h of llama.cpp (block_q4_K, block_q5_0, block_q6_K).
 */
#ifndef CODES_H
#define CODES_H

#include "elementwise.h"

/* Inputs that are unpacked at a time: with their sums they stay in the first-level cache. */
#define CHUNK 1024
#define CODE_VECTORS (BLOCK / LANES)

/* Bytes that are unpacked at a time. */
#if defined(ISA_AVX512) || defined(ISA_AVX2)
#define WIDE 32
#else
#define WIDE 16
#endif
typedef uint8_t vb __attribute__((vector_size(WIDE)));

INLINE vb load_bytes(const uint8_t *p) { vb x; memcpy(&x, p, sizeof x); return x; }
INLINE void store_bytes(uint8_t *p, vb x) { memcpy(p, &x, sizeof x); }

/* A shift to the left by a constant, which may be negative. */
#define SHIFTED(x, by) ((by) >= 0 ? (x) << ((by) >= 0 ? (by) : 0) : (x) >> ((by) < 0 ? -(by) : 0))

/* Two codes from each of 32 bytes: 32 codes of the lower four bits, then 32 of the upper ones. `more`: where further
 * bits of a code are, those of the lower codes in 32 bytes and those of the upper ones in the next 32; they are
 * shifted by `by`, of which `mask` is taken. */
INLINE void unpack_64(const uint8_t *at, const uint8_t *more, int by, int mask, uint8_t *codes) {
    for (int i = 0; i < 32; i += WIDE) {
        const vb two = load_bytes(at + i);
        vb lower = two & 15, upper = two >> 4;
        if (mask) {
            lower |= SHIFTED(load_bytes(more + i), by) & (uint8_t)mask;
            upper |= SHIFTED(load_bytes(more + 32 + i), by) & (uint8_t)mask;
        }
        store_bytes(codes + i, lower);
        store_bytes(codes + 32 + i, upper);
    }
}

INLINE void unpack_q5_0(const uint8_t *at, int32_t inputs, uint8_t *codes) {
    for (int32_t g = 0; g < inputs / 32; g++, at += Q5_0_BYTES, codes += 32 * BLOCK)
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) unpack_64(at + 32 * i, at + 256, 4 - i, 16, codes + 64 * i);
}

INLINE void unpack_q4_k(const uint8_t *at, int32_t inputs, uint8_t *codes) {
    for (int32_t g = 0; g < inputs / 32; g++, codes += 32 * BLOCK) {
        const uint8_t *group = at + g / 8 * Q4_K_BYTES + 64 + g % 8 * Q4_K_GROUP;
        for (int i = 0; i < 8; i++) unpack_64(group + 32 * i, group, 0, 0, codes + 64 * i);
    }
}

INLINE void unpack_q6_k(const uint8_t *at, int32_t inputs, uint8_t *codes) {
    for (int32_t g = 0; g < inputs / 16; g++, codes += 16 * BLOCK) {
        const uint8_t *group = at + g / 16 * Q6_K_BYTES + 32 + g % 16 * Q6_K_GROUP;
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) unpack_64(group + 32 * i, group + 128, 4 - 2 * i, 48, codes + 64 * i);
    }
}

/* The activations of a tile's rows as quantize_tiled lays them out, from one group of 64 inputs on. */
typedef struct {
    const int8_t *values; /* [inputs / 4][rows][4] */
    const int16_t *sums;  /* [inputs / 64][rows][4], of 16 values each */
    const float *scales;  /* [inputs / 64][rows] */
} Tile;

INLINE int32_t load_four(const void *at) {
    int32_t four;
    memcpy(&four, at, 4);
    return four;
}

/* dots[r][v] += scale[v] * the dot products of 4 * steps inputs.
 *
 * `fit`: the steps whose products AVX2 can add in 16 bits; each step adds two. Of codes of 5 bits these are 4, since
 * 4 * 2 * 31 * 127 = 31,496; of 4 bits 8, and of 6 bits 2.
 */
INLINE void add_products(vi dots[][CODE_VECTORS], const uint8_t *codes, const int8_t *x, int rows, int steps, int fit,
                         const vi *scale) {
#if defined(ISA_AVX2)
#pragma GCC unroll 4
    for (int start = 0; start < steps; start += fit) {
        __m256i sums[CODE_ROWS][CODE_VECTORS];
#pragma GCC unroll 8
        for (int k = start; k < start + fit; k++) {
            const __m256i w0 = _mm256_load_si256((const __m256i *)(codes + 64 * k));
            const __m256i w1 = _mm256_load_si256((const __m256i *)(codes + 64 * k + 32));
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                const __m256i a = _mm256_set1_epi32(load_four(x + 4 * (k * rows + r)));
                const __m256i p0 = _mm256_maddubs_epi16(w0, a), p1 = _mm256_maddubs_epi16(w1, a);
                sums[r][0] = k > start ? _mm256_add_epi16(sums[r][0], p0) : p0;
                sums[r][1] = k > start ? _mm256_add_epi16(sums[r][1], p1) : p1;
                /* Without this gcc 12 loads far ahead, and has no registers left for the sums. */
                __asm__("" : "+x"(sums[r][0]), "+x"(sums[r][1]));
            }
        }
        for (int v = 0; v < CODE_VECTORS; v++) {
            const vi pairs = (scale[v] & 0xffff) | scale[v] << 16;
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) dots[r][v] += (vi)_mm256_madd_epi16(sums[r][v], (__m256i)pairs);
        }
    }
#else
    (void)fit;
    vi sums[CODE_ROWS][CODE_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < CODE_VECTORS; v++) sums[r][v] = splati(0);
    for (int k = 0; k < steps; k++)
        for (int v = 0; v < CODE_VECTORS; v++) {
            const vi w = loadi(codes + 64 * k + 4 * LANES * v);
            for (int r = 0; r < rows; r++) sums[r][v] = dot4_codes(sums[r][v], w, load_four(x + 4 * (k * rows + r)));
        }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < CODE_VECTORS; v++) dots[r][v] += scale[v] * sums[r][v];
#endif
}

/* A vector of whole numbers of 8 bits. */
INLINE vi load_whole(const uint8_t *at, int is_signed) {
#if defined(ISA_AVX512)
    const __m128i bytes = _mm_loadu_si128((const __m128i *)at);
    return (vi)(is_signed ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes));
#elif defined(ISA_AVX2)
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)at);
    return (vi)(is_signed ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes));
#else
    vi x = splati(0);
    for (int i = 0; i < LANES; i++) x[i] = is_signed ? (int8_t)at[i] : at[i];
    return x;
#endif
}

/* acc + the lower 16 bits of each pair times the first of two sums, the upper times the second. */
INLINE vi add_sums(vi acc, vi pair, const int16_t *sums) {
#if defined(ISA_AVX512)
    const __m512i product = _mm512_madd_epi16((__m512i)pair, _mm512_set1_epi32(load_four(sums)));
    return (vi)_mm512_add_epi32((__m512i)acc, product);
#elif defined(ISA_AVX2)
    return acc + (vi)_mm256_madd_epi16((__m256i)pair, _mm256_set1_epi32(load_four(sums)));
#else
    return acc + (pair << 16 >> 16) * splati(sums[0]) + (pair >> 16) * splati(sums[1]);
#endif
}

INLINE vi paired(vi first, vi second) { return (first & 0xffff) | second << 16; }

/* out[r] += the products of a group of 64 inputs. `at`: the block's part for these inputs, or for the 256 inputs of
 * which they are the group `quarter`. */
INLINE void group_q5_0(const uint8_t *at, const uint8_t *codes, const Tile *x, int rows, float out[][PAIR]) {
    const vi one[4] = {splati(1), splati(1), splati(1), splati(1)};
    const vi zero_code = paired(splati(-16), splati(-16));
    for (int part = 0; part < 2; part++, at += Q5_0_BYTES) {
        vi dots[CODE_ROWS][CODE_VECTORS];
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < CODE_VECTORS; v++)
                dots[r][v] = add_sums(splati(0), zero_code, x->sums + 4 * r + 2 * part);
        add_products(dots, codes + part * 32 * BLOCK, x->values + part * 32 * rows, rows, 8, 4, one);
        for (int v = 0; v < CODE_VECTORS; v++) {
            const vf scale = load_half((const half *)(at + 320) + LANES * v);
            for (int r = 0; r < rows; r++) {
                float *y = &out[r][LANES * v];
                store(y, fma_(to_float(dots[r][v]) * scale, splat(x->scales[r]), load(y)));
            }
        }
    }
}

INLINE void group_q4_k(const uint8_t *at, int quarter, const uint8_t *codes, const Tile *x, int rows,
                       float out[][PAIR]) {
    vi dots[CODE_ROWS][CODE_VECTORS], least[2][CODE_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < CODE_VECTORS; v++) dots[r][v] = splati(0);
    for (int part = 0; part < 2; part++) {
        const uint8_t *whole = at + 64 + (2 * quarter + part) * Q4_K_GROUP + 256;
        vi scale[CODE_VECTORS];
        for (int v = 0; v < CODE_VECTORS; v++) {
            scale[v] = load_whole(whole + LANES * v, 0);
            least[part][v] = load_whole(whole + BLOCK + LANES * v, 0);
        }
        add_products(dots, codes + part * 32 * BLOCK, x->values + part * 32 * rows, rows, 8, 8, scale);
    }
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vi first = paired(least[0][v], least[0][v]), second = paired(least[1][v], least[1][v]);
        const vf scale = load_half((const half *)at + LANES * v), of_least = load_half((const half *)(at + 32) + LANES * v);
        for (int r = 0; r < rows; r++) {
            float *y = &out[r][LANES * v];
            const vi minima = add_sums(add_sums(splati(0), first, x->sums + 4 * r), second, x->sums + 4 * r + 2);
            const vf product = to_float(dots[r][v]) * scale - to_float(minima) * of_least;
            store(y, fma_(product, splat(x->scales[r]), load(y)));
        }
    }
}

INLINE void group_q6_k(const uint8_t *at, int quarter, const uint8_t *codes, const Tile *x, int rows,
                       float out[][PAIR]) {
    vi dots[CODE_ROWS][CODE_VECTORS], scales[4][CODE_VECTORS];
    const uint8_t *whole = at + 32 + 4 * quarter * Q6_K_GROUP + 192;
    for (int part = 0; part < 4; part++)
        for (int v = 0; v < CODE_VECTORS; v++) scales[part][v] = load_whole(whole + part * Q6_K_GROUP + LANES * v, 1);
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vi first = paired(scales[0][v], scales[1][v]), second = paired(scales[2][v], scales[3][v]);
        for (int r = 0; r < rows; r++) {
            const vi sums = add_sums(add_sums(splati(0), first, x->sums + 4 * r), second, x->sums + 4 * r + 2);
            dots[r][v] = -(sums << 5);
        }
    }
    for (int part = 0; part < 4; part++)
        add_products(dots, codes + part * 16 * BLOCK, x->values + part * 16 * rows, rows, 4, 2, scales[part]);
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vf scale = load_half((const half *)at + LANES * v);
        for (int r = 0; r < rows; r++) {
            float *y = &out[r][LANES * v];
            store(y, fma_(to_float(dots[r][v]) * scale, splat(x->scales[r]), load(y)));
        }
    }
}

/* out[r] += the products of `groups` groups. `at`: the block's part for them, which begins with 256 inputs. */
INLINE void tile_codes(int type, const uint8_t *at, const uint8_t *codes, Tile x, int rows, int32_t groups,
                       float out[][PAIR]) {
    for (int32_t g = 0; g < groups; g++) {
        if (type == Q5_0) group_q5_0(at + 2 * g * Q5_0_BYTES, codes, &x, rows, out);
        else if (type == Q4_K) group_q4_k(at + g / 4 * Q4_K_BYTES, g % 4, codes, &x, rows, out);
        else group_q6_k(at + g / 4 * Q6_K_BYTES, g % 4, codes, &x, rows, out);
        codes += GROUP * BLOCK;
        x.values += GROUP * rows, x.sums += 4 * rows, x.scales += rows;
    }
}

static void tile_codes_of(int type, const uint8_t *at, const uint8_t *codes, Tile x, int rows, int32_t groups,
                          float out[][PAIR]) {
#define WITH(ROWS)                                                                       \
    case ROWS:                                                                           \
        if (type == Q5_0) tile_codes(Q5_0, at, codes, x, ROWS, groups, out);             \
        else if (type == Q4_K) tile_codes(Q4_K, at, codes, x, ROWS, groups, out);        \
        else tile_codes(Q6_K, at, codes, x, ROWS, groups, out);                          \
        break;
    switch (rows) {
        WITH(1)
        WITH(2)
#if CODE_ROWS > 2
        WITH(3)
        WITH(4)
#endif
#if CODE_ROWS > 4
        WITH(5)
        WITH(6)
#endif
    default: break;
    }
#undef WITH
}

/* out[row - first][..] = the products of rows [first, last) with one block. */
static void block_of_codes(const Matrix *m, const Activations *a, int32_t block, int32_t first, int32_t last,
                           float out[][PAIR]) {
    _Alignas(64) uint8_t codes[CHUNK * BLOCK];
    const uint8_t *at = (const uint8_t *)m->data + (int64_t)block * code_bytes(m->type, m->inputs);
    const int32_t inputs = m->inputs;
    for (int32_t row = first; row < last; row++) memset(out[row - first], 0, BLOCK * sizeof(float));
    for (int32_t start = 0; start < inputs; start += CHUNK) {
        const int32_t count = inputs - start < CHUNK ? inputs - start : CHUNK;
        if (m->type == Q5_0) unpack_q5_0(at, count, codes);
        else if (m->type == Q4_K) unpack_q4_k(at, count, codes);
        else unpack_q6_k(at, count, codes);
        for (int32_t row = first, rows; row < last; row += rows) {
            rows = rows_of_tile(a->rows, row);
            const int64_t at_row = (int64_t)row * inputs, of_tile = (int64_t)start * rows;
            const Tile x = {a->values + at_row + of_tile, a->sums + (at_row + of_tile) / 16, a->scales + (at_row + of_tile) / GROUP};
            tile_codes_of(m->type, at, codes, x, rows, count / GROUP, &out[row - first]);
        }
        at += code_bytes(m->type, count);
    }
}

#endif
