/*
 * plan.c: staging a change, looking at its plan, committing and cancelling it: CLUSTER_CHANGE.
 *
 * Every action is answered with the plan as it is then.  A commit is refused while anything is in its way,
 * and the first of the blockers that the plan shows is the reason given.
 */
#include <stdio.h>

#include "core/node_impl.h"
#include "core/tree.h"

#define NAME(member) (int)(member)->info.name.len, (const char *)(member)->info.name.data

/* ---- whom a name means ---- */

static bool plan_holds_place(struct dynkv_node *node, uint64_t id)
{
    uint32_t count;
    const struct dynkv_place *places = place_list(node, &count);

    for (uint32_t i = 0; i < count; i++)
        if (places[i].holder == id && !places[i].left)
            return true;
    return false;
}

static bool plan_is_candidate(struct dynkv_node *node, const struct member *member)
{
    return member_counts(member) && !member->info.joined &&
           !plan_holds_place(node, member->info.id);
}

static struct member *plan_find(struct dynkv_node *node, struct dynkv_slice name, bool candidate)
{
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[i];

        if (dynkv_slice_equal(member->info.name, name) &&
            (candidate ? plan_is_candidate(node, member) : plan_holds_place(node, member->info.id)))
            return member;
    }
    return NULL;
}

/* The one that takes over from `old` when nobody was named: of its name, or the only one there is. */
static struct member *plan_find_replacement(struct dynkv_node *node, const struct member *old)
{
    struct member *found = plan_find(node, old->info.name, true);
    uint32_t count = 0;

    for (uint32_t i = 0; i < node->member_count && (!found || count); i++)
        if (plan_is_candidate(node, node->members[i])) {
            found = node->members[i];
            if (++count > 1)
                return NULL;
        }
    return found;
}

static bool plan_has_entry(const struct change *change, uint64_t id)
{
    for (uint32_t i = 0; change && i < change->entry_count; i++)
        if (change->entries[i].member == id || change->entries[i].other == id)
            return true;
    return false;
}

/* ---- blockers ---- */

struct blockers {
    struct dynkv_blocker *list;
    uint32_t count;
};

static void block(struct dynkv_node *node, struct blockers *blockers, const char *format,
                  const struct member *member)
{
    char text[DYNKV_TEXT_MAX];
    int written = member ? snprintf(text, sizeof text, "%.*s %s", NAME(member), format)
                         : snprintf(text, sizeof text, "%s", format);

    if (blockers->count < DYNKV_BLOCKERS_MAX && written > 0)
        blockers->list[blockers->count++].text =
            dynkv_slice_copy(dynkv_slice_text(text), &node->arena);
}

static bool plan_gives_up(const struct change *change, uint64_t id)
{
    for (uint32_t i = 0; i < change->entry_count; i++)
        if (change->entries[i].kind != DYNKV_CHANGE_JOIN && change->entries[i].member == id)
            return true;
    return false;
}

static void plan_check_entry(struct dynkv_node *node, const struct dynkv_change_entry *entry,
                             struct blockers *blockers)
{
    const struct member *member = members_find(node, entry->member);
    const struct member *comer =
        entry->kind == DYNKV_CHANGE_JOIN ? member : members_find(node, entry->other);

    if (entry->kind != DYNKV_CHANGE_JOIN && (!member || !plan_holds_place(node, entry->member)))
        block(node, blockers, "one who should give its place up holds none: cancel", NULL);
    if (entry->kind != DYNKV_CHANGE_LEAVE && (!comer || !plan_is_candidate(node, comer)))
        block(node, blockers, "one who should get a place is no candidate any more: cancel", NULL);
}

static uint32_t plan_greatest_n(const struct dynkv_node *node)
{
    uint32_t n = 1;

    for (uint32_t i = 0; i < node->keyspace_count; i++)
        if (!node->keyspaces[i]->def.dropped && node->keyspaces[i]->def.n > n)
            n = node->keyspaces[i]->def.n;
    return n;
}

