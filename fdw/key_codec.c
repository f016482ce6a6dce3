/*
 * key_codec.c: which types can be keys, and those of fixed width; strings, numeric and networks have
 * files of their own.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/int.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "fdw/key_codec.h"

#define SIGN_BIT(width) (UINT64CONST(1) << (8 * (width)-1))

/* Zones that timetz's input accepts are nearer to UTC than this. */
#define ZONE_LIMIT_SECS ((MAX_TZDISP_HOUR + 1) * SECS_PER_HOUR)

DynkvKeyKind dynkv_key_kind(Oid type)
{
    Oid base = getBaseType(type);

    switch (base) {
    case BOOLOID:
        return DYNKV_KEY_BOOL;
    case CHAROID:
        return DYNKV_KEY_CHAR;
    case INT2OID:
        return DYNKV_KEY_INT2;
    case INT4OID:
        return DYNKV_KEY_INT4;
    case INT8OID:
        return DYNKV_KEY_INT8;
    case OIDOID:
        return DYNKV_KEY_OID;
    case FLOAT4OID:
        return DYNKV_KEY_FLOAT4;
    case FLOAT8OID:
        return DYNKV_KEY_FLOAT8;
    case DATEOID:
        return DYNKV_KEY_DATE;
    case TIMEOID:
        return DYNKV_KEY_TIME;
    case TIMETZOID:
        return DYNKV_KEY_TIMETZ;
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
        return DYNKV_KEY_TIMESTAMP;
    case UUIDOID:
        return DYNKV_KEY_UUID;
    case MACADDROID:
        return DYNKV_KEY_MACADDR;
    case MACADDR8OID:
        return DYNKV_KEY_MACADDR8;
    case INETOID:
        return DYNKV_KEY_INET;
    case CIDROID:
        return DYNKV_KEY_CIDR;
    case NUMERICOID:
        return DYNKV_KEY_NUMERIC;
    case TEXTOID:
    case VARCHAROID:
        return DYNKV_KEY_TEXT;
    case BPCHAROID:
        return DYNKV_KEY_BPCHAR;
    case NAMEOID:
        return DYNKV_KEY_NAME;
    case BYTEAOID:
        return DYNKV_KEY_BYTEA;
    default:
        return type_is_enum(base) ? DYNKV_KEY_ENUM : DYNKV_KEY_NONE;
    }
}

bool dynkv_key_is_string(DynkvKeyKind kind)
{
    return kind == DYNKV_KEY_TEXT || kind == DYNKV_KEY_BPCHAR || kind == DYNKV_KEY_NAME ||
           kind == DYNKV_KEY_BYTEA || kind == DYNKV_KEY_ENUM;
}

const char *dynkv_key_types(void)
{
    return "boolean, smallint, integer, bigint, oid, real, double precision, numeric, text, "
           "character varying, character, name, \"char\", bytea, uuid, date, time, timestamp (with "
           "and without time zone), inet, cidr, macaddr, macaddr8, enums, and domains over these";
}

const char *dynkv_key_why_not(Oid type)
{
    if (getBaseType(type) == INTERVALOID)
        return "Intervals that are equal need not be the same: \"1 day\" and \"24 hours\" are one "
               "key, "
               "and would read back as one of them, which is another time where clocks are "
               "changed.";
    return NULL;
}

void dynkv_key_malformed(const DynkvPlace *place, const char *problem)
{
    dynkv_place_error(place, ERRCODE_FDW_ERROR, problem);
}

/* ---- fixed width ---- */

void dynkv_key_put_bits(StringInfo out, uint64 bits, int width)
{
    uint64 big_endian = pg_hton64(bits << (8 * (8 - width)));

    appendBinaryStringInfo(out, (const char *)&big_endian, width);
}

uint64 dynkv_key_get_bits(struct dynkv_cursor *in, int width)
{
    struct dynkv_slice bytes = dynkv_get_raw(in, (size_t)width);
    uint64 big_endian = 0;

    if (bytes.len)
        memcpy(&big_endian, bytes.data, bytes.len);
    return pg_ntoh64(big_endian) >> (8 * (8 - width));
}

static void key_put_int(StringInfo out, int64 value, int width)
{
    dynkv_key_put_bits(out, (uint64)value ^ SIGN_BIT(width), width);
}

static int64 key_get_int(struct dynkv_cursor *in, int width)
{
    int unused = 8 * (8 - width);
    uint64 bits = dynkv_key_get_bits(in, width) ^ SIGN_BIT(width);

    return (int64)(bits << unused) >> unused;
}

