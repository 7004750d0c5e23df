/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernels against the edges of their buffers: every buffer ends where a page without access begins, sizes are odd,
 * values are the worst ones; all instruction sets must agree. Built with -DLK_TESTS=ON, under sanitizers.
 */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "test/guard.h"

static int failures;

static void check(int right, const char *what, const char *isa) {
    if (right) return;
    printf("FAILED %s on %s\n", what, isa);
    failures++;
}

static uint32_t state = 1;
static uint32_t next(void) { return state = state * 1664525u + 1013904223u; }

static void fill(void *to, size_t size, int worst) {
    uint8_t *bytes = to;
    for (size_t i = 0; i < size; i++) bytes[i] = worst ? (next() & 0x10000 ? 255 : 0) : (uint8_t)(next() >> 16);
}

enum { OUTPUTS = 8 };
struct result { void *data[OUTPUTS]; size_t size[OUTPUTS]; };

static void keep(struct result *r, int slot, const void *data, size_t size) {
    r->data[slot] = malloc(size);
    r->size[slot] = size;
    memcpy(r->data[slot], data, size);
}

/* The colours of pixels of four bytes, sample by sample, and back. */
static void colours(const uint8_t *pixels, size_t height, size_t width) {
    uint8_t *out = guarded(3 * height * width);
    int wrong = lk_active()->image_colours(pixels, 4 * width, height, width, out) != LK_OK;
    for (size_t i = 0; i < 3 * height * width; i++) wrong |= out[i] != pixels[i / 3 * 4 + i % 3];
    check(!wrong, "colours", lk_isa_name(lk_isa_active()));
    uint8_t *back = guarded(4 * height * width);
    wrong = lk_active()->image_spread(out, 3 * width, height, width, back) != LK_OK;
    for (size_t i = 0; i < 4 * height * width; i++) wrong |= back[i] != (i % 4 == 3 ? 255 : pixels[i]);
    check(!wrong, "spread", lk_isa_name(lk_isa_active()));
}

static struct result pictures(size_t height, size_t width, size_t channels, int worst) {
    const struct lk_kernels *k = lk_active();
    struct result r = {{0}, {0}};
    size_t p = 13, row = width * channels, cells = ((width + 7) / 8) * ((height + 7) / 8), columns = (width + 7) / 8;
    state = (uint32_t)(height * 31 + width * 7 + channels);
    uint8_t *pixels = guarded(height * row), *out = guarded(height * row), *gain = guarded(cells);
    uint8_t *faded = guarded(height * row);
    uint8_t *luma = guarded(height * width), ease[LK_EASE];
    uint16_t *level = guarded(2 * cells);
    int8_t *white = guarded(height * width), *textured = guarded(p * p * channels);
    int16_t *flat = guarded(2 * p * p * channels), *scratch = guarded(2 * 3 * (8 * channels * columns + 64));
    int32_t *rows = guarded(4 * 24 * (width + 16)), *folded = guarded(4 * p * p), *lattice = guarded(4 * 65536);
    uint32_t origin[2] = {7, 1u << 31}, step[4] = {1u << 24, 12345, 0u - 54321, 3u << 23};
    fill(pixels, height * row, worst);
    fill(textured, p * p * channels, worst);
    for (size_t i = 0; i < p * p * channels; i++)
        flat[i] = (int16_t)((int)(next() >> 18) % 8192 * (next() & 64 ? 1 : -1));
    if (channels == 4) colours(pixels, height, width);
    int code = k->image_gain(pixels, row, height, width, channels, gain, 38, 128, 255);
    code |= k->image_embed(pixels, row, out, row, height, width, channels, gain, flat, textured, p, 0, scratch);
    code |= k->image_embed(pixels, row, faded, row, height, width, channels, gain, flat, textured, p, 1, scratch);
    code |= k->image_luma(pixels, row, height, width, channels, luma);
    code |= k->plane_whiten(luma, height, width, white, rows, 25);
    for (size_t i = 0; i < LK_EASE; i++) ease[i] = (uint8_t)(128 - i);
    for (size_t i = 0; i < cells; i++) level[i] = (uint16_t)(next() >> 19);
    code |= k->film_gain(luma, width, height, width, level, ease, gain, 38, 128, 255);
    code |= k->plane_fold(white, height, width, folded, p);
    code |= k->plane_fold_lattice(white, height, width, origin, step, lattice);
    check(code == LK_OK, "return codes", lk_isa_name(lk_isa_active()));
    keep(&r, 0, gain, cells), keep(&r, 1, out, height * row), keep(&r, 2, luma, height * width);
    keep(&r, 3, white, height * width), keep(&r, 4, folded, 4 * p * p), keep(&r, 5, lattice, 4 * 65536);
    keep(&r, 6, level, 2 * cells), keep(&r, 7, faded, height * row);
    return r;
}

