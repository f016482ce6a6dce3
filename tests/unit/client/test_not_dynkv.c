/* test_not_dynkv.c: servers that speak something else, by mistake or with malice. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "tests/unit/client/fake.h"
#include "tests/unit/client/raw.h"

#define REP_GREETING "\0SP\0\0\x31\0\0"
#define BYTES(text)  dynkv_slice(text, sizeof(text) - 1)

/* Any question to such a server ends with this error and a text that names the host. */
static void assert_ends_with(const struct raw_script *script, enum dynkv_error error,
                             const char *part, uint32_t connect_timeout_ms)
{
    struct raw_server *server = raw_start(script);
    struct dynkv_client_options options = {.hosts = raw_host(server),
                                           .connect_timeout_ms = connect_timeout_ms};
    struct dynkv_client *client;
    struct dynkv_request *request;
    char text[DYNKV_CLIENT_TEXT_MAX];

    assert_int_equal(dynkv_client_new(&options, &client, text, sizeof text), DYNKV_OK);
    request = dynkv_keyspace_open_start(client, "things", true, NULL, FAKE_WAIT_MS);
    dynkv_request_wait(request);
    assert_non_null(strstr(dynkv_request_text(request), raw_host(server)));
    if (!strstr(dynkv_request_text(request), part))
        fail_msg("\"%s\" does not say \"%s\"", dynkv_request_text(request), part);
    assert_int_equal(dynkv_request_error(request), error);
    dynkv_request_free(request);
    dynkv_client_free(client);
    raw_stop(server);
}

static void garbage_is_not_dynkv(void **state)
{
    (void)state;
    assert_ends_with(&(struct raw_script){.at_once = BYTES("\x16\x03\x01 what is this?")},
                     DYNKV_NOT_DYNKV, "not dynkv", 0);
    /* One wrong byte is enough; the server may wait for something that we shall never say. */
    assert_ends_with(&(struct raw_script){.at_once = BYTES("x")}, DYNKV_NOT_DYNKV, "not dynkv", 0);
    assert_ends_with(&(struct raw_script){.at_once = BYTES("220 mail ESMTP\r\n"), .closes = true},
                     DYNKV_NOT_DYNKV, "not dynkv", 0);
}

static void an_http_server_is_called_one(void **state)
{
    (void)state;
    assert_ends_with(&(struct raw_script){.wait_for = 8,
                                          .then = BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"),
                                          .closes = true},
                     DYNKV_NOT_DYNKV, "HTTP", 0);
}

static void another_sp_protocol_is_named(void **state)
{
    (void)state;
    assert_ends_with(&(struct raw_script){.at_once = BYTES("\0SP\0\0\x51\0\0")}, DYNKV_NOT_DYNKV,
                     "0x51", 0);
}

static void an_oversize_length_is_not_believed(void **state)
{
    (void)state;
    assert_ends_with(&(struct raw_script){.at_once = BYTES(REP_GREETING),
                                          .wait_for = 8,
                                          .then = BYTES("\xff\xff\xff\xff\xff\xff\xff\xff")},
                     DYNKV_NOT_DYNKV, "bytes", 0);
    /* One more than may be. */
    assert_ends_with(&(struct raw_script){.at_once = BYTES(REP_GREETING),
                                          .wait_for = 8,
                                          .then = BYTES("\0\0\0\0\x03\0\0\x01")},
                     DYNKV_NOT_DYNKV, "bytes", 0);
    assert_ends_with(&(struct raw_script){.at_once = BYTES(REP_GREETING),
                                          .wait_for = 8,
                                          .then = BYTES("\0\0\0\0\0\0\0\x03")},
                     DYNKV_NOT_DYNKV, "bytes", 0);
}

static void a_promise_of_many_bytes_allocates_only_what_comes(void **state)
{
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct raw_script script = {.at_once = BYTES(REP_GREETING),
                                .wait_for = 8,
                                .then = BYTES("\0\0\0\0\x03\0\0\0\x80\0\0\x01")};
    struct raw_server *server = raw_start(&script);
    struct dynkv_client_options options = {.hosts = raw_host(server)};
    struct dynkv_client *client;
    struct dynkv_client_stats stats = {0};
    char text[DYNKV_CLIENT_TEXT_MAX];
    struct dynkv_request *request;

    (void)state;
    assert_int_equal(dynkv_client_new(&options, &client, text, sizeof text), DYNKV_OK);
    request = dynkv_keyspace_open_start(client, "things", true, NULL, FAKE_WAIT_MS);
    while (stats.bytes_received < script.at_once.len + script.then.len) {
        dynkv_client_poll(client, -1);
        dynkv_client_stats(client, &stats);
    }
    assert_true(mallinfo2().uordblks + mallinfo2().hblkhd < before + 1024u * 1024u);
    dynkv_request_free(request);
    dynkv_client_free(client);
    raw_stop(server);
}

static void a_reply_without_a_request_id_is_not_dynkv(void **state)
{
    (void)state;
    assert_ends_with(&(struct raw_script){.at_once = BYTES(REP_GREETING),
                                          .wait_for = 8,
                                          .then = BYTES("\0\0\0\0\0\0\0\x04\0\0\0\x01")},
                     DYNKV_NOT_DYNKV, "request id", 0);
}

