/* test_restart.c: which actor a node stamps its writes with after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cluster.h"

#define MOMENT_MS 1000 /* more than a restart takes to decide */

static void restart(struct cluster *c, uint32_t node)
{
    cluster_stop(c, node);
    cluster_start(c, node);
    cluster_run(c, MOMENT_MS);
}

static void a_clean_stop_keeps_the_actor_and_its_counters_go_on(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2), actor = cluster_actor(c, 1);
    struct dynkv_object object;
    uint64_t before;

    (void)state;
    assert_int_equal(cluster_put(c, 1, ks, "key", "one", NULL).error, DYNKV_OK);
    cluster_get(c, 1, ks, "key", true, 2, &object);
    before = dynkv_version_counter(&object.version, actor);
    for (uint32_t round = 0; round < 3; round++)
        restart(c, 1);
    assert_int_equal(cluster_actor(c, 1), actor);
    assert_int_equal(cluster_put(c, 1, ks, "key", "two", NULL).error, DYNKV_OK);
    cluster_get(c, 1, ks, "key", true, 2, &object);
    assert_int_equal(object.version.count, 1);
    assert_true(dynkv_version_counter(&object.version, actor) > before);
    cluster_free(c);
}

static void a_crash_ends_the_actor(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t actor = cluster_actor(c, 1), next;

    (void)state;
    cluster_crash(c, 1);
    cluster_start(c, 1);
    cluster_run(c, MOMENT_MS);
    next = cluster_actor(c, 1);
    assert_true(next != actor);
    restart(c, 1); /* cleanly: the new one stays */
    assert_int_equal(cluster_actor(c, 1), next);
    cluster_free(c);
}

static void an_old_copy_takes_a_new_actor_before_its_first_write(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2), actor = cluster_actor(c, 1);
    struct cluster_copy copy;
    struct dynkv_object object;

    (void)state;
    cluster_stop(c, 1);
    copy = cluster_copy(c, 1);
    cluster_start(c, 1);
    cluster_run(c, MOMENT_MS);
    assert_int_equal(cluster_put(c, 1, ks, "key", "of the later run", NULL).error, DYNKV_OK);
    cluster_stop(c, 1);
    cluster_put_back(c, 1, &copy);
    cluster_start(c, 1);
    cluster_run(c, MOMENT_MS); /* it may have forgotten something: the others tell */
    assert_int_equal(cluster_put(c, 1, ks, "other", "of the copy", NULL).error, DYNKV_OK);
    assert_true(cluster_actor(c, 1) != actor);
    cluster_get(c, 1, ks, "other", true, 2, &object);
    assert_int_equal(dynkv_version_counter(&object.version, actor), 0);
    restart(c, 1);
    assert_true(cluster_actor(c, 1) != actor);
    cluster_free(c);
}

static void an_old_copy_that_is_stopped_before_it_has_heard_is_still_in_doubt(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t actor = cluster_actor(c, 1);
    struct cluster_copy copy;

    (void)state;
    cluster_stop(c, 1);
    copy = cluster_copy(c, 1);
    cluster_start(c, 1); /* the later run */
    cluster_run(c, MOMENT_MS);
    assert_int_equal(cluster_actor(c, 1), actor);
    cluster_stop(c, 1);
    cluster_put_back(c, 1, &copy);
    for (uint32_t other = 0; other < 3; other += 2)
        cluster_cut(c, other, 1, true);
    cluster_start(c, 1);
    cluster_run(c, 100); /* less than it waits for answers */
    assert_int_equal(cluster_actor(c, 1), actor);
    cluster_stop(c, 1);
    for (uint32_t other = 0; other < 3; other += 2)
        cluster_cut(c, other, 1, false);
    cluster_start(c, 1);
    cluster_run(c, MOMENT_MS);
    assert_true(cluster_actor(c, 1) != actor);
    cluster_free(c);
}

static void an_old_copy_is_known_though_all_members_restarted_meanwhile(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t actor = cluster_actor(c, 1);
    struct cluster_copy copy;

    (void)state;
    cluster_stop(c, 1);
    copy = cluster_copy(c, 1);
    cluster_start(c, 1);
    cluster_run(c, MOMENT_MS);
    assert_int_equal(cluster_actor(c, 1), actor);
    for (uint32_t i = 0; i < 3; i++)
        cluster_stop(c, i);
    cluster_put_back(c, 1, &copy);
    for (uint32_t i = 0; i < 3; i++)
        cluster_start(c, i);
    cluster_run(c, MOMENT_MS);
    assert_true(cluster_actor(c, 1) != actor);
    cluster_free(c);
}

