/* SPDX-License-Identifier: Apache-2.0
 *
 * Markers in the coded data of a JPEG. Blocks without a candidate, which are nearly all, cost two loads and two
 * comparisons of a vector.
 */
#include "isa.h"

enum { BLOCK = 256, FIRST = 0xD9 };

static int is_marker(const uint8_t *at) {
    return at[0] == 0xFF && (at[1] == 0xD9 || at[1] == 0xFE || (at[1] & 0xF0) == 0xE0);
}

int LK(lk_jpeg_marker)(const uint8_t *data, size_t size, size_t start, int64_t *place) {
    size_t at = start;
    if (start > size) return LK_BAD_ARGUMENT;
    while (at + 1 < size) {
        const uint8_t *block = data + at;
        size_t count = size - 1 - at; /* of bytes that have a neighbour */
        uint8_t any = 0;
        if (count >= BLOCK) {
            count = BLOCK;
            for (size_t i = 0; i < BLOCK; i++) any |= (uint8_t)((block[i] == 0xFF) & (block[i + 1] >= FIRST));
        } else
            any = 1;
        for (size_t i = 0; any && i < count; i++)
            if (is_marker(block + i)) {
                *place = (int64_t)(at + i);
                return LK_OK;
            }
        at += count;
    }
    *place = (int64_t)size;
    return LK_OK;
}
