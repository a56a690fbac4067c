/* Proof of work: the search for a nonce. */
#ifndef BMGATE_POW_H
#define BMGATE_POW_H

#include <stdint.h>

#include "cpu.h"

#define POW_POLL_EVERY 4096 /* trials between two looks at the stop flag */

/* What the search for one object shares between all nonces. */
struct pow_search {
    uint64_t target;           /* a trial value up to and including this one is a hit */
    uint64_t first_a, first_e; /* round 0 of block 1, but for the nonce */
    uint64_t rounds[16];       /* K[i] + W[i] of block 1, i >= 1; with h, where that is still constant (i <= 3) */
    uint64_t schedule[16];     /* the constant part of W[16] to W[31] of block 1 */
};

/* Prepares for the object whose 64-byte initial hash is given. */
void pow_prepare(struct pow_search *search, const unsigned char *initial_hash, uint64_t target);

/* Tries `count` nonces from `start` on (start + count <= 2^64) until a hit or until *stop is not 0. Returns how many
   nonces were tried; *hit says whether the last of them is a hit. It is the first one, whatever the kernel. */
typedef uint64_t pow_run(const struct pow_search *search, uint64_t start, uint64_t count,
                         const volatile unsigned char *stop, int *hit);

/* The kernels compiled in, up to a row without a name. Of rows with the same name the first usable one counts. */
struct pow_kernel {
    struct kernel kernel;
    pow_run *run;
};
extern const struct pow_kernel POW_KERNELS[];

#endif
