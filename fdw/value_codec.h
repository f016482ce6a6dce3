/*
 * value_codec.h: the three formats of a stored value, each a pair of put and get.
 *
 * put appends the value of a row, get fills the wanted columns; both take the row's arrays by attribute
 * number - 1.  get expects nulls to be all true; it sets place->column to what it reads, for errors, and
 * the caller has place on the error context stack.
 */
#ifndef DYNKV_FDW_VALUE_CODEC_H
#define DYNKV_FDW_VALUE_CODEC_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"

#include "base/bytes.h"
#include "fdw/column.h"

typedef struct DynkvValueColumns {
    DynkvColumn *columns; /* in attribute order */
    int count;
    DynkvSettingsNeed settings;
    /* Of format row, as MessagePack and ready to be copied: the map's head, each column's name. */
    struct dynkv_slice head;
    struct dynkv_slice *names;
} DynkvValueColumns;

static inline bool dynkv_value_is_wanted(const DynkvColumn *column, const Bitmapset *wanted)
{
    return !wanted || bms_is_member(column->attno, wanted);
}

extern void dynkv_row_init(DynkvValueColumns *columns);
extern void dynkv_row_put(DynkvValueColumns *columns, const Datum *values, const bool *nulls,
                          StringInfo out);
extern void dynkv_row_get(DynkvValueColumns *columns, struct dynkv_slice value,
                          const Bitmapset *wanted, Datum *values, bool *nulls, DynkvPlace *place);

extern void dynkv_json_init(DynkvValueColumns *columns);
extern void dynkv_json_put(DynkvValueColumns *columns, const Datum *values, const bool *nulls,
                           StringInfo out);
extern void dynkv_json_get(DynkvValueColumns *columns, struct dynkv_slice value,
                           const Bitmapset *wanted, Datum *values, bool *nulls, DynkvPlace *place);

/* Exactly one column; the caller has seen that it is not NULL. */
extern void dynkv_raw_put(DynkvValueColumns *columns, const Datum *values, StringInfo out);
extern void dynkv_raw_get(DynkvValueColumns *columns, struct dynkv_slice value, Datum *values,
                          bool *nulls, DynkvPlace *place);

#endif
