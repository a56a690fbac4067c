/* One field element at a time; see curve.h. Inversion is by divsteps (D. J. Bernstein, B.-Y. Yang, "Fast constant-time
   gcd computation and modular inversion", 2019) in the form with half-integer delta, of which 590 steps suffice. */

#include "curve.h"

#include "field_portable.h"

typedef __int128 signed_wide;

/* A number as five limbs of 62 bits, the top one signed. */
typedef struct {
    int64_t n[5];
} signed62;

/* What n divsteps do to f and g: 2^n times the new ones are u f + v g and q f + r g. */
struct steps {
    int64_t u, v, q, r;
};

#define LIMB62 (UINT64_MAX >> 2)
#define P_INVERSE UINT64_C(0x27C7F6E22DDACACF) /* 1 / p mod 2^62 */

static const signed62 P62 = {{-INT64_C(0x1000003D1), 0, 0, 0, 256}};

static void fe_read(fe *r, const uint64_t *words)
{
    fe_set(r, (const uint64_t(*)[LANES])words);
}

static void fe_write(uint64_t *words, const fe *a)
{
    fe_get((uint64_t(*)[LANES])words, a);
}

int curve_read(uint64_t point[8], const unsigned char *encoded)
{
    uint64_t reduced[8], left[4], right[4], seven[4] = {7};
    fe x, y, t;

    for (int i = 0; i < 8; i++) {
        uint64_t word = 0;
        for (int byte = 0; byte < 8; byte++)
            word = word << 8 | encoded[8 * i + byte];
        point[i < 4 ? 3 - i : 11 - i] = word;
    }
    fe_read(&x, point);
    fe_read(&y, point + 4);
    fe_write(reduced, &x);
    fe_write(reduced + 4, &y);
    if (memcmp(reduced, point, sizeof reduced) != 0) /* a coordinate of p or more */
        return 0;
    fe_sqr(&y, &y);
    fe_write(left, &y);
    fe_sqr(&t, &x);
    fe_mul(&x, &t, &x);
    fe_read(&t, seven);
    for (int i = 0; i < 5; i++)
        x.n[i] += t.n[i];
    fe_write(right, &x);
    return memcmp(left, right, sizeof left) == 0;
}

/* (X, Y, Z) := 2 (X, Y, Z): with M = 3 X^2, S = 4 X Y^2, T = 8 Y^4 it is (M^2 - 2 S, M (S - X') - T, 2 Y Z). */
static void double_point(fe *x, fe *y, fe *z)
{
    fe yy, m, s, t;

    fe_mul(z, y, z);
    fe_sqr(&yy, y);
    fe_sqr(&m, x);
    fe_mul(&s, x, &yy);
    fe_sqr(&t, &yy);
    for (int i = 0; i < 5; i++) {
        z->n[i] *= 2;
        m.n[i] *= 3;
        s.n[i] *= 4;
        t.n[i] *= 8;
    }
    fe_carry(z, z);
    fe_carry(&s, &s);
    fe_carry(&t, &t);
    fe_sqr_sub(x, &m, &s, &(fe){{0}});
    fe_sub(&s, &s, x);
    fe_mul_sub(y, &m, &s, &t);
}

void curve_doublings(uint64_t (*doubled)[12], const uint64_t point[8], unsigned count)
{
    fe x, y, z;

    fe_read(&x, point);
    fe_read(&y, point + 4);
    fe_read(&z, (const uint64_t[4]){1});
    for (unsigned q = 0; q < count; q++) {
        fe_write(doubled[q], &x);
        fe_write(doubled[q] + 4, &y);
        fe_write(doubled[q] + 8, &z);
        double_point(&x, &y, &z);
    }
}

/* Up to 30 divsteps on the low bits of f and g. `zeta` is -(delta + 1/2); returns the new one. u and v share a register
   as u + 2^32 v, and so do q and r: all that is done to them is linear. */
static inline int64_t some_divsteps(int64_t zeta, uint64_t *f, uint64_t *g, int count, struct steps *steps)
{
    uint64_t uv = 1, qr = UINT64_C(1) << 32;

    for (int i = 0; i < count; i++) {
        uint64_t swap = (uint64_t)(zeta >> 63), odd = 0 - (*g & 1);
        *g += ((*f ^ swap) - swap) & odd;
        qr += ((uv ^ swap) - swap) & odd;
        swap &= odd;
        zeta = (int64_t)((uint64_t)zeta ^ swap) - 1;
        *f += *g & swap;
        uv += qr & swap;
        *g >>= 1;
        uv <<= 1;
    }
    steps->u = (int32_t)uv;
    steps->q = (int32_t)qr;
    steps->v = (int64_t)(uv - (uint64_t)steps->u) >> 32;
    steps->r = (int64_t)(qr - (uint64_t)steps->q) >> 32;
    return zeta;
}