/* Members whose part in the change is needed, and who cannot take it. */
static void plan_check_members(struct dynkv_node *node, const struct dynkv_place *after,
                               uint32_t after_count, struct blockers *blockers)
{
    struct id_set holders = {NULL, 0};
    uint32_t before_count, live_before, live_after;
    const struct dynkv_place *before = place_list(node, &before_count);

    places_holders(after, after_count, &holders);
    live_after = holders.count;
    id_set_fini(&holders);
    places_holders(before, before_count, &holders);
    live_before = holders.count;
    places_holders(after, after_count, &holders);
    for (uint32_t i = 0; i < holders.count; i++) {
        const struct member *member = members_find(node, holders.ids[i]);
        bool may_be_down = !change_is_open(node) && plan_gives_up(node->change, holders.ids[i]);

        if (!member)
            block(node, blockers, "a member that should take part is not known here yet", NULL);
        else if (member->down && !member->info.excluded && !may_be_down)
            block(node, blockers, "is down: start it, or replace it, or exclude it", member);
    }
    id_set_fini(&holders);
    if (live_after < live_before && live_after < plan_greatest_n(node))
        block(node, blockers, "fewer members would be left than replicas are kept of a keyspace",
              NULL);
}

/* ---- the plan ---- */

static uint64_t plan_stamp(struct dynkv_node *node)
{
    uint64_t stamp = dynkv_clock_tick(&node->clock, node->now_ms);
    uint32_t count;
    const struct dynkv_place *places = place_list(node, &count);

    for (uint32_t i = 0; i < count; i++) {
        uint64_t last = places[i].left > places[i].joined ? places[i].left : places[i].joined;

        if (last >= stamp)
            stamp = last + 1;
    }
    return stamp;
}

/* The places as they would be; those before, where nothing is staged. */
static const struct dynkv_place *plan_places(struct dynkv_node *node, uint32_t *count)
{
    const struct dynkv_place *places = place_list(node, count);

    if (!node->change)
        return places;
    if (node->change->committed) {
        *count = node->change->place_count;
        return node->change->places;
    }
    return change_make_places(node->change, places, *count, members_list(node, &node->arena),
                              node->member_count, &node->arena, count);
}

static bool plan_strands(struct dynkv_node *node)
{
    uint32_t before_count, after_count;
    const struct dynkv_place *places = place_list(node, &before_count);
    const struct dynkv_place *places_after = plan_places(node, &after_count);
    struct dynkv_ring *before = dynkv_places_ring(places, before_count, node->partitions);
    struct dynkv_ring *after = dynkv_places_ring(places_after, after_count, node->partitions);
    bool strands = place_strands(node, before, after);

    dynkv_ring_free(before);
    dynkv_ring_free(after);
    return strands;
}

static struct blockers plan_blockers(struct dynkv_node *node)
{
    struct blockers blockers = {
        .list = dynkv_arena_calloc(&node->arena, DYNKV_BLOCKERS_MAX, sizeof *blockers.list)};
    uint32_t count;
    const struct dynkv_place *places = plan_places(node, &count);

    if (stage_phase(node) == DYNKV_CHANGE_NONE)
        return blockers;
    for (uint32_t i = 0; i < node->change->entry_count && !change_is_open(node); i++)
        plan_check_entry(node, &node->change->entries[i], &blockers);
    plan_check_members(node, places, count, &blockers);
    if (node->change->seen.count == 0 && plan_strands(node))
        block(node, &blockers,
              "excluded members alone would hold some partitions: cancel, and replace them first",
              NULL);
    return blockers;
}

static uint8_t plan_role(struct dynkv_node *node, const struct member *member,
                         enum dynkv_change_phase phase)
{
    const uint64_t id = member->info.id;
    bool placed = plan_holds_place(node, id);

    if (phase != DYNKV_CHANGE_NONE && plan_has_entry(node->change, id))
        return placed ? DYNKV_ROLE_LEAVING : DYNKV_ROLE_JOINING;
    if (placed)
        return DYNKV_ROLE_PLACED;
    return member->info.joined ? DYNKV_ROLE_LEAVER : DYNKV_ROLE_CANDIDATE;
}

static void plan_count(const struct dynkv_ring *before, const struct dynkv_ring *after, uint32_t n,
                       struct dynkv_plan_member *out)
{
    for (uint32_t p = 0; p < dynkv_ring_partitions(before); p++) {
        bool had = dynkv_ring_replica_index(before, p, out->id, n) >= 0;
        bool has = dynkv_ring_replica_index(after, p, out->id, n) >= 0;

        out->replicas_before += had;
        out->replicas_after += has;
        out->gained += has && !had;
        out->lost += had && !has;
    }
}

