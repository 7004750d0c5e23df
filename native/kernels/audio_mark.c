/* SPDX-License-Identifier: Apache-2.0
 *
 * The audio carrier's embedding side: what to add to each channel so that its bands rise and fall after the pattern. */
#include <math.h>
#include <string.h>

#include "isa.h"
#include "audio_fft.h"

enum { MAX_BANDS = 128 };

static const float POWER_FLOOR = 1e-13f; /* of a bin, 130 dB below a full-scale sine: nothing is added to silence */
static const float MOVE_LOW = 0.27f, MOVE_SLOPE = 0.165f, MOVE_HIGH = 2.2f; /* of the loudest band; per octave under it */
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
                  float *mean, float *gain) {
    float level[MAX_BANDS], loudest = -1e9f, all = 0.0f;
    for (size_t b = 0; b < bands; b++) {
        float sum = 0.0f;
        for (size_t k = edges[b]; k < edges[b + 1]; k++) sum += power[k - edges[0]];
        all += sum;
        level[b] = log2f(sum / (float)(edges[b + 1] - edges[b]) + POWER_FLOOR);
        loudest = level[b] > loudest ? level[b] : loudest;
    }
    const float share = swell(all, mean);
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
                      size_t phase, const float *depths, float *mean, float *scratch, float *out) {
    if (bands == 0 || bands > MAX_BANDS || period == 0 || edges[0] == 0 || edges[bands] > HALF) return LK_BAD_ARGUMENT;
    for (size_t b = 0; b < bands; b++)
        if (edges[b] >= edges[b + 1]) return LK_BAD_ARGUMENT;
    if (frames && stride < (frames - 1) * LK_AUDIO_HOP + LK_AUDIO_FRAME) return LK_BAD_ARGUMENT;
    const size_t low = edges[0], high = edges[bands], bins = high - low;
    float *work = scratch, *power = scratch + 4 * HALF, *gain = power + HALF, *spectra = gain + HALF;
    for (size_t f = 0; f < frames; f++) {
        memset(power, 0, bins * sizeof *power);
        for (size_t c = 0; c < channels; c++) {
            float *re = spectra + 2 * HALF * c, *im = re + HALF;
            real_forward(roots, window, x + c * stride + f * LK_AUDIO_HOP, low, high, work, re, im);
            for (size_t k = 0; k < bins; k++) power[k] += re[k] * re[k] + im[k] * im[k];
        }
        gains(power, edges, bands, signs + (phase + f) % period * bands, depths, mean, gain);
        for (size_t c = 0; c < channels; c++) {
            float *re = spectra + 2 * HALF * c, *im = re + HALF;
            for (size_t k = 0; k < bins; k++) re[k] *= gain[k], im[k] *= gain[k];
            real_inverse_add(roots, window, re, im, low, high, work, out + c * stride + f * LK_AUDIO_HOP);
        }
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
