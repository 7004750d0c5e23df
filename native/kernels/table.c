/* SPDX-License-Identifier: Apache-2.0 */
#include "isa.h"

extern const struct lk_kernels LK(lk_kernels);
const struct lk_kernels LK(lk_kernels) = {
    .polar_decode = LK(lk_polar_decode),
};
