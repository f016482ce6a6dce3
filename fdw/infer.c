/*
 * infer.c: see infer.h.
 *
 * Every sampled value is tried as a MessagePack map and as a JSON object; a format is chosen if all of
 * them are that.  A column's type is the narrowest that reads all that was met under its name.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "fdw/compat.h"
#include "fdw/infer.h"
#include "fdw/value_json.h"
#include "fdw/value_msgpack.h"

/* A sample is at most so many rows, and ends with the row that brings it to so many bytes. */
#define INFER_ROWS_MAX    200u
#define INFER_BYTES_MAX   (4u * 1024 * 1024)
/* Members that become columns. */
#define INFER_COLUMNS_MAX 500

/* What was met under a name. */
enum {
    INFER_BOOL = 1,
    INFER_INT = 2,    /* an int64 */
    INFER_NUMBER = 4, /* an integer beyond that; in JSON any other number, too */
    INFER_FLOAT = 8,  /* MessagePack only */
    INFER_STRING = 16,
    INFER_BYTES = 32,  /* MessagePack only */
    INFER_NESTED = 64, /* arrays, objects, and MessagePack's extensions */
};

typedef struct InferColumn {
    char *name;
    int met;
} InferColumn;

typedef struct InferFormat {
    bool fits; /* so far */
    List *columns;
} InferFormat;

typedef struct Infer {
    const char *keyspace;
    uint32 rows;
    uint64 bytes;
    bool has_sort_key;
    bool keys_are_text, values_are_text;
    InferFormat row, json;
    MemoryContext context; /* of all that stays */
} Infer;

/* ---- one row ---- */

static void infer_add(Infer *infer, InferFormat *format, const char *name, int met)
{
    MemoryContext old;
    InferColumn *column;
    ListCell *cell;

    foreach (cell, format->columns) {
        column = lfirst(cell);
        if (strcmp(column->name, name) == 0) {
            column->met |= met;
            return;
        }
    }
    if (list_length(format->columns) == INFER_COLUMNS_MAX)
        return;
    old = MemoryContextSwitchTo(infer->context);
    column = palloc0(sizeof *column);
    column->name = pstrdup(name);
    column->met = met;
    format->columns = lappend(format->columns, column);
    MemoryContextSwitchTo(old);
}

/* UTF-8 without control characters, as people write. */
static bool infer_is_text(struct dynkv_slice bytes)
{
    size_t i;

    for (i = 0; i < bytes.len; i++)
        if (bytes.data[i] < 0x20 && !strchr("\t\n\r", bytes.data[i]))
            return false;
    return memchr(bytes.data, 0, bytes.len) == NULL &&
           pg_verify_mbstr(PG_UTF8, (const char *)bytes.data, (int)bytes.len, true);
}

static int infer_msgpack_kind(const DynkvMsgpackItem *item)
{
    switch (item->kind) {
    case DYNKV_MSGPACK_NIL:
        return 0;
    case DYNKV_MSGPACK_BOOL:
        return INFER_BOOL;
    case DYNKV_MSGPACK_INT:
        return INFER_INT;
    case DYNKV_MSGPACK_UINT:
        return INFER_NUMBER;
    case DYNKV_MSGPACK_FLOAT:
        return INFER_FLOAT;
    case DYNKV_MSGPACK_STR:
        return INFER_STRING;
    case DYNKV_MSGPACK_BIN:
        return INFER_BYTES;
    default:
        return INFER_NESTED;
    }
}

/* False: it is no map of names to values, and nothing else. */
static bool infer_msgpack(Infer *infer, struct dynkv_slice value)
{
    struct dynkv_cursor in = dynkv_cursor(value);
    DynkvMsgpackItem item;
    uint32 pairs;

    if (!dynkv_msgpack_next(&in, &item) || item.kind != DYNKV_MSGPACK_MAP)
        return false;
    for (pairs = item.as.count; pairs > 0; pairs--) {
        char *name;

        if (!dynkv_msgpack_next(&in, &item) || item.kind != DYNKV_MSGPACK_STR ||
            !infer_is_text(item.bytes))
            return false;
        name = dynkv_catalog_string(item.bytes);
        if (!dynkv_msgpack_next(&in, &item))
            return false;
        infer_add(infer, &infer->row, name, infer_msgpack_kind(&item));
        if (!dynkv_msgpack_skip_content(&in, &item))
            return false;
    }
    return in.at == in.end;
}

