/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole C API of labelkit's kernels: the contract of each stands at its type.
 *
 * Rules. Sizes are size_t and count elements unless the name ends in _bytes. Strides are in elements.
 * Kernels never allocate (scratch comes from the caller), never log, never touch Python, and return
 * LK_OK or LK_BAD_ARGUMENT. All instruction-set variants give the same bits, and so does the NumPy
 * twin in labelkit/kernels/; where floating point forbids that, the contract says so.
 */
#ifndef LK_H
#define LK_H

#include <stddef.h>
#include <stdint.h>

#define LK_OK 0
#define LK_BAD_ARGUMENT 1

/* Error correction: successive-cancellation list decoding of a polar code (Tal and Vardy, 2015).
 *
 * soft     int32 [n], n a power of two from 32 to 4096; > 0 leans to bit 0; |soft| <= 1 << 16
 * frozen   uint8 [n], 1 where the input bit is known to be 0, 0 where it carries information
 * list     how many paths are kept, 1 to 32
 * scratch  lk_polar_scratch(n, list) bytes, aligned to 8
 * bits     uint8 [list][k]: the information bits of each path, best path first; k = zeros in frozen
 * metric   int64 [list]: the sum of |soft| that each path contradicts, ascending; equal ones in
 *          the order of the bits. Paths that were never opened have metric -1.
 */
typedef int lk_polar_decode_fn(const int32_t *soft, const uint8_t *frozen, size_t n, size_t list,
                               uint8_t *scratch, uint8_t *bits, int64_t *metric);
size_t lk_polar_scratch(size_t n, size_t list);

/* One table for each instruction set; kernels/table.c fills it. */
struct lk_kernels {
    lk_polar_decode_fn *polar_decode;
};

#endif
