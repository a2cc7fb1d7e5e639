/* Packing a matrix: from rows as a model's file has them to blocks of 16 outputs, as Matrix has them.
 *
 * Nothing here depends on the instruction set, so that a file packed with one is right for all others. What takes time
 * are loops that compilers translate to the vectors that every processor has; they wait for memory then.
 */
#include <float.h>

#include "blocks.h"
#include "bounds.h"
#include "pool.h"

/* Numbers of a row that is no blocks, in float32. */
static void plain_numbers(int32_t type, const uint8_t *row, int32_t count, float *numbers) {
    if (type == FLOAT32) memcpy(numbers, row, 4 * (size_t)count);
    else if (type == BFLOAT16)
        for (int32_t i = 0; i < count; i++) numbers[i] = float_of((uint32_t)two_bytes(row + 2 * i) << 16);
    else
        for (int32_t i = 0; i < count; i++) numbers[i] = half_of(two_bytes(row + 2 * i));
}

/* Group `g` of a row, in float32; zeros follow the last input. */
static inline void read_group(int32_t type, int32_t inputs, const uint8_t *row, int32_t g, float numbers[GROUP]) {
    const Stored of = stored(type);
    const int32_t first = g * GROUP, count = inputs - first < GROUP ? inputs - first : GROUP;
    if (count < GROUP) memset(numbers, 0, GROUP * sizeof(float));
    if (of.inputs == 1) plain_numbers(type, row + (int64_t)first * of.bytes, count, numbers);
    else
        for (int32_t i = first; i < first + count; i += PART)
            numbers_of(type, row + (int64_t)(i / of.inputs) * of.bytes, i % of.inputs / PART, numbers + i - first);
}

/* Round a group to int8: 16 times four bytes, a block's outputs apart. Returns the scale in bfloat16.
 *
 * The scale is rounded up before the weights are divided by it, so that rounding it costs no accuracy. Of a group that
 * is not finite only the scale says so. The inverse of a scale below FLT_MIN would overflow; such weights become zeros.
 */
static inline uint16_t round_group(const float numbers[GROUP], uint8_t *to) {
    int32_t bits[GROUP], most = 0;
    uint8_t whole[GROUP];
    memcpy(bits, numbers, sizeof bits);
    for (int i = 0; i < GROUP; i++) {
        const int32_t size = bits[i] & 0x7fffffff; /* grows with the number, and is largest where there is none */
        most = size > most ? size : most;
    }
    const float exact = float_of((uint32_t)most) / 127.0f;
    uint32_t scale, of_exact;
    memcpy(&of_exact, &exact, 4);
    scale = (of_exact + 0xffff) >> 16;
    const float factor = float_of(scale << 16), inverse = factor >= FLT_MIN ? 1.0f / factor : 0.0f;
    for (int i = 0; i < GROUP; i++) {
        const float nearest = numbers[i] * inverse + 0x1.8p23f; /* ties to even, in the lowest bits */
        memcpy(&bits[i], &nearest, 4);
    }
    for (int i = 0; i < GROUP; i++) whole[i] = (uint8_t)(bits[i] ^ 0x80);
    if (most >= 0x7f800000) {
        memset(whole, 0x80, sizeof whole);
        scale = most > 0x7f800000 ? 0x7fc0 : 0x7f80;
    }
    for (int i = 0; i < GROUP / 4; i++) memcpy(to + i * 4 * BLOCK, whole + 4 * i, 4);
    return (uint16_t)scale;
}

/* Rows for outputs [first, last) of a block, in one format: a constant where it is called. */
static inline __attribute__((always_inline)) void round_rows(int32_t type, const Rows *r, const uint8_t *row,
                                                             int32_t first, int32_t last, uint8_t *to,
                                                             uint16_t *scales) {
    const Stored of = stored(type);
    const int64_t row_bytes = (int64_t)r->inputs / of.inputs * of.bytes;
    for (int32_t g = 0; g * GROUP < r->inputs; g++)
        for (int32_t i = first; i < last; i++) {
            float numbers[GROUP];
            read_group(type, r->inputs, row + (i - first) * row_bytes, g, numbers);
            scales[g * BLOCK + i] = round_group(numbers, to + (int64_t)g * GROUP * BLOCK + 4 * i);
        }
}

