/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

static Py_ssize_t cells(Py_ssize_t pixels) { return pixels / LK_CELL + (pixels % LK_CELL != 0); }

/* margin_sample(pixels uint8[h, w, c], y uint32[r], x uint32[k], activity uint8[ceil(h / 8), ceil(w / 8)], gain as
 *               activity, base, bright, waves int32[64, 16], patterns float32[2, 15, n], cells float32[33, stride]) */
static PyObject *margin_sample(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *y, *x, *activity, *gain, *waves, *patterns, *out;
    Py_ssize_t base, bright;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOOOOnnOOO", &pixels, &y, &x, &activity, &gain, &base, &bright, &waves, &patterns, &out))
        return NULL;
    const uint8_t *ppixels = lk_pixels(&v, pixels, 0, "pixels");
    const size_t row_bytes = lk_row_bytes(&v);
    const Py_ssize_t h = lk_axis(&v, 0), w = lk_axis(&v, 1), c = lk_axis(&v, 2), grid = lk_times(cells(h), cells(w));
    const uint32_t *py = lk_input(&v, y, 'I', LK_ANY, "y");
    const Py_ssize_t rows = lk_elements(&v);
    const uint32_t *px = lk_input(&v, x, 'I', LK_ANY, "x");
    const Py_ssize_t columns = lk_elements(&v);
    const uint8_t *pactivity = lk_input(&v, activity, 'B', grid, "activity");
    const uint8_t *pgain = lk_input(&v, gain, 'B', grid, "gain");
    lk_range(&v, base, 0, 255, "base");
    lk_range(&v, bright, 0, 256, "bright");
    const int32_t *pwaves = lk_input(&v, waves, 'i', 64 * 16, "waves");
    const float *ppatterns = lk_input_of(&v, patterns, 'f', 3, "patterns");
    const Py_ssize_t count = lk_axis(&v, 2);
    if (lk_axis(&v, 0) != 2 || lk_axis(&v, 1) != LK_MARGIN_BINS) return lk_refuse(&v, "patterns: two of 15 rows wanted");
    float *pcells = lk_output_of(&v, out, 'f', 2, "cells");
    const Py_ssize_t stride = lk_axis(&v, 1);
    lk_range(&v, lk_axis(&v, 0), LK_MARGIN_ROWS, LK_MARGIN_ROWS, "rows of cells");
    lk_range(&v, lk_times(rows, columns), 0, count < stride ? count : stride, "cells of y and x");
    LK_CALL(&v, margin_sample, ppixels, row_bytes, (size_t)h, (size_t)w, (size_t)c, py, (size_t)rows, px, (size_t)columns,
            pactivity, pgain, (uint32_t)base, (uint32_t)bright, pwaves, ppatterns, (size_t)count, pcells, (size_t)stride);
}

/* margin_score(cells float32[33, stride], crops uint8[stride], levels float64[n], steps float32[15], kept float64[2, 9],
 *              passed float64[15], scale, scores float64[2, 8, n]) */
static PyObject *margin_score(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *in, *crops, *levels, *steps, *kept, *passed, *scores;
    double scale;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOOOOOdO", &in, &crops, &levels, &steps, &kept, &passed, &scale, &scores)) return NULL;
    const float *pcells = lk_input_of(&v, in, 'f', 2, "cells");
    const Py_ssize_t stride = lk_axis(&v, 1);
    lk_range(&v, lk_axis(&v, 0), LK_MARGIN_ROWS, LK_MARGIN_ROWS, "rows of cells");
    if (stride % LK_MARGIN_BLOCK) return lk_refuse(&v, "cells: a multiple of 64 columns wanted");
    const uint8_t *pcrops = lk_input(&v, crops, 'B', stride, "crops");
    const double *plevels = lk_input(&v, levels, 'd', LK_ANY, "levels");
    const Py_ssize_t count = lk_elements(&v);
    lk_range(&v, count, 0, LK_MARGIN_LEVELS, "levels");
    const float *psteps = lk_input(&v, steps, 'f', LK_MARGIN_BINS, "steps");
    const double *pkept = lk_input(&v, kept, 'd', 2 * LK_MARGIN_POINTS, "kept");
    const double *ppassed = lk_input(&v, passed, 'd', LK_MARGIN_BINS, "passed");
    double *pscores = lk_output(&v, scores, 'd', 2 * LK_MARGIN_WINDOWS * count, "scores");
    LK_CALL(&v, margin_score, pcells, (size_t)stride, pcrops, plevels, (size_t)count, psteps, pkept, ppassed, scale,
            pscores);
}

PyMethodDef lk_margin_methods[] = {
    {"margin_sample", margin_sample, METH_VARARGS,
     "margin_sample(pixels, y, x, activity, gain, base, bright, waves, patterns, cells)"},
    {"margin_score", margin_score, METH_VARARGS,
     "margin_score(cells, crops, levels, steps, kept, passed, scale, scores)"},
    {NULL, NULL, 0, NULL},
};
