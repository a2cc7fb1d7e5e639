/* Weights as a model's file has them: plain numbers, or the blocks of GGUF's number formats.
 *
 * Source of the formats: ggml-common.h and ggml-quants.c of llama.cpp (block_q4_0, block_q5_0, block_q8_0, block_q4_K,
 * block_q5_K, block_q6_K).
 */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <string.h>

#include "decoder.h"

/* Inputs whose codes are read together: a whole block, or a part of one with 256. */
#define PART 32

/* A block of a row in a file: so many inputs in so many bytes; none for what is no format of a file. */
typedef struct {
    int32_t inputs, bytes;
} Stored;

static inline Stored stored(int32_t type) {
    switch (type) {
    case FLOAT32: return (Stored){1, 4};
    case BFLOAT16: case FLOAT16: return (Stored){1, 2};
    case Q4_0: return (Stored){32, 18};
    case Q5_0: return (Stored){32, 22};
    case Q8_0: return (Stored){32, 34};
    case Q4_K: return (Stored){256, 144};
    case Q5_K: return (Stored){256, 176};
    case Q6_K: return (Stored){256, 210};
    default: return (Stored){0, 0};
    }
}

static inline float float_of(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }
static inline uint16_t two_bytes(const uint8_t *at) { uint16_t x; memcpy(&x, at, 2); return x; }

/* Half precision as a float; what is not finite stays so. */
static inline float half_of(uint16_t bits) {
    const uint32_t sign = (uint32_t)(bits & 0x8000) << 16, rest = (uint32_t)(bits & 0x7fff) << 13;
    float size = float_of(rest) * 0x1p112f; /* exact, of subnormal numbers too */
    uint32_t of_size;
    memcpy(&of_size, &size, 4);
    return float_of(sign | (rest >= 0x0f800000 ? rest | 0x7f800000 : of_size));
}

/* The bits 0 to 7 of a byte in bit 4 of eight bytes. */
static inline uint64_t fifth_bits(uint8_t byte) {
    const uint64_t apart = (byte * UINT64_C(0x0101010101010101)) & UINT64_C(0x8040201008040201);
    return ((apart + UINT64_C(0x7f7f7f7f7f7f7f7f)) & UINT64_C(0x8080808080808080)) >> 3;
}

/* codes[..] = the lower four bits of 32 bytes, or the upper ones. */
static inline void nibbles(const uint8_t *bytes, int is_upper, uint8_t *codes) {
    if (is_upper)
        for (int i = 0; i < PART; i++) codes[i] = bytes[i] >> 4;
    else
        for (int i = 0; i < PART; i++) codes[i] = bytes[i] & 15;
}

/* The four bits of 16 bytes: first all the lower ones, then the upper ones. */
static inline void both_nibbles(const uint8_t *bytes, uint8_t *codes) {
    for (int i = 0; i < PART / 2; i++) codes[i] = bytes[i] & 15, codes[PART / 2 + i] = bytes[i] >> 4;
}

/* codes[..] |= two bits of each byte, those from bit `at` on. */
static inline void add_bits(const uint8_t *bytes, int at, int mask, uint8_t *codes) {
    for (int i = 0; i < PART; i++) codes[i] |= (uint8_t)((bytes[i] >> at & mask) << 4);
}

/* The codes of 32 inputs, in order. `part`: which of a block. */
static inline void codes_of(int32_t type, const uint8_t *block, int part, uint8_t codes[PART]) {
    switch (type) {
    case Q4_0: both_nibbles(block + 2, codes); break;
    case Q5_0: {
        both_nibbles(block + 6, codes);
        for (int i = 0; i < 4; i++) {
            const uint64_t fifth = fifth_bits(block[2 + i]);
            uint64_t eight;
            memcpy(&eight, codes + 8 * i, 8);
            eight |= fifth;
            memcpy(codes + 8 * i, &eight, 8);
        }
        break;
    }
    case Q8_0:
        for (int i = 0; i < PART; i++) codes[i] = block[2 + i] ^ 0x80;
        break;
    case Q4_K: nibbles(block + 16 + 32 * (part / 2), part % 2, codes); break;
    case Q5_K:
        nibbles(block + 48 + 32 * (part / 2), part % 2, codes);
        add_bits(block + 16, part, 1, codes);
        break;
    default: /* Q6_K: two halves of 128 inputs, each with the lower bits of four parts in 64 bytes */
        nibbles(block + 64 * (part / 4) + 32 * (part % 2), part % 4 / 2, codes);
        add_bits(block + 128 + 32 * (part / 4), 2 * (part % 4), 3, codes);
        break;
    }
}

/* The scale and the minimum of a part of Q4_K or Q5_K, of six bits each, in twelve bytes. */
static inline void six_bits(const uint8_t *packed, int part, uint8_t *scale, uint8_t *least) {
    if (part < 4) {
        *scale = packed[part] & 63, *least = packed[4 + part] & 63;
    } else {
        *scale = (packed[4 + part] & 15) | packed[part - 4] >> 6 << 4;
        *least = packed[4 + part] >> 4 | packed[part] >> 6 << 4;
    }
}

/* What the codes of a part are multiplied by, 16 inputs each, and what is subtracted then. */
static inline void factors_of(int32_t type, const uint8_t *block, int part, float scale[2], float least[2]) {
    least[0] = least[1] = 0;
    if (type == Q6_K) {
        const float all = half_of(two_bytes(block + 208));
        for (int i = 0; i < 2; i++) scale[i] = all * (float)(int8_t)block[192 + 2 * part + i];
    } else if (type == Q4_K || type == Q5_K) {
        uint8_t whole, whole_least;
        six_bits(block + 4, part, &whole, &whole_least);
        scale[0] = scale[1] = half_of(two_bytes(block)) * (float)whole;
        least[0] = least[1] = half_of(two_bytes(block + 2)) * (float)whole_least;
    } else {
        scale[0] = scale[1] = half_of(two_bytes(block));
    }
}

/* The numbers of 32 inputs, rounded as gguf's Python package and llama.cpp round them. */
static inline void numbers_of(int32_t type, const uint8_t *block, int part, float numbers[PART]) {
    const int middle = type == Q5_K ? 0 : coding(type).middle;
    uint8_t codes[PART];
    float scale[2], least[2];
    codes_of(type, block, part, codes);
    factors_of(type, block, part, scale, least);
    for (int h = 0; h < 2; h++)
        for (int i = 16 * h; i < 16 * h + 16; i++) numbers[i] = scale[h] * (float)(codes[i] - middle) - least[h];
}

#endif
