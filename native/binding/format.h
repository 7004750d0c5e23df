/* SPDX-License-Identifier: Apache-2.0
 * What a buffer says its elements are. Without Python.h, so that the native tests can ask it too. */
#ifndef LK_FORMAT_H
#define LK_FORMAT_H

#include <stddef.h>

/* Whether a buffer of this format string (struct module syntax, NULL for bytes) and of this element size in bytes holds
 * elements of `want`: 'b' int8, 'B' uint8, 'h' int16, 'H' uint16, 'i' int32, 'I' uint32, 'q' int64, 'f' float32, 'd' float64.
 * Platforms name the same 32 or 64 bits by different letters: NumPy on Windows calls uint32 'L'. */
int lk_same_format(const char *got, size_t size, char want);
/* "int8" for 'b', and so on; NULL for a letter that no kernel takes. */
const char *lk_format_name(char want);
/* Bytes of one element of `want`; its alignment is never more. */
size_t lk_format_size(char want);

#endif
