/* test_put.c: writes: grouping, splitting, fail-over of what was not sent, unknown outcomes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"
#include "tests/unit/client/fake.h"

static struct dynkv_write write_of(const char *key, const char *value)
{
    return (struct dynkv_write){.at = fake_key(key), .value = dynkv_slice_text(value)};
}

static struct dynkv_request *put_start(struct dynkv_client *client, const char *key,
                                       uint32_t deadline_ms)
{
    struct dynkv_write write = write_of(key, "value");
    struct dynkv_call call = {.deadline_ms = deadline_ms};

    return dynkv_put_start(client, fake_keyspace(), &write, 1, &call);
}

static void assert_written(struct dynkv_request *request)
{
    uint32_t count;
    const struct dynkv_write_result *results;

    dynkv_request_wait(request);
    assert_string_equal(dynkv_request_text(request), "");
    assert_int_equal(dynkv_request_error(request), DYNKV_OK);
    results = dynkv_request_writes(request, &count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(results[i].error, DYNKV_OK);
        assert_int_equal(results[i].acks, 2);
        assert_true(results[i].context.len > 0);
    }
    dynkv_request_free(request);
}

static void a_write_goes_to_the_first_replica_alone(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);

    (void)state;
    assert_written(put_start(client, "alice", FAKE_WAIT_MS));
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT), 1);
    assert_int_equal(fake_messages(cluster, fake_node_at(cluster, "alice", 0), DYNKV_MESSAGE_PUT),
                     1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void an_answer_gives_no_context_that_covers_unseen_siblings(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_write writes[2] = {write_of("alice", "value"), write_of("bob", FAKE_CONFLICT)};
    struct dynkv_request *request = dynkv_put_start(client, fake_keyspace(), writes, 2, NULL);
    const struct dynkv_write_result *results;

    (void)state;
    dynkv_request_wait(request);
    results = dynkv_request_writes(request, NULL);
    assert_int_equal(results[0].error, DYNKV_OK);
    assert_int_equal(results[0].siblings, 1);
    assert_true(results[0].context.len > 0);
    assert_int_equal(results[1].error, DYNKV_OK);
    assert_int_equal(results[1].siblings, 2);
    assert_int_equal(results[1].context.len, 0);
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void many_writes_take_one_message_a_node(void **state)
{
    enum { COUNT = 300 };
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    static char names[COUNT][16];
    static struct dynkv_write writes[COUNT];
    uint32_t expected[FAKE_NODES_MAX] = {0};

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "key%u", i);
        writes[i] = write_of(names[i], "value");
        expected[fake_node_at(cluster, names[i], 0)]++;
    }
    assert_written(dynkv_put_start(client, fake_keyspace(), writes, COUNT, NULL));
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT), 3);
    for (uint32_t i = 0; i < FAKE_NODES_MAX; i++)
        assert_int_equal(fake_items(cluster, i, DYNKV_MESSAGE_PUT), expected[i]);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_put_of_too_many_items_is_cut(void **state)
{
    enum { COUNT = 25000 };
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    static char names[COUNT][16];
    static struct dynkv_write writes[COUNT];

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "key%u", i);
        writes[i] = write_of(names[i], "v");
    }
    assert_written(dynkv_put_start(client, fake_keyspace(), writes, COUNT,
                                   &(struct dynkv_call){.deadline_ms = FAKE_WAIT_MS}));
    assert_int_equal(fake_messages(cluster, 0, DYNKV_MESSAGE_PUT), 3);
    assert_int_equal(fake_items(cluster, 0, DYNKV_MESSAGE_PUT), COUNT);
    assert_int_equal(fake_largest_items(cluster, DYNKV_MESSAGE_PUT), DYNKV_BATCH_ITEMS_MAX);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_put_of_too_many_bytes_is_cut_and_waits_for_room(void **state)
{
    enum { COUNT = 20 };
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    struct dynkv_client *client;
    struct dynkv_client_options options = {.hosts = fake_hosts(cluster), .max_in_flight_bytes = 1};
    static char names[COUNT][16];
    struct dynkv_write writes[COUNT];
    size_t size = 3u * 1024u * 1024u;
    uint8_t *value = dynkv_calloc(1, size);
    struct dynkv_request *request;
    char text[DYNKV_CLIENT_TEXT_MAX];

    (void)state;
    assert_int_equal(dynkv_client_new(&options, &client, text, sizeof text), DYNKV_OK);
    request = dynkv_keyspace_open_start(client, FAKE_KEYSPACE, true, NULL, FAKE_WAIT_MS);
    dynkv_request_wait(request);
    dynkv_request_free(request);
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "key%u", i);
        writes[i] = write_of(names[i], "");
        writes[i].value = dynkv_slice(value, size);
    }
    assert_written(dynkv_put_start(client, fake_keyspace(), writes, COUNT,
                                   &(struct dynkv_call){.deadline_ms = 6 * FAKE_WAIT_MS}));
    assert_int_equal(fake_messages(cluster, 0, DYNKV_MESSAGE_PUT), COUNT / 2);
    assert_true(fake_largest_bytes(cluster, DYNKV_MESSAGE_PUT) <= DYNKV_BATCH_MAX);
    free(value);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void the_largest_value_goes_alone_and_a_larger_one_is_refused(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint8_t *value = dynkv_calloc(1, DYNKV_VALUE_MAX + 1u);
    struct dynkv_write writes[2] = {write_of("small", "value"), write_of("large", "")};
    struct dynkv_request *request;

    (void)state;
    writes[1].value = dynkv_slice(value, DYNKV_VALUE_MAX);
    assert_written(dynkv_put_start(client, fake_keyspace(), writes, 2,
                                   &(struct dynkv_call){.deadline_ms = FAKE_WAIT_MS}));
    assert_int_equal(fake_messages(cluster, 0, DYNKV_MESSAGE_PUT), 2);
    writes[1].value.len++;
    request = dynkv_put_start(client, fake_keyspace(), writes, 2, NULL);
    assert_true(dynkv_request_is_done(request));
    assert_int_equal(dynkv_request_error(request), DYNKV_TOO_LARGE);
    assert_int_equal(dynkv_request_writes(request, NULL)[0].error, DYNKV_CANCELLED);
    assert_int_equal(dynkv_request_writes(request, NULL)[1].error, DYNKV_TOO_LARGE);
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, 0, DYNKV_MESSAGE_PUT), 2);
    free(value);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void what_was_not_sent_goes_to_the_next_replica(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint32_t first = fake_node_at(cluster, "alice", 0);

    (void)state;
    fake_node_stop(cluster, first);
    assert_written(put_start(client, "alice", FAKE_WAIT_MS));
    assert_int_equal(fake_messages(cluster, fake_node_at(cluster, "alice", 1), DYNKV_MESSAGE_PUT),
                     1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_node_that_vanishes_with_a_write_leaves_its_outcome_unknown(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint32_t first = fake_node_at(cluster, "alice", 0);
    struct dynkv_request *request;

    (void)state;
    fake_react(cluster, first, DYNKV_MESSAGE_PUT, FAKE_SILENT, DYNKV_OK);
    request = put_start(client, "alice", FAKE_WAIT_MS);
    fake_await_messages(cluster, client, first, DYNKV_MESSAGE_PUT, 1);
    fake_node_stop(cluster, first);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_UNAVAILABLE);
    assert_int_equal(dynkv_request_writes(request, NULL)[0].error, DYNKV_UNAVAILABLE);
    assert_non_null(strstr(dynkv_request_text(request), "unknown"));
    assert_non_null(strstr(dynkv_request_text(request), fake_host(cluster, first)));
    dynkv_request_free(request);
    /* It was sent to nobody else. */
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT), 1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static struct dynkv_request *repeatable_start(struct dynkv_client *client, const char *value,
                                              uint32_t deadline_ms)
{
    struct dynkv_write write = write_of("alice", value);
    struct dynkv_call call = {.deadline_ms = deadline_ms, .repeat = true};

    return dynkv_put_start(client, fake_keyspace(), &write, 1, &call);
}

