/* Proof of work: what a search shares between its nonces, and the kernels for each processor. */

#include "pow.h"

#include <stddef.h>
#include <string.h>

#include "sha512.h"

#define POW_END (UINT64_C(1) << 63) /* the bit that ends a message, in a word of its own */
#define POW_BITS UINT64_C(512)      /* of the digest that block 2 hashes */

/* Round 0 of a message, but for its W[0]. */
#define POW_FIRST_T                                                                                    \
    (SHA512_IV[7] + SUM1(SHA512_IV[4]) + CHOOSE(SHA512_IV[4], SHA512_IV[5], SHA512_IV[6]) + SHA512_K[0])
#define POW_FIRST_A (POW_FIRST_T + SUM0(SHA512_IV[0]) + MAJORITY(SHA512_IV[0], SHA512_IV[1], SHA512_IV[2]))
#define POW_FIRST_E (POW_FIRST_T + SHA512_IV[3])

void pow_prepare(struct pow_search *search, const unsigned char *initial_hash, uint64_t target)
{
    uint64_t w[16] = {0}, *fixed = search->schedule;

    for (int i = 0; i < 8; i++)
        for (int byte = 0; byte < 8; byte++)
            w[i + 1] = w[i + 1] << 8 | initial_hash[8 * i + byte];
    w[9] = POW_END;
    w[15] = 576; /* bits of nonce and initial hash */

    search->target = target;
    search->first_a = POW_FIRST_A;
    search->first_e = POW_FIRST_E;
    search->rounds[0] = 0;
    for (int i = 1; i < 16; i++)
        search->rounds[i] = SHA512_K[i] + w[i] + (i <= 3 ? SHA512_IV[7 - i] : 0);

    /* W[16+i] = SIGMA1(W[14+i]) + W[9+i] + SIGMA0(W[1+i]) + W[i]; words that depend on the nonce count as 0 here */
    for (int i = 0; i < 16; i++)
        fixed[i] = (i < 2 ? SIGMA1(w[i + 14]) : 0) + (i < 7 ? w[i + 9] : 0) + (i < 15 ? SIGMA0(w[i + 1]) : 0) + w[i];
    fixed[3] += SIGMA1(fixed[1]); /* W[17], W[19] and W[21] do not depend on the nonce at all */
    fixed[5] += SIGMA1(fixed[3]);
    fixed[7] += SIGMA1(fixed[5]);
    fixed[8] += fixed[1];
    fixed[10] += fixed[3];
    fixed[12] += fixed[5];
}

#if defined(__GNUC__) && !defined(__clang__)
#define AS_WRITTEN __attribute__((optimize("no-schedule-insns2"))) /* gcc's last reordering costs 3 to 12 % */
#define AT_LEVEL_2 __attribute__((optimize("O2")))                  /* and level 3 another kernel 3 % */
#else
#define AS_WRITTEN
#define AT_LEVEL_2
#endif

#if defined(__GNUC__) && defined(__x86_64__)

typedef uint64_t four __attribute__((vector_size(32)));
typedef uint64_t eight __attribute__((vector_size(64)));

#define KERNEL avx512x16
#define KERNEL_TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,bmi,bmi2"))) AS_WRITTEN
#define WORD eight
#define STREAMS 2
#define MAJORITY_FORM MAJORITY
#include "pow_kernel.h"

#define KERNEL avx2x4
#define KERNEL_TARGET __attribute__((target("avx2,bmi,bmi2"))) AT_LEVEL_2
#define WORD four
#define STREAMS 1
#define MAJORITY_FORM MAJORITY_BY_TWO
#include "pow_kernel.h"

#define KERNEL scalar_bmi
#define KERNEL_TARGET __attribute__((target("bmi,bmi2"))) AS_WRITTEN
#define WORD uint64_t
#define STREAMS 1
#define MAJORITY_FORM MAJORITY_BY_TWO
#include "pow_kernel.h"

#elif defined(__GNUC__) && defined(__aarch64__)

typedef uint64_t two __attribute__((vector_size(16)));

#define KERNEL neon2
#define KERNEL_TARGET AS_WRITTEN
#define WORD two
#define STREAMS 1
#define MAJORITY_FORM MAJORITY_BY_TWO
#include "pow_kernel.h"

#endif

#define KERNEL scalar
#define KERNEL_TARGET AS_WRITTEN
#define WORD uint64_t
#define STREAMS 1
#define MAJORITY_FORM MAJORITY_BY_TWO
#include "pow_kernel.h"

const struct pow_kernel POW_KERNELS[] = {
#if defined(__GNUC__) && defined(__x86_64__)
    {{"avx512x16", CPU_AVX512}, avx512x16},
    {{"avx2x4", CPU_AVX2}, avx2x4},
    {{"scalar", CPU_BMI}, scalar_bmi},
#elif defined(__GNUC__) && defined(__aarch64__)
    {{"neon2", CPU_ANY}, neon2},
#endif
    {{"scalar", CPU_ANY}, scalar},
    {{NULL, CPU_ANY}, NULL},
};
