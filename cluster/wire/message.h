/*
 * message.h: every message that a client and a node, or two nodes, exchange.
 *
 * A message is an envelope and a body.  The body of each type is a plain struct; its encoding is given
 * by a layout, a table of its fields (layout.h), from which the one encoder and the one decoder work.
 * A new message is: one line in DYNKV_MESSAGES, its struct here, its layout in message.c, one handler,
 * one scenario.  The round-trip test and the fuzz target walk the table by themselves.  Numbers, and
 * the order of fields, are never changed or reused; new fields are added at a struct's end, under a new
 * capability bit of HELLO.
 *
 * Clients talk to a node with SP REQ/REP (one request, one reply; the reply has the request's id).
 * Nodes talk one-way: frames of several messages (frame.h) over SP PUSH/PULL; a reply is a message back.
 * Nodes use the very same GET, PUT and so on among themselves as clients do.
 *
 * Decoded bodies live in the arena given to the decoder; slices in them are borrowed from the bytes.
 * Encoding borrows everything and copies it into the buffer.
 *
 * Units: *_ms are milliseconds, deadline_ms is the time left (0: the default), timestamps are hybrid
 * logical clock values (model/clock.h), keys and values are bytes.
 */
#ifndef DYNKV_WIRE_MESSAGE_H
#define DYNKV_WIRE_MESSAGE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "wire/message_change.h"
#include "base/order.h"

#define DYNKV_PROTOCOL_VERSION 1u

/* Capabilities, in HELLO and HELLO_REPLY; none yet.  Reserved: bit 0 authentication, bit 1 compression. */
enum dynkv_capability {
    DYNKV_CAPABILITY_NONE = 0,
};

/* X(number, NAME, name): the struct is struct dynkv_<name>, the layout dynkv_layout_<name>. */
#define DYNKV_MESSAGES(X)                                                                         \
    /* any request may be answered by ERROR; requests with nothing to say are answered by DONE */ \
    X(1, ERROR, error_reply)                                                                      \
    X(2, DONE, done)                                                                              \
    /* session and cluster facts */                                                               \
    X(3, HELLO, hello)                                                                            \
    X(4, HELLO_REPLY, hello_reply)                                                                \
    X(5, RING, ring_request)                                                                      \
    X(6, RING_REPLY, ring_reply)                                                                  \
    X(7, STATUS, status)                                                                          \
    X(8, STATUS_REPLY, status_reply)                                                              \
    X(9, KEYSPACE_OPEN, keyspace_open)                                                            \
    X(10, KEYSPACE_DROP, keyspace_drop)                                                           \
    X(11, KEYSPACE_LIST, keyspace_list)                                                           \
    X(12, KEYSPACE_REPLY, keyspace_reply)                                                         \
    X(13, CLUSTER_CHANGE, cluster_change)                                                         \
    X(14, CLUSTER_PLAN, cluster_plan)                                                             \
    /* data */                                                                                    \
    X(16, GET, get)                                                                               \
    X(17, GET_REPLY, get_reply)                                                                   \
    X(18, PUT, put)                                                                               \
    X(19, PUT_REPLY, put_reply)                                                                   \
    X(20, SCAN, scan)                                                                             \
    X(21, SCAN_REPLY, scan_reply)                                                                 \
    X(22, REPAIR, repair)                                                                         \
    /* between nodes only */                                                                      \
    X(32, REPLICATE, replicate)                                                                   \
    X(33, REPLICATE_REPLY, replicate_reply)                                                       \
    X(34, VERIFY, verify)                                                                         \
    X(35, VERIFY_REPLY, verify_reply)                                                             \
    X(40, PING, ping)                                                                             \
    X(41, PING_REPLY, ping_reply)                                                                 \
    X(42, GOSSIP, gossip)                                                                         \
    X(43, JOIN, join)                                                                             \
    X(44, JOIN_REPLY, join_reply)                                                                 \
    /* anti-entropy */                                                                            \
    X(48, TREE_ROOTS, tree_roots)                                                                 \
    X(49, TREE_ROOTS_REPLY, tree_roots_reply)                                                     \
    X(50, TREE_NODES, tree_nodes)                                                                 \
    X(51, TREE_NODES_REPLY, tree_nodes_reply)                                                     \
    X(52, LEAF_KEYS, leaf_keys)                                                                   \
    X(53, LEAF_KEYS_REPLY, leaf_keys_reply)                                                       \
    /* failure detection, again */                                                                \
    X(56, PING_NACK, ping_nack)                                                                   \
    /* tombstones, reaped: core/reap.h */                                                         \
    X(72, REAP_CHECK, reap_check)                                                                 \
    X(73, REAP_CHECK_REPLY, reap_check_reply)                                                     \
    X(74, REAP_QUIET, reap_quiet)                                                                 \
    X(75, REAP_QUIET_REPLY, reap_quiet_reply)                                                     \
    X(76, REAP, reap)                                                                             \
    X(77, REAP_REPLY, reap_reply)                                                                 \
    /* staged changes of the membership */                                                        \
    X(64, PROVE, prove)                                                                           \
    X(65, PROVE_REPLY, prove_reply)                                                               \
    X(66, PULL, pull)                                                                             \
    X(67, PULL_REPLY, pull_reply)                                                                 \
    /* a member is back */                                                                        \
    X(60, RESTARTED, restarted)                                                                   \
    X(61, RESTARTED_REPLY, restarted_reply)

