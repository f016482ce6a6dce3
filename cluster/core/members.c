/*
 * members.c: the table of members: a map that merges, so that it can be gossiped in any order.
 *
 * Per member, the record of the greater incarnation wins whole; at the same incarnation accusers add up
 * (the smallest ids are kept, so that the order of merging does not matter).  holds_data, left and excluded
 * only ever grow.  Only the member itself raises its incarnation; hearing itself accused, or hearing of an
 * incarnation of its own that is not older than its present one, it refutes by raising it above.
 *
 * A report is the short form of a record: it raises the incarnation, or adds accusers, at those who have
 * the rest of the record as it is now.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "core/prove.h"

struct member *members_find(const struct dynkv_node *node, uint64_t id)
{
    uint32_t low = 0, high = node->member_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (node->members[middle]->info.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < node->member_count && node->members[low]->info.id == id ? node->members[low]
                                                                         : NULL;
}

struct member *members_find_name(const struct dynkv_node *node, struct dynkv_slice name)
{
    for (uint32_t i = 0; i < node->member_count; i++)
        if (!node->members[i]->info.left && dynkv_slice_equal(node->members[i]->info.name, name))
            return node->members[i];
    return NULL;
}

uint32_t members_present(const struct dynkv_node *node)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < node->member_count; i++)
        count += member_counts(node->members[i]);
    return count;
}

uint64_t members_digest(const struct member *member)
{
    const struct dynkv_member *info = &member->info;
    uint64_t hash = dynkv_hash_pair(info->id, info->incarnation);

    hash = dynkv_hash_pair(hash, info->run);
    hash = dynkv_hash_pair(hash, info->left << 1 | info->holds_data);
    hash = dynkv_hash_pair(hash, info->excluded);
    for (uint32_t i = 0; i < info->accuser_count; i++)
        hash = dynkv_hash_pair(hash, info->accusers[i].id);
    return hash;
}

void members_changed(struct dynkv_node *node, struct member *member, bool whole)
{
    uint64_t digest = members_digest(member);

    /* The sum is kept up to date here; where it is stale already it will be made anew. */
    node->tables_digest += digest - member->digest;
    member->digest = digest;
    node->tables_changed_ms = node->mono_ms;
    rumor_add(node, member, whole);
}

/* ---- one record ---- */

static struct dynkv_slice member_put_text(char **place, struct dynkv_slice text)
{
    struct dynkv_slice result = dynkv_slice(*place, text.len);

    if (text.len)
        memcpy(*place, text.data, text.len);
    *place += text.len;
    return result;
}

/* Its own copy of the strings, in one piece: a table of a thousand members is in memory a while. */
static void member_set_texts(struct member *member, const struct dynkv_member *from)
{
    size_t size = from->name.len + from->zone.len + from->client_url.len + from->peer_url.len;
    char *old = member->text, *place = dynkv_alloc(size);

    member->text = place;
    member->info.name = member_put_text(&place, from->name);
    member->info.zone = member_put_text(&place, from->zone);
    member->info.client_url = member_put_text(&place, from->client_url);
    member->info.peer_url = member_put_text(&place, from->peer_url);
    free(old);
}

static uint64_t member_facts(const struct dynkv_member *info)
{
    uint64_t hash = dynkv_hash(info->name, info->joined);

    hash = dynkv_hash(info->zone, hash);
    hash = dynkv_hash(info->client_url, hash);
    hash = dynkv_hash_pair(dynkv_hash(info->peer_url, hash), info->weight);
    return dynkv_hash_pair(hash, info->run);
}

/* What was said of the member was about an incarnation that is over. */
static void member_set_incarnation(struct member *member, uint64_t incarnation)
{
    member->info.incarnation = incarnation;
    member->info.accuser_count = 0;
    member->accused = member->told = member->suspected = false;
}

void members_set_joined(struct dynkv_node *node, uint64_t joined)
{
    node->self->info.joined = joined;
    node->self->facts = member_facts(&node->self->info);
    node->state_stale = true;
}

