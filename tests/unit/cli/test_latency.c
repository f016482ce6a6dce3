/* test_latency.c: percentiles out of the histogram, against sorted values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/random.h"
#include "cli/latency.h"

#define COUNT 5000u

static struct dynkv_latency latency;
static uint64_t values[COUNT];

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void percentiles_are_at_most_one_in_64_above_the_true_ones(void **state)
{
    static const double shares[] = {0.01, 0.5, 0.95, 0.99, 0.999};
    struct dynkv_random random = dynkv_random(3);

    (void)state;
    latency = (struct dynkv_latency){0};
    for (uint32_t i = 0; i < COUNT; i++) {
        values[i] = dynkv_random_next(&random) >> dynkv_random_below(&random, 64);
        dynkv_latency_add(&latency, values[i]);
    }
    qsort(values, COUNT, sizeof values[0], by_value);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        uint64_t truth = values[(uint32_t)(shares[i] * COUNT) - 1];
        uint64_t told = dynkv_latency_percentile_us(&latency, shares[i]);

        assert_true(told >= truth);
        assert_true(told - truth <= truth / 64);
    }
    assert_int_equal(latency.max_us, values[COUNT - 1]);
    assert_int_equal(dynkv_latency_percentile_us(&latency, 1), values[COUNT - 1]);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    latency = (struct dynkv_latency){0};
    for (uint64_t us = 1; us <= 100; us++)
        dynkv_latency_add(&latency, us);
    assert_int_equal(dynkv_latency_percentile_us(&latency, 0.5), 50);
    assert_int_equal(dynkv_latency_percentile_us(&latency, 0.99), 99);
}

static void extreme_values_have_their_place(void **state)
{
    (void)state;
    latency = (struct dynkv_latency){0};
    assert_int_equal(dynkv_latency_percentile_us(&latency, 0.5), 0);
    dynkv_latency_add(&latency, UINT64_MAX);
    assert_int_equal(dynkv_latency_percentile_us(&latency, 0.5), UINT64_MAX);
    for (unsigned bit = 0; bit < 64; bit++) {
        latency = (struct dynkv_latency){0};
        dynkv_latency_add(&latency, UINT64_C(1) << bit);
        assert_int_equal(dynkv_latency_percentile_us(&latency, 1), UINT64_C(1) << bit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_at_most_one_in_64_above_the_true_ones),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(extreme_values_have_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
