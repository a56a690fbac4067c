/* Private keys as signed odd digits. */
#ifndef BMGATE_DIGITS_H
#define BMGATE_DIGITS_H

#include <stddef.h>

/* Whether a key is a scalar, 1 to n - 1, that every width can serve. The odd one of it and n - key, which have one X,
   must not be among the last 2^13 below n: there the last addition could meet equal points. */
int digits_accept(const unsigned char key[32]);

/* The digits of a key (32 bytes, big-endian, 1 to n - 1) into place `slot` of a batch, in constant time. An even key
   is replaced by n - key, which has the same X. See trial.h for the layout. */
void digits_write(unsigned char *batch, unsigned width, size_t slot, const unsigned char key[32]);

/* The key, or n - key, whose digits stand there. */
void digits_read(const unsigned char *batch, unsigned width, size_t slot, unsigned char key[32]);

/* Copies the digits in one place to another, perhaps of another batch; without a source, wipes them. */
void digits_copy(unsigned char *to, size_t to_slot, const unsigned char *from, size_t from_slot, unsigned width);

#endif
