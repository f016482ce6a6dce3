/*
 * message_change.h: the messages of staged changes of the membership; a part of message.h.
 *
 * Clients stage, look at the plan and commit (CLUSTER_CHANGE, CLUSTER_PLAN); nodes gossip the places and the
 * change, and prove to each other who holds what (PROVE, PULL).  What a change is: core/change.h.
 */
#ifndef DYNKV_WIRE_MESSAGE_CHANGE_H
#define DYNKV_WIRE_MESSAGE_CHANGE_H

#include "base/bytes.h"

struct dynkv_accuser;
struct dynkv_replicate_item;

/* ---- places ---- */

/*
 * A place of the ring, model/ring.h.  It is the place that has tokens and is replayed; who holds it may
 * change (a replacement), and nothing else moves then.
 */
struct dynkv_place {
    uint64_t id;     /* of the member that held it first */
    uint64_t holder; /* of the member that holds it now */
    uint64_t zone;   /* dynkv_ring_zone of the name */
    uint32_t weight;
    uint64_t joined, left; /* stamps */
};

/* ---- asked by clients: stage, look at the plan, commit ---- */

enum dynkv_cluster_action {
    DYNKV_CLUSTER_STATUS = 1, /* what is there, and how far it is */
    DYNKV_CLUSTER_PLAN = 2,   /* the same, with what would move and what is in the way */
    DYNKV_CLUSTER_JOIN = 3,   /* stage: the candidate `name` gets a place */
    DYNKV_CLUSTER_LEAVE = 4,  /* stage: the member `name` gives its place up */
    /* stage: the candidate `other` takes over the place of `name`; empty: the one of the same name, or
     * the only one there is */
    DYNKV_CLUSTER_REPLACE = 5,
    DYNKV_CLUSTER_EXCLUDE = 6, /* at once and for good: `name`, which is down, counts no more */
    DYNKV_CLUSTER_COMMIT = 7,
    DYNKV_CLUSTER_CANCEL = 8, /* forget what is staged, or take back what is committed */
};

/* Answered by CLUSTER_PLAN, or by an ERROR (REFUSED, NOT_FOUND, INVALID) that says what to do. */
struct dynkv_cluster_change {
    uint8_t action;
    struct dynkv_slice name;
    struct dynkv_slice other;
};

enum dynkv_change_phase {
    DYNKV_CHANGE_NONE = 0,       /* nothing is staged */
    DYNKV_CHANGE_STAGED = 1,     /* it has no effect yet */
    DYNKV_CHANGE_COMMITTING = 2, /* members begin to write to the old and the new replicas */
    DYNKV_CHANGE_MOVING = 3,     /* all do; data are on their way */
    DYNKV_CHANGE_SWITCHED = 4,   /* readers use the new ring, and members notice */
    DYNKV_CHANGE_CANCELLING = 5, /* readers use the old ring again, and members notice */
    DYNKV_CHANGE_FINISHED = 6,   /* never told: then there is no change any more */
};

enum dynkv_change_kind {
    DYNKV_CHANGE_JOIN = 1,
    DYNKV_CHANGE_LEAVE = 2,
    DYNKV_CHANGE_REPLACE = 3,
};

struct dynkv_plan_entry {
    uint8_t kind; /* enum dynkv_change_kind */
    uint64_t member, other;
    struct dynkv_slice member_name; /* who joins, leaves, or is replaced */
    struct dynkv_slice other_name;  /* REPLACE: the replacement */
};

enum dynkv_plan_role {
    DYNKV_ROLE_PLACED = 1,    /* it holds a place, before and after */
    DYNKV_ROLE_CANDIDATE = 2, /* it holds none, and gets none */
    DYNKV_ROLE_JOINING = 3,   /* it gets one: its own, or another's */
    DYNKV_ROLE_LEAVING = 4,   /* it gives its place up */
    DYNKV_ROLE_LEAVER = 5,    /* it has given it up, and hands its data over */
};

