/* test_hints.c: writes while replicas are absent, and the way home of what was kept for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"
#include "wire/frame.h"

#define FOUND_MS 6000u /* by then all know that nodes are down, or back */

/* Five nodes (or as many as are asked for), N=3, and the roles that they have for one key. */
struct bench {
    struct cluster *c;
    uint64_t ks;
    const char *key;
    uint32_t count;
    uint32_t walk[CLUSTER_MAX]; /* nodes in the key's order: three replicas, then the fallbacks */
};

static struct bench bench_new(uint32_t count, uint8_t w)
{
    struct bench b = {.c = cluster_new(count, 64), .key = "key", .count = count};

    b.ks = cluster_keyspace(b.c, 0, "t", 3, 2, w);
    assert_int_not_equal(b.ks, 0);
    cluster_run(b.c, 1000); /* everybody hears of the keyspace */
    for (uint32_t i = 0; i < count; i++)
        b.walk[i] = cluster_replica(b.c, b.ks, b.key, i);
    return b;
}

static void stop_and_notice(struct bench *b, uint32_t node)
{
    cluster_stop(b->c, node);
    cluster_run(b->c, FOUND_MS);
}

static void start_and_notice(struct bench *b, uint32_t node)
{
    cluster_start(b->c, node);
    cluster_run(b->c, FOUND_MS);
}

static uint64_t total(struct bench *b, const char *counter)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < b->count; i++)
        if (cluster_node(b->c, i))
            sum += cluster_counter(b->c, i, counter);
    return sum;
}

static uint32_t stored_hints(const struct bench *b)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < b->count; i++)
        sum += cluster_stored_hints(b->c, i);
    return sum;
}

static void assert_no_hints_left(struct bench *b)
{
    assert_int_equal(stored_hints(b), 0);
    assert_int_equal(total(b, "hints_pending"), 0);
}

/* What a node itself holds of a key: the value, "" for none, "(dead)" for a tombstone. */
static const char *held(struct bench *b, uint32_t node, const char *key)
{
    struct dynkv_object object = {0};
    struct dynkv_get_result got = cluster_get(b->c, node, b->ks, key, false, 1, &object);
    const struct dynkv_sibling *latest;

    assert_int_equal(got.error, DYNKV_OK);
    if (object.sibling_count == 0)
        return "";
    latest = dynkv_object_latest(&object, 0);
    if (!latest)
        return "(dead)";
    return memcpy(dynkv_arena_calloc(cluster_arena(b->c), 1, latest->value.len + 1),
                  latest->value.data, latest->value.len);
}

static struct dynkv_put_result put(struct bench *b, uint32_t node, const char *key,
                                   const char *value, uint8_t w, uint8_t flags)
{
    struct dynkv_put_item item = {.key = dynkv_slice_text(key),
                                  .partition_len = (uint32_t)strlen(key),
                                  .value = dynkv_slice_text(value)};
    struct dynkv_put body = {
        .keyspace = b->ks, .w = w, .flags = flags, .items = &item, .item_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    assert_true(cluster_ask(b->c, node, DYNKV_MESSAGE_PUT, &body, 5000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_PUT_REPLY);
    return reply.put_reply.results[0];
}

static void a_write_with_a_replica_down_goes_to_a_fallback_and_comes_home(void **state)
{
    struct bench b = bench_new(5, 3);

    (void)state;
    stop_and_notice(&b, b.walk[1]);
    /* W=3: the fallback counts like the replica whose place it takes. */
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 3, 0).acks, 3);
    assert_int_equal(cluster_stored_hints(b.c, b.walk[3]), 1);
    assert_int_equal(cluster_counter(b.c, b.walk[3], "hints_pending"), 1);
    assert_int_equal(cluster_stored_hints(b.c, b.walk[4]), 0);
    start_and_notice(&b, b.walk[1]);
    assert_string_equal(held(&b, b.walk[1], b.key), "1");
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void a_fallback_does_not_show_its_hints_to_readers(void **state)
{
    struct bench b = bench_new(5, 2);

    (void)state;
    stop_and_notice(&b, b.walk[2]);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 3, 0).error, DYNKV_OK);
    assert_int_equal(cluster_get(b.c, b.walk[3], b.ks, b.key, false, 1, NULL).error,
                     DYNKV_NOT_REPLICA);
    cluster_free(b.c);
}

