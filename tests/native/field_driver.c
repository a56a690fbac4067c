/* The field that FIELD names, on vectors of elements: for test_keyset_kernels.py. */

#include "trial.h"

#include FIELD

typedef uint64_t lane_words[4][LANES];

static void load(fe *r, uint64_t (*values)[4], int stride)
{
    lane_words words;

    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 4; i++)
            words[i][lane] = values[lane * stride][i];
    fe_set(r, (const uint64_t(*)[LANES])words);
}

static void store(uint64_t (*values)[4], const fe *a, int stride)
{
    lane_words words;

    fe_get(words, a);
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 4; i++)
            values[lane * stride][i] = words[i][lane];
}

int field_lanes(void)
{
    return LANES;
}

/* Four values a, b, c, d for each lane become a*b, (a-b)*(c-d), (a-b)*c - d and (a-b)^2 - 2 c - (d-a). */
void field_compute(uint64_t (*values)[4])
{
    fe a, b, c, d, ab, cd, da, r;

    load(&a, values, 4);
    load(&b, values + 1, 4);
    load(&c, values + 2, 4);
    load(&d, values + 3, 4);
    fe_sub(&ab, &a, &b);
    fe_sub(&cd, &c, &d);
    fe_sub(&da, &d, &a);
    fe_mul(&r, &a, &b);
    store(values, &r, 4);
    fe_mul(&r, &ab, &cd);
    store(values + 1, &r, 4);
    fe_mul_sub(&r, &ab, &c, &d);
    store(values + 2, &r, 4);
    fe_sqr_sub(&r, &ab, &c, &da);
    store(values + 3, &r, 4);
}
