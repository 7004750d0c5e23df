/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

enum { MAX_CHANNELS = 1024, MAX_STEP = 1 << 30 };

/* audio_mark(x, channels, frames, roots, window, edges, signs, phase, depths, heard, scratch, out) */
static PyObject *audio_mark(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *x, *roots, *window, *edges, *signs, *depths, *heard, *scratch, *out;
    Py_ssize_t channels, frames, phase;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnnOOOOnOOOO", &x, &channels, &frames, &roots, &window, &edges, &signs, &phase, &depths,
                          &heard, &scratch, &out))
        return NULL;
    lk_range(&v, channels, 1, MAX_CHANNELS, "channels");
    lk_range(&v, frames, 0, PY_SSIZE_T_MAX, "frames");
    lk_range(&v, phase, 0, PY_SSIZE_T_MAX, "phase");
    const float *px = lk_input(&v, x, 'f', LK_ANY, "x");
    const Py_ssize_t size = lk_elements(&v);
    if (v.refused || size % channels) return lk_refuse(&v, "x: a row of samples for each channel wanted");
    const float *proots = lk_input(&v, roots, 'f', LK_AUDIO_ROOTS, "roots");
    const float *pwindow = lk_input(&v, window, 'f', LK_AUDIO_FRAME, "window");
    const uint16_t *pedges = lk_input(&v, edges, 'H', LK_ANY, "edges");
    const Py_ssize_t bands = lk_elements(&v) - 1;
    const int8_t *psigns = lk_input(&v, signs, 'b', LK_ANY, "signs");
    const Py_ssize_t all = lk_elements(&v);
    if (v.refused || bands < 1 || !all || all % bands) return lk_refuse(&v, "signs: rows of one sign for each band wanted");
    const float *pdepths = lk_input(&v, depths, 'f', bands, "depths");
    float *pheard = lk_output(&v, heard, 'f', LK_AUDIO_HEARD, "heard");
    float *pscratch = lk_output(&v, scratch, 'f', (Py_ssize_t)lk_audio_mark_scratch((size_t)channels), "scratch");
    float *pout = lk_output(&v, out, 'f', size, "out");
    LK_CALL(&v, audio_mark, px, (size_t)channels, (size_t)(size / channels), (size_t)frames, proots, pwindow, pedges,
            (size_t)bands, psigns, (size_t)(all / bands), (size_t)phase, pdepths, pheard, pscratch, pout);
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
    const float *proots = lk_input(&v, roots, 'f', LK_AUDIO_ROOTS, "roots");
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

/* What a stream's calls have in common: its buffers stay open as long as the object that `audio_stream_form` returns. */
struct held_form {
    struct lk_views views;
    struct lk_audio_stream form;
    const float *limits;
    int64_t *counts;
    float *state, *scratch;
};

static const char FORM[] = "labelkit._native.audio_stream_form";

static void drop_form(PyObject *capsule) {
    struct held_form *held = PyCapsule_GetPointer(capsule, FORM);
    lk_close(&held->views);
    PyMem_Free(held);
}

static int open_form(struct held_form *held, PyObject *args) {
    PyObject *down_bank, *up_bank, *roots, *window, *brief, *edges, *signs, *depths, *limits, *counts, *state, *scratch;
    Py_ssize_t channels, room, far_room, up, down;
    struct lk_views *v = &held->views;
    struct lk_audio_stream *form = &held->form;
    if (!PyArg_ParseTuple(args, "nnnnnOOOOOOOOOpOOO", &channels, &room, &far_room, &up, &down, &down_bank, &up_bank, &roots,
                          &window, &brief, &edges, &signs, &depths, &limits, &form->adds, &counts, &state, &scratch))
        return 0;
    lk_range(v, channels, 1, MAX_CHANNELS, "channels");
    lk_range(v, room, 0, LK_AUDIO_STREAM_ROOM, "room");
    lk_range(v, far_room, 0, LK_AUDIO_STREAM_ROOM, "far_room");
    lk_range(v, up, 1, LK_AUDIO_STREAM_STEP, "up");
    lk_range(v, down, 1, LK_AUDIO_STREAM_STEP, "down");
    if (v->refused) return 0;
    form->channels = (size_t)channels, form->room = (size_t)room, form->far_room = (size_t)far_room;
    form->up = (size_t)up, form->down = (size_t)down;
    form->down_bank = lk_input_of(v, down_bank, 'f', 2, "down_bank");
    form->down_phases = (size_t)lk_axis(v, 0), form->down_taps = (size_t)lk_axis(v, 1);
    form->up_bank = lk_input_of(v, up_bank, 'f', 2, "up_bank");
    form->up_phases = (size_t)lk_axis(v, 0), form->up_taps = (size_t)lk_axis(v, 1);
    form->roots = lk_input(v, roots, 'f', LK_AUDIO_ROOTS, "roots");
    form->window = lk_input(v, window, 'f', LK_AUDIO_FRAME, "window");
    form->brief = lk_input(v, brief, 'f', LK_AUDIO_SHIELD, "brief");
    form->edges = lk_input(v, edges, 'H', LK_ANY, "edges");
    const Py_ssize_t bands = lk_elements(v) - 1;
    form->signs = lk_input(v, signs, 'b', LK_ANY, "signs");
    const Py_ssize_t all = lk_elements(v);
    if (v->refused || bands < 1 || !all || all % bands)
        return lk_refuse(v, "signs: rows of one sign for each band wanted"), 0;
    form->bands = (size_t)bands, form->period = (size_t)(all / bands);
    form->depths = lk_input(v, depths, 'f', bands, "depths");
    held->limits = lk_input(v, limits, 'f', 2, "limits");
    held->counts = lk_output(v, counts, 'q', LK_AUDIO_STREAM_COUNTS, "counts");
    const Py_ssize_t size = (Py_ssize_t)lk_audio_stream_state(1, form->room, form->far_room) - LK_AUDIO_HEARD;
    const Py_ssize_t floats = lk_times(channels, size);
    held->state = lk_output(v, state, 'f', floats <= PY_SSIZE_T_MAX - LK_AUDIO_HEARD ? floats + LK_AUDIO_HEARD : floats,
                            "state");
    held->scratch = lk_output(v, scratch, 'f', (Py_ssize_t)lk_audio_stream_scratch(form->channels), "scratch");
    return lk_ready(v);
}

