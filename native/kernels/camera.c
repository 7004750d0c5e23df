/* SPDX-License-Identifier: Apache-2.0 */
#include "isa.h"

enum { LANES = LK_CAMERA_LANES, SLOPES = 3, SUMS = 9 };
static const double FAR = LK_CAMERA_LIMIT;

static inline float size_of(float x) { return x < 0 ? -x : x; }

static inline size_t padded(size_t count) { return (count + LANES - 1) / LANES * LANES; }

static double total(const float *lanes) {
    double sum = 0;
    for (size_t i = 0; i < LANES; i++) sum += lanes[i];
    return sum;
}

/* A row of cells, `times` x `times` of them joined. */
static void join(const uint16_t *brightness, size_t columns, size_t times, float scale, float *row) {
    const size_t count = columns / times;
    if (times == 1) {
        for (size_t x = 0; x < count; x++) row[x] = (float)brightness[x] * scale;
    } else if (times == 2) {
        const uint16_t *next = brightness + columns;
        for (size_t x = 0; x < count; x++)
            row[x] = (float)(brightness[2 * x] + brightness[2 * x + 1] + next[2 * x] + next[2 * x + 1]) * scale;
    } else {
        for (size_t x = 0; x < count; x++) {
            int32_t sum = 0;
            for (size_t i = 0; i < times; i++)
                for (size_t k = 0; k < times; k++) sum += brightness[i * columns + x * times + k];
            row[x] = (float)sum * scale;
        }
    }
}

/* The mean of |value - middle| over a grid, or of the values themselves. */
static double mean_of(const float *grid, size_t rows, size_t columns, const float *middle) {
    float lanes[LANES] = {0};
    for (size_t y = 0; y < rows; y++, grid += columns) {
        size_t x = 0;
        for (; x + LANES <= columns; x += LANES)
            for (size_t i = 0; i < LANES; i++) lanes[i] += middle ? size_of(grid[x + i] - *middle) : grid[x + i];
        for (size_t i = 0; x < columns; x++, i++) lanes[i] += middle ? size_of(grid[x] - *middle) : grid[x];
    }
    return total(lanes) / (double)(rows * columns);
}

static double plain_share(const float *grid, size_t rows, size_t columns, float plain) {
    size_t count = 0;
    for (size_t y = 1; y < rows; y++) {
        const float *above = grid + (y - 1) * columns, *row = above + columns;
        uint32_t found = 0;
        for (size_t x = 1; x < columns; x++)
            found += size_of(row[x] - above[x]) + size_of(row[x] - row[x - 1]) < plain;
        count += found;
    }
    return (double)count / (double)((rows - 1) * (columns - 1));
}

int LK(lk_camera_grid)(const uint16_t *brightness, size_t rows, size_t columns, size_t times, double scale, double plain,
                       float *scratch, float *grid, double *facts) {
    if (!times || times > LK_CAMERA_JOINED || rows / times < 4 || columns / times < 4) return LK_BAD_ARGUMENT;
    const size_t down = rows / times, across = columns / times, left = across - 2;
    float *smooth = scratch + 3 * across;
    for (size_t y = 0; y < down; y++) {
        join(brightness + y * times * columns, columns, times, (float)scale, scratch + y % 3 * across);
        if (y < 2) continue;
        const float *a = scratch + (y - 2) % 3 * across, *b = scratch + (y - 1) % 3 * across, *c = scratch + y % 3 * across;
        for (size_t x = 0; x < across; x++) smooth[x] = a[x] + 2 * b[x] + c[x];
        float *row = grid + (y - 2) * left;
        for (size_t x = 0; x < left; x++) row[x] = smooth[x] + 2 * smooth[x + 1] + smooth[x + 2];
    }
    const float middle = (float)mean_of(grid, down - 2, left, NULL);
    facts[0] = mean_of(grid, down - 2, left, &middle);
    facts[1] = plain_share(grid, down - 2, left, (float)plain);
    return LK_OK;
}

/* The part of the later frame that lies in the first one, what the first one shows there, and what is left. */
struct overlap {
    const float *now, *first;
    size_t rows, columns, stride;      /* of the frames; floats from one row of `warped` and `rest` to the next */
    size_t top, left, height, width;   /* of the part */
    float *warped, *rest;              /* width floats in each row; behind them, `rest` is 0 */
    float *mixed, *whole, *part;       /* one row each: between two rows, and where its columns lie */
    float *across, *down;              /* slopes of one row, 0 behind them */
};

