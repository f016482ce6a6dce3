/*
 * down.c: who counts as down here.
 *
 * Down is not in the table: each node derives it, from who accuses whom.
 *
 *   up         nobody accuses the member at its present incarnation
 *   suspected  somebody does; the time it has to refute is running (suspicion.h), and is the shorter
 *              the more accuse it
 *   down       its time is up, and as many accuse it as are needed: two; one, where this node can reach
 *              no other that could be the second
 *
 * From each state a greater incarnation of the member leads back to up.  That is a weak form of
 * agreement, and enough, because down only means routed around.
 *
 * A node that hears nobody at all does not tell whom it finds unreachable: it is more likely the sick one
 * itself (Lifeguard's "local health", taken to its end).  What it thinks counts for itself, so that it
 * routes around those it can't reach, until it hears from them.
 */
#include "core/node_impl.h"
#include "core/suspicion.h"

/* So many reports bring a suspicion to its least time: more would be noise. */
#define DOWN_REPORTS_ENOUGH (CORE_CONFIRMATIONS + 1u)

void members_accuse(struct dynkv_node *node, struct member *member, bool aloud)
{
    if (member->accused && (member->told || !aloud))
        return;
    member->accused = true;
    if (aloud) {
        member->told = true;
        if (member->info.accuser_count < DOWN_REPORTS_ENOUGH &&
            members_add_accuser(node, member, node->id)) {
            node->counters.accusations++;
            gossip_tell_few(node, member);
            probe_warn(node, member);
        }
    }
    members_refresh_down(node);
}

void members_heard_from(struct dynkv_node *node, struct member *member)
{
    if (!member->accused || member->told)
        return;
    member->accused = false;
    members_refresh_down(node);
}

/* How many accusers `target` needs: one where we ourselves can reach nobody who could be the second. */
static uint32_t down_reports_needed(const struct dynkv_node *node, const struct member *target)
{
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct member *other = node->members[i];

        if (other != target && other != node->self && member_counts(other) && !other->accused &&
            !other->down)
            return 2;
    }
    return 1;
}

/* How long the target of so many reports has. */
static uint64_t down_time_ms(const struct dynkv_node *node, uint32_t reports, uint32_t live)
{
    uint32_t expected = CORE_CONFIRMATIONS;
    uint64_t least_ms = suspicion_least_ms(CORE_SUSPICION_LEAST, live, CORE_PING_INTERVAL_MS);

    if (node->plain_swim)
        return least_ms;
    /* Of those who live, the target can't confirm and the first report is no confirmation. */
    if (live < expected + 2)
        expected = live > 2 ? live - 2 : 0;
    return suspicion_time_ms(reports - 1, expected, least_ms, least_ms * CORE_SUSPICION_GREATEST);
}

static uint32_t down_live(const struct dynkv_node *node)
{
    uint32_t live = 0;

    for (uint32_t i = 0; i < node->member_count; i++)
        live += node->members[i] == node->self ||
                (member_counts(node->members[i]) && !node->members[i]->down);
    return live;
}

static bool down_judge(struct dynkv_node *node, struct member *member, uint32_t live)
{
    uint32_t reports = member->info.accuser_count + (member->accused && !member->told);
    uint64_t end_ms;

    if (reports == 0) {
        member->suspected = false;
        return false;
    }
    if (!member->suspected) {
        member->suspected = true;
        member->suspected_ms = node->mono_ms;
    }
    if (reports < down_reports_needed(node, member))
        return false;
    end_ms = member->suspected_ms + down_time_ms(node, reports, live);
    if (member->down || node->mono_ms >= end_ms)
        return true;
    if (end_ms < node->suspicion_next_ms)
        node->suspicion_next_ms = end_ms;
    return false;
}

static void down_set(struct dynkv_node *node, struct member *member, bool down)
{
    member->down = down;
    node_log(node, down ? DYNKV_LOG_WARNING : DYNKV_LOG_INFO, "member %.*s is %s",
             (int)member->info.name.len, (const char *)member->info.name.data,
             down ? "down" : "up");
    if (!down)
        return;
    node->counters.declared_down++;
    op_on_member_down(node, member->info.id);
}

void members_refresh_down(struct dynkv_node *node)
{
    uint32_t live = down_live(node);

    node->suspicion_next_ms = UINT64_MAX;
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[i];
        bool down = member != node->self &&
                    ((member->info.excluded && !mutant_is(node, DYNKV_MUTANT_EXCLUDED_COUNT)) ||
                     down_judge(node, member, live));

        if (member->down && mutant_is(node, DYNKV_MUTANT_STAY_DOWN))
            continue;
        if (down != member->down)
            down_set(node, member, down);
    }
}

void members_down_tick(struct dynkv_node *node)
{
    if (node->mono_ms >= node->suspicion_next_ms)
        members_refresh_down(node);
}

void members_down_slept(struct dynkv_node *node, uint64_t ms)
{
    for (uint32_t i = 0; i < node->member_count; i++)
        node->members[i]->suspected_ms += ms;
    members_refresh_down(node);
}

struct dynkv_accuser *members_down_list(const struct dynkv_node *node, struct dynkv_arena *arena,
                                        uint32_t *count)
{
    struct dynkv_accuser *list = dynkv_arena_calloc(arena, node->member_count, sizeof *list);

    *count = 0;
    for (uint32_t i = 0; i < node->member_count; i++)
        if (node->members[i]->down)
            list[(*count)++].id = node->members[i]->info.id;
    return list;
}
