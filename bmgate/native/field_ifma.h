/* The field of secp256k1 in AVX-512 IFMA: eight elements, five limbs of 52 bits.

   The multiplier reads the low 52 bits of a limb and drops the rest without a sign. So a factor's limbs must have been
   carried; but bits that were carried upwards may stand where they were, for the multiplier does not see them:
   fe_mul and fe_sub leave them in (`unmasked`), fe_get and the last operand of fe_sqr_sub take them off. Differences
   are signed until they are carried. */
#ifndef BMGATE_FIELD_IFMA_H
#define BMGATE_FIELD_IFMA_H

#include <immintrin.h>

#define LANES 8
#define CHAINS 2

typedef __m512i vec;

typedef struct {
    vec n[5];
} fe;

#define LIMB (UINT64_MAX >> 12)
#define TOP (UINT64_MAX >> 16)
#define FOLD UINT64_C(0x1000003D1) /* 2^256 mod p */

#define ALL(value) _mm512_set1_epi64((int64_t)(value))
#define ADD(a, b) _mm512_add_epi64(a, b)
#define SUB(a, b) _mm512_sub_epi64(a, b)
#define AND(a, b) _mm512_and_si512(a, b)
#define LOW(sum, a, b) _mm512_madd52lo_epu64(sum, a, b)
#define HIGH(sum, a, b) _mm512_madd52hi_epu64(sum, a, b)

#define MULTIPLY_ROW(c, i, a, b)               \
    do {                                       \
        (c)[i] = LOW((c)[i], a, (b)[0]);       \
        (c)[i + 1] = LOW((c)[i + 1], a, (b)[1]); \
        (c)[i + 2] = LOW((c)[i + 2], a, (b)[2]); \
        (c)[i + 3] = LOW((c)[i + 3], a, (b)[3]); \
        (c)[i + 4] = LOW((c)[i + 4], a, (b)[4]); \
        (c)[i + 1] = HIGH((c)[i + 1], a, (b)[0]); \
        (c)[i + 2] = HIGH((c)[i + 2], a, (b)[1]); \
        (c)[i + 3] = HIGH((c)[i + 3], a, (b)[2]); \
        (c)[i + 4] = HIGH((c)[i + 4], a, (b)[3]); \
        (c)[i + 5] = HIGH((c)[i + 5], a, (b)[4]); \
    } while (0)

/* Adds a*b to ten columns. */
FIELD_FUNCTION add_product(vec c[10], const vec a[5], const vec b[5])
{
    MULTIPLY_ROW(c, 0, a[0], b);
    MULTIPLY_ROW(c, 1, a[1], b);
    MULTIPLY_ROW(c, 2, a[2], b);
    MULTIPLY_ROW(c, 3, a[3], b);
    MULTIPLY_ROW(c, 4, a[4], b);
}

/* Ten columns of up to 2^57 become five limbs, unmasked. Columns 5 to 9 are worth 2^260 and come back times
   2^260 mod p; so do, before the last carry, what that leaves above them and what stands above 2^256. */
FIELD_FUNCTION reduce(fe *r, vec c[10])
{
    const vec fold = ALL(FOLD), fold_260 = ALL(FOLD << 4);
    vec top;

    c[6] = ADD(c[6], _mm512_srli_epi64(c[5], 52));
    c[0] = LOW(c[0], c[5], fold_260);
    c[1] = HIGH(c[1], c[5], fold_260);
    c[7] = ADD(c[7], _mm512_srli_epi64(c[6], 52));
    c[1] = LOW(c[1], c[6], fold_260);
    c[2] = HIGH(c[2], c[6], fold_260);
    c[8] = ADD(c[8], _mm512_srli_epi64(c[7], 52));
    c[2] = LOW(c[2], c[7], fold_260);
    c[3] = HIGH(c[3], c[7], fold_260);
    c[9] = ADD(c[9], _mm512_srli_epi64(c[8], 52));
    c[4] = LOW(c[4], c[9], fold_260);
    c[4] = HIGH(c[4], c[8], fold_260);
    c[3] = LOW(c[3], c[8], fold_260);
    top = HIGH(_mm512_setzero_si512(), c[9], fold_260);
    top = ADD(_mm512_slli_epi64(top, 4), _mm512_srli_epi64(c[4], 48));
    r->n[0] = LOW(c[0], top, fold);
    r->n[1] = HIGH(c[1], top, fold);
    r->n[1] = ADD(r->n[1], _mm512_srli_epi64(r->n[0], 52));
    r->n[2] = ADD(c[2], _mm512_srli_epi64(r->n[1], 52));
    r->n[3] = ADD(c[3], _mm512_srli_epi64(r->n[2], 52));
    r->n[4] = ADD(AND(c[4], ALL(TOP)), _mm512_srli_epi64(r->n[3], 52));
}

