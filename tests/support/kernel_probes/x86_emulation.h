/* Included before everything else, this makes functions of the instructions that a processor with AVX2 may lack.
 *
 * They are those of SIMD Everywhere (Debian's libsimde-dev), which use what the compiler's flags allow.
 */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#include <stdint.h>
#include <string.h>

/* Version 0.7.4 expects the arguments of the masked function. */
#undef _mm512_madd_epi16
#define _mm512_madd_epi16(a, b) simde_mm512_madd_epi16(a, b)

/* It lacks these functions, which widen 16 numbers: each half is widened by the function for 8. */
#define WIDENED(NAME, RESULT, HALF_RESULT, FROM, HALF, OF_HALF)                     \
    static inline __attribute__((always_inline, unused)) RESULT NAME(FROM narrow) { \
        HALF halves[2];                                                             \
        HALF_RESULT wide[2];                                                        \
        RESULT result;                                                              \
        memcpy(halves, &narrow, sizeof narrow);                                     \
        wide[0] = OF_HALF(halves[0]), wide[1] = OF_HALF(halves[1]);                 \
        memcpy(&result, wide, sizeof result);                                       \
        return result;                                                              \
    }
#define LOW_HALF(WIDEN, narrow) WIDEN(_mm_cvtsi64_si128(narrow))
#define WIDEN_INT8(narrow) LOW_HALF(_mm256_cvtepi8_epi32, narrow)
#define WIDEN_UINT8(narrow) LOW_HALF(_mm256_cvtepu8_epi32, narrow)
WIDENED(emulated_cvtph_ps, __m512, __m256, __m256i, __m128i, _mm256_cvtph_ps)
WIDENED(emulated_cvtepu16_epi32, __m512i, __m256i, __m256i, __m128i, _mm256_cvtepu16_epi32)
WIDENED(emulated_cvtepi8_epi32, __m512i, __m256i, __m128i, int64_t, WIDEN_INT8)
WIDENED(emulated_cvtepu8_epi32, __m512i, __m256i, __m128i, int64_t, WIDEN_UINT8)
#define _mm512_cvtph_ps emulated_cvtph_ps
#define _mm512_cvtepu16_epi32 emulated_cvtepu16_epi32
#define _mm512_cvtepi8_epi32 emulated_cvtepi8_epi32
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32

/* It has the same as an instruction of AVX-512 only. */
#undef _mm256_dpbusd_avx_epi32
#define _mm256_dpbusd_avx_epi32(sum, a, b) simde_mm256_dpbusd_epi32(sum, a, b)

/* No register has 512 bits. */
#define IN_REGISTERS(sums) (void)(sums)

/* No file may use instructions beside those of the compiler's flags. */
#define TARGET_BEGIN(features)
#define TARGET_END
