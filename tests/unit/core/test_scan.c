/* test_scan.c: pages of ordered scans, verified against other replicas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cluster.h"
#include "model/filter.h"

#define KEYS 200

struct seen {
    unsigned count[KEYS];
    unsigned total, pages;
    uint8_t error;
    bool in_order, by_key;
};

/* Scans everything through one node, page after page. */
static struct seen scan_by(struct cluster *c, enum dynkv_order order, uint32_t node, uint64_t ks,
                           uint8_t r, uint8_t flags, uint32_t limit)
{
    struct dynkv_partition_range all = {0, 16};
    struct dynkv_scan body = {.keyspace = ks,
                              .flags = flags,
                              .r = r,
                              .partitions = &all,
                              .partition_count = 1,
                              .limit = limit,
                              .order = (uint8_t)order};
    struct seen seen = {.in_order = true, .by_key = true};
    struct dynkv_envelope envelope;
    union dynkv_body reply;
    uint32_t last_partition = 0;
    char last[16] = "";

    do {
        assert_true(cluster_ask(c, node, DYNKV_MESSAGE_SCAN, &body, 3000, &envelope, &reply));
        if (envelope.type != DYNKV_MESSAGE_SCAN_REPLY) {
            seen.error = reply.error_reply.error;
            return seen;
        }
        seen.pages++;
        for (uint32_t i = 0; i < reply.scan_reply.entry_count; i++) {
            const struct dynkv_scan_entry *entry = &reply.scan_reply.entries[i];
            char key[16] = {0};
            unsigned number;

            memcpy(key, entry->key.data, entry->key.len);
            assert_int_equal(sscanf(key, "key%u", &number), 1);
            seen.count[number]++;
            seen.total++;
            seen.in_order = seen.in_order && entry->partition >= last_partition;
            last_partition = entry->partition;
            seen.by_key = seen.by_key &&
                          (!*last || (strcmp(key, last) < 0) == (order == DYNKV_ORDER_FALLING));
            memcpy(last, key, sizeof last);
        }
        body.has_cursor = 1;
        body.cursor_partition = reply.scan_reply.cursor_partition;
        body.cursor_key = reply.scan_reply.cursor_key;
    } while (reply.scan_reply.more);
    return seen;
}

static struct seen scan_all(struct cluster *c, uint32_t node, uint64_t ks, uint8_t r, uint8_t flags,
                            uint32_t limit)
{
    return scan_by(c, DYNKV_ORDER_PARTITION, node, ks, r, flags, limit);
}

/* Writes all keys through one node, or in turn through all three. */
static uint64_t fill_through(struct cluster *c, int node)
{
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    char key[16];

    for (int i = 0; i < KEYS; i++) {
        uint32_t through = (uint32_t)(node < 0 ? i % 3 : node);

        snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(cluster_put(c, through, ks, key, "v", NULL).error, DYNKV_OK);
    }
    return ks;
}

static uint64_t fill(struct cluster *c)
{
    return fill_through(c, -1);
}

static void assert_each_once(const struct seen *seen)
{
    assert_int_equal(seen->error, DYNKV_OK);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(seen->count[i], 1);
}

static void assert_all_once(const struct seen *seen)
{
    assert_each_once(seen);
    assert_true(seen->in_order);
}

static void assert_all_by_key(const struct seen *seen)
{
    assert_each_once(seen);
    assert_true(seen->by_key);
}

static void a_scan_gives_every_key_once_at_any_page_size_and_quorum(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = fill(c);
    static const uint32_t limits[] = {1, 7, 100, 1000};

    (void)state;
    for (uint8_t r = 1; r <= 3; r++)
        for (unsigned i = 0; i < 4; i++) {
            struct seen seen = scan_all(c, r % 3, ks, r, 0, limits[i]);

            assert_all_once(&seen);
        }
    cluster_free(c);
}

