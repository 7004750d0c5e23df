/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

/* uint8 [height, width, channels], the samples of a row next to each other */
static int get_pixels(PyObject *object, Py_buffer *view, int writable, const char *name) {
    if (lk_get_strided(object, view, 'B', 3, writable, name)) return -1;
    if (view->strides[2] == 1 && view->strides[1] == view->shape[2] && view->strides[0] >= 0) return 0;
    PyErr_Format(PyExc_ValueError, "%s: rows of interleaved samples wanted", name);
    PyBuffer_Release(view);
    return -1;
}

/* a contiguous plane of `format` with two axes */
static int get_plane(PyObject *object, Py_buffer *view, char format, int writable, const char *name) {
    if (lk_get_strided(object, view, format, 2, writable, name)) return -1;
    if (PyBuffer_IsContiguous(view, 'C')) return 0;
    PyErr_Format(PyExc_ValueError, "%s: a contiguous plane wanted", name);
    PyBuffer_Release(view);
    return -1;
}

/* image_gain(pixels uint8[h, w, c], gain uint8[ceil(h / 8), ceil(w / 8)], base, slope, top) */
static PyObject *image_gain(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *gain;
    unsigned base, slope, top;
    Py_buffer v[2];
    if (!PyArg_ParseTuple(args, "OOIII", &pixels, &gain, &base, &slope, &top)) return NULL;
    if (get_pixels(pixels, &v[0], 0, "pixels")) return NULL;
    Py_ssize_t h = v[0].shape[0], w = v[0].shape[1];
    if (lk_get_buffer(gain, &v[1], 'B', ((h + 7) / 8) * ((w + 7) / 8), 1, "gain"))
        return lk_finish(1, "image_gain", v, 1);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->image_gain(v[0].buf, (size_t)v[0].strides[0], (size_t)h, (size_t)w, (size_t)v[0].shape[2],
                                   v[1].buf, base, slope, top);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "image_gain", v, 2);
}

/* film_gain(luma uint8[h, w, 1], level uint16[ceil(h / 8), ceil(w / 8)], ease uint8[64], gain uint8[as level], base,
 *           slope, top) */
static PyObject *film_gain(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *luma, *level, *ease, *gain;
    unsigned base, slope, top;
    Py_buffer v[4];
    if (!PyArg_ParseTuple(args, "OOOOIII", &luma, &level, &ease, &gain, &base, &slope, &top)) return NULL;
    if (get_pixels(luma, &v[0], 0, "luma")) return NULL;
    Py_ssize_t h = v[0].shape[0], w = v[0].shape[1], cells = ((h + 7) / 8) * ((w + 7) / 8);
    if (v[0].shape[2] != 1) return lk_finish(1, "film_gain", v, 1);
    if (lk_get_buffer(level, &v[1], 'H', cells, 1, "level")) return lk_finish(1, "film_gain", v, 1);
    if (lk_get_buffer(ease, &v[2], 'B', LK_EASE, 0, "ease")) return lk_finish(1, "film_gain", v, 2);
    if (lk_get_buffer(gain, &v[3], 'B', cells, 1, "gain")) return lk_finish(1, "film_gain", v, 3);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->film_gain(v[0].buf, (size_t)v[0].strides[0], (size_t)h, (size_t)w, v[1].buf, v[2].buf, v[3].buf,
                                  base, slope, top);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "film_gain", v, 4);
}

/* image_embed(pixels uint8[h, w, c], out uint8[h, w, c], gain, flat int16[p, p * c], textured int8[p, p * c],
 *             scratch int16[]) */
