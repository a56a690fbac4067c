/* Memory for keys and what is made of them: of its own, and wiped before it is given back. */
#ifndef BMGATE_SECRET_H
#define BMGATE_SECRET_H

#include <stddef.h>
#include <string.h>

/* Zeroed, locked as far as the system lets us, left out of core dumps, empty in forked children; NULL when there is
   none. */
void *secret_alloc(size_t size);
void secret_free(void *memory, size_t size); /* wipes; NULL is fine */
size_t secret_size(size_t size);             /* what secret_alloc takes for it */

static inline void secret_wipe(void *memory, size_t size)
{
    memset(memory, 0, size);
    __asm__ volatile("" : : "r"(memory) : "memory"); /* so that the compiler believes somebody reads the zeros */
}

#endif
