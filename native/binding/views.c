/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

#include <stdint.h>

static const char SHARED[] = "what is written shares memory with another argument";

void lk_close(struct lk_views *views) {
    while (views->count) PyBuffer_Release(&views->view[--views->count]);
}

static void close_all(struct lk_views *views) {
    lk_close(views);
    views->refused = 1;
}

PyObject *lk_refuse(struct lk_views *views, const char *message) {
    if (!views->refused) PyErr_SetString(PyExc_ValueError, message);
    close_all(views);
    return NULL;
}

void lk_range(struct lk_views *views, Py_ssize_t value, Py_ssize_t low, Py_ssize_t high, const char *name) {
    if (views->refused || (value >= low && value <= high)) return;
    PyErr_Format(PyExc_ValueError, "%s: %zd to %zd wanted, got %zd", name, low, high, value);
    close_all(views);
}

Py_ssize_t lk_times(Py_ssize_t a, Py_ssize_t b) {
    if (a < 0 || b < 0) return PY_SSIZE_T_MAX;
    return a && b > PY_SSIZE_T_MAX / a ? PY_SSIZE_T_MAX : a * b;
}

/* Opens one buffer and looks at its elements; 0 after a refusal. `axes` < 0 takes any number of them. */
static int open_view(struct lk_views *views, PyObject *object, char format, int axes, int writable, const char *name) {
    if (views->refused) return 0;
    Py_buffer *view = &views->view[views->count];
    if (PyObject_GetBuffer(object, view, PyBUF_STRIDES | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0))) {
        close_all(views);
        return 0;
    }
    views->writable[views->count++] = writable;
    const char *got = view->format ? view->format : "B";
    const size_t size = view->itemsize > 0 ? (size_t)view->itemsize : 0;
    if (!lk_same_format(view->format, size, format))
        PyErr_Format(PyExc_ValueError, "%s: %s wanted, got format '%s' of %zd bytes", name, lk_format_name(format), got,
                     view->itemsize);
    else if (axes >= 0 && view->ndim != axes)
        PyErr_Format(PyExc_ValueError, "%s: %d axes wanted, got %d", name, axes, view->ndim);
    else if ((uintptr_t)view->buf % size)
        PyErr_Format(PyExc_ValueError, "%s: the elements are not aligned to their %zd bytes", name, view->itemsize);
    else
        return 1;
    close_all(views);
    return 0;
}

static void *open_whole(struct lk_views *views, PyObject *object, char format, int axes, Py_ssize_t count, int writable,
                        const char *name) {
    if (!open_view(views, object, format, axes, writable, name)) return NULL;
    const Py_ssize_t got = lk_elements(views);
    if (!PyBuffer_IsContiguous(&views->view[views->count - 1], 'C'))
        PyErr_Format(PyExc_ValueError, "%s: contiguous elements wanted", name);
    else if (count == PY_SSIZE_T_MAX)
        PyErr_Format(PyExc_ValueError, "%s: more elements wanted than memory can hold, got %zd", name, got);
    else if (count >= 0 && got != count)
        PyErr_Format(PyExc_ValueError, "%s: %zd elements wanted, got %zd", name, count, got);
    else
        return views->view[views->count - 1].buf;
    close_all(views);
    return NULL;
}

const void *lk_input(struct lk_views *views, PyObject *object, char format, Py_ssize_t count, const char *name) {
    return open_whole(views, object, format, -1, count, 0, name);
}

void *lk_output(struct lk_views *views, PyObject *object, char format, Py_ssize_t count, const char *name) {
    return open_whole(views, object, format, -1, count, 1, name);
}

const void *lk_input_of(struct lk_views *views, PyObject *object, char format, int axes, const char *name) {
    return open_whole(views, object, format, axes, LK_ANY, 0, name);
}

void *lk_output_of(struct lk_views *views, PyObject *object, char format, int axes, const char *name) {
    return open_whole(views, object, format, axes, LK_ANY, 1, name);
}

