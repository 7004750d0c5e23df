/* SPDX-License-Identifier: Apache-2.0
 *
 * The colours of a picture, and the detector's view of it: luma, whitening, folding. Whitening streams over rows with
 * running column sums, so that it touches each sample once and needs a few rows of scratch.
 */
#include <math.h>
#include <string.h>

#include "isa.h"
#include "words.h"

int LK(lk_image_colours)(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, uint8_t *restrict out) {
    for (size_t y = 0; y < height; y++, pixels += row_bytes, out += 3 * width)
        for (size_t i = 0; i < width; i++)
            out[3 * i] = pixels[4 * i], out[3 * i + 1] = pixels[4 * i + 1], out[3 * i + 2] = pixels[4 * i + 2];
    return LK_OK;
}

static void spread_row(const uint8_t *restrict x, size_t width, uint8_t *restrict out) {
    size_t i = 0;
#ifdef LK_WORDS /* compilers do not find it: eight pixels at a time, of which a load takes a few bytes more */
    const __m256i places = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
    for (; i + 10 <= width; i += 8) {
        __m256i both = _mm256_castsi128_si256(_mm_loadu_si128((const void *)(x + 3 * i)));
        both = _mm256_inserti128_si256(both, _mm_loadu_si128((const void *)(x + 3 * i + 12)), 1);
        both = _mm256_or_si256(_mm256_shuffle_epi8(both, places), _mm256_set1_epi32((int)0xff000000u));
        _mm256_storeu_si256((void *)(out + 4 * i), both);
    }
#endif
    for (; i < width; i++)
        out[4 * i] = x[3 * i], out[4 * i + 1] = x[3 * i + 1], out[4 * i + 2] = x[3 * i + 2], out[4 * i + 3] = 255;
}

int LK(lk_image_spread)(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, uint8_t *out) {
    for (size_t y = 0; y < height; y++) spread_row(pixels + y * row_bytes, width, out + y * 4 * width);
    return LK_OK;
}

int LK(lk_image_luma)(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels,
                      uint8_t *luma) {
    if (channels < 1 || channels > 4) return LK_BAD_ARGUMENT;
    for (size_t y = 0; y < height; y++, pixels += row_bytes, luma += width) {
        const uint8_t *x = pixels;
        if (channels == 3)
            for (size_t i = 0; i < width; i++)
                luma[i] = (uint8_t)((uint16_t)(77 * x[3 * i] + 150 * x[3 * i + 1] + 29 * x[3 * i + 2] + 128) >> 8);
        else if (channels == 4)
            for (size_t i = 0; i < width; i++)
                luma[i] = (uint8_t)((uint16_t)(77 * x[4 * i] + 150 * x[4 * i + 1] + 29 * x[4 * i + 2] + 128) >> 8);
        else
            for (size_t i = 0; i < width; i++) luma[i] = x[i * channels];
    }
    return LK_OK;
}

enum { REACH = 4, RING = 16 };

/* out[i] = the sum of nine values around i; `padded` has REACH values before and after the row, `third` is scratch. */
static void sum9_small(const uint16_t *padded, uint16_t *third, uint16_t *out, size_t width) {
    for (size_t i = 0; i < width + 6; i++) third[i] = (uint16_t)(padded[i] + padded[i + 1] + padded[i + 2]);
    for (size_t i = 0; i < width; i++) out[i] = (uint16_t)(third[i] + third[i + 3] + third[i + 6]);
}

static void sum9(const uint16_t *padded, int32_t *third, int32_t *out, size_t width) {
    for (size_t i = 0; i < width + 6; i++) third[i] = padded[i] + padded[i + 1] + padded[i + 2];
    for (size_t i = 0; i < width; i++) out[i] = third[i] + third[i + 3] + third[i + 6];
}

static void pad(uint16_t *row, size_t width) {
    for (size_t i = 0; i < REACH; i++) row[i] = row[REACH], row[REACH + width + i] = row[REACH + width - 1];
}

