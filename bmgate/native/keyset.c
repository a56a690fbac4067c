/* See keyset.h. `readers` counts the calls that work on the keys without the GIL; changes are refused meanwhile. */

#include "keyset.h"

#include "curve.h"
#include "digits.h"
#include "keystore.h"
#include "table.h"

#define CHANGING (-1) /* in `readers`: keys are being written */

typedef struct {
    PyObject_HEAD
    struct keystore store;
    struct workspace *spare;
    PyObject *table_type;
    unsigned long long zero_guards;
    int readers;
} KeySet;

/* Both need the GIL. */
static struct workspace *take_workspace(KeySet *self)
{
    struct workspace *workspace = self->spare;

    self->spare = NULL;
    if (workspace == NULL)
        workspace = workspace_alloc(&self->store);
    if (workspace == NULL)
        PyErr_NoMemory();
    return workspace;
}

static void give_back(KeySet *self, struct workspace *workspace)
{
    if (self->spare == NULL)
        self->spare = workspace;
    else
        workspace_free(&self->store, workspace);
}

static int refuse_while(const KeySet *self, int busy)
{
    if (busy)
        PyErr_SetString(PyExc_RuntimeError, self->readers == CHANGING ? "the keys are being changed" : "the keys are in use");
    return busy;
}

static PyObject *keyset_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"kernel", "width", "constant_time", NULL};
    const char *name;
    int width, constant_time;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "sip:KeySet", names, &name, &width, &constant_time))
        return NULL;
    const struct trial_kernel *kernel = keystore_kernel(name);
    if (kernel == NULL)
        return PyErr_Format(PyExc_ValueError, "this processor has no kernel '%s'", name);
    const int widest = constant_time ? TRIAL_MAX_CONSTANT_WIDTH : TRIAL_MAX_WIDTH;
    if (width < (int)TRIAL_MIN_WIDTH || width > widest)
        return PyErr_Format(PyExc_ValueError, "width %d, hoped for %d to %d", width, (int)TRIAL_MIN_WIDTH, widest);

    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    KeySet *self = (KeySet *)allocate(type, 0);
    if (self == NULL)
        return NULL;
    self->store = (struct keystore){.kernel = kernel, .filter = filter_choose(kernel->kernel.name), .width = (unsigned)width,
                                    .constant_time = constant_time};
    PyObject *module = PyType_GetModule(type);
    self->table_type = module == NULL ? NULL : PyObject_GetAttrString(module, "Table");
    if (self->table_type == NULL) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

static void keyset_dealloc(KeySet *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    keystore_clear(&self->store);
    workspace_free(&self->store, self->spare);
    Py_XDECREF(self->table_type);
    release(self);
    Py_DECREF((PyObject *)type);
}

static PyObject *no_memory_for_keys(KeySet *self)
{
    keystore_make_room(&self->store, self->store.count);
    return PyErr_NoMemory();
}

PyDoc_STRVAR(add_doc, "add(keys)\n--\n\n"
                      "Append private keys, 32 bytes each, big-endian. All or none: ValueError names the first that no batch\n"
                      "may hold: one that is no scalar, or 2 to 2^13 and even, or n minus such a number.");

