/*
 * dynkv.h: libdynkv, the client library.  This page is its manual.
 *
 * A client talks to a dynkv cluster from one thread and never blocks, starts no thread and takes no
 * signal.  It opens one connection per node when it needs it, sends each request to the nodes that hold
 * the keys, has any number of requests in flight, and reconnects by itself.
 *
 *     struct dynkv_client_options options = {.hosts = "127.0.0.1:7401,127.0.0.1:7402"};
 *     struct dynkv_client *client;
 *     char text[DYNKV_CLIENT_TEXT_MAX];
 *     if (dynkv_client_new(&options, &client, text, sizeof text)) ...
 *     struct dynkv_request *request = dynkv_keyspace_open_start(client, "session", true, NULL, 2000);
 *     dynkv_request_wait(request);                 // or drive it from a loop of your own, see below
 *     uint64_t session = dynkv_request_keyspaces(request, NULL)[0].id;
 *     dynkv_request_free(request);
 *
 *     struct dynkv_key_ref key = {.key = dynkv_slice_text("alice"), .partition_len = 5};
 *     request = dynkv_get_start(client, session, &key, 1, &(struct dynkv_call){.deadline_ms = 500});
 *     dynkv_request_wait(request);
 *     const struct dynkv_read_result *got = dynkv_request_reads(request, NULL);
 *     if (!got[0].error && got[0].object.sibling_count) ...
 *     dynkv_request_free(request);
 *     dynkv_client_free(client);
 *
 * Driving it from your own loop: wait until dynkv_client_fd() is readable (it is an epoll descriptor: it
 * becomes readable whenever any socket of the client has something to do) or dynkv_client_timeout_ms()
 * has passed, call dynkv_client_drive(), look at dynkv_request_is_done().  A request is also begun by
 * the call that starts it, so drive need not be called before waiting.  Ask for the timeout anew before
 * each wait: requests started while others are in flight gather, to leave as one packet, and it is 0
 * until they have left.
 *
 * One thing can block: looking up a host that is given by name, when connecting to it.  Numbers never do.
 *
 * Reads are client-driven quorum reads: R replicas are asked in parallel, one for the object and the
 * others for its digest; what differs is fetched and merged, and stale replicas are reported for read
 * repair.  A replica that does not answer is replaced by the next one.  Writes go to the first live
 * replica of each key, which coordinates.  With routing "any" a node coordinates both (scans always go
 * to the replicas).  A node of which the last connection failed, or that keeps others waiting, is asked
 * last until it answers again; the library reconnects to it by itself while it is driven.
 *
 * Batches are the native unit: one get or put of many keys is split by node and sent as few messages.
 * A put larger than DYNKV_BATCH_MAX or DYNKV_BATCH_ITEMS_MAX is cut into several messages, which may be
 * carried out in any order: a key that is twice in one put ends with either value.
 *
 * Errors: starting a request never fails; the error is in the request, and per key in its results.  If
 * a key or value is not acceptable (INVALID, TOO_LARGE), nothing of the request is sent and the results
 * of the others are CANCELLED.  CONNECT, or NOT_DYNKV: none of the hosts could be asked for the cluster
 * at all; UNAVAILABLE: the cluster is known, but too few replicas of a key answer.
 * TIMEOUT and UNAVAILABLE of a write mean it may still take effect: a request that was sent is not repeated
 * by the library at another node on its own, only one that could not be sent is, unless the call says so
 * (repeat).
 *
 * Ownership: everything that a request returns lives until dynkv_request_free.  What is passed to a
 * start call is copied.  Freeing a request that is not done abandons it (a write may still take effect).
 * Freeing the client frees its requests and scans.
 */
#ifndef DYNKV_CLIENT_DYNKV_H
#define DYNKV_CLIENT_DYNKV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "model/object.h"
#include "wire/message.h"

#define DYNKV_CLIENT_TEXT_MAX 512u

enum dynkv_routing {
    DYNKV_ROUTE_RING = 0, /* ask the replicas directly */
    DYNKV_ROUTE_ANY,      /* ask any node, which coordinates (behind a proxy, say) */
};

