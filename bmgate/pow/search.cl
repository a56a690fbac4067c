/* Proof of work on an OpenCL device: each work item tries LANES consecutive nonces.
 *
 * A trial is SHA-512 of SHA-512(nonce, initial hash); each input fits one block, so it is two compressions, and only
 * the first word of the last one counts. WORD and LANES come from the build: a scalar on graphics processors, a vector
 * on others. Source: FIPS 180-4; protocol specification v3, "Proof of work".
 */

__constant ulong K[80] = {
    0x428a2f98d728ae22UL, 0x7137449123ef65cdUL, 0xb5c0fbcfec4d3b2fUL, 0xe9b5dba58189dbbcUL, 0x3956c25bf348b538UL,
    0x59f111f1b605d019UL, 0x923f82a4af194f9bUL, 0xab1c5ed5da6d8118UL, 0xd807aa98a3030242UL, 0x12835b0145706fbeUL,
    0x243185be4ee4b28cUL, 0x550c7dc3d5ffb4e2UL, 0x72be5d74f27b896fUL, 0x80deb1fe3b1696b1UL, 0x9bdc06a725c71235UL,
    0xc19bf174cf692694UL, 0xe49b69c19ef14ad2UL, 0xefbe4786384f25e3UL, 0x0fc19dc68b8cd5b5UL, 0x240ca1cc77ac9c65UL,
    0x2de92c6f592b0275UL, 0x4a7484aa6ea6e483UL, 0x5cb0a9dcbd41fbd4UL, 0x76f988da831153b5UL, 0x983e5152ee66dfabUL,
    0xa831c66d2db43210UL, 0xb00327c898fb213fUL, 0xbf597fc7beef0ee4UL, 0xc6e00bf33da88fc2UL, 0xd5a79147930aa725UL,
    0x06ca6351e003826fUL, 0x142929670a0e6e70UL, 0x27b70a8546d22ffcUL, 0x2e1b21385c26c926UL, 0x4d2c6dfc5ac42aedUL,
    0x53380d139d95b3dfUL, 0x650a73548baf63deUL, 0x766a0abb3c77b2a8UL, 0x81c2c92e47edaee6UL, 0x92722c851482353bUL,
    0xa2bfe8a14cf10364UL, 0xa81a664bbc423001UL, 0xc24b8b70d0f89791UL, 0xc76c51a30654be30UL, 0xd192e819d6ef5218UL,
    0xd69906245565a910UL, 0xf40e35855771202aUL, 0x106aa07032bbd1b8UL, 0x19a4c116b8d2d0c8UL, 0x1e376c085141ab53UL,
    0x2748774cdf8eeb99UL, 0x34b0bcb5e19b48a8UL, 0x391c0cb3c5c95a63UL, 0x4ed8aa4ae3418acbUL, 0x5b9cca4f7763e373UL,
    0x682e6ff3d6b2b8a3UL, 0x748f82ee5defb2fcUL, 0x78a5636f43172f60UL, 0x84c87814a1f0ab72UL, 0x8cc702081a6439ecUL,
    0x90befffa23631e28UL, 0xa4506cebde82bde9UL, 0xbef9a3f7b2c67915UL, 0xc67178f2e372532bUL, 0xca273eceea26619cUL,
    0xd186b8c721c0c207UL, 0xeada7dd6cde0eb1eUL, 0xf57d4f7fee6ed178UL, 0x06f067aa72176fbaUL, 0x0a637dc5a2c898a6UL,
    0x113f9804bef90daeUL, 0x1b710b35131c471bUL, 0x28db77f523047d84UL, 0x32caab7b40c72493UL, 0x3c9ebe0a15c9bebcUL,
    0x431d67c49c100d4cUL, 0x4cc5d4becb3e42b6UL, 0x597f299cfc657e2aUL, 0x5fcb6fab3ad6faecUL, 0x6c44198c4a475817UL,
};

__constant ulong IV[8] = {
    0x6a09e667f3bcc908UL, 0xbb67ae8584caa73bUL, 0x3c6ef372fe94f82bUL, 0xa54ff53a5f1d36f1UL,
    0x510e527fade682d1UL, 0x9b05688c2b3e6c1fUL, 0x1f83d9abfb41bd6bUL, 0x5be0cd19137e2179UL,
};

