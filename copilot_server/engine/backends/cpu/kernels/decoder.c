/* The library's entry points: they choose the instruction set, and do what depends on none. */
#include "decoder.h"

#include <string.h>

#include "bounds.h"
#include "forward.h"
#include "isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

/* The features of this processor that the operating system has enabled too. */
static uint32_t processor_features(void) {
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

/* The instruction sets that the kernels are compiled for, the fastest first. */
static const struct {
    const Isa *isa;
    uint32_t features;
} known[] = {
#if defined(__x86_64__)
    {&isa_avx512, AVX512_FEATURES},
    {&isa_avx2, AVX2_FEATURES},
#elif defined(__aarch64__)
    {&isa_neon, NEON_FEATURES},
#endif
    {&isa_portable, 0},
};
#define KNOWN (sizeof known / sizeof *known)

/* The fastest instruction set on a processor with these features; the portable one needs none of them. */
static const Isa *fastest_isa(uint32_t features) {
    size_t i = 0;
    while ((known[i].features & features) != known[i].features) i++;
    return known[i].isa;
}

static const Isa *chosen;

static const Isa *isa(void) {
    if (chosen == NULL) chosen = fastest_isa(processor_features());
    return chosen;
}

const char *decoder_isa(void) { return isa()->name; }

const char *decoder_isa_with(uint32_t features) { return fastest_isa(features)->name; }

int32_t decoder_use_isa(const char *name) {
    const uint32_t features = processor_features();
    for (size_t i = 0; i < KNOWN; i++)
        if ((known[i].features & features) == known[i].features && strcmp(known[i].isa->name, name) == 0) {
            chosen = known[i].isa;
            return 1;
        }
    return 0;
}

void decoder_structures(int64_t bytes[4]) {
    const int64_t sizes[4] = {sizeof(Matrix), sizeof(Layer), sizeof(Model), sizeof(Step)};
    memcpy(bytes, sizes, sizeof sizes);
}

int64_t decoder_scratch_bytes(const Model *model, int32_t tokens) {
    Scratch scratch;
    int32_t refused = check_model(model);
    if (!refused) refused = check_length(tokens);
    return refused ? refused : lay_out(model, tokens, NULL, &scratch);
}

int64_t decoder_step(const Model *model, const Step *step, void *scratch, int64_t scratch_bytes, Pool *pool) {
    int32_t refused = check_model(model);
    if (!refused) refused = check_step(model, step);
    if (refused) return refused;
    if (scratch == NULL || pool == NULL || scratch_bytes < decoder_scratch_bytes(model, step->tokens))
        return REFUSED_MEMORY;
    isa()->step(model, step, scratch, pool);
    return 0;
}

int64_t decoder_copy_page(const Model *model, int32_t from, int32_t to) {
    int32_t refused = check_model(model);
    if (!refused) refused = check_page(model, from);
    if (!refused) refused = check_page(model, to);
    if (refused) return refused;
    const size_t numbers = (size_t)model->layers * (size_t)model->kv_heads * PAGE_TOKENS * (size_t)model->head_size;
    const size_t bytes = numbers * (model->cache_type == FLOAT32 ? 4 : 2);
    memmove((char *)model->keys + (size_t)to * bytes, (const char *)model->keys + (size_t)from * bytes, bytes);
    memmove((char *)model->values + (size_t)to * bytes, (const char *)model->values + (size_t)from * bytes, bytes);
    return 0;
}
