/* The fast path of pyquant/wire/decode.py: the same records from the same bytes, for files without a fault; of some tables,
   objects of other types in place of records. At whatever is out of the ordinary it gives up, and the Python decoder says
   what is wrong, or reads it. So each check here is one of those there. A function that returns NULL without an exception
   set gives up. */
#define Py_LIMITED_API 0x030A0000
#include <Python.h>
#include <stdbool.h>
#include <string.h>

enum { MOST_SLOTS = 64, MOST_TYPES = 16, BUCKETS = 256, DEEPEST = 32, MOST_ATTRIBUTES = 16 };

typedef struct table table;

typedef struct {
    PyObject *name;    /* this and the others are the schema's, which outlives a decoder */
    char code;         /* a struct format, or see _CODES of decode.py; 'm': a member's code; 'O': place outside; 0: none */
    int size;          /* bytes inline */
    PyObject *accepts; /* names of tables, of 't', 'T' and 'u' */
    table *target;     /* the only table of 't' and 'T', once it was met */
    PyObject *numbers; /* the whole file as an array of what 'n' has */
    PyObject *dtype;   /* of 'n' */
    int64_t item, alignment;
    int attribute; /* of the object that it becomes a part of, from 1; 0: it is one of the others */
} field;

/* An attribute of the objects that a table becomes. how: what a field's value becomes: 'v': itself; 'a': an array, which is
   not empty; 't', 'l': of int32 numbers, a tuple or a list; 'e': such a list, which is not empty but where the field is absent;
   'm': what `given` maps it to. Of no field: 'x': a dict of those that are no attributes; 'd': an empty dict. given: what it
   is where the field is absent; Ellipsis where it may not be. */
typedef struct {
    PyObject *descriptor, *given;
    descrsetfunc set;
    char how;
} attribute;

struct table {
    table *next;
    PyObject *name;
    PyTypeObject *type; /* of the objects that it becomes, or NULL for records */
    attribute attributes[MOST_ATTRIBUTES];
    int count; /* of attributes */
    int slots;
    field fields[]; /* by slot */
};

typedef struct {
    field *field;
    int offset, member; /* bytes from the start of the table; of the member's code, in front of a union */
} entry;

/* How to read the tables that share a vtable. */
typedef struct plan {
    struct plan *next;
    table *table;
    int64_t at;
    int size, count;
    entry entries[]; /* in the order of the record's fields: as they lie, then the unions */
} plan;

typedef struct {
    const unsigned char *data;
    int64_t size, end, budget, table_cost, vtable_cost;
    PyObject *bytes;                    /* (size,) uint8 */
    PyObject *schema, *forms, *outside; /* table -> rows; type -> form; table -> (bytes, offset, size), names of fields */
    PyObject *objects;                  /* table -> (type, (name, field or None, how, given) of each attribute) */
    PyObject *zero;
    PyTypeObject *record;
    PyObject *table_slot, *fields_slot;
    descrsetfunc set_slot;
    table *tables;
    plan *plans[BUCKETS];
    struct {
        PyObject *dtype, *numbers;
    } types[MOST_TYPES];
} decoder;

static uint32_t u16(const decoder *d, int64_t at) { return d->data[at] | (uint32_t)d->data[at + 1] << 8; }

static uint32_t u32(const decoder *d, int64_t at) { return u16(d, at) | u16(d, at + 2) << 16; }

static uint64_t u64(const decoder *d, int64_t at) { return u32(d, at) | (uint64_t)u32(d, at + 4) << 32; }

/* Bytes that are about to be read, and how many more their objects count. False where they may not be. */
static bool claim(decoder *d, int64_t start, int64_t size, int64_t more) {
    if (start + size > d->size || (d->budget -= size + more) < 0)
        return false;
    if (start + size > d->end)
        d->end = start + size;
    return true;
}

/* Whether a length, or the start of a table, may stand at a byte. */
static bool is_word(const decoder *d, int64_t at) { return !(at & 3) && at + 4 <= d->size; }