enum dynkv_message_type {
#define DYNKV_MESSAGE_ENUM(number, upper, name) DYNKV_MESSAGE_##upper = (number),
    DYNKV_MESSAGES(DYNKV_MESSAGE_ENUM)
#undef DYNKV_MESSAGE_ENUM
};

/* What stands before every body. */
struct dynkv_envelope {
    uint8_t protocol;      /* set by encode */
    uint8_t type;          /* enum dynkv_message_type */
    uint64_t request_id;   /* the asker's number; a reply repeats it */
    uint64_t timestamp;    /* the sender's hybrid logical clock */
    uint64_t sender;       /* member id; 0: a client */
    uint64_t ring_version; /* the sender's; 0: knows no ring */
    uint32_t deadline_ms;  /* time left for the whole request; 0: the default.  0 in replies */
};

/* ---- generic replies ---- */

struct dynkv_error_reply {
    uint8_t error; /* enum dynkv_error, not OK */
    struct dynkv_slice text;
};

struct dynkv_done {
    uint8_t unused;
};

/* ---- session and cluster facts ---- */

struct dynkv_hello {
    uint32_t protocol_min, protocol_max;
    uint64_t capabilities;
    struct dynkv_slice client_name; /* for logs: "dynkv_fdw", "dynkv" */
    struct dynkv_slice credentials; /* empty: room for authentication */
};

struct dynkv_hello_reply {
    uint32_t protocol; /* the one to speak */
    uint64_t capabilities;
    uint64_t cluster_id;
    uint64_t node_id;
    struct dynkv_slice node_name;
    struct dynkv_slice software; /* "dynkvd 0.1" */
};

/*
 * One member.  All but holds_data, left and accusers are the member's own to change, which it does by
 * raising its incarnation.  accusers are the members that found it unreachable at that very incarnation;
 * it clears them by raising the incarnation (refuting).
 */
struct dynkv_accuser {
    uint64_t id;
};

/* A member that did not join before there were data has no stamp of its own. */
enum dynkv_joined {
    DYNKV_JOINED_NOT = 0,       /* a candidate: it never had a place */
    DYNKV_JOINED_BY_CHANGE = 1, /* the ring's places tell */
};

struct dynkv_member {
    uint64_t id;
    uint64_t incarnation;
    struct dynkv_slice name;
    struct dynkv_slice zone;
    struct dynkv_slice client_url; /* what clients dial: tcp://host:port or ipc://path */
    struct dynkv_slice peer_url;   /* what peers dial */
    uint32_t weight;
    uint64_t joined;       /* stamp, see model/ring.h; or enum dynkv_joined */
    uint64_t ring_version; /* the newest it said it uses */
    uint8_t holds_data;    /* it has stored something: the cluster takes no more unplanned joins */
    uint64_t left;         /* stamp, 0 while a member */
    struct dynkv_accuser *accusers;
    uint32_t accuser_count;
    uint64_t excluded; /* stamp: its identity counts for nothing any more; 0: it does.  Final */
    uint64_t run;      /* drawn at random by each start of the member */
};