static inline size_t ceiling(double x) { /* of what is at least 0 and at most LK_CAMERA_LIMIT */
    const size_t whole = (size_t)x;
    return whole + ((double)whole < x);
}

/* Which of `count` places zoom * i + shift lie in 0 .. count - 1: the first, and how many. */
static size_t inside(size_t count, double zoom, double shift, size_t *start) {
    const double from = -shift / zoom, to = ((double)(count - 1) - shift) / zoom, most = (double)count;
    *start = ceiling(from > 0 ? (from < most ? from : most) : 0);
    const size_t stop = ceiling(to > 0 ? (to < most ? to : most) : 0);
    return stop > *start ? stop - *start : 0;
}

static inline size_t place_of(size_t i, double zoom, double shift, size_t count, float *part) {
    const double raw = zoom * (double)i + shift, place = raw > 0 ? raw : 0; /* against rounding */
    size_t whole = (size_t)place;
    if (whole > count - 2) whole = count - 2;
    *part = (float)(place - (double)whole);
    return whole;
}

/* Fills in the part, `warped` and `rest`; returns the mean of |rest|, or -1 where there is no part. */
static double warp(struct overlap *o, const double *step) {
    if (!(step[0] > 0.5 && step[0] < 2 && step[1] > -FAR && step[1] < FAR && step[2] > -FAR && step[2] < FAR)) return -1;
    o->height = inside(o->rows, step[0], step[2], &o->top);
    o->width = inside(o->columns, step[0], step[1], &o->left);
    if (o->height < LK_CAMERA_LEAST || o->width < LK_CAMERA_LEAST) return -1;
    const size_t width = o->width, wide = padded(width);
    for (size_t x = 0; x < width; x++)
        o->whole[x] = (float)place_of(o->left + x, step[0], step[1], o->columns, o->part + x);
    float lanes[LANES] = {0};
    for (size_t y = 0; y < o->height; y++) {
        float low, *warped = o->warped + y * o->stride, *rest = o->rest + y * o->stride, *mixed = o->mixed;
        const float *a = o->first + place_of(o->top + y, step[0], step[2], o->rows, &low) * o->columns, *b = a + o->columns;
        const float *now = o->now + (o->top + y) * o->columns + o->left;
        for (size_t x = 0; x < o->columns; x++) mixed[x] = a[x] * (1 - low) + b[x] * low;
        for (size_t x = 0; x < width; x++) {
            const float *from = mixed + (int32_t)o->whole[x];
            warped[x] = from[0] * (1 - o->part[x]) + from[1] * o->part[x];
        }
        for (size_t x = 0; x < width; x++) rest[x] = now[x] - warped[x];
        for (size_t x = width; x < wide; x++) rest[x] = 0;
        for (size_t x = 0; x < wide; x += LANES)
            for (size_t i = 0; i < LANES; i++) lanes[i] += size_of(rest[x + i]);
    }
    return total(lanes) / (double)(o->height * width);
}

/* Slopes of row y of `warped`: halves of the differences of both neighbours, at the border the difference to the one. */
static void slopes(const struct overlap *o, size_t y) {
    const float *row = o->warped + y * o->stride, *above = y ? row - o->stride : row;
    const float *below = y + 1 < o->height ? row + o->stride : row;
    const float scale = y && y + 1 < o->height ? 0.5f : 1.0f;
    for (size_t x = 0; x < o->width; x++) o->down[x] = (below[x] - above[x]) * scale;
    for (size_t x = 1; x + 1 < o->width; x++) o->across[x] = (row[x + 1] - row[x - 1]) * 0.5f;
    o->across[0] = row[1] - row[0], o->across[o->width - 1] = row[o->width - 1] - row[o->width - 2];
    for (size_t x = o->width; x < padded(o->width); x++) o->across[x] = o->down[x] = 0;
}