static size_t clamp_row(ptrdiff_t y, size_t height) {
    return y < 0 ? 0 : (size_t)y >= height ? height - 1 : (size_t)y;
}

/* One row of 81 times (luma - mean), and of its magnitude in units of 4 / 81. */
static void high_pass(const uint8_t *luma, const uint16_t *sum, int16_t *high, uint16_t *magnitude, size_t width) {
    for (size_t i = 0; i < width; i++) {
        int16_t value = (int16_t)(81 * luma[i] - sum[i]);
        high[i] = value;
        magnitude[i] = (uint16_t)((uint16_t)((value < 0 ? -value : value) + 2) >> 2);
    }
}

static void weigh(const int16_t *high, const int32_t *energy, int8_t *out, size_t width, float noise) {
    float most = 24.0f * noise;
    for (size_t i = 0; i < width; i++) {
        float mean = (float)energy[i] * (float)(4.0 / 6561.0);
        float limit = 2.0f * mean + 1.0f;
        float value = (float)high[i] * (float)(1.0 / 81.0);
        value = value > -limit ? value : -limit;
        value = value < limit ? value : limit;
        value = value * most / (mean * mean + noise);
        value = value > -127.0f ? value : -127.0f;
        value = value < 127.0f ? value : 127.0f;
        out[i] = (int8_t)((int32_t)(value + 128.5f) - 128);
    }
}

/* Running sums of nine rows: the row that enters comes in, the one that leaves goes. */
static void slide8(const uint8_t *enter, const uint8_t *leave, uint16_t *column, size_t width) {
    for (size_t i = 0; i < width; i++) column[i] = (uint16_t)(column[i] + enter[i] - leave[i]);
}

static void slide16(const uint16_t *enter, const uint16_t *leave, uint16_t *column, size_t width) {
    for (size_t i = 0; i < width; i++) column[i] = (uint16_t)(column[i] + enter[i] - leave[i]);
}

int LK(lk_plane_whiten)(const uint8_t *luma, size_t height, size_t width, int8_t *out, int32_t *scratch,
                        uint32_t noise) {
    if (!height || !width || !noise || noise > 255) return LK_BAD_ARGUMENT;
    size_t stride = width + 16;
    int32_t *third = scratch, *sum = third + stride;
    uint16_t *column = (uint16_t *)(sum + stride), *energy = column + stride, *magnitude = energy + stride;
    int16_t *high = (int16_t *)(magnitude + RING * stride); /* magnitude and high: rings of RING rows */
    memset(column, 0, 2 * stride * sizeof *column);
    for (ptrdiff_t k = -REACH; k <= REACH; k++) {
        const uint8_t *row = luma + clamp_row(k, height) * width;
        for (size_t i = 0; i < width; i++) column[REACH + i] = (uint16_t)(column[REACH + i] + row[i]);
    }
    size_t ready = 0; /* rows of the rings computed so far */
    for (size_t y = 0; y < height; y++) {
        ptrdiff_t in = (ptrdiff_t)y + REACH, gone = (ptrdiff_t)y - REACH - 1;
        for (; ready <= clamp_row(in, height); ready++) {
            if (ready)
                slide8(luma + clamp_row((ptrdiff_t)ready + REACH, height) * width,
                       luma + clamp_row((ptrdiff_t)ready - REACH - 1, height) * width, column + REACH, width);
            pad(column, width);
            sum9_small(column, (uint16_t *)third, (uint16_t *)sum, width);
            size_t slot = ready % RING * stride;
            high_pass(luma + ready * width, (uint16_t *)sum, high + slot, magnitude + slot, width);
        }
        if (y)
            slide16(magnitude + clamp_row(in, height) % RING * stride,
                    magnitude + clamp_row(gone, height) % RING * stride, energy + REACH, width);
        else
            for (ptrdiff_t k = -REACH; k <= REACH; k++) {
                const uint16_t *row = magnitude + clamp_row(k, height) % RING * stride;
                for (size_t i = 0; i < width; i++) energy[REACH + i] = (uint16_t)(energy[REACH + i] + row[i]);
            }
        pad(energy, width);
        sum9(energy, third, sum, width);
        weigh(high + y % RING * stride, sum, out + y * width, width, (float)noise);
    }
    return LK_OK;
}