FIELD_FUNCTION fe_mask(fe *r)
{
    for (int i = 0; i < 4; i++)
        r->n[i] = AND(r->n[i], ALL(LIMB));
}

FIELD_FUNCTION clear_columns(vec *c, int count)
{
    for (int i = 0; i < count; i++)
        c[i] = _mm512_setzero_si512();
}

FIELD_FUNCTION fe_mul(fe *r, const fe *a, const fe *b)
{
    vec c[10];

    clear_columns(c, 10);
    add_product(c, a->n, b->n);
    reduce(r, c);
}

#define TIMES_P(m, limb) ALL((limb) == 0 ? (m) * (LIMB + 1 - FOLD) : (limb) == 4 ? (m) * TOP : (m) * LIMB)

FIELD_FUNCTION fe_mul_sub(fe *r, const fe *a, const fe *b, const fe *subtracted)
{
    vec c[10];

    for (int i = 0; i < 5; i++)
        c[i] = SUB(TIMES_P(2, i), subtracted->n[i]);
    clear_columns(c + 5, 5);
    add_product(c, a->n, b->n);
    reduce(r, c);
    fe_mask(r);
}

/* Products of different limbs count twice, and so does what is to be subtracted twice. */
FIELD_FUNCTION fe_sqr_sub(fe *r, const fe *a, const fe *twice, const fe *once)
{
    const vec *n = a->n;
    vec c[10];

    for (int i = 0; i < 5; i++)
        c[i] = SUB(TIMES_P(4, i), twice->n[i]);
    clear_columns(c + 5, 5);
    c[1] = LOW(c[1], n[0], n[1]);
    c[2] = LOW(c[2], n[0], n[2]);
    c[3] = LOW(c[3], n[0], n[3]);
    c[4] = LOW(c[4], n[0], n[4]);
    c[5] = LOW(c[5], n[1], n[4]);
    c[6] = LOW(c[6], n[2], n[4]);
    c[7] = LOW(c[7], n[3], n[4]);
    c[8] = HIGH(c[8], n[3], n[4]);
    c[2] = HIGH(c[2], n[0], n[1]);
    c[3] = HIGH(c[3], n[0], n[2]);
    c[4] = HIGH(c[4], n[0], n[3]);
    c[5] = HIGH(c[5], n[0], n[4]);
    c[6] = HIGH(c[6], n[1], n[4]);
    c[7] = HIGH(c[7], n[2], n[4]);
    c[3] = LOW(c[3], n[1], n[2]);
    c[4] = LOW(c[4], n[1], n[3]);
    c[5] = LOW(c[5], n[2], n[3]);
    c[6] = HIGH(c[6], n[2], n[3]);
    c[4] = HIGH(c[4], n[1], n[2]);
    c[5] = HIGH(c[5], n[1], n[3]);
    for (int i = 0; i < 9; i++)
        c[i] = ADD(c[i], c[i]);
    for (int i = 0; i < 5; i++)
        c[i] = SUB(c[i], i < 4 ? AND(once->n[i], ALL(LIMB)) : once->n[i]);
    for (int i = 0; i < 5; i++) {
        c[2 * i] = LOW(c[2 * i], n[i], n[i]);
        c[2 * i + 1] = HIGH(c[2 * i + 1], n[i], n[i]);
    }
    reduce(r, c);
    fe_mask(r);
}

/* a - b + 4p, where 4p is 2^258 - 4 FOLD. */
FIELD_FUNCTION fe_sub(fe *r, const fe *a, const fe *b)
{
    r->n[0] = ADD(SUB(a->n[0], b->n[0]), ALL(0 - 4 * FOLD));
    for (int i = 1; i < 4; i++)
        r->n[i] = ADD(SUB(a->n[i], b->n[i]), _mm512_srai_epi64(r->n[i - 1], 52));
    r->n[4] = ADD(SUB(a->n[4], b->n[4]), ADD(ALL((TOP + 1) * 4), _mm512_srai_epi64(r->n[3], 52)));
}

/* Limbs of 52 bits from words of 64. */
FIELD_FUNCTION unpack(fe *r, vec w0, vec w1, vec w2, vec w3)
{
    r->n[0] = w0;
    r->n[1] = _mm512_shrdi_epi64(w0, w1, 52);
    r->n[2] = _mm512_shrdi_epi64(w1, w2, 40);
    r->n[3] = _mm512_shrdi_epi64(w2, w3, 28);
    r->n[4] = _mm512_srli_epi64(w3, 16);
    fe_mask(r);
}

