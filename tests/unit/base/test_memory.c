/* The arena and the hash map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"

static void arena_pieces_are_aligned_and_do_not_overlap(void **state)
{
    struct dynkv_arena arena = {NULL};
    struct dynkv_random random = dynkv_random(3);
    static unsigned char *pieces[1000];
    static size_t sizes[1000];

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 1000; i++) {
            /* Small ones, and now and then one that needs a block of its own. */
            sizes[i] = (size_t)dynkv_random_below(&random, i % 50 ? 300 : 100000);
            pieces[i] = dynkv_arena_alloc(&arena, sizes[i]);
            assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
            memset(pieces[i], (int)(i & 0xff), sizes[i]);
        }
        for (size_t i = 0; i < 1000; i++)
            for (size_t k = 0; k < sizes[i]; k++)
                if (pieces[i][k] != (i & 0xff))
                    fail_msg("piece %zu was overwritten at %zu", i, k);
        dynkv_arena_reset(&arena);
    }
    dynkv_arena_fini(&arena);
    assert_null(arena.blocks);
}

static void an_arena_that_was_reset_uses_its_block_again(void **state)
{
    struct dynkv_arena arena = {NULL};
    void *first = dynkv_arena_alloc(&arena, 100);

    (void)state;
    dynkv_arena_alloc(&arena, 1000000);
    dynkv_arena_reset(&arena);
    assert_ptr_equal(dynkv_arena_alloc(&arena, 100), first);
    dynkv_arena_fini(&arena);
}

static void arena_calloc_zeroes_and_copy_copies(void **state)
{
    struct dynkv_arena arena = {NULL};
    unsigned char *zeroed;

    (void)state;
    memset(dynkv_arena_alloc(&arena, 4096), 0xff, 4096);
    dynkv_arena_reset(&arena);
    zeroed = dynkv_arena_calloc(&arena, 512, 8);
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(zeroed[i], 0);
    assert_memory_equal(dynkv_arena_copy(&arena, "abc", 4), "abc", 4);
    assert_non_null(dynkv_arena_copy(&arena, NULL, 0));
    dynkv_arena_fini(&arena);
}

struct entry {
    struct dynkv_map_node node;
    uint64_t key;
    int present, seen;
};

/* A poor hash on purpose: many keys share one. */
static uint64_t entry_hash(uint64_t key)
{
    return key % 97 * UINT64_C(0x9e3779b97f4a7c15);
}

static struct entry *entry_find(const struct dynkv_map *map, uint64_t key)
{
    struct dynkv_map_node *node = dynkv_map_find(map, entry_hash(key));

    for (; node; node = dynkv_map_find_next(node))
        if (DYNKV_CONTAINER(node, struct entry, node)->key == key)
            return DYNKV_CONTAINER(node, struct entry, node);
    return NULL;
}

static void a_map_finds_exactly_what_is_in_it(void **state)
{
    static struct entry entries[500];
    struct dynkv_map map = {NULL, 0, 0};
    struct dynkv_random random = dynkv_random(4);
    size_t count = 0;

    (void)state;
    assert_null(dynkv_map_find(&map, 5));
    assert_null(dynkv_map_first(&map));
    for (int round = 0; round < 20000; round++) {
        uint64_t key = dynkv_random_below(&random, 500);
        struct entry *found = entry_find(&map, key);

        assert_ptr_equal(found, entries[key].present ? &entries[key] : NULL);
        if (found) {
            dynkv_map_remove(&map, &found->node);
            count--;
        } else {
            entries[key].key = key;
            dynkv_map_add(&map, &entries[key].node, entry_hash(key));
            count++;
        }
        entries[key].present = !entries[key].present;
        assert_int_equal(map.count, count);
    }
    for (struct dynkv_map_node *node = dynkv_map_first(&map); node;
         node = dynkv_map_next(&map, node))
        DYNKV_CONTAINER(node, struct entry, node)->seen++;
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(entries[i].seen, entries[i].present);
    dynkv_map_fini(&map);
}

static void a_walk_may_remove_what_it_has_passed(void **state)
{
    static struct entry entries[100];
    struct dynkv_map map = {NULL, 0, 0};
    struct dynkv_map_node *node, *next;
    size_t removed = 0;

    (void)state;
    for (uint64_t key = 0; key < 100; key++)
        dynkv_map_add(&map, &entries[key].node, entry_hash(key));
    for (node = dynkv_map_first(&map); node; node = next, removed++) {
        next = dynkv_map_next(&map, node);
        dynkv_map_remove(&map, node);
    }
    assert_int_equal(removed, 100);
    assert_int_equal(map.count, 0);
    dynkv_map_fini(&map);
}

/* Placement and stored digests depend on these values: they must never change. */
static void the_hash_keeps_its_published_values(void **state)
{
    (void)state;
    assert_true(dynkv_hash(dynkv_slice(NULL, 0), 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(dynkv_hash(dynkv_slice_text("abc"), 0) == UINT64_C(0x78af5f94892f3950));
    assert_true(dynkv_hash(dynkv_slice_text("abc"), 1) != dynkv_hash(dynkv_slice_text("abc"), 0));
    assert_true(dynkv_hash_pair(1, 2) ==
                dynkv_hash(dynkv_slice("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 16), 0));
    assert_true(dynkv_hash_pair(1, 2) != dynkv_hash_pair(2, 1));
}

static void every_error_has_a_name_and_a_text(void **state)
{
    (void)state;
    assert_string_equal(dynkv_error_name(DYNKV_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(dynkv_error_text(DYNKV_OK), "ok");
    assert_string_equal(dynkv_error_name((enum dynkv_error)9999), "UNKNOWN");
    assert_non_null(dynkv_error_text((enum dynkv_error)9999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(an_arena_that_was_reset_uses_its_block_again),
        cmocka_unit_test(arena_calloc_zeroes_and_copy_copies),
        cmocka_unit_test(a_map_finds_exactly_what_is_in_it),
        cmocka_unit_test(a_walk_may_remove_what_it_has_passed),
        cmocka_unit_test(the_hash_keeps_its_published_values),
        cmocka_unit_test(every_error_has_a_name_and_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
