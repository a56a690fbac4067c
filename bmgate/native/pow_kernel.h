/* The search for a nonce: included once for each kernel, which defines before
     KERNEL          the name of the function,
     KERNEL_TARGET   the attributes that say which processor it is compiled for and how, or nothing,
     WORD            a uint64_t or a vector of them,
     STREAMS         how many WORDs a step interleaves, 1 or 2 (two hide the latency of wide vectors),
     MAJORITY_FORM   MAJORITY or MAJORITY_BY_TWO.
   A step tries as many nonces as there are uint64_t in its WORDs: consecutive ones in consecutive lanes.

   value = first 8 bytes, big-endian, of SHA512(SHA512(nonce8 || initial_hash64)); a hit has value <= target.
   Both inputs (72 and 64 bytes) fill one block, and only output word 0 is needed. What does not depend on the nonce
   is worked out once: in block 1 only W[0] varies, so round 0 is two additions, K + W of rounds 1 to 15 and a part
   of each of W[16] to W[31] are constants. In block 2 words 8 to 15 are padding. */

#define LANES (STREAMS * sizeof(WORD) / sizeof(uint64_t))

#if STREAMS == 2
#define EACH(statement, ...)   \
    statement(0, __VA_ARGS__); \
    statement(1, __VA_ARGS__)
#else
#define EACH(statement, ...) statement(0, __VA_ARGS__)
#endif

#define SIXTEEN(statement)                                                            \
    EACH(statement, 0); EACH(statement, 1); EACH(statement, 2); EACH(statement, 3);   \
    EACH(statement, 4); EACH(statement, 5); EACH(statement, 6); EACH(statement, 7);   \
    EACH(statement, 8); EACH(statement, 9); EACH(statement, 10); EACH(statement, 11); \
    EACH(statement, 12); EACH(statement, 13); EACH(statement, 14); EACH(statement, 15)

/* Word j (0 is a, 7 is h) of stream s in round i: each round they move by one. */
#define AT(s, i, j) state[s][((j) - (i)) & 7]

#define ROUND_AT(s, i, sum)                                                                                         \
    ROUND_OF_SUM(WORD, MAJORITY_FORM, AT(s, i, 0), AT(s, i, 1), AT(s, i, 2), AT(s, i, 3), AT(s, i, 4), AT(s, i, 5), \
                 AT(s, i, 6), AT(s, i, 7), sum)

/* Rounds 16 to 79, with W[16] to W[31] in w. */
#define SCHEDULED_ROUND(s, i) ROUND_AT(s, i, AT(s, i, 7) + (k[i] + w[s][i]))
#define LATE_ROUND(s, i) EXPAND(w[s], i); SCHEDULED_ROUND(s, i)
#define REMAINING_ROUNDS                                  \
    k = SHA512_K + 16;                                    \
    SIXTEEN(SCHEDULED_ROUND);                             \
    for (k = SHA512_K + 32; k < SHA512_K + 80; k += 16) { \
        SIXTEEN(LATE_ROUND);                              \
    }

/* The words as they stand after round 0, which is folded into first_a and first_e. */
#define FIRST_STATE(s, first_a, first_e)           \
    AT(s, 1, 0) = (first_a);                       \
    AT(s, 1, 4) = (first_e);                       \
    for (int j = 0; j < 3; j++) {                  \
        AT(s, 0, j) = none + SHA512_IV[j];         \
        AT(s, 0, j + 4) = none + SHA512_IV[j + 4]; \
    }

