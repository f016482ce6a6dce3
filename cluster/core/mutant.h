/*
 * mutant.h: deliberate bugs, by which the simulator's checkers are checked.
 *
 * A mutant is switched on by the node's configuration; the daemon never does.  A checker that no mutant
 * can trip checks nothing: `dynkv-sim --mutate help` lists these, and a test catches each of them.
 * Those of the driver (a node's identity) have their place in tests/sim.
 */
#ifndef DYNKV_CORE_MUTANT_H
#define DYNKV_CORE_MUTANT_H

/* X(NAME, name, what is broken) */
#define DYNKV_MUTANTS(X)                                                                          \
    X(SKIP_READ_REPAIR, skip_read_repair, "stale replicas found by a read are left as they are")  \
    X(COUNT_ANY_ANSWER, count_any_answer, "a replica's error counts as an acknowledgement")       \
    X(ACK_BEFORE_DURABLE, ack_before_durable, "a replica acknowledges before its disk has it")    \
    X(REUSE_COUNTERS, reuse_counters, "a restart begins its counters at 1, whatever the lease")   \
    X(MERGE_WITHOUT_DOTS, merge_without_dots, "a merge keeps the side with the greater vector")   \
    X(MERGE_TO_ONE, merge_to_one, "a merge keeps one sibling of several, the latest")             \
    X(MERGE_TAKES_INCOMING, merge_takes_incoming, "a merge takes over the incoming object")       \
    X(MERGE_VECTOR_ONLY, merge_vector_only, "a merge takes over the vector, not the values")      \
    X(IGNORE_CONTEXT, ignore_context, "a put supersedes all there is, whatever its context")      \
    X(COORDINATE_ANYWHERE, coordinate_anywhere, "a node that is no replica applies a put")        \
    X(FORGET_CLOCK, forget_clock, "a restart forgets how far timestamps were given out")          \
    X(READ_ONE, read_one, "a read asks one replica, whatever r")                                  \
    X(SCAN_UNVERIFIED, scan_unverified, "a scan asks no other replica")                           \
    X(SCAN_UNSORTED, scan_unsorted, "a scan by key gives partition after partition")              \
    X(FILTER_CONFLICTS, filter_conflicts, "a filter looks at the first of several siblings")      \
    X(FORGET_REQUESTS, forget_requests, "answered writes are not recognised")                     \
    X(STAMP_ANEW, stamp_anew, "a write that comes once more, elsewhere, is stamped anew")         \
    X(ANSWER_EARLY, answer_early, "a put answers one acknowledgement too early")                  \
    X(APPLY_FIRST_OF_BATCH, apply_first_of_batch, "a replica stores the first item of a batch")   \
    X(LOSE_EXPIRY, lose_expiry, "the time a value expires is dropped")                            \
    X(JOIN_ANYONE, join_anyone, "a node may join a cluster that holds data, without a plan")      \
    X(RING_FORGETS_MEMBER, ring_forgets_member, "the ring is made without the last member")       \
    X(REFUSE_UNCOUNTED, refuse_uncounted, "writes refused for their siblings are not counted")    \
    X(STAY_DOWN, stay_down, "a member that was down once stays down")                             \
    X(IDS_FROM_ONE, ids_from_one, "a restart numbers its questions from 1 again")                 \
    X(LEASE_FROM_CLOCK, lease_from_clock, "a lease begins at the clock, however far it is ahead") \
    X(REMEMBER_WHOLE, remember_whole, "items of one request are taken for one another")           \
    X(KEEP_SUSPICIONS, keep_suspicions, "what was thought in quarantine is never told")           \
    X(STAMP_PAST_LEASE, stamp_past_lease, "timestamps are given out past the durable lease")      \
    X(APPLIED_IS_REFUSED, applied_is_refused, "a put with too few acks is answered as refused")   \
    X(COUNT_FALLBACK, count_fallback, "a fallback counts for a strict put, like a replica")       \
    X(NO_FALLBACK, no_fallback, "nobody stands in for an absent replica")                         \
    X(HINTS_WITHOUT_QUOTA, hints_without_quota, "more hints are kept than the quota allows")      \
    X(HINTS_UNCOUNTED, hints_uncounted, "hints refused for the quota are not counted")            \
    X(TREE_MISSES_DELETES, tree_misses_deletes, "a delete does not change the tree")              \
    X(TREE_KEEPS_OLD, tree_keeps_old, "what an object was stays in the tree's sums")              \
    X(TREE_TRUSTS_PAGES, tree_trusts_pages, "a tree being rebuilt overlooks what is written")     \
    X(SYNC_EVERY_ROOT, sync_every_root, "trees with equal roots are descended into, too")         \
    X(SYNC_WHOLE_TREES, sync_whole_trees, "all leaves of a differing tree are compared")          \
    X(SYNC_SENDS_ALL, sync_sends_all, "all objects of a differing tree move, equal ones too")     \
    X(FORGET_HINT, forget_hint, "a hint is deleted though its member did not take it")            \
    X(HINT_OWN_ACTOR, hint_own_actor, "a fallback stamps hints with its store's own actor")       \
    X(TELL_NO_SIBLINGS, tell_no_siblings, "a writer is not told of siblings it had not seen")     \
    X(REAP_BY_AGE, reap_by_age, "what is dead is deleted without asking anybody")                 \
    X(REAP_UNHINTED, reap_unhinted, "tombstones are reaped though there are hints")               \
    X(REAP_BY_QUORUM, reap_by_quorum, "tombstones are reaped that not all replicas have")         \
    X(REAP_UNFENCED, reap_unfenced, "messages from before a reaping are taken after it")          \
    X(REAP_LOUD, reap_loud, "reaping does not wait for operations to end")                        \
    X(NO_DUAL_WRITES, no_dual_writes, "while data move, writes go to the readers' replicas only") \
    X(ACCEPT_WITHOUT_DRAINING, accept_without_draining,                                           \
      "a change is accepted while writes that know nothing of it are under way")                  \
    X(READY_WITHOUT_PROOF, ready_without_proof, "a new replica is ready before it has proved it") \
    X(SWITCH_EARLY, switch_early, "readers use the new ring before all are ready")                \
    X(FINISH_UNSEEN, finish_unseen, "a change is finished before all have seen the switch")       \
    X(STALE_READS, stale_reads, "a node answers reads of partitions that are no longer its own")  \
    X(DROP_WITHOUT_PROOF, drop_without_proof, "an old owner drops its data without proof")        \
    X(EXCLUDED_COUNT, excluded_count, "messages of excluded members are taken like any others")   \
    X(FORGET_GONE_HINTS, forget_gone_hints, "hints for members that are gone are deleted")        \
    X(CRASH_KEEPS_ACTOR, crash_keeps_actor, "a store goes on with its actor after a crash")       \
    X(RESTORE_KEEPS_ACTOR, restore_keeps_actor, "an old copy of a store goes on with its actor")  \
    X(WIPE_KEEPS_IDENTITY, wipe_keeps_identity, "driver: a wiped store keeps its member id")

enum dynkv_mutant {
    DYNKV_MUTANT_NONE,
#define DYNKV_MUTANT_ENUM(upper, name, text) DYNKV_MUTANT_##upper,
    DYNKV_MUTANTS(DYNKV_MUTANT_ENUM)
#undef DYNKV_MUTANT_ENUM
};

#endif
