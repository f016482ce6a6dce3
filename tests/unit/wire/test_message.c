/* test_message.c: every message of the table, whole, cut short, damaged and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "random_body.h"

#define ROUNDS 60

static const uint8_t types[] = {
#define MESSAGE_TYPE(number, upper, name) (number),
    DYNKV_MESSAGES(MESSAGE_TYPE)
#undef MESSAGE_TYPE
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

/* One message, and what it was made of. */
struct sample {
    struct dynkv_arena arena;
    struct dynkv_random random;
    struct dynkv_envelope envelope;
    union dynkv_body body;
    struct dynkv_buf bytes;
};

static void sample_init(struct sample *sample, uint8_t type, uint64_t seed, bool rich)
{
    memset(sample, 0, sizeof *sample);
    sample->random = dynkv_random(seed * 256 + type);
    sample->envelope = random_envelope(type, &sample->random);
    random_body(dynkv_message_layout(type), &sample->random, rich, &sample->arena, &sample->body);
    dynkv_message_encode(&sample->envelope, &sample->body, &sample->bytes);
}

static void sample_fini(struct sample *sample)
{
    dynkv_buf_fini(&sample->bytes);
    dynkv_arena_fini(&sample->arena);
}

static void assert_envelopes_equal(const struct dynkv_envelope *a, const struct dynkv_envelope *b)
{
    assert_int_equal(a->protocol, b->protocol);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->request_id, b->request_id);
    assert_int_equal(a->timestamp, b->timestamp);
    assert_int_equal(a->sender, b->sender);
    assert_int_equal(a->ring_version, b->ring_version);
    assert_int_equal(a->deadline_ms, b->deadline_ms);
}

static void every_message_comes_back_as_it_was_sent(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (uint64_t round = 0; round < ROUNDS; round++) {
            struct sample sample;
            struct dynkv_arena arena = {0};
            struct dynkv_envelope envelope;
            union dynkv_body body;

            sample_init(&sample, types[i], round, round % 2);
            assert_int_equal(
                dynkv_message_decode(dynkv_buf_slice(&sample.bytes), &arena, &envelope, &body),
                DYNKV_OK);
            assert_envelopes_equal(&envelope, &sample.envelope);
            assert_true(bodies_equal(dynkv_message_layout(types[i]), &body, &sample.body));
            dynkv_arena_fini(&arena);
            sample_fini(&sample);
        }
}

/* Decodes a copy of exactly that size, so that the address sanitizer sees a read past its end. */
static enum dynkv_error decode_alone(struct dynkv_slice bytes, struct dynkv_buf *again)
{
    uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
    struct dynkv_arena arena = {0};
    struct dynkv_envelope envelope;
    union dynkv_body body;
    enum dynkv_error error;

    assert_non_null(copy);
    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    error = dynkv_message_decode(dynkv_slice(copy, bytes.len), &arena, &envelope, &body);
    if (!error && again)
        dynkv_message_encode(&envelope, &body, again);
    dynkv_arena_fini(&arena);
    free(copy);
    return error;
}

static void a_message_cut_short_anywhere_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (uint64_t round = 0; round < 4; round++) {
            struct sample sample;

            sample_init(&sample, types[i], round, true);
            for (size_t len = 0; len < sample.bytes.len; len++)
                assert_int_equal(decode_alone(dynkv_slice(sample.bytes.data, len), NULL),
                                 DYNKV_MALFORMED);
            sample_fini(&sample);
        }
}

static void a_message_with_bytes_behind_it_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        struct sample sample;

        sample_init(&sample, types[i], 1, true);
        dynkv_put_u8(&sample.bytes, 0);
        assert_int_equal(decode_alone(dynkv_buf_slice(&sample.bytes), NULL), DYNKV_MALFORMED);
        sample_fini(&sample);
    }
}

static void a_damaged_message_is_refused_or_means_exactly_its_bytes(void **state)
{
    size_t accepted = 0, refused = 0;

    (void)state;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        struct sample sample;
        struct dynkv_buf again = {0};

        sample_init(&sample, types[i], 7, true);
        for (size_t bit = 0; bit < sample.bytes.len * 8; bit++) {
            sample.bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            dynkv_buf_reset(&again);
            if (decode_alone(dynkv_buf_slice(&sample.bytes), &again)) {
                refused++;
            } else {
                accepted++;
                assert_int_equal(again.len, sample.bytes.len);
                assert_memory_equal(again.data, sample.bytes.data, again.len);
            }
            sample.bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        dynkv_buf_fini(&again);
        sample_fini(&sample);
    }
    assert_true(accepted > 0 && refused > 0);
}

