/* The decoder for processors with AVX-512 and tiles of int8 (AMX): Intel's for servers from Sapphire Rapids on. */
#include "isa.h"
#if defined(HAS_AMX)
#define ISA_AVX512
#define ISA_VNNI
#define ISA_AMX
#include <immintrin.h>
TARGET_BEGIN("amx-tile,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")
#include "forward.h"
const Isa isa_amx = {"amx", forward};
TARGET_END
#endif