/* Takes over what the member says of itself; whether that was more than a new incarnation. */
static bool member_set(struct dynkv_node *node, struct member *member,
                       const struct dynkv_member *from)
{
    struct dynkv_member *info = &member->info;
    uint64_t facts = member_facts(from);
    bool changed = facts != member->facts;

    if (changed) {
        node->ring_stale |= info->joined != from->joined || info->weight != from->weight ||
                            !dynkv_slice_equal(info->zone, from->zone);
        node->state_stale = true;
        member_set_texts(member, from);
        info->weight = from->weight;
        info->joined = from->joined;
        if (info->run != from->run)
            prove_forget_strays(node);
        info->run = from->run;
        info->ring_version = 0;
        info->accusers = member->accusers;
        member->facts = facts;
    }
    member_set_incarnation(member, from->incarnation);
    return changed;
}

bool members_add_accuser(struct dynkv_node *node, struct member *member, uint64_t id)
{
    uint32_t count = member->info.accuser_count, at = 0;

    while (at < count && member->accusers[at].id < id)
        at++;
    if (at == CORE_ACCUSERS_MAX || (at < count && member->accusers[at].id == id))
        return false;
    if (count == CORE_ACCUSERS_MAX)
        count--; /* the greatest id falls off */
    memmove(&member->accusers[at + 1], &member->accusers[at],
            (count - at) * sizeof *member->accusers);
    member->accusers[at].id = id;
    member->info.accuser_count = count + 1;
    members_changed(node, member, false);
    return true;
}

static bool member_is_possible(const struct dynkv_member *info)
{
    return info->id != 0 && info->incarnation != 0 && info->incarnation != UINT64_MAX &&
           info->name.len > 0 && info->name.len <= DYNKV_NAME_MAX &&
           info->zone.len <= DYNKV_NAME_MAX && info->client_url.len <= DYNKV_URL_MAX &&
           info->peer_url.len > 0 && info->peer_url.len <= DYNKV_URL_MAX && info->weight >= 1 &&
           info->weight <= 10000;
}

static struct member *members_insert(struct dynkv_node *node, uint64_t id)
{
    struct member *member;
    uint32_t at = 0;

    if (node->member_count >= DYNKV_MEMBERS_MAX) {
        node_log(node, DYNKV_LOG_ERROR, "more than %u members: a new one is ignored",
                 DYNKV_MEMBERS_MAX);
        return NULL;
    }
    member = dynkv_calloc(1, sizeof *member);
    member->info.id = id;
    while (at < node->member_count && node->members[at]->info.id < id)
        at++;
    node->members = dynkv_realloc(node->members, (node->member_count + 1) * sizeof *node->members);
    memmove(&node->members[at + 1], &node->members[at],
            (node->member_count - at) * sizeof *node->members);
    node->members[at] = member;
    node->member_count++;
    node->ring_stale = node->state_stale = true;
    probe_add_member(node, member);
    return member;
}

/* ---- what is for good ---- */

bool dynkv_node_excludes(const struct dynkv_node *node, uint64_t id)
{
    const struct member *member = members_find(node, id);

    return member && member->info.excluded;
}

void members_exclude(struct dynkv_node *node, struct member *member, uint64_t stamp)
{
    if (stamp <= member->info.excluded)
        return;
    if (!member->info.excluded && member == node->self)
        node_log(node, DYNKV_LOG_ERROR,
                 "this node was excluded: its data count no more; start it with an empty data "
                 "folder and --join, then dynkv cluster join or replace");
    else if (!member->info.excluded)
        node_log(node, DYNKV_LOG_WARNING, "member %.*s is excluded: its identity counts no more",
                 (int)member->info.name.len, (const char *)member->info.name.data);
    member->info.excluded = stamp;
    node->phase_stale = true;
    node->state_stale = true;
    members_changed(node, member, true);
}

void members_set_left(struct dynkv_node *node, struct member *member, uint64_t stamp)
{
    if (stamp <= member->info.left)
        return;
    if (!member->info.left && member != node->self)
        node_log(node, DYNKV_LOG_INFO, "member %.*s has left the cluster",
                 (int)member->info.name.len, (const char *)member->info.name.data);
    member->info.left = stamp;
    node->state_stale = true;
    members_changed(node, member, true);
}

/* ---- merging ---- */

/*
 * Somebody's record of ourselves: what it may change is accusations, which we refute; but not while it is asked
 * whether there was a later run: its record, of the same incarnation, would be taken for an older one of ours.
 */