/* What the change means for one member.  Replicas are counted at the greatest n of all keyspaces. */
struct dynkv_plan_member {
    uint64_t id;
    struct dynkv_slice name;
    uint8_t role; /* enum dynkv_plan_role */
    uint8_t down, excluded;
    uint32_t replicas_before, replicas_after; /* partitions it holds a replica of */
    uint32_t gained, lost;
    uint8_t accepted, ready, seen, reverted; /* how far it is, see enum dynkv_change_phase */
    /* Of what it gains, the part of which the answering node is the first replica that is up: so what all of
     * them answer adds up to all that it has to fetch.  Bytes are of keys and values. */
    uint64_t gained_keys, gained_bytes;
};

struct dynkv_blocker {
    struct dynkv_slice
        text; /* a sentence: what keeps the commit from being made, or from going on */
};

struct dynkv_cluster_plan {
    uint8_t phase;    /* enum dynkv_change_phase */
    uint64_t epoch;   /* of the ring */
    uint64_t changes; /* how many were ended so far, cancelled ones too */
    struct dynkv_plan_entry *entries;
    uint32_t entry_count;
    struct dynkv_plan_member *members; /* that have not left */
    uint32_t member_count;
    struct dynkv_blocker *blockers;
    uint32_t blocker_count;
    uint8_t uncounted; /* keyspaces of which the answerer's trees are not ready, at most 255 */
};

/* ---- gossiped ---- */

/* What the ring is replayed from, once a change of the membership has been finished; see core/change.h. */
struct dynkv_ring_table {
    uint64_t epoch;   /* how many were finished */
    uint64_t changes; /* how many were ended, cancelled ones too: the number of the last one */
    struct dynkv_place *places; /* of epoch 0: none, the members' own stamps make the ring */
    uint32_t place_count;
};

struct dynkv_change_entry {
    uint8_t kind; /* enum dynkv_change_kind */
    uint64_t member;
    uint64_t other; /* REPLACE: the replacement */
};

/* A change of the membership, see core/change.h.  The lists of ids are sets that only grow. */
struct dynkv_change_record {
    uint64_t number; /* ring_table.changes + 1 */
    uint64_t id;     /* random; of the proposal that was committed */
    uint64_t stamp;  /* of the last edit, or of the commit: joins and leaves are dated by it */
    uint8_t committed, cancelled;
    struct dynkv_change_entry *entries;
    uint32_t entry_count;
    struct dynkv_accuser *accepted;
    uint32_t accepted_count;
    struct dynkv_accuser *ready;
    uint32_t ready_count;
    struct dynkv_accuser *seen;
    uint32_t seen_count;
    struct dynkv_accuser *reverted;
    uint32_t reverted_count;
    struct dynkv_place *places; /* once committed: those after the change */
    uint32_t place_count;
};

/* ---- staged changes: what a gaining member lacks, and what an ex-owner may let go of ---- */

struct dynkv_prove_place {
    uint64_t keyspace;
    uint32_t partition;
    uint64_t root; /* of the asker's tree */
};

/* "Are these your roots too?" */
struct dynkv_prove {
    struct dynkv_prove_place *places;
    uint32_t place_count;
};

enum dynkv_proof {
    DYNKV_PROOF_UNKNOWN = 0, /* the answerer's tree is not ready, or it knows no such keyspace */
    DYNKV_PROOF_EQUAL = 1,   /* and all of it is durable */
    DYNKV_PROOF_DIFFERS = 2,
};

struct dynkv_prove_result {
    uint8_t proof; /* enum dynkv_proof */
};

struct dynkv_prove_reply {
    struct dynkv_prove_result *results; /* one a place, in their order */
    uint32_t result_count;
};

/* "Give me the objects of this partition, from lower on." */
struct dynkv_pull {
    uint64_t keyspace;
    uint32_t partition;
    struct dynkv_slice lower;
};

struct dynkv_pull_reply {
    uint8_t error;
    uint8_t more; /* there are others from next on */
    struct dynkv_slice next;
    struct dynkv_replicate_item *items; /* rising by key */
    uint32_t item_count;
};

#endif
