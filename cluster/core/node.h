/*
 * node.h: one node of the cluster, as a deterministic state machine.
 *
 *     step(node, event, effects)
 *
 * A step looks at nothing but the node and the event, and does nothing but change the node and append
 * to the effects.  No clock, socket, file, thread or global: the daemon and the simulator drive the
 * very same function.  The same configuration and the same events give the same effects, byte for byte.
 *
 * The driver:
 *   - steps every event it has, then carries out all effects that have gathered, then resets them
 *     (that is how batches form: one frame a peer, one write batch with one sync for the store);
 *   - runs the loads and scans of one flush before its stores, and flushes in order;
 *   - answers each load, scan and store token with exactly one event, in any order;
 *   - gives TICK at least every DYNKV_TICK_MS, and the time with every event.
 *
 * Ownership: event data are borrowed for the step.  Effect data belong to the effects (their arena) and
 * live until dynkv_effects_reset.
 */
#ifndef DYNKV_CORE_NODE_H
#define DYNKV_CORE_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "core/mutant.h"
#include "model/merkle.h"
#include "model/ring.h"
#include "model/object.h"
#include "wire/message.h"

#define DYNKV_TICK_MS 20u

/* ---- configuration ---- */

struct dynkv_node_config {
    uint64_t id;  /* member id, random, kept in the store; not 0 */
    uint64_t run; /* drawn anew at each start, random, not 0: see restart.c */
    bool clean; /* the last run stopped cleanly (dynkv_node_may_go_on), and all it did is stored */
    uint64_t seed;   /* for jitter and choice of peers */
    uint64_t now_ms; /* wall clock at start */

    struct dynkv_slice name, zone, client_url, peer_url, storage;
    uint32_t weight;
    uint32_t partitions; /* used when this node founds a cluster */
    uint8_t default_n, default_r, default_w;
    uint32_t anti_entropy_interval_ms; /* between rounds of anti-entropy; 0: a few seconds */
    uint32_t reap_interval_ms;         /* between looks for tombstones to reap; 0: a second */
    uint32_t hints_max;                /* hints it keeps for others; 0: CORE_HINTS_MAX */
    uint64_t hints_bytes_max;          /* and their bytes; 0: CORE_HINTS_BYTES_MAX */

    /* Found a cluster (cluster_id, not 0), or restart in one (state), or join one (join_urls). */
    uint64_t cluster_id;
    struct dynkv_slice state; /* what the node last saved as META_STATE; empty: none */
    struct dynkv_slice lease; /* what it last saved as META_LEASE; empty: none */
    const struct dynkv_slice *join_urls;
    uint32_t join_url_count;

    enum dynkv_mutant mutant; /* a deliberate bug, for the simulator; production: none */
    bool plain_swim; /* failure detection without Lifeguard: for figures that compare the two */
};

/* ---- events ---- */

enum dynkv_event_type {
    DYNKV_EVENT_TICK,
    DYNKV_EVENT_REQUEST, /* a client's message arrived */
    DYNKV_EVENT_FRAME,   /* a peer's frame arrived */
    DYNKV_EVENT_LOADED,  /* a LOAD effect's result */
    DYNKV_EVENT_SCANNED, /* a RANGE effect's result */
    DYNKV_EVENT_STORED,  /* STORE effects are durable, or failed */
};

/* An entry of a range, or of a load: record is what a STORE effect wrote. */
struct dynkv_record {
    uint32_t partition;
    struct dynkv_slice key;
    struct dynkv_slice record;
};

struct dynkv_event {
    enum dynkv_event_type type;
    uint64_t now_ms;  /* wall clock; may jump either way */
    uint64_t mono_ms; /* monotonic clock, for timeouts */
    union {
        struct {
            uint64_t
                client; /* the driver's token: a REPLY effect names it, exactly one a request */
            struct dynkv_slice bytes;
        } request;
        struct {
            struct dynkv_slice bytes;
        } frame;
        struct {
            uint64_t token;
            enum dynkv_error error; /* OK, NOT_FOUND, STORAGE, CORRUPT */
            struct dynkv_slice record;
        } loaded;
        struct {
            uint64_t token;
            enum dynkv_error error; /* OK, STORAGE, CORRUPT */
            const struct dynkv_record *records;
            uint32_t record_count;
            bool more;                 /* stopped at the limit, not at the end */
            uint32_t cursor_partition; /* where to go on */
            struct dynkv_slice cursor_key;
        } scanned;
        struct {
            enum dynkv_error error; /* of the whole batch: all of it or nothing */
            const uint64_t *tokens;
            uint32_t token_count;
        } stored;
    } as;
};

/* ---- effects ---- */

struct dynkv_effect_send {
    struct dynkv_slice url; /* the peer to dial */
    uint64_t cluster_id;    /* for the frame's header */
    struct dynkv_slice message;
};

struct dynkv_effect_reply {
    uint64_t client;
    struct dynkv_slice message;
};

/*
 * The store has two spaces that know nothing of each other.  Hints are objects kept for members that are
 * absent: there keyspace is the absent member's id, partition is 0, and key is made by the core.
 */
enum dynkv_space {
    DYNKV_SPACE_RECORDS,
    DYNKV_SPACE_HINTS,
};

struct dynkv_effect_load {
    uint64_t token;
    uint64_t keyspace;
    uint32_t partition;
    struct dynkv_slice key;
    enum dynkv_space space;
};

/*
 * Records of a keyspace in the partitions given, ordered by (place of the partition, key), or by key alone.
 * By key, the event's cursor_key is what divides them from the rest (base/order.h).
 */
