/* Filters: what a value shows, sets of results, and bytes from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/random.h"
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

/* ---- patterns ---- */

static uint8_t like(const char *text, const char *pattern)
{
    char item[64];
    size_t len = strlen(text);

    item[0] = (char)(0xa0 | len);
    memcpy(item + 1, text, len);
    return row(DYNKV_FILTER_TEXT, item, len + 1, DYNKV_FILTER_LIKE,
               (struct dynkv_filter_value){.bytes = dynkv_slice_text(pattern)});
}

static void patterns_fit_as_in_postgres(void **state)
{
    static const struct {
        const char *text, *pattern;
        uint8_t set;
    } cases[] = {
        {"", "", T},
        {"", "%", T},
        {"", "_", F},
        {"a", "", F},
        {"abc", "abc", T},
        {"abc", "ab", F},
        {"abc", "abcd", F},
        {"abc", "ab%", T},
        {"abc", "%bc", T},
        {"abc", "%b%", T},
        {"abc", "%d%", F},
        {"abc", "a_c", T},
        {"abc", "a__c", F},
        {"abc", "___", T},
        {"abc", "_%_", T},
        {"a", "_%_", F},
        {"abc", "%%%", T},
        {"abc", "%%c", T},
        {"aab", "%ab", T},
        {"aaab", "%aab", T},
        {"abab", "%ab%ab", T},
        {"aba", "%ab%ab", F},
        {"mississippi", "%iss%ip%i", T},
        {"mississippi", "m%iss_ss%", T},
        {"mississippi", "m%iss__ss%", F},
        {"100%", "100\\%", T},
        {"1000", "100\\%", F},
        {"a_c", "a\\_c", T},
        {"abc", "a\\_c", F},
        {"a\\c", "a\\\\c", T},
        {"abc", "\\a\\b\\c", T},
        /* One character, however many bytes it has. */
        {"\xc3\xa9", "_", T},
        {"\xc3\xa9", "__", F},
        {"\xe2\x82\xac"
         "5",
         "_5", T},
        {"\xf0\x9f\x98\x80!", "_!", T},
        {"x\xc3\xa9y", "%\xc3\xa9%", T},
        {"x\xc3\xa8y", "%\xc3\xa9%", F},
        {"\xc3\xa9\xc3\xa9", "%_\xc3\xa9", T},
        {"\xc3\xa9", "\\\xc3\xa9", T},
        /* Where it is an error in PostgreSQL, PostgreSQL is left to say so. */
        {"abc", "abc\\", T | F},
        {"abc", "abc\\\\", F},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (like(cases[i].text, cases[i].pattern) != cases[i].set)
            fail_msg("\"%s\" LIKE \"%s\" is not %u", cases[i].text, cases[i].pattern, cases[i].set);
    assert_int_equal(ROW(TEXT, "\xc0", LIKE, .bytes = dynkv_slice_text("%")), N);
    assert_int_equal(ROW(TEXT, "\x05", LIKE, .bytes = dynkv_slice_text("%")), T | F);
    assert_int_equal(ROW(TEXT, "\xa2\xff\xfe", LIKE, .bytes = dynkv_slice_text("%")), T | F);
    assert_int_equal(JSON(TEXT, "{\"n\": \"a\\u00e9\"}", LIKE, .bytes = dynkv_slice_text("a_")), T);
    assert_int_equal(ROW(TEXT,
                         "\xa3"
                         "abc",
                         STARTS_WITH, .bytes = dynkv_slice_text("ab")),
                     T);
    assert_int_equal(ROW(TEXT,
                         "\xa3"
                         "abc",
                         STARTS_WITH, .bytes = dynkv_slice_text("")),
                     T);
    assert_int_equal(ROW(TEXT,
                         "\xa3"
                         "abc",
                         STARTS_WITH, .bytes = dynkv_slice_text("a%")),
                     F);
    assert_int_equal(ROW(TEXT,
                         "\xa3"
                         "abc",
                         STARTS_WITH, .bytes = dynkv_slice_text("abcd")),
                     F);
}

/* As PostgreSQL's documentation words it; every way to place a % is tried. */
static bool naive_like(const char *text, const char *pattern)
{
    size_t len = 1;

    if (!*pattern)
        return !*text;
    if (*pattern == '%')
        return naive_like(text, pattern + 1) || (*text && naive_like(text + 1, pattern));
    if (!*text)
        return false;
    if (*pattern != '_')
        return *text == pattern[*pattern == '\\'] &&
               naive_like(text + 1, pattern + (*pattern == '\\' ? 2 : 1));
    while (((uint8_t)text[len] & 0xc0) == 0x80)
        len++;
    return naive_like(text + len, pattern + 1);
}

static void patterns_fit_as_a_naive_reading_has_it(void **state)
{
    static const char *const pieces[] = {"a", "b", "\xc3\xa9", "\xe6\x9c\xac",
                                         "%", "_", "\\%",      "\\_"};
    struct dynkv_random random = dynkv_random(1);
    uint32_t fitting = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[64] = "", pattern[64] = "";

        for (uint64_t j = dynkv_random_below(&random, 9); j > 0; j--)
            strcat(text, pieces[dynkv_random_below(&random, 4)]);
        for (uint64_t j = dynkv_random_below(&random, 8); j > 0; j--)
            strcat(pattern, pieces[dynkv_random_below(&random, 8)]);
        if (like(text, pattern) != (naive_like(text, pattern) ? T : F))
            fail_msg("\"%s\" LIKE \"%s\" is %u", text, pattern, like(text, pattern));
        fitting += naive_like(text, pattern);
    }
    assert_in_range(fitting, 500, 19500);
}

