/* The field of secp256k1 for AVX2 and FMA, four elements at a time: five limbs of 52 bits, multiplied as doubles.

   The product of two integers below 2^52, added to 2^104, leaves its high half in the mantissa, rounded to nearest; the
   rest, of either sign, fits another mantissa with 3 * 2^51 added. So two fused multiply-adds make the halves, which
   are summed up as integers: the exponents that come along are subtracted in advance. All this needs limbs strictly
   below 2^52. There never is a subnormal number or anything else that would make the time depend on values. */
#ifndef BMGATE_FIELD_AVX2_H
#define BMGATE_FIELD_AVX2_H

#include <immintrin.h>

#include "trial.h"

#if defined(__FAST_MATH__)
#error "the rounding of doubles matters here"
#endif

#define LANES 4
#define CHAINS 2

#define FIELD_HAS_MODE
#define NEAREST 0x1F80u /* MXCSR as a thread begins: rounds to nearest, flushes nothing to zero, masks all exceptions */

/* Whatever rounding the thread was given must not reach the products; it gets its own back. */
static inline unsigned fe_begin(void)
{
    const unsigned mode = _mm_getcsr();

    _mm_setcsr(NEAREST);
    return mode;
}

static inline void fe_end(unsigned mode)
{
    _mm_setcsr(mode);
}

typedef struct {
    __m256i n[5]; /* carried: limbs below 2^52, the top one 2^48 and a little at most */
} fe;

#define LIMB (UINT64_MAX >> 12)
#define TOP (UINT64_MAX >> 16)
#define FOLD UINT64_C(0x1000003D1) /* 2^256 mod p */
#define TIMES_P(m, limb) ((limb) == 0 ? (m) * (LIMB + 1 - FOLD) : (limb) == 4 ? (m) * TOP : (m) * LIMB)

#define ALL(value) _mm256_set1_epi64x((long long)(value))
#define ADD(a, b) _mm256_add_epi64(a, b)
#define SUB(a, b) _mm256_sub_epi64(a, b)
#define AND(a, b) _mm256_and_si256(a, b)
#define LEFT(a, n) _mm256_slli_epi64(a, n)
#define RIGHT(a, n) _mm256_srli_epi64(a, n)

#define LOW_EXPONENT UINT64_C(0x4338000000000000)  /* 3 * 2^51 as a double */
#define HIGH_EXPONENT UINT64_C(0x4670000000000000) /* 2^104 */

/* What a column begins with for so many low and high halves: their exponents taken off. */
#define SUM_OF(lows, highs) ((uint64_t)0 - (lows) * LOW_EXPONENT - (highs) * HIGH_EXPONENT)

/* low + 2^52 high += a * b, but for the exponents. Sums stay in this order: all halves at once would have to wait in
   memory. */
#define MULTIPLY_ADD(low, high, a, b)                                                              \
    do {                                                                                           \
        const __m256d high_ = _mm256_fmadd_pd(a, b, _mm256_set1_pd(0x1p104));                      \
        const __m256d low_ = _mm256_fmadd_pd(a, b, _mm256_sub_pd(_mm256_set1_pd(0x1p104), high_)); \
        (high) = ADD(high, _mm256_castpd_si256(high_));                                            \
        (low) = ADD(low, _mm256_castpd_si256(_mm256_add_pd(low_, _mm256_set1_pd(0x1.8p52))));      \
        __asm__("" : "+x"(low), "+x"(high));                                                       \
    } while (0)

/* A limb below 2^52 as a double: first the mantissa of 2^52 and more, then without. */
#define DOUBLE(limb) \
    _mm256_sub_pd(_mm256_or_pd(_mm256_castsi256_pd(limb), _mm256_set1_pd(0x1p52)), _mm256_set1_pd(0x1p52))

