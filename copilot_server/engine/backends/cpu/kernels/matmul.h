/* Matrix products: y = W a for rows of activations, a tile of rows and outputs at a time.
 *
 * However many rows there are, and wherever a row stands in a tile, its sums are made in the same order:
 * exactly in whole numbers within a group of 64 inputs, then group after group in float. So a row's result
 * does not depend on the rows beside it, to the last bit: a draft's verification, a batch and a chunk of a
 * prompt give what one token after another would have given.
 */
#ifndef MATMUL_H
#define MATMUL_H

#include "codes.h"
#include "elementwise.h"
#include "pairs.h"
#include "pool.h"
#include "tiles.h"

/* A tile's sums must fit the processor's vector registers, once as int32 and once as float. */
#if defined(ISA_AVX512)
#define TILE_ROWS 6
#define TILE_BLOCKS 2
#elif defined(ISA_I8MM) /* in pairs */
#define TILE_ROWS 4
#define TILE_BLOCKS 1
#elif defined(ISA_AVX2) && defined(ISA_VNNI) /* Only the int32 sums fit, of which the latency needs as many. */
#define TILE_ROWS 6
#define TILE_BLOCKS 1
#elif defined(ISA_AVX2) || defined(ISA_NEON)
#define TILE_ROWS 3
#define TILE_BLOCKS 1
#else
#define TILE_ROWS 2
#define TILE_BLOCKS 1
#endif

#define CACHE_LINE 64
#define VECTORS (TILE_BLOCKS * BLOCK / LANES)
/* Rows of activations that stay in the second-level cache while a pair of blocks goes over them; with the formats of
 * codes.h a part of their inputs at a time. Whole tiles in either case. */
#if defined(ISA_AMX) /* which takes a part of them too */
#define SLAB_ROWS 192
#else
#define SLAB_ROWS 96
#endif
#define CODE_SLAB_ROWS ((192 + CODE_ROWS - 1) / CODE_ROWS * CODE_ROWS)
/* A task should take tens of microseconds: long compared with handing it out, short compared with a step. */
#define TASK_BYTES (192 * 1024)

typedef enum { ASSIGN, ADD, SWIGLU } Finish;

typedef struct {
    const Matrix *matrix;
    Activations in;
    float *out;
    int32_t rows, out_stride, pairs_per_task, slabs, tile_rows;
    Finish finish;
} Product;

