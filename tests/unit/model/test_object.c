/* Objects: put, merge, the textbook run, and what makes a value dead or the latest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "model/object.h"

enum { S1 = 101, S2 = 102, S3 = 103 };

/* A store that can coordinate writes: its actor and its sequence. */
struct store {
    uint64_t actor, counter;
    struct dynkv_object object;
};

static struct dynkv_arena arena;

static int arena_free(void **state)
{
    (void)state;
    dynkv_arena_fini(&arena);
    return 0;
}

static enum dynkv_error store_put(struct store *store, const struct dynkv_version *context,
                                  const char *value)
{
    struct dynkv_sibling sibling = {
        .dot = {store->actor, store->counter + 1},
        .timestamp = 1000 + store->counter,
        .value = dynkv_slice_text(value),
    };
    struct dynkv_object out;
    enum dynkv_error error = dynkv_object_put(
        &store->object, context ? context : &store->object.version, &sibling, &arena, &out);

    if (error == DYNKV_OK) {
        store->object = out;
        store->counter++;
    }
    return error;
}

static void store_receive(struct store *store, const struct dynkv_object *object)
{
    store->object = dynkv_object_merge(&store->object, object, &arena);
}

static void assert_same(const struct dynkv_object *a, const struct dynkv_object *b)
{
    struct dynkv_buf in_a = {NULL, 0, 0}, in_b = {NULL, 0, 0};

    dynkv_object_encode(a, &in_a);
    dynkv_object_encode(b, &in_b);
    assert_true(dynkv_slice_equal(dynkv_buf_slice(&in_a), dynkv_buf_slice(&in_b)));
    assert_true(dynkv_object_digest(a) == dynkv_object_digest(b));
    dynkv_buf_fini(&in_a);
    dynkv_buf_fini(&in_b);
}

static void assert_version(const struct dynkv_object *object, uint64_t s1, uint64_t s2, uint64_t s3)
{
    assert_int_equal(object->version.count, (s1 > 0) + (s2 > 0) + (s3 > 0));
    assert_int_equal(dynkv_version_counter(&object->version, S1), s1);
    assert_int_equal(dynkv_version_counter(&object->version, S2), s2);
    assert_int_equal(dynkv_version_counter(&object->version, S3), s3);
}

static bool has_value(const struct dynkv_object *object, const char *value)
{
    for (uint32_t i = 0; i < object->sibling_count; i++)
        if (dynkv_slice_equal(object->siblings[i].value, dynkv_slice_text(value)))
            return true;
    return false;
}

/* DeCandia et al., "Dynamo", figure 3, with the values of the classroom. */
static void the_textbook_run_car_cart_carm_carr_and_the_merge(void **state)
{
    struct store s1 = {.actor = S1}, s2 = {.actor = S2}, s3 = {.actor = S3};
    struct dynkv_object read;

    (void)state;
    assert_int_equal(store_put(&s1, NULL, "CAR"), DYNKV_OK);
    assert_version(&s1.object, 1, 0, 0);
    assert_int_equal(store_put(&s1, NULL, "CART"), DYNKV_OK);
    assert_version(&s1.object, 2, 0, 0);
    assert_int_equal(s1.object.sibling_count, 1);
    store_receive(&s2, &s1.object);
    store_receive(&s3, &s1.object);

    /* S1 falls; S2 and S3 do not hear each other. */
    assert_int_equal(store_put(&s2, NULL, "CARM"), DYNKV_OK);
    assert_version(&s2.object, 2, 1, 0);
    assert_int_equal(store_put(&s3, NULL, "CARR"), DYNKV_OK);
    assert_version(&s3.object, 2, 0, 1);
    assert_int_equal(s2.object.sibling_count, 1);
    assert_int_equal(dynkv_version_compare(&s2.object.version, &s3.object.version),
                     DYNKV_VERSION_CONCURRENT);

    /* S1 returns; a GET yields both. */
    read = dynkv_object_merge(&s1.object, &s2.object, &arena);
    read = dynkv_object_merge(&read, &s3.object, &arena);
    assert_version(&read, 2, 1, 1);
    assert_int_equal(read.sibling_count, 2);
    assert_true(has_value(&read, "CARM"));
    assert_true(has_value(&read, "CARR"));

    /* The client merges and writes back what it read, through S1. */
    store_receive(&s1, &read);
    assert_int_equal(store_put(&s1, &read.version, "CARMR"), DYNKV_OK);
    assert_version(&s1.object, 3, 1, 1);
    assert_int_equal(s1.object.sibling_count, 1);
    store_receive(&s2, &s1.object);
    store_receive(&s3, &s1.object);
    assert_same(&s2.object, &s1.object);
    assert_same(&s3.object, &s1.object);
}

