/* What this processor has of the instructions that the kernels are written for. */
#include "isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

uint32_t processor_features(void) {
    uint32_t features = 0;
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (__builtin_cpu_supports("avx2")) features |= FEATURE_AVX2;
    if (__builtin_cpu_supports("fma")) features |= FEATURE_FMA;
    /* clang 14 does not know "f16c" here. It uses the same registers as AVX2, so the system has enabled it. */
    if ((features & FEATURE_AVX2) && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C)) features |= FEATURE_F16C;
    if (__builtin_cpu_supports("avx512f")) features |= FEATURE_AVX512F;
    if (__builtin_cpu_supports("avx512bw")) features |= FEATURE_AVX512BW;
    if (__builtin_cpu_supports("avx512dq")) features |= FEATURE_AVX512DQ;
    if (__builtin_cpu_supports("avx512vl")) features |= FEATURE_AVX512VL;
    if (__builtin_cpu_supports("avx512vnni")) features |= FEATURE_AVX512VNNI;
#elif defined(__aarch64__) && defined(__linux__)
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) features |= FEATURE_DOTPROD;
#elif defined(__aarch64__) && defined(__APPLE__)
    features |= FEATURE_DOTPROD; /* all of Apple's processors for the Mac have it */
#endif
    return features;
}
