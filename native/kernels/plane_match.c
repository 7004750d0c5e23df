/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking for a pattern in a plane: the plane at another scale, and the correlation coefficient at every place. All sums
 * are whole numbers, exact in the types that hold them, so that every order of adding gives the same bits.
 */
#include <math.h>
#include <string.h>

#include "isa.h"

/* [first, last) of the samples whose centres lie in the interval of `scale`, at least one sample, around output i. */
static void span(double from, double scale, size_t i, ptrdiff_t *first, ptrdiff_t *last) {
    const double reach = (scale > 1.0 ? scale : 1.0) * 0.5, centre = from + ((double)i + 0.5) * scale;
    *first = (ptrdiff_t)floor(centre - reach + 0.5);
    *last = (ptrdiff_t)floor(centre + reach + 0.5);
}

static ptrdiff_t within(ptrdiff_t value, ptrdiff_t most) { return value < 0 ? 0 : value > most ? most : value; }

/* How often the first and the last of `size` samples stand for those outside, in [first, last). */
static void outside(ptrdiff_t first, ptrdiff_t last, ptrdiff_t size, uint32_t *before, uint32_t *after) {
    *before = (uint32_t)(first < 0 ? (last < 0 ? last : 0) - first : 0);
    *after = (uint32_t)(last > size ? last - (first > size ? first : size) : 0);
}

static void add_row(uint32_t *sum, const uint8_t *row, uint32_t times, size_t count) {
    for (size_t x = 0; x < count; x++) sum[x] += times * row[x];
}

/* Means of boxes: the sums of a row of them, then differences of their running sums. */
static void shrink(const uint8_t *plane, size_t height, size_t width, double left, double top, double across, double down,
                   uint8_t *out, size_t out_height, size_t out_width, uint32_t *scratch) {
    int32_t *ends = (int32_t *)scratch; /* first and last column of each output */
    float *inverse = (float *)(scratch + 2 * out_width);
    uint32_t *sum = scratch + 3 * out_width, *running = sum + width;
    const ptrdiff_t columns = (ptrdiff_t)width, rows = (ptrdiff_t)height;
    ptrdiff_t first, last, known = 0;
    for (size_t j = 0; j < out_width; j++) {
        span(left, across, j, &first, &last);
        ends[2 * j] = (int32_t)first, ends[2 * j + 1] = (int32_t)last;
    }
    const size_t start = (size_t)within(ends[0], columns - 1);
    const size_t count = (size_t)within(ends[2 * out_width - 1], columns) > start
                             ? (size_t)within(ends[2 * out_width - 1], columns) - start : 1;
    for (size_t i = 0; i < out_height; i++, out += out_width) {
        span(top, down, i, &first, &last);
        uint32_t before, after;
        outside(first, last, rows, &before, &after);
        memset(sum + start, 0, count * sizeof *sum);
        if (before) add_row(sum + start, plane + start, before, count);
        for (ptrdiff_t y = within(first, rows); y < within(last, rows); y++)
            add_row(sum + start, plane + (size_t)y * width + start, 1, count);
        if (after) add_row(sum + start, plane + (height - 1) * width + start, after, count);
        running[0] = 0;
        for (size_t x = 0; x < count; x++) running[x + 1] = running[x] + sum[start + x];
        if (last - first != known) {
            known = last - first;
            for (size_t j = 0; j < out_width; j++)
                inverse[j] = 1.0f / (float)(known * (ends[2 * j + 1] - ends[2 * j]));
        }
        for (size_t j = 0; j < out_width; j++) {
            const ptrdiff_t a = ends[2 * j], b = ends[2 * j + 1];
            uint32_t total = running[(size_t)within(b, columns) > start ? (size_t)within(b, columns) - start : 0] -
                             running[(size_t)within(a, columns) > start ? (size_t)within(a, columns) - start : 0];
            if (a < 0 || b > columns) {
                outside(a, b, columns, &before, &after);
                total += before * (a < 0 ? sum[0] : 0) + after * (b > columns ? sum[width - 1] : 0);
            }
            out[j] = (uint8_t)((float)total * inverse[j] + 0.5f);
        }
    }
}

/* The sample before a position, the weight of the one after it in 256ths, and the same for all outputs of an axis. */
static uint32_t between(double from, double scale, size_t i, ptrdiff_t *before) {
    const double place = from + ((double)i + 0.5) * scale - 0.5, whole = floor(place);
    *before = (ptrdiff_t)whole;
    return (uint32_t)((place - whole) * 256.0 + 0.5);
}