INLINE void tile_int8(const Matrix *m, const Activations *a, int32_t row, int32_t block, int rows,
                      int64_t ahead, float out[][PAIR]) {
    const int32_t inputs = m->inputs, groups = inputs / GROUP;
    const uint8_t *data = (const uint8_t *)m->data + (int64_t)block * inputs * BLOCK;
    const uint16_t *scales = m->scales + (int64_t)block * groups * BLOCK;
    const int8_t *x = a->values + (int64_t)row * inputs;
    const float *x_scales = a->scales + (int64_t)row * groups;
    const int32_t *surplus = a->surplus + (int64_t)row * groups;
    vf sums[TILE_ROWS][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++) sums[r][v] = splat(0.0f);
    for (int32_t g = 0; g < groups; g++) {
        vi dots[TILE_ROWS][VECTORS];
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < VECTORS; v++) dots[r][v] = splati(-surplus[(int64_t)r * groups + g]);
#if defined(ISA_I8MM)
        const uint8_t *w = data + (int64_t)g * GROUP * BLOCK;
        for (int i = 0; i < GROUP * BLOCK; i += CACHE_LINE) __builtin_prefetch(w + i + ahead, 0, 2);
        add_pairs(dots, w, x + g * GROUP, inputs, 8, rows, GROUP / 8);
#else
#if defined(__aarch64__) /* as in codes.h */
#pragma GCC unroll 1
#endif
        for (int32_t k = g * GROUP; k < (g + 1) * GROUP; k += 4) {
            vi w[VECTORS];
            for (int v = 0; v < VECTORS; v++) {
                const int32_t in_block = v * LANES / BLOCK, lane = v * LANES % BLOCK;
                const uint8_t *at = data + (int64_t)in_block * inputs * BLOCK + k * BLOCK + 4 * lane;
                w[v] = loadi(at);
                if (lane == 0) __builtin_prefetch(at + ahead, 0, 2);
            }
            for (int r = 0; r < rows; r++) {
                int32_t x4;
                memcpy(&x4, x + (int64_t)r * inputs + k, 4);
                for (int v = 0; v < VECTORS; v++) dots[r][v] = dot4(dots[r][v], w[v], x4);
            }
        }
#endif
        for (int v = 0; v < VECTORS; v++) {
            const int32_t in_block = v * LANES / BLOCK, lane = v * LANES % BLOCK;
            vf scale = load_bfloat(scales + ((int64_t)in_block * groups + g) * BLOCK + lane);
            for (int r = 0; r < rows; r++)
                sums[r][v] = fma_(to_float(dots[r][v]) * scale, splat(x_scales[(int64_t)r * groups + g]), sums[r][v]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++) store(&out[r][v * LANES], sums[r][v]);
}

INLINE void tile_float(const Matrix *m, const Activations *a, int32_t row, int32_t block, int rows, int type,
                       float out[][PAIR]) {
    const int32_t inputs = m->inputs;
    const int32_t bytes = type == FLOAT32 ? 4 : 2;
    const uint8_t *data = (const uint8_t *)m->data + (int64_t)block * inputs * BLOCK * bytes;
    const float *x = a->floats + (int64_t)row * inputs;
    vf sums[TILE_ROWS][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++) sums[r][v] = splat(0.0f);
    for (int32_t start = 0; start < inputs; start += GROUP) {
        vf dots[TILE_ROWS][VECTORS];
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < VECTORS; v++) dots[r][v] = splat(0.0f);
        for (int32_t k = start; k < start + GROUP; k++)
            for (int v = 0; v < VECTORS; v++) {
                const int32_t in_block = v * LANES / BLOCK, lane = v * LANES % BLOCK;
                const uint8_t *at = data + (((int64_t)in_block * inputs + k) * BLOCK + lane) * bytes;
                vf w = type == FLOAT32 ? load((const float *)at) : load_bfloat((const uint16_t *)at);
                for (int r = 0; r < rows; r++) dots[r][v] = fma_(w, splat(x[(int64_t)r * inputs + k]), dots[r][v]);
            }
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < VECTORS; v++) sums[r][v] += dots[r][v];
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++) store(&out[r][v * LANES], sums[r][v]);
}

INLINE void tile(const Matrix *m, const Activations *a, int32_t row, int32_t block, int rows, int64_t ahead,
                 float out[][PAIR]) {
    if (m->type == INT8) tile_int8(m, a, row, block, rows, ahead, out);
    else if (m->type == BFLOAT16) tile_float(m, a, row, block, rows, BFLOAT16, out);
    else tile_float(m, a, row, block, rows, FLOAT32, out);
}

/* The compiler makes one loop of registers for each number of rows. */
static void tile_of(const Matrix *m, const Activations *a, int32_t row, int32_t block, int rows, int64_t ahead,
                    float out[][PAIR]) {
    switch (rows) {
    case 1: tile(m, a, row, block, 1, ahead, out); break;
    case 2: tile(m, a, row, block, 2, ahead, out); break;
#if TILE_ROWS > 2
    case 3: tile(m, a, row, block, 3, ahead, out); break;
#endif
#if TILE_ROWS > 3
    case 4: tile(m, a, row, block, 4, ahead, out); break;
#endif
#if TILE_ROWS > 4
    case 5: tile(m, a, row, block, 5, ahead, out); break;
    case 6: tile(m, a, row, block, 6, ahead, out); break;
#endif
    default: break;
    }
}

INLINE void finish_row(const Product *p, int32_t row, int32_t column, const float *sums) {
    if (p->finish == SWIGLU) {
        float *y = p->out + (int64_t)row * p->out_stride + column / 2;
        for (int i = 0; i < BLOCK; i += LANES) store(y + i, swiglu(load(sums + i), load(sums + BLOCK + i)));
        return;
    }
    float *y = p->out + (int64_t)row * p->out_stride + column;
    for (int i = 0; i < PAIR; i += LANES) {
        vf value = load(sums + i);
        if (p->matrix->bias) value += load(p->matrix->bias + column + i);
        store(y + i, p->finish == ADD ? load(y + i) + value : value);
    }
}