static PyObject *image_embed(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *out, *gain, *flat, *textured, *scratch;
    Py_buffer v[6];
    if (!PyArg_ParseTuple(args, "OOOOOO", &pixels, &out, &gain, &flat, &textured, &scratch)) return NULL;
    if (get_pixels(pixels, &v[0], 0, "pixels")) return NULL;
    Py_ssize_t h = v[0].shape[0], w = v[0].shape[1], c = v[0].shape[2], cells = (w + 7) / 8;
    if (get_pixels(out, &v[1], 1, "out")) return lk_finish(1, "image_embed", v, 1);
    if (v[1].shape[0] != h || v[1].shape[1] != w || v[1].shape[2] != c) return lk_finish(1, "image_embed", v, 2);
    if (lk_get_buffer(gain, &v[2], 'B', ((h + 7) / 8) * cells, 0, "gain")) return lk_finish(1, "image_embed", v, 2);
    if (get_plane(flat, &v[3], 'h', 0, "flat")) return lk_finish(1, "image_embed", v, 3);
    Py_ssize_t p = v[3].shape[0];
    if (v[3].shape[1] != p * c) return lk_finish(1, "image_embed", v, 4);
    if (lk_get_buffer(textured, &v[4], 'b', p * p * c, 0, "textured")) return lk_finish(1, "image_embed", v, 4);
    if (lk_get_buffer(scratch, &v[5], 'h', 3 * (8 * c * cells + 64), 1, "scratch"))
        return lk_finish(1, "image_embed", v, 5);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->image_embed(v[0].buf, (size_t)v[0].strides[0], v[1].buf, (size_t)v[1].strides[0], (size_t)h,
                                    (size_t)w, (size_t)c, v[2].buf, v[3].buf, v[4].buf, (size_t)p, v[5].buf);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "image_embed", v, 6);
}

/* tile_make(columns float32[2, p, k, 2], low, waves float32[2, k, stride], flat int16[p, p * c],
 *           textured int8[p, p * c]) */
static PyObject *tile_make(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *columns, *waves, *flat, *textured;
    Py_ssize_t low;
    Py_buffer v[4];
    if (!PyArg_ParseTuple(args, "OnOOO", &columns, &low, &waves, &flat, &textured)) return NULL;
    if (get_plane(flat, &v[0], 'h', 1, "flat")) return NULL;
    Py_ssize_t p = v[0].shape[0], row = v[0].shape[1];
    if (!p || row % p) return lk_finish(1, "tile_make", v, 1);
    if (lk_get_buffer(textured, &v[1], 'b', p * row, 1, "textured")) return lk_finish(1, "tile_make", v, 1);
    if (lk_get_strided(waves, &v[2], 'f', 3, 0, "waves")) return lk_finish(1, "tile_make", v, 2);
    Py_ssize_t count = v[2].shape[1];
    if (!PyBuffer_IsContiguous(&v[2], 'C') || v[2].shape[0] != 2) return lk_finish(1, "tile_make", v, 3);
    if (lk_get_buffer(columns, &v[3], 'f', 4 * p * count, 0, "columns")) return lk_finish(1, "tile_make", v, 3);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->tile_make(v[3].buf, (size_t)count, (size_t)low, v[2].buf, (size_t)v[2].shape[2], (size_t)p,
                                  (size_t)(row / p), v[0].buf, v[1].buf);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "tile_make", v, 4);
}

/* image_luma(pixels uint8[h, w, c], luma uint8[h, w]) */
static PyObject *image_luma(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *pixels, *luma;
    Py_buffer v[2];
    if (!PyArg_ParseTuple(args, "OO", &pixels, &luma)) return NULL;
    if (get_pixels(pixels, &v[0], 0, "pixels")) return NULL;
    Py_ssize_t h = v[0].shape[0], w = v[0].shape[1];
    if (lk_get_buffer(luma, &v[1], 'B', h * w, 1, "luma")) return lk_finish(1, "image_luma", v, 1);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->image_luma(v[0].buf, (size_t)v[0].strides[0], (size_t)h, (size_t)w,
                                   (size_t)v[0].shape[2], v[1].buf);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "image_luma", v, 2);
}

/* plane_whiten(luma uint8[h, w], out int8[h, w], scratch int32[24 * (w + 16)], noise) */
static PyObject *plane_whiten(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *luma, *out, *scratch;
    unsigned noise;
    Py_buffer v[3];
    if (!PyArg_ParseTuple(args, "OOOI", &luma, &out, &scratch, &noise)) return NULL;
    if (get_plane(luma, &v[0], 'B', 0, "luma")) return NULL;
    Py_ssize_t h = v[0].shape[0], w = v[0].shape[1];
    if (lk_get_buffer(out, &v[1], 'b', h * w, 1, "out")) return lk_finish(1, "plane_whiten", v, 1);
    if (lk_get_buffer(scratch, &v[2], 'i', 24 * (w + 16), 1, "scratch")) return lk_finish(1, "plane_whiten", v, 2);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->plane_whiten(v[0].buf, (size_t)h, (size_t)w, v[1].buf, v[2].buf, noise);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "plane_whiten", v, 3);
}

