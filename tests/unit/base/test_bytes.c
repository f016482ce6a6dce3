/* Slices, cursors and buffers: what is written is read back, and nothing else is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/random.h"

static void slices_compare_as_bytes_with_a_prefix_first(void **state)
{
    (void)state;
    assert_true(dynkv_slice_compare(dynkv_slice_text("a"), dynkv_slice_text("b")) < 0);
    assert_true(dynkv_slice_compare(dynkv_slice_text("b"), dynkv_slice_text("ab")) > 0);
    assert_true(dynkv_slice_compare(dynkv_slice_text("a"), dynkv_slice_text("ab")) < 0);
    assert_true(dynkv_slice_compare(dynkv_slice_text("\xff"), dynkv_slice_text("a")) > 0);
    assert_int_equal(dynkv_slice_compare(dynkv_slice(NULL, 0), dynkv_slice_text("")), 0);
    assert_true(dynkv_slice_has_prefix(dynkv_slice_text("abc"), dynkv_slice_text("ab")));
    assert_true(dynkv_slice_has_prefix(dynkv_slice_text("abc"), dynkv_slice(NULL, 0)));
    assert_false(dynkv_slice_has_prefix(dynkv_slice_text("ab"), dynkv_slice_text("abc")));
    assert_false(dynkv_slice_has_prefix(dynkv_slice_text("abc"), dynkv_slice_text("b")));
}

static void a_copied_slice_does_not_need_its_source(void **state)
{
    struct dynkv_arena arena = {NULL};
    char source[] = "text";
    struct dynkv_slice copy = dynkv_slice_copy(dynkv_slice_text(source), &arena);

    (void)state;
    memset(source, 'x', sizeof source);
    assert_true(dynkv_slice_equal(copy, dynkv_slice_text("text")));
    dynkv_arena_fini(&arena);
}

static void integers_are_read_back_as_written(void **state)
{
    struct dynkv_buf buf = {NULL, 0, 0};
    struct dynkv_cursor cursor;

    (void)state;
    dynkv_put_u8(&buf, 0xfe);
    dynkv_put_u32(&buf, 0x01020304);
    dynkv_put_u64(&buf, 0x0102030405060708);
    dynkv_put_bytes(&buf, dynkv_slice_text("hello"));
    dynkv_put_bytes(&buf, dynkv_slice(NULL, 0));
    cursor = dynkv_cursor(dynkv_buf_slice(&buf));
    assert_int_equal(dynkv_get_u8(&cursor), 0xfe);
    assert_int_equal(dynkv_get_u32(&cursor), 0x01020304);
    assert_int_equal(dynkv_get_u64(&cursor), 0x0102030405060708);
    assert_true(dynkv_slice_equal(dynkv_get_bytes(&cursor, 5), dynkv_slice_text("hello")));
    assert_int_equal(dynkv_get_bytes(&cursor, 5).len, 0);
    assert_false(cursor.failed);
    assert_int_equal(dynkv_cursor_left(&cursor), 0);
    dynkv_buf_fini(&buf);
}

static void fixed_integers_have_the_byte_order_they_promise(void **state)
{
    struct dynkv_buf buf = {NULL, 0, 0};

    (void)state;
    dynkv_put_u32(&buf, 0x01020304);
    dynkv_put_u32_be(&buf, 0x01020304);
    dynkv_put_u64_be(&buf, 0x0102030405060708);
    assert_int_equal(buf.len, 16);
    assert_memory_equal(buf.data, "\4\3\2\1\1\2\3\4\1\2\3\4\5\6\7\10", 16);
    dynkv_buf_fini(&buf);
}

static void varints_of_every_length_are_read_back(void **state)
{
    struct dynkv_random random = dynkv_random(1);

    (void)state;
    for (unsigned bits = 0; bits <= 64; bits++) {
        for (int i = 0; i < 50; i++) {
            uint64_t value = bits ? (UINT64_C(1) << (bits - 1)) : 0;
            struct dynkv_buf buf = {NULL, 0, 0};
            struct dynkv_cursor cursor;

            if (bits > 1 && i > 0)
                value |= dynkv_random_below(&random, value);
            dynkv_put_varint(&buf, value);
            assert_int_equal(buf.len, bits ? (bits + 6) / 7 : 1);
            cursor = dynkv_cursor(dynkv_buf_slice(&buf));
            assert_true(dynkv_get_varint(&cursor) == value);
            assert_false(cursor.failed);
            assert_int_equal(dynkv_cursor_left(&cursor), 0);
            dynkv_buf_fini(&buf);
        }
    }
}

static void a_varint_is_refused_in(const char *bytes, size_t len)
{
    struct dynkv_cursor cursor = dynkv_cursor(dynkv_slice(bytes, len));

    assert_int_equal(dynkv_get_varint(&cursor), 0);
    assert_true(cursor.failed);
}

static void varints_not_in_their_shortest_form_are_refused(void **state)
{
    (void)state;
    a_varint_is_refused_in("\x80\x00", 2);
    a_varint_is_refused_in("\x81\x00", 2);
    a_varint_is_refused_in("\xff\x80\x00", 3);
    /* Over 64 bits, and over ten bytes. */
    a_varint_is_refused_in("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
    a_varint_is_refused_in("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01", 11);
    a_varint_is_refused_in("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
}

static void truncated_values_fail_and_everything_after_them_is_zero(void **state)
{
    struct dynkv_cursor cursor = dynkv_cursor(dynkv_slice("\1\2\3", 3));

    (void)state;
    assert_int_equal(dynkv_get_u32(&cursor), 0);
    assert_true(cursor.failed);
    assert_int_equal(dynkv_get_u8(&cursor), 0); /* although bytes are left */
    assert_int_equal(dynkv_get_raw(&cursor, 1).len, 0);
    a_varint_is_refused_in("", 0);
    a_varint_is_refused_in("\x80", 1);
    a_varint_is_refused_in("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9);
}

static void lengths_over_the_maximum_or_the_rest_are_refused(void **state)
{
    struct dynkv_cursor cursor = dynkv_cursor(dynkv_slice("\3abc", 4));

    (void)state;
    assert_int_equal(dynkv_get_bytes(&cursor, 2).len, 0);
    assert_true(cursor.failed);
    cursor = dynkv_cursor(dynkv_slice("\4abc", 4));
    assert_int_equal(dynkv_get_bytes(&cursor, 100).len, 0);
    assert_true(cursor.failed);
    cursor = dynkv_cursor(dynkv_slice("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10));
    assert_int_equal(dynkv_get_bytes(&cursor, SIZE_MAX).len, 0);
    assert_true(cursor.failed);
}

static void a_buffer_grows_and_keeps_what_it_has(void **state)
{
    struct dynkv_buf buf = {NULL, 0, 0};

    (void)state;
    for (uint32_t i = 0; i < 10000; i++)
        dynkv_put_u32(&buf, i);
    assert_int_equal(buf.len, 40000);
    for (uint32_t i = 0; i < 10000; i++) {
        struct dynkv_cursor cursor = dynkv_cursor(dynkv_slice(buf.data + 4 * i, 4));

        assert_int_equal(dynkv_get_u32(&cursor), i);
    }
    dynkv_buf_reset(&buf);
    assert_int_equal(buf.len, 0);
    assert_true(buf.cap >= 40000);
    dynkv_buf_fini(&buf);
    assert_null(buf.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_as_bytes_with_a_prefix_first),
        cmocka_unit_test(a_copied_slice_does_not_need_its_source),
        cmocka_unit_test(integers_are_read_back_as_written),
        cmocka_unit_test(fixed_integers_have_the_byte_order_they_promise),
        cmocka_unit_test(varints_of_every_length_are_read_back),
        cmocka_unit_test(varints_not_in_their_shortest_form_are_refused),
        cmocka_unit_test(truncated_values_fail_and_everything_after_them_is_zero),
        cmocka_unit_test(lengths_over_the_maximum_or_the_rest_are_refused),
        cmocka_unit_test(a_buffer_grows_and_keeps_what_it_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
