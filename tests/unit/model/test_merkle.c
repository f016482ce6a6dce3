/* test_merkle.c: the hash tree against sums made the slow way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"
#include "model/merkle.h"

#define KEYS 3000

struct entries {
    struct dynkv_merkle_value value[KEYS];
};

static struct dynkv_slice key_of(uint32_t number, char text[16])
{
    snprintf(text, 16, "key-%u", number);
    return dynkv_slice_text(text);
}

static struct dynkv_merkle_value random_value(struct dynkv_random *random)
{
    struct dynkv_merkle_value value = {
        dynkv_random_next(random) | 1,
        (enum dynkv_merkle_life)dynkv_random_below(random, DYNKV_MERKLE_LIVES),
        (uint32_t)dynkv_random_below(random, 1000)};

    return value;
}

static void set(struct dynkv_merkle *tree, struct entries *entries, uint32_t number,
                struct dynkv_merkle_value value)
{
    char text[16];

    dynkv_merkle_replace(tree, key_of(number, text), entries->value[number], value);
    entries->value[number] = value;
}

static void assert_tree_is_the_sum_of(const struct dynkv_merkle *tree,
                                      const struct entries *entries)
{
    uint64_t sums[DYNKV_MERKLE_LEVELS][DYNKV_MERKLE_LEAVES] = {{0}};
    uint64_t counts[DYNKV_MERKLE_LIVES] = {0}, bytes = 0;

    for (uint32_t i = 0; i < KEYS; i++) {
        char text[16];
        struct dynkv_slice key = key_of(i, text);
        uint32_t leaf = dynkv_merkle_leaf(key);
        uint64_t hash = dynkv_hash(key, entries->value[i].digest);

        if (!entries->value[i].digest)
            continue;
        counts[entries->value[i].life]++;
        if (entries->value[i].life != DYNKV_MERKLE_DEAD)
            bytes += key.len + entries->value[i].bytes;
        sums[0][0] += hash;
        sums[1][leaf / 256] += hash;
        sums[2][leaf / 16] += hash;
        sums[3][leaf] += hash;
    }
    for (uint32_t level = 0; level < DYNKV_MERKLE_LEVELS; level++)
        for (uint32_t i = 0; i < dynkv_merkle_width(level); i++)
            assert_int_equal(dynkv_merkle_node(tree, level, i), sums[level][i]);
    for (int life = 0; life < DYNKV_MERKLE_LIVES; life++)
        assert_int_equal(tree->counts[life], counts[life]);
    assert_int_equal(tree->bytes, bytes);
}

static void every_node_is_the_sum_of_what_lies_below_it(void **state)
{
    static const uint32_t ranges[] = {3, 60, 140, KEYS}; /* sparse, on the edge, dense */

    (void)state;
    for (unsigned r = 0; r < 4; r++) {
        struct dynkv_random random = dynkv_random(r);
        struct dynkv_merkle tree = {0};
        struct entries entries = {0};

        for (uint32_t i = 0; i < 4 * ranges[r]; i++) {
            struct dynkv_merkle_value none = {0};
            uint32_t number = (uint32_t)dynkv_random_below(&random, ranges[r]);

            set(&tree, &entries, number,
                dynkv_random_below(&random, 3) ? random_value(&random) : none);
        }
        assert_tree_is_the_sum_of(&tree, &entries);
        dynkv_merkle_fini(&tree);
    }
}

static void a_tree_does_not_depend_on_its_history(void **state)
{
    struct dynkv_random random = dynkv_random(9);
    struct dynkv_merkle up = {0}, down = {0};
    struct entries of_up = {0}, of_down = {0};

    (void)state;
    for (uint32_t i = 0; i < KEYS; i++)
        set(&up, &of_up, i, random_value(&random));
    for (uint32_t i = KEYS; i-- > 0;) {
        set(&down, &of_down, i, random_value(&random));
        set(&down, &of_down, i, of_up.value[i]);
    }
    for (uint32_t level = 0; level < DYNKV_MERKLE_LEVELS; level++)
        for (uint32_t i = 0; i < dynkv_merkle_width(level); i++)
            assert_int_equal(dynkv_merkle_node(&up, level, i), dynkv_merkle_node(&down, level, i));
    dynkv_merkle_fini(&up);
    dynkv_merkle_fini(&down);
}

static void a_tree_that_became_empty_gives_its_memory_back(void **state)
{
    struct dynkv_random random = dynkv_random(3);
    struct dynkv_merkle tree = {0};
    struct entries entries = {0};

    (void)state;
    for (uint32_t i = 0; i < KEYS; i++)
        set(&tree, &entries, i, random_value(&random));
    assert_non_null(tree.dense);
    for (uint32_t i = 0; i < KEYS; i++)
        set(&tree, &entries, i, (struct dynkv_merkle_value){0});
    assert_int_equal(tree.root, 0);
    assert_null(tree.dense);
    assert_null(tree.sparse);
}

static void sixty_keys_cost_less_than_two_kilobytes(void **state)
{
    struct dynkv_random random = dynkv_random(4);
    struct dynkv_merkle tree = {0};
    struct entries entries = {0};

    (void)state;
    for (uint32_t i = 0; i < 60; i++)
        set(&tree, &entries, i, random_value(&random));
    assert_null(tree.dense);
    assert_true(tree.sparse_cap * 10 + sizeof tree < 2048);
    dynkv_merkle_fini(&tree);
}

