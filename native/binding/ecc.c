/* SPDX-License-Identifier: Apache-2.0 */
#include "binding.h"

static void check_code(struct lk_views *views, Py_ssize_t n, Py_ssize_t list) {
    lk_range(views, n, 32, 4096, "elements of soft");
    if (!views->refused && (n & (n - 1))) lk_refuse(views, "soft: a power of two elements wanted");
    lk_range(views, list, 1, 256, "list");
}

static PyObject *polar_scratch(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t n, list;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "nn", &n, &list)) return NULL;
    check_code(&v, n, list);
    return v.refused ? NULL : PyLong_FromSize_t(lk_polar_scratch((size_t)n, (size_t)list));
}

/* polar_decode(soft int32[n], frozen uint8[n], list, scratch uint8[], bits uint8[list, k], metric int64[list]) */
static PyObject *polar_decode(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *soft, *frozen, *scratch, *bits, *metric;
    Py_ssize_t list, k = 0;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOnOOO", &soft, &frozen, &list, &scratch, &bits, &metric)) return NULL;
    const int32_t *psoft = lk_input(&v, soft, 'i', LK_ANY, "soft");
    const Py_ssize_t n = lk_elements(&v);
    check_code(&v, n, list);
    const uint8_t *pfrozen = lk_input(&v, frozen, 'B', n, "frozen");
    if (v.refused) return NULL;
    for (Py_ssize_t i = 0; i < n; i++) k += pfrozen[i] == 0;
    const Py_ssize_t room = (Py_ssize_t)lk_polar_scratch((size_t)n, (size_t)list);
    uint8_t *pscratch = lk_output(&v, scratch, 'B', room, "scratch");
    uint8_t *pbits = lk_output(&v, bits, 'B', list * k, "bits");
    int64_t *pmetric = lk_output(&v, metric, 'q', list, "metric");
    LK_CALL(&v, polar_decode, psoft, pfrozen, (size_t)n, (size_t)list, pscratch, pbits, pmetric);
}

/* code_distance(words int64[count], table int64[8, 256, blocks], hard int64[observations, blocks], mask likewise,
 *               distance uint16[observations, count]) */
static PyObject *code_distance(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *words, *table, *hard, *mask, *distance;
    struct lk_views v = {.count = 0};
    if (!PyArg_ParseTuple(args, "OOOOO", &words, &table, &hard, &mask, &distance)) return NULL;
    const int64_t *pwords = lk_input(&v, words, 'q', LK_ANY, "words");
    const Py_ssize_t count = lk_elements(&v);
    const int64_t *phard = lk_input_of(&v, hard, 'q', 2, "hard");
    const Py_ssize_t observations = lk_axis(&v, 0), blocks = lk_axis(&v, 1);
    lk_range(&v, blocks, 1, LK_CODE_BLOCKS, "blocks of hard");
    const int64_t *ptable = lk_input(&v, table, 'q', lk_times(8 * 256, blocks), "table");
    const int64_t *pmask = lk_input(&v, mask, 'q', lk_times(observations, blocks), "mask");
    uint16_t *pdistance = lk_output(&v, distance, 'H', lk_times(observations, count), "distance");
    LK_CALL(&v, code_distance, pwords, (size_t)count, ptable, (size_t)blocks, phard, pmask, (size_t)observations,
            pdistance);
}

PyMethodDef lk_ecc_methods[] = {
    {"polar_scratch", polar_scratch, METH_VARARGS, "polar_scratch(n, list) -> bytes of scratch"},
    {"polar_decode", polar_decode, METH_VARARGS, "polar_decode(soft, frozen, list, scratch, bits, metric)"},
    {"code_distance", code_distance, METH_VARARGS, "code_distance(words, table, hard, mask, distance)"},
    {NULL, NULL, 0, NULL},
};
