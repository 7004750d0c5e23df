/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

enum { MAX_VIEWS = 9 };

/* Buffers opened one after the other; the first failure closes all. */
struct views {
    Py_buffer view[MAX_VIEWS];
    int count;
};

static void *open_view(struct views *views, PyObject *object, char format, Py_ssize_t count, int writable,
                       const char *name) {
    if (lk_get_buffer(object, &views->view[views->count], format, count, writable, name)) {
        while (views->count) PyBuffer_Release(&views->view[--views->count]);
        return NULL;
    }
    return views->view[views->count++].buf;
}

static Py_ssize_t elements(const struct views *views, int which) {
    return views->view[which].len / views->view[which].itemsize;
}

static int positive(Py_ssize_t value, Py_ssize_t top, const char *name) {
    if (value >= 1 && value <= top) return 1;
    PyErr_Format(PyExc_ValueError, "%s: 1 to %zd wanted, got %zd", name, top, value);
    return 0;
}

/* audio_mark(x, channels, frames, roots, window, edges, signs, phase, depths, mean, scratch, out) */
static PyObject *audio_mark(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *x, *roots, *window, *edges, *signs, *depths, *mean, *scratch, *out;
    Py_ssize_t channels, frames, phase;
    struct views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnnOOOOnOOOO", &x, &channels, &frames, &roots, &window, &edges, &signs, &phase, &depths,
                          &mean, &scratch, &out))
        return NULL;
    if (!positive(channels, 1024, "channels") || frames < 0 || phase < 0) return lk_finish(1, "audio_mark", v.view, 0);
    const float *px = open_view(&v, x, 'f', -1, 0, "x");
    if (!px) return NULL;
    const Py_ssize_t size = elements(&v, 0), stride = size / channels;
    if (stride * channels != size) return lk_finish(1, "audio_mark", v.view, v.count);
    const float *proots = open_view(&v, roots, 'f', 2 * LK_AUDIO_FRAME, 0, "roots");
    const float *pwindow = proots ? open_view(&v, window, 'f', LK_AUDIO_FRAME, 0, "window") : NULL;
    const uint16_t *pedges = pwindow ? open_view(&v, edges, 'H', -1, 0, "edges") : NULL;
    if (!pedges) return NULL;
    const Py_ssize_t bands = elements(&v, 3) - 1;
    const int8_t *psigns = open_view(&v, signs, 'b', -1, 0, "signs");
    if (!psigns) return NULL;
    const Py_ssize_t period = bands > 0 ? elements(&v, 4) / bands : 0;
    if (period < 1 || period * bands != elements(&v, 4)) return lk_finish(1, "audio_mark", v.view, v.count);
    const float *pdepths = open_view(&v, depths, 'f', bands, 0, "depths");
    float *pmean = pdepths ? open_view(&v, mean, 'f', 1, 1, "mean") : NULL;
    if (!pmean) return NULL;
    float *pscratch = open_view(&v, scratch, 'f', (Py_ssize_t)lk_audio_mark_scratch((size_t)channels), 1, "scratch");
    float *pout = pscratch ? open_view(&v, out, 'f', size, 1, "out") : NULL;
    if (!pout) return NULL;
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->audio_mark(px, (size_t)channels, (size_t)stride, (size_t)frames, proots, pwindow, pedges,
                                   (size_t)bands, psigns, (size_t)period, (size_t)phase, pdepths, pmean, pscratch,
                                   pout);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "audio_mark", v.view, v.count);
}

static PyObject *audio_mark_scratch(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t channels;
    if (!PyArg_ParseTuple(args, "n", &channels) || !positive(channels, 1024, "channels")) return NULL;
    return PyLong_FromSize_t(lk_audio_mark_scratch((size_t)channels));
}