/* Many % that nearly fit take their product of steps: that is cut short, and left open. */
static void a_pattern_that_takes_too_long_is_left_open(void **state)
{
    static const char head[] = "{\"n\": \"", end[] = "\"}";
    static const char pattern[] = "%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab%";
    struct dynkv_buf text = {0};

    (void)state;
    dynkv_put_raw(&text, dynkv_slice_text(head));
    for (int i = 0; i < 100000; i++)
        dynkv_put_u8(&text, 'a');
    dynkv_put_raw(&text, dynkv_slice_text(end));
    assert_int_equal(compare(DYNKV_FILTER_JSON, DYNKV_FILTER_TEXT, dynkv_buf_slice(&text),
                             DYNKV_FILTER_LIKE,
                             (struct dynkv_filter_value){.bytes = dynkv_slice_text(pattern)}),
                     T | F);
    dynkv_buf_fini(&text);
}

/* ---- numerics ---- */

static void numerics_are_as_exact_as_their_digits(void **state)
{
    /* Rising. */
    static const char *const numbers[] = {
        "-Infinity",
        "-100000000000000000000000000000000000000",
        "-10.5",
        "-10.49999999999999999999999999999",
        "-9",
        "-0.5",
        "-0.05",
        "0",
        "0.000000000000000000000000000000000000001",
        "0.05",
        "0.5",
        "1",
        "1.00000000000000000000000000001",
        "9",
        "10",
        "99999999999999999999999999999999999999.9",
        "Infinity",
        "NaN",
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        for (size_t j = 0; j < sizeof numbers / sizeof numbers[0]; j++) {
            struct dynkv_filter_value constant = {.bytes = dynkv_slice_text(numbers[j])};
            bool is_number = strcmp(numbers[i], "NaN") != 0 && !strstr(numbers[i], "Inf");

            snprintf(text, sizeof text, is_number ? "{\"n\": %s}" : "{\"n\": \"%s\"}", numbers[i]);
            assert_int_equal(json(DYNKV_FILTER_NUMERIC, text, DYNKV_FILTER_LT, constant),
                             i < j ? T : F);
            assert_int_equal(json(DYNKV_FILTER_NUMERIC, text, DYNKV_FILTER_EQ, constant),
                             i == j ? T : F);
            assert_int_equal(json(DYNKV_FILTER_NUMERIC, text, DYNKV_FILTER_GE, constant),
                             i >= j ? T : F);
        }
    }
}

