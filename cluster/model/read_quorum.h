/*
 * read_quorum.h: one quorum read of one key, as pure data.
 *
 * Both the node that coordinates a read and the client that asks the replicas itself drive this: it
 * says whom to ask next and for what, is shown each answer, and ends with the merged object and the
 * list of stale replicas.  No time, no sockets: a timeout is shown to it as a failed answer.
 *
 * One replica is asked for the whole object, the others for its digest only; a digest that differs is
 * followed by asking that replica for the object.  A replica that fails is replaced by the next on the
 * list; one that is merely slow is joined by the next (hedge).  The read ends when r replicas have
 * answered and every differing one of them was fetched.
 *
 *   states: ASKING (some answers outstanding, or somebody to ask) -> DONE or FAILED.
 *
 * After basho/riak_kv riak_kv_get_core (the idea of a quorum read as pure data).
 */
#ifndef DYNKV_MODEL_READ_QUORUM_H
#define DYNKV_MODEL_READ_QUORUM_H

#include "model/object.h"

enum dynkv_want {
    DYNKV_WANT_OBJECT = 0,
    DYNKV_WANT_DIGEST = 1,
};

enum dynkv_read_state {
    DYNKV_READ_ASKING,
    DYNKV_READ_DONE,
    DYNKV_READ_FAILED, /* fewer than r can still answer */
};

enum dynkv_replica_state {
    DYNKV_REPLICA_UNASKED,
    DYNKV_REPLICA_WAITING_OBJECT,
    DYNKV_REPLICA_WAITING_DIGEST,
    DYNKV_REPLICA_HAS_DIGEST,
    DYNKV_REPLICA_HAS_OBJECT,
    DYNKV_REPLICA_FAILED,
};

struct dynkv_read_replica {
    enum dynkv_replica_state state;
    uint64_t digest; /* of what it holds, when HAS_DIGEST or HAS_OBJECT */
};

struct dynkv_read_quorum {
    uint32_t n; /* replicas that may be asked, in order of preference */
    uint32_t r;
    uint32_t extra; /* replicas to ask beyond r, because one was slow */
    struct dynkv_read_replica replicas[DYNKV_REPLICAS_MAX];
    struct dynkv_object merged; /* of all objects seen so far; arena of the caller */
    uint64_t merged_digest;
    bool has_object;
};

/* n <= DYNKV_REPLICAS_MAX; r from 1.  r > n is FAILED from the start. */
void dynkv_read_quorum_init(struct dynkv_read_quorum *read, uint32_t n, uint32_t r);

/*
 * The next request to send, if any: true, and which replica (index into the list) and what to ask.
 * Marks it as asked.  Call until false, then send, then show the answers.
 */
bool dynkv_read_quorum_next(struct dynkv_read_quorum *read, uint32_t *replica,
                            enum dynkv_want *want);

/* Answers.  object is merged into read->merged in the arena; its bytes must outlive the read. */
void dynkv_read_quorum_on_object(struct dynkv_read_quorum *read, uint32_t replica,
                                 const struct dynkv_object *object, struct dynkv_arena *arena);
void dynkv_read_quorum_on_digest(struct dynkv_read_quorum *read, uint32_t replica, uint64_t digest);
void dynkv_read_quorum_on_failure(struct dynkv_read_quorum *read, uint32_t replica);

/* The replica has the answer, but its reply was full: it will be asked again. */
void dynkv_read_quorum_on_truncated(struct dynkv_read_quorum *read, uint32_t replica);

/*
 * Somebody is slow: one more replica may be asked (if there is one), and whoever answers first counts.
 * If it is the first object that is slow, those who gave a digest are asked for theirs as well.
 */
void dynkv_read_quorum_hedge(struct dynkv_read_quorum *read);

enum dynkv_read_state dynkv_read_quorum_state(const struct dynkv_read_quorum *read);
/* How many replicas have answered. */
uint32_t dynkv_read_quorum_answers(const struct dynkv_read_quorum *read);
/* When DONE: whether this replica answered with something else than the merged result. */
bool dynkv_read_quorum_is_stale(const struct dynkv_read_quorum *read, uint32_t replica);

#endif
