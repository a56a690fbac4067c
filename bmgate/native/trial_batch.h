/* The pipeline of batch trial decryption, over the field of the file that includes this text (see trial.h).

   A sum of two points P1 + P2 with x1 != x2: L = (y2 - y1) / (x2 - x1), x3 = L^2 - x1 - x2, y3 = L (x1 - x3) - y1.
   `begin_sum` multiplies the differences of a batch together, `end_sums` inverts the product and takes it apart again,
   backwards: one inversion and three multiplications for the quotient of each sum. Nothing branches on a value. */

#include "curve.h"
#include "filter.h"

#define VECTORS (TRIAL_BATCH / LANES)
#define STEP (CHAINS * LANES > FILTER_LANES ? CHAINS * LANES : FILTER_LANES) /* counts of keys are rounded up to it */
#if !defined(FIELD_MOST)
#define FIELD_MOST TRIAL_BATCH
#endif
#define MAX_POWERS 264 /* windows times width, at most */

struct point {
    fe x, y;
};

struct sum {
    fe before, dx, dy; /* the chain's product before dx came into it; the differences of the coordinates */
};

struct scratch {
    struct point point[VECTORS];
    struct sum sum[VECTORS];
};

/* Words of lanes as the shared functions of curve.c take them. */
typedef uint64_t lane_words[4][LANES];

FIELD_FUNCTION begin_sum(const struct point *point, struct sum *sum, fe *product, const fe *x, const fe *y)
{
    fe_sub(&sum->dx, x, &point->x);
    fe_sub(&sum->dy, y, &point->y);
    sum->before = *product;
    fe_mul(product, product, &sum->dx);
}

FIELD_FUNCTION set_one(fe *r)
{
    lane_words one = {{0}};

    for (int lane = 0; lane < LANES; lane++)
        one[0][lane] = 1;
    fe_set(r, (const uint64_t(*)[LANES])one);
}

#if !defined(FIELD_HAS_MODE)
static inline unsigned fe_begin(void)
{
    return 0;
}

static inline void fe_end(unsigned mode)
{
    (void)mode;
}
#endif

#if !defined(FIELD_ROTATES)
/* Lane i gets what lane i + distance had. */
FIELD_FUNCTION fe_rotate(fe *r, const fe *a, int distance)
{
    lane_words from, to;

    fe_get(from, a);
    for (int i = 0; i < 4; i++)
        for (int lane = 0; lane < LANES; lane++)
            to[i][lane] = from[i][(lane + distance) % LANES];
    fe_set(r, (const uint64_t(*)[LANES])to);
}
#endif

/* Whether a lane holds 0. This is the one thing about a batch that is not kept secret: only a bug makes it true. */
static __attribute__((noinline)) int trial_meets_zero(lane_words words)
{
    int zero = 0;

    for (int lane = 0; lane < LANES; lane++)
        zero |= (words[0][lane] | words[1][lane] | words[2][lane] | words[3][lane]) == 0;
    return zero;
}

/* Puts 1 in the place of each dx that is 0 and multiplies the others again. */
static __attribute__((noinline)) void replace_zeros(struct scratch *s, size_t vectors, fe products[CHAINS])
{
    fe one, t;
    lane_words words;

    set_one(&one);
    for (int chain = 0; chain < CHAINS; chain++)
        products[chain] = one;
    for (size_t v = 0; v < vectors; v++) {
        struct sum *sum = &s->sum[v];
        fe_mul(&t, &sum->dx, &one);
        fe_get(words, &t);
        for (int lane = 0; lane < LANES; lane++)
            words[0][lane] |= (words[0][lane] | words[1][lane] | words[2][lane] | words[3][lane]) == 0;
        fe_set(&sum->dx, (const uint64_t(*)[LANES])words);
        sum->before = products[v % CHAINS];
        fe_mul(&products[v % CHAINS], &products[v % CHAINS], &sum->dx);
    }
}

/* The inverse of every lane by one inversion. Lanes are multiplied with those half a vector away, then with those half
   as far, until each holds the product of all. Returns 0, and leaves r as it was, where that is 0. */