static void what_comes_home_comes_once_and_its_hint_is_gone(void **state)
{
    struct bench b = bench_new(5, 2);
    uint64_t before;

    (void)state;
    stop_and_notice(&b, b.walk[1]);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 2, 0).error, DYNKV_OK);
    before = cluster_sent(b.c, DYNKV_MESSAGE_REPLICATE);
    start_and_notice(&b, b.walk[1]);
    cluster_run(b.c, 20000);
    assert_int_equal(cluster_sent(b.c, DYNKV_MESSAGE_REPLICATE) - before, 1);
    assert_int_equal(total(&b, "hints_delivered"), 1);
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void strict_writes_refuse_fallbacks(void **state)
{
    struct bench b = bench_new(5, 3);

    (void)state;
    stop_and_notice(&b, b.walk[1]);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 3, DYNKV_PUT_STRICT).error, DYNKV_UNAVAILABLE);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 2, DYNKV_PUT_STRICT).error, DYNKV_OK);
    assert_no_hints_left(&b);
    cluster_stop(b.c, b.walk[0]);
    stop_and_notice(&b, b.walk[2]);
    assert_int_equal(put(&b, b.walk[3], b.key, "1", 1, DYNKV_PUT_STRICT).error, DYNKV_UNAVAILABLE);
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void w_reachable_members_are_enough_whoever_they_are(void **state)
{
    (void)state;
    /* The replicas die one after the other; through each of the others the write succeeds. */
    for (uint32_t dead = 1; dead <= 3; dead++) {
        struct bench b = bench_new(5, 2);
        char key_and_value[16];

        for (uint32_t i = 0; i < dead; i++)
            cluster_stop(b.c, b.walk[i]);
        cluster_run(b.c, FOUND_MS);
        for (uint32_t i = dead; i < 5; i++) {
            struct dynkv_put_result result = put(&b, b.walk[i], b.key, "1", 2, 0);

            assert_int_equal(result.error, DYNKV_OK);
            assert_true(result.acks >= 2);
        }
        assert_int_equal(put(&b, b.walk[4], b.key, "last", 2, 0).error, DYNKV_OK);
        for (uint32_t i = 0; i < dead; i++)
            cluster_start(b.c, b.walk[i]);
        cluster_run(b.c, 2 * FOUND_MS);
        snprintf(key_and_value, sizeof key_and_value, "last");
        /* With all three dead only two fallbacks are left, so two of the replicas have hints. */
        for (uint32_t i = 0; i < (dead == 3 ? 2 : 3); i++)
            assert_string_equal(held(&b, b.walk[i], b.key), key_and_value);
        assert_no_hints_left(&b);
        cluster_free(b.c);
    }
}

static void with_fewer_than_w_members_nothing_is_written(void **state)
{
    struct bench b = bench_new(4, 2);

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        cluster_stop(b.c, b.walk[i]);
    cluster_run(b.c, 2 * FOUND_MS);
    assert_int_equal(put(&b, b.walk[3], b.key, "1", 2, 0).error, DYNKV_UNAVAILABLE);
    assert_int_equal(stored_hints(&b), 0);
    assert_int_equal(put(&b, b.walk[3], b.key, "1", 1, 0).error, DYNKV_OK);
    assert_int_equal(stored_hints(&b), 1);
    cluster_free(b.c);
}

/*
 * A fallback that coordinated, handed its hint over and coordinates again has forgotten the first write.  If it
 * stamped both as one actor, the second would swallow the first wherever they meet.
 */