/* ---- what is to be moved ---- */

struct plan_rings {
    const struct dynkv_ring *before, *after;
};

/* The first replica that is up speaks for all of them. */
static bool plan_speaks_for(const struct dynkv_node *node, const uint64_t *replicas, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (replicas[i] == node->id || place_is_up(node, replicas[i]))
            return replicas[i] == node->id;
    return false;
}

static bool plan_is_among(const uint64_t *replicas, uint32_t count, uint64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (replicas[i] == id)
            return true;
    return false;
}

static void plan_add_tree(const struct dynkv_node *node, const struct plan_rings *rings,
                          uint32_t partition, uint32_t n, const struct dynkv_merkle *tree,
                          struct dynkv_cluster_plan *plan)
{
    uint64_t before[DYNKV_REPLICAS_MAX], after[DYNKV_REPLICAS_MAX];
    uint32_t before_count = dynkv_ring_preference(rings->before, partition, before, n);
    uint32_t after_count = dynkv_ring_preference(rings->after, partition, after, n);

    if (!plan_speaks_for(node, before, before_count))
        return;
    for (uint32_t i = 0; i < after_count; i++) {
        if (plan_is_among(before, before_count, after[i]))
            continue;
        for (uint32_t j = 0; j < plan->member_count; j++)
            if (plan->members[j].id == after[i]) {
                plan->members[j].gained_keys += dynkv_merkle_keys(tree);
                plan->members[j].gained_bytes += tree->bytes;
            }
    }
}

static void plan_add_trees(const struct dynkv_node *node, const struct plan_rings *rings,
                           struct dynkv_cluster_plan *plan)
{
    for (uint32_t i = 0; i < node->keyspace_count; i++) {
        const struct keyspace *keyspace = node->keyspaces[i];

        if (keyspace->def.dropped)
            continue;
        if (!tree_is_ready(node, keyspace->id)) {
            if (plan->uncounted < UINT8_MAX)
                plan->uncounted++;
            continue;
        }
        for (uint32_t p = 0; p < node->partitions; p++) {
            const struct dynkv_merkle *tree = tree_find(node, keyspace->id, p);

            if (tree)
                plan_add_tree(node, rings, p, keyspace->def.n, tree, plan);
        }
    }
}

/* ---- the members ---- */

static void plan_members(struct dynkv_node *node, struct dynkv_cluster_plan *plan)
{
    uint32_t before_count, after_count, n = plan_greatest_n(node);
    const struct dynkv_place *places = place_list(node, &before_count);
    const struct dynkv_place *places_after = plan_places(node, &after_count);
    struct dynkv_ring *before = dynkv_places_ring(places, before_count, node->partitions);
    struct dynkv_ring *after = dynkv_places_ring(places_after, after_count, node->partitions);

    plan->members = dynkv_arena_calloc(&node->arena, node->member_count, sizeof *plan->members);
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct member *member = node->members[i];
        struct dynkv_plan_member *out = &plan->members[plan->member_count];

        if (member->info.left)
            continue;
        plan->member_count++;
        out->id = member->info.id;
        out->name = member->info.name;
        out->role = plan_role(node, member, (enum dynkv_change_phase)plan->phase);
        out->down = member->down;
        out->excluded = member->info.excluded != 0;
        plan_count(before, after, n, out);
        if (!change_is_open(node))
            continue;
        out->accepted = id_set_has(&node->change->accepted, out->id);
        out->ready = id_set_has(&node->change->ready, out->id);
        out->seen = id_set_has(&node->change->seen, out->id);
        out->reverted = id_set_has(&node->change->reverted, out->id);
    }
    if (plan->phase != DYNKV_CHANGE_NONE)
        plan_add_trees(node, &(struct plan_rings){before, after}, plan);
    dynkv_ring_free(before);
    dynkv_ring_free(after);
}

static struct dynkv_slice plan_name(const struct dynkv_node *node, uint64_t id)
{
    const struct member *member = id ? members_find(node, id) : NULL;

    return member ? member->info.name : dynkv_slice(NULL, 0);
}

