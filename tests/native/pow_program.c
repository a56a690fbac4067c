/* Runs every proof-of-work kernel of this processor on the searches of its standard input, for test_sources.py: a line
   is the initial hash in hexadecimal, target, start, count, and then what must come out: 1 or 0 for a hit or none, and
   how many nonces are tried. Names the kernels it ran. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pow.h"

#define HASH_SIZE 64

struct expected {
    uint64_t target, start, count, tried;
    int hit;
};

static int differs(const struct pow_kernel *kernel, const unsigned char *initial_hash, const struct expected *expected)
{
    struct pow_search *search = malloc(sizeof *search); /* on the heap, and exactly so large: there overruns are seen */
    unsigned char *stop = calloc(1, 1);
    int hit = -1;

    if (search == NULL || stop == NULL)
        exit(2);
    pow_prepare(search, initial_hash, expected->target);
    uint64_t tried = kernel->run(search, expected->start, expected->count, stop, &hit);
    *stop = 1;
    int stopped = kernel->run(search, expected->start, expected->count, stop, &hit) == 0 && hit == 0;
    *stop = 0;
    kernel->run(search, expected->start, expected->count, stop, &hit);
    free(search);
    free(stop);
    if (hit == expected->hit && tried == expected->tried && stopped)
        return 0;
    printf("%s: hit %d after %" PRIu64 ", expected %d after %" PRIu64 "\n", kernel->kernel.name, hit, tried,
           expected->hit, expected->tried);
    return 1;
}

int main(void)
{
    unsigned char *initial_hash = malloc(HASH_SIZE);
    char text[2 * HASH_SIZE + 1];
    struct expected expected;
    int wrong = 0, searches = 0;

    if (initial_hash == NULL)
        return 2;
    while (scanf("%128s %" SCNu64 " %" SCNu64 " %" SCNu64 " %d %" SCNu64, text, &expected.target, &expected.start,
                 &expected.count, &expected.hit, &expected.tried) == 6) {
        for (int i = 0; i < HASH_SIZE; i++)
            if (sscanf(text + 2 * i, "%2hhx", &initial_hash[i]) != 1)
                return 2;
        for (const struct pow_kernel *kernel = POW_KERNELS; kernel->run != NULL; kernel++)
            if (cpu_has(kernel->kernel.needs))
                wrong += differs(kernel, initial_hash, &expected);
        searches++;
    }
    free(initial_hash);
    for (const struct pow_kernel *kernel = POW_KERNELS; kernel->run != NULL; kernel++)
        if (cpu_has(kernel->kernel.needs))
            printf("%s ", kernel->kernel.name);
    printf("%d searches\n", searches);
    return wrong != 0 || searches == 0;
}
