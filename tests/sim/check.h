/*
 * check.h: the checkers, one file each, and what calls them.
 *
 * The oracle (oracle.c) is told of everything that happens and asks them.  Invariants go by the numbers of
 * the project's list; a violation names its number:
 *
 *    1 dot       check_dot.c       one dot, one value, ever
 *    2 vanish    check_vanish.c    a value vanishes only under a context that contains its dot
 *    3 acks      check_acks.c      an acknowledged write is on as many disks as was said, and stays
 *    4 maximal   check_final.c     at the end the siblings are the oracle's maximal writes
 *    5 merge     check_merge.c     merging is commutative, associative, idempotent, byte for byte
 *    6 trees     check_tree.c      a live tree is the one made from the store
 *    7 return    check_return.c    what was superseded is not seen again beside what superseded it
 *                check_reap.c      nor what was reaped, anywhere; and only what is dead everywhere is
 *    9 drop      check_change.c    what is dropped is held by its owners; changes end in one way
 *    8 ring      check_ring.c      a node's ring is that of its members, covers all, and is balanced
 *   10 identity  check_acks.c      only replicas under their own identity hold data and count
 *   11 once      check_once.c      a write applies once, whole, as it was asked for
 *   12 limits    check_limits.c    limits and quotas are kept, refusals are counted
 *   13 quorum    check_quorum.c    r + w > n: a read sees the latest acknowledged writes
 *   14 converge  check_final.c     after healing all replicas are identical and all is quiet
 *   15 serve     run.c, trial.c    with W members reachable a write succeeds; with all, every request
 *   16 repair    check_repair.c    repairs cost in proportion to what differs
 *   C  clock     check_clock.c     what was caused later is stamped later
 *   O  order     scan.c            a scan gives keys in the order that was asked for
 *   F  filter    check_filter.c    a filter leaves out nothing that may match, and gives what does alone
 */
#ifndef DYNKV_SIM_CHECK_H
#define DYNKV_SIM_CHECK_H

#include "sim.h"

/* An object that a node made of a key: before and after. */
struct sim_change {
    struct sim_node *node;
    struct sim_key *key;
    struct dynkv_slice before_bytes, after_bytes;
    struct dynkv_object before, after;
    struct sim_applied *applied; /* the put that did it; NULL: a merge */
    bool is_hint;                /* what changed is a hint, not a record */
};

/* ---- told by the parts ---- */

void check_on_changed(struct sim *sim, struct sim_node *node,
                      const struct dynkv_effect_store *store);
void check_on_durable(struct sim *sim, struct sim_node *node,
                      const struct dynkv_effect_store *store);
void check_on_reply(struct sim *sim, struct sim_node *node, const struct dynkv_effect_reply *reply);
void check_on_sent(struct sim *sim, struct sim_node *node, uint32_t first);
void check_on_tick(struct sim *sim, struct sim_node *node);
/* A node's disk turns into an older or empty one. */
void check_on_disk_lost(struct sim *sim, struct sim_node *node, const struct sim_disk *now);
/* A client was shown an object of a key. */
void check_on_seen(struct sim *sim, const struct sim_need *need, const struct dynkv_object *object);

/* ---- the oracle ---- */

/* The object inside a record, encoded, and decoded (the empty object if there is none). */
struct dynkv_slice oracle_record_object(struct dynkv_slice record);
struct dynkv_object oracle_object(struct sim *sim, struct dynkv_slice record);
struct sim_key *oracle_key(struct sim *sim, uint64_t keyspace, struct dynkv_slice bytes);
struct sim_applied *oracle_applied(struct sim *sim, struct dynkv_dot dot);
struct sim_write *oracle_write_new(struct sim *sim, struct sim_key *key);
struct sim_write *oracle_write_of(struct sim *sim, const struct dynkv_sibling *sibling);
/* What a node's disk holds of a key now; the empty object if nothing. */
struct dynkv_object oracle_held(struct sim *sim, struct sim_node *node, const struct sim_key *key);
/* Replicas of the key that hold the dot durably now (bits by node). */
/* The replicas of a ring alone: what readers meet. */
uint32_t oracle_replica_holders(struct sim *sim, const struct dynkv_ring *ring,
                                const struct sim_key *key, struct dynkv_dot dot);
/* The node has it on disk, as a record or a hint, whether that counts or not. */
bool oracle_disk_has(struct sim *sim, struct sim_node *node, const struct sim_key *key,
                     struct dynkv_dot dot);
/* Those that have a hint of it, for whomever. */
uint32_t oracle_hint_holders(struct sim *sim, const struct sim_key *key, struct dynkv_dot dot);
/* Nodes, one bit each, that have the dot on disk: as replicas, or as a hint for one. */
uint32_t oracle_holders(struct sim *sim, const struct sim_key *key, struct dynkv_dot dot);
uint32_t oracle_record_holders(struct sim *sim, const struct sim_key *key,
                               struct dynkv_dot dot); /* no hints */
/* The dot that a result answers for; NULL if there is none. */
struct sim_applied *oracle_answered(struct sim *sim, const struct sim_write *write,
                                    const struct dynkv_put_result *result);
void oracle_acknowledge(struct sim *sim, struct sim_write *write,
                        const struct dynkv_put_result *result);