static void a_reply_that_is_no_message_is_not_dynkv(void **state)
{
    (void)state;
    /* The first request of a client has the number 1 or 2: HELLO's is one of them. */
    assert_ends_with(&(struct raw_script){.at_once = BYTES(REP_GREETING),
                                          .wait_for = 8,
                                          .then = BYTES("\0\0\0\0\0\0\0\x09\x80\0\0\x01hello"
                                                        "\0\0\0\0\0\0\0\x09\x80\0\0\x02hello")},
                     DYNKV_NOT_DYNKV, "no dynkv message", 0);
}

static void replies_that_nobody_asked_for_are_ignored_until_the_timeout(void **state)
{
    (void)state;
    assert_ends_with(&(struct raw_script){.at_once = BYTES(REP_GREETING),
                                          .wait_for = 8,
                                          .then = BYTES("\0\0\0\0\0\0\0\x09\x80\0\x77\x77hello")},
                     DYNKV_CONNECT, "says nothing", 200);
}

static void a_flood_of_noise_does_not_keep_the_client_from_its_timeout(void **state)
{
    (void)state;
    assert_ends_with(&(struct raw_script){.at_once = BYTES(REP_GREETING),
                                          .wait_for = 8,
                                          .then = BYTES("\0\0\0\0\0\0\0\x09\x80\0\x77\x77hello"),
                                          .is_endless = true},
                     DYNKV_CONNECT, "says nothing", 200);
}

static void a_server_that_says_nothing_ends_at_the_connect_timeout(void **state)
{
    (void)state;
    assert_ends_with(&(struct raw_script){.at_once = {0}}, DYNKV_CONNECT, "says nothing", 200);
}

static void a_server_that_closes_at_once_is_told_apart(void **state)
{
    (void)state;
    assert_ends_with(&(struct raw_script){.closes = true}, DYNKV_CONNECT, "closed", 0);
}

static void a_good_node_among_the_hosts_is_found(void **state)
{
    struct raw_script garbage = {.at_once = BYTES("garbage")}, silence = {.at_once = {0}};
    struct raw_server *bad = raw_start(&garbage), *mute = raw_start(&silence);
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    char hosts[256];
    struct dynkv_client *client;
    struct dynkv_request *request;
    struct dynkv_key_ref key = fake_key("alice");

    (void)state;
    snprintf(hosts, sizeof hosts, "%s, %s ,tcp://%s", raw_host(bad), raw_host(mute),
             fake_host(cluster, 0));
    client = fake_client_of(hosts);
    request = dynkv_keyspace_open_start(client, FAKE_KEYSPACE, true, NULL, 2000);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_OK);
    dynkv_request_free(request);
    request = dynkv_get_start(client, fake_keyspace(), &key, 1, NULL);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_OK);
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
    raw_stop(bad);
    raw_stop(mute);
}

/* Bytes that are nearly right, all through the answers to HELLO and what follows. */
static void mutated_replies_neither_crash_nor_hang(void **state)
{
    struct dynkv_random random = dynkv_random(20251121);

    (void)state;
    for (uint32_t round = 0; round < 200; round++) {
        uint8_t reply[4096];
        struct dynkv_buf good = {0};
        struct dynkv_envelope envelope = {.type = DYNKV_MESSAGE_HELLO_REPLY, .request_id = 2};
        struct dynkv_hello_reply hello = {.protocol = 1, .cluster_id = 1, .node_id = 2};
        struct dynkv_client_options options = {.connect_timeout_ms = 20};
        struct raw_script script = {.at_once = BYTES(REP_GREETING), .wait_for = 8, .closes = true};
        struct raw_server *server;
        struct dynkv_client *client;
        struct dynkv_request *request;
        char text[DYNKV_CLIENT_TEXT_MAX];

        dynkv_put_u64_be(&good, 0);
        dynkv_put_u32_be(&good, 0x80000002u);
        dynkv_message_encode(&envelope, &hello, &good);
        good.data[7] = (uint8_t)(good.len - 8);
        memcpy(reply, good.data, good.len);
        for (uint32_t flips = 1 + round % 3; flips; flips--)
            reply[dynkv_random_below(&random, good.len)] ^=
                (uint8_t)(1u << dynkv_random_below(&random, 8));
        script.then = dynkv_slice(reply, good.len);
        server = raw_start(&script);
        options.hosts = raw_host(server);
        assert_int_equal(dynkv_client_new(&options, &client, text, sizeof text), DYNKV_OK);
        request = dynkv_keyspace_open_start(client, "things", true, NULL, 100);
        dynkv_request_wait(request);
        assert_int_not_equal(dynkv_request_error(request), DYNKV_OK);
        dynkv_request_free(request);
        dynkv_client_free(client);
        raw_stop(server);
        dynkv_buf_fini(&good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(garbage_is_not_dynkv),
        cmocka_unit_test(an_http_server_is_called_one),
        cmocka_unit_test(another_sp_protocol_is_named),
        cmocka_unit_test(an_oversize_length_is_not_believed),
        cmocka_unit_test(a_promise_of_many_bytes_allocates_only_what_comes),
        cmocka_unit_test(a_reply_without_a_request_id_is_not_dynkv),
        cmocka_unit_test(a_reply_that_is_no_message_is_not_dynkv),
        cmocka_unit_test(replies_that_nobody_asked_for_are_ignored_until_the_timeout),
        cmocka_unit_test(a_flood_of_noise_does_not_keep_the_client_from_its_timeout),
        cmocka_unit_test(a_server_that_says_nothing_ends_at_the_connect_timeout),
        cmocka_unit_test(a_server_that_closes_at_once_is_told_apart),
        cmocka_unit_test(a_good_node_among_the_hosts_is_found),
        cmocka_unit_test(mutated_replies_neither_crash_nor_hang),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