/* The sums of the normal equations. Their order: xx xy xz yy yz zz, then of the rest with x, y and z. */
static void add_row(const struct overlap *o, size_t y, float limit, float (*lanes)[LANES]) {
    const float *rest = o->rest + y * o->stride, down = (float)(o->top + y), left = (float)o->left;
    for (size_t x = 0; x < padded(o->width); x += LANES)
        for (size_t i = 0; i < LANES; i++) {
            const float ratio = size_of(rest[x + i]) * limit, weight = 1 / (ratio > 1 ? ratio : 1);
            const float gx = o->across[x + i], gy = o->down[x + i];
            const float gz = gx * (left + (float)(int32_t)(x + i)) + gy * down;
            const float wx = gx * weight, wy = gy * weight, wz = gz * weight;
            lanes[0][i] += wx * gx, lanes[1][i] += wx * gy, lanes[2][i] += wx * gz;
            lanes[3][i] += wy * gy, lanes[4][i] += wy * gz, lanes[5][i] += wz * gz;
            lanes[6][i] += wx * rest[x + i], lanes[7][i] += wy * rest[x + i], lanes[8][i] += wz * rest[x + i];
        }
}

/* Gaussian elimination of the first `count` equations; 0 where they have no answer. */
static int solve(const double *sums, size_t count, double *answer) {
    static const size_t at[SLOPES][SLOPES] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};
    double m[SLOPES][SLOPES];
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) m[i][k] = sums[at[i][k]];
        m[i][i] = m[i][i] * (1 + 1e-6) + 1e-9;
        answer[i] = sums[6 + i];
    }
    for (size_t i = 0; i < count; i++) {
        if (!(m[i][i] > 0)) return 0;
        for (size_t j = i + 1; j < count; j++) {
            const double share = m[j][i] / m[i][i];
            for (size_t k = i; k < count; k++) m[j][k] -= share * m[i][k];
            answer[j] -= share * answer[i];
        }
    }
    for (size_t i = count; i-- > 0;) {
        for (size_t k = i + 1; k < count; k++) answer[i] -= m[i][k] * answer[k];
        answer[i] /= m[i][i];
    }
    return 1;
}

/* One step of the fit; `change` holds the zoom, the columns and the rows by which it moves. 0 where there is none. */
static int moves(const struct overlap *o, double error, int zooms, double *change) {
    float lanes[SUMS][LANES] = {{0}};
    double sums[SUMS], answer[SLOPES] = {0};
    const float limit = (float)(1 / (1.5 * error + 1e-6));
    for (size_t y = 0; y < o->height; y++) {
        slopes(o, y);
        add_row(o, y, limit, lanes);
    }
    for (size_t i = 0; i < SUMS; i++) sums[i] = total(lanes[i]);
    if (!solve(sums, zooms ? 3 : 2, answer)) return 0;
    change[0] = answer[2], change[1] = answer[0], change[2] = answer[1];
    return 1;
}

static inline double magnitude(double x) { return x < 0 ? -x : x; }

int LK(lk_camera_fit)(const float *now, const float *first, size_t rows, size_t columns, const double *start, size_t steps,
                      int zooms, double settled, float *scratch, double *found) {
    if (rows < LK_CAMERA_LEAST || columns < LK_CAMERA_LEAST || rows > LK_CAMERA_LIMIT || columns > LK_CAMERA_LIMIT
        || steps > LK_CAMERA_STEPS)
        return LK_BAD_ARGUMENT;
    const size_t stride = padded(columns);
    float *warped = scratch, *rest = warped + rows * stride, *lines = rest + rows * stride;
    struct overlap o = {.now = now, .first = first, .rows = rows, .columns = columns, .stride = stride, .warped = warped,
                        .rest = rest, .mixed = lines, .whole = lines + stride, .part = lines + 2 * stride,
                        .across = lines + 3 * stride, .down = lines + 4 * stride};
    double step[3] = {start[0], start[1], start[2]}, error = warp(&o, step);
    for (size_t n = 0; n < steps && error >= 0; n++) {
        double change[3];
        if (!moves(&o, error, zooms, change)) error = -1;
        if (!(error >= 0)) break;
        for (size_t i = 0; i < 3; i++) step[i] += change[i];
        error = warp(&o, step);
        if (magnitude(change[0]) * (double)columns < settled && magnitude(change[1]) < settled
            && magnitude(change[2]) < settled)
            break;
    }
    for (size_t i = 0; i < 3; i++) found[i] = error >= 0 ? step[i] : start[i];
    found[3] = error >= 0 ? error : -1;
    return LK_OK;
}
