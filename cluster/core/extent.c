/*
 * extent.c: what a keyspace holds in the whole cluster, reckoned from what this node holds of it.
 *
 * Keys are spread over the partitions by a hash, so the partitions of which this node is a replica are a
 * sample of all of them: exact where it is one of each, as with three nodes and n = 3.  Copies that are on
 * their way here are not counted yet.  While a change of the membership is open, trees that this node does
 * not read from any more, or not yet, are counted as if they belonged to its share.
 */
#include "core/tree.h"

#define SHARE_UNKNOWN UINT32_MAX

static uint32_t extent_count_share(const struct dynkv_node *node, uint32_t n)
{
    uint32_t held = 0;

    for (uint32_t p = 0; p < node->partitions; p++)
        held += dynkv_ring_replica_index(node->ring, p, node->id, n) >= 0;
    return held;
}

/* Partitions that this node is one of n replicas of; counted once a ring. */
static uint32_t extent_share(struct dynkv_node *node, uint32_t n)
{
    uint64_t version = dynkv_ring_version(node->ring);

    if (node->share_version != version) {
        node->share_version = version;
        memset(node->shares, 0xff, sizeof node->shares);
    }
    if (node->shares[n] == SHARE_UNKNOWN)
        node->shares[n] = extent_count_share(node, n);
    return node->shares[n];
}

static uint64_t extent_whole(const struct dynkv_node *node, uint64_t part, uint32_t held)
{
    return held == node->partitions ? part
                                    : (uint64_t)((double)part * node->partitions / held + 0.5);
}

struct dynkv_extent *extent_tell(struct dynkv_node *node, const struct source *source,
                                 uint64_t keyspace, uint32_t *count)
{
    const struct keyspace *of = keyspaces_find(node, keyspace);
    struct dynkv_extent *extent;
    uint64_t keys, bytes;
    uint32_t held;

    *count = 0;
    if (source->kind != SOURCE_CLIENT || !node->ring || !of ||
        !tree_total(node, keyspace, &keys, &bytes))
        return NULL;
    held = extent_share(node, of->def.n);
    if (held == 0)
        return NULL;
    extent = dynkv_arena_calloc(&node->arena, 1, sizeof *extent);
    extent->keys = extent_whole(node, keys, held);
    extent->bytes = extent_whole(node, bytes, held);
    *count = 1;
    return extent;
}