static void writing_back_through_a_store_that_missed_the_siblings_settles_them_too(void **state)
{
    struct store s1 = {.actor = S1}, s2 = {.actor = S2}, s3 = {.actor = S3};
    struct dynkv_object read;

    (void)state;
    store_put(&s2, NULL, "a");
    store_put(&s3, NULL, "b");
    read = dynkv_object_merge(&s2.object, &s3.object, &arena);
    assert_int_equal(read.sibling_count, 2);
    assert_int_equal(store_put(&s1, &read.version, "ab"), DYNKV_OK);
    assert_version(&s1.object, 1, 1, 1);
    store_receive(&s2, &s1.object);
    store_receive(&s3, &s1.object);
    assert_same(&s2.object, &s1.object);
    assert_same(&s3.object, &s1.object);
    assert_int_equal(s1.object.sibling_count, 1);
}

static void a_stale_context_supersedes_only_what_it_saw(void **state)
{
    struct store s1 = {.actor = S1};
    struct dynkv_version empty = {NULL, 0}, first;

    (void)state;
    store_put(&s1, NULL, "one");
    first = s1.object.version;
    store_put(&s1, &first, "two");
    store_put(&s1, &first, "three");
    assert_int_equal(s1.object.sibling_count, 2);
    assert_true(has_value(&s1.object, "two"));
    assert_true(has_value(&s1.object, "three"));
    store_put(&s1, &empty, "four");
    assert_int_equal(s1.object.sibling_count, 3);
    store_put(&s1, NULL, "all");
    assert_int_equal(s1.object.sibling_count, 1);
}

static void two_clients_that_leapfrog_each_other_leave_two_siblings_at_most(void **state)
{
    struct store s1 = {.actor = S1};
    struct dynkv_version context[2] = {{NULL, 0}, {NULL, 0}};

    (void)state;
    /* Each writes with what its own last write answered: the sibling explosion of plain vectors. */
    for (int i = 0; i < 200; i++) {
        assert_int_equal(store_put(&s1, &context[i % 2], i % 2 ? "odd" : "even"), DYNKV_OK);
        assert_in_range(s1.object.sibling_count, 1, 2);
        context[i % 2] = s1.object.version;
    }
}

static void writers_with_stale_contexts_leave_no_more_siblings_than_there_are_writers(void **state)
{
    enum { WRITERS = 7 };
    struct dynkv_random random = dynkv_random(21);

    (void)state;
    for (int run = 0; run < 30; run++) {
        struct store stores[3] = {{.actor = S1}, {.actor = S2}, {.actor = S3}};
        struct dynkv_version contexts[WRITERS] = {{NULL, 0}};

        for (int step = 0; step < 200; step++) {
            uint64_t writer = dynkv_random_below(&random, WRITERS);
            struct store *store = &stores[dynkv_random_below(&random, 3)];

            assert_int_equal(store_put(store, &contexts[writer], "x"), DYNKV_OK);
            contexts[writer] = store->object.version;
            for (int k = 0; k < 3; k++)
                store_receive(&stores[k], &store->object);
            assert_in_range(store->object.sibling_count, 1, WRITERS);
        }
        dynkv_arena_reset(&arena);
    }
}

#define STORES 4

