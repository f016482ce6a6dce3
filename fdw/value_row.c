/*
 * value_row.c: format 'row', a MessagePack map {column name: value}.
 *
 * Other languages read it with their own MessagePack library, so a value is the MessagePack type that
 * is nearest: bool, int, float, str, bin, nil; and str in the column's text form for every other type.
 * Reading is the more liberal: an int where the column is a float, a str for any column by its type's
 * input function, names in any order, unknown names passed over.
 */
#include "postgres.h"

#include <msgpack/pack.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "fdw/value_codec.h"
#include "fdw/value_msgpack.h"

/* ---- writing ---- */

static int row_append(void *out, const char *bytes, size_t len)
{
    appendBinaryStringInfo(out, bytes, (int)len);
    return 0;
}

static void row_pack_str(msgpack_packer *packer, struct dynkv_slice text)
{
    msgpack_pack_str(packer, text.len);
    msgpack_pack_str_body(packer, text.data, text.len);
}

void dynkv_row_init(DynkvValueColumns *columns)
{
    msgpack_packer packer;
    StringInfoData bytes;
    int i;

    columns->names = palloc(sizeof *columns->names * (Size)Max(columns->count, 1));
    initStringInfo(&bytes);
    msgpack_packer_init(&packer, &bytes, row_append);
    msgpack_pack_map(&packer, (size_t)columns->count);
    columns->head = dynkv_slice(bytes.data, (size_t)bytes.len);
    for (i = 0; i < columns->count; i++) {
        initStringInfo(&bytes);
        row_pack_str(&packer, columns->columns[i].utf8);
        columns->names[i] = dynkv_slice(bytes.data, (size_t)bytes.len);
    }
}

static void row_put_text(msgpack_packer *packer, const char *text, int len)
{
    row_pack_str(packer, dynkv_text_to_utf8(text, len));
}

static void row_put_column(msgpack_packer *packer, DynkvColumn *column, Datum value)
{
    struct varlena *data;
    char *text;

    switch (column->base) {
    case BOOLOID:
        if (DatumGetBool(value))
            msgpack_pack_true(packer);
        else
            msgpack_pack_false(packer);
        break;
    case INT2OID:
        msgpack_pack_int64(packer, DatumGetInt16(value));
        break;
    case INT4OID:
        msgpack_pack_int64(packer, DatumGetInt32(value));
        break;
    case INT8OID:
        msgpack_pack_int64(packer, DatumGetInt64(value));
        break;
    case OIDOID:
        msgpack_pack_uint64(packer, DatumGetObjectId(value));
        break;
    case FLOAT4OID:
        msgpack_pack_float(packer, DatumGetFloat4(value));
        break;
    case FLOAT8OID:
        msgpack_pack_double(packer, DatumGetFloat8(value));
        break;
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case JSONOID:
        data = PG_DETOAST_DATUM_PACKED(value);
        row_put_text(packer, VARDATA_ANY(data), (int)VARSIZE_ANY_EXHDR(data));
        break;
    case BYTEAOID:
        data = PG_DETOAST_DATUM_PACKED(value);
        msgpack_pack_bin(packer, VARSIZE_ANY_EXHDR(data));
        msgpack_pack_bin_body(packer, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
        break;
    default:
        text = dynkv_column_to_text(column, value);
        row_put_text(packer, text, (int)strlen(text));
    }
}

void dynkv_row_put(DynkvValueColumns *columns, const Datum *values, const bool *nulls,
                   StringInfo out)
{
    int nest_level = dynkv_settings_enter(columns->settings);
    msgpack_packer packer;
    int i;

    msgpack_packer_init(&packer, out, row_append);
    (void)row_append(out, (const char *)columns->head.data, columns->head.len);
    for (i = 0; i < columns->count; i++) {
        DynkvColumn *column = &columns->columns[i];

        (void)row_append(out, (const char *)columns->names[i].data, columns->names[i].len);
        if (nulls[column->attno - 1])
            msgpack_pack_nil(&packer);
        else
            row_put_column(&packer, column, values[column->attno - 1]);
    }
    dynkv_settings_leave(nest_level);
}

/* ---- reading ---- */

static DYNKV_NORETURN void row_malformed(DynkvPlace *place)
{
    dynkv_place_error(place, ERRCODE_FDW_ERROR, "the value is no complete MessagePack map");
}

static Datum row_get_column(DynkvColumn *column, const DynkvMsgpackItem *item, DynkvPlace *place)
{
    switch (item->kind) {
    case DYNKV_MSGPACK_BOOL:
        return dynkv_column_from_bool(column, item->as.flag, place);
    case DYNKV_MSGPACK_INT:
        return dynkv_column_from_int(column, item->as.integer, place);
    case DYNKV_MSGPACK_UINT:
        return dynkv_column_from_uint(column, item->as.natural, place);
    case DYNKV_MSGPACK_FLOAT:
        return dynkv_column_from_float(column, item->as.real, place);
    case DYNKV_MSGPACK_STR:
        return dynkv_column_from_utf8(column, item->bytes, place);
    case DYNKV_MSGPACK_BIN:
        return dynkv_column_from_bytes(column, item->bytes, place);
    default:
        dynkv_column_mismatch(column, dynkv_msgpack_kind_name(item->kind), place);
    }
}

/* The column of that name, looking first where the writer's order would have it; NULL: none. */
static DynkvColumn *row_find_column(DynkvValueColumns *columns, struct dynkv_slice name, int *next)
{
    int tried;

    for (tried = 0; tried < columns->count; tried++) {
        DynkvColumn *column;

        if (*next >= columns->count)
            *next = 0;
        column = &columns->columns[(*next)++];
        if (dynkv_slice_equal(column->utf8, name))
            return column;
    }
    return NULL;
}

static int row_count_wanted(const DynkvValueColumns *columns, const Bitmapset *wanted)
{
    int count = 0;
    int i;

    for (i = 0; i < columns->count; i++)
        if (dynkv_value_is_wanted(&columns->columns[i], wanted))
            count++;
    return count;
}

void dynkv_row_get(DynkvValueColumns *columns, struct dynkv_slice value, const Bitmapset *wanted,
                   Datum *values, bool *nulls, DynkvPlace *place)
{
    struct dynkv_cursor in = dynkv_cursor(value);
    int left = row_count_wanted(columns, wanted);
    int next = 0;
    uint32 pairs;
    DynkvMsgpackItem item;

    if (!dynkv_msgpack_next(&in, &item) || item.kind != DYNKV_MSGPACK_MAP)
        row_malformed(place);
    /* What follows the last wanted column is not even looked at. */
    for (pairs = item.as.count; pairs > 0 && left > 0; pairs--) {
        DynkvColumn *column = NULL;

        if (!dynkv_msgpack_next(&in, &item))
            row_malformed(place);
        if (item.kind == DYNKV_MSGPACK_STR)
            column = row_find_column(columns, item.bytes, &next);
        else if (!dynkv_msgpack_skip_content(&in, &item))
            row_malformed(place);

        if (!dynkv_msgpack_next(&in, &item))
            row_malformed(place);
        if (!column || !dynkv_value_is_wanted(column, wanted)) {
            if (!dynkv_msgpack_skip_content(&in, &item))
                row_malformed(place);
            continue;
        }
        left--;
        if (item.kind == DYNKV_MSGPACK_NIL)
            continue;
        place->column = column;
        values[column->attno - 1] = row_get_column(column, &item, place);
        nulls[column->attno - 1] = false;
        dynkv_column_check_domain(column, values[column->attno - 1]);
        place->column = NULL;
    }
}