FIELD_FUNCTION fe_set(fe *r, const uint64_t words[4][LANES])
{
    unpack(r, _mm512_loadu_si512(words[0]), _mm512_loadu_si512(words[1]), _mm512_loadu_si512(words[2]),
           _mm512_loadu_si512(words[3]));
}

/* Carries masked limbs into 256 bits as far as `over`, what stands above them, comes back in below. */
FIELD_FUNCTION fold_over(fe *t, vec over)
{
    t->n[0] = LOW(t->n[0], over, ALL(FOLD));
    for (int i = 0; i < 4; i++)
        t->n[i + 1] = ADD(t->n[i + 1], _mm512_srli_epi64(t->n[i], 52));
    fe_mask(t);
}

FIELD_FUNCTION fe_get(uint64_t words[4][LANES], const fe *a)
{
    fe t = *a;
    vec over;

    fe_mask(&t);
    for (int i = 0; i < 2; i++) { /* the first may leave a 257th bit, with little below it */
        over = _mm512_srli_epi64(t.n[4], 48);
        t.n[4] = AND(t.n[4], ALL(TOP));
        fold_over(&t, over);
    }
    over = _mm512_srli_epi64(ADD(t.n[0], ALL(FOLD)), 52); /* t >= p where t + 2^256 - p has a 257th bit */
    over = _mm512_srli_epi64(ADD(t.n[1], over), 52);
    over = _mm512_srli_epi64(ADD(t.n[2], over), 52);
    over = _mm512_srli_epi64(ADD(t.n[3], over), 52);
    over = _mm512_srli_epi64(ADD(t.n[4], over), 48);
    fold_over(&t, over);
    _mm512_storeu_si512(words[0], _mm512_or_si512(t.n[0], _mm512_slli_epi64(t.n[1], 52)));
    _mm512_storeu_si512(words[1], _mm512_or_si512(_mm512_srli_epi64(t.n[1], 12), _mm512_slli_epi64(t.n[2], 40)));
    _mm512_storeu_si512(words[2], _mm512_or_si512(_mm512_srli_epi64(t.n[2], 24), _mm512_slli_epi64(t.n[3], 28)));
    _mm512_storeu_si512(words[3], _mm512_or_si512(_mm512_srli_epi64(t.n[3], 36), _mm512_slli_epi64(t.n[4], 16)));
}

#define FIELD_ROTATES

FIELD_FUNCTION fe_rotate(fe *r, const fe *a, int distance)
{
    const vec lanes = ADD(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), ALL(distance)); /* modulo 8 */

    for (int i = 0; i < 5; i++)
        r->n[i] = _mm512_permutexvar_epi64(lanes, a->n[i]);
}

/* y, or -y in the lanes chosen. */
FIELD_FUNCTION negate(fe *y, __mmask8 negative)
{
    for (int i = 0; i < 5; i++)
        y->n[i] = _mm512_mask_sub_epi64(y->n[i], negative, _mm512_setzero_si512(), y->n[i]);
}

/* One word of the entries chosen, for each chain. Two registers hold it of 16 entries, and one instruction chooses among
   those; then the index's higher bits choose among what that left. */
FIELD_FUNCTION choose_word(vec words[CHAINS], const uint64_t *entries, const vec index[CHAINS],
                           const __mmask8 upper_16[CHAINS], const __mmask8 upper_32[CHAINS], int count)
{
    vec chosen[CHAINS][4];

    UNROLL for (int i = 0; i < count / 16; i++) {
        const vec lower = _mm512_load_si512(entries + 16 * i), upper = _mm512_load_si512(entries + 16 * i + 8);
        EACH_CHAIN chosen[chain][i] = _mm512_permutex2var_epi64(lower, index[chain], upper);
    }
    UNROLL for (int i = 0; i + 1 < count / 16; i += 2)
        EACH_CHAIN chosen[chain][i] = _mm512_mask_mov_epi64(chosen[chain][i], upper_16[chain], chosen[chain][i + 1]);
    if (count == 64)
        EACH_CHAIN chosen[chain][0] = _mm512_mask_mov_epi64(chosen[chain][0], upper_32[chain], chosen[chain][2]);
    EACH_CHAIN words[chain] = chosen[chain][0];
}