static void a_scan_by_key_gives_every_key_once_rising_and_falling(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = fill(c);
    static const uint32_t limits[] = {1, 7, 100, 1000};

    (void)state;
    for (uint8_t r = 1; r <= 3; r++)
        for (unsigned i = 0; i < 4; i++)
            for (int order = DYNKV_ORDER_RISING; order <= DYNKV_ORDER_FALLING; order++) {
                struct seen seen = scan_by(c, (enum dynkv_order)order, r % 3, ks, r, 0, limits[i]);

                assert_all_by_key(&seen);
            }
    assert_int_equal(cluster_counter(c, 0, "verify_mismatches"), 0);
    cluster_free(c);
}

static void a_page_by_key_is_verified_by_one_question_to_each_peer(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = fill(c);
    struct seen seen;
    uint64_t before;

    (void)state;
    cluster_run(c, 200);
    before = cluster_counter(c, 0, "verify_segments");
    seen = scan_by(c, DYNKV_ORDER_RISING, 0, ks, 2, 0, 50);
    assert_all_by_key(&seen);
    assert_int_equal(seen.pages, 4);
    assert_int_equal(cluster_counter(c, 0, "verify_segments") - before, 4 * 16);
    /* A page that is everything is compared with the trees. */
    before = cluster_counter(c, 1, "verify_by_tree") + cluster_counter(c, 2, "verify_by_tree");
    seen = scan_by(c, DYNKV_ORDER_FALLING, 0, ks, 2, 0, 1000);
    assert_all_by_key(&seen);
    assert_int_equal(cluster_counter(c, 1, "verify_by_tree") +
                         cluster_counter(c, 2, "verify_by_tree"),
                     before + 16);
    cluster_free(c);
}

static void replicas_that_agree_are_verified_without_moving_objects(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = fill(c);
    struct seen seen;

    (void)state;
    cluster_run(c, 200);
    seen = scan_all(c, 0, ks, 2, 0, 1000);
    assert_all_once(&seen);
    assert_true(cluster_counter(c, 0, "verify_segments") >= 16);
    assert_int_equal(cluster_counter(c, 0, "verify_mismatches"), 0);
    cluster_free(c);
}

static void whole_partitions_are_verified_by_their_trees_alone(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = fill(c);
    struct seen seen;

    (void)state;
    cluster_run(c, 200);
    seen = scan_all(c, 0, ks, 2, 0, 1000);
    assert_all_once(&seen);
    assert_int_equal(cluster_counter(c, 0, "verify_segments"), 16);
    assert_int_equal(
        cluster_counter(c, 1, "verify_by_tree") + cluster_counter(c, 2, "verify_by_tree"), 16);
    /* Trees that are not ready yet are not asked: the replica reads. */
    for (uint32_t node = 1; node < 3; node++) {
        cluster_slow_scans(c, node, 60, 0);
        cluster_stop(c, node);
        cluster_start(c, node);
    }
    cluster_run(c, 25); /* they hear what they may have forgotten */
    seen = scan_all(c, 0, ks, 2, 0, 1000);
    assert_all_once(&seen);
    assert_int_equal(cluster_counter(c, 1, "verify_by_tree"), 0);
    assert_int_equal(cluster_counter(c, 2, "verify_by_tree"), 0);
    assert_int_equal(cluster_counter(c, 0, "verify_mismatches"), 0);
    cluster_free(c);
}

static void a_scan_finds_what_the_asked_node_itself_missed_and_repairs_it(void **state)
{
    static const uint32_t limits[] = {1, 7, 1000};

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        struct cluster *c = cluster_new(3, 16);
        enum dynkv_order order = (enum dynkv_order)(i / 3);
        uint64_t ks;
        struct seen seen;

        cluster_cut(c, 0, 2, true);
        cluster_cut(c, 1, 2, true);
        ks = fill_through(c, 0);
        cluster_cut(c, 0, 2, false);
        cluster_cut(c, 1, 2, false);
        cluster_run(c, 3000);
        seen = scan_by(c, order, 2, ks, 2, 0, limits[i % 3]);
        if (order == DYNKV_ORDER_PARTITION)
            assert_all_once(&seen);
        else
            assert_all_by_key(&seen);
        cluster_run(c, 3000);
        seen = scan_all(c, 2, ks, 1, 0, 1000); /* now by itself */
        assert_true(seen.total > 0);
        cluster_free(c);
    }
}