/* A member as a client sees it: what to dial, and whether it is thought to be up. */
struct dynkv_ring_request {
    uint64_t known_version; /* the asker's ring; equal to the node's: the reply has no members */
};

struct dynkv_ring_reply {
    uint64_t cluster_id;
    uint64_t ring_version;
    uint32_t partitions;
    struct dynkv_member *members; /* those that left, too: the ring is replayed from them */
    uint32_t member_count;
    struct dynkv_accuser *down; /* ids of members that are declared down */
    uint32_t down_count;
    uint64_t epoch;             /* how many changes of the membership the ring has been through */
    struct dynkv_place *places; /* the ring that readers use is replayed from these */
    uint32_t place_count;
};

struct dynkv_status {
    uint8_t unused;
};

struct dynkv_counter {
    struct dynkv_slice name; /* as in docs/operations.md: "puts", "read_repairs", ... */
    uint64_t value;
};

struct dynkv_status_reply {
    uint64_t node_id;
    struct dynkv_slice node_name;
    uint64_t cluster_id;
    struct dynkv_slice storage; /* "rocksdb" or "memory" */
    uint64_t uptime_ms;
    uint64_t ring_version;
    uint32_t partitions;
    struct dynkv_member *members;
    uint32_t member_count;
    struct dynkv_accuser *down;
    uint32_t down_count;
    struct dynkv_counter *counters;
    uint32_t counter_count;
    uint64_t actor; /* the store's incarnation: dots of what this node coordinates have it */
    uint64_t epoch; /* of the ring */
    uint8_t phase;  /* of the change that is open: enum dynkv_change_phase */
    struct dynkv_accuser
        *leaving; /* ids of those that give their place up, or have and hold data */
    uint32_t leaving_count;
};

struct dynkv_keyspace_info {
    uint64_t id;
    struct dynkv_slice name;
    uint32_t generation;
    uint64_t stamp;
    uint8_t dropped;
    uint8_t n, r, w;
    uint64_t ttl_ms;
};

enum dynkv_keyspace_open_flag {
    DYNKV_KEYSPACE_CREATE = 1, /* make it if it is not there; without: NO_KEYSPACE */
    DYNKV_KEYSPACE_ALTER = 2,  /* set n, r, w, ttl_ms of one that is there */
};

struct dynkv_keyspace_open {
    struct dynkv_slice name;
    uint8_t flags;
    uint8_t n, r, w; /* 0: the cluster's defaults (CREATE), or as it is (ALTER) */
    uint64_t ttl_ms;
    uint8_t has_ttl;
};

struct dynkv_keyspace_drop {
    struct dynkv_slice name;
};

struct dynkv_keyspace_list {
    uint8_t unused;
};

/*
 * What a keyspace holds in the whole cluster, each key once, as the node that answers reckons it from what it
 * holds itself.  Without tombstones; with what has expired and is not a tombstone yet.  A list of them has
 * at most one; none where the node cannot tell.
 */
struct dynkv_extent {
    uint64_t keys;
    uint64_t bytes; /* of keys and values */
};

struct dynkv_keyspace_reply {
    struct dynkv_keyspace_info
        *keyspaces; /* one for OPEN and DROP; all that are not dropped for LIST */
    uint32_t keyspace_count;
    struct dynkv_extent *extent; /* for OPEN */
    uint32_t extent_count;
};

/* ---- data ---- */

enum dynkv_get_flag {
    DYNKV_GET_COORDINATE = 1, /* do the whole quorum read; without: what this replica has */
    DYNKV_GET_HELD = 2, /* between nodes: what it holds, even where it is no replica for readers */
};

struct dynkv_get_item {
    struct dynkv_slice key;
    uint32_t partition_len; /* leading bytes of key that are the partition key */
    uint8_t want;           /* enum dynkv_want (model/read_quorum.h); COORDINATE: object always */
};

