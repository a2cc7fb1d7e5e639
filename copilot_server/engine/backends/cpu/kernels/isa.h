/* The instruction sets, and how a file says which of them its functions use.
 *
 * Compiler flags would apply to whole files, and the compiler could then use an instruction before the library
 * has found out whether the processor has it.
 */
#ifndef ISA_H
#define ISA_H

#include "decoder.h"

#define PRAGMA(text) _Pragma(#text)
#if defined(TARGET_BEGIN) /* tests compile the files for an emulation of the instructions */
#elif defined(__clang__)
#define TARGET_BEGIN(features) PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define TARGET_END PRAGMA(clang attribute pop)
#define TARGET_BEGIN_NEON TARGET_BEGIN("dotprod")
#define TARGET_BEGIN_I8MM TARGET_BEGIN("dotprod,i8mm")
#else
#define TARGET_BEGIN(features) PRAGMA(GCC push_options) PRAGMA(GCC target(features))
#define TARGET_END PRAGMA(GCC pop_options)
#define TARGET_BEGIN_NEON TARGET_BEGIN("arch=armv8.2-a+dotprod")
#define TARGET_BEGIN_I8MM TARGET_BEGIN("arch=armv8.2-a+dotprod+i8mm")
#endif

/* Linux alone is asked for the use of tiles, and gcc knows them since version 11. */
#if defined(__x86_64__) && defined(__linux__) && (defined(__clang__) || __GNUC__ >= 11)
#define HAS_AMX
#endif

/* What processor.c looks for, by the names that TARGET_BEGIN takes. */
enum {
    FEATURE_AVX2 = 1 << 0,
    FEATURE_FMA = 1 << 1,
    FEATURE_F16C = 1 << 2,
    FEATURE_AVX512F = 1 << 3,
    FEATURE_AVX512BW = 1 << 4,
    FEATURE_AVX512DQ = 1 << 5,
    FEATURE_AVX512VL = 1 << 6,
    FEATURE_AVX512VNNI = 1 << 7,
    FEATURE_DOTPROD = 1 << 8,
    FEATURE_I8MM = 1 << 9,
    FEATURE_AVXVNNI = 1 << 10,
    FEATURE_AMX_TILE = 1 << 11,
    FEATURE_AMX_INT8 = 1 << 12,
};

/* What the files of the instruction sets are compiled for: change these with them. */
#define NEON_FEATURES FEATURE_DOTPROD
#define I8MM_FEATURES (NEON_FEATURES | FEATURE_I8MM)
#define AVX2_FEATURES (FEATURE_AVX2 | FEATURE_FMA | FEATURE_F16C)
#define AVXVNNI_FEATURES (AVX2_FEATURES | FEATURE_AVXVNNI)
#define AVX512BW_FEATURES (AVX2_FEATURES | FEATURE_AVX512F | FEATURE_AVX512BW | FEATURE_AVX512DQ | FEATURE_AVX512VL)
#define AVX512_FEATURES (AVX512BW_FEATURES | FEATURE_AVX512VNNI)
#define AMX_FEATURES (AVX512_FEATURES | FEATURE_AMX_TILE | FEATURE_AMX_INT8)

/* The features of this processor that the operating system has enabled too. */
uint32_t processor_features(void);

extern const Isa isa_amx, isa_avx512, isa_avxvnni, isa_avx512bw, isa_avx2, isa_i8mm, isa_neon, isa_portable;

#endif
