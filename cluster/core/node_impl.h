/*
 * node_impl.h: the inside of a node, shared by the files of cluster/core and by nobody else.
 *
 * The node has these parts:
 *
 *   tables     members (members.c), keyspaces (keyspaces.c), the ring made from them (place.c);
 *              saved by state.c, spread by gossip.c and rumor.c, entered by join.c
 *   detection  probes of the others (probe.c), and what follows from their failures (down.c)
 *   lease      the actor that stamps its writes (restart.c), the counters and timestamps it may hand
 *              out (lease.c)
 *   slots      one per key that is being written: load, then change after change, each stored (slot.c)
 *   stage      a change of the membership under way: the record (change.h), this node's part in it (stage.c),
 *              what clients ask of it (plan.c), proofs of what it gained or may drop (prove.c, drop.c)
 *   trees      one for each partition and keyspace, live (tree.c), and their comparison with those of
 *              other replicas (sync.c, sync_leaf.c, sync_move.c, sync_answer.c)
 *   hints      objects kept for absent members: what there is (hints.c), and its way home (handoff.c)
 *   reaping    of tombstones, when it is proved that nothing needs them (reap.c, reap_answer.c)
 *   operations one per request that cannot be answered at once (op.c), each kind in its own file:
 *              op_get.c op_put.c op_repair.c op_replicate.c op_scan.c op_verify.c, handoff.c, and the META saves of
 *              state.c
 *
 * An operation waits for loads, ranges, stores and the answers of peers.  Each of these carries a token
 * that is (operation id << 20 | index): the index names the item (loads, stores), or the sub-request
 * (peers).  An answer whose operation has ended finds nothing and is dropped; nothing points into an
 * operation from outside.
 */
#ifndef DYNKV_CORE_NODE_IMPL_H
#define DYNKV_CORE_NODE_IMPL_H

#include "base/hash.h"
#include "base/map.h"
#include "base/random.h"
#include "core/change.h"
#include "core/core_limits.h"
#include "core/effects.h"
#include "core/node.h"
#include "model/clock.h"
#include "model/keyspace.h"
#include "model/object.h"
#include "model/read_quorum.h"
#include "model/ring.h"

/* ---- counters ---- */

#define CORE_COUNTERS(X)     \
    X(gets)                  \
    X(puts)                  \
    X(deletes)               \
    X(scans)                 \
    X(scan_entries)          \
    X(replicated_items)      \
    X(forwarded_items)       \
    X(writes_unavailable)    \
    X(reads_unavailable)     \
    X(read_repairs)          \
    X(repairs_dropped)       \
    X(verify_segments)       \
    X(verify_mismatches)     \
    X(verify_by_tree)        \
    X(siblings_refused)      \
    X(hints_stored)          \
    X(hints_delivered)       \
    X(hints_refused)         \
    X(hints_skipped)         \
    X(hints_pending)         \
    X(writes_unfollowed)     \
    X(writes_recognised)     \
    X(malformed_messages)    \
    X(malformed_frames)      \
    X(foreign_frames)        \
    X(clock_drift_refused)   \
    X(overloaded)            \
    X(storage_errors)        \
    X(pings_sent)            \
    X(probes_failed)         \
    X(nacks_sent)            \
    X(relays_refused)        \
    X(accusations)           \
    X(refutations)           \
    X(declared_down)         \
    X(local_health)          \
    X(quarantined)           \
    X(unsure)                \
    X(gossip_sent)           \
    X(gossip_received)       \
    X(operations_in_flight)  \
    X(slots_in_use)          \
    X(trees_rebuilding)      \
    X(tombstones)            \
    X(tombstones_reaped)     \
    X(reap_rounds)           \
    X(reaps_refused)         \
    X(stale_refused)         \
    X(sync_rounds)           \
    X(sync_roots_compared)   \
    X(sync_hashes_compared)  \
    X(sync_keys_exchanged)   \
    X(sync_objects_sent)     \
    X(sync_objects_received) \
    X(transfer_objects)      \
    X(transfer_bytes)        \
    X(transfer_left)         \
    X(trees_dropped)         \
    X(keys_held)             \
    X(trees_held)            \
    X(trees_stray)

struct counters {
#define CORE_COUNTER(name) uint64_t name;
    CORE_COUNTERS(CORE_COUNTER)
#undef CORE_COUNTER
};

/* ---- members ---- */