static void a_repeatable_write_goes_on_as_the_same_write(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint32_t first = fake_node_at(cluster, "alice", 0), next = fake_node_at(cluster, "alice", 1);
    struct dynkv_request *request;

    (void)state;
    fake_react(cluster, first, DYNKV_MESSAGE_PUT, FAKE_SILENT, DYNKV_OK);
    request = repeatable_start(client, "value", FAKE_WAIT_MS);
    fake_await_messages(cluster, client, first, DYNKV_MESSAGE_PUT, 1);
    fake_node_stop(cluster, first);
    assert_written(request);
    assert_int_equal(fake_messages(cluster, next, DYNKV_MESSAGE_PUT), 1);
    assert_int_not_equal(fake_last_stamp(cluster, first), 0);
    assert_int_equal(fake_last_stamp(cluster, first), fake_last_stamp(cluster, next));
    assert_int_equal(fake_last_sequence(cluster, first), fake_last_sequence(cluster, next));
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_repeatable_write_leaves_a_silent_node(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);

    (void)state;
    fake_react(cluster, fake_node_at(cluster, "alice", 0), DYNKV_MESSAGE_PUT, FAKE_SILENT,
               DYNKV_OK);
    assert_written(repeatable_start(client, "value", FAKE_HASTE_MS));
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT), 2);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