static __attribute__((noinline)) int invert_lanes(fe *r)
{
    fe level[4], inverse, t;
    lane_words words;
    int top = 0;

    level[0] = *r;
    for (int distance = LANES / 2; distance > 0; distance /= 2, top++) {
        fe_rotate(&t, &level[top], distance);
        fe_mul(&level[top + 1], &level[top], &t);
    }
    fe_get(words, &level[top]);
    if (trial_meets_zero(words))
        return 0;
    curve_invert(words[0], LANES);
    fe_set(&inverse, (const uint64_t(*)[LANES])words);
    for (int distance = 1; distance < LANES; distance *= 2) {
        fe_rotate(&t, &level[--top], distance);
        fe_mul(&inverse, &inverse, &t);
    }
    *r = inverse;
    return 1;
}

/* The inverse of each chain's product, in its place. Returns 1 where a product was 0 and had to be repaired. */
static unsigned invert_products(struct scratch *s, size_t vectors, fe products[CHAINS])
{
    fe joined[CHAINS], inverse, t;

    for (unsigned repaired = 0;; repaired = 1) {
        joined[0] = products[0];
        for (int chain = 1; chain < CHAINS; chain++)
            fe_mul(&joined[chain], &joined[chain - 1], &products[chain]);
        inverse = joined[CHAINS - 1];
        if (!invert_lanes(&inverse)) {
            replace_zeros(s, vectors, products);
            continue;
        }
        for (int chain = CHAINS - 1; chain > 0; chain--) {
            fe_mul(&t, &inverse, &products[chain]);
            fe_mul(&products[chain], &inverse, &joined[chain - 1]);
            inverse = t;
        }
        products[0] = inverse;
        return repaired;
    }
}

/* The last sum of each chain, step by step for all chains: a step of one hides the latency of the other's. */
FIELD_FUNCTION end_sum_of_each(struct point point[CHAINS], const struct sum sum[CHAINS], fe inverse[CHAINS], int only_x)
{
    fe slope[CHAINS], x[CHAINS], t[CHAINS];

    EACH_CHAIN fe_mul(&slope[chain], &inverse[chain], &sum[chain].before);
    EACH_CHAIN fe_mul(&slope[chain], &slope[chain], &sum[chain].dy);
    EACH_CHAIN fe_mul(&inverse[chain], &inverse[chain], &sum[chain].dx);
    EACH_CHAIN fe_sqr_sub(&x[chain], &slope[chain], &point[chain].x, &sum[chain].dx);
    EACH_CHAIN fe_sub(&t[chain], &point[chain].x, &x[chain]);
    EACH_CHAIN point[chain].x = x[chain];
    if (only_x)
        return;
    EACH_CHAIN fe_mul_sub(&point[chain].y, &slope[chain], &t[chain], &point[chain].y);
}

/* Points += what begin_sum was given, for the first `vectors` of them, a multiple of CHAINS. */
static __attribute__((noinline)) unsigned end_sums(struct scratch *s, size_t vectors, fe products[CHAINS], int only_x)
{
    unsigned repaired = invert_products(s, vectors, products);

    for (size_t v = vectors; v > 0; v -= CHAINS)
        end_sum_of_each(&s->point[v - CHAINS], &s->sum[v - CHAINS], products, only_x);
    return repaired;
}

/* One window of all keys: its entries become the points when it is the first, else they begin to be added. */
FIELD_FUNCTION add_window_as(struct scratch *s, size_t vectors, fe products[CHAINS], const uint64_t *window,
                             const unsigned char *digits, int first, enum look_up how)
{
    const size_t digit_size = how == LOOK_UP_PAIRS ? 2 : 1;
    fe x[CHAINS], y[CHAINS];

    for (size_t v = 0; v < vectors; v += CHAINS) {
        fe_look_up(x, y, window, digits + v * LANES * digit_size, how);
        if (first)
            EACH_CHAIN s->point[v + (size_t)chain] = (struct point){x[chain], y[chain]};
        else
            EACH_CHAIN begin_sum(&s->point[v + (size_t)chain], &s->sum[v + (size_t)chain], &products[chain], &x[chain],
                                 &y[chain]);
    }
}

#define ADD_WINDOW(how)                                                         \
    case how:                                                                   \
        add_window_as(s, vectors, products, window, digits, first, how);        \
        break

static __attribute__((noinline)) void add_window(struct scratch *s, size_t vectors, fe products[CHAINS],
                                                 const uint64_t *window, const unsigned char *digits, int first,
                                                 enum look_up how)
{
    switch (how) {
        ADD_WINDOW(LOOK_UP_BYTES);
        ADD_WINDOW(LOOK_UP_PAIRS);
        ADD_WINDOW(LOOK_UP_CONSTANT_16);
        ADD_WINDOW(LOOK_UP_CONSTANT_32);
        ADD_WINDOW(LOOK_UP_CONSTANT_64);
    }
}