static PyObject *keyset_add(KeySet *self, PyObject *argument)
{
    const unsigned char *key;
    size_t added, refused;
    Py_buffer keys;
    int failed = 0;

    if (PyObject_GetBuffer(argument, &keys, PyBUF_SIMPLE) < 0) /* may run Python code, and with it other threads */
        return NULL;
    if (refuse_while(self, self->readers != 0)) {
        PyBuffer_Release(&keys);
        return NULL;
    }
    added = (size_t)keys.len / KEY_SIZE;
    if (keys.len % KEY_SIZE != 0) {
        PyErr_Format(PyExc_ValueError, "%zd bytes are no whole number of keys", keys.len);
        PyBuffer_Release(&keys);
        return NULL;
    }
    self->readers = CHANGING;
    key = keys.buf;
    Py_BEGIN_ALLOW_THREADS
    for (refused = 0; refused < added && digits_accept(key + KEY_SIZE * refused); refused++)
        ;
    Py_END_ALLOW_THREADS
    if (refused == added)
        failed = keystore_make_room(&self->store, self->store.count + added);
    if (refused == added && !failed) {
        Py_BEGIN_ALLOW_THREADS
        for (size_t i = 0; i < added; i++)
            keystore_write(&self->store, self->store.count + i, key + KEY_SIZE * i);
        Py_END_ALLOW_THREADS
        self->store.count += added;
    }
    self->readers = 0;
    PyBuffer_Release(&keys);
    if (failed)
        return no_memory_for_keys(self);
    if (refused < added)
        return PyErr_Format(PyExc_ValueError, "key %zu cannot be tried in a batch", refused);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(remove_doc, "remove(index)\n--\n\nWipe one key; the last one moves into its place.");

static PyObject *keyset_remove(KeySet *self, PyObject *argument)
{
    Py_ssize_t index = PyNumber_AsSsize_t(argument, PyExc_IndexError);

    if ((index == -1 && PyErr_Occurred()) || refuse_while(self, self->readers != 0))
        return NULL;
    if (index < 0 || (size_t)index >= self->store.count)
        return PyErr_Format(PyExc_IndexError, "no key %zd among %zu", index, self->store.count);
    keystore_remove(&self->store, (size_t)index);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(recoded_doc, "recoded(width)\n--\n\nThe same keys in the same places, for tables of another width.");

static PyObject *keyset_recoded(KeySet *self, PyObject *argument)
{
    KeySet *other;

    PyObject *given = Py_BuildValue("(sOi)", self->store.kernel->kernel.name, argument, self->store.constant_time);
    if (given == NULL)
        return NULL;
    other = (KeySet *)keyset_new(Py_TYPE((PyObject *)self), given, NULL); /* may run Python code, and other threads */
    Py_DECREF(given);
    if (other == NULL)
        return NULL;
    if (refuse_while(self, self->readers == CHANGING)) {
        Py_DECREF((PyObject *)other);
        return NULL;
    }
    if (keystore_make_room(&other->store, self->store.count) < 0) {
        Py_DECREF((PyObject *)other);
        return PyErr_NoMemory();
    }
    self->readers++;
    Py_BEGIN_ALLOW_THREADS
    keystore_recode(&other->store, &self->store);
    Py_END_ALLOW_THREADS
    self->readers--;
    return (PyObject *)other;
}

PyDoc_STRVAR(table_doc, "table(point)\n--\n\n"
                        "The table for one message's ephemeral key, 64 bytes X || Y; ValueError when it is not on the curve.");

static PyObject *keyset_table(KeySet *self, PyObject *argument)
{
    uint64_t point[8];
    Py_buffer encoded;
    int failed = 0;

    if (PyObject_GetBuffer(argument, &encoded, PyBUF_SIMPLE) < 0)
        return NULL;
    const int valid = encoded.len == 64 && curve_read(point, encoded.buf);
    PyBuffer_Release(&encoded);
    if (!valid) {
        PyErr_SetString(PyExc_ValueError, "no point on the curve");
        return NULL;
    }
    struct workspace *workspace = take_workspace(self);
    if (workspace == NULL)
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot((PyTypeObject *)self->table_type, Py_tp_alloc);
    Table *made = (Table *)allocate((PyTypeObject *)self->table_type, 0);
    if (made != NULL) {
        Py_BEGIN_ALLOW_THREADS
        failed = keystore_table(&self->store, workspace, point, &made->table);
        Py_END_ALLOW_THREADS
    }
    give_back(self, workspace);
    if (failed) {
        Py_DECREF((PyObject *)made);
        return PyErr_NoMemory();
    }
    return (PyObject *)made;
}

/* The table that an argument is, if it fits these keys. */
static const struct trial_table *table_of(const KeySet *self, PyObject *argument)
{
    if (!PyObject_TypeCheck(argument, (PyTypeObject *)self->table_type)) {
        PyErr_SetString(PyExc_TypeError, "hoped for a Table");
        return NULL;
    }
    const struct trial_table *table = &((Table *)argument)->table;
    if (table->width != self->store.width || table->constant_time != self->store.constant_time) {
        PyErr_SetString(PyExc_ValueError, "the table was made for keys of another width or look-up");
        return NULL;
    }
    return table;
}

static PyObject *list_found(const struct found *found)
{
    PyObject *list = PyList_New((Py_ssize_t)found->count);

    for (size_t i = 0; list != NULL && i < found->count; i++) {
        const struct filter_hit *hit = &found->hits[i];
        PyObject *entry = Py_BuildValue("(ky#)", (unsigned long)hit->key, (const char *)hit->hash, (Py_ssize_t)sizeof hit->hash);
        if (entry == NULL || PyList_SetItem(list, (Py_ssize_t)i, entry) < 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

static PyObject *find_and_list(KeySet *self, const struct trial_table *table, const struct filter_query *query,
                               size_t begin, size_t end, const volatile unsigned char *stop)
{
    struct found found = {NULL, 0, 0};
    struct workspace *workspace = take_workspace(self);
    unsigned guards = 0;
    int failed;

    if (workspace == NULL)
        return NULL;
    self->readers++;
    Py_BEGIN_ALLOW_THREADS
    failed = keystore_find(&self->store, table, query, begin, end, stop, workspace, &found, &guards);
    Py_END_ALLOW_THREADS
    self->readers--;
    self->zero_guards += guards;
    give_back(self, workspace);
    PyObject *list = failed ? PyErr_NoMemory() : list_found(&found);
    found_clear(&found);
    return list;
}

PyDoc_STRVAR(candidates_doc,
             "candidates(table, iv, first, last_two, version_max, begin, end, stop)\n--\n\n"
             "Which of the keys begin to end - 1 may open a message: a list of (index, SHA-512 of the shared X), in order.\n\n"
             "`first` is the first block of the ciphertext, `last_two` its last two (of one block alone, the IV and it).\n"
             "The first byte of the plaintext is 1 to `version_max`, or anything when that is 0. `stop` is one byte that\n"
             "another thread may set to end the call before its next batch.");

static PyObject *keyset_candidates(KeySet *self, PyObject *args)
{
    Py_buffer iv, first, last_two, stop;
    Py_ssize_t begin, end;
    PyObject *table_object, *list = NULL;
    int version_max;

    if (!PyArg_ParseTuple(args, "Oy*y*y*innw*:candidates", &table_object, &iv, &first, &last_two, &version_max, &begin,
                          &end, &stop))
        return NULL;
    const struct trial_table *table = table_of(self, table_object);
    if (table == NULL || refuse_while(self, self->readers == CHANGING))
        goto release;
    if (iv.len != 16 || first.len != 16 || last_two.len != 32 || stop.len != 1)
        PyErr_SetString(PyExc_ValueError, "iv and first have 16 bytes, last_two has 32 and stop has 1");
    else if (version_max < 0 || version_max > 252)
        PyErr_Format(PyExc_ValueError, "version_max %d, hoped for 0 to 252", version_max);
    else if (begin < 0 || end < begin || (size_t)end > self->store.count)
        PyErr_Format(PyExc_IndexError, "keys %zd to %zd, of %zu", begin, end, self->store.count);
    else {
        struct filter_query query = {.version_max = (unsigned)version_max};
        memcpy(query.iv, iv.buf, sizeof query.iv);
        memcpy(query.first, first.buf, sizeof query.first);
        memcpy(query.last_two, last_two.buf, sizeof query.last_two);
        list = find_and_list(self, table, &query, (size_t)begin, (size_t)end, stop.buf);
    }
release:
    PyBuffer_Release(&iv);
    PyBuffer_Release(&first);
    PyBuffer_Release(&last_two);
    PyBuffer_Release(&stop);
    return list;
}

PyDoc_STRVAR(shared_x_doc, "shared_x(table)\n--\n\n"
                           "The shared X of every key, 32 bytes each, big-endian: for tests and benchmarks.");

static PyObject *keyset_shared_x(KeySet *self, PyObject *argument)
{
    const struct trial_table *table = table_of(self, argument);
    unsigned guards = 0;

    if (table == NULL || refuse_while(self, self->readers == CHANGING))
        return NULL;
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(self->store.count * 32));
    struct workspace *workspace = result == NULL ? NULL : take_workspace(self);
    if (workspace == NULL) {
        Py_XDECREF(result);
        return NULL;
    }
    unsigned char *encoded = (unsigned char *)PyBytes_AsString(result);
    self->readers++;
    Py_BEGIN_ALLOW_THREADS
    keystore_shared_x(&self->store, table, workspace, encoded, &guards);
    Py_END_ALLOW_THREADS
    self->readers--;
    self->zero_guards += guards;
    give_back(self, workspace);
    return result;
}

static Py_ssize_t keyset_length(KeySet *self)
{
    return (Py_ssize_t)self->store.count;
}

static PyObject *keyset_width(KeySet *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(self->store.width);
}

static PyObject *keyset_memory(KeySet *self, void *closure)
{
    (void)closure;
    return PyLong_FromSize_t(keystore_memory(&self->store));
}

static PyObject *keyset_zero_guards(KeySet *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLongLong(self->zero_guards);
}

static PyMethodDef keyset_methods[] = {
    {"add", (PyCFunction)(void (*)(void))keyset_add, METH_O, add_doc},
    {"remove", (PyCFunction)(void (*)(void))keyset_remove, METH_O, remove_doc},
    {"recoded", (PyCFunction)(void (*)(void))keyset_recoded, METH_O, recoded_doc},
    {"table", (PyCFunction)(void (*)(void))keyset_table, METH_O, table_doc},
    {"candidates", (PyCFunction)(void (*)(void))keyset_candidates, METH_VARARGS, candidates_doc},
    {"shared_x", (PyCFunction)(void (*)(void))keyset_shared_x, METH_O, shared_x_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef keyset_attributes[] = {
    {"width", (getter)(void (*)(void))keyset_width, NULL, "Bits of a digit.", NULL},
    {"memory", (getter)(void (*)(void))keyset_memory, NULL, "Bytes that the keys take.", NULL},
    {"zero_guards", (getter)(void (*)(void))keyset_zero_guards, NULL,
     "How often equal or opposite points met and a batch was repaired: anything but 0 is a bug.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(keyset_doc, "KeySet(kernel, width, constant_time)\n--\n\n"
                         "Private keys to try on each message, kept as digits of `width` bits.");

static PyType_Slot keyset_slots[] = {
    {Py_tp_doc, (void *)keyset_doc},       {Py_tp_new, (void *)keyset_new},
    {Py_tp_dealloc, (void *)keyset_dealloc}, {Py_tp_methods, keyset_methods},
    {Py_tp_getset, keyset_attributes},     {Py_sq_length, (void *)keyset_length},
    {0, NULL},
};

PyType_Spec keyset_spec = {
    .name = "bmgate.native._native.KeySet",
    .basicsize = sizeof(KeySet),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = keyset_slots,
};