void *lk_pixels(struct lk_views *views, PyObject *object, int writable, const char *name) {
    if (!open_view(views, object, 'B', 3, writable, name)) return NULL;
    const Py_buffer *view = &views->view[views->count - 1];
    if (view->strides[2] == 1 && view->strides[1] == view->shape[2] && view->strides[0] >= 0) return view->buf;
    PyErr_Format(PyExc_ValueError, "%s: rows of interleaved samples wanted", name);
    close_all(views);
    return NULL;
}

float *lk_floats(struct lk_views *views, PyObject *object, int writable, size_t *strides, const char *name) {
    if (!open_view(views, object, 'f', 3, writable, name)) return NULL;
    const Py_buffer *view = &views->view[views->count - 1];
    for (int axis = 0; axis < 3; axis++) {
        if (view->strides[axis] < 0 || view->strides[axis] % view->itemsize) {
            PyErr_Format(PyExc_ValueError, "%s: strides of whole elements, forwards, wanted", name);
            close_all(views);
            return NULL;
        }
        strides[axis] = (size_t)(view->strides[axis] / view->itemsize);
    }
    return view->buf;
}

Py_ssize_t lk_elements(const struct lk_views *views) {
    if (views->refused) return 0;
    const Py_buffer *view = &views->view[views->count - 1];
    return view->len / view->itemsize;
}

Py_ssize_t lk_axis(const struct lk_views *views, int axis) {
    return views->refused ? 0 : views->view[views->count - 1].shape[axis];
}

size_t lk_row_bytes(const struct lk_views *views) {
    return views->refused ? 0 : (size_t)views->view[views->count - 1].strides[0];
}

/* The bytes from the first sample of a buffer to the end of its last; those of pictures may lie apart. */
static uintptr_t extent(const Py_buffer *view) {
    if (PyBuffer_IsContiguous(view, 'C')) return (uintptr_t)view->len;
    uintptr_t bytes = (uintptr_t)view->itemsize;
    for (int axis = 0; axis < view->ndim; axis++)
        bytes += (uintptr_t)(view->shape[axis] - 1) * (uintptr_t)view->strides[axis];
    return bytes;
}

static int overlap(const Py_buffer *a, uintptr_t extent_a, const Py_buffer *b, uintptr_t extent_b) {
    const uintptr_t from = (uintptr_t)a->buf, to = (uintptr_t)b->buf;
    return a->len && b->len && from < to + extent_b && to < from + extent_a;
}

static int same_memory(const Py_buffer *a, const Py_buffer *b) {
    return a->buf == b->buf && a->ndim == 3 && b->ndim == 3 && a->strides[0] == b->strides[0];
}

/* A kernel checks what it reads before it writes: what it writes must not change what it has checked. */
int lk_ready(struct lk_views *views) {
    if (views->refused) return 0;
    uintptr_t bytes[LK_MAX_VIEWS];
    for (int i = 0; i < views->count; i++) bytes[i] = extent(&views->view[i]);
    for (int i = 0; i < views->count; i++)
        for (int k = 0; views->writable[i] && k < views->count; k++) {
            if (i == k || !overlap(&views->view[i], bytes[i], &views->view[k], bytes[k])) continue;
            if (views->in_place && i + k == 1 && same_memory(&views->view[i], &views->view[k])) continue;
            lk_refuse(views, SHARED);
            return 0;
        }
    return 1;
}

int lk_apart(struct lk_views *views, const struct lk_views *held) {
    for (int i = 0; i < views->count; i++)
        for (int k = 0; k < held->count; k++) {
            if (!views->writable[i] && !held->writable[k]) continue;
            const Py_buffer *ours = &views->view[i], *theirs = &held->view[k];
            if (!overlap(ours, (uintptr_t)ours->len, theirs, (uintptr_t)theirs->len)) continue;
            lk_refuse(views, SHARED);
            return 0;
        }
    return 1;
}

PyObject *lk_finish(struct lk_views *views, int code, const char *kernel) {
    lk_close(views);
    if (code == LK_OK) Py_RETURN_NONE;
    return PyErr_Format(PyExc_ValueError, "%s: an argument breaks its contract in native/lk.h", kernel);
}