#define ROR(x, n) rotate((x), (WORD)(64 - (n)))
#define BIG0(x) (ROR(x, 28) ^ ROR(x, 34) ^ ROR(x, 39))
#define BIG1(x) (ROR(x, 14) ^ ROR(x, 18) ^ ROR(x, 41))
#define SMALL0(x) (ROR(x, 1) ^ ROR(x, 8) ^ ((x) >> 7))
#define SMALL1(x) (ROR(x, 19) ^ ROR(x, 61) ^ ((x) >> 6))

#define ROUND(a, b, c, d, e, f, g, h, i)                                                    \
    do {                                                                                    \
        WORD t = h + BIG1(e) + bitselect(g, f, e) + (WORD)(K[from + (i)]) + w[i];           \
        d += t;                                                                             \
        h = t + BIG0(a) + bitselect(a, b, a ^ c);                                           \
    } while (0)

#define EIGHT_ROUNDS(i)                     \
    ROUND(a, b, c, d, e, f, g, h, (i));     \
    ROUND(h, a, b, c, d, e, f, g, (i) + 1); \
    ROUND(g, h, a, b, c, d, e, f, (i) + 2); \
    ROUND(f, g, h, a, b, c, d, e, (i) + 3); \
    ROUND(e, f, g, h, a, b, c, d, (i) + 4); \
    ROUND(d, e, f, g, h, a, b, c, (i) + 5); \
    ROUND(c, d, e, f, g, h, a, b, (i) + 6); \
    ROUND(b, c, d, e, f, g, h, a, (i) + 7)

#define NEXT(i) w[i] += SMALL1(w[((i) + 14) & 15]) + w[((i) + 9) & 15] + SMALL0(w[((i) + 1) & 15])
#define FOUR_NEXT(i) NEXT(i); NEXT((i) + 1); NEXT((i) + 2); NEXT((i) + 3)

/* The 80 rounds over the block `w`, which is used up. */
#define COMPRESS()                                                \
    do {                                                          \
        a = IV[0], b = IV[1], c = IV[2], d = IV[3];               \
        e = IV[4], f = IV[5], g = IV[6], h = IV[7];               \
        for (int from = 0;; from += 16) {                         \
            EIGHT_ROUNDS(0);                                      \
            EIGHT_ROUNDS(8);                                      \
            if (from == 64)                                       \
                break;                                            \
            FOUR_NEXT(0); FOUR_NEXT(4); FOUR_NEXT(8); FOUR_NEXT(12); \
        }                                                         \
    } while (0)

/* `found` holds the least offset from `start` that hit; it comes as 0xffffffff. */
__kernel void search(__constant ulong *initial_hash, ulong target, ulong start, __global volatile uint *found)
{
    const uint offset = (uint)get_global_id(0) * LANES;
    WORD a, b, c, d, e, f, g, h, w[16];

#if LANES == 1
    w[0] = start + offset;
#else
    w[0] = (WORD)(start + offset) + (WORD)(0, 1, 2, 3, 4, 5, 6, 7);
#endif
    for (int i = 0; i < 8; i++)
        w[1 + i] = initial_hash[i];
    w[9] = 0x8000000000000000UL;
    for (int i = 10; i < 15; i++)
        w[i] = 0;
    w[15] = 72 * 8;
    COMPRESS();

    w[0] = a + IV[0], w[1] = b + IV[1], w[2] = c + IV[2], w[3] = d + IV[3];
    w[4] = e + IV[4], w[5] = f + IV[5], w[6] = g + IV[6], w[7] = h + IV[7];
    w[8] = 0x8000000000000000UL;
    for (int i = 9; i < 15; i++)
        w[i] = 0;
    w[15] = 64 * 8;
    COMPRESS();

#if LANES == 1
    if (a + IV[0] <= target)
        atomic_min(found, offset);
#else
    ulong values[LANES];
    vstore8(a + IV[0], 0, values);
    for (uint lane = 0; lane < LANES; lane++)
        if (values[lane] <= target)
            atomic_min(found, offset + lane);
#endif
}
