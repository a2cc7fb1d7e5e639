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

/* Nor does it have tiles. This is each thread's: as many rows, and as many bytes of each, as the layout says.
 * Source: Intel's Software Developer's Manual, volume 2, LDTILECFG and TDPBSSD. */
typedef struct {
    uint8_t palette, first_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
    uint8_t tile[8][16][64];
} EmulatedTiles;
static __thread EmulatedTiles emulated_tiles __attribute__((unused));

static inline __attribute__((unused)) void emulated_tile_layout(const void *layout) {
    memset(&emulated_tiles, 0, sizeof emulated_tiles);
    if (layout) memcpy(&emulated_tiles, layout, 64);
}
static inline __attribute__((unused)) void emulated_tile_load(int t, const void *from, int64_t stride) {
    memset(emulated_tiles.tile[t], 0, sizeof emulated_tiles.tile[t]);
    for (int r = 0; from && r < emulated_tiles.rows[t]; r++)
        memcpy(emulated_tiles.tile[t][r], (const char *)from + r * stride, emulated_tiles.row_bytes[t]);
}
static inline __attribute__((unused)) void emulated_tile_store(int t, void *to, int64_t stride) {
    for (int r = 0; r < emulated_tiles.rows[t]; r++)
        memcpy((char *)to + r * stride, emulated_tiles.tile[t][r], emulated_tiles.row_bytes[t]);
}
static inline __attribute__((unused)) void emulated_tile_dot(int sums, int a, int b) {
    const EmulatedTiles *t = &emulated_tiles;
    for (int r = 0; r < t->rows[sums]; r++)
        for (int column = 0; column < t->row_bytes[sums] / 4; column++) {
            int32_t *sum = (int32_t *)(void *)&emulated_tiles.tile[sums][r][4 * column];
            for (int k = 0; k < t->row_bytes[a]; k++)
                *sum += (int8_t)t->tile[a][r][k] * (int8_t)t->tile[b][k / 4][4 * column + k % 4];
        }
}
#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbssd
#define _tile_loadconfig(layout) emulated_tile_layout(layout)
#define _tile_release() emulated_tile_layout(NULL)
#define _tile_zero(t) emulated_tile_load(t, NULL, 0)
#define _tile_loadd(t, from, stride) emulated_tile_load(t, from, stride)
#define _tile_stored(t, to, stride) emulated_tile_store(t, to, stride)
#define _tile_dpbssd(sums, a, b) emulated_tile_dot(sums, a, b)

/* No register has 512 bits. */
#define IN_REGISTERS(sums) (void)(sums)

/* No file may use instructions beside those of the compiler's flags. */
#define TARGET_BEGIN(features)
#define TARGET_END
