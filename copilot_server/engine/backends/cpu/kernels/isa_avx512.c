/* The decoder for processors with AVX-512 and its int8 dot products (VNNI). */
#include "isa.h"
#if defined(__x86_64__)
#define ISA_AVX512
#define ISA_VNNI
#include <immintrin.h>
TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")
#include "forward.h"
const Isa isa_avx512 = {"avx512", forward};
TARGET_END
#endif