/* Bilinear. */
static void enlarge(const uint8_t *plane, size_t height, size_t width, double left, double top, double across, double down,
                    uint8_t *out, size_t out_height, size_t out_width, uint32_t *scratch) {
    uint32_t *pair = scratch, *weight = scratch + 2 * out_width;
    ptrdiff_t at;
    for (size_t j = 0; j < out_width; j++) {
        weight[j] = between(left, across, j, &at);
        pair[2 * j] = (uint32_t)within(at, (ptrdiff_t)width - 1);
        pair[2 * j + 1] = (uint32_t)within(at + 1, (ptrdiff_t)width - 1);
    }
    for (size_t i = 0; i < out_height; i++, out += out_width) {
        const uint32_t lower = between(top, down, i, &at), upper = 256 - lower;
        const uint8_t *a = plane + (size_t)within(at, (ptrdiff_t)height - 1) * width;
        const uint8_t *b = plane + (size_t)within(at + 1, (ptrdiff_t)height - 1) * width;
        for (size_t j = 0; j < out_width; j++) {
            const uint32_t l = pair[2 * j], r = pair[2 * j + 1], right = weight[j];
            const uint32_t one = a[l] * (256 - right) + a[r] * right, two = b[l] * (256 - right) + b[r] * right;
            out[j] = (uint8_t)((one * upper + two * lower + 32768) >> 16);
        }
    }
}

int LK(lk_plane_resample)(const uint8_t *plane, size_t height, size_t width, double left, double top, double right,
                          double bottom, uint8_t *out, size_t out_height, size_t out_width, uint32_t *scratch) {
    if (!height || !width || !out_height || !out_width) return LK_BAD_ARGUMENT;
    if (height > LK_RESAMPLE_LIMIT || width > LK_RESAMPLE_LIMIT || out_height > LK_RESAMPLE_LIMIT ||
        out_width > LK_RESAMPLE_LIMIT)
        return LK_BAD_ARGUMENT;
    const double limit = LK_RESAMPLE_LIMIT;
    if (!(left >= -limit && left < right && right <= 2 * limit && top >= -limit && top < bottom && bottom <= 2 * limit))
        return LK_BAD_ARGUMENT;
    const double across = (right - left) / (double)out_width, down = (bottom - top) / (double)out_height;
    if (across > LK_RESAMPLE_SCALE || down > LK_RESAMPLE_SCALE) return LK_BAD_ARGUMENT;
    (across > 1.0 ? shrink : enlarge)(plane, height, width, left, top, across, down, out, out_height, out_width, scratch);
    return LK_OK;
}

enum {
    BLOCK = LK_MATCH_BLOCK,
    FEW = 16,
    FOUR = 4,
    EXACT = 512 /* products of uint8 and int8 whose sum a float holds exactly */
};

/* The part of the products in columns [left, right) of rows [top, bottom) of the pattern, at so many places; four columns at
 * a time. The rows of the plane are a ring, of which `turn` is the first. */
#define ADD_PRODUCTS(name, places)                                                                                     \
    static void name(const float *ring, size_t stride, size_t rows, size_t turn, const float *pattern, size_t columns, \
                     size_t top, size_t bottom, size_t left, size_t right, int32_t *total) {                           \
        float sum[places] = {0};                                                                                       \
        for (size_t y = top; y < bottom; y++) {                                                                        \
            const float *row = ring + (turn + y < rows ? turn + y : turn + y - rows) * stride;                         \
            for (size_t x = left; x < right; x += FOUR) {                                                              \
                const float *w = pattern + y * columns + x, *p = row + x;                                              \
                for (size_t i = 0; i < places; i++)                                                                    \
                    sum[i] += (w[0] * p[i] + w[1] * p[i + 1]) + (w[2] * p[i + 2] + w[3] * p[i + 3]);                   \
            }                                                                                                          \
        }                                                                                                              \
        for (size_t i = 0; i < places; i++) total[i] += (int32_t)sum[i];                                               \
    }
ADD_PRODUCTS(add_few, FEW)
ADD_PRODUCTS(add_block, BLOCK)

/* `columns` is a multiple of FOUR. */
static void products(const float *ring, size_t stride, size_t rows, size_t turn, const float *pattern, size_t columns,
                     size_t count, int32_t *total) {
    const size_t wide = columns < EXACT ? columns : EXACT, high = EXACT / wide;
    memset(total, 0, BLOCK * sizeof *total);
    for (size_t top = 0; top < rows; top += high)
        for (size_t left = 0; left < columns; left += wide)
            (count > FEW ? add_block : add_few)(ring, stride, rows, turn, pattern, columns, top,
                                                top + high < rows ? top + high : rows, left,
                                                left + wide < columns ? left + wide : columns, total);
}

/* A row of the plane enters the sums of columns, and one leaves them. */
static void slide_columns(const uint8_t *enter, const uint8_t *leave, uint32_t *sum, uint32_t *square, size_t width) {
    for (size_t x = 0; x < width; x++) {
        const uint32_t in = enter[x], gone = leave[x];
        sum[x] += in - gone;
        square[x] += in * in - gone * gone;
    }
}