static void writes_that_a_fallback_coordinates_do_not_swallow_each_other(void **state)
{
    struct bench b = bench_new(4, 1);
    struct dynkv_slice none = {NULL, 0};
    struct dynkv_object object;

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 3; i++)
            cluster_stop(b.c, b.walk[i]);
        cluster_run(b.c, 2 * FOUND_MS);
        assert_int_equal(cluster_put(b.c, b.walk[3], b.ks, b.key, round ? "b" : "a", &none).error,
                         DYNKV_OK);
        assert_int_equal(stored_hints(&b), 1);
        for (uint32_t i = 0; i < 3; i++)
            cluster_start(b.c, b.walk[i]);
        cluster_run(b.c, 2 * FOUND_MS);
        assert_no_hints_left(&b);
    }
    cluster_get(b.c, b.walk[0], b.ks, b.key, true, 3, &object);
    assert_int_equal(object.sibling_count, 2);
    cluster_free(b.c);
}

static void writes_of_one_key_on_one_hint_share_an_actor(void **state)
{
    struct bench b = bench_new(4, 1);
    struct dynkv_object object;
    char value[16];

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        cluster_stop(b.c, b.walk[i]);
    cluster_run(b.c, 2 * FOUND_MS);
    for (int i = 0; i < 20; i++) {
        snprintf(value, sizeof value, "%d", i);
        assert_int_equal(cluster_put(b.c, b.walk[3], b.ks, b.key, value, NULL).error, DYNKV_OK);
    }
    for (uint32_t i = 0; i < 3; i++)
        cluster_start(b.c, b.walk[i]);
    cluster_run(b.c, 2 * FOUND_MS);
    cluster_get(b.c, b.walk[0], b.ks, b.key, false, 1, &object);
    assert_int_equal(object.sibling_count, 1);
    assert_int_equal(object.version.count, 1);
    /* It is not the store's own: that one may stamp only where its earlier writes are at hand. */
    assert_true(object.version.entries[0].actor != cluster_actor(b.c, b.walk[3]));
    cluster_free(b.c);
}

/* A put that a client may repeat: its identity is sequence. */
static enum dynkv_error put_as(struct bench *b, uint32_t node, uint64_t sequence, const char *value)
{
    struct dynkv_put_item item = {.key = dynkv_slice_text(b->key),
                                  .partition_len = (uint32_t)strlen(b->key),
                                  .value = dynkv_slice_text(value)};
    struct dynkv_put body = {
        .keyspace = b->ks, .client = 5, .sequence = sequence, .items = &item, .item_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    assert_true(cluster_ask(b->c, node, DYNKV_MESSAGE_PUT, &body, 10000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_PUT_REPLY);
    return (enum dynkv_error)reply.put_reply.results[0].error;
}

static void a_repetition_is_not_written_again_once_its_hint_has_gone_home(void **state)
{
    struct bench b = bench_new(4, 1);
    struct dynkv_object object;

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 3; i++)
            cluster_stop(b.c, b.walk[i]);
        cluster_run(b.c, 2 * FOUND_MS);
        assert_int_equal(put_as(&b, b.walk[3], 1, "once"), round ? DYNKV_UNAVAILABLE : DYNKV_OK);
        for (uint32_t i = 0; i < 3; i++)
            cluster_start(b.c, b.walk[i]);
        cluster_run(b.c, 2 * FOUND_MS);
        assert_no_hints_left(&b);
    }
    cluster_get(b.c, b.walk[0], b.ks, b.key, true, 3, &object);
    assert_int_equal(object.sibling_count, 1);
    assert_int_equal(object.version.entries[0].counter, 1);
    cluster_free(b.c);
}

static void a_write_refused_for_the_quota_is_not_taken_for_one_that_was_written(void **state)
{
    struct bench b = bench_new(4, 1);
    char big[400];

    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    cluster_stop(b.c, b.walk[3]);
    cluster_set_hints_bytes_max(b.c, b.walk[3], 300);
    start_and_notice(&b, b.walk[3]);
    for (uint32_t i = 0; i < 3; i++)
        cluster_stop(b.c, b.walk[i]);
    cluster_run(b.c, 2 * FOUND_MS);
    assert_int_equal(put_as(&b, b.walk[3], 1, "small"), DYNKV_OK);
    assert_int_equal(put_as(&b, b.walk[3], 2, big), DYNKV_OVERLOADED);
    assert_int_equal(put_as(&b, b.walk[3], 3, "small, too"), DYNKV_OK);
    assert_int_equal(put_as(&b, b.walk[3], 2, big), DYNKV_OVERLOADED);
    cluster_free(b.c);
}

