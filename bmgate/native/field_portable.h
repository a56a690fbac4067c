/* The field of secp256k1 in plain C, one element at a time: five limbs of 52 bits, products of 128 bits.

   Carried limbs have 52 bits, the top one 48 and a little. Sums and differences of a few need no carry before they are
   multiplied: the columns of a product stay far below 2^128. */
#ifndef BMGATE_FIELD_PORTABLE_H
#define BMGATE_FIELD_PORTABLE_H

#include "trial.h"

#define LANES 1
#define CHAINS 1

typedef struct {
    uint64_t n[5];
} fe;

typedef unsigned __int128 wide;

#define LIMB (UINT64_MAX >> 12)
#define TOP (UINT64_MAX >> 16)
#define FOLD UINT64_C(0x1000003D1) /* 2^256 mod p */
#define TIMES_P(m, limb) ((limb) == 0 ? (m) * (LIMB + 1 - FOLD) : (limb) == 4 ? (m) * TOP : (m) * LIMB)

/* Carries limbs of up to 63 bits; what exceeds 256 bits comes back in below. */
FIELD_FUNCTION fe_carry(fe *r, const fe *a)
{
    uint64_t t = a->n[0] + (a->n[4] >> 48) * FOLD, top = a->n[4] & TOP;

    r->n[0] = t & LIMB;
    t = a->n[1] + (t >> 52);
    r->n[1] = t & LIMB;
    t = a->n[2] + (t >> 52);
    r->n[2] = t & LIMB;
    t = a->n[3] + (t >> 52);
    r->n[3] = t & LIMB;
    r->n[4] = top + (t >> 52);
}

FIELD_FUNCTION fe_set(fe *r, const uint64_t words[4][LANES])
{
    const uint64_t w0 = words[0][0], w1 = words[1][0], w2 = words[2][0], w3 = words[3][0];

    r->n[0] = w0 & LIMB;
    r->n[1] = (w0 >> 52 | w1 << 12) & LIMB;
    r->n[2] = (w1 >> 40 | w2 << 24) & LIMB;
    r->n[3] = (w2 >> 28 | w3 << 36) & LIMB;
    r->n[4] = w3 >> 16;
}

FIELD_FUNCTION fe_get(uint64_t words[4][LANES], const fe *a)
{
    fe t;
    uint64_t over;

    fe_carry(&t, a);
    fe_carry(&t, &t); /* below 2^256: where the first carry left a 257th bit, little stands below it */
    over = (t.n[0] + FOLD) >> 52; /* t >= p where t + 2^256 - p has a 257th bit */
    over = (t.n[1] + over) >> 52;
    over = (t.n[2] + over) >> 52;
    over = (t.n[3] + over) >> 52;
    over = (t.n[4] + over) >> 48;
    t.n[0] += FOLD & (0 - over);
    t.n[1] += t.n[0] >> 52;
    t.n[2] += t.n[1] >> 52;
    t.n[3] += t.n[2] >> 52;
    t.n[4] = (t.n[4] + (t.n[3] >> 52)) & TOP;
    words[0][0] = (t.n[0] & LIMB) | t.n[1] << 52;
    words[1][0] = (t.n[1] & LIMB) >> 12 | t.n[2] << 40;
    words[2][0] = (t.n[2] & LIMB) >> 24 | t.n[3] << 28;
    words[3][0] = (t.n[3] & LIMB) >> 36 | t.n[4] << 16;
}

/* The product of two polynomials in 2^52 whose coefficients 0 to 4 and 5 to 8 are columns; those above 2^260 come back
   in times 2^260 mod p as soon as they are known, so that two sums suffice: `low` and `high`, four columns apart. */
#define MULTIPLY(r, c0, c1, c2, c3, c4, c5, c6, c7, c8)                  \
    do {                                                                 \
        wide low, high = (c3), top = (c8);                               \
        uint64_t third, fourth, fold;                                    \
        high += (wide)(FOLD << 4) * (uint64_t)top;                       \
        third = (uint64_t)high & LIMB;                                   \
        high = (high >> 52) + (c4) + (wide)(FOLD << 16) * (uint64_t)(top >> 64); \
        fourth = (uint64_t)high & LIMB;                                  \
        high = (high >> 52) + (c5);                                      \
        fold = ((uint64_t)high & LIMB) << 4 | fourth >> 48;              \
        fourth &= TOP;                                                   \
        high >>= 52;                                                     \
        low = (c0) + (wide)fold * FOLD;                                  \
        (r)->n[0] = (uint64_t)low & LIMB;                                \
        high += (c6);                                                    \
        low = (low >> 52) + (c1) + (wide)(FOLD << 4) * ((uint64_t)high & LIMB); \
        (r)->n[1] = (uint64_t)low & LIMB;                                \
        high = (high >> 52) + (c7);                                      \
        low = (low >> 52) + (c2) + (wide)(FOLD << 4) * (uint64_t)high;   \
        (r)->n[2] = (uint64_t)low & LIMB;                                \
        low = (low >> 52) + (wide)(FOLD << 16) * (uint64_t)(high >> 64) + third; \
        (r)->n[3] = (uint64_t)low & LIMB;                                \
        (r)->n[4] = (uint64_t)(low >> 52) + fourth;                      \
    } while (0)