/* The hints kept for a member, and how far they are on their way (handoff.c). */
struct handoff {
    uint32_t pending; /* hints in the store */
    bool
        surveyed; /* all of them have been counted since the start, and none is of a dropped keyspace */
    bool restart;            /* begin the pass again after the page in flight */
    bool was_absent;         /* when last looked at */
    bool useful;             /* something was delivered in this pass */
    uint64_t page;           /* operation of the page in flight, 0: none */
    uint32_t limit;          /* hints of the next page; 0: CORE_HANDOFF_ITEMS */
    uint32_t pause_ms;       /* after a failure */
    uint64_t next_ms;        /* monotonic: not before */
    struct dynkv_buf cursor; /* where the pass goes on; empty: at the beginning */
};

/* The strings of info point into text. */
struct member {
    struct dynkv_member info;
    struct dynkv_accuser accusers[CORE_ACCUSERS_MAX];
    char *text;
    uint64_t digest; /* its part of the tables' digest */
    uint64_t facts;  /* hash of what dynkv_report leaves out and the member itself may change */

    /* down.c; all of it is about the present incarnation */
    bool accused;   /* by this node ... */
    bool told;      /* ... which has told the others, or knows that enough have told already */
    bool suspected; /* somebody accuses it, since: */
    bool down;
    uint64_t suspected_ms; /* monotonic */

    /* rumor.c, gossip.c */
    uint8_t rumor_left;      /* times to send the record still; 0: it is no rumour */
    bool rumor_whole;        /* more than incarnation and accusers changed */
    uint64_t rumor_message;  /* number of the last message it was put in */
    uint64_t gossip_next_ms; /* monotonic: earliest next full table to it */
    struct handoff handoff;
};

/* A member that was pinged and has not answered yet. */
struct probe {
    uint64_t target;
    uint64_t sequence;
    uint64_t direct_ms, end_ms; /* monotonic: others are asked; it has failed */
    uint64_t answers_before;    /* node.answers when it began */
    bool indirect;              /* others have been asked: so many, of which so many said nack */
    uint8_t helpers, nacks;
    bool was_down;
};

/* A ping on behalf of another member. */
struct relay {
    uint64_t asker, asker_sequence;
    uint64_t target, sequence; /* of our ping */
    uint64_t nack_ms, end_ms;  /* monotonic */
    bool nacked;
};

/* ---- keyspaces ---- */

struct keyspace {
    struct dynkv_keyspace def;
    uint64_t id;
    char name[DYNKV_NAME_MAX];
};

/* ---- where a request came from ---- */

enum source_kind {
    SOURCE_NONE, /* nobody waits for an answer */
    SOURCE_CLIENT,
    SOURCE_PEER,
};

struct source {
    enum source_kind kind;
    uint64_t client;                  /* SOURCE_CLIENT: the driver's token */
    uint64_t peer;                    /* SOURCE_PEER: member id */
    uint64_t request_id;              /* to repeat in the answer */
    uint64_t timestamp, ring_version; /* SOURCE_PEER: of the envelope */
};

/* ---- operations ---- */

struct op;
struct dynkv_node;

/* What happens to an operation; each kind fills in what it can meet. */
struct op_class {
    const char *name;
    bool is_upkeep; /* nobody asked for it: not counted as in flight */
    bool is_reap;   /* it holds no objects that it could still write or send: reap.h */
    void (*on_loaded)(struct dynkv_node *node, struct op *op, uint32_t item, enum dynkv_error error,
                      struct dynkv_slice object);
    void (*on_scanned)(struct dynkv_node *node, struct op *op, uint32_t item,
                       const struct dynkv_event *event);
    /* A slot asks: what becomes of the object?  OK and *out, or an error and the object stays. */
    enum dynkv_error (*mutate)(struct dynkv_node *node, struct op *op, uint32_t item,
                               const struct dynkv_object *current, struct dynkv_arena *arena,
                               struct dynkv_object *out);
    /* The change was made and is on its way to the store (OK; object: its new bytes), or was not. */
    void (*on_applied)(struct dynkv_node *node, struct op *op, uint32_t item,
                       enum dynkv_error error, struct dynkv_slice object);
    void (*on_stored)(struct dynkv_node *node, struct op *op, uint32_t item,
                      enum dynkv_error error);
    /* A sub-request was answered with the type the kind expects, or failed (body NULL). */
    void (*on_answer)(struct dynkv_node *node, struct op *op, uint32_t sub,
                      const struct dynkv_envelope *envelope, const union dynkv_body *body);
    /* A sub-request has been open for CORE_HEDGE_MS; its answer is welcome still. */
    void (*on_slow)(struct dynkv_node *node, struct op *op, uint32_t sub);
    void (*on_deadline)(struct dynkv_node *node, struct op *op); /* must end the operation */
    void (*fini)(struct op *op);                                 /* what the arena doesn't hold */
};