/* The length of the vector or string at a byte, or -1. */
static int64_t length_at(const decoder *d, int64_t at) { return is_word(d, at) ? (int64_t)u32(d, at) : -1; }

static PyObject *viewed(PyObject *bytes, int64_t start, int64_t size, PyObject *dtype) {
    PyObject *slice = PySequence_GetSlice(bytes, (Py_ssize_t)start, (Py_ssize_t)(start + size));
    PyObject *array = slice ? PyObject_CallMethod(slice, "view", "O", dtype) : NULL;
    Py_XDECREF(slice);
    return array;
}

/* The whole file as an array of a type. Number vectors are slices of it, made far faster than from the buffer. */
static PyObject *whole(decoder *d, PyObject *dtype, int64_t item) {
    for (int i = 0; i < MOST_TYPES; i++) {
        if (!d->types[i].dtype) {
            d->types[i].dtype = dtype;
            d->types[i].numbers = viewed(d->bytes, 0, d->size / item * item, dtype);
        }
        if (d->types[i].dtype == dtype)
            return d->types[i].numbers;
    }
    return NULL;
}

/* Take a row of the schema (name, slot, type, default, alignment) over. offset: a field's name. -1 on failure. */
static int take_row(decoder *d, table *made, PyObject *row, PyObject *offset) {
    long slot = PyLong_AsLong(PyTuple_GetItem(row, 1));
    PyObject *form = PyObject_GetItem(d->forms, PyTuple_GetItem(row, 2)), *dtype, *accepts;
    int code;
    Py_ssize_t item, alignment, size;
    if (!form)
        return -1;
    int taken = PyArg_ParseTuple(form, "CnOnnO", &code, &size, &dtype, &item, &alignment, &accepts);
    Py_DECREF(form); /* `forms` keeps it */
    if (!taken)
        return -1;
    field *f = &made->fields[slot];
    *f = (field){PyTuple_GetItem(row, 0), (char)code, (int)size, accepts, NULL, NULL, dtype, item, alignment, 0};
    if (offset && !PyUnicode_Compare(offset, f->name))
        f->code = 'O';
    if (code == 'u')
        f[-1] = (field){.code = 'm', .size = 1};
    if ((code == 'n' || code == 'o') && item == alignment)
        return (f->numbers = whole(d, dtype, item)) ? 0 : -1;
    return 0;
}

/* Take over what a table becomes, if not a record. -1 on failure. */
static int take_object(decoder *d, table *made) {
    PyObject *object = PyDict_GetItemWithError(d->objects, made->name), *name, *from;
    PyObject *attributes = object ? PyTuple_GetItem(object, 1) : NULL;
    const Py_ssize_t count = attributes ? PyTuple_Size(attributes) : 0;
    for (; made->count < count && made->count < MOST_ATTRIBUTES; made->count++) {
        attribute *a = &made->attributes[made->count];
        int how;
        if (!PyArg_ParseTuple(PyTuple_GetItem(attributes, made->count), "OOCO", &name, &from, &how, &a->given))
            return -1;
        a->how = (char)how;
        a->descriptor = PyObject_GetAttr(PyTuple_GetItem(object, 0), name);
        a->set = a->descriptor ? (descrsetfunc)PyType_GetSlot(Py_TYPE(a->descriptor), Py_tp_descr_set) : NULL;
        if (!a->set)
            return -1;
        for (field *f = made->fields; f < made->fields + made->slots; f++)
            if (from != Py_None && f->name && !PyUnicode_Compare(f->name, from))
                f->attribute = made->count + 1;
    }
    made->type = object ? (PyTypeObject *)PyTuple_GetItem(object, 0) : NULL;
    return made->count < count ? -1 : 0;
}