/* audio_shield(host, difference, ratio, roots, window, scratch, out) */
static PyObject *audio_shield(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *host, *difference, *roots, *window, *scratch, *out;
    double ratio;
    struct views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOdOOOO", &host, &difference, &ratio, &roots, &window, &scratch, &out)) return NULL;
    float *pout = open_view(&v, out, 'f', -1, 1, "out");
    if (!pout) return NULL;
    const Py_ssize_t n = elements(&v, 0), hop = LK_AUDIO_SHIELD / 2;
    if (n < hop || n % hop) return lk_finish(1, "audio_shield", v.view, v.count);
    const float *phost = open_view(&v, host, 'f', n, 0, "host");
    const float *pdiff = phost ? open_view(&v, difference, 'f', n, 0, "difference") : NULL;
    const float *proots = pdiff ? open_view(&v, roots, 'f', 2 * LK_AUDIO_FRAME, 0, "roots") : NULL;
    const float *pwindow = proots ? open_view(&v, window, 'f', LK_AUDIO_SHIELD, 0, "window") : NULL;
    float *pscratch = pwindow ? open_view(&v, scratch, 'f', LK_AUDIO_SHIELD_SCRATCH, 1, "scratch") : NULL;
    if (!pscratch) return NULL;
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->audio_shield(phost, pdiff, (size_t)(n / hop - 1), (float)ratio, proots, pwindow, pscratch, pout);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "audio_shield", v.view, v.count);
}

/* audio_limit(host, difference, ratio, scratch, out) */
static PyObject *audio_limit(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *host, *difference, *scratch, *out;
    double ratio;
    struct views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOdOO", &host, &difference, &ratio, &scratch, &out)) return NULL;
    float *pout = open_view(&v, out, 'f', -1, 1, "out");
    if (!pout) return NULL;
    const Py_ssize_t n = elements(&v, 0);
    const float *phost = open_view(&v, host, 'f', n + LK_AUDIO_LIMIT, 0, "host");
    const float *pdiff = phost ? open_view(&v, difference, 'f', n + LK_AUDIO_LIMIT, 0, "difference") : NULL;
    float *pscratch = pdiff ? open_view(&v, scratch, 'f', 2 * (n + LK_AUDIO_LIMIT), 1, "scratch") : NULL;
    if (!pscratch) return NULL;
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->audio_limit(phost, pdiff, (size_t)n, (float)ratio, pscratch, pout);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "audio_limit", v.view, v.count);
}

/* audio_resample(x, bank, phases, up, down, position, y) */
static PyObject *audio_resample(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *x, *bank, *y;
    Py_ssize_t phases, up, down, position;
    struct views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOnnnnO", &x, &bank, &phases, &up, &down, &position, &y)) return NULL;
    if (!positive(phases, 1 << 20, "phases") || !positive(up, 1 << 30, "up") || !positive(down, 1 << 30, "down") ||
        position < 0)
        return lk_finish(1, "audio_resample", v.view, 0);
    const float *px = open_view(&v, x, 'f', -1, 0, "x");
    const float *pbank = px ? open_view(&v, bank, 'f', -1, 0, "bank") : NULL;
    float *py = pbank ? open_view(&v, y, 'f', -1, 1, "y") : NULL;
    if (!py) return NULL;
    const Py_ssize_t taps = elements(&v, 1) / phases;
    if (taps * phases != elements(&v, 1)) return lk_finish(1, "audio_resample", v.view, v.count);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->audio_resample(px, (size_t)elements(&v, 0), pbank, (size_t)phases, (size_t)taps, (size_t)up,
                                       (size_t)down, (size_t)position, py, (size_t)elements(&v, 2));
    Py_END_ALLOW_THREADS
    return lk_finish(code, "audio_resample", v.view, v.count);
}

/* audio_spectrum(x, frames, hop, roots, window, low, high, scratch, out) */
static PyObject *audio_spectrum(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *x, *roots, *window, *scratch, *out;
    Py_ssize_t frames, hop, low, high;
    struct views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnnOOnnOO", &x, &frames, &hop, &roots, &window, &low, &high, &scratch, &out))
        return NULL;
    if (frames < 0 || !positive(hop, 1 << 20, "hop") || !positive(low, 512, "low") || !positive(high, 512, "high") ||
        high <= low)
        return PyErr_Occurred() ? NULL : lk_finish(1, "audio_spectrum", v.view, 0);
    const float *px = open_view(&v, x, 'f', -1, 0, "x");
    const float *proots = px ? open_view(&v, roots, 'f', 2 * LK_AUDIO_FRAME, 0, "roots") : NULL;
    const float *pwindow = proots ? open_view(&v, window, 'f', LK_AUDIO_FRAME, 0, "window") : NULL;
    float *pscratch = pwindow ? open_view(&v, scratch, 'f', 4 * LK_AUDIO_FRAME, 1, "scratch") : NULL;
    float *pout = pscratch ? open_view(&v, out, 'f', frames * (high - low + 1), 1, "out") : NULL;
    if (!pout) return NULL;
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->audio_spectrum(px, (size_t)elements(&v, 0), (size_t)frames, (size_t)hop, proots, pwindow,
                                       (size_t)low, (size_t)high, pscratch, pout);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "audio_spectrum", v.view, v.count);
}

