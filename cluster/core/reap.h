/*
 * reap.h: tombstones, and objects of which every sibling has expired, are deleted everywhere, on proof.
 *
 * A record is dead if no sibling of it is alive.  Deleting it is safe only when nothing older than it, which
 * it hides, is left anywhere: on a disk, in a hint, in the memory of some operation, in a message on its way.
 * Age proves none of that (Cassandra's gc_grace; riak_kv #311, #1777, #1850, #1869).  So there are rounds,
 * each about one partition of one keyspace, led by the first replica of it:
 *
 *   FIND    a page of the partition is read; what is dead in it are the candidates               reap.c
 *   CHECK   each other replica tells which of them it holds exactly (the same digest), on disk,
 *           with no change to them under way.  What all hold goes on.  Objects only grow, so from
 *           now on a replica holds that version or one that has seen it.
 *   QUIET   every member (any may be a coordinator or a fallback) answers when all operations
 *           that were open when the question came have ended, and if it has no hint of the
 *           partition, and no records of it unless it is a replica.  An operation that began later
 *           has read from replicas that have passed CHECK.  So after this nobody can send anything
 *           older any more; what was sent is stamped before the answer.
 *   FENCE   every member is told a time that is later than all those answers, refuses from now on
 *           what was sent before it (STALE), and answers, as before, when all operations that were
 *           open have ended, and if there is no hint still.
 *   DELETE  each replica deletes what it still holds exactly, in the key's slot.
 *
 * Anything unexpected on the way (a refusal, silence, a member that is down, a changed ring) ends the round,
 * and nothing has happened.  If only some replicas delete, anti-entropy brings the dead object back to them:
 * it, and never what it hides, for that is gone.  So DELETE may be lost, late or repeated: from the FENCE on
 * the dead object may go at any time.  A write that comes meanwhile makes another digest, and is not touched;
 * one with an old context that comes after it is a new write.
 *
 * Two rounds about all members where the design has one: with one, a hint that was on its way to a member
 * that had already answered would be stored behind its back.  And roots need not be equal before: CHECK
 * compares every key itself, and a partition that is written all the time would never be reaped.
 *
 * The fence outlives a restart: it is durable before the FENCE is answered (the latest one, which then is that
 * of all partitions).  And nothing with objects is stamped later than where a next life of its sender would
 * begin (send.c), so that what a life has sent is older than what the next one answers.
 *
 * What this does not cover: a store that goes back in time (an old copy put back by hand, a machine that lost
 * what it had called durable) brings back what has been deleted and reaped since.
 *
 * An object is dead by the clock of every replica, and by DYNKV_CLOCK_DRIFT_MAX_MS at that: members that are
 * further apart do not talk to each other.
 */
#ifndef DYNKV_CORE_REAP_H
#define DYNKV_CORE_REAP_H

#include "core/node_impl.h"

struct quiet_op;

struct reap {
    /* the search for what is dead */
    uint64_t next_ms;  /* monotonic: the next round */
    bool leading;      /* a round of ours is under way */
    uint32_t keyspace; /* index; where the search goes on */
    uint32_t partition;
    struct dynkv_buf cursor;  /* in that partition; empty: its beginning */
    bool timed;               /* this pass looks also where only time can have killed */
    uint64_t timed_next_ms;   /* the next such pass */
    struct reap_op *draining; /* ours, waiting for this node's own operations; NULL: none */
    /* what others have asked */
    struct quiet_op *quiet; /* questions that wait for operations to end */
    uint32_t quiet_count;
    uint64_t *fences; /* of each partition; NULL: none yet */
    uint64_t former_fence;
};

/* fence: the latest of this node's former lives, and of all partitions. */
struct reap *reap_new(uint64_t fence);
void reap_free(struct reap *reap);
void reap_tick(struct dynkv_node *node);

/* What was sent at that time may carry what has been reaped since: it must not be taken. */
bool reap_is_fenced(const struct dynkv_node *node, uint32_t partition, uint64_t timestamp);

/* ---- reap_answer.c, also for the leader's own part ---- */

/* Whether this node sees the place as the one who leads the round; OK, or why not. */
enum dynkv_error reap_agree(const struct dynkv_node *node, uint64_t ring_version, uint64_t keyspace,
                            uint32_t partition, uint8_t n);
/* No hint, no record that is not ours, none of them just on its way out of the store. */
bool reap_is_bare(const struct dynkv_node *node, uint64_t keyspace, uint32_t partition, uint8_t n);
/* All operations up to this one have ended; those of reaping don't count. */
bool reap_is_drained(const struct dynkv_node *node, uint64_t watermark);
/* From now on; it has to be durable (node->fence_durable) before anybody is told that it stands. */
void reap_set_fence(struct dynkv_node *node, uint32_t partition, uint64_t fence);
/* Dead by this node's clock, with the margin. */
bool reap_is_dead(const struct dynkv_node *node, const struct dynkv_object *object);
/* The change of a slot: what is exactly this, and dead, is deleted. */
enum dynkv_error reap_mutate(const struct dynkv_node *node, uint64_t digest,
                             const struct dynkv_object *current, struct dynkv_object *out);
/* Answers those who wait for operations that have ended. */
void reap_answer_tick(struct dynkv_node *node);
void on_reap_check(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
                   const struct dynkv_reap_check *body);
void on_reap_quiet(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
                   const struct dynkv_reap_quiet *body);
void on_reap(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
             const struct dynkv_reap *body);

#endif
