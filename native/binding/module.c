/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "binding.h"

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
    PyMethodDef *const tables[] = {module_methods,    lk_ecc_methods,    lk_image_methods,
                                   lk_margin_methods, lk_camera_methods, lk_audio_methods};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (PyModule_AddFunctions(module, tables[i])) return -1;
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)fill},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* its only state is which kernels are in use, see cpu.c */
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "labelkit._native", "Compiled kernels; labelkit.kernels is their only caller.", 0, NULL,
    slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
