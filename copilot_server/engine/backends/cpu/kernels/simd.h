/* One vocabulary of vectors for every instruction set: `vf` and `vi` hold LANES floats or int32.
 *
 * The file that includes this has chosen an instruction set by defining ISA_AVX512 or ISA_AVX2, or neither
 * for what any C compiler makes of plain vectors. Every operation rounds the same way wherever it is used,
 * which is what makes a row's result independent of the rows beside it (the build forbids contraction of
 * a * b + c behind our back: where we want a fused operation, we say `fma_`).
 */
#ifndef SIMD_H
#define SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(ISA_AVX512) || defined(ISA_AVX2)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline, unused))

#if defined(ISA_AVX512)
#define LANES 16
#elif defined(ISA_AVX2)
#define LANES 8
#else
#define LANES 4
#endif

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));

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
#else
    return a * b + c;
#endif
}

/* Lane i of the result: acc[i] + the dot product of w[4i..4i+3], stored as w + 128, with the four int8 in a4.
 *
 * Where HAS_SURPLUS it is too large by 128 * (a[0] + a[1] + a[2] + a[3]), which the caller has taken off acc.
 */
INLINE vi dot4(vi acc, vi w, int32_t a4) {
#if defined(ISA_AVX512)
    return (vi)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)w, _mm512_set1_epi32(a4));
#elif defined(ISA_AVX2)
    /* maddubs adds pairs of products in 16 bits. With |w| <= 127 and |a| <= 127, which the quantizers see to,
     * they fit (2 * 127 * 127 = 32258); with w + 128 they would not, so it is undone here. */
    __m256i a = _mm256_set1_epi32(a4);
    __m256i signed_w = _mm256_xor_si256((__m256i)w, _mm256_set1_epi8((char)0x80));
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(signed_w, a));
    __m256i dots = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    return (vi)_mm256_add_epi32((__m256i)acc, dots);
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

/* Whether dot4 works with w + 128 as it is stored, so that the surplus must be taken off. */
#if defined(ISA_AVX2)
#define HAS_SURPLUS 0
#else
#define HAS_SURPLUS 1
#endif

/* Half precision: the KV cache's format. */
typedef uint16_t half;

INLINE float half_to_float(half h) {
#if defined(ISA_AVX512) || defined(ISA_AVX2)
    return _cvtsh_ss(h);
#else
    _Float16 x;
    memcpy(&x, &h, sizeof x);
    return (float)x;
#endif
}

INLINE half float_to_half(float x) {
#if defined(ISA_AVX512) || defined(ISA_AVX2)
    return (half)_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
#else
    _Float16 h = (_Float16)x;
    half bits;
    memcpy(&bits, &h, sizeof bits);
    return bits;
#endif
}

INLINE vf load_half(const half *p) {
#if defined(ISA_AVX512)
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif defined(ISA_AVX2)
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#else
    vf x;
    for (int i = 0; i < LANES; i++) x[i] = half_to_float(p[i]);
    return x;
#endif
}

/* bfloat16: the upper half of a float. */
INLINE vf load_bfloat(const uint16_t *p) {
#if defined(ISA_AVX512)
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16);
#elif defined(ISA_AVX2)
    return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16);
#else
    vi x;
    for (int i = 0; i < LANES; i++) x[i] = (int32_t)((uint32_t)p[i] << 16);
    return (vf)x;
#endif
}

INLINE float sum(vf x) {
    float total = 0.0f;
    for (int i = 0; i < LANES; i++) total += x[i];
    return total;
}

INLINE float max_of(vf x) {
    float most = x[0];
    for (int i = 1; i < LANES; i++) most = x[i] > most ? x[i] : most;
    return most;
}

/* exp(x) to 2 units in the last place for x <= 88; exactly 0 below -87.
 *
 * Source: Cody and Waite's reduction x = n ln 2 + r with the minimax polynomial of Cephes' expf.
 */
INLINE vf exp_(vf x) {
    const vf magic = splat(12582912.0f); /* 1.5 * 2^23: adding it rounds to a whole number */
    vf n = fma_(x, splat(1.44269504f), magic);
    vi exponent = (vi)n - (vi)magic;
    n -= magic;
    vf r = fma_(n, splat(-0.693359375f), x);
    r = fma_(n, splat(2.12194440e-4f), r);
    vf p = splat(1.9875691500e-4f);
    p = fma_(p, r, splat(1.3981999507e-3f));
    p = fma_(p, r, splat(8.3334519073e-3f));
    p = fma_(p, r, splat(4.1665795894e-2f));
    p = fma_(p, r, splat(1.6666665459e-1f));
    p = fma_(p, r, splat(5.0000001201e-1f));
    p = fma_(p, r * r, r + splat(1.0f));
    vf scale = (vf)((exponent + 127) << 23);
    return select_(x < splat(-87.0f), splat(0.0f), p * scale);
}

#endif
