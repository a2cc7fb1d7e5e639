/* The decoder for processors with AVX-512, but without its int8 dot products: Intel's from Skylake on. */
#include "isa.h"
#if defined(__x86_64__)
#define ISA_AVX512
#include <immintrin.h>
TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#include "forward.h"
const Isa isa_avx512bw = {"avx512bw", forward};
TARGET_END
#endif
