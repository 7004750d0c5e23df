/* SPDX-License-Identifier: Apache-2.0
 *
 * How much mark a picture needs, on a sample of its cells. Sums are of whole numbers below 2^53, which are exact in any
 * order, so that every instruction set gives the same.
 */
#include <math.h>
#include <string.h>

#include "isa.h"

enum { BINS = LK_MARGIN_BINS, BLOCK = LK_MARGIN_BLOCK, WINDOWS = LK_MARGIN_WINDOWS, WAVES = 16, SAMPLES = 64 };
enum { MARK = BINS, HIGH = 2 * BINS, SEEN, FLAT };  /* rows of the cells behind those of the host */
enum { CODEC, BRIGHT, CROPS, SCALED = WINDOWS - 1 };
enum { LANES = 8, MOST_LEVELS = LK_MARGIN_LEVELS };

/* 256ths of luma, and the green, of a cell. */
static void read_cell(const uint8_t *row, size_t row_bytes, size_t channels, uint32_t *luma, uint8_t *green) {
    for (size_t y = 0; y < LK_CELL; y++, row += row_bytes, luma += LK_CELL, green += LK_CELL)
        for (size_t x = 0; x < LK_CELL; x++) {
            const uint8_t *pixel = row + x * channels;
            green[x] = channels < 3 ? pixel[0] : pixel[1];
            luma[x] = channels < 3 ? 256u * pixel[0] : 77u * pixel[0] + 150u * pixel[1] + 29u * pixel[2];
        }
}

/* The coefficients of a cell. That of the constant is what a ramp's predictor leaves of it. */
static void transform(const uint32_t *luma, const int32_t *waves, float *out) {
    uint32_t sum[WAVES] = {0};
    for (size_t i = 0; i < SAMPLES; i++)
        for (size_t k = 0; k < WAVES; k++) sum[k] += luma[i] * (uint32_t)waves[i * WAVES + k];
    for (size_t k = 1; k < BINS; k++) out[k] = (float)(int32_t)sum[k] * (1.0f / (1 << 20));
    out[0] = LK_MARGIN_RAMP * (out[1] + out[5]);
}

/* The energy of a cell outside of its coefficients. */
static float high_energy(const uint8_t *green, const float *coefficients) {
    uint32_t total = 0, square = 0;
    for (size_t i = 0; i < SAMPLES; i++) total += green[i], square += (uint32_t)green[i] * green[i];
    const float mean = (float)total * (float)total * (1.0f / SAMPLES);
    float energy = (float)square - mean;
    for (size_t k = 1; k < BINS; k++) energy -= coefficients[k] * coefficients[k];
    return energy > 0.0f ? energy : 0.0f;
}

int LK(lk_margin_sample)(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels,
                         const uint32_t *y, size_t rows, const uint32_t *x, size_t columns, const uint8_t *activity,
                         const uint8_t *gain, uint32_t base, uint32_t bright, const int32_t *waves,
                         const float *patterns, size_t count, float *cells, size_t stride) {
    const size_t across = (width + LK_CELL - 1) / LK_CELL;
    if (channels < 1 || channels > 4 || rows * columns > count || rows * columns > stride) return LK_BAD_ARGUMENT;
    for (size_t i = 0; i < rows; i++)
        if (y[i] >= height / LK_CELL) return LK_BAD_ARGUMENT;
    for (size_t j = 0; j < columns; j++)
        if (x[j] >= width / LK_CELL) return LK_BAD_ARGUMENT;
    memset(cells, 0, LK_MARGIN_ROWS * stride * sizeof *cells);
    for (size_t i = 0, n = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++, n++) {
            uint32_t luma[SAMPLES], black = 0, white = 0, dim = 0;
            uint8_t green[SAMPLES];
            float host[BINS];
            const size_t at = y[i] * across + x[j];
            read_cell(pixels + y[i] * LK_CELL * row_bytes + x[j] * LK_CELL * channels, row_bytes, channels, luma, green);
            transform(luma, waves, host);
            for (size_t s = 0; s < SAMPLES; s++) black += !green[s], white += green[s] >= 254, dim += green[s] < bright;
            const float seen = (float)(1.0 - (black + 0.15 * white) / SAMPLES), high_gain = gain[at] * (1.0f / 64);
            for (size_t k = 0; k < BINS; k++) {
                cells[k * stride + n] = host[k];
                cells[(MARK + k) * stride + n] =
                    (patterns[k * count + n] + high_gain * patterns[(BINS + k) * count + n]) * seen;
            }
            cells[HIGH * stride + n] = high_energy(green, host);
            cells[SEEN * stride + n] = (float)dim * (1.0f / SAMPLES);
            cells[FLAT * stride + n] = activity[at] == base;
        }
    return LK_OK;
}

