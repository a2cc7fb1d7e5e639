/* The same vector operations for every instruction set: `vf`, `vi` and `vu` hold LANES floats, int32 or uint32.
 *
 * The file that includes this header chooses an instruction set by defining ISA_AVX512, ISA_AVX2 or ISA_NEON; without
 * any, the compiler translates plain vectors. Beside the first two, ISA_VNNI says that there are instructions for dot
 * products of int8 (VPDPBUSD); beside the last, ISA_I8MM those for matrices of int8. Every operation rounds the same way
 * wherever it is used, so a row's result does not depend on the rows beside it. For the same reason the build forbids
 * the compiler to contract a * b + c by itself: a fused operation is always written as `fma_`.
 */
#ifndef SIMD_H
#define SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(ISA_AVX512) || defined(ISA_AVX2)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline, unused))
/* A function that some of the files including this header do not call. */
#define SHARED static __attribute__((unused))

#if defined(ISA_AVX512)
#define LANES 16
#elif defined(ISA_AVX2)
#define LANES 8
#else
#define LANES 4
#endif

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));

#if defined(ISA_AVX512)
INLINE vf splat(float x) { return (vf)_mm512_set1_ps(x); }
INLINE vi splati(int32_t x) { return (vi)_mm512_set1_epi32(x); }
#elif defined(ISA_AVX2)
INLINE vf splat(float x) { return (vf)_mm256_set1_ps(x); }
INLINE vi splati(int32_t x) { return (vi)_mm256_set1_epi32(x); }
#else
INLINE vf splat(float x) { return (vf){x, x, x, x}; }
INLINE vi splati(int32_t x) { return (vi){x, x, x, x}; }
#endif
INLINE vf load(const float *p) { vf x; memcpy(&x, p, sizeof x); return x; }
INLINE void store(float *p, vf x) { memcpy(p, &x, sizeof x); }
INLINE vi loadi(const void *p) { vi x; memcpy(&x, p, sizeof x); return x; }
INLINE vf to_float(vi x) { return __builtin_convertvector(x, vf); }
INLINE vf select_(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }
INLINE vf max_(vf a, vf b) { return select_(a > b, a, b); }

/* a * b + c, rounded once where the processor can. */
INLINE vf fma_(vf a, vf b, vf c) {
#if defined(ISA_AVX512)
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(ISA_AVX2)
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(ISA_NEON)
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

#if defined(ISA_NEON)
/* Instructions of ARM by their names. Before version 17 clang has the intrinsics only where a whole file is compiled
 * for them. */
#if defined(__clang__) && __clang_major__ < 17
#define ARM_DOT(name, acc, w, a) __asm__(name " %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(w), "w"(a))
INLINE vi sdot(vi acc, vi w, vi a) { ARM_DOT("sdot", acc, w, a); return acc; }
#if defined(ISA_I8MM)
INLINE vi usdot(vi acc, vi w, vi a) { ARM_DOT("usdot", acc, w, a); return acc; }
INLINE vi usmmla(vi acc, vi w, vi a) { ARM_DOT("usmmla", acc, w, a); return acc; }
#endif
#else
INLINE vi sdot(vi acc, vi w, vi a) { return (vi)vdotq_s32((int32x4_t)acc, (int8x16_t)w, (int8x16_t)a); }
#if defined(ISA_I8MM)
INLINE vi usdot(vi acc, vi w, vi a) { return (vi)vusdotq_s32((int32x4_t)acc, (uint8x16_t)w, (int8x16_t)a); }
INLINE vi usmmla(vi acc, vi w, vi a) { return (vi)vusmmlaq_s32((int32x4_t)acc, (uint8x16_t)w, (int8x16_t)a); }
#endif
#endif
#endif

#if defined(__aarch64__) && !defined(ISA_NEON)
/* The same for the processors before there were such instructions (such as the Cortex-A72). Two products with |a| <= 127
 * are at most 2 * 128 * 127 = 32512, which fits 16 bits. */
INLINE vi sdot(vi acc, vi w, vi a) {
    const int16x8_t first = vmull_s8(vget_low_s8((int8x16_t)w), vget_low_s8((int8x16_t)a));
    const int16x8_t last = vmull_high_s8((int8x16_t)w, (int8x16_t)a);
    return (vi)vpadalq_s16((int32x4_t)acc, vpaddq_s16(first, last));
}
#endif

/* Lane i of the result: acc[i] + the dot product of w[4i..4i+3], stored as w + 128, with the four int8 in a4.
 *
 * If HAS_SURPLUS, the result is too large by 128 * (a[0] + a[1] + a[2] + a[3]); the caller subtracts that
 * from acc beforehand.
 */
INLINE vi dot4(vi acc, vi w, int32_t a4) {
#if defined(ISA_AVX512) && defined(ISA_VNNI)
    return (vi)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)w, _mm512_set1_epi32(a4));
