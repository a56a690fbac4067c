/* Proof of work in portable C: SHA-512 of SHA-512, specialised for the two blocks that a trial hashes.

   value = first 8 bytes, big-endian, of SHA512(SHA512(nonce8 || initial_hash64)); a hit has value <= target.
   Both inputs (72 and 64 bytes) fill one block, and only output word 0 is needed. What does not depend on the nonce
   is worked out once: in block 1 only W[0] varies, so round 0 is two additions, K + W of rounds 1 to 15 and a part
   of each of W[16] to W[31] are constants. In block 2 words 8 to 15 are padding. */

#include "pow.h"

#define POLL_EVERY 4096u

static const uint64_t IV[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

static const uint64_t K[80] = {
    0x428a2f98d728ae22u, 0x7137449123ef65cdu, 0xb5c0fbcfec4d3b2fu, 0xe9b5dba58189dbbcu, 0x3956c25bf348b538u,
    0x59f111f1b605d019u, 0x923f82a4af194f9bu, 0xab1c5ed5da6d8118u, 0xd807aa98a3030242u, 0x12835b0145706fbeu,
    0x243185be4ee4b28cu, 0x550c7dc3d5ffb4e2u, 0x72be5d74f27b896fu, 0x80deb1fe3b1696b1u, 0x9bdc06a725c71235u,
    0xc19bf174cf692694u, 0xe49b69c19ef14ad2u, 0xefbe4786384f25e3u, 0x0fc19dc68b8cd5b5u, 0x240ca1cc77ac9c65u,
    0x2de92c6f592b0275u, 0x4a7484aa6ea6e483u, 0x5cb0a9dcbd41fbd4u, 0x76f988da831153b5u, 0x983e5152ee66dfabu,
    0xa831c66d2db43210u, 0xb00327c898fb213fu, 0xbf597fc7beef0ee4u, 0xc6e00bf33da88fc2u, 0xd5a79147930aa725u,
    0x06ca6351e003826fu, 0x142929670a0e6e70u, 0x27b70a8546d22ffcu, 0x2e1b21385c26c926u, 0x4d2c6dfc5ac42aedu,
    0x53380d139d95b3dfu, 0x650a73548baf63deu, 0x766a0abb3c77b2a8u, 0x81c2c92e47edaee6u, 0x92722c851482353bu,
    0xa2bfe8a14cf10364u, 0xa81a664bbc423001u, 0xc24b8b70d0f89791u, 0xc76c51a30654be30u, 0xd192e819d6ef5218u,
    0xd69906245565a910u, 0xf40e35855771202au, 0x106aa07032bbd1b8u, 0x19a4c116b8d2d0c8u, 0x1e376c085141ab53u,
    0x2748774cdf8eeb99u, 0x34b0bcb5e19b48a8u, 0x391c0cb3c5c95a63u, 0x4ed8aa4ae3418acbu, 0x5b9cca4f7763e373u,
    0x682e6ff3d6b2b8a3u, 0x748f82ee5defb2fcu, 0x78a5636f43172f60u, 0x84c87814a1f0ab72u, 0x8cc702081a6439ecu,
    0x90befffa23631e28u, 0xa4506cebde82bde9u, 0xbef9a3f7b2c67915u, 0xc67178f2e372532bu, 0xca273eceea26619cu,
    0xd186b8c721c0c207u, 0xeada7dd6cde0eb1eu, 0xf57d4f7fee6ed178u, 0x06f067aa72176fbau, 0x0a637dc5a2c898a6u,
    0x113f9804bef90daeu, 0x1b710b35131c471bu, 0x28db77f523047d84u, 0x32caab7b40c72493u, 0x3c9ebe0a15c9bebcu,
    0x431d67c49c100d4cu, 0x4cc5d4becb3e42b6u, 0x597f299cfc657e2au, 0x5fcb6fab3ad6faecu, 0x6c44198c4a475817u,
};

#define ROTATE(x, n) (((x) >> (n)) | ((x) << (64 - (n))))
#define SUM0(x) (ROTATE(x, 28) ^ ROTATE(x, 34) ^ ROTATE(x, 39))
#define SUM1(x) (ROTATE(x, 14) ^ ROTATE(x, 18) ^ ROTATE(x, 41))
#define SIGMA0(x) (ROTATE(x, 1) ^ ROTATE(x, 8) ^ ((x) >> 7))
#define SIGMA1(x) (ROTATE(x, 19) ^ ROTATE(x, 61) ^ ((x) >> 6))
#define CHOOSE(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJORITY(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))

/* One round with k = K[i] + W[i]; the caller renames the registers instead of moving them. */
#define ROUND(a, b, c, d, e, f, g, h, k)                     \
    do {                                                     \
        uint64_t t = (h) + SUM1(e) + CHOOSE(e, f, g) + (k);  \
        (d) += t;                                            \
        (h) = t + SUM0(a) + MAJORITY(a, b, c);               \
    } while (0)

#define EIGHT_ROUNDS(k0, k1, k2, k3, k4, k5, k6, k7) \
    do {                                             \
        ROUND(a, b, c, d, e, f, g, h, k0);           \
        ROUND(h, a, b, c, d, e, f, g, k1);           \
        ROUND(g, h, a, b, c, d, e, f, k2);           \
        ROUND(f, g, h, a, b, c, d, e, k3);           \
        ROUND(e, f, g, h, a, b, c, d, k4);           \
        ROUND(d, e, f, g, h, a, b, c, k5);           \
        ROUND(c, d, e, f, g, h, a, b, k6);           \
        ROUND(b, c, d, e, f, g, h, a, k7);           \
    } while (0)

#define SCHEDULED(i) (K[base + (i)] + w[i])

/* The sixteen rounds from `base` on with the words that stand in w. */
#define SIXTEEN_ROUNDS                                                                                   \
    do {                                                                                                 \
        EIGHT_ROUNDS(SCHEDULED(0), SCHEDULED(1), SCHEDULED(2), SCHEDULED(3), SCHEDULED(4), SCHEDULED(5), \
                     SCHEDULED(6), SCHEDULED(7));                                                        \
        EIGHT_ROUNDS(SCHEDULED(8), SCHEDULED(9), SCHEDULED(10), SCHEDULED(11), SCHEDULED(12),            \
                     SCHEDULED(13), SCHEDULED(14), SCHEDULED(15));                                       \
    } while (0)

#define EXPAND(i) (w[i] += SIGMA1(w[((i) + 14) & 15]) + w[((i) + 9) & 15] + SIGMA0(w[((i) + 1) & 15]))

/* Rounds 32 to 79, with W[16] to W[31] in w. */
#define LATE_ROUNDS                                                              \
    do {                                                                         \
        for (int base = 32; base < 80; base += 16) {                             \
            EXPAND(0), EXPAND(1), EXPAND(2), EXPAND(3);                          \
            EXPAND(4), EXPAND(5), EXPAND(6), EXPAND(7);                          \
            EXPAND(8), EXPAND(9), EXPAND(10), EXPAND(11);                        \
            EXPAND(12), EXPAND(13), EXPAND(14), EXPAND(15);                      \
            SIXTEEN_ROUNDS;                                                      \
        }                                                                        \
    } while (0)

void pow_prepare(struct pow_search *search, const unsigned char *initial_hash, uint64_t target)
{
    uint64_t w[16] = {0};

    for (int i = 0; i < 8; i++)
        for (int byte = 0; byte < 8; byte++)
            w[i + 1] = w[i + 1] << 8 | initial_hash[8 * i + byte];
    w[9] = UINT64_C(1) << 63;
    w[15] = 576; /* bits of nonce and initial hash */

    uint64_t t = IV[7] + SUM1(IV[4]) + CHOOSE(IV[4], IV[5], IV[6]) + K[0];
    search->target = target;
    search->first_e = IV[3] + t;
    search->first_a = t + SUM0(IV[0]) + MAJORITY(IV[0], IV[1], IV[2]);
    search->rounds[0] = 0;
    for (int i = 1; i < 16; i++)
        search->rounds[i] = K[i] + w[i];

    /* W[16+i] = SIGMA1(W[14+i]) + W[9+i] + SIGMA0(W[1+i]) + W[i]; words that depend on the nonce count as 0 here */
    uint64_t *fixed = search->schedule;
    for (int i = 0; i < 16; i++)
        fixed[i] = (i < 2 ? SIGMA1(w[i + 14]) : 0) + (i < 7 ? w[i + 9] : 0) + (i < 15 ? SIGMA0(w[i + 1]) : 0) + w[i];
    fixed[3] += SIGMA1(fixed[1]); /* W[17], W[19] and W[21] do not depend on the nonce at all */
    fixed[5] += SIGMA1(fixed[3]);
    fixed[7] += SIGMA1(fixed[5]);
    fixed[8] += fixed[1];
    fixed[10] += fixed[3];
    fixed[12] += fixed[5];
}

/* SHA-512 of nonce and initial hash: eight words into `digest`. */
static inline void hash_nonce(const struct pow_search *search, uint64_t nonce, uint64_t digest[8])
{
    const uint64_t *k = search->rounds, *fixed = search->schedule;
    uint64_t a = IV[0], b = IV[1], c = IV[2], d = search->first_e, e = IV[4], f = IV[5], g = IV[6];
    uint64_t h = search->first_a + nonce;
    uint64_t w[16];

    d += nonce;
    ROUND(h, a, b, c, d, e, f, g, k[1]);
    ROUND(g, h, a, b, c, d, e, f, k[2]);
    ROUND(f, g, h, a, b, c, d, e, k[3]);
    ROUND(e, f, g, h, a, b, c, d, k[4]);
    ROUND(d, e, f, g, h, a, b, c, k[5]);
    ROUND(c, d, e, f, g, h, a, b, k[6]);
    ROUND(b, c, d, e, f, g, h, a, k[7]);
    EIGHT_ROUNDS(k[8], k[9], k[10], k[11], k[12], k[13], k[14], k[15]);

    w[0] = fixed[0] + nonce;
    w[1] = fixed[1];
    w[2] = fixed[2] + SIGMA1(w[0]);
    w[3] = fixed[3];
    w[4] = fixed[4] + SIGMA1(w[2]);
    w[5] = fixed[5];
    w[6] = fixed[6] + SIGMA1(w[4]);
    w[7] = fixed[7] + w[0];
    w[8] = fixed[8] + SIGMA1(w[6]);
    w[9] = fixed[9] + SIGMA1(w[7]) + w[2];
    w[10] = fixed[10] + SIGMA1(w[8]);
    w[11] = fixed[11] + SIGMA1(w[9]) + w[4];
    w[12] = fixed[12] + SIGMA1(w[10]);
    w[13] = fixed[13] + SIGMA1(w[11]) + w[6];
    w[14] = fixed[14] + SIGMA1(w[12]) + w[7];
    w[15] = fixed[15] + SIGMA1(w[13]) + w[8] + SIGMA0(w[0]);
    {
        const int base = 16;
        SIXTEEN_ROUNDS;
    }
    LATE_ROUNDS;
    digest[0] = a + IV[0], digest[1] = b + IV[1], digest[2] = c + IV[2], digest[3] = d + IV[3];
    digest[4] = e + IV[4], digest[5] = f + IV[5], digest[6] = g + IV[6], digest[7] = h + IV[7];
}

/* The first word of SHA-512 of a 64-byte digest. */
static inline uint64_t hash_digest(const uint64_t digest[8])
{
    const uint64_t end = UINT64_C(1) << 63, bits = 512;
    uint64_t a = IV[0], b = IV[1], c = IV[2], d = IV[3], e = IV[4], f = IV[5], g = IV[6], h = IV[7];
    uint64_t w[16];

    EIGHT_ROUNDS(K[0] + digest[0], K[1] + digest[1], K[2] + digest[2], K[3] + digest[3], K[4] + digest[4],
                 K[5] + digest[5], K[6] + digest[6], K[7] + digest[7]);
    EIGHT_ROUNDS(K[8] + end, K[9], K[10], K[11], K[12], K[13], K[14], K[15] + bits);

    w[0] = SIGMA0(digest[1]) + digest[0];
    w[1] = SIGMA1(bits) + SIGMA0(digest[2]) + digest[1];
    w[2] = SIGMA1(w[0]) + SIGMA0(digest[3]) + digest[2];
    w[3] = SIGMA1(w[1]) + SIGMA0(digest[4]) + digest[3];
    w[4] = SIGMA1(w[2]) + SIGMA0(digest[5]) + digest[4];
    w[5] = SIGMA1(w[3]) + SIGMA0(digest[6]) + digest[5];
    w[6] = SIGMA1(w[4]) + bits + SIGMA0(digest[7]) + digest[6];
    w[7] = SIGMA1(w[5]) + w[0] + SIGMA0(end) + digest[7];
    w[8] = SIGMA1(w[6]) + w[1] + end;
    w[9] = SIGMA1(w[7]) + w[2];
    w[10] = SIGMA1(w[8]) + w[3];
    w[11] = SIGMA1(w[9]) + w[4];
    w[12] = SIGMA1(w[10]) + w[5];
    w[13] = SIGMA1(w[11]) + w[6];
    w[14] = SIGMA1(w[12]) + w[7] + SIGMA0(bits);
    w[15] = SIGMA1(w[13]) + w[8] + SIGMA0(w[0]) + bits;
    {
        const int base = 16;
        SIXTEEN_ROUNDS;
    }
    LATE_ROUNDS;
    return a + IV[0];
}

uint64_t pow_run(const struct pow_search *search, uint64_t start, uint64_t count, const volatile unsigned char *stop,
                 int *hit)
{
    uint64_t tried = 0;

    *hit = 0;
    while (tried < count && !*stop) {
        uint64_t end = count - tried > POLL_EVERY ? tried + POLL_EVERY : count;
        while (tried < end) {
            uint64_t digest[8];
            hash_nonce(search, start + tried++, digest);
            if (hash_digest(digest) <= search->target) {
                *hit = 1;
                return tried;
            }
        }
    }
    return tried;
}