typedef float band[BINS][BLOCK]; /* a value for each bin of each cell of a block */

/* Sums over cells: of the signal where all cells are marked and where flat ones are not, of its squares, of noise. */
struct sums { double signal[2], square[2], noise; };

/* to whole numbers, halves to even, as rint does; below 2^22 and 2^51 */
static inline float whole(float x) { return (x + 12582912.0f) - 12582912.0f; }
static inline double fixed(float x) { return ((double)x * 1048576.0 + 6755399441055744.0) - 6755399441055744.0; }
static inline float lesser(float a, float b) { return a < b ? a : b; }
static inline float squared(float x) { return x * x; }

static double together(const double *lane) {
    double total = 0.0;
    for (size_t l = 0; l < LANES; l++) total += lane[l];
    return total;
}

static double weighed(const double *values, const double *weights) {
    double lane[LANES] = {0};
    for (size_t i = 0; i < BLOCK; i += LANES)
        for (size_t l = 0; l < LANES; l++) lane[l] += values[i + l] * weights[i + l];
    return together(lane);
}

/* The detector's weight of each cell, from its squared coefficients and its energy outside of them. */
static void weigh(band squares, const float *high, float less, float *weight) {
    float energy[BLOCK];
    for (size_t i = 0; i < BLOCK; i++) energy[i] = high[i] - less > 0.0f ? high[i] - less : 0.0f;
    for (size_t k = 1; k < BINS; k++)
        for (size_t i = 0; i < BLOCK; i++) energy[i] += squares[k][i];
    for (size_t i = 0; i < BLOCK; i++) weight[i] = 1.0f / (0.01f * energy[i] + 25.0f);
}

static void constant_of(band noise) {
    for (size_t i = 0; i < BLOCK; i++) noise[0][i] = 0.15f * (noise[1][i] + noise[5][i]);
}

/* The share of a mark of some rms that rounding to grey levels leaves: linear between the points of `kept`. */
static void rounded(const float *rms, float level, const double *kept, float *share) {
    const double *at = kept, *left = kept + LK_MARGIN_POINTS;
    double value[BLOCK];
    for (size_t i = 0; i < BLOCK; i++) value[i] = left[0];
    for (size_t k = 0; k + 1 < LK_MARGIN_POINTS; k++) {
        const double slope = (left[k + 1] - left[k]) / (at[k + 1] - at[k]);
        for (size_t i = 0; i < BLOCK; i++) {
            const double x = rms[i] * level, on = slope * (x - at[k]) + left[k];
            value[i] = x >= at[k] ? on : value[i];
        }
    }
    for (size_t i = 0; i < BLOCK; i++) {
        const double x = rms[i] * level;
        share[i] = (float)(x >= at[LK_MARGIN_POINTS - 1] ? left[LK_MARGIN_POINTS - 1] : value[i]);
    }
}

/* What a codec leaves of a block: half the difference of host plus mark and host minus mark. */
static void quantise(const float *cells, size_t stride, const float *scale, const float *steps, band left, band noise,
                     band error) {
    for (size_t k = 0; k < BINS; k++) {
        const float *host = cells + k * stride, *mark = cells + (MARK + k) * stride, step = steps[k];
        for (size_t i = 0; i < BLOCK; i++) {
            const float more = mark[i] * scale[i];
            const float plus = whole((host[i] + more) / step) * step, minus = whole((host[i] - more) / step) * step;
            const float middle = (plus + minus) * 0.5f;
            left[k][i] = (plus - minus) * 0.5f;
            noise[k][i] = squared(middle), error[k][i] = squared(middle - host[i]);
        }
    }
}

