/*
 * test_stories.c: failures that lost or brought back other stores' data, played again with our nodes, each by the
 * name under which its users know it.  docs/guarantees.md has the list, with those that other tests play.
 */
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

#define KEY "key"
#define FOUND_MS \
    6000u /* by then all know that nodes are down, or back, and anti-entropy has been round */
#define REAPS_MS  40u
#define MOMENT_MS 1000u
#define MANY_DAYS (INT64_C(30) * 24 * 3600 * 1000)
#define SKEW_MS   50000 /* below what is refused, DYNKV_CLOCK_DRIFT_MAX_MS */
#define WRITES    120u
#define CLIENTS   3u

static struct dynkv_slice context_of(const struct dynkv_object *object, struct dynkv_arena *arena)
{
    struct dynkv_buf buf = {0};
    struct dynkv_slice context;

    dynkv_version_encode(&object->version, &buf);
    context = dynkv_slice_copy(dynkv_buf_slice(&buf), arena);
    dynkv_buf_fini(&buf);
    return context;
}

static void put(struct cluster *c, uint32_t node, uint64_t ks, const char *value)
{
    assert_int_equal(cluster_put(c, node, ks, KEY, value, NULL).error, DYNKV_OK);
}

/* What one replica holds by itself is this one value; NULL: nothing alive, if anything. */
static void assert_holds(struct cluster *c, uint32_t node, uint64_t ks, const char *value)
{
    struct dynkv_object object = {0};

    assert_int_equal(cluster_get(c, node, ks, KEY, false, 1, &object).error, DYNKV_OK);
    if (!value) {
        assert_true(dynkv_object_is_dead(&object, 0));
        return;
    }
    assert_int_equal(object.sibling_count, 1);
    assert_true(dynkv_slice_equal(object.siblings[0].value, dynkv_slice_text(value)));
}

static void assert_all_hold(struct cluster *c, uint64_t ks, const char *value)
{
    for (uint32_t place = 0; place < 3; place++)
        assert_holds(c, cluster_replica(c, ks, KEY, place), ks, value);
}

static void count_record(void *context, uint64_t keyspace, uint32_t partition,
                         struct dynkv_slice key, struct dynkv_slice record)
{
    (void)keyspace, (void)partition, (void)key, (void)record;
    ++*(uint32_t *)context;
}

static uint32_t records(struct cluster *c, uint32_t nodes)
{
    uint32_t count = 0;

    for (uint32_t node = 0; node < nodes; node++)
        cluster_records(c, node, count_record, &count);
    return count;
}

/* From now on tombstones are looked for; a restart is what brings it about. */
static void reap_from_now_on(struct cluster *c, uint32_t nodes)
{
    for (uint32_t node = 0; node < nodes; node++) {
        cluster_set_reap_interval(c, node, REAPS_MS);
        cluster_stop(c, node);
        cluster_start(c, node);
    }
    cluster_run(c, FOUND_MS);
}

/*
 * kv679, and PR 1070, a backup that was put back: a vnode that had lost its data began to count anew under its old
 * name.  Its first new write had a dot that the other replicas had seen, and was dropped at the first merge,
 * though acknowledged.
 */
static void kv679_writes_after_the_loss_of_a_store_are_not_taken_for_old_ones(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 1);
    uint32_t first = cluster_replica(c, ks, KEY, 0), second = cluster_replica(c, ks, KEY, 1);
    struct cluster_copy backup;

    (void)state;
    cluster_stop(c, first);
    backup = cluster_copy(c, first);
    cluster_start(c, first);
    cluster_run(c, MOMENT_MS);
    for (uint32_t i = 0; i < 5; i++)
        put(c, first, ks, "before");
    cluster_run(c, MOMENT_MS);
    cluster_stop(c, first);
    cluster_forget_records(c, first);
    cluster_put_back(c, first, &backup);
    cluster_start(c, first);
    cluster_run(c, MOMENT_MS);
    for (uint32_t node = 0; node < 3; node++)
        cluster_cut(c, node, first, node != first); /* nobody tells it what it had */
    put(c, first, ks, "after");
    for (uint32_t node = 0; node < 3; node++)
        cluster_cut(c, node, first, false);
    cluster_run(c, FOUND_MS);
    for (uint32_t place = 0; place < 3; place++) {
        struct dynkv_object object;
        const struct dynkv_sibling *latest;

        assert_int_equal(
            cluster_get(c, cluster_replica(c, ks, KEY, place), ks, KEY, false, 1, &object).error,
            DYNKV_OK);
        latest = dynkv_object_latest(&object, 0);
        assert_non_null(latest);
        assert_true(dynkv_slice_equal(latest->value, dynkv_slice_text("after")));
    }
    put(c, second, ks, "settled");
    cluster_run(c, MOMENT_MS);
    assert_all_hold(c, ks, "settled");
    cluster_free(c);
}

/*
 * Doomstone: all replicas had reaped a tombstone, the key was written anew, its counters began at 1; then a fallback
 * brought the old tombstone home, whose vector covered the new value.
 */