static void an_unknown_type_is_unsupported_and_can_be_answered(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct dynkv_arena arena = {0};
        struct dynkv_envelope sent = {.type = DYNKV_MESSAGE_DONE, .request_id = 77, .sender = 5};
        struct dynkv_envelope envelope;
        struct dynkv_buf bytes = {0};
        union dynkv_body body;

        if (dynkv_message_layout((uint8_t)type))
            continue;
        dynkv_message_encode(&sent, &body, &bytes);
        bytes.data[1] = (uint8_t)type;
        dynkv_put_u64(&bytes, 0x1122334455667788); /* its body, which nobody here can read */
        assert_int_equal(dynkv_message_decode(dynkv_buf_slice(&bytes), &arena, &envelope, &body),
                         DYNKV_UNSUPPORTED);
        assert_int_equal(envelope.type, type);
        assert_int_equal(envelope.request_id, 77);
        assert_int_equal(envelope.sender, 5);
        assert_string_equal(dynkv_message_name((uint8_t)type), "UNKNOWN");
        dynkv_buf_fini(&bytes);
        dynkv_arena_fini(&arena);
    }
}

static void another_protocol_version_is_unsupported_and_can_be_answered(void **state)
{
    struct sample sample;
    struct dynkv_arena arena = {0};
    struct dynkv_envelope envelope;
    union dynkv_body body;

    (void)state;
    sample_init(&sample, DYNKV_MESSAGE_GET, 3, true);
    sample.bytes.data[0] = DYNKV_PROTOCOL_VERSION + 1;
    assert_int_equal(dynkv_message_decode(dynkv_buf_slice(&sample.bytes), &arena, &envelope, &body),
                     DYNKV_UNSUPPORTED);
    assert_int_equal(envelope.protocol, DYNKV_PROTOCOL_VERSION + 1);
    assert_int_equal(envelope.request_id, sample.envelope.request_id);
    dynkv_arena_fini(&arena);
    sample_fini(&sample);
}

/* ---- hostile lengths ---- */

/* An envelope for a message of that type, to which a test appends a body by hand. */
static struct dynkv_buf begin(uint8_t type)
{
    struct dynkv_buf bytes = {0};

    dynkv_put_u8(&bytes, DYNKV_PROTOCOL_VERSION);
    dynkv_put_u8(&bytes, type);
    dynkv_put_varint(&bytes, 1);
    dynkv_put_u64(&bytes, 0);
    dynkv_put_u64(&bytes, 0);
    dynkv_put_u64(&bytes, 0);
    dynkv_put_varint(&bytes, 0);
    return bytes;
}

static enum dynkv_error finish(struct dynkv_buf *bytes)
{
    enum dynkv_error error = decode_alone(dynkv_buf_slice(bytes), NULL);

    dynkv_buf_fini(bytes);
    return error;
}

static enum dynkv_error decode_get_of_key_length(uint32_t len)
{
    struct dynkv_buf bytes = begin(DYNKV_MESSAGE_GET);

    dynkv_put_u64(&bytes, 9); /* keyspace */
    dynkv_put_u8(&bytes, 0);
    dynkv_put_u8(&bytes, 0);
    dynkv_put_varint(&bytes, 1); /* one item */
    dynkv_put_varint(&bytes, len);
    memset(dynkv_put_room(&bytes, len), 'k', len);
    dynkv_put_varint(&bytes, 1); /* partition_len */
    dynkv_put_u8(&bytes, 0);
    return finish(&bytes);
}

static void a_key_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
    (void)state;
    assert_int_equal(decode_get_of_key_length(DYNKV_KEY_MAX), DYNKV_OK);
    assert_int_equal(decode_get_of_key_length(DYNKV_KEY_MAX + 1), DYNKV_MALFORMED);
}

/* A REPAIR of empty keys: two bytes an item. */
static enum dynkv_error decode_repair_of(uint64_t count_said, size_t count_sent)
{
    struct dynkv_buf bytes = begin(DYNKV_MESSAGE_REPAIR);

