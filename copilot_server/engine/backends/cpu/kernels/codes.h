/* Products with weights in the number formats of GGUF files, as the file has them: nothing is rounded again.
 *
 * A matrix comes in blocks of 16 outputs, like the others. Of each block a piece is unpacked at a time into one
 * byte for each weight, in the order that int8 weights have, which all rows of activations then use. Those of Q8_0 are
 * bytes already.
 */
#ifndef CODES_H
#define CODES_H

#include "elementwise.h"
#include "pairs.h"
#include "unpacking.h"

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

/* sums[r][v] += the dot products of 4 * steps inputs. `whole`: with bytes of w + 128, from which the result has the
 * surplus of `dot4`; otherwise with codes below 128 as they are, for which there must be VNNI or no AVX2. */
INLINE void add_dots(vi sums[][CODE_VECTORS], const uint8_t *codes, const int8_t *x, int rows, int steps, int whole) {
#if defined(ISA_I8MM)
    if (steps > 4) { /* Of fewer inputs, putting the sums of pairs apart takes more instructions than are saved. */
        add_pairs(sums, codes, x, TOGETHER, TOGETHER * rows, rows, steps / 2);
        return;
    }
#endif
#if defined(ISA_AVX2) || defined(__aarch64__) /* of an unrolled loop, gcc 12 keeps half of the sums in memory */
#pragma GCC unroll 1
#endif
    for (int k = 0; k < steps; k++) {
        const int8_t *x4 = x + 4 * k / TOGETHER * TOGETHER * rows + 4 * k % TOGETHER;
        vi w[CODE_VECTORS];
        for (int v = 0; v < CODE_VECTORS; v++) w[v] = loadi(codes + 64 * k + 4 * LANES * v);
        for (int r = 0; r < rows; r++) {
            const int32_t a4 = (int32_t)STORED_FOUR((uint32_t)load_four(x4 + TOGETHER * r));
            for (int v = 0; v < CODE_VECTORS; v++)
                sums[r][v] = whole ? dot4(sums[r][v], w[v], a4) : dot4_codes(sums[r][v], w[v], a4);
        }
    }
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
    add_dots(sums, codes, x, rows, steps, 0);
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
#elif defined(__aarch64__)
    const uint32_t four = (uint32_t)load_four(at);
    if (is_signed) return (vi)vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four))));
    return (vi)vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
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

/* What dot products begin with, since unsigned codes make the middle times the sums, times their scales, too much.
 * `times`: the middle times the scales, in pairs. */
INLINE vi without_surplus(vi times, const int16_t *sums) {
    return SIGNED_CODES ? splati(0) : -add_sums(splati(0), times, sums);
}

/* products[r][v] = the products of 32 inputs without the activations' scale; the second time they are added. `whole`:
 * the group at `at` has bytes, and there are no codes. */
INLINE void half_group(int whole, Coding of, const uint8_t *at, int part, const uint8_t *codes, const Starts *starts,
                       const Tile *x, int rows, vf products[][CODE_VECTORS]) {
    const vi one[4] = {splati(1), splati(1), splati(1), splati(1)};
    const int32_t middle = whole && !HAS_SURPLUS ? 0 : of.middle;
    const vi times = paired(splati(part ? 0 : middle), splati(part ? middle : 0));
    const int8_t *values = x->values + part * 32 * rows;
    vi dots[CODE_ROWS][CODE_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < CODE_VECTORS; v++) dots[r][v] = without_surplus(times, x->sums + 4 * r);
    if (whole) add_dots(dots, at, values, rows, 8, 1);
    else if (!SIGNED_CODES) add_dots(dots, codes + part * 32 * BLOCK, values, rows, 8, 0);
    else add_products(dots, codes + part * 32 * BLOCK, starts + part, values, rows, 8, one);
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vf scale = load_half((const half *)(at + of.group_bytes - 2 * BLOCK) + LANES * v);
        for (int r = 0; r < rows; r++) {
            const vf dot = to_float(dots[r][v]);
            products[r][v] = part ? fma_(dot, scale, products[r][v]) : dot * scale;
        }
    }
}

/* out[r] += the products of group `g` of 64 inputs, in Q4_0, Q5_0 or, where it is `whole`, Q8_0. */
INLINE void add_scaled(int whole, Coding of, const uint8_t *at, int32_t g, const uint8_t *codes, const Starts *starts,
                       const Tile *x, int rows, float out[][PAIR]) {
    vf products[CODE_ROWS][CODE_VECTORS];
    /* Not in a loop, which gcc 11 and 12 unrolled into wrong code for six rows. */
    half_group(whole, of, group_of(of, at, 2 * g), 0, codes, starts, x, rows, products);
    half_group(whole, of, group_of(of, at, 2 * g + 1), 1, codes, starts, x, rows, products);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < CODE_VECTORS; v++) {
            float *y = &out[r][LANES * v];
            store(y, fma_(products[r][v], splat(x->scales[r]), load(y)));
        }
}