/* Carries limbs of up to 63 bits upwards, leaving all excess in the top one. */
#define CARRY_UP(n0, n1, n2, n3, n4)                          \
    do {                                                      \
        (n1) = ADD(n1, RIGHT(n0, 52));                        \
        (n2) = ADD(n2, RIGHT(n1, 52));                        \
        (n3) = ADD(n3, RIGHT(n2, 52));                        \
        (n4) = ADD(n4, RIGHT(n3, 52));                        \
        (n0) = AND(n0, ALL(LIMB)), (n1) = AND(n1, ALL(LIMB)); \
        (n2) = AND(n2, ALL(LIMB)), (n3) = AND(n3, ALL(LIMB)); \
    } while (0)

/* Carries limbs of up to 63 bits; what exceeds 256 bits comes back in below. */
FIELD_FUNCTION fe_carry(fe *r, const fe *a)
{
    __m256i n0 = a->n[0], n1 = a->n[1], n2 = a->n[2], n3 = a->n[3], n4 = a->n[4], over = RIGHT(n4, 48);

    n0 = ADD(n0, ADD(LEFT(over, 32), _mm256_mul_epu32(over, ALL(FOLD & UINT32_MAX))));
    n4 = AND(n4, ALL(TOP));
    CARRY_UP(n0, n1, n2, n3, n4);
    r->n[0] = n0, r->n[1] = n1, r->n[2] = n2, r->n[3] = n3, r->n[4] = n4;
}

FIELD_FUNCTION fe_set_vectors(fe *r, __m256i w0, __m256i w1, __m256i w2, __m256i w3)
{
    r->n[0] = AND(w0, ALL(LIMB));
    r->n[1] = AND(_mm256_or_si256(RIGHT(w0, 52), LEFT(w1, 12)), ALL(LIMB));
    r->n[2] = AND(_mm256_or_si256(RIGHT(w1, 40), LEFT(w2, 24)), ALL(LIMB));
    r->n[3] = AND(_mm256_or_si256(RIGHT(w2, 28), LEFT(w3, 36)), ALL(LIMB));
    r->n[4] = RIGHT(w3, 16);
}

#define LOAD(from) _mm256_loadu_si256((const __m256i *)(from))
#define STORE(to, a) _mm256_storeu_si256((__m256i *)(to), a)

FIELD_FUNCTION fe_set(fe *r, const uint64_t words[4][LANES])
{
    fe_set_vectors(r, LOAD(words[0]), LOAD(words[1]), LOAD(words[2]), LOAD(words[3]));
}

FIELD_FUNCTION fe_get(uint64_t words[4][LANES], const fe *a)
{
    fe t;
    __m256i over;

    fe_carry(&t, a);
    fe_carry(&t, &t); /* below 2^256: where the first carry left a 257th bit, little stands below it */
    over = RIGHT(ADD(t.n[0], ALL(FOLD)), 52); /* t >= p where t + 2^256 - p has a 257th bit */
    over = RIGHT(ADD(t.n[1], over), 52);
    over = RIGHT(ADD(t.n[2], over), 52);
    over = RIGHT(ADD(t.n[3], over), 52);
    over = RIGHT(ADD(t.n[4], over), 48);
    t.n[0] = ADD(t.n[0], AND(ALL(FOLD), SUB(ALL(0), over)));
    CARRY_UP(t.n[0], t.n[1], t.n[2], t.n[3], t.n[4]);
    STORE(words[0], _mm256_or_si256(t.n[0], LEFT(t.n[1], 52)));
    STORE(words[1], _mm256_or_si256(RIGHT(t.n[1], 12), LEFT(t.n[2], 40)));
    STORE(words[2], _mm256_or_si256(RIGHT(t.n[2], 24), LEFT(t.n[3], 28)));
    STORE(words[3], _mm256_or_si256(RIGHT(t.n[3], 36), LEFT(t.n[4], 16))); /* a 257th bit falls off */
}

/* A product's columns begin so. Columns 5 to 8 hand 8 to the next one beforehand, columns 0 to 4 have 64 p: for sums of
   low halves may be negative, and so may be what is subtracted from the product. Counts are those of all products that
   come in, the folded columns among them. */
