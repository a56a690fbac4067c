/* What a kernel does with digits and sums, alone, so that its machine code can be read: see test_keyset_kernels.py. */

#include "trial.h"

#include FIELD

void probe(fe x[CHAINS], fe y[CHAINS], fe product[CHAINS], const uint64_t *window, const unsigned char *digits)
{
    fe slope[CHAINS];

    fe_look_up(x, y, window, digits, HOW);
    EACH_CHAIN fe_sub(&slope[chain], &y[chain], &product[chain]);
    EACH_CHAIN fe_mul(&product[chain], &slope[chain], &x[chain]);
    EACH_CHAIN fe_sqr_sub(&x[chain], &slope[chain], &x[chain], &slope[chain]);
    EACH_CHAIN fe_mul_sub(&y[chain], &product[chain], &slope[chain], &x[chain]);
}
