/* change.c: the record of a change: sets, merging, the phase, and what the change makes of the places. */
#include "core/change.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

/* ---- sets of ids ---- */

static uint32_t id_set_place(const struct id_set *set, uint64_t id)
{
    uint32_t low = 0, high = set->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (set->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool id_set_has(const struct id_set *set, uint64_t id)
{
    uint32_t at = id_set_place(set, id);

    return at < set->count && set->ids[at] == id;
}

bool id_set_add(struct id_set *set, uint64_t id)
{
    uint32_t at = id_set_place(set, id);

    if (at < set->count && set->ids[at] == id)
        return false;
    set->ids = dynkv_realloc(set->ids, (set->count + 1u) * sizeof *set->ids);
    memmove(&set->ids[at + 1], &set->ids[at], (set->count - at) * sizeof *set->ids);
    set->ids[at] = id;
    set->count++;
    return true;
}

void id_set_fini(struct id_set *set)
{
    free(set->ids);
    *set = (struct id_set){NULL, 0};
}

/* Every id of the second is in the first. */
static bool id_set_covers(const struct id_set *set, const struct id_set *needed)
{
    for (uint32_t i = 0; i < needed->count; i++)
        if (!id_set_has(set, needed->ids[i]))
            return false;
    return true;
}

static bool id_set_merge(struct id_set *set, const struct dynkv_accuser *list, uint32_t count)
{
    bool grew = false;

    for (uint32_t i = 0; i < count; i++)
        grew |= id_set_add(set, list[i].id);
    return grew;
}

static struct dynkv_accuser *id_set_list(const struct id_set *set, struct dynkv_arena *arena)
{
    struct dynkv_accuser *list = dynkv_arena_calloc(arena, set->count, sizeof *list);

    for (uint32_t i = 0; i < set->count; i++)
        list[i].id = set->ids[i];
    return list;
}

static uint64_t id_set_digest(const struct id_set *set, uint64_t hash)
{
    for (uint32_t i = 0; i < set->count; i++)
        hash = dynkv_hash_pair(hash, set->ids[i]);
    return dynkv_hash_pair(hash, set->count);
}

/* ---- the record ---- */

void change_fini(struct change *change)
{
    id_set_fini(&change->accepted);
    id_set_fini(&change->ready);
    id_set_fini(&change->seen);
    id_set_fini(&change->reverted);
    free(change->places);
    change->places = NULL;
    change->place_count = 0;
}

static bool change_merge_sets(struct change *change, const struct dynkv_change_record *record)
{
    bool grew = id_set_merge(&change->accepted, record->accepted, record->accepted_count);

    grew |= id_set_merge(&change->ready, record->ready, record->ready_count);
    grew |= id_set_merge(&change->seen, record->seen, record->seen_count);
    grew |= id_set_merge(&change->reverted, record->reverted, record->reverted_count);
    return grew;
}

void change_set_places(struct change *change, const struct dynkv_place *places, uint32_t count)
{
    free(change->places);
    change->places = dynkv_calloc(count, sizeof *change->places);
    change->place_count = count;
    if (count)
        memcpy(change->places, places, count * sizeof *places);
}

void change_set(struct change *change, const struct dynkv_change_record *record)
{
    change_fini(change);
    change->number = record->number;
    change->id = record->id;
    change->stamp = record->stamp;
    change->committed = record->committed != 0;
    change->cancelled = record->cancelled != 0;
    change->entry_count =
        record->entry_count < DYNKV_CHANGES_MAX ? record->entry_count : DYNKV_CHANGES_MAX;
    for (uint32_t i = 0; i < change->entry_count; i++)
        change->entries[i] = record->entries[i];
    change_merge_sets(change, record);
    change_set_places(change, record->places, record->place_count);
}

struct dynkv_change_record change_record(const struct change *change, struct dynkv_arena *arena)
{
    return (struct dynkv_change_record){
        .number = change->number,
        .id = change->id,
        .stamp = change->stamp,
        .committed = change->committed,
        .cancelled = change->cancelled,
        .entries = dynkv_arena_copy(arena, change->entries,
                                    change->entry_count * sizeof change->entries[0]),
        .entry_count = change->entry_count,
        .accepted = id_set_list(&change->accepted, arena),
        .accepted_count = change->accepted.count,
        .ready = id_set_list(&change->ready, arena),
        .ready_count = change->ready.count,
        .seen = id_set_list(&change->seen, arena),
        .seen_count = change->seen.count,
        .reverted = id_set_list(&change->reverted, arena),
        .reverted_count = change->reverted.count,
        .places = change->places,
        .place_count = change->place_count,
    };
}

uint64_t change_digest(const struct change *change)
{
    uint64_t hash;

    if (!change)
        return 0;
    hash = dynkv_hash_pair(dynkv_hash_pair(change->number, change->id), change->stamp);
    hash = dynkv_hash_pair(hash, (uint64_t)change->committed << 1 | change->cancelled);
    hash = id_set_digest(&change->accepted, hash);
    hash = id_set_digest(&change->ready, hash);
    hash = id_set_digest(&change->seen, hash);
    return id_set_digest(&change->reverted, hash);
}

/* Whether the record's proposal takes the place of ours: committed before staged, then the later one. */
static bool change_yields(const struct change *change, const struct dynkv_change_record *record)
{
    bool committed = record->committed != 0;

    if (committed != change->committed)
        return committed;
    if (record->stamp != change->stamp)
        return record->stamp > change->stamp;
    return record->id > change->id;
}

enum change_news change_merge(struct change *change, const struct dynkv_change_record *record)
{
    bool grew = false;

    if (record->id != change->id || record->stamp != change->stamp) {
        if (!change_yields(change, record))
            return CHANGE_SAME;
        change_set(change, record);
        return CHANGE_REPLACED;
    }
    if (record->cancelled && !change->cancelled)
        grew = change->cancelled = true;
    return (change_merge_sets(change, record) || grew) ? CHANGE_GREW : CHANGE_SAME;
}

/* ---- what follows ---- */

enum dynkv_change_phase change_phase(const struct change *change, const struct id_set *needed)
{
    if (!change || (!change->committed && change->entry_count == 0))
        return DYNKV_CHANGE_NONE;
    if (!change->committed)
        return DYNKV_CHANGE_STAGED;
    if (id_set_covers(&change->seen, needed))
        return DYNKV_CHANGE_FINISHED;
    if (change->cancelled)
        return DYNKV_CHANGE_CANCELLING;
    if (!id_set_covers(&change->accepted, needed))
        return DYNKV_CHANGE_COMMITTING;
    if (!id_set_covers(&change->ready, needed))
        return DYNKV_CHANGE_MOVING;
    return DYNKV_CHANGE_SWITCHED;
}

bool change_is_reverted(const struct change *change, const struct id_set *needed)
{
    return change->cancelled && id_set_covers(&change->reverted, needed);
}

static const struct dynkv_member *member_of(const struct dynkv_member *members, uint32_t count,
                                            uint64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == id)
            return &members[i];
    return NULL;
}

static struct dynkv_place *place_of(struct dynkv_place *places, uint32_t count, uint64_t holder)
{
    for (uint32_t i = 0; i < count; i++)
        if (places[i].holder == holder && places[i].left == 0)
            return &places[i];
    return NULL;
}

struct dynkv_place *change_make_places(const struct change *change,
                                       const struct dynkv_place *places, uint32_t count,
                                       const struct dynkv_member *members, uint32_t member_count,
                                       struct dynkv_arena *arena, uint32_t *out_count)
{
    struct dynkv_place *out =
        dynkv_arena_calloc(arena, (size_t)count + change->entry_count, sizeof *out);

    if (count)
        memcpy(out, places, count * sizeof *out);
    for (uint32_t i = 0; i < change->entry_count; i++) {
        const struct dynkv_change_entry *entry = &change->entries[i];
        const struct dynkv_member *member = member_of(members, member_count, entry->member);
        struct dynkv_place *place = place_of(out, count, entry->member);

        if (entry->kind == DYNKV_CHANGE_LEAVE && place)
            place->left = change->stamp + i;
        else if (entry->kind == DYNKV_CHANGE_REPLACE && place)
            place->holder = entry->other;
        else if (entry->kind == DYNKV_CHANGE_JOIN && member && !place)
            out[count++] = (struct dynkv_place){
                .id = member->id,
                .holder = member->id,
                .zone = dynkv_ring_zone(member->zone),
                .weight = member->weight,
                .joined = change->stamp + i,
            };
    }
    *out_count = count;
    return out;
}

void places_holders(const struct dynkv_place *places, uint32_t count, struct id_set *out)
{
    for (uint32_t i = 0; i < count; i++)
        if (places[i].left == 0)
            id_set_add(out, places[i].holder);
}
