/* test_reap.c: tombstones, and what has expired, are deleted when it is proved that nothing needs them. */
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

#define PARTITIONS  16u
#define INTERVAL_MS 40u
#define ROUNDS_MS   3000u /* plenty of rounds, and one after an operation's deadline */
#define FOUND_MS    6000u /* by then all know that nodes are down, or back */

/* Some nodes that reap, and a keyspace with as many replicas as is said. */
struct bench {
    struct cluster *c;
    uint64_t ks;
    uint32_t count;
};

static struct bench bench_new(uint32_t count, uint8_t n, uint8_t w)
{
    struct bench b = {.c = cluster_new(count, PARTITIONS), .count = count};

    b.ks = cluster_keyspace(b.c, 0, "t", n, 1, w);
    assert_int_not_equal(b.ks, 0);
    cluster_run(b.c, 1000); /* everybody hears of the keyspace */
    return b;
}

/* From now on they reap; a restart is what brings it about. */
static void reap_from_now_on(struct bench *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        cluster_set_reap_interval(b->c, i, INTERVAL_MS);
        if (cluster_node(b->c, i)) {
            cluster_stop(b->c, i);
            cluster_start(b->c, i);
        }
    }
    cluster_run(b->c, FOUND_MS);
}

static struct dynkv_put_result write_item(struct bench *b, uint32_t node, const char *key,
                                          const char *value, uint64_t expires_at_ms,
                                          uint64_t sequence)
{
    struct dynkv_put_item item = {.key = dynkv_slice_text(key),
                                  .partition_len = (uint32_t)strlen(key),
                                  .expires_at_ms = expires_at_ms};
    struct dynkv_put body = {.keyspace = b->ks,
                             .items = &item,
                             .item_count = 1,
                             .client = sequence ? 9 : 0,
                             .sequence = sequence};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    if (value)
        item.value = dynkv_slice_text(value);
    else
        item.flags = DYNKV_PUT_DELETE;
    assert_true(cluster_ask(b->c, node, DYNKV_MESSAGE_PUT, &body, 6000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_PUT_REPLY);
    return reply.put_reply.results[0];
}

static void put(struct bench *b, uint32_t node, const char *key, const char *value)
{
    assert_int_equal(write_item(b, node, key, value, 0, 0).error, DYNKV_OK);
}

static void remove_key(struct bench *b, uint32_t node, const char *key)
{
    put(b, node, key, NULL);
}

static uint64_t total(struct bench *b, const char *counter)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < b->count; i++)
        if (cluster_node(b->c, i))
            sum += cluster_counter(b->c, i, counter);
    return sum;
}

static void count_record(void *context, uint64_t keyspace, uint32_t partition,
                         struct dynkv_slice key, struct dynkv_slice record)
{
    (void)keyspace, (void)partition, (void)key, (void)record;
    ++*(uint32_t *)context;
}

static uint32_t records(struct bench *b, uint32_t node)
{
    uint32_t count = 0;

    cluster_records(b->c, node, count_record, &count);
    return count;
}

static uint32_t all_records(struct bench *b)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < b->count; i++)
        count += records(b, i);
    return count;
}

static void assert_trees_are_empty(struct bench *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        for (uint32_t p = 0; p < PARTITIONS; p++) {
            bool ready;

            assert_null(dynkv_node_tree(cluster_node(b->c, i), b->ks, p, &ready));
        }
    assert_int_equal(total(b, "tombstones"), 0);
}

static void assert_reads(struct bench *b, const char *key, const char *value)
{
    for (uint32_t i = 0; i < b->count; i++) {
        struct dynkv_object object = {0};
        struct dynkv_get_result got = cluster_get(b->c, i, b->ks, key, true, 1, &object);

        assert_int_equal(got.error, DYNKV_OK);
        if (!value) {
            assert_int_equal(object.sibling_count, 0);
            continue;
        }
        assert_int_equal(object.sibling_count, 1);
        assert_int_equal(object.siblings[0].value.len, strlen(value));
        assert_memory_equal(object.siblings[0].value.data, value, strlen(value));
    }
}

/* ---- what is reaped ---- */