FIELD_FUNCTION fe_mul(fe *r, const fe *a, const fe *b)
{
    const uint64_t a0 = a->n[0], a1 = a->n[1], a2 = a->n[2], a3 = a->n[3], a4 = a->n[4];
    const uint64_t b0 = b->n[0], b1 = b->n[1], b2 = b->n[2], b3 = b->n[3], b4 = b->n[4];

    MULTIPLY(r, (wide)a0 * b0, (wide)a0 * b1 + (wide)a1 * b0, (wide)a0 * b2 + (wide)a1 * b1 + (wide)a2 * b0,
             (wide)a0 * b3 + (wide)a1 * b2 + (wide)a2 * b1 + (wide)a3 * b0,
             (wide)a0 * b4 + (wide)a1 * b3 + (wide)a2 * b2 + (wide)a3 * b1 + (wide)a4 * b0,
             (wide)a1 * b4 + (wide)a2 * b3 + (wide)a3 * b2 + (wide)a4 * b1,
             (wide)a2 * b4 + (wide)a3 * b3 + (wide)a4 * b2, (wide)a3 * b4 + (wide)a4 * b3, (wide)a4 * b4);
}

FIELD_FUNCTION fe_sqr(fe *r, const fe *a)
{
    const uint64_t a0 = a->n[0], a1 = a->n[1], a2 = a->n[2], a3 = a->n[3], a4 = a->n[4];

    MULTIPLY(r, (wide)a0 * a0, (wide)(2 * a0) * a1, (wide)(2 * a0) * a2 + (wide)a1 * a1,
             (wide)(2 * a0) * a3 + (wide)(2 * a1) * a2, (wide)(2 * a0) * a4 + (wide)(2 * a1) * a3 + (wide)a2 * a2,
             (wide)(2 * a1) * a4 + (wide)(2 * a2) * a3, (wide)(2 * a2) * a4 + (wide)a3 * a3, (wide)(2 * a3) * a4,
             (wide)a4 * a4);
}

FIELD_FUNCTION fe_sub(fe *r, const fe *a, const fe *b)
{
    for (int i = 0; i < 5; i++)
        r->n[i] = a->n[i] + TIMES_P(2, i) - b->n[i];
}

FIELD_FUNCTION fe_mul_sub(fe *r, const fe *a, const fe *b, const fe *c)
{
    fe product;

    fe_mul(&product, a, b);
    fe_sub(&product, &product, c);
    fe_carry(r, &product);
}

FIELD_FUNCTION fe_sqr_sub(fe *r, const fe *a, const fe *b, const fe *c)
{
    fe square;

    fe_sqr(&square, a);
    for (int i = 0; i < 5; i++)
        square.n[i] += TIMES_P(8, i) - 2 * b->n[i] - c->n[i];
    fe_carry(r, &square);
}

/* The words of an entry in constant time: all `count` entries of the window are read. */
FIELD_FUNCTION fe_scan(uint64_t words[8], const uint64_t *window, size_t count, uint64_t index)
{
    uint64_t chosen[64];

    for (size_t i = 0; i < count; i++)
        chosen[i] = 0 - (((i ^ index) - 1) >> 63);
    for (size_t word = 0; word < 8; word++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++)
            sum |= window[word * count + i] & chosen[i];
        words[word] = sum;
    }
}

FIELD_FUNCTION fe_look_up(fe *x, fe *y, const uint64_t *window, const unsigned char *digits, enum look_up how)
{
    uint64_t digit = digits[0], negative, words[8];

    if (how == LOOK_UP_PAIRS) {
        uint16_t pair;
        memcpy(&pair, digits, sizeof pair);
        negative = pair >> 15;
        digit = pair & 0x7FFF;
    } else {
        negative = digit >> 7;
        digit &= 0x7F;
    }
    if (how == LOOK_UP_BYTES || how == LOOK_UP_PAIRS)
        memcpy(words, window + 8 * digit, sizeof words);
    else
        fe_scan(words, window, how == LOOK_UP_CONSTANT_16 ? 16 : how == LOOK_UP_CONSTANT_32 ? 32 : 64, digit);
    fe_set(x, (const uint64_t(*)[LANES])words);
    fe_set(y, (const uint64_t(*)[LANES])(words + 4));
    for (int i = 0; i < 5; i++)
        y->n[i] ^= (y->n[i] ^ (TIMES_P(2, i) - y->n[i])) & (0 - negative);
}

#endif