struct dynkv_client_options {
    /* host:port, tcp://host:port or ipc:///path, separated by commas; at least one.  IPv6: [::1]:7401.
     * These are only where to start: all members are learnt from the first node that answers. */
    const char *hosts;
    const char *name; /* told to the nodes, for their logs; NULL: "libdynkv" */
    enum dynkv_routing routing;
    uint32_t connect_timeout_ms;  /* 0: 2000 */
    uint32_t max_in_flight_bytes; /* per connection; more waits in the client.  0: 32 MiB */
    uint32_t patience_ms; /* a node that takes longer to read gets company, but never later than
                           * after a quarter of the call's deadline.  0: 250 */
};

/* Per call.  NULL or zeroed: the keyspace's quorums and DYNKV_DEADLINE_DEFAULT_MS. */
struct dynkv_call {
    uint32_t deadline_ms; /* for the whole request, from start */
    uint8_t r, w;         /* 0: the keyspace's */
    bool strict;
    /* Of a write, for keys of which readers take the last value: if a node dies or falls silent before it has
     * answered, another one is asked, and applies the write with the time of the first attempt. */
    bool repeat;
};

struct dynkv_client;
struct dynkv_request;
struct dynkv_scan_handle;

/* ---- client ---- */

/*
 * INVALID, with a text that says what is wrong with the hosts; CONNECT if the system has no descriptor
 * left; or OK.  Connects to nobody yet.
 */
enum dynkv_error dynkv_client_new(const struct dynkv_client_options *options,
                                  struct dynkv_client **out, char *text, size_t text_size);
void dynkv_client_free(struct dynkv_client *client);
/* An epoll descriptor, owned by the client: readable when drive has something to do. */
int dynkv_client_fd(const struct dynkv_client *client);
/* Milliseconds until drive must be called even if nothing is readable; -1: no need. */
int dynkv_client_timeout_ms(const struct dynkv_client *client);
/* Does all that can be done without blocking. */
void dynkv_client_drive(struct dynkv_client *client);
/* Polls and drives until something may have changed or timeout_ms passed (-1: no limit). */
void dynkv_client_poll(struct dynkv_client *client, int timeout_ms);

struct dynkv_client_stats {
    uint64_t requests, messages_sent, messages_received, bytes_sent, bytes_received;
    uint64_t reconnects, digest_mismatches, repairs_reported, ring_refreshes;
};
void dynkv_client_stats(const struct dynkv_client *client, struct dynkv_client_stats *out);

/* The descriptors it has open now, sockets and epoll: for leak tests. */
uint32_t dynkv_client_descriptor_count(const struct dynkv_client *client);

/* ---- requests ---- */

bool dynkv_request_is_done(const struct dynkv_request *request);
/* Drives the client until the request is done; the request's own deadline bounds it. */
void dynkv_request_wait(struct dynkv_request *request);
void dynkv_request_free(struct dynkv_request *request);
/*
 * The worst outcome: OK, or the first error of any item, in which case text says what, where (node or
 * hosts) and what to do.  NOT_FOUND is never an error here.
 */
enum dynkv_error dynkv_request_error(const struct dynkv_request *request);
const char *dynkv_request_text(const struct dynkv_request *request);

/* ---- keyspaces ---- */

/* n, r, w 0 and has_ttl false: defaults.  NULL settings: all defaults. */
struct dynkv_keyspace_settings {
    uint8_t n, r, w;
    bool has_ttl;
    uint64_t ttl_ms;
};

/* Looks a keyspace up by name, and creates it if asked to.  NO_KEYSPACE if it is not there. */
struct dynkv_request *dynkv_keyspace_open_start(struct dynkv_client *client, const char *name,
                                                bool create,
                                                const struct dynkv_keyspace_settings *settings,
                                                uint32_t deadline_ms);
struct dynkv_request *dynkv_keyspace_alter_start(struct dynkv_client *client, const char *name,
                                                 const struct dynkv_keyspace_settings *settings,
                                                 uint32_t deadline_ms);
