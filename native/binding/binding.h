/* SPDX-License-Identifier: Apache-2.0
 * What the binding files share. Only files in this folder include Python.h.
 *
 * A call opens its buffers one after the other into `struct lk_views`. The first refusal sets the Python error and
 * closes what is open; what follows does nothing and keeps that error. LK_CALL runs the kernel if all are open. */
#ifndef LK_BINDING_H
#define LK_BINDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "cpu.h"
#include "format.h"

enum { LK_MAX_VIEWS = 14, LK_ANY = -1 };

struct lk_views {
    Py_buffer view[LK_MAX_VIEWS];
    int writable[LK_MAX_VIEWS];
    int count;
    int in_place; /* buffers 0 and 1 may be the same memory */
    int refused;
};

/* Opens a C-contiguous, aligned buffer of `count` elements (LK_ANY: however many there are) of a format of format.h.
 * Returns its memory, which may be NULL for an empty one, or NULL after a refusal. */
const void *lk_input(struct lk_views *views, PyObject *object, char format, Py_ssize_t count, const char *name);
void *lk_output(struct lk_views *views, PyObject *object, char format, Py_ssize_t count, const char *name);
/* The same of `axes` axes, whose extents lk_axis() tells. */
const void *lk_input_of(struct lk_views *views, PyObject *object, char format, int axes, const char *name);
void *lk_output_of(struct lk_views *views, PyObject *object, char format, int axes, const char *name);
/* uint8 [height, width, channels], the samples of a row next to each other, the rows at any distance. */
void *lk_pixels(struct lk_views *views, PyObject *object, int writable, const char *name);
/* float [height, width, channels] with strides, in elements, of any size that is not negative. */
float *lk_floats(struct lk_views *views, PyObject *object, int writable, size_t *strides, const char *name);

/* Elements of the buffer opened last; 0 after a refusal. */
Py_ssize_t lk_elements(const struct lk_views *views);
/* An extent of it, and the bytes between its rows; 0 after a refusal. */
Py_ssize_t lk_axis(const struct lk_views *views, int axis);
size_t lk_row_bytes(const struct lk_views *views);

/* a * b of sizes, or PY_SSIZE_T_MAX, which no buffer has, where the product is more. */
Py_ssize_t lk_times(Py_ssize_t a, Py_ssize_t b);
/* Refuses a number outside low .. high. */
void lk_range(struct lk_views *views, Py_ssize_t value, Py_ssize_t low, Py_ssize_t high, const char *name);
/* ValueError, unless there was a refusal before. Returns NULL. */
PyObject *lk_refuse(struct lk_views *views, const char *message);

/* Whether the kernel may run: all is open, and what it writes lies apart from all else. */
int lk_ready(struct lk_views *views);
/* Refuses buffers that share memory with those of a form, which stay open from one call to the next and are whole. */
int lk_apart(struct lk_views *views, const struct lk_views *held);
/* Closes what is open. */
void lk_close(struct lk_views *views);
/* None or ValueError, after closing the buffers. */
PyObject *lk_finish(struct lk_views *views, int code, const char *kernel);

/* The rest of a binding function: the kernel without the interpreter's lock, and what it returns. */
#define LK_CALL(views, kernel, ...)                   \
    do {                                              \
        int code;                                     \
        if (!lk_ready(views)) return NULL;            \
        Py_BEGIN_ALLOW_THREADS                        \
        code = lk_active()->kernel(__VA_ARGS__);      \
        Py_END_ALLOW_THREADS                          \
        return lk_finish(views, code, #kernel);       \
    } while (0)

extern PyMethodDef lk_ecc_methods[];
extern PyMethodDef lk_image_methods[];
extern PyMethodDef lk_margin_methods[];
extern PyMethodDef lk_camera_methods[];
extern PyMethodDef lk_audio_methods[];

#endif
