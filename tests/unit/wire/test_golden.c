/*
 * test_golden.c: messages written out byte by byte.
 *
 * A round trip cannot see that both directions changed alike.  These can: if one fails, the wire format
 * has changed, and nodes of two versions no longer understand each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "random_body.h"

/* The eight bytes of a fixed64, least significant first. */
#define BYTE(value, n) (uint8_t)(UINT64_C(value) >> 8 * (n))
/* clang-format off */
#define LE64(value)                                                             \
    BYTE(value, 0), BYTE(value, 1), BYTE(value, 2), BYTE(value, 3),             \
    BYTE(value, 4), BYTE(value, 5), BYTE(value, 6), BYTE(value, 7)
/* clang-format on */

/* Encodes to exactly these bytes, and these bytes decode to exactly that. */
static void check(const struct dynkv_envelope *envelope, const void *body, const uint8_t *bytes,
                  size_t len)
{
    struct dynkv_buf out = {0};
    struct dynkv_arena arena = {0};
    struct dynkv_envelope back;
    union dynkv_body decoded;

    dynkv_message_encode(envelope, body, &out);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, bytes, len);
    assert_int_equal(dynkv_message_decode(dynkv_slice(bytes, len), &arena, &back, &decoded),
                     DYNKV_OK);
    assert_int_equal(back.type, envelope->type);
    assert_int_equal(back.request_id, envelope->request_id);
    assert_int_equal(back.deadline_ms, envelope->deadline_ms);
    assert_true(bodies_equal(dynkv_message_layout(envelope->type), body, &decoded));
    dynkv_arena_fini(&arena);
    dynkv_buf_fini(&out);
}

static void hello_is_these_bytes(void **state)
{
    /* clang-format off */
    static const uint8_t bytes[] = {
        1, 3,                        /* protocol, HELLO */
        7,                           /* request id */
        LE64(0x0000018bcfe568000),   /* timestamp */
        LE64(0),                     /* sender: a client */
        LE64(0),                     /* ring version: none */
        0xf4, 3,                     /* deadline 500 ms */
        1, 1,                        /* protocol_min, protocol_max */
        0,                           /* capabilities */
        5, 'd', 'y', 'n', 'k', 'v',  /* client name */
        0,                           /* credentials */
    };
    /* clang-format on */
    const struct dynkv_envelope envelope = {
        .type = DYNKV_MESSAGE_HELLO,
        .request_id = 7,
        .timestamp = 0x0000018bcfe568000u,
        .deadline_ms = 500,
    };
    const struct dynkv_hello hello = {
        .protocol_min = 1,
        .protocol_max = 1,
        .client_name = dynkv_slice_text("dynkv"),
    };

    (void)state;
    check(&envelope, &hello, bytes, sizeof bytes);
}

static void get_is_these_bytes(void **state)
{
    /* clang-format off */
    static const uint8_t bytes[] = {
        1, 16,                                           /* protocol, GET */
        0x80, 1,                                         /* request id 128 */
        0x01, 0, 0, 0, 0, 0, 0, 0,                       /* timestamp */
        0x02, 0, 0, 0, 0, 0, 0, 0,                       /* sender */
        0x08, 7, 6, 5, 4, 3, 2, 1,                       /* ring version */
        0,                                               /* deadline: the default */
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,  /* keyspace */
        1,                                               /* flags: COORDINATE */
        2,                                               /* r */
        2,                                               /* two items */
        5, 'a', 'l', 'i', 'c', 'e', 5, 0,                /* key, partition_len, want: the object */
        3, 'b', 0, 'c', 1, 1,                            /* key, partition_len, want: the digest */
    };
    /* clang-format on */
    const struct dynkv_envelope envelope = {
        .type = DYNKV_MESSAGE_GET,
        .request_id = 128,
        .timestamp = 1,
        .sender = 2,
        .ring_version = 0x0102030405060708u,
    };
    struct dynkv_get_item items[] = {
        {.key = dynkv_slice_text("alice"), .partition_len = 5, .want = 0},
        {.key = dynkv_slice("b\0c", 3), .partition_len = 1, .want = 1},
    };
    const struct dynkv_get get = {
        .keyspace = 0x1122334455667788u,
        .flags = DYNKV_GET_COORDINATE,
        .r = 2,
        .items = items,
        .item_count = 2,
    };

    (void)state;
    check(&envelope, &get, bytes, sizeof bytes);
}