/* audio_stream_form(channels, room, far_room, up, down, down_bank [phases, taps], up_bank, roots, window, brief, edges,
 *                   signs, depths, limits [2], adds, counts, state, scratch) */
static PyObject *audio_stream_form(PyObject *module, PyObject *args) {
    (void)module;
    struct held_form *held = PyMem_Calloc(1, sizeof *held);
    if (!held) return PyErr_NoMemory();
    PyObject *capsule = open_form(held, args) ? PyCapsule_New(held, FORM, drop_form) : NULL;
    if (!capsule) {
        lk_close(&held->views);
        PyMem_Free(held);
    }
    return capsule;
}

/* audio_stream(form, chunk, most, whole, out): the frames that are given; -1 where nothing is taken in */
static PyObject *audio_stream(PyObject *module, PyObject *const *args, Py_ssize_t count) { /* called for each chunk */
    (void)module;
    if (count != 5) return PyErr_Format(PyExc_TypeError, "audio_stream: 5 arguments wanted, got %zd", count);
    const struct held_form *held = PyCapsule_GetPointer(args[0], FORM);
    if (!held) return NULL;
    PyObject *chunk = args[1], *out = args[4];
    const Py_ssize_t most = PyNumber_AsSsize_t(args[2], PyExc_OverflowError);
    const int whole = PyObject_IsTrue(args[3]);
    if (whole < 0 || PyErr_Occurred()) return NULL;
    struct lk_views v;
    v.count = v.in_place = v.refused = 0; /* the buffers themselves need no zeros */
    struct lk_audio_stream form = held->form;
    const Py_ssize_t channels = (Py_ssize_t)form.channels;
    lk_range(&v, most, 0, PY_SSIZE_T_MAX, "most");
    const void *pchunk = lk_input(&v, chunk, whole ? 'h' : 'f', LK_ANY, "chunk");
    const Py_ssize_t samples = lk_elements(&v);
    if (v.refused || samples % channels) return lk_refuse(&v, "chunk: a sample of each channel wanted");
    void *pout = lk_output(&v, out, whole && form.adds ? 'h' : 'f', LK_ANY, "out");
    const Py_ssize_t given = lk_elements(&v);
    if (v.refused || given % channels) return lk_refuse(&v, "out: a sample of each channel wanted");
    if (!lk_apart(&v, &held->views)) return NULL;
    form.whole = whole, form.spectral_limit = held->limits[0], form.energy_limit = held->limits[1];
    int code;
    if (!lk_ready(&v)) return NULL;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->audio_stream(&form, pchunk, (size_t)(samples / channels), (size_t)most, held->counts, held->state,
                                     held->scratch, pout, (size_t)(given / channels));
    Py_END_ALLOW_THREADS
    const int64_t *counts = held->counts;
    const int64_t answer = counts[LK_AUDIO_STREAM_COUNTS - 2] < 0 ? -1 : counts[LK_AUDIO_STREAM_COUNTS - 1];
    PyObject *done = lk_finish(&v, code, "audio_stream");
    if (!done) return NULL;
    Py_DECREF(done);
    return PyLong_FromLongLong(answer);
}