/* A question to a peer. */
struct sub {
    uint64_t peer;
    uint64_t slow_ms; /* monotonic: from when on it counts as slow; 0: never, or told already */
    bool open;
    void *data; /* the kind's */
};

struct op {
    struct dynkv_map_node by_id;
    struct op *prev, *next; /* all operations, oldest first */
    const struct op_class *class;
    uint64_t id;
    struct source source;
    uint64_t deadline_ms; /* monotonic */
    struct sub *subs;
    uint32_t sub_count, sub_cap;
    uint32_t holds; /* op_hold: not to be freed yet */
    bool ended;
    struct dynkv_arena arena;
};

/* ---- the node ---- */

struct remembered;
struct deferred;
struct trees;
struct sync;
struct reap;
struct proofs;

struct held_tree {
    uint64_t keyspace;
    uint32_t partition;
};

enum restart_state {
    RESTART_NONE,    /* the store is new, or all that there was to decide is decided */
    RESTART_UNCLEAN, /* the last run did not stop cleanly: a new actor */
    RESTART_DOUBT,   /* the actor of the last run may go on, if nobody knows a later one */
};

struct dynkv_node {
    /* identity and configuration */
    uint64_t id;
    uint64_t run;        /* of this start; the number of its actor, if it needs a new one */
    uint64_t cluster_id; /* 0: not a member yet */
    uint32_t partitions;
    uint8_t default_n, default_r, default_w;
    char storage[DYNKV_NAME_MAX];
    size_t storage_len;
    struct member *self; /* in members, also while joining */
    char (*join_urls)[DYNKV_URL_MAX + 1];
    uint32_t join_url_count;

    /* this step */
    uint64_t now_ms, mono_ms;
    struct dynkv_effects *effects;
    struct dynkv_arena arena; /* of the step */
    struct dynkv_buf scratch; /* message being encoded */

    /* time */
    struct dynkv_clock clock;
    struct dynkv_random random;
    uint64_t started_ms; /* monotonic; of the first event */
    bool started;
    uint64_t join_next_ms;

    /* actor and lease */
    uint64_t actor;
    enum restart_state restart;
    bool actor_saved; /* the lease in the store is this actor's */
    uint64_t counter_next;
    uint64_t counter_bound, clock_bound;             /* durable */
    uint64_t counter_bound_asked, clock_bound_asked; /* on the way */
    uint64_t life_began;                             /* the clock, at the start */
    uint64_t fence, fence_durable, fence_asked;      /* the latest of all partitions: reap.h */
    uint32_t lease_saves;                            /* that are on the way */
    bool lease_ready;
    struct deferred *deferred, **deferred_tail;
    uint32_t deferred_count;

    /* tables */
    struct member **members; /* rising by id */
    uint32_t member_count;
    struct keyspace **keyspaces;
    uint32_t keyspace_count;
    struct dynkv_ring *ring;      /* that readers use */
    struct dynkv_ring *ring_also; /* while a change is open: the other one that writes must reach */
    bool ring_switched;           /* ring is that of the places after the change */
    struct ring_table table;
    struct change *change; /* staged or open; NULL: none */
    uint64_t tables_digest;
    bool digest_stale;
    bool state_stale; /* to be saved at the end of the step */
    bool ring_stale;  /* members changed in what the ring is made from: members_settle */
    bool phase_stale; /* a set of the change has grown, or a member was excluded: members_settle */
    enum dynkv_change_phase phase; /* as members_settle found it last */

    /* stage.c */
    uint64_t stage_next_ms;
    uint64_t drop_next_ms;
    uint64_t drain_before; /* writes of operations before this one began without the change */
    uint64_t stage_save; /* the save that must be durable before the next set is entered; 0: none */
    enum dynkv_change_phase stage_saved; /* in which phase that was */
    enum dynkv_change_phase stage_told;  /* the phase that was logged last */
    bool behind; /* restarted, and nobody has told yet what has happened since: join.c */
    uint64_t unsure_ask_ms;
    struct id_set unsure_heard;          /* who has told its tables since */
    struct id_set unsure_met;            /* who has sent anything */
    uint64_t unsure_met_ms;              /* the last time that one did who had not told */
    uint64_t saves_asked, saves_durable; /* of META_STATE, numbered from 1 */

