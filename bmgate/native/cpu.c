#include "cpu.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>

/* A feature that compilers do not ask for by name yet: leaf 7 of CPUID, register ECX. */
static int has_vaes(void)
{
    unsigned int a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c >> 9 & 1);
}

int cpu_has(enum cpu_feature feature)
{
    __builtin_cpu_init();
    switch (feature) {
    case CPU_ANY:
        return 1;
    case CPU_BMI:
        return __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    case CPU_AVX2:
        return cpu_has(CPU_BMI) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case CPU_AVX512:
        return cpu_has(CPU_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    case CPU_IFMA:
        return cpu_has(CPU_AVX512) && __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi2");
    case CPU_AESNI:
        return __builtin_cpu_supports("aes") != 0;
    case CPU_VAES:
        return cpu_has(CPU_AVX512) && cpu_has(CPU_AESNI) && has_vaes();
    }
    return 0;
}
#else
int cpu_has(enum cpu_feature feature)
{
    return feature == CPU_ANY;
}
#endif
