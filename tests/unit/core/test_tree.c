/* test_tree.c: a live tree equals the tree made from the store, whatever happened before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/random.h"
#include "cluster.h"

#define PARTITIONS 16
#define KEYS       200

/* ---- trees made from the store ---- */

struct made {
    struct cluster *cluster;
    uint64_t keyspace;
    struct dynkv_merkle trees[PARTITIONS];
    uint32_t records;
};

static void make_tree(void *context, uint64_t keyspace, uint32_t partition, struct dynkv_slice key,
                      struct dynkv_slice record)
{
    struct made *made = context;
    struct dynkv_cursor cursor = dynkv_cursor(record);
    struct dynkv_merkle_value none = {0};
    struct dynkv_object object;

    if (keyspace != made->keyspace)
        return;
    dynkv_get_varint(&cursor);
    assert_int_equal(dynkv_object_decode(dynkv_slice(cursor.at, dynkv_cursor_left(&cursor)),
                                         cluster_arena(made->cluster), &object),
                     DYNKV_OK);
    dynkv_merkle_replace(&made->trees[partition], key, none, dynkv_merkle_value(&object));
    made->records++;
}

static void assert_same_tree(const struct dynkv_merkle *a, const struct dynkv_merkle *b)
{
    for (uint32_t level = 0; level < DYNKV_MERKLE_LEVELS; level++)
        for (uint32_t i = 0; i < dynkv_merkle_width(level); i++)
            assert_int_equal(dynkv_merkle_node(a, level, i), dynkv_merkle_node(b, level, i));
    for (int life = 0; life < DYNKV_MERKLE_LIVES; life++)
        assert_int_equal(a ? a->counts[life] : 0, b ? b->counts[life] : 0);
    assert_int_equal(a ? a->bytes : 0, b ? b->bytes : 0);
}

/* Returns the number of records. */
static uint32_t assert_trees_are_those_of_the_store(struct cluster *c, uint32_t node, uint64_t ks)
{
    struct made made = {.cluster = c, .keyspace = ks};

    cluster_records(c, node, make_tree, &made);
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        bool ready;
        const struct dynkv_merkle *live = dynkv_node_tree(cluster_node(c, node), ks, p, &ready);

        assert_true(ready);
        assert_same_tree(live, &made.trees[p]);
        dynkv_merkle_fini(&made.trees[p]);
    }
    return made.records;
}

/* ---- tests ---- */

static void write_some(struct cluster *c, uint32_t node, uint64_t ks, struct dynkv_random *random,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char key[16];

        snprintf(key, sizeof key, "key%u", (unsigned)dynkv_random_below(random, KEYS));
        assert_int_equal(
            cluster_put(c, node, ks, key, dynkv_random_below(random, 4) ? "value" : NULL, NULL)
                .error,
            DYNKV_OK);
    }
}

static bool is_ready(struct cluster *c, uint32_t node, uint64_t ks)
{
    bool ready;

    dynkv_node_tree(cluster_node(c, node), ks, 0, &ready);
    return ready;
}

static void await_ready(struct cluster *c, uint32_t node, uint64_t ks)
{
    for (int i = 0; i < 2000 && !is_ready(c, node, ks); i++)
        cluster_run(c, DYNKV_TICK_MS);
    assert_true(is_ready(c, node, ks));
}

static void a_tree_follows_every_write_and_delete(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_random random = dynkv_random(1);

    (void)state;
    for (uint32_t round = 0; round < 5; round++) {
        write_some(c, round % 3, ks, &random, 100);
        cluster_run(c, 200);
        for (uint32_t node = 0; node < 3; node++)
            assert_true(assert_trees_are_those_of_the_store(c, node, ks) > 50);
    }
    cluster_free(c);
}

static void a_tree_is_rebuilt_after_a_restart(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
    struct dynkv_random random = dynkv_random(2);

    (void)state;
    write_some(c, 0, ks, &random, 300);
    cluster_run(c, 200);
    cluster_stop(c, 1);
    cluster_start(c, 1);
    assert_false(is_ready(c, 1, ks));
    await_ready(c, 1, ks);
    assert_true(assert_trees_are_those_of_the_store(c, 1, ks) > 100);
    cluster_free(c);
}

/* Pages of a few records, each on its way for a while, and writes all the time. */
static void writes_while_a_tree_is_rebuilt_are_counted_once(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 6; seed++) {
        struct cluster *c = cluster_new(3, PARTITIONS);
        uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);
        struct dynkv_random random = dynkv_random(seed);
        unsigned pauses = 0;

        cluster_slow_scans(c, 1, 60, seed * 3);
        write_some(c, 0, ks, &random, 150);
        for (uint32_t restart = 0; restart < 4; restart++) {
            cluster_stop(c, 1);
            cluster_new_actor(c, 1);
            cluster_start(c, 1);
            cluster_run(c, 2 * DYNKV_TICK_MS); /* with a new actor it hears from the others first */
            /* Sometimes the next restart comes while the rebuild is under way. */
            for (uint32_t i = 0; i < 40 && !is_ready(c, 1, ks); i++, pauses++) {
                write_some(c, (uint32_t)dynkv_random_below(&random, 3), ks, &random, 3);
                cluster_run(c, DYNKV_TICK_MS);
            }
        }
        assert_true(pauses > 20);
        await_ready(c, 1, ks);
        cluster_run(c, 200);
        assert_true(assert_trees_are_those_of_the_store(c, 1, ks) > 100);
        cluster_free(c);
    }
}

static void a_dropped_keyspace_has_no_trees(void **state)
{
    struct cluster *c = cluster_new(3, PARTITIONS);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2), other;
    struct dynkv_keyspace_drop body = {.name = dynkv_slice_text("t")};
    struct dynkv_random random = dynkv_random(5);
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    (void)state;
    other = cluster_keyspace(c, 1, "u", 3, 2, 2);
    write_some(c, 0, ks, &random, 50);
    write_some(c, 0, other, &random, 50);
    cluster_slow_scans(c, 2, 100, 1); /* one that is dropped while it is rebuilt */
    cluster_stop(c, 2);
    cluster_start(c, 2);
    cluster_run(c, 300);
    assert_true(cluster_ask(c, 0, DYNKV_MESSAGE_KEYSPACE_DROP, &body, 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_KEYSPACE_REPLY);
    cluster_run(c, 1000);
    await_ready(c, 2, other);
    for (uint32_t node = 0; node < 3; node++) {
        for (uint32_t p = 0; p < PARTITIONS; p++) {
            bool ready;

            assert_null(dynkv_node_tree(cluster_node(c, node), ks, p, &ready));
        }
        assert_true(assert_trees_are_those_of_the_store(c, node, other) > 20);
        assert_int_equal(cluster_counter(c, node, "trees_rebuilding"), 0);
    }
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_follows_every_write_and_delete),
        cmocka_unit_test(a_tree_is_rebuilt_after_a_restart),
        cmocka_unit_test(writes_while_a_tree_is_rebuilt_are_counted_once),
        cmocka_unit_test(a_dropped_keyspace_has_no_trees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