static void put_is_these_bytes(void **state)
{
    /* clang-format off */
    static const uint8_t bytes[] = {
        1, 18,                         /* protocol, PUT */
        1,                             /* request id */
        LE64(3), LE64(0), LE64(9),     /* timestamp, sender, ring version */
        0x88, 0x27,                    /* deadline 5000 ms */
        LE64(0x1122334455667788),      /* keyspace */
        1,                             /* flags: STRICT */
        3,                             /* w */
        LE64(0xfedcba9876543210),      /* client */
        0xac, 2,                       /* sequence 300 */
        2,                             /* two items */
        3, 'k', 'e', 'y', 3,           /* key, partition_len */
        6,                             /* flags: HAS_CONTEXT, STAMPED */
        10, 1, LE64(0xa1), 4,          /* context: {a1 -> 4} */
        0x80, 0x80, 0x80, 0x80, 0x10,  /* expires_at_ms 2^32 */
        4, 'C', 'A', 'R', 'T',         /* value */
        1, 'x', 1,                     /* key, partition_len */
        1,                             /* flags: DELETE */
        0,                             /* no context */
        0,                             /* expires_at_ms: none */
        0,                             /* no value */
        LE64(0x0000018bcfe568000),     /* stamp */
    };
    /* clang-format on */
    static const uint8_t context[] = {1, LE64(0xa1), 4};
    const struct dynkv_envelope envelope = {
        .type = DYNKV_MESSAGE_PUT,
        .request_id = 1,
        .timestamp = 3,
        .ring_version = 9,
        .deadline_ms = 5000,
    };
    struct dynkv_put_item items[] = {
        {
            .key = dynkv_slice_text("key"),
            .partition_len = 3,
            .flags = DYNKV_PUT_HAS_CONTEXT | DYNKV_PUT_STAMPED,
            .context = dynkv_slice(context, sizeof context),
            .expires_at_ms = UINT64_C(1) << 32,
            .value = dynkv_slice_text("CART"),
        },
        {.key = dynkv_slice_text("x"), .partition_len = 1, .flags = DYNKV_PUT_DELETE},
    };
    const struct dynkv_put put = {
        .keyspace = 0x1122334455667788u,
        .flags = DYNKV_PUT_STRICT,
        .w = 3,
        .client = 0xfedcba9876543210u,
        .sequence = 300,
        .items = items,
        .item_count = 2,
        .stamp = 0x0000018bcfe568000,
    };

    (void)state;
    check(&envelope, &put, bytes, sizeof bytes);
}

static void numbers_of_messages_stay_as_they_are(void **state)
{
    static const struct {
        uint8_t number;
        const char *name;
    } known[] = {
        {1, "ERROR"},          {2, "DONE"},           {3, "HELLO"},
        {4, "HELLO_REPLY"},    {5, "RING"},           {6, "RING_REPLY"},
        {7, "STATUS"},         {8, "STATUS_REPLY"},   {9, "KEYSPACE_OPEN"},
        {10, "KEYSPACE_DROP"}, {11, "KEYSPACE_LIST"}, {12, "KEYSPACE_REPLY"},
        {16, "GET"},           {17, "GET_REPLY"},     {18, "PUT"},
        {19, "PUT_REPLY"},     {20, "SCAN"},          {21, "SCAN_REPLY"},
        {22, "REPAIR"},        {32, "REPLICATE"},     {33, "REPLICATE_REPLY"},
        {34, "VERIFY"},        {35, "VERIFY_REPLY"},  {40, "PING"},
        {41, "PING_REPLY"},    {42, "GOSSIP"},        {43, "JOIN"},
        {44, "JOIN_REPLY"},    {56, "PING_NACK"},     {72, "REAP_CHECK"},
        {74, "REAP_QUIET"},    {76, "REAP"},          {77, "REAP_REPLY"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_string_equal(dynkv_message_name(known[i].number), known[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_these_bytes),
        cmocka_unit_test(get_is_these_bytes),
        cmocka_unit_test(put_is_these_bytes),
        cmocka_unit_test(numbers_of_messages_stay_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