struct dynkv_get {
    uint64_t keyspace;
    uint8_t flags;
    uint8_t r; /* for COORDINATE; 0: the keyspace's */
    struct dynkv_get_item *items;
    uint32_t item_count;
};

struct dynkv_get_result {
    uint8_t error;             /* OK also when nothing is there: object is empty and digest 0 */
    uint8_t answers;           /* COORDINATE: replicas that answered */
    uint64_t digest;           /* of the object */
    struct dynkv_slice object; /* encoded; empty if only the digest was wanted */
};

struct dynkv_get_reply {
    struct dynkv_get_result *results; /* one an item, in their order */
    uint32_t result_count;
    struct dynkv_extent *extent; /* of the keyspace; to clients */
    uint32_t extent_count;
};

enum dynkv_put_flag {
    DYNKV_PUT_STRICT = 1,    /* only the first N of the list may count to W */
    DYNKV_PUT_FORWARDED = 2, /* sent on by a node that is no replica: not to be sent on again */
};

enum dynkv_put_item_flag {
    DYNKV_PUT_DELETE = 1, /* write a tombstone */
    DYNKV_PUT_HAS_CONTEXT =
        2, /* context is what the writer read; without: the coordinator's current */
    /* It takes the request's stamp as its time, and may be sent to several coordinators (put_apply.c);
     * STALE: not applied, as something as new was known there. */
    DYNKV_PUT_STAMPED = 4,
};

struct dynkv_put_item {
    struct dynkv_slice key;
    uint32_t partition_len;
    uint8_t flags;
    struct dynkv_slice context; /* encoded version vector (model/version.h) */
    uint64_t expires_at_ms;     /* absolute; 0: the keyspace's ttl decides; or the constant below */
    struct dynkv_slice value;
};

/* Of a write, whatever the keyspace's ttl is.  Stored as 0, which means never there. */
#define DYNKV_EXPIRES_NEVER UINT64_MAX

struct dynkv_put {
    uint64_t keyspace;
    uint8_t flags;
    uint8_t w;         /* 0: the keyspace's */
    uint64_t client;   /* the writer's random id and its sequence number: the identity of this */
    uint64_t sequence; /* request, by which a coordinator recognises a repetition */
    struct dynkv_put_item *items;
    uint32_t item_count;
    uint64_t stamp; /* the writer's clock when it began, for items with STAMPED; else 0 */
};

struct dynkv_put_result {
    uint8_t error;              /* UNAVAILABLE and TIMEOUT: it may still take effect */
    uint8_t acks;               /* durable acknowledgements when the reply was sent */
    struct dynkv_slice context; /* encoded version vector after the write, when error is OK */
    uint64_t timestamp;         /* of the new sibling */
    uint8_t siblings; /* of the key after the write; more than 1: context covers unseen ones, too */
};

struct dynkv_put_reply {
    struct dynkv_put_result *results; /* one an item, in their order */
    uint32_t result_count;
    struct dynkv_extent *extent; /* of the keyspace; to clients */
    uint32_t extent_count;
};

enum dynkv_scan_flag {
    DYNKV_SCAN_KEYS_ONLY = 1, /* objects come with their values left out */
    DYNKV_SCAN_DEAD_TOO = 2,  /* also keys of which no sibling is alive */
};

struct dynkv_partition_range {
    uint32_t first;
    uint32_t count;
};

/*
 * One page of an ordered scan, over partitions of which the asked node is a replica.  Entries come
 * ordered by (partition in the order given, key).  Keys k with lower <= k, and k < upper if upper is
 * not empty.  A cursor resumes: at cursor_key (included) of partition cursor_partition, skipping all
 * given partitions before that one.
 *
 * With another order entries come by key, across all the given partitions (which must rise); cursor_key
 * then divides what was given from the rest, as base/order.h has it, and cursor_partition says nothing.
 */
