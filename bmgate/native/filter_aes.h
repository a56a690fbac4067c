/* One block deciphered by AES-256 with many keys, AES_BLOCKS in a register and four registers at a time. Included once
   for each instruction set, with these defined (`x`, `y`: an AES_BLOCK; "word": one of the four 32-bit words of each
   block, the last in memory being word 3; `zero` stands for a block of zeros):

   AES_NAME, AES_BLOCK, AES_BLOCKS, AES_TARGET
   AES_LOAD(hashes, at)             the block that begins at byte `at` of each of AES_BLOCKS hashes
   AES_SPREAD(from)                 one block, repeated
   AES_STORE(to, x)
   AES_XOR(x, y), AES_UP(x, words)  shifted towards word 3
   AES_LAST(x), AES_TURNED(x)       word 3, plain or with its bytes rotated as RotWord does, in all four words
   AES_ENCRYPT_LAST(x, y), AES_DECRYPT(x, y), AES_DECRYPT_LAST(x, y), AES_UNMIX(x)  as AESENCLAST to AESIMC do

   The key schedule's SubWord is AES_ENCRYPT_LAST of four equal words, which its ShiftRows leaves where they are.
   Source: FIPS 197, 5.2 and 5.3.5. */

/* The round key after next in the place of `low`; `word3` is of the one between. */
#define AES_EXPAND(low, word3, constant)                                                      \
    do {                                                                                      \
        AES_BLOCK half_ = AES_XOR(low, AES_UP(low, 1));                                       \
        (low) = AES_XOR(AES_XOR(half_, AES_UP(half_, 2)), AES_ENCRYPT_LAST(word3, constant)); \
    } while (0)

#define AES_FOUR(action) action(0) action(1) action(2) action(3)
#define AES_TAKE_KEY(j)                                    \
    low##j = AES_LOAD(hashes + key + j * AES_BLOCKS, 0);   \
    high##j = AES_LOAD(hashes + key + j * AES_BLOCKS, 16); \
    round_keys[0][j] = low##j, round_keys[1][j] = AES_UNMIX(high##j);
#define AES_EXPAND_LOW(j)                              \
    AES_EXPAND(low##j, AES_TURNED(high##j), constant); \
    round_keys[round][j] = AES_UNMIX(low##j);
#define AES_EXPAND_HIGH(j)                       \
    AES_EXPAND(high##j, AES_LAST(low##j), zero); \
    round_keys[round + 1][j] = AES_UNMIX(high##j);
#define AES_LAST_ROUND_KEY(j)                          \
    AES_EXPAND(low##j, AES_TURNED(high##j), constant); \
    low##j = AES_XOR(low##j, cipher);
#define AES_ROUND(j) low##j = AES_DECRYPT(low##j, round_keys[round][j]);
#define AES_FINISH(j)                                    \
    low##j = AES_DECRYPT_LAST(low##j, round_keys[0][j]); \
    AES_STORE(plain + key + j * AES_BLOCKS, AES_XOR(low##j, previous));

/* `block` deciphered with the first 32 bytes of each of `count` hashes, a multiple of 16, and XORed with `before`. */
AES_TARGET
static void AES_NAME(unsigned char (*hashes)[64], size_t count, const unsigned char block[16],
                     const unsigned char before[16], unsigned char (*plain)[16])
{
    const AES_BLOCK cipher = AES_SPREAD(block), previous = AES_SPREAD(before), zero = AES_XOR(cipher, cipher);

    for (size_t key = 0; key < count; key += 4 * AES_BLOCKS) {
        AES_BLOCK round_keys[14][4], low0, low1, low2, low3, high0, high1, high2, high3, constant;
        int round = 2;

        AES_FOUR(AES_TAKE_KEY)
        for (; round < 14; round += 2) {
            constant = AES_SPREAD(round_constants[round / 2 - 1]);
            AES_FOUR(AES_EXPAND_LOW)
            AES_FOUR(AES_EXPAND_HIGH)
        }
        constant = AES_SPREAD(round_constants[6]);
        AES_FOUR(AES_LAST_ROUND_KEY)
        for (round = 13; round > 0; round--) {
            AES_FOUR(AES_ROUND)
        }
        AES_FOUR(AES_FINISH)
    }
}

#undef AES_NAME
#undef AES_BLOCK
#undef AES_BLOCKS
#undef AES_TARGET
#undef AES_LOAD
#undef AES_SPREAD
#undef AES_STORE
#undef AES_XOR
#undef AES_UP
#undef AES_LAST
#undef AES_TURNED
#undef AES_ENCRYPT_LAST
#undef AES_DECRYPT
#undef AES_DECRYPT_LAST
#undef AES_UNMIX
#undef AES_EXPAND
#undef AES_FOUR
#undef AES_TAKE_KEY
#undef AES_EXPAND_LOW
#undef AES_EXPAND_HIGH
#undef AES_LAST_ROUND_KEY
#undef AES_ROUND
#undef AES_FINISH