    /* detection: probe.c, down.c; local_health and quarantined are among the counters */
    bool plain_swim; /* without Lifeguard: for comparisons */
    uint64_t ping_next_ms, ticked_ms;
    struct member **probe_order; /* all members, shuffled anew every round */
    uint32_t probe_order_count, probe_place;
    struct probe probes[CORE_PROBES_MAX];
    struct relay relays[CORE_RELAYS_MAX];
    uint32_t probe_count, relay_count;
    uint64_t probe_sequence;
    uint64_t answers;           /* to pings of ours, from anybody: that we hear them */
    uint64_t suspicion_next_ms; /* monotonic: a suspicion runs out */

    /* rumours: rumor.c; full tables, with many members: gossip.c */
    struct member **rumors;
    uint32_t rumor_count, rumor_cap;
    uint64_t rumor_messages; /* that were filled so far */
    uint64_t tables_changed_ms, tables_next_ms, tables_force_ms;

    /* work in flight */
    uint64_t next_id;
    struct dynkv_map ops;
    struct op *op_first, *op_last;
    uint32_t repairs_in_flight;
    struct dynkv_map repairs; /* keys that are being repaired (op_repair.c) */
    uint32_t lingering;       /* answered writes, see op_put.c */
    size_t lingering_bytes;
    struct dynkv_map slots;       /* by key */
    struct dynkv_map store_waits; /* by token */
    struct held_tree *held;       /* trees that are being dropped */
    uint32_t held_count;
    struct remembered *remembered;
    uint64_t remembered_first; /* number of the oldest */
    size_t remembered_bytes;
    struct dynkv_map remembered_map;

    struct trees *trees; /* tree.h */
    /* Of the ring of that version: how many partitions are held of a keyspace with so many replicas. */
    uint64_t share_version;
    uint32_t shares[DYNKV_REPLICAS_MAX + 1];
    struct sync *sync;     /* sync.h */
    struct proofs *proofs; /* prove.h */
    uint32_t anti_entropy_interval_ms;
    struct reap *reap; /* reap.h */
    uint32_t reap_interval_ms;
    /* hints: what there is of them, by key */
    struct dynkv_map hints;
    uint64_t hints_bytes, hints_bytes_max;
    uint32_t hints_max;
    uint64_t hints_before,
        hints_bytes_before;                  /* of the last run at most, until they are surveyed */
    uint64_t hints_bound, hints_bytes_bound; /* so many the next run would reckon with */
    uint32_t *hints_in;                      /* of each partition; NULL: none yet */

    bool storage_failed; /* out of service: see slot.c */
    enum dynkv_mutant mutant;
    struct counters counters;
};

/* It is part of the cluster: has neither left nor been excluded. */
static inline bool member_counts(const struct member *member)
{
    return !member->info.left && !member->info.excluded;
}

static inline bool mutant_is(const struct dynkv_node *node, enum dynkv_mutant mutant)
{
    return node->mutant == mutant;
}

/* node.c */
void node_log(struct dynkv_node *node, enum dynkv_log_level level, const char *format, ...);
void node_on_request(struct dynkv_node *node, const struct dynkv_event *event);

/* send.c: messages out */
void node_send(struct dynkv_node *node, const struct member *to, uint8_t type, uint64_t request_id,
               uint32_t deadline_ms, const void *body);
void node_send_url(struct dynkv_node *node, struct dynkv_slice url, uint64_t cluster_id,
                   uint8_t type, const void *body);
void node_answer(struct dynkv_node *node, const struct source *source, uint8_t type,
                 const void *body);
void node_answer_error(struct dynkv_node *node, const struct source *source, enum dynkv_error error,
                       const char *format, ...);

/* members.c */
struct member *members_find(const struct dynkv_node *node, uint64_t id);
struct member *members_find_name(const struct dynkv_node *node, struct dynkv_slice name);
/* Merges one record; true if anything changed.  A record that can't be one is passed over. */
bool members_merge(struct dynkv_node *node, const struct dynkv_member *info);
/* This node's own place in the order of joining, as others have settled it; nothing is spread by this. */
void members_set_joined(struct dynkv_node *node, uint64_t joined);
/* To be called when records have been merged: brings ring and down up to date. */
void members_settle(struct dynkv_node *node);
/* Adds to those who accuse a member; false if it was there, or is greater than all that are kept. */
bool members_add_accuser(struct dynkv_node *node, struct member *member, uint64_t id);
/* The same with what a report says; one about a member that is not known here is passed over. */
bool members_merge_report(struct dynkv_node *node, const struct dynkv_report *report);
/* Every call follows a change of member->info: the digest moves along.  whole: see rumor_add. */
void members_changed(struct dynkv_node *node, struct member *member, bool whole);
uint64_t members_digest(const struct member *member);
/* Members that have not left, this node too. */
uint32_t members_present(const struct dynkv_node *node);
/* For good: its identity counts for nothing any more. */
void members_exclude(struct dynkv_node *node, struct member *member, uint64_t stamp);
void members_set_left(struct dynkv_node *node, struct member *member, uint64_t stamp);
struct dynkv_member *members_list(const struct dynkv_node *node, struct dynkv_arena *arena);
bool members_hold_data(const struct dynkv_node *node);
void members_fini(struct dynkv_node *node);