/* plane_fold(plane int8[h, w], out int32[p, p]) */
static PyObject *plane_fold(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *plane, *out;
    Py_buffer v[2];
    if (!PyArg_ParseTuple(args, "OO", &plane, &out)) return NULL;
    if (get_plane(plane, &v[0], 'b', 0, "plane")) return NULL;
    if (get_plane(out, &v[1], 'i', 1, "out")) return lk_finish(1, "plane_fold", v, 1);
    if (v[1].shape[0] != v[1].shape[1]) return lk_finish(1, "plane_fold", v, 2);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->plane_fold(v[0].buf, (size_t)v[0].shape[0], (size_t)v[0].shape[1], v[1].buf,
                                   (size_t)v[1].shape[0]);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "plane_fold", v, 2);
}

/* plane_fold_lattice(plane int8[h, w], origin uint32[2], step uint32[4], out int32[256, 256]) */
static PyObject *plane_fold_lattice(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *plane, *origin, *step, *out;
    Py_buffer v[4];
    if (!PyArg_ParseTuple(args, "OOOO", &plane, &origin, &step, &out)) return NULL;
    if (get_plane(plane, &v[0], 'b', 0, "plane")) return NULL;
    if (lk_get_buffer(origin, &v[1], 'I', 2, 0, "origin")) return lk_finish(1, "plane_fold_lattice", v, 1);
    if (lk_get_buffer(step, &v[2], 'I', 4, 0, "step")) return lk_finish(1, "plane_fold_lattice", v, 2);
    if (lk_get_buffer(out, &v[3], 'i', 256 * 256, 1, "out")) return lk_finish(1, "plane_fold_lattice", v, 3);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->plane_fold_lattice(v[0].buf, (size_t)v[0].shape[0], (size_t)v[0].shape[1], v[1].buf, v[2].buf,
                                           v[3].buf);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "plane_fold_lattice", v, 4);
}

/* lattice_score(r float32[n, n], height, width, vectors float32[count, 4], score float32[count]) */
static PyObject *lattice_score(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *r, *vectors, *score;
    Py_ssize_t height, width;
    Py_buffer v[3];
    if (!PyArg_ParseTuple(args, "OnnOO", &r, &height, &width, &vectors, &score)) return NULL;
    if (get_plane(r, &v[0], 'f', 0, "r")) return NULL;
    Py_ssize_t n = v[0].shape[0];
    if (v[0].shape[1] != n || height < 1 || width < 1) return lk_finish(1, "lattice_score", v, 1);
    if (lk_get_buffer(vectors, &v[1], 'f', -1, 0, "vectors")) return lk_finish(1, "lattice_score", v, 1);
    Py_ssize_t count = v[1].len / 16;
    if (lk_get_buffer(score, &v[2], 'f', count, 1, "score")) return lk_finish(1, "lattice_score", v, 2);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->lattice_score(v[0].buf, (size_t)n, (size_t)height, (size_t)width, v[1].buf, (size_t)count,
                                      v[2].buf);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "lattice_score", v, 3);
}

PyMethodDef lk_image_methods[] = {
    {"image_gain", image_gain, METH_VARARGS, "image_gain(pixels, gain, base, slope, top)"},
    {"film_gain", film_gain, METH_VARARGS, "film_gain(luma, level, ease, gain, base, slope, top)"},
    {"image_embed", image_embed, METH_VARARGS, "image_embed(pixels, out, gain, flat, textured, scratch)"},
    {"tile_make", tile_make, METH_VARARGS, "tile_make(columns, low, waves, flat, textured)"},
    {"image_luma", image_luma, METH_VARARGS, "image_luma(pixels, luma)"},
    {"plane_whiten", plane_whiten, METH_VARARGS, "plane_whiten(luma, out, scratch, noise)"},
    {"plane_fold", plane_fold, METH_VARARGS, "plane_fold(plane, out)"},
    {"plane_fold_lattice", plane_fold_lattice, METH_VARARGS, "plane_fold_lattice(plane, origin, step, out)"},
    {"lattice_score", lattice_score, METH_VARARGS, "lattice_score(r, height, width, vectors, score)"},
    {NULL, NULL, 0, NULL},
};
