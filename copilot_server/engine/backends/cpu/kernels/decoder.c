/* The library's entry points: they choose the instruction set, and do what depends on none. */
#include "decoder.h"

#include <string.h>

#include "bounds.h"
#include "forward.h"
#include "isa.h"

/* The instruction sets that the kernels are compiled for, the fastest first.
 *
 * A dot product of four int8 takes one instruction with VNNI, for 256 bits too, and four without (three with codes).
 * Intel's processors with cores of two kinds have AVX-VNNI and no AVX-512; any with both have AVX-512's VNNI too.
 */
static const struct {
    const Isa *isa;
    uint32_t features;
} known[] = {
#if defined(__x86_64__)
#if defined(HAS_AMX)
    {&isa_amx, AMX_FEATURES},
#endif
    {&isa_avx512, AVX512_FEATURES},
    {&isa_avxvnni, AVXVNNI_FEATURES},
    {&isa_avx512bw, AVX512BW_FEATURES},
    {&isa_avx2, AVX2_FEATURES},
#elif defined(__aarch64__)
    {&isa_i8mm, I8MM_FEATURES},
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

void decoder_structures(int64_t bytes[5]) {
    const int64_t sizes[5] = {sizeof(Matrix), sizeof(Layer), sizeof(Model), sizeof(Step), sizeof(Rows)};
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