#elif defined(ISA_AVX2) && defined(ISA_VNNI)
    return (vi)_mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)w, _mm256_set1_epi32(a4));
#elif defined(ISA_AVX512)
    /* As with AVX2 below. There is no sign instruction of 512 bits, but a subtraction from zero under a mask. */
    const __m512i a = _mm512_set1_epi32(a4), zero = _mm512_setzero_si512();
    const __m512i signed_w = _mm512_xor_si512((__m512i)w, _mm512_set1_epi8((char)0x80));
    const __m512i turned_a = _mm512_mask_sub_epi8(a, _mm512_movepi8_mask(signed_w), zero, a);
    const __m512i pairs = _mm512_maddubs_epi16(_mm512_abs_epi8(signed_w), turned_a);
    return (vi)_mm512_add_epi32((__m512i)acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#elif defined(ISA_AVX2)
    /* maddubs multiplies unsigned by signed bytes and adds pairs of products in 16 bits. The quantizer ensures
     * |a| <= 127, so that a pair with |w| fits (2 * 128 * 127 = 32512). With w + 128 it would not. */
    const __m256i signed_w = _mm256_xor_si256((__m256i)w, _mm256_set1_epi8((char)0x80));
    const __m256i turned_a = _mm256_sign_epi8(_mm256_set1_epi32(a4), signed_w);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(signed_w), turned_a);
    const __m256i dots = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    return (vi)_mm256_add_epi32((__m256i)acc, dots);
#elif defined(ISA_I8MM)
    return usdot(acc, w, splati(a4));
#elif defined(__aarch64__)
    return sdot(acc, w ^ splati((int32_t)0x80808080), splati(a4));
#elif defined(__SSE2__) /* part of x86-64; from the loop below, gcc makes code that is six times as slow */
    const __m128i a = _mm_set1_epi32(a4);
    const __m128i a16 = _mm_unpacklo_epi8(a, _mm_cmpgt_epi8(_mm_setzero_si128(), a));
    const __m128 first = (__m128)_mm_madd_epi16(_mm_unpacklo_epi8((__m128i)w, _mm_setzero_si128()), a16);
    const __m128 last = (__m128)_mm_madd_epi16(_mm_unpackhi_epi8((__m128i)w, _mm_setzero_si128()), a16);
    /* Two sums of each output lie side by side. */
    return acc + (vi)_mm_shuffle_ps(first, last, 0x88) + (vi)_mm_shuffle_ps(first, last, 0xdd);
#else
    int8_t a[4];
    uint8_t u[4 * LANES];
    memcpy(a, &a4, sizeof a);
    memcpy(u, &w, sizeof u);
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < 4; j++) acc[i] += (int32_t)u[4 * i + j] * a[j];
    return acc;
#endif
}

/* The same for unsigned numbers below 128, as they are. Not for SIGNED_CODES (unpacking.h). */
INLINE vi dot4_codes(vi acc, vi codes, int32_t a4) {
#if defined(__aarch64__)
    return sdot(acc, codes, splati(a4));
#else
    return dot4(acc, codes, a4);
#endif
}

