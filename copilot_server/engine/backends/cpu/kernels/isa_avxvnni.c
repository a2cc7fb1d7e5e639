/* The decoder for processors with AVX2 and int8 dot products (AVX-VNNI): Intel's for laptops from Alder Lake on. */
#include "isa.h"
#if defined(__x86_64__)
#define ISA_AVX2
#define ISA_VNNI
#include <immintrin.h>
TARGET_BEGIN("avxvnni,avx2,fma,f16c")
#include "forward.h"
const Isa isa_avxvnni = {"avxvnni", forward};
TARGET_END
#endif
