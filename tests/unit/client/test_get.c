/* test_get.c: client-driven quorum reads, against scripted nodes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/client/fake.h"

static struct dynkv_request *get(struct dynkv_client *client, const char *key, uint32_t r,
                                 uint32_t deadline_ms)
{
    struct dynkv_key_ref at = fake_key(key);
    struct dynkv_call call = {.deadline_ms = deadline_ms, .r = (uint8_t)r};
    struct dynkv_request *request = dynkv_get_start(client, fake_keyspace(), &at, 1, &call);

    dynkv_request_wait(request);
    return request;
}

static void assert_value(const struct dynkv_request *request, uint32_t i, const char *value)
{
    const struct dynkv_read_result *result = &dynkv_request_reads(request, NULL)[i];

    assert_string_equal(dynkv_request_text(request), "");
    assert_int_equal(result->error, DYNKV_OK);
    assert_int_equal(result->object.sibling_count, 1);
    assert_int_equal(result->object.siblings[0].value.len, strlen(value));
    assert_memory_equal(result->object.siblings[0].value.data, value, strlen(value));
}

static void replicas_that_agree_are_asked_once(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_client_stats stats;
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, FAKE_ANY, "alice", 7, 1, "hello");
    request = get(client, "alice", 2, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    assert_int_equal(dynkv_request_reads(request, NULL)[0].answers, 2);
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_GET), 2);
    assert_int_equal(fake_messages(cluster, fake_node_at(cluster, "alice", 0), DYNKV_MESSAGE_GET),
                     1);
    assert_int_equal(fake_messages(cluster, fake_node_at(cluster, "alice", 1), DYNKV_MESSAGE_GET),
                     1);
    dynkv_client_stats(client, &stats);
    assert_int_equal(stats.digest_mismatches, 0);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void one_replica_is_asked_for_r_1(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, FAKE_ANY, "alice", 7, 1, "hello");
    request = get(client, "alice", 1, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_GET), 1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_key_that_is_not_there_is_an_object_without_siblings(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request = get(client, "nobody", 3, FAKE_WAIT_MS);

    (void)state;
    assert_int_equal(dynkv_request_error(request), DYNKV_OK);
    assert_int_equal(dynkv_request_reads(request, NULL)[0].object.sibling_count, 0);
    assert_int_equal(dynkv_request_reads(request, NULL)[0].answers, 3);
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_stale_replica_is_fetched_merged_and_reported(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint32_t first = fake_node_at(cluster, "alice", 0), second = fake_node_at(cluster, "alice", 1);
    struct dynkv_client_stats stats;
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, first, "alice", 7, 1, "old");
    fake_store(cluster, second, "alice", 7, 2, "new");
    request = get(client, "alice", 2, FAKE_WAIT_MS);
    assert_value(request, 0, "new");
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, first, DYNKV_MESSAGE_GET), 1);
    assert_int_equal(fake_messages(cluster, second, DYNKV_MESSAGE_GET), 2);
    /* The one that has the fresh object is told. */
    fake_await_messages(cluster, client, second, DYNKV_MESSAGE_REPAIR, 1);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_REPAIR), 1);
    dynkv_client_stats(client, &stats);
    assert_int_equal(stats.digest_mismatches, 1);
    assert_int_equal(stats.repairs_reported, 1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void concurrent_values_are_both_returned(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, fake_node_at(cluster, "cart", 0), "cart", 7, 1, "apples");
    fake_store(cluster, fake_node_at(cluster, "cart", 1), "cart", 8, 1, "pears");
    request = get(client, "cart", 2, FAKE_WAIT_MS);
    assert_int_equal(dynkv_request_error(request), DYNKV_OK);
    assert_int_equal(dynkv_request_reads(request, NULL)[0].object.sibling_count, 2);
    dynkv_request_free(request);
    fake_await_messages(cluster, client, FAKE_ANY, DYNKV_MESSAGE_REPAIR, 1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void many_keys_take_one_message_a_node(void **state)
{
    enum { KEYS = 500 };
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    static char names[KEYS][16];
    static struct dynkv_key_ref keys[KEYS];
    struct dynkv_request *request;

    (void)state;
    for (uint32_t i = 0; i < KEYS; i++) {
        snprintf(names[i], sizeof names[i], "key%u", i);
        keys[i] = fake_key(names[i]);
        fake_store(cluster, FAKE_ANY, names[i], 7, i + 1, names[i]);
    }
    request = dynkv_get_start(client, fake_keyspace(), keys, KEYS, NULL);
    dynkv_request_wait(request);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_value(request, i, names[i]);
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_GET), 3);
    assert_int_equal(fake_items(cluster, FAKE_ANY, DYNKV_MESSAGE_GET), 2 * KEYS);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_silent_replica_is_replaced_and_then_avoided(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_hasty_client(cluster);
    uint32_t silent = fake_node_at(cluster, "alice", 0);
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, FAKE_ANY, "alice", 7, 1, "hello");
    fake_react(cluster, silent, DYNKV_MESSAGE_GET, FAKE_SILENT, DYNKV_OK);
    request = get(client, "alice", 2, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, silent, DYNKV_MESSAGE_GET), 1);
    /* The second replica's digest, then its object in the silent one's place; the third's digest. */
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_GET), 4);
    request = get(client, "alice", 2, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, silent, DYNKV_MESSAGE_GET), 1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_replica_that_falls_silent_between_the_rounds_is_replaced(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_hasty_client(cluster);
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, fake_node_at(cluster, "alice", 0), "alice", 7, 1, "old");
    fake_store(cluster, fake_node_at(cluster, "alice", 1), "alice", 7, 2, "new");
    fake_store(cluster, fake_node_at(cluster, "alice", 2), "alice", 7, 2, "new");
    fake_react(cluster, fake_node_at(cluster, "alice", 1), DYNKV_MESSAGE_GET, FAKE_SILENT_AFTER_ONE,
               DYNKV_OK);
    request = get(client, "alice", 2, FAKE_WAIT_MS);
    assert_value(request, 0, "new");
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void silence_of_all_ends_at_the_deadline_with_their_names(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request;

    (void)state;
    fake_react(cluster, FAKE_ANY, DYNKV_MESSAGE_GET, FAKE_SILENT, DYNKV_OK);
    request = get(client, "alice", 2, 2000);
    assert_int_equal(dynkv_request_error(request), DYNKV_TIMEOUT);
    assert_int_equal(dynkv_request_reads(request, NULL)[0].error, DYNKV_TIMEOUT);
    for (uint32_t i = 0; i < 3; i++)
        assert_non_null(strstr(dynkv_request_text(request), fake_host(cluster, i)));
    assert_non_null(strstr(dynkv_request_text(request), "2000 ms"));
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_node_that_refuses_connections_is_replaced(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, FAKE_ANY, "alice", 7, 1, "hello");
    fake_node_stop(cluster, fake_node_at(cluster, "alice", 0));
    request = get(client, "alice", 2, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void too_few_replicas_are_unavailable_with_their_reasons(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint32_t first = fake_node_at(cluster, "alice", 0), second = fake_node_at(cluster, "alice", 1);
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, FAKE_ANY, "alice", 7, 1, "hello");
    fake_node_stop(cluster, first);
    fake_node_stop(cluster, second);
    request = get(client, "alice", 2, FAKE_WAIT_MS);
    assert_int_equal(dynkv_request_error(request), DYNKV_UNAVAILABLE);
    assert_int_equal(dynkv_request_reads(request, NULL)[0].error, DYNKV_UNAVAILABLE);
    assert_non_null(strstr(dynkv_request_text(request), fake_host(cluster, first)));
    assert_non_null(strstr(dynkv_request_text(request), fake_host(cluster, second)));
    assert_non_null(strstr(dynkv_request_text(request), "2 of 3 replicas"));
    dynkv_request_free(request);
    /* With r = 1 the third one is enough. */
    request = get(client, "alice", 1, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_node_that_answers_with_an_error_is_replaced(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, FAKE_ANY, "alice", 7, 1, "hello");
    fake_react(cluster, fake_node_at(cluster, "alice", 1), DYNKV_MESSAGE_GET, FAKE_ERROR,
               DYNKV_STORAGE);
    request = get(client, "alice", 2, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_changed_ring_is_fetched_and_the_read_begins_anew(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_client_stats before, after;
    struct dynkv_request *request;

    (void)state;
    request = get(client, "alice", 1, FAKE_WAIT_MS);
    dynkv_request_free(request);
    dynkv_client_stats(client, &before);
    fake_store(cluster, FAKE_ANY, "alice", 7, 1, "hello");
    fake_react(cluster, FAKE_ANY, DYNKV_MESSAGE_GET, FAKE_ERROR_ONCE, DYNKV_RING_CHANGED);
    request = get(client, "alice", 3, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    dynkv_request_free(request);
    dynkv_client_stats(client, &after);
    assert_true(after.ring_refreshes > before.ring_refreshes);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_node_that_has_not_heard_of_the_keyspace_is_told(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    uint32_t ignorant = fake_node_at(cluster, "alice", 0);
    uint32_t opens = fake_messages(cluster, ignorant, DYNKV_MESSAGE_KEYSPACE_OPEN);
    struct dynkv_request *request;

    (void)state;
    fake_store(cluster, FAKE_ANY, "alice", 7, 1, "hello");
    fake_set_knows_keyspace(cluster, ignorant, false);
    request = get(client, "alice", 3, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    assert_int_equal(dynkv_request_reads(request, NULL)[0].answers, 3);
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, ignorant, DYNKV_MESSAGE_KEYSPACE_OPEN), opens + 1);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void routing_any_lets_a_node_coordinate_and_moves_to_another(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client_options options = {.hosts = fake_hosts(cluster),
                                           .routing = DYNKV_ROUTE_ANY};
    struct dynkv_client *client;
    struct dynkv_request *request;
    char text[DYNKV_CLIENT_TEXT_MAX];

    (void)state;
    fake_store(cluster, FAKE_ANY, "alice", 7, 1, "hello");
    assert_int_equal(dynkv_client_new(&options, &client, text, sizeof text), DYNKV_OK);
    request = dynkv_keyspace_open_start(client, FAKE_KEYSPACE, true, NULL, FAKE_WAIT_MS);
    dynkv_request_wait(request);
    dynkv_request_free(request);
    request = get(client, "alice", 2, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    assert_int_equal(dynkv_request_reads(request, NULL)[0].answers, 2);
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_GET), 1);
    fake_node_stop(cluster, 0);
    request = get(client, "alice", 2, FAKE_WAIT_MS);
    assert_value(request, 0, "hello");
    dynkv_request_free(request);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

static void a_faulty_key_or_quorum_is_refused_before_anything_is_sent(void **state)
{
    struct fake_cluster *cluster = fake_cluster_start(3, "tcp");
    struct dynkv_client *client = fake_client(cluster);
    struct dynkv_key_ref keys[2] = {fake_key("alice"), {.key = dynkv_slice_text("bob")}};
    struct dynkv_call call = {.r = 4};
    struct dynkv_request *request = dynkv_get_start(client, fake_keyspace(), keys, 2, NULL);

    (void)state;
    assert_true(dynkv_request_is_done(request));
    assert_int_equal(dynkv_request_error(request), DYNKV_INVALID);
    assert_int_equal(dynkv_request_reads(request, NULL)[0].error, DYNKV_CANCELLED);
    assert_int_equal(dynkv_request_reads(request, NULL)[1].error, DYNKV_INVALID);
    dynkv_request_free(request);
    request = dynkv_get_start(client, fake_keyspace(), keys, 1, &call);
    assert_int_equal(dynkv_request_error(request), DYNKV_INVALID);
    assert_non_null(strstr(dynkv_request_text(request), "r is 4"));
    dynkv_request_free(request);
    request = dynkv_get_start(client, 12345, keys, 1, NULL);
    assert_int_equal(dynkv_request_error(request), DYNKV_NO_KEYSPACE);
    dynkv_request_free(request);
    request = dynkv_get_start(client, fake_keyspace(), keys, 0, NULL);
    assert_true(dynkv_request_is_done(request));
    assert_int_equal(dynkv_request_error(request), DYNKV_OK);
    dynkv_request_free(request);
    assert_int_equal(fake_messages(cluster, FAKE_ANY, DYNKV_MESSAGE_GET), 0);
    dynkv_client_free(client);
    fake_cluster_stop(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_that_agree_are_asked_once),
        cmocka_unit_test(one_replica_is_asked_for_r_1),
        cmocka_unit_test(a_key_that_is_not_there_is_an_object_without_siblings),
        cmocka_unit_test(a_stale_replica_is_fetched_merged_and_reported),
        cmocka_unit_test(concurrent_values_are_both_returned),
        cmocka_unit_test(many_keys_take_one_message_a_node),
        cmocka_unit_test(a_silent_replica_is_replaced_and_then_avoided),
        cmocka_unit_test(a_replica_that_falls_silent_between_the_rounds_is_replaced),
        cmocka_unit_test(silence_of_all_ends_at_the_deadline_with_their_names),
        cmocka_unit_test(a_node_that_refuses_connections_is_replaced),
        cmocka_unit_test(too_few_replicas_are_unavailable_with_their_reasons),
        cmocka_unit_test(a_node_that_answers_with_an_error_is_replaced),
        cmocka_unit_test(a_changed_ring_is_fetched_and_the_read_begins_anew),
        cmocka_unit_test(a_node_that_has_not_heard_of_the_keyspace_is_told),
        cmocka_unit_test(routing_any_lets_a_node_coordinate_and_moves_to_another),
        cmocka_unit_test(a_faulty_key_or_quorum_is_refused_before_anything_is_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
