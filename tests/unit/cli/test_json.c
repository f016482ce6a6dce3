/* test_json.c: what the JSON writer writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli/json.h"

static void assert_written(struct dynkv_json *json, const char *expected)
{
    dynkv_put_u8(&json->out, '\0');
    assert_string_equal((const char *)json->out.data, expected);
    dynkv_json_fini(json);
}

static void commas_stand_between_members_and_items_only(void **state)
{
    struct dynkv_json json = {0};

    (void)state;
    dynkv_json_begin_object(&json, NULL);
    dynkv_json_u64(&json, "a", 1);
    dynkv_json_begin_array(&json, "b");
    dynkv_json_u64(&json, NULL, 2);
    dynkv_json_bool(&json, NULL, true);
    dynkv_json_begin_object(&json, NULL);
    dynkv_json_end_object(&json);
    dynkv_json_end_array(&json);
    dynkv_json_begin_array(&json, "c");
    dynkv_json_end_array(&json);
    dynkv_json_bool(&json, "d", false);
    dynkv_json_end_object(&json);
    assert_written(&json, "{\"a\":1,\"b\":[2,true,{}],\"c\":[],\"d\":false}");
}

static void quotes_backslashes_and_control_characters_are_escaped(void **state)
{
    struct dynkv_json json = {0};

    (void)state;
    dynkv_json_text(&json, NULL, dynkv_slice("a\"b\\c\n\t\r\x01\x7f\0z", 12));
    assert_written(&json, "\"a\\\"b\\\\c\\n\\t\\u000d\\u0001\\u007f\\u0000z\"");
}

static void characters_beyond_ascii_stay_as_they_are(void **state)
{
    struct dynkv_json json = {0};

    (void)state;
    dynkv_json_text(&json, NULL, dynkv_slice_text("Käse \xe2\x82\xac \xf0\x9f\x90\x98"));
    assert_written(&json, "\"Käse \xe2\x82\xac \xf0\x9f\x90\x98\"");
}

static void bytes_that_are_no_text_become_hex_under_another_name(void **state)
{
    struct dynkv_json json = {0};

    (void)state;
    dynkv_json_begin_object(&json, NULL);
    dynkv_json_bytes(&json, "key", dynkv_slice("\xff\x00\x0a", 3));
    dynkv_json_bytes(&json, "value", dynkv_slice_text("text"));
    dynkv_json_bytes(&json, "empty", dynkv_slice(NULL, 0));
    dynkv_json_end_object(&json);
    assert_written(&json, "{\"key_hex\":\"ff000a\",\"value\":\"text\",\"empty\":\"\"}");
}

static void text_that_should_be_utf8_and_is_not_is_still_valid_json(void **state)
{
    struct dynkv_json json = {0};

    (void)state;
    dynkv_json_text(&json, NULL, dynkv_slice_text("x\xc3("));
    assert_written(&json, "\"x\\ufffd(\"");
}

static void ids_are_strings_of_sixteen_digits(void **state)
{
    struct dynkv_json json = {0};

    (void)state;
    dynkv_json_id(&json, NULL, 0xbeef);
    assert_written(&json, "\"000000000000beef\"");
}

static void what_is_no_number_is_null(void **state)
{
    struct dynkv_json json = {0};
    volatile double zero = 0;

    (void)state;
    dynkv_json_begin_array(&json, NULL);
    dynkv_json_number(&json, NULL, 1.25, 1);
    dynkv_json_number(&json, NULL, 1 / zero, 1);
    dynkv_json_number(&json, NULL, zero / zero, 1);
    dynkv_json_end_array(&json);
    assert_written(&json, "[1.2,null,null]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_members_and_items_only),
        cmocka_unit_test(quotes_backslashes_and_control_characters_are_escaped),
        cmocka_unit_test(characters_beyond_ascii_stay_as_they_are),
        cmocka_unit_test(bytes_that_are_no_text_become_hex_under_another_name),
        cmocka_unit_test(text_that_should_be_utf8_and_is_not_is_still_valid_json),
        cmocka_unit_test(ids_are_strings_of_sixteen_digits),
        cmocka_unit_test(what_is_no_number_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
