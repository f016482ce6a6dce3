/* The encoding of objects: canonical, read back whole, and nothing else accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "model/object.h"

static struct dynkv_arena arena;

static int arena_free(void **state)
{
    (void)state;
    dynkv_arena_fini(&arena);
    return 0;
}

/* The order of the bytes, written out by hand: version {1: 2}, one sibling "hi". */
static const uint8_t golden[] = {
    1,                                  /* format */
    1,    1,    0, 0, 0, 0, 0, 0, 0, 2, /* version */
    1,                                  /* sibling count */
    1,    0,    0, 0, 0, 0, 0, 0, 2,    /* dot */
    0x34, 0x12, 0, 0, 0, 0, 0, 0,       /* timestamp */
    0x85, 0x01,                         /* expires_at_ms 133 */
    0,                                  /* flags */
    2,                                  /* value length */
    'h',  'i',
};
/* Where things stand in it. */
enum {
    AT_FORMAT = 0,
    AT_ACTORS = 1,
    AT_VERSION_COUNTER = 10,
    AT_SIBLINGS = 11,
    AT_DOT_ACTOR = 12,
    AT_DOT_COUNTER = 20,
    AT_FLAGS = 31,
    AT_VALUE_LEN = 32,
};

static enum dynkv_error decode(const void *bytes, size_t len, struct dynkv_object *out)
{
    enum dynkv_error error = dynkv_object_decode(dynkv_slice(bytes, len), &arena, out);

    if (error) {
        assert_int_equal(out->sibling_count, 0);
        assert_int_equal(out->version.count, 0);
    }
    return error;
}

static enum dynkv_error decode_changed(size_t at, uint8_t byte)
{
    uint8_t bytes[sizeof golden];
    struct dynkv_object out;

    memcpy(bytes, golden, sizeof golden);
    bytes[at] = byte;
    return decode(bytes, sizeof bytes, &out);
}

static void the_encoding_is_the_one_in_the_header(void **state)
{
    struct dynkv_dot entry = {1, 2};
    struct dynkv_sibling sibling = {
        .dot = {1, 2},
        .timestamp = 0x1234,
        .expires_at_ms = 133,
        .value = dynkv_slice_text("hi"),
    };
    struct dynkv_object object = {{&entry, 1}, &sibling, 1}, out;
    struct dynkv_buf buf = {NULL, 0, 0};

    (void)state;
    dynkv_object_encode(&object, &buf);
    assert_true(dynkv_slice_equal(dynkv_buf_slice(&buf), dynkv_slice(golden, sizeof golden)));
    dynkv_buf_fini(&buf);
    assert_int_equal(decode(golden, sizeof golden, &out), DYNKV_OK);
    assert_int_equal(out.sibling_count, 1);
    assert_int_equal(out.siblings[0].timestamp, 0x1234);
    assert_int_equal(out.siblings[0].expires_at_ms, 133);
    assert_true(dynkv_slice_equal(out.siblings[0].value, dynkv_slice_text("hi")));
    assert_ptr_equal(out.siblings[0].value.data, golden + sizeof golden - 2); /* borrowed */
}

static void bytes_that_are_not_canonical_are_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_changed(AT_FORMAT, 1), DYNKV_OK);
    assert_int_equal(decode_changed(AT_FORMAT, 0), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_FORMAT, 2), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_ACTORS, 0), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_ACTORS, 2), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_VERSION_COUNTER, 0), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_VERSION_COUNTER, 3), DYNKV_OK);
    assert_int_equal(decode_changed(AT_SIBLINGS, 0), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_SIBLINGS, 2), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_DOT_COUNTER, 0), DYNKV_MALFORMED);
    /* A dot that the vector does not cover. */
    assert_int_equal(decode_changed(AT_DOT_COUNTER, 3), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_DOT_ACTOR, 2), DYNKV_MALFORMED);
    /* Unknown flags, and values where there may be none. */
    assert_int_equal(decode_changed(AT_FLAGS, 4), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_FLAGS, 0x80), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_FLAGS, DYNKV_SIBLING_TOMBSTONE), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_FLAGS, DYNKV_SIBLING_STRIPPED), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_VALUE_LEN, 1), DYNKV_MALFORMED);
    assert_int_equal(decode_changed(AT_VALUE_LEN, 3), DYNKV_MALFORMED);
}