int LK(lk_plane_fold)(const int8_t *plane, size_t height, size_t width, int32_t *out, size_t p) {
    if (!p) return LK_BAD_ARGUMENT;
    memset(out, 0, p * p * sizeof *out);
    for (size_t y = 0; y < height; y++, plane += width) {
        int32_t *row = out + (y % p) * p;
        for (size_t x = 0; x < width; x += p) {
            size_t count = width - x < p ? width - x : p;
            for (size_t i = 0; i < count; i++) row[i] = (int32_t)((uint32_t)row[i] + (uint32_t)plane[x + i]);
        }
    }
    return LK_OK;
}

int LK(lk_plane_fold_lattice)(const int8_t *plane, size_t height, size_t width, const uint32_t *origin,
                              const uint32_t *step, int32_t *out) {
    memset(out, 0, 256 * 256 * sizeof *out);
    for (size_t y = 0; y < height; y++, plane += width) {
        uint32_t u = origin[0] + (uint32_t)y * step[1], v = origin[1] + (uint32_t)y * step[3];
        for (size_t x = 0; x < width; x++, u += step[0], v += step[2]) {
            int32_t *cell = out + ((v >> 24) << 8 | u >> 24);
            *cell = (int32_t)((uint32_t)*cell + (uint32_t)plane[x]);
        }
    }
    return LK_OK;
}

/* Lags of a square lattice, one of each opposite pair, nearest first. */
static const int8_t lags[][2] = {{1, 0}, {0, 1}, {1, 1}, {1, -1}, {2, 0}, {0, 2}, {2, 1},
                                 {1, 2}, {2, -1}, {-1, 2}, {2, 2}, {2, -2}, {3, 0}, {0, 3}};

static float read_bilinear(const float *r, size_t n, float x, float y) {
    float left = floorf(x), top_row = floorf(y), fx = x - left, fy = y - top_row;
    size_t mask = n - 1, x0 = (size_t)(ptrdiff_t)left & mask, y0 = (size_t)(ptrdiff_t)top_row & mask;
    size_t x1 = (x0 + 1) & mask, y1 = (y0 + 1) & mask;
    float top = r[y0 * n + x0] * (1.0f - fx) + r[y0 * n + x1] * fx;
    float bottom = r[y1 * n + x0] * (1.0f - fx) + r[y1 * n + x1] * fx;
    return top * (1.0f - fy) + bottom * fy;
}

int LK(lk_lattice_score)(const float *r, size_t n, size_t height, size_t width, const float *vectors, size_t count,
                         float *score) {
    if (!n || (n & (n - 1)) || !height || !width) return LK_BAD_ARGUMENT;
    if (height > LK_LATTICE_LIMIT || width > LK_LATTICE_LIMIT) return LK_BAD_ARGUMENT;
    float per_row = 1.0f / (float)height, per_column = 1.0f / (float)width;
    for (size_t k = 0; k < count; k++, vectors += 4) {
        float sum = 0.0f, weight = 1e-6f;
        for (size_t l = 0; l < sizeof lags / sizeof *lags; l++) {
            float i = lags[l][0], j = lags[l][1];
            float x = i * vectors[0] + j * vectors[2], y = i * vectors[1] + j * vectors[3];
            float a = 1.0f - fabsf(x) * per_column, b = 1.0f - fabsf(y) * per_row;
            if (!(a > 0.0f) || !(b > 0.0f)) continue;
            float w = a * b;
            sum += w * read_bilinear(r, n, x, y);
            weight += w * w;
        }
        score[k] = sum / sqrtf(weight);
    }
    return LK_OK;
}
