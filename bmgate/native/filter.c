/* The filter's kernels, the choice between them, and the two tests. */

#include "filter.h"

#include <string.h>

#include "cpu.h"
#include "secret.h"
#include "sha512.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__ORDER_LITTLE_ENDIAN__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && \
    (defined(__ARM_FEATURE_AES) || (defined(__linux__) && !defined(__clang__)))
#define FILTER_ARMV8 1
#include <arm_neon.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define big_endian(word) __builtin_bswap64(word)
#else
#define big_endian(word) (word)
#endif

enum { CHUNK = 64 }; /* keys at a time: one mask of 64 bits, and their hashes stay in the first cache */

#define HASH_NAME hash_1
#define HASH_LANES 1
#define HASH_WORD uint64_t
#define HASH_TARGET
#include "filter_hash.h"

#if defined(__x86_64__) || defined(FILTER_ARMV8)
/* The first bytes of the blocks that round keys 2, 4 .. 14 are XORed with, in each of the four words. */
#define EACH_WORD(byte) {byte, 0, 0, 0, byte, 0, 0, 0, byte, 0, 0, 0, byte, 0, 0, 0}
static const unsigned char round_constants[7][16] = {
    EACH_WORD(1), EACH_WORD(2), EACH_WORD(4), EACH_WORD(8), EACH_WORD(16), EACH_WORD(32), EACH_WORD(64),
};
#endif

#if defined(__x86_64__)
typedef uint64_t words_4 __attribute__((vector_size(32)));
typedef uint64_t words_8 __attribute__((vector_size(64)));

#define HASH_NAME hash_4
#define HASH_LANES 4
#define HASH_WORD words_4
#define HASH_TARGET __attribute__((target("avx2")))
#include "filter_hash.h"

#define HASH_NAME hash_8
#define HASH_LANES 8
#define HASH_WORD words_8
#define HASH_TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))
#include "filter_hash.h"

#define AES_NAME decipher_aesni
#define AES_BLOCK __m128i
#define AES_BLOCKS 1
#define AES_TARGET __attribute__((target("aes,ssse3")))
#define AES_LOAD(hashes, at) _mm_loadu_si128((const __m128i *)((hashes)[0] + (at)))
#define AES_SPREAD(from) _mm_loadu_si128((const __m128i *)(from))
#define AES_STORE(to, x) _mm_storeu_si128((__m128i *)(to), x)
#define AES_XOR(x, y) _mm_xor_si128(x, y)
#define AES_UP(x, words) _mm_slli_si128(x, 4 * (words))
#define AES_LAST(x) _mm_shuffle_epi32(x, 0xff)
#define AES_TURNED(x) _mm_shuffle_epi8(x, _mm_set1_epi32(0x0c0f0e0d))
#define AES_ENCRYPT_LAST(x, y) _mm_aesenclast_si128(x, y)
#define AES_DECRYPT(x, y) _mm_aesdec_si128(x, y)
#define AES_DECRYPT_LAST(x, y) _mm_aesdeclast_si128(x, y)
#define AES_UNMIX(x) _mm_aesimc_si128(x)
#include "filter_aes.h"

/* There is no wide AESIMC: AESDEC undoes the SubBytes and ShiftRows of AESENCLAST, then it unmixes. */
#define AES_NAME decipher_vaes
#define AES_BLOCK __m512i
#define AES_BLOCKS 4
#define AES_TARGET __attribute__((target("vaes,aes,avx512f,avx512bw")))
#define AES_PIECE(hashes, at, i) _mm_loadu_si128((const __m128i *)((hashes)[i] + (at)))
#define AES_LOAD(hashes, at)                                                                                   \
    _mm512_inserti32x4(_mm512_inserti32x4(_mm512_inserti32x4(_mm512_castsi128_si512(AES_PIECE(hashes, at, 0)), \
                                                             AES_PIECE(hashes, at, 1), 1),                     \
                                          AES_PIECE(hashes, at, 2), 2),                                        \
                       AES_PIECE(hashes, at, 3), 3)
