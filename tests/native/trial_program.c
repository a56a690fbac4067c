/* Keys come and go, are recoded and searched, in every kernel of batch trial decryption that this processor runs; all
   have to find what the portable kernel finds. Prints nothing and ends with 0 when they do. */

#include "curve.h"
#include "keystore.h"

#include <stdio.h>

#define KEYS (TRIAL_BATCH + 60u)

static const unsigned char GENERATOR[64] =
    "\x79\xbe\x66\x7e\xf9\xdc\xbb\xac\x55\xa0\x62\x95\xce\x87\x0b\x07\x02\x9b\xfc\xdb\x2d\xce\x28\xd9\x59\xf2\x81\x5b\x16"
    "\xf8\x17\x98\x48\x3a\xda\x77\x26\xa3\xc4\x65\x5d\xa4\xfb\xfc\x0e\x11\x08\xa8\xfd\x17\xb4\x48\xa6\x85\x54\x19\x9c\x47"
    "\xd0\x8f\xfb\x10\xd4\xb8";

static const struct filter_query QUERY = {{1, 2}, {3}, {4, 5, 6}, 0}; /* a key in 255 passes by chance */

static void fill(struct keystore *store, size_t count)
{
    unsigned char key[KEY_SIZE];

    if (keystore_make_room(store, count) < 0)
        exit(2);
    for (; store->count < count; store->count++) {
        for (size_t i = 0; i < sizeof key; i++)
            key[i] = (unsigned char)(store->count * 37 + i * i * 11 + (store->count >> 8) * i + 1);
        keystore_write(store, store->count, key);
    }
}

/* The X of all keys into `shared`, and the candidates among all but the first and the last. */
static void search(const struct keystore *store, unsigned char *shared, struct found *found)
{
    const volatile unsigned char go_on = 0;
    struct workspace *workspace = workspace_alloc(store);
    struct trial_table table = {.entries = NULL};
    uint64_t point[8];
    unsigned guards = 0;

    if (!curve_read(point, GENERATOR) || workspace == NULL || keystore_table(store, workspace, point, &table) < 0)
        exit(2);
    keystore_shared_x(store, &table, workspace, shared, &guards);
    if (keystore_find(store, &table, &QUERY, 1, store->count - 1, &go_on, workspace, found, &guards) < 0 || guards != 0)
        exit(3);
    keystore_free_table(&table);
    workspace_free(store, workspace);
}

/* One kernel and shape: filled, two keys taken out, recoded from another width. */
static void run(const char *kernel, unsigned width, int constant_time, unsigned char *shared, struct found *found)
{
    struct keystore first = {.kernel = keystore_kernel(kernel), .filter = filter_choose(kernel), .width = 5};
    struct keystore store = first;

    store.width = width;
    store.constant_time = constant_time;
    fill(&first, KEYS);
    keystore_remove(&first, 3);
    keystore_remove(&first, KEYS - 2);
    if (keystore_make_room(&store, first.count) < 0)
        exit(2);
    keystore_recode(&store, &first);
    search(&store, shared, found);
    keystore_clear(&first);
    keystore_clear(&store);
}

static int same_hits(const struct found *a, const struct found *b)
{
    int same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = a->hits[i].key == b->hits[i].key && memcmp(a->hits[i].hash, b->hits[i].hash, sizeof a->hits[i].hash) == 0;
    return same;
}

int main(void)
{
    static const char *const kernels[] = {"portable", "avx2", "ifma"};
    static const struct {
        unsigned width;
        int constant_time;
    } shapes[] = {{7, 1}, {5, 1}, {6, 1}, {8, 0}, {10, 0}};
    static unsigned char shared[KEYS * 32], expected[KEYS * 32];
    struct found reference = {NULL, 0, 0};

    run("portable", 5, 0, expected, &reference);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        for (size_t shape = 0; keystore_kernel(kernels[i]) != NULL && shape < sizeof shapes / sizeof *shapes; shape++) {
            struct found found = {NULL, 0, 0};
            run(kernels[i], shapes[shape].width, shapes[shape].constant_time, shared, &found);
            if (memcmp(shared, expected, (KEYS - 2) * 32) != 0 || !same_hits(&found, &reference)) {
                printf("%s differs at width %u\n", kernels[i], shapes[shape].width);
                return 1;
            }
            found_clear(&found);
        }
    found_clear(&reference);
    return 0;
}
