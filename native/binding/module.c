/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "binding.h"

static int same_format(const char *got, char want) {
    if (!got) return want == 'B';
    if (*got == '@' || *got == '=' || *got == '<') got++;
    if (want == 'q') return (*got == 'q' || (*got == 'l' && sizeof(long) == 8)) && !got[1];
    if (want == 'i') return (*got == 'i' || (*got == 'l' && sizeof(long) == 4)) && !got[1];
    return *got == want && !got[1];
}

int lk_get_strided(PyObject *object, Py_buffer *view, char format, int ndim, int writable, const char *name) {
    if (PyObject_GetBuffer(object, view, PyBUF_STRIDES | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0))) return -1;
    if (same_format(view->format, format) && (ndim < 0 || view->ndim == ndim)) return 0;
    PyErr_Format(PyExc_ValueError, "%s: a buffer of format '%c' and %d axes wanted, got '%s' and %d", name, format,
                 ndim, view->format ? view->format : "B", view->ndim);
    PyBuffer_Release(view);
    return -1;
}

int lk_get_buffer(PyObject *object, Py_buffer *view, char format, Py_ssize_t count, int writable, const char *name) {
    if (lk_get_strided(object, view, format, -1, writable, name)) return -1;
    if (PyBuffer_IsContiguous(view, 'C') && (count < 0 || view->len == count * view->itemsize)) return 0;
    PyErr_Format(PyExc_ValueError, "%s: %zd contiguous elements wanted, got %zd", name, count,
                 view->len / view->itemsize);
    PyBuffer_Release(view);
    return -1;
}

PyObject *lk_finish(int code, const char *kernel, Py_buffer *views, int count) {
    for (int i = 0; i < count; i++) PyBuffer_Release(&views[i]);
    if (code == LK_OK) Py_RETURN_NONE;
    return PyErr_Format(PyExc_ValueError, "%s: bad argument", kernel);
}

static PyObject *isas(PyObject *module, PyObject *none) {
    (void)module, (void)none;
    PyObject *list = PyList_New(0);
    for (int isa = 0; list && isa < LK_ISA_COUNT; isa++) {
        if (!lk_isa_supported((enum lk_isa)isa)) continue;
        PyObject *name = PyUnicode_FromString(lk_isa_name((enum lk_isa)isa));
        if (!name || PyList_Append(list, name)) Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

static PyObject *isa(PyObject *module, PyObject *none) {
    (void)module, (void)none;
    return PyUnicode_FromString(lk_isa_name(lk_isa_active()));
}

static PyObject *use_isa(PyObject *module, PyObject *args) {
    (void)module;
    const char *wanted;
    if (!PyArg_ParseTuple(args, "s", &wanted)) return NULL;
    for (int i = 0; i < LK_ISA_COUNT; i++)
        if (!strcmp(wanted, lk_isa_name((enum lk_isa)i)) && lk_isa_use((enum lk_isa)i) == LK_OK) Py_RETURN_NONE;
    return PyErr_Format(PyExc_ValueError, "instruction set %s is not supported here", wanted);
}

static PyMethodDef module_methods[] = {
    {"isas", isas, METH_NOARGS, "isas() -> list of the instruction sets that this CPU and build have"},
    {"isa", isa, METH_NOARGS, "isa() -> the one in use"},
    {"use_isa", use_isa, METH_VARARGS, "use_isa(name): for tests and benchmarks"},
    {NULL, NULL, 0, NULL},
};

static int fill(PyObject *module) {
    PyMethodDef *const tables[] = {module_methods, lk_ecc_methods, lk_image_methods, lk_audio_methods};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (PyModule_AddFunctions(module, tables[i])) return -1;
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)fill},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "labelkit._native", "Compiled kernels; labelkit.kernels is their only caller.", 0, NULL,
    slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
