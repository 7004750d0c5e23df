/* SPDX-License-Identifier: Apache-2.0
 * Which kernels this CPU can run, and which are in use. */
#ifndef LK_CPU_H
#define LK_CPU_H

#include "lk.h"

enum lk_isa { LK_ISA_SCALAR, LK_ISA_NEON, LK_ISA_AVX2, LK_ISA_AVX512, LK_ISA_COUNT };

/* "scalar", "neon", "avx2", "avx512" */
const char *lk_isa_name(enum lk_isa isa);
/* Whether the CPU and this build have it. */
int lk_isa_supported(enum lk_isa isa);
/* The kernels in use; the best supported ones until lk_isa_use() is called. */
const struct lk_kernels *lk_active(void);
enum lk_isa lk_isa_active(void);
/* For tests and benchmarks. Not to be called while kernels run. LK_BAD_ARGUMENT if unsupported. */
int lk_isa_use(enum lk_isa isa);

#endif
