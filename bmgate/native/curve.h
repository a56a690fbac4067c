/* What a message's point needs once, one field element at a time: the curve's equation, doublings, inversion. */
#ifndef BMGATE_CURVE_H
#define BMGATE_CURVE_H

#include <stdint.h>

/* X and Y of a point of 64 bytes, big-endian, as eight words, the least significant first; 0 when it is not on the
   curve, which must end the work: the addition formulas never use the curve's 7, so a foreign point leaks keys. */
int curve_read(uint64_t point[8], const unsigned char *encoded);

/* 2^q times the point for q < count in Jacobian coordinates: words of X, Y and Z, fully reduced. */
void curve_doublings(uint64_t (*doubled)[12], const uint64_t point[8], unsigned count);

/* The inverse modulo p, in constant time, of a fully reduced number whose word i is words[i * lanes]; 0 for 0. It takes
   its place, in all lanes: word i is then in words[i * lanes] to words[i * lanes + lanes - 1]. */
void curve_invert(uint64_t *words, unsigned lanes);

#endif