/* 59 divsteps, and three doublings that make them 62. */
static int64_t divsteps(int64_t zeta, uint64_t f, uint64_t g, struct steps *s)
{
    struct steps first, then;

    zeta = some_divsteps(zeta, &f, &g, 30, &first);
    zeta = some_divsteps(zeta, &f, &g, 29, &then);
    s->u = 8 * (then.u * first.u + then.v * first.q);
    s->v = 8 * (then.u * first.v + then.v * first.r);
    s->q = 8 * (then.q * first.u + then.r * first.q);
    s->r = 8 * (then.q * first.v + then.r * first.r);
    return zeta;
}

/* (f, g) := (u f + v g, q f + r g) / 2^62, exactly. */
static void update_fg(signed62 *f, signed62 *g, const struct steps *s)
{
    signed_wide a = (signed_wide)s->u * f->n[0] + (signed_wide)s->v * g->n[0];
    signed_wide b = (signed_wide)s->q * f->n[0] + (signed_wide)s->r * g->n[0];

    for (int i = 1; i < 5; i++) {
        a = (a >> 62) + (signed_wide)s->u * f->n[i] + (signed_wide)s->v * g->n[i];
        b = (b >> 62) + (signed_wide)s->q * f->n[i] + (signed_wide)s->r * g->n[i];
        f->n[i - 1] = (int64_t)((uint64_t)a & LIMB62);
        g->n[i - 1] = (int64_t)((uint64_t)b & LIMB62);
    }
    f->n[4] = (int64_t)(a >> 62);
    g->n[4] = (int64_t)(b >> 62);
}

/* The same for (d, e) modulo p, both in (-2p, p): multiples of p are added that clear the low 62 bits. */
static void update_de(signed62 *d, signed62 *e, const struct steps *s)
{
    const int64_t d_negative = d->n[4] >> 63, e_negative = e->n[4] >> 63;
    int64_t md = (s->u & d_negative) + (s->v & e_negative), me = (s->q & d_negative) + (s->r & e_negative);
    signed_wide a = (signed_wide)s->u * d->n[0] + (signed_wide)s->v * e->n[0];
    signed_wide b = (signed_wide)s->q * d->n[0] + (signed_wide)s->r * e->n[0];

    md -= (int64_t)((P_INVERSE * (uint64_t)a + (uint64_t)md) & LIMB62);
    me -= (int64_t)((P_INVERSE * (uint64_t)b + (uint64_t)me) & LIMB62);
    a += (signed_wide)P62.n[0] * md;
    b += (signed_wide)P62.n[0] * me;
    for (int i = 1; i < 5; i++) {
        a = (a >> 62) + (signed_wide)s->u * d->n[i] + (signed_wide)s->v * e->n[i];
        b = (b >> 62) + (signed_wide)s->q * d->n[i] + (signed_wide)s->r * e->n[i];
        if (i == 4) {
            a += (signed_wide)P62.n[4] * md;
            b += (signed_wide)P62.n[4] * me;
        }
        d->n[i - 1] = (int64_t)((uint64_t)a & LIMB62);
        e->n[i - 1] = (int64_t)((uint64_t)b & LIMB62);
    }
    d->n[4] = (int64_t)(a >> 62);
    e->n[4] = (int64_t)(b >> 62);
}

/* d, in (-2p, p), times the sign of f as a number in [0, p). */
static void normalize(signed62 *d, int64_t sign)
{
    for (int round = 0; round < 2; round++) {
        const int64_t below = d->n[4] >> 63, negate = round == 0 ? sign >> 63 : 0;
        for (int i = 0; i < 5; i++)
            d->n[i] = ((d->n[i] + (P62.n[i] & below)) ^ negate) - negate;
        for (int i = 0; i < 4; i++) {
            d->n[i + 1] += d->n[i] >> 62;
            d->n[i] = (int64_t)((uint64_t)d->n[i] & LIMB62);
        }
    }
}

void curve_invert(uint64_t *words, unsigned lanes)
{
    const uint64_t w[4] = {words[0], words[lanes], words[2 * lanes], words[3 * lanes]};
    signed62 d = {{0}}, e = {{1}}, f = P62;
    signed62 g = {{(int64_t)(w[0] & LIMB62), (int64_t)((w[0] >> 62 | w[1] << 2) & LIMB62),
                   (int64_t)((w[1] >> 60 | w[2] << 4) & LIMB62), (int64_t)((w[2] >> 58 | w[3] << 6) & LIMB62),
                   (int64_t)(w[3] >> 56)}};
    struct steps steps;
    int64_t zeta = -1;

    for (int i = 0; i < 10; i++) {
        zeta = divsteps(zeta, (uint64_t)f.n[0], (uint64_t)g.n[0], &steps);
        update_de(&d, &e, &steps);
        update_fg(&f, &g, &steps);
    }
    normalize(&d, f.n[4]);
    for (unsigned lane = 0; lane < lanes; lane++) {
        words[lane] = (uint64_t)d.n[0] | (uint64_t)d.n[1] << 62;
        words[lanes + lane] = (uint64_t)d.n[1] >> 2 | (uint64_t)d.n[2] << 60;
        words[2 * lanes + lane] = (uint64_t)d.n[2] >> 4 | (uint64_t)d.n[3] << 58;
        words[3 * lanes + lane] = (uint64_t)d.n[3] >> 6 | (uint64_t)d.n[4] << 56;
    }
}
