/* Loads a library of kernels, runs a small model on it, and prints what it computed, for each instruction set.
 *
 * Usage: step LIBRARY [INSTRUCTION_SET...]; without a name, the set that the library chooses by itself. For each it
 * prints a line with the name, the tokens that were chosen and a hash of all bits of the results, or "absent".
 * The weights are made with whole numbers and exact operations, so that they are the same on every system.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

#if defined(_WIN32)
#define INT8 INT8_OF_WINDOWS
#include <windows.h>
#undef INT8
static void *open_library(const char *path) { return (void *)LoadLibraryA(path); }
static void *find(void *library, const char *name) { return (void *)GetProcAddress((HMODULE)library, name); }
#else
#include <dlfcn.h>
static void *open_library(const char *path) { return dlopen(path, RTLD_NOW); }
static void *find(void *library, const char *name) { return dlsym(library, name); }
#endif

enum { LAYERS = 3, HIDDEN = 256, HEADS = 4, KV_HEADS = 2, HEAD_SIZE = 64, VOCABULARY = 320 };
/* More tokens than attention.h takes at a time. */
enum { PAGES = 20, PROMPT = 40, STEPS = 250, THREADS = 3 };

static uint32_t state;

static uint32_t random_bits(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

static void *memory(size_t bytes) {
    char *start = calloc(1, bytes + 64);
    if (start == NULL) exit(3);
    return start + (64 - (uintptr_t)start % 64);
}

static float *floats(int count, float least, float step) {
    float *made = memory(sizeof *made * (size_t)count);
    for (int i = 0; i < count; i++) made[i] = least + step * (float)(random_bits() % 64);
    return made;
}

static void fill_bytes(uint8_t *at, int count, int most) {
    for (int i = 0; i < count; i++) at[i] = (uint8_t)(random_bits() % (unsigned)(most + 1));
}

/* Positive numbers in half precision, or in the upper half of a float, with random mantissas. */
static void fill_scales(uint8_t *at, int count, uint16_t exponent, int mantissa) {
    for (int i = 0; i < count; i++) {
        const uint16_t scale = (uint16_t)(exponent | random_bits() % (1u << mantissa));
        memcpy(at + 2 * i, &scale, sizeof scale);
    }
}

static uint8_t *fill_block(uint8_t *at, int type, int inputs) {
    const Coding of = coding(type);
    const int is_whole = of.start_bytes > 0, scales = of.start_bytes == 64 || !is_whole ? 32 : 16;
    for (int piece = 0; piece < inputs / of.inputs; piece++) {
        fill_scales(at, of.start_bytes / 2, type == Q6_K ? 0x0800 : 0x0c00, 9);
        at += of.start_bytes;
        for (int group = 0; group < of.inputs / of.group; group++, at += of.group_bytes) {
            uint8_t *end = at + of.group_bytes - scales;
            fill_bytes(at, of.group_bytes - scales, 255);
            if (is_whole) fill_bytes(end, scales, type == Q6_K ? 255 : 63);
            else fill_scales(end, BLOCK, type == Q8_0 ? 0x1000 : 0x1c00, 9);
        }
    }
    return at;
}

static Matrix matrix(int type, int outputs, int inputs) {
    Matrix made = {.outputs = outputs, .inputs = inputs, .type = type};
    made.bias = floats(outputs, -0.25f, 0x1p-7f);
    made.bytes[2] = 4 * outputs;
    if (type == INT8) {
        uint8_t *data = memory((size_t)(outputs * inputs)), *scales = memory((size_t)(outputs * inputs / GROUP * 2));
        for (int i = 0; i < outputs * inputs; i++) data[i] = (uint8_t)(1 + random_bits() % 255);
        fill_scales(scales, outputs * inputs / GROUP, 0x3a80, 7);
        made.data = data;
        made.scales = (uint16_t *)scales;
        made.bytes[0] = outputs * inputs;
        made.bytes[1] = outputs * inputs / GROUP * 2;
        return made;
    }
    made.bytes[0] = outputs / BLOCK * code_bytes(type, inputs);
    uint8_t *data = memory((size_t)made.bytes[0]);
    made.data = data;
    for (int block = 0; block < outputs / BLOCK; block++) data = fill_block(data, type, inputs);
    return made;
}

static Model make_model(void) {
    const int queries = HEADS * HEAD_SIZE, keys = KV_HEADS * HEAD_SIZE, positions = PAGES * PAGE_TOKENS;
    Layer *layers = memory(sizeof *layers * LAYERS);
    /* One after another, since the order within an initializer is left to the compiler. */
    for (int i = 0; i < LAYERS; i++) {
        Layer *layer = &layers[i];
        layer->attention_norm = floats(HIDDEN, 0.5f, 0x1p-6f);
        layer->qkv = matrix((const int[]){INT8, Q5_0, Q5_K}[i], queries + 2 * keys, HIDDEN);
        layer->output = matrix((const int[]){INT8, Q6_K, Q4_0}[i], HIDDEN, queries);
        layer->mlp_norm = floats(HIDDEN, 0.5f, 0x1p-6f);
        layer->gate_up = matrix((const int[]){INT8, Q4_K, Q8_0}[i], 2 * HIDDEN, HIDDEN);
        layer->down = matrix((const int[]){INT8, Q6_K, Q5_K}[i], HIDDEN, HIDDEN);
        layer->bytes[0] = layer->bytes[1] = 4 * HIDDEN;
    }
    float *final_norm = floats(HIDDEN, 0.5f, 0x1p-6f), *rope = floats(positions * HEAD_SIZE, -1.0f, 0x1p-5f);
    const Matrix embedding = matrix(INT8, VOCABULARY, HIDDEN);
    const int64_t cache = 2 * (PAGES * LAYERS * KV_HEADS * PAGE_TOKENS * HEAD_SIZE + MAX_HEAD_SIZE);
    return (Model){
        .layers = LAYERS, .hidden = HIDDEN, .intermediate = HIDDEN, .heads = HEADS, .kv_heads = KV_HEADS,
        .head_size = HEAD_SIZE, .vocabulary = VOCABULARY, .norm_epsilon = 0x1p-20f, .layer = layers,
        .final_norm = final_norm, .embedding = embedding, .head = embedding,
        .rope = rope, .keys = memory((size_t)cache),
        .values = memory((size_t)cache), .cache_type = 1, .pages = PAGES,
        .bytes = {LAYERS * (int64_t)sizeof *layers, 4 * HIDDEN, 4 * positions * HEAD_SIZE, cache, cache},
    };
}

/* FNV-1a */
static uint64_t hashed(uint64_t hash, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
    return hash;
}

int main(int count, char **arguments) {
    void *library = count > 1 ? open_library(arguments[1]) : NULL;
    if (library == NULL) return 2;
#define FIND(name) __typeof__(&name) name##_ = (__typeof__(&name))find(library, #name)
    FIND(pool_open);
    FIND(pool_close);
    FIND(decoder_isa);
    FIND(decoder_use_isa);
    FIND(decoder_step);
    FIND(decoder_scratch_bytes);
    state = 1;
    Model model = make_model();
    const int64_t scratch_bytes = decoder_scratch_bytes_(&model, PROMPT);
    void *scratch = memory((size_t)scratch_bytes);
    Pool *pool = pool_open_(THREADS);
    for (int i = 2; i < count || i == 2; i++) {
        if (i < count && !decoder_use_isa_(arguments[i])) {
            printf("%s absent\n", arguments[i]);
            continue;
        }
        int32_t ids[PROMPT], positions[PROMPT], tables[PROMPT] = {0}, pages[PAGES], wanted, best, next = 0;
        float logits[VOCABULARY], log_total;
        uint64_t hash = 1469598103934665603u;
        for (int page = 0; page < PAGES; page++) pages[page] = PAGES - 1 - page;
        printf("%s", decoder_isa_());
        for (int step = 0; step < STEPS; step++) {
            const int tokens = step ? 1 : PROMPT;
            for (int j = 0; j < tokens; j++) {
                ids[j] = step ? next : j * 7 % VOCABULARY;
                positions[j] = step ? PROMPT + step - 1 : j;
            }
            wanted = tokens - 1;
            const Step one = {
                .tokens = tokens, .table_width = PAGES, .wanted = 1, .sequences = 1, .token_ids = ids,
                .positions = positions, .tables = tables, .page_tables = pages, .wanted_rows = &wanted,
                .logits = logits, .best = &best, .log_total = &log_total,
                .bytes = {sizeof ids, sizeof positions, sizeof tables, sizeof pages, 4, sizeof logits, 4, 4},
            };
            const int64_t refused = decoder_step_(&model, &one, scratch, scratch_bytes, pool);
            if (refused) {
                printf(" refused %d\n", (int)refused);
                return 1;
            }
            next = best;
            printf(" %d", (int)best);
            hash = hashed(hash, logits, sizeof logits);
            hash = hashed(hash, &log_total, sizeof log_total);
        }
        printf(" %08x%08x\n", (unsigned)(hash >> 32), (unsigned)hash);
    }
    pool_close_(pool);
    return 0;
}
