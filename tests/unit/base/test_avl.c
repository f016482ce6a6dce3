/* The AVL tree, checked against a sorted array, with its invariants after every change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/avl.h"
#include "base/map.h"
#include "base/random.h"

#define ITEMS  400
#define ROUNDS 20000

struct item {
    struct dynkv_avl_node node;
    uint64_t key;
};

static struct item *item_of(struct dynkv_avl_node *node)
{
    return DYNKV_CONTAINER(node, struct item, node);
}

static int compare(const void *key, const struct dynkv_avl_node *node)
{
    uint64_t a = *(const uint64_t *)key, b = ((const struct item *)(const void *)node)->key;

    return (a > b) - (a < b);
}

/* Returns the height; fails if a height, the balance or a parent link is wrong. */
static int check_subtree(const struct dynkv_avl_node *node, const struct dynkv_avl_node *parent)
{
    int left, right;

    if (!node)
        return 0;
    assert_ptr_equal(node->parent, parent);
    left = check_subtree(node->left, node);
    right = check_subtree(node->right, node);
    assert_in_range(left - right + 1, 0, 2);
    assert_int_equal(node->height, 1 + (left > right ? left : right));
    return node->height;
}

/* The tree against present[]: walks both ways, and the count. */
static void check_against(const struct dynkv_avl *tree, const int *present)
{
    struct dynkv_avl_node *node = dynkv_avl_first(tree);
    size_t count = 0;

    check_subtree(tree->root, NULL);
    for (uint64_t key = 0; key < ITEMS; key++) {
        if (!present[key])
            continue;
        assert_non_null(node);
        assert_int_equal(item_of(node)->key, key);
        node = dynkv_avl_next(node);
        count++;
    }
    assert_null(node);
    assert_int_equal(tree->count, count);

    node = dynkv_avl_last(tree);
    for (uint64_t key = ITEMS; key-- > 0;) {
        if (!present[key])
            continue;
        assert_int_equal(item_of(node)->key, key);
        node = dynkv_avl_prev(node);
    }
    assert_null(node);
}

static void an_empty_tree_has_nothing(void **state)
{
    struct dynkv_avl tree = {NULL, 0};
    uint64_t key = 1;

    (void)state;
    assert_null(dynkv_avl_find(&tree, &key, compare));
    assert_null(dynkv_avl_seek(&tree, &key, compare));
    assert_null(dynkv_avl_first(&tree));
    assert_null(dynkv_avl_last(&tree));
}

static void rising_and_falling_insertions_stay_low(void **state)
{
    static struct item items[1023];
    (void)state;

    for (int falling = 0; falling < 2; falling++) {
        struct dynkv_avl tree = {NULL, 0};

        for (uint64_t i = 0; i < 1023; i++) {
            items[i].key = falling ? 1023 - i : i;
            assert_null(dynkv_avl_insert(&tree, &items[i].node, &items[i].key, compare));
        }
        check_subtree(tree.root, NULL);
        assert_int_equal(tree.root->height, 10); /* 2^10 - 1 nodes in order: a full tree */
    }
}

static void inserting_a_key_twice_returns_the_first_and_changes_nothing(void **state)
{
    struct dynkv_avl tree = {NULL, 0};
    struct item first = {.key = 7}, second = {.key = 7};

    (void)state;
    assert_null(dynkv_avl_insert(&tree, &first.node, &first.key, compare));
    assert_ptr_equal(dynkv_avl_insert(&tree, &second.node, &second.key, compare), &first.node);
    assert_int_equal(tree.count, 1);
    assert_ptr_equal(tree.root, &first.node);
}

static void random_changes_agree_with_a_sorted_array(void **state)
{
    static struct item items[ITEMS];
    static int present[ITEMS];
    struct dynkv_avl tree = {NULL, 0};
    struct dynkv_random random = dynkv_random(20240601);

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t key = dynkv_random_below(&random, ITEMS);
        struct dynkv_avl_node *found = dynkv_avl_find(&tree, &key, compare), *bound;
        uint64_t expected = key;

        assert_int_equal(found != NULL, present[key]);
        bound = dynkv_avl_seek(&tree, &key, compare);
        while (expected < ITEMS && !present[expected])
            expected++;
        assert_int_equal(bound ? item_of(bound)->key : ITEMS, expected);

        /* Phases of growth and of shrinking, so that every size is passed both ways. */
        if (!found && dynkv_random_below(&random, 4) < (round / 2000 % 2 ? 1 : 3)) {
            items[key].key = key;
            assert_null(dynkv_avl_insert(&tree, &items[key].node, &key, compare));
            present[key] = 1;
        } else if (found && dynkv_random_below(&random, 4) < (round / 2000 % 2 ? 3 : 1)) {
            dynkv_avl_remove(&tree, found);
            present[key] = 0;
        }
        if (round % 7 == 0)
            check_against(&tree, present);
    }
    for (uint64_t key = 0; key < ITEMS; key++) {
        if (!present[key])
            continue;
        dynkv_avl_remove(&tree, &items[key].node);
        present[key] = 0;
        check_against(&tree, present);
    }
    assert_null(tree.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_tree_has_nothing),
        cmocka_unit_test(rising_and_falling_insertions_stay_low),
        cmocka_unit_test(inserting_a_key_twice_returns_the_first_and_changes_nothing),
        cmocka_unit_test(random_changes_agree_with_a_sorted_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
