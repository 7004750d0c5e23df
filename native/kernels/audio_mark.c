/* SPDX-License-Identifier: Apache-2.0
 *
 * The audio carrier's embedding side: what to add to each channel so that its bands rise and fall after the pattern. */
#include <math.h>
#include <string.h>

#include "isa.h"
#include "audio_fft.h"

enum { MAX_BANDS = LK_AUDIO_BANDS };

static const float POWER_FLOOR = 1e-13f; /* of a bin, 130 dB below a full-scale sine: nothing is added to silence */
static const float MOVE_LOW = 0.17f, MOVE_SLOPE = 0.18f, MOVE_HIGH = 2.6f; /* of the loudest band; per octave under it */
static const float SWELL = 0.1f, SWELL_LOW = 0.6f, SWELL_HIGH = 1.25f; /* less by this power of how a frame stands out */
static const float PACE = 0.05f; /* of the running mean of loudness: 0.64 s */

/* How much of its depth a frame of this power gets: sound that starts is hurt most, sound that fades least. */
static float swell(float power, float *mean) {
    const float loudness = log2f(power + POWER_FLOOR);
    *mean = *mean < -1e8f ? loudness : *mean + (loudness - *mean) * PACE;
    const float share = exp2f(SWELL * (*mean - loudness));
    return share < SWELL_LOW ? SWELL_LOW : share > SWELL_HIGH ? SWELL_HIGH : share;
}

/* Gains less one of each bin, from the powers of the bins of all channels together. */
static void gains(const float *power, const uint16_t *edges, size_t bands, const int8_t *signs, const float *depths,
                  float *heard, float *gain) {
    float *sums = heard + 1, *squares = sums + MAX_BANDS;
    float level[MAX_BANDS], loudest = -1e9f, all = 0.0f;
    for (size_t b = 0; b < bands; b++) {
        float sum = 0.0f;
        for (size_t k = edges[b]; k < edges[b + 1]; k++) sum += power[k - edges[0]];
        all += sum;
        level[b] = log2f(sum / (float)(edges[b + 1] - edges[b]) + POWER_FLOOR);
        loudest = level[b] > loudest ? level[b] : loudest;
        sums[b] += level[b];
        squares[b] += level[b] * level[b];
    }
    const float share = swell(all, heard);
    for (size_t b = 0; b < bands; b++) {
        const float move = MOVE_LOW + MOVE_SLOPE * (loudest - level[b]);
        const float change = exp2f(share * depths[b] * (move > MOVE_HIGH ? MOVE_HIGH : move) * (float)signs[b]) - 1.0f;
        for (size_t k = edges[b]; k < edges[b + 1]; k++) gain[k - edges[0]] = change;
    }
}

#ifdef LK_ISA_scalar
size_t lk_audio_mark_scratch(size_t channels) {
    return 4 * HALF + 2 * HALF + 2 * HALF * channels;
}
#endif

int LK(lk_audio_mark)(const float *x, size_t channels, size_t stride, size_t frames, const float *roots,
                      const float *window, const uint16_t *edges, size_t bands, const int8_t *signs, size_t period,
                      size_t phase, const float *depths, float *heard, float *scratch, float *out) {
    if (bands == 0 || bands > MAX_BANDS || period == 0 || edges[0] == 0 || edges[bands] > HALF) return LK_BAD_ARGUMENT;
    for (size_t b = 0; b < bands; b++)
        if (edges[b] >= edges[b + 1]) return LK_BAD_ARGUMENT;
    if (frames && (stride < LK_AUDIO_FRAME || (stride - LK_AUDIO_FRAME) / LK_AUDIO_HOP < frames - 1))
        return LK_BAD_ARGUMENT;
    const size_t low = edges[0], high = edges[bands], bins = high - low;
    float *work = scratch, *power = scratch + 4 * HALF, *gain = power + HALF, *spectra = gain + HALF;
    for (size_t f = 0; f < frames; f++) {
        memset(power, 0, bins * sizeof *power);
        for (size_t c = 0; c < channels; c++) {
            float *re = spectra + 2 * HALF * c, *im = re + HALF;
            real_forward(roots, window, x + c * stride + f * LK_AUDIO_HOP, low, high, work, re, im);
            for (size_t k = 0; k < bins; k++) power[k] += re[k] * re[k] + im[k] * im[k];
        }
        gains(power, edges, bands, signs + (phase + f) % period * bands, depths, heard, gain);
        for (size_t c = 0; c < channels; c++) {
            float *re = spectra + 2 * HALF * c, *im = re + HALF;
            for (size_t k = 0; k < bins; k++) re[k] *= gain[k], im[k] *= gain[k];
            real_inverse_add(roots, window, re, im, low, high, work, out + c * stride + f * LK_AUDIO_HOP);
        }
    }
    return LK_OK;
}

enum { SHORT = LK_AUDIO_SHIELD, LANES = 4, PAIRED = LANES / 2, BINS = SHORT / 2 };
static const float HOST_FLOOR = 1e-11f; /* of the power of three bins: 130 dB under full scale */

/* Complex transforms of 256 points, `lanes` of them side by side; in and out in a, b is for work. */
static LK_INLINE void short_forward(const float *roots, size_t lanes, float *a, float *b) {
    const size_t parts = SHORT * lanes;
    radix4(roots, SHORT, lanes, a, a + parts, b, b + parts);
    radix4(roots, SHORT / 4, 4 * lanes, b, b + parts, a, a + parts);
    radix4(roots, SHORT / 16, 16 * lanes, a, a + parts, b, b + parts);
    radix4(roots, SHORT / 64, 64 * lanes, b, b + parts, a, a + parts);
}

