/*
 * stage.c: this node's part in a change of the membership (change.h tells what the phases are).
 *
 * What it hears is merged at once; what it does itself it does at ticks, one step after the other:
 *
 *   heard of a committed change    both rings are made, new writes go to both, drain_before is set
 *   phase is reached               readers' ring follows (place.c), the state is saved
 *   that save is durable           and what the set says still holds: this node enters the set, tells all
 *   finished, or reverted by all   the table takes the places over, or not; the change is gone
 *
 * The save comes first because others build on what a set says.  It holds the sets as this node knows them,
 * so that a restart comes to the same phase, and uses the same ring, or one further on.  And flushes are in
 * order: when it is durable so are all records that were made before, which is what `ready` needs.
 */
#include <stdlib.h>

#include "core/prove.h"

/* ---- what is there ---- */

bool change_is_open(const struct dynkv_node *node)
{
    return node->change && node->change->committed;
}

struct id_set stage_needed(const struct dynkv_node *node)
{
    struct id_set all = {NULL, 0}, needed = {NULL, 0};

    if (node->table.epoch)
        places_holders(node->table.places, node->table.place_count, &all);
    for (uint32_t i = 0; i < node->member_count && node->table.epoch == 0; i++)
        if (node->members[i]->info.joined > DYNKV_JOINED_BY_CHANGE)
            id_set_add(&all, node->members[i]->info.id);
    if (node->change)
        places_holders(node->change->places, node->change->place_count, &all);
    for (uint32_t i = 0; i < all.count; i++) {
        const struct member *member = members_find(node, all.ids[i]);

        if (!member || !member->info.excluded)
            id_set_add(&needed, all.ids[i]);
    }
    id_set_fini(&all);
    return needed;
}

/* All are ready, but some partition would be with nobody.  Who is in `seen` knew of no such one. */
static bool stage_must_wait(const struct dynkv_node *node)
{
    const struct dynkv_ring *before = node->ring_switched ? node->ring_also : node->ring;
    const struct dynkv_ring *after = node->ring_switched ? node->ring : node->ring_also;

    return node->change->seen.count == 0 && before && after && place_strands(node, before, after);
}

static enum dynkv_change_phase stage_phase_for(const struct dynkv_node *node,
                                               const struct id_set *needed)
{
    enum dynkv_change_phase phase = change_phase(node->change, needed);

    return phase == DYNKV_CHANGE_SWITCHED && stage_must_wait(node) ? DYNKV_CHANGE_MOVING : phase;
}

enum dynkv_change_phase stage_phase(const struct dynkv_node *node)
{
    struct id_set needed;
    enum dynkv_change_phase phase;

    if (!change_is_open(node))
        return change_phase(node->change, NULL);
    needed = stage_needed(node);
    phase = stage_phase_for(node, &needed);
    id_set_fini(&needed);
    return phase;
}

struct dynkv_node_stage dynkv_node_stage(const struct dynkv_node *node)
{
    struct dynkv_node_stage stage = {
        .epoch = node->table.epoch,
        .changes = node->table.changes,
        .phase = stage_phase(node),
        .is_placed = place_of_reader(node, node->id),
        .is_excluded = node->self->info.excluded != 0,
        .has_left = node->self->info.left != 0,
    };

    if (change_is_open(node)) {
        stage.change = node->change->id;
        stage.is_accepted = id_set_has(&node->change->accepted, node->id);
        stage.cancelled = node->change->cancelled;
        stage.is_seen = id_set_has(&node->change->seen, node->id);
    }
    return stage;
}

/* ---- in messages ---- */

struct dynkv_ring_table *stage_table(const struct dynkv_node *node, struct dynkv_arena *arena,
                                     uint32_t *count)
{
    struct dynkv_ring_table table = {node->table.epoch, node->table.changes, node->table.places,
                                     node->table.place_count};

    *count = node->table.changes > 0;
    return dynkv_arena_copy(arena, &table, sizeof table);
}

struct dynkv_change_record *stage_change(const struct dynkv_node *node, struct dynkv_arena *arena,
                                         uint32_t *count)
{
    struct dynkv_change_record record = {0};

    *count = node->change != NULL;
    if (node->change)
        record = change_record(node->change, arena);
    return dynkv_arena_copy(arena, &record, sizeof record);
}

