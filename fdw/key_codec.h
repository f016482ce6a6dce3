/*
 * key_codec.h: one key column between a Datum and bytes that sort as the type does.
 *
 *   bool, "char"                1 byte
 *   int2/4/8, date, time,       big-endian, sign flipped (oid: unsigned as it is)
 *   timestamp, timestamptz
 *   float4/8                    the bits, all flipped if negative, else the sign; -0 is 0, NaN is last
 *   timetz                      the UTC instant as int8, then the zone as int4, as its operators compare
 *   text, varchar, bpchar,      UTF-8, 0x00 as 0x00 0xff, ended by 0x00 0x01; plain if it is the whole
 *   name, bytea, enum           key.  bpchar without trailing blanks, which its equality ignores; an enum
 *                               is its label, so it has equality but no order
 *   uuid, macaddr, macaddr8     its bytes
 *   inet, cidr                  4 or 6, the network, its length, the address
 *   numeric                     see key_numeric.c; scale is no part of the key, 1.0 and 1.00 are one
 *
 * Domains over these are their base type.  A key that decodes also encodes to the same bytes: other
 * spellings of a value are refused, or a lookup by equality would not find the row that a scan shows.
 */
#ifndef DYNKV_FDW_KEY_CODEC_H
#define DYNKV_FDW_KEY_CODEC_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "base/bytes.h"
#include "fdw/column.h"

typedef enum DynkvKeyKind {
    DYNKV_KEY_NONE, /* cannot be a key */
    DYNKV_KEY_BOOL,
    DYNKV_KEY_CHAR,
    DYNKV_KEY_INT2,
    DYNKV_KEY_INT4,
    DYNKV_KEY_INT8,
    DYNKV_KEY_OID,
    DYNKV_KEY_FLOAT4,
    DYNKV_KEY_FLOAT8,
    DYNKV_KEY_DATE,
    DYNKV_KEY_TIME,
    DYNKV_KEY_TIMETZ,
    DYNKV_KEY_TIMESTAMP,
    DYNKV_KEY_UUID,
    DYNKV_KEY_MACADDR,
    DYNKV_KEY_MACADDR8,
    DYNKV_KEY_INET,
    DYNKV_KEY_CIDR,
    DYNKV_KEY_NUMERIC,
    DYNKV_KEY_TEXT,
    DYNKV_KEY_BPCHAR,
    DYNKV_KEY_NAME,
    DYNKV_KEY_BYTEA,
    DYNKV_KEY_ENUM,
} DynkvKeyKind;

typedef struct DynkvKeyColumn {
    DynkvColumn column;
    DynkvKeyKind kind;
    bool plain; /* a string that is the whole key */
} DynkvKeyColumn;

extern DynkvKeyKind dynkv_key_kind(Oid type);
extern bool dynkv_key_is_string(DynkvKeyKind kind);
/* For error texts: the types that can be keys; why one cannot that has an order, else NULL. */
extern const char *dynkv_key_types(void);
extern const char *dynkv_key_why_not(Oid type);

extern void dynkv_key_put(const DynkvKeyColumn *key, Datum value, StringInfo out);
/*
 * Reads one column; wanted false: steps over it, and returns 0.  Bytes that are no such column raise
 * the place's error.
 */
extern Datum dynkv_key_get(DynkvKeyColumn *key, struct dynkv_cursor *in, bool wanted,
                           const DynkvPlace *place);

/* ---- between the key_*.c files ---- */

extern void dynkv_key_put_string(const DynkvKeyColumn *key, Datum value, StringInfo out);
extern Datum dynkv_key_get_string(DynkvKeyColumn *key, struct dynkv_cursor *in, bool wanted,
                                  const DynkvPlace *place);
extern void dynkv_key_put_numeric(Datum value, StringInfo out);
extern Datum dynkv_key_get_numeric(DynkvKeyColumn *key, struct dynkv_cursor *in, bool wanted,
                                   const DynkvPlace *place);
extern void dynkv_key_put_network(Datum value, StringInfo out);
extern Datum dynkv_key_get_network(DynkvKeyColumn *key, struct dynkv_cursor *in, bool wanted,
                                   const DynkvPlace *place);

/* Big-endian integers of 1 to 8 bytes; a short read sets the cursor's failed. */
extern void dynkv_key_put_bits(StringInfo out, uint64 bits, int width);
extern uint64 dynkv_key_get_bits(struct dynkv_cursor *in, int width);
extern DYNKV_NORETURN void dynkv_key_malformed(const DynkvPlace *place, const char *problem);

#endif
