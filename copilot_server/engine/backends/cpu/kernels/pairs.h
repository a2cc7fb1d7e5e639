/* Products of int8 with two rows of activations at a time, for processors that multiply small matrices.
 *
 * USMMLA multiplies 8 inputs of two outputs with those of two rows: twice as many products as a dot product has. The
 * sums are whole numbers, so that they are the same as those of dot products.
 */
#ifndef PAIRS_H
#define PAIRS_H

#include "decoder.h"
#include "simd.h"

#if defined(ISA_I8MM)
#define OUTPUT_VECTORS (BLOCK / LANES)

INLINE vi load_two(const int8_t *first, const int8_t *second) {
    return (vi)vcombine_s8(vld1_s8(first), vld1_s8(second));
}

/* dots[r][v] += the products of 8 * `count` inputs. w: [2 * count][16][4], never negative. Row r has the k-th 8 of
 * these inputs at x + r * row + k * step. */
INLINE void add_pairs(vi dots[][OUTPUT_VECTORS], const uint8_t *w, const int8_t *x, int64_t row, int64_t step, int rows,
                      int count) {
    vi sums[2][2 * OUTPUT_VECTORS]; /* of each pair of up to 5 rows: two outputs with the first and with the second */
    const int pairs = rows / 2;
    for (int p = 0; p < pairs; p++)
        for (int v = 0; v < 2 * OUTPUT_VECTORS; v++) sums[p][v] = splati(0);
#pragma GCC unroll 1 /* as in codes.h */
    for (int k = 0; k < count; k++, w += 8 * BLOCK, x += step) {
        vi two[2];
        for (int p = 0; p < pairs; p++) two[p] = load_two(x + 2 * p * row, x + (2 * p + 1) * row);
        for (int v = 0; v < OUTPUT_VECTORS; v++) {
            const vi first = loadi(w + 4 * LANES * v), second = loadi(w + 4 * BLOCK + 4 * LANES * v);
            const vi lower = (vi)vzip1q_s32((int32x4_t)first, (int32x4_t)second);
            const vi upper = (vi)vzip2q_s32((int32x4_t)first, (int32x4_t)second);
            for (int p = 0; p < pairs; p++) {
                sums[p][2 * v] = usmmla(sums[p][2 * v], lower, two[p]);
                sums[p][2 * v + 1] = usmmla(sums[p][2 * v + 1], upper, two[p]);
            }
            if (rows % 2) {
                int32_t four[2];
                memcpy(four, x + (rows - 1) * row, sizeof four);
                dots[rows - 1][v] = usdot(usdot(dots[rows - 1][v], first, splati(four[0])), second, splati(four[1]));
            }
        }
    }
    for (int p = 0; p < pairs; p++)
        for (int v = 0; v < OUTPUT_VECTORS; v++) {
            const int32x4_t lower = (int32x4_t)sums[p][2 * v], upper = (int32x4_t)sums[p][2 * v + 1];
            dots[2 * p][v] += (vi)vuzp1q_s32(lower, upper);
            dots[2 * p + 1][v] += (vi)vuzp2q_s32(lower, upper);
        }
}
#endif

#endif