/* Whether products with codes use that two neighbours' can be added in 16 bits: see signed_codes in unpacking.h. */
#if (defined(ISA_AVX512) || defined(ISA_AVX2)) && !defined(ISA_VNNI)
#define SIGNED_CODES 1
#else
#define SIGNED_CODES 0
#endif

/* Whether dot4 multiplies by w + 128 as stored, so that the caller must subtract the surplus. */
#if SIGNED_CODES || (defined(__aarch64__) && !defined(ISA_I8MM))
#define HAS_SURPLUS 0
#else
#define HAS_SURPLUS 1
#endif

#if SIGNED_CODES
/* Vectors of 16 bits, which wrap around. */
typedef uint16_t vh __attribute__((vector_size(4 * LANES)));

/* The products of unsigned and signed bytes, of two neighbours each. */
INLINE vh multiply_pairs(vi unsigned_, vi signed_) {
#if defined(ISA_AVX512)
    return (vh)_mm512_maddubs_epi16((__m512i)unsigned_, (__m512i)signed_);
#else
    return (vh)_mm256_maddubs_epi16((__m256i)unsigned_, (__m256i)signed_);
#endif
}
#endif

/* The products of signed numbers of 16 bits, of two neighbours each. */
#if defined(ISA_AVX512)
INLINE vi multiply_add(vi a, vi b) { return (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
#elif defined(ISA_AVX2)
INLINE vi multiply_add(vi a, vi b) { return (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b); }
#endif

/* Half precision (IEEE 754 binary16), the number format of the KV cache.
 *
 * gcc 11 and clang 14 have no _Float16 on x86, so without F16C the bits are converted with integer operations.
 * All ways round to nearest, ties to even, and agree in every bit.
 */
typedef uint16_t half;

/* Source: F. Giesen, "Float->half conversions" (gist.github.com/rygorous/2156668), float_to_half_fast3_rtne. */
INLINE half float_to_half(float x) {
#if defined(ISA_AVX512) || defined(ISA_AVX2)
    return (half)_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
#elif defined(__aarch64__)
    _Float16 h = (_Float16)x;
    half bits;
    memcpy(&bits, &h, sizeof bits);
    return bits;
#else
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return (half)(sign | 0x7e00 | (bits >> 13 & 0x3ff)); /* NaN, made quiet */
    if (bits >= 0x47800000) return (half)(sign | 0x7c00);                       /* 65536 and above */
    if (bits < 0x38800000) { /* subnormal as a half: adding 0.5 shifts and rounds the significand */
        float shifted;
        memcpy(&shifted, &bits, sizeof shifted);
        shifted += 0.5f;
        memcpy(&bits, &shifted, sizeof bits);
        return (half)(sign | (bits - 0x3f000000));
    }
    const uint32_t odd = bits >> 13 & 1;
    return (half)(sign | (bits - (112u << 23) + 0xfff + odd) >> 13);
#endif
}

INLINE vf load_half(const half *p) {
#if defined(ISA_AVX512)
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif defined(ISA_AVX2)
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#elif defined(__aarch64__)
    float16x4_t h;
    memcpy(&h, p, sizeof h);
    return (vf)vcvt_f32_f16(h);
#else
    vu h = {0};
    for (int i = 0; i < LANES; i++) h[i] = p[i];
    const vi magnitude = (vi)((h & 0x7fff) << 13);
    const vi infinity = splati(0x7c00 << 13);
    const vf finite = (vf)magnitude * splat(0x1p112f); /* exact, and right for subnormals too */
    const vi quiet = (magnitude > infinity) & 0x400000;
    const vf x = select_(magnitude >= infinity, (vf)(magnitude | 0x7f800000 | quiet), finite);
    return (vf)((vu)x | (h & 0x8000) << 16);
#endif
}

/* bfloat16: the upper half of a float. */
INLINE vf load_bfloat(const uint16_t *p) {
#if defined(ISA_AVX512)
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16);
#elif defined(ISA_AVX2)
    return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16);
#elif defined(__aarch64__)
    return (vf)vshll_n_u16(vld1_u16(p), 16);
#else
    vi x = {0};
    for (int i = 0; i < LANES; i++) x[i] = (int32_t)((uint32_t)p[i] << 16);
    return (vf)x;
#endif
}

