/* What this processor has of the instructions that the kernels are written for. */
#include "isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#ifndef HWCAP2_I8MM /* before Linux 5.7 */
#define HWCAP2_I8MM (1 << 13)
#endif
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

static int is_set(const char *name) {
    int32_t value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, NULL, 0) == 0 && value;
}
#endif

#if defined(__x86_64__)
/* The registers that the system saves for each thread (XCR0): bits 1 and 2 are those of AVX, 5 to 7 those of AVX-512.
 * Source: Intel's Software Developer's Manual, volume 1, section 13.3. */
#define SAVED_AVX 0x06
#define SAVED_AVX512 0xe6
/* In EAX of leaf 7, subleaf 1; not every cpuid.h names it. Source: the same manual, volume 2, CPUID. */
#define AVX_VNNI_BIT (1u << 4)
/* In EDX of leaf 7, subleaf 0. */
#define AMX_TILE_BIT (1u << 24)
#define AMX_INT8_BIT (1u << 25)
/* Of XCR0, the layout of tiles and what they hold. */
#define SAVED_AMX 0x60000

static uint32_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#endif

#if defined(HAS_AMX)
#include <sys/syscall.h>
#include <unistd.h>

/* Ask Linux for the use of tiles, which it gives to a process for all of its threads.
 * Source: the kernel's documentation, arch/x86/xstate.rst: ARCH_REQ_XCOMP_PERM for XFEATURE_XTILEDATA. */
static int may_use_tiles(void) { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }
#endif

uint32_t processor_features(void) {
    uint32_t features = 0;
#if defined(__x86_64__)
    /* Not by __builtin_cpu_supports: what zig's compiler links with it finds no feature on any processor. */
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    const uint32_t saved = saved_registers();
    if ((saved & SAVED_AVX) != SAVED_AVX) return 0;
    if (c & bit_FMA) features |= FEATURE_FMA;
    if (c & bit_F16C) features |= FEATURE_F16C;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
    if (b & bit_AVX2) features |= FEATURE_AVX2;
    const int has_512 = (saved & SAVED_AVX512) == SAVED_AVX512;
    if (has_512 && (b & bit_AVX512F)) features |= FEATURE_AVX512F;
    if (has_512 && (b & bit_AVX512BW)) features |= FEATURE_AVX512BW;
    if (has_512 && (b & bit_AVX512DQ)) features |= FEATURE_AVX512DQ;
    if (has_512 && (b & bit_AVX512VL)) features |= FEATURE_AVX512VL;
    if (has_512 && (c & bit_AVX512VNNI)) features |= FEATURE_AVX512VNNI;
#if defined(HAS_AMX)
    if ((d & AMX_TILE_BIT) && (saved & SAVED_AMX) == SAVED_AMX && may_use_tiles()) features |= FEATURE_AMX_TILE;
    if (d & AMX_INT8_BIT) features |= FEATURE_AMX_INT8;
#endif
    if (a > 0 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & AVX_VNNI_BIT)) features |= FEATURE_AVXVNNI;
#elif defined(__aarch64__) && defined(__linux__)
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) features |= FEATURE_DOTPROD;
    if (getauxval(AT_HWCAP2) & HWCAP2_I8MM) features |= FEATURE_I8MM;
#elif defined(__aarch64__) && defined(__APPLE__)
    if (is_set("hw.optional.arm.FEAT_DotProd")) features |= FEATURE_DOTPROD;
    if (is_set("hw.optional.arm.FEAT_I8MM")) features |= FEATURE_I8MM;
#endif
    return features;
}
