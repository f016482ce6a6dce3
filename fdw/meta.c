/* meta.c: which columns they are, and what they show. */
#include "postgres.h"

#include <inttypes.h>

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "fdw/compat.h"
#include "fdw/meta.h"
#include "fdw/moment.h"
#include "fdw/option.h"
#include "model/clock.h"
#include "wire/message.h"

const char *const dynkv_meta_names[DYNKV_META_KINDS + 1] = {
    "version", "siblings", "expires_at", "modified_at", "node", NULL,
};

/* ---- which columns ---- */

typedef struct MetaType {
    Oid types[2];
    const char *text;
} MetaType;

static const MetaType meta_types[DYNKV_META_KINDS] = {
    [DYNKV_META_VERSION] = {{TEXTOID, BYTEAOID}, "text or bytea"},
    [DYNKV_META_SIBLINGS] = {{INT4OID, INT8OID}, "integer or bigint"},
    [DYNKV_META_EXPIRES_AT] = {{TIMESTAMPTZOID}, "timestamp with time zone"},
    [DYNKV_META_MODIFIED_AT] = {{TIMESTAMPTZOID}, "timestamp with time zone"},
    [DYNKV_META_NODE] = {{TEXTOID}, "text"},
};

static DynkvMetaKind meta_kind(const char *name)
{
    int kind = 0;

    while (kind < DYNKV_META_KINDS && strcmp(name, dynkv_meta_names[kind]) != 0)
        kind++;
    if (kind == DYNKV_META_KINDS)
        elog(ERROR, "unknown meta column \"%s\"", name); /* the validator lets none pass */
    return (DynkvMetaKind)kind;
}

static void meta_check_type(Relation rel, Form_pg_attribute att, DynkvMetaKind kind)
{
    const MetaType *type = &meta_types[kind];
    const char *column = NameStr(att->attname);

    /* Values have milliseconds, which a column of fewer digits could not hold as they are. */
    if ((att->atttypid != type->types[0] && att->atttypid != type->types[1]) ||
        (att->atttypid == TIMESTAMPTZOID && att->atttypmod >= 0 && att->atttypmod < 3))
        ereport(
            ERROR,
            (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
             errmsg("column \"%s\" of foreign table \"%s\" has type %s, and option meta '%s' "
                    "needs %s",
                    column, RelationGetRelationName(rel),
                    format_type_with_typemod(att->atttypid, att->atttypmod), dynkv_meta_names[kind],
                    type->text),
             errhint("ALTER FOREIGN TABLE %s ALTER COLUMN %s TYPE ...;",
                     quote_identifier(RelationGetRelationName(rel)), quote_identifier(column))));
    if (att->attnotnull && kind != DYNKV_META_EXPIRES_AT)
        ereport(
            ERROR,
            (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
             errmsg("column \"%s\" of foreign table \"%s\" is NOT NULL, and shows meta '%s', "
                    "which a row has only once it is written",
                    column, RelationGetRelationName(rel), dynkv_meta_names[kind]),
             errhint("ALTER FOREIGN TABLE %s ALTER COLUMN %s DROP NOT NULL;",
                     quote_identifier(RelationGetRelationName(rel)), quote_identifier(column))));
}

static void meta_add(DynkvMeta *meta, Relation rel, Form_pg_attribute att, DynkvMetaKind kind)
{
    TupleDesc desc = RelationGetDescr(rel);

    meta_check_type(rel, att, kind);
    if (meta->attnos[kind])
        ereport(
            ERROR,
            (errcode(ERRCODE_FDW_INVALID_COLUMN_NUMBER),
             errmsg("columns \"%s\" and \"%s\" of foreign table \"%s\" both have the option "
                    "meta '%s'",
                    NameStr(TupleDescAttr(desc, meta->attnos[kind] - 1)->attname),
                    NameStr(att->attname), RelationGetRelationName(rel), dynkv_meta_names[kind]),
             errhint("ALTER FOREIGN TABLE %s DROP COLUMN %s;",
                     quote_identifier(RelationGetRelationName(rel)),
                     quote_identifier(NameStr(att->attname)))));
    meta->attnos[kind] = att->attnum;
    meta->types[kind] = att->atttypid;
    meta->columns = bms_add_member(meta->columns, att->attnum);
}

DynkvMeta *dynkv_meta_create(Relation rel)
{
    DynkvMeta *meta = palloc0(sizeof *meta);
    TupleDesc desc = RelationGetDescr(rel);

    for (int i = 0; i < desc->natts; i++) {
        Form_pg_attribute att = TupleDescAttr(desc, i);
        const char *name = att->attisdropped ? NULL : dynkv_option_meta(rel, att->attnum);

        if (name)
            meta_add(meta, rel, att, meta_kind(name));
    }
    return meta;
}

/* ---- what they show ---- */

static bool meta_is_wanted(const DynkvMeta *meta, DynkvMetaKind kind, const Bitmapset *wanted)
{
    AttrNumber attno = meta->attnos[kind];

    return attno && (!wanted || bms_is_member(attno, wanted));
}

