/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernels against the edges of their buffers: every buffer ends where a page without access begins, sizes are odd,
 * values are the worst ones; all instruction sets must agree. Built with -DLK_TESTS=ON, under sanitizers.
 */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu.h"

static int failures;

static void check(int right, const char *what, const char *isa) {
    if (right) return;
    printf("FAILED %s on %s\n", what, isa);
    failures++;
}

/* size bytes that end at a page without access */
static void *guarded(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page + 1;
    char *base = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + (pages - 1) * page, page, PROT_NONE)) exit(2);
    return base + (pages - 1) * page - size;
}

static uint32_t state = 1;
static uint32_t next(void) { return state = state * 1664525u + 1013904223u; }

static void fill(void *to, size_t size, int worst) {
    uint8_t *bytes = to;
    for (size_t i = 0; i < size; i++) bytes[i] = worst ? (next() & 0x10000 ? 255 : 0) : (uint8_t)(next() >> 16);
}

enum { OUTPUTS = 7 };
struct result { void *data[OUTPUTS]; size_t size[OUTPUTS]; };

static void keep(struct result *r, int slot, const void *data, size_t size) {
    r->data[slot] = malloc(size);
    r->size[slot] = size;
    memcpy(r->data[slot], data, size);
}

static struct result pictures(size_t height, size_t width, size_t channels, int worst) {
    const struct lk_kernels *k = lk_active();
    struct result r = {{0}, {0}};
    size_t p = 13, row = width * channels, cells = ((width + 7) / 8) * ((height + 7) / 8), columns = (width + 7) / 8;
    state = (uint32_t)(height * 31 + width * 7 + channels);
    uint8_t *pixels = guarded(height * row), *out = guarded(height * row), *gain = guarded(cells);
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
    int code = k->image_gain(pixels, row, height, width, channels, gain, 38, 128, 255);
    code |= k->image_embed(pixels, row, out, row, height, width, channels, gain, flat, textured, p, scratch);
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
    keep(&r, 6, level, 2 * cells);
    return r;
}

static struct result words(size_t n, size_t list) {
    struct result r = {{0}, {0}};
    int32_t *soft = guarded(4 * n);
    uint8_t *frozen = guarded(n), *scratch = guarded((lk_polar_scratch(n, list) + 7) & ~(size_t)7);
    int64_t *metric = guarded(8 * list);
    size_t k = 0;
    state = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        soft[i] = (int32_t)(next() >> 15) - (1 << 16);
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
    return r;
}

static void same(struct result a, struct result b, const char *what) {
    for (int i = 0; i < OUTPUTS; i++)
        check(a.size[i] == b.size[i] && (!a.size[i] || !memcmp(a.data[i], b.data[i], a.size[i])), what,
              lk_isa_name(lk_isa_active()));
}

int main(void) {
    static const size_t sizes[][3] = {{1, 1, 1},    {3, 5, 3},    {9, 17, 4},   {8, 8, 2},
                                      {33, 130, 3}, {70, 519, 1}, {17, 1030, 3}};
    static const size_t codes[][2] = {{32, 1}, {128, 8}, {1024, 32}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int worst = 0; worst < 2; worst++) {
            lk_isa_use(LK_ISA_SCALAR);
            struct result want = pictures(sizes[s][0], sizes[s][1], sizes[s][2], worst);
            for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
                if (lk_isa_use((enum lk_isa)isa) == LK_OK)
                    same(want, pictures(sizes[s][0], sizes[s][1], sizes[s][2], worst), "picture kernels");
        }
    for (size_t p = 2; p <= LK_TILE_LIMIT; p = 5 * p / 2) {
        lk_isa_use(LK_ISA_SCALAR);
        struct result want = tiles(p, p % 4 + 1);
        for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
            if (lk_isa_use((enum lk_isa)isa) == LK_OK) same(want, tiles(p, p % 4 + 1), "tiles");
    }
    for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
        lk_isa_use(LK_ISA_SCALAR);
        struct result want = words(codes[c][0], codes[c][1]);
        for (int isa = LK_ISA_SCALAR + 1; isa < LK_ISA_COUNT; isa++)
            if (lk_isa_use((enum lk_isa)isa) == LK_OK) same(want, words(codes[c][0], codes[c][1]), "polar decoder");
    }
    check(lk_active()->plane_fold(NULL, 0, 0, NULL, 0) == LK_BAD_ARGUMENT, "refusal of period 0", "any");
    check(lk_active()->tile_make(NULL, 1, 1, NULL, 32, LK_TILE_LIMIT + 1, 1, NULL, NULL) == LK_BAD_ARGUMENT,
          "refusal of a large tile", "any");
    check(lk_active()->polar_decode(NULL, NULL, 100, 1, NULL, NULL, NULL) == LK_BAD_ARGUMENT, "refusal of 100", "any");
    printf(failures ? "%d checks failed\n" : "all checks passed\n", failures);
    return failures != 0;
}
