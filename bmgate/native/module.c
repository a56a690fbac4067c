/* The Python face of the native kernels, on the limited API of CPython 3.11. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "pow.h"

PyDoc_STRVAR(search_doc,
             "search(initial_hash, target, start, count, stop)\n--\n\n"
             "Try `count` nonces from `start` on; see bmgate.native.hashlib_search, which does the same.");

/* start + tried as a Python int, also where that is 2^64. */
static PyObject *nonce_after(uint64_t start, uint64_t tried)
{
    uint64_t next = start + tried;
    if (next >= start)
        return PyLong_FromUnsignedLongLong(next);
    return PyLong_FromString("18446744073709551616", NULL, 10);
}

static PyObject *search_in(Py_buffer *initial_hash, Py_buffer *stop, const uint64_t numbers[3])
{
    struct pow_search search;
    uint64_t target = numbers[0], start = numbers[1], count = numbers[2], tried;
    int hit;

    if (initial_hash->len != 64 || stop->len != 1) {
        PyErr_SetString(PyExc_ValueError, "initial_hash has 64 bytes and stop has 1");
        return NULL;
    }
    if (count > 0 && count - 1 > UINT64_MAX - start)
        count = UINT64_MAX - start + 1;
    pow_prepare(&search, initial_hash->buf, target);
    Py_BEGIN_ALLOW_THREADS
    tried = pow_run(&search, start, count, stop->buf, &hit);
    Py_END_ALLOW_THREADS

    PyObject *next = nonce_after(start, tried);
    if (next == NULL)
        return NULL;
    if (hit)
        return Py_BuildValue("(KN)", (unsigned long long)(start + tried - 1), next);
    return Py_BuildValue("(ON)", Py_None, next);
}

static PyObject *native_search(PyObject *self, PyObject *args)
{
    Py_buffer initial_hash, stop;
    PyObject *given[3], *result = NULL;
    uint64_t numbers[3];

    (void)self;
    if (!PyArg_ParseTuple(args, "y*OOOw*:search", &initial_hash, &given[0], &given[1], &given[2], &stop))
        return NULL;
    for (int i = 0; i < 3; i++) {
        numbers[i] = PyLong_AsUnsignedLongLong(given[i]);
        if (PyErr_Occurred())
            goto release;
    }
    result = search_in(&initial_hash, &stop, numbers);
release:
    PyBuffer_Release(&initial_hash);
    PyBuffer_Release(&stop);
    return result;
}

static PyMethodDef methods[] = {
    {"search", native_search, METH_VARARGS, search_doc},
    {NULL, NULL, 0, NULL},
};

static int fill_module(PyObject *module)
{
    return PyModule_AddStringConstant(module, "BUILD", BMGATE_BUILD_DIGEST);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, fill_module},
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "bmgate.native._native",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
