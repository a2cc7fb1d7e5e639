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

/* Bytes of what a block has for a number of inputs. The parts of a Q5_0 group of 32 inputs:
 * 256 bytes with the lower 4 bits of two codes each, 64 with the fifth bits, 16 scales in half precision.
 * Of 256 inputs in Q4_K: 16 scales and 16 scales of minima in half precision, then for each group of 32 inputs
 * 256 bytes with two codes each, 16 whole scales and 16 whole minima.
 * Of 256 inputs in Q6_K: 16 scales in half precision, then for each group of 16 inputs 128 bytes with the lower 4
 * bits of two codes each, 64 with the upper 2 bits, and 16 whole scales, which are signed. */
#define Q5_0_BYTES 352
#define Q4_K_GROUP 288
#define Q4_K_BYTES (64 + 8 * Q4_K_GROUP)
#define Q6_K_GROUP 208
#define Q6_K_BYTES (32 + 16 * Q6_K_GROUP)

enum { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2, Q4_K = 3, Q5_0 = 4, Q6_K = 5 };

typedef struct Pool Pool;

/* outputs x inputs, both padded with zeros: to whole pairs of blocks and whole groups.
 *
 * FLOAT32, BFLOAT16: data[outputs/16][inputs][16].
 * INT8: data[outputs/16][inputs/4][16][4], each weight as uint8 w + 128, and scales[outputs/16][inputs/64][16]
 * in bfloat16: the weight is w * scale.
 * Q4_K, Q5_0, Q6_K: data[outputs/16][..], as codes.h describes it, with the scales in it. In the K formats inputs
 * are a multiple of 256.
 */
typedef struct {
    const void *data;
    const uint16_t *scales;
    const float *bias; /* [outputs] or NULL */
    int64_t bytes[3];
    int32_t outputs, inputs, type;
} Matrix;

/* Whether a matrix has a number format of codes.h. */
static inline int is_coded(const Matrix *m) { return m->type == Q4_K || m->type == Q5_0 || m->type == Q6_K; }

/* Inputs for which a format of codes.h has a piece of each block, and the bytes of what it has for many. */
static inline int32_t code_step(int32_t type) { return type == Q5_0 ? 32 : 256; }
static inline int64_t code_bytes(int32_t type, int32_t inputs) {
    return (int64_t)inputs / code_step(type) * (type == Q5_0 ? Q5_0_BYTES : type == Q4_K ? Q4_K_BYTES : Q6_K_BYTES);
}

typedef struct {
    const float *attention_norm; /* [hidden] */
    Matrix qkv;                  /* queries, keys and values of all heads, in this order */
    Matrix values;               /* the values, if qkv lacks them, since their type is another; or no outputs */
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

/* The instruction set that `decoder_step` will use: "avx512", "avxvnni", "avx512bw", "avx2", "i8mm", "neon" or
 * "portable". */
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