static void a_whole_cluster_that_is_stopped_and_started_keeps_its_actors(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t actors[3];

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        actors[i] = cluster_actor(c, i);
    for (uint32_t i = 0; i < 3; i++)
        cluster_stop(c, i);
    for (uint32_t i = 0; i < 3; i++)
        cluster_start(c, i);
    cluster_run(c, MOMENT_MS);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(cluster_actor(c, i), actors[i]);
    cluster_free(c);
}

static void a_node_that_cannot_ask_everybody_takes_a_new_actor(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2), actor = cluster_actor(c, 1);

    (void)state;
    cluster_stop(c, 2);
    cluster_stop(c, 1);
    cluster_start(c, 1);
    assert_int_equal(cluster_put(c, 1, ks, "key", "x", NULL).error, DYNKV_OK);
    assert_true(cluster_actor(c, 1) != actor);
    cluster_free(c);
}

static void clients_wait_while_nodes_that_were_killed_tell_each_other(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 2, 2);

    (void)state;
    assert_int_equal(cluster_put(c, 0, ks, "key", "x", NULL).error, DYNKV_OK);
    for (uint32_t i = 0; i < 3; i++)
        cluster_crash(c, i);
    for (uint32_t i = 0; i < 3; i++)
        cluster_start(c, i);
    assert_int_equal(cluster_get(c, 1, ks, "key", true, 2, NULL).error, DYNKV_OK);
    assert_int_equal(cluster_put(c, 2, ks, "key", "y", NULL).error, DYNKV_OK);
    cluster_free(c);
}

static void clients_are_refused_where_nobody_tells(void **state)
{
    struct cluster *c = cluster_new(3, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 3, 1, 1);

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        cluster_crash(c, i);
    cluster_start(c, 1);
    assert_int_equal(cluster_put(c, 1, ks, "key", "too early", NULL).error, DYNKV_OVERLOADED);
    assert_int_equal(cluster_counter(c, 1, "unsure"), 1);
    cluster_run(c, 20 * MOMENT_MS); /* the others are found to be down */
    assert_int_equal(cluster_counter(c, 1, "unsure"), 0);
    assert_int_equal(cluster_put(c, 1, ks, "key", "in time", NULL).error, DYNKV_OK);
    cluster_free(c);
}

static void a_key_that_knows_more_of_the_actor_than_the_node_does_ends_it(void **state)
{
    struct cluster *c = cluster_new(1, 16);
    uint64_t ks = cluster_keyspace(c, 0, "t", 1, 1, 1), actor = cluster_actor(c, 0);
    struct cluster_copy copy;

    (void)state;
    /* Alone, and put back without its records: nobody else could tell. */
    cluster_stop(c, 0);
    copy = cluster_copy(c, 0);
    for (uint32_t i = 0; i < 2; i++) {
        cluster_start(c, 0);
        cluster_run(c, MOMENT_MS);
        cluster_stop(c, 0);
    }
    cluster_start(c, 0);
    assert_int_equal(cluster_put(c, 0, ks, "key", "of the later run", NULL).error, DYNKV_OK);
    cluster_stop(c, 0);
    cluster_put_back(c, 0, &copy);
    cluster_start(c, 0);
    cluster_run(c, MOMENT_MS);
    assert_int_equal(cluster_actor(c, 0), actor);
    assert_int_equal(cluster_put(c, 0, ks, "key", "too early", NULL).error, DYNKV_OVERLOADED);
    assert_true(cluster_actor(c, 0) != actor);
    cluster_run(c, MOMENT_MS); /* it may have forgotten something, and finds nobody to ask */
    assert_int_equal(cluster_put(c, 0, ks, "key", "in time", NULL).error, DYNKV_OK);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_stop_keeps_the_actor_and_its_counters_go_on),
        cmocka_unit_test(a_crash_ends_the_actor),
        cmocka_unit_test(an_old_copy_takes_a_new_actor_before_its_first_write),
        cmocka_unit_test(an_old_copy_that_is_stopped_before_it_has_heard_is_still_in_doubt),
        cmocka_unit_test(an_old_copy_is_known_though_all_members_restarted_meanwhile),
        cmocka_unit_test(a_whole_cluster_that_is_stopped_and_started_keeps_its_actors),
        cmocka_unit_test(a_node_that_cannot_ask_everybody_takes_a_new_actor),
        cmocka_unit_test(clients_wait_while_nodes_that_were_killed_tell_each_other),
        cmocka_unit_test(clients_are_refused_where_nobody_tells),
        cmocka_unit_test(a_key_that_knows_more_of_the_actor_than_the_node_does_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