#define AES_SPREAD(from) _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(from)))
#define AES_STORE(to, x) _mm512_storeu_si512(to, x)
#define AES_XOR(x, y) _mm512_xor_si512(x, y)
#define AES_UP(x, words) _mm512_bslli_epi128(x, 4 * (words))
#define AES_LAST(x) _mm512_shuffle_epi32(x, 0xff)
#define AES_TURNED(x) _mm512_shuffle_epi8(x, _mm512_set1_epi32(0x0c0f0e0d))
#define AES_ENCRYPT_LAST(x, y) _mm512_aesenclast_epi128(x, y)
#define AES_DECRYPT(x, y) _mm512_aesdec_epi128(x, y)
#define AES_DECRYPT_LAST(x, y) _mm512_aesdeclast_epi128(x, y)
#define AES_UNMIX(x) _mm512_aesdec_epi128(_mm512_aesenclast_epi128(x, zero), zero)
#include "filter_aes.h"
#undef AES_PIECE

static int runs_aesni(void)
{
    return cpu_has(CPU_AESNI);
}

static int runs_avx2(void)
{
    return cpu_has(CPU_AVX2) && cpu_has(CPU_AESNI);
}

static int runs_vaes(void)
{
    return cpu_has(CPU_VAES);
}

#elif defined(FILTER_ARMV8)

#define AES_NAME decipher_armv8
#define AES_BLOCK uint8x16_t
#define AES_BLOCKS 1
#if defined(__ARM_FEATURE_AES)
#define AES_TARGET
#else
#define AES_TARGET __attribute__((target("+crypto")))
#endif
#define AES_LOAD(hashes, at) vld1q_u8((hashes)[0] + (at))
#define AES_SPREAD(from) vld1q_u8(from)
#define AES_STORE(to, x) vst1q_u8(*(to), x)
#define AES_XOR(x, y) veorq_u8(x, y)
#define AES_UP(x, words) vextq_u8(zero, x, 16 - 4 * (words))
#define AES_LAST(x) vreinterpretq_u8_u32(vdupq_laneq_u32(vreinterpretq_u32_u8(x), 3))
#define AES_TURNED(x) vqtbl1q_u8(x, vreinterpretq_u8_u32(vdupq_n_u32(0x0c0f0e0d)))
#define AES_ENCRYPT_LAST(x, y) veorq_u8(vaeseq_u8(x, zero), y)
#define AES_DECRYPT(x, y) veorq_u8(vaesimcq_u8(vaesdq_u8(x, zero)), y)
#define AES_DECRYPT_LAST(x, y) veorq_u8(vaesdq_u8(x, zero), y)
#define AES_UNMIX(x) vaesimcq_u8(x)
#include "filter_aes.h"

static int runs_armv8(void)
{
#if defined(__ARM_FEATURE_AES)
    return 1;
#else
    return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#endif
}
#endif

/* One bit for each of CHUNK blocks: whether it ends in n bytes of value n, n from 1 to 16. No branches. */
static uint64_t padded(unsigned char (*plain)[16])
{
    typedef unsigned char block __attribute__((vector_size(16)));
    const block from_end = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    uint64_t passing = 0;

    for (int key = 0; key < CHUNK; key++) {
        unsigned char size = plain[key][15];
        block text, sizes = from_end - from_end + size;
        uint64_t wrong[2];

        memcpy(&text, plain[key], sizeof text);
        text = (text ^ sizes) & (block)(sizes > from_end);
        memcpy(wrong, &text, sizeof wrong);
        wrong[0] |= wrong[1] | ((uint64_t)size - 1) >> 4;
        passing |= (~(wrong[0] | -wrong[0]) >> 63) << key;
    }
    return passing;
}

/* What a filter is made of: see filter_hash.h and filter_aes.h. */
typedef void hash_function(filter_x x, size_t groups, unsigned char (*hashes)[64]);
typedef void decipher_function(unsigned char (*hashes)[64], size_t count, const unsigned char block[16],
                               const unsigned char before[16], unsigned char (*plain)[16]);

