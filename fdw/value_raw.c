/*
 * value_raw.c: format 'raw', one column whose bytes are the value: bytea as it is, text as UTF-8, any
 * other type in its text form.  There is no NULL: a row whose bytes are empty has an empty value.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "fdw/value_codec.h"

void dynkv_raw_put(DynkvValueColumns *columns, const Datum *values, StringInfo out)
{
    DynkvColumn *column = &columns->columns[0];
    Datum value = values[column->attno - 1];
    struct dynkv_slice bytes;

    if (column->base == BYTEAOID || column->base == TEXTOID || column->base == VARCHAROID ||
        column->base == BPCHAROID) {
        struct varlena *data = PG_DETOAST_DATUM_PACKED(value);

        bytes = dynkv_slice(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
        if (column->base != BYTEAOID)
            bytes = dynkv_text_to_utf8((const char *)bytes.data, (int)bytes.len);
    } else {
        int nest_level = dynkv_settings_enter(columns->settings);
        char *text = dynkv_column_to_text(column, value);

        dynkv_settings_leave(nest_level);
        bytes = dynkv_text_to_utf8(text, (int)strlen(text));
    }
    appendBinaryStringInfo(out, (const char *)bytes.data, (int)bytes.len);
}

void dynkv_raw_get(DynkvValueColumns *columns, struct dynkv_slice value, Datum *values, bool *nulls,
                   DynkvPlace *place)
{
    DynkvColumn *column = &columns->columns[0];

    place->column = column;
    values[column->attno - 1] = column->base == BYTEAOID
                                    ? dynkv_column_from_bytes(column, value, place)
                                    : dynkv_column_from_utf8(column, value, place);
    nulls[column->attno - 1] = false;
    dynkv_column_check_domain(column, values[column->attno - 1]);
    place->column = NULL;
}