static enum look_up look_up_of(const struct trial_table *table)
{
    if (!table->constant_time)
        return trial_digit_size(table->width) == 1 ? LOOK_UP_BYTES : LOOK_UP_PAIRS;
    return table->width < 6 ? LOOK_UP_CONSTANT_16 : table->width == 6 ? LOOK_UP_CONSTANT_32 : LOOK_UP_CONSTANT_64;
}

static __attribute__((noinline)) unsigned share(const struct trial_table *table, const unsigned char *digits, size_t count,
                                                void *scratch, uint64_t (*x)[4][FILTER_LANES])
{
    struct scratch *s = scratch;
    const size_t vectors = (count + STEP - 1) / STEP * STEP / LANES;
    const size_t window_words = 8 * (table->constant_time ? trial_stride(table->width) : trial_entries(table->width));
    const size_t window_digits = TRIAL_BATCH * trial_digit_size(table->width);
    const enum look_up how = look_up_of(table);
    unsigned repaired = 0;
    lane_words words;

    for (unsigned i = table->windows; i-- > 0;) {
        fe products[CHAINS];
        const int first = i == table->windows - 1;
        for (int chain = 0; chain < CHAINS; chain++)
            set_one(&products[chain]);
        add_window(s, vectors, products, table->entries + i * window_words, digits + i * window_digits, first, how);
        if (!first)
            repaired += end_sums(s, vectors, products, i == 0);
    }
    for (size_t v = 0; v < vectors; v++) {
        uint64_t(*group)[FILTER_LANES] = x[v * LANES / FILTER_LANES];
        fe_get(words, &s->point[v].x);
        for (int i = 0; i < 4; i++)
            memcpy(&group[3 - i][v * LANES % FILTER_LANES], words[i], sizeof words[i]);
    }
    return repaired;
}

/* Coordinates of the points whose Jacobian words are given, one inversion for all; `count` is a multiple of LANES. */
static void make_affine(uint64_t (*affine)[8], uint64_t (*doubled)[12], size_t count, struct scratch *s)
{
    fe product, inverse, square;
    lane_words words[3];

    set_one(&product);
    for (size_t v = 0; v < count / LANES; v++) {
        for (size_t lane = 0; lane < LANES; lane++)
            for (int i = 0; i < 12; i++)
                words[i / 4][i % 4][lane] = doubled[v * LANES + lane][i];
        fe_set(&s->point[v].x, (const uint64_t(*)[LANES])words[0]);
        fe_set(&s->point[v].y, (const uint64_t(*)[LANES])words[1]);
        fe_set(&s->sum[v].dx, (const uint64_t(*)[LANES])words[2]);
        s->sum[v].before = product;
        fe_mul(&product, &product, &s->sum[v].dx);
    }
    invert_lanes(&product);
    for (size_t v = count / LANES; v-- > 0;) {
        fe_mul(&inverse, &product, &s->sum[v].before);
        fe_mul(&product, &product, &s->sum[v].dx);
        fe_mul(&square, &inverse, &inverse);
        fe_mul(&s->point[v].x, &s->point[v].x, &square);
        fe_mul(&square, &square, &inverse);
        fe_mul(&s->point[v].y, &s->point[v].y, &square);
        fe_get(words[0], &s->point[v].x);
        fe_get(words[1], &s->point[v].y);
        for (size_t lane = 0; lane < LANES; lane++)
            for (int i = 0; i < 8; i++)
                affine[v * LANES + lane][i] = words[i / 4][i % 4][lane];
    }
}

/* 2^(w*i + t) R for the windows i of a group, a lane to each; lanes beyond the last window repeat it. */
static void load_powers(struct point *point, const struct trial_table *table, uint64_t (*affine)[8], size_t group,
                        size_t t)
{
    lane_words words[2];

    for (size_t lane = 0; lane < LANES; lane++) {
        size_t window = group * LANES + lane < table->windows ? group * LANES + lane : table->windows - 1;
        for (int i = 0; i < 8; i++)
            words[i / 4][i % 4][lane] = affine[table->width * window + t][i];
    }
    fe_set(&point->x, (const uint64_t(*)[LANES])words[0]);
    fe_set(&point->y, (const uint64_t(*)[LANES])words[1]);
}

