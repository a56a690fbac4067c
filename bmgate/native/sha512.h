/* SHA-512: its constants, and its rounds as macros for whatever type the words have.

   A word is a uint64_t or a GCC vector of them (`typedef uint64_t lanes __attribute__((vector_size(32)))`): then
   each lane hashes a message of its own. Macros, because functions that take vectors are not inlined into functions
   compiled for another processor. Words are numbers: big-endian bytes become numbers before, and bytes after. */
#ifndef BMGATE_SHA512_H
#define BMGATE_SHA512_H

#include <stdint.h>

static const uint64_t SHA512_IV[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

static const uint64_t SHA512_K[80] = {
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
/* The same where no instruction takes three operands: y ^ z is x ^ y of the round before. */
#define MAJORITY_BY_TWO(x, y, z) ((y) ^ (((x) ^ (y)) & ((y) ^ (z))))

/* One round, `sum` being h + K[i] + W[i]; the caller renames the words instead of moving them. */
#define ROUND_OF_SUM(word, majority, a, b, c, d, e, f, g, h, sum) \
    do {                                                          \
        word t_ = SUM1(e) + CHOOSE(e, f, g) + (sum);              \
        (h) = t_ + SUM0(a) + majority(a, b, c);                   \
        (d) += t_;                                                \
    } while (0)

/* One round with k = K[i] + W[i]. */
#define ROUND(word, a, b, c, d, e, f, g, h, k) ROUND_OF_SUM(word, MAJORITY, a, b, c, d, e, f, g, h, (h) + (k))

/* Eight rounds, after which the words have their names again. */
#define EIGHT_ROUNDS(word, a, b, c, d, e, f, g, h, k0, k1, k2, k3, k4, k5, k6, k7) \
    do {                                                                           \
        ROUND(word, a, b, c, d, e, f, g, h, k0);                                   \
        ROUND(word, h, a, b, c, d, e, f, g, k1);                                   \
        ROUND(word, g, h, a, b, c, d, e, f, k2);                                   \
        ROUND(word, f, g, h, a, b, c, d, e, k3);                                   \
        ROUND(word, e, f, g, h, a, b, c, d, k4);                                   \
        ROUND(word, d, e, f, g, h, a, b, c, k5);                                   \
        ROUND(word, c, d, e, f, g, h, a, b, k6);                                   \
        ROUND(word, b, c, d, e, f, g, h, a, k7);                                   \
    } while (0)

/* W[base+16+i] in the place of W[base+i], in a ring of sixteen words. */
#define EXPAND(w, i) ((w)[i] += SIGMA1((w)[((i) + 14) & 15]) + (w)[((i) + 9) & 15] + SIGMA0((w)[((i) + 1) & 15]))

#define EXPAND_SIXTEEN(w)                                           \
    do {                                                            \
        EXPAND(w, 0), EXPAND(w, 1), EXPAND(w, 2), EXPAND(w, 3);     \
        EXPAND(w, 4), EXPAND(w, 5), EXPAND(w, 6), EXPAND(w, 7);     \
        EXPAND(w, 8), EXPAND(w, 9), EXPAND(w, 10), EXPAND(w, 11);   \
        EXPAND(w, 12), EXPAND(w, 13), EXPAND(w, 14), EXPAND(w, 15); \
    } while (0)

/* The sixteen rounds from `base` on, with W[base] to W[base+15] in w. */
#define SIXTEEN_ROUNDS(word, a, b, c, d, e, f, g, h, w, base)                                                   \
    do {                                                                                                        \
        const uint64_t *k_ = SHA512_K + (base);                                                                 \
        EIGHT_ROUNDS(word, a, b, c, d, e, f, g, h, k_[0] + (w)[0], k_[1] + (w)[1], k_[2] + (w)[2],              \
                     k_[3] + (w)[3], k_[4] + (w)[4], k_[5] + (w)[5], k_[6] + (w)[6], k_[7] + (w)[7]);           \
        EIGHT_ROUNDS(word, a, b, c, d, e, f, g, h, k_[8] + (w)[8], k_[9] + (w)[9], k_[10] + (w)[10],            \
                     k_[11] + (w)[11], k_[12] + (w)[12], k_[13] + (w)[13], k_[14] + (w)[14], k_[15] + (w)[15]); \
    } while (0)

#endif
