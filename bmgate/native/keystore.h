/* A set of private keys for one kernel, width and kind of look-up, and the search among them; Python's side of it is
   keyset.c. Keys are kept as digits alone, in batches, each in memory of its own: growing copies nothing. */
#ifndef BMGATE_KEYSTORE_H
#define BMGATE_KEYSTORE_H

#include "filter.h"
#include "trial.h"

#define KEY_SIZE 32

struct keystore {
    const struct trial_kernel *kernel;
    const struct filter *filter;
    unsigned char **batches;
    size_t count, room; /* keys there are, and that the batches have room for */
    unsigned width;
    int constant_time;
};

/* What one search works in. Its pages are worth keeping: fresh ones cost as much as a few hundred keys. */
struct workspace;

/* Candidates: hits whose `key` counts from 0 in the whole set. */
struct found {
    struct filter_hit *hits;
    size_t count, room;
};

/* The kernels compiled in, fastest first, up to NULL. */
extern const struct trial_kernel *const TRIAL_KERNELS[];

/* The one of that name; NULL where this processor does not run it. */
const struct trial_kernel *keystore_kernel(const char *name);

/* Batches for `count` keys and no more; -1 without memory. */
int keystore_make_room(struct keystore *store, size_t count);
void keystore_clear(struct keystore *store); /* wipes all */
size_t keystore_memory(const struct keystore *store);

/* The key in place `index`, for which there is room; `count` stands as it is. */
void keystore_write(struct keystore *store, size_t index, const unsigned char key[KEY_SIZE]);
void keystore_remove(struct keystore *store, size_t index); /* the last key moves into the gap */
void keystore_recode(struct keystore *to, const struct keystore *from); /* `to` has room for all keys of `from` */

struct workspace *workspace_alloc(const struct keystore *store);
void workspace_free(const struct keystore *store, struct workspace *workspace);

/* A table for a point on the curve; -1 without memory. */
int keystore_table(const struct keystore *store, struct workspace *workspace, const uint64_t point[8],
                   struct trial_table *table);
void keystore_free_table(struct trial_table *table);

/* Appends the candidates among keys begin to end - 1; looks at *stop before each batch. `*guards` counts batches in
   which equal or opposite points met. Returns -1 without memory. */
int keystore_find(const struct keystore *store, const struct trial_table *table, const struct filter_query *query,
                  size_t begin, size_t end, const volatile unsigned char *stop, struct workspace *workspace,
                  struct found *found, unsigned *guards);
void found_clear(struct found *found); /* wipes */

/* The shared X of all keys, 32 bytes each, big-endian. */
void keystore_shared_x(const struct keystore *store, const struct trial_table *table, struct workspace *workspace,
                       unsigned char *encoded, unsigned *guards);

#endif
