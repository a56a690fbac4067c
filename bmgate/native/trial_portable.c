/* Batch trial decryption for every 64-bit processor. */

#include "field_portable.h"

#define FIELD_KERNEL trial_portable
#define FIELD_NAME "portable"
#define FIELD_NEEDS CPU_ANY
#define FIELD_MOST 512 /* costs 2 % for more inversions */
#include "trial_batch.h"
