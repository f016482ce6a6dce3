/*
 * codec.c: rows to and from what the cluster stores; keys in key_codec.c, values in value_*.c.
 *
 * SQLSTATEs of rows that cannot be read: HV000 (fdw_error) bytes that are no such key or value, HV004
 * (fdw_invalid_data_type) a value of another type than the column's, 22003 a number out of the column's
 * range, 22021 text that is not UTF-8; and what a type's input function says, with the row as context.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/limits.h"
#include "fdw/codec.h"
#include "fdw/column.h"
#include "fdw/compat.h"
#include "fdw/key_codec.h"
#include "fdw/value_codec.h"

#define GENERATED_VIRTUAL 'v' /* attgenerated of a column that is never stored; since 18 */

struct DynkvCodec {
    const char *table;
    const char *keyspace;
    DynkvFormat format;
    int natts;
    int key_count;
    int partition_count;
    DynkvKeyColumn *keys;
    Bitmapset *key_attnos;
    DynkvMeta *meta;
    DynkvValueColumns values;
};

/* ---- types ---- */

bool dynkv_codec_type_is_key(Oid type)
{
    return dynkv_key_kind(type) != DYNKV_KEY_NONE;
}

static bool collation_is_deterministic(Oid collation)
{
    return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

/* In these, text has the same order as its UTF-8. */
static bool encoding_sorts_as_utf8(void)
{
    int encoding = GetDatabaseEncoding();

    return encoding == PG_UTF8 || encoding == PG_SQL_ASCII || encoding == PG_LATIN1;
}

bool dynkv_codec_is_ordered(Oid type, Oid collation)
{
    switch (dynkv_key_kind(type)) {
    case DYNKV_KEY_NONE:
    case DYNKV_KEY_ENUM:
        return false;
    case DYNKV_KEY_TEXT:
    case DYNKV_KEY_BPCHAR:
    case DYNKV_KEY_NAME:
        return OidIsValid(collation) && collation_is_deterministic(collation) &&
               dynkv_collation_is_c(collation) && encoding_sorts_as_utf8();
    default:
        return true;
    }
}

bool dynkv_codec_is_comparable(Oid type, Oid collation)
{
    return dynkv_codec_type_is_key(type) && collation_is_deterministic(collation);
}

/* ---- making one ---- */

static void codec_refuse_type(const DynkvCodec *codec, const DynkvColumn *column)
{
    const char *why = dynkv_key_why_not(column->type);

    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
                    errmsg("column \"%s\" of foreign table \"%s\" cannot be a key: its type is %s",
                           column->label, codec->table, format_type_be(column->type)),
                    why ? errdetail_internal("%s", why) : 0,
                    errhint("Key columns can be %s.", dynkv_key_types())));
}

static void codec_add_key(DynkvCodec *codec, Relation rel, AttrNumber attno)
{
    DynkvKeyColumn *key = &codec->keys[codec->key_count++];
    Oid collation = TupleDescAttr(RelationGetDescr(rel), attno - 1)->attcollation;

    dynkv_column_init(&key->column, rel, attno);
    if (dynkv_meta_has(codec->meta, attno))
        ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                        errmsg("column \"%s\" of foreign table \"%s\" cannot be a key: it has the "
                               "option meta",
                               key->column.label, codec->table),
                        errhint("Name the key columns in the option partition_key; without it the "
                                "first column is the key.")));
    key->kind = dynkv_key_kind(key->column.type);
    if (key->kind == DYNKV_KEY_NONE)
        codec_refuse_type(codec, &key->column);
    if (!collation_is_deterministic(collation))
        ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
                        errmsg("column \"%s\" of foreign table \"%s\" cannot be a key: its "
                               "collation \"%s\" is not deterministic",
                               key->column.label, codec->table, get_collation_name(collation)),
                        errdetail("Keys are the same only if their bytes are."),
                        errhint("Give the column another collation, such as \"C\".")));
    codec->key_attnos = bms_add_member(codec->key_attnos, attno);
}

static void codec_init_keys(DynkvCodec *codec, Relation rel, const DynkvTableOptions *options)
{
    int count = list_length(options->partition_key) + list_length(options->sort_key);
    ListCell *cell;

    codec->keys = palloc0(sizeof *codec->keys * (Size)count);
    codec->partition_count = list_length(options->partition_key);
    foreach (cell, options->partition_key)
        codec_add_key(codec, rel, (AttrNumber)lfirst_int(cell));
    foreach (cell, options->sort_key)
        codec_add_key(codec, rel, (AttrNumber)lfirst_int(cell));
    codec->keys[0].plain = count == 1 && dynkv_key_is_string(codec->keys[0].kind);
}

