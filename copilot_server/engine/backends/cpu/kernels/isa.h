/* How a file says which instructions its functions may use: flags for the whole build would let the
 * compiler use them where the processor has not been asked yet. */
#ifndef ISA_H
#define ISA_H

#include "decoder.h"

#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define TARGET_BEGIN(features) PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define TARGET_END PRAGMA(clang attribute pop)
#else
#define TARGET_BEGIN(features) PRAGMA(GCC push_options) PRAGMA(GCC target(features))
#define TARGET_END PRAGMA(GCC pop_options)
#endif

extern const Isa isa_avx512, isa_avx2, isa_portable;

#endif
