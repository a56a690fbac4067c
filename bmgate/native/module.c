/* The Python face of the native kernels, on the limited API of CPython 3.11. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "cpu.h"
#include "filter.h"
#include "keyset.h"
#include "keystore.h"
#include "pow.h"
#include "table.h"

PyDoc_STRVAR(search_doc,
             "search(kernel, initial_hash, target, start, count, stop)\n--\n\n"
             "Try `count` nonces from `start` on; see bmgate.native.hashlib_search, which does the same.");
PyDoc_STRVAR(pow_kernels_doc, "pow_kernels()\n--\n\nKernels of `search` that this processor runs, fastest first.");
PyDoc_STRVAR(trial_kernels_doc, "trial_kernels()\n--\n\nKernels of KeySet that this processor runs, fastest first.");
PyDoc_STRVAR(aes_doc,
             "aes(trial_kernel)\n--\n\nThe AES instructions that a KeySet of this kernel filters with, or none.");

/* start + tried as a Python int, also where that is 2^64. */
static PyObject *nonce_after(uint64_t start, uint64_t tried)
{
    uint64_t next = start + tried;
    if (next >= start)
        return PyLong_FromUnsignedLongLong(next);
    return PyLong_FromString("18446744073709551616", NULL, 10);
}

/* The fastest usable kernel of that name, or NULL with an exception set. */
static pow_run *find_kernel(const char *name)
{
    for (const struct pow_kernel *row = POW_KERNELS; row->run != NULL; row++)
        if (strcmp(row->kernel.name, name) == 0 && cpu_has(row->kernel.needs))
            return row->run;
    PyErr_Format(PyExc_ValueError, "this processor has no kernel '%s'", name);
    return NULL;
}

static PyObject *search_in(pow_run *run, Py_buffer *initial_hash, Py_buffer *stop, const uint64_t numbers[3])
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
    tried = run(&search, start, count, stop->buf, &hit);
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
    const char *kernel;
    Py_buffer initial_hash, stop;
    PyObject *given[3], *result = NULL;
    uint64_t numbers[3];

    (void)self;
    if (!PyArg_ParseTuple(args, "sy*OOOw*:search", &kernel, &initial_hash, &given[0], &given[1], &given[2], &stop))
        return NULL;
    for (int i = 0; i < 3; i++) {
        numbers[i] = PyLong_AsUnsignedLongLong(given[i]);
        if (PyErr_Occurred())
            goto release;
    }
    pow_run *run = find_kernel(kernel);
    if (run != NULL)
        result = search_in(run, &initial_hash, &stop, numbers);
release:
    PyBuffer_Release(&initial_hash);
    PyBuffer_Release(&stop);
    return result;
}

/* Appends the kernel's name where the processor runs it and the list has not got it; -1 with an exception set. */
static int append_usable(PyObject *names, const struct kernel *kernel)
{
    if (!cpu_has(kernel->needs))
        return 0;
    PyObject *name = PyUnicode_FromString(kernel->name);
    int there = name == NULL ? -1 : PySequence_Contains(names, name);
    if (there == 0)
        there = PyList_Append(names, name);
    Py_XDECREF(name);
    return there < 0 ? -1 : 0;
}

static PyObject *as_tuple(PyObject *names, int failed)
{
    PyObject *tuple = failed ? NULL : PyList_AsTuple(names);

    Py_DECREF(names);
    return tuple;
}

static PyObject *native_pow_kernels(PyObject *self, PyObject *unused)
{
    PyObject *names = PyList_New(0);
    int failed = 0;

    (void)self, (void)unused;
    if (names == NULL)
        return NULL;
    for (const struct pow_kernel *row = POW_KERNELS; row->run != NULL && !failed; row++)
        failed = append_usable(names, &row->kernel);
    return as_tuple(names, failed);
}

static PyObject *native_trial_kernels(PyObject *self, PyObject *unused)
{
    PyObject *names = PyList_New(0);
    int failed = 0;

    (void)self, (void)unused;
    if (names == NULL)
        return NULL;
    for (const struct trial_kernel *const *row = TRIAL_KERNELS; *row != NULL && !failed; row++)
        failed = append_usable(names, &(*row)->kernel);
    return as_tuple(names, failed);
}

static PyObject *native_aes(PyObject *self, PyObject *args)
{
    const char *trial_kernel;

    (void)self;
    if (!PyArg_ParseTuple(args, "s:aes", &trial_kernel))
        return NULL;
    return PyUnicode_FromString(filter_choose(trial_kernel)->aes);
}

static PyMethodDef methods[] = {
    {"search", native_search, METH_VARARGS, search_doc},
    {"pow_kernels", native_pow_kernels, METH_NOARGS, pow_kernels_doc},
    {"trial_kernels", native_trial_kernels, METH_NOARGS, trial_kernels_doc},
    {"aes", native_aes, METH_VARARGS, aes_doc},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    int added = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);

    Py_XDECREF(type);
    return added;
}

static int fill_module(PyObject *module)
{
    if (PyModule_AddStringConstant(module, "BUILD", BMGATE_BUILD_DIGEST) < 0 || add_type(module, &table_spec) < 0)
        return -1;
    return add_type(module, &keyset_spec);
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
