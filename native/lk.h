/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole C API of labelkit's kernels: every contract in one place.
 *
 * Rules. Sizes are size_t and count elements unless the name ends in _bytes. Strides are in
 * elements of the array and may be negative only where said. Kernels never allocate: scratch comes
 * from the caller. They never log, never touch Python, and return LK_OK or LK_BAD_ARGUMENT. Every
 * instruction-set variant of a kernel gives the same bits, as does its NumPy twin in
 * labelkit/kernels/reference.py; where floating point forbids that, the contract says so.
 */
#ifndef LK_H
#define LK_H

#include <stddef.h>
#include <stdint.h>

#define LK_OK 0
#define LK_BAD_ARGUMENT 1

#endif