bool dynkv_meta_is_of_sibling(const DynkvMeta *meta, const Bitmapset *wanted)
{
    return meta_is_wanted(meta, DYNKV_META_EXPIRES_AT, wanted) ||
           meta_is_wanted(meta, DYNKV_META_MODIFIED_AT, wanted) ||
           meta_is_wanted(meta, DYNKV_META_NODE, wanted);
}

/* A write that waits in the transaction's buffer has no dot (overlay.h). */
static bool meta_is_unsent(const struct dynkv_sibling *sibling)
{
    return sibling->dot.counter == 0;
}

static void meta_set(const DynkvMeta *meta, DynkvMetaKind kind, Datum value, Datum *values,
                     bool *nulls)
{
    values[meta->attnos[kind] - 1] = value;
    nulls[meta->attnos[kind] - 1] = false;
}

static Datum meta_version(Oid type, const struct dynkv_version *version)
{
    /* One buffer for the backend: what the library allocates must not hang on an executor state. */
    static struct dynkv_buf encoded;
    size_t len;
    char *text;

    dynkv_buf_reset(&encoded);
    dynkv_version_encode(version, &encoded);
    len = encoded.len;
    if (type == BYTEAOID)
        return PointerGetDatum(cstring_to_text_with_len((const char *)encoded.data, (int)len));
    text = palloc(2 * len + 1);
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", encoded.data[i]);
    text[2 * len] = '\0';
    return CStringGetTextDatum(text);
}

void dynkv_meta_get_of_key(const DynkvMeta *meta, const struct dynkv_object *object, int siblings,
                           const Bitmapset *wanted, Datum *values, bool *nulls)
{
    bool is_unsent = object->sibling_count > 0 && meta_is_unsent(&object->siblings[0]);

    if (meta_is_wanted(meta, DYNKV_META_VERSION, wanted) && !is_unsent)
        meta_set(meta, DYNKV_META_VERSION,
                 meta_version(meta->types[DYNKV_META_VERSION], &object->version), values, nulls);
    if (meta_is_wanted(meta, DYNKV_META_SIBLINGS, wanted))
        meta_set(meta, DYNKV_META_SIBLINGS,
                 meta->types[DYNKV_META_SIBLINGS] == INT8OID ? Int64GetDatum(siblings)
                                                             : Int32GetDatum(siblings),
                 values, nulls);
}

static void meta_get_of_sibling(const DynkvMeta *meta, const struct dynkv_sibling *sibling,
                                const Bitmapset *wanted, Datum *values, bool *nulls)
{
    if (meta_is_wanted(meta, DYNKV_META_EXPIRES_AT, wanted) && sibling->expires_at_ms != 0 &&
        sibling->expires_at_ms != DYNKV_EXPIRES_NEVER)
        meta_set(meta, DYNKV_META_EXPIRES_AT,
                 TimestampTzGetDatum(dynkv_moment_from_ms(sibling->expires_at_ms)), values, nulls);
    if (meta_is_unsent(sibling))
        return;
    if (meta_is_wanted(meta, DYNKV_META_MODIFIED_AT, wanted))
        meta_set(meta, DYNKV_META_MODIFIED_AT,
                 TimestampTzGetDatum(dynkv_moment_from_ms(dynkv_timestamp_ms(sibling->timestamp))),
                 values, nulls);
    if (meta_is_wanted(meta, DYNKV_META_NODE, wanted))
        meta_set(meta, DYNKV_META_NODE,
                 CStringGetTextDatum(psprintf("%016" PRIx64, sibling->dot.actor)), values, nulls);
}

void dynkv_meta_get(const DynkvMeta *meta, const struct dynkv_object *object,
                    const struct dynkv_sibling *sibling, int siblings, const Bitmapset *wanted,
                    Datum *values, bool *nulls)
{
    if (!meta->columns)
        return;
    dynkv_meta_get_of_key(meta, object, siblings, wanted, values, nulls);
    meta_get_of_sibling(meta, sibling, wanted, values, nulls);
}

/* ---- writing ---- */

uint64 dynkv_meta_kept_expiry(const struct dynkv_sibling *sibling)
{
    if (sibling->expires_at_ms != 0 || meta_is_unsent(sibling))
        return sibling->expires_at_ms; /* 0: still the keyspace's ttl */
    return DYNKV_EXPIRES_NEVER;
}

void dynkv_meta_check_written(const DynkvMeta *meta, Relation rel, const Bitmapset *written)
{
    for (int kind = 0; kind < DYNKV_META_KINDS; kind++) {
        AttrNumber attno = meta->attnos[kind];

        if (attno && kind != DYNKV_META_EXPIRES_AT && bms_is_member(attno, written))
            ereport(ERROR,
                    (errcode(ERRCODE_GENERATED_ALWAYS),
                     errmsg("column \"%s\" of foreign table \"%s\" cannot be written",
                            NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname),
                            RelationGetRelationName(rel)),
                     errdetail("It shows what the cluster knows of a row: meta '%s'.",
                               dynkv_meta_names[kind]),
                     errhint("Leave the column out.")));
    }
}