#define LOW_COLUMN(i, lows, highs) ALL(SUM_OF(lows, highs) + TIMES_P(64, i))
#define HIGH_COLUMN(i, lows, highs) ALL(SUM_OF(lows, highs) + ((i) < 9 ? 8 * (LIMB + 1) : 0) - ((i) > 5 ? 8 : 0))

/* A carried element of the columns c0 to c9 of a product. Columns 5 to 9 return times 2^260 mod p, then c10, which the
   last of them leaves, and what exceeds 256 bits. */
#define REDUCE(r)                                                                            \
    do {                                                                                     \
        const __m256d fold_ = _mm256_set1_pd((double)(FOLD << 4));                           \
        __m256i c10 = ALL(SUM_OF(0, 1)), over_;                                              \
        CARRY_UP(c5, c6, c7, c8, c9);                                                        \
        MULTIPLY_ADD(c4, c10, DOUBLE(c9), fold_);                                            \
        MULTIPLY_ADD(c0, c1, DOUBLE(c5), fold_);                                             \
        MULTIPLY_ADD(c1, c2, DOUBLE(c6), fold_);                                             \
        MULTIPLY_ADD(c2, c3, DOUBLE(c7), fold_);                                             \
        MULTIPLY_ADD(c3, c4, DOUBLE(c8), fold_);                                             \
        MULTIPLY_ADD(c0, c1, DOUBLE(c10), fold_);                                            \
        over_ = RIGHT(c4, 48);                                                               \
        c0 = ADD(c0, ADD(LEFT(over_, 32), _mm256_mul_epu32(over_, ALL(FOLD & UINT32_MAX)))); \
        c4 = AND(c4, ALL(TOP));                                                              \
        CARRY_UP(c0, c1, c2, c3, c4);                                                        \
        (r)->n[0] = c0, (r)->n[1] = c1, (r)->n[2] = c2, (r)->n[3] = c3, (r)->n[4] = c4;      \
    } while (0)

#define DOUBLES(x, a)                                                                           \
    const __m256d x##0 = DOUBLE((a)->n[0]), x##1 = DOUBLE((a)->n[1]), x##2 = DOUBLE((a)->n[2]), \
                  x##3 = DOUBLE((a)->n[3]), x##4 = DOUBLE((a)->n[4])

#define COLUMNS_OF_PRODUCT(a, b)                                                             \
    DOUBLES(a, a);                                                                           \
    DOUBLES(b, b);                                                                           \
    __m256i c0 = LOW_COLUMN(0, 3, 0), c1 = LOW_COLUMN(1, 3, 3), c2 = LOW_COLUMN(2, 4, 3),    \
            c3 = LOW_COLUMN(3, 5, 4), c4 = LOW_COLUMN(4, 6, 5), c5 = HIGH_COLUMN(5, 4, 5),   \
            c6 = HIGH_COLUMN(6, 3, 4), c7 = HIGH_COLUMN(7, 2, 3), c8 = HIGH_COLUMN(8, 1, 2), \
            c9 = HIGH_COLUMN(9, 0, 1);                                                       \
    MULTIPLY_ADD(c0, c1, a0, b0);                                                            \
    MULTIPLY_ADD(c1, c2, a0, b1);                                                            \
    MULTIPLY_ADD(c1, c2, a1, b0);                                                            \
    MULTIPLY_ADD(c2, c3, a0, b2);                                                            \
    MULTIPLY_ADD(c2, c3, a1, b1);                                                            \
    MULTIPLY_ADD(c2, c3, a2, b0);                                                            \
    MULTIPLY_ADD(c3, c4, a0, b3);                                                            \
    MULTIPLY_ADD(c3, c4, a1, b2);                                                            \
    MULTIPLY_ADD(c3, c4, a2, b1);                                                            \
    MULTIPLY_ADD(c3, c4, a3, b0);                                                            \
    MULTIPLY_ADD(c4, c5, a0, b4);                                                            \
    MULTIPLY_ADD(c4, c5, a1, b3);                                                            \
    MULTIPLY_ADD(c4, c5, a2, b2);                                                            \
    MULTIPLY_ADD(c4, c5, a3, b1);                                                            \
    MULTIPLY_ADD(c4, c5, a4, b0);                                                            \
    MULTIPLY_ADD(c5, c6, a1, b4);                                                            \
    MULTIPLY_ADD(c5, c6, a2, b3);                                                            \
    MULTIPLY_ADD(c5, c6, a3, b2);                                                            \
    MULTIPLY_ADD(c5, c6, a4, b1);                                                            \
    MULTIPLY_ADD(c6, c7, a2, b4);                                                            \
    MULTIPLY_ADD(c6, c7, a3, b3);                                                            \
    MULTIPLY_ADD(c6, c7, a4, b2);                                                            \
    MULTIPLY_ADD(c7, c8, a3, b4);                                                            \
    MULTIPLY_ADD(c7, c8, a4, b3);                                                            \
    MULTIPLY_ADD(c8, c9, a4, b4)