static void store_entries(struct trial_table *table, const struct point *point, size_t group, size_t entry)
{
    const size_t count = trial_entries(table->width), stride = trial_stride(table->width);
    lane_words words[2];

    fe_get(words[0], &point->x);
    fe_get(words[1], &point->y);
    for (size_t lane = 0; lane < LANES && group * LANES + lane < table->windows; lane++) {
        size_t window = group * LANES + lane;
        for (size_t i = 0; i < 8; i++)
            table->entries[table->constant_time ? (window * 8 + i) * stride + entry : (window * count + entry) * 8 + i] =
                words[i / 4][i % 4][lane];
    }
}

/* Entries half .. 2 half - 1 of all windows from those before, which stand in `known`: 2^t added to each, half = 2^(t-1).
   A power of two plus an odd number below it is no multiple of the group's order: no sum is special. */
static void add_powers(struct trial_table *table, struct point *known, uint64_t (*affine)[8], size_t t,
                       struct scratch *s)
{
    const size_t groups = (table->windows + LANES - 1) / LANES, half = (size_t)1 << (t - 1);
    const size_t kept = trial_entries(table->width) / 2;
    struct point power;

    for (size_t start = 0; start < groups * half; start += VECTORS) {
        const size_t size = groups * half - start < VECTORS ? groups * half - start : VECTORS;
        const size_t padded = (size + CHAINS - 1) / CHAINS * CHAINS;
        fe products[CHAINS];
        for (int chain = 0; chain < CHAINS; chain++)
            set_one(&products[chain]);
        for (size_t v = 0; v < padded; v++) {
            const size_t at = start + (v < size ? v : size - 1);
            if (v == 0 || at % half == 0)
                load_powers(&power, table, affine, at / half, t);
            s->point[v] = known[at / half * kept + at % half];
            begin_sum(&s->point[v], &s->sum[v], &products[v % CHAINS], &power.x, &power.y);
        }
        end_sums(s, padded, products, 0);
        for (size_t v = 0; v < size; v++) {
            const size_t group = (start + v) / half, entry = (start + v) % half + half;
            if (entry < kept)
                known[group * kept + entry] = s->point[v];
            store_entries(table, &s->point[v], group, entry);
        }
    }
}

static __attribute__((noinline)) int fill_table(struct trial_table *table, const uint64_t point[8], void *scratch)
{
    uint64_t doubled[MAX_POWERS][12], affine[MAX_POWERS][8];
    const size_t groups = (table->windows + LANES - 1) / LANES, kept = trial_entries(table->width) / 2;
    const size_t powers = (table->windows * table->width + LANES - 1) / LANES * LANES;
    struct point *known = aligned_alloc(64, (groups * kept * sizeof *known + 63) / 64 * 64);

    if (known == NULL)
        return -1;
    memset(table->entries, 0, trial_table_words(table->width, table->constant_time) * sizeof *table->entries);
    curve_doublings(doubled, point, (unsigned)powers);
    make_affine(affine, doubled, powers, scratch);
    for (size_t group = 0; group < groups; group++) {
        load_powers(&known[group * kept], table, affine, group, 0);
        store_entries(table, &known[group * kept], group, 0);
    }
    for (size_t t = 1; t < table->width; t++)
        add_powers(table, known, affine, t, scratch);
    free(known);
    return 0;
}

/* The entry points. What they call is never inlined: no arithmetic moves to where fe_begin has not yet run. */

static unsigned shared_x(const struct trial_table *table, const unsigned char *digits, size_t count, void *scratch,
                         uint64_t (*x)[4][FILTER_LANES])
{
    const unsigned mode = fe_begin(), repaired = share(table, digits, count, scratch, x);

    fe_end(mode);
    return repaired;
}

static int make_table(struct trial_table *table, const uint64_t point[8], void *scratch)
{
    const unsigned mode = fe_begin();
    const int failed = fill_table(table, point, scratch);

    fe_end(mode);
    return failed;
}

const struct trial_kernel FIELD_KERNEL = {
    .kernel = {FIELD_NAME, FIELD_NEEDS},
    .scratch_size = sizeof(struct scratch),
    .most = FIELD_MOST,
    .make_table = make_table,
    .shared_x = shared_x,
};