static bool infer_is_int64(const char *number)
{
    char *end;

    if (number[strcspn(number, ".eE")] != '\0')
        return false;
    errno = 0;
    (void)strtoll(number, &end, 10);
    return errno == 0 && *end == '\0';
}

static void infer_visit_json(void *state, const DynkvJsonMember *member)
{
    Infer *infer = state;
    int met = INFER_NESTED;

    switch (member->type) {
    case JSON_TOKEN_NULL:
        met = 0;
        break;
    case JSON_TOKEN_TRUE:
    case JSON_TOKEN_FALSE:
        met = INFER_BOOL;
        break;
    case JSON_TOKEN_NUMBER:
        met = infer_is_int64(member->text) ? INFER_INT : INFER_NUMBER;
        break;
    case JSON_TOKEN_STRING:
        met = INFER_STRING;
        break;
    default:
        break;
    }
    infer_add(infer, &infer->json, member->name, met);
}

static bool infer_json(Infer *infer, struct dynkv_slice value)
{
    if (!pg_verify_mbstr(PG_UTF8, (const char *)value.data, (int)value.len, true))
        return false;
    return dynkv_json_each(dynkv_catalog_string(value), infer_visit_json, infer) == NULL;
}

static void infer_row(Infer *infer, const struct dynkv_key_ref *key, struct dynkv_slice value)
{
    infer->rows++;
    infer->bytes += key->key.len + value.len;
    infer->has_sort_key |= key->partition_len != key->key.len;
    infer->keys_are_text = infer->keys_are_text && infer_is_text(key->key);
    infer->values_are_text = infer->values_are_text && infer_is_text(value);
    infer->row.fits = infer->row.fits && infer_msgpack(infer, value);
    infer->json.fits = infer->json.fits && infer_json(infer, value);
}

static void infer_sample(Infer *infer, DynkvCatalog *catalog, uint64 id)
{
    MemoryContext row_context =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv infer row", ALLOCSET_DEFAULT_SIZES);
    DynkvCatalogScan scan;
    struct dynkv_key_ref key;
    struct dynkv_slice value;

    dynkv_catalog_scan(catalog, id, INFER_ROWS_MAX, &scan);
    while (infer->bytes < INFER_BYTES_MAX && dynkv_catalog_scan_next(&scan, &key, &value)) {
        MemoryContext old = MemoryContextSwitchTo(row_context);

        infer_row(infer, &key, value);
        MemoryContextSwitchTo(old);
        MemoryContextReset(row_context);
    }
    dynkv_catalog_scan_close(&scan);
    MemoryContextDelete(row_context);
}

/* ---- from what was met to types ---- */

/* NULL: no type reads all of it. */
static const char *infer_row_type(int met)
{
    switch (met) {
    case 0:
    case INFER_STRING:
        return "text";
    case INFER_BOOL:
        return "boolean";
    case INFER_INT:
        return "bigint";
    case INFER_NUMBER:
    case INFER_INT | INFER_NUMBER:
        return "numeric";
    case INFER_FLOAT:
    case INFER_FLOAT | INFER_INT:
    case INFER_FLOAT | INFER_NUMBER:
    case INFER_FLOAT | INFER_INT | INFER_NUMBER:
        return "double precision";
    case INFER_BYTES:
        return "bytea";
    default:
        return NULL;
    }
}

static const char *infer_json_type(int met)
{
    switch (met) {
    case 0:
    case INFER_STRING:
        return "text";
    case INFER_BOOL:
        return "boolean";
    case INFER_INT:
        return "bigint";
    case INFER_NUMBER:
    case INFER_INT | INFER_NUMBER:
        return "numeric";
    default:
        return "jsonb"; /* reads any member */
    }
}