static struct result scans(size_t height, size_t width, size_t channels, size_t across, size_t down, int worst) {
    struct result r = {{0}, {0}};
    size_t row = width * channels, room = LK_JPEG_BLOCK * (6 + 6 * (height / 8 + 1) * (width / 8 + 1));
    uint8_t *pixels = guarded(height * row), *out = guarded(room);
    uint16_t *quantisers = guarded(2 * 128);
    uint32_t *codes = guarded(4 * 2 * LK_JPEG_CODES);
    int64_t *size = guarded(8);
    state = (uint32_t)(height * 31 + width * 7 + across + down);
    fill(pixels, height * row, worst);
    for (size_t i = 0; i < 128; i++) quantisers[i] = (uint16_t)(worst ? 1 : 1 + (next() >> 24) % 255);
    for (size_t i = 0; i < 2 * LK_JPEG_CODES; i++) codes[i] = worst ? 0xFFFF10u : (uint32_t)(i % LK_JPEG_CODES) << 8 | 9;
    int code = lk_active()->jpeg_scan(pixels, row, height, width, channels, across, down, quantisers, codes, out, room, size);
    check(code == LK_OK && *size > 0, "jpeg_scan", lk_isa_name(lk_isa_active()));
    keep(&r, 0, out, (size_t)*size);
    const size_t less = (size_t)*size - 1; /* too little: it stops in time */
    uint8_t *shorter = guarded(less);
    code = lk_active()->jpeg_scan(pixels, row, height, width, channels, across, down, quantisers, codes, shorter, less, size);
    check(code == LK_OK && *size == 0, "jpeg_scan in less room", lk_isa_name(lk_isa_active()));
    return r;
}

static struct result markers(size_t size, int worst) {
    struct result r = {{0}, {0}};
    uint8_t *data = guarded(size), *wanted = guarded(256);
    int64_t *place = guarded(8), places[16] = {0};
    state = (uint32_t)size;
    fill(data, size, worst);
    for (size_t i = 0; i < 256; i++) wanted[i] = i == 0xD9 || i > 0xE0;
    for (size_t i = 0, start = 0; i < 16; i++, start = (size_t)*place + (*place < (int64_t)size)) {
        check(lk_active()->jpeg_marker(data, size, wanted, start, place) == LK_OK, "jpeg_marker", "any");
        places[i] = *place;
    }
    check(lk_active()->jpeg_marker(data, size, wanted, size + 1, place) == LK_BAD_ARGUMENT, "jpeg_marker", "too far");
    keep(&r, 0, places, sizeof places);
    return r;
}

/* Lattices on which bins lie at the edges of the spectrum and beyond. */
static struct result patterns(size_t n, size_t bins, size_t count) {
    struct result r = {{0}, {0}};
    float *spectrum = guarded(4 * n * n), *pattern = guarded(4 * 2 * bins), *roots = guarded(4 * 2048);
    float *steps = guarded(4 * 4 * count), *scratch = guarded(4 * LK_PATTERN_SCRATCH), *score = guarded(4 * count);
    int32_t *waves = guarded(4 * 2 * bins);
    state = (uint32_t)(n + bins);
    for (size_t i = 0; i < n * n; i++) spectrum[i] = (float)(int8_t)(next() >> 24);
    for (size_t i = 0; i < 2 * bins; i++) pattern[i] = (float)(int8_t)(next() >> 24) / 128;
    for (size_t i = 0; i < 2048; i++) roots[i] = (float)(int8_t)(next() >> 24) / 128;
    for (size_t i = 0; i < 2 * bins; i++)
        waves[i] = (int32_t)((next() >> 16) % (LK_PATTERN_REACH + 1)) * (i % 2 && next() & 0x10000 ? -1 : 1);
    for (size_t i = 0; i < 4 * count; i++) steps[i] = (float)(int8_t)(next() >> 24) * (float)n / 5000;
    int code = lk_active()->pattern_score(spectrum, n, waves, pattern, bins, roots, steps, count, scratch, score);
    check(code == LK_OK, "pattern_score", lk_isa_name(lk_isa_active()));
    waves[2 * bins - 1] = LK_PATTERN_REACH + 1;
    code = lk_active()->pattern_score(spectrum, n, waves, pattern, bins, roots, steps, count, scratch, score);
    check(code == LK_BAD_ARGUMENT, "refusal of a wave of 40", lk_isa_name(lk_isa_active()));
    keep(&r, 0, score, 4 * count);
    return r;
}