/* Two columns under one name in the value would overwrite each other. */
static void codec_check_names(const DynkvCodec *codec)
{
    const DynkvColumn *columns = codec->values.columns;
    int i, j;

    for (i = 0; i < codec->values.count; i++)
        for (j = 0; j < i; j++)
            if (strcmp(columns[i].name, columns[j].name) == 0)
                ereport(
                    ERROR,
                    (errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
                     errmsg("columns \"%s\" and \"%s\" of foreign table \"%s\" have the same "
                            "name in the value, \"%s\"",
                            columns[j].label, columns[i].label, codec->table, columns[i].name),
                     errhint("ALTER FOREIGN TABLE %s ALTER COLUMN %s OPTIONS (SET column_name "
                             "'...');",
                             quote_identifier(codec->table), quote_identifier(columns[i].label))));
}

static void codec_check_raw(const DynkvCodec *codec)
{
    const DynkvValueColumns *values = &codec->values;
    StringInfoData names;
    int i;

    if (values->count == 1)
        return;
    initStringInfo(&names);
    for (i = 0; i < values->count; i++)
        appendStringInfo(&names, "%s\"%s\"", i ? ", " : "", values->columns[i].label);
    ereport(ERROR,
            (errcode(ERRCODE_FDW_INVALID_COLUMN_NUMBER),
             errmsg("foreign table \"%s\" has format 'raw' and %d columns that are not key",
                    codec->table, values->count),
             values->count ? errdetail("They are %s.", names.data) : 0,
             errhint("Format 'raw' stores exactly one column beside the key; 'row' and 'json' "
                     "store any number.")));
}

static void codec_init_values(DynkvCodec *codec, Relation rel)
{
    TupleDesc desc = RelationGetDescr(rel);
    DynkvValueColumns *values = &codec->values;
    int i;

    values->columns = palloc0(sizeof *values->columns * (Size)desc->natts);
    for (i = 0; i < desc->natts; i++) {
        Form_pg_attribute att = TupleDescAttr(desc, i);
        DynkvColumn *column = &values->columns[values->count];

        if (att->attisdropped || att->attgenerated == GENERATED_VIRTUAL ||
            bms_is_member(att->attnum, codec->key_attnos) ||
            dynkv_meta_has(codec->meta, att->attnum))
            continue;
        dynkv_column_init(column, rel, att->attnum);
        dynkv_column_init_value(column, rel);
        values->settings = Max(values->settings, dynkv_column_needs_settings(column));
        values->count++;
    }
    switch (codec->format) {
    case DYNKV_FORMAT_ROW:
        codec_check_names(codec);
        dynkv_row_init(values);
        break;
    case DYNKV_FORMAT_JSON:
        codec_check_names(codec);
        dynkv_json_init(values);
        break;
    case DYNKV_FORMAT_RAW:
        codec_check_raw(codec);
        break;
    }
}

DynkvCodec *dynkv_codec_create(Relation rel, const DynkvTableOptions *options)
{
    DynkvCodec *codec = palloc0(sizeof *codec);

    codec->table = pstrdup(RelationGetRelationName(rel));
    codec->keyspace = pstrdup(options->keyspace);
    codec->format = options->format;
    codec->natts = RelationGetDescr(rel)->natts;
    codec->meta = dynkv_meta_create(rel);
    codec_init_keys(codec, rel, options);
    codec_init_values(codec, rel);
    return codec;
}

int dynkv_codec_key_count(const DynkvCodec *codec)
{
    return codec->key_count;
}

const DynkvMeta *dynkv_codec_meta(const DynkvCodec *codec)
{
    return codec->meta;
}

int dynkv_codec_partition_count(const DynkvCodec *codec)
{
    return codec->partition_count;
}

AttrNumber dynkv_codec_key_attno(const DynkvCodec *codec, int index)
{
    Assert(index >= 0 && index < codec->key_count);
    return codec->keys[index].column.attno;
}

/* ---- writing ---- */

static void codec_null_error(const DynkvCodec *codec, const DynkvColumn *column, const char *hint)
{
    ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
                    errmsg("null value in column \"%s\" of foreign table \"%s\"", column->label,
                           codec->table),
                    errhint("%s", hint)));
}

void dynkv_codec_put_key_column(DynkvCodec *codec, int index, Datum value, StringInfo out)
{
    Assert(index >= 0 && index < codec->key_count);
    dynkv_key_put(&codec->keys[index], value, out);
}