struct dynkv_scan {
    uint64_t keyspace;
    uint8_t flags;
    uint8_t r; /* 0: the keyspace's */
    struct dynkv_partition_range *partitions;
    uint32_t partition_count;
    struct dynkv_slice lower;
    struct dynkv_slice upper;
    uint8_t has_cursor;
    uint32_t cursor_partition;
    struct dynkv_slice cursor_key;
    uint32_t limit;       /* entries; 0: the most the node gives */
    uint32_t limit_bytes; /* 0: the most the node gives */
    uint8_t order;        /* enum dynkv_order */
    /* Not empty: an encoded filter (model/filter.h).  Of keys with one sibling, alive, those of which it
     * cannot be true are left out; limit and limit_bytes count them all the same. */
    struct dynkv_slice filter;
    uint32_t
        matches; /* with a filter: entries that it leaves, at most; 0: as many as limit lets come */
};

struct dynkv_scan_entry {
    uint32_t partition;
    uint32_t partition_len;
    struct dynkv_slice key;
    struct dynkv_slice object; /* encoded */
};

struct dynkv_scan_reply {
    struct dynkv_scan_entry *entries;
    uint32_t entry_count;
    uint8_t more; /* not the end: ask again with this cursor (entries may be empty all the same) */
    uint32_t cursor_partition;
    struct dynkv_slice cursor_key;
    uint32_t examined;           /* entries, with those that the filter has left out */
    struct dynkv_extent *extent; /* of the keyspace; to clients */
    uint32_t extent_count;
};

struct dynkv_repair_item {
    struct dynkv_slice key;
    uint32_t partition_len;
};

/* A reader saw these keys differ: bring their replicas together.  Answered at once by DONE. */
struct dynkv_repair {
    uint64_t keyspace;
    struct dynkv_repair_item *items;
    uint32_t item_count;
};

/* ---- between nodes ---- */

struct dynkv_replicate_item {
    struct dynkv_slice key;
    uint32_t partition_len;
    struct dynkv_slice object; /* encoded; merged into what is there */
};

struct dynkv_replicate {
    uint64_t keyspace;
    struct dynkv_replicate_item *items;
    uint32_t item_count;
    uint64_t
        hint_for; /* keep them for this member, which is absent; 0: they are the receiver's own */
};

/*
 * Sent when all items are durable, or with the error that kept one from it: then none of them counts, and
 * all may be sent again.  OVERLOADED: not now; of hints: there is no room for them here.  STALE: the message
 * is older than what was reaped in its partition (core/reap.h); who still wants it sends it anew.
 */
struct dynkv_replicate_reply {
    uint8_t error;
};

/* "Over this range of this partition I hold count entries, and their digests sum to this: you too?" */
struct dynkv_verify_segment {
    uint32_t partition;
    struct dynkv_slice lower; /* as in SCAN */
    struct dynkv_slice upper;
    uint64_t digest; /* sum of dynkv_hash(key, object digest) over the entries, dead ones too */
    uint32_t count;
};

struct dynkv_verify {
    uint64_t keyspace;
    struct dynkv_verify_segment *segments;
    uint32_t segment_count;
    uint8_t order;            /* enum dynkv_order; by key, the segments are whole partitions ... */
    struct dynkv_slice lower; /* ... within these bounds, and theirs are empty */
    struct dynkv_slice upper;
};

struct dynkv_verify_result {
    uint8_t equal;
    uint8_t truncated; /* entries end early: what lies behind the last one is not told */
    struct dynkv_scan_entry
        *entries; /* if not equal: what this replica holds there, dead ones too */
    uint32_t entry_count;
};

struct dynkv_verify_reply {
    uint8_t error;
    struct dynkv_verify_result *results; /* one a segment, in their order; a tail may be missing */
    uint32_t result_count;
    uint8_t
        is_cut; /* by key, of all segments: what lies behind cut_key (base/order.h) is not told */
    struct dynkv_slice cut_key;
};

/*
 * "Are you there?  My member and keyspace tables hash to this." A differing side answers GOSSIP too.
 * PING and its reply carry news: records of members that changed lately, and reports where only the
 * incarnation or the accusers did.
 */
struct dynkv_report {
    uint64_t id;
    uint64_t incarnation;
    uint64_t
        facts; /* hash of the rest of the record: a receiver that has another waits for the record */
    struct dynkv_accuser *accusers;
    uint32_t accuser_count;
};

