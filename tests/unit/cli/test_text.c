/* test_text.c: bytes as text, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli/text.h"

#define IS_UTF8(text) dynkv_text_is_utf8(dynkv_slice(text, sizeof(text) - 1))

static void well_formed_utf8_is_told_from_the_rest(void **state)
{
    (void)state;
    assert_true(IS_UTF8(""));
    assert_true(IS_UTF8("plain"));
    assert_true(IS_UTF8("\xc2\x80\xdf\xbf"));
    assert_true(IS_UTF8("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"));
    assert_true(IS_UTF8("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
    assert_false(IS_UTF8("\x80"));             /* a continuation without a beginning */
    assert_false(IS_UTF8("\xc3"));             /* cut short */
    assert_false(IS_UTF8("\xe2\x82"));         /* cut short */
    assert_false(IS_UTF8("\xc0\xaf"));         /* overlong */
    assert_false(IS_UTF8("\xe0\x9f\xbf"));     /* overlong */
    assert_false(IS_UTF8("\xf0\x8f\xbf\xbf")); /* overlong */
    assert_false(IS_UTF8("\xed\xa0\x80"));     /* a surrogate */
    assert_false(IS_UTF8("\xf4\x90\x80\x80")); /* past the last code point */
    assert_false(IS_UTF8("\xff"));
    assert_false(IS_UTF8("\xe2\x28\xa1"));
    assert_false(IS_UTF8("\xf0\x90\x80\x28"));
}

static void hex_comes_back_as_the_bytes_it_was_made_of(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x7f, 0xff, 0x1a};
    struct dynkv_buf text = {0}, back = {0};

    (void)state;
    dynkv_text_put_hex(&text, dynkv_slice(bytes, sizeof bytes));
    dynkv_put_u8(&text, '\0');
    assert_string_equal((const char *)text.data, "007fff1a");
    assert_true(dynkv_text_parse_hex((const char *)text.data, &back));
    assert_int_equal(back.len, sizeof bytes);
    assert_memory_equal(back.data, bytes, sizeof bytes);
    dynkv_buf_fini(&text);
    dynkv_buf_fini(&back);
}

static void what_is_not_hex_is_refused_and_appends_nothing(void **state)
{
    struct dynkv_buf out = {0};

    (void)state;
    assert_false(dynkv_text_parse_hex("abc", &out));
    assert_false(dynkv_text_parse_hex("00zz", &out));
    assert_false(dynkv_text_parse_hex("0x01", &out));
    assert_int_equal(out.len, 0);
    assert_true(dynkv_text_parse_hex("AbCd", &out));
    assert_int_equal(out.len, 2);
    dynkv_buf_fini(&out);
}

static void escaped_bytes_stay_within_their_line_and_column(void **state)
{
    struct dynkv_buf out = {0};

    (void)state;
    dynkv_text_put_escaped(&out, dynkv_slice("a\tb\nc\rd\\e\0f\xff\xc3\xa4\x1b\x7f", 16));
    dynkv_put_u8(&out, '\0');
    assert_string_equal((const char *)out.data, "a\\tb\\nc\\rd\\\\e\\x00f\\xff\xc3\xa4\\x1b\\x7f");
    dynkv_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_utf8_is_told_from_the_rest),
        cmocka_unit_test(hex_comes_back_as_the_bytes_it_was_made_of),
        cmocka_unit_test(what_is_not_hex_is_refused_and_appends_nothing),
        cmocka_unit_test(escaped_bytes_stay_within_their_line_and_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