/* A replica whose read stops early, at a place that differs from the asker's page, ends the page there. */
static void a_page_by_key_ends_where_a_replica_that_holds_more_stops(void **state)
{
    (void)state;
    for (int order = DYNKV_ORDER_RISING; order <= DYNKV_ORDER_FALLING; order++) {
        struct cluster *c = cluster_new(3, 16);
        uint64_t ks = cluster_keyspace(c, 2, "t", 3, 2, 2);
        struct seen seen;

        cluster_run(c, 1000);
        cluster_cut(c, 0, 2, true);
        cluster_cut(c, 1, 2, true);
        assert_int_equal(fill_through(c, 0), ks);
        cluster_cut(c, 0, 2, false);
        cluster_cut(c, 1, 2, false);
        cluster_slow_scans(c, 0, 0, 13);
        cluster_slow_scans(c, 1, 0, 5);
        seen = scan_by(c, (enum dynkv_order)order, 2, ks, 2, 0, 1000);
        assert_all_by_key(&seen);
        assert_true(seen.pages > KEYS / 13);
        cluster_free(c);
    }
}

static void deleted_keys_are_left_out_unless_asked_for(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = fill(c);
    struct seen seen;

    (void)state;
    assert_int_equal(cluster_put(c, 1, ks, "key17", NULL, NULL).error, DYNKV_OK);
    seen = scan_all(c, 0, ks, 2, 0, 50);
    assert_int_equal(seen.count[17], 0);
    assert_int_equal(seen.total, KEYS - 1);
    seen = scan_all(c, 0, ks, 2, DYNKV_SCAN_DEAD_TOO, 50);
    assert_int_equal(seen.total, KEYS);
    cluster_free(c);
}

static void keys_only_leaves_the_values_out(void **state)
{
    struct cluster *c = cluster_new(1, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 1, 1, 1);
    struct dynkv_partition_range all = {0, 16};
    struct dynkv_scan body = {
        .keyspace = ks, .flags = DYNKV_SCAN_KEYS_ONLY, .partitions = &all, .partition_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body reply;
    struct dynkv_object object;

    (void)state;
    cluster_put(c, 0, ks, "key1", "a long value", NULL);
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 1000, &envelope, &reply));
    assert_int_equal(reply.scan_reply.entry_count, 1);
    assert_int_equal(
        dynkv_object_decode(reply.scan_reply.entries[0].object, cluster_arena(c), &object),
        DYNKV_OK);
    assert_int_equal(object.siblings[0].value.len, 0);
    assert_int_equal(object.siblings[0].flags, DYNKV_SIBLING_STRIPPED);
    cluster_free(c);
}

static void a_scan_goes_on_when_the_verifying_replica_dies(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = fill(c);
    struct seen seen;

    (void)state;
    cluster_stop(c, 1);
    seen = scan_all(c, 0, ks, 2, 0, 100);
    assert_all_once(&seen);
    cluster_stop(c, 2);
    seen = scan_all(c, 0, ks, 2, 0, 100);
    assert_int_equal(seen.error, DYNKV_UNAVAILABLE);
    seen = scan_all(c, 0, ks, 1, 0, 100);
    assert_all_once(&seen);
    cluster_free(c);
}

static void impossible_scans_are_refused(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_partition_range beyond = {15, 2}, twice[] = {{0, 4}, {3, 1}};
    struct dynkv_scan body = {.keyspace = ks, .partitions = &beyond, .partition_count = 1};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 1000, &envelope, &reply));
    assert_int_equal(reply.error_reply.error, DYNKV_INVALID);
    beyond = (struct dynkv_partition_range){0, UINT32_MAX};
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 1000, &envelope, &reply));
    assert_int_equal(reply.error_reply.error, DYNKV_INVALID);
    beyond = (struct dynkv_partition_range){0, 4};
    body.has_cursor = 1;
    body.cursor_partition = 9;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 1000, &envelope, &reply));
    assert_int_equal(reply.error_reply.error, DYNKV_INVALID);
    /* By key, partitions rise, and something is before a cursor that falls. */
    body.order = DYNKV_ORDER_FALLING;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 1000, &envelope, &reply));
    assert_int_equal(reply.error_reply.error, DYNKV_INVALID);
    body.has_cursor = 0;
    body.partitions = twice;
    body.partition_count = 2;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 1000, &envelope, &reply));
    assert_int_equal(reply.error_reply.error, DYNKV_INVALID);
    body.partition_count = 1;
    body.order = DYNKV_ORDER_FALLING + 1;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 1000, &envelope, &reply));
    assert_int_equal(reply.error_reply.error, DYNKV_INVALID);
    body.order = DYNKV_ORDER_PARTITION;
    body.partitions = &beyond;
    body.r = 7;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 1000, &envelope, &reply));
    assert_int_equal(reply.error_reply.error, DYNKV_INVALID);
    cluster_free(c);
}