/* IEEE bits to bits that sort, and back. */
static uint64 key_float_order(uint64 bits, int width)
{
    uint64 sign = SIGN_BIT(width);

    return bits & sign ? ~bits : bits | sign;
}

static uint64 key_float_bits(uint64 ordered, int width)
{
    uint64 sign = SIGN_BIT(width);

    return ordered & sign ? ordered & ~sign : ~ordered;
}

static uint64 key_float4_bits(float4 value)
{
    uint32 bits;

    if (isnan(value))
        return 0x7fc00000;
    if (value == 0)
        return 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64 key_float8_bits(float8 value)
{
    uint64 bits;

    if (isnan(value))
        return UINT64CONST(0x7ff8000000000000);
    if (value == 0)
        return 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static Datum key_get_float4(struct dynkv_cursor *in, const DynkvPlace *place)
{
    uint32 bits = (uint32)key_float_bits(dynkv_key_get_bits(in, 4), 4);
    float4 value;

    memcpy(&value, &bits, sizeof value);
    if (key_float4_bits(value) != bits)
        dynkv_key_malformed(place, "its key bytes are another spelling of 0 or NaN");
    return Float4GetDatum(value);
}

static Datum key_get_float8(struct dynkv_cursor *in, const DynkvPlace *place)
{
    uint64 bits = key_float_bits(dynkv_key_get_bits(in, 8), 8);
    float8 value;

    memcpy(&value, &bits, sizeof value);
    if (key_float8_bits(value) != bits)
        dynkv_key_malformed(place, "its key bytes are another spelling of 0 or NaN");
    return Float8GetDatum(value);
}

static void key_put_timetz(StringInfo out, const TimeTzADT *value)
{
    key_put_int(out, value->time + (int64)value->zone * USECS_PER_SEC, 8);
    key_put_int(out, value->zone, 4);
}

static Datum key_get_timetz(struct dynkv_cursor *in, const DynkvPlace *place)
{
    TimeTzADT *value = palloc(sizeof *value);
    int64 instant = key_get_int(in, 8);
    int32 zone = (int32)key_get_int(in, 4);

    value->zone = zone;
    if (zone <= -ZONE_LIMIT_SECS || zone >= ZONE_LIMIT_SECS ||
        pg_sub_s64_overflow(instant, (int64)zone * USECS_PER_SEC, &value->time) ||
        value->time < 0 || value->time > USECS_PER_DAY)
        dynkv_key_malformed(place, "its key bytes are no time of day");
    return TimeTzADTPGetDatum(value);
}

static Datum key_get_copy(struct dynkv_cursor *in, size_t size)
{
    struct dynkv_slice bytes = dynkv_get_raw(in, size);
    void *copy = palloc0(size);

    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    return PointerGetDatum(copy);
}

static Datum key_get_checked(struct dynkv_cursor *in, DynkvKeyKind kind, const DynkvPlace *place)
{
    int64 value;

    switch (kind) {
    case DYNKV_KEY_BOOL:
        value = (int64)dynkv_key_get_bits(in, 1);
        if (value > 1)
            dynkv_key_malformed(place, "its key bytes are no boolean");
        return BoolGetDatum(value == 1);
    case DYNKV_KEY_DATE:
        value = key_get_int(in, 4);
        if (!DATE_NOT_FINITE((DateADT)value) && !IS_VALID_DATE((DateADT)value))
            dynkv_key_malformed(place, "its key bytes are no date");
        return DateADTGetDatum((DateADT)value);
    case DYNKV_KEY_TIME:
        value = key_get_int(in, 8);
        if (value < 0 || value > USECS_PER_DAY)
            dynkv_key_malformed(place, "its key bytes are no time of day");
        return TimeADTGetDatum(value);
    default:
        value = key_get_int(in, 8);
        if (!TIMESTAMP_NOT_FINITE(value) && !IS_VALID_TIMESTAMP(value))
            dynkv_key_malformed(place, "its key bytes are no timestamp");
        return TimestampGetDatum(value);
    }
}

/* ---- all kinds ---- */

void dynkv_key_put(const DynkvKeyColumn *key, Datum value, StringInfo out)
{
    switch (key->kind) {
    case DYNKV_KEY_BOOL:
        dynkv_key_put_bits(out, DatumGetBool(value) ? 1 : 0, 1);
        break;
    case DYNKV_KEY_CHAR:
        dynkv_key_put_bits(out, (uint8)DatumGetChar(value), 1);
        break;
    case DYNKV_KEY_INT2:
        key_put_int(out, DatumGetInt16(value), 2);
        break;
    case DYNKV_KEY_INT4:
        key_put_int(out, DatumGetInt32(value), 4);
        break;
    case DYNKV_KEY_DATE:
        key_put_int(out, DatumGetDateADT(value), 4);
        break;
    case DYNKV_KEY_INT8:
        key_put_int(out, DatumGetInt64(value), 8);
        break;
    case DYNKV_KEY_TIME:
        key_put_int(out, DatumGetTimeADT(value), 8);
        break;
    case DYNKV_KEY_TIMESTAMP:
        key_put_int(out, DatumGetTimestamp(value), 8);
        break;
    case DYNKV_KEY_OID:
        dynkv_key_put_bits(out, DatumGetObjectId(value), 4);
        break;
    case DYNKV_KEY_FLOAT4:
        dynkv_key_put_bits(out, key_float_order(key_float4_bits(DatumGetFloat4(value)), 4), 4);
        break;
    case DYNKV_KEY_FLOAT8:
        dynkv_key_put_bits(out, key_float_order(key_float8_bits(DatumGetFloat8(value)), 8), 8);
        break;
    case DYNKV_KEY_TIMETZ:
        key_put_timetz(out, DatumGetTimeTzADTP(value));
        break;
    case DYNKV_KEY_UUID:
        appendBinaryStringInfo(out, (const char *)DatumGetUUIDP(value)->data, UUID_LEN);
        break;
    case DYNKV_KEY_MACADDR:
        appendBinaryStringInfo(out, DatumGetPointer(value), sizeof(macaddr));
        break;
    case DYNKV_KEY_MACADDR8:
        appendBinaryStringInfo(out, DatumGetPointer(value), sizeof(macaddr8));
        break;
    case DYNKV_KEY_INET:
    case DYNKV_KEY_CIDR:
        dynkv_key_put_network(value, out);
        break;
    case DYNKV_KEY_NUMERIC:
        dynkv_key_put_numeric(value, out);
        break;
    case DYNKV_KEY_TEXT:
    case DYNKV_KEY_BPCHAR:
    case DYNKV_KEY_NAME:
    case DYNKV_KEY_BYTEA:
    case DYNKV_KEY_ENUM:
        dynkv_key_put_string(key, value, out);
        break;
    case DYNKV_KEY_NONE:
        elog(ERROR, "column \"%s\" has no key encoding", key->column.label);
    }
}

static Datum key_get(DynkvKeyColumn *key, struct dynkv_cursor *in, bool wanted,
                     const DynkvPlace *place)
{
    switch (key->kind) {
    case DYNKV_KEY_BOOL:
    case DYNKV_KEY_DATE:
    case DYNKV_KEY_TIME:
    case DYNKV_KEY_TIMESTAMP:
        return key_get_checked(in, key->kind, place);
    case DYNKV_KEY_CHAR:
        return CharGetDatum((char)dynkv_key_get_bits(in, 1));
    case DYNKV_KEY_INT2:
        return Int16GetDatum((int16)key_get_int(in, 2));
    case DYNKV_KEY_INT4:
        return Int32GetDatum((int32)key_get_int(in, 4));
    case DYNKV_KEY_INT8:
        return Int64GetDatum(key_get_int(in, 8));
    case DYNKV_KEY_OID:
        return ObjectIdGetDatum((Oid)dynkv_key_get_bits(in, 4));
    case DYNKV_KEY_FLOAT4:
        return key_get_float4(in, place);
    case DYNKV_KEY_FLOAT8:
        return key_get_float8(in, place);
    case DYNKV_KEY_TIMETZ:
        return key_get_timetz(in, place);
    case DYNKV_KEY_UUID:
        return key_get_copy(in, UUID_LEN);
    case DYNKV_KEY_MACADDR:
        return key_get_copy(in, sizeof(macaddr));
    case DYNKV_KEY_MACADDR8:
        return key_get_copy(in, sizeof(macaddr8));
    case DYNKV_KEY_INET:
    case DYNKV_KEY_CIDR:
        return dynkv_key_get_network(key, in, wanted, place);
    case DYNKV_KEY_NUMERIC:
        return dynkv_key_get_numeric(key, in, wanted, place);
    default:
        return dynkv_key_get_string(key, in, wanted, place);
    }
}

Datum dynkv_key_get(DynkvKeyColumn *key, struct dynkv_cursor *in, bool wanted,
                    const DynkvPlace *place)
{
    Datum value = key_get(key, in, wanted, place);

    if (in->failed)
        dynkv_key_malformed(place, "its key is too short for the key columns");
    if (wanted)
        dynkv_column_check_domain(&key->column, value);
    return value;
}