FIELD_FUNCTION fe_mul(fe *r, const fe *a, const fe *b)
{
    COLUMNS_OF_PRODUCT(a, b);
    REDUCE(r);
}

FIELD_FUNCTION fe_mul_sub(fe *r, const fe *a, const fe *b, const fe *c)
{
    COLUMNS_OF_PRODUCT(a, b);
    c0 = SUB(c0, c->n[0]), c1 = SUB(c1, c->n[1]), c2 = SUB(c2, c->n[2]), c3 = SUB(c3, c->n[3]), c4 = SUB(c4, c->n[4]);
    REDUCE(r);
}

/* a*a - 2*b - c. What counts twice is summed up first, -b with it, and doubled. */
FIELD_FUNCTION fe_sqr_sub(fe *r, const fe *a, const fe *b, const fe *c)
{
    const __m256i *m = b->n, *n = c->n;
    DOUBLES(a, a);
    __m256i c0 = SUB(ALL(0), m[0]), c1 = SUB(ALL(SUM_OF(1, 0)), m[1]), c2 = SUB(ALL(SUM_OF(1, 1)), m[2]),
            c3 = SUB(ALL(SUM_OF(2, 1)), m[3]), c4 = SUB(ALL(SUM_OF(2, 2)), m[4]), c5 = ALL(SUM_OF(2, 2)),
            c6 = ALL(SUM_OF(1, 2)), c7 = ALL(SUM_OF(1, 1)), c8 = ALL(SUM_OF(0, 1)), c9 = HIGH_COLUMN(9, 0, 1);

    MULTIPLY_ADD(c1, c2, a0, a1);
    MULTIPLY_ADD(c2, c3, a0, a2);
    MULTIPLY_ADD(c3, c4, a0, a3);
    MULTIPLY_ADD(c3, c4, a1, a2);
    MULTIPLY_ADD(c4, c5, a0, a4);
    MULTIPLY_ADD(c4, c5, a1, a3);
    MULTIPLY_ADD(c5, c6, a1, a4);
    MULTIPLY_ADD(c5, c6, a2, a3);
    MULTIPLY_ADD(c6, c7, a2, a4);
    MULTIPLY_ADD(c7, c8, a3, a4);
    c0 = ADD(ADD(c0, c0), SUB(LOW_COLUMN(0, 3, 0), n[0])), c1 = ADD(ADD(c1, c1), SUB(LOW_COLUMN(1, 1, 3), n[1]));
    c2 = ADD(ADD(c2, c2), SUB(LOW_COLUMN(2, 2, 1), n[2])), c3 = ADD(ADD(c3, c3), SUB(LOW_COLUMN(3, 1, 2), n[3]));
    c4 = ADD(ADD(c4, c4), SUB(LOW_COLUMN(4, 2, 1), n[4])), c5 = ADD(ADD(c5, c5), HIGH_COLUMN(5, 0, 1));
    c6 = ADD(ADD(c6, c6), HIGH_COLUMN(6, 1, 0)), c7 = ADD(ADD(c7, c7), HIGH_COLUMN(7, 0, 1));
    c8 = ADD(ADD(c8, c8), HIGH_COLUMN(8, 1, 0));
    MULTIPLY_ADD(c0, c1, a0, a0);
    MULTIPLY_ADD(c2, c3, a1, a1);
    MULTIPLY_ADD(c4, c5, a2, a2);
    MULTIPLY_ADD(c6, c7, a3, a3);
    MULTIPLY_ADD(c8, c9, a4, a4);
    REDUCE(r);
}

