/* SPDX-License-Identifier: Apache-2.0
 * What the binding files share. Only files in this folder include Python.h. */
#ifndef LK_BINDING_H
#define LK_BINDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "cpu.h"

/* A C-contiguous buffer of `count` elements of `format` ('B' uint8, 'h' int16, 'i' int32, 'q' int64, 'f' float32,
 * 'd' float64), writable if asked for. count < 0 takes any size. Returns 0, or -1 with a Python error set. */
int lk_get_buffer(PyObject *object, Py_buffer *view, char format, Py_ssize_t count, int writable, const char *name);
/* A buffer with strides, of `ndim` axes. */
int lk_get_strided(PyObject *object, Py_buffer *view, char format, int ndim, int writable, const char *name);
/* Turns a kernel's return code into None or ValueError, after releasing the views. */
PyObject *lk_finish(int code, const char *kernel, Py_buffer *views, int count);

extern PyMethodDef lk_ecc_methods[];
extern PyMethodDef lk_image_methods[];
extern PyMethodDef lk_audio_methods[];

#endif