static bool infer_has_column(const DynkvDefinition *definition, const char *name)
{
    ListCell *cell;

    foreach (cell, definition->columns)
        if (strcmp(((DynkvColumnDefinition *)lfirst(cell))->name, name) == 0)
            return true;
    return false;
}

static DynkvColumnDefinition *infer_add_column(DynkvDefinition *definition, const char *name,
                                               const char *type)
{
    DynkvColumnDefinition *column = palloc0(sizeof *column);

    column->name = pstrdup(name);
    column->type = pstrdup(type);
    definition->columns = lappend(definition->columns, column);
    return column;
}

static bool infer_has_member(List *members, const char *name)
{
    ListCell *cell;

    foreach (cell, members)
        if (strcmp(((InferColumn *)lfirst(cell))->name, name) == 0)
            return true;
    return false;
}

/* The key comes first: "key", or "key_" and so on if a member is called that. */
static void infer_add_key(const Infer *infer, DynkvDefinition *definition, List *members)
{
    char *name = pstrdup("key");
    DynkvColumnDefinition *column;

    while (infer_has_member(members, name))
        name = psprintf("%s_", name);
    column = infer_add_column(definition, name, infer->keys_are_text ? "text" : "bytea");
    if (infer->keys_are_text)
        column->collation = pstrdup("pg_catalog.\"C\"");
    column->not_null = true;
    dynkv_definition_add_option(&definition->options, "partition_key", quote_identifier(name));
}

static void infer_add_member(const Infer *infer, DynkvDefinition *definition,
                             const InferColumn *member, const char *type)
{
    char *name = pnstrdup(
        member->name, (Size)pg_mbcliplen(member->name, (int)strlen(member->name), NAMEDATALEN - 1));
    DynkvColumnDefinition *column;
    const char *problem = !type                                ? "has values of several types"
                          : !name[0]                           ? "has an empty name"
                          : infer_has_column(definition, name) ? "has too long a name"
                                                               : NULL;

    if (problem) {
        ereport(NOTICE, (errmsg("member \"%s\" of keyspace \"%s\" %s, and is left out",
                                member->name, infer->keyspace, problem)));
        return;
    }
    column = infer_add_column(definition, name, type);
    if (strcmp(name, member->name) != 0)
        dynkv_definition_add_option(&column->options, "column_name", member->name);
}

static DynkvDefinition *infer_define(const Infer *infer)
{
    DynkvDefinition *definition = palloc0(sizeof *definition);
    bool is_json = infer->json.fits;
    List *members = is_json ? infer->json.columns : infer->row.fits ? infer->row.columns : NIL;
    ListCell *cell;

    definition->table = pstrdup(infer->keyspace);
    dynkv_definition_add_option(&definition->options, "keyspace", infer->keyspace);
    infer_add_key(infer, definition, members);
    foreach (cell, members) {
        const InferColumn *member = lfirst(cell);

        infer_add_member(infer, definition, member,
                         is_json ? infer_json_type(member->met) : infer_row_type(member->met));
    }
    if (is_json || !infer->row.fits)
        dynkv_definition_add_option(&definition->options, "format", is_json ? "json" : "raw");
    if (!is_json && !infer->row.fits)
        (void)infer_add_column(definition, "value", infer->values_are_text ? "text" : "bytea");
    return definition;
}

DynkvDefinition *dynkv_infer(DynkvCatalog *catalog, const char *keyspace, uint64 id)
{
    Infer infer = {
        .keyspace = keyspace,
        .keys_are_text = true,
        .values_are_text = true,
        .row = {.fits = true},
        .json = {.fits = true},
        .context = CurrentMemoryContext,
    };

    infer_sample(&infer, catalog, id);
    if (infer.rows == 0) {
        ereport(NOTICE, (errmsg("keyspace \"%s\" has no rows, and is left out", keyspace)));
        return NULL;
    }
    if (infer.has_sort_key) {
        ereport(
            NOTICE,
            (errmsg("keyspace \"%s\" has keys of several columns, and is left out", keyspace),
             errdetail("Which columns they have cannot be seen."),
             errhint("Publish a table of it with dynkv_publish_table(), where one is defined.")));
        return NULL;
    }
    return infer_define(&infer);
}
