/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

static Py_ssize_t cells(Py_ssize_t pixels) { return pixels / LK_CELL + (pixels % LK_CELL != 0); }

static void check_gain(struct lk_views *views, Py_ssize_t base, Py_ssize_t slope, Py_ssize_t top) {
    lk_range(views, base, 0, 255, "base");
    lk_range(views, slope, 0, 4096, "slope");
    lk_range(views, top, 0, 255, "top");
}

/* image_gain(pixels uint8[h, w, c], gain uint8[ceil(h / 8), ceil(w / 8)], base, slope, top) */
static PyObject *image_gain(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *gain;
    Py_ssize_t base, slope, top;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOnnn", &pixels, &gain, &base, &slope, &top)) return NULL;
    check_gain(&v, base, slope, top);
    const uint8_t *ppixels = lk_pixels(&v, pixels, 0, "pixels");
    const size_t row_bytes = lk_row_bytes(&v);
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1), c = lk_axis(&v, 2);
    uint8_t *pgain = lk_output(&v, gain, 'B', lk_times(cells(h), cells(w)), "gain");
    LK_CALL(&v, image_gain, ppixels, row_bytes, (size_t)h, (size_t)w, (size_t)c, pgain, (uint32_t)base, (uint32_t)slope,
            (uint32_t)top);
}

/* film_gain(luma uint8[h, w, 1], level uint16[ceil(h / 8), ceil(w / 8)], ease uint8[64], gain uint8[as level], base,
 *           slope, top) */
static PyObject *film_gain(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *luma, *level, *ease, *gain;
    Py_ssize_t base, slope, top;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOOOnnn", &luma, &level, &ease, &gain, &base, &slope, &top)) return NULL;
    check_gain(&v, base, slope, top);
    const uint8_t *pluma = lk_pixels(&v, luma, 0, "luma");
    const size_t row_bytes = lk_row_bytes(&v);
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1), grid = lk_times(cells(h), cells(w));
    lk_range(&v, lk_axis(&v, 2), 1, 1, "channels of luma");
    uint16_t *plevel = lk_output(&v, level, 'H', grid, "level");
    const uint8_t *pease = lk_input(&v, ease, 'B', LK_EASE, "ease");
    uint8_t *pgain = lk_output(&v, gain, 'B', grid, "gain");
    LK_CALL(&v, film_gain, pluma, row_bytes, (size_t)h, (size_t)w, plevel, pease, pgain, (uint32_t)base, (uint32_t)slope,
            (uint32_t)top);
}

/* image_embed(pixels uint8[h, w, c], out uint8[h, w, c], gain, flat int16[p, p * c], textured int8[p, p * c],
 *             fades, scratch int16[]) */
static PyObject *image_embed(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *out, *gain, *flat, *textured, *scratch;
    struct lk_views v = {.in_place = 1};
    int fades;
    if (!PyArg_ParseTuple(args, "OOOOOpO", &pixels, &out, &gain, &flat, &textured, &fades, &scratch)) return NULL;
    const uint8_t *ppixels = lk_pixels(&v, pixels, 0, "pixels");
    const size_t row_bytes = lk_row_bytes(&v);
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1), c = lk_axis(&v, 2);
    uint8_t *pout = lk_pixels(&v, out, 1, "out");
    const size_t out_row_bytes = lk_row_bytes(&v);
    if (lk_axis(&v, 0) != h || lk_axis(&v, 1) != w || lk_axis(&v, 2) != c)
        return lk_refuse(&v, "out: the shape of pixels wanted");
    const uint8_t *pgain = lk_input(&v, gain, 'B', lk_times(cells(h), cells(w)), "gain");
    const int16_t *pflat = lk_input_of(&v, flat, 'h', 2, "flat");
    const Py_ssize_t p = lk_axis(&v, 0);
    if (lk_axis(&v, 1) != lk_times(p, c)) return lk_refuse(&v, "flat: p rows of p * channels wanted");
    const int8_t *ptextured = lk_input(&v, textured, 'b', lk_times(p, lk_times(p, c)), "textured");
    const Py_ssize_t row = lk_times(lk_times(LK_CELL, c), cells(w));
    int16_t *pscratch = lk_output(&v, scratch, 'h', lk_times(3, row < PY_SSIZE_T_MAX - 64 ? row + 64 : row), "scratch");
    LK_CALL(&v, image_embed, ppixels, row_bytes, pout, out_row_bytes, (size_t)h, (size_t)w, (size_t)c, pgain, pflat,
            ptextured, (size_t)p, fades, pscratch);
}