static struct result distances(size_t count, size_t blocks, size_t observations) {
    struct result r = {{0}, {0}};
    int64_t *words = guarded(8 * count), *table = guarded(8 * 8 * 256 * blocks);
    int64_t *hard = guarded(8 * observations * blocks), *mask = guarded(8 * observations * blocks);
    uint16_t *distance = guarded(2 * observations * count);
    state = (uint32_t)(count + blocks);
    fill(words, 8 * count, 0), fill(table, 8 * 8 * 256 * blocks, 0);
    fill(hard, 8 * observations * blocks, 0), fill(mask, 8 * observations * blocks, 0);
    check(lk_active()->code_distance(words, count, table, blocks, hard, mask, observations, distance) == LK_OK,
          "code_distance", "any");
    keep(&r, 0, distance, 2 * observations * count);
    return r;
}

static struct result words(size_t n, size_t list, int32_t scale) {
    struct result r = {{0}, {0}};
    int32_t *soft = guarded(4 * n);
    uint8_t *frozen = guarded(n), *scratch = guarded(lk_polar_scratch(n, list)); /* of any alignment */
    int64_t *metric = guarded(8 * list);
    size_t k = 0;
    state = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        soft[i] = ((int32_t)(next() >> 15) - (1 << 16)) * scale;
        frozen[i] = next() & 0x30000 ? 1 : 0;
        k += !frozen[i];
    }
    uint8_t *bits = guarded(list * k + 1);
    memset(bits, 0, list * k);
    check(lk_active()->polar_decode(soft, frozen, n, list, scratch, bits, metric) == LK_OK, "polar_decode", "any");
    keep(&r, 0, bits, list * k), keep(&r, 1, metric, 8 * list);
    return r;
}

static struct result tiles(size_t p, size_t channels) {
    struct result r = {{0}, {0}};
    size_t count = 5, stride = (p / 2 + LK_TILE_BLOCK) / LK_TILE_BLOCK * LK_TILE_BLOCK, size = p * p * channels;
    float *columns = guarded(4 * 4 * p * count), *waves = guarded(4 * 2 * count * stride);
    int16_t *flat = guarded(2 * size);
    int8_t *textured = guarded(size);
    state = (uint32_t)p;
    for (size_t i = 0; i < 4 * p * count; i++) columns[i] = (float)((int)(next() >> 16) - (1 << 15)) / 16;
    for (size_t i = 0; i < 2 * count * stride; i++) waves[i] = (float)((int)(next() >> 16) - (1 << 15)) / (1 << 14);
    int code = lk_active()->tile_make(columns, count, 3, waves, stride, p, channels, flat, textured);
    check(code == LK_OK, "tile_make", lk_isa_name(lk_isa_active()));
    keep(&r, 0, flat, 2 * size), keep(&r, 1, textured, size);
    int32_t *both = guarded(4 * p * p);
    uint32_t *rows = guarded(4 * p), *across = guarded(4 * p);
    for (size_t i = 0; i < p * p; i++) both[i] = (int32_t)(next() >> 8) - (1 << 23);
    for (size_t i = 0; i < p; i++) rows[i] = (uint32_t)(next() % p), across[i] = (uint32_t)(next() % p);
    code = lk_active()->tile_place(both, p, rows, p, across, p, channels, flat, textured, p * channels);
    check(code == LK_OK, "tile_place", lk_isa_name(lk_isa_active()));
    keep(&r, 2, flat, 2 * size), keep(&r, 3, textured, size);
    across[p - 1] = (uint32_t)p;
    code = lk_active()->tile_place(both, p, rows, p, across, p, channels, flat, textured, p * channels);
    check(code == LK_BAD_ARGUMENT, "refusal of a place beyond the tile", lk_isa_name(lk_isa_active()));
    return r;
}

