#include "isa.h"
#if defined(__x86_64__)
#define ISA_AVX512
#define PROBE(function) probe_##function##_avx512bw
#include <immintrin.h>
TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#include "probes.h"
TARGET_END
#endif
