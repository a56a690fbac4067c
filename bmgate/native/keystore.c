#include "keystore.h"

#include "digits.h"
#include "secret.h"

struct workspace {
    _Alignas(64) uint64_t x[TRIAL_BATCH / FILTER_LANES][4][FILTER_LANES];
    struct filter_hit hits[TRIAL_BATCH];
    _Alignas(64) unsigned char scratch[];
};

const struct trial_kernel *const TRIAL_KERNELS[] = {
#if defined(__x86_64__)
    &trial_ifma,
    &trial_avx2,
#endif
    &trial_portable,
    NULL,
};

const struct trial_kernel *keystore_kernel(const char *name)
{
    for (const struct trial_kernel *const *row = TRIAL_KERNELS; *row != NULL; row++)
        if (strcmp((*row)->kernel.name, name) == 0 && cpu_has((*row)->kernel.needs))
            return *row;
    return NULL;
}

static unsigned char *batch_of(const struct keystore *store, size_t index)
{
    return store->batches[index / TRIAL_BATCH];
}

int keystore_make_room(struct keystore *store, size_t count)
{
    const size_t batches = (count + TRIAL_BATCH - 1) / TRIAL_BATCH, size = trial_batch_bytes(store->width);
    unsigned char **grown;

    while (store->room / TRIAL_BATCH > batches) {
        store->room -= TRIAL_BATCH;
        secret_free(store->batches[store->room / TRIAL_BATCH], size);
    }
    if (store->room / TRIAL_BATCH == batches)
        return 0;
    grown = realloc(store->batches, batches * sizeof *grown);
    if (grown == NULL)
        return -1;
    store->batches = grown;
    for (; store->room < count; store->room += TRIAL_BATCH)
        if ((grown[store->room / TRIAL_BATCH] = secret_alloc(size)) == NULL)
            return -1;
    return 0;
}

void keystore_clear(struct keystore *store)
{
    keystore_make_room(store, 0);
    free(store->batches);
    store->batches = NULL;
    store->count = 0;
}

size_t keystore_memory(const struct keystore *store)
{
    return store->room / TRIAL_BATCH * (secret_size(trial_batch_bytes(store->width)) + sizeof *store->batches);
}

void keystore_write(struct keystore *store, size_t index, const unsigned char key[KEY_SIZE])
{
    digits_write(batch_of(store, index), store->width, index % TRIAL_BATCH, key);
}

void keystore_remove(struct keystore *store, size_t index)
{
    const size_t last = --store->count;

    digits_copy(batch_of(store, index), index % TRIAL_BATCH, batch_of(store, last), last % TRIAL_BATCH, store->width);
    digits_copy(batch_of(store, last), last % TRIAL_BATCH, NULL, 0, store->width);
    keystore_make_room(store, last);
}

void keystore_recode(struct keystore *to, const struct keystore *from)
{
    unsigned char key[KEY_SIZE];

    for (size_t i = 0; i < from->count; i++) {
        digits_read(batch_of(from, i), from->width, i % TRIAL_BATCH, key);
        keystore_write(to, i, key);
    }
    to->count = from->count;
    secret_wipe(key, sizeof key);
}

static size_t workspace_size(const struct keystore *store)
{
    return sizeof(struct workspace) + store->kernel->scratch_size;
}

struct workspace *workspace_alloc(const struct keystore *store)
{
    return secret_alloc(workspace_size(store));
}

void workspace_free(const struct keystore *store, struct workspace *workspace)
{
    if (workspace != NULL)
        secret_free(workspace, workspace_size(store));
}

int keystore_table(const struct keystore *store, struct workspace *workspace, const uint64_t point[8],
                   struct trial_table *table)
{
    const size_t words = trial_table_words(store->width, store->constant_time);

    table->width = store->width;
    table->windows = trial_windows(store->width);
    table->constant_time = store->constant_time;
    table->entries = aligned_alloc(64, words * sizeof *table->entries);
    return table->entries == NULL ? -1 : store->kernel->make_table(table, point, workspace->scratch);
}

void keystore_free_table(struct trial_table *table)
{
    free(table->entries);
    table->entries = NULL;
}

void found_clear(struct found *found)
{
    if (found->hits != NULL)
        secret_wipe(found->hits, found->room * sizeof *found->hits);
    free(found->hits);
    *found = (struct found){NULL, 0, 0};
}

static int append(struct found *found, const struct filter_hit *hits, size_t count, size_t first_key)
{
    if (count > found->room - found->count) {
        struct found grown = {NULL, found->count, 2 * found->room + count};
        grown.hits = malloc(grown.room * sizeof *grown.hits);
        if (grown.hits == NULL)
            return -1;
        if (found->count > 0)
            memcpy(grown.hits, found->hits, found->count * sizeof *grown.hits);
        found_clear(found);
        *found = grown;
    }
    for (size_t i = 0; i < count; i++) {
        found->hits[found->count] = hits[i];
        found->hits[found->count++].key += (uint32_t)first_key;
    }
    return 0;
}

/* X of keys from `key` on, to the end of their batch or to `end` or as many as the kernel takes, into the workspace; returns how many those are. */
static size_t share_x(const struct keystore *store, const struct trial_table *table, struct workspace *workspace,
                      size_t key, size_t end, unsigned *guards)
{
    const size_t slot = key % TRIAL_BATCH, most = store->kernel->most;
    const size_t left = TRIAL_BATCH - slot < most ? TRIAL_BATCH - slot : most, count = end - key < left ? end - key : left;
    const unsigned char *digits = batch_of(store, key) + slot * trial_digit_size(store->width);

    *guards += store->kernel->shared_x(table, digits, count, workspace->scratch, workspace->x);
    return count;
}

int keystore_find(const struct keystore *store, const struct trial_table *table, const struct filter_query *query,
                  size_t begin, size_t end, const volatile unsigned char *stop, struct workspace *workspace,
                  struct found *found, unsigned *guards)
{
    size_t count;

    for (size_t key = begin / TRIAL_ALIGNMENT * TRIAL_ALIGNMENT; key < end && !*stop; key += count) {
        count = share_x(store, table, workspace, key, end, guards);
        size_t hits = store->filter->run(query, (filter_x)workspace->x, count, workspace->hits), early = 0;
        while (early < hits && key + workspace->hits[early].key < begin)
            early++;
        if (append(found, workspace->hits + early, hits - early, key) < 0)
            return -1;
    }
    return 0;
}

void keystore_shared_x(const struct keystore *store, const struct trial_table *table, struct workspace *workspace,
                       unsigned char *encoded, unsigned *guards)
{
    for (size_t key = 0, count; key < store->count; key += count) {
        count = share_x(store, table, workspace, key, store->count, guards);
        for (size_t i = 0; i < count; i++)
            for (size_t byte = 0; byte < 32; byte++)
                *encoded++ = (unsigned char)(workspace->x[i / FILTER_LANES][byte / 8][i % FILTER_LANES] >>
                                             (56 - byte % 8 * 8));
    }
}