static void plan_answer(struct dynkv_node *node, const struct source *source)
{
    struct blockers blockers = plan_blockers(node);
    struct dynkv_cluster_plan plan = {
        .phase = (uint8_t)stage_phase(node),
        .epoch = node->table.epoch,
        .changes = node->table.changes,
        .blockers = blockers.list,
        .blocker_count = blockers.count,
    };
    uint32_t count = plan.phase ? node->change->entry_count : 0;

    plan.entries = dynkv_arena_calloc(&node->arena, count, sizeof *plan.entries);
    for (; plan.entry_count < count; plan.entry_count++) {
        const struct dynkv_change_entry *entry = &node->change->entries[plan.entry_count];

        plan.entries[plan.entry_count] = (struct dynkv_plan_entry){
            .kind = entry->kind,
            .member = entry->member,
            .other = entry->other,
            .member_name = plan_name(node, entry->member),
            .other_name = plan_name(node, entry->other),
        };
    }
    plan_members(node, &plan);
    node_answer(node, source, DYNKV_MESSAGE_CLUSTER_PLAN, &plan);
}

/* ---- staging ---- */

static bool plan_refuse(struct dynkv_node *node, const struct source *source,
                        enum dynkv_error error, const char *text, struct dynkv_slice name)
{
    node_answer_error(node, source, error, text, (int)name.len, (const char *)name.data);
    return false;
}

/* Makes an entry of what was asked; false: refused. */
static bool plan_make_entry(struct dynkv_node *node, const struct source *source,
                            const struct dynkv_cluster_change *body,
                            struct dynkv_change_entry *entry)
{
    bool joins = body->action == DYNKV_CLUSTER_JOIN;
    const struct member *member = plan_find(node, body->name, joins), *other = NULL;

    if (!member)
        return plan_refuse(node, source, DYNKV_NOT_FOUND,
                           joins ? "no candidate is called %.*s: start it with --join first"
                                 : "no member with a place in the ring is called %.*s",
                           body->name);
    entry->kind = joins ? DYNKV_CHANGE_JOIN : DYNKV_CHANGE_LEAVE;
    entry->member = member->info.id;
    if (body->action == DYNKV_CLUSTER_REPLACE) {
        other = body->other.len ? plan_find(node, body->other, true)
                                : plan_find_replacement(node, member);
        if (!other)
            return plan_refuse(node, source, DYNKV_NOT_FOUND,
                               "no such candidate to replace %.*s: start one with --join, and name "
                               "it if there are several",
                               body->name);
        if (!dynkv_slice_equal(other->info.zone, member->info.zone))
            return plan_refuse(node, source, DYNKV_REFUSED,
                               "a replacement takes over the place of %.*s, and so must be in its "
                               "zone: join the new one and let the old one leave instead",
                               body->name);
        entry->kind = DYNKV_CHANGE_REPLACE;
        entry->other = other->info.id;
    }
    if (plan_has_entry(node->change, entry->member) ||
        (other && plan_has_entry(node->change, entry->other)))
        return plan_refuse(node, source, DYNKV_REFUSED, "%.*s is staged already", body->name);
    if (node->change && node->change->entry_count == DYNKV_CHANGES_MAX)
        return plan_refuse(node, source, DYNKV_TOO_LARGE,
                           "%.*s is one too many for one change: commit it, and stage another",
                           body->name);
    return true;
}

static bool plan_stage(struct dynkv_node *node, const struct source *source,
                       const struct dynkv_cluster_change *body)
{
    struct dynkv_change_entry entry = {0};

    if (change_is_open(node))
        return plan_refuse(node, source, DYNKV_REFUSED,
                           "%.*s: a change is under way; wait until it is finished, or cancel it",
                           body->name);
    if (!plan_make_entry(node, source, body, &entry))
        return false;
    if (!node->change) {
        node->change = dynkv_calloc(1, sizeof *node->change);
        node->change->number = node->table.changes + 1;
        node->change->id = dynkv_random_next(&node->random) | 1;
    }
    node->change->entries[node->change->entry_count++] = entry;
    node->change->stamp = plan_stamp(node);
    stage_changed(node);
    return true;
}

static bool plan_exclude(struct dynkv_node *node, const struct source *source,
                         struct dynkv_slice name)
{
    struct member *found = NULL;

    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[i];

