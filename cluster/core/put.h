/*
 * put.h: a PUT in flight, shared by op_put.c (its life), put_route.c (who takes part), put_apply.c (the new
 * object) and put_send.c (what is sent).
 *
 * Each item has up to N roles.  A role is a place among its N replicas, taken by the replica itself or, while
 * that one is absent, by a fallback: the next member on the walk that is up and has no role yet.  A fallback
 * keeps the object as a hint for the absent replica (op_replicate.c, hints.c) and hands it over when that one
 * is back (handoff.c).  A role that fails while it is asked, for whatever reason, is given to the next
 * fallback in turn.  No member ever has two roles of one item.
 *
 * What is promised:
 *   - a write that is not strict succeeds if W members are reachable and can store it, replicas or not;
 *   - every role that acknowledged holds the object durably; W of them count, a fallback like a replica;
 *   - while there are members enough, a replica that was down or silent during the write gets the object from
 *     a fallback, without being read;
 *   - a strict write counts replicas only, and leaves no hint.
 * What is not:
 *   - R + W > N does not make a read see a sloppy write before its hints are handed over: a fallback's hints
 *     are invisible to GET and SCAN.  Who needs that writes with strict;
 *   - hints have a quota, and a fallback that is lost takes its hints with it.  What they would have brought
 *     is brought by read repair and anti-entropy, as long as one replica has it.
 *
 * The coordinator is a replica of the readers' ring whenever one is up: a new replica that has not proved yet
 * that it holds all lacks, maybe, writes of its own from an earlier time, and must not stamp another.  If none
 * is, the first fallback coordinates; it has no record of the key, and changes the hint it keeps for the first
 * replica instead.  Its store incarnation may not stamp such a write: a version vector says "all of this actor's writes up to n", which holds only where
 * the actor's earlier writes of the key are at hand, and a hint that was handed over is not.  So it stamps
 * with a lineage: an actor of its own for as long as this hint exists (hints.c).  Riak lost writes for want
 * of that (riak_kv kv679, "the local read found nothing").
 */
#ifndef DYNKV_CORE_PUT_H
#define DYNKV_CORE_PUT_H

#include "core/node_impl.h"

/* Replicas, of two rings, and fallbacks that were tried in turn because one failed when it was asked. */
#define PUT_ROLES_MAX (4u * DYNKV_REPLICAS_MAX)

/*
 * While a change of the membership is open a write has two sides: the replicas of the ring that readers use, and
 * those of the other one.  It goes to all of them, once to who is of both, and needs W of each side.
 */
enum put_side {
    PUT_SIDE_READERS = 1,
    PUT_SIDE_OTHER = 2,
};

struct put_role {
    uint64_t member;
    uint64_t hint_for; /* 0: a replica, which keeps it as its own */
    uint8_t sides;     /* enum put_side */
    bool open;         /* its acknowledgement may still come */
    bool sent;
    bool acked;
};

struct put_item {
    struct slot_key at; /* hint_for is set where a fallback coordinates */
    uint8_t flags;
    bool decided;
    uint8_t acks;  /* of the side that has fewer */
    uint8_t sides; /* enum put_side: what it needs W acknowledgements of */
    uint8_t open;  /* roles that are */
    struct dynkv_slice context, value;
    uint64_t expires_at_ms;
    struct dynkv_slice object; /* once applied */
    struct dynkv_dot dot;      /* of the new sibling; counter 0: nothing new was made */
    uint64_t lineage;          /* the actor that stamped it, where a fallback coordinates */
    struct put_role roles[PUT_ROLES_MAX];
    uint32_t role_count;
    uint32_t walk_at; /* place on the walk where the next fallback is looked for */
    struct dynkv_put_result result;
};

struct put_op {
    struct op op;
    uint64_t keyspace, ttl_ms;
    uint32_t n, w;
    uint8_t flags;
    uint64_t client, sequence, stamp;
    struct put_item *items;
    uint32_t item_count, undecided, unapplied;
    uint32_t open; /* roles of all items */
    size_t bytes;  /* of keys, values and objects */
    bool answered, lingers;
};

/* ---- put_route.c ---- */

enum put_route {
    PUT_HERE,    /* the roles are set, one of them this node's */
    PUT_FORWARD, /* *to coordinates it */
    PUT_NOWHERE, /* *error is why */
};

enum put_route put_route(struct dynkv_node *node, struct put_op *put, struct put_item *item,
                         enum dynkv_error *error, uint64_t *to);
/* A fallback in the place of a role that failed; NULL if there is none (or the write is strict). */
struct put_role *put_route_fallback(struct dynkv_node *node, struct put_op *put,
                                    struct put_item *item, const struct put_role *failed);
/* Roles that have acknowledged, and if hoped for those that still may, of the side that has fewer. */
uint32_t put_route_acks(const struct put_item *item, bool hoped);

/* ---- put_apply.c ---- */

/*
 * The mutate of the operation's class: adds the item's sibling to what is there.  NOT_FOUND: the write is a
 * repetition, and what became of it was reaped.  STALE: something as new as its stamp is known here.
 */
enum dynkv_error put_mutate(struct dynkv_node *node, struct op *op, uint32_t index,
                            const struct dynkv_object *current, struct dynkv_arena *arena,
                            struct dynkv_object *out);

/* The item's new sibling has been accepted: a repetition of it is to be recognised from now on. */
void put_remember(struct dynkv_node *node, const struct put_op *put, const struct put_item *item);

/* ---- put_send.c ---- */

/* The items that a message to a peer is about. */
struct put_batch {
    uint64_t peer, hint_for;
    bool is_forward;
    uint32_t *items;
    uint32_t count;
    size_t bytes;
    uint32_t resends; /* so often was it sent again, because it was found STALE */
    struct put_batch *next;
};

void put_batch_add(struct put_op *put, struct put_batch **all, uint64_t peer, uint64_t hint_for,
                   bool is_forward, uint32_t item);
/* Sends what was gathered; each message is a question of the operation, its data the batch. */
void put_send(struct dynkv_node *node, struct put_op *put, struct put_batch *all);
/* Sends a batch of objects again, stamped anew. */
void put_send_again(struct dynkv_node *node, struct put_op *put, const struct put_batch *batch);
/* Sends the batches, which are objects, without waiting for answers. */
void put_send_unasked(struct dynkv_node *node, struct put_op *put, struct put_batch *all);

#endif