/* down.c */
/* This node finds it unreachable; aloud: and is well enough to tell others. */
void members_accuse(struct dynkv_node *node, struct member *member, bool aloud);
/* A message from it: what we think of it, but have told nobody, is forgotten. */
void members_heard_from(struct dynkv_node *node, struct member *member);
void members_refresh_down(struct dynkv_node *node);
/* Suspicions that run out are acted on. */
void members_down_tick(struct dynkv_node *node);
/* We slept: so much of the time of every suspicion did not count. */
void members_down_slept(struct dynkv_node *node, uint64_t ms);
struct dynkv_accuser *members_down_list(const struct dynkv_node *node, struct dynkv_arena *arena,
                                        uint32_t *count);

/* probe.c */
void probe_tick(struct dynkv_node *node);
/* A member is new: it is probed in this round still. */
void probe_add_member(struct dynkv_node *node, struct member *member);
/* One ping outside of the turn, so that it learns that it is suspected. */
void probe_warn(struct dynkv_node *node, struct member *member);
/* Own health goes up (worse) or down by so much. */
void probe_health(struct dynkv_node *node, int change);
void probe_fini(struct dynkv_node *node);
void on_ping(struct dynkv_node *node, struct member *from, const struct dynkv_ping *body);
void on_ping_reply(struct dynkv_node *node, struct member *from,
                   const struct dynkv_ping_reply *body);
void on_ping_nack(struct dynkv_node *node, struct member *from, const struct dynkv_ping_nack *body);

/* rumor.c */
/* The record goes out with the next pings; whole: more than incarnation and accusers changed. */
void rumor_add(struct dynkv_node *node, struct member *member, bool whole);
/* Everything that is to be sent is forgotten: it came from somebody who has told it already. */
void rumor_forget_all(struct dynkv_node *node);
/* What a ping or its answer to a member carries, in the step's arena. */
struct rumors {
    struct dynkv_member *news;
    struct dynkv_report *reports;
    uint32_t news_count, report_count;
};
struct rumors rumor_fill(struct dynkv_node *node, struct member *to);
void rumor_fini(struct dynkv_node *node);

/* keyspaces.c */
const struct keyspace *keyspaces_find(const struct dynkv_node *node, uint64_t id);
/* As find; if it is not there, the source is told so. */
const struct keyspace *keyspaces_require(struct dynkv_node *node, const struct source *source,
                                         uint64_t id);
bool keyspaces_merge(struct dynkv_node *node, const struct dynkv_keyspace_info *info);
struct dynkv_keyspace_info *keyspaces_list(const struct dynkv_node *node, bool dropped_too,
                                           struct dynkv_arena *arena, uint32_t *count);
void keyspaces_fini(struct dynkv_node *node);
/* For a reply to a client: what the keyspace holds, in the arena of the step; NULL and 0: not known. */
struct dynkv_extent *extent_tell(struct dynkv_node *node, const struct source *source,
                                 uint64_t keyspace, uint32_t *count);
void on_keyspace_open(struct dynkv_node *node, const struct source *source,
                      const struct dynkv_keyspace_open *body);
void on_keyspace_drop(struct dynkv_node *node, const struct source *source,
                      const struct dynkv_keyspace_drop *body);
void on_keyspace_list(struct dynkv_node *node, const struct source *source);

/* state.c: the META records */
bool state_restore(struct dynkv_node *node, struct dynkv_slice state);
/* A store that may have forgotten: nothing is served until somebody has told what was missed. */
void state_unsure_tick(struct dynkv_node *node);
/* A member of our cluster, known or not, is there. */
void state_met(struct dynkv_node *node, uint64_t from);
void state_heard_tables(struct dynkv_node *node, uint64_t from, bool they_are_unsure);
void state_save(struct dynkv_node *node, uint64_t token);
void state_save_if_stale(struct dynkv_node *node);
/* As save, and once it is durable the source is answered with this keyspace. */
void state_save_then_answer(struct dynkv_node *node, const struct source *source,
                            const struct dynkv_keyspace_info *keyspace);
