/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"

extern const struct lk_kernels lk_kernels_scalar;
#ifdef LK_ARM64
extern const struct lk_kernels lk_kernels_neon;
#endif
#ifdef LK_X86
extern const struct lk_kernels lk_kernels_avx2, lk_kernels_avx512;
#endif

static const struct lk_kernels *const tables[LK_ISA_COUNT] = {
    [LK_ISA_SCALAR] = &lk_kernels_scalar,
#ifdef LK_ARM64
    [LK_ISA_NEON] = &lk_kernels_neon,
#endif
#ifdef LK_X86
    [LK_ISA_AVX2] = &lk_kernels_avx2,
    [LK_ISA_AVX512] = &lk_kernels_avx512,
#endif
};

#if defined(_MSC_VER) && !defined(__clang__)
static volatile int active = -1; /* its compiler reads and writes such a number as a whole */
#else
static _Atomic int active = -1; /* threads that ask first at the same time find the same */
#endif

#ifdef LK_X86
#include <cpuid.h>

/* What the system keeps of a thread's registers: bits of XCR0 (Intel SDM, volume 1, 13.3). */
enum { KEEPS_AVX = 0x06, KEEPS_AVX512 = 0xe6 };

/* Whether the processor has these features of CPUID leaf 7, EBX, and the system keeps their registers. Asked directly, as
 * not every compiler's library fills in what __builtin_cpu_supports looks up. */
static int has(unsigned features, unsigned kept) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & kept) == kept && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & features) == features;
}
#endif

const char *lk_isa_name(enum lk_isa isa) {
    static const char *const names[LK_ISA_COUNT] = {"scalar", "neon", "avx2", "avx512"};
    return names[isa];
}

int lk_isa_supported(enum lk_isa isa) {
    switch (isa) {
    case LK_ISA_SCALAR:
        return 1;
#ifdef LK_ARM64
    case LK_ISA_NEON:
        return 1;
#endif
#ifdef LK_X86
    case LK_ISA_AVX2:
        return has(bit_AVX2 | bit_BMI | bit_BMI2, KEEPS_AVX);
    case LK_ISA_AVX512:
        return has(bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ, KEEPS_AVX512) &&
               lk_isa_supported(LK_ISA_AVX2);
#endif
    default:
        return 0;
    }
}

enum lk_isa lk_isa_active(void) {
    int found = active;
    if (found < 0) {
        found = LK_ISA_COUNT - 1;
        while (!lk_isa_supported((enum lk_isa)found)) found--;
        active = found;
    }
    return (enum lk_isa)found;
}

const struct lk_kernels *lk_active(void) { return tables[lk_isa_active()]; }

int lk_isa_use(enum lk_isa isa) {
    if (isa >= LK_ISA_COUNT || !lk_isa_supported(isa)) return LK_BAD_ARGUMENT;
    active = (int)isa;
    return LK_OK;
}