static void a_numeric_may_be_stored_in_several_forms(void **state)
{
    (void)state;
    assert_int_equal(ROW(NUMERIC,
                         "\xa4"
                         "1.50",
                         EQ, .bytes = dynkv_slice_text("1.5")),
                     T);
    assert_int_equal(ROW(NUMERIC,
                         "\xa4"
                         "2.00",
                         EQ, .bytes = dynkv_slice_text("2")),
                     T);
    assert_int_equal(ROW(NUMERIC, "\xa5-0.00", EQ, .bytes = dynkv_slice_text("0")), T);
    assert_int_equal(ROW(NUMERIC, "\x07", EQ, .bytes = dynkv_slice_text("7")), T);
    assert_int_equal(ROW(NUMERIC, "\xd3\x80\0\0\0\0\0\0\0", EQ,
                         .bytes = dynkv_slice_text("-9223372036854775808")),
                     T);
    assert_int_equal(ROW(NUMERIC, "\xc0", EQ, .bytes = dynkv_slice_text("7")), N);
    assert_int_equal(JSON(NUMERIC, "{\"n\": \"1.50\"}", EQ, .bytes = dynkv_slice_text("1.5")), T);
    /* What PostgreSQL reads and this does not. */
    assert_int_equal(JSON(NUMERIC, "{\"n\": 1e3}", EQ, .bytes = dynkv_slice_text("1000")), T | F);
    assert_int_equal(ROW(NUMERIC, "\xa4 1.5", EQ, .bytes = dynkv_slice_text("1.5")), T | F);
    assert_int_equal(ROW(NUMERIC,
                         "\xa3"
                         "007",
                         EQ, .bytes = dynkv_slice_text("7")),
                     T | F);
    assert_int_equal(ROW(NUMERIC, "\xa3nan", EQ, .bytes = dynkv_slice_text("NaN")), T | F);
    assert_int_equal(ROW(NUMERIC, "\xcb\x3f\xf8\0\0\0\0\0\0", EQ, .bytes = dynkv_slice_text("1.5")),
                     T | F);
    assert_int_equal(ROW(NUMERIC, "\xc3", EQ, .bytes = dynkv_slice_text("1")), T | F);
}

/* numeric(5,2) rounds 1.234 when it is read, and 1234 is an error. */
static void a_numeric_beyond_its_scale_is_kept(void **state)
{
    static const struct {
        const char *text;
        uint8_t set;
    } cases[] = {{"{\"n\": 1.23}", F},    {"{\"n\": 1.234}", T | F},       {"{\"n\": 1.230}", F},
                 {"{\"n\": 999.99}", F},  {"{\"n\": 1000}", T | F},        {"{\"n\": 0.01}", F},
                 {"{\"n\": \"NaN\"}", F}, {"{\"n\": \"Infinity\"}", T | F}};
    struct dynkv_filter_column column = {DYNKV_FILTER_NUMERIC, 5 << 16 | 2, dynkv_slice_text("n")};
    struct dynkv_filter_value constant = {.bytes = dynkv_slice_text("1")};
    struct dynkv_filter_node root = {.op = DYNKV_FILTER_EQ, .values = &constant, .value_count = 1};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            test_root(DYNKV_FILTER_JSON, &column, 1, root, dynkv_slice_text(cases[i].text)),
            cases[i].set);
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
    assert_int_equal(DECODE("\1\1\1\x10\0\1n\5\0"), DYNKV_MALFORMED);             /* no such type */
    assert_int_equal(DECODE("\1\1\1\x09\0\1n\x0b\0\0\2\1b\1a"), DYNKV_MALFORMED); /* falling */
    assert_int_equal(DECODE("\1\1\1\x09\0\1n\x0b\0\0\2\1a\1b"), DYNKV_OK);
    assert_int_equal(DECODE("\1\1\1\x09\0\1n\x0c\0\2\x61%"), DYNKV_OK);        /* LIKE */
    assert_int_equal(DECODE("\1\1\1\x0a\0\1n\x0c\0\2\x61%"), DYNKV_MALFORMED); /* of bytea */
    assert_int_equal(DECODE("\1\1\1\x06\0\1n\x0d\0\1\x61"), DYNKV_MALFORMED);  /* ^@ of bigint */
    assert_int_equal(DECODE("\1\1\1\x0f\0\1n\6\0\3\x31.5"), DYNKV_OK);
    assert_int_equal(DECODE("\1\1\1\x0f\0\1n\6\0\4\x31.50"), DYNKV_MALFORMED); /* not in one form */
    assert_int_equal(DECODE("\1\1\1\x0f\0\1n\6\0\3\x31\x65\x35"), DYNKV_MALFORMED);
    assert_int_equal(DECODE("\1\1\1\x0f\0\1n\x0b\0\0\2\2\x31\x30\1\x39"), DYNKV_MALFORMED);
    assert_int_equal(DECODE("\1\1\1\x0f\0\1n\x0b\0\0\2\1\x39\2\x31\x30"), DYNKV_OK);
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
        cmocka_unit_test(patterns_fit_as_in_postgres),
        cmocka_unit_test(patterns_fit_as_a_naive_reading_has_it),
        cmocka_unit_test(a_pattern_that_takes_too_long_is_left_open),
        cmocka_unit_test(numerics_are_as_exact_as_their_digits),
        cmocka_unit_test(a_numeric_may_be_stored_in_several_forms),
        cmocka_unit_test(a_numeric_beyond_its_scale_is_kept),
        cmocka_unit_test(bytes_that_are_no_filter_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