/* The host and difference of four frames, each pair the parts of one complex signal; even frames first, then odd. */
static void short_frames(const float *host, const float *difference, size_t frames, const float *window, float *z) {
    for (size_t l = 0; l < LANES; l++) {
        const size_t f = 2 * (l % PAIRED) + l / PAIRED;
        const float *h = host + f * BINS, *d = difference + f * BINS;
        for (size_t k = 0; k < SHORT; k++) {
            z[k * LANES + l] = f < frames ? h[k] * window[k] : 0.0f;
            z[(k + SHORT) * LANES + l] = f < frames ? d[k] * window[k] : 0.0f;
        }
    }
}

/* The spectra of the differences, lowered, two frames in one complex signal whose parts stand exchanged. */
static void lower(const float *restrict z, float ratio, float *restrict power, float *restrict y) {
    const float *zr = z, *zi = z + SHORT * LANES;
    float *of_host = power, *of_difference = power + (BINS + 1) * LANES, *yr = y, *yi = y + SHORT * PAIRED;
    memset(power, 0, 2 * (BINS + 1) * LANES * sizeof *power);
    memset(y, 0, 2 * SHORT * PAIRED * sizeof *y);
    for (size_t k = 1; k < BINS; k++) {
        const float *ar = zr + k * LANES, *ai = zi + k * LANES;
        const float *br = zr + (SHORT - k) * LANES, *bi = zi + (SHORT - k) * LANES;
        for (size_t l = 0; l < LANES; l++) {
            const float hr = ar[l] + br[l], hi = ai[l] - bi[l], dr = ai[l] + bi[l], di = br[l] - ar[l];
            of_host[k * LANES + l] = 0.25f * (hr * hr + hi * hi);
            of_difference[k * LANES + l] = 0.25f * (dr * dr + di * di);
        }
    }
    for (size_t k = 1; k < BINS; k++) {
        const size_t m = SHORT - k;
        float dr[LANES], di[LANES];
        for (size_t l = 0; l < LANES; l++) {
            const size_t i = k * LANES + l, j = m * LANES + l;
            const float h = of_host[i - LANES] + of_host[i] + of_host[i + LANES];
            const float d = of_difference[i - LANES] + of_difference[i] + of_difference[i + LANES];
            float share = ratio * sqrtf((h + HOST_FLOOR) / (d + 1e-20f));
            share = 0.5f * (share < 1.0f ? share : 1.0f);
            dr[l] = share * (zi[i] + zi[j]), di[l] = share * (zr[j] - zr[i]);
        }
        for (size_t l = 0; l < PAIRED; l++) {
            yr[k * PAIRED + l] = di[l] + dr[l + PAIRED], yi[k * PAIRED + l] = dr[l] - di[l + PAIRED];
            yr[m * PAIRED + l] = dr[l + PAIRED] - di[l], yi[m * PAIRED + l] = dr[l] + di[l + PAIRED];
        }
    }
}

/* Up to four frames side by side, which the fastest cache holds; a frame of the mark completes as many. */
static void shield(const float *host, const float *difference, size_t frames, float ratio, const float *roots,
                   const float *window, float *scratch, float *out) {
    float *z = scratch, *y = z + 2 * SHORT * LANES, *work = y + 2 * SHORT * PAIRED, *power = work + 2 * SHORT * LANES;
    short_frames(host, difference, frames, window, z);
    short_forward(roots, LANES, z, work);
    lower(z, ratio, power, y);
    short_forward(roots, PAIRED, y, work);
    for (size_t f = 0; f < frames; f++) {
        const float *from = y + (f % 2 ? 0 : SHORT * PAIRED) + f / 2;
        for (size_t k = 0; k < SHORT; k++) out[f * BINS + k] += from[k * PAIRED] * window[k] * (1.0f / SHORT);
    }
}

int LK(lk_audio_shield)(const float *host, const float *difference, size_t frames, float ratio, const float *roots,
                       const float *window, float *scratch, float *out) {
    for (size_t first = 0; first < frames; first += LANES) {
        const size_t at = first * BINS, left = frames - first;
        shield(host + at, difference + at, left < LANES ? left : LANES, ratio, roots, window, scratch, out + at);
    }
    return LK_OK;
}

/* Sums of LK_AUDIO_LIMIT squares from each sample on, by doubling; n + LK_AUDIO_LIMIT - 1 samples are read. */
static void energies(const float *x, size_t n, float *sum) {
    const size_t reach = n + LK_AUDIO_LIMIT - 1;
    for (size_t i = 0; i < reach; i++) sum[i] = x[i] * x[i];
    for (size_t width = 1; width < LK_AUDIO_LIMIT; width *= 2)
        for (size_t i = 0; i + width < reach; i++) sum[i] += sum[i + width];
}

int LK(lk_audio_limit)(const float *host, const float *difference, size_t n, float ratio, float *scratch, float *out) {
    float *of_host = scratch, *of_difference = scratch + n + LK_AUDIO_LIMIT;
    energies(host, n, of_host);
    energies(difference, n, of_difference);
    const float *centre = difference + LK_AUDIO_LIMIT / 2;
    for (size_t i = 0; i < n; i++) {
        const float share = ratio * sqrtf((of_host[i] + 1e-12f) / (of_difference[i] + 1e-14f));
        out[i] = centre[i] * (share < 1.0f ? share : 1.0f);
    }
    return LK_OK;
}
