/* SPDX-License-Identifier: Apache-2.0
 *
 * Change of sampling rate by a bank of filters; every output is one sum of products in a fixed order, so that a
 * stream gives the same samples however it is cut. */
#include <string.h>

#include "isa.h"

enum { LANES = 16, BLOCK = 64, MAX_LANES = 12, LANE = 2 * BLOCK };

/* Adds to each of BLOCK sums its products with `taps` values of h, `step` apart, one tap after the other; eight taps go
 * by for each time that a sum is read and written. */
static LK_INLINE void add_products(const float *restrict x, const float *restrict h, size_t step, size_t taps,
                                   float *restrict sum) {
    size_t k = 0;
    for (; k + 8 <= taps; k += 8, x += 8, h += 8 * step) {
        const float h0 = h[0], h1 = h[step], h2 = h[2 * step], h3 = h[3 * step];
        const float h4 = h[4 * step], h5 = h[5 * step], h6 = h[6 * step], h7 = h[7 * step];
        for (size_t l = 0; l < BLOCK; l++)
            sum[l] = sum[l] + x[l] * h0 + x[l + 1] * h1 + x[l + 2] * h2 + x[l + 3] * h3 + x[l + 4] * h4 +
                     x[l + 5] * h5 + x[l + 6] * h6 + x[l + 7] * h7;
    }
    for (; k < taps; k++, x++, h += step)
        for (size_t l = 0; l < BLOCK; l++) sum[l] += x[l] * h[0];
}

/* The place of the one tap that is not 0; `taps` where there are others. */
static size_t only_tap(const float *h, size_t taps) {
    size_t place = 0, count = 0;
    for (size_t k = 0; k < taps; k++)
        if (h[k] != 0.0f) place = k, count++;
    return count == 1 ? place : taps;
}

/* down = 1: successive outputs of one phase read successive inputs, so that many are formed side by side. */
static void interpolate(const float *x, const float *bank, size_t taps, size_t up, size_t position, float *y, size_t ny) {
    for (size_t first = 0; first < up && first < ny; first++) {
        const size_t base = (position + first) / up;
        const float *h = bank + (position + first) % up * taps;
        const size_t count = (ny - first - 1) / up + 1, only = only_tap(h, taps);
        if (only < taps) { /* the phase at which outputs are inputs */
            for (size_t i = 0; i < count; i++) y[first + i * up] = x[base + only + i] * h[only];
            continue;
        }
        for (size_t i = 0; i < count; i += BLOCK) {
            float sum[BLOCK] = {0};
            const size_t part = count - i < BLOCK ? count - i : BLOCK;
            const float *from = x + base + i;
            if (part == BLOCK) {
                add_products(from, h, 1, taps, sum);
            } else {
                for (size_t l = 0; l < part; l++)
                    for (size_t k = 0; k < taps; k++) sum[l] += from[k + l] * h[k];
            }
            for (size_t l = 0; l < part; l++) y[first + (i + l) * up] = sum[l];
        }
    }
}

/* up = 1: the inputs are dealt out into `down` lanes, so that here too outputs are formed side by side. */
static void decimate(const float *x, const float *h, size_t taps, size_t down, size_t position, float *y, size_t ny) {
    float lanes[MAX_LANES][LANE];
    memset(lanes, 0, down * sizeof *lanes);
    for (size_t i = 0; i < ny; i += BLOCK) {
        const size_t part = ny - i < BLOCK ? ny - i : BLOCK;
        const size_t read = (part - 1) * down + taps;
        const float *from = x + position + i * down;
        float sum[BLOCK] = {0};
        for (size_t l = 0; l < down; l++) {
            float *lane = lanes[l];
            const size_t held = (read - l + down - 1) / down;
            for (size_t k = 0; k < held; k++) lane[k] = from[k * down + l];
            add_products(lane, h + l, down, (taps - l + down - 1) / down, sum);
        }
        for (size_t m = 0; m < part; m++) y[i + m] = sum[m];
    }
}

/* The sum of the lanes, by halves; each in variables of its own, which stay in registers. */
static LK_INLINE float together(const float *sum) {
    float eight[8], four[4];
    for (size_t l = 0; l < 8; l++) eight[l] = sum[l] + sum[l + 8];
    for (size_t l = 0; l < 4; l++) four[l] = eight[l] + eight[l + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* Whether x holds all that the last output reads; on 32 bits too, where positions may be more than a size_t holds. */
static int reaches(size_t nx, size_t taps, size_t up, size_t down, size_t position, size_t ny) {
    if (ny == 0) return 1;
    const uint64_t steps = ny - 1;
    if (taps > nx || steps > (UINT64_MAX - position) / down) return 0;
    return (position + steps * down) / up <= nx - taps;
}

int LK(lk_audio_resample)(const float *x, size_t nx, const float *bank, size_t phases, size_t taps, size_t up,
                          size_t down, size_t position, float *y, size_t ny) {
    if (up == 0 || down == 0 || phases == 0 || taps == 0 || taps % LANES) return LK_BAD_ARGUMENT;
    if (!reaches(nx, taps, up, down, position, ny)) return LK_BAD_ARGUMENT;
    if (down == 1 && phases == up) {
        interpolate(x, bank, taps, up, position, y, ny);
        return LK_OK;
    }
    if (up == 1 && down <= MAX_LANES && (taps + down - 1) / down <= BLOCK) {
        decimate(x, bank, taps, down, position, y, ny);
        return LK_OK;
    }
    size_t base = position / up, left = position % up;
    const size_t whole = down / up, part = down % up;
    for (size_t j = 0; j < ny; j++) {
        const size_t row = phases == up ? left : (size_t)((uint64_t)left * phases / up); /* divisions cost as much as ten taps */
        const float *h = bank + row * taps, *from = x + base;
        float sum[LANES] = {0};
        for (size_t k = 0; k < taps; k += LANES)
            for (size_t l = 0; l < LANES; l++) sum[l] += from[k + l] * h[k + l];
        y[j] = together(sum);
        left += part;
        const size_t over = left >= up;
        base += whole + over;
        left -= over * up;
    }
    return LK_OK;
}
