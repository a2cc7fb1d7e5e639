/* The codes in the blocks of GGUF files, of 4 to 6 bits, as bytes in the order that int8 weights have.
 *
 * Source of the formats: ggml-quants.h and ggml-common.h of llama.cpp (block_q4_0, block_q5_0, block_q4_K, block_q5_K,
 * block_q6_K).
 */
#ifndef UNPACKING_H
#define UNPACKING_H

#include "decoder.h"
#include "simd.h"

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
 * There activations are stored as a + 128, and codes less the one in the middle. The sums of a group wrap around on the
 * way, but since they begin with -128 times the sum of the codes, they end as the sums of a times the codes, which fit
 * 16 bits: they are of 16 products with codes of 4 or 5 bits (16 * 16 * 127 = 32,512) or of 8 with codes of 6 bits
 * (8 * 32 * 127, the same).
 */
INLINE vb signed_codes(vb codes, int middle, Starts *starts, int v) {
#if SIGNED_CODES
    const __m256i code = _mm256_sub_epi8((__m256i)codes, _mm256_set1_epi8((char)middle));
    const __m256i surplus = _mm256_maddubs_epi16(_mm256_set1_epi8((char)128), code);
    starts->of[v] = _mm256_sub_epi16(starts->of[v], surplus);
    return (vb)code;
#else
    (void)middle, (void)starts, (void)v;
    return codes;
#endif
}

/* Two codes from each of 32 bytes: 32 codes of the lower four bits, then 32 of the upper ones. `more`: where further
 * bits of a code are, those of the lower codes in 32 bytes and those of the upper ones in the next 32; they are
 * shifted by `by`, of which `mask` is taken. `middle`: as in Coding. */
INLINE void unpack_64(const uint8_t *at, const uint8_t *more, int by, int mask, int middle, uint8_t *codes,
                      Starts *starts) {
    for (int i = 0; i < 32; i += WIDE) {
        const vb two = load_bytes(at + i);
        vb lower = two & 15, upper = two >> 4;
        if (mask) {
            lower |= SHIFTED(load_bytes(more + i), by) & (uint8_t)mask;
            upper |= SHIFTED(load_bytes(more + 32 + i), by) & (uint8_t)mask;
        }
        store_bytes(codes + i, signed_codes(lower, middle, starts, 0));
        store_bytes(codes + 32 + i, signed_codes(upper, middle, starts, 1));
    }
}

/* What a block has for inputs of which `at` has the first: the piece with a group, and the group itself. */
INLINE const uint8_t *piece_of(Coding of, const uint8_t *at, int32_t group) {
    const int32_t groups = of.inputs / of.group;
    return at + group / groups * (of.start_bytes + groups * of.group_bytes);
}
INLINE const uint8_t *group_of(Coding of, const uint8_t *at, int32_t group) {
    return piece_of(of, at, group) + of.start_bytes + group % (of.inputs / of.group) * of.group_bytes;
}

/* The codes of `inputs` inputs, and what the sums of each group begin with. */
INLINE void unpack(int type, const uint8_t *at, int32_t inputs, uint8_t *codes, Starts *starts) {
    const Coding of = coding(type);
    const int steps = of.group / 4, mask = ((1 << of.more_bits) - 1) << 4;
    for (int32_t g = 0; g < inputs / of.group; g++, codes += of.group * BLOCK) {
        const uint8_t *group = group_of(of, at, g);
        Starts of_group = no_starts();
#pragma GCC unroll 8
        for (int i = 0; i < steps; i++)
            unpack_64(group + 32 * i, group + 32 * steps, 4 - of.more_bits * i, mask, of.middle, codes + 64 * i, &of_group);
        starts[g] = of_group;
    }
}

INLINE void unpack_type(int type, const uint8_t *at, int32_t inputs, uint8_t *codes, Starts *starts) {
    switch (type) {
    case Q4_0: unpack(Q4_0, at, inputs, codes, starts); break;
    case Q5_0: unpack(Q5_0, at, inputs, codes, starts); break;
    case Q4_K: unpack(Q4_K, at, inputs, codes, starts); break;
    case Q5_K: unpack(Q5_K, at, inputs, codes, starts); break;
    case Q6_K: unpack(Q6_K, at, inputs, codes, starts); break;
    default: break; /* Q8_0 has bytes */
    }
}

#endif
