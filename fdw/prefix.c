/*
 * prefix.c: what the texts that fit a pattern begin with.
 *
 * The wildcards and the escape are ASCII, and no server encoding has bytes of ASCII within other
 * characters, so patterns can be read byte by byte.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "utils/fmgroids.h"

#include "fdw/column.h"
#include "fdw/compat.h"
#include "fdw/prefix.h"

DynkvPrefixKind dynkv_prefix_kind(Oid function)
{
    switch (function) {
    case F_TEXTLIKE:
    case F_BPCHARLIKE:
    case F_NAMELIKE:
        return DYNKV_PREFIX_LIKE;
    case F_STARTS_WITH:
        return DYNKV_PREFIX_STARTS;
    default:
        return DYNKV_PREFIX_NONE;
    }
}

bool dynkv_prefix_is_for(Oid column_type)
{
    return column_type == TEXTOID || column_type == VARCHAROID || column_type == BPCHAROID ||
           column_type == NAMEOID;
}

bool dynkv_prefix_of(DynkvPrefixKind kind, Datum value, StringInfo out)
{
    text *pattern = DatumGetTextPP(value);
    const char *at = VARDATA_ANY(pattern);
    const char *end = at + VARSIZE_ANY_EXHDR(pattern);

    if (kind == DYNKV_PREFIX_STARTS) {
        appendBinaryStringInfo(out, at, (int)(end - at));
        return false;
    }
    for (; at < end && *at != '%' && *at != '_'; at++) {
        if (*at == '\\' && ++at == end)
            return false; /* LIKE itself complains about it, if a row is looked at */
        appendStringInfoChar(out, *at);
    }
    return at == end;
}

struct dynkv_slice dynkv_prefix_bytes(DynkvPrefixKind kind, Oid column_type, Datum value)
{
    StringInfoData prefix;

    initStringInfo(&prefix);
    (void)dynkv_prefix_of(kind, value, &prefix);
    /* The key of a char(n) has no trailing blanks, while LIKE sees them. */
    if (column_type == BPCHAROID)
        while (prefix.len > 0 && prefix.data[prefix.len - 1] == ' ')
            prefix.data[--prefix.len] = '\0';
    return dynkv_text_to_utf8(prefix.data, prefix.len);
}
