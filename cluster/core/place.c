/* place.c: the ring in use, and who of it can be asked now. */
#include "core/node_impl.h"

void place_rebuild(struct dynkv_node *node)
{
    struct dynkv_ring_member *list =
        dynkv_arena_calloc(&node->arena, node->member_count, sizeof *list);

    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct dynkv_member *info = &node->members[i]->info;

        list[i] = (struct dynkv_ring_member){
            .id = info->id,
            .zone = dynkv_ring_zone(info->zone),
            .joined = info->joined,
            .left = info->left,
            .weight = info->weight,
        };
    }
    dynkv_ring_free(node->ring);
    node->ring =
        dynkv_ring_new(list,
                       node->member_count - (node->member_count > 1 &&
                                             mutant_is(node, DYNKV_MUTANT_RING_FORGETS_MEMBER)),
                       node->partitions);
    node->ring_stale = false;
}

uint32_t place_partition(const struct dynkv_node *node, uint64_t keyspace, struct dynkv_slice key,
                         uint32_t partition_len)
{
    struct dynkv_slice partition_key = dynkv_slice(key.data, partition_len);

    return dynkv_ring_partition(node->ring, dynkv_ring_hash(keyspace, partition_key));
}

bool place_is_up(const struct dynkv_node *node, uint64_t id)
{
    const struct member *member = members_find(node, id);

    return member && !member->down && !member->info.left;
}

uint32_t place_replicas(const struct dynkv_node *node, uint32_t partition, uint32_t n,
                        uint64_t out[DYNKV_REPLICAS_MAX])
{
    return dynkv_ring_preference(node->ring, partition, out,
                                 n < DYNKV_REPLICAS_MAX ? n : DYNKV_REPLICAS_MAX);
}

uint32_t place_readable(const struct dynkv_node *node, uint32_t partition, uint32_t n,
                        uint64_t out[DYNKV_REPLICAS_MAX])
{
    uint64_t replicas[DYNKV_REPLICAS_MAX];
    uint32_t count = place_replicas(node, partition, n, replicas), kept = 0;

    for (uint32_t i = 0; i < count; i++)
        if (replicas[i] == node->id)
            out[kept++] = node->id;
    for (uint32_t i = 0; i < count; i++)
        if (replicas[i] != node->id && place_is_up(node, replicas[i]))
            out[kept++] = replicas[i];
    return kept;
}
