#include "isa.h"
#if defined(__x86_64__)
#define ISA_AVX2
#define PROBE(function) probe_##function##_avx2
#include <immintrin.h>
TARGET_BEGIN("avx2,fma,f16c")
#include "probes.h"
TARGET_END
#endif
