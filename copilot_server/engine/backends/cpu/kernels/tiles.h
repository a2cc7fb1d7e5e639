/* Products of int8 with sixteen rows of activations at a time, for processors that multiply tiles of int8 (AMX).
 *
 * One instruction multiplies 64 inputs of sixteen outputs with those of sixteen rows: what a block has for a group, as
 * it lies in memory, is a tile. The sums are whole numbers, so that they are the same as those of dot products, and what
 * follows rounds as it does in matmul.h: a row's result does not depend on how many rows are multiplied with it.
 */
#ifndef TILES_H
#define TILES_H

#include "elementwise.h"

#if defined(ISA_AMX)
/* Inputs of a pair of blocks that are copied at a time: with the same of sixteen rows they stay in the first-level
 * cache, from which the tiles are loaded. */
#define TILED_INPUTS 512

/* Whether so many rows are multiplied with a matrix by tiles. Fewer rows wait for the weights in any case. */
INLINE int is_tiled(const Matrix *m, int32_t rows) { return m->type == INT8 && rows >= AMX_ROWS; }

/* Source: Intel's Software Developer's Manual, volume 2, LDTILECFG. */
typedef struct {
    uint8_t palette, first_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} TileLayout;

/* Lay the tile registers out: 0 has sums, 1 activations and 2 weights. Every thread does so before it multiplies, and
 * ends with _tile_release: what tiles hold would be saved whenever the system changes to another thread. */
INLINE void lay_tiles_out(void) {
    TileLayout layout = {.palette = 1, .row_bytes = {64, 64, 64}, .rows = {16, 16, 16}};
    _tile_loadconfig(&layout);
}

/* Multiply a group of activations, [16][64], with signed weights, [16][16][4]. */
INLINE void multiply_tiles(const int8_t *weights, const int8_t *values, int32_t dots[AMX_ROWS][BLOCK]) {
    _tile_zero(0);
    _tile_loadd(1, values, GROUP);
    _tile_loadd(2, weights, 4 * BLOCK);
    _tile_dpbssd(0, 1, 2);
    _tile_stored(0, dots, 4 * BLOCK);
}

/* out[r] += the products of `groups` groups of a block, from the group `first` on, with the tile of rows that begins
 * with `row`, of which `rows` count. The next group is multiplied while this one's products are added. */
static void tile_of_rows(const int8_t *weights, const uint16_t *scales, const Activations *a, int32_t row, int rows,
                         int32_t first, int32_t groups, float out[][PAIR]) {
    const int64_t at = ((int64_t)(row / AMX_ROWS) * (a->inputs / GROUP) + first) * AMX_ROWS;
    const int8_t *values = a->values + at * GROUP;
    const float *of_rows = a->scales + at;
    _Alignas(64) int32_t dots[2][AMX_ROWS][BLOCK];
    vf sums[AMX_ROWS];
#pragma GCC unroll 16
    for (int r = 0; r < AMX_ROWS; r++) sums[r] = r < rows ? load(out[r]) : splat(0.0f);
    multiply_tiles(weights, values, dots[0]);
    for (int32_t g = 0; g < groups; g++, of_rows += AMX_ROWS) {
        const int32_t next = g + 1;
        if (next < groups)
            multiply_tiles(weights + next * GROUP * BLOCK, values + next * AMX_ROWS * GROUP, dots[next % 2]);
        const vf scale = load_bfloat(scales + g * BLOCK);
#pragma GCC unroll 16
        for (int r = 0; r < AMX_ROWS; r++)
            sums[r] = fma_(to_float(loadi(dots[g % 2][r])) * scale, splat(of_rows[r]), sums[r]);
    }
#pragma GCC unroll 16
    for (int r = 0; r < AMX_ROWS; r++)
        if (r < rows) store(out[r], sums[r]);
}

/* Copy weights, which are stored with 128 added. */
INLINE void sign_weights(const uint8_t *stored, int32_t count, int8_t *weights) {
    for (int32_t i = 0; i < count; i += 4 * LANES) {
        const vi some = loadi(stored + i) ^ splati((int32_t)0x80808080);
        memcpy(weights + i, &some, sizeof some);
    }
}

/* out[row - first][..] = the products of rows [first, last) with a pair of blocks. */
static void pair_in_tiles(const Matrix *m, const Activations *a, int32_t block, int32_t first, int32_t last,
                          float out[][PAIR]) {
    _Alignas(64) int8_t weights[2][TILED_INPUTS * BLOCK];
    memset(out, 0, (size_t)(last - first) * sizeof *out);
    for (int32_t start = 0; start < m->inputs; start += TILED_INPUTS) {
        const int32_t left = m->inputs - start, count = left < TILED_INPUTS ? left : TILED_INPUTS;
        const uint16_t *scales[2];
        for (int b = 0; b < 2; b++) {
            const int64_t at = (int64_t)(block + b) * m->inputs + start;
            sign_weights((const uint8_t *)m->data + at * BLOCK, count * BLOCK, weights[b]);
            scales[b] = m->scales + at / GROUP * BLOCK;
        }
        for (int32_t row = first; row < last; row += AMX_ROWS)
            for (int b = 0; b < 2; b++) {
                const int rows = last - row < AMX_ROWS ? last - row : AMX_ROWS;
                float(*to)[PAIR] = (float(*)[PAIR])((float *)(out + row - first) + b * BLOCK);
                tile_of_rows(weights[b], scales[b], a, row, rows, start / GROUP, count / GROUP, to);
            }
    }
}
#else
#define AMX_ROWS 1 /* of which there are no tiles */
INLINE int is_tiled(const Matrix *m, int32_t rows) { return (void)m, (void)rows, 0; }
#endif

#endif