static void enter_columns(const uint8_t *enter, uint32_t *sum, uint32_t *square, size_t width) {
    for (size_t x = 0; x < width; x++) {
        const uint32_t in = enter[x];
        sum[x] += in;
        square[x] += in * in;
    }
}

static void window_sums(const uint32_t *column, size_t columns, size_t places, double *out) {
    uint32_t sum = 0;
    for (size_t x = 0; x < columns; x++) sum += column[x];
    out[0] = (double)sum;
    for (size_t x = 1; x < places; x++) {
        sum += column[x + columns - 1] - column[x - 1];
        out[x] = (double)sum;
    }
}

struct pattern { double count, sum, spread, least; };

/* The square of the coefficient with its sign, times the pattern's spread, at `count` places. */
static void judge(const int32_t *total, const double *sum, const double *square, size_t count, const struct pattern *p,
                  double *value) {
    for (size_t i = 0; i < count; i++) {
        const double shared = p->count * (double)total[i] - sum[i] * p->sum;
        const double spread = p->count * square[i] - sum[i] * sum[i];
        const double signed_square = shared * fabs(shared) / (spread >= p->least ? spread : p->least);
        value[i] = spread >= p->least ? signed_square : 0.0;
    }
}

struct extreme { double highest, lowest; size_t high, low; };

static void note(const double *value, size_t count, size_t first, struct extreme *seen) {
    for (size_t i = 0; i < count; i++) {
        if (value[i] > seen->highest) seen->highest = value[i], seen->high = first + i;
        if (value[i] < seen->lowest) seen->lowest = value[i], seen->low = first + i;
    }
}

/* centred: the pattern less 128, its rows filled up with zeros to `stride`. */
static struct pattern measure(const uint8_t *pattern, size_t rows, size_t columns, uint32_t least, float *centred,
                              size_t stride) {
    int64_t sum = 0, square = 0;
    memset(centred, 0, rows * stride * sizeof *centred);
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < columns; x++) {
            const int32_t value = (int32_t)pattern[y * columns + x] - 128;
            centred[y * stride + x] = (float)value;
            sum += value, square += value * value;
        }
    const double count = (double)(rows * columns);
    return (struct pattern){count, (double)sum, count * (double)square - (double)sum * (double)sum,
                            least ? (double)least * count * count : 1.0};
}

static float coefficient(double value, double spread) {
    return spread > 0.0 ? (float)(value < 0.0 ? -sqrt(-value / spread) : sqrt(value / spread)) : 0.0f;
}

int LK(lk_plane_match)(const uint8_t *plane, size_t height, size_t width, const uint8_t *pattern, size_t rows,
                       size_t columns, uint32_t least, int64_t *scratch, int64_t *place, float *score) {
    if (!rows || !columns || rows > height || columns > width || least > 65025) return LK_BAD_ARGUMENT;
    if (width > LK_RESAMPLE_LIMIT || rows > LK_MATCH_LIMIT || columns > LK_MATCH_LIMIT || rows * columns > LK_MATCH_LIMIT)
        return LK_BAD_ARGUMENT;
    const size_t stride = width + BLOCK, places = width - columns + 1, filled = (columns + FOUR - 1) / FOUR * FOUR;
    double *sum = (double *)scratch, *square = sum + places;
    uint32_t *column = (uint32_t *)(square + places), *column_square = column + width;
    float *centred = (float *)(column_square + width), *ring = centred + rows * filled;
    const struct pattern measured = measure(pattern, rows, columns, least, centred, filled);
    struct extreme seen = {-INFINITY, INFINITY, 0, 0};
    memset(column, 0, 2 * width * sizeof *column);
    memset(ring, 0, rows * stride * sizeof *ring);
    for (size_t ready = 0, turn = 0; ready < height; ready++) { /* the row of the plane that comes in, and its slot */
        const uint8_t *enter = plane + ready * width;
        float *row = ring + turn * stride;
        for (size_t x = 0; x < width; x++) row[x] = (float)enter[x];
        turn = turn + 1 < rows ? turn + 1 : 0;
        if (ready < rows)
            enter_columns(enter, column, column_square, width);
        else
            slide_columns(enter, enter - rows * width, column, column_square, width);
        if (ready + 1 < rows) continue;
        window_sums(column, columns, places, sum);
        window_sums(column_square, columns, places, square);
        for (size_t start = 0; start < places; start += BLOCK) {
            const size_t count = places - start < BLOCK ? places - start : BLOCK;
            int32_t total[BLOCK];
            double value[BLOCK];
            products(ring + start, stride, rows, turn, centred, filled, count, total);
            judge(total, sum + start, square + start, count, &measured, value);
            note(value, count, (ready + 1 - rows) * places + start, &seen);
        }
    }
    place[0] = (int64_t)seen.high, place[1] = (int64_t)seen.low;
    score[0] = coefficient(seen.highest, measured.spread), score[1] = coefficient(seen.lowest, measured.spread);
    return LK_OK;
}
