/*
 * join.c: how a new node becomes a member, or a candidate.
 *
 * The joiner asks every URL it was given until one answers with the tables.  While the cluster holds no data it
 * has a place in the ring from then on.  Once any member has stored something moving data needs a plan: it becomes
 * a candidate, a member without a place (joined is 0), until a change gives it one (change.h).
 *
 * Names are unique, but a candidate may bear the name of a member that is down: it came to replace it.
 */
#include "core/node_impl.h"

void join_tick(struct dynkv_node *node)
{
    struct dynkv_join body = {.members = &node->self->info, .member_count = 1};

    if (node->mono_ms < node->join_next_ms)
        return;
    node->join_next_ms = node->mono_ms + CORE_JOIN_INTERVAL_MS;
    for (uint32_t i = 0; i < node->join_url_count; i++)
        node_send_url(node, dynkv_slice_text(node->join_urls[i]), 0, DYNKV_MESSAGE_JOIN, &body);
}

static const char *join_refusal(struct dynkv_node *node, const struct dynkv_member *joiner)
{
    const struct member *same_id = members_find(node, joiner->id);

    if (mutant_is(node, DYNKV_MUTANT_JOIN_ANYONE))
        return NULL;
    if (same_id)
        return !member_counts(same_id) ? "a node with this identity has left the cluster: give it "
                                         "an empty data folder"
                                       : NULL;
    for (uint32_t i = 0; i < node->member_count; i++)
        if (member_counts(node->members[i]) && !node->members[i]->down &&
            dynkv_slice_equal(node->members[i]->info.name, joiner->name))
            return "a member with this name is there already: choose another --name, or start the "
                   "old one with its data folder; a member that is down can be replaced by one of "
                   "its name as soon as the others have noticed";
    if (node->member_count >= DYNKV_MEMBERS_MAX)
        return "the cluster has the most members there can be";
    return NULL;
}

/*
 * The first data may have come while this node was stopped, or when its disk was bad: before it has been told
 * it gives no places away.  Where nobody is up to tell it, a plan is safe.
 */
static bool join_has_to_wait(const struct dynkv_node *node)
{
    if (!node->behind || members_hold_data(node))
        return false;
    for (uint32_t i = 0; i < node->member_count; i++)
        if (node->members[i] != node->self && place_is_up(node, node->members[i]->info.id))
            return true;
    return false;
}

/* Whether the ring may not change just so.  Who is a member already stays what it is. */
static bool join_needs_plan(const struct dynkv_node *node, const struct dynkv_member *joiner)
{
    const struct member *known = members_find(node, joiner->id);

    if (mutant_is(node, DYNKV_MUTANT_JOIN_ANYONE))
        return false;
    if (known)
        return known->info.joined == 0;
    return node->behind || members_hold_data(node) || node->table.epoch || change_is_open(node);
}

void on_join(struct dynkv_node *node, const struct dynkv_join *body)
{
    struct dynkv_join_reply reply = {0};
    struct dynkv_member *joiner = body->members;
    const char *refusal;

    if (!node->cluster_id || body->member_count != 1 || joiner->id == node->id ||
        joiner->peer_url.len == 0 || node->counters.unsure || join_has_to_wait(node))
        return; /* not a member yet, or not a joiner: it will ask again */
    refusal = join_refusal(node, joiner);
    if (join_needs_plan(node, joiner))
        joiner->joined = 0;
    reply.cluster_id = node->cluster_id;
    reply.partitions = node->partitions;
    if (refusal) {
        reply.error = DYNKV_REFUSED;
        reply.text = dynkv_slice_text(refusal);
    } else {
        if (members_merge(node, joiner)) {
            members_settle(node);
            node_log(node, DYNKV_LOG_INFO, "member %.*s joined%s", (int)joiner->name.len,
                     (const char *)joiner->name.data,
                     joiner->joined ? "" : " as a candidate: stage it with dynkv cluster join");
            gossip_spread_member(node, members_find(node, joiner->id));
        }
        reply.members = members_list(node, &node->arena);
        reply.member_count = node->member_count;
        reply.keyspaces = keyspaces_list(node, true, &node->arena, &reply.keyspace_count);
        reply.tables = stage_table(node, &node->arena, &reply.table_count);
        reply.changes = stage_change(node, &node->arena, &reply.change_count);
    }
    node_send_url(node, joiner->peer_url, node->cluster_id, DYNKV_MESSAGE_JOIN_REPLY, &reply);
}

/* It holds no data until an operator says so: what that takes. */
static void join_tell_candidate(struct dynkv_node *node)
{
    struct dynkv_slice name = node->self->info.name;
    const struct member *rival = NULL;

    for (uint32_t i = 0; i < node->member_count; i++)
        if (node->members[i] != node->self && place_is_held(node, node->members[i]->info.id) &&
            dynkv_slice_equal(node->members[i]->info.name, name))
            rival = node->members[i];
    node_log(node, DYNKV_LOG_INFO,
             "joined a cluster that holds data, as a candidate: it gets its share after dynkv "
             "cluster %s %.*s and dynkv cluster commit",
             rival ? "replace" : "join", (int)name.len, (const char *)name.data);
}

/* Who has lost its store may get what was said, late, to the identity that had its address before. */
static bool join_reply_is_for(const struct dynkv_node *node, const struct dynkv_join_reply *body)
{
    for (uint32_t i = 0; i < body->member_count; i++)
        if (body->members[i].id == node->id)
            return true;
    return false;
}

void on_join_reply(struct dynkv_node *node, const struct dynkv_join_reply *body)
{
    if (node->cluster_id)
        return; /* another seed was faster */
    if (body->error) {
        node_log(node, DYNKV_LOG_ERROR, "the cluster refuses this node: %.*s", (int)body->text.len,
                 (const char *)body->text.data);
        node->join_next_ms = node->mono_ms + CORE_JOIN_REFUSED_MS;
        return;
    }
    if (!body->cluster_id || body->partitions == 0 || body->partitions > DYNKV_PARTITIONS_MAX ||
        (body->partitions & (body->partitions - 1)) != 0) {
        node->counters.malformed_messages++;
        return;
    }
    if (!join_reply_is_for(node, body))
        return;
    node->cluster_id = body->cluster_id;
    node->partitions = body->partitions;
    for (uint32_t i = 0; i < body->member_count; i++) {
        if (body->members[i].id == node->id)
            members_set_joined(node, body->members[i].joined);
        members_merge(node, &body->members[i]);
    }
    for (uint32_t i = 0; i < body->keyspace_count; i++)
        keyspaces_merge(node, &body->keyspaces[i]);
    stage_merge_tables(node, body->tables, body->table_count);
    stage_merge_changes(node, body->changes, body->change_count);
    node->ring_stale = true;
    node->state_stale = true;
    members_settle(node);
    rumor_forget_all(node); /* the others know each other */
    if (node->self->info.joined)
        node_log(node, DYNKV_LOG_INFO, "joined a cluster of %u members", node->member_count);
    else
        join_tell_candidate(node);
    gossip_announce(node);
}
