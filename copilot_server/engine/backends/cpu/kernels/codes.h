/* Products with weights in the number formats of GGUF files, as the file has them: nothing is rounded again.
 *
 * A matrix comes in blocks of 16 outputs, like the others. Of each block a piece is unpacked at a time into one
 * byte for each weight, in the order that int8 weights have, which all rows of activations then use.
 *
 * Source of the formats: ggml-quants.h and ggml-common.h of llama.cpp (block_q4_K, block_q5_0, block_q6_K).
 */
#ifndef CODES_H
#define CODES_H

#include "elementwise.h"
#include "pairs.h"

/* Inputs that are unpacked at a time: with their sums they stay in the first-level cache. */
#define CHUNK 1024
#define CODE_VECTORS (BLOCK / LANES)

/* Keeps a row's sums in registers from here on. Without it, gcc 12 loads far ahead and has none left for them. */
#if defined(IN_REGISTERS) /* tests emulate vectors that fit no register */
#elif defined(ISA_AVX512)
#define IN_REGISTERS(sums) __asm__("" : "+v"((sums)[0]))
#elif defined(ISA_AVX2)
#define IN_REGISTERS(sums) __asm__("" : "+x"((sums)[0]), "+x"((sums)[1]))
#else
#define IN_REGISTERS(sums) (void)(sums)
#endif

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

/* What the sums of a group, of 32 inputs or of 16 with Q6_K, begin with where codes are signed. */
typedef struct {
#if SIGNED_CODES
    __m256i of[2]; /* 16 pairs each, of the first and the last 8 outputs */
#else
    char none;
#endif
} Starts;

INLINE Starts no_starts(void) {
#if SIGNED_CODES
    return (Starts){{_mm256_setzero_si256(), _mm256_setzero_si256()}};
#else
    return (Starts){0};
#endif
}

/* Without VNNI, AVX2 and AVX-512 multiply unsigned by signed bytes and add the products of two neighbours in 16 bits.
 * There activations are stored as a + 128, and codes less the one that means zero. The sums of a group wrap around on
 * the way, but since they begin with -128 times the sum of the codes, they end as the sums of a times the codes, which
 * fit 16 bits: they are of 16 products with codes of 4 or 5 bits (16 * 16 * 127 = 32,512) or of 8 with codes of 6 bits
 * (8 * 32 * 127, the same).
 */
INLINE vb signed_codes(vb codes, int zero, Starts *starts, int v) {
#if SIGNED_CODES
    const __m256i code = _mm256_sub_epi8((__m256i)codes, _mm256_set1_epi8((char)zero));
    const __m256i surplus = _mm256_maddubs_epi16(_mm256_set1_epi8((char)128), code);
    starts->of[v] = _mm256_sub_epi16(starts->of[v], surplus);
    return (vb)code;
#else
    (void)zero, (void)starts, (void)v;
    return codes;
#endif
}

/* Two codes from each of 32 bytes: 32 codes of the lower four bits, then 32 of the upper ones. `more`: where further
 * bits of a code are, those of the lower codes in 32 bytes and those of the upper ones in the next 32; they are
 * shifted by `by`, of which `mask` is taken. `zero`: the code that means zero. */
INLINE void unpack_64(const uint8_t *at, const uint8_t *more, int by, int mask, int zero, uint8_t *codes,
                      Starts *starts) {
    for (int i = 0; i < 32; i += WIDE) {
        const vb two = load_bytes(at + i);
        vb lower = two & 15, upper = two >> 4;
        if (mask) {
            lower |= SHIFTED(load_bytes(more + i), by) & (uint8_t)mask;
            upper |= SHIFTED(load_bytes(more + 32 + i), by) & (uint8_t)mask;
        }
        store_bytes(codes + i, signed_codes(lower, zero, starts, 0));
        store_bytes(codes + 32 + i, signed_codes(upper, zero, starts, 1));
    }
}

INLINE void unpack_q5_0(const uint8_t *at, int32_t inputs, uint8_t *codes, Starts *starts) {
    for (int32_t g = 0; g < inputs / 32; g++, at += Q5_0_BYTES, codes += 32 * BLOCK) {
        Starts of_group = no_starts();
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) unpack_64(at + 32 * i, at + 256, 4 - i, 16, 16, codes + 64 * i, &of_group);
        starts[g] = of_group;
    }
}