uint64_t stage_digest(const struct dynkv_node *node)
{
    return dynkv_hash_pair(dynkv_hash_pair(node->table.epoch, node->table.changes),
                           change_digest(node->change));
}

/* ---- merging ---- */

static void stage_stale(struct dynkv_node *node)
{
    node->ring_stale = node->state_stale = node->digest_stale = true;
}

static void stage_forget(struct dynkv_node *node)
{
    if (node->change) {
        change_fini(node->change);
        free(node->change);
    }
    node->change = NULL;
    node->stage_save = 0;
    node->stage_told = DYNKV_CHANGE_NONE;
}

/* A committed change is this node's from now on. */
static void stage_bind(struct dynkv_node *node)
{
    node->drain_before = node->next_id;
    node->stage_save = 0;
}

static void stage_set_table(struct dynkv_node *node, const struct dynkv_ring_table *table)
{
    struct dynkv_place *places = dynkv_calloc(table->place_count, sizeof *places);

    if (table->place_count)
        memcpy(places, table->places, table->place_count * sizeof *places);
    free(node->table.places);
    node->table = (struct ring_table){table->epoch, table->changes, places, table->place_count};
    if (node->change && node->change->number <= node->table.changes)
        stage_forget(node); /* it ended without us */
    stage_stale(node);
}

bool stage_merge_tables(struct dynkv_node *node, const struct dynkv_ring_table *tables,
                        uint32_t count)
{
    if (count == 0 || tables->epoch < node->table.epoch ||
        (tables->epoch == node->table.epoch && tables->changes <= node->table.changes) ||
        (tables->epoch > 0) != (tables->place_count > 0) ||
        !dynkv_places_are_possible(tables->places, tables->place_count))
        return false;
    stage_set_table(node, tables);
    return true;
}

static bool change_is_possible(const struct dynkv_change_record *record)
{
    return record->number && record->id && (record->committed != 0) == (record->place_count > 0) &&
           dynkv_places_are_possible(record->places, record->place_count);
}

bool stage_merge_changes(struct dynkv_node *node, const struct dynkv_change_record *changes,
                         uint32_t count)
{
    bool was_open = change_is_open(node);
    enum change_news news = CHANGE_REPLACED;

    if (count == 0 || changes->number != node->table.changes + 1 || !change_is_possible(changes))
        return false; /* over already; or one that comes later, with its table */
    if (node->change) {
        news = change_merge(node->change, changes);
    } else {
        node->change = dynkv_calloc(1, sizeof *node->change);
        change_set(node->change, changes);
    }
    if (news == CHANGE_SAME)
        return false;
    if (news == CHANGE_REPLACED && (was_open || change_is_open(node)))
        stage_bind(node);
    node->state_stale = node->digest_stale = node->phase_stale = true;
    node->ring_stale |= news == CHANGE_REPLACED && (was_open || change_is_open(node));
    return true;
}

void stage_changed(struct dynkv_node *node)
{
    if (change_is_open(node) && node->change->accepted.count == 0)
        stage_bind(node);
    stage_stale(node);
    members_settle(node);
    gossip_spread_change(node);
}

/* ---- the end ---- */

/* Now and then: who holds a place says so, and who is excluded and holds none has left. */
static void stage_settle_members(struct dynkv_node *node)
{
    if (node->mono_ms < node->stage_next_ms || change_is_open(node))
        return;
    node->stage_next_ms = node->mono_ms + CORE_STAGE_SETTLE_MS;
    if (!node->self->info.joined && place_is_held(node, node->id)) {
        members_set_joined(node, DYNKV_JOINED_BY_CHANGE);
        node->self->info.incarnation++;
        members_changed(node, node->self, true);
        gossip_spread_member(node, node->self);
    }
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[i];

        if (member->info.excluded && !member->info.left && !place_is_held(node, member->info.id))
            members_set_left(node, member, member->info.excluded);
    }
}

static void stage_finish(struct dynkv_node *node)
{
    struct dynkv_ring_table table = {
        .epoch = node->table.epoch + 1,
        .changes = node->change->number,
        .places = dynkv_arena_copy(&node->arena, node->change->places,
                                   node->change->place_count * sizeof *node->change->places),
        .place_count = node->change->place_count,
    };

    stage_set_table(node, &table);
    node_log(node, DYNKV_LOG_INFO,
             "change %llu of the membership is finished: the ring has epoch %llu",
             (unsigned long long)table.changes, (unsigned long long)table.epoch);
    members_settle(node);
    gossip_spread_change(node);
}