#define BLOCK_1_STATE(s, unused) FIRST_STATE(s, nonce[s] + search->first_a, nonce[s] + search->first_e)
#define BLOCK_1_EARLY_ROUND(s, i) ROUND_AT(s, i, search->rounds[i])
#define BLOCK_1_ROUND(s, i) ROUND_AT(s, i, AT(s, i, 7) + search->rounds[i])
#define BLOCK_1_SCHEDULE(s, fixed)                       \
    w[s][0] = nonce[s] + (fixed)[0];                     \
    w[s][1] = none + (fixed)[1];                         \
    w[s][2] = SIGMA1(w[s][0]) + (fixed)[2];              \
    w[s][3] = none + (fixed)[3];                         \
    w[s][4] = SIGMA1(w[s][2]) + (fixed)[4];              \
    w[s][5] = none + (fixed)[5];                         \
    w[s][6] = SIGMA1(w[s][4]) + (fixed)[6];              \
    w[s][7] = w[s][0] + (fixed)[7];                      \
    w[s][8] = SIGMA1(w[s][6]) + (fixed)[8];              \
    w[s][9] = SIGMA1(w[s][7]) + w[s][2] + (fixed)[9];    \
    w[s][10] = SIGMA1(w[s][8]) + (fixed)[10];            \
    w[s][11] = SIGMA1(w[s][9]) + w[s][4] + (fixed)[11];  \
    w[s][12] = SIGMA1(w[s][10]) + (fixed)[12];           \
    w[s][13] = SIGMA1(w[s][11]) + w[s][6] + (fixed)[13]; \
    w[s][14] = SIGMA1(w[s][12]) + w[s][7] + (fixed)[14]; \
    w[s][15] = SIGMA1(w[s][13]) + w[s][8] + SIGMA0(w[s][0]) + (fixed)[15]

/* Block 2: the digest of block 1 in w[0] to w[7], then POW_END, six zeros and POW_BITS. */
#define DIGEST_WORD(s, i) w[s][i] = state[s][i] + SHA512_IV[i]
#define BLOCK_2_STATE(s, unused) FIRST_STATE(s, w[s][0] + POW_FIRST_A, w[s][0] + POW_FIRST_E)
#define BLOCK_2_EARLY_ROUND(s, i) ROUND_AT(s, i, w[s][i] + (SHA512_IV[7 - (i)] + SHA512_K[i]))
#define BLOCK_2_ROUND(s, i) ROUND_AT(s, i, AT(s, i, 7) + (w[s][i] + SHA512_K[i]))
#define BLOCK_2_PADDING(s, i, word) ROUND_AT(s, i, AT(s, i, 7) + (SHA512_K[i] + (word)))
#define BLOCK_2_SCHEDULE(s, unused)                           \
    w[s][0] += SIGMA0(w[s][1]);                               \
    w[s][1] += SIGMA0(w[s][2]) + SIGMA1(POW_BITS);            \
    w[s][2] += SIGMA0(w[s][3]) + SIGMA1(w[s][0]);             \
    w[s][3] += SIGMA0(w[s][4]) + SIGMA1(w[s][1]);             \
    w[s][4] += SIGMA0(w[s][5]) + SIGMA1(w[s][2]);             \
    w[s][5] += SIGMA0(w[s][6]) + SIGMA1(w[s][3]);             \
    w[s][6] += SIGMA0(w[s][7]) + SIGMA1(w[s][4]) + POW_BITS;  \
    w[s][7] += SIGMA1(w[s][5]) + w[s][0] + SIGMA0(POW_END);   \
    w[s][8] = SIGMA1(w[s][6]) + w[s][1] + POW_END;            \
    w[s][9] = SIGMA1(w[s][7]) + w[s][2];                      \
    w[s][10] = SIGMA1(w[s][8]) + w[s][3];                     \
    w[s][11] = SIGMA1(w[s][9]) + w[s][4];                     \
    w[s][12] = SIGMA1(w[s][10]) + w[s][5];                    \
    w[s][13] = SIGMA1(w[s][11]) + w[s][6];                    \
    w[s][14] = SIGMA1(w[s][12]) + w[s][7] + SIGMA0(POW_BITS); \
    w[s][15] = SIGMA1(w[s][13]) + w[s][8] + SIGMA0(w[s][0]) + POW_BITS