/* A scan for n >= 100 of what fill_numbers wrote; bytes: what may stand in place of the filter. */
static struct dynkv_scan filter_scan(struct cluster *c, uint64_t ks, struct dynkv_slice bytes)
{
    static struct dynkv_partition_range all = {0, 16};
    struct dynkv_filter_column column = {DYNKV_FILTER_INT4, 0, dynkv_slice_text("n")};
    struct dynkv_filter_value least = {.integer = 100};
    struct dynkv_filter filter = {
        .format = DYNKV_FILTER_JSON,
        .columns = &column,
        .column_count = 1,
        .root = {.op = DYNKV_FILTER_GE, .values = &least, .value_count = 1},
    };
    struct dynkv_buf encoded = {0};
    struct dynkv_scan scan = {.keyspace = ks,
                              .r = 2,
                              .partitions = &all,
                              .partition_count = 1,
                              .limit = 10,
                              .filter = bytes};

    if (!bytes.len) {
        dynkv_filter_encode(&filter, &encoded);
        scan.filter = dynkv_slice_copy(dynkv_buf_slice(&encoded), cluster_arena(c));
        dynkv_buf_fini(&encoded);
    }
    return scan;
}

/* Key i is {"n": i}. */
static uint64_t fill_numbers(struct cluster *c)
{
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    char key[16], value[24];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key%d", i);
        snprintf(value, sizeof value, "{\"n\": %d}", i);
        assert_int_equal(cluster_put(c, (uint32_t)i % 3, ks, key, value, NULL).error, DYNKV_OK);
    }
    return ks;
}

static void a_filter_leaves_out_what_does_not_match_and_says_how_much_it_examined(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = fill_numbers(c);
    struct dynkv_scan body = filter_scan(c, ks, dynkv_slice(NULL, 0));
    struct dynkv_envelope envelope;
    union dynkv_body reply;
    uint32_t entries = 0, examined = 0;
    unsigned number;

    (void)state;
    do {
        assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 3000, &envelope, &reply));
        assert_int_equal(envelope.type, DYNKV_MESSAGE_SCAN_REPLY);
        assert_true(reply.scan_reply.examined <= body.limit);
        assert_true(reply.scan_reply.entry_count <= reply.scan_reply.examined);
        for (uint32_t i = 0; i < reply.scan_reply.entry_count; i++) {
            char key[16] = {0};

            memcpy(key, reply.scan_reply.entries[i].key.data, reply.scan_reply.entries[i].key.len);
            assert_int_equal(sscanf(key, "key%u", &number), 1);
            assert_true(number >= 100);
        }
        entries += reply.scan_reply.entry_count;
        examined += reply.scan_reply.examined;
        body.has_cursor = 1;
        body.cursor_partition = reply.scan_reply.cursor_partition;
        body.cursor_key = dynkv_slice_copy(reply.scan_reply.cursor_key, cluster_arena(c));
    } while (reply.scan_reply.more);
    assert_int_equal(entries, KEYS - 100);
    assert_int_equal(examined, KEYS);
    cluster_free(c);
}

