/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"

extern const struct lk_kernels lk_kernels_scalar;
#ifdef LK_X86
extern const struct lk_kernels lk_kernels_avx2, lk_kernels_avx512;
#endif

static const struct lk_kernels *const tables[LK_ISA_COUNT] = {
    [LK_ISA_SCALAR] = &lk_kernels_scalar,
#ifdef LK_X86
    [LK_ISA_AVX2] = &lk_kernels_avx2,
    [LK_ISA_AVX512] = &lk_kernels_avx512,
#endif
};

static int active = -1;

const char *lk_isa_name(enum lk_isa isa) {
    static const char *const names[LK_ISA_COUNT] = {"scalar", "avx2", "avx512"};
    return names[isa];
}

int lk_isa_supported(enum lk_isa isa) {
    switch (isa) {
    case LK_ISA_SCALAR:
        return 1;
#ifdef LK_X86
    case LK_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
    case LK_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               lk_isa_supported(LK_ISA_AVX2);
#endif
    default:
        return 0;
    }
}

enum lk_isa lk_isa_active(void) {
    if (active < 0) {
        int best = LK_ISA_COUNT - 1;
        while (!lk_isa_supported((enum lk_isa)best)) best--;
        active = best;
    }
    return (enum lk_isa)active;
}

const struct lk_kernels *lk_active(void) { return tables[lk_isa_active()]; }

int lk_isa_use(enum lk_isa isa) {
    if (isa >= LK_ISA_COUNT || !lk_isa_supported(isa)) return LK_BAD_ARGUMENT;
    active = (int)isa;
    return LK_OK;
}
