/* SPDX-License-Identifier: Apache-2.0
 *
 * Loudness after ITU-R BS.1770-4: the two filters of its K-weighting, and the energy of each stretch of sound. A stretch is
 * cut into lanes which are filtered side by side from silence; what the sound before a lane adds is known in advance for
 * each sample, and added behind. */
#include "isa.h"

enum { LANES = LK_LOUDNESS_LANES, SIDE = 8, STATES = LK_LOUDNESS_STATES };

/* One sample of each of SIDE lanes through both filters, in transposed direct form 2. */
static LK_INLINE void filter(const double *k, const float *x, double (*s)[SIDE], double *out) {
    for (size_t l = 0; l < SIDE; l++) {
        const double in = x[l], y = k[0] * in + s[0][l];
        s[0][l] = k[1] * in + s[1][l] - k[3] * y;
        s[1][l] = k[2] * in - k[4] * y;
        const double w = y + s[2][l];
        s[2][l] = s[3][l] - 2.0 * y - k[5] * w;
        s[3][l] = y - k[6] * w;
        out[l] = w;
    }
}

/* Some of the samples of SIDE lanes; of `sounding` of them, the others are silent. */
static LK_INLINE void filter_lanes(const float *x, size_t channels, size_t span, size_t from, size_t to, size_t sounding,
                                   const double *filters, double (*s)[SIDE], double *out) {
    for (size_t n = from; n < to; n++) {
        float row[SIDE] = {0};
        for (size_t l = 0; l < sounding; l++) row[l] = x[(l * span + n) * channels];
        filter(filters, row, s, out + n * LANES);
    }
}

/* The lanes of one channel of a stretch: what comes out of each, and the state that each leaves. The last one ends `rest`
 * samples after its start. */
static void filter_stretch(const float *x, size_t channels, size_t span, size_t rest, const double *filters, double *out,
                           double (*left)[LANES]) {
    for (size_t side = 0; side < LANES; side += SIDE) {
        const float *from = x + side * span * channels;
        const size_t is_last = side + SIDE == LANES, full = is_last ? rest : span;
        double s[STATES][SIDE] = {{0}}, last[STATES];
        filter_lanes(from, channels, span, 0, full, SIDE, filters, s, out + side);
        for (size_t i = 0; i < STATES; i++) last[i] = s[i][SIDE - 1];
        filter_lanes(from, channels, span, full, span, SIDE - 1, filters, s, out + side);
        for (size_t i = 0; i < STATES; i++) {
            for (size_t l = 0; l < SIDE; l++) left[i][side + l] = s[i][l];
            left[i][side + SIDE - 1] = last[i];
        }
    }
}

/* The state before each lane, from that before the first; the one behind the last takes its place. */
static void states(const double *step, double (*left)[LANES], double *state, double (*start)[LANES]) {
    for (size_t l = 0; l < LANES; l++) {
        const double *m = l + 1 < LANES ? step : step + STATES * STATES;
        double next[STATES];
        for (size_t i = 0; i < STATES; i++, m += STATES) {
            start[i][l] = state[i];
            next[i] = left[i][l] + (m[0] * state[0] + m[1] * state[1] + m[2] * state[2] + m[3] * state[3]);
        }
        for (size_t i = 0; i < STATES; i++) state[i] = next[i];
    }
}

/* Adds the squares of so many of the lanes, from one of their samples to another. */
static LK_INLINE void squares(const double *out, const double *fade, double (*start)[LANES], size_t from, size_t to,
                              size_t count, double *sum) {
    for (size_t n = from; n < to; n++) {
        const double *g = fade + n * STATES;
        for (size_t l = 0; l < count; l++) {
            const double y = out[n * LANES + l] +
                             (g[0] * start[0][l] + g[1] * start[1][l] + g[2] * start[2][l] + g[3] * start[3][l]);
            sum[l] += y * y;
        }
    }
}

int LK(lk_audio_loudness)(const float *x, size_t channels, size_t hop, size_t hops, const double *filters,
                          const double *fade, const double *step, double *state, double *scratch, double *energy) {
    if (!channels || hop < LK_LOUDNESS_LEAST) return LK_BAD_ARGUMENT;
    const size_t span = (hop + LANES - 1) / LANES, rest = hop - (LANES - 1) * span;
    for (size_t h = 0; h < hops; h++)
        for (size_t c = 0; c < channels; c++) {
            double left[STATES][LANES], start[STATES][LANES], sum[LANES] = {0};
            filter_stretch(x + h * hop * channels + c, channels, span, rest, filters, scratch, left);
            states(step, left, state + c * STATES, start);
            squares(scratch, fade, start, 0, rest, LANES, sum);
            squares(scratch, fade, start, rest, span, LANES - 1, sum);
            for (size_t width = LANES / 2; width; width /= 2)
                for (size_t l = 0; l < width; l++) sum[l] += sum[l + width];
            energy[h * channels + c] = sum[0];
        }
    return LK_OK;
}