/* tile_make(columns float32[2, p, k, 2], low, waves float32[2, k, stride], flat int16[p, p * c],
 *           textured int8[p, p * c]) */
static PyObject *tile_make(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *columns, *waves, *flat, *textured;
    Py_ssize_t low;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnOOO", &columns, &low, &waves, &flat, &textured)) return NULL;
    int16_t *pflat = lk_output_of(&v, flat, 'h', 2, "flat");
    const Py_ssize_t p = lk_axis(&v, 0), row = lk_axis(&v, 1);
    lk_range(&v, p, 2, LK_TILE_LIMIT, "rows of flat");
    if (v.refused || row % p) return lk_refuse(&v, "flat: p rows of p * channels wanted");
    int8_t *ptextured = lk_output(&v, textured, 'b', p * row, "textured");
    const float *pwaves = lk_input_of(&v, waves, 'f', 3, "waves");
    const Py_ssize_t count = lk_axis(&v, 1), stride = lk_axis(&v, 2);
    lk_range(&v, lk_axis(&v, 0), 2, 2, "planes of waves");
    lk_range(&v, low, 0, count, "low");
    const float *pcolumns = lk_input(&v, columns, 'f', lk_times(4 * p, count), "columns");
    LK_CALL(&v, tile_make, pcolumns, (size_t)count, (size_t)low, pwaves, (size_t)stride, (size_t)p, (size_t)(row / p),
            pflat, ptextured);
}

/* tile_place(both int32[s, s], rows uint32[h], columns uint32[w], channels, flat int16[n, k], textured int8[n, k]) */
static PyObject *tile_place(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *both, *rows, *columns, *flat, *textured;
    Py_ssize_t channels;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOOnOO", &both, &rows, &columns, &channels, &flat, &textured)) return NULL;
    const int32_t *pboth = lk_input_of(&v, both, 'i', 2, "both");
    const Py_ssize_t side = lk_axis(&v, 0);
    if (lk_axis(&v, 1) != side) return lk_refuse(&v, "both: as many columns as rows wanted");
    const uint32_t *prows = lk_input(&v, rows, 'I', LK_ANY, "rows");
    const Py_ssize_t height = lk_elements(&v);
    const uint32_t *pcolumns = lk_input(&v, columns, 'I', LK_ANY, "columns");
    const Py_ssize_t width = lk_elements(&v);
    lk_range(&v, channels, 1, 4, "channels");
    int16_t *pflat = lk_output_of(&v, flat, 'h', 2, "flat");
    const Py_ssize_t room = lk_axis(&v, 0), stride = lk_axis(&v, 1);
    lk_range(&v, room, height, PY_SSIZE_T_MAX, "rows of flat");
    lk_range(&v, stride, lk_times(width, channels), PY_SSIZE_T_MAX, "columns of flat");
    int8_t *ptextured = lk_output(&v, textured, 'b', lk_times(room, stride), "textured");
    LK_CALL(&v, tile_place, pboth, (size_t)side, prows, (size_t)height, pcolumns, (size_t)width, (size_t)channels, pflat,
            ptextured, (size_t)stride);
}

/* image_colours(pixels uint8[h, w, 4], out uint8[h, w, 3]) */
static PyObject *image_colours(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *out;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OO", &pixels, &out)) return NULL;
    const uint8_t *ppixels = lk_pixels(&v, pixels, 0, "pixels");
    const size_t row_bytes = lk_row_bytes(&v);
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1);
    lk_range(&v, lk_axis(&v, 2), 4, 4, "channels of pixels");
    uint8_t *pout = lk_output(&v, out, 'B', lk_times(h, lk_times(w, 3)), "out");
    LK_CALL(&v, image_colours, ppixels, row_bytes, (size_t)h, (size_t)w, pout);
}

