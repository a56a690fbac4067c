/* Batch trial decryption for every 64-bit processor. */

#include "field_portable.h"

#define FIELD_KERNEL trial_portable
#define FIELD_NAME "portable"
#define FIELD_NEEDS CPU_ANY
#include "trial_batch.h"
