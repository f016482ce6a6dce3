/*
 * prefix.h: conditions that say how a text begins: column LIKE 'abc%', column ^@ 'abc', starts_with().
 *
 * They bound a key column by the bytes of that beginning, under any deterministic collation.  They are
 * always looked at again for each row, so a bound may be wider than the condition: of LIKE 'a_c%' it is
 * everything that begins with 'a'.
 */
#ifndef DYNKV_FDW_PREFIX_H
#define DYNKV_FDW_PREFIX_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "base/bytes.h"

typedef enum DynkvPrefixKind {
    DYNKV_PREFIX_NONE,
    DYNKV_PREFIX_LIKE, /* the value is a pattern; its escape is a backslash, as of all that the parser
                            makes of LIKE ... ESCAPE */
    DYNKV_PREFIX_STARTS, /* the value is the beginning itself */
} DynkvPrefixKind;

/* Of the function that an operator calls, or of a function. */
extern DynkvPrefixKind dynkv_prefix_kind(Oid function);
/* Whether a beginning of the text is a beginning of the key's bytes, for a column of that type. */
extern bool dynkv_prefix_is_for(Oid column_type);
/*
 * Appends what all texts that fit the value begin with; true: only this very text fits.  The value is
 * text, in the server's encoding.
 */
extern bool dynkv_prefix_of(DynkvPrefixKind kind, Datum value, StringInfo out);
/* The same as bytes of a key column of that type; in the current memory context. */
extern struct dynkv_slice dynkv_prefix_bytes(DynkvPrefixKind kind, Oid column_type, Datum value);

#endif