struct dynkv_request *dynkv_keyspace_drop_start(struct dynkv_client *client, const char *name,
                                                uint32_t deadline_ms);
struct dynkv_request *dynkv_keyspace_list_start(struct dynkv_client *client, uint32_t deadline_ms);
/* Results of the four above; count may be NULL. */
const struct dynkv_keyspace_info *dynkv_request_keyspaces(const struct dynkv_request *request,
                                                          uint32_t *count);

/*
 * What the keyspace holds, as a node said in its last answer about it (to open, get, put or scan): asks nobody.
 * False: no node has said so yet.
 */
bool dynkv_keyspace_extent(const struct dynkv_client *client, uint64_t keyspace,
                           struct dynkv_extent *out);

/* ---- get ---- */

struct dynkv_key_ref {
    struct dynkv_slice key;
    uint32_t partition_len; /* leading bytes that decide placement; 0 < partition_len <= key.len */
};

struct dynkv_read_result {
    enum dynkv_error error;     /* OK, also when nothing is there (object without siblings) */
    struct dynkv_object object; /* merged; tombstones and expired siblings included */
    uint8_t answers;            /* replicas that took part */
};

/* keyspace ids come from dynkv_keyspace_open_start (or alter, or list) of this client. */
struct dynkv_request *dynkv_get_start(struct dynkv_client *client, uint64_t keyspace,
                                      const struct dynkv_key_ref *keys, uint32_t count,
                                      const struct dynkv_call *call);
/* One a key, in their order. */
const struct dynkv_read_result *dynkv_request_reads(const struct dynkv_request *request,
                                                    uint32_t *count);

/* ---- put and delete ---- */

struct dynkv_write {
    struct dynkv_key_ref at;
    bool is_delete; /* write a tombstone; value unused */
    bool has_context;
    struct dynkv_slice context; /* encoded version vector: dynkv_version_encode of what was read */
    /* Absolute; 0: the keyspace's ttl decides; DYNKV_EXPIRES_NEVER: never, whatever that is. */
    uint64_t expires_at_ms;
    struct dynkv_slice value;
};

struct dynkv_write_result {
    enum dynkv_error error;
    uint8_t acks;
    /*
     * What replaces this write, as the context of the next one.  Empty if concurrent siblings remain beside
     * it: who means to replace them, too, reads them first.
     */
    struct dynkv_slice context;
    uint64_t timestamp;
    uint8_t siblings; /* of the key, with the new one; tombstones count */
};

struct dynkv_request *dynkv_put_start(struct dynkv_client *client, uint64_t keyspace,
                                      const struct dynkv_write *writes, uint32_t count,
                                      const struct dynkv_call *call);
const struct dynkv_write_result *dynkv_request_writes(const struct dynkv_request *request,
                                                      uint32_t *count);

/* ---- scan ---- */

struct dynkv_scan_options {
    struct dynkv_slice lower; /* keys k: lower <= k, and k < upper unless upper is empty */
    struct dynkv_slice upper;
    /* Not empty: only keys with exactly this partition key.  lower and upper are then bounds of the
     * sort key alone: of the bytes that follow the partition key. */
    struct dynkv_slice partition_key;
    bool keys_only;
    bool dead_too;
    enum dynkv_order order;
    uint64_t limit; /* entries in all; 0: none */
    /* Not empty: rows of which this cannot be true need not be sent (model/filter.h); limit and expected
     * count what is sent, page_size what a node looks at for a page. */
    struct dynkv_slice filter;
    /* How many will be taken, if that is known: then little more is fetched.  0: all; more may be. */
    uint64_t expected;
    /* With a filter: how many nodes have to look at for those, as far as that is known.  0: as many. */
    uint64_t examined;
    uint32_t page_size;   /* entries a page and node; 0: 1000 */
    uint8_t r;            /* 0: the keyspace's */
    uint32_t deadline_ms; /* for each page, while the caller waits for it.  0: the default */
    /* Partitions [first, first + count) only; count 0: all.  For parallel scans. */
    uint32_t partition_first, partition_count;
};