/* image_spread(pixels uint8[h, w, 3], out uint8[h, w, 4]) */
static PyObject *image_spread(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *out;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OO", &pixels, &out)) return NULL;
    const uint8_t *ppixels = lk_pixels(&v, pixels, 0, "pixels");
    const size_t row_bytes = lk_row_bytes(&v);
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1);
    lk_range(&v, lk_axis(&v, 2), 3, 3, "channels of pixels");
    uint8_t *pout = lk_output(&v, out, 'B', lk_times(h, lk_times(w, 4)), "out");
    LK_CALL(&v, image_spread, ppixels, row_bytes, (size_t)h, (size_t)w, pout);
}

/* image_luma(pixels uint8[h, w, c], luma uint8[h, w]) */
static PyObject *image_luma(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *luma;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OO", &pixels, &luma)) return NULL;
    const uint8_t *ppixels = lk_pixels(&v, pixels, 0, "pixels");
    const size_t row_bytes = lk_row_bytes(&v);
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1), c = lk_axis(&v, 2);
    uint8_t *pluma = lk_output(&v, luma, 'B', lk_times(h, w), "luma");
    LK_CALL(&v, image_luma, ppixels, row_bytes, (size_t)h, (size_t)w, (size_t)c, pluma);
}

/* floats_quantise(pixels float32[h, w, c], out uint8[h, w, c], outside int64[1]) */
static PyObject *floats_quantise(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *out, *outside;
    size_t strides[3];
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOO", &pixels, &out, &outside)) return NULL;
    const float *ppixels = lk_floats(&v, pixels, 0, strides, "pixels");
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1), c = lk_axis(&v, 2);
    uint8_t *pout = lk_output(&v, out, 'B', lk_times(h, lk_times(w, c)), "out");
    int64_t *poutside = lk_output(&v, outside, 'q', 1, "outside");
    LK_CALL(&v, floats_quantise, ppixels, (size_t)h, (size_t)w, (size_t)c, strides, pout, poutside);
}

/* floats_expand(pixels uint8[h, w, c], out float32[h, w, c]) */
static PyObject *floats_expand(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *out;
    size_t strides[3];
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OO", &pixels, &out)) return NULL;
    const uint8_t *ppixels = lk_pixels(&v, pixels, 0, "pixels");
    const size_t row_bytes = lk_row_bytes(&v);
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1), c = lk_axis(&v, 2);
    float *pout = lk_floats(&v, out, 1, strides, "out");
    if (lk_axis(&v, 0) != h || lk_axis(&v, 1) != w || lk_axis(&v, 2) != c)
        return lk_refuse(&v, "out: the shape of pixels wanted");
    LK_CALL(&v, floats_expand, ppixels, row_bytes, (size_t)h, (size_t)w, (size_t)c, pout, strides);
}

/* plane_whiten(luma uint8[h, w], out int8[h, w], scratch int32[24 * (w + 16)], noise) */
static PyObject *plane_whiten(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *luma, *out, *scratch;
    Py_ssize_t noise;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOOn", &luma, &out, &scratch, &noise)) return NULL;
    const uint8_t *pluma = lk_input_of(&v, luma, 'B', 2, "luma");
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1);
    lk_range(&v, noise, 1, 255, "noise");
    int8_t *pout = lk_output(&v, out, 'b', lk_times(h, w), "out");
    const Py_ssize_t room = lk_times(24, w < PY_SSIZE_T_MAX - 16 ? w + 16 : w);
    int32_t *pscratch = lk_output(&v, scratch, 'i', room, "scratch");
    LK_CALL(&v, plane_whiten, pluma, (size_t)h, (size_t)w, pout, pscratch, (uint32_t)noise);
}

