/* The decoder for processors with AVX2. */
#include "isa.h"
#if defined(__x86_64__)
#define ISA_AVX2
#include <immintrin.h>
TARGET_BEGIN("avx2,fma,f16c")
#include "forward.h"
const Isa isa_avx2 = {"avx2", forward};
TARGET_END
#endif