static void doomstone_a_tombstone_that_comes_late_takes_no_new_value_along(void **state)
{
    struct cluster *c = cluster_new(5, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 1, 2);
    uint32_t third = cluster_replica(c, ks, KEY, 2), fallback = cluster_replica(c, ks, KEY, 3);
    uint32_t first = cluster_replica(c, ks, KEY, 0);

    (void)state;
    reap_from_now_on(c, 5);
    cluster_stop(c, third);
    cluster_run(c, FOUND_MS);
    for (uint32_t i = 0; i < 5; i++)
        put(c, first, ks, "old");
    put(c, first, ks, NULL);
    cluster_run(c, MOMENT_MS);
    assert_int_equal(cluster_stored_hints(c, fallback), 1);
    cluster_cut(c, fallback, third, true);
    cluster_start(c, third);
    cluster_run(c, 2 * FOUND_MS);
    /* All three have the tombstone.  It stays, because of the hint; so the new write goes on from it. */
    assert_int_equal(records(c, 5), 3);
    put(c, third, ks, "new");
    cluster_cut(c, fallback, third, false);
    cluster_run(c, 2 * FOUND_MS);
    assert_int_equal(cluster_stored_hints(c, fallback), 0);
    assert_all_hold(c, ks, "new");
    cluster_free(c);
}

/* And if a tombstone did come, after all: the counters of a store never begin again, so it covers nothing new. */
static void doomstone_a_tombstone_from_nowhere_covers_no_later_write(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 1, 3);
    struct dynkv_replicate_item item = {.key = dynkv_slice_text(KEY),
                                        .partition_len = sizeof KEY - 1};
    struct dynkv_replicate body = {.keyspace = ks, .items = &item, .item_count = 1};
    struct dynkv_envelope envelope = {.type = DYNKV_MESSAGE_REPLICATE, .sender = cluster_id(c, 0)};
    struct dynkv_buf message = {0}, frame = {0};
    struct dynkv_put_result written;

    (void)state;
    reap_from_now_on(c, 3);
    for (uint32_t i = 0; i < 5; i++)
        put(c, 0, ks, "old");
    put(c, 0, ks, NULL);
    item.object =
        dynkv_slice_copy(cluster_get(c, 0, ks, KEY, false, 1, NULL).object, cluster_arena(c));
    assert_true(item.object.len > 0);
    cluster_run(c, FOUND_MS);
    assert_int_equal(records(c, 3), 0);
    cluster_stop(c, 0);
    cluster_start(c, 0);
    cluster_run(c, MOMENT_MS);
    written = cluster_put(c, 0, ks, KEY, "new", NULL);
    assert_int_equal(written.error, DYNKV_OK);
    envelope.timestamp = written.timestamp + 1; /* later than the fence */
    dynkv_message_encode(&envelope, &body, &message);
    dynkv_frame_begin(&frame, 77, cluster_id(c, 0));
    assert_true(dynkv_frame_add(&frame, dynkv_buf_slice(&message)));
    cluster_send_raw(c, 1, dynkv_buf_slice(&frame));
    cluster_run(c, FOUND_MS);
    for (uint32_t node = 0; node < 3; node++) {
        struct dynkv_object object;
        bool there = false;

        assert_int_equal(cluster_get(c, node, ks, KEY, false, 1, &object).error, DYNKV_OK);
        for (uint32_t i = 0; i < object.sibling_count; i++)
            there |= dynkv_slice_equal(object.siblings[i].value, dynkv_slice_text("new"));
        assert_true(there);
    }
    dynkv_buf_fini(&message);
    dynkv_buf_fini(&frame);
    cluster_free(c);
}

/*
 * gc_grace, riak_kv #311, #1777, #1850, #1869: tombstones went by age (ten days, three seconds), and a replica that had
 * been away for longer brought the deleted value back.
 */
static void gc_grace_a_replica_that_was_away_for_a_month_brings_no_deleted_value_back(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    uint32_t away = cluster_replica(c, ks, KEY, 2), first = cluster_replica(c, ks, KEY, 0);

    (void)state;
    put(c, first, ks, "value");
    reap_from_now_on(c, 3);
    assert_holds(c, away, ks, "value");
    cluster_stop(c, away);
    cluster_run(c, FOUND_MS);
    put(c, first, ks, NULL);
    for (uint32_t node = 0; node < 3; node++)
        cluster_set_clock(c, node, MANY_DAYS);
    cluster_run(c, FOUND_MS);
    assert_int_equal(records(c, 3),
                     3); /* two tombstones, and the value on the disk of who is away */
    cluster_start(c, away);
    cluster_run(c, 2 * FOUND_MS);
    assert_int_equal(records(c, 3), 0);
    assert_all_hold(c, ks, NULL);
    cluster_free(c);
}