/* Or two writes of one value would pass for a write and its repetition. */
static void clients_do_not_share_stamps(void **state)
{
    uint32_t shared = 0;

    (void)state;
    for (uint32_t i = 0; i < 50; i++) { /* pairs of them, mostly within one millisecond */
        struct dynkv_client *a = fake_client_of("127.0.0.1:1"), *b = fake_client_of("127.0.0.1:1");

        shared += dynkv_client_stamp(a) == dynkv_client_stamp(b);
        dynkv_client_free(a);
        dynkv_client_free(b);
    }
    assert_true(shared < 5);
}

static void a_stale_stamp_is_left_away(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint32_t first = fake_node_at(cluster, "alice", 0);

    (void)state;
    assert_written(repeatable_start(client, FAKE_STALE, FAKE_WAIT_MS));
    assert_int_equal(fake_messages(cluster, first, DYNKV_MESSAGE_PUT), 2);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT), 2);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_lost_write_that_is_stale_elsewhere_is_unknown(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint32_t first = fake_node_at(cluster, "alice", 0);
    struct dynkv_request *request;

    (void)state;
    fake_react(cluster, first, DYNKV_MESSAGE_PUT, FAKE_SILENT, DYNKV_OK);
    request = repeatable_start(client, FAKE_STALE, FAKE_WAIT_MS);
    fake_await_messages(cluster, client, first, DYNKV_MESSAGE_PUT, 1);
    fake_node_stop(cluster, first);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_UNAVAILABLE);
    assert_non_null(strstr(dynkv_request_text(request), "outcome of 1 is unknown"));
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT), 2);
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_repeatable_write_that_all_nodes_lose_is_unknown(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request;

    (void)state;
    fake_react(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT, FAKE_SILENT, DYNKV_OK);
    request = repeatable_start(client, "value", FAKE_WAIT_MS);
    for (uint32_t place = 0; place < 3; place++) {
        uint32_t node = fake_node_at(cluster, "alice", place);

        fake_await_messages(cluster, client, node, DYNKV_MESSAGE_PUT, 1);
        fake_node_stop(cluster, node);
    }
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_UNAVAILABLE);
    assert_non_null(strstr(dynkv_request_text(request), "outcome of 1 is unknown"));
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_write_that_is_not_answered_times_out_with_its_outcome_unknown(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request;

    (void)state;
    fake_react(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT, FAKE_SILENT, DYNKV_OK);
    request = put_start(client, "alice", 200);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_TIMEOUT);
    assert_non_null(strstr(dynkv_request_text(request), "unknown"));
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT), 1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void with_all_replicas_gone_nothing_is_unknown(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request;

    (void)state;
    assert_written(put_start(client, "alice", FAKE_WAIT_MS)); /* so that the ring is known */
    for (uint32_t i = 0; i < 3; i++)
        fake_node_stop(cluster, i);
    request = put_start(client, "alice", FAKE_WAIT_MS);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_UNAVAILABLE);
    assert_null(strstr(dynkv_request_text(request), "unknown"));
    for (uint32_t i = 0; i < 3; i++)
        assert_non_null(strstr(dynkv_request_text(request), fake_host(cluster, i)));
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_node_that_is_stopping_is_passed_over(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);

    (void)state;
    fake_react(cluster, fake_node_at(cluster, "alice", 0), DYNKV_MESSAGE_PUT, FAKE_ERROR,
               DYNKV_STOPPING);
    assert_written(put_start(client, "alice", FAKE_WAIT_MS));
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_write_follows_a_change_of_the_ring(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);

    (void)state;
    fake_react(cluster, fake_node_at(cluster, "alice", 0), DYNKV_MESSAGE_PUT, FAKE_ERROR_ONCE,
               DYNKV_NOT_REPLICA);
    assert_written(put_start(client, "alice", FAKE_WAIT_MS));
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT), 2);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_refusal_for_ever_ends(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request;

    (void)state;
    fake_react(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT, FAKE_ERROR, DYNKV_NOT_REPLICA);
    request = put_start(client, "alice", FAKE_WAIT_MS);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_NOT_REPLICA);
    assert_true(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT) <= 4);
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_keyspace_that_the_node_has_not_heard_of_is_opened_there(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);

    (void)state;
    fake_set_knows_keyspace(cluster, fake_node_at(cluster, "alice", 0), false);
    assert_written(put_start(client, "alice", FAKE_WAIT_MS));
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_PUT), 2);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void deletes_and_contexts_travel(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(1, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_dot dot = {.actor = 1, .counter = 2};
    struct dynkv_version version = {.entries = &dot, .count = 1};
    struct dynkv_buf context = {0};
    struct dynkv_write write = {.at = fake_key("alice"), .is_delete = true, .has_context = true};
    struct dynkv_request *request;

    (void)state;
    dynkv_version_encode(&version, &context);
    write.context = dynkv_buf_slice(&context);
    request = dynkv_put_start(client, fake_keyspace(), &write, 1, NULL);
    dynkv_request_wait(request);
    assert_int_equal(dynkv_request_error(request), DYNKV_OK);
    dynkv_request_free(request);
    write.context = dynkv_slice_text("no version");
    request = dynkv_put_start(client, fake_keyspace(), &write, 1, NULL);
    assert_int_equal(dynkv_request_error(request), DYNKV_INVALID);
    dynkv_request_free(request);
    dynkv_buf_fini(&context);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_goes_to_the_first_replica_alone),
        cmocka_unit_test(many_writes_take_one_message_a_node),
        cmocka_unit_test(a_put_of_too_many_items_is_cut),
        cmocka_unit_test(a_put_of_too_many_bytes_is_cut_and_waits_for_room),
        cmocka_unit_test(the_largest_value_goes_alone_and_a_larger_one_is_refused),
        cmocka_unit_test(what_was_not_sent_goes_to_the_next_replica),
        cmocka_unit_test(a_node_that_vanishes_with_a_write_leaves_its_outcome_unknown),
        cmocka_unit_test(a_repeatable_write_goes_on_as_the_same_write),
        cmocka_unit_test(a_repeatable_write_leaves_a_silent_node),
        cmocka_unit_test(clients_do_not_share_stamps),
        cmocka_unit_test(a_stale_stamp_is_left_away),
        cmocka_unit_test(a_lost_write_that_is_stale_elsewhere_is_unknown),
        cmocka_unit_test(a_repeatable_write_that_all_nodes_lose_is_unknown),
        cmocka_unit_test(a_write_that_is_not_answered_times_out_with_its_outcome_unknown),
        cmocka_unit_test(with_all_replicas_gone_nothing_is_unknown),
        cmocka_unit_test(a_node_that_is_stopping_is_passed_over),
        cmocka_unit_test(a_write_follows_a_change_of_the_ring),
        cmocka_unit_test(a_refusal_for_ever_ends),
        cmocka_unit_test(a_keyspace_that_the_node_has_not_heard_of_is_opened_there),
        cmocka_unit_test(deletes_and_contexts_travel),
        cmocka_unit_test(an_answer_gives_no_context_that_covers_unseen_siblings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