#define MINUS(limb, i) SUB(ALL(TIMES_P(2, i)), limb)

FIELD_FUNCTION fe_sub(fe *r, const fe *a, const fe *b)
{
    __m256i n0 = ADD(a->n[0], MINUS(b->n[0], 0)), n1 = ADD(a->n[1], MINUS(b->n[1], 1)),
            n2 = ADD(a->n[2], MINUS(b->n[2], 2)), n3 = ADD(a->n[3], MINUS(b->n[3], 3)),
            n4 = ADD(a->n[4], MINUS(b->n[4], 4));

    CARRY_UP(n0, n1, n2, n3, n4);
    r->n[0] = n0, r->n[1] = n1, r->n[2] = n2, r->n[3] = n3, r->n[4] = n4;
}

/* y, negated where `negative` is all ones. */
FIELD_FUNCTION fe_negate(fe *y, __m256i negative)
{
    for (int i = 0; i < 5; i++)
        y->n[i] = ADD(_mm256_xor_si256(y->n[i], negative), AND(negative, ALL(TIMES_P(2, i) + 1)));
}

/* Four rows of four words to columns: word i of the four entries into w[i]. */
FIELD_FUNCTION transpose(__m256i w[4], __m256i e0, __m256i e1, __m256i e2, __m256i e3)
{
    const __m256i t0 = _mm256_unpacklo_epi64(e0, e1), t1 = _mm256_unpackhi_epi64(e0, e1),
                  t2 = _mm256_unpacklo_epi64(e2, e3), t3 = _mm256_unpackhi_epi64(e2, e3);

    w[0] = _mm256_permute2x128_si256(t0, t2, 0x20), w[1] = _mm256_permute2x128_si256(t1, t3, 0x20);
    w[2] = _mm256_permute2x128_si256(t0, t2, 0x31), w[3] = _mm256_permute2x128_si256(t1, t3, 0x31);
}

/* Four digits by address: `size` bytes each. */
FIELD_FUNCTION fe_look_up_four(fe *x, fe *y, const uint64_t *window, const unsigned char *digits, size_t size)
{
    const unsigned sign = 8 * (unsigned)size - 1;
    const uint64_t *entry[4];
    uint64_t negative[4];
    __m256i w[4];

    for (int lane = 0; lane < 4; lane++) {
        uint16_t digit = digits[lane];
        if (size == 2)
            memcpy(&digit, digits + 2 * lane, sizeof digit);
        entry[lane] = window + 8 * (digit & ((1u << sign) - 1));
        negative[lane] = 0 - (uint64_t)(digit >> sign);
    }
    transpose(w, LOAD(entry[0]), LOAD(entry[1]), LOAD(entry[2]), LOAD(entry[3]));
    fe_set_vectors(x, w[0], w[1], w[2], w[3]);
    transpose(w, LOAD(entry[0] + 4), LOAD(entry[1] + 4), LOAD(entry[2] + 4), LOAD(entry[3] + 4));
    fe_set_vectors(y, w[0], w[1], w[2], w[3]);
    fe_negate(y, LOAD(negative));
}

#define AS_FLOATS(a) _mm256_castsi256_ps(a)
#define BLEND(a, b, where) _mm256_blendv_ps(a, b, AS_FLOATS(where))