/* plane_fold(plane int8[h, w], out int32[p, p]) */
static PyObject *plane_fold(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *plane, *out;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OO", &plane, &out)) return NULL;
    const int8_t *pplane = lk_input_of(&v, plane, 'b', 2, "plane");
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1);
    int32_t *pout = lk_output_of(&v, out, 'i', 2, "out");
    const Py_ssize_t p = lk_axis(&v, 0);
    if (lk_axis(&v, 1) != p) return lk_refuse(&v, "out: as many columns as rows wanted");
    LK_CALL(&v, plane_fold, pplane, (size_t)h, (size_t)w, pout, (size_t)p);
}

/* plane_fold_lattice(plane int8[h, w], origin uint32[2], step uint32[4], out int32[256, 256]) */
static PyObject *plane_fold_lattice(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *plane, *origin, *step, *out;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOOO", &plane, &origin, &step, &out)) return NULL;
    const int8_t *pplane = lk_input_of(&v, plane, 'b', 2, "plane");
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1);
    const uint32_t *porigin = lk_input(&v, origin, 'I', 2, "origin"), *pstep = lk_input(&v, step, 'I', 4, "step");
    int32_t *pout = lk_output(&v, out, 'i', 256 * 256, "out");
    LK_CALL(&v, plane_fold_lattice, pplane, (size_t)h, (size_t)w, porigin, pstep, pout);
}

/* pattern_score(spectrum float32[n, n / 2, 2], waves int32[bins, 2], pattern float32[bins, 2], roots float32[1024, 2],
 *               steps float32[count, 4], scratch float32[LK_PATTERN_SCRATCH], score float32[count]) */
static PyObject *pattern_score(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *spectrum, *waves, *pattern, *roots, *steps, *scratch, *score;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOOOOOO", &spectrum, &waves, &pattern, &roots, &steps, &scratch, &score)) return NULL;
    const float *pspectrum = lk_input_of(&v, spectrum, 'f', 3, "spectrum");
    const Py_ssize_t n = lk_axis(&v, 0);
    lk_range(&v, n, 4, LK_PATTERN_SIDE, "rows of the spectrum");
    if (lk_axis(&v, 1) != n / 2 || lk_axis(&v, 2) != 2) return lk_refuse(&v, "spectrum: [n, n / 2, 2] wanted");
    const int32_t *pwaves = lk_input(&v, waves, 'i', LK_ANY, "waves");
    const Py_ssize_t bins = lk_elements(&v) / 2;
    lk_range(&v, bins, 0, LK_PATTERN_BINS, "bins");
    const float *ppattern = lk_input(&v, pattern, 'f', 2 * bins, "pattern");
    const float *proots = lk_input(&v, roots, 'f', 2048, "roots");
    const float *psteps = lk_input(&v, steps, 'f', LK_ANY, "steps");
    const Py_ssize_t count = lk_elements(&v) / 4;
    if (lk_elements(&v) % 4) return lk_refuse(&v, "steps: rows of four wanted");
    float *pscratch = lk_output(&v, scratch, 'f', LK_PATTERN_SCRATCH, "scratch");
    float *pscore = lk_output(&v, score, 'f', count, "score");
    LK_CALL(&v, pattern_score, pspectrum, (size_t)n, pwaves, ppattern, (size_t)bins, proots, psteps, (size_t)count,
            pscratch, pscore);
}

/* lattice_score(r float32[n, n], height, width, vectors float32[count, 4], score float32[count]) */
static PyObject *lattice_score(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *r, *vectors, *score;
    Py_ssize_t height, width;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnnOO", &r, &height, &width, &vectors, &score)) return NULL;
    const float *pr = lk_input_of(&v, r, 'f', 2, "r");
    const Py_ssize_t n = lk_axis(&v, 0);
    if (lk_axis(&v, 1) != n) return lk_refuse(&v, "r: as many columns as rows wanted");
    lk_range(&v, height, 1, LK_LATTICE_LIMIT, "height");
    lk_range(&v, width, 1, LK_LATTICE_LIMIT, "width");
    const float *pvectors = lk_input(&v, vectors, 'f', LK_ANY, "vectors");
    const Py_ssize_t count = lk_elements(&v) / 4;
    if (lk_elements(&v) % 4) return lk_refuse(&v, "vectors: rows of four wanted");
    float *pscore = lk_output(&v, score, 'f', count, "score");
    LK_CALL(&v, lattice_score, pr, (size_t)n, (size_t)height, (size_t)width, pvectors, (size_t)count, pscore);
}

