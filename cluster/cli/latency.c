/* latency.c: a histogram of latencies in fixed memory. */
#include "cli/latency.h"

/* Below 2^(SUB_BITS + 1) exact; above, the SUB_BITS bits that follow the leading one decide. */
#define SUB_BITS 6u

static uint32_t bucket_of(uint64_t us)
{
    uint32_t shift;

    if (us < 2u << SUB_BITS)
        return (uint32_t)us;
    shift = 63u - (uint32_t)__builtin_clzll(us) - SUB_BITS;
    return (2u << SUB_BITS) + ((shift - 1) << SUB_BITS) + (uint32_t)(us >> shift) -
           (1u << SUB_BITS);
}

/* The greatest value of a bucket. */
static uint64_t bucket_top(uint32_t bucket)
{
    uint32_t shift, sub;

    if (bucket < 2u << SUB_BITS)
        return bucket;
    shift = ((bucket - (2u << SUB_BITS)) >> SUB_BITS) + 1;
    sub = (bucket & ((1u << SUB_BITS) - 1)) + (1u << SUB_BITS);
    return ((uint64_t)sub << shift) + ((UINT64_C(1) << shift) - 1);
}

void dynkv_latency_add(struct dynkv_latency *latency, uint64_t us)
{
    latency->buckets[bucket_of(us)]++;
    latency->count++;
    if (us > latency->max_us)
        latency->max_us = us;
}

uint64_t dynkv_latency_percentile_us(const struct dynkv_latency *latency, double share)
{
    double wanted = share * (double)latency->count;
    uint64_t seen = 0;

    for (uint32_t i = 0; i < DYNKV_LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return bucket_top(i) < latency->max_us ? bucket_top(i) : latency->max_us;
    }
    return latency->max_us;
}
