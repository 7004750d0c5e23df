/* SPDX-License-Identifier: Apache-2.0
 *
 * Embedding in interleaved 8-bit pixels. The inner loops run over samples, not pixels, with the tile and the gain
 * already repeated for each channel, so that they are plain.
 */
#include <string.h>

#include "isa.h"
#include "words.h"

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

enum { STRIP = 512 }; /* cells that are summed up at a time */

/* sum[i] += |a[i] - b[i]| */
static void add_distance(const uint8_t *a, const uint8_t *b, uint16_t *sum, size_t count) {
    for (size_t i = 0; i < count; i++) sum[i] = (uint16_t)(sum[i] + (a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]));
}

/* sum[i] += |a[i] - b[i]| + |a[i] - c[i]| */
static void add_distances(const uint8_t *a, const uint8_t *b, const uint8_t *c, uint16_t *sum, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint8_t across = a[i] > b[i] ? (uint8_t)(a[i] - b[i]) : (uint8_t)(b[i] - a[i]);
        uint8_t down = a[i] > c[i] ? (uint8_t)(a[i] - c[i]) : (uint8_t)(c[i] - a[i]);
        sum[i] = (uint16_t)(sum[i] + across + down);
    }
}

/* The activity of each sample of up to STRIP columns of one row of cells. */
static void activity(const uint8_t *row, size_t row_bytes, size_t rows, int below, size_t channels, size_t x0,
                     size_t count, size_t width, uint16_t *sum) {
    size_t across = least(count, width - 1 - x0) * channels; /* the last column has no right-hand neighbour */
    memset(sum, 0, count * channels * sizeof *sum);
    row += x0 * channels;
    for (size_t y = 0; y < rows; y++, row += row_bytes) {
        if (y + 1 < rows || below) {
            add_distances(row, row + channels, row + row_bytes, sum, across);
            add_distance(row + across, row + row_bytes + across, sum + across, count * channels - across);
        } else {
            add_distance(row, row + channels, sum, across);
        }
    }
}

/* The sum over the colour samples of one cell. */
static uint32_t cell_sum(const uint16_t *sum, size_t columns, size_t channels, size_t colours) {
    uint32_t total = 0;
    if (columns == LK_CELL && channels == 3) /* a known count: the common case */
        for (size_t i = 0; i < 3 * LK_CELL; i++) total += sum[i];
    else
        for (size_t i = 0; i < columns; i++)
            for (size_t k = 0; k < colours; k++) total += sum[i * channels + k];
    return total;
}

#ifdef LK_WORDS
/* As `activity`, where all channels are colours: sums of eight samples each. */
static void activity_of_eight(const uint8_t *row, size_t row_bytes, size_t rows, int below, size_t channels, size_t x0,
                              size_t count, size_t width, uint64_t *sum) {
    enum { BYTES = 2 * WORDS };
    size_t samples = count * channels, across = least(count, width - 1 - x0) * channels;
    memset(sum, 0, (samples + 7) / 8 * sizeof *sum);
    row += x0 * channels;
    for (size_t y = 0; y < rows; y++, row += row_bytes) {
        const uint8_t *right = row + channels, *next = y + 1 < rows || below ? row + row_bytes : row;
        size_t i = 0;
        for (; i + BYTES <= across; i += BYTES) {
            words x = words_load(row + i), here = words_load(sum + i / 8);
            words both = LK_WORDS(add_epi64)(LK_WORDS(sad_epu8)(x, words_load(right + i)),
                                             LK_WORDS(sad_epu8)(x, words_load(next + i)));
            words_store(sum + i / 8, LK_WORDS(add_epi64)(here, both));
        }
        for (; i + 8 <= across; i += 8) {
            __m128i x = _mm_loadl_epi64((const void *)(row + i)), r = _mm_loadl_epi64((const void *)(right + i));
            __m128i down = _mm_sad_epu8(x, _mm_loadl_epi64((const void *)(next + i)));
            sum[i / 8] += (uint64_t)_mm_cvtsi128_si64(_mm_add_epi64(_mm_sad_epu8(x, r), down));
        }
        for (; i < samples; i++) {
            uint8_t x = row[i], y = next[i];
            uint64_t step = i < across ? x > right[i] ? x - right[i] : right[i] - x : 0;
            sum[i / 8] += step + (x > y ? x - y : y - x);
        }
    }
}