INLINE float sum(vf x) {
    float total = 0.0f;
    for (int i = 0; i < LANES; i++) total += x[i];
    return total;
}

/* The halves of a vector are compared, and so on: one lane after the other would take several times as long. */
typedef float vf4 __attribute__((vector_size(16)));
typedef int32_t vi4 __attribute__((vector_size(16)));
INLINE float max_of(vf x) {
    vf4 parts[LANES / 4];
    memcpy(parts, &x, sizeof x);
    for (int n = LANES / 8; n > 0; n /= 2)
        for (int i = 0; i < n; i++) {
            const vi4 more = parts[i] > parts[i + n];
            parts[i] = (vf4)((more & (vi4)parts[i]) | (~more & (vi4)parts[i + n]));
        }
    const float first = parts[0][0] > parts[0][1] ? parts[0][0] : parts[0][1];
    const float last = parts[0][2] > parts[0][3] ? parts[0][2] : parts[0][3];
    return first > last ? first : last;
}

/* Whether all bits are 0. */
INLINE int is_zero(vi x) {
    uint64_t parts[LANES / 2], any = 0;
    memcpy(parts, &x, sizeof x);
    for (int i = 0; i < LANES / 2; i++) any |= parts[i];
    return any == 0;
}

/* The sum of 16 numbers. */
INLINE int16_t sum_of_16(const int8_t *values) {
#if defined(__SSE2__) /* which sums unsigned bytes, here the numbers with 128 added */
    const __m128i raised = _mm_xor_si128(_mm_loadu_si128((const __m128i *)values), _mm_set1_epi8((char)0x80));
    const __m128i halves = _mm_sad_epu8(raised, _mm_setzero_si128());
    return (int16_t)(_mm_cvtsi128_si32(halves) + _mm_extract_epi16(halves, 4) - 16 * 128);
#elif defined(__aarch64__)
    return vaddlvq_s8(vld1q_s8(values));
#else
    int16_t total = 0;
    for (int i = 0; i < 16; i++) total += values[i];
    return total;
#endif
}

/* exp(x) to 2 units in the last place; 0 below -87, infinite where float32 overflows (above 88.7228).
 *
 * Source: Cody and Waite's reduction x = n ln 2 + r with the minimax polynomial of Cephes' expf.
 */
INLINE vf exp_(vf x) {
    const vf magic = splat(12582912.0f); /* 1.5 * 2^23: adding it rounds to a whole number */
    /* Within these bounds -127 <= n <= 128; a NaN passes both comparisons and reaches the result. */
    vf y = select_(x < splat(-88.0f), splat(-88.0f), x);
    y = select_(y > splat(89.0f), splat(89.0f), y);
    vf n = fma_(y, splat(1.44269504f), magic);
    vi exponent = (vi)n - (vi)magic;
    n -= magic;
    vf r = fma_(n, splat(-0.693359375f), y);
    r = fma_(n, splat(2.12194440e-4f), r);
    vf p = splat(1.9875691500e-4f);
    p = fma_(p, r, splat(1.3981999507e-3f));
    p = fma_(p, r, splat(8.3334519073e-3f));
    p = fma_(p, r, splat(4.1665795894e-2f));
    p = fma_(p, r, splat(1.6666665459e-1f));
    p = fma_(p, r, splat(5.0000001201e-1f));
    p = fma_(p, r * r, r + splat(1.0f));
    /* 2^128 is no float: there, twice p times 2^127. A comparison that holds is -1. */
    const vi above = exponent > splati(127);
    p += (vf)((vi)p & above);
    const vf scale = (vf)((vu)(exponent + above + 127) << 23);
    return select_(x < splat(-87.0f), splat(0.0f), p * scale);
}

#endif
