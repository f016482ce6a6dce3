/*
 * ring.c: the ring as it is used.  How its lists come about is in ring_replay.c.
 *
 * The finished ring keeps the lists, and for the fallbacks the virtual nodes of its members on one
 * circle: the walk from a partition's start meets the other members in an order of that partition's
 * own, so that the load of a member that is down spreads over many.
 */
#include "model/ring.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "model/ring_build.h"

#define RING_VERSION_SEED UINT64_C(0x72696e6756657231) /* "ringVer1" */

struct resident {
    uint64_t id;   /* of the holder */
    uint32_t zone; /* dense */
};

struct dynkv_ring {
    uint64_t version;
    uint32_t partitions;
    unsigned partition_bits;
    uint32_t length; /* of every list */
    uint32_t member_count;
    uint32_t zone_count;
    struct resident *members; /* part of the ring; in the order in which they joined */
    uint32_t *lists;          /* partitions rows of length; indexes into members */
    struct ring_key *tokens;  /* rising by key; value is an index into members */
    uint32_t token_count;
};

/* ---- making ---- */

/* Over all members in the order of the replay, those that left included: they shaped the lists. */
static uint64_t version_of(const struct ring_builder *builder)
{
    struct dynkv_buf buf = {NULL, 0, 0};
    uint64_t version;

    if (builder->live_count == 0)
        return 0;
    dynkv_put_u32(&buf, builder->partitions);
    for (uint32_t i = 0; i < builder->node_count; i++) {
        const struct dynkv_ring_member *member = &builder->nodes[i].member;

        dynkv_put_u64(&buf, member->id);
        dynkv_put_u64(&buf, member->holder ? member->holder : member->id);
        dynkv_put_u64(&buf, member->zone);
        dynkv_put_u64(&buf, member->joined);
        dynkv_put_u64(&buf, member->left);
        dynkv_put_u32(&buf, member->weight);
    }
    version = dynkv_hash(dynkv_buf_slice(&buf), RING_VERSION_SEED);
    dynkv_buf_fini(&buf);
    return version ? version : 1;
}

static void tokens_init(struct dynkv_ring *ring, const struct ring_builder *builder)
{
    struct ring_key *spare;

    for (uint32_t i = 0; i < ring->member_count; i++)
        ring->token_count += dynkv_ring_token_count(builder->nodes[builder->live[i]].member.weight);
    ring->tokens = dynkv_calloc(ring->token_count, sizeof *ring->tokens);
    ring->token_count = 0;
    for (uint32_t i = 0; i < ring->member_count; i++) {
        const struct dynkv_ring_member *member = &builder->nodes[builder->live[i]].member;
        uint32_t count = dynkv_ring_token_count(member->weight);

        for (uint32_t k = 0; k < count; k++)
            ring->tokens[ring->token_count++] =
                (struct ring_key){dynkv_ring_token(member->id, k), member->id, i};
    }
    spare = dynkv_calloc(ring->token_count, sizeof *spare);
    dynkv_ring_sort(ring->tokens, ring->token_count, spare);
    free(spare);
}

/* Takes over what the builder has come to. */
static void ring_settle(struct dynkv_ring *ring, struct ring_builder *builder)
{
    /* From node numbers, which count those that left, to indexes of members. */
    uint32_t *index = builder->at = dynkv_realloc(builder->at, builder->node_count * sizeof *index);

    ring->version = version_of(builder);
    ring->length = builder->length;
    ring->member_count = builder->live_count;
    ring->zone_count = builder->zone_count;
    ring->members = dynkv_calloc(ring->member_count, sizeof *ring->members);
    for (uint32_t i = 0; i < ring->member_count; i++) {
        const struct ring_node *node = &builder->nodes[builder->live[i]];

        index[builder->live[i]] = i;
        ring->members[i] = (struct resident){
            node->member.holder ? node->member.holder : node->member.id, node->zone};
    }
    ring->lists = dynkv_calloc((size_t)ring->partitions * ring->length, sizeof *ring->lists);
    for (uint32_t p = 0; p < ring->partitions; p++)
        for (uint32_t k = 0; k < ring->length; k++)
            ring->lists[(size_t)p * ring->length + k] = index[ring_list(builder, p)[k]];
    tokens_init(ring, builder);
}

