/*
 * ring.h: which members hold which partition.
 *
 * The hash space of 2^64 is cut into Q equal partitions (a power of two); a key's partition is the top
 * log2(Q) bits of its hash.  Every partition has a preference list: distinct members in the order in
 * which they are asked.  Its first N entries are the replicas of a keyspace with that N, for every N
 * up to DYNKV_REPLICAS_MAX; what comes after them on the walk are the fallbacks.
 *
 * The lists are a pure function of the members given, in whatever order they are given: two nodes that
 * agree on the members agree on the ring.  A member carries the stamp at which it joined and, once it
 * left, the stamp at which it left: these are part of the function's input, and they are what makes
 * minimal movement possible.  The ring is replayed from them: members are added in the order of
 * (joined, id) and removed in the order of (left, id), on equal stamps the additions first; each step
 * moves only what it must, so that one join takes 1/(n+1) of the replicas from the others and one leave
 * hands out only what the leaver held.
 *
 * A member that is replaced by another hands over its place: the place keeps its id, stamps, zone and
 * weight, and only its holder is another, so that nothing else moves.
 *
 * What follows for the caller:
 *   - a stamp must be greater than all stamps that are known when it is given out;
 *   - members that left stay in the input for ever: without one of them the replay, and so nearly every
 *     list, is another.  The same goes for changing a zone or weight: leave and join again instead.
 *
 * Promises, checked by tests/unit/model/test_ring_balance.c for 1 to 100 members:
 *   - entries of a list are distinct; its length is min(members, DYNKV_REPLICAS_MAX);
 *   - while there are at least i zones, the first i entries stand in i distinct zones;
 *   - for every prefix length N, no member holds more than 1.05 times its fair share by weight, or the
 *     nearest whole partition above.  A zone gets at most one entry of a prefix while there are zones
 *     enough, and a member at most one entry of any; what a zone or member that is heavier than that
 *     cannot take is shared by the others, and that counts as their fair share.  Where zones are uneven
 *     and weights differ as well, this is kept for N up to 3, and longer prefixes may miss it;
 *   - one join or leave moves at most 1.2 times the minimum number of replicas (what the one who comes
 *     or goes holds): for every N where weights are equal and all stand in one zone or each in its own;
 *     for N up to 3 with two or three zones of three members and more, or with weights from 50 to 200,
 *     while the fair share is 64 partitions or more.  In other corners balance goes before movement.
 *
 * Sources: Karger et al. 1997 (consistent hashing); DeCandia et al., "Dynamo", SOSP 2007, 4.2, 4.3, 6.2
 * (virtual nodes, preference lists, strategy 3: equal partitions); Mirrokni, Thorup, Zadimoghaddam 2017
 * (bounded loads).
 */
#ifndef DYNKV_MODEL_RING_H
#define DYNKV_MODEL_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"

struct dynkv_ring_member {
    uint64_t id;     /* of the place: its tokens and its part in the replay; not 0 */
    uint64_t holder; /* the member that stands there now: it is in the lists.  0: id itself */
    uint64_t zone;   /* dynkv_ring_zone of its name; members with equal values share a zone */
    uint64_t joined; /* stamp: when it became part of the ring */
    uint64_t left;   /* stamp: when it ceased to be, 0 while it is part of it */
    uint32_t weight; /* 1 to 10000; 100 is ordinary */
};

struct dynkv_ring;

/*
 * partitions: a power of two, 1 to DYNKV_PARTITIONS_MAX.  count may be 0 (a ring without members).
 * Ids must be distinct, and so must the holders of places not left.  The result is on the heap and is immutable; free it with dynkv_ring_free.
 */
struct dynkv_ring *dynkv_ring_new(const struct dynkv_ring_member *members, uint32_t count,
                                  uint32_t partitions);
void dynkv_ring_free(struct dynkv_ring *ring);

/* A hash over everything that the lists depend on: equal versions, equal rings.  0 for no members. */
uint64_t dynkv_ring_version(const struct dynkv_ring *ring);
uint32_t dynkv_ring_partitions(const struct dynkv_ring *ring);
/* Members that are part of it (those that left are not). */
uint32_t dynkv_ring_member_count(const struct dynkv_ring *ring);

/* What stands for a zone in struct dynkv_ring_member: a hash of its name. */
uint64_t dynkv_ring_zone(struct dynkv_slice name);
/* Placement: the hash of a partition key in a keyspace, and the partition a hash falls into. */
uint64_t dynkv_ring_hash(uint64_t keyspace_id, struct dynkv_slice partition_key);
uint32_t dynkv_ring_partition(const struct dynkv_ring *ring, uint64_t hash);

/*
 * The preference list: writes at most max member ids to out, returns how many.  The first
 * min(members, DYNKV_REPLICAS_MAX) are the balanced list; with a larger max the walk over the virtual
 * nodes goes on through all remaining members (the fallbacks), zones not yet used first.
 */
uint32_t dynkv_ring_preference(const struct dynkv_ring *ring, uint32_t partition, uint64_t *out,
                               uint32_t max);
/* The place of a member among the first n entries of the list, or -1. */
int dynkv_ring_replica_index(const struct dynkv_ring *ring, uint32_t partition, uint64_t member,
                             uint32_t n);

#endif