/* A put of a client that carries its clock, as libdynkv does; its clock follows the answer. */
static void put_with_clock(struct cluster *c, uint32_t node, uint64_t ks, const char *value,
                           uint64_t *clock)
{
    struct dynkv_put_item item = {.key = dynkv_slice_text(KEY),
                                  .partition_len = sizeof KEY - 1,
                                  .value = dynkv_slice_text(value)};
    struct dynkv_put body = {.keyspace = ks, .items = &item, .item_count = 1};
    struct dynkv_envelope envelope = {
        .type = DYNKV_MESSAGE_PUT, .request_id = 1, .timestamp = *clock, .deadline_ms = 1000};
    union dynkv_body reply;
    struct dynkv_buf bytes = {0};

    dynkv_message_encode(&envelope, &body, &bytes);
    assert_true(cluster_ask_raw(c, node, dynkv_buf_slice(&bytes), 1000, &envelope, &reply));
    dynkv_buf_fini(&bytes);
    assert_int_equal(envelope.type, DYNKV_MESSAGE_PUT_REPLY);
    assert_int_equal(reply.put_reply.results[0].error, DYNKV_OK);
    if (envelope.timestamp > *clock)
        *clock = envelope.timestamp;
}

/*
 * Clock skew under last write wins: one node with a bad clock makes 10 to 20% of updates vanish.  Here each write goes
 * through another replica, which may have missed the one before; one clock is far behind, one far ahead.
 */
static void clock_skew_the_last_of_a_clients_writes_always_wins(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2), clock = 0;

    (void)state;
    cluster_set_clock(c, 1, -SKEW_MS / 2);
    cluster_set_clock(c, 2, SKEW_MS / 2);
    for (uint32_t i = 0; i < WRITES; i++) {
        const struct dynkv_sibling *latest;
        uint32_t node = i * 2 % 3, missing = (node + 1 + i / 3 % 2) % 3;
        struct dynkv_object object;
        char value[16];

        snprintf(value, sizeof value, "%u", i);
        cluster_cut(c, node, missing, true);
        put_with_clock(c, node, ks, value, &clock);
        cluster_cut(c, node, missing, false);
        assert_int_equal(cluster_get(c, missing, ks, KEY, true, 2, &object).error, DYNKV_OK);
        latest = dynkv_object_latest(&object, 0);
        assert_non_null(latest);
        assert_true(dynkv_slice_equal(latest->value, dynkv_slice_text(value)));
    }
    cluster_free(c);
}

/*
 * Sibling explosion, riak_kv #1648: clients that go on from stale contexts left one sibling for each write, until objects
 * had thousands.
 */
static void
riak_1648_clients_with_stale_contexts_leave_no_more_siblings_than_there_are_clients(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_slice contexts[CLIENTS] = {{NULL, 0}};
    struct dynkv_object object;

    (void)state;
    for (uint32_t i = 0; i < WRITES; i++) {
        uint32_t client = i % CLIENTS;
        char value[16];

        /* What it goes on from is what it read a turn ago; the others have written since. */
        snprintf(value, sizeof value, "%u", i);
        assert_int_equal(cluster_put(c, (i + i / CLIENTS) % 3, ks, KEY, value,
                                     contexts[client].len ? &contexts[client] : NULL)
                             .error,
                         DYNKV_OK);
        assert_int_equal(cluster_get(c, i % 3, ks, KEY, true, 2, &object).error, DYNKV_OK);
        assert_in_range(object.sibling_count, 1, CLIENTS);
        contexts[client] = context_of(&object, cluster_arena(c));
    }
    cluster_free(c);
}

/*
 * Read-repair storms, riak_kv #1845: reads that met fallbacks repaired them, too, and they the replicas again.  Here
 * a hundred reads of a key that one replica missed cost one object, and nothing is sent to a fallback.
 */
static void riak_1845_reads_repair_a_replica_once_and_no_fallback(void **state)
{
    struct cluster *c = cluster_new(5, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 3, 2), before;
    uint32_t first = cluster_replica(c, ks, KEY, 0), third = cluster_replica(c, ks, KEY, 2);
    uint32_t reads = 100;

    (void)state;
    cluster_run(c, MOMENT_MS);
    cluster_cut(c, first, third, true);
    put(c, first, ks, "value");
    cluster_cut(c, first, third, false);
    before = cluster_sent(c, DYNKV_MESSAGE_REPLICATE);
    while (reads--)
        assert_int_equal(cluster_get(c, first, ks, KEY, true, 3, NULL).error, DYNKV_OK);
    assert_int_equal(cluster_sent(c, DYNKV_MESSAGE_REPLICATE) - before, 1);
    assert_holds(c, third, ks, "value");
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kv679_writes_after_the_loss_of_a_store_are_not_taken_for_old_ones),
        cmocka_unit_test(doomstone_a_tombstone_that_comes_late_takes_no_new_value_along),
        cmocka_unit_test(doomstone_a_tombstone_from_nowhere_covers_no_later_write),
        cmocka_unit_test(gc_grace_a_replica_that_was_away_for_a_month_brings_no_deleted_value_back),
        cmocka_unit_test(clock_skew_the_last_of_a_clients_writes_always_wins),
        cmocka_unit_test(
            riak_1648_clients_with_stale_contexts_leave_no_more_siblings_than_there_are_clients),
        cmocka_unit_test(riak_1845_reads_repair_a_replica_once_and_no_fallback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
