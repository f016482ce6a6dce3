/* test_frame.c: frames of several messages between peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/limits.h"
#include "wire/frame.h"

#define HEADER 20u /* magic, cluster id, sender */

static void messages_come_out_in_the_order_they_went_in(void **state)
{
    struct dynkv_buf bytes = {0};
    struct dynkv_frame frame;
    struct dynkv_slice message;

    (void)state;
    dynkv_frame_begin(&bytes, 0x1111, 0x2222);
    assert_true(dynkv_frame_add(&bytes, dynkv_slice_text("first")));
    assert_true(dynkv_frame_add(&bytes, dynkv_slice_text("2")));
    assert_int_equal(dynkv_frame_open(dynkv_buf_slice(&bytes), &frame), DYNKV_OK);
    assert_int_equal(frame.cluster_id, 0x1111);
    assert_int_equal(frame.sender, 0x2222);
    assert_true(dynkv_frame_next(&frame, &message));
    assert_true(dynkv_slice_equal(message, dynkv_slice_text("first")));
    assert_true(dynkv_frame_next(&frame, &message));
    assert_true(dynkv_slice_equal(message, dynkv_slice_text("2")));
    assert_false(dynkv_frame_next(&frame, &message));
    assert_false(frame.messages.failed);
    dynkv_buf_fini(&bytes);
}

static void a_frame_is_these_bytes(void **state)
{
    static const uint8_t expected[] = {
        'd', 'K', 'v', '1', 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0x80, 2, 'h', 'i',
    };
    struct dynkv_buf bytes = {0};

    (void)state;
    dynkv_frame_begin(&bytes, 1, 0x8000000000000002u);
    assert_true(dynkv_frame_add(&bytes, dynkv_slice_text("hi")));
    assert_int_equal(bytes.len, sizeof expected);
    /* The magic reads dKv1 from its low byte up. */
    assert_memory_equal(bytes.data, expected, sizeof expected);
    dynkv_buf_fini(&bytes);
}

static void a_frame_without_messages_is_one(void **state)
{
    struct dynkv_buf bytes = {0};
    struct dynkv_frame frame;
    struct dynkv_slice message;

    (void)state;
    dynkv_frame_begin(&bytes, 0, 9);
    assert_int_equal(dynkv_frame_open(dynkv_buf_slice(&bytes), &frame), DYNKV_OK);
    assert_false(dynkv_frame_next(&frame, &message));
    assert_false(frame.messages.failed);
    dynkv_buf_fini(&bytes);
}

static void a_header_cut_short_or_with_another_magic_is_malformed(void **state)
{
    struct dynkv_buf bytes = {0};
    struct dynkv_frame frame;

    (void)state;
    dynkv_frame_begin(&bytes, 1, 2);
    assert_int_equal(bytes.len, HEADER);
    for (size_t len = 0; len < HEADER; len++)
        assert_int_equal(dynkv_frame_open(dynkv_slice(bytes.data, len), &frame), DYNKV_MALFORMED);
    for (size_t i = 0; i < 4; i++) {
        bytes.data[i] ^= 1;
        assert_int_equal(dynkv_frame_open(dynkv_buf_slice(&bytes), &frame), DYNKV_MALFORMED);
        bytes.data[i] ^= 1;
    }
    dynkv_buf_fini(&bytes);
}

static void messages_before_garbage_are_given_and_garbage_is_told(void **state)
{
    struct dynkv_buf bytes = {0};
    struct dynkv_frame frame;
    struct dynkv_slice message;

    (void)state;
    dynkv_frame_begin(&bytes, 1, 2);
    assert_true(dynkv_frame_add(&bytes, dynkv_slice_text("good")));
    dynkv_put_varint(&bytes, 100); /* and then only three bytes */
    dynkv_put_raw(&bytes, dynkv_slice_text("bad"));
    assert_int_equal(dynkv_frame_open(dynkv_buf_slice(&bytes), &frame), DYNKV_OK);
    assert_true(dynkv_frame_next(&frame, &message));
    assert_false(dynkv_frame_next(&frame, &message));
    assert_true(frame.messages.failed);
    dynkv_buf_fini(&bytes);
}

static void an_empty_message_is_garbage(void **state)
{
    struct dynkv_buf bytes = {0};
    struct dynkv_frame frame;
    struct dynkv_slice message;

    (void)state;
    dynkv_frame_begin(&bytes, 1, 2);
    dynkv_put_varint(&bytes, 0);
    assert_int_equal(dynkv_frame_open(dynkv_buf_slice(&bytes), &frame), DYNKV_OK);
    assert_false(dynkv_frame_next(&frame, &message));
    assert_true(frame.messages.failed);
    dynkv_buf_fini(&bytes);
}

static void a_message_that_does_not_fit_is_left_out_whole(void **state)
{
    struct dynkv_buf big = {0}, bytes = {0};
    size_t most = DYNKV_MESSAGE_MAX - HEADER - 4; /* a length this large takes four bytes */

    (void)state;
    memset(dynkv_put_room(&big, most + 1), 'x', most + 1);
    dynkv_frame_begin(&bytes, 1, 2);
    assert_false(dynkv_frame_add(&bytes, dynkv_buf_slice(&big)));
    assert_int_equal(bytes.len, HEADER);
    assert_true(dynkv_frame_add(&bytes, dynkv_slice(big.data, most)));
    assert_int_equal(bytes.len, DYNKV_MESSAGE_MAX);
    assert_false(dynkv_frame_add(&bytes, dynkv_slice_text("x")));
    assert_int_equal(bytes.len, DYNKV_MESSAGE_MAX);
    dynkv_buf_fini(&bytes);
    dynkv_buf_fini(&big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_frame_is_these_bytes),
        cmocka_unit_test(a_frame_without_messages_is_one),
        cmocka_unit_test(a_header_cut_short_or_with_another_magic_is_malformed),
        cmocka_unit_test(messages_before_garbage_are_given_and_garbage_is_told),
        cmocka_unit_test(an_empty_message_is_garbage),
        cmocka_unit_test(a_message_that_does_not_fit_is_left_out_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