uint64_t state_tables_digest(struct dynkv_node *node);

/* restart.c: which actor stamps what this run writes */
/* The first step: decides, or begins to ask. */
void restart_begin(struct dynkv_node *node);
/* Something shows that another run has used this store's identity since: its actor must not go on. */
void restart_is_old_copy(struct dynkv_node *node, const char *because);
void on_restarted(struct dynkv_node *node, const struct source *source,
                  const struct dynkv_restarted *body);

/* lease.c */
/* Takes actor, counters and clock over from the last run; clean: it may have an actor that can go on. */
void lease_restore(struct dynkv_node *node, struct dynkv_slice lease, bool clean);
void lease_tick(struct dynkv_node *node);
/* Saves it now, longer than it was. */
void lease_extend(struct dynkv_node *node);
/* The actor of this run is the new one from now on. */
void lease_renew(struct dynkv_node *node);
/* The next dot, or counter 0 if the lease (of counters or of time) is used up and its extension not
 * durable yet. */
struct dynkv_dot lease_next_dot(struct dynkv_node *node);
void lease_on_stored(struct dynkv_node *node, enum dynkv_error error);
/* No timestamp below this will be given out by a next life of this node. */
uint64_t lease_life_begins(const struct dynkv_node *node);
bool lease_defer(struct dynkv_node *node, const struct dynkv_event *event);
/* The same, if the clock has been moved past the lease (by this request's stamp, or a jump). */
bool lease_defer_ahead(struct dynkv_node *node, const struct dynkv_event *event);

/* defer.c */
/* False: too many wait already. */
bool defer_request(struct dynkv_node *node, const struct dynkv_event *event);
/* While unsure, and only shortly after the start. */
bool defer_until_sure(struct dynkv_node *node, const struct dynkv_event *event);
/* All that wait are looked at once more. */
void defer_retry(struct dynkv_node *node);
void defer_tick(struct dynkv_node *node);
void defer_fini(struct dynkv_node *node);

/* place.c: the ring in use */
void place_rebuild(struct dynkv_node *node);
/* The phase may be another: the two rings change roles. */
void place_follow(struct dynkv_node *node);
/* One number for the rings that writes go by; another one when a ring comes or goes, not when readers switch. */
uint64_t place_rings(const struct dynkv_node *node);
/* Whether the member holds a place now, or after the change that is open. */
bool place_is_held(const struct dynkv_node *node, uint64_t id);
/* The places that the table has, or the members' own stamps make; in the step's arena. */
struct dynkv_place *place_list(struct dynkv_node *node, uint32_t *count);
/* Whether the member holds a place in the ring that readers use. */
bool place_of_reader(const struct dynkv_node *node, uint64_t id);
/* Whether writes of a keyspace with this n go to the member: as to one of the readers' ring, or of the other. */
bool place_keeps(const struct dynkv_node *node, uint32_t partition, uint64_t member, uint32_t n);
/*
 * Whether the change takes a partition from members that are there and gives it, for the keyspace of the fewest
 * replicas, to nobody but excluded ones who have not proved to hold it.  What is so once the change has
 * switched is not so before; so it must not switch.
 */
bool place_strands(const struct dynkv_node *node, const struct dynkv_ring *before,
                   const struct dynkv_ring *after);
uint32_t place_partition(const struct dynkv_node *node, uint64_t keyspace, struct dynkv_slice key,
                         uint32_t partition_len);
/* Replicas of a partition in order of preference; returns how many (at most n). */
uint32_t place_replicas(const struct dynkv_node *node, uint32_t partition, uint32_t n,
                        uint64_t out[DYNKV_REPLICAS_MAX]);
/* The same, without members that are down, and with this node first if it is one of them. */
uint32_t place_readable(const struct dynkv_node *node, uint32_t partition, uint32_t n,
                        uint64_t out[DYNKV_REPLICAS_MAX]);
bool place_is_up(const struct dynkv_node *node, uint64_t id);

