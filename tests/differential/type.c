/*
 * type.c: the types, and values of them.
 *
 * Each domain is small, so that values meet, and has the edges of its type.  No two values of an exact
 * type are equal and yet different text (-0, 1 month and 30 days, 1.0 and 1.00).
 */
#include <stdio.h>

#include "generate.h"

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const *const type_values[TYPE_COUNT] = {
    [TYPE_BOOL] = VALUES("t", "f"),
    [TYPE_INT8] = VALUES("1", "2", "3", "5", "7", "-1", "0", "300", "4294967296", "-4294967297",
                         "99999999999999"),
    [TYPE_NUMERIC] = VALUES("0.00", "1.00", "2.00", "3.00", "-1.50", "2.25", "10.10", "999.99",
                            "NaN", "-999999.99"),
    [TYPE_DECIMAL] = VALUES("0", "1", "1.0", "1.00", "-0.001", "1e20", "NaN", "Infinity",
                            "-Infinity", "123456789012345678901234567890.123456789"),
    [TYPE_FLOAT4] = VALUES("0", "1", "2", "-1.5", "0.25", "1024.75", "NaN"),
    [TYPE_FLOAT8] =
        VALUES("0", "1", "2", "3", "-1.5", "0.25", "65536.75", "NaN", "Infinity", "-Infinity"),
    [TYPE_TEXT] = VALUES("a", "ab", "abc", "b", "B", "ba", "z", "1", "2", "a b", "é", "日本", "%",
                         "a_c", "O'Hara", "back\\slash", "abcabcabcabcabcabc"),
    [TYPE_VARCHAR] = VALUES("a", "ab", "abc", "b", "B", "a ", "1", "\t", "é"),
    [TYPE_BPCHAR] = VALUES("a", "ab", "abc", "b", "B", "1", "a b", "abcdef"),
    [TYPE_NAME] = VALUES("a", "ab", "B", "name", "1"),
    [TYPE_CHAR] = VALUES("a", "b", "Z", "1"),
    [TYPE_BYTEA] = VALUES("\\x00", "\\x01", "\\x0001", "\\xff", "\\xff00", "\\x6162"),
    [TYPE_DATE] = VALUES("2024-01-01", "2024-01-02", "2024-02-29", "1999-12-31", "2000-01-01",
                         "0044-03-15 BC", "infinity", "-infinity"),
    [TYPE_TIME] = VALUES("00:00", "12:34:56.789012", "23:59:59.999999", "24:00", "06:00"),
    [TYPE_TIMETZ] = VALUES("00:00+00", "12:00+02", "12:00-03", "23:59:59.5+00"),
    [TYPE_TIMESTAMP] = VALUES("2024-01-01 00:00", "2024-01-01 12:00:00.5", "1999-12-31 23:59:59",
                              "2000-01-01 00:00", "infinity", "-infinity"),
    [TYPE_TIMESTAMPTZ] = VALUES("2024-01-01 00:00+00", "2024-01-01 12:00:00.5+02",
                                "1999-12-31 23:59:59-08", "infinity", "-infinity"),
    [TYPE_INTERVAL] = VALUES("0", "1 day", "-2 hours", "1 year 2 mons", "00:00:00.000001"),
    [TYPE_UUID] =
        VALUES("00000000-0000-0000-0000-000000000000", "11111111-1111-1111-1111-111111111111",
               "12345678-90ab-cdef-1234-567890abcdef", "ffffffff-ffff-ffff-ffff-ffffffffffff",
               "a0000000-0000-0000-0000-000000000001"),
    [TYPE_INET] = VALUES("10.0.0.1", "10.0.0.0/8", "10.0.0.2/24", "::1", "fe80::1/64"),
    [TYPE_CIDR] = VALUES("10.0.0.0/8", "10.1.0.0/16", "192.168.1.0/24", "fe80::/64"),
    [TYPE_MACADDR] = VALUES("08:00:2b:01:02:03", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"),
    [TYPE_OID] = VALUES("0", "1", "2", "3000000000", "4294967295"),
    [TYPE_ENUM] = VALUES("sad", "ok", "happy", "very happy"),
    [TYPE_PAIR] = VALUES("(1,a)", "(2,b)", "(,)", "(1,)", "(3,\"x \"\"y\"\"\")"),
    [TYPE_INTS] = VALUES("{}", "{1}", "{1,2,3}", "{NULL,2}", "{{1,2},{3,4}}", "[0:1]={5,6}"),
    [TYPE_TEXTS] = VALUES("{}", "{a}", "{a,b,NULL}", "{\"x y\",\"\",\"NULL\"}"),
    [TYPE_RANGE] = VALUES("empty", "[1,3)", "[2,5)", "(,)", "[7,)", "(,0)"),
    [TYPE_BITS] = VALUES("", "1", "101", "11111111", "0"),
    [TYPE_LSN] = VALUES("0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"),
    [TYPE_MONEY] = VALUES("0", "1.25", "-100"),
    [TYPE_JSONB] = VALUES("null", "1", "\"a\"", "{}", "[]", "{\"a\": 1, \"b\": [true, null]}",
                          "{\"a\": \"x\", \"é\": {}}", "[1, 2]", "{\"a\": 2}"),
    [TYPE_JSON] = VALUES("null", "1", "{\"b\":1,  \"a\":2}", "[1, \"x\"]", "{\"a\":1,\"a\":2}",
                         "\"\\u00e9\""),
    [TYPE_POINT] = VALUES("(0,0)", "(1.5,-2)"),
};

static const char *const type_names[TYPE_COUNT] = {
#define TYPE_SQL(name, sql, flags) sql,
    TYPES(TYPE_SQL)
#undef TYPE_SQL
};

static const unsigned type_flags[TYPE_COUNT] = {
#define TYPE_FLAGS(name, sql, flags) flags,
    TYPES(TYPE_FLAGS)
#undef TYPE_FLAGS
};

const char *type_sql(enum type type)
{
    return type_names[type];
}

bool type_is(enum type type, unsigned flags)
{
    return (type_flags[type] & flags) == flags;
}

const char *type_value(struct dynkv_random *random, enum type type)
{
    static char number[16];
    const char *const *values = type_values[type];
    unsigned count = 0;

    if (!values) { /* the small integers, where keys meet other columns */
        snprintf(number, sizeof number, "%d", (int)dynkv_random_below(random, 24) - 3);
        return number;
    }
    while (values[count])
        count++;
    return values[dynkv_random_below(random, count)];
}