static void a_deleted_key_leaves_nothing_behind(void **state)
{
    struct bench b = bench_new(5, 3, 3);

    (void)state;
    put(&b, 0, "key", "value");
    put(&b, 0, "other", "stays");
    remove_key(&b, 1, "key");
    reap_from_now_on(&b);
    cluster_run(b.c, ROUNDS_MS);
    assert_int_equal(all_records(&b), 3);
    assert_int_equal(total(&b, "tombstones"), 0);
    assert_int_equal(total(&b, "tombstones_reaped"), 3);
    assert_true(total(&b, "reap_rounds") >= 1);
    assert_reads(&b, "key", NULL);
    assert_reads(&b, "other", "stays");
    cluster_free(b.c);
}

static void many_tombstones_take_several_rounds_and_all_go(void **state)
{
    struct bench b = bench_new(3, 3, 3);
    char key[20];

    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "key%u", i);
        remove_key(&b, i % 3, key);
    }
    assert_int_equal(all_records(&b), 9000);
    reap_from_now_on(&b);
    cluster_run(b.c, 4 * ROUNDS_MS);
    assert_int_equal(all_records(&b), 0);
    assert_int_equal(total(&b, "tombstones_reaped"), 9000);
    assert_trees_are_empty(&b);
    cluster_free(b.c);
}

static void a_lone_node_reaps_too(void **state)
{
    struct bench b = bench_new(1, 1, 1);

    (void)state;
    put(&b, 0, "key", "value");
    remove_key(&b, 0, "key");
    reap_from_now_on(&b);
    cluster_run(b.c, ROUNDS_MS);
    assert_int_equal(all_records(&b), 0);
    assert_trees_are_empty(&b);
    cluster_free(b.c);
}

static void what_has_expired_goes_once_no_clock_can_doubt_it(void **state)
{
    struct bench b = bench_new(3, 3, 3);

    (void)state;
    reap_from_now_on(&b);
    /* Virtual time began then; a minute is the margin. */
    assert_int_equal(write_item(&b, 0, "key", "value", 1700000020000u, 0).error, DYNKV_OK);
    put(&b, 0, "stays", "value");
    cluster_run(b.c, 50000);
    assert_int_equal(all_records(&b), 6);
    cluster_run(b.c, 50000);
    assert_int_equal(all_records(&b), 3);
    assert_int_equal(total(&b, "tombstones_reaped"), 3);
    cluster_free(b.c);
}

static void a_new_write_after_it_is_a_new_write(void **state)
{
    struct bench b = bench_new(3, 3, 3);
    struct dynkv_put_result old, new;

    (void)state;
    reap_from_now_on(&b);
    old = cluster_put(b.c, 0, b.ks, "key", "old", NULL);
    remove_key(&b, 1, "key");
    cluster_run(b.c, ROUNDS_MS);
    assert_int_equal(all_records(&b), 0);
    new = cluster_put(b.c, 2, b.ks, "key", "new", &old.context);
    assert_int_equal(new.error, DYNKV_OK);
    cluster_run(b.c, ROUNDS_MS);
    assert_reads(&b, "key", "new");
    cluster_free(b.c);
}

static void a_repetition_of_what_was_deleted_and_reaped_does_not_bring_it_back(void **state)
{
    struct bench b = bench_new(3, 3, 3);
    struct dynkv_put_result again;

    (void)state;
    reap_from_now_on(&b);
    assert_int_equal(write_item(&b, 1, "key", "value", 0, 7).error, DYNKV_OK);
    remove_key(&b, 1, "key");
    cluster_run(b.c, ROUNDS_MS);
    assert_int_equal(all_records(&b), 0);
    again = write_item(&b, 1, "key", "value", 0, 7);
    assert_int_equal(again.error, DYNKV_OK);
    assert_int_equal(again.acks, 3);
    cluster_run(b.c, ROUNDS_MS);
    assert_int_equal(all_records(&b), 0);
    cluster_free(b.c);
}

/* ---- what keeps it from being reaped ---- */

static void with_a_member_down_nothing_is_reaped(void **state)
{
    struct bench b = bench_new(5, 3, 2);
    uint32_t bystander = cluster_replica(b.c, b.ks, "key", 4);

    (void)state;
    put(&b, 0, "key", "value");
    reap_from_now_on(&b);
    cluster_stop(b.c, bystander); /* not even a replica: it may keep a hint */
    cluster_run(b.c, FOUND_MS);
    remove_key(&b, cluster_replica(b.c, b.ks, "key", 0), "key");
    cluster_run(b.c, 3 * ROUNDS_MS);
    assert_int_equal(all_records(&b), 3);
    assert_int_equal(total(&b, "reap_rounds"), 0);
    cluster_start(b.c, bystander);
    cluster_run(b.c, FOUND_MS + ROUNDS_MS);
    assert_int_equal(all_records(&b), 0);
    cluster_free(b.c);
}