/* A plane at another scale, larger and smaller and beyond its border, and a pattern in it. */
static struct result planes(size_t height, size_t width, int worst) {
    const struct lk_kernels *k = lk_active();
    struct result r = {{0}, {0}};
    static const double boxes[][4] = {{0, 0, 1, 1}, {-0.7, -2.1, 1.3, 1.9}, {0.2, 0.3, 0.5, 0.6}, {3, 3, 4, 4}};
    size_t rows = height / 3 + 1, columns = width / 2 + 1, outs = sizeof boxes / sizeof *boxes;
    state = (uint32_t)(height * 13 + width);
    uint8_t *plane = guarded(height * width), *pattern = guarded(rows * columns), *out = guarded(outs * rows * columns);
    uint32_t *sums = guarded(4 * (3 * columns + 2 * width + 1));
    int64_t *scratch = guarded(8 * (3 * width + rows * (width + LK_MATCH_BLOCK))), *place = guarded(16);
    float *score = guarded(8);
    fill(plane, height * width, worst);
    fill(pattern, rows * columns, worst);
    int code = 0;
    for (size_t b = 0; b < outs; b++)
        code |= k->plane_resample(plane, height, width, boxes[b][0] * (double)width, boxes[b][1] * (double)height,
                                  boxes[b][2] * (double)width, boxes[b][3] * (double)height, out + b * rows * columns, rows,
                                  columns, sums);
    code |= k->plane_match(plane, height, width, pattern, rows, columns, 25, scratch, place, score);
    check(code == LK_OK, "return codes of planes", lk_isa_name(lk_isa_active()));
    keep(&r, 0, out, outs * rows * columns), keep(&r, 1, place, 16), keep(&r, 2, score, 8);
    return r;
}

/* The cells of a picture, whole ones alone, and their scores. */
static struct result margins(size_t height, size_t width, size_t channels, int worst) {
    struct result r = {{0}, {0}};
    const size_t rows = height / 8, columns = width / 8, grid = ((height + 7) / 8) * ((width + 7) / 8), count = rows * columns;
    const size_t stride = (count + LK_MARGIN_BLOCK - 1) / LK_MARGIN_BLOCK * LK_MARGIN_BLOCK, levels = 3;
    state = (uint32_t)(height * 17 + width + channels);
    uint8_t *pixels = guarded(height * width * channels), *gain = guarded(grid), *crops = guarded(stride);
    uint32_t *y = guarded(4 * rows), *x = guarded(4 * columns);
    int32_t *waves = guarded(4 * 64 * 16);
    float *patterns = guarded(4 * 2 * LK_MARGIN_BINS * count), *cells = guarded(4 * LK_MARGIN_ROWS * stride);
    float *steps = guarded(4 * LK_MARGIN_BINS);
    double *kept = guarded(8 * 2 * LK_MARGIN_POINTS), *passed = guarded(8 * LK_MARGIN_BINS), *level = guarded(8 * levels);
    double *scores = guarded(8 * 2 * LK_MARGIN_WINDOWS * levels);
    fill(pixels, height * width * channels, worst), fill(gain, grid, 0), fill(crops, stride, 0);
    for (size_t i = 0; i < rows; i++) y[i] = (uint32_t)(rows - 1 - i);
    for (size_t i = 0; i < columns; i++) x[i] = (uint32_t)i;
    for (size_t i = 0; i < 64 * 16; i++) waves[i] = (int32_t)(next() >> 22) - 512;
    for (size_t i = 0; i < 2 * LK_MARGIN_BINS * count; i++) patterns[i] = (float)((int)(next() >> 16) - (1 << 15)) / 8192;
    for (size_t i = 0; i < LK_MARGIN_BINS; i++) steps[i] = (float)(18 + i % 5), passed[i] = 1.0 / (double)(i + 1);
    for (size_t i = 0; i < LK_MARGIN_POINTS; i++) kept[i] = 0.1 * (double)(i + 1), kept[LK_MARGIN_POINTS + i] = (double)i / 8;
    for (size_t i = 0; i < levels; i++) level[i] = 1.0 / (double)(i + 1);
    const struct lk_kernels *k = lk_active();
    int code = k->margin_sample(pixels, width * channels, height, width, channels, y, rows, x, columns, gain, gain, 38, 182,
                                waves, patterns, count, cells, stride);
    code |= k->margin_score(cells, stride, crops, level, levels, steps, kept, passed, 2.5, scores);
    check(code == LK_OK, "return codes of margins", lk_isa_name(lk_isa_active()));
    if (rows) {
        y[0] = (uint32_t)rows;
        code = k->margin_sample(pixels, width * channels, height, width, channels, y, rows, x, columns, gain, gain, 38, 182,
                                waves, patterns, count, cells, stride);
        check(code == LK_BAD_ARGUMENT, "refusal of half a cell", lk_isa_name(lk_isa_active()));
    }
    keep(&r, 0, cells, 4 * LK_MARGIN_ROWS * stride), keep(&r, 1, scores, 8 * 2 * LK_MARGIN_WINDOWS * levels);
    return r;
}