/* Descends from the root as two nodes would, and gives the leaves that differ. */
static uint32_t descend(const struct dynkv_merkle *mine, const struct dynkv_merkle *theirs,
                        uint32_t leaves[DYNKV_MERKLE_LEAVES], uint32_t *compared)
{
    uint32_t nodes[DYNKV_MERKLE_LEAVES] = {0};
    uint32_t count = 1;

    *compared = 0;
    for (uint32_t level = 0; level < DYNKV_MERKLE_LEAF_LEVEL; level++) {
        uint64_t sums[DYNKV_MERKLE_LEAVES];
        uint32_t sum_count = 0;

        for (uint32_t i = 0; i < count; i++)
            sum_count += dynkv_merkle_children(theirs, level, nodes[i], &sums[sum_count]);
        *compared += sum_count;
        count = dynkv_merkle_differing(mine, level, nodes, count, sums, leaves);
        memcpy(nodes, leaves, count * sizeof *nodes);
    }
    return count;
}

static void a_descent_finds_exactly_the_leaves_that_differ(void **state)
{
    (void)state;
    for (uint32_t differing = 0; differing < 40; differing += 13) {
        struct dynkv_random random = dynkv_random(differing);
        struct dynkv_merkle mine = {0}, theirs = {0};
        struct entries of_mine = {0}, of_theirs = {0};
        bool expected[DYNKV_MERKLE_LEAVES] = {false};
        uint32_t leaves[DYNKV_MERKLE_LEAVES], count, expected_count = 0, compared;

        for (uint32_t i = 0; i < KEYS; i++) {
            set(&mine, &of_mine, i, random_value(&random));
            set(&theirs, &of_theirs, i, of_mine.value[i]);
        }
        for (uint32_t i = 0; i < differing; i++) {
            char text[16];
            uint32_t number = i * 7;

            /* By turns: another version, one that we lack, one that they lack. */
            set(&mine, &of_mine, number,
                i % 3 == 1 ? (struct dynkv_merkle_value){0} : random_value(&random));
            if (i % 3 == 2)
                set(&theirs, &of_theirs, number, (struct dynkv_merkle_value){0});
            expected[dynkv_merkle_leaf(key_of(number, text))] = true;
        }
        for (uint32_t i = 0; i < DYNKV_MERKLE_LEAVES; i++)
            expected_count += expected[i];
        count = descend(&mine, &theirs, leaves, &compared);
        assert_int_equal(count, expected_count);
        for (uint32_t i = 0; i < count; i++)
            assert_true(expected[leaves[i]]);
        assert_true(compared <= 4 + differing * 32);
        dynkv_merkle_fini(&mine);
        dynkv_merkle_fini(&theirs);
    }
}

static void an_objects_life_is_what_its_siblings_make_it(void **state)
{
    struct dynkv_sibling siblings[2] = {
        {.dot = {1, 1}, .flags = DYNKV_SIBLING_TOMBSTONE},
        {.dot = {2, 1}, .expires_at_ms = 5, .value = dynkv_slice_text("seven b")}};
    struct dynkv_object object = {.siblings = siblings, .sibling_count = 1};

    (void)state;
    assert_int_equal(dynkv_merkle_value(&object).life, DYNKV_MERKLE_DEAD);
    object.sibling_count = 2;
    assert_int_equal(dynkv_merkle_value(&object).life, DYNKV_MERKLE_TIMED);
    siblings[1].expires_at_ms = 0;
    assert_int_equal(dynkv_merkle_value(&object).life, DYNKV_MERKLE_LIVE);
    assert_int_equal(dynkv_merkle_value(&object).bytes, 7);
    object.sibling_count = 0;
    assert_int_equal(dynkv_merkle_value(&object).digest, 0);
}

static void bytes_are_those_of_what_is_not_dead(void **state)
{
    struct dynkv_merkle_value none = {0}, dead = {1, DYNKV_MERKLE_DEAD, 0},
                              timed = {2, DYNKV_MERKLE_TIMED, 7}, live = {3, DYNKV_MERKLE_LIVE, 20};
    struct dynkv_slice key = dynkv_slice_text("key");
    struct dynkv_merkle tree = {0};

    (void)state;
    dynkv_merkle_replace(&tree, key, none, timed);
    assert_int_equal(tree.bytes, 10);
    dynkv_merkle_replace(&tree, dynkv_slice_text("other"), none, live);
    assert_int_equal(tree.bytes, 35);
    dynkv_merkle_replace(&tree, key, timed, dead);
    assert_int_equal(tree.bytes, 25);
    dynkv_merkle_replace(&tree, key, dead, live);
    assert_int_equal(tree.bytes, 48);
    dynkv_merkle_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_is_the_sum_of_what_lies_below_it),
        cmocka_unit_test(a_tree_does_not_depend_on_its_history),
        cmocka_unit_test(a_tree_that_became_empty_gives_its_memory_back),
        cmocka_unit_test(sixty_keys_cost_less_than_two_kilobytes),
        cmocka_unit_test(a_descent_finds_exactly_the_leaves_that_differ),
        cmocka_unit_test(an_objects_life_is_what_its_siblings_make_it),
        cmocka_unit_test(bytes_are_those_of_what_is_not_dead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
