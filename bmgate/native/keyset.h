/* The Python type KeySet: batch trial decryption as bmgate.bm.trial uses it. */
#ifndef BMGATE_KEYSET_H
#define BMGATE_KEYSET_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyType_Spec keyset_spec;

#endif