static void a_restart_reckons_with_the_hints_of_the_run_before(void **state)
{
    struct bench b = bench_new(5, 2);

    (void)state;
    for (uint32_t i = 3; i < 5; i++) {
        cluster_stop(b.c, b.walk[i]);
        cluster_set_hints_max(b.c, b.walk[i], 1);
        start_and_notice(&b, b.walk[i]);
    }
    stop_and_notice(&b, b.walk[1]);
    assert_int_equal(put(&b, b.walk[0], "key", "1", 2, 0).error, DYNKV_OK);
    assert_int_equal(cluster_stored_hints(b.c, b.walk[3]), 1);
    /* Started again, it has not counted its hints when it is asked to keep another. */
    cluster_stop(b.c, b.walk[3]);
    cluster_start(b.c, b.walk[3]);
    for (char other[] = "a"; other[0] <= 'z'; other[0]++)
        put(&b, b.walk[0], other, "1", 2, 0);
    assert_int_equal(cluster_stored_hints(b.c, b.walk[3]), 1);
    cluster_free(b.c);
}

static void a_replica_that_dies_while_it_is_asked_is_replaced(void **state)
{
    struct bench b = bench_new(5, 3);

    (void)state;
    cluster_stop(b.c, b.walk[1]); /* and nobody knows yet */
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 3, 0).acks, 3);
    assert_int_equal(cluster_stored_hints(b.c, b.walk[3]), 1);
    start_and_notice(&b, b.walk[1]);
    assert_string_equal(held(&b, b.walk[1], b.key), "1");
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void a_write_that_succeeded_without_a_silent_replica_leaves_it_a_hint(void **state)
{
    struct bench b = bench_new(5, 2);

    (void)state;
    cluster_stop(b.c, b.walk[1]);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 2, 0).acks, 2);
    cluster_run(b.c, 6000);
    assert_int_equal(stored_hints(&b), 1);
    start_and_notice(&b, b.walk[1]);
    assert_string_equal(held(&b, b.walk[1], b.key), "1");
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void a_lost_message_is_made_up_for_by_a_hint(void **state)
{
    struct bench b = bench_new(5, 2);

    (void)state;
    cluster_cut(b.c, b.walk[0], b.walk[1], true);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 2, 0).acks, 2);
    cluster_cut(b.c, b.walk[0], b.walk[1], false);
    assert_string_equal(held(&b, b.walk[1], b.key), "");
    cluster_run(b.c, 10000); /* past the deadline of the write */
    assert_string_equal(held(&b, b.walk[1], b.key), "1");
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void a_replica_whose_disk_failed_is_replaced_like_one_that_is_down(void **state)
{
    struct bench b = bench_new(5, 3);

    (void)state;
    cluster_fail_disk(b.c, b.walk[2]);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 3, 0).acks, 3);
    assert_int_equal(put(&b, b.walk[0], b.key, "2", 3, 0).acks, 3);
    assert_int_equal(stored_hints(&b), 1);
    cluster_free(b.c);
}

static void a_target_that_refuses_is_asked_ever_more_rarely(void **state)
{
    struct bench b = bench_new(5, 2);
    uint64_t before;

    (void)state;
    stop_and_notice(&b, b.walk[1]);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 2, 0).error, DYNKV_OK);
    cluster_fail_disk(b.c, b.walk[1]);
    before = cluster_sent(b.c, DYNKV_MESSAGE_REPLICATE);
    start_and_notice(&b, b.walk[1]);
    cluster_run(b.c, 30000);
    assert_in_range(cluster_sent(b.c, DYNKV_MESSAGE_REPLICATE) - before, 5, 15);
    assert_int_equal(stored_hints(&b), 1);
    cluster_free(b.c);
}