struct dynkv_version oracle_need(struct sim *sim, const struct sim_key *key, uint32_t r);
/* Whether some write that `by` covers supersedes the dot. */
bool oracle_is_superseded(const struct sim_key *key, const struct sim_applied *applied,
                          const struct dynkv_version *by, bool durably);
/* What a disk holds of a key. */
struct dynkv_object oracle_on_disk(struct sim *sim, struct sim_disk *disk,
                                   const struct sim_key *key);
/* The key that a hint is of. */
struct sim_key *oracle_hint_key(struct sim *sim, const struct sim_cell *cell);
/* Visits the objects of all hints of a key on a disk. */
typedef void oracle_visit_hint(struct sim *sim, const struct sim_key *key,
                               const struct dynkv_object *object, void *context);
void oracle_hints(struct sim *sim, struct sim_disk *disk, const struct sim_key *key,
                  oracle_visit_hint *visit, void *context);
/* Something that was reaped had seen the dot: nothing need be left of it. */
bool oracle_is_reaped(const struct sim_key *key, struct dynkv_dot dot);
bool object_has_dot(const struct dynkv_object *object, struct dynkv_dot dot);
void oracle_fini(struct sim *sim);

/* What the node made of a cell last. */
struct dynkv_object oracle_cell_object(struct sim *sim, const struct sim_node *node,
                                       const struct sim_cell *cell);

/* ---- the checkers ---- */

void check_dropped(struct sim *sim, struct sim_node *node, const struct dynkv_effect_store *store);
void check_hint_gone(struct sim *sim, struct sim_node *node, const struct sim_key *key,
                     uint64_t target, const struct dynkv_object *hint);
void check_change_tick(struct sim *sim, struct sim_node *node);

void check_dots(struct sim *sim, const struct sim_key *key, const struct dynkv_object *object,
                const char *where);
void check_vanish_change(struct sim *sim, const struct sim_change *change);
void check_vanish_state(struct sim *sim, const struct sim_key *key,
                        const struct dynkv_object *object);
void check_put_result(struct sim *sim, const struct sim_change *change, struct sim_write *write,
                      const struct dynkv_sibling *sibling);
void check_put_answer(struct sim *sim, const struct sim_write *write,
                      const struct dynkv_put_result *result);
void check_merge(struct sim *sim, const struct sim_change *change);
void check_merge_laws(struct sim *sim, const struct sim_node *node, struct sim_key *key,
                      const struct dynkv_object *object);
void check_trees(struct sim *sim, struct sim_node *node);
void check_repair_sent(struct sim *sim, const struct sim_node *node, uint32_t first);
void check_repair(struct sim *sim, uint32_t differing);
void check_return(struct sim *sim, const struct sim_key *key, const struct dynkv_object *object);
/* A node deletes the record of a key, of which this is the object. */
void check_reap(struct sim *sim, struct sim_node *node, struct sim_key *key,
                const struct dynkv_object *object);
/* Nothing in the object has been reaped before. */
void check_reaped(struct sim *sim, const struct sim_key *key, const struct dynkv_object *object,
                  const char *where);
/* An old copy of a store is put back: what it holds may come to light again. */
void check_reap_restored(struct sim *sim, struct sim_disk *old);
void check_final_reaped(struct sim *sim);
/* Some record that a member holds has no sibling that is alive. */
bool check_reap_has_work(struct sim *sim);
void check_acks(struct sim *sim, const struct sim_node *node, const struct sim_write *write,
                const struct dynkv_put_result *result);
void check_stays(struct sim *sim, const struct sim_change *change);
void check_identity(struct sim *sim, const struct sim_node *node, const struct sim_key *key);
void check_identity_sent(struct sim *sim, const struct sim_node *node, uint32_t first);
void check_ring(struct sim *sim, struct sim_node *node);
void check_once(struct sim *sim, const struct sim_change *change, struct sim_write *write);
void check_refused(struct sim *sim, const struct sim_node *node, const struct sim_write *write,
                   enum dynkv_error error);
void check_whole(struct sim *sim, const struct sim_change *change, const struct sim_write *write,
                 const struct dynkv_sibling *sibling);
/* A write that was applied before, elsewhere: what came after it stays, and stays later. */
void check_stamped(struct sim *sim, const struct sim_change *change, const struct sim_write *write,
                   const struct dynkv_sibling *sibling);
void check_limits_change(struct sim *sim, const struct sim_change *change);
void check_limits_sent(struct sim *sim, struct sim_node *node, uint32_t first);
void check_limits_tick(struct sim *sim, struct sim_node *node);
void check_clock_change(struct sim *sim, const struct sim_change *change,
                        const struct sim_write *write, const struct dynkv_sibling *sibling);
void check_quorum(struct sim *sim, const struct sim_client *client, const struct sim_need *need,
                  const struct dynkv_object *object);
/* entry NULL: the page does not have the key. */
void check_filter(struct sim *sim, const struct sim_need *need, uint32_t least,
                  const struct dynkv_object *entry);
void check_final_siblings(struct sim *sim);
bool check_is_identical(struct sim *sim);
bool check_hints_are_gone(struct sim *sim);
void check_final_identical(struct sim *sim);
void check_final_quiet(struct sim *sim);

#endif