/* audio_stream_state(channels, room, far_room) */
static PyObject *audio_stream_state(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t channels, room, far_room;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "nnn", &channels, &room, &far_room)) return NULL;
    lk_range(&v, channels, 1, MAX_CHANNELS, "channels");
    lk_range(&v, room, 0, LK_AUDIO_STREAM_ROOM, "room");
    lk_range(&v, far_room, 0, LK_AUDIO_STREAM_ROOM, "far_room");
    if (v.refused) return NULL;
    const Py_ssize_t row = (Py_ssize_t)lk_audio_stream_state(1, (size_t)room, (size_t)far_room) - LK_AUDIO_HEARD;
    lk_range(&v, lk_times(channels, row), 0, PY_SSIZE_T_MAX - LK_AUDIO_HEARD, "floats of state");
    return v.refused ? NULL : PyLong_FromSize_t((size_t)channels * (size_t)row + LK_AUDIO_HEARD);
}

static PyObject *audio_stream_scratch(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t channels;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "n", &channels)) return NULL;
    lk_range(&v, channels, 1, MAX_CHANNELS, "channels");
    return v.refused ? NULL : PyLong_FromSize_t(lk_audio_stream_scratch((size_t)channels));
}

/* audio_loudness(x, channels, hop, filters, fade, step, state, scratch, energy) */
static PyObject *audio_loudness(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *x, *filters, *fade, *step, *state, *scratch, *energy;
    Py_ssize_t channels, hop;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnnOOOOOO", &x, &channels, &hop, &filters, &fade, &step, &state, &scratch, &energy))
        return NULL;
    lk_range(&v, channels, 1, MAX_CHANNELS, "channels");
    lk_range(&v, hop, LK_LOUDNESS_LEAST, MAX_STEP, "hop");
    const float *px = lk_input(&v, x, 'f', LK_ANY, "x");
    const Py_ssize_t samples = lk_elements(&v);
    const Py_ssize_t stretch = lk_times(hop, channels);
    if (v.refused || samples % stretch) return lk_refuse(&v, "x: whole stretches of every channel wanted");
    const Py_ssize_t span = (hop + LK_LOUDNESS_LANES - 1) / LK_LOUDNESS_LANES, hops = samples / stretch;
    const double *pfilters = lk_input(&v, filters, 'd', 7, "filters");
    const double *pfade = lk_input(&v, fade, 'd', LK_LOUDNESS_STATES * span, "fade");
    const double *pstep = lk_input(&v, step, 'd', 2 * LK_LOUDNESS_STATES * LK_LOUDNESS_STATES, "step");
    double *pstate = lk_output(&v, state, 'd', LK_LOUDNESS_STATES * channels, "state");
    double *pscratch = lk_output(&v, scratch, 'd', LK_LOUDNESS_LANES * span, "scratch");
    double *penergy = lk_output(&v, energy, 'd', hops * channels, "energy");
    LK_CALL(&v, audio_loudness, px, (size_t)channels, (size_t)hop, (size_t)hops, pfilters, pfade, pstep, pstate, pscratch,
            penergy);
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
    const float *proots = lk_input(&v, roots, 'f', LK_AUDIO_ROOTS, "roots");
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
     "audio_mark(x, channels, frames, roots, window, edges, signs, phase, depths, heard, scratch, out)"},
    {"audio_shield", audio_shield, METH_VARARGS,
     "audio_shield(host, difference, ratio, roots, window, scratch, out)"},
    {"audio_limit", audio_limit, METH_VARARGS, "audio_limit(host, difference, ratio, scratch, out)"},
    {"audio_resample", audio_resample, METH_VARARGS, "audio_resample(x, bank, phases, up, down, position, y)"},
    {"audio_stream_state", audio_stream_state, METH_VARARGS,
     "audio_stream_state(channels, room, far_room) -> floats of state"},
    {"audio_stream_scratch", audio_stream_scratch, METH_VARARGS, "audio_stream_scratch(channels) -> floats of scratch"},
    {"audio_stream_form", audio_stream_form, METH_VARARGS,
     "audio_stream_form(channels, room, far_room, up, down, down_bank, up_bank, roots, window, brief, edges, signs, depths,\n"
     "                  limits, adds, counts, state, scratch) -> what audio_stream is called with"},
    {"audio_stream", (PyCFunction)(void (*)(void))audio_stream, METH_FASTCALL, "audio_stream(form, chunk, most, whole, out)"},
    {"audio_loudness", audio_loudness, METH_VARARGS,
     "audio_loudness(x, channels, hop, filters, fade, step, state, scratch, energy)"},
    {"audio_spectrum", audio_spectrum, METH_VARARGS,
     "audio_spectrum(x, frames, hop, roots, window, low, high, scratch, out)"},
    {"audio_chips", audio_chips, METH_VARARGS,
     "audio_chips(spectrum, frames, index, part, width, floors, weights, pace, rows, scratch, out)"},
    {"audio_rows", audio_rows, METH_VARARGS, "audio_rows(chips, signs, length, hit, variance)"},
    {NULL, NULL, 0, NULL},
};