struct dynkv_scan_item {
    uint32_t partition;
    struct dynkv_key_ref at;
    struct dynkv_object object;
};

enum dynkv_scan_state {
    DYNKV_SCAN_ITEM, /* *item is filled; valid until the next call of dynkv_scan_next */
    DYNKV_SCAN_WAIT, /* nothing here yet: wait, drive, try again */
    DYNKV_SCAN_END,
    DYNKV_SCAN_ERROR, /* dynkv_scan_error, dynkv_scan_text */
};

/*
 * DYNKV_ORDER_PARTITION: within one partition entries come in key order; across partitions in no order.
 * DYNKV_ORDER_RISING and _FALLING: by key, across all of them; an entry is given once every node has said
 * where it stands, and for few entries a partition has, a page costs a node a look at each partition.
 *
 * Pages are fetched ahead from several nodes at once, at most two a node.  A node that fails in the
 * middle is replaced by another replica, from where it stopped: no entry is given twice.  When all replicas of
 * a partition have failed, one after the other, they are asked twice more, in a fifth of a second.
 */
struct dynkv_scan_handle *dynkv_scan_start(struct dynkv_client *client, uint64_t keyspace,
                                           const struct dynkv_scan_options *options);
enum dynkv_scan_state dynkv_scan_next(struct dynkv_scan_handle *scan, struct dynkv_scan_item *item);
/* As next, but drives the client while it would WAIT. */
enum dynkv_scan_state dynkv_scan_next_wait(struct dynkv_scan_handle *scan,
                                           struct dynkv_scan_item *item);
/* What nodes have sent: entries, whether taken or not, and the bytes of their keys and objects.  And how many
 * entries they have looked at for that, which is more where there is a filter. */
struct dynkv_scan_received {
    uint64_t entries, bytes, examined;
};
struct dynkv_scan_received dynkv_scan_received(const struct dynkv_scan_handle *scan);
enum dynkv_error dynkv_scan_error(const struct dynkv_scan_handle *scan);
const char *dynkv_scan_text(const struct dynkv_scan_handle *scan);
void dynkv_scan_free(struct dynkv_scan_handle *scan);

/* The smallest byte string greater than all that have the prefix, for upper; empty if there is none. */
struct dynkv_slice dynkv_prefix_end(struct dynkv_slice prefix, struct dynkv_arena *arena);

/* ---- cluster facts ---- */

/* The status of the node at url (as in hosts), or of any node if NULL. */
struct dynkv_request *dynkv_status_start(struct dynkv_client *client, const char *url,
                                         uint32_t deadline_ms);
const struct dynkv_status_reply *dynkv_request_status(const struct dynkv_request *request);
struct dynkv_request *dynkv_ring_start(struct dynkv_client *client, uint32_t deadline_ms);
const struct dynkv_ring_reply *dynkv_request_ring(const struct dynkv_request *request);

/* ---- changes of the membership ---- */

/*
 * Asks for one action (docs/operations.md tells what they mean); name and other are members' names, NULL
 * where the action takes none.  The answer is the plan as it is after the action.  NOT_FOUND: nobody of
 * that name can do that, or nothing is staged.  REFUSED: it cannot be done now; the text says why.
 * STATUS and PLAN change nothing.  Any other action is sent to one node, and to the next only if the
 * first did not do it; as with a write, TIMEOUT may mean that it was done.
 */
struct dynkv_request *dynkv_cluster_change_start(struct dynkv_client *client,
                                                 enum dynkv_cluster_action action, const char *name,
                                                 const char *other, uint32_t deadline_ms);
/* The plan as the node at url (as in hosts) has it: what is to be moved is told by each node for its part. */
struct dynkv_request *dynkv_plan_start(struct dynkv_client *client, const char *url,
                                       uint32_t deadline_ms);
const struct dynkv_cluster_plan *dynkv_request_plan(const struct dynkv_request *request);

#endif