static table *table_of(decoder *d, PyObject *name) {
    for (table *t = d->tables; t; t = t->next)
        if (t->name == name || !PyUnicode_Compare(t->name, name))
            return t;
    PyObject *rows = PyDict_GetItemWithError(d->schema, name);
    Py_ssize_t count = rows ? PyTuple_Size(rows) : -1;
    if (count < 0)
        return NULL;
    long slots = count ? PyLong_AsLong(PyTuple_GetItem(PyTuple_GetItem(rows, count - 1), 1)) + 1 : 0; /* in slot order */
    if (slots < 0 || slots > MOST_SLOTS)
        return NULL;
    table *made = PyMem_Calloc(1, sizeof *made + (size_t)slots * sizeof *made->fields);
    if (!made)
        return (table *)PyErr_NoMemory();
    made->next = d->tables;
    made->name = name;
    made->slots = (int)slots;
    d->tables = made;
    PyObject *outside = PyDict_GetItemWithError(d->outside, name);
    PyObject *offset = outside ? PyTuple_GetItem(outside, 1) : NULL;
    for (Py_ssize_t i = 0; i < count; i++)
        if (take_row(d, made, PyTuple_GetItem(rows, i), offset))
            return NULL;
    return take_object(d, made) ? NULL : made;
}

/* The entries of a vtable by offset, at most one a slot. -1 where it has slots that the schema has not. */
static int read_vtable(const decoder *d, table *t, int64_t at, int length, entry *entries) {
    int count = 0;
    for (int slot = 0; slot < length / 2 - 2; slot++) {
        int offset = (int)u16(d, at + 4 + 2 * slot), place;
        if (!offset)
            continue;
        if (slot >= t->slots || !t->fields[slot].code)
            return -1;
        for (place = count++; place && entries[place - 1].offset > offset; place--)
            entries[place] = entries[place - 1];
        entries[place] = (entry){&t->fields[slot], offset, 0};
    }
    return count;
}

/* Put unions that have a member's code behind the other entries, in slot order. Returns how many entries there are. */
static int unions_last(table *t, entry *entries, int count) {
    int offsets[MOST_SLOTS] = {0}, kept = 0;
    for (int i = 0; i < count; i++) {
        offsets[entries[i].field - t->fields] = entries[i].offset;
        if (entries[i].field->code != 'u' && entries[i].field->code != 'm')
            entries[kept++] = entries[i];
    }
    for (int slot = 1; slot < t->slots; slot++)
        if (t->fields[slot].code == 'u' && offsets[slot - 1])
            entries[kept++] = (entry){&t->fields[slot], offsets[slot], offsets[slot - 1]};
    return kept;
}

static const plan *plan_of(decoder *d, table *t, int64_t at) {
    plan **bucket = &d->plans[((uint64_t)at / 2 + (uintptr_t)t / 64) % BUCKETS];
    for (plan *p = *bucket; p; p = p->next)
        if (p->at == at && p->table == t)
            return p;
    if (at < 0 || at & 1 || at + 4 > d->size)
        return NULL;
    int length = (int)u16(d, at), size = (int)u16(d, at + 2), end = 4;
    if (length < 4 || length & 1 || !claim(d, at, length, d->vtable_cost))
        return NULL;
    entry entries[MOST_SLOTS];
    int count = read_vtable(d, t, at, length, entries);
    if (count < 0)
        return NULL;
    for (int i = 0; i < count; i++) {
        int offset = entries[i].offset, bytes = entries[i].field->size;
        if (offset < end || offset % bytes % 4)
            return NULL;
        end = offset + bytes;
    }
    if (size < end)
        return NULL;
    count = unions_last(t, entries, count);
    plan *made = PyMem_Malloc(sizeof *made + (size_t)count * sizeof *entries);
    if (!made)
        return (plan *)PyErr_NoMemory();
    *made = (plan){*bucket, t, at, size, count};
    memcpy(made->entries, entries, (size_t)count * sizeof *entries);
    return *bucket = made;
}

static PyObject *read_table(decoder *d, int64_t at, table *t, int depth);

/* The length of a vector of `item` bytes each, which count `more` as objects, once it may be read; or -1. */
static int64_t vector(decoder *d, int64_t at, int64_t item, int64_t more) {
    int64_t count = length_at(d, at);
    return count >= 0 && claim(d, at, 4 + item * count, more * count) ? count : -1;
}