/* plane_resample(plane uint8[h, w], left, top, right, bottom, out uint8[oh, ow], scratch uint32[3 * ow + 2 * w + 1]) */
static PyObject *plane_resample(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *plane, *out, *scratch;
    double left, top, right, bottom;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OddddOO", &plane, &left, &top, &right, &bottom, &out, &scratch)) return NULL;
    const uint8_t *pplane = lk_input_of(&v, plane, 'B', 2, "plane");
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1);
    lk_range(&v, h, 1, LK_RESAMPLE_LIMIT, "rows of plane");
    lk_range(&v, w, 1, LK_RESAMPLE_LIMIT, "columns of plane");
    uint8_t *pout = lk_output_of(&v, out, 'B', 2, "out");
    const Py_ssize_t oh = lk_axis(&v, 0), ow = lk_axis(&v, 1);
    lk_range(&v, oh, 1, LK_RESAMPLE_LIMIT, "rows of out");
    lk_range(&v, ow, 1, LK_RESAMPLE_LIMIT, "columns of out");
    uint32_t *pscratch = lk_output(&v, scratch, 'I', 3 * ow + 2 * w + 1, "scratch");
    LK_CALL(&v, plane_resample, pplane, (size_t)h, (size_t)w, left, top, right, bottom, pout, (size_t)oh, (size_t)ow,
            pscratch);
}

/* plane_match(plane uint8[h, w], pattern uint8[r, c], least, scratch int64[3 * w + r * (w + 64)], place int64[2],
 *             score float32[2]) */
static PyObject *plane_match(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *plane, *pattern, *scratch, *place, *score;
    Py_ssize_t least;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOnOOO", &plane, &pattern, &least, &scratch, &place, &score)) return NULL;
    lk_range(&v, least, 0, 65025, "least");
    const uint8_t *pplane = lk_input_of(&v, plane, 'B', 2, "plane");
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1);
    lk_range(&v, w, 1, LK_RESAMPLE_LIMIT, "columns of plane");
    const uint8_t *ppattern = lk_input_of(&v, pattern, 'B', 2, "pattern");
    const Py_ssize_t rows = lk_axis(&v, 0), columns = lk_axis(&v, 1);
    lk_range(&v, rows, 1, h < LK_MATCH_LIMIT ? h : LK_MATCH_LIMIT, "rows of pattern");
    lk_range(&v, columns, 1, w < LK_MATCH_LIMIT ? w : LK_MATCH_LIMIT, "columns of pattern");
    lk_range(&v, lk_times(rows, columns), 1, LK_MATCH_LIMIT, "samples of pattern");
    const Py_ssize_t room = lk_times(rows, w + LK_MATCH_BLOCK);
    int64_t *pscratch = lk_output(&v, scratch, 'q', room < PY_SSIZE_T_MAX - 3 * w ? room + 3 * w : room, "scratch");
    int64_t *pplace = lk_output(&v, place, 'q', 2, "place");
    float *pscore = lk_output(&v, score, 'f', 2, "score");
    LK_CALL(&v, plane_match, pplane, (size_t)h, (size_t)w, ppattern, (size_t)rows, (size_t)columns, (uint32_t)least, pscratch,
            pplace, pscore);
}

/* jpeg_scan(pixels uint8[h, w, c], across, down, quantisers uint16[2, 64], codes uint32[2, 272], out uint8[],
 *           size int64[1]) */