/* Random puts, stale contexts, deletes, expiries and lossy, unordered replication. */
static void history_run(struct dynkv_random *random, struct store *stores)
{
    struct dynkv_version contexts[4] = {{NULL, 0}};
    uint64_t steps = 1 + dynkv_random_below(random, 25);

    for (uint64_t i = 0; i < STORES; i++)
        stores[i] = (struct store){.actor = 1 + i * 7919 % 5, .counter = i};
    for (uint64_t step = 0; step < steps; step++) {
        struct store *store = &stores[dynkv_random_below(random, STORES)];
        uint64_t action = dynkv_random_below(random, 4);

        if (action == 0) {
            store_receive(store, &stores[dynkv_random_below(random, STORES)].object);
        } else if (action == 1) {
            contexts[dynkv_random_below(random, 4)] = store->object.version;
        } else {
            struct dynkv_sibling sibling = {
                .dot = {store->actor, store->counter + 1 + dynkv_random_below(random, 3)},
                .timestamp = dynkv_random_below(random, 50),
                .expires_at_ms = dynkv_random_below(random, 2) * dynkv_random_below(random, 99),
                .flags = dynkv_random_below(random, 5) ? 0 : DYNKV_SIBLING_TOMBSTONE,
                .value = dynkv_slice("abcdefgh", (size_t)dynkv_random_below(random, 9)),
            };
            const struct dynkv_version *context =
                action == 2 ? &store->object.version : &contexts[dynkv_random_below(random, 4)];
            struct dynkv_object out;

            store->counter = sibling.dot.counter;
            assert_int_equal(dynkv_object_put(&store->object, context, &sibling, &arena, &out),
                             DYNKV_OK);
            store->object = out;
        }
    }
}

static void merge_is_commutative_associative_idempotent_and_byte_identical(void **state)
{
    struct dynkv_random random = dynkv_random(22);
    unsigned with_siblings = 0;

    (void)state;
    for (int run = 0; run < 5000; run++) {
        struct store stores[STORES];
        struct dynkv_object *a = &stores[0].object, *b = &stores[1].object, *c = &stores[2].object;
        struct dynkv_object ab, ba, bc, ab_c, a_bc, again;

        history_run(&random, stores);
        ab = dynkv_object_merge(a, b, &arena);
        ba = dynkv_object_merge(b, a, &arena);
        assert_same(&ab, &ba);
        bc = dynkv_object_merge(b, c, &arena);
        ab_c = dynkv_object_merge(&ab, c, &arena);
        a_bc = dynkv_object_merge(a, &bc, &arena);
        assert_same(&ab_c, &a_bc);
        again = dynkv_object_merge(a, a, &arena);
        assert_same(&again, a);
        again = dynkv_object_merge(&ab, b, &arena);
        assert_same(&again, &ab);
        with_siblings += ab_c.sibling_count > 1;
        dynkv_arena_reset(&arena);
    }
    assert_true(with_siblings > 1000); /* the histories are worth something */
}

/* A value vanishes only under a context that contains its dot; every other one stays. */
static void merging_all_stores_keeps_exactly_the_values_nobody_superseded(void **state)
{
    enum { STEPS = 30 };
    struct dynkv_random random = dynkv_random(23);

    (void)state;
    for (int run = 0; run < 2000; run++) {
        struct store stores[STORES] = {{.actor = 9}, {.actor = 4}, {.actor = 6}, {.actor = 1}};
        struct dynkv_dot dots[STEPS];
        struct dynkv_version seen[STEPS];
        struct dynkv_object all = {0};
        uint32_t written = 0, expected = 0;

        for (int step = 0; step < STEPS; step++) {
            struct store *store = &stores[dynkv_random_below(&random, STORES)];
            struct store *other = &stores[dynkv_random_below(&random, STORES)];

            if (dynkv_random_below(&random, 2)) {
                store_receive(store, &other->object);
                continue;
            }
            /* What the writer saw: another store's version, if that may be a context here. */
            seen[written] =
                dynkv_version_covers(&other->object.version,
                                     (struct dynkv_dot){store->actor, store->counter + 1})
                    ? store->object.version
                    : other->object.version;
            assert_int_equal(store_put(store, &seen[written], "v"), DYNKV_OK);
            dots[written++] = (struct dynkv_dot){store->actor, store->counter};
        }
        for (int i = 0; i < STORES; i++)
            all = dynkv_object_merge(&all, &stores[i].object, &arena);
        for (uint32_t i = 0; i < written; i++) {
            bool superseded = false, present = false;

            for (uint32_t k = 0; k < written; k++)
                superseded |= dynkv_version_covers(&seen[k], dots[i]);
            for (uint32_t k = 0; k < all.sibling_count; k++)
                present |= dynkv_dot_compare(all.siblings[k].dot, dots[i]) == 0;
            assert_int_equal(present, !superseded);
            expected += !superseded;
        }
        assert_int_equal(all.sibling_count, expected);
        dynkv_arena_reset(&arena);
    }
}