FIELD_FUNCTION look_up_constant(fe x[CHAINS], fe y[CHAINS], const uint64_t *window, const unsigned char *digits, int count)
{
    vec index[CHAINS], words[8][CHAINS];
    __mmask8 upper_16[CHAINS], upper_32[CHAINS];

    EACH_CHAIN index[chain] =
        _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)(const void *)(digits + LANES * chain)));
    EACH_CHAIN upper_16[chain] = _mm512_test_epi64_mask(index[chain], ALL(16));
    EACH_CHAIN upper_32[chain] = _mm512_test_epi64_mask(index[chain], ALL(32));
    UNROLL for (int word = 0; word < 8; word++)
        choose_word(words[word], window + word * count, index, upper_16, upper_32, count);
    EACH_CHAIN unpack(&x[chain], words[0][chain], words[1][chain], words[2][chain], words[3][chain]);
    EACH_CHAIN unpack(&y[chain], words[4][chain], words[5][chain], words[6][chain], words[7][chain]);
    EACH_CHAIN negate(&y[chain], _mm512_test_epi64_mask(index[chain], ALL(128)));
}

#define LANE_PAIRS(lower, upper, rows) _mm512_shuffle_i64x2(lower, upper, rows)

/* Eight entries of eight words, one to a lane: loaded as rows and transposed. */
FIELD_FUNCTION load_entries(fe *x, fe *y, const uint64_t *const entries[LANES])
{
    vec row[8], pair[8], half[8];

    for (int i = 0; i < 8; i++)
        row[i] = _mm512_load_si512(entries[i]);
    for (int i = 0; i < 8; i += 2) { /* words 0 2 4 6 of two rows, words 1 3 5 7 of two rows */
        pair[i] = _mm512_unpacklo_epi64(row[i], row[i + 1]);
        pair[i + 1] = _mm512_unpackhi_epi64(row[i], row[i + 1]);
    }
    for (int i = 0; i < 2; i++) /* words i and i + 4, then i + 2 and i + 6, of four rows */
        for (int rows = 0; rows < 2; rows++) {
            half[4 * rows + i] = LANE_PAIRS(pair[4 * rows + i], pair[4 * rows + 2 + i], 0x88);
            half[4 * rows + 2 + i] = LANE_PAIRS(pair[4 * rows + i], pair[4 * rows + 2 + i], 0xDD);
        }
    unpack(x, LANE_PAIRS(half[0], half[4], 0x88), LANE_PAIRS(half[1], half[5], 0x88), LANE_PAIRS(half[2], half[6], 0x88),
           LANE_PAIRS(half[3], half[7], 0x88));
    unpack(y, LANE_PAIRS(half[0], half[4], 0xDD), LANE_PAIRS(half[1], half[5], 0xDD), LANE_PAIRS(half[2], half[6], 0xDD),
           LANE_PAIRS(half[3], half[7], 0xDD));
}

FIELD_FUNCTION look_up_addressed(fe x[CHAINS], fe y[CHAINS], const uint64_t *window, const unsigned char *digits,
                                 int paired)
{
    for (int chain = 0; chain < CHAINS; chain++) {
        const uint64_t *entries[LANES];
        __mmask8 negative = 0;
        uint16_t pairs[LANES];
        memcpy(pairs, digits + 2 * LANES * chain, paired ? sizeof pairs : 0);
        for (int lane = 0; lane < LANES; lane++) {
            unsigned char byte = paired ? 0 : digits[LANES * chain + lane];
            entries[lane] = window + 8 * (size_t)(paired ? pairs[lane] & 0x7FFF : byte & 0x7F);
        }
        if (paired)
            negative = _mm_movepi16_mask(_mm_loadu_si128((const __m128i *)(const void *)(digits + 2 * LANES * chain)));
        else
            negative = (__mmask8)_mm_movemask_epi8(
                _mm_loadl_epi64((const __m128i *)(const void *)(digits + LANES * chain)));
        load_entries(&x[chain], &y[chain], entries);
        negate(&y[chain], negative);
    }
}

FIELD_FUNCTION fe_look_up(fe x[CHAINS], fe y[CHAINS], const uint64_t *window, const unsigned char *digits,
                          enum look_up how)
{
    switch (how) {
    case LOOK_UP_BYTES:
        look_up_addressed(x, y, window, digits, 0);
        break;
    case LOOK_UP_PAIRS:
        look_up_addressed(x, y, window, digits, 1);
        break;
    case LOOK_UP_CONSTANT_16:
        look_up_constant(x, y, window, digits, 16);
        break;
    case LOOK_UP_CONSTANT_32:
        look_up_constant(x, y, window, digits, 32);
        break;
    case LOOK_UP_CONSTANT_64:
        look_up_constant(x, y, window, digits, 64);
        break;
    }
}

#endif