static PyObject *jpeg_scan(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *quantisers, *codes, *out, *size;
    Py_ssize_t across, down;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnnOOOO", &pixels, &across, &down, &quantisers, &codes, &out, &size)) return NULL;
    const uint8_t *ppixels = lk_pixels(&v, pixels, 0, "pixels");
    const size_t row_bytes = lk_row_bytes(&v);
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1), c = lk_axis(&v, 2);
    lk_range(&v, across, 1, 2, "across");
    lk_range(&v, down, 1, 2, "down");
    const uint16_t *pquantisers = lk_input(&v, quantisers, 'H', 128, "quantisers");
    const uint32_t *pcodes = lk_input(&v, codes, 'I', 2 * LK_JPEG_CODES, "codes");
    uint8_t *pout = lk_output(&v, out, 'B', LK_ANY, "out");
    const Py_ssize_t room = lk_elements(&v);
    int64_t *psize = lk_output(&v, size, 'q', 1, "size");
    LK_CALL(&v, jpeg_scan, ppixels, row_bytes, (size_t)h, (size_t)w, (size_t)c, (size_t)across, (size_t)down, pquantisers,
            pcodes, pout, (size_t)room, psize);
}

/* jpeg_marker(data uint8[], wanted uint8[256], start, place int64[1]) */
static PyObject *jpeg_marker(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *data, *wanted, *place;
    Py_ssize_t start;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOnO", &data, &wanted, &start, &place)) return NULL;
    const uint8_t *pdata = lk_input(&v, data, 'B', LK_ANY, "data");
    const Py_ssize_t size = lk_elements(&v);
    const uint8_t *pwanted = lk_input(&v, wanted, 'B', 256, "wanted");
    lk_range(&v, start, 0, size, "start");
    int64_t *pplace = lk_output(&v, place, 'q', 1, "place");
    LK_CALL(&v, jpeg_marker, pdata, (size_t)size, pwanted, (size_t)start, pplace);
}

PyMethodDef lk_image_methods[] = {
    {"image_gain", image_gain, METH_VARARGS, "image_gain(pixels, gain, base, slope, top)"},
    {"film_gain", film_gain, METH_VARARGS, "film_gain(luma, level, ease, gain, base, slope, top)"},
    {"image_embed", image_embed, METH_VARARGS, "image_embed(pixels, out, gain, flat, textured, fades, scratch)"},
    {"tile_make", tile_make, METH_VARARGS, "tile_make(columns, low, waves, flat, textured)"},
    {"tile_place", tile_place, METH_VARARGS, "tile_place(both, rows, columns, channels, flat, textured)"},
    {"image_colours", image_colours, METH_VARARGS, "image_colours(pixels, out)"},
    {"image_spread", image_spread, METH_VARARGS, "image_spread(pixels, out)"},
    {"image_luma", image_luma, METH_VARARGS, "image_luma(pixels, luma)"},
    {"floats_quantise", floats_quantise, METH_VARARGS, "floats_quantise(pixels, out, outside)"},
    {"floats_expand", floats_expand, METH_VARARGS, "floats_expand(pixels, out)"},
    {"plane_whiten", plane_whiten, METH_VARARGS, "plane_whiten(luma, out, scratch, noise)"},
    {"plane_fold", plane_fold, METH_VARARGS, "plane_fold(plane, out)"},
    {"plane_fold_lattice", plane_fold_lattice, METH_VARARGS, "plane_fold_lattice(plane, origin, step, out)"},
    {"lattice_score", lattice_score, METH_VARARGS, "lattice_score(r, height, width, vectors, score)"},
    {"pattern_score", pattern_score, METH_VARARGS,
     "pattern_score(spectrum, waves, pattern, roots, steps, scratch, score)"},
    {"plane_resample", plane_resample, METH_VARARGS, "plane_resample(plane, left, top, right, bottom, out, scratch)"},
    {"plane_match", plane_match, METH_VARARGS, "plane_match(plane, pattern, least, scratch, place, score)"},
    {"jpeg_scan", jpeg_scan, METH_VARARGS, "jpeg_scan(pixels, across, down, quantisers, codes, out, size)"},
    {"jpeg_marker", jpeg_marker, METH_VARARGS, "jpeg_marker(data, wanted, start, place)"},
    {NULL, NULL, 0, NULL},
};