/* Adds what a block has after a codec, its mark scaled by `scale`. */
static void add_codec(const float *cells, size_t stride, const float *scale, const float *steps, const double *rough,
                      struct sums *sums) {
    band left, noise, error;
    float weight[BLOCK];
    quantise(cells, stride, scale, steps, left, noise, error);
    weigh(noise, cells + HIGH * stride, LK_MARGIN_LOST, weight);
    for (size_t i = 0; i < BLOCK; i++) {
        noise[1][i] = lesser(noise[1][i], 2.0f * squared(cells[2 * stride + i]) + error[1][i]);
        noise[5][i] = lesser(noise[5][i], 2.0f * squared(cells[9 * stride + i]) + error[5][i]);
    }
    constant_of(noise);
    for (size_t i = 0; i < BLOCK; i++) noise[0][i] += error[0][i];
    for (size_t k = 0; k < BINS; k++) {
        const float *mark = cells + (MARK + k) * stride;
        double all[LANES] = {0}, some[LANES] = {0}, square[LANES] = {0}, few[LANES] = {0}, other[LANES] = {0};
        for (size_t i = 0; i < BLOCK; i += LANES)
            for (size_t l = 0; l < LANES; l++) {
                const size_t at = i + l;
                const float counts = weight[at] * mark[at], signal = left[k][at] * weight[at] * mark[at];
                const double fixed_signal = fixed(signal), fixed_square = fixed(squared(signal));
                all[l] += fixed_signal, some[l] += fixed_signal * rough[at];
                square[l] += fixed_square, few[l] += fixed_square * rough[at];
                other[l] += fixed((noise[k][at] + (squared(left[k][at]) * 0.5f + 0.3f)) * squared(counts));
            }
        sums[k].signal[0] += together(all), sums[k].signal[1] += together(some);
        sums[k].square[0] += together(square), sums[k].square[1] += together(few);
        sums[k].noise += together(other);
    }
}

/* Adds what a block has without a codec to the sums of BRIGHT .. SCALED, those of SCALED being of all cells. */
static void add_plain(const float *cells, size_t stride, const uint8_t *crops, const double *rough,
                      struct sums (*sums)[BINS]) {
    const float *seen = cells + SEEN * stride;
    double of_signal[BINS][BLOCK], of_noise[BINS][BLOCK];
    band noise;
    float weight[BLOCK];
    for (size_t k = 0; k < BINS; k++)
        for (size_t i = 0; i < BLOCK; i++) noise[k][i] = squared(cells[k * stride + i]);
    weigh(noise, cells + HIGH * stride, 0.0f, weight);
    for (size_t i = 0; i < BLOCK; i++) {
        noise[1][i] = lesser(noise[1][i], 2.0f * squared(cells[2 * stride + i]));
        noise[5][i] = lesser(noise[5][i], 2.0f * squared(cells[9 * stride + i]));
    }
    constant_of(noise);
    for (size_t k = 0; k < BINS; k++) {
        const float *mark = cells + (MARK + k) * stride;
        for (size_t i = 0; i < BLOCK; i++) {
            const float energy = squared(mark[i]);
            of_signal[k][i] = fixed(weight[i] * energy);
            of_noise[k][i] = fixed(squared(weight[i]) * energy * (noise[k][i] + 0.3f));
        }
    }
    for (size_t w = BRIGHT; w < WINDOWS; w++) {
        double inside[BLOCK], some[BLOCK], any[BLOCK];
        for (size_t i = 0; i < BLOCK; i++) inside[i] = w == SCALED ? 1.0 : w == BRIGHT ? seen[i] : crops[i] >> (w - CROPS) & 1;
        for (size_t i = 0; i < BLOCK; i++) some[i] = inside[i] * rough[i], any[i] = inside[i] > 0.0;
        for (size_t k = 0; k < BINS; k++) {
            sums[w][k].signal[0] += weighed(of_signal[k], inside), sums[w][k].signal[1] += weighed(of_signal[k], some);
            sums[w][k].noise += weighed(of_noise[k], any);
        }
    }
}