static void a_full_fallback_keeps_no_more_and_its_place_does_not_count(void **state)
{
    struct bench b = bench_new(4, 2);
    uint32_t fallback = b.walk[3], kept = 0;
    char key[16];

    (void)state;
    cluster_stop(b.c, fallback);
    cluster_set_hints_max(b.c, fallback, 2);
    start_and_notice(&b, fallback);
    stop_and_notice(&b, b.walk[1]);
    for (int i = 0; kept < 4; i++) {
        struct dynkv_put_result result;

        snprintf(key, sizeof key, "key%d", i);
        if (cluster_replica(b.c, b.ks, key, 3) != fallback)
            continue; /* its replicas are others */
        result = put(&b, b.walk[0], key, "1", 3, 0);
        assert_int_equal(result.error, kept < 2 ? DYNKV_OK : DYNKV_UNAVAILABLE);
        assert_int_equal(result.acks == 3, kept < 2);
        assert_int_equal(put(&b, b.walk[0], key, "2", 2, 0).error, DYNKV_OK);
        kept++;
    }
    assert_int_equal(cluster_stored_hints(b.c, fallback), 2);
    assert_int_equal(cluster_counter(b.c, fallback, "hints_pending"), 2);
    assert_true(cluster_counter(b.c, fallback, "hints_refused") >= 4);
    /* There is room again once they are home. */
    start_and_notice(&b, b.walk[1]);
    assert_no_hints_left(&b);
    stop_and_notice(&b, b.walk[1]);
    assert_int_equal(put(&b, b.walk[0], key, "3", 3, 0).error, DYNKV_OK);
    cluster_free(b.c);
}

static void a_fallback_that_was_restarted_still_brings_them_home(void **state)
{
    struct bench b = bench_new(4, 2);
    char key[16];

    (void)state;
    stop_and_notice(&b, b.walk[1]);
    for (int i = 0; i < 600; i++) { /* more than two pages */
        snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(put(&b, b.walk[0], key, key, 2, 0).error, DYNKV_OK);
    }
    assert_true(stored_hints(&b) > 300);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t before = cluster_stored_hints(b.c, i);

        if (i == b.walk[1])
            continue;
        cluster_stop(b.c, i);
        start_and_notice(&b, i);
        assert_int_equal(cluster_stored_hints(b.c, i), before);
        assert_int_equal(cluster_counter(b.c, i, "hints_pending"), before);
    }
    start_and_notice(&b, b.walk[1]);
    for (int i = 0; i < 600; i++) {
        snprintf(key, sizeof key, "key%d", i);
        for (uint32_t place = 0; place < 3; place++)
            assert_string_equal(held(&b, cluster_replica(b.c, b.ks, key, place), key), key);
    }
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void a_target_that_comes_and_goes_gets_all_of_it_in_the_end(void **state)
{
    struct bench b = bench_new(4, 2);
    uint64_t delivered;
    uint32_t hints;
    char key[16];

    (void)state;
    stop_and_notice(&b, b.walk[1]);
    for (int i = 0; i < 800; i++) {
        snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(put(&b, b.walk[0], key, key, 2, 0).error, DYNKV_OK);
    }
    hints = stored_hints(&b);
    for (int i = 0; i < 10; i++) {
        cluster_start(b.c, b.walk[1]);
        /* Of what it answers nothing comes back: it takes pages, and they are not known to be taken. */
        for (uint32_t from = 0; from < 4; from++)
            cluster_cut(b.c, b.walk[1], from, i % 2);
        cluster_run(b.c, 100 + 60 * (uint32_t)i);
        cluster_stop(b.c, b.walk[1]);
        cluster_run(b.c, 300 * (uint32_t)i);
    }
    for (uint32_t from = 0; from < 4; from++)
        cluster_cut(b.c, b.walk[1], from, false);
    start_and_notice(&b, b.walk[1]);
    cluster_run(b.c, 10000);
    delivered = total(&b, "hints_delivered");
    assert_int_equal(delivered, hints);
    for (int i = 0; i < 800; i++) {
        snprintf(key, sizeof key, "key%d", i);
        for (uint32_t place = 0; place < 3; place++)
            assert_string_equal(held(&b, cluster_replica(b.c, b.ks, key, place), key), key);
    }
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void a_delete_comes_home_as_a_tombstone(void **state)
{
    struct bench b = bench_new(5, 2);

    (void)state;
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 3, 0).error, DYNKV_OK);
    stop_and_notice(&b, b.walk[1]);
    assert_int_equal(cluster_put(b.c, b.walk[0], b.ks, b.key, NULL, NULL).error, DYNKV_OK);
    assert_int_equal(stored_hints(&b), 1);
    start_and_notice(&b, b.walk[1]);
    assert_string_equal(held(&b, b.walk[1], b.key), "(dead)");
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void two_writes_of_one_key_are_one_hint(void **state)
{
    struct bench b = bench_new(5, 2);

    (void)state;
    stop_and_notice(&b, b.walk[1]);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 3, 0).error, DYNKV_OK);
    assert_int_equal(put(&b, b.walk[2], b.key, "2", 3, 0).error, DYNKV_OK);
    assert_int_equal(stored_hints(&b), 1);
    assert_int_equal(total(&b, "hints_stored"), 2);
    start_and_notice(&b, b.walk[1]);
    assert_string_equal(held(&b, b.walk[1], b.key), "2");
    assert_int_equal(total(&b, "hints_delivered"), 1);
    cluster_free(b.c);
}