/* audio_chips(spectrum, frames, index, part, width, floors, weights, pace, rows, scratch, out) */
static PyObject *audio_chips(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *spectrum, *index, *part, *width, *floors, *weights, *scratch, *out;
    Py_ssize_t frames, rows;
    double pace;
    struct views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnOOOOOdnOO", &spectrum, &frames, &index, &part, &width, &floors, &weights, &pace, &rows,
                          &scratch, &out))
        return NULL;
    if (!positive(frames, 1 << 30, "frames") || rows < 0) return PyErr_Occurred() ? NULL : lk_finish(1, "audio_chips", v.view, 0);
    const float *pspectrum = open_view(&v, spectrum, 'f', -1, 0, "spectrum");
    const float *pwidth = pspectrum ? open_view(&v, width, 'f', -1, 0, "width") : NULL;
    if (!pwidth) return NULL;
    const Py_ssize_t columns = elements(&v, 0) / frames, bands = elements(&v, 1);
    if (bands < 4 || columns < 2 || columns * frames != elements(&v, 0)) return lk_finish(1, "audio_chips", v.view, v.count);
    const uint16_t *pindex = open_view(&v, index, 'H', bands + 1, 0, "index");
    const float *ppart = pindex ? open_view(&v, part, 'f', bands + 1, 0, "part") : NULL;
    const float *pfloors = ppart ? open_view(&v, floors, 'f', bands, 0, "floors") : NULL;
    const float *pweights = pfloors ? open_view(&v, weights, 'f', bands, 0, "weights") : NULL;
    float *pscratch = pweights ? open_view(&v, scratch, 'f', 4 * rows * bands, 1, "scratch") : NULL;
    float *pout = pscratch ? open_view(&v, out, 'f', rows * (bands / 2 - 1), 1, "out") : NULL;
    if (!pout) return NULL;
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->audio_chips(pspectrum, (size_t)frames, (size_t)(columns - 1), pindex, ppart, pwidth, pfloors,
                                    pweights, (size_t)bands, pace, (size_t)rows, pscratch, pout);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "audio_chips", v.view, v.count);
}

/* audio_rows(chips, signs, length, hit, variance) */
static PyObject *audio_rows(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *chips, *signs, *hit, *variance;
    Py_ssize_t length;
    struct views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOnOO", &chips, &signs, &length, &hit, &variance)) return NULL;
    if (!positive(length, 1 << 10, "length")) return NULL;
    const float *psigns = open_view(&v, signs, 'f', -1, 0, "signs");
    if (!psigns) return NULL;
    const Py_ssize_t pairs = elements(&v, 0) / LK_AUDIO_ROWS;
    if (pairs < 1 || pairs * LK_AUDIO_ROWS != elements(&v, 0)) return lk_finish(1, "audio_rows", v.view, v.count);
    const float *pchips = open_view(&v, chips, 'f', -1, 0, "chips");
    if (!pchips) return NULL;
    const Py_ssize_t rows = elements(&v, 1) / pairs, size = rows / length * length * LK_AUDIO_ROWS;
    if (rows * pairs != elements(&v, 1)) return lk_finish(1, "audio_rows", v.view, v.count);
    float *phit = open_view(&v, hit, 'f', size, 1, "hit");
    float *pvariance = phit ? open_view(&v, variance, 'f', size, 1, "variance") : NULL;
    if (!pvariance) return NULL;
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->audio_rows(pchips, (size_t)rows, (size_t)pairs, psigns, (size_t)length, phit, pvariance);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "audio_rows", v.view, v.count);
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
