/*
 * latency.h: a histogram of latencies in fixed memory.
 *
 * Values below 128 have a bucket each, larger ones fall into 64 buckets a power of two, so that a
 * percentile is at most 1/64 (1.6 %) above the true one.  (The layout of Gil Tene's HdrHistogram.)
 */
#ifndef DYNKV_CLI_LATENCY_H
#define DYNKV_CLI_LATENCY_H

#include <stdint.h>

#define DYNKV_LATENCY_BUCKETS (128u + 57u * 64u)

/* Zero-initialised is an empty histogram. */
struct dynkv_latency {
    uint64_t buckets[DYNKV_LATENCY_BUCKETS];
    uint64_t count;
    uint64_t max_us; /* exact */
};

void dynkv_latency_add(struct dynkv_latency *latency, uint64_t us);
/* The least value that at least share (0 to 1) of all values do not exceed, or a little more. */
uint64_t dynkv_latency_percentile_us(const struct dynkv_latency *latency, double share);

#endif
