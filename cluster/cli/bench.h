/*
 * bench.h: what a benchmark found, and how it is shown.
 */
#ifndef DYNKV_CLI_BENCH_H
#define DYNKV_CLI_BENCH_H

#include "base/error.h"
#include "cli/latency.h"
#include "cli/options.h"

#define DYNKV_BENCH_ERROR_KINDS    32u
#define DYNKV_BENCH_ERROR_TEXT_MAX 256u

/* Operations are keys, requests are batches of them; latencies are of requests that succeeded. */
struct dynkv_bench_side {
    uint64_t ops, requests, errors;
    struct dynkv_latency latency;
};

struct dynkv_bench_result {
    double seconds;
    struct dynkv_bench_side reads, writes;
    uint64_t
        errors[DYNKV_BENCH_ERROR_KINDS]; /* keys, by enum dynkv_error; the last one: all beyond */
    char first_error[DYNKV_BENCH_ERROR_TEXT_MAX];
};

void dynkv_bench_count_error(struct dynkv_bench_result *result, enum dynkv_error error,
                             uint64_t count, const char *text);
void dynkv_bench_print(const struct dynkv_bench_result *result,
                       const struct dynkv_options *options);

#endif
