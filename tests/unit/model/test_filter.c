/* Filters: what a value shows, sets of results, and bytes from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/filter.h"

#define T   DYNKV_FILTER_MAY_BE_TRUE
#define F   DYNKV_FILTER_MAY_BE_FALSE
#define N   DYNKV_FILTER_MAY_BE_NULL
#define ANY DYNKV_FILTER_MAY_BE_ANY

static uint8_t test_root(enum dynkv_filter_format format, struct dynkv_filter_column *columns,
                         uint32_t column_count, struct dynkv_filter_node root,
                         struct dynkv_slice value)
{
    struct dynkv_filter filter = {format, columns, column_count, root}, decoded;
    struct dynkv_arena arena = {0};
    struct dynkv_buf bytes = {0}, again = {0};
    uint8_t set;

    /* What travels is what is tested. */
    dynkv_filter_encode(&filter, &bytes);
    assert_int_equal(dynkv_filter_decode(dynkv_buf_slice(&bytes), &arena, &decoded), DYNKV_OK);
    dynkv_filter_encode(&decoded, &again);
    assert_true(dynkv_slice_equal(dynkv_buf_slice(&bytes), dynkv_buf_slice(&again)));
    set = dynkv_filter_test(&decoded, value, &arena);
    dynkv_buf_fini(&bytes);
    dynkv_buf_fini(&again);
    dynkv_arena_fini(&arena);
    return set;
}

/* Column "n" of a type, compared with a constant. */
static uint8_t compare(enum dynkv_filter_format format, enum dynkv_filter_type type,
                       struct dynkv_slice stored, enum dynkv_filter_op op,
                       struct dynkv_filter_value constant)
{
    struct dynkv_filter_column column = {type, 0, dynkv_slice_text("n")};

    return test_root(format, &column, 1,
                     (struct dynkv_filter_node){.op = op, .values = &constant, .value_count = 1},
                     stored);
}

static uint8_t json(enum dynkv_filter_type type, const char *text, enum dynkv_filter_op op,
                    struct dynkv_filter_value constant)
{
    return compare(DYNKV_FILTER_JSON, type, dynkv_slice_text(text), op, constant);
}

/* A map of "n" and the item's bytes. */
static uint8_t row(enum dynkv_filter_type type, const char *item, size_t len,
                   enum dynkv_filter_op op, struct dynkv_filter_value constant)
{
    uint8_t bytes[64] = {0x81, 0xa1, 'n'};

    memcpy(bytes + 3, item, len);
    return compare(DYNKV_FILTER_ROW, type, dynkv_slice(bytes, 3 + len), op, constant);
}
#define ROW(type, item, op, ...)                                       \
    row(DYNKV_FILTER_##type, item, sizeof item - 1, DYNKV_FILTER_##op, \
        (struct dynkv_filter_value){__VA_ARGS__})
