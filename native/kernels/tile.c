/* SPDX-License-Identifier: Apache-2.0 */
#include "isa.h"

enum { BLOCK = LK_TILE_BLOCK, HALF = LK_TILE_LIMIT / 2 + BLOCK };

/* One row of a plane: its first half from the even part, the cosines, less the odd part, the sines; its second half, read
 * backwards, from their sum. */
static void synthesise(const float *columns, size_t count, const float *cosines, const float *sines, size_t stride,
                       size_t p, float *row) {
    for (size_t start = 0; start <= p / 2; start += BLOCK) {
        float even[BLOCK] = {0}, odd[BLOCK] = {0};
        for (size_t k = 0; k < count; k++) {
            const float re = columns[2 * k], im = columns[2 * k + 1];
            const float *c = cosines + k * stride + start, *s = sines + k * stride + start;
            for (size_t i = 0; i < BLOCK; i++) {
                even[i] += re * c[i];
                odd[i] += im * s[i];
            }
        }
        size_t stop = p / 2 + 1 - start < BLOCK ? p / 2 + 1 - start : BLOCK;
        for (size_t i = 0; i < stop; i++) row[start + i] = even[i] - odd[i];
        for (size_t i = start ? 0 : 1; i < stop; i++)
            if (2 * (start + i) != p) row[p - start - i] = even[i] + odd[i];
    }
}

/* to whole numbers, halves to even, as rintf does; |x| < 2^22 */
static void round_row(const float *row, size_t p, float limit, int32_t *whole) {
    for (size_t x = 0; x < p; x++) {
        float v = row[x] < -limit ? -limit : row[x] > limit ? limit : row[x];
        whole[x] = (int32_t)((v + 12582912.0f) - 12582912.0f);
    }
}

int LK(lk_tile_make)(const float *columns, size_t count, size_t low, const float *waves, size_t stride, size_t p,
                     size_t channels, int16_t *flat, int8_t *textured) {
    if (low > count || p < 2 || p > LK_TILE_LIMIT || stride < p / 2 + 1 || stride % BLOCK || !channels || channels > 4)
        return LK_BAD_ARGUMENT;
    const float *sines = waves + count * stride, *more = columns + 2 * p * count;
    for (size_t y = 0; y < p; y++) {
        float row[2 * HALF];
        int32_t whole[2 * HALF];
        synthesise(columns + 2 * count * y, low, waves, sines, stride, p, row);
        round_row(row, p, 8191, whole);
        for (size_t x = 0; x < p; x++)
            for (size_t c = 0; c < channels; c++) *flat++ = (int16_t)whole[x];
        synthesise(more + 2 * count * y, count, waves, sines, stride, p, row);
        round_row(row, p, 127, whole);
        for (size_t x = 0; x < p; x++)
            for (size_t c = 0; c < channels; c++) *textured++ = (int8_t)whole[x];
    }
    return LK_OK;
}
