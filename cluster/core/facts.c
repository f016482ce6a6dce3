/* facts.c: what a node tells of itself and of the cluster: HELLO, RING, STATUS. */
#include "core/prove.h"
#include "core/tree.h"

void on_hello(struct dynkv_node *node, const struct source *source, const struct dynkv_hello *body)
{
    struct dynkv_hello_reply reply = {
        .protocol = DYNKV_PROTOCOL_VERSION,
        .capabilities = DYNKV_CAPABILITY_NONE,
        .cluster_id = node->cluster_id,
        .node_id = node->id,
        .node_name = node->self->info.name,
        .software = dynkv_slice_text("dynkvd " DYNKV_SOFTWARE_VERSION),
    };

    if (body->protocol_min > DYNKV_PROTOCOL_VERSION ||
        body->protocol_max < DYNKV_PROTOCOL_VERSION) {
        node_answer_error(node, source, DYNKV_UNSUPPORTED,
                          "the client speaks protocols %u to %u, this node speaks %u",
                          body->protocol_min, body->protocol_max, DYNKV_PROTOCOL_VERSION);
        return;
    }
    node_answer(node, source, DYNKV_MESSAGE_HELLO_REPLY, &reply);
}

void on_ring(struct dynkv_node *node, const struct source *source,
             const struct dynkv_ring_request *body)
{
    struct dynkv_ring_reply reply = {
        .cluster_id = node->cluster_id,
        .ring_version = dynkv_ring_version(node->ring),
        .partitions = node->partitions,
    };

    if (!node->cluster_id) {
        node_answer_error(node, source, DYNKV_REFUSED, "node %.*s has not joined a cluster yet",
                          (int)node->self->info.name.len, (const char *)node->self->info.name.data);
        return;
    }
    reply.epoch = node->table.epoch;
    if (body->known_version != reply.ring_version) {
        reply.members = members_list(node, &node->arena);
        reply.member_count = node->member_count;
        reply.places = dynkv_node_places(node, false, &node->arena, &reply.place_count);
    }
    reply.down = members_down_list(node, &node->arena, &reply.down_count);
    node_answer(node, source, DYNKV_MESSAGE_RING_REPLY, &reply);
}

/*
 * How many keys and trees are held, and how many of the trees belong to this node in no ring: it has yet to
 * drop those.
 */
static void facts_count_trees(const struct dynkv_node *node, struct counters *out)
{
    for (uint32_t i = 0; i < node->keyspace_count; i++) {
        const struct keyspace *keyspace = node->keyspaces[i];
        const struct dynkv_merkle *trees = tree_all(node, keyspace->id);

        for (uint32_t p = 0; trees && p < node->partitions; p++) {
            for (uint32_t life = 0; life < DYNKV_MERKLE_LIVES; life++)
                out->keys_held += trees[p].counts[life];
            out->trees_held += trees[p].root != 0;
            out->trees_stray += trees[p].root != 0 && prove_is_stray(node, keyspace, p);
        }
    }
}

/* Whether an open change takes its place, or it has none any more and is not gone yet. */
static bool facts_is_leaving(const struct dynkv_node *node, const struct member *member)
{
    const struct change *change = change_is_open(node) ? node->change : NULL;

    for (uint32_t i = 0; change && i < change->entry_count; i++)
        if (change->entries[i].kind != DYNKV_CHANGE_JOIN &&
            change->entries[i].member == member->info.id)
            return true;
    return member->info.joined && !place_is_held(node, member->info.id);
}

static struct dynkv_accuser *facts_leaving(const struct dynkv_node *node, struct dynkv_arena *arena,
                                           uint32_t *count)
{
    struct dynkv_accuser *list = dynkv_arena_calloc(arena, node->member_count, sizeof *list);

    *count = 0;
    for (uint32_t i = 0; i < node->member_count; i++)
        if (!node->members[i]->info.left && facts_is_leaving(node, node->members[i]))
            list[(*count)++].id = node->members[i]->info.id;
    return list;
}

void dynkv_node_status(const struct dynkv_node *node, struct dynkv_arena *arena,
                       struct dynkv_status_reply *out)
{
    struct counters now = node->counters;
    struct dynkv_counter counters[] = {
#define FACTS_COUNTER(counter) {{(const uint8_t *)#counter, sizeof #counter - 1}, 0},
        CORE_COUNTERS(FACTS_COUNTER)
#undef FACTS_COUNTER
    };
    uint32_t count = 0;

    facts_count_trees(node, &now);
#define FACTS_VALUE(counter) counters[count++].value = now.counter;
    CORE_COUNTERS(FACTS_VALUE)
#undef FACTS_VALUE
    *out = (struct dynkv_status_reply){
        .node_id = node->id,
        .node_name = node->self->info.name,
        .cluster_id = node->cluster_id,
        .storage = dynkv_slice(node->storage, node->storage_len),
        .uptime_ms = node->mono_ms - node->started_ms,
        .ring_version = dynkv_ring_version(node->ring),
        .partitions = node->partitions,
        .members = members_list(node, arena),
        .member_count = node->member_count,
        .counters = dynkv_arena_copy(arena, counters, sizeof counters),
        .counter_count = sizeof counters / sizeof counters[0],
        .actor = node->actor,
    };
    out->down = members_down_list(node, arena, &out->down_count);
    out->epoch = node->table.epoch;
    out->phase = (uint8_t)stage_phase(node);
    out->leaving = facts_leaving(node, arena, &out->leaving_count);
}

void on_status(struct dynkv_node *node, const struct source *source)
{
    struct dynkv_status_reply reply;

    dynkv_node_status(node, &node->arena, &reply);
    node_answer(node, source, DYNKV_MESSAGE_STATUS_REPLY, &reply);
}