static void too_many_siblings_are_an_error_and_no_object(void **state)
{
    struct store s1 = {.actor = S1};
    struct dynkv_version empty = {NULL, 0};
    struct dynkv_sibling sibling = {.dot = {S1, DYNKV_SIBLINGS_MAX + 1}};
    struct dynkv_object out = {0};

    (void)state;
    for (uint32_t i = 0; i < DYNKV_SIBLINGS_MAX; i++)
        assert_int_equal(store_put(&s1, &empty, "x"), DYNKV_OK);
    assert_int_equal(s1.object.sibling_count, DYNKV_SIBLINGS_MAX);
    assert_int_equal(dynkv_object_put(&s1.object, &empty, &sibling, &arena, &out),
                     DYNKV_SIBLINGS_LIMIT);
    assert_int_equal(out.sibling_count, 0);
    assert_int_equal(out.version.count, 0);
    assert_int_equal(store_put(&s1, NULL, "settled"), DYNKV_OK);
    assert_int_equal(s1.object.sibling_count, 1);
}

static void a_vector_with_too_many_actors_is_refused(void **state)
{
    static struct dynkv_dot entries[DYNKV_ACTORS_MAX];
    struct dynkv_version context = {entries, DYNKV_ACTORS_MAX};
    struct dynkv_object empty = {0}, out;
    struct dynkv_sibling sibling = {.dot = {DYNKV_ACTORS_MAX, 1}};

    (void)state;
    for (uint32_t i = 0; i < DYNKV_ACTORS_MAX; i++)
        entries[i] = (struct dynkv_dot){i, 1};
    sibling.flags = DYNKV_SIBLING_TOMBSTONE;
    assert_int_equal(dynkv_object_put(&empty, &context, &sibling, &arena, &out),
                     DYNKV_VERSION_LIMIT);
    context.count--;
    assert_int_equal(dynkv_object_put(&empty, &context, &sibling, &arena, &out), DYNKV_OK);
    assert_true(dynkv_object_is_within_limits(&out));
    out.version.count++;
    assert_false(dynkv_object_is_within_limits(&out));
}

static void a_put_leaves_room_in_the_vector_for_a_delete(void **state)
{
    static struct dynkv_dot entries[DYNKV_ACTORS_PUT_MAX];
    struct dynkv_version context = {entries, DYNKV_ACTORS_PUT_MAX};
    struct dynkv_object empty = {0}, out;
    struct dynkv_sibling sibling = {.dot = {DYNKV_ACTORS_PUT_MAX, 1}};

    (void)state;
    for (uint32_t i = 0; i < DYNKV_ACTORS_PUT_MAX; i++)
        entries[i] = (struct dynkv_dot){i, 1};
    assert_int_equal(dynkv_object_put(&empty, &context, &sibling, &arena, &out),
                     DYNKV_VERSION_LIMIT);
    sibling.flags = DYNKV_SIBLING_TOMBSTONE;
    assert_int_equal(dynkv_object_put(&empty, &context, &sibling, &arena, &out), DYNKV_OK);
    /* An actor that has written the key before takes no room. */
    sibling = (struct dynkv_sibling){.dot = {7, 2}};
    assert_int_equal(dynkv_object_put(&empty, &context, &sibling, &arena, &out), DYNKV_OK);
}

static void a_context_that_foretells_the_dot_is_refused(void **state)
{
    struct store s1 = {.actor = S1};
    struct dynkv_dot future = {S1, 5};
    struct dynkv_version context = {&future, 1};
    struct dynkv_object made_up = {.version = context};

    (void)state;
    assert_int_equal(store_put(&s1, &context, "x"), DYNKV_INVALID);
    assert_int_equal(s1.object.sibling_count, 0);
    store_receive(&s1, &made_up);
    context.count = 0;
    assert_int_equal(store_put(&s1, &context, "x"), DYNKV_CORRUPT);
}

static void put_keeps_siblings_sorted_by_dot(void **state)
{
    const uint64_t actors[] = {5, 2, 8, 1};
    struct dynkv_object object = {0};
    struct dynkv_version empty = {NULL, 0};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct dynkv_sibling sibling = {.dot = {actors[i], 1}};

        assert_int_equal(dynkv_object_put(&object, &empty, &sibling, &arena, &object), DYNKV_OK);
    }
    assert_int_equal(object.sibling_count, 4);
    for (uint32_t i = 1; i < 4; i++)
        assert_true(dynkv_dot_compare(object.siblings[i - 1].dot, object.siblings[i].dot) < 0);
}

