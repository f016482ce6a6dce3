/* Dots and version vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "model/version.h"

static struct dynkv_version version_of(struct dynkv_arena *arena, const struct dynkv_dot *dots,
                                       size_t count)
{
    struct dynkv_version version = {NULL, 0};

    for (size_t i = 0; i < count; i++)
        version = dynkv_version_add(&version, dots[i], arena);
    return version;
}

#define VERSION(arena, ...)                                    \
    version_of(arena, (const struct dynkv_dot[]){__VA_ARGS__}, \
               sizeof((const struct dynkv_dot[]){__VA_ARGS__}) / sizeof(struct dynkv_dot))

static struct dynkv_version version_random(struct dynkv_random *random, struct dynkv_arena *arena)
{
    struct dynkv_version version = {NULL, 0};
    uint64_t count = dynkv_random_below(random, 6);

    for (uint64_t i = 0; i < count; i++) {
        struct dynkv_dot dot = {dynkv_random_below(random, 8), 1 + dynkv_random_below(random, 4)};

        version = dynkv_version_add(&version, dot, arena);
    }
    return version;
}

static void dots_sort_by_actor_then_counter(void **state)
{
    (void)state;
    assert_true(dynkv_dot_compare((struct dynkv_dot){1, 9}, (struct dynkv_dot){2, 1}) < 0);
    assert_true(dynkv_dot_compare((struct dynkv_dot){2, 1}, (struct dynkv_dot){1, 9}) > 0);
    assert_true(dynkv_dot_compare((struct dynkv_dot){1, 1}, (struct dynkv_dot){1, 2}) < 0);
    assert_int_equal(dynkv_dot_compare((struct dynkv_dot){1, 2}, (struct dynkv_dot){1, 2}), 0);
}

static void a_vector_covers_what_its_counters_reach(void **state)
{
    struct dynkv_arena arena = {NULL};
    struct dynkv_version version = VERSION(&arena, {5, 2}, {1, 7}, {9, 1}, {5, 1});

    (void)state;
    assert_int_equal(version.count, 3);
    assert_int_equal(dynkv_version_counter(&version, 1), 7);
    assert_int_equal(dynkv_version_counter(&version, 5), 2);
    assert_int_equal(dynkv_version_counter(&version, 9), 1);
    assert_int_equal(dynkv_version_counter(&version, 4), 0);
    assert_true(dynkv_version_covers(&version, (struct dynkv_dot){5, 2}));
    assert_false(dynkv_version_covers(&version, (struct dynkv_dot){5, 3}));
    assert_false(dynkv_version_covers(&version, (struct dynkv_dot){6, 1}));
    dynkv_arena_fini(&arena);
}

static void vectors_are_equal_before_after_or_concurrent(void **state)
{
    struct dynkv_arena arena = {NULL};
    struct dynkv_version none = {NULL, 0};
    struct dynkv_version a = VERSION(&arena, {1, 2}), b = VERSION(&arena, {1, 2}, {2, 1});
    struct dynkv_version c = VERSION(&arena, {1, 3});

    (void)state;
    assert_int_equal(dynkv_version_compare(&a, &a), DYNKV_VERSION_EQUAL);
    assert_int_equal(dynkv_version_compare(&none, &none), DYNKV_VERSION_EQUAL);
    assert_int_equal(dynkv_version_compare(&none, &a), DYNKV_VERSION_BEFORE);
    assert_int_equal(dynkv_version_compare(&a, &b), DYNKV_VERSION_BEFORE);
    assert_int_equal(dynkv_version_compare(&b, &a), DYNKV_VERSION_AFTER);
    assert_int_equal(dynkv_version_compare(&b, &c), DYNKV_VERSION_CONCURRENT);
    dynkv_arena_fini(&arena);
}

static void merge_is_the_least_vector_after_both(void **state)
{
    struct dynkv_arena arena = {NULL};
    struct dynkv_random random = dynkv_random(11);

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct dynkv_version a = version_random(&random, &arena);
        struct dynkv_version b = version_random(&random, &arena);
        struct dynkv_version ab = dynkv_version_merge(&a, &b, &arena);
        struct dynkv_version ba = dynkv_version_merge(&b, &a, &arena);

        assert_int_equal(dynkv_version_compare(&ab, &ba), DYNKV_VERSION_EQUAL);
        for (uint64_t actor = 0; actor < 8; actor++) {
            uint64_t in_a = dynkv_version_counter(&a, actor);
            uint64_t in_b = dynkv_version_counter(&b, actor);

            assert_int_equal(dynkv_version_counter(&ab, actor), in_a > in_b ? in_a : in_b);
        }
        dynkv_arena_reset(&arena);
    }
    dynkv_arena_fini(&arena);
}

static void an_encoded_vector_is_read_back_and_a_cut_one_is_refused(void **state)
{
    struct dynkv_arena arena = {NULL};
    struct dynkv_random random = dynkv_random(12);

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct dynkv_version in = version_random(&random, &arena), out;
        struct dynkv_buf buf = {NULL, 0, 0};

        dynkv_version_encode(&in, &buf);
        assert_int_equal(dynkv_version_parse(dynkv_buf_slice(&buf), &arena, &out), DYNKV_OK);
        assert_int_equal(dynkv_version_compare(&in, &out), DYNKV_VERSION_EQUAL);
        for (size_t len = 1; len < buf.len; len++)
            assert_int_equal(dynkv_version_parse(dynkv_slice(buf.data, len), &arena, &out),
                             DYNKV_MALFORMED);
        dynkv_put_u8(&buf, 0);
        assert_int_equal(dynkv_version_parse(dynkv_buf_slice(&buf), &arena, &out), DYNKV_MALFORMED);
        dynkv_buf_fini(&buf);
        dynkv_arena_reset(&arena);
    }
    dynkv_arena_fini(&arena);
}

static enum dynkv_error parse_dots(const struct dynkv_dot *dots, uint32_t count,
                                   uint64_t claimed_count)
{
    struct dynkv_arena arena = {NULL};
    struct dynkv_buf buf = {NULL, 0, 0};
    struct dynkv_version out;
    enum dynkv_error error;

    dynkv_put_varint(&buf, claimed_count);
    for (uint32_t i = 0; i < count; i++) {
        dynkv_put_u64(&buf, dots[i].actor);
        dynkv_put_varint(&buf, dots[i].counter);
    }
    error = dynkv_version_parse(dynkv_buf_slice(&buf), &arena, &out);
    if (error)
        assert_int_equal(out.count, 0);
    dynkv_buf_fini(&buf);
    dynkv_arena_fini(&arena);
    return error;
}

static void vectors_that_are_not_canonical_are_refused(void **state)
{
    static struct dynkv_dot many[DYNKV_ACTORS_MAX + 1];
    const struct dynkv_dot good[] = {{1, 1}, {2, 1}}, unsorted[] = {{2, 1}, {1, 1}};
    const struct dynkv_dot twice[] = {{1, 1}, {1, 2}}, zero[] = {{1, 0}, {2, 1}};

    (void)state;
    assert_int_equal(parse_dots(good, 2, 2), DYNKV_OK);
    assert_int_equal(parse_dots(unsorted, 2, 2), DYNKV_MALFORMED);
    assert_int_equal(parse_dots(twice, 2, 2), DYNKV_MALFORMED);
    assert_int_equal(parse_dots(zero, 2, 2), DYNKV_MALFORMED);
    assert_int_equal(parse_dots(good, 2, 1), DYNKV_MALFORMED);
    assert_int_equal(parse_dots(good, 2, 3), DYNKV_MALFORMED);
    assert_int_equal(parse_dots(good, 2, UINT64_MAX), DYNKV_MALFORMED);
    for (uint32_t i = 0; i <= DYNKV_ACTORS_MAX; i++)
        many[i] = (struct dynkv_dot){i, 1};
    assert_int_equal(parse_dots(many, DYNKV_ACTORS_MAX, DYNKV_ACTORS_MAX), DYNKV_OK);
    assert_int_equal(parse_dots(many, DYNKV_ACTORS_MAX + 1, DYNKV_ACTORS_MAX + 1), DYNKV_MALFORMED);
}

static void an_empty_slice_is_the_empty_vector(void **state)
{
    struct dynkv_arena arena = {NULL};
    struct dynkv_version out = {NULL, 77};

    (void)state;
    assert_int_equal(dynkv_version_parse(dynkv_slice(NULL, 0), &arena, &out), DYNKV_OK);
    assert_int_equal(out.count, 0);
    dynkv_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dots_sort_by_actor_then_counter),
        cmocka_unit_test(a_vector_covers_what_its_counters_reach),
        cmocka_unit_test(vectors_are_equal_before_after_or_concurrent),
        cmocka_unit_test(merge_is_the_least_vector_after_both),
        cmocka_unit_test(an_encoded_vector_is_read_back_and_a_cut_one_is_refused),
        cmocka_unit_test(vectors_that_are_not_canonical_are_refused),
        cmocka_unit_test(an_empty_slice_is_the_empty_vector),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