static void round_block(void *context, int32_t task) {
    const Rows *r = context;
    const int32_t before = task ? task * BLOCK - r->first : 0, first = task ? 0 : r->first;
    const int32_t left = r->count - before, last = left < BLOCK - first ? first + left : BLOCK;
    const int64_t width = (r->inputs + GROUP - 1) / GROUP * GROUP, at = (int64_t)task * r->stride * BLOCK * width;
    const Stored of = stored(r->source);
    const uint8_t *row = (const uint8_t *)r->rows + (int64_t)before * (r->inputs / of.inputs) * of.bytes;
#define WITH(TYPE) case TYPE: round_rows(TYPE, r, row, first, last, (uint8_t *)r->data + at, r->scales + at / GROUP); break;
    switch (r->source) {
        WITH(FLOAT32) WITH(BFLOAT16) WITH(FLOAT16)
        WITH(Q4_0) WITH(Q5_0) WITH(Q8_0) WITH(Q4_K) WITH(Q5_K) WITH(Q6_K)
    default: break;
    }
#undef WITH
}

/* The lower bits of codes of 16 outputs, then their further bits, as Coding says; returns what follows. */
static uint8_t *write_codes(Coding of, uint8_t codes[BLOCK][PART], int from, uint8_t *to) {
    uint32_t four[BLOCK], more[BLOCK] = {0};
    const uint32_t mask = ((1u << of.more_bits) - 1) * 0x01010101u;
    for (int k = 0; k < of.group / 4; k++, to += 2 * BLOCK) {
        for (int i = 0; i < BLOCK; i++) memcpy(&four[i], &codes[i][from + 4 * k], 4);
        for (int i = 0; i < BLOCK; i++) more[i] |= (four[i] >> 4 & mask) << of.more_bits * k;
        for (int i = 0; i < BLOCK / 2; i++)
            four[i] = (four[i] & 0x0f0f0f0fu) | (four[BLOCK / 2 + i] << 4 & 0xf0f0f0f0u);
        memcpy(to, four, 2 * BLOCK);
    }
    if (of.more_bits) memcpy(to, more, sizeof more), to += sizeof more;
    return to;
}

/* The codes of 16 outputs that are whole bytes. */
static uint8_t *write_bytes(uint8_t codes[BLOCK][PART], uint8_t *to) {
    for (int k = 0; k < PART / 4; k++)
        for (int i = 0; i < BLOCK; i++, to += 4) memcpy(to, &codes[i][4 * k], 4);
    return to;
}

/* Numbers in half precision of 16 outputs, `at` of each block. */
static uint8_t *write_halves(const uint8_t *const blocks[BLOCK], int at, uint8_t *to) {
    for (int i = 0; i < BLOCK; i++, to += 2) memcpy(to, blocks[i] + at, 2);
    return to;
}

static uint8_t *write_scales(int32_t type, const uint8_t *const blocks[BLOCK], int group, uint8_t *to) {
    if (type == Q6_K) {
        for (int i = 0; i < BLOCK; i++) to[i] = blocks[i][192 + group];
        return to + BLOCK;
    }
    if (type != Q4_K && type != Q5_K) return write_halves(blocks, 0, to);
    for (int i = 0; i < BLOCK; i++) six_bits(blocks[i] + 4, group, to + i, to + BLOCK + i);
    return to + 2 * BLOCK;
}

/* One piece of 16 outputs (Coding); returns what follows it. */
static uint8_t *write_piece(int32_t type, const uint8_t *const blocks[BLOCK], uint8_t *to) {
    const Coding of = coding(type);
    for (int at = 0; at < of.start_bytes / BLOCK; at += 2) to = write_halves(blocks, type == Q6_K ? 208 : at, to);
    for (int part = 0; part < of.inputs / PART; part++) {
        uint8_t codes[BLOCK][PART];
        for (int i = 0; i < BLOCK; i++) codes_of(type, blocks[i], part, codes[i]);
        for (int from = 0; from < PART; from += of.group) {
            to = type == Q8_0 ? write_bytes(codes, to) : write_codes(of, codes, from, to);
            to = write_scales(type, blocks, (part * PART + from) / of.group, to);
        }
    }
    return to;
}

static void arrange_block(void *context, int32_t task) {
    const Rows *r = context;
    const Stored of = stored(r->source);
    const int64_t row_bytes = (int64_t)r->inputs / of.inputs * of.bytes;
    uint8_t *to = (uint8_t *)r->data + (int64_t)task * r->stride * code_bytes(r->target, r->inputs);
    for (int64_t at = 0; at < row_bytes; at += of.bytes) {
        const uint8_t *blocks[BLOCK];
        for (int i = 0; i < BLOCK; i++)
            blocks[i] = (const uint8_t *)r->rows + ((int64_t)task * BLOCK + i) * row_bytes + at;
        to = write_piece(r->source, blocks, to);
    }
}

int64_t decoder_pack(const Rows *rows, Pool *pool) {
    const int32_t refused = check_packing(rows);
    if (refused) return refused;
    if (pool == NULL) return REFUSED_MEMORY;
    pool_run(pool, rows->target == INT8 ? round_block : arrange_block, (void *)(uintptr_t)rows, rows_blocks(rows));
    return 0;
}