/* Rows [first, last) of one pair of blocks, in tiles of about equal height. */
INLINE void pair_of_blocks(const Product *p, int32_t block, int32_t first, int32_t last) {
    const int32_t tiles = (last - first + TILE_ROWS - 1) / TILE_ROWS;
    const int64_t next_pair = (int64_t)PAIR * p->matrix->inputs;
    for (int32_t t = 0; t < tiles; t++) {
        const int32_t from = first + (last - first) * t / tiles, to = first + (last - first) * (t + 1) / tiles;
        float sums[TILE_ROWS][PAIR];
        for (int32_t b = 0; b < 2; b += TILE_BLOCKS) {
            float(*out)[PAIR] = (float(*)[PAIR])(&sums[0][b * BLOCK]);
            tile_of(p->matrix, &p->in, from, block + b, to - from, t + 1 == tiles ? next_pair : 0, out);
        }
        for (int32_t row = from; row < to; row++) finish_row(p, row, block * BLOCK, sums[row - from]);
    }
}

/* The same with the number formats of codes.h. */
static void pair_of_code_blocks(const Product *p, int32_t block, int32_t first, int32_t last) {
    float sums[CODE_SLAB_ROWS][PAIR];
    for (int32_t b = 0; b < 2; b++)
        block_of_codes(p->matrix, &p->in, block + b, first, last, (float(*)[PAIR])((float *)sums + b * BLOCK));
    for (int32_t row = first; row < last; row++) finish_row(p, row, block * BLOCK, sums[row - first]);
}

#if defined(ISA_AMX)
/* The same with tiles.h. */
static void tiled_pair_of_blocks(const Product *p, int32_t block, int32_t first, int32_t last) {
    float sums[SLAB_ROWS][PAIR];
    pair_in_tiles(p->matrix, &p->in, block, first, last, sums);
    for (int32_t row = first; row < last; row++) finish_row(p, row, block * BLOCK, sums[row - first]);
}
#endif

static void product_task(void *context, int32_t task) {
    const Product *p = context;
    const int32_t pairs = p->matrix->outputs / PAIR;
    /* The slabs of a column come one after the other, while its weights are still near. */
    const int32_t slab = task % p->slabs, column_task = task / p->slabs;
    const int32_t tiles = (p->rows + p->tile_rows - 1) / p->tile_rows;
    const int32_t first = tiles * slab / p->slabs * p->tile_rows, end = tiles * (slab + 1) / p->slabs * p->tile_rows;
    const int32_t last = end < p->rows ? end : p->rows;
    const int32_t from = column_task * p->pairs_per_task;
    const int32_t to = from + p->pairs_per_task < pairs ? from + p->pairs_per_task : pairs;
#if defined(ISA_AMX)
    if (is_tiled(p->matrix, p->rows)) {
        lay_tiles_out();
        for (int32_t pair = from; pair < to; pair++) tiled_pair_of_blocks(p, 2 * pair, first, last);
        _tile_release();
        return;
    }
#endif
    for (int32_t pair = from; pair < to; pair++)
        if (is_coded(p->matrix)) pair_of_code_blocks(p, 2 * pair, first, last);
        else pair_of_blocks(p, 2 * pair, first, last);
}

static void product(Pool *pool, const Matrix *matrix, const Activations *in, int32_t rows, float *out,
                    int32_t out_stride, Finish finish) {
    Product p = {.matrix = matrix, .in = *in, .out = out, .rows = rows, .out_stride = out_stride, .finish = finish};
    const int32_t pairs = matrix->outputs / PAIR;
    const int32_t bytes = matrix->type == FLOAT32 ? 4 : matrix->type == BFLOAT16 ? 2 : 1;
    const int32_t per_task = TASK_BYTES / (PAIR * matrix->inputs * bytes) / (rows > 12 ? rows / 12 : 1);
    p.pairs_per_task = per_task > 0 ? per_task : 1;
    p.tile_rows = is_tiled(matrix, rows) ? AMX_ROWS : is_coded(matrix) ? CODE_ROWS : TILE_ROWS;
    const int32_t slab_rows = is_coded(matrix) ? CODE_SLAB_ROWS : SLAB_ROWS;
    p.slabs = (rows + slab_rows - 1) / slab_rows;
    pool_run(pool, product_task, &p, p.slabs * ((pairs + p.pairs_per_task - 1) / p.pairs_per_task));
}

#endif