/* The length of a string, once it may be read; or -1. */
static int64_t string(decoder *d, int64_t at) {
    int64_t length = length_at(d, at);
    return length >= 0 && claim(d, at, 4 + length + 1, 0) && !d->data[at + 4 + length] ? length : -1;
}

static PyObject *read_string(decoder *d, int64_t at) {
    int64_t length = string(d, at);
    return length < 0 ? NULL
                      : PyUnicode_DecodeUTF8((const char *)d->data + at + 4, (Py_ssize_t)length, "surrogateescape");
}

static PyObject *read_strings(decoder *d, int64_t at) {
    int64_t count = vector(d, at, 4, d->table_cost);
    PyObject *list = count < 0 ? NULL : PyList_New((Py_ssize_t)count);
    for (int64_t i = 0; list && i < count; i++) {
        int64_t place = at + 4 + 4 * i, distance = u32(d, place), start = place + distance + 4;
        int64_t length = distance ? string(d, place + distance) : -1;
        Py_ssize_t first = (Py_ssize_t)start, last = (Py_ssize_t)(start + length);
        PyObject *item = length < 0 ? NULL : PySequence_GetSlice(d->bytes, first, last);
        if (!item || PyList_SetItem(list, (Py_ssize_t)i, item))
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *read_numbers(decoder *d, int64_t at, const field *f) {
    int64_t start = at + 4, count = start % f->alignment ? -1 : vector(d, at, f->item, 0);
    if (count < 0)
        return NULL;
    if (!f->numbers)
        return viewed(d->bytes, start, count * f->item, f->dtype);
    Py_ssize_t first = (Py_ssize_t)(start / f->item);
    return PySequence_GetSlice(f->numbers, first, first + (Py_ssize_t)count);
}

/* The same of int32, as a tuple or a list of whole numbers. */
static PyObject *read_integers(decoder *d, int64_t at, bool tuple) {
    int64_t count = vector(d, at, 4, 0);
    PyObject *made = count < 0 ? NULL : tuple ? PyTuple_New((Py_ssize_t)count) : PyList_New((Py_ssize_t)count);
    for (int64_t i = 0; made && i < count; i++) {
        PyObject *item = PyLong_FromLong((int32_t)u32(d, at + 4 + 4 * i));
        if (!item || (tuple ? PyTuple_SetItem : PyList_SetItem)(made, (Py_ssize_t)i, item))
            Py_CLEAR(made);
    }
    return made;
}

/* NumPy's own bool holds 0 and 1 only. */
static PyObject *read_bools(decoder *d, int64_t at, const field *f) {
    int64_t count = length_at(d, at);
    if (count < 0 || at + 4 + count > d->size)
        return NULL;
    for (int64_t i = 0; i < count; i++)
        if (d->data[at + 4 + i] > 1)
            return NULL;
    return read_numbers(d, at, f);
}

static PyObject *read_tables(decoder *d, int64_t at, table *t, int depth) {
    int64_t count = vector(d, at, 4, 0);
    PyObject *list = count < 0 ? NULL : PyList_New((Py_ssize_t)count);
    for (int64_t i = 0; list && i < count; i++) {
        int64_t place = at + 4 + 4 * i, distance = u32(d, place);
        PyObject *item = distance ? read_table(d, place + distance, t, depth) : NULL;
        if (!item || PyList_SetItem(list, (Py_ssize_t)i, item))
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *read_float(double value) {
    return value == value ? PyFloat_FromDouble(value) : NULL; /* what a NaN holds is for Python to keep */
}

static PyObject *read_scalar(const decoder *d, int64_t at, char code) {
    float f32;
    double f64;
    uint32_t word;
    uint64_t wide;
    switch (code) {
    case '?': return PyBool_FromLong(d->data[at]);
    case 'b': return PyLong_FromLong((int8_t)d->data[at]);
    case 'B': return PyLong_FromLong(d->data[at]);
    case 'h': return PyLong_FromLong((int16_t)u16(d, at));
    case 'H': return PyLong_FromLong((long)u16(d, at));
    case 'i': return PyLong_FromLong((int32_t)u32(d, at));
    case 'I': return PyLong_FromUnsignedLong(u32(d, at));
    case 'q': return at & 7 ? NULL : PyLong_FromLongLong((int64_t)u64(d, at));
    case 'Q': return at & 7 ? NULL : PyLong_FromUnsignedLongLong(u64(d, at));
    case 'O': return at & 7 || u64(d, at) > 1 ? NULL : PyLong_FromLong((long)u64(d, at));
    case 'f': word = u32(d, at); return memcpy(&f32, &word, 4), read_float(f32);
    case 'd': wide = u64(d, at); return at & 7 ? NULL : (memcpy(&f64, &wide, 8), read_float(f64));
    default: return NULL;
    }
}

static PyObject *read_reference(decoder *d, int64_t at, field *f, char how, int depth) {
    if (how == 't' || how == 'l' || how == 'e')
        return f->code == 'n' && f->item == 4 ? read_integers(d, at, how == 't') : NULL;
    if (f->code == 's')
        return read_string(d, at);
    if (f->code == 'S')
        return read_strings(d, at);
    if (f->code == 'n')
        return read_numbers(d, at, f);
    if (f->code == 'o')
        return read_bools(d, at, f);
    if (!f->target && !(f->target = table_of(d, PyTuple_GetItem(f->accepts, 0))))
        return NULL;
    return f->code == 't' ? read_table(d, at, f->target, depth) : read_tables(d, at, f->target, depth);
}

static PyObject *read_union(decoder *d, int64_t at, const field *f, int member, int depth) {
    table *t = table_of(d, PyTuple_GetItem(f->accepts, member - 1));
    return t ? read_table(d, at, t, depth) : NULL;
}

/* Read one field of the table at a byte. False on failure; a union without a member has no value. */
static bool read_field(decoder *d, int64_t at, const entry *e, char how, int depth, PyObject **value) {
    field *f = e->field;
    if (strchr("sSnotTu", f->code)) {
        int64_t place = at + e->offset, distance = e->offset ? u32(d, place) : 0;
        if (f->code == 'u') {
            int member = d->data[at + e->member];
            if (member > PyTuple_Size(f->accepts))
                return false;
            if (!member || !distance)
                return true;
            *value = read_union(d, place + distance, f, member, depth);
        } else
            *value = distance ? read_reference(d, place + distance, f, how, depth) : NULL;
    } else
        *value = read_scalar(d, at + e->offset, f->code);
    return *value;
}

static PyObject *record(decoder *d, PyObject *name, PyObject *values) {
    PyObject *made = PyType_GenericAlloc(d->record, 0);
    if (made && (d->set_slot(d->table_slot, made, name) || d->set_slot(d->fields_slot, made, values)))
        Py_CLEAR(made);
    return made;
}

/* What an attribute becomes of a field's value, which it takes over, or of none. rest: the fields that are no attributes. */
static PyObject *attribute_of(const decoder *d, const attribute *a, PyObject *value, PyObject *rest) {
    PyObject *made = NULL;
    switch (a->how) {
    case 'd': return PyDict_New();
    case 'e':
        if (!value)
            return PyList_New(0);
        made = PyObject_Size(value) > 0 ? value : NULL;
        break;
    case 'x': made = rest; break;
    case 'm': made = PyDict_GetItemWithError(a->given, value ? value : d->zero); break;
    case 'a': made = !value ? a->given : PyObject_Size(value) > 0 ? value : NULL; break;
    default: made = value ? value : a->given != Py_Ellipsis ? a->given : NULL;
    }
    Py_XINCREF(made);
    Py_XDECREF(value);
    return made;
}

/* An object of the values of its fields, which it takes over. */
static PyObject *object(const decoder *d, const table *t, PyObject **values, PyObject *rest) {
    PyObject *made = PyType_GenericAlloc(t->type, 0);
    for (int i = 0; i < t->count; i++) {
        PyObject *value = attribute_of(d, &t->attributes[i], values[i], rest);
        if (made && (!value || t->attributes[i].set(t->attributes[i].descriptor, made, value)))
            Py_CLEAR(made);
        Py_XDECREF(value);
    }
    return made;
}

static PyObject *read_table(decoder *d, int64_t at, table *t, int depth) {
    if (depth > DEEPEST || !is_word(d, at))
        return NULL;
    const plan *p = plan_of(d, t, at - (int32_t)u32(d, at));
    PyObject *values[MOST_ATTRIBUTES] = {NULL}, *rest = p && claim(d, at, p->size, d->table_cost) ? PyDict_New() : NULL;
    bool done = rest;
    for (int i = 0; done && i < p->count; i++) {
        const int attribute = p->entries[i].field->attribute;
        PyObject *value = NULL;
        done = read_field(d, at, &p->entries[i], attribute ? t->attributes[attribute - 1].how : 0, depth + 1, &value);
        if (attribute)
            values[attribute - 1] = value;
        else {
            done = done && (!value || !PyDict_SetItem(rest, p->entries[i].field->name, value));
            Py_XDECREF(value);
        }
    }
    PyObject *made = !done ? NULL : t->type ? object(d, t, values, rest) : record(d, t->name, rest);
    for (int i = 0; !done && i < t->count; i++)
        Py_XDECREF(values[i]);
    Py_XDECREF(rest);
    return made;
}

/* The file's bytes, the slots of a record. False on failure. */
static bool begin(decoder *d) {
    PyObject *interface = PyObject_GetAttrString(d->bytes, "__array_interface__");
    PyObject *data = interface ? PyMapping_GetItemString(interface, "data") : NULL;
    d->data = data ? PyLong_AsVoidPtr(PyTuple_GetItem(data, 0)) : NULL;
    d->size = PyObject_Size(d->bytes);
    Py_XDECREF(data);
    Py_XDECREF(interface);
    d->table_slot = PyObject_GetAttrString((PyObject *)d->record, "table");
    d->fields_slot = PyObject_GetAttrString((PyObject *)d->record, "fields");
    d->zero = PyLong_FromLong(0);
    if (!d->data || !d->table_slot || !d->fields_slot || !d->zero)
        return false;
    d->set_slot = (descrsetfunc)PyType_GetSlot(Py_TYPE(d->fields_slot), Py_tp_descr_set);
    return d->set_slot && d->size >= 8;
}

static void end(decoder *d) {
    for (int i = 0; i < BUCKETS; i++)
        for (plan *p = d->plans[i], *next; p; p = next) {
            next = p->next;
            PyMem_Free(p);
        }
    for (table *t = d->tables, *next; t; t = next) {
        next = t->next;
        for (int i = 0; i < MOST_ATTRIBUTES; i++)
            Py_XDECREF(t->attributes[i].descriptor);
        PyMem_Free(t);
    }
    for (int i = 0; i < MOST_TYPES; i++)
        Py_XDECREF(d->types[i].numbers);
    Py_XDECREF(d->table_slot);
    Py_XDECREF(d->fields_slot);
    Py_XDECREF(d->zero);
}

static PyObject *decode(PyObject *module, PyObject *arguments) {
    (void)module;
    decoder d = {.end = 8};
    PyObject *root, *type;
    long long budget, table_cost, vtable_cost;
    if (!PyArg_ParseTuple(arguments, "OUOOOOOLLL", &d.bytes, &root, &d.schema, &d.forms, &d.outside, &type, &d.objects,
                          &budget, &table_cost, &vtable_cost))
        return NULL;
    d.record = (PyTypeObject *)type;
    d.budget = budget;
    d.table_cost = table_cost;
    d.vtable_cost = vtable_cost;
    table *t = begin(&d) ? table_of(&d, root) : NULL;
    PyObject *made = t ? read_table(&d, u32(&d, 0), t, 0) : NULL;
    end(&d);
    if (made)
        return Py_BuildValue("NL", made, (long long)d.end);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"decode", decode, METH_VARARGS,
     "decode(bytes, root, schema, forms, outside, record, objects, budget, table_cost, vtable_cost)"
     " -> (record, end) or None"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_decode", .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit__decode(void) { return PyModuleDef_Init(&module); }
