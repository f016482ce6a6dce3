/*
 * ring_replay.c: the events of the members' lives, in order, from the empty ring to the present one.
 *
 * An event moves the least it can (ring_join.c, ring_leave.c) towards the shares that are fair after
 * it (ring_target.c); what is then over the promised bound moves as well (ring_repair.c).  The same
 * members always give the same events, so the result is a function of them alone.
 */
#include "model/ring_build.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

#define WEIGHT_MAX 10000u

static uint32_t weight_within_bounds(uint32_t weight)
{
    return weight < 1 ? 1 : weight > WEIGHT_MAX ? WEIGHT_MAX : weight;
}

/* Nodes by (joined, id), with their zones numbered. */
static void nodes_init(struct ring_builder *builder, const struct dynkv_ring_member *members,
                       struct ring_key *keys, struct ring_key *spare)
{
    const uint32_t count = builder->node_count;

    for (uint32_t i = 0; i < count; i++)
        keys[i] = (struct ring_key){members[i].joined, members[i].id, i};
    dynkv_ring_sort(keys, count, spare);
    for (uint32_t i = 0; i < count; i++) {
        builder->nodes[i].member = members[keys[i].value];
        builder->nodes[i].member.weight = weight_within_bounds(builder->nodes[i].member.weight);
    }
    for (uint32_t i = 0; i < count; i++)
        keys[i] = (struct ring_key){builder->nodes[i].member.zone, i, i};
    dynkv_ring_sort(keys, count, spare);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || keys[i].key != keys[i - 1].key)
            builder->zone_count++;
        builder->nodes[keys[i].value].zone = builder->zone_count - 1;
    }
}

/* What an event changes besides the lists. */
static void builder_set_length(struct ring_builder *builder)
{
    builder->length = builder->live_count < RING_LIST_MAX ? builder->live_count : RING_LIST_MAX;
    builder->zone_limit =
        builder->zones_live < builder->length ? builder->zones_live : builder->length;
}

static void event_begin(struct ring_builder *builder, uint32_t node)
{
    const struct dynkv_ring_member *member = &builder->nodes[node].member;

    memcpy(builder->before, builder->lists,
           (size_t)builder->partitions * RING_LIST_MAX * sizeof *builder->lists);
    builder->length_before = builder->length;
    builder_set_length(builder);
    dynkv_ring_targets(builder);
    dynkv_ring_order_partitions(builder, member);
    for (uint32_t i = 0; i < builder->live_count; i++) {
        struct ring_node *other = &builder->nodes[builder->live[i]];

        other->order = dynkv_hash_pair(member->id, other->member.id);
    }
}

static void replay_join(struct ring_builder *builder, uint32_t node)
{
    const uint32_t zone = builder->nodes[node].zone;

    /* Nodes are numbered as they join, so the newest goes last. */
    builder->live[builder->live_count++] = node;
    builder->zones_live += builder->zone_members[zone]++ == 0;
    builder->zone_weights[zone] += builder->nodes[node].member.weight;
    event_begin(builder, node);
    dynkv_ring_join(builder, node);
    dynkv_ring_repair(builder);
}

static void replay_leave(struct ring_builder *builder, uint32_t node)
{
    const uint32_t zone = builder->nodes[node].zone;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < builder->live_count; i++)
        if (builder->live[i] != node)
            builder->live[kept++] = builder->live[i];
    builder->live_count = kept;
    builder->zones_live -= --builder->zone_members[zone] == 0;
    builder->zone_weights[zone] -= builder->nodes[node].member.weight;
    memset(builder->nodes[node].load, 0, sizeof builder->nodes[node].load);
    event_begin(builder, node);
    dynkv_ring_leave(builder, node);
    dynkv_ring_repair(builder);
}

/* Nobody leaves before it joined, whatever its stamps say. */
static uint64_t leave_stamp(const struct dynkv_ring_member *member)
{
    return member->left > member->joined ? member->left : member->joined;
}

static void replay_events(struct ring_builder *builder, struct ring_key *leaves,
                          struct ring_key *spare)
{
    uint32_t leave_count = 0, joined = 0, left = 0;

    for (uint32_t i = 0; i < builder->node_count; i++) {
        const struct dynkv_ring_member *member = &builder->nodes[i].member;

        if (member->left)
            leaves[leave_count++] = (struct ring_key){leave_stamp(member), member->id, i};
    }
    dynkv_ring_sort(leaves, leave_count, spare);
    while (joined < builder->node_count || left < leave_count) {
        /* On equal stamps the joins come first. */
        if (left == leave_count || (joined < builder->node_count &&
                                    builder->nodes[joined].member.joined <= leaves[left].key))
            replay_join(builder, joined++);
        else
            replay_leave(builder, leaves[left++].value);
    }
}

void dynkv_ring_replay(struct ring_builder *builder, const struct dynkv_ring_member *members,
                       uint32_t count, uint32_t partitions)
{
    struct ring_key *keys = dynkv_calloc(count, sizeof *keys);
    struct ring_key *spare = dynkv_calloc(count, sizeof *spare);

    builder->partitions = partitions;
    builder->node_count = count;
    builder->nodes = dynkv_calloc(count, sizeof *builder->nodes);
    builder->live = dynkv_calloc(count, sizeof *builder->live);
    builder->zone_members = dynkv_calloc(count, sizeof *builder->zone_members);
    builder->zone_weights = dynkv_calloc(count, sizeof *builder->zone_weights);
    builder->lists = dynkv_calloc((size_t)partitions * RING_LIST_MAX, sizeof *builder->lists);
    builder->before = dynkv_calloc((size_t)partitions * RING_LIST_MAX, sizeof *builder->before);
    builder->at = dynkv_calloc(partitions, sizeof *builder->at);
    builder->keys = dynkv_calloc(partitions, sizeof *builder->keys);
    builder->keys_spare = dynkv_calloc(partitions, sizeof *builder->keys_spare);
    nodes_init(builder, members, keys, spare);
    replay_events(builder, keys, spare);
    free(keys);
    free(spare);
}

void dynkv_ring_builder_fini(struct ring_builder *builder)
{
    free(builder->nodes);
    free(builder->live);
    free(builder->zone_members);
    free(builder->zone_weights);
    free(builder->lists);
    free(builder->before);
    free(builder->at);
    free(builder->keys);
    free(builder->keys_spare);
}