static void every_cut_and_every_extra_byte_is_refused(void **state)
{
    uint8_t longer[sizeof golden + 1] = {0};
    struct dynkv_object out;

    (void)state;
    for (size_t len = 1; len < sizeof golden; len++) {
        uint8_t *exact = dynkv_arena_copy(&arena, golden, len);

        assert_int_equal(decode(exact, len, &out), DYNKV_MALFORMED);
    }
    memcpy(longer, golden, sizeof golden);
    assert_int_equal(decode(longer, sizeof longer, &out), DYNKV_MALFORMED);
}

static void the_empty_object_is_no_bytes_and_has_digest_0(void **state)
{
    struct dynkv_object empty = {0}, out = {.sibling_count = 9};
    struct dynkv_buf buf = {NULL, 0, 0};

    (void)state;
    dynkv_object_encode(&empty, &buf);
    assert_int_equal(buf.len, 0);
    dynkv_buf_fini(&buf);
    assert_int_equal(decode(NULL, 0, &out), DYNKV_OK);
    assert_int_equal(out.sibling_count, 0);
    assert_true(dynkv_object_digest(&empty) == 0);
    assert_int_equal(decode("\1\0\0", 3, &out), DYNKV_MALFORMED); /* the longer form of the same */
}

/* count siblings of actor 1, in the order of their counters, or swapped or repeated at one place. */
static enum dynkv_error decode_siblings(uint32_t count, uint32_t swap_at, uint32_t repeat_at)
{
    struct dynkv_sibling *siblings = dynkv_arena_calloc(&arena, count, sizeof *siblings);
    struct dynkv_dot entry = {1, count};
    struct dynkv_object object = {{&entry, 1}, siblings, count}, out;
    struct dynkv_buf buf = {NULL, 0, 0};
    enum dynkv_error error;

    for (uint32_t i = 0; i < count; i++)
        siblings[i].dot = (struct dynkv_dot){1, i + 1};
    if (swap_at) {
        siblings[swap_at - 1].dot.counter++;
        siblings[swap_at].dot.counter--;
    }
    if (repeat_at)
        siblings[repeat_at].dot.counter--;
    dynkv_object_encode(&object, &buf);
    error = decode(buf.data, buf.len, &out);
    dynkv_buf_fini(&buf);
    return error;
}

static void siblings_unsorted_repeated_or_too_many_are_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_siblings(3, 0, 0), DYNKV_OK);
    assert_int_equal(decode_siblings(3, 1, 0), DYNKV_MALFORMED);
    assert_int_equal(decode_siblings(3, 0, 2), DYNKV_MALFORMED);
    assert_int_equal(decode_siblings(DYNKV_SIBLINGS_HARD_MAX, 0, 0), DYNKV_OK);
    assert_int_equal(decode_siblings(DYNKV_SIBLINGS_HARD_MAX + 1, 0, 0), DYNKV_MALFORMED);
}

static enum dynkv_error decode_value_of(size_t len)
{
    struct dynkv_dot entry = {1, 1};
    struct dynkv_sibling sibling = {.dot = {1, 1},
                                    .value = dynkv_slice(dynkv_arena_calloc(&arena, 1, len), len)};
    struct dynkv_object object = {{&entry, 1}, &sibling, 1}, out;
    struct dynkv_buf buf = {NULL, 0, 0};
    enum dynkv_error error;

    dynkv_object_encode(&object, &buf);
    error = decode(buf.data, buf.len, &out);
    dynkv_buf_fini(&buf);
    return error;
}

static void a_value_of_the_greatest_size_is_accepted_and_one_byte_more_is_not(void **state)
{
    (void)state;
    assert_int_equal(decode_value_of(DYNKV_VALUE_MAX), DYNKV_OK);
    assert_int_equal(decode_value_of(DYNKV_VALUE_MAX + 1), DYNKV_MALFORMED);
}