KERNEL_TARGET
static uint64_t KERNEL(const struct pow_search *search, uint64_t start, uint64_t count,
                       const volatile unsigned char *stop, int *hit)
{
    const WORD none = {0};
    WORD lane_numbers[STREAMS];
    uint64_t value[LANES], tried = 0;

    for (unsigned lane = 0; lane < LANES; lane++)
        value[lane] = lane;
    memcpy(lane_numbers, value, sizeof value);
    *hit = 0;
    while (tried < count && !*stop) {
        uint64_t end = count - tried > POW_POLL_EVERY ? tried + POW_POLL_EVERY : count;
        for (; tried < end; tried += LANES) {
            WORD nonce[STREAMS], state[STREAMS][8], w[STREAMS][16];
            const uint64_t *k;
            uint64_t any = 0;

            for (int s = 0; s < STREAMS; s++)
                nonce[s] = lane_numbers[s] + (start + tried);
            EACH(BLOCK_1_STATE, 0);
            EACH(BLOCK_1_EARLY_ROUND, 1); EACH(BLOCK_1_EARLY_ROUND, 2); EACH(BLOCK_1_EARLY_ROUND, 3);
            EACH(BLOCK_1_ROUND, 4); EACH(BLOCK_1_ROUND, 5); EACH(BLOCK_1_ROUND, 6); EACH(BLOCK_1_ROUND, 7);
            EACH(BLOCK_1_ROUND, 8); EACH(BLOCK_1_ROUND, 9); EACH(BLOCK_1_ROUND, 10); EACH(BLOCK_1_ROUND, 11);
            EACH(BLOCK_1_ROUND, 12); EACH(BLOCK_1_ROUND, 13); EACH(BLOCK_1_ROUND, 14); EACH(BLOCK_1_ROUND, 15);
            EACH(BLOCK_1_SCHEDULE, search->schedule);
            REMAINING_ROUNDS

            EACH(DIGEST_WORD, 0); EACH(DIGEST_WORD, 1); EACH(DIGEST_WORD, 2); EACH(DIGEST_WORD, 3);
            EACH(DIGEST_WORD, 4); EACH(DIGEST_WORD, 5); EACH(DIGEST_WORD, 6); EACH(DIGEST_WORD, 7);
            EACH(BLOCK_2_STATE, 0);
            EACH(BLOCK_2_EARLY_ROUND, 1); EACH(BLOCK_2_EARLY_ROUND, 2); EACH(BLOCK_2_EARLY_ROUND, 3);
            EACH(BLOCK_2_ROUND, 4); EACH(BLOCK_2_ROUND, 5); EACH(BLOCK_2_ROUND, 6); EACH(BLOCK_2_ROUND, 7);
            EACH(BLOCK_2_PADDING, 8, POW_END); EACH(BLOCK_2_PADDING, 9, 0); EACH(BLOCK_2_PADDING, 10, 0);
            EACH(BLOCK_2_PADDING, 11, 0); EACH(BLOCK_2_PADDING, 12, 0); EACH(BLOCK_2_PADDING, 13, 0);
            EACH(BLOCK_2_PADDING, 14, 0); EACH(BLOCK_2_PADDING, 15, POW_BITS);
            EACH(BLOCK_2_SCHEDULE, 0);
            REMAINING_ROUNDS

            for (int s = 0; s < STREAMS; s++)
                nonce[s] = state[s][0] + SHA512_IV[0];
            memcpy(value, nonce, sizeof value);
            for (unsigned lane = 0; lane < LANES; lane++)
                any |= value[lane] <= search->target;
            if (any)
                for (unsigned lane = 0; lane < LANES && lane < end - tried; lane++)
                    if (value[lane] <= search->target) {
                        *hit = 1;
                        return tried + lane + 1;
                    }
        }
        tried = end;
    }
    return tried;
}

#undef LANES
#undef EACH
#undef SIXTEEN
#undef AT
#undef ROUND_AT
#undef SCHEDULED_ROUND
#undef LATE_ROUND
#undef REMAINING_ROUNDS
#undef FIRST_STATE
#undef BLOCK_1_STATE
#undef BLOCK_1_EARLY_ROUND
#undef BLOCK_1_ROUND
#undef BLOCK_1_SCHEDULE
#undef DIGEST_WORD
#undef BLOCK_2_STATE
#undef BLOCK_2_EARLY_ROUND
#undef BLOCK_2_ROUND
#undef BLOCK_2_PADDING
#undef BLOCK_2_SCHEDULE
#undef KERNEL
#undef KERNEL_TARGET
#undef WORD
#undef STREAMS
#undef MAJORITY_FORM
