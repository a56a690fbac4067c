/* SHA-512 of X for whole groups of keys, HASH_LANES keys at a time. Included once for each lane count, with HASH_NAME,
   HASH_LANES, HASH_WORD (one word in all lanes) and HASH_TARGET (the attribute naming the instructions) defined. */

HASH_TARGET
static void HASH_NAME(filter_x x, size_t groups, unsigned char (*hashes)[64])
{
    for (size_t key = 0; key < groups * FILTER_LANES; key += HASH_LANES) {
        const HASH_WORD zero = {0};
        uint64_t words[8][HASH_LANES];
        HASH_WORD w[16], a = zero + SHA512_IV[0], b = zero + SHA512_IV[1], c = zero + SHA512_IV[2],
                         d = zero + SHA512_IV[3], e = zero + SHA512_IV[4], f = zero + SHA512_IV[5],
                         g = zero + SHA512_IV[6], h = zero + SHA512_IV[7];

        for (int i = 0; i < 4; i++)
            memcpy(&w[i], &x[key / FILTER_LANES][i][key % FILTER_LANES], sizeof w[i]);
        for (int i = 4; i < 16; i++)
            w[i] = zero;
        w[4] += UINT64_C(1) << 63;
        w[15] += 256; /* bits of X */

        SIXTEEN_ROUNDS(HASH_WORD, a, b, c, d, e, f, g, h, w, 0);
        EXPAND_SIXTEEN(w);
        SIXTEEN_ROUNDS(HASH_WORD, a, b, c, d, e, f, g, h, w, 16);
        for (int base = 32; base < 80; base += 16) {
            EXPAND_SIXTEEN(w);
            SIXTEEN_ROUNDS(HASH_WORD, a, b, c, d, e, f, g, h, w, base);
        }
        w[0] = a + SHA512_IV[0], w[1] = b + SHA512_IV[1], w[2] = c + SHA512_IV[2], w[3] = d + SHA512_IV[3];
        w[4] = e + SHA512_IV[4], w[5] = f + SHA512_IV[5], w[6] = g + SHA512_IV[6], w[7] = h + SHA512_IV[7];
        memcpy(words, w, sizeof words);
        for (int lane = 0; lane < HASH_LANES; lane++)
            for (int i = 0; i < 8; i++) {
                uint64_t word = big_endian(words[i][lane]);
                memcpy(hashes[key + lane] + 8 * i, &word, sizeof word);
            }
    }
}

#undef HASH_WORD
#undef HASH_NAME
#undef HASH_LANES
#undef HASH_TARGET
