/* SPDX-License-Identifier: Apache-2.0
 *
 * A key's pattern in a spectrum, at every shift at once: two lattices make one complex plane of 128 x 128. Its spectrum has
 * 79 columns; 80 of them are transformed, 16 side by side, then the rows, 16 side by side. */
#include <math.h>
#include <string.h>

#include "isa.h"
#include "radix4.h"

enum { GRID = 128, LANES = 16, PART = GRID * LANES, STRIP = 2 * PART, MIDDLE = 40, STRIPS = 2 * MIDDLE / LANES,
       BLOCK = 64 };

/* Complex transforms of 128 points but for their last step, 16 side by side; in a, which is lost, out in b. */
static void nearly_transform(const float *roots, float *a, float *b) {
    radix4(roots, GRID, LANES, a, a + PART, b, b + PART);
    radix4(roots, GRID / 4, 4 * LANES, b, b + PART, a, a + PART);
    radix4(roots, GRID / 16, 16 * LANES, a, a + PART, b, b + PART);
}

/* Bins on a lattice: where the four around each stand, and its place between them. `turn` is -1 where a bin's conjugate
 * lies in the half spectrum, 0 where it lies outside. */
struct places {
    int32_t above[BLOCK], below[BLOCK];
    float down[BLOCK], across[BLOCK], turn[BLOCK], kept[BLOCK];
};

static void find_places(const int32_t *waves, size_t count, const float *step, int32_t n, struct places *out) {
    const int32_t half = n / 2;
    const float limit = (float)(half - 1);
    for (size_t i = 0; i < count; i++) {
        const float kx = (float)waves[2 * i], ky = (float)waves[2 * i + 1];
        float row = step[0] * kx + step[1] * ky, column = step[2] * kx + step[3] * ky;
        const float turn = column < 0.0f ? -1.0f : 1.0f;
        const int inside = (fabsf(row) < limit) & (fabsf(column) < limit);
        row = inside ? turn * row : 0.0f, column = inside ? turn * column : 0.0f;
        const float top = floorf(row), left = floorf(column);
        const int32_t y = (int32_t)top, x = (int32_t)left;
        out->above[i] = 2 * ((y & (n - 1)) * half + x);
        out->below[i] = 2 * (((y + 1) & (n - 1)) * half + x);
        out->down[i] = row - top, out->across[i] = column - left;
        out->kept[i] = inside ? 1.0f : 0.0f, out->turn[i] = inside ? turn : 0.0f;
    }
}

/* Adds the bins of a lattice to the strips, as real part of the plane or as imaginary part; their deviation.
 * at: int32 [bins][2], where each bin and its conjugate stand in the strips */
static float place_bins(const float *spectrum, size_t n, const int32_t *waves, const float *pattern, size_t bins,
                        const int32_t *at, const float *step, int imaginary, float *strips) {
    float energy = 0.0f;
    struct places p;
    for (size_t first = 0; first < bins; first += BLOCK) {
        const size_t count = bins - first < BLOCK ? bins - first : BLOCK;
        find_places(waves + 2 * first, count, step, (int32_t)n, &p);
        for (size_t i = 0; i < count; i++) {
            const float *a = spectrum + p.above[i], *b = spectrum + p.below[i], *w = pattern + 2 * (first + i);
            const float ar = a[0] + p.across[i] * (a[2] - a[0]), ai = a[1] + p.across[i] * (a[3] - a[1]);
            const float br = b[0] + p.across[i] * (b[2] - b[0]), bi = b[1] + p.across[i] * (b[3] - b[1]);
            const float xr = p.kept[i] * (ar + p.down[i] * (br - ar)), xi = p.turn[i] * (ai + p.down[i] * (bi - ai));
            const float re = xr * w[0] - xi * w[1], im = xr * w[1] + xi * w[0];
            energy += re * re + im * im;
            float *one = strips + at[2 * (first + i)], *other = strips + at[2 * (first + i) + 1];
            one[0] += imaginary ? -im : re, one[PART] += imaginary ? re : im;
            other[0] += imaginary ? im : re, other[PART] += imaginary ? re : -im;
        }
    }
    return sqrtf(2.0f * energy) + 1e-9f;
}

