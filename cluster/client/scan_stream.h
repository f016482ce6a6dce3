/*
 * scan_stream.h: the inside of scans: a handle, its streams of pages, and who is asked for the next one.
 *
 * The partitions are dealt to streams, one a node (the first live replica of each).  A stream asks for
 * one page at a time, as each page's cursor says where the next begins, and keeps at most PAGES_AHEAD
 * that nobody has taken yet.  When its node fails, what is left of its partitions is dealt anew to the
 * other replicas.
 *
 * By partition, the stream itself goes on with the partition it was in, so that entries of one partition
 * stay in order behind those that were fetched already, and none comes twice.  By key, a stream has read
 * all of its partitions as far as its cursor, and so the cursor goes with each of them.
 *
 * Where the caller expects to need few entries, pages begin small and double, and a stream is not asked
 * until its turn comes; once its pages have their full size, it is read ahead like any other.
 */
#ifndef DYNKV_CLIENT_SCAN_STREAM_H
#define DYNKV_CLIENT_SCAN_STREAM_H

#include "client/request.h"

struct dynkv_scan_page {
    struct dynkv_scan_page *next;
    struct dynkv_arena arena;
    struct dynkv_scan_entry *entries;
    uint32_t count, at;
};

struct dynkv_scan_stream {
    struct dynkv_scan_stream *next;
    struct dynkv_scan_handle *scan;
    struct dynkv_session *session;

    struct dynkv_partition_range *ranges; /* what is left, in order; from range_first on */
    uint32_t range_count, range_first;
    bool has_cursor; /* begin at this key of the first partition that is left */
    struct dynkv_buf cursor;

    struct dynkv_session *avoided[DYNKV_REPLICAS_MAX]; /* nodes that failed since the last page */
    uint32_t avoided_count;
    uint32_t rounds;         /* times that all replicas have failed since the last page */
    struct dynkv_timer rest; /* armed: the next round begins then */
    uint32_t replans;
    uint32_t page_limit; /* of the next page; below the scan's page_size: not ahead of need */
    bool is_needed;      /* ask, whatever the size */
    bool wants_ring;
    bool is_taught;

    struct dynkv_scan_page *ready_first, *ready_last; /* fetched, not taken yet */
    uint32_t ready_count;
    struct dynkv_scan_page *asked; /* what the exchange under way fills */
    struct dynkv_exchange exchange;
    struct dynkv_scan body;
    struct dynkv_exchange lesson;
    struct dynkv_keyspace_open lesson_body;
    struct dynkv_arena lesson_arena;
};

struct dynkv_scan_handle {
    struct dynkv_client *client;
    struct dynkv_scan_handle *next, *previous; /* in client->scans */
    struct dynkv_ring_waiter waiter;
    struct dynkv_timer deadline; /* armed while the caller is told to wait, and only then */
    struct dynkv_arena arena;    /* bounds */
    uint64_t keyspace;
    uint32_t n;
    uint8_t r, flags;
    struct dynkv_slice lower, upper, partition_key, filter;
    uint32_t partition_first, partition_count;
    enum dynkv_order order;
    uint32_t page_size, deadline_ms;
    uint64_t limit, given;
    uint64_t expected; /* 0: everything */
    uint64_t examined; /* for those */
    bool is_spread;    /* more than one stream was needed */
    struct dynkv_scan_received received;

    struct dynkv_scan_stream *streams;
    struct dynkv_scan_stream *turn; /* whose page was taken last */
    struct dynkv_scan_page *current;
    struct dynkv_scan_page *spare; /* pages to use again */
    struct dynkv_arena item_arena;
    struct dynkv_grouping grouping;

    struct dynkv_blame blame;
    enum dynkv_error error;
    char text[DYNKV_CLIENT_TEXT_MAX];
};

void dynkv_scan_fail(struct dynkv_scan_handle *scan, enum dynkv_error error, const char *format,
                     ...) __attribute__((format(printf, 3, 4)));
/* Whether the caller has as many entries as it may. */
bool dynkv_scan_has_all(const struct dynkv_scan_handle *scan);
/*
 * What one of several streams has of what is expected, by key.  It is seldom more than two standard
 * deviations above the mean.
 */
uint64_t dynkv_scan_share(uint64_t expected, uint32_t streams);
/* Gives a page back, to be used again. */
void dynkv_scan_page_put(struct dynkv_scan_handle *scan, struct dynkv_scan_page *page);
/*
 * Adds the partitions of a range to the grouping, by the node to ask; false, and the scan fails, if one
 * has nobody.  stream: whose failures are to be avoided; or NULL.
 */
bool dynkv_scan_deal_range(struct dynkv_scan_handle *scan, const struct dynkv_scan_stream *stream,
                           struct dynkv_partition_range range);

struct dynkv_scan_stream *dynkv_stream_new(struct dynkv_scan_handle *scan);
/* The group's partitions become what is left of the stream. */
void dynkv_stream_take(struct dynkv_scan_stream *stream, const struct dynkv_group *group);
bool dynkv_stream_is_finished(const struct dynkv_scan_stream *stream);
/* Asks for the next page, unless enough is there, or one is asked for, or there is nothing left. */
void dynkv_stream_ask(struct dynkv_scan_stream *stream);
/* Deals what is left of a stream anew, after a change of the ring. */
void dynkv_stream_redeal(struct dynkv_scan_stream *stream);
/* Abandons what is under way. */
void dynkv_stream_stop(struct dynkv_scan_stream *stream);
/* Takes the stream's first page, which is there. */
struct dynkv_scan_page *dynkv_stream_take_page(struct dynkv_scan_stream *stream);

#endif