static uint32_t sum_of(const uint64_t *sum, size_t samples) {
    if (samples == 3 * LK_CELL) return (uint32_t)(sum[0] + sum[1] + sum[2]); /* the common case */
    uint64_t total = 0;
    for (size_t i = 0; i < (samples + 7) / 8; i++) total += sum[i];
    return (uint32_t)total;
}
#endif

/* The sum of each cell of one row of cells, of up to STRIP columns. */
static void cell_sums(const uint8_t *row, size_t row_bytes, size_t rows, int below, size_t channels, size_t x0,
                      size_t count, size_t width, uint32_t *cells) {
    const size_t colours = channels < 3 ? 1 : 3;
#ifdef LK_WORDS
    if (colours == channels) {
        uint64_t eights[STRIP * 3 / 8];
        activity_of_eight(row, row_bytes, rows, below, channels, x0, count, width, eights);
        for (size_t x = 0; x < count; x += LK_CELL)
            *cells++ = sum_of(eights + x * channels / 8, least(LK_CELL, count - x) * channels);
        return;
    }
#endif
    uint16_t sum[STRIP * 4];
    activity(row, row_bytes, rows, below, channels, x0, count, width, sum);
    for (size_t x = 0; x < count; x += LK_CELL)
        *cells++ = cell_sum(sum + x * channels, least(LK_CELL, count - x), channels, colours);
}

int LK(lk_image_gain)(const uint8_t *pixels, size_t row_bytes, size_t height, size_t width, size_t channels,
                      uint8_t *gain, uint32_t base, uint32_t slope, uint32_t top) {
    if (!height || !width || channels < 1 || channels > 4) return LK_BAD_ARGUMENT;
    if (base > 255 || top > 255 || slope > 4096) return LK_BAD_ARGUMENT;
    uint32_t cells[STRIP / LK_CELL];
    size_t colours = channels < 3 ? 1 : 3;
    for (size_t y0 = 0; y0 < height; y0 += LK_CELL) {
        size_t rows = least(LK_CELL, height - y0);
        for (size_t x0 = 0; x0 < width; x0 += STRIP) {
            size_t count = least(STRIP, width - x0);
            cell_sums(pixels + y0 * row_bytes, row_bytes, rows, y0 + rows < height, channels, x0, count, width, cells);
            for (size_t x = 0; x < count; x += LK_CELL) {
                size_t columns = least(LK_CELL, count - x);
                uint32_t total = cells[x / LK_CELL] * slope;
                uint32_t mean = rows == LK_CELL && columns == LK_CELL /* constants divide fast */
                                    ? (colours == 3 ? total / (6 * LK_CELL * LK_CELL) : total / (2 * LK_CELL * LK_CELL))
                                    : total / (uint32_t)(2 * rows * columns * colours);
                *gain++ = (uint8_t)least(base + (mean >> 4), top);
            }
        }
    }
    return LK_OK;
}

/* Activity and brightness of each sample of up to STRIP columns of one row of cells, over its even rows. */
static void film_strip(const uint8_t *row, size_t row_bytes, size_t rows, int below, size_t count, int right,
                       uint16_t *sum, uint16_t *level) {
    size_t across = right ? count : count - 1; /* the last column has no right-hand neighbour */
    memset(sum, 0, STRIP * sizeof *sum), memset(level, 0, STRIP * sizeof *level);
    for (size_t y = 0; y < rows; y += 2, row += 2 * row_bytes) {
        const uint8_t *next = y + 1 < rows || below ? row + row_bytes : row;
        add_distances(row, row + 1, next, sum, across);
        add_distance(row + across, next + across, sum + across, count - across);
        for (size_t i = 0; i < count; i++) level[i] = (uint16_t)(level[i] + row[i]);
    }
}

/* The sum of eight values, below 2^16: four at a time in one word, whose upper quarter adds them up. */
static uint32_t eight(const uint16_t *x) {
    uint64_t a, b;
    memcpy(&a, x, sizeof a), memcpy(&b, x + 4, sizeof b);
    return (uint32_t)((a + b) * UINT64_C(0x0001000100010001) >> 48);
}