static void codec_check_key(const DynkvCodec *codec, int len)
{
    if (len == 0)
        ereport(
            ERROR,
            (errcode(ERRCODE_ZERO_LENGTH_CHARACTER_STRING),
             errmsg("column \"%s\" of foreign table \"%s\" is empty, and is the whole key",
                    codec->keys[0].column.label, codec->table),
             errdetail("A key has at least one byte."),
             errhint("Store another value for it, or use a key of several columns, in which one "
                     "may be empty.")));
    if (len > (int)DYNKV_KEY_MAX)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                 errmsg("the key of a row for foreign table \"%s\" is too large", codec->table),
                 errdetail("It has %d bytes; the limit is %u.", len, DYNKV_KEY_MAX)));
}

void dynkv_codec_put_key(DynkvCodec *codec, const Datum *values, const bool *nulls, StringInfo out,
                         uint32 *partition_len)
{
    int start = out->len;
    int i;

    for (i = 0; i < codec->key_count; i++) {
        const DynkvKeyColumn *key = &codec->keys[i];

        if (nulls[key->column.attno - 1])
            codec_null_error(codec, &key->column, "A key column always needs a value.");
        dynkv_key_put(key, values[key->column.attno - 1], out);
        if (i == codec->partition_count - 1)
            *partition_len = (uint32)(out->len - start);
    }
    codec_check_key(codec, out->len - start);
}

void dynkv_codec_put_value(DynkvCodec *codec, const Datum *values, const bool *nulls,
                           StringInfo out)
{
    int start = out->len;

    switch (codec->format) {
    case DYNKV_FORMAT_ROW:
        dynkv_row_put(&codec->values, values, nulls, out);
        break;
    case DYNKV_FORMAT_JSON:
        dynkv_json_put(&codec->values, values, nulls, out);
        break;
    case DYNKV_FORMAT_RAW:
        if (nulls[codec->values.columns[0].attno - 1])
            codec_null_error(codec, &codec->values.columns[0],
                             "Format 'raw' has no NULL; 'row' and 'json' have.");
        dynkv_raw_put(&codec->values, values, out);
        break;
    }
    if (out->len - start > (int)DYNKV_VALUE_MAX)
        ereport(
            ERROR,
            (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
             errmsg("the value of a row for foreign table \"%s\" is too large", codec->table),
             errdetail("It has %d bytes; the limit is %u.", out->len - start, DYNKV_VALUE_MAX)));
}

/* ---- reading ---- */

static bool codec_needs_key(const DynkvCodec *codec, const Bitmapset *wanted)
{
    return !wanted || bms_overlap(codec->key_attnos, wanted);
}

bool dynkv_codec_needs_value(const DynkvCodec *codec, const Bitmapset *wanted)
{
    int i;

    for (i = 0; i < codec->values.count; i++)
        if (dynkv_value_is_wanted(&codec->values.columns[i], wanted))
            return true;
    return false;
}

static void codec_get_key(DynkvCodec *codec, const Bitmapset *wanted, Datum *values, bool *nulls,
                          DynkvPlace *place)
{
    struct dynkv_cursor in = dynkv_cursor(place->key);
    int i;

    for (i = 0; i < codec->key_count; i++) {
        DynkvColumn *column = &codec->keys[i].column;
        bool is_wanted = dynkv_value_is_wanted(column, wanted);
        Datum value;

        place->column = column;
        value = dynkv_key_get(&codec->keys[i], &in, is_wanted, place);
        if (is_wanted) {
            values[column->attno - 1] = value;
            nulls[column->attno - 1] = false;
        }
    }
    place->column = NULL;
    if (in.at != in.end)
        dynkv_place_error(place, ERRCODE_FDW_ERROR, "a key is too long for the key columns");
}

void dynkv_codec_get_row(DynkvCodec *codec, struct dynkv_slice key, struct dynkv_slice value,
                         const Bitmapset *wanted, Datum *values, bool *nulls)
{
    DynkvPlace place = {.table = codec->table, .keyspace = codec->keyspace, .key = key};
    ErrorContextCallback context = {
        .previous = error_context_stack, .callback = dynkv_place_context, .arg = &place};

    error_context_stack = &context;
    memset(nulls, true, (Size)codec->natts);
    memset(values, 0, sizeof *values * (Size)codec->natts);
    if (codec_needs_key(codec, wanted))
        codec_get_key(codec, wanted, values, nulls, &place);
    if (dynkv_codec_needs_value(codec, wanted)) {
        switch (codec->format) {
        case DYNKV_FORMAT_ROW:
            dynkv_row_get(&codec->values, value, wanted, values, nulls, &place);
            break;
        case DYNKV_FORMAT_JSON:
            dynkv_json_get(&codec->values, value, wanted, values, nulls, &place);
            break;
        case DYNKV_FORMAT_RAW:
            dynkv_raw_get(&codec->values, value, values, nulls, &place);
            break;
        }
    }
    error_context_stack = context.previous;
}