static struct dynkv_object object_random(struct dynkv_random *random)
{
    struct dynkv_object object = {0};
    uint64_t writes = dynkv_random_below(random, 8);

    for (uint64_t i = 0; i < writes; i++) {
        struct dynkv_version empty = {NULL, 0};
        struct dynkv_sibling sibling = {
            .dot = {dynkv_random_below(random, 4), 1 + i},
            .timestamp = dynkv_random_next(random),
            .expires_at_ms = dynkv_random_below(random, 3) ? 0 : dynkv_random_next(random),
            .flags = dynkv_random_below(random, 4) ? 0 : DYNKV_SIBLING_TOMBSTONE,
            .value = dynkv_slice("0123456789", (size_t)dynkv_random_below(random, 11)),
        };
        bool settles = dynkv_random_below(random, 3) == 0;

        assert_int_equal(dynkv_object_put(&object, settles ? &object.version : &empty, &sibling,
                                          &arena, &object),
                         DYNKV_OK);
    }
    return object;
}

/* Whatever is accepted encodes to the very bytes it came from: there is one form only. */
static void damaged_bytes_are_refused_or_are_another_canonical_object(void **state)
{
    struct dynkv_random random = dynkv_random(31);
    unsigned refused = 0;

    (void)state;
    for (int run = 0; run < 20000; run++) {
        struct dynkv_object object = object_random(&random), out;
        struct dynkv_buf buf = {NULL, 0, 0}, again = {NULL, 0, 0};

        dynkv_object_encode(&object, &buf);
        if (run % 4 && buf.len)
            for (uint64_t i = dynkv_random_below(&random, 3) + 1; i > 0; i--)
                buf.data[dynkv_random_below(&random, buf.len)] ^=
                    (uint8_t)(1u << dynkv_random_below(&random, 8));
        if (decode(buf.data, buf.len, &out) == DYNKV_OK) {
            dynkv_object_encode(&out, &again);
            assert_true(dynkv_slice_equal(dynkv_buf_slice(&buf), dynkv_buf_slice(&again)));
        } else {
            assert_true(run % 4);
            refused++;
        }
        dynkv_buf_fini(&buf);
        dynkv_buf_fini(&again);
        dynkv_arena_reset(&arena);
    }
    assert_in_range(refused, 1000, 19000);
}

static void the_digest_changes_with_everything_but_the_bytes_of_a_value(void **state)
{
    struct dynkv_object object, out;
    uint64_t digest;

    (void)state;
    assert_int_equal(decode(golden, sizeof golden, &object), DYNKV_OK);
    digest = dynkv_object_digest(&object);
    assert_true(digest != 0);
    for (size_t at = 0; at < sizeof golden; at++) {
        uint8_t bytes[sizeof golden];

        memcpy(bytes, golden, sizeof golden);
        bytes[at] ^= 1;
        if (decode(bytes, sizeof bytes, &out) != DYNKV_OK)
            continue;
        if (at >= sizeof golden - 2)
            assert_true(dynkv_object_digest(&out) == digest);
        else
            assert_true(dynkv_object_digest(&out) != digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_encoding_is_the_one_in_the_header),
        cmocka_unit_test(bytes_that_are_not_canonical_are_refused),
        cmocka_unit_test(every_cut_and_every_extra_byte_is_refused),
        cmocka_unit_test(the_empty_object_is_no_bytes_and_has_digest_0),
        cmocka_unit_test(siblings_unsorted_repeated_or_too_many_are_refused),
        cmocka_unit_test(a_value_of_the_greatest_size_is_accepted_and_one_byte_more_is_not),
        cmocka_unit_test(damaged_bytes_are_refused_or_are_another_canonical_object),
        cmocka_unit_test(the_digest_changes_with_everything_but_the_bytes_of_a_value),
    };

    return cmocka_run_group_tests(tests, NULL, arena_free);
}
