/* SPDX-License-Identifier: Apache-2.0
 *
 * Markers in the coded data of a JPEG. Blocks without a candidate, which are nearly all, cost two loads and two
 * comparisons of a vector.
 */
#include "isa.h"

enum { BLOCK = 256 };

int LK(lk_jpeg_marker)(const uint8_t *data, size_t size, const uint8_t *wanted, size_t start, int64_t *place) {
    size_t at = start;
    int least = 0;
    if (start > size) return LK_BAD_ARGUMENT;
    while (least < 255 && !wanted[least]) least++;
    const uint8_t first = (uint8_t)least;
    while (at + 1 < size) {
        const uint8_t *block = data + at;
        size_t count = size - 1 - at; /* of bytes that have a neighbour */
        uint8_t any = 0;
        if (count >= BLOCK) {
            count = BLOCK;
            for (size_t i = 0; i < BLOCK; i++) any |= (uint8_t)((block[i] == 0xFF) & (block[i + 1] >= first));
        } else
            any = 1;
        for (size_t i = 0; any && i < count; i++)
            if (block[i] == 0xFF && wanted[block[i + 1]]) {
                *place = (int64_t)(at + i);
                return LK_OK;
            }
        at += count;
    }
    *place = (int64_t)size;
    return LK_OK;
}