/* Grids of two frames, and how the second lies on the first; with and without a zoom, from a start that is too far too. */
static struct result cameras(size_t rows, size_t columns, size_t times, int worst) {
    const struct lk_kernels *k = lk_active();
    struct result r = {{0}, {0}};
    static const double starts[][3] = {{1, 0, 0}, {1.3, -2.5, 1.25}, {0.7, 1e9, 0}, {1.9, -3, 2}};
    enum { STARTS = sizeof starts / sizeof *starts };
    const size_t down = rows / times - 2, across = columns / times - 2, cells = down * across;
    const size_t stride = (across + LK_CAMERA_LANES - 1) / LK_CAMERA_LANES * LK_CAMERA_LANES;
    uint16_t *brightness = guarded(2 * rows * columns);
    float *row = guarded(4 * 4 * (columns / times)), *scratch = guarded(4 * (2 * down + 5) * stride), *grids[2];
    double *start = guarded(8 * 3), *facts = guarded(8 * 2), *found = guarded(8 * 4), founds[STARTS * 2 * 4];
    state = (uint32_t)(rows * 7 + columns);
    int code = 0;
    for (int i = 0; i < 2; i++) {
        grids[i] = guarded(4 * cells);
        fill(brightness, 2 * rows * columns, worst);
        code |= k->camera_grid(brightness, rows, columns, times, 1.0 / 512, 0.2, row, grids[i], facts);
    }
    for (size_t i = 0; i < 2 * STARTS; i++) {
        memcpy(start, starts[i / 2], 8 * 3);
        code |= k->camera_fit(grids[0], grids[1], down, across, start, 3, i % 2, 0.01, scratch, found);
        memcpy(founds + 4 * i, found, 8 * 4);
        if (starts[i / 2][1] > 1e6) check(found[3] == -1, "a start that is too far", lk_isa_name(lk_isa_active()));
    }
    check(code == LK_OK, "return codes of cameras", lk_isa_name(lk_isa_active()));
    keep(&r, 0, grids[0], 4 * cells), keep(&r, 1, grids[1], 4 * cells), keep(&r, 2, facts, 8 * 2);
    keep(&r, 3, founds, sizeof founds);
    return r;
}

/* Floats in rows and in planes, as levels and back. */
static struct result floats(size_t height, size_t width, size_t channels, int worst) {
    struct result r = {{0}, {0}};
    const size_t count = height * width * channels;
    const size_t strides[2][3] = {{width * channels, channels, 1}, {width, 1, height * width}};
    float *pixels = guarded(4 * count), *back = guarded(4 * count);
    uint8_t *out = guarded(count);
    int64_t *outside = guarded(8);
    state = (uint32_t)(height + 3 * width);
    for (size_t i = 0; i < count; i++) pixels[i] = (float)(next() >> 8) / (1 << 24);
    for (size_t i = 0; worst && i < count; i += 3) {
        const uint32_t bits = next(); /* of any float, and of what is none */
        memcpy(&pixels[i], &bits, 4);
    }
    for (int way = 0; way < 2; way++) {
        int code = lk_active()->floats_quantise(pixels, height, width, channels, strides[way], out, outside);
        code |= lk_active()->floats_expand(out, width * channels, height, width, channels, back, strides[way]);
        check(code == LK_OK, "return codes of floats", lk_isa_name(lk_isa_active()));
        keep(&r, 3 * way, out, count), keep(&r, 3 * way + 1, outside, 8), keep(&r, 3 * way + 2, back, 4 * count);
    }
    return r;
}

static uint32_t seen = LK_DIGEST; /* of the scalar results */

static void remember(struct result r) {
    for (int i = 0; i < OUTPUTS; i++) seen = digest(seen, r.data[i], r.size[i]);
}

