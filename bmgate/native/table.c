#include "table.h"

#include "keystore.h"

static void table_dealloc(Table *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    keystore_free_table(&self->table);
    release(self);
    Py_DECREF((PyObject *)type);
}

static PyType_Slot table_slots[] = {
    {Py_tp_doc, "Odd multiples of one message's ephemeral key; KeySet.table() makes it."},
    {Py_tp_dealloc, (void *)table_dealloc},
    {0, NULL},
};

PyType_Spec table_spec = {
    .name = "bmgate.native._native.Table",
    .basicsize = sizeof(Table),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = table_slots,
};
