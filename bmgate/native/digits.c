/* See digits.h. Recoding: for odd k and i below the top window, d_i = (((k >> w*i) | 1) mod 2^(w+1)) - 2^w, and the top
   digit is (k >> w*i) | 1. All are odd, and their sum, each times 2^(w*i), is k. */

#include "digits.h"

#include "secret.h"
#include "trial.h"

/* The order of the curve, least significant word first. */
static const uint64_t N[4] = {0xBFD25E8CD0364141u, 0xBAAEDCE6AF48A03Bu, 0xFFFFFFFFFFFFFFFEu, 0xFFFFFFFFFFFFFFFFu};

static void read_key(uint64_t words[4], const unsigned char key[32])
{
    for (int i = 0; i < 4; i++) {
        words[3 - i] = 0;
        for (int byte = 0; byte < 8; byte++)
            words[3 - i] = words[3 - i] << 8 | key[8 * i + byte];
    }
}

/* r = a - b; returns 1 when that is negative. */
static uint64_t subtract(uint64_t r[4], const uint64_t a[4], const uint64_t b[4])
{
    uint64_t borrow = 0;

    for (int i = 0; i < 4; i++) {
        uint64_t difference = a[i] - b[i];
        uint64_t next = (uint64_t)(a[i] < b[i]) | (uint64_t)(difference < borrow);
        r[i] = difference - borrow;
        borrow = next;
    }
    return borrow;
}

/* n - k where k is even. */
static void make_odd(uint64_t k[4])
{
    const uint64_t keep = 0 - (k[0] & 1);
    uint64_t other[4];

    subtract(other, N, k);
    for (int i = 0; i < 4; i++)
        k[i] = (k[i] & keep) | (other[i] & ~keep);
    secret_wipe(other, sizeof other);
}

int digits_accept(const unsigned char key[32])
{
    const uint64_t margin[4] = {(uint64_t)2 << TRIAL_MAX_WIDTH};
    uint64_t k[4], rest[4];
    int accepted;

    read_key(k, key);
    accepted = subtract(rest, k, N) && (k[0] | k[1] | k[2] | k[3]) != 0;
    make_odd(k);
    subtract(rest, N, k);
    accepted = accepted && !subtract(rest, rest, margin) && (rest[0] | rest[1] | rest[2] | rest[3]) != 0;
    secret_wipe(k, sizeof k);
    secret_wipe(rest, sizeof rest);
    return accepted;
}

/* Bits from `at` on, the lowest 13 of them and maybe more. */
static unsigned bits_of(const uint64_t k[4], unsigned at)
{
    uint64_t bits = k[at / 64] >> at % 64;

    if (at % 64 > 51 && at < 192)
        bits |= k[at / 64 + 1] << (64 - at % 64);
    return (unsigned)bits & 0x1FFF;
}

static void put_digit(unsigned char *batch, unsigned width, unsigned window, size_t slot, unsigned negative, unsigned index)
{
    const size_t place = window * (size_t)TRIAL_BATCH + slot;
    const uint16_t pair = (uint16_t)(negative << 15 | index);

    if (trial_digit_size(width) == 1)
        batch[place] = (unsigned char)(negative << 7 | index);
    else
        memcpy(batch + 2 * place, &pair, sizeof pair);
}

void digits_write(unsigned char *batch, unsigned width, size_t slot, const unsigned char key[32])
{
    const unsigned top = trial_windows(width) - 1, mask = (1u << width) - 1;
    uint64_t k[4];

    read_key(k, key);
    make_odd(k);
    for (unsigned i = 0; i < top; i++) {
        unsigned bits = bits_of(k, width * i) | 1, negative = ~bits >> width & 1;
        put_digit(batch, width, i, slot, negative, ((bits ^ (0 - negative)) & mask) >> 1);
    }
    put_digit(batch, width, top, slot, 0, (bits_of(k, width * top) & mask) >> 1);
    secret_wipe(k, sizeof k);
}

void digits_read(const unsigned char *batch, unsigned width, size_t slot, unsigned char key[32])
{
    uint64_t k[4] = {0};

    for (unsigned i = trial_windows(width); i-- > 0;) {
        const size_t place = i * (size_t)TRIAL_BATCH + slot;
        uint64_t negative = (uint64_t)batch[place] >> 7, index = batch[place] & 0x7Fu, carry;
        if (trial_digit_size(width) == 2) {
            uint16_t pair;
            memcpy(&pair, batch + 2 * place, sizeof pair);
            negative = pair >> 15;
            index = pair & 0x7FFFu;
        }
        /* k = k * 2^w + or - (2 index + 1), modulo 2^256: all but the top sums of digits are positive */
        for (int word = 3; word > 0; word--)
            k[word] = k[word] << width | k[word - 1] >> (64 - width);
        k[0] <<= width;
        negative = 0 - negative;
        carry = negative & 1;
        for (int word = 0; word < 4; word++) {
            uint64_t term = ((word == 0 ? 2 * index + 1 : 0) ^ negative), sum = k[word] + term;
            uint64_t over = sum < term;
            k[word] = sum + carry;
            carry = over | (k[word] < carry);
        }
    }
    for (int i = 0; i < 32; i++)
        key[i] = (unsigned char)(k[3 - i / 8] >> (56 - i % 8 * 8));
    secret_wipe(k, sizeof k);
}

void digits_copy(unsigned char *to, size_t to_slot, const unsigned char *from, size_t from_slot, unsigned width)
{
    const size_t size = trial_digit_size(width);

    for (size_t window = 0; window < trial_windows(width); window++) {
        unsigned char *place = to + (window * TRIAL_BATCH + to_slot) * size;
        if (from == NULL)
            secret_wipe(place, size);
        else
            memcpy(place, from + (window * TRIAL_BATCH + from_slot) * size, size);
    }
}
