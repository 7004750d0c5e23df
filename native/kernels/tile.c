/* SPDX-License-Identifier: Apache-2.0 */
#include "isa.h"

enum { BLOCK = LK_TILE_BLOCK, MOST = LK_TILE_LIMIT / 2 + BLOCK };

/* The sums over the columns of one parity, `first` 0 or 1, at x = 0 .. last. */
static void add_columns(const float *columns, size_t first, size_t count, const float *waves, size_t all, size_t stride,
                        size_t last, float *cosines, float *sines) {
    for (size_t start = 0; start <= last; start += BLOCK) {
        float c[BLOCK] = {0}, s[BLOCK] = {0};
        for (size_t k = first; k < count; k += 2) {
            const float re = columns[2 * k], im = columns[2 * k + 1];
            const float *cosine = waves + k * stride + start, *sine = cosine + all * stride;
            for (size_t i = 0; i < BLOCK; i++) {
                c[i] += re * cosine[i];
                s[i] += im * sine[i];
            }
        }
        for (size_t i = 0; i < BLOCK; i++) cosines[start + i] = c[i], sines[start + i] = s[i];
    }
}

/* One row of a plane. A cosine is even and a sine odd about 0 and, but for the sign (-1)^k, about p / 2: four sums at x
 * make the row at x, p - x, p / 2 - x and p / 2 + x. */
static void synthesise(const float *columns, size_t count, const float *waves, size_t all, size_t stride, size_t p,
                       float *row) {
    const size_t half = p / 2, last = p % 2 ? half : half / 2;
    float c0[MOST], s0[MOST], c1[MOST], s1[MOST];
    add_columns(columns, 0, count, waves, all, stride, last, c0, s0);
    add_columns(columns, 1, count, waves, all, stride, last, c1, s1);
    for (size_t x = 0; x <= last; x++) row[x] = (c0[x] + c1[x]) - (s0[x] + s1[x]);
    for (size_t x = 1; x <= last; x++) row[p - x] = (c0[x] + c1[x]) + (s0[x] + s1[x]);
    if (p % 2) return;
    for (size_t x = 0; x <= last; x++) row[half - x] = (c0[x] - c1[x]) + (s0[x] - s1[x]);
    for (size_t x = 0; x <= last; x++) row[half + x] = (c0[x] - c1[x]) - (s0[x] - s1[x]);
}

/* to whole numbers, halves to even, as rintf does; |x| < 2^22. What is no number becomes -limit. */
static void round_row(const float *row, size_t p, float limit, int32_t *whole) {
    for (size_t x = 0; x < p; x++) {
        float v = !(row[x] > -limit) ? -limit : row[x] > limit ? limit : row[x];
        whole[x] = (int32_t)((v + 12582912.0f) - 12582912.0f);
    }
}

/* each sample for each channel; loops of their own for the usual counts let the compiler use vectors */
#define REPEAT(name, type)                                                         \
    static void name(const int32_t *whole, size_t p, size_t channels, type *out) { \
        if (channels == 1)                                                         \
            for (size_t x = 0; x < p; x++) out[x] = (type)whole[x];                \
        else if (channels == 3)                                                    \
            for (size_t x = 0; x < p; x++)                                         \
                out[3 * x] = out[3 * x + 1] = out[3 * x + 2] = (type)whole[x];     \
        else                                                                       \
            for (size_t x = 0; x < p; x++)                                         \
                for (size_t c = 0; c < channels; c++) *out++ = (type)whole[x];     \
    }
REPEAT(repeat_flat, int16_t)
REPEAT(repeat_textured, int8_t)

int LK(lk_tile_make)(const float *columns, size_t count, size_t low, const float *waves, size_t stride, size_t p,
                     size_t channels, int16_t *flat, int8_t *textured) {
    if (low > count || p < 2 || p > LK_TILE_LIMIT || !channels || channels > 4) return LK_BAD_ARGUMENT;
    if (stride <= (p % 2 ? p / 2 : p / 4) || stride % BLOCK) return LK_BAD_ARGUMENT;
    const float *more = columns + 2 * p * count;
    for (size_t y = 0; y < p; y++) {
        float row[LK_TILE_LIMIT];
        int32_t whole[LK_TILE_LIMIT];
        synthesise(columns + 2 * count * y, low, waves, count, stride, p, row);
        round_row(row, p, 8191, whole);
        repeat_flat(whole, p, channels, flat + y * p * channels);
        synthesise(more + 2 * count * y, count, waves, count, stride, p, row);
        round_row(row, p, 127, whole);
        repeat_textured(whole, p, channels, textured + y * p * channels);
    }
    return LK_OK;
}

/* One row. What is written lies apart from what is read, which the compiler cannot know of bytes. */
static void place_row(const int32_t *restrict row, const uint32_t *restrict columns, size_t width,
                      int16_t *restrict flat, int8_t *restrict textured) {
    for (size_t x = 0; x < width; x++) {
        const int32_t v = row[columns[x]];
        flat[x] = (int16_t)(v >> 8), textured[x] = (int8_t)(uint8_t)v;
    }
}

int LK(lk_tile_place)(const int32_t *both, size_t side, const uint32_t *rows, size_t height, const uint32_t *columns,
                      size_t width, size_t channels, int16_t *flat, int8_t *textured, size_t stride) {
    if (!channels || channels > 4 || width > stride / channels) return LK_BAD_ARGUMENT;
    for (size_t x = 0; x < width; x++)
        if (columns[x] >= side) return LK_BAD_ARGUMENT;
    for (size_t y = 0; y < height; y++)
        if (rows[y] >= side) return LK_BAD_ARGUMENT;
    for (size_t y = 0; y < height; y++, flat += stride, textured += stride) {
        const int32_t *row = both + rows[y] * side;
        if (channels == 1) {
            place_row(row, columns, width, flat, textured);
            continue;
        }
        for (size_t i = 0; i < width * channels; i++) {
            const int32_t v = row[columns[i / channels]];
            flat[i] = (int16_t)(v >> 8), textured[i] = (int8_t)(uint8_t)v;
        }
    }
    return LK_OK;
}
