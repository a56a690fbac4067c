/* The filters of this processor on keys and a message for which AES and SHA-512 of other programs told what passes, for
   test_sources.py. Names the AES instructions of each. */

#include "filter.h"

#include <stdio.h>
#include <string.h>

#define KEYS 5003 /* no multiple of 8 */

/* How many of the keys pass, and the sum of their numbers: by the padding, and with version_max as well. */
#define PADDED 19
#define PADDED_SUM 45194
#define VERSION_MAX 127
#define BEGINNING 6
#define BEGINNING_SUM 13606

static uint64_t x[(KEYS + FILTER_LANES - 1) / FILTER_LANES][4][FILTER_LANES] __attribute__((aligned(64)));
static struct filter_hit hits[KEYS];

static void fill(struct filter_query *query)
{
    for (uint64_t key = 0; key < KEYS; key++)
        for (uint64_t i = 0; i < 4; i++)
            x[key / FILTER_LANES][i][key % FILTER_LANES] = (key * 4 + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < 32; i++)
        query->last_two[i] = (unsigned char)(5 * i);
    for (unsigned i = 0; i < 16; i++) {
        query->iv[i] = (unsigned char)i;
        query->first[i] = (unsigned char)(3 * i);
    }
}

static int passes(const struct filter *filter, struct filter_query *query, unsigned version_max, size_t count,
                  size_t sum)
{
    query->version_max = version_max;
    size_t passed = filter->run(query, x, KEYS, hits);
    for (size_t i = 0; i < passed; i++)
        sum -= hits[i].key;
    return passed == count && sum == 0;
}

int main(void)
{
    static const char *const kernels[] = {"ifma", "avx2", "portable"};
    struct filter_query query;

    fill(&query);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        const struct filter *filter = filter_choose(kernels[i]);
        const int all = strcmp(filter->aes, "none") == 0;
        const size_t every_sum = (size_t)KEYS * (KEYS - 1) / 2;

        printf("%s ", filter->aes);
        if (!passes(filter, &query, 0, all ? KEYS : PADDED, all ? every_sum : PADDED_SUM) ||
            !passes(filter, &query, VERSION_MAX, all ? KEYS : BEGINNING, all ? every_sum : BEGINNING_SUM))
            return 1;
        if (all && memcmp(hits[0].hash, "\xe6\x7e\x49\x14\xc6\x9d\x2c\xaf", 8) != 0)
            return 2;
    }
    printf("\n");
    return 0;
}
