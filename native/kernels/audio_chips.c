/* SPDX-License-Identifier: Apache-2.0
 *
 * The audio carrier's detecting side: log spectrum, whitening, and the value of every chip at every start. */
#include <math.h>
#include <string.h>

#include "isa.h"
#include "audio_fft.h"

/* log2 of positive finite x: exponent, and ln((1 + s) / (1 - s)) as a series for the mantissa; within 1e-6. */
static inline float log2_fast(float x) {
    union { float f; uint32_t u; } v = {x};
    const uint32_t shifted = v.u - 0x3f3504f3u; /* mantissa from sqrt(1/2) to sqrt(2) */
    const float exponent = (float)((int32_t)shifted >> 23);
    v.u -= shifted & 0xff800000u;
    const float s = (v.f - 1.0f) / (v.f + 1.0f), q = s * s;
    return exponent + 2.8853900818f * s * (1.0f + q * (0.3333333333f + q * (0.2f + q * 0.1428571429f)));
}

/* The sums of the values before each place, and of all. Eight stretches side by side: one addition need not wait for another. */
static void running_sums(const float *restrict x, size_t count, float *restrict out) {
    enum { STRETCHES = 8 };
    const size_t each = count / STRETCHES;
    float sum[STRETCHES] = {0}, before = 0.0f;
    for (size_t k = 0; k < each; k++)
        for (size_t c = 0; c < STRETCHES; c++) {
            out[c * each + k] = sum[c];
            sum[c] += x[c * each + k];
        }
    for (size_t c = 0; c < STRETCHES; c++) {
        for (size_t k = 0; k < each; k++) out[c * each + k] += before;
        before += sum[c];
    }
    for (size_t k = STRETCHES * each; k < count; k++) {
        out[k] = before;
        before += x[k];
    }
    out[count] = before;
}

static const float NEAR = 0.05f; /* of each neighbouring bin's power: fills the holes that noise has by chance */

int LK(lk_audio_spectrum)(const float *x, size_t nx, size_t frames, size_t hop, const float *roots,
                          const float *window, size_t low, size_t high, float *scratch, float *out) {
    if (low < 2 || low >= high || high > HALF || hop == 0) return LK_BAD_ARGUMENT;
    if (frames && (nx < LK_AUDIO_FRAME || (nx - LK_AUDIO_FRAME) / hop < frames - 1)) return LK_BAD_ARGUMENT;
    float *work = scratch, *re = scratch + 4 * HALF, *im = re + HALF, *power = im + HALF;
    const size_t bins = high - low, all = (high < HALF ? high + 1 : high) - (low - 1);
    for (size_t f = 0; f < frames; f++) {
        real_forward(roots, window, x + f * hop, low - 1, low - 1 + all, work, re, im);
        for (size_t k = 0; k < all; k++) power[k] = re[k] * re[k] + im[k] * im[k] + 1e-12f;
        power[all] = power[all - 1]; /* what stands for bin 512 */
        for (size_t k = 0; k < bins; k++) re[k] = log2_fast(power[k + 1] + NEAR * (power[k] + power[k + 2]));
        running_sums(re, bins, out + f * (bins + 1));
    }
    return LK_OK;
}

enum { MAX_BANDS = LK_AUDIO_BANDS };

/* Mean log power of each band in one row of running sums. */
static void pool(const float *row, const uint16_t *index, const float *part, const float *width, size_t bands,
                 float *out) {
    float at[MAX_BANDS + 1];
    for (size_t b = 0; b <= bands; b++) at[b] = row[index[b]] + part[b] * (row[index[b] + 1] - row[index[b]]);
    for (size_t b = 0; b < bands; b++) out[b] = (at[b + 1] - at[b]) * width[b];
}

static size_t clamp(ptrdiff_t t, size_t rows) { return t < 0 ? 0 : (size_t)t >= rows ? rows - 1 : (size_t)t; }

/* Mean over `2 * half + 1` neighbouring bands, the edge bands standing for those beyond. in and out differ. */
static void across(const float *in, size_t bands, size_t half, float *out) {
    float padded[MAX_BANDS + 32];
    for (size_t b = 0; b < half; b++) padded[b] = in[0], padded[half + bands + b] = in[bands - 1];
    memcpy(padded + half, in, bands * sizeof *in);
    for (size_t b = 0; b < bands; b++) out[b] = 0.0f;
    for (size_t k = 0; k <= 2 * half; k++)
        for (size_t b = 0; b < bands; b++) out[b] += padded[b + k];
    const float share = 1.0f / (float)(2 * half + 1);
    for (size_t b = 0; b < bands; b++) out[b] *= share;
}

/* Mean over the rows t - half .. t + half of `in`, the edge rows standing for those beyond. */
static void along(const float *in, size_t rows, size_t bands, size_t half, float *out) {
    const float share = 1.0f / (float)(2 * half + 1);
    for (size_t t = 0; t < rows; t++) {
        float *to = out + t * bands;
        if (t % 64 == 0) { /* afresh now and then, so that rounding does not pile up */
            for (size_t b = 0; b < bands; b++) to[b] = 0.0f;
            for (ptrdiff_t d = -(ptrdiff_t)half; d <= (ptrdiff_t)half; d++) {
                const float *from = in + clamp((ptrdiff_t)t + d, rows) * bands;
                for (size_t b = 0; b < bands; b++) to[b] += from[b] * share;
            }
            continue;
        }
        const float *enter = in + clamp((ptrdiff_t)(t + half), rows) * bands;
        const float *leave = in + clamp((ptrdiff_t)t - 1 - (ptrdiff_t)half, rows) * bands;
        const float *before = to - bands;
        for (size_t b = 0; b < bands; b++) to[b] = before[b] + (enter[b] - leave[b]) * share;
    }
}