int LK(lk_film_gain)(const uint8_t *luma, size_t row_bytes, size_t height, size_t width, uint16_t *level,
                     const uint8_t *ease, uint8_t *gain, uint32_t base, uint32_t slope, uint32_t top) {
    if (!height || !width || base > 255 || top > 255 || slope > 4096) return LK_BAD_ARGUMENT;
    uint16_t sum[STRIP], now[STRIP];
    for (size_t y0 = 0; y0 < height; y0 += LK_CELL) {
        size_t rows = least(LK_CELL, height - y0), even = (rows + 1) / 2;
        for (size_t x0 = 0; x0 < width; x0 += STRIP) {
            size_t count = least(STRIP, width - x0);
            film_strip(luma + y0 * row_bytes + x0, row_bytes, rows, y0 + rows < height, count, x0 + count < width, sum,
                       now);
            for (size_t x = 0; x < count; x += LK_CELL, level++) {
                size_t samples = 2 * even * least(LK_CELL, count - x);
                uint32_t total = eight(sum + x) * slope, bright = eight(now + x);
                uint32_t mean = samples == LK_CELL * LK_CELL ? total / (LK_CELL * LK_CELL) : total / (uint32_t)samples;
                uint32_t change = (bright > *level ? bright - *level : *level - bright) / 4;
                uint32_t full = (uint32_t)least(base + (mean >> 4), top);
                *gain++ = (uint8_t)((full * ease[least(change, LK_EASE - 1)] + 64) >> 7);
                *level = (uint16_t)bright;
            }
        }
    }
    return LK_OK;
}

/* Between two rows of cells. */
static void between(const uint8_t *above, const uint8_t *below, int16_t weight, int16_t *out, size_t columns) {
    int16_t rest = (int16_t)(16 - weight);
    for (size_t c = 0; c < columns; c++) out[c] = (int16_t)((int16_t)(above[c] * rest + below[c] * weight + 8) >> 4);
}

/* The gain of one pixel row at every sample, from that between rows of cells: between the centres of the cells.
 * `channels` is a constant wherever this is inlined. */
static inline void gain_row(const int16_t *cells, size_t columns, size_t channels, int16_t *out) {
    size_t step = LK_CELL * channels, lead = step / 2; /* centres lie between pixels 3 and 4 */
    int16_t ramp[LK_CELL * 4];
    for (size_t i = 0; i < step; i++) ramp[i] = (int16_t)(2 * (i / channels) + 1);
    for (size_t i = 0; i < lead; i++) out[i] = cells[0];
    out += lead;
    for (size_t c = 0; c < columns; c++, out += step) {
        int16_t here = cells[c], rise = (int16_t)(cells[c + 1] - here), start = (int16_t)(here * 16 + 8);
        for (size_t i = 0; i < step; i++) out[i] = (int16_t)((int16_t)(start + (int16_t)(rise * ramp[i])) >> 4);
    }
}

/* count samples of one row, all within one period of the tile; `fades` is a constant wherever this is inlined */
static inline void add_samples(const uint8_t *x, uint8_t *out, const int16_t *gain, const int16_t *flat,
                               const int8_t *textured, size_t count, int fades) {
    for (size_t i = 0; i < count; i++) {
        int16_t v = x[i], seen = v ? -1 : 0; /* black stays black */
        int16_t top = fades && !gain[i] ? 255 : 254;
        v = v > top ? top : v;
        int16_t product = (int16_t)(gain[i] * textured[i]), even = flat[i];
        if (fades) {
            int16_t share = gain[i] < LK_FADE ? gain[i] : LK_FADE;
            even = even < -2047 ? -2047 : even > 2047 ? 2047 : even;
            even = (int16_t)((int16_t)(even * share) >> 4);
        }
        v = (int16_t)(v + ((int16_t)(even + (product >> 5) + 16) >> 5));
        v = v < 0 ? 0 : v;
        out[i] = (uint8_t)((v > 255 ? 255 : v) & seen);
    }
}

#ifdef LK_WORDS
/* WORDS samples, not yet kept to a byte */
static inline words added(const uint8_t *x, const int16_t *gain, const int16_t *flat, const int8_t *textured,
                          int fades) {
    const words top = LK_WORDS(set1_epi16)(254), own = words_load(gain), limit = LK_WORDS(set1_epi16)(2047);
    words product = LK_WORDS(srai_epi16)(LK_WORDS(mullo_epi16)(own, words_of_int8(textured)), 5);
    words even = words_load(flat);
    words v = words_of_uint8(x);
    if (fades) {
        words share = LK_WORDS(min_epi16)(own, LK_WORDS(set1_epi16)(LK_FADE));
        even = LK_WORDS(max_epi16)(LK_WORDS(min_epi16)(even, limit), LK_WORDS(sub_epi16)(words_zero(), limit));
        even = LK_WORDS(srai_epi16)(LK_WORDS(mullo_epi16)(even, share), 4);
        v = LK_WORDS(min_epi16)(v, LK_WORDS(add_epi16)(top, words_if_not(LK_WORDS(set1_epi16)(1), own)));
    } else {
        v = LK_WORDS(min_epi16)(v, top);
    }
    words change = LK_WORDS(add_epi16)(LK_WORDS(add_epi16)(even, product), LK_WORDS(set1_epi16)(16));
    return LK_WORDS(add_epi16)(v, LK_WORDS(srai_epi16)(change, 5));
}