    dynkv_put_u64(&bytes, 9);
    dynkv_put_varint(&bytes, count_said);
    memset(dynkv_put_room(&bytes, 2 * count_sent), 0, 2 * count_sent);
    return finish(&bytes);
}

static void a_list_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
    (void)state;
    assert_int_equal(decode_repair_of(DYNKV_BATCH_ITEMS_MAX, DYNKV_BATCH_ITEMS_MAX), DYNKV_OK);
    assert_int_equal(decode_repair_of(DYNKV_BATCH_ITEMS_MAX + 1, DYNKV_BATCH_ITEMS_MAX + 1),
                     DYNKV_MALFORMED);
}

static void a_count_that_the_bytes_left_cannot_hold_is_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_repair_of(3, 3), DYNKV_OK);
    assert_int_equal(decode_repair_of(4, 3), DYNKV_MALFORMED);
    assert_int_equal(decode_repair_of(UINT64_MAX, 3), DYNKV_MALFORMED);
    assert_int_equal(decode_repair_of((UINT64_C(1) << 32) + 1, 3), DYNKV_MALFORMED);
}

static enum dynkv_error decode_hello_of_version(uint64_t protocol_min)
{
    struct dynkv_buf bytes = begin(DYNKV_MESSAGE_HELLO);

    dynkv_put_varint(&bytes, protocol_min); /* 32 bits wide */
    dynkv_put_varint(&bytes, 1);
    dynkv_put_varint(&bytes, 0);
    dynkv_put_bytes(&bytes, dynkv_slice_text("x"));
    dynkv_put_bytes(&bytes, dynkv_slice_text(""));
    return finish(&bytes);
}

static void a_number_wider_than_its_field_is_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_hello_of_version(UINT32_MAX), DYNKV_OK);
    assert_int_equal(decode_hello_of_version((uint64_t)UINT32_MAX + 1), DYNKV_MALFORMED);
}

static void a_number_in_a_longer_form_than_needed_is_refused(void **state)
{
    struct dynkv_buf bytes = begin(DYNKV_MESSAGE_DONE);
    /* The request id 1, which stands behind the first two bytes, written as 0x81 0x00. */
    static const uint8_t longer[] = {0x81, 0x00};
    struct dynkv_buf padded = {0};

    (void)state;
    dynkv_put_raw(&padded, dynkv_slice(bytes.data, 2));
    dynkv_put_raw(&padded, dynkv_slice(longer, sizeof longer));
    dynkv_put_raw(&padded, dynkv_slice(bytes.data + 3, bytes.len - 3));
    assert_int_equal(finish(&bytes), DYNKV_OK);
    assert_int_equal(finish(&padded), DYNKV_MALFORMED);
}

static void every_maximum_lies_within_one_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        const struct dynkv_layout *layout = dynkv_message_layout(types[i]);

        assert_true(layout->size <= sizeof(union dynkv_body));
        for (uint32_t j = 0; j < layout->field_count; j++) {
            const struct dynkv_field *field = &layout->fields[j];

            if (field->kind == DYNKV_FIELD_BYTES || field->kind == DYNKV_FIELD_LIST)
                assert_in_range(field->max, 1, DYNKV_MESSAGE_MAX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_as_it_was_sent),
        cmocka_unit_test(a_message_cut_short_anywhere_is_malformed),
        cmocka_unit_test(a_message_with_bytes_behind_it_is_malformed),
        cmocka_unit_test(a_damaged_message_is_refused_or_means_exactly_its_bytes),
        cmocka_unit_test(an_unknown_type_is_unsupported_and_can_be_answered),
        cmocka_unit_test(another_protocol_version_is_unsupported_and_can_be_answered),
        cmocka_unit_test(a_key_may_be_as_long_as_the_limit_and_no_longer),
        cmocka_unit_test(a_list_may_be_as_long_as_the_limit_and_no_longer),
        cmocka_unit_test(a_count_that_the_bytes_left_cannot_hold_is_refused),
        cmocka_unit_test(a_number_wider_than_its_field_is_refused),
        cmocka_unit_test(a_number_in_a_longer_form_than_needed_is_refused),
        cmocka_unit_test(every_maximum_lies_within_one_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