enum { SPREAD = 4, SMOOTH = 1 }; /* rows: half of the window of deviations; half of that of levels */
static const float MOST = 2.0f;  /* deviations that a cell may stand out by */
static const float OVER = 0.3f, RAMP = 0.4f; /* octaves of power over the noise floor where weight starts; its slope */
static const float FADE = 0.02f; /* weight lost by octave under the frame's loudest band: there codecs save most */

/* Whitened, clipped and weighted by how far the cell stands above the noise floor. */
static void weigh(const float *sharp, const float *spread, const float *smooth, const float *floors,
                  const float *weights, size_t bands, float *out) {
    float deviation[MAX_BANDS], level[MAX_BANDS], loudest = smooth[0];
    across(spread, bands, 1, deviation);
    across(smooth, bands, 1, level);
    for (size_t b = 0; b < bands; b++) loudest = level[b] > loudest ? level[b] : loudest;
    for (size_t b = 0; b < bands; b++) {
        float z = sharp[b] / sqrtf(deviation[b] + 1e-4f);
        z = z > MOST ? MOST : z < -MOST ? -MOST : z;
        float weight = (level[b] - floors[b] - OVER) * RAMP, near = 1.0f - FADE * (loudest - level[b]);
        weight = weight > 1.0f ? 1.0f : weight < 0.0f ? 0.0f : weight;
        near = near < 0.0f ? 0.0f : near;
        out[b] = z * weight * near * weights[b];
    }
}

/* The bands' levels in the row at frame `at`, between two frames as needed. */
static void levels(const float *spectrum, size_t frames, size_t bins, const uint16_t *index, const float *part,
                   const float *width, size_t bands, double at, float *out) {
    const size_t last = frames - 1, f = at < (double)last ? (size_t)at : last, g = f < last ? f + 1 : last;
    const float share = (float)(at - (double)f);
    pool(spectrum + f * (bins + 1), index, part, width, bands, out);
    if (share <= 0.0f || f == g) return;
    float next[MAX_BANDS];
    pool(spectrum + g * (bins + 1), index, part, width, bands, next);
    for (size_t b = 0; b < bands; b++) out[b] += share * (next[b] - out[b]);
}

int LK(lk_audio_chips)(const float *spectrum, size_t frames, size_t bins, const uint16_t *index, const float *part,
                       const float *width, const float *floors, const float *weights, size_t bands, double pace,
                       size_t rows, float *scratch, float *out) {
    if (bands < 4 || bands > MAX_BANDS || bands % 2 || frames == 0) return LK_BAD_ARGUMENT;
    if (!(pace > 0 && pace <= LK_AUDIO_PACE)) return LK_BAD_ARGUMENT;
    for (size_t b = 0; b <= bands; b++)
        if (index[b] >= bins) return LK_BAD_ARGUMENT;
    const size_t cells = rows * bands, pairs = bands / 2 - 1;
    float *level = scratch, *sharp = scratch + cells, *square = sharp + cells, *spread = square + cells;
    float row[MAX_BANDS];
    for (size_t t = 0; t < rows; t++) {
        float *here = level + t * bands;
        levels(spectrum, frames, bins, index, part, width, bands, (double)t * pace, here);
        across(here, bands, 1, row);
        for (size_t b = 0; b < bands; b++) sharp[t * bands + b] = here[b] - row[b];
    }
    for (size_t i = 0; i < cells; i++) square[i] = sharp[i] * sharp[i];
    along(square, rows, bands, SPREAD, spread);
    along(level, rows, bands, SMOOTH, square);
    for (size_t t = 0; t < rows; t++) {
        weigh(sharp + t * bands, spread + t * bands, square + t * bands, floors, weights, bands, row);
        for (size_t j = 0; j < pairs; j++) level[t * pairs + j] = row[2 * j + 1] - row[2 * j + 2];
    }
    for (size_t t = 0; t < rows; t++)
        for (size_t j = 0; j < pairs; j++) {
            float sum = 0.0f;
            for (size_t h = 0; h < 5 && t + h < rows; h++) sum += level[(t + h) * pairs + j];
            for (size_t h = 6; h < 11 && t + h < rows; h++) sum -= level[(t + h) * pairs + j];
            out[t * pairs + j] = sum;
        }
    return LK_OK;
}

int LK(lk_audio_rows)(const float *chips, size_t rows, size_t pairs, const float *signs, size_t length, float *hit,
                      float *variance) {
    if (pairs == 0 || length == 0) return LK_BAD_ARGUMENT;
    const size_t starts = LK_AUDIO_ROWS * length;
    for (size_t t = 0; t < rows / length * length; t++) {
        float sum[LK_AUDIO_ROWS] = {0}, squares[LK_AUDIO_ROWS] = {0};
        for (size_t j = 0; j < pairs; j++) {
            const float *sign = signs + j * LK_AUDIO_ROWS, x = chips[t * pairs + j];
            for (size_t r = 0; r < LK_AUDIO_ROWS; r++) {
                const float y = x * sign[r];
                sum[r] += y;
                squares[r] += y * y;
            }
        }
        const size_t n = t / length, at = n * starts + t % length;
        for (size_t r = 0; r < LK_AUDIO_ROWS; r++) {
            const size_t start = at + (n + LK_AUDIO_ROWS - r) % LK_AUDIO_ROWS * length;
            hit[start] = sum[r];
            variance[start] = squares[r];
        }
    }
    return LK_OK;
}
