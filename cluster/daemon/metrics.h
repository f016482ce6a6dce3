/*
 * metrics.h: what the daemon itself counts; any thread adds, the pages of http.h show it.
 *
 * The core's own counters are in its status reply.
 */
#ifndef DYNKV_DAEMON_METRICS_H
#define DYNKV_DAEMON_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

/* X(name, kind for Prometheus, help) */
#define DYNKVD_METRICS(X)                                                                          \
    X(requests_received, "counter", "requests from clients")                                       \
    X(requests_refused, "counter", "requests answered OVERLOADED, STOPPING or STORAGE unread")     \
    X(requests_in_flight, "gauge", "requests received and not yet answered")                       \
    X(replies_dropped, "counter", "replies that a client did not take in time, or were too large") \
    X(frames_received, "counter", "frames from other nodes")                                       \
    X(frames_sent, "counter", "frames handed to the network")                                      \
    X(messages_sent, "counter", "messages put into frames")                                        \
    X(messages_dropped, "counter", "messages to other nodes dropped: queue full or no connection") \
    X(backlog_bytes, "gauge", "bytes received and queued, or on their way to the store")           \
    X(loop_runs, "counter", "rounds of the loop: items / rounds is the batch size")                \
    X(loop_items, "counter", "items the loop took")                                                \
    X(store_groups, "counter", "batched writes to the engine")                                     \
    X(store_operations, "counter", "operations in them")                                           \
    X(store_reads, "counter", "keys read from the engine")                                         \
    X(store_peeks, "counter", "of these, found in memory by the loop itself")                      \
    X(store_errors, "counter", "failed reads and writes of the engine")                            \
    X(engine_records, "gauge", "records in the engine, roughly")                                   \
    X(engine_bytes, "gauge", "bytes the engine uses, roughly")                                     \
    X(engine_writes, "counter", "writes of the engine")                                            \
    X(engine_syncs, "counter", "times the engine forced data to disk")                             \
    X(out_of_service, "gauge", "1 after the store failed")

struct dynkvd_metrics {
#define DYNKVD_METRIC_MEMBER(name, kind, help) _Atomic uint64_t name;
    DYNKVD_METRICS(DYNKVD_METRIC_MEMBER)
#undef DYNKVD_METRIC_MEMBER
};

static inline void dynkvd_metric_add(_Atomic uint64_t *metric, uint64_t value)
{
    atomic_fetch_add_explicit(metric, value, memory_order_relaxed);
}

static inline void dynkvd_metric_sub(_Atomic uint64_t *metric, uint64_t value)
{
    atomic_fetch_sub_explicit(metric, value, memory_order_relaxed);
}

static inline uint64_t dynkvd_metric_get(_Atomic uint64_t *metric)
{
    return atomic_load_explicit(metric, memory_order_relaxed);
}

#endif