static bool members_merge_self(struct dynkv_node *node, const struct dynkv_member *info,
                               bool not_ours)
{
    struct dynkv_member *self = &node->self->info;
    bool same = info->incarnation == self->incarnation;
    bool accused = same && info->accuser_count > 0;

    if (info->left > self->left || info->excluded > self->excluded) {
        members_set_left(node, node->self, info->left);
        members_exclude(node, node->self, info->excluded);
        return true;
    }
    if (info->incarnation < self->incarnation || (same && !accused && !not_ours))
        return false;
    if (same && !not_ours && node->restart == RESTART_DOUBT)
        return false;
    if (!same || not_ours)
        restart_is_old_copy(node, "others know of a later run of it");
    self->incarnation = info->incarnation + 1;
    node->state_stale =
        true; /* or a restart would use this incarnation again, for something else */
    node->counters.refutations++;
    probe_health(node, 1);
    members_changed(node, node->self, false);
    gossip_tell_few(node, node->self);
    return true;
}

static bool members_merge_accusers(struct dynkv_node *node, struct member *member,
                                   uint64_t incarnation, const struct dynkv_accuser *accusers,
                                   uint32_t count)
{
    bool changed = false;

    if (incarnation == member->info.incarnation)
        for (uint32_t i = 0; i < count; i++)
            changed |= members_add_accuser(node, member, accusers[i].id);
    return changed;
}

static bool members_merge_other(struct dynkv_node *node, const struct dynkv_member *info)
{
    struct member *member = members_find(node, info->id);
    bool changed = false, whole = false;

    if (!member) {
        member = members_insert(node, info->id);
        if (!member)
            return false;
    }
    if (info->incarnation > member->info.incarnation) {
        whole = member_set(node, member, info);
        changed = true;
    }
    if (info->holds_data && !member->info.holds_data) {
        member->info.holds_data = 1;
        changed = whole = node->state_stale = true;
    }
    if (info->left > member->info.left || info->excluded > member->info.excluded) {
        members_set_left(node, member, info->left);
        members_exclude(node, member, info->excluded);
        changed = whole = true;
    }
    if (changed)
        members_changed(node, member, whole);
    return members_merge_accusers(node, member, info->incarnation, info->accusers,
                                  info->accuser_count) ||
           changed;
}

bool members_merge(struct dynkv_node *node, const struct dynkv_member *info)
{
    if (!member_is_possible(info))
        return false;
    if (node->self && info->id == node->id)
        return members_merge_self(
            node, info, info->joined != node->self->info.joined || info->run != node->run);
    return members_merge_other(node, info);
}

bool members_merge_report(struct dynkv_node *node, const struct dynkv_report *report)
{
    struct member *member = members_find(node, report->id);
    bool changed = false;

    if (!member || report->incarnation == UINT64_MAX)
        return false;
    if (member == node->self) {
        struct dynkv_member info = {.incarnation = report->incarnation,
                                    .accuser_count = report->accuser_count};

        return members_merge_self(node, &info, report->facts != member->facts);
    }
    if (report->incarnation > member->info.incarnation && report->facts == member->facts) {
        member_set_incarnation(member, report->incarnation);
        members_changed(node, member, false);
        changed = true;
    }
    return members_merge_accusers(node, member, report->incarnation, report->accusers,
                                  report->accuser_count) ||
           changed;
}

void members_settle(struct dynkv_node *node)
{
    if (node->ring_stale)
        place_rebuild(node);
    else if (node->phase_stale)
        place_follow(node);
    members_refresh_down(node);
}

/* ---- the table as a whole ---- */

struct dynkv_member *members_list(const struct dynkv_node *node, struct dynkv_arena *arena)
{
    struct dynkv_member *list = dynkv_arena_calloc(arena, node->member_count, sizeof *list);

    for (uint32_t i = 0; i < node->member_count; i++)
        list[i] = node->members[i]->info;
    return list;
}

bool members_hold_data(const struct dynkv_node *node)
{
    for (uint32_t i = 0; i < node->member_count; i++)
        if (node->members[i]->info.holds_data)
            return true;
    return false;
}

void members_fini(struct dynkv_node *node)
{
    for (uint32_t i = 0; i < node->member_count; i++) {
        dynkv_buf_fini(&node->members[i]->handoff.cursor);
        free(node->members[i]->text);
        free(node->members[i]);
    }
    free(node->members);
}
