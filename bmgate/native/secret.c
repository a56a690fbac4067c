#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise */

#include "secret.h"

#include <sys/mman.h>
#include <unistd.h>

size_t secret_size(size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (size + page - 1) / page * page;
}

void *secret_alloc(size_t size)
{
    void *memory = mmap(NULL, secret_size(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    mlock(memory, secret_size(size)); /* may fail: RLIMIT_MEMLOCK */
#ifdef MADV_DONTDUMP
    madvise(memory, secret_size(size), MADV_DONTDUMP);
#endif
#ifdef MADV_WIPEONFORK
    madvise(memory, secret_size(size), MADV_WIPEONFORK);
#endif
    return memory;
}

void secret_free(void *memory, size_t size)
{
    if (memory == NULL)
        return;
    secret_wipe(memory, size);
    munmap(memory, secret_size(size));
}