struct dynkv_effect_range {
    uint64_t token;
    uint64_t keyspace;
    const uint32_t *partitions;
    uint32_t partition_count;
    struct dynkv_slice lower; /* in every partition: lower <= key, and key < upper unless empty */
    struct dynkv_slice upper;
    struct dynkv_slice first_lower; /* in the first partition, if not empty: instead of lower */
    uint32_t limit;                 /* stop after so many records ... */
    uint32_t limit_bytes;           /* ... or once so many bytes of key and record are gathered */
    enum dynkv_space space;
    enum dynkv_order order;
};

enum dynkv_store_kind {
    DYNKV_STORE_RECORD,        /* set the record of (partition, keyspace, key) */
    DYNKV_STORE_META,          /* set the metadata named by key (partition, keyspace unused) */
    DYNKV_STORE_DROP_KEYSPACE, /* remove all records of keyspace, in every partition; hints stay */
    DYNKV_STORE_DELETE,        /* remove the record of (partition, keyspace, key) */
    DYNKV_STORE_DROP_TREE,     /* remove all records of (partition, keyspace) */
};

struct dynkv_effect_store {
    uint64_t token;
    enum dynkv_store_kind kind;
    uint64_t keyspace;
    uint32_t partition;
    struct dynkv_slice key;
    struct dynkv_slice record;
    enum dynkv_space space; /* of RECORD and DELETE */
};

enum dynkv_log_level {
    DYNKV_LOG_ERROR,
    DYNKV_LOG_WARNING,
    DYNKV_LOG_INFO,
    DYNKV_LOG_DEBUG,
};

struct dynkv_effect_log {
    enum dynkv_log_level level;
    struct dynkv_slice text;
};

/*
 * Metadata that the core saves with STORE effects of kind META and is given back at a restart, opaque to
 * the driver: members, keyspaces and own incarnation; and the actor, and how far its counters and
 * timestamps may have been used.  META effects are always synced, whatever the mode of the store.
 */
#define DYNKV_META_STATE "state"
#define DYNKV_META_LEASE "lease"

#define DYNKV_EFFECTS(X) \
    X(send, sends)       \
    X(reply, replies)    \
    X(load, loads)       \
    X(range, ranges)     \
    X(store, stores)     \
    X(log, logs)

/* Zero-initialised is empty.  Each list is in the order in which the steps asked for it. */
struct dynkv_effects {
    struct dynkv_arena arena;
#define DYNKV_EFFECT_LIST(name, plural) \
    struct dynkv_effect_##name *plural; \
    uint32_t name##_count, name##_cap;
    DYNKV_EFFECTS(DYNKV_EFFECT_LIST)
#undef DYNKV_EFFECT_LIST
};

void dynkv_effects_reset(struct dynkv_effects *effects); /* empty; keeps the memory */
void dynkv_effects_fini(struct dynkv_effects *effects);

/* ---- the node ---- */

struct dynkv_node;

/* The configuration is copied.  Free with dynkv_node_free. */
struct dynkv_node *dynkv_node_new(const struct dynkv_node_config *config);
void dynkv_node_free(struct dynkv_node *node);
void dynkv_node_step(struct dynkv_node *node, const struct dynkv_event *event,
                     struct dynkv_effects *effects);

/* Whether it is a member of a cluster (a joiner is not yet). */
bool dynkv_node_is_member(const struct dynkv_node *node);
/*
 * When a run ends, everything it asked for is stored and nothing failed: whether the store may be marked
 * clean.  It may not while the actor of this run is not saved yet, for the one before is used up; nor while it is
 * in doubt whether the store is an old copy (restart.c).
 */
bool dynkv_node_may_go_on(const struct dynkv_node *node);
/* The store incarnation that stamps writes now: for the simulator, which tells whose dots are whose. */
uint64_t dynkv_node_actor(const struct dynkv_node *node);
/* What a STATUS request would be answered, in the arena: for HTTP pages and the simulator. */
void dynkv_node_status(const struct dynkv_node *node, struct dynkv_arena *arena,
                       struct dynkv_status_reply *out);
/*
 * For tests and the simulator: the ring that readers use here, and while a change is open the other one
 * (NULL: there is none); and how far a change is.  Borrowed until the next step.
 */
const struct dynkv_ring *dynkv_node_ring(const struct dynkv_node *node);
const struct dynkv_ring *dynkv_node_other_ring(const struct dynkv_node *node);
struct dynkv_node_stage {
    uint64_t epoch, changes;
    uint64_t change; /* id of the one that is open; 0: none */
    enum dynkv_change_phase phase;
    bool cancelled, is_accepted, is_seen; /* this node has entered the set */
    bool is_placed;                       /* it holds a place in the readers' ring */
    bool is_excluded;                     /* as far as it knows */
    bool has_left;
};
struct dynkv_node_stage dynkv_node_stage(const struct dynkv_node *node);
/* Whether it knows that a member is excluded. */
bool dynkv_node_excludes(const struct dynkv_node *node, uint64_t member);
/* The places of the readers' ring, or of the other one (there must be one), in the arena. */
struct dynkv_place *dynkv_node_places(const struct dynkv_node *node, bool other,
                                      struct dynkv_arena *arena, uint32_t *count);

/*
 * The live tree of a partition and keyspace, NULL: no records; and whether the keyspace's trees are ready
 * (until then they say nothing).  For tests and the simulator: it must equal the tree made from the store.
 */
const struct dynkv_merkle *dynkv_node_tree(const struct dynkv_node *node, uint64_t keyspace,
                                           uint32_t partition, bool *ready);
/* The merge that the node uses, in the arena: for the simulator. */
struct dynkv_object dynkv_node_merge(const struct dynkv_node *node, const struct dynkv_object *mine,
                                     const struct dynkv_object *theirs, struct dynkv_arena *arena);

#endif
