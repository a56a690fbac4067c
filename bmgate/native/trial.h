/* Batch trial decryption: one message's point R times many keys at once.

   A key is a row of signed odd digits (digits.c), a message a table of odd multiples of R for each digit's place, and
   k*R the sum of one table entry for each digit: affine additions, in batches that share one inversion each. The
   pipeline (trial_batch.h) is the same text for every field arithmetic; this file says what passes between them. */
#ifndef BMGATE_TRIAL_H
#define BMGATE_TRIAL_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

#define TRIAL_BATCH 2048u /* keys that share an inversion: accumulators and temporaries (400 kB) stay in a level 2 cache */
#define TRIAL_ALIGNMENT 16u /* a call begins at a key whose place in the batch is a multiple of this */
#define TRIAL_MIN_WIDTH 4u
#define TRIAL_MAX_WIDTH 12u
#define TRIAL_MAX_CONSTANT_WIDTH 7u /* wider look-ups in constant time cost more than the additions they save */

/* The odd multiples 1, 3, .. 2^w - 1 of 2^(w*i) R for windows i = 0, 1, ..; an entry is eight 64-bit words, those of X
   and then those of Y, the least significant first and fully reduced.
   Looked up by address: entries[(i * count + entry) * 8 + word], each entry in a line of the cache of its own.
   In constant time:     entries[(i * 8 + word) * stride + entry], all entries of a window being read each time. */
struct trial_table {
    uint64_t *entries; /* aligned to 64 bytes; trial_table_words() of them */
    unsigned width, windows;
    int constant_time;
};

static inline unsigned trial_windows(unsigned width)
{
    return (256 + width - 1) / width;
}

static inline size_t trial_entries(unsigned width)
{
    return (size_t)1 << (width - 1);
}

/* Entries of a window in constant-time tables, rounded up to what two vector registers of AVX-512 hold. */
static inline size_t trial_stride(unsigned width)
{
    return width < 5 ? 16 : trial_entries(width);
}

static inline size_t trial_table_words(unsigned width, int constant_time)
{
    return trial_windows(width) * 8 * (constant_time ? trial_stride(width) : trial_entries(width));
}

/* Digits of a batch lie window by window, TRIAL_BATCH to a window: one byte each up to width 8, two (in the machine's
   order) above. The highest bit is the sign, set for negative digits, the others (|digit| - 1) / 2. All zero is a valid
   key, so places without a key need no care. */
static inline unsigned trial_digit_size(unsigned width)
{
    return width <= 8 ? 1 : 2;
}

static inline size_t trial_batch_bytes(unsigned width)
{
    return (size_t)trial_windows(width) * TRIAL_BATCH * trial_digit_size(width);
}

struct trial_kernel {
    struct kernel kernel;
    size_t scratch_size; /* bytes of working memory, aligned to 64, for either function */
    size_t most;         /* keys for one call of shared_x: no more than some milliseconds pass between two looks at a stop flag */
    /* Fills the table, whose entries, width, windows and kind are set, for a point on the curve. Returns 0, or -1
       without memory. */
    int (*make_table)(struct trial_table *table, const uint64_t point[8], void *scratch);
    /* X of k*R for the first `count` keys of a batch, as filter.h wants them, in whole groups. Returns how many times
       (0 or more) two equal or opposite points met: then the keys that this befell got a wrong X, all others theirs. */
    unsigned (*shared_x)(const struct trial_table *table, const unsigned char *digits, size_t count, void *scratch,
                         uint64_t (*x)[4][8]);
};

extern const struct trial_kernel trial_portable;
#if defined(__x86_64__)
extern const struct trial_kernel trial_avx2, trial_ifma;
#endif

/* WHAT A FIELD DEFINES, modulo p = 2^256 - 2^32 - 977, before it includes trial_batch.h. field_portable.h is the plainest.

   #define LANES n            field elements in a vector: 1, 2, 4 or 8
   #define CHAINS n           independent chains of products, to hide latency: 1, 2 or 4; CHAINS * LANES at most TRIAL_ALIGNMENT
   #define FIELD_KERNEL trial_name   the kernel it becomes, and
   #define FIELD_NAME "name"
   #define FIELD_NEEDS CPU_...
   #define FIELD_MOST n       keys for one call, if it is slower than to take a whole batch in some milliseconds
   typedef ... fe;            LANES elements in the field's own limbs; aligned as it needs, at most to 64 bytes

   Elements are `carried` (fit for everything) or `loose` (only where said so). All functions are static inline, in
   constant time, and may be called with r the same as any operand.

   void fe_set(fe *r, const uint64_t words[4][LANES]);  any values below 2^256, least significant word first -> carried
   void fe_get(uint64_t words[4][LANES], const fe *a);  fully reduced to [0, p); a carried
   void fe_mul(fe *r, const fe *a, const fe *b);        a*b, operands as fe_sub leaves them, result carried
   void fe_mul_sub(fe *r, const fe *a, const fe *b, const fe *c);   a*b - c; a, b as above, c carried; result carried
   void fe_sqr_sub(fe *r, const fe *a, const fe *b, const fe *c);   a*a - 2*b - c; b carried, c as fe_sub leaves it;
                                                                    result carried
   void fe_sub(fe *r, const fe *a, const fe *b);        a - b; a carried or loose, b carried; fit for fe_mul

   A field that depends on a mode of the processor defines FIELD_HAS_MODE and
   unsigned fe_begin(void);  sets it, and returns what it was;   void fe_end(unsigned mode);  puts that back

   Look-ups: CHAINS vectors of entries for CHAINS * LANES digits that follow each other, the sign applied to y, x
   carried and y loose. `window` is the window's part of the table.
   void fe_look_up(fe x[CHAINS], fe y[CHAINS], const uint64_t *window, const unsigned char *digits, enum look_up how);
   `how` is a constant wherever it is called, so that a function always inlined may switch on it. */

enum look_up {
    LOOK_UP_BYTES,       /* by address, digits of one byte */
    LOOK_UP_PAIRS,       /* by address, digits of two bytes */
    LOOK_UP_CONSTANT_16, /* in constant time, 16, 32 or 64 entries a window */
    LOOK_UP_CONSTANT_32,
    LOOK_UP_CONSTANT_64,
};

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define EACH_CHAIN UNROLL for (int chain = 0; chain < CHAINS; chain++)
#define FIELD_FUNCTION static inline __attribute__((always_inline, unused)) void

#endif