static void a_replica_that_has_the_old_value_still_keeps_the_tombstone(void **state)
{
    struct bench b = bench_new(4, 3, 2);
    uint32_t first = cluster_replica(b.c, b.ks, "key", 0);
    uint32_t second = cluster_replica(b.c, b.ks, "key", 1);
    uint32_t third = cluster_replica(b.c, b.ks, "key", 2);

    (void)state;
    reap_from_now_on(&b);
    put(&b, first, "key", "value");
    cluster_run(b.c, 500);
    cluster_cut(b.c, first, third, true);
    cluster_fail_disk(b.c, cluster_replica(b.c, b.ks, "key", 3)); /* no fallback keeps a hint */
    remove_key(&b, first, "key");
    cluster_cut(b.c, first, third, false);
    cluster_run(b.c, 200);
    assert_int_equal(records(&b, first), 1);
    assert_int_equal(records(&b, second), 1);
    assert_int_equal(total(&b, "reap_rounds"), 0);
    assert_true(total(&b, "reaps_refused") > 0);
    cluster_free(b.c);
}

/* A hint of the value that a tombstone hides, at a fallback that cannot bring it home. */
static void a_hint_keeps_the_tombstone(void **state)
{
    struct bench b = bench_new(5, 3, 2);
    uint32_t first = cluster_replica(b.c, b.ks, "key", 0);
    uint32_t third = cluster_replica(b.c, b.ks, "key", 2);
    uint32_t fallback = cluster_replica(b.c, b.ks, "key", 3);

    (void)state;
    reap_from_now_on(&b);
    cluster_stop(b.c, third);
    cluster_run(b.c, FOUND_MS);
    put(&b, first, "key", "value");
    cluster_run(b.c, 500);
    assert_int_equal(cluster_stored_hints(b.c, fallback), 1);
    cluster_cut(b.c, fallback, third, true);
    cluster_start(b.c, third);
    cluster_run(b.c, FOUND_MS);
    remove_key(&b, first, "key");
    cluster_run(b.c, ROUNDS_MS);
    assert_int_equal(cluster_stored_hints(b.c, fallback), 1);
    assert_int_equal(total(&b, "reap_rounds"), 0);
    assert_int_equal(cluster_sees_down(b.c, first, third), 0); /* that is not why */
    assert_true(total(&b, "reaps_refused") > 0);
    assert_int_equal(all_records(&b), 3);
    cluster_cut(b.c, fallback, third, false);
    cluster_run(b.c, FOUND_MS + 3 * ROUNDS_MS);
    assert_int_equal(cluster_stored_hints(b.c, fallback), 0);
    assert_int_equal(all_records(&b), 0);
    assert_reads(&b, "key", NULL);
    cluster_free(b.c);
}

/* ---- the fence ---- */

/* A message of the value, as a replica got it once, stamped when it was sent. */
static void replay(struct bench *b, uint32_t from, uint32_t to, uint64_t timestamp,
                   struct dynkv_slice object)
{
    struct dynkv_replicate_item item = {
        .key = dynkv_slice_text("key"), .partition_len = 3, .object = object};
    struct dynkv_replicate body = {.keyspace = b->ks, .items = &item, .item_count = 1};
    struct dynkv_envelope envelope = {
        .type = DYNKV_MESSAGE_REPLICATE, .timestamp = timestamp, .sender = cluster_id(b->c, from)};
    struct dynkv_buf message = {0}, frame = {0};

    dynkv_message_encode(&envelope, &body, &message);
    dynkv_frame_begin(&frame, 77, cluster_id(b->c, from));
    assert_true(dynkv_frame_add(&frame, dynkv_buf_slice(&message)));
    cluster_send_raw(b->c, to, dynkv_buf_slice(&frame));
    dynkv_buf_fini(&message);
    dynkv_buf_fini(&frame);
    cluster_run(b->c, 100);
}

