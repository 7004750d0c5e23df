/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

static PyObject *polar_scratch(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t n, list;
    if (!PyArg_ParseTuple(args, "nn", &n, &list)) return NULL;
    return PyLong_FromSize_t(lk_polar_scratch((size_t)n, (size_t)list));
}

/* polar_decode(soft int32[n], frozen uint8[n], list, scratch uint8[], bits uint8[list, k], metric int64[list]) */
static PyObject *polar_decode(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *soft, *frozen, *scratch, *bits, *metric;
    Py_ssize_t list;
    Py_buffer v[5];
    if (!PyArg_ParseTuple(args, "OOnOOO", &soft, &frozen, &list, &scratch, &bits, &metric)) return NULL;
    if (list < 1 || list > 256) return PyErr_Format(PyExc_ValueError, "list: 1 to 256 wanted, got %zd", list);
    if (lk_get_buffer(soft, &v[0], 'i', -1, 0, "soft")) return NULL;
    Py_ssize_t n = v[0].len / 4, k = 0;
    if (lk_get_buffer(frozen, &v[1], 'B', n, 0, "frozen")) return lk_finish(1, "polar_decode", v, 1);
    for (Py_ssize_t i = 0; i < n; i++) k += ((const uint8_t *)v[1].buf)[i] == 0;
    if (lk_get_buffer(scratch, &v[2], 'B', (Py_ssize_t)lk_polar_scratch((size_t)n, (size_t)list), 1, "scratch"))
        return lk_finish(1, "polar_decode", v, 2);
    if (lk_get_buffer(bits, &v[3], 'B', list * k, 1, "bits")) return lk_finish(1, "polar_decode", v, 3);
    if (lk_get_buffer(metric, &v[4], 'q', list, 1, "metric")) return lk_finish(1, "polar_decode", v, 4);
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = lk_active()->polar_decode(v[0].buf, v[1].buf, (size_t)n, (size_t)list, v[2].buf, v[3].buf, v[4].buf);
    Py_END_ALLOW_THREADS
    return lk_finish(code, "polar_decode", v, 5);
}

PyMethodDef lk_ecc_methods[] = {
    {"polar_scratch", polar_scratch, METH_VARARGS, "polar_scratch(n, list) -> bytes of scratch"},
    {"polar_decode", polar_decode, METH_VARARGS, "polar_decode(soft, frozen, list, scratch, bits, metric)"},
    {NULL, NULL, 0, NULL},
};
