/* bench.c: what a benchmark found, as a table or as JSON. */
#include "cli/bench.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/json.h"
#include "cli/table.h"

void dynkv_bench_count_error(struct dynkv_bench_result *result, enum dynkv_error error,
                             uint64_t count, const char *text)
{
    size_t kind = (size_t)error;

    if (kind >= DYNKV_BENCH_ERROR_KINDS)
        kind = DYNKV_BENCH_ERROR_KINDS - 1;
    result->errors[kind] += count;
    if (!result->first_error[0])
        snprintf(result->first_error, sizeof result->first_error, "%s", text);
}

static double percentile_ms(const struct dynkv_bench_side *side, double share)
{
    return (double)dynkv_latency_percentile_us(&side->latency, share) / 1000;
}

static double per_second(uint64_t ops, double seconds)
{
    return seconds > 0 ? (double)ops / seconds : 0;
}

static void add_row(struct dynkv_table *table, const char *name,
                    const struct dynkv_bench_side *side, double seconds)
{
    if (side->ops + side->errors == 0)
        return;
    dynkv_table_text(table, name);
    dynkv_table_format(table, "%" PRIu64, side->ops);
    dynkv_table_format(table, "%.0f", per_second(side->ops, seconds));
    dynkv_table_format(table, "%.3f", percentile_ms(side, 0.5));
    dynkv_table_format(table, "%.3f", percentile_ms(side, 0.95));
    dynkv_table_format(table, "%.3f", percentile_ms(side, 0.99));
    dynkv_table_format(table, "%.3f", (double)side->latency.max_us / 1000);
    dynkv_table_format(table, "%" PRIu64, side->errors);
}

static void print_text(const struct dynkv_bench_result *result, const struct dynkv_options *options)
{
    static const char *const headings[] = {"",       "OPS",    "OPS/S",  "P50 MS",
                                           "P95 MS", "P99 MS", "MAX MS", "ERRORS"};
    struct dynkv_table table = {.columns = sizeof headings / sizeof headings[0]};

    printf("%" PRIu64 " client%s, batches of %" PRIu64 ", %" PRIu64 " keys, values of %" PRIu64
           " bytes, %.2f s: %.0f ops/s\n\n",
           options->clients, options->clients == 1 ? "" : "s", options->batch, options->keys,
           options->value_size, result->seconds,
           per_second(result->reads.ops + result->writes.ops, result->seconds));
    for (unsigned i = 0; i < table.columns; i++)
        dynkv_table_text(&table, headings[i]);
    add_row(&table, "reads", &result->reads, result->seconds);
    add_row(&table, "writes", &result->writes, result->seconds);
    dynkv_table_print(&table);
    for (unsigned i = 0; i < DYNKV_BENCH_ERROR_KINDS; i++)
        if (result->errors[i])
            printf("%" PRIu64 " failed: %s\n", result->errors[i],
                   dynkv_error_text((enum dynkv_error)i));
    if (result->first_error[0])
        printf("the first: %s\n", result->first_error);
}

static void json_side(struct dynkv_json *json, const char *name,
                      const struct dynkv_bench_side *side, double seconds)
{
    dynkv_json_begin_object(json, name);
    dynkv_json_u64(json, "ops", side->ops);
    dynkv_json_u64(json, "requests", side->requests);
    dynkv_json_u64(json, "errors", side->errors);
    dynkv_json_number(json, "ops_per_second", per_second(side->ops, seconds), 1);
    dynkv_json_number(json, "p50_ms", percentile_ms(side, 0.5), 3);
    dynkv_json_number(json, "p95_ms", percentile_ms(side, 0.95), 3);
    dynkv_json_number(json, "p99_ms", percentile_ms(side, 0.99), 3);
    dynkv_json_number(json, "max_ms", (double)side->latency.max_us / 1000, 3);
    dynkv_json_end_object(json);
}

static void print_json(const struct dynkv_bench_result *result, const struct dynkv_options *options)
{
    struct dynkv_json json = {0};

    dynkv_json_begin_object(&json, NULL);
    dynkv_json_u64(&json, "clients", options->clients);
    dynkv_json_u64(&json, "batch", options->batch);
    dynkv_json_u64(&json, "keys", options->keys);
    dynkv_json_u64(&json, "value_size", options->value_size);
    dynkv_json_number(&json, "read_share", options->read_share, 3);
    dynkv_json_number(&json, "seconds", result->seconds, 3);
    dynkv_json_number(&json, "ops_per_second",
                      per_second(result->reads.ops + result->writes.ops, result->seconds), 1);
    json_side(&json, "reads", &result->reads, result->seconds);
    json_side(&json, "writes", &result->writes, result->seconds);
    dynkv_json_begin_object(&json, "errors");
    for (unsigned i = 0; i < DYNKV_BENCH_ERROR_KINDS; i++)
        if (result->errors[i])
            dynkv_json_u64(&json, dynkv_error_name((enum dynkv_error)i), result->errors[i]);
    dynkv_json_end_object(&json);
    dynkv_json_end_object(&json);
    dynkv_json_print(&json);
    dynkv_json_fini(&json);
}

void dynkv_bench_print(const struct dynkv_bench_result *result, const struct dynkv_options *options)
{
    if (options->json)
        print_json(result, options);
    else
        print_text(result, options);
}