        /* Of two of one name the one that is down is meant. */
        if (member_counts(member) && dynkv_slice_equal(member->info.name, name) &&
            (!found || member->down))
            found = member;
    }
    if (!found)
        return plan_refuse(node, source, DYNKV_NOT_FOUND, "no member is called %.*s", name);
    if (!found->down)
        return plan_refuse(node, source, DYNKV_REFUSED,
                           "%.*s is not down: stop it first; what it holds is lost to the cluster "
                           "then, so a member that runs had better leave",
                           name);
    members_exclude(node, found, dynkv_clock_tick(&node->clock, node->now_ms));
    members_settle(node);
    gossip_spread_member(node, found);
    return true;
}

/* ---- committing and cancelling ---- */

/* Who is down and gives its place up has nothing to say any more. */
static void plan_exclude_the_down(struct dynkv_node *node, uint64_t stamp)
{
    for (uint32_t i = 0; i < node->change->entry_count; i++) {
        struct member *member = members_find(node, node->change->entries[i].member);

        if (node->change->entries[i].kind == DYNKV_CHANGE_JOIN || !member->down)
            continue;
        members_exclude(node, member, stamp);
        gossip_spread_member(node, member);
    }
}

static bool plan_commit(struct dynkv_node *node, const struct source *source)
{
    struct blockers blockers = plan_blockers(node);
    const struct dynkv_place *places;
    uint32_t count;

    if (change_is_open(node))
        return true; /* it is done already: a repetition */
    if (stage_phase(node) == DYNKV_CHANGE_NONE)
        return plan_refuse(node, source, DYNKV_NOT_FOUND, "nothing is staged%.*s",
                           dynkv_slice(NULL, 0));
    if (blockers.count)
        return plan_refuse(node, source, DYNKV_REFUSED, "%.*s", blockers.list[0].text);
    node->change->stamp = plan_stamp(node);
    node->change->id = dynkv_random_next(&node->random) | 1;
    places = plan_places(node, &count);
    plan_exclude_the_down(node, node->change->stamp);
    change_set_places(node->change, places, count);
    node->change->committed = true;
    stage_changed(node);
    return true;
}

static bool plan_cancel(struct dynkv_node *node, const struct source *source)
{
    if (stage_phase(node) == DYNKV_CHANGE_NONE)
        return plan_refuse(node, source, DYNKV_NOT_FOUND, "nothing is staged%.*s",
                           dynkv_slice(NULL, 0));
    if (!change_is_open(node)) {
        node->change->entry_count = 0;
        node->change->stamp = plan_stamp(node);
    } else if (id_set_has(&node->change->seen, node->id)) {
        return plan_refuse(
            node, source, DYNKV_REFUSED,
            "it is too late: the data have moved and readers use the new ring; stage "
            "the opposite instead%.*s",
            dynkv_slice(NULL, 0));
    } else {
        node->change->cancelled = true;
    }
    stage_changed(node);
    return true;
}

/* A change is committed and cancelled by somebody whose part in it is needed. */
static bool plan_may_decide(struct dynkv_node *node)
{
    struct id_set needed = stage_needed(node);
    bool may = id_set_has(&needed, node->id);

    id_set_fini(&needed);
    return may;
}

void on_cluster_change(struct dynkv_node *node, const struct source *source,
                       const struct dynkv_cluster_change *body)
{
    bool looks = body->action == DYNKV_CLUSTER_STATUS || body->action == DYNKV_CLUSTER_PLAN;
    bool done = true;

    if (node->counters.unsure || (!looks && !plan_may_decide(node))) {
        node_answer_error(node, source, DYNKV_UNAVAILABLE,
                          "node %.*s holds no place in the ring: ask another", NAME(node->self));
        return;
    }
    switch (body->action) {
    case DYNKV_CLUSTER_STATUS:
    case DYNKV_CLUSTER_PLAN:
        break;
    case DYNKV_CLUSTER_JOIN:
    case DYNKV_CLUSTER_LEAVE:
    case DYNKV_CLUSTER_REPLACE:
        done = plan_stage(node, source, body);
        break;
    case DYNKV_CLUSTER_EXCLUDE:
        done = plan_exclude(node, source, body->name);
        break;
    case DYNKV_CLUSTER_COMMIT:
        done = plan_commit(node, source);
        break;
    case DYNKV_CLUSTER_CANCEL:
        done = plan_cancel(node, source);
        break;
    default:
        done = plan_refuse(node, source, DYNKV_INVALID, "that is nothing that can be done%.*s",
                           dynkv_slice(NULL, 0));
    }
    if (done)
        plan_answer(node, source);
}
