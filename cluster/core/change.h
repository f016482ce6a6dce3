/*
 * change.h: a staged change of the membership: one record, the same everywhere, that merges.
 *
 *   staged      an operator lists who joins, leaves, is replaced; nothing follows from it
 *   committing  it was committed.  A member that hears of it saves it, writes from then on to the old and
 *               the new replicas, with W acknowledgements of each, and is in `accepted` once all its
 *               writes that began before are over
 *   moving      all are in `accepted`: whatever is written now reaches the new replicas.  A member fetches
 *               what it lacks of its new partitions, proves against every old replica that it lacks nothing
 *               (prove.c), and is in `ready`
 *   switched    all are in `ready`: readers use the new ring.  Who has saved that is in `seen`.  Not while
 *               that would leave a partition with excluded members alone (place.c): then it stays at moving
 *               until it is cancelled
 *   finished    all are in `seen`, so nobody reads from old owners any more: the new places become the
 *               table, its epoch rises, writes to both end
 *   cancelling  somebody who is not in `seen` has cancelled it: nobody enters `ready` or `seen` any more,
 *               readers use the old ring again; who has saved that is in `reverted`; when all are, it is
 *               over, with the places as they were.  Writes to both go on to that very moment
 *
 * The phase is not part of the record, it is derived from the sets, by each node for itself.  Sets only
 * grow and merge by union, so nodes may hear of things in any order.  "All" are the members that hold a
 * place before or after the change, without those that are excluded: an excluded member's identity counts
 * for nothing any more, for good.  A member enters a set when what it says by that is durable in its store
 * (state.c), so that no crash takes it back.
 *
 * Changes are numbered, one after the other, and a member takes part in one at a time.  Where two were
 * committed under the same number the one with the greater (stamp, id) wins, and its rival is as if it had never
 * been: members that had accepted it take the winner up instead.  That is weaker than consensus: if, in just
 * that moment, the only members that know of the winner are excluded, the others finish its rival, and the
 * winner ends with the next table that its members hear of.
 *
 * After Amazon's Dynamo, 4.9 (explicit joins), Riak's staged clustering, and what went wrong there
 * (riak_kv #1754: writes acknowledged during joins and leaves were lost).
 */
#ifndef DYNKV_CORE_CHANGE_H
#define DYNKV_CORE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/places.h"

/* A set of ids, rising. */
struct id_set {
    uint64_t *ids;
    uint32_t count;
};

bool id_set_has(const struct id_set *set, uint64_t id);
/* True if it was not there. */
bool id_set_add(struct id_set *set, uint64_t id);
void id_set_fini(struct id_set *set);

/* What readers' places are replayed from.  Epoch 0 has none: there the members' own stamps count. */
struct ring_table {
    uint64_t epoch, changes;
    struct dynkv_place *places; /* owned */
    uint32_t place_count;
};

struct change {
    uint64_t number, id, stamp;
    bool committed, cancelled;
    struct dynkv_change_entry entries[DYNKV_CHANGES_MAX];
    uint32_t entry_count;
    struct id_set accepted, ready, seen, reverted;
    struct dynkv_place *places; /* once committed: those after the change; owned */
    uint32_t place_count;
};

void change_fini(struct change *change);
/* Takes over what a record says, in the place of what the change was. */
void change_set(struct change *change, const struct dynkv_change_record *record);
/* Its places, copied. */
void change_set_places(struct change *change, const struct dynkv_place *places, uint32_t count);
/* The record, its lists in the arena, its places borrowed. */
struct dynkv_change_record change_record(const struct change *change, struct dynkv_arena *arena);
/* A hash over all of it; 0 for NULL. */
uint64_t change_digest(const struct change *change);

enum change_news {
    CHANGE_SAME,
    CHANGE_GREW,     /* the same proposal, further on */
    CHANGE_REPLACED, /* another proposal: what was done for the old one is void */
};
/* Merges a record of the same number into the change. */
enum change_news change_merge(struct change *change, const struct dynkv_change_record *record);

/* The phase, for those whose entering of the sets counts.  NULL: NONE. */
enum dynkv_change_phase change_phase(const struct change *change, const struct id_set *needed);
/* A cancelled change that is over. */
bool change_is_reverted(const struct change *change, const struct id_set *needed);

/*
 * What the entries make of the places before the change; in the arena.  Joins and leaves are dated by the
 * change's stamp, which must be greater than all stamps in the places.  Who joins has a place of its own
 * id, with the zone and weight that `members` tells of it.
 */
struct dynkv_place *change_make_places(const struct change *change,
                                       const struct dynkv_place *places, uint32_t count,
                                       const struct dynkv_member *members, uint32_t member_count,
                                       struct dynkv_arena *arena, uint32_t *out_count);
/* Adds the holders of places that were not given up. */
void places_holders(const struct dynkv_place *places, uint32_t count, struct id_set *out);

#endif