static struct dynkv_slice object_now(struct bench *b)
{
    struct dynkv_get_result got = cluster_get(b->c, 0, b->ks, "key", true, 1, NULL);

    assert_true(got.object.len > 0);
    return dynkv_slice_copy(got.object, cluster_arena(b->c));
}

static void a_message_from_before_is_refused_afterwards_also_after_a_restart(void **state)
{
    struct bench b = bench_new(3, 3, 3);
    struct dynkv_put_result written;
    struct dynkv_slice object;

    (void)state;
    reap_from_now_on(&b);
    written = cluster_put(b.c, 0, b.ks, "key", "value", NULL);
    object = object_now(&b);
    remove_key(&b, 1, "key");
    cluster_run(b.c, ROUNDS_MS);
    assert_int_equal(all_records(&b), 0);
    replay(&b, 0, 2, written.timestamp + 1, object);
    assert_int_equal(all_records(&b), 0);
    assert_int_equal(cluster_counter(b.c, 2, "stale_refused"), 1);
    cluster_stop(b.c, 2);
    cluster_start(b.c, 2);
    replay(&b, 0, 2, written.timestamp + 1, object);
    assert_int_equal(all_records(&b), 0);
    assert_int_equal(cluster_counter(b.c, 2, "stale_refused"), 1);
    /* What is sent now is taken: the fence is about the past. */
    replay(&b, 0, 2, written.timestamp + (UINT64_C(600000) << 4), object);
    assert_int_equal(records(&b, 2), 1);
    cluster_free(b.c);
}

/* All but one have been told a fence that is a little ahead of that one's clock. */
static void fence_all_but(struct bench *b, uint32_t but, uint64_t fence)
{
    const struct dynkv_ring *ring = dynkv_node_ring(cluster_node(b->c, 0));
    struct dynkv_reap_quiet body = {
        .keyspace = b->ks,
        .partition = dynkv_ring_partition(ring, dynkv_ring_hash(b->ks, dynkv_slice_text("key"))),
        .n = (uint8_t)b->count,
        .fence = fence,
    };

    for (uint32_t to = 0; to < b->count; to++) {
        uint32_t from = (to + 1) % b->count == but ? (to + 2) % b->count : (to + 1) % b->count;
        struct dynkv_envelope envelope = {.type = DYNKV_MESSAGE_REAP_QUIET,
                                          .request_id = 5,
                                          .timestamp = fence,
                                          .ring_version = dynkv_ring_version(ring),
                                          .sender = cluster_id(b->c, from)};
        struct dynkv_buf message = {0}, frame = {0};

        if (to == but)
            continue;
        dynkv_message_encode(&envelope, &body, &message);
        dynkv_frame_begin(&frame, 77, cluster_id(b->c, from));
        assert_true(dynkv_frame_add(&frame, dynkv_buf_slice(&message)));
        cluster_send_raw(b->c, to, dynkv_buf_slice(&frame));
        dynkv_buf_fini(&message);
        dynkv_buf_fini(&frame);
    }
}

/* They hear of the time by the refusals, and send it again, to each of them. */
static void a_write_that_all_replicas_find_stale_is_sent_again_to_all(void **state)
{
    struct bench b = bench_new(5, 5, 5);
    uint64_t now;

    (void)state;
    now = write_item(&b, 0, "key", "before", 0, 0).timestamp;
    fence_all_but(&b, 0, now + (UINT64_C(500) << 16));
    put(&b, 0, "key", "value");
    assert_int_equal(total(&b, "stale_refused"), 4);
    cluster_free(b.c);
}

static void a_question_of_another_ring_or_keyspace_is_refused(void **state)
{
    struct bench b = bench_new(3, 3, 3);
    struct dynkv_reap_quiet body = {.keyspace = b.ks, .partition = 1, .n = 3, .fence = 1};
    struct dynkv_envelope envelope = {.type = DYNKV_MESSAGE_REAP_QUIET,
                                      .request_id = 5,
                                      .timestamp = 1,
                                      .ring_version = 1, /* no such ring */
                                      .sender = cluster_id(b.c, 0)};
    struct dynkv_buf message = {0}, frame = {0};
    uint64_t before = cluster_sent(b.c, DYNKV_MESSAGE_REAP_QUIET_REPLY);

    (void)state;
    dynkv_message_encode(&envelope, &body, &message);
    dynkv_frame_begin(&frame, 77, cluster_id(b.c, 0));
    assert_true(dynkv_frame_add(&frame, dynkv_buf_slice(&message)));
    cluster_send_raw(b.c, 1, dynkv_buf_slice(&frame));
    cluster_run(b.c, DYNKV_TICK_MS);
    /* At once, so it did not wait for anything. */
    assert_int_equal(cluster_sent(b.c, DYNKV_MESSAGE_REAP_QUIET_REPLY), before + 1);
    dynkv_buf_fini(&message);
    dynkv_buf_fini(&frame);
    cluster_free(b.c);
}

