/* Batch trial decryption for processors with AVX-512 IFMA. */

#include "trial.h"

#if defined(__x86_64__)

/* All that is not of this kernel alone stands before the pragma, which would compile it for this processor too. */
#include <immintrin.h>

#include "curve.h"
#include "filter.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512ifma,avx512vbmi2,bmi,bmi2"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512ifma,avx512vbmi2,bmi,bmi2")
#endif

#include "field_ifma.h"

#define FIELD_KERNEL trial_ifma
#define FIELD_NAME "ifma"
#define FIELD_NEEDS CPU_IFMA
#include "trial_batch.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
