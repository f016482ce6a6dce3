/* Keyspaces: identity, valid names, and which of two definitions wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/keyspace.h"

static void the_id_depends_on_name_and_generation(void **state)
{
    uint64_t id = dynkv_keyspace_id(dynkv_slice_text("session"), 1);

    (void)state;
    assert_true(id == dynkv_keyspace_id(dynkv_slice_text("session"), 1));
    assert_true(id != dynkv_keyspace_id(dynkv_slice_text("session"), 2));
    assert_true(id != dynkv_keyspace_id(dynkv_slice_text("sessions"), 1));
}

static void names_are_letters_digits_and_four_signs_up_to_the_limit(void **state)
{
    char name[DYNKV_NAME_MAX + 1];

    (void)state;
    memset(name, 'n', sizeof name);
    assert_true(dynkv_keyspace_name_is_valid(dynkv_slice(name, DYNKV_NAME_MAX)));
    assert_false(dynkv_keyspace_name_is_valid(dynkv_slice(name, DYNKV_NAME_MAX + 1)));
    assert_false(dynkv_keyspace_name_is_valid(dynkv_slice(NULL, 0)));
    assert_true(dynkv_keyspace_name_is_valid(dynkv_slice_text("aZ09_-.$")));
    assert_false(dynkv_keyspace_name_is_valid(dynkv_slice_text("a b")));
    assert_false(dynkv_keyspace_name_is_valid(dynkv_slice_text("a/b")));
    assert_false(dynkv_keyspace_name_is_valid(dynkv_slice_text("\xc3\xa4")));
    assert_false(dynkv_keyspace_name_is_valid(dynkv_slice("a\0b", 3)));
}

static void newer_is_by_generation_then_stamp_then_any_difference_and_never_both_ways(void **state)
{
    const struct dynkv_keyspace base = {.generation = 2, .stamp = 50, .n = 3, .r = 2, .w = 2};
    struct dynkv_keyspace others[8];

    (void)state;
    for (int i = 0; i < 8; i++)
        others[i] = base;
    others[0].generation++, others[0].stamp = 1; /* outweighs an older stamp */
    others[1].stamp++, others[1].n = 1;
    others[2].dropped = true;
    others[3].n++;
    others[4].r++;
    others[5].w++;
    others[6].ttl_ms++;
    for (int i = 0; i < 7; i++) {
        assert_true(dynkv_keyspace_is_newer(&base, &others[i]));
        assert_false(dynkv_keyspace_is_newer(&others[i], &base));
    }
    assert_false(dynkv_keyspace_is_newer(&base, &others[7])); /* equal */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_id_depends_on_name_and_generation),
        cmocka_unit_test(names_are_letters_digits_and_four_signs_up_to_the_limit),
        cmocka_unit_test(newer_is_by_generation_then_stamp_then_any_difference_and_never_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