/* One half (`part`: 0x88 the low one, 0xdd the high one) of the words at index 0 to 15 of `from`, one for each digit.
   The shuffle puts the halves of eight words in the order 0 1 4 5 2 3 6 7, which `place` allows for. */
#define HALVES(from, part) \
    _mm256_castps_si256(_mm256_shuffle_ps(AS_FLOATS(LOAD(from)), AS_FLOATS(LOAD((from) + 4)), part))
#define PICK_16(from, part)                                               \
    BLEND(_mm256_permutevar8x32_ps(AS_FLOATS(HALVES(from, part)), place), \
          _mm256_permutevar8x32_ps(AS_FLOATS(HALVES((from) + 8, part)), place), bit_3)
#define PICK_32(from, part) BLEND(PICK_16(from, part), PICK_16((from) + 16, part), bit_4)
#define PICK_64(from, part) BLEND(PICK_32(from, part), PICK_32((from) + 32, part), bit_5)

/* Eight digits in constant time: registers of eight half words each are permuted by the digits' low bits, and the right
   ones among the results chosen by the high bits. Dwords 0 1 4 5 belong to the first four digits, 2 3 6 7 to the next:
   so unpacking the halves to words puts them in order. */
FIELD_FUNCTION fe_look_up_eight(fe x[2], fe y[2], const uint64_t *window, const unsigned char *digits, int count)
{
    const __m256i digit = _mm256_permute4x64_epi64(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)digits)), 0xd8); /* sign-extended */
    const __m256i low = AND(digit, _mm256_set1_epi32(1));
    const __m256i place = _mm256_or_si256(
        low, _mm256_or_si256(AND(_mm256_slli_epi32(digit, 1), _mm256_set1_epi32(4)),
                             AND(_mm256_srli_epi32(digit, 1), _mm256_set1_epi32(2))));
    const __m256i bit_3 = _mm256_slli_epi32(digit, 28), bit_4 = _mm256_slli_epi32(digit, 27),
                  bit_5 = _mm256_slli_epi32(digit, 26), negative = _mm256_srai_epi32(digit, 31);
    __m256i w[2][8];

    for (int i = 0; i < 8; i++) {
        const uint64_t *from = window + i * count;
        const __m256 lows = count == 16   ? PICK_16(from, 0x88)
                            : count == 32 ? PICK_32(from, 0x88)
                                          : PICK_64(from, 0x88);
        const __m256 highs = count == 16   ? PICK_16(from, 0xdd)
                             : count == 32 ? PICK_32(from, 0xdd)
                                           : PICK_64(from, 0xdd);
        w[0][i] = _mm256_castps_si256(_mm256_unpacklo_ps(lows, highs));
        w[1][i] = _mm256_castps_si256(_mm256_unpackhi_ps(lows, highs));
    }
    for (int j = 0; j < 2; j++) {
        fe_set_vectors(&x[j], w[j][0], w[j][1], w[j][2], w[j][3]);
        fe_set_vectors(&y[j], w[j][4], w[j][5], w[j][6], w[j][7]);
    }
    fe_negate(&y[0], _mm256_unpacklo_epi32(negative, negative));
    fe_negate(&y[1], _mm256_unpackhi_epi32(negative, negative));
}

FIELD_FUNCTION fe_look_up(fe x[CHAINS], fe y[CHAINS], const uint64_t *window, const unsigned char *digits,
                          enum look_up how)
{
    if (how == LOOK_UP_BYTES || how == LOOK_UP_PAIRS) {
        const size_t size = how == LOOK_UP_BYTES ? 1 : 2;
        fe_look_up_four(&x[0], &y[0], window, digits, size);
        fe_look_up_four(&x[1], &y[1], window, digits + 4 * size, size);
    } else {
        fe_look_up_eight(x, y, window, digits, how == LOOK_UP_CONSTANT_16 ? 16 : how == LOOK_UP_CONSTANT_32 ? 32 : 64);
    }
}

#endif
