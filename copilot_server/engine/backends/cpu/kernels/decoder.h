/* A Llama-like decoder on a CPU: its weights, its KV cache and one step. Python calls it through ctypes.
 *
 * library.py mirrors all structures. Only `pool_open` allocates memory. The functions that read a model return a
 * negative number (bounds.h) and do nothing if a size, an index or an array does not fit the others. Every
 * structure has the bytes of the arrays that it points to, in the order of its pointers.
 */
#ifndef DECODER_H
#define DECODER_H

#include <stdint.h>

/* Weights come in blocks of 16 outputs, int8 ones in groups of 64 inputs with a scale each. */
#define BLOCK 16
#define GROUP 64
/* Outputs that are computed together, such as a block of gates and the block of ups that they belong to. */
#define PAIR (2 * BLOCK)
/* Tokens in a page of the KV cache. */
#define PAGE_TOKENS 16
/* The widest head that attention.h has room for. */
#define MAX_HEAD_SIZE 256

enum { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2 };

typedef struct Pool Pool;

/* outputs x inputs, both padded with zeros: to whole pairs of blocks and whole groups.
 *
 * FLOAT32, BFLOAT16: data[outputs/16][inputs][16].
 * INT8: data[outputs/16][inputs/4][16][4], each weight as uint8 w + 128, and scales[outputs/16][inputs/64][16]
 * in bfloat16: the weight is w * scale.
 */
typedef struct {
    const void *data;
    const uint16_t *scales;
    const float *bias; /* [outputs] or NULL */
    int64_t bytes[3];
    int32_t outputs, inputs, type;
} Matrix;

typedef struct {
    const float *attention_norm; /* [hidden] */
    Matrix qkv;                  /* queries, keys and values of all heads, in this order */
    Matrix output;
    const float *mlp_norm;
    Matrix gate_up; /* a block of 16 gates, the 16 ups that they belong to, and so on */
    Matrix down;
    int64_t bytes[2];
} Layer;

typedef struct {
    int32_t layers, hidden, intermediate, heads, kv_heads, head_size, vocabulary;
    float norm_epsilon;
    const Layer *layer;
    const float *final_norm;
    Matrix embedding, head; /* the same matrix where they are tied */
    const float *rope;      /* [positions][head_size]: cosines, then sines, half of them each */
    /* The KV cache, in half precision (in float32 if the weights are).
     * keys[pages][layers][kv_heads][head_size][PAGE_TOKENS], values[pages][layers][kv_heads][PAGE_TOKENS][head_size]: a page
     * is one piece, so that memory is first written to piece by piece as the cache fills. */
    void *keys, *values;
    int32_t cache_type, pages;
    int64_t bytes[5];
} Model;

/* The tokens to append to any number of sequences, and after which of them logits are wanted. */
typedef struct {
    int32_t tokens, table_width, wanted, sequences;
    const int32_t *token_ids;  /* [tokens] */
    const int32_t *positions;  /* [tokens] */
    const int32_t *tables;     /* [tokens]: the row of page_tables of the token's sequence */
    const int32_t *page_tables; /* [sequences][table_width]: a sequence's pages, in order */
    const int32_t *wanted_rows; /* [wanted]: indices of tokens, ascending */
    float *logits;              /* [wanted][outputs of the head] */
    int32_t *best;              /* [wanted]: the likeliest token, the lowest id among equals */
    float *log_total;           /* [wanted]: ln of the sum of exp(logits) */
    int64_t bytes[8];
} Step;

Pool *pool_open(int32_t threads);
void pool_close(Pool *pool);

/* The instruction set that `decoder_step` will use: "avx512", "avx2" or "portable". */
const char *decoder_isa(void);
/* The instruction set for a processor with these features (isa.h); for tests. */
const char *decoder_isa_with(uint32_t features);
/* For tests and measurements: use another instruction set from now on. Returns 0 if the processor lacks it. */
int32_t decoder_use_isa(const char *name);
/* The bytes of Matrix, Layer, Model and Step, which must be those of their mirrors. */
void decoder_structures(int64_t bytes[4]);
/* Bytes of scratch memory that a step of so many tokens needs. */
int64_t decoder_scratch_bytes(const Model *model, int32_t tokens);
/* Run one step: append the tokens to the cache, compute the logits that are wanted. Returns 0. */
int64_t decoder_step(const Model *model, const Step *step, void *scratch, int64_t scratch_bytes, Pool *pool);
/* Copy one page of the cache, in all layers. Returns 0. */
int64_t decoder_copy_page(const Model *model, int32_t from, int32_t to);

/* What the file of each instruction set provides. */
typedef struct {
    const char *name;
    void (*step)(const Model *, const Step *, void *, Pool *);
} Isa;

#endif