INLINE void unpack_q4_k(const uint8_t *at, int32_t inputs, uint8_t *codes, Starts *starts) {
    for (int32_t g = 0; g < inputs / 32; g++, codes += 32 * BLOCK) {
        const uint8_t *group = at + g / 8 * Q4_K_BYTES + 64 + g % 8 * Q4_K_GROUP;
        Starts of_group = no_starts();
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) unpack_64(group + 32 * i, group, 0, 0, 0, codes + 64 * i, &of_group);
        starts[g] = of_group;
    }
}

INLINE void unpack_q6_k(const uint8_t *at, int32_t inputs, uint8_t *codes, Starts *starts) {
    for (int32_t g = 0; g < inputs / 16; g++, codes += 16 * BLOCK) {
        const uint8_t *group = at + g / 16 * Q6_K_BYTES + 32 + g % 16 * Q6_K_GROUP;
        Starts of_group = no_starts();
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            unpack_64(group + 32 * i, group + 128, 4 - 2 * i, 48, 32, codes + 64 * i, &of_group);
        starts[g] = of_group;
    }
}

/* The activations of a tile's rows as quantize_tiled lays them out, from one group of 64 inputs on. */
typedef struct {
    const int8_t *values; /* [inputs / TOGETHER][rows][TOGETHER] */
    const int16_t *sums;  /* [inputs / 64][rows][4] */
    const float *scales;  /* [inputs / 64][rows] */
} Tile;

INLINE int32_t load_four(const void *at) {
    int32_t four;
    memcpy(&four, at, 4);
    return four;
}

/* dots[r][v] += scale[v] * the dot products of 4 * steps inputs, which are one group of `starts`. */
INLINE void add_products(vi dots[][CODE_VECTORS], const uint8_t *codes, const Starts *starts, const int8_t *x, int rows,
                         int steps, const vi *scale) {
#if SIGNED_CODES
    vh sums[CODE_ROWS][CODE_VECTORS], start[CODE_VECTORS];
    memcpy(start, starts, sizeof start);
#pragma GCC unroll 8
    for (int k = 0; k < steps; k++) {
        vi w[CODE_VECTORS];
        for (int v = 0; v < CODE_VECTORS; v++) w[v] = loadi(codes + 64 * k + 4 * LANES * v);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            const vi a = splati(load_four(x + 4 * (k * rows + r)));
            for (int v = 0; v < CODE_VECTORS; v++)
                sums[r][v] = (k ? sums[r][v] : start[v]) + multiply_pairs(a, w[v]);
            IN_REGISTERS(sums[r]);
        }
    }
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vi pairs = (scale[v] & 0xffff) | scale[v] << 16;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) dots[r][v] += multiply_add((vi)sums[r][v], pairs);
    }
#else
    (void)starts;
    vi sums[CODE_ROWS][CODE_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < CODE_VECTORS; v++) sums[r][v] = splati(0);
#if defined(ISA_I8MM)
    add_pairs(sums, codes, x, TOGETHER, TOGETHER * rows, rows, steps / 2);
#else
#if defined(ISA_AVX2) /* of an unrolled loop, gcc 12 keeps half of the sums in memory */
#pragma GCC unroll 1
#endif
    for (int k = 0; k < steps; k++) {
        vi w[CODE_VECTORS];
        for (int v = 0; v < CODE_VECTORS; v++) w[v] = loadi(codes + 64 * k + 4 * LANES * v);
        for (int r = 0; r < rows; r++) {
            for (int v = 0; v < CODE_VECTORS; v++)
                sums[r][v] = dot4_codes(sums[r][v], w[v], load_four(x + 4 * (k * rows + r)));
        }
    }
#endif
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
#if defined(ISA_AVX512) || defined(ISA_AVX2)
    return acc + multiply_add(pair, splati(load_four(sums)));
#else
    return acc + (pair << 16 >> 16) * splati(sums[0]) + (pair >> 16) * splati(sums[1]);
#endif
}

INLINE vi paired(vi first, vi second) { return (first & 0xffff) | second << 16; }

