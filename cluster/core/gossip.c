/*
 * gossip.c: the spreading of the tables.
 *
 * Three ways, from fast to sure:
 *   - while there are at most CORE_BROADCAST_MEMBERS members, who makes a change tells everybody at once;
 *   - changed records ride on the pings for a while, however many members there are (rumor.c);
 *   - pings carry a digest of the tables, and where the digests differ the tables are exchanged whole.
 *
 * Whole tables of many members are big, and while news is spreading digests differ everywhere.  So with
 * more than CORE_BROADCAST_MEMBERS a node waits until its table has been quiet for a while, and sends
 * its tables to one peer at a time, every so often.
 */
#include "core/node_impl.h"

static bool gossip_is_broadcast(const struct dynkv_node *node)
{
    return members_present(node) <= CORE_BROADCAST_MEMBERS;
}

/* A change never goes without the keyspaces: who hears that all have accepted it knows all that they know. */
static void gossip_add_change(struct dynkv_node *node, struct dynkv_gossip *body)
{
    body->keyspaces = keyspaces_list(node, true, &node->arena, &body->keyspace_count);
    body->tables = stage_table(node, &node->arena, &body->table_count);
    body->changes = stage_change(node, &node->arena, &body->change_count);
}

void gossip_send_tables(struct dynkv_node *node, struct member *to, bool answer)
{
    struct dynkv_gossip body = {
        .members = members_list(node, &node->arena),
        .member_count = node->member_count,
        .answer = answer,
        .whole = 1,
        .unsure = node->counters.unsure != 0,
    };

    gossip_add_change(node, &body);
    node->counters.gossip_sent++;
    node_send(node, to, DYNKV_MESSAGE_GOSSIP, 0, 0, &body);
}

static void gossip_send_all(struct dynkv_node *node, const struct dynkv_gossip *body)
{
    for (uint32_t i = 0; i < node->member_count; i++) {
        if (node->members[i] == node->self || !member_counts(node->members[i]))
            continue;
        node->counters.gossip_sent++;
        node_send(node, node->members[i], DYNKV_MESSAGE_GOSSIP, 0, 0, body);
    }
}

/* Few members exchange members and keyspaces at any occasion; many hear of keyspaces alone. */
void gossip_spread_tables(struct dynkv_node *node)
{
    struct dynkv_gossip body = {0};

    if (gossip_is_broadcast(node)) {
        body.members = members_list(node, &node->arena);
        body.member_count = node->member_count;
    }
    gossip_add_change(node, &body);
    gossip_send_all(node, &body);
}

void gossip_spread_change(struct dynkv_node *node)
{
    struct dynkv_gossip body = {0};

    gossip_add_change(node, &body);
    if (members_present(node) <= CORE_STAGE_TOLD)
        gossip_send_all(node, &body);
}

void gossip_announce(struct dynkv_node *node)
{
    if (gossip_is_broadcast(node)) {
        gossip_spread_tables(node);
        return;
    }
    rumor_add(node, node->self, true);
    for (uint32_t i = 0; i < CORE_TABLES_PEERS; i++) {
        struct member *peer = node->members[dynkv_random_below(&node->random, node->member_count)];

        if (peer != node->self && member_counts(peer))
            gossip_send_tables(node, peer, true);
    }
}

void gossip_tell_few(struct dynkv_node *node, struct member *about)
{
    struct dynkv_member record = about->info;
    struct dynkv_gossip body = {.members = &record, .member_count = 1};

    if (node->cluster_id && node->effects && gossip_is_broadcast(node))
        gossip_send_all(node, &body);
}

void gossip_spread_member(struct dynkv_node *node, struct member *about)
{
    rumor_add(node, about, true);
    gossip_tell_few(node, about);
}

/* With many members: whether rumours had their chance, and it is time for whole tables. */
static bool gossip_is_time(struct dynkv_node *node)
{
    if (!node->tables_force_ms)
        node->tables_force_ms = node->mono_ms + CORE_TABLES_FORCE_MS;
    if (node->mono_ms < node->tables_changed_ms + CORE_TABLES_QUIET_MS &&
        node->mono_ms < node->tables_force_ms)
        return false;
    return node->mono_ms >= node->tables_next_ms;
}

void gossip_compare(struct dynkv_node *node, struct member *with, uint64_t digest)
{
    if (digest == state_tables_digest(node)) {
        node->tables_force_ms = 0;
        node->behind = false;
        return;
    }
    if (gossip_is_broadcast(node) ? node->mono_ms < with->gossip_next_ms : !gossip_is_time(node))
        return;
    with->gossip_next_ms = node->mono_ms + CORE_GOSSIP_INTERVAL_MS;
    node->tables_next_ms = node->mono_ms + CORE_TABLES_INTERVAL_MS;
    node->tables_force_ms = 0;
    gossip_send_tables(node, with, true);
}

void gossip_merge(struct dynkv_node *node, const struct dynkv_member *members,
                  uint32_t member_count, const struct dynkv_report *reports, uint32_t report_count)
{
    bool changed = false;

    for (uint32_t i = 0; i < member_count; i++)
        changed |= members_merge(node, &members[i]);
    for (uint32_t i = 0; i < report_count; i++)
        changed |= members_merge_report(node, &reports[i]);
    if (changed)
        members_settle(node);
}

void on_gossip(struct dynkv_node *node, uint64_t sender, const struct dynkv_gossip *body)
{
    struct member *from;

    node->counters.gossip_received++;
    gossip_merge(node, body->members, body->member_count, NULL, 0);
    for (uint32_t i = 0; i < body->keyspace_count; i++)
        keyspaces_merge(node, &body->keyspaces[i]);
    if (stage_merge_tables(node, body->tables, body->table_count) |
        stage_merge_changes(node, body->changes, body->change_count))
        members_settle(node);
    from = members_find(node, sender);
    if (!from || from == node->self)
        return;
    members_heard_from(node, from);
    if (body->whole) {
        node->behind = false;
        state_heard_tables(node, sender, body->unsure != 0);
    }
    if (body->answer)
        gossip_send_tables(node, from, false);
}