static void same(struct result a, struct result b, const char *what) {
    for (int i = 0; i < OUTPUTS; i++)
        check(a.size[i] == b.size[i] && (!a.size[i] || !memcmp(a.data[i], b.data[i], a.size[i])), what,
              lk_isa_name(lk_isa_active()));
}

/* A sum beyond 32 bits wraps, on every instruction set: 2^24 + 1 samples of -128 in one cell. */
static void many(void) {
    const size_t size = ((size_t)1 << 24) + 1;
    static int32_t folded[1], lattice[65536];
    static const uint32_t zero[4] = {0};
    int8_t *plane = guarded(size);
    memset(plane, -128, size);
    for (int isa = LK_ISA_SCALAR; isa < LK_ISA_COUNT; isa++) {
        if (lk_isa_use((enum lk_isa)isa) != LK_OK) continue;
        check(lk_active()->plane_fold(plane, 1, size, folded, 1) == LK_OK && folded[0] == INT32_MAX - 127, "wrapping fold",
              lk_isa_name((enum lk_isa)isa));
        check(lk_active()->plane_fold_lattice(plane, 1, size, zero, zero, lattice) == LK_OK && lattice[0] == INT32_MAX - 127,
              "wrapping lattice", lk_isa_name((enum lk_isa)isa));
    }
}