/* As add_samples, as many as there are whole vectors of; how many that are */
static inline size_t add_vectors(const uint8_t *x, uint8_t *out, const int16_t *gain, const int16_t *flat,
                                 const int8_t *textured, size_t count, int fades) {
    size_t i = 0;
    for (; i + 2 * WORDS <= count; i += 2 * WORDS) {
        words first = added(x + i, gain + i, flat + i, textured + i, fades);
        words second = added(x + i + WORDS, gain + i + WORDS, flat + i + WORDS, textured + i + WORDS, fades);
        words_store(out + i, words_if_bytes(words_bytes(first, second), words_load(x + i)));
    }
    return i;
}
#endif

static void add_run(const uint8_t *x, uint8_t *out, const int16_t *gain, const int16_t *flat, const int8_t *textured,
                    size_t count, int fades) {
#ifdef LK_WORDS
    size_t done = fades ? add_vectors(x, out, gain, flat, textured, count, 1)
                        : add_vectors(x, out, gain, flat, textured, count, 0);
    x += done, out += done, gain += done, flat += done, textured += done, count -= done;
#endif
    if (fades)
        add_samples(x, out, gain, flat, textured, count, 1);
    else
        add_samples(x, out, gain, flat, textured, count, 0);
}

/* The gain at every sample of pixel rows y and y + 1; `out` has room for that of the columns of cells behind it. */
static void gain_at(const uint8_t *gain, size_t rows, size_t columns, size_t channels, size_t y, int16_t *out) {
    size_t twice = 2 * y < LK_CELL - 1 ? 0 : 2 * y - (LK_CELL - 1), cell = twice / (2 * LK_CELL);
    int weight = (int)(twice % (2 * LK_CELL));
    if (cell >= rows - 1) cell = rows - 1, weight = 0;
    const uint8_t *above = gain + cell * columns, *below = cell + 1 < rows ? above + columns : above;
    int16_t *cells = out + LK_CELL * channels * columns + 32;
    between(above, below, (int16_t)weight, cells, columns);
    cells[columns] = cells[columns - 1];
    switch (channels) {
    case 1: gain_row(cells, columns, 1, out); break;
    case 2: gain_row(cells, columns, 2, out); break;
    case 3: gain_row(cells, columns, 3, out); break;
    default: gain_row(cells, columns, 4, out);
    }
}

int LK(lk_image_embed)(const uint8_t *pixels, size_t row_bytes, uint8_t *out, size_t out_row_bytes, size_t height,
                       size_t width, size_t channels, const uint8_t *gain, const int16_t *flat, const int8_t *textured,
                       size_t p, int fades, int16_t *scratch) {
    if (!height || !width || channels < 1 || channels > 4 || !p) return LK_BAD_ARGUMENT;
    size_t columns = (width + LK_CELL - 1) / LK_CELL, rows = (height + LK_CELL - 1) / LK_CELL;
    size_t samples = width * channels, period = p * channels;
    uint8_t alpha[64];
    for (size_t y = 0; y < height; y++) {
        if (y % 2 == 0) /* two rows share their gain */
            gain_at(gain, rows, columns, channels, y, scratch);
        const uint8_t *x = pixels + y * row_bytes;
        uint8_t *to = out + y * out_row_bytes;
        const int16_t *f = flat + (y % p) * period;
        const int8_t *t = textured + (y % p) * period;
        if (channels == 1 || channels == 3) {
            for (size_t i = 0; i < samples; i += period)
                add_run(x + i, to + i, scratch + i, f, t, least(period, samples - i), fades);
            continue;
        }
        size_t chunk = sizeof alpha * channels; /* alpha is set aside and put back */
        for (size_t i = 0; i < samples;) {
            size_t in_tile = i % period, count = least(least(chunk, period - in_tile), samples - i);
            for (size_t k = 0; k < count / channels; k++) alpha[k] = x[i + k * channels + channels - 1];
            add_run(x + i, to + i, scratch + i, f + in_tile, t + in_tile, count, fades);
            for (size_t k = 0; k < count / channels; k++) to[i + k * channels + channels - 1] = alpha[k];
            i += count;
        }
    }
    return LK_OK;
}