/* The same in Q4_K or Q5_K. */
INLINE void add_with_minima(Coding of, const uint8_t *at, int32_t g, const uint8_t *codes, const Starts *starts,
                            const Tile *x, int rows, float out[][PAIR]) {
    vi dots[CODE_ROWS][CODE_VECTORS], scales[2][CODE_VECTORS], least[2][CODE_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < CODE_VECTORS; v++) dots[r][v] = splati(0);
#pragma GCC unroll 2
    for (int part = 0; part < 2; part++) {
        const uint8_t *whole = group_of(of, at, 2 * g + part) + of.group_bytes - 2 * BLOCK;
        for (int v = 0; v < CODE_VECTORS; v++) {
            scales[part][v] = load_whole(whole + LANES * v, 0);
            least[part][v] = load_whole(whole + BLOCK + LANES * v, 0);
        }
        const int8_t *values = x->values + part * 32 * rows;
        add_products(dots, codes + part * 32 * BLOCK, starts + part, values, rows, 8, scales[part]);
    }
    if (SIGNED_CODES && of.middle) /* Five bits less 16 lack what the minima are counted from. */
        for (int v = 0; v < CODE_VECTORS; v++) {
            const vi times = paired(scales[0][v] * of.middle, scales[1][v] * of.middle);
            for (int r = 0; r < rows; r++) dots[r][v] = add_sums(dots[r][v], times, x->sums + 4 * r);
        }
    const half *piece = (const half *)piece_of(of, at, 2 * g);
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vi both = paired(least[0][v], least[1][v]);
        const vf scale = load_half(piece + LANES * v), of_least = load_half(piece + BLOCK + LANES * v);
        for (int r = 0; r < rows; r++) {
            float *y = &out[r][LANES * v];
            const vf minima = to_float(add_sums(splati(0), both, x->sums + 4 * r));
            const vf product = fma_(minima, -of_least, to_float(dots[r][v]) * scale);
            store(y, fma_(product, splat(x->scales[r]), load(y)));
        }
    }
}

/* The same in Q6_K. */
INLINE void add_sixteens(Coding of, const uint8_t *at, int32_t g, const uint8_t *codes, const Starts *starts,
                         const Tile *x, int rows, float out[][PAIR]) {
    vi dots[CODE_ROWS][CODE_VECTORS], scales[4][CODE_VECTORS];
    for (int part = 0; part < 4; part++) {
        const uint8_t *whole = group_of(of, at, 4 * g + part) + of.group_bytes - BLOCK;
        for (int v = 0; v < CODE_VECTORS; v++) scales[part][v] = load_whole(whole + LANES * v, 1);
    }
    for (int v = 0; v < CODE_VECTORS; v++) {
        vi times[4];
        for (int part = 0; part < 4; part++) times[part] = scales[part][v] * of.middle;
        const vi first = paired(times[0], times[2]), second = paired(times[1] - times[0], times[3] - times[2]);
        for (int r = 0; r < rows; r++) {
            const int16_t *sums = x->sums + 4 * r;
            dots[r][v] = without_surplus(first, sums) + without_surplus(second, sums + 2);
        }
    }
#pragma GCC unroll 4
    for (int part = 0; part < 4; part++) {
        const int8_t *values = x->values + part * 16 * rows;
        add_products(dots, codes + part * 16 * BLOCK, starts + part, values, rows, 4, scales[part]);
    }
    const half *piece = (const half *)piece_of(of, at, 4 * g);
    for (int v = 0; v < CODE_VECTORS; v++) {
        const vf scale = load_half(piece + LANES * v);
        for (int r = 0; r < rows; r++) {
            float *y = &out[r][LANES * v];
            store(y, fma_(to_float(dots[r][v]) * scale, splat(x->scales[r]), load(y)));
        }
    }
}

/* out[r] += the products of `groups` groups. `at`: the block's part for them, which begins with 256 inputs.
 * `like`: the type, or the one that the products of this type are made like. `ahead`: what will be unpacked next, to be
 * fetched from memory meanwhile; NULL if it has been. */
INLINE void tile_codes(int like, int type, const uint8_t *at, const uint8_t *codes, const Starts *starts, Tile x,
                       int rows, int32_t groups, const uint8_t *ahead, float out[][PAIR]) {
    Coding of = coding(like); /* a constant, but for what two types differ in: */
    if (like == Q5_0 || like == Q4_K) of.group_bytes = coding(type).group_bytes, of.middle = coding(type).middle;
    const int64_t bytes = code_bytes(type, 4 * GROUP) / 4;
    for (int32_t g = 0; g < groups; g++) {
        if (ahead)
            for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(ahead + g * bytes + i);
        if (like == Q6_K) add_sixteens(of, at, g, codes, starts, &x, rows, out);
        else if (like == Q4_K) add_with_minima(of, at, g, codes, starts, &x, rows, out);
        else add_scaled(like == Q8_0, of, at, g, codes, starts, &x, rows, out);
        codes += GROUP * BLOCK, starts += GROUP / of.group;
        x.values += GROUP * rows, x.sums += 4 * rows, x.scales += rows;
    }
}

static void tile_codes_of(int type, const uint8_t *at, const uint8_t *codes, const Starts *starts, Tile x, int rows,
                          int32_t groups, const uint8_t *ahead, float out[][PAIR]) {
#define LIKE(ONE, ROWS) tile_codes(ONE, type, at, codes, starts, x, ROWS, groups, ahead, out)
#define WITH(ROWS)                                                        \
    case ROWS:                                                            \
        if (type == Q8_0) LIKE(Q8_0, ROWS);                               \
        else if (type == Q4_0 || type == Q5_0) LIKE(Q5_0, ROWS);          \
        else if (type == Q4_K || type == Q5_K) LIKE(Q4_K, ROWS);          \
        else LIKE(Q6_K, ROWS);                                            \
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
#undef LIKE
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
        unpack_type(m->type, at, count, codes, starts);
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