/* stage.c: this node's part in a change */
bool change_is_open(const struct dynkv_node *node); /* committed, and not over */
enum dynkv_change_phase stage_phase(const struct dynkv_node *node);
/* The members whose entering of the sets counts; free with id_set_fini. */
struct id_set stage_needed(const struct dynkv_node *node);
/* What a peer, or our store, tells; true if it was news.  members_settle must follow. */
bool stage_merge_tables(struct dynkv_node *node, const struct dynkv_ring_table *tables,
                        uint32_t count);
bool stage_merge_changes(struct dynkv_node *node, const struct dynkv_change_record *changes,
                         uint32_t count);
/* The change was edited or committed here: it is saved, and the others are told. */
void stage_changed(struct dynkv_node *node);
/* Ours, as they go into a message: 0 or 1 of each. */
struct dynkv_ring_table *stage_table(const struct dynkv_node *node, struct dynkv_arena *arena,
                                     uint32_t *count);
struct dynkv_change_record *stage_change(const struct dynkv_node *node, struct dynkv_arena *arena,
                                         uint32_t *count);
uint64_t stage_digest(const struct dynkv_node *node);
void stage_tick(struct dynkv_node *node);
void stage_fini(struct dynkv_node *node);

/* plan.c: what clients ask about it */
void on_cluster_change(struct dynkv_node *node, const struct source *source,
                       const struct dynkv_cluster_change *body);

/* gossip.c, join.c */
/* All of it to one member; answer: it sends its own back. */
void gossip_send_tables(struct dynkv_node *node, struct member *to, bool answer);
/* A step in a change: keyspaces, table and change go to all, if they are not too many. */
void gossip_spread_change(struct dynkv_node *node);
/* A record of this node's making changed: few members are told at once, many by rumour. */
void gossip_spread_member(struct dynkv_node *node, struct member *about);
/* The same for a change that is a rumour already: members_changed. */
void gossip_tell_few(struct dynkv_node *node, struct member *about);
/* A keyspace changed: all are told. */
void gossip_spread_tables(struct dynkv_node *node);
/* This node has just started: it tells of itself, and asks what it missed. */
void gossip_announce(struct dynkv_node *node);
/* A peer's digest: if it differs from ours, tables are exchanged, if it is time. */
void gossip_compare(struct dynkv_node *node, struct member *with, uint64_t digest);
void gossip_merge(struct dynkv_node *node, const struct dynkv_member *members,
                  uint32_t member_count, const struct dynkv_report *reports, uint32_t report_count);
void on_gossip(struct dynkv_node *node, uint64_t sender, const struct dynkv_gossip *body);
void join_tick(struct dynkv_node *node);
void on_join(struct dynkv_node *node, const struct dynkv_join *body);
void on_join_reply(struct dynkv_node *node, const struct dynkv_join_reply *body);

/* op.c */
void *op_new(struct dynkv_node *node, const struct op_class *class, size_t size,
             const struct source *source, uint32_t deadline_ms);
struct op *op_find(struct dynkv_node *node, uint64_t token);
void op_end(struct dynkv_node *node, struct op *op);
/* Between hold and release the operation stays in memory, even if it ends. */
void op_hold(struct op *op);
void op_release(struct dynkv_node *node, struct op *op);
uint64_t op_token(const struct op *op, uint32_t index);
uint32_t op_index(uint64_t token);
/* Opens a sub-request: it is answered, or fails when the peer is found to be down. */
uint32_t op_ask(struct dynkv_node *node, struct op *op, uint64_t peer, void *data);
uint32_t op_left_ms(const struct dynkv_node *node, const struct op *op);
void op_tick(struct dynkv_node *node);
void op_on_answer(struct dynkv_node *node, const struct dynkv_envelope *envelope,
                  const union dynkv_body *body);
void op_on_member_down(struct dynkv_node *node, uint64_t member);
/* Emits a LOAD for a key of the operation. */
void op_load(struct dynkv_node *node, struct op *op, uint32_t item, uint64_t keyspace,
             uint32_t partition, struct dynkv_slice key);

/* merge.c */
struct dynkv_object merge_objects(const struct dynkv_node *node, const struct dynkv_object *mine,
                                  const struct dynkv_object *theirs, struct dynkv_arena *arena);

/* slot.c */
struct slot_key {
    uint64_t keyspace;
    uint32_t partition;
    uint32_t partition_len;
    struct dynkv_slice key;
    uint64_t hint_for; /* the hint for this member; 0: the record */
};
/* Changes the object of a key through op->class->mutate, in turn with all other changes to it. */
void slot_change(struct dynkv_node *node, const struct slot_key *at, struct op *op, uint32_t item);
bool slot_on_loaded(struct dynkv_node *node, uint64_t token, enum dynkv_error error,
                    struct dynkv_slice record);