int main(void) {
    printf("instruction sets:");
    for (int isa = LK_ISA_SCALAR; isa < LK_ISA_COUNT; isa++)
        if (lk_isa_supported((enum lk_isa)isa)) printf(" %s", lk_isa_name((enum lk_isa)isa));
    printf("\n");
    static const size_t sizes[][3] = {{1, 1, 1},    {3, 5, 3},    {9, 17, 4},   {8, 8, 2},
                                      {33, 130, 3}, {70, 519, 1}, {17, 1030, 3}};
    static const size_t codes[][2] = {{32, 1}, {128, 8}, {1024, 32}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int worst = 0; worst < 2; worst++) {
            lk_isa_use(LK_ISA_SCALAR);
            struct result want = pictures(sizes[s][0], sizes[s][1], sizes[s][2], worst);
            remember(want);
            for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
                if (lk_isa_use((enum lk_isa)isa) == LK_OK)
                    same(want, pictures(sizes[s][0], sizes[s][1], sizes[s][2], worst), "picture kernels");
        }
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int worst = 0; worst < 2; worst++) {
            lk_isa_use(LK_ISA_SCALAR);
            struct result want = planes(sizes[s][0], sizes[s][1], worst);
            remember(want);
            for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
                if (lk_isa_use((enum lk_isa)isa) == LK_OK) same(want, planes(sizes[s][0], sizes[s][1], worst), "planes");
        }
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int worst = 0; worst < 2; worst++) {
            lk_isa_use(LK_ISA_SCALAR);
            struct result want = margins(sizes[s][0], sizes[s][1], sizes[s][2], worst);
            remember(want);
            for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
                if (lk_isa_use((enum lk_isa)isa) == LK_OK)
                    same(want, margins(sizes[s][0], sizes[s][1], sizes[s][2], worst), "margins");
            lk_isa_use(LK_ISA_SCALAR);
            want = floats(sizes[s][0], sizes[s][1], sizes[s][2], worst);
            remember(want);
            for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
                if (lk_isa_use((enum lk_isa)isa) == LK_OK)
                    same(want, floats(sizes[s][0], sizes[s][1], sizes[s][2], worst), "floats");
        }
    static const size_t grids[][3] = {{10, 10, 1}, {24, 47, 2}, {45, 80, 1}, {57, 90, 3}};
    for (size_t s = 0; s < sizeof grids / sizeof *grids; s++)
        for (int worst = 0; worst < 2; worst++) {
            lk_isa_use(LK_ISA_SCALAR);
            struct result want = cameras(grids[s][0], grids[s][1], grids[s][2], worst);
            remember(want);
            for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
                if (lk_isa_use((enum lk_isa)isa) == LK_OK)
                    same(want, cameras(grids[s][0], grids[s][1], grids[s][2], worst), "cameras");
        }
    for (size_t p = 2; p <= LK_TILE_LIMIT; p = 5 * p / 2) {
        lk_isa_use(LK_ISA_SCALAR);
        struct result want = tiles(p, p % 4 + 1);
        remember(want);
        for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
            if (lk_isa_use((enum lk_isa)isa) == LK_OK) same(want, tiles(p, p % 4 + 1), "tiles");
    }
    for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
        lk_isa_use(LK_ISA_SCALAR);
        struct result want = words(codes[c][0], codes[c][1], 1);
        remember(want);
        for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
            if (lk_isa_use((enum lk_isa)isa) == LK_OK) same(want, words(codes[c][0], codes[c][1], 1), "polar decoder");
        same(words(codes[c][0], codes[c][1], 1 << 14), words(codes[c][0], codes[c][1], 1 << 15), "values beyond the limit");
    }
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t way = 0; way < 6; way++) {
            size_t channels = sizes[s][2] == 1 ? 1 : 3, across = channels == 1 ? 1 : 1 + (way % 3 > 0), down = 1 + (way % 3 > 1);
            if (channels == 1) down = 1;
            lk_isa_use(LK_ISA_SCALAR);
            struct result want = scans(sizes[s][0], sizes[s][1], channels, across, down, way > 2);
            remember(want);
            for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
                if (lk_isa_use((enum lk_isa)isa) == LK_OK)
                    same(want, scans(sizes[s][0], sizes[s][1], channels, across, down, way > 2), "scans");
        }
    printf("digest of pictures, planes, margins, floats, cameras, tiles, words and scans: %08x\n", (unsigned)seen);
    check(seen == 0x96fa210du, "the bits of every platform", "scalar");
    many();
    for (size_t size = 1; size < 3000; size = 2 * size + 1)
        for (int worst = 0; worst < 2; worst++) {
            lk_isa_use(LK_ISA_SCALAR);
            struct result want = markers(size, worst);
            for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
                if (lk_isa_use((enum lk_isa)isa) == LK_OK) same(want, markers(size, worst), "markers");
        }
    for (size_t blocks = 1; blocks <= LK_CODE_BLOCKS; blocks = 3 * blocks + 1) {
        lk_isa_use(LK_ISA_SCALAR);
        struct result want = distances(7, blocks, 3);
        for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
            if (lk_isa_use((enum lk_isa)isa) == LK_OK) same(want, distances(7, blocks, 3), "distances of code words");
    }
    for (size_t n = 4; n <= 256; n *= 4) {
        lk_isa_use(LK_ISA_SCALAR);
        struct result want = patterns(n, 2 * n + 1, 5);
        for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
            if (lk_isa_use((enum lk_isa)isa) == LK_OK) same(want, patterns(n, 2 * n + 1, 5), "scores of a pattern");
    }
    check(lk_active()->code_distance(NULL, 0, NULL, LK_CODE_BLOCKS + 1, NULL, NULL, 0, NULL) == LK_BAD_ARGUMENT,
          "refusal of a long code", "any");
    check(lk_active()->plane_fold(NULL, 0, 0, NULL, 0) == LK_BAD_ARGUMENT, "refusal of period 0", "any");
    check(lk_active()->tile_make(NULL, 1, 1, NULL, 32, LK_TILE_LIMIT + 1, 1, NULL, NULL) == LK_BAD_ARGUMENT,
          "refusal of a large tile", "any");
    check(lk_active()->margin_score(NULL, LK_MARGIN_BLOCK + 1, NULL, NULL, 1, NULL, NULL, NULL, 1.0, NULL) == LK_BAD_ARGUMENT,
          "refusal of half a block", "any");
    check(lk_active()->camera_grid(NULL, 9, 9, 3, 1, 0, NULL, NULL, NULL) == LK_BAD_ARGUMENT, "refusal of three cells", "any");
    check(lk_active()->camera_fit(NULL, NULL, 7, 9, NULL, 1, 1, 0, NULL, NULL) == LK_BAD_ARGUMENT, "refusal of seven rows",
          "any");
    check(lk_active()->plane_match(NULL, 4, 4, NULL, 5, 4, 0, NULL, NULL, NULL) == LK_BAD_ARGUMENT,
          "refusal of a pattern larger than its plane", "any");
    check(lk_active()->plane_resample(NULL, 4, 4, 0, 0, 0, 4, NULL, 2, 2, NULL) == LK_BAD_ARGUMENT, "refusal of an empty box",
          "any");
    check(lk_active()->polar_decode(NULL, NULL, 100, 1, NULL, NULL, NULL) == LK_BAD_ARGUMENT, "refusal of 100", "any");
    printf(failures ? "%d checks failed\n" : "all checks passed\n", failures);
    return failures != 0;
}