/* The detector's score: each bin is limited as the matcher limits it. */
static double score(const struct sums *sums, size_t choice, double level, const double *passed, const double *bins,
                    double scale) {
    double value[WAVES], total = 0.0;
    for (size_t k = 0; k < BINS; k++) {
        const double signal = sums[k].signal[choice] * passed[k] * level;
        const double more = signal * signal - sums[k].square[choice] * 1048576.0, noise = sums[k].noise;
        const double ratio = (more > 0.0 ? more : 0.0) / (noise > 1.0 ? noise : 1.0) * (scale / 1048576.0) / bins[k];
        value[k] = bins[k] * ratio / (1.0 + ratio);
    }
    for (size_t k = 0; k < BINS; k++) total += value[k];
    return sqrt(total);
}

/* The mark's rms in each cell of a block; and its energy, added for each bin. */
static void measure(const float *cells, size_t stride, float *rms, double *energy) {
    float total[BLOCK] = {0};
    for (size_t k = 0; k < BINS; k++) {
        const float *mark = cells + (MARK + k) * stride;
        double lane[LANES] = {0};
        for (size_t i = 0; i < BLOCK; i++) total[i] += squared(mark[i]);
        for (size_t i = 0; i < BLOCK; i += LANES)
            for (size_t l = 0; l < LANES; l++) {
                const double x = mark[i + l];
                lane[l] += (x * x * 1024.0 + 6755399441055744.0) - 6755399441055744.0;
            }
        energy[k] += together(lane);
    }
    for (size_t i = 0; i < BLOCK; i++) rms[i] = sqrtf(total[i] * (1.0f / SAMPLES));
}

static void share_out(const double *energy, double *bins) {
    double all = 0.0;
    for (size_t k = 0; k < BINS; k++) all += energy[k];
    for (size_t k = 0; k < BINS; k++) {
        const double share = LK_MARGIN_TILE_BINS * energy[k] / (all > 1.0 ? all : 1.0);
        bins[k] = share > 1e-6 ? share : 1e-6;
    }
}

int LK(lk_margin_score)(const float *cells, size_t stride, const uint8_t *crops, const double *levels, size_t count,
                        const float *steps, const double *kept, const double *passed, double scale, double *scores) {
    static const double whole_band[BINS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct sums codec[MOST_LEVELS][BINS], plain[WINDOWS][BINS];
    double energy[BINS] = {0}, bins[BINS];
    if (stride % BLOCK || count > MOST_LEVELS) return LK_BAD_ARGUMENT;
    memset(codec, 0, sizeof codec), memset(plain, 0, sizeof plain);
    for (size_t first = 0; first < stride; first += BLOCK, cells += BLOCK) {
        float rms[BLOCK], share[BLOCK];
        double rough[BLOCK];
        for (size_t i = 0; i < BLOCK; i++) rough[i] = 1.0 - cells[FLAT * stride + i];
        measure(cells, stride, rms, energy);
        for (size_t l = 0; l < count; l++) {
            const float level = (float)levels[l];
            rounded(rms, level, kept, share);
            for (size_t i = 0; i < BLOCK; i++) share[i] *= level;
            add_codec(cells, stride, share, steps, rough, codec[l]);
        }
        add_plain(cells, stride, crops + first, rough, plain);
    }
    share_out(energy, bins);
    for (size_t choice = 0; choice < 2; choice++)
        for (size_t w = 0; w < WINDOWS; w++)
            for (size_t l = 0; l < count; l++)
                *scores++ = w == CODEC ? score(codec[l], choice, 1.0, whole_band, bins, scale)
                                       : score(plain[w], choice, levels[l], w == SCALED ? passed : whole_band, bins, scale);
    return LK_OK;
}