struct dynkv_ring *dynkv_ring_new(const struct dynkv_ring_member *members, uint32_t count,
                                  uint32_t partitions)
{
    struct dynkv_ring *ring = dynkv_calloc(1, sizeof *ring);
    struct ring_builder builder = {0};

    DYNKV_ASSERT(partitions >= 1 && partitions <= DYNKV_PARTITIONS_MAX);
    DYNKV_ASSERT((partitions & (partitions - 1)) == 0);
    ring->partitions = partitions;
    while (UINT32_C(1) << ring->partition_bits < partitions)
        ring->partition_bits++;
    if (count > 0) {
        dynkv_ring_replay(&builder, members, count, partitions);
        ring_settle(ring, &builder);
        dynkv_ring_builder_fini(&builder);
    }
    return ring;
}

void dynkv_ring_free(struct dynkv_ring *ring)
{
    if (!ring)
        return;
    free(ring->members);
    free(ring->lists);
    free(ring->tokens);
    free(ring);
}

/* ---- reading ---- */

uint64_t dynkv_ring_version(const struct dynkv_ring *ring)
{
    return ring->version;
}

uint32_t dynkv_ring_partitions(const struct dynkv_ring *ring)
{
    return ring->partitions;
}

uint32_t dynkv_ring_member_count(const struct dynkv_ring *ring)
{
    return ring->member_count;
}

uint64_t dynkv_ring_zone(struct dynkv_slice name)
{
    return dynkv_hash(name, 0);
}

uint64_t dynkv_ring_hash(uint64_t keyspace_id, struct dynkv_slice partition_key)
{
    return dynkv_hash(partition_key, keyspace_id);
}

uint32_t dynkv_ring_partition(const struct dynkv_ring *ring, uint64_t hash)
{
    /* A shift by 64 would be undefined. */
    return ring->partition_bits ? (uint32_t)(hash >> (64 - ring->partition_bits)) : 0;
}

/* One walk over the virtual nodes: what has been met. */
struct walk {
    const struct dynkv_ring *ring;
    bool *members_met, *zones_met;
    uint64_t *out;
    uint32_t count, max;
};

static void walk_add(struct walk *walk, uint32_t member)
{
    const struct resident *it = &walk->ring->members[member];

    walk->members_met[member] = true;
    walk->zones_met[it->zone] = true;
    if (walk->count < walk->max)
        walk->out[walk->count++] = it->id;
}

/* The first token at or after a place on the circle; token_count if there is none before the end. */
static uint32_t token_at(const struct dynkv_ring *ring, uint64_t start)
{
    uint32_t low = 0, high = ring->token_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (ring->tokens[middle].key < start)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Goes on where the list ends: members in zones not met yet, and in a second round all others. */
static uint32_t fallbacks(const struct dynkv_ring *ring, uint32_t partition, uint64_t *out,
                          uint32_t max)
{
    const uint32_t first =
        token_at(ring, dynkv_ring_partition_start(partition, ring->partitions)) % ring->token_count;
    struct walk walk = {.ring = ring, .out = out, .max = max};

    walk.members_met = dynkv_calloc((size_t)ring->member_count + ring->zone_count, sizeof(bool));
    walk.zones_met = walk.members_met + ring->member_count;
    for (uint32_t i = 0; i < ring->length; i++)
        walk_add(&walk, ring->lists[(size_t)partition * ring->length + i]);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < ring->token_count && walk.count < max; i++) {
            uint32_t member = ring->tokens[(first + i) % ring->token_count].value;

            if (!walk.members_met[member] &&
                (round == 1 || !walk.zones_met[ring->members[member].zone]))
                walk_add(&walk, member);
        }
    }
    free(walk.members_met);
    return walk.count;
}

uint32_t dynkv_ring_preference(const struct dynkv_ring *ring, uint32_t partition, uint64_t *out,
                               uint32_t max)
{
    const uint32_t *list;

    DYNKV_ASSERT(partition < ring->partitions);
    if (max > ring->member_count)
        max = ring->member_count;
    if (max > ring->length)
        return fallbacks(ring, partition, out, max);
    list = ring->lists + (size_t)partition * ring->length;
    for (uint32_t i = 0; i < max; i++)
        out[i] = ring->members[list[i]].id;
    return max;
}

int dynkv_ring_replica_index(const struct dynkv_ring *ring, uint32_t partition, uint64_t member,
                             uint32_t n)
{
    const uint32_t *list;

    DYNKV_ASSERT(partition < ring->partitions);
    list = ring->lists + (size_t)partition * ring->length;
    for (uint32_t i = 0; i < n && i < ring->length; i++)
        if (ring->members[list[i]].id == member)
            return (int)i;
    return -1;
}
