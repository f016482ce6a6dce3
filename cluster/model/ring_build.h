/*
 * ring_build.h: the ring under construction; internal to ring*.c.
 *
 * The builder holds the lists after the events replayed so far.  Each event is one call of join or
 * leave, then one of repair.  What they work with:
 *
 *   prefix     the first n entries of a list, n from 1: what a keyspace with N = n uses
 *   load       how many partitions hold a member in their prefix of that length
 *   target     its fair share of them: the share by weight, but a zone gets at most one entry of a
 *              prefix while there are zones enough, and a member at most one entry of any; what that
 *              takes from a great zone or member goes to the others, by weight again
 *   limit      the load that is promised: 1.05 times the target or the next whole partition above
 *   excess     load - target
 *
 * Members are numbered in the order in which they joined, so that the members that come later do not
 * change how the earlier events are replayed.  All arithmetic is on integers: targets and excesses are
 * fixed-point numbers with RING_UNIT for one partition.
 */
#ifndef DYNKV_MODEL_RING_BUILD_H
#define DYNKV_MODEL_RING_BUILD_H

#include "model/ring.h"

#define RING_UNIT     INT64_C(65536)
#define RING_NONE     UINT32_MAX
#define RING_LIST_MAX DYNKV_REPLICAS_MAX

/* A number to sort by; equal ones keep the order of tie. */
struct ring_key {
    uint64_t key, tie;
    uint32_t value;
};

/* A member as the builder sees it. */
struct ring_node {
    struct dynkv_ring_member member; /* weight within its bounds */
    uint32_t zone;                   /* dense, from 0 */
    int64_t load[RING_LIST_MAX];     /* [n - 1] for the prefix of length n, in partitions */
    int64_t target[RING_LIST_MAX];   /* the same, in RING_UNITs */
    uint64_t order;                  /* decides between equals in the current event */
    int64_t scratch[2];              /* of the event's own */
};

struct ring_builder {
    struct ring_node *nodes; /* all members, in the order of (joined, id) */
    uint32_t node_count;
    uint32_t *live; /* numbers of the live ones, rising */
    uint32_t live_count;
    uint32_t *zone_members; /* live members by zone */
    uint64_t *zone_weights; /* and their weight */
    uint32_t zone_count;    /* zones known, live or not */
    uint32_t zones_live;
    uint32_t partitions;
    uint32_t length;     /* of every list now */
    uint32_t zone_limit; /* the first so many entries of a list stand in distinct zones */
    uint32_t *lists;     /* partitions rows of RING_LIST_MAX */
    uint32_t *before;    /* the same as they were before the current event */
    uint32_t length_before;
    uint32_t *at;                       /* one number a partition, of the event's own */
    struct ring_key *keys, *keys_spare; /* room to sort the partitions */
};

static inline uint32_t *ring_list(const struct ring_builder *builder, uint32_t partition)
{
    return builder->lists + (size_t)partition * RING_LIST_MAX;
}

/* The excess over the target in the prefix of length n. */
static inline int64_t ring_excess(const struct ring_node *node, uint32_t n)
{
    return node->load[n - 1] * RING_UNIT - node->target[n - 1];
}

/* The excess in quarters of a partition: what is nearer than that counts as equal. */
static inline int64_t ring_quarters(int64_t excess)
{
    const int64_t quarter = RING_UNIT / 4;

    return (excess >= 0 ? excess : excess - quarter + 1) / quarter;
}

/* Where a node stands in a list between two places, or the second if it does not. */
static inline uint32_t ring_list_find(const uint32_t *list, uint32_t from, uint32_t to,
                                      uint32_t node)
{
    while (from < to && list[from] != node)
        from++;
    return from;
}

/* Whether one of the first count entries of a list stands in the zone. */
static inline bool ring_zone_is_used(const struct ring_builder *builder, const uint32_t *list,
                                     uint32_t count, uint32_t zone)
{
    for (uint32_t i = 0; i < count; i++)
        if (builder->nodes[list[i]].zone == zone)
            return true;
    return false;
}

/* ring_target.c: fills target of the live nodes for all prefixes up to length. */
void dynkv_ring_targets(struct ring_builder *builder);
/* The greatest load that is promised for a target. */
int64_t dynkv_ring_limit(int64_t target);

/* ring_join.c: enters a node, which is counted as live already, into the lists and loads. */
void dynkv_ring_join(struct ring_builder *builder, uint32_t joiner);
/* ring_leave.c: takes out a node, which is no longer counted as live. */
void dynkv_ring_leave(struct ring_builder *builder, uint32_t leaver);
/* ring_repair.c: moves single entries until no load is over its limit, or nothing helps. */
void dynkv_ring_repair(struct ring_builder *builder);

/* ring_token.c */
void dynkv_ring_sort(struct ring_key *keys, uint32_t count, struct ring_key *spare);
uint32_t dynkv_ring_token_count(uint32_t weight);
uint64_t dynkv_ring_token(uint64_t id, uint32_t number);
/* Where a partition begins in the hash space. */
uint64_t dynkv_ring_partition_start(uint32_t partition, uint32_t partitions);
/* Partitions in builder->keys, those first that a token of the member follows most closely. */
void dynkv_ring_order_partitions(struct ring_builder *builder,
                                 const struct dynkv_ring_member *member);

/* ring_replay.c: fills a zeroed builder with the ring after all events; count > 0. */
void dynkv_ring_replay(struct ring_builder *builder, const struct dynkv_ring_member *members,
                       uint32_t count, uint32_t partitions);
void dynkv_ring_builder_fini(struct ring_builder *builder);

#endif
