#include "isa.h"
#if defined(__x86_64__)
#define ISA_AVX2
#define ISA_VNNI
#define PROBE(function) probe_##function##_avxvnni
#include <immintrin.h>
TARGET_BEGIN("avxvnni,avx2,fma,f16c")
#include "probes.h"
TARGET_END
#endif