/* ---- rounds that fail ---- */

static void a_round_whose_messages_are_lost_ends_and_the_next_one_works(void **state)
{
    struct bench b = bench_new(3, 3, 3);

    (void)state;
    reap_from_now_on(&b);
    remove_key(&b, 0, "key");
    for (uint32_t i = 0; i < 10; i++) { /* cut for less than it takes to be found down */
        for (uint32_t from = 0; from < 3; from++)
            cluster_cut(b.c, from, (from + 1) % 3, true);
        cluster_run(b.c, 60);
        for (uint32_t from = 0; from < 3; from++)
            cluster_cut(b.c, from, (from + 1) % 3, false);
        cluster_run(b.c, 20);
    }
    cluster_run(b.c, 30000);
    assert_int_equal(all_records(&b), 0);
    assert_trees_are_empty(&b);
    cluster_free(b.c);
}

struct copy {
    struct cluster *c;
    uint32_t partition;
    struct dynkv_slice record;
};

static void copy_record(void *context, uint64_t keyspace, uint32_t partition,
                        struct dynkv_slice key, struct dynkv_slice record)
{
    struct copy *copy = context;

    (void)keyspace, (void)key;
    copy->partition = partition;
    copy->record = dynkv_slice_copy(record, cluster_arena(copy->c));
}

static void a_tombstone_that_one_replica_kept_goes_round_and_then_goes(void **state)
{
    struct bench b = bench_new(3, 3, 3);
    struct copy copy = {.c = b.c};

    (void)state;
    put(&b, 0, "key", "value");
    remove_key(&b, 0, "key");
    cluster_records(b.c, 2, copy_record, &copy);
    reap_from_now_on(&b);
    cluster_run(b.c, ROUNDS_MS);
    assert_int_equal(all_records(&b), 0);
    /* As if a crash had lost its deletion. */
    cluster_stop(b.c, 2);
    cluster_set_record(b.c, 2, b.ks, copy.partition, dynkv_slice_text("key"), copy.record);
    cluster_start(b.c, 2);
    cluster_run(b.c, 500);
    assert_int_equal(records(&b, 2), 1);
    assert_int_equal(all_records(&b), 1);
    cluster_run(b.c, FOUND_MS + 4 * ROUNDS_MS);
    assert_reads(&b, "key", NULL);
    assert_int_equal(all_records(&b), 0);
    assert_true(total(&b, "sync_objects_sent") + total(&b, "sync_objects_received") > 0);
    cluster_free(b.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deleted_key_leaves_nothing_behind),
        cmocka_unit_test(many_tombstones_take_several_rounds_and_all_go),
        cmocka_unit_test(a_lone_node_reaps_too),
        cmocka_unit_test(what_has_expired_goes_once_no_clock_can_doubt_it),
        cmocka_unit_test(a_new_write_after_it_is_a_new_write),
        cmocka_unit_test(a_repetition_of_what_was_deleted_and_reaped_does_not_bring_it_back),
        cmocka_unit_test(with_a_member_down_nothing_is_reaped),
        cmocka_unit_test(a_replica_that_has_the_old_value_still_keeps_the_tombstone),
        cmocka_unit_test(a_hint_keeps_the_tombstone),
        cmocka_unit_test(a_message_from_before_is_refused_afterwards_also_after_a_restart),
        cmocka_unit_test(a_write_that_all_replicas_find_stale_is_sent_again_to_all),
        cmocka_unit_test(a_question_of_another_ring_or_keyspace_is_refused),
        cmocka_unit_test(a_round_whose_messages_are_lost_ends_and_the_next_one_works),
        cmocka_unit_test(a_tombstone_that_one_replica_kept_goes_round_and_then_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