struct dynkv_ping {
    uint64_t tables_digest;
    uint64_t target;   /* whom the ping is for; another id: please ping it for me, and tell me */
    uint64_t asked_by; /* on a ping made for another: the one who asked; else 0 */
    uint64_t sequence; /* the sender's number; the reply repeats it */
    struct dynkv_member *news;
    uint32_t news_count;
    struct dynkv_report *reports;
    uint32_t report_count;
};

struct dynkv_ping_reply {
    uint64_t tables_digest;
    uint64_t target; /* the member that is alive: the sender, or whom it was asked to ping */
    uint64_t sequence;
    struct dynkv_member *news;
    uint32_t news_count;
    struct dynkv_report *reports;
    uint32_t report_count;
};

/* "I pinged it for you and have no answer yet, but I am here": tells a dead target from a deaf asker. */
struct dynkv_ping_nack {
    uint64_t target;
    uint64_t sequence;
};

struct dynkv_gossip {
    struct dynkv_member *members;
    uint32_t member_count;
    struct dynkv_keyspace_info *keyspaces;
    uint32_t keyspace_count;
    uint8_t answer;                  /* 1: send yours back */
    struct dynkv_ring_table *tables; /* at most one */
    uint32_t table_count;
    struct dynkv_change_record *changes; /* at most one; its sender's keyspaces come with it */
    uint32_t change_count;
    uint8_t whole;  /* these are all of the sender's tables */
    uint8_t unsure; /* and it may have forgotten something (core/state.c) */
};

struct dynkv_join {
    struct dynkv_member *members; /* exactly one: the joiner */
    uint32_t member_count;
};

struct dynkv_join_reply {
    uint8_t error; /* REFUSED: text says why and what to do */
    struct dynkv_slice text;
    uint64_t cluster_id;
    uint32_t partitions;
    struct dynkv_member *members; /* the joiner too; its joined is 0: it is a candidate */
    uint32_t member_count;
    struct dynkv_keyspace_info *keyspaces;
    uint32_t keyspace_count;
    struct dynkv_ring_table *tables; /* at most one */
    uint32_t table_count;
    struct dynkv_change_record *changes; /* at most one */
    uint32_t change_count;
};

/* "I have started again, this is my record.  Or do you know of a later run of mine?" */
struct dynkv_restarted {
    struct dynkv_member *members; /* exactly one: the sender */
    uint32_t member_count;
};

/* The asker's record as the answerer has it, and has it saved: with the asker's run, or a later one's. */
struct dynkv_restarted_reply {
    struct dynkv_member *members; /* exactly one */
    uint32_t member_count;
};

/* ---- anti-entropy; trees: model/merkle.h ---- */

struct dynkv_tree_root {
    uint32_t partition;
    uint64_t root;
};

struct dynkv_tree_keyspace {
    uint64_t keyspace;
    struct dynkv_tree_root *roots; /* partitions that are not told of are empty: root 0 */
    uint32_t root_count;
};

/* "These are the roots of all partitions of these keyspaces that both of us keep.  Where do you differ?" */
struct dynkv_tree_roots {
    struct dynkv_tree_keyspace *keyspaces;
    uint32_t keyspace_count;
};

struct dynkv_tree_place {
    uint64_t keyspace;
    uint32_t partition;
};

struct dynkv_tree_roots_reply {
    uint8_t error;
    struct dynkv_tree_place *places; /* that differ */
    uint32_t place_count;
};

struct dynkv_tree_index {
    uint32_t index; /* of a node in its level */
};

struct dynkv_tree_part {
    uint64_t keyspace;
    uint32_t partition;
    struct dynkv_tree_index *nodes;
    uint32_t node_count;
};

/*
 * "What are the sums of the children of these nodes?"  Without parts it says that the asker's exchange is
 * over, and is not answered: the other is free for the next one.
 */
struct dynkv_tree_nodes {
    uint32_t level;
    struct dynkv_tree_part *parts;
    uint32_t part_count;
    uint8_t quiet; /* only if all of it is durable; else OVERLOADED */
};