/* What unsigned codes, of which `zero` means zero, make too much: that many times the sums, times their scales. */
INLINE vi surplus_of_codes(int zero, vi scales, const int16_t *sums) {
#if SIGNED_CODES
    (void)zero, (void)scales, (void)sums;
    return splati(0);
#else
    return add_sums(splati(0), scales, sums) * splati(zero);
#endif
}

/* products[r][v] = the products of 32 inputs without the activations' scale; the second time they are added. */
INLINE void half_group_q5_0(const uint8_t *at, int part, const uint8_t *codes, const Starts *starts, const Tile *x,
                            int rows, vf products[][CODE_VECTORS]) {
    const vi one[4] = {splati(1), splati(1), splati(1), splati(1)};
    const vi of_part = paired(splati(part == 0), splati(part == 1));
    vi dots[CODE_ROWS][CODE_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < CODE_VECTORS; v++) dots[r][v] = -surplus_of_codes(16, of_part, x->sums + 4 * r);
    add_products(dots, codes + part * 32 * BLOCK, starts + part, x->values + part * 32 * rows, rows, 8, one);
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vf scale = load_half((const half *)(at + part * Q5_0_BYTES + 320) + LANES * v);
        for (int r = 0; r < rows; r++) {
            const vf dot = to_float(dots[r][v]);
            products[r][v] = part ? fma_(dot, scale, products[r][v]) : dot * scale;
        }
    }
}

/* out[r] += the products of a group of 64 inputs. `at`: the block's part for these inputs, or for the 256 inputs of
 * which they are the group `quarter`. */
INLINE void group_q5_0(const uint8_t *at, const uint8_t *codes, const Starts *starts, const Tile *x, int rows,
                       float out[][PAIR]) {
    vf products[CODE_ROWS][CODE_VECTORS];
    /* Not in a loop, which gcc 11 and 12 unrolled into wrong code for six rows. */
    half_group_q5_0(at, 0, codes, starts, x, rows, products);
    half_group_q5_0(at, 1, codes, starts, x, rows, products);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < CODE_VECTORS; v++) {
            float *y = &out[r][LANES * v];
            store(y, fma_(products[r][v], splat(x->scales[r]), load(y)));
        }
}

INLINE void group_q4_k(const uint8_t *at, int quarter, const uint8_t *codes, const Starts *starts, const Tile *x,
                       int rows, float out[][PAIR]) {
    vi dots[CODE_ROWS][CODE_VECTORS], least[2][CODE_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < CODE_VECTORS; v++) dots[r][v] = splati(0);
#pragma GCC unroll 2
    for (int part = 0; part < 2; part++) {
        const uint8_t *whole = at + 64 + (2 * quarter + part) * Q4_K_GROUP + 256;
        vi scale[CODE_VECTORS];
        for (int v = 0; v < CODE_VECTORS; v++) {
            scale[v] = load_whole(whole + LANES * v, 0);
            least[part][v] = load_whole(whole + BLOCK + LANES * v, 0);
        }
        add_products(dots, codes + part * 32 * BLOCK, starts + part, x->values + part * 32 * rows, rows, 8, scale);
    }
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vi both = paired(least[0][v], least[1][v]);
        const vf scale = load_half((const half *)at + LANES * v), of_least = load_half((const half *)(at + 32) + LANES * v);
        for (int r = 0; r < rows; r++) {
            float *y = &out[r][LANES * v];
            const vf minima = to_float(add_sums(splati(0), both, x->sums + 4 * r));
            const vf product = fma_(minima, -of_least, to_float(dots[r][v]) * scale);
            store(y, fma_(product, splat(x->scales[r]), load(y)));
        }
    }
}

INLINE void group_q6_k(const uint8_t *at, int quarter, const uint8_t *codes, const Starts *starts, const Tile *x,
                       int rows, float out[][PAIR]) {
    vi dots[CODE_ROWS][CODE_VECTORS], scales[4][CODE_VECTORS];
    const uint8_t *whole = at + 32 + 4 * quarter * Q6_K_GROUP + 192;
    for (int part = 0; part < 4; part++)
        for (int v = 0; v < CODE_VECTORS; v++) scales[part][v] = load_whole(whole + part * Q6_K_GROUP + LANES * v, 1);
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vi first = paired(scales[0][v], scales[2][v]);
        const vi second = paired(scales[1][v] - scales[0][v], scales[3][v] - scales[2][v]);
        for (int r = 0; r < rows; r++) {
            const int16_t *sums = x->sums + 4 * r;
            dots[r][v] = -(surplus_of_codes(32, first, sums) + surplus_of_codes(32, second, sums + 2));
        }
    }
