/* All filters of filter.c by number, for test_filter.py: also those that a better one hides. */

#include "cpu.c"
#include "filter.c"

/* The AES instructions of filter `which`; "" when this processor has not got them, NULL beyond the last. */
const char *driver_aes(size_t which)
{
    if (which >= sizeof CHOICES / sizeof CHOICES[0])
        return NULL;
    return CHOICES[which].supported() ? CHOICES[which].filter.aes : "";
}

size_t driver_run(size_t which, const struct filter_query *query, filter_x x, size_t count, struct filter_hit *hits)
{
    return CHOICES[which].filter.run(query, x, count, hits);
}
