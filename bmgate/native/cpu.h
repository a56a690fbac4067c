/* What the processor at hand can do: kernels are chosen when the program runs, never when it is compiled. */
#ifndef BMGATE_CPU_H
#define BMGATE_CPU_H

enum cpu_feature {
    CPU_ANY,    /* every processor this was compiled for */
    CPU_BMI,    /* x86-64: BMI1 and BMI2 */
    CPU_AVX2,   /* AVX2 and FMA with both BMI */
    CPU_AVX512, /* AVX-512 F, DQ, BW and VL, with all of the above */
    CPU_IFMA,   /* AVX-512 IFMA and VBMI2, with all of the above */
    CPU_AESNI,
    CPU_VAES, /* AES in 512-bit vectors, with AVX-512 */
};

/* Whether the processor has it and the operating system keeps its registers. */
int cpu_has(enum cpu_feature feature);

/* A way to do something, by the name it has outside. Tables run from the fastest to the one that always works. */
struct kernel {
    const char *name;
    enum cpu_feature needs;
};

#endif
