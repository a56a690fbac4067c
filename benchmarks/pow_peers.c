/* What bench_pow.py compares the kernels with, compiled when it runs: OpenSSL called in a loop in two ways, the fastest
   kernel of this processor with POLL trials between two looks at its stop flag, and the clock. */

#include <stdint.h>
#include <string.h>
#include <time.h>

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "pow.h"
#undef POW_POLL_EVERY
#define POW_POLL_EVERY poll_every
static uint64_t poll_every; /* trials between two looks */
#include "cpu.c"
#include "pow.c"

#define ADDITIONS 64

static void big_endian(unsigned char *bytes, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(number >> (56 - 8 * i));
}

static uint64_t first_word(const unsigned char *digest)
{
    uint64_t word = 0;

    for (int i = 0; i < 8; i++)
        word = word << 8 | digest[i];
    return word;
}

/* The searches return the first nonce with a value up to `target`, or start + count. */
uint64_t sha512_search(const unsigned char *initial_hash, uint64_t target, uint64_t start, uint64_t count)
{
    unsigned char message[72], digest[64];
    SHA512_CTX context;
    uint64_t nonce;

    memcpy(message + 8, initial_hash, 64);
    for (nonce = start; nonce < start + count; nonce++) {
        big_endian(message, nonce);
        SHA512_Init(&context);
        SHA512_Update(&context, message, sizeof message);
        SHA512_Final(digest, &context);
        SHA512_Init(&context);
        SHA512_Update(&context, digest, sizeof digest);
        SHA512_Final(digest, &context);
        if (first_word(digest) <= target)
            break;
    }
    return nonce;
}

uint64_t evp_search(const unsigned char *initial_hash, uint64_t target, uint64_t start, uint64_t count)
{
    EVP_MD *algorithm = EVP_MD_fetch(NULL, "SHA512", NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char message[72], digest[64];
    uint64_t nonce;

    memcpy(message + 8, initial_hash, 64);
    for (nonce = start; nonce < start + count; nonce++) {
        big_endian(message, nonce);
        EVP_DigestInit_ex2(context, algorithm, NULL);
        EVP_DigestUpdate(context, message, sizeof message);
        EVP_DigestFinal_ex(context, digest, NULL);
        EVP_DigestInit_ex2(context, algorithm, NULL);
        EVP_DigestUpdate(context, digest, sizeof digest);
        EVP_DigestFinal_ex(context, digest, NULL);
        if (first_word(digest) <= target)
            break;
    }
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
    return nonce;
}

static uint64_t kernel_search(const unsigned char *initial_hash, uint64_t target, uint64_t start, uint64_t count)
{
    const struct pow_kernel *kernel = POW_KERNELS;
    struct pow_search search;
    unsigned char stop = 0;
    int hit;

    while (!cpu_has(kernel->kernel.needs))
        kernel++;
    pow_prepare(&search, initial_hash, target);
    uint64_t tried = kernel->run(&search, start, count, &stop, &hit);
    return start + tried - (hit != 0);
}

uint64_t polled_search(const unsigned char *initial_hash, uint64_t target, uint64_t start, uint64_t count)
{
    poll_every = 4096;
    return kernel_search(initial_hash, target, start, count);
}

uint64_t unpolled_search(const unsigned char *initial_hash, uint64_t target, uint64_t start, uint64_t count)
{
    poll_every = UINT64_MAX;
    return kernel_search(initial_hash, target, start, count);
}

/* Cycles per second, from a chain of additions that each take one; 0 where it is not known how to write one. */
double clock_rate(uint64_t rounds)
{
    struct timespec begun, ended;
    uint64_t sum = 0;

    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (uint64_t i = 0; i < rounds; i++) {
#if defined(__x86_64__)
        __asm__ volatile(".rept 64\n\tadd %1, %0\n\t.endr" : "+r"(sum) : "r"(i));
#elif defined(__aarch64__)
        __asm__ volatile(".rept 64\n\tadd %0, %0, %1\n\t.endr" : "+r"(sum) : "r"(i));
#else
        return 0 * (double)sum;
#endif
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    return (double)rounds * ADDITIONS /
           ((double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) * 1e-9);
}
