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

enum {
    FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2, Q4_K = 3, Q5_0 = 4, Q6_K = 5, Q4_0 = 6, Q5_K = 7, Q8_0 = 8,
    FLOAT16 = 9, /* in a model's file only */
};

typedef struct Pool Pool;

/* outputs x inputs, both padded with zeros: to whole pairs of blocks and whole groups.
 *
 * FLOAT32, BFLOAT16: data[outputs/16][inputs][16].
 * INT8: data[outputs/16][inputs/4][16][4], each weight as uint8 w + 128, and scales[outputs/16][inputs/64][16]
 * in bfloat16: the weight is w * scale.
 * Formats of GGUF files: data[outputs/16][..], as Coding describes it, with the scales in it.
 */
typedef struct {
    const void *data;
    const uint16_t *scales;
    const float *bias; /* [outputs] or NULL */
    int64_t bytes[3];
    int32_t outputs, inputs, type;
} Matrix;

/* Whether a matrix has a number format of GGUF files (codes.h). */
static inline int is_coded(const Matrix *m) { return m->type >= Q4_K && m->type <= Q8_0; }

/* What each block of 16 outputs has in a format of codes.h: pieces of so many inputs. A piece begins with 16 numbers in
 * half precision, scales in Q6_K, or twice as many, scales and scales of minima in Q4_K and Q5_K, or none. Then come
 * groups of inputs. Of each a piece has 32 bytes for 4 inputs, with the lower 4 bits of two codes each (in Q8_0 64 bytes,
 * whole numbers w + 128); then the further bits of these codes; then 16 whole scales, signed in Q6_K, and 16 whole minima
 * in Q4_K and Q5_K, or 16 scales in half precision where the piece began with none. */
typedef struct {
    int32_t inputs, start_bytes; /* of a piece */
    int32_t group, group_bytes;  /* inputs and bytes of a group */
    int32_t more_bits;           /* of a code, beside the lower 4 */
    int32_t middle;              /* the code that means zero; that of Q5_K means 16 times the scale, less the minimum */
} Coding;

static inline Coding coding(int32_t type) {
    switch (type) {
    case Q4_0: return (Coding){32, 0, 32, 288, 0, 8};
    case Q5_0: return (Coding){32, 0, 32, 352, 1, 16};
    case Q8_0: return (Coding){32, 0, 32, 544, 4, 128};
    case Q4_K: return (Coding){256, 64, 32, 288, 0, 0};
    case Q5_K: return (Coding){256, 64, 32, 352, 1, 16};
    default: return (Coding){256, 32, 16, 208, 2, 32}; /* Q6_K */
    }
}

/* The bytes of what a block has for a number of inputs. */
static inline int64_t code_bytes(int32_t type, int32_t inputs) {
    const Coding of = coding(type);
    return (int64_t)inputs / of.inputs * (of.start_bytes + of.inputs / of.group * of.group_bytes);
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

/* Rows of a matrix as a model's file has them, and where they are packed (packing.c). */
typedef struct {
    const void *rows; /* [count][inputs], or blocks of GGUF files */
    void *data;       /* the first row's block, as in Matrix */
    uint16_t *scales; /* the same; NULL unless it is packed in INT8 */
    int64_t bytes[3];
    int32_t count, inputs; /* inputs as the file has them, not padded */
    int32_t source, target; /* the file's type; INT8, or the file's own where it is a format of GGUF files */
    int32_t first;         /* the output of the first row in its block; the others follow */
    int32_t stride;        /* from one block to the next, such as 2 where blocks of gates and ups alternate */
} Rows;

/* How many blocks of 16 outputs have some of the rows. */
static inline int32_t rows_blocks(const Rows *rows) { return (rows->first + rows->count + BLOCK - 1) / BLOCK; }

Pool *pool_open(int32_t threads);
void pool_close(Pool *pool);

/* The instruction set that `decoder_step` will use: "amx", "avx512", "avxvnni", "avx512bw", "avx2", "i8mm",
 * "neon" or "portable". */
const char *decoder_isa(void);
/* The instruction set for a processor with these features (isa.h); for tests. */
const char *decoder_isa_with(uint32_t features);
/* For tests and measurements: use another instruction set from now on. Returns 0 if the processor lacks it. */
int32_t decoder_use_isa(const char *name);
/* The bytes of Matrix, Layer, Model, Step and Rows, which must be those of their mirrors. */
void decoder_structures(int64_t bytes[5]);
/* Pack rows of a matrix, on all threads. Rows that stay in a format of GGUF files fill whole blocks of 16.
 * Returns 0. */
int64_t decoder_pack(const Rows *rows, Pool *pool);
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