static void hints_for_several_members_each_find_their_own(void **state)
{
    struct bench b = bench_new(5, 2);

    (void)state;
    cluster_stop(b.c, b.walk[1]);
    stop_and_notice(&b, b.walk[2]);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 3, 0).acks, 3);
    assert_int_equal(cluster_stored_hints(b.c, b.walk[3]), 1);
    assert_int_equal(cluster_stored_hints(b.c, b.walk[4]), 1);
    start_and_notice(&b, b.walk[2]);
    assert_string_equal(held(&b, b.walk[2], b.key), "1");
    assert_int_equal(stored_hints(&b), 1);
    start_and_notice(&b, b.walk[1]);
    assert_string_equal(held(&b, b.walk[1], b.key), "1");
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void a_hint_that_changed_while_it_was_delivered_stays(void **state)
{
    struct bench b = bench_new(4, 2);
    uint32_t target = b.walk[1], fallback = b.walk[3];
    struct dynkv_put_item item = {
        .key = dynkv_slice_text("key"), .partition_len = 3, .value = dynkv_slice_text("new")};
    struct dynkv_put body = {.keyspace = b.ks, .w = 2, .items = &item, .item_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    stop_and_notice(&b, target);
    assert_int_equal(put(&b, b.walk[0], b.key, "old", 3, 0).error, DYNKV_OK);
    cluster_start(b.c, target);
    cluster_hold(b.c, target, fallback,
                 true); /* it takes the old one; its answer is on the way ... */
    for (int i = 0; i < 200 && !held(&b, target, b.key)[0]; i++)
        cluster_run(b.c, 20);
    assert_string_equal(held(&b, target, b.key), "old");
    cluster_cut(b.c, b.walk[0], target, true); /* ... while the fallback is given a newer one ... */
    assert_true(cluster_ask(b.c, b.walk[0], DYNKV_MESSAGE_PUT, &body, 300, &envelope, &reply));
    cluster_run(b.c, 400);
    assert_int_equal(cluster_counter(b.c, fallback, "hints_stored"), 2);
    assert_int_equal(cluster_counter(b.c, fallback, "hints_delivered"), 0);
    assert_string_equal(held(&b, target, b.key), "old");
    cluster_hold(b.c, target, fallback, false); /* ... and there it is */
    cluster_run(b.c, 1000);
    assert_string_equal(held(&b, target, b.key), "new");
    assert_int_equal(cluster_counter(b.c, fallback, "hints_delivered"), 2);
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

static void hints_of_a_dropped_keyspace_are_thrown_away(void **state)
{
    struct bench b = bench_new(5, 2);
    struct dynkv_keyspace_drop body = {.name = dynkv_slice_text("t")};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    stop_and_notice(&b, b.walk[1]);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 3, 0).error, DYNKV_OK);
    assert_int_equal(stored_hints(&b), 1);
    assert_true(
        cluster_ask(b.c, b.walk[0], DYNKV_MESSAGE_KEYSPACE_DROP, &body, 1000, &envelope, &reply));
    cluster_run(b.c, 1000); /* the member they were for is still absent */
    assert_no_hints_left(&b);
    assert_int_equal(total(&b, "hints_delivered"), 0);
    cluster_free(b.c);
}

