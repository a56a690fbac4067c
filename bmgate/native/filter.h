/* From shared X coordinates to candidates: SHA-512 of each X, then the test of the padding and of the first block that
   all but one in 16,320 wrong keys fail. Only a MAC decides afterwards; no key that it would accept is lost here. */
#ifndef BMGATE_FILTER_H
#define BMGATE_FILTER_H

#include <stddef.h>
#include <stdint.h>

#define FILTER_LANES 8 /* keys in a group, whatever the kernel's own vectors hold */

/* What one message asks of every key. */
struct filter_query {
    unsigned char iv[16];       /* chained with the first block */
    unsigned char first[16];    /* first block of the ciphertext */
    unsigned char last_two[32]; /* its last two blocks; for a one-block message the IV and that block */
    unsigned version_max;       /* the plaintext's first byte is 1 to this, the next not 0; 0: any first block does */
};

struct filter_hit {
    uint32_t key;           /* index among the keys given */
    unsigned char hash[64]; /* SHA-512 of its X: AES key, then MAC key */
};

/* Four 64-bit words of X for each of eight keys, the most significant word first: x[group][word][lane], and key i is
   lane i % 8 of group i / 8. SHA-512 takes these words as they are. */
typedef const uint64_t (*filter_x)[4][FILTER_LANES];

/* Writes a hit for each of the `count` keys that passes, in order, and returns how many passed. `hits` has room for
   `count`; `x` is aligned to 64 bytes and holds whole groups, of which lanes from `count` on never become hits.
   Neither branches nor addresses depend on X, but for those of the hits. */
typedef size_t filter_function(const struct filter_query *query, filter_x x, size_t count, struct filter_hit *hits);

struct filter {
    const char *aes; /* "vaes", "aesni", "armv8" or "none": then every key passes: AES by tables would leak its key */
    filter_function *run;
};

/* The fastest filter that this processor runs, using no instructions beyond those of the trial kernel named:
   "ifma" (AVX-512 and VAES, else what avx2 has), "avx2" (AVX2 and AES-NI), "portable" (scalar SHA-512 and the AES
   instructions that there are). */
const struct filter *filter_choose(const char *trial_kernel);

#endif