/* A change is waiting, or on its way to the store: what the store holds is not the newest. */
bool slot_is_busy(const struct dynkv_node *node, const struct slot_key *at);
/* A hint of this partition is being changed: the store may have one that is not counted, or no more. */
bool slot_changes_hints(const struct dynkv_node *node, uint32_t partition);
void slot_on_stored(struct dynkv_node *node, uint64_t token, enum dynkv_error error);
/* One flag a partition, in the step's arena: a change to a record of it is under way. */
const bool *slot_busy_partitions(const struct dynkv_node *node);
/* The records of a tree are being dropped: from hold to release new slots of it wait with their loads. */
void slot_hold(struct dynkv_node *node, uint64_t keyspace, uint32_t partition);
void slot_release(struct dynkv_node *node, uint64_t keyspace, uint32_t partition);
/* The object inside a record; CORRUPT if it is none. */
enum dynkv_error record_open(struct dynkv_slice record, uint32_t *partition_len,
                             struct dynkv_slice *object);
void storage_has_failed(struct dynkv_node *node, enum dynkv_error error, const char *doing);
void slots_fini(struct dynkv_node *node);

/*
 * hints.c: which hints there are, and whether there is room for another.  All changes to hints go through
 * their slots, which tell; the survey after a start tells of those that were there before.
 */
/* A slot is about to store a hint of so many bytes (0: to delete it).  False: no room; it must not. */
bool hints_take(struct dynkv_node *node, const struct slot_key *at, size_t bytes);
void hints_seen(struct dynkv_node *node, const struct slot_key *at, size_t bytes);
/* All that the last run left have been seen. */
void hints_surveyed(struct dynkv_node *node);
/* For the lease: sets the bounds to what there is and some more. */
void hints_reserve(struct dynkv_node *node);
/* The actor that stamps what this node coordinates as a fallback on this hint; 0: none yet (put.h). */
uint64_t hints_lineage(const struct dynkv_node *node, const struct slot_key *at);
void hints_set_lineage(struct dynkv_node *node, const struct slot_key *at, uint64_t lineage);
/* The key of a hint in the store, and back; false: it is none. */
struct dynkv_slice hints_key(const struct slot_key *at, struct dynkv_arena *arena);
bool hints_key_open(struct dynkv_slice key, uint64_t hint_for, struct slot_key *at);
/*
 * How many hints of a partition this node keeps.  Exact once hints_are_surveyed; before that, no less than
 * the ones stored since the start.
 */
uint32_t hints_in_partition(const struct dynkv_node *node, uint32_t partition);
bool hints_are_surveyed(const struct dynkv_node *node);
void hints_fini(struct dynkv_node *node);

/* handoff.c: bringing hints home */
void handoff_tick(struct dynkv_node *node);
/* A keyspace was dropped: its hints are to be found and deleted. */
void handoff_survey_again(struct dynkv_node *node);

/* the operations */
void on_get(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
            const struct dynkv_get *body);
void on_put(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
            const struct dynkv_put *body);
/* Whether a write of an operation that began before this one is undecided still. */
bool put_is_undecided_before(const struct dynkv_node *node, uint64_t op_id);
void on_scan(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
             const struct dynkv_scan *body);
void on_replicate(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
                  const struct dynkv_replicate *body);
void on_verify(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
               const struct dynkv_verify *body);
void on_repair(struct dynkv_node *node, const struct source *source,
               const struct dynkv_repair *body);
void on_hello(struct dynkv_node *node, const struct source *source, const struct dynkv_hello *body);
void on_ring(struct dynkv_node *node, const struct source *source,
             const struct dynkv_ring_request *body);
void on_status(struct dynkv_node *node, const struct source *source);

/* remember.c: applied writes */
struct written { /* one item as its client asked for it */
    uint64_t client, sequence, keyspace;
    struct dynkv_slice key, context, value;
    uint64_t expires_at_ms;
    uint8_t flags;
};
struct applied { /* what came of it */
    struct dynkv_dot dot;
    uint64_t timestamp;
    struct dynkv_slice context;
    uint8_t siblings;
};
/* True if this very write was applied here before; what came of it is borrowed until the next remember. */
bool remember_find(struct dynkv_node *node, const struct written *written, struct applied *out);
/* A write that is not remembered yet. */
void remember(struct dynkv_node *node, const struct written *written,
              const struct applied *applied);
void remember_fini(struct dynkv_node *node);

#endif