/* A member that is down gives its place up, by a staged change. */
static void make_leave(struct bench *b, uint32_t leaver)
{
    char name[16];
    struct dynkv_cluster_change body = {.action = DYNKV_CLUSTER_LEAVE};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    snprintf(name, sizeof name, "n%u", leaver + 1);
    body.name = dynkv_slice_text(name);
    for (int i = 0; i < 2; i++) {
        assert_true(cluster_ask(b->c, b->walk[0], DYNKV_MESSAGE_CLUSTER_CHANGE, &body, 1000,
                                &envelope, &reply));
        assert_int_equal(envelope.type, DYNKV_MESSAGE_CLUSTER_PLAN);
        body.action = DYNKV_CLUSTER_COMMIT;
    }
}

static void hints_for_a_member_that_left_go_to_the_present_replicas(void **state)
{
    struct bench b = bench_new(5, 2);

    (void)state;
    stop_and_notice(&b, b.walk[1]);
    assert_int_equal(put(&b, b.walk[0], b.key, "1", 3, 0).error, DYNKV_OK);
    assert_int_equal(stored_hints(&b), 1);
    make_leave(&b, b.walk[1]);
    cluster_run(b.c, FOUND_MS);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_not_equal(cluster_replica(b.c, b.ks, b.key, i), b.walk[1]);
        assert_string_equal(held(&b, cluster_replica(b.c, b.ks, b.key, i), b.key), "1");
    }
    assert_no_hints_left(&b);
    cluster_free(b.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_with_a_replica_down_goes_to_a_fallback_and_comes_home),
        cmocka_unit_test(a_fallback_does_not_show_its_hints_to_readers),
        cmocka_unit_test(what_comes_home_comes_once_and_its_hint_is_gone),
        cmocka_unit_test(strict_writes_refuse_fallbacks),
        cmocka_unit_test(w_reachable_members_are_enough_whoever_they_are),
        cmocka_unit_test(with_fewer_than_w_members_nothing_is_written),
        cmocka_unit_test(writes_that_a_fallback_coordinates_do_not_swallow_each_other),
        cmocka_unit_test(writes_of_one_key_on_one_hint_share_an_actor),
        cmocka_unit_test(a_repetition_is_not_written_again_once_its_hint_has_gone_home),
        cmocka_unit_test(a_write_refused_for_the_quota_is_not_taken_for_one_that_was_written),
        cmocka_unit_test(a_restart_reckons_with_the_hints_of_the_run_before),
        cmocka_unit_test(a_replica_that_dies_while_it_is_asked_is_replaced),
        cmocka_unit_test(a_write_that_succeeded_without_a_silent_replica_leaves_it_a_hint),
        cmocka_unit_test(a_lost_message_is_made_up_for_by_a_hint),
        cmocka_unit_test(a_replica_whose_disk_failed_is_replaced_like_one_that_is_down),
        cmocka_unit_test(a_target_that_refuses_is_asked_ever_more_rarely),
        cmocka_unit_test(a_full_fallback_keeps_no_more_and_its_place_does_not_count),
        cmocka_unit_test(a_fallback_that_was_restarted_still_brings_them_home),
        cmocka_unit_test(a_target_that_comes_and_goes_gets_all_of_it_in_the_end),
        cmocka_unit_test(a_delete_comes_home_as_a_tombstone),
        cmocka_unit_test(two_writes_of_one_key_are_one_hint),
        cmocka_unit_test(hints_for_several_members_each_find_their_own),
        cmocka_unit_test(a_hint_that_changed_while_it_was_delivered_stays),
        cmocka_unit_test(hints_of_a_dropped_keyspace_are_thrown_away),
        cmocka_unit_test(hints_for_a_member_that_left_go_to_the_present_replicas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