struct dynkv_tree_sum {
    uint64_t sum;
};

/* The sums of all parts, in their order.  OVERLOADED: busy with another exchange, try later. */
struct dynkv_tree_nodes_reply {
    uint8_t error;
    struct dynkv_tree_sum *sums;
    uint32_t sum_count;
};

/* "Which keys do you hold in these leaves, from lower on?" */
struct dynkv_leaf_keys {
    uint64_t keyspace;
    uint32_t partition;
    struct dynkv_tree_index *leaves;
    uint32_t leaf_count;
    struct dynkv_slice lower;
    uint8_t
        busy_too; /* also tell digests of what is stored while a newer one is on its way there */
};

struct dynkv_leaf_key {
    struct dynkv_slice key;
    uint32_t partition_len;
    uint64_t digest;            /* of the object; 0: it is just being changed, leave it */
    struct dynkv_slice version; /* encoded: tells who lacks what */
};

struct dynkv_leaf_keys_reply {
    uint8_t error;
    uint8_t more; /* there are keys from next on that are not told */
    struct dynkv_slice next;
    struct dynkv_leaf_key *keys; /* rising */
    uint32_t key_count;
};

/* ---- reaping of tombstones; the rounds: core/reap.h ---- */

struct dynkv_reap_item {
    struct dynkv_slice key;
    uint32_t partition_len;
    uint64_t digest; /* of the dead object; not 0 */
};

/* "Which of these do you hold exactly, and on disk?"  n: of the keyspace, as the asker knows it. */
struct dynkv_reap_check {
    uint64_t keyspace;
    uint32_t partition;
    uint8_t n;
    struct dynkv_reap_item *items;
    uint32_t item_count;
};

struct dynkv_reap_index {
    uint32_t index; /* of an item */
};

struct dynkv_reap_check_reply {
    uint8_t error;
    struct dynkv_reap_index *held; /* rising */
    uint32_t held_count;
};

/*
 * "Tell me when all that you were doing when this arrived has ended, and that you keep no hint of this
 * partition, nor records of it if it is not yours."  With a fence: and from now on refuse objects of this
 * partition that were sent before this time.
 */
struct dynkv_reap_quiet {
    uint64_t keyspace;
    uint32_t partition;
    uint8_t n;
    uint64_t fence; /* timestamp; 0: none yet */
};

struct dynkv_reap_quiet_reply {
    uint8_t error; /* OK: so it is.  CONFLICT: there are hints or records.  Others: not now */
};

/* "Delete what of these you hold exactly still."  Only to those who hold the fence. */
struct dynkv_reap {
    uint64_t keyspace;
    uint32_t partition;
    uint8_t n;
    uint64_t fence;
    struct dynkv_reap_item *items;
    uint32_t item_count;
};

struct dynkv_reap_reply {
    uint8_t error;
    uint32_t reaped;
};

/* Any body, for a decoder that does not know what is coming. */
union dynkv_body {
#define DYNKV_MESSAGE_MEMBER(number, upper, name) struct dynkv_##name name;
    DYNKV_MESSAGES(DYNKV_MESSAGE_MEMBER)
#undef DYNKV_MESSAGE_MEMBER
};

struct dynkv_layout;

/* The layout of a type's body, NULL for a number that is no message. */
const struct dynkv_layout *dynkv_message_layout(uint8_t type);
/* "GET"; "UNKNOWN" for a number that is no message. */
const char *dynkv_message_name(uint8_t type);

/* Appends envelope and body (a struct dynkv_<name> of envelope->type) to out. */
void dynkv_message_encode(const struct dynkv_envelope *envelope, const void *body,
                          struct dynkv_buf *out);
/*
 * MALFORMED: not exactly one message (or over a limit).  UNSUPPORTED: another protocol version or an
 * unknown type; the envelope is then filled as far as it could be read, so that an answer is possible.
 */
enum dynkv_error dynkv_message_decode(struct dynkv_slice bytes, struct dynkv_arena *arena,
                                      struct dynkv_envelope *envelope, union dynkv_body *body);

#endif
