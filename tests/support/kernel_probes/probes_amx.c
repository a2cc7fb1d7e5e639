#include "isa.h"
#if defined(HAS_AMX)
#define ISA_AVX512
#define ISA_VNNI
#define ISA_AMX
#define PROBE(function) probe_##function##_amx
#include <immintrin.h>
TARGET_BEGIN("amx-tile,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")
#include "probes.h"
TARGET_END
#endif
