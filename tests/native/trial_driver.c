/* Batch trial decryption without Python and without its check of keys: for test_keyset_kernels.py, for sanitizers and
   for valgrind, which is told that the keys are undefined and reports what branches on them or looks up by them. */

#include "curve.h"
#include "digits.h"
#include "keystore.h"

#include <stdio.h>

#if defined(SECRET_KEYS)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_UNDEFINED(memory, size) ((void)(memory), (void)(size))
#define VALGRIND_MAKE_MEM_DEFINED(memory, size) ((void)(memory), (void)(size))
#endif

/* X of each key times the point, big-endian; keys and X of 32 bytes. Returns how often the zero guard struck, -1 for a
   point off the curve, -2 for a kernel that is not here, -3 without memory. */
int driver_shared_x(const char *kernel, unsigned width, int constant_time, const unsigned char *keys, size_t count,
                    const unsigned char *point, unsigned char *shared)
{
    struct keystore store = {.kernel = keystore_kernel(kernel), .width = width, .constant_time = constant_time};
    struct trial_table table = {.entries = NULL};
    struct workspace *workspace;
    uint64_t words[8];
    unsigned guards = 0;

    if (store.kernel == NULL)
        return -2;
    if (!curve_read(words, point))
        return -1;
    workspace = workspace_alloc(&store);
    if (workspace == NULL || keystore_make_room(&store, count) < 0 ||
        keystore_table(&store, workspace, words, &table) < 0)
        return -3;
    for (size_t i = 0; i < count; i++)
        keystore_write(&store, i, keys + 32 * i);
    store.count = count;
    keystore_shared_x(&store, &table, workspace, shared, &guards);
    keystore_free_table(&table);
    workspace_free(&store, workspace);
    keystore_clear(&store);
    return (int)guards;
}

/* See curve_invert. */
void driver_invert(uint64_t *words, unsigned lanes)
{
    curve_invert(words, lanes);
}

/* trial_driver KERNEL WIDTH CONSTANT_TIME COUNT: compares with the portable kernel's other kind of look-up. */
int main(int argc, char **argv)
{
    static const unsigned char point[64] =
        "\x79\xbe\x66\x7e\xf9\xdc\xbb\xac\x55\xa0\x62\x95\xce\x87\x0b\x07\x02\x9b\xfc\xdb\x2d\xce\x28\xd9\x59\xf2\x81\x5b"
        "\x16\xf8\x17\x98\x48\x3a\xda\x77\x26\xa3\xc4\x65\x5d\xa4\xfb\xfc\x0e\x11\x08\xa8\xfd\x17\xb4\x48\xa6\x85\x54\x19"
        "\x9c\x47\xd0\x8f\xfb\x10\xd4\xb8";
    const unsigned width = argc > 2 ? (unsigned)atoi(argv[2]) : 5;
    const int constant_time = argc > 3 ? atoi(argv[3]) : 1;
    const size_t count = argc > 4 ? (size_t)atoi(argv[4]) : 9, size = 32 * count;
    unsigned char *keys = malloc(size), *shared = malloc(size), *expected = malloc(size);
    int struck, differ = 1;

    if (keys == NULL || shared == NULL || expected == NULL)
        return 2;
    for (size_t i = 0; i < size; i++)
        keys[i] = (unsigned char)(i * i * 7 + i / 32 * 31 + 1);
    if (driver_shared_x("portable", 8, 0, keys, count, point, expected) < 0)
        return 3;
    VALGRIND_MAKE_MEM_UNDEFINED(keys, size);
    struck = driver_shared_x(argc > 1 ? argv[1] : "portable", width, constant_time, keys, count, point, shared);
    VALGRIND_MAKE_MEM_DEFINED(shared, size);
    VALGRIND_MAKE_MEM_DEFINED(&struck, sizeof struck);
    if (struck >= 0)
        differ = memcmp(shared, expected, size) != 0;
    free(keys);
    free(shared);
    free(expected);
    printf("%s\n", struck == -2 ? "no such kernel" : differ ? "differ" : "equal");
    return struck == -2 ? 0 : differ;
}
