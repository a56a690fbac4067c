/* Batch trial decryption for processors with AVX2 and FMA. */

#include "trial.h"

#if defined(__x86_64__)

/* All that is not of this kernel alone stands before the pragma, which would compile it for this processor too. */
#include <immintrin.h>

#include "curve.h"
#include "filter.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif

#include "field_avx2.h"

#define FIELD_KERNEL trial_avx2
#define FIELD_NAME "avx2"
#define FIELD_NEEDS CPU_AVX2
#include "trial_batch.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif
