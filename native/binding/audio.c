/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

enum { MAX_CHANNELS = 1024, MAX_STEP = 1 << 30 };

/* audio_mark(x, channels, frames, roots, window, edges, signs, phase, depths, mean, scratch, out) */
static PyObject *audio_mark(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *x, *roots, *window, *edges, *signs, *depths, *mean, *scratch, *out;
    Py_ssize_t channels, frames, phase;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnnOOOOnOOOO", &x, &channels, &frames, &roots, &window, &edges, &signs, &phase, &depths,
                          &mean, &scratch, &out))
        return NULL;
    lk_range(&v, channels, 1, MAX_CHANNELS, "channels");
    lk_range(&v, frames, 0, PY_SSIZE_T_MAX, "frames");
    lk_range(&v, phase, 0, PY_SSIZE_T_MAX, "phase");
    const float *px = lk_input(&v, x, 'f', LK_ANY, "x");
    const Py_ssize_t size = lk_elements(&v);
    if (v.refused || size % channels) return lk_refuse(&v, "x: a row of samples for each channel wanted");
    const float *proots = lk_input(&v, roots, 'f', 2 * LK_AUDIO_FRAME, "roots");
    const float *pwindow = lk_input(&v, window, 'f', LK_AUDIO_FRAME, "window");
    const uint16_t *pedges = lk_input(&v, edges, 'H', LK_ANY, "edges");
    const Py_ssize_t bands = lk_elements(&v) - 1;
    const int8_t *psigns = lk_input(&v, signs, 'b', LK_ANY, "signs");
    const Py_ssize_t all = lk_elements(&v);
    if (v.refused || bands < 1 || !all || all % bands) return lk_refuse(&v, "signs: rows of one sign for each band wanted");
    const float *pdepths = lk_input(&v, depths, 'f', bands, "depths");
    float *pmean = lk_output(&v, mean, 'f', 1, "mean");
    float *pscratch = lk_output(&v, scratch, 'f', (Py_ssize_t)lk_audio_mark_scratch((size_t)channels), "scratch");
    float *pout = lk_output(&v, out, 'f', size, "out");
    LK_CALL(&v, audio_mark, px, (size_t)channels, (size_t)(size / channels), (size_t)frames, proots, pwindow, pedges,
            (size_t)bands, psigns, (size_t)(all / bands), (size_t)phase, pdepths, pmean, pscratch, pout);
}

static PyObject *audio_mark_scratch(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t channels;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "n", &channels)) return NULL;
    lk_range(&v, channels, 1, MAX_CHANNELS, "channels");
    return v.refused ? NULL : PyLong_FromSize_t(lk_audio_mark_scratch((size_t)channels));
}

/* audio_shield(host, difference, ratio, roots, window, scratch, out) */
static PyObject *audio_shield(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *host, *difference, *roots, *window, *scratch, *out;
    double ratio;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOdOOOO", &host, &difference, &ratio, &roots, &window, &scratch, &out)) return NULL;
    float *pout = lk_output(&v, out, 'f', LK_ANY, "out");
    const Py_ssize_t n = lk_elements(&v), hop = LK_AUDIO_SHIELD / 2;
    if (n < hop || n % hop) return lk_refuse(&v, "out: half frames of 128 samples wanted, one at least");
    const float *phost = lk_input(&v, host, 'f', n, "host");
    const float *pdifference = lk_input(&v, difference, 'f', n, "difference");
    const float *proots = lk_input(&v, roots, 'f', 2 * LK_AUDIO_FRAME, "roots");
    const float *pwindow = lk_input(&v, window, 'f', LK_AUDIO_SHIELD, "window");
    float *pscratch = lk_output(&v, scratch, 'f', LK_AUDIO_SHIELD_SCRATCH, "scratch");
    LK_CALL(&v, audio_shield, phost, pdifference, (size_t)(n / hop - 1), (float)ratio, proots, pwindow, pscratch, pout);
}

/* audio_limit(host, difference, ratio, scratch, out) */
static PyObject *audio_limit(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *host, *difference, *scratch, *out;
    double ratio;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOdOO", &host, &difference, &ratio, &scratch, &out)) return NULL;
    float *pout = lk_output(&v, out, 'f', LK_ANY, "out");
    const Py_ssize_t n = lk_elements(&v), reach = n + LK_AUDIO_LIMIT; /* n is less than a quarter of what there can be */
    const float *phost = lk_input(&v, host, 'f', reach, "host");
    const float *pdifference = lk_input(&v, difference, 'f', reach, "difference");
    float *pscratch = lk_output(&v, scratch, 'f', lk_times(2, reach), "scratch");
    LK_CALL(&v, audio_limit, phost, pdifference, (size_t)n, (float)ratio, pscratch, pout);
}

/* audio_resample(x, bank, phases, up, down, position, y) */
static PyObject *audio_resample(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *x, *bank, *y;
    Py_ssize_t phases, up, down, position;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOnnnnO", &x, &bank, &phases, &up, &down, &position, &y)) return NULL;
    lk_range(&v, phases, 1, 1 << 20, "phases");
    lk_range(&v, up, 1, MAX_STEP, "up");
    lk_range(&v, down, 1, MAX_STEP, "down");
    lk_range(&v, position, 0, PY_SSIZE_T_MAX, "position");
    const float *px = lk_input(&v, x, 'f', LK_ANY, "x");
    const Py_ssize_t nx = lk_elements(&v);
    const float *pbank = lk_input(&v, bank, 'f', LK_ANY, "bank");
    const Py_ssize_t all = lk_elements(&v);
    if (v.refused || all % phases) return lk_refuse(&v, "bank: a row of taps for each phase wanted");
    float *py = lk_output(&v, y, 'f', LK_ANY, "y");
    const Py_ssize_t ny = lk_elements(&v);
    LK_CALL(&v, audio_resample, px, (size_t)nx, pbank, (size_t)phases, (size_t)(all / phases), (size_t)up, (size_t)down,
            (size_t)position, py, (size_t)ny);
}

/* audio_spectrum(x, frames, hop, roots, window, low, high, scratch, out) */
static PyObject *audio_spectrum(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *x, *roots, *window, *scratch, *out;
    Py_ssize_t frames, hop, low, high;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnnOOnnOO", &x, &frames, &hop, &roots, &window, &low, &high, &scratch, &out))
        return NULL;
    lk_range(&v, frames, 0, PY_SSIZE_T_MAX, "frames");
    lk_range(&v, hop, 1, MAX_STEP, "hop");
    lk_range(&v, high, 3, LK_AUDIO_FRAME / 2, "high");
    if (v.refused) return NULL;
    lk_range(&v, low, 2, high - 1, "low");
    if (v.refused) return NULL;
    const float *px = lk_input(&v, x, 'f', LK_ANY, "x");
    const Py_ssize_t nx = lk_elements(&v);
    const float *proots = lk_input(&v, roots, 'f', 2 * LK_AUDIO_FRAME, "roots");
    const float *pwindow = lk_input(&v, window, 'f', LK_AUDIO_FRAME, "window");
    float *pscratch = lk_output(&v, scratch, 'f', 4 * LK_AUDIO_FRAME, "scratch");
    float *pout = lk_output(&v, out, 'f', lk_times(frames, high - low + 1), "out");
    LK_CALL(&v, audio_spectrum, px, (size_t)nx, (size_t)frames, (size_t)hop, proots, pwindow, (size_t)low, (size_t)high,
            pscratch, pout);
}

/* audio_chips(spectrum, frames, index, part, width, floors, weights, pace, rows, scratch, out) */
static PyObject *audio_chips(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *spectrum, *index, *part, *width, *floors, *weights, *scratch, *out;
    Py_ssize_t frames, rows;
    double pace;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnOOOOOdnOO", &spectrum, &frames, &index, &part, &width, &floors, &weights, &pace, &rows,
                          &scratch, &out))
        return NULL;
    lk_range(&v, frames, 1, MAX_STEP, "frames");
    lk_range(&v, rows, 0, PY_SSIZE_T_MAX, "rows");
    if (!(pace > 0 && pace <= LK_AUDIO_PACE)) return lk_refuse(&v, "pace: a number above 0 and up to 2^20 wanted");
    const float *pspectrum = lk_input(&v, spectrum, 'f', LK_ANY, "spectrum");
    const Py_ssize_t columns = v.refused ? 0 : lk_elements(&v) / frames;
    if (columns < 2 || columns * frames != lk_elements(&v)) return lk_refuse(&v, "spectrum: a row for each frame wanted");
    const float *pwidth = lk_input(&v, width, 'f', LK_ANY, "width");
    const Py_ssize_t bands = lk_elements(&v);
    lk_range(&v, bands, 4, LK_AUDIO_BANDS, "bands");
    const uint16_t *pindex = lk_input(&v, index, 'H', bands + 1, "index");
    const float *ppart = lk_input(&v, part, 'f', bands + 1, "part");
    const float *pfloors = lk_input(&v, floors, 'f', bands, "floors");
    const float *pweights = lk_input(&v, weights, 'f', bands, "weights");
    float *pscratch = lk_output(&v, scratch, 'f', lk_times(4 * bands, rows), "scratch");
    float *pout = lk_output(&v, out, 'f', lk_times(bands / 2 - 1, rows), "out");
    LK_CALL(&v, audio_chips, pspectrum, (size_t)frames, (size_t)(columns - 1), pindex, ppart, pwidth, pfloors, pweights,
            (size_t)bands, pace, (size_t)rows, pscratch, pout);
}

/* audio_rows(chips, signs, length, hit, variance) */
static PyObject *audio_rows(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *chips, *signs, *hit, *variance;
    Py_ssize_t length;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOnOO", &chips, &signs, &length, &hit, &variance)) return NULL;
    lk_range(&v, length, 1, 1 << 10, "length");
    const float *psigns = lk_input(&v, signs, 'f', LK_ANY, "signs");
    const Py_ssize_t pairs = lk_elements(&v) / LK_AUDIO_ROWS;
    if (pairs < 1 || pairs * LK_AUDIO_ROWS != lk_elements(&v)) return lk_refuse(&v, "signs: rows of 16 wanted");
    const float *pchips = lk_input(&v, chips, 'f', LK_ANY, "chips");
    const Py_ssize_t rows = lk_elements(&v) / pairs;
    if (rows * pairs != lk_elements(&v)) return lk_refuse(&v, "chips: rows of one for each pair of signs wanted");
    const Py_ssize_t size = v.refused ? 0 : lk_times(rows / length * length, LK_AUDIO_ROWS);
    float *phit = lk_output(&v, hit, 'f', size, "hit"), *pvariance = lk_output(&v, variance, 'f', size, "variance");
    LK_CALL(&v, audio_rows, pchips, (size_t)rows, (size_t)pairs, psigns, (size_t)length, phit, pvariance);
}

PyMethodDef lk_audio_methods[] = {
    {"audio_mark_scratch", audio_mark_scratch, METH_VARARGS, "audio_mark_scratch(channels) -> floats of scratch"},
    {"audio_mark", audio_mark, METH_VARARGS,
     "audio_mark(x, channels, frames, roots, window, edges, signs, phase, depths, mean, scratch, out)"},
    {"audio_shield", audio_shield, METH_VARARGS,
     "audio_shield(host, difference, ratio, roots, window, scratch, out)"},
    {"audio_limit", audio_limit, METH_VARARGS, "audio_limit(host, difference, ratio, scratch, out)"},
    {"audio_resample", audio_resample, METH_VARARGS, "audio_resample(x, bank, phases, up, down, position, y)"},
    {"audio_spectrum", audio_spectrum, METH_VARARGS,
     "audio_spectrum(x, frames, hop, roots, window, low, high, scratch, out)"},
    {"audio_chips", audio_chips, METH_VARARGS,
     "audio_chips(spectrum, frames, index, part, width, floors, weights, pace, rows, scratch, out)"},
    {"audio_rows", audio_rows, METH_VARARGS, "audio_rows(chips, signs, length, hit, variance)"},
    {NULL, NULL, 0, NULL},
};