static int32_t place_of(int32_t kx, int32_t ky) {
    const int32_t lane = kx + MIDDLE;
    return lane / LANES * STRIP + (ky & (GRID - 1)) * LANES + lane % LANES;
}

static void widen(const float *x, size_t count, float *low, float *high) {
    for (size_t i = 0; i < count; i++) {
        low[i] = x[i] < low[i] ? x[i] : low[i];
        high[i] = x[i] > high[i] ? x[i] : high[i];
    }
}

/* The largest magnitudes of the real and of the imaginary part of the plane whose spectrum is in the strips. */
static void extremes(const float *roots, float *strips, float *rows, float *work, float *real, float *imaginary) {
    float low[2][LANES] = {{0.0f}}, high[2][LANES] = {{0.0f}};
    for (size_t s = 0; s < STRIPS; s++) {
        float *a = strips + s * STRIP;
        nearly_transform(roots, a, work);
        for (size_t h = 0; h < STRIP; h += PART)
            for (size_t i = 0; i < PART / 2; i++) {
                const float x = work[h + i], y = work[h + i + PART / 2];
                a[h + i] = x + y, a[h + i + PART / 2] = x - y;
            }
    }
    for (size_t y = 0; y < GRID; y += LANES) {
        memset(rows, 0, STRIP * sizeof *rows);
        for (size_t h = 0; h < STRIP; h += PART)
            for (size_t lane = 0; lane < 2 * MIDDLE; lane++) {
                const float *from = strips + lane / LANES * STRIP + h + y * LANES + lane % LANES;
                float *to = rows + h + ((lane + GRID - MIDDLE) & (GRID - 1)) * LANES;
                for (size_t l = 0; l < LANES; l++) to[l] = from[l * LANES];
            }
        nearly_transform(roots, rows, work);
        for (size_t h = 0; h < 2; h++)
            for (size_t i = 0; i < PART / 2; i += LANES) {
                const float *one = work + h * PART + i, *other = one + PART / 2;
                float sum[LANES], difference[LANES];
                for (size_t l = 0; l < LANES; l++) sum[l] = one[l] + other[l], difference[l] = one[l] - other[l];
                widen(sum, LANES, low[h], high[h]);
                widen(difference, LANES, low[h], high[h]);
            }
    }
    float most[2] = {0.0f, 0.0f};
    for (size_t h = 0; h < 2; h++)
        for (size_t l = 0; l < LANES; l++) {
            const float top = high[h][l] > -low[h][l] ? high[h][l] : -low[h][l];
            most[h] = top > most[h] ? top : most[h];
        }
    *real = most[0], *imaginary = most[1];
}

int LK(lk_pattern_score)(const float *spectrum, size_t n, const int32_t *waves, const float *pattern, size_t bins,
                         const float *roots, const float *steps, size_t count, float *scratch, float *score) {
    if (n < 4 || (n & (n - 1)) || n > LK_PATTERN_SIDE) return LK_BAD_ARGUMENT;
    if (bins > LK_PATTERN_BINS) return LK_BAD_ARGUMENT;
    float *rows = scratch + STRIPS * STRIP, *work = rows + STRIP;
    int32_t *at = (int32_t *)(work + STRIP);
    for (size_t i = 0; i < bins; i++) {
        const int32_t kx = waves[2 * i], ky = waves[2 * i + 1];
        if (kx < 0 || kx > LK_PATTERN_REACH || ky < -LK_PATTERN_REACH || ky > LK_PATTERN_REACH) return LK_BAD_ARGUMENT;
        at[2 * i] = place_of(kx, ky), at[2 * i + 1] = place_of(-kx, -ky);
    }
    for (size_t k = 0; k < count; k += 2) {
        float deviation[2] = {1.0f, 1.0f}, most[2];
        memset(scratch, 0, STRIPS * STRIP * sizeof *scratch);
        for (int j = 0; j < 2 && k + (size_t)j < count; j++)
            deviation[j] = place_bins(spectrum, n, waves, pattern, bins, at, steps + 4 * (k + (size_t)j), j, scratch);
        extremes(roots, scratch, rows, work, &most[0], &most[1]);
        for (size_t j = 0; j < 2 && k + j < count; j++) score[k + j] = most[j] / deviation[j];
    }
    return LK_OK;
}