static void stage_revert(struct dynkv_node *node)
{
    node->table.changes = node->change->number;
    node_log(node, DYNKV_LOG_INFO, "change %llu of the membership was cancelled",
             (unsigned long long)node->table.changes);
    stage_forget(node);
    stage_stale(node);
    members_settle(node);
    gossip_spread_change(node);
}

/* ---- one step after the other ---- */

/* The set that a member enters in this phase; NULL: not yet, or none. */
static struct id_set *stage_next_set(struct dynkv_node *node, enum dynkv_change_phase phase)
{
    switch (phase) {
    case DYNKV_CHANGE_COMMITTING:
        return !put_is_undecided_before(node, node->drain_before) ||
                       mutant_is(node, DYNKV_MUTANT_ACCEPT_WITHOUT_DRAINING)
                   ? &node->change->accepted
                   : NULL;
    case DYNKV_CHANGE_MOVING:
        return prove_is_complete(node) || mutant_is(node, DYNKV_MUTANT_READY_WITHOUT_PROOF)
                   ? &node->change->ready
                   : NULL;
    case DYNKV_CHANGE_SWITCHED:
        return &node->change->seen;
    case DYNKV_CHANGE_CANCELLING:
        return &node->change->reverted;
    default:
        return NULL;
    }
}

static void stage_enter(struct dynkv_node *node, enum dynkv_change_phase phase)
{
    struct id_set *set = stage_next_set(node, phase);

    if (!set || id_set_has(set, node->id) || node->self->info.excluded) {
        node->stage_save = 0;
        return;
    }
    if (!node->stage_save || node->stage_saved != phase) {
        node->state_stale = true;
        node->stage_save = node->saves_asked + 1; /* the one at the end of this step */
        node->stage_saved = phase;
        return;
    }
    if (node->saves_durable < node->stage_save)
        return;
    node->stage_save = 0;
    id_set_add(set, node->id);
    node->state_stale = node->digest_stale = node->phase_stale = true;
    members_settle(node);
    gossip_spread_change(node);
}

static void stage_tell(struct dynkv_node *node, enum dynkv_change_phase phase)
{
    static const char *const texts[] = {
        [DYNKV_CHANGE_COMMITTING] = "is committed: writes go to the old and the new replicas",
        [DYNKV_CHANGE_MOVING] = "moves data: new replicas fetch what they lack",
        [DYNKV_CHANGE_SWITCHED] = "has switched: readers use the new ring",
        [DYNKV_CHANGE_CANCELLING] = "is cancelled: readers use the old ring",
    };

    if (phase == node->stage_told || phase > DYNKV_CHANGE_CANCELLING || !texts[phase])
        return;
    node_log(node, DYNKV_LOG_INFO, "change %llu of the membership %s",
             (unsigned long long)node->change->number, texts[phase]);
    node->stage_told = phase;
}

void stage_tick(struct dynkv_node *node)
{
    enum dynkv_change_phase phase;
    struct id_set needed;
    bool is_part, is_reverted;

    stage_settle_members(node);
    if (!change_is_open(node))
        return;
    needed = stage_needed(node);
    phase = stage_phase_for(node, &needed);
    is_part = id_set_has(&needed, node->id);
    is_reverted = change_is_reverted(node->change, &needed);
    id_set_fini(&needed);
    if (phase == DYNKV_CHANGE_FINISHED ||
        (phase == DYNKV_CHANGE_SWITCHED && mutant_is(node, DYNKV_MUTANT_FINISH_UNSEEN))) {
        stage_finish(node);
    } else if (is_reverted) {
        stage_revert(node);
    } else {
        if (phase != node->phase)
            place_follow(node);
        stage_tell(node, phase);
        if (is_part)
            stage_enter(node, phase);
    }
}

void stage_fini(struct dynkv_node *node)
{
    stage_forget(node);
    free(node->table.places);
    id_set_fini(&node->unsure_heard);
    id_set_fini(&node->unsure_met);
}