#define JSON(type, text, op, ...) \
    json(DYNKV_FILTER_##type, text, DYNKV_FILTER_##op, (struct dynkv_filter_value){__VA_ARGS__})

static void rows_are_read_as_their_columns_are(void **state)
{
    (void)state;
    assert_int_equal(ROW(INT4, "\x07", EQ, .integer = 7), T);
    assert_int_equal(ROW(INT4, "\xff", LT, .integer = 0), T);
    assert_int_equal(ROW(INT4, "\xd1\xff\x00", EQ, .integer = -256), T);
    assert_int_equal(ROW(INT8, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", GE, .integer = INT64_MAX),
                     T);
    assert_int_equal(ROW(INT4, "\xc0", EQ, .integer = 7), N);
    assert_int_equal(ROW(BOOL, "\xc3", EQ, .integer = 1), T);
    assert_int_equal(ROW(BOOL, "\xc2", EQ, .integer = 1), F);
    assert_int_equal(ROW(FLOAT8, "\xcb\x3f\xf8\0\0\0\0\0\0", GT, .real = 1.25), T);
    assert_int_equal(ROW(FLOAT4, "\xca\x3f\xc0\0\0", EQ, .real = 1.5), T);
    assert_int_equal(ROW(FLOAT8, "\x02", LE, .real = 2), T);
    assert_int_equal(ROW(TEXT,
                         "\xa3"
                         "abc",
                         EQ, .bytes = dynkv_slice_text("abc")),
                     T);
    assert_int_equal(ROW(TEXT,
                         "\xa2"
                         "ab",
                         LT, .bytes = dynkv_slice_text("abc")),
                     T);
    assert_int_equal(ROW(BYTEA, "\xc4\x02\0\xff", EQ, .bytes = dynkv_slice("\0\xff", 2)), T);
    assert_int_equal(ROW(DATE,
                         "\xaa"
                         "2000-03-01",
                         EQ, .integer = 60),
                     T);
    assert_int_equal(ROW(DATE,
                         "\xaa"
                         "1999-12-31",
                         EQ, .integer = -1),
                     T);
}

static void what_is_not_certain_is_kept(void **state)
{
    (void)state;
    assert_int_equal(ROW(INT4,
                         "\xa1"
                         "7",
                         EQ, .integer = 8),
                     T | F); /* int reads "7" too */
    assert_int_equal(ROW(INT2, "\xcd\xff\xff", LT, .integer = 0),
                     T | F); /* out of range: an error */
    assert_int_equal(ROW(TEXT, "\xa1\xff", EQ, .bytes = dynkv_slice_text("a")), T | F);
    assert_int_equal(ROW(TEXT, "\xa9\x80\x80\x80\x80\x80\x80\x80\x80\x80", EQ, .bytes = {0}),
                     T | F);
    assert_int_equal(ROW(DATE,
                         "\xaa"
                         "2001-02-29",
                         EQ, .integer = 0),
                     T | F);
    assert_int_equal(ROW(UUID,
                         "\xa1"
                         "7",
                         EQ, .bytes = dynkv_slice_text("0123456789abcdef")),
                     T | F);
    assert_int_equal(ROW(INT4, "\x92\x01\x02", EQ, .integer = 1), T | F); /* an array */
    assert_int_equal(ROW(INT4, "\x07\x07", EQ, .integer = 1), ANY);       /* a tail */
    assert_int_equal(ROW(INT4, "\xc1", EQ, .integer = 1), ANY);
    assert_int_equal(ROW(INT4, "\xdd\xff\xff\xff\xff", EQ, .integer = 1), ANY);
    assert_int_equal(JSON(INT4, "[1]", EQ, .integer = 1), ANY);
    assert_int_equal(JSON(INT4, "{\"n\": 1", EQ, .integer = 2), ANY);
    assert_int_equal(JSON(INT4, "{\"n\": 01}", EQ, .integer = 2), ANY);
    assert_int_equal(JSON(INT4, "{\"n\": 1e0}", EQ, .integer = 2), T | F);
    assert_int_equal(JSON(INT4, "{\"n\": 1, \"n\": 2}", EQ, .integer = 3), ANY);
    assert_int_equal(JSON(TEXT, "{\"n\": \"\\u0000\"}", EQ, .bytes = {0}), ANY);
}

static void json_is_read_as_its_columns_are(void **state)
{
    (void)state;
    assert_int_equal(
        JSON(INT4, " { \"m\" : [ {\"n\": \"]\"} ] , \"n\" : -42 } ", EQ, .integer = -42), T);
    assert_int_equal(JSON(INT4, "{}", EQ, .integer = 1), N);
    assert_int_equal(JSON(INT4, "{\"n\":null}", EQ, .integer = 1), N);
    assert_int_equal(JSON(BOOL, "{\"n\":false}", EQ, .integer = 0), T);
    assert_int_equal(JSON(FLOAT8, "{\"n\":3.14}", EQ, .real = 3.14), T);
    assert_int_equal(JSON(FLOAT8, "{\"n\":-1e22}", EQ, .real = -1e22), T);
    assert_int_equal(JSON(FLOAT8, "{\"n\":0.1234567890123456789}", EQ, .real = 0.12), F);
    assert_int_equal(JSON(FLOAT8, "{\"n\":0.1234567890123456789}", EQ, .real = 0.12345678901234568),
                     T | F);
    assert_int_equal(JSON(FLOAT8, "{\"n\":-1.5e-300}", LT, .real = 0),
                     T | F); /* too far to be looked at */
    assert_int_equal(JSON(FLOAT8, "{\"n\":-1.5e-30}", LT, .real = 0), T);
    assert_int_equal(JSON(FLOAT4, "{\"n\":0.1}", EQ, .real = (double)0.1f), T | F);
    assert_int_equal(JSON(FLOAT4, "{\"n\":-0.1}", LT, .real = -0.05), T);
    assert_int_equal(JSON(TEXT, "{\"n\":\"caf\\u00e9 \\ud83d\\ude00\\n\"}", EQ,
                          .bytes = dynkv_slice_text("caf\xc3\xa9 \xf0\x9f\x98\x80\n")),
                     T);
    assert_int_equal(JSON(BYTEA, "{\"n\":\"\\\\x00fF\"}", EQ, .bytes = dynkv_slice("\0\xff", 2)),
                     T);
    assert_int_equal(JSON(UUID, "{\"n\":\"30313233-3435-3637-3839-616263646566\"}", EQ,
                          .bytes = dynkv_slice_text("0123456789abcdef")),
                     T);
}

static void floats_and_moments_are_in_the_order_of_postgres(void **state)
{
    double zero = 0, nan = zero / zero, infinity = 1 / zero;
    int64_t noon = INT64_C(43200000000);

    (void)state;
    assert_int_equal(JSON(FLOAT8, "{\"n\":\"NaN\"}", EQ, .real = nan), T);
    assert_int_equal(JSON(FLOAT8, "{\"n\":\"NaN\"}", GT, .real = infinity), T);
    assert_int_equal(JSON(FLOAT8, "{\"n\":1}", LT, .real = nan), T);
    assert_int_equal(JSON(FLOAT8, "{\"n\":\"-Infinity\"}", LT, .real = -1e300), T);
    assert_int_equal(JSON(FLOAT8, "{\"n\":-0.0}", EQ, .real = 0), T);
    assert_int_equal(JSON(TIMESTAMP, "{\"n\":\"2000-01-01 12:00:00\"}", EQ, .integer = noon), T);
    assert_int_equal(
        JSON(TIMESTAMP, "{\"n\":\"2000-01-01T12:00:00.000001\"}", EQ, .integer = noon + 1), T);
    assert_int_equal(JSON(TIMESTAMPTZ, "{\"n\":\"2000-01-01 12:00:00+00\"}", EQ, .integer = noon),
                     T);
    assert_int_equal(
        JSON(TIMESTAMPTZ, "{\"n\":\"2000-01-01 13:30:00+01:30\"}", EQ, .integer = noon), T);
    assert_int_equal(JSON(TIMESTAMPTZ, "{\"n\":\"2000-01-01 12:00:00\"}", EQ, .integer = 1), T | F);
    assert_int_equal(JSON(TIMESTAMP, "{\"n\":\"infinity\"}", EQ, .integer = INT64_MAX), T);
    assert_int_equal(JSON(DATE, "{\"n\":\"9999-12-31\"}", EQ, .integer = 2921939), T);
    assert_int_equal(JSON(DATE, "{\"n\":\"0001-01-01\"}", EQ, .integer = -730119), T);
    assert_int_equal(JSON(DATE, "{\"n\":\"0001-01-01 BC\"}", EQ, .integer = 1), T | F);
}

static void longer_text_than_the_column_may_be_is_kept(void **state)
{
    struct dynkv_filter_column column = {DYNKV_FILTER_TEXT, 3, dynkv_slice_text("n")};
    struct dynkv_filter_value constant = {.bytes = dynkv_slice_text("ab")};
    struct dynkv_filter_node root = {.op = DYNKV_FILTER_EQ, .values = &constant, .value_count = 1};

    (void)state;
    assert_int_equal(
        test_root(DYNKV_FILTER_JSON, &column, 1, root, dynkv_slice_text("{\"n\":\"abc \"}")),
        T | F);
    assert_int_equal(test_root(DYNKV_FILTER_JSON, &column, 1, root,
                               dynkv_slice_text("{\"n\":\"\xc3\xa4\xc3\xa4\xc3\xa4\"}")),
                     F);
}

static void lists_are_searched(void **state)
{
    struct dynkv_filter_column column = {DYNKV_FILTER_INT4, 0, dynkv_slice_text("n")};
    struct dynkv_filter_value list[] = {{.integer = -3}, {.integer = 5}, {.integer = 8}};
    struct dynkv_filter_node root = {.op = DYNKV_FILTER_IN, .values = list, .value_count = 3};
    struct dynkv_slice five = dynkv_slice_text("{\"n\":5}"), six = dynkv_slice_text("{\"n\":6}"),
                       null = dynkv_slice_text("{}"), odd = dynkv_slice_text("{\"n\":\"5\"}");

    (void)state;
    assert_int_equal(test_root(DYNKV_FILTER_JSON, &column, 1, root, five), T);
    assert_int_equal(test_root(DYNKV_FILTER_JSON, &column, 1, root, six), F);
    assert_int_equal(test_root(DYNKV_FILTER_JSON, &column, 1, root, null), N);
    assert_int_equal(test_root(DYNKV_FILTER_JSON, &column, 1, root, odd), T | F);
    root.has_null = true;
    assert_int_equal(test_root(DYNKV_FILTER_JSON, &column, 1, root, five), T);
    assert_int_equal(test_root(DYNKV_FILTER_JSON, &column, 1, root, six), N);
    root.has_null = false;
    root.value_count = 0;
    assert_int_equal(test_root(DYNKV_FILTER_JSON, &column, 1, root, null), F);
}

static void json_null_is_a_value_of_jsonb_alone(void **state)
{
    struct dynkv_filter_column columns[] = {{DYNKV_FILTER_ANY, 0, dynkv_slice_text("a")},
                                            {DYNKV_FILTER_PRESENT, 0, dynkv_slice_text("b")}};
    struct dynkv_filter_node a = {.op = DYNKV_FILTER_IS_NULL},
                             b = {.op = DYNKV_FILTER_IS_NULL, .column = 1};

    (void)state;
    assert_int_equal(test_root(DYNKV_FILTER_JSON, columns, 2, a, dynkv_slice_text("{\"a\":null}")),
                     T);
    assert_int_equal(test_root(DYNKV_FILTER_JSON, columns, 2, b, dynkv_slice_text("{\"b\":null}")),
                     F);
    assert_int_equal(test_root(DYNKV_FILTER_JSON, columns, 2, b, dynkv_slice_text("{}")), T);
    assert_int_equal(test_root(DYNKV_FILTER_JSON, columns, 2, a, dynkv_slice_text("{\"a\":[]}")),
                     F);
}

/* The sets of NOT, AND and OR hold every result that the parts may have, and AND and OR no "true" besides. */
static void sets_hold_what_three_valued_logic_may_give(void **state)
{
    /* Conditions on one JSON value whose sets are all that there are. */
    struct dynkv_filter_column columns[] = {{DYNKV_FILTER_INT4, 0, dynkv_slice_text("one")},
                                            {DYNKV_FILTER_INT4, 0, dynkv_slice_text("odd")},
                                            {DYNKV_FILTER_INT4, 0, dynkv_slice_text("two")}};
    struct dynkv_slice value = dynkv_slice_text("{\"one\":1,\"odd\":\"1\",\"two\":1,\"two\":1}");
    struct dynkv_filter_value one = {.integer = 1}, zero = {.integer = 0};
    struct dynkv_filter_node parts[] = {
        {.op = DYNKV_FILTER_EQ, .column = 0, .values = &one, .value_count = 1},  /* T */
        {.op = DYNKV_FILTER_EQ, .column = 0, .values = &zero, .value_count = 1}, /* F */
        {.op = DYNKV_FILTER_NULL},                                               /* N */
        {.op = DYNKV_FILTER_EQ, .column = 1, .values = &one, .value_count = 1},  /* T F */
        {.op = DYNKV_FILTER_EQ, .column = 2, .values = &one, .value_count = 1},  /* any */
    };
    static const uint8_t sets[] = {T, F, N, T | F, ANY};

    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        for (uint32_t j = 0; j < 5; j++) {
            struct dynkv_filter_node pair[] = {parts[i], parts[j]};
            uint8_t both = 0, either = 0, got;

            for (uint8_t x = T; x <= N; x = (uint8_t)(x << 1))
                for (uint8_t y = T; y <= N; y = (uint8_t)(y << 1)) {
                    if (!(sets[i] & x) || !(sets[j] & y))
                        continue;
                    both |= x == F || y == F ? F : x == N || y == N ? N : T;
                    either |= x == T || y == T ? T : x == N || y == N ? N : F;
                }
            got = test_root(DYNKV_FILTER_JSON, columns, 3,
                            (struct dynkv_filter_node){
                                .op = DYNKV_FILTER_AND, .children = pair, .child_count = 2},
                            value);
            assert_int_equal(got & both, both);
            assert_int_equal(got & T, both & T);
            got = test_root(DYNKV_FILTER_JSON, columns, 3,
                            (struct dynkv_filter_node){
                                .op = DYNKV_FILTER_OR, .children = pair, .child_count = 2},
                            value);
            assert_int_equal(got, either);
        }
        assert_int_equal(test_root(DYNKV_FILTER_JSON, columns, 3,
                                   (struct dynkv_filter_node){.op = DYNKV_FILTER_NOT,
                                                              .children = &parts[i],
                                                              .child_count = 1},
                                   value),
                         (sets[i] & T ? F : 0) | (sets[i] & F ? T : 0) | (sets[i] & N));
    }
}

static enum dynkv_error decode(const char *bytes, size_t len)
{
    struct dynkv_arena arena = {0};
    struct dynkv_filter filter;
    enum dynkv_error error = dynkv_filter_decode(dynkv_slice(bytes, len), &arena, &filter);

    dynkv_arena_fini(&arena);
    return error;
}
#define DECODE(text) decode(text, sizeof text - 1)

static void bytes_that_are_no_filter_are_refused(void **state)
{
    char deep[64] = "\1\1\0";

    (void)state;
    assert_int_equal(DECODE("\1\1\0\4"), DYNKV_OK); /* null */
    assert_int_equal(DECODE(""), DYNKV_MALFORMED);
    assert_int_equal(DECODE("\2\1\0\4"), DYNKV_MALFORMED);          /* another version */
    assert_int_equal(DECODE("\1\3\0\4"), DYNKV_MALFORMED);          /* another format */
    assert_int_equal(DECODE("\1\1\0\4\4"), DYNKV_MALFORMED);        /* a tail */
    assert_int_equal(DECODE("\1\1\0\5\0"), DYNKV_MALFORMED);        /* a column that is not there */
    assert_int_equal(DECODE("\1\1\1\1\0\1n\6\0"), DYNKV_MALFORMED); /* a constant of no type */
    assert_int_equal(DECODE("\1\1\1\x0f\0\1n\5\0"), DYNKV_MALFORMED);             /* no such type */
    assert_int_equal(DECODE("\1\1\1\x09\0\1n\x0b\0\0\2\1b\1a"), DYNKV_MALFORMED); /* falling */
    assert_int_equal(DECODE("\1\1\1\x09\0\1n\x0b\0\0\2\1a\1b"), DYNKV_OK);
    assert_int_equal(DECODE("\1\1\0\1\xff\xff\xff\xff\x0f"), DYNKV_MALFORMED);
    memset(deep + 3, DYNKV_FILTER_NOT, sizeof deep - 3);
    assert_int_equal(decode(deep, sizeof deep), DYNKV_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_as_their_columns_are),
        cmocka_unit_test(what_is_not_certain_is_kept),
        cmocka_unit_test(json_is_read_as_its_columns_are),
        cmocka_unit_test(floats_and_moments_are_in_the_order_of_postgres),
        cmocka_unit_test(longer_text_than_the_column_may_be_is_kept),
        cmocka_unit_test(lists_are_searched),
        cmocka_unit_test(json_null_is_a_value_of_jsonb_alone),
        cmocka_unit_test(sets_hold_what_three_valued_logic_may_give),
        cmocka_unit_test(bytes_that_are_no_filter_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
