/* The library's entrance: which instruction set to use, and what needs none. */
#include "decoder.h"

#include <string.h>

#include "forward.h"
#include "isa.h"

#if defined(__x86_64__)
static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#endif

static const Isa *best_isa(void) {
#if defined(__x86_64__)
    if (has_avx512()) return &isa_avx512;
    if (has_avx2()) return &isa_avx2;
#endif
    return &isa_portable;
}

static const Isa *chosen;

static const Isa *isa(void) {
    if (chosen == NULL) chosen = best_isa();
    return chosen;
}

const char *decoder_isa(void) { return isa()->name; }

/* For tests and measurements: use a lesser instruction set from now on. Returns 0 when it is not there. */
int32_t decoder_use_isa(const char *name) {
    const Isa *known[] = {
#if defined(__x86_64__)
        has_avx512() ? &isa_avx512 : NULL, has_avx2() ? &isa_avx2 : NULL,
#endif
        &isa_portable};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] != NULL && strcmp(known[i]->name, name) == 0) {
            chosen = known[i];
            return 1;
        }
    return 0;
}

int64_t decoder_scratch(const Model *model, int32_t tokens) {
    Scratch scratch;
    return lay_out(model, tokens, NULL, &scratch);
}

void decoder_step(const Model *model, const Step *step, void *scratch, Pool *pool) {
    isa()->step(model, step, scratch, pool);
}

void decoder_copy_page(const Model *model, int32_t from, int32_t to) {
    const size_t numbers = (size_t)model->layers * (size_t)model->kv_heads * PAGE * (size_t)model->head_size;
    const size_t bytes = numbers * (model->cache_type == FLOAT32 ? 4 : 2);
    memcpy((char *)model->keys + (size_t)to * bytes, (const char *)model->keys + (size_t)from * bytes, bytes);
    memcpy((char *)model->values + (size_t)to * bytes, (const char *)model->values + (size_t)from * bytes, bytes);
}