static void a_tombstone_and_an_expired_value_are_dead(void **state)
{
    struct dynkv_sibling siblings[2] = {
        {.dot = {1, 1}, .flags = DYNKV_SIBLING_TOMBSTONE},
        {.dot = {2, 1}, .expires_at_ms = 5000},
    };
    struct dynkv_object object = {.siblings = siblings, .sibling_count = 2}, empty = {0};

    (void)state;
    assert_true(dynkv_sibling_is_dead(&siblings[0], 0));
    assert_false(dynkv_sibling_is_dead(&siblings[1], 4999));
    assert_true(dynkv_sibling_is_dead(&siblings[1], 5000));
    assert_false(dynkv_object_is_dead(&object, 4999));
    assert_true(dynkv_object_is_dead(&object, 5000));
    assert_true(dynkv_object_is_dead(&empty, 0));
    siblings[1].expires_at_ms = 0;
    assert_false(dynkv_object_is_dead(&object, UINT64_MAX));
}

static void the_latest_has_the_greatest_timestamp_even_if_that_makes_the_key_absent(void **state)
{
    struct dynkv_sibling siblings[3] = {
        {.dot = {1, 1}, .timestamp = 10},
        {.dot = {2, 1}, .timestamp = 30},
        {.dot = {3, 1}, .timestamp = 30},
    };
    struct dynkv_object object = {.siblings = siblings, .sibling_count = 3}, empty = {0};

    (void)state;
    assert_null(dynkv_object_latest(&empty, 0));
    assert_ptr_equal(dynkv_object_latest(&object, 0), &siblings[2]); /* the dot breaks the tie */
    siblings[1].timestamp = 31;
    assert_ptr_equal(dynkv_object_latest(&object, 0), &siblings[1]);
    siblings[1].expires_at_ms = 100;
    assert_ptr_equal(dynkv_object_latest(&object, 99), &siblings[1]);
    assert_null(dynkv_object_latest(&object, 100));
    siblings[1].flags = DYNKV_SIBLING_TOMBSTONE;
    assert_null(dynkv_object_latest(&object, 99));
}

static void a_stripped_sibling_gives_way_to_the_whole_one(void **state)
{
    struct store s1 = {.actor = S1};
    struct dynkv_sibling bare;
    struct dynkv_object stripped, merged;

    (void)state;
    store_put(&s1, NULL, "whole");
    bare = s1.object.siblings[0];
    bare.flags = DYNKV_SIBLING_STRIPPED;
    bare.value = dynkv_slice(NULL, 0);
    stripped = (struct dynkv_object){s1.object.version, &bare, 1};
    merged = dynkv_object_merge(&stripped, &s1.object, &arena);
    assert_same(&merged, &s1.object);
    merged = dynkv_object_merge(&s1.object, &stripped, &arena);
    assert_same(&merged, &s1.object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_textbook_run_car_cart_carm_carr_and_the_merge),
        cmocka_unit_test(writing_back_through_a_store_that_missed_the_siblings_settles_them_too),
        cmocka_unit_test(a_stale_context_supersedes_only_what_it_saw),
        cmocka_unit_test(two_clients_that_leapfrog_each_other_leave_two_siblings_at_most),
        cmocka_unit_test(writers_with_stale_contexts_leave_no_more_siblings_than_there_are_writers),
        cmocka_unit_test(merge_is_commutative_associative_idempotent_and_byte_identical),
        cmocka_unit_test(merging_all_stores_keeps_exactly_the_values_nobody_superseded),
        cmocka_unit_test(too_many_siblings_are_an_error_and_no_object),
        cmocka_unit_test(a_vector_with_too_many_actors_is_refused),
        cmocka_unit_test(a_put_leaves_room_in_the_vector_for_a_delete),
        cmocka_unit_test(a_context_that_foretells_the_dot_is_refused),
        cmocka_unit_test(put_keeps_siblings_sorted_by_dot),
        cmocka_unit_test(a_tombstone_and_an_expired_value_are_dead),
        cmocka_unit_test(the_latest_has_the_greatest_timestamp_even_if_that_makes_the_key_absent),
        cmocka_unit_test(a_stripped_sibling_gives_way_to_the_whole_one),
    };

    return cmocka_run_group_tests(tests, NULL, arena_free);
}