/* Pages end at so many matches, wherever the page would have; no entry is missed between them. */
static void a_page_ends_where_it_has_as_many_matches_as_asked_for(void **state)
{
    static const uint8_t orders[] = {DYNKV_ORDER_PARTITION, DYNKV_ORDER_RISING,
                                     DYNKV_ORDER_FALLING};

    (void)state;
    for (size_t i = 0; i < sizeof orders; i++) {
        struct cluster *c = cluster_new(3, 16);
        uint64_t ks = fill_numbers(c);
        struct dynkv_scan body = filter_scan(c, ks, dynkv_slice(NULL, 0));
        uint32_t entries = 0, examined = 0, pages = 0;
        struct dynkv_envelope envelope;
        union dynkv_body reply;

        body.limit = 0;
        body.matches = 7;
        body.order = orders[i];
        do {
            assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 3000, &envelope, &reply));
            assert_int_equal(envelope.type, DYNKV_MESSAGE_SCAN_REPLY);
            assert_in_range(reply.scan_reply.entry_count, reply.scan_reply.more ? 7 : 0, 7);
            entries += reply.scan_reply.entry_count;
            examined += reply.scan_reply.examined;
            pages++;
            body.has_cursor = 1;
            body.cursor_partition = reply.scan_reply.cursor_partition;
            body.cursor_key = dynkv_slice_copy(reply.scan_reply.cursor_key, cluster_arena(c));
        } while (reply.scan_reply.more);
        assert_int_equal(entries, KEYS - 100);
        assert_int_equal(examined, KEYS);
        assert_in_range(pages, entries / 7, entries / 7 + 1);
        cluster_free(c);
    }
}

/* What the asked node has missed is known when the filter is asked, and siblings are nobody's but the asker's. */
static void a_filter_is_asked_when_the_replicas_agree_and_of_one_value(void **state)
{
    static const uint8_t nothing_seen[] = {0};
    struct dynkv_slice blind = dynkv_slice(nothing_seen, sizeof nothing_seen);
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_scan body = filter_scan(c, ks, dynkv_slice(NULL, 0));
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    cluster_put(c, 0, ks, "missed", "{\"n\": 1}", NULL);
    cluster_put(c, 0, ks, "both", "{\"n\": 1}", NULL);
    cluster_run(c, 500);
    cluster_cut(c, 1, 0, true);
    cluster_cut(c, 2, 0, true);
    cluster_put(c, 1, ks, "missed", "{\"n\": 100}", NULL);
    cluster_cut(c, 1, 0, false);
    cluster_cut(c, 2, 0, false);
    cluster_put(c, 1, ks, "both", "{\"n\": 2}", &blind);
    body.limit = 0;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 3000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_SCAN_REPLY);
    assert_int_equal(reply.scan_reply.entry_count, 2);
    cluster_free(c);
}

static void a_filter_that_is_none_is_refused(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_scan body = filter_scan(c, ks, dynkv_slice_text("no filter"));
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_SCAN, &body, 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_ERROR);
    assert_int_equal(reply.error_reply.error, DYNKV_INVALID);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scan_gives_every_key_once_at_any_page_size_and_quorum),
        cmocka_unit_test(a_scan_by_key_gives_every_key_once_rising_and_falling),
        cmocka_unit_test(a_page_by_key_is_verified_by_one_question_to_each_peer),
        cmocka_unit_test(a_page_by_key_ends_where_a_replica_that_holds_more_stops),
        cmocka_unit_test(replicas_that_agree_are_verified_without_moving_objects),
        cmocka_unit_test(whole_partitions_are_verified_by_their_trees_alone),
        cmocka_unit_test(a_scan_finds_what_the_asked_node_itself_missed_and_repairs_it),
        cmocka_unit_test(deleted_keys_are_left_out_unless_asked_for),
        cmocka_unit_test(keys_only_leaves_the_values_out),
        cmocka_unit_test(a_scan_goes_on_when_the_verifying_replica_dies),
        cmocka_unit_test(impossible_scans_are_refused),
        cmocka_unit_test(a_filter_leaves_out_what_does_not_match_and_says_how_much_it_examined),
        cmocka_unit_test(a_page_ends_where_it_has_as_many_matches_as_asked_for),
        cmocka_unit_test(a_filter_is_asked_when_the_replicas_agree_and_of_one_value),
        cmocka_unit_test(a_filter_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