#pragma GCC unroll 4
    for (int part = 0; part < 4; part++) {
        const int8_t *values = x->values + part * 16 * rows;
        add_products(dots, codes + part * 16 * BLOCK, starts + part, values, rows, 4, scales[part]);
    }
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vf scale = load_half((const half *)at + LANES * v);
        for (int r = 0; r < rows; r++) {
            float *y = &out[r][LANES * v];
            store(y, fma_(to_float(dots[r][v]) * scale, splat(x->scales[r]), load(y)));
        }
    }
}

/* out[r] += the products of `groups` groups. `at`: the block's part for them, which begins with 256 inputs.
 * `ahead`: what will be unpacked next, to be fetched from memory meanwhile; NULL if it has been. */
INLINE void tile_codes(int type, const uint8_t *at, const uint8_t *codes, const Starts *starts, Tile x, int rows,
                       int32_t groups, const uint8_t *ahead, float out[][PAIR]) {
    const int64_t bytes = code_bytes(type, 4 * GROUP) / 4;
    for (int32_t g = 0; g < groups; g++) {
        if (ahead)
            for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(ahead + g * bytes + i);
        if (type == Q5_0) group_q5_0(at + 2 * g * Q5_0_BYTES, codes, starts, &x, rows, out);
        else if (type == Q4_K) group_q4_k(at + g / 4 * Q4_K_BYTES, g % 4, codes, starts, &x, rows, out);
        else group_q6_k(at + g / 4 * Q6_K_BYTES, g % 4, codes, starts, &x, rows, out);
        codes += GROUP * BLOCK, starts += type == Q6_K ? 4 : 2;
        x.values += GROUP * rows, x.sums += 4 * rows, x.scales += rows;
    }
}

static void tile_codes_of(int type, const uint8_t *at, const uint8_t *codes, const Starts *starts, Tile x, int rows,
                          int32_t groups, const uint8_t *ahead, float out[][PAIR]) {
#define WITH(ROWS)                                                                        \
    case ROWS:                                                                            \
        if (type == Q5_0) tile_codes(Q5_0, at, codes, starts, x, ROWS, groups, ahead, out);      \
        else if (type == Q4_K) tile_codes(Q4_K, at, codes, starts, x, ROWS, groups, ahead, out); \
        else tile_codes(Q6_K, at, codes, starts, x, ROWS, groups, ahead, out);                   \
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
#endif
#if CODE_ROWS > 5
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
    Starts starts[CHUNK / 16];
    const uint8_t *at = (const uint8_t *)m->data + (int64_t)block * code_bytes(m->type, m->inputs);
    const int32_t inputs = m->inputs;
    for (int32_t row = first; row < last; row++) memset(out[row - first], 0, BLOCK * sizeof(float));
    for (int32_t start = 0; start < inputs; start += CHUNK) {
        const int32_t count = inputs - start < CHUNK ? inputs - start : CHUNK;
        if (m->type == Q5_0) unpack_q5_0(at, count, codes, starts);
        else if (m->type == Q4_K) unpack_q4_k(at, count, codes, starts);
        else unpack_q6_k(at, count, codes, starts);
        for (int32_t row = first, rows; row < last; row += rows) {
            rows = rows_of_tile(a->rows, row);
            const int64_t at_row = (int64_t)row * inputs, of_tile = (int64_t)start * rows;
            const Tile x = {a->values + at_row + of_tile, a->sums + (at_row + of_tile) / 16, a->scales + (at_row + of_tile) / GROUP};
            /* A single row is done before what comes next could be late. */
            const uint8_t *ahead = row == first && last - first > 1 ? at + code_bytes(m->type, count) : NULL;
            tile_codes_of(m->type, at, codes, starts, x, rows, count / GROUP, ahead, &out[row - first]);
        }
        at += code_bytes(m->type, count);
    }
}

#endif
