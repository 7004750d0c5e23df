/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

/* camera_grid(brightness uint16[h, w], times, scale, plain, scratch float32[4 * (w / times)],
 *             grid float32[h / times - 2, w / times - 2], facts float64[2]) */
static PyObject *camera_grid(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *brightness, *scratch, *grid, *facts;
    Py_ssize_t times;
    double scale, plain;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OnddOOO", &brightness, &times, &scale, &plain, &scratch, &grid, &facts)) return NULL;
    const uint16_t *pbrightness = lk_input_of(&v, brightness, 'H', 2, "brightness");
    const Py_ssize_t rows = lk_axis(&v, 0), columns = lk_axis(&v, 1);
    lk_range(&v, times, 1, LK_CAMERA_JOINED, "times");
    if (v.refused) return NULL;
    lk_range(&v, rows / times, 4, PY_SSIZE_T_MAX, "rows of joined cells");
    lk_range(&v, columns / times, 4, PY_SSIZE_T_MAX, "columns of joined cells");
    float *pscratch = lk_output(&v, scratch, 'f', lk_times(4, columns / times), "scratch");
    float *pgrid = lk_output(&v, grid, 'f', lk_times(rows / times - 2, columns / times - 2), "grid");
    double *pfacts = lk_output(&v, facts, 'd', 2, "facts");
    LK_CALL(&v, camera_grid, pbrightness, (size_t)rows, (size_t)columns, (size_t)times, scale, plain, pscratch, pgrid, pfacts);
}

/* camera_fit(now float32[h, w], first float32[h, w], start float64[3], steps, zooms, settled,
 *            scratch float32[(2 * h + 5) * stride], found float64[4]) */
static PyObject *camera_fit(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *now, *first, *start, *scratch, *found;
    Py_ssize_t steps;
    int zooms;
    double settled;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOOnpdOO", &now, &first, &start, &steps, &zooms, &settled, &scratch, &found)) return NULL;
    const float *pnow = lk_input_of(&v, now, 'f', 2, "now");
    const Py_ssize_t rows = lk_axis(&v, 0), columns = lk_axis(&v, 1);
    lk_range(&v, rows, LK_CAMERA_LEAST, LK_CAMERA_LIMIT, "rows of now");
    lk_range(&v, columns, LK_CAMERA_LEAST, LK_CAMERA_LIMIT, "columns of now");
    const Py_ssize_t stride = (columns + LK_CAMERA_LANES - 1) / LK_CAMERA_LANES * LK_CAMERA_LANES;
    const float *pfirst = lk_input(&v, first, 'f', lk_times(rows, columns), "first");
    const double *pstart = lk_input(&v, start, 'd', 3, "start");
    lk_range(&v, steps, 0, LK_CAMERA_STEPS, "steps");
    float *pscratch = lk_output(&v, scratch, 'f', lk_times(2 * rows + 5, stride), "scratch");
    double *pfound = lk_output(&v, found, 'd', 4, "found");
    LK_CALL(&v, camera_fit, pnow, pfirst, (size_t)rows, (size_t)columns, pstart, (size_t)steps, zooms, settled, pscratch,
            pfound);
}

PyMethodDef lk_camera_methods[] = {
    {"camera_grid", camera_grid, METH_VARARGS, "camera_grid(brightness, times, scale, plain, scratch, grid, facts)"},
    {"camera_fit", camera_fit, METH_VARARGS, "camera_fit(now, first, start, steps, zooms, settled, scratch, found)"},
    {NULL, NULL, 0, NULL},
};