/* A hit for each bit of `passing`; returns how many. */
static size_t note_hits(uint64_t passing, size_t first_key, unsigned char (*hashes)[64], struct filter_hit *hits)
{
    size_t noted = 0;

    for (; passing != 0; passing &= passing - 1, noted++) {
        unsigned key = (unsigned)__builtin_ctzll(passing);
        hits[noted].key = (uint32_t)first_key + key;
        memcpy(hits[noted].hash, hashes[key], sizeof hits[noted].hash);
    }
    return noted;
}

/* Drops the hits whose first block is not the beginning of a msg; returns how many remain. */
static size_t keep_beginnings(decipher_function *decipher, const struct filter_query *query, struct filter_hit *hits,
                              size_t count)
{
    unsigned char hashes[16][64] = {{0}}, plain[16][16];
    size_t kept = 0;

    for (size_t start = 0; start < count; start += 16) {
        size_t size = count - start < 16 ? count - start : 16;

        for (size_t i = 0; i < size; i++)
            memcpy(hashes[i], hits[start + i].hash, sizeof hashes[i]);
        decipher(hashes, 16, query->first, query->iv, plain);
        for (size_t i = 0; i < size; i++)
            if (plain[i][0] >= 1 && plain[i][0] <= query->version_max && plain[i][1] != 0)
                hits[kept++] = hits[start + i];
    }
    secret_wipe(hashes, sizeof hashes);
    secret_wipe(plain, sizeof plain);
    return kept;
}

static size_t run(hash_function *hash, decipher_function *decipher, const struct filter_query *query, filter_x x,
                  size_t count, struct filter_hit *hits)
{
    unsigned char hashes[CHUNK][64] = {{0}}, plain[CHUNK][16];
    size_t passed = 0;

    for (size_t key = 0; key < count; key += CHUNK) {
        size_t size = count - key < CHUNK ? count - key : CHUNK;
        uint64_t passing = UINT64_MAX >> (CHUNK - size);

        hash(x + key / FILTER_LANES, (size + FILTER_LANES - 1) / FILTER_LANES, hashes);
        if (decipher != NULL) {
            decipher(hashes, CHUNK, query->last_two + 16, query->last_two, plain);
            passing &= padded(plain);
        }
        passed += note_hits(passing, key, hashes, hits + passed);
    }
    secret_wipe(hashes, sizeof hashes);
    secret_wipe(plain, sizeof plain);
    if (decipher != NULL && query->version_max != 0)
        passed = keep_beginnings(decipher, query, hits, passed);
    return passed;
}

#define FILTER(name, hash, decipher)                                                                        \
    static size_t name(const struct filter_query *query, filter_x x, size_t count, struct filter_hit *hits) \
    {                                                                                                       \
        return run(hash, decipher, query, x, count, hits);                                                  \
    }

#if defined(__x86_64__)
FILTER(run_8_vaes, hash_8, decipher_vaes)
FILTER(run_4_aesni, hash_4, decipher_aesni)
FILTER(run_1_aesni, hash_1, decipher_aesni)
#elif defined(FILTER_ARMV8)
FILTER(run_1_armv8, hash_1, decipher_armv8)
#endif
FILTER(run_1_none, hash_1, NULL)

static int runs_anywhere(void)
{
    return 1;
}

/* The best first. */
static const struct choice {
    const char *least; /* the least of the trial kernels that may use it */
    int (*supported)(void);
    struct filter filter;
} CHOICES[] = {
#if defined(__x86_64__)
    {"ifma", runs_vaes, {"vaes", run_8_vaes}},
    {"avx2", runs_avx2, {"aesni", run_4_aesni}},
    {"portable", runs_aesni, {"aesni", run_1_aesni}},
#elif defined(FILTER_ARMV8)
    {"portable", runs_armv8, {"armv8", run_1_armv8}},
#endif
    {"portable", runs_anywhere, {"none", run_1_none}},
};

const struct filter *filter_choose(const char *trial_kernel)
{
    int reached = 0; /* the choices made for this trial kernel */

    for (const struct choice *choice = CHOICES;; choice++) {
        reached |= strcmp(choice->least, trial_kernel) == 0 || strcmp(choice->least, "portable") == 0;
        if (reached && choice->supported())
            return &choice->filter;
    }
}
