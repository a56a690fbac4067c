/* The Python type Table, which only KeySet.table() makes: it frees a trial_table, and has no methods. */
#ifndef BMGATE_TABLE_H
#define BMGATE_TABLE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "trial.h"

typedef struct {
    PyObject_HEAD
    struct trial_table table;
} Table;

extern PyType_Spec table_spec;

#endif
