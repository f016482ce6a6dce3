/* places.c: checking a list of places, and its ring. */
#include "wire/places.h"

#include <stdlib.h>

#include "base/memory.h"

#define WEIGHT_MAX 10000u /* model/ring.h */

static int id_compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static bool ids_are_distinct(uint64_t *ids, uint32_t count)
{
    if (count)
        qsort(ids, count, sizeof *ids, id_compare);
    for (uint32_t i = 1; i < count; i++)
        if (ids[i] == ids[i - 1])
            return false;
    return true;
}

bool dynkv_places_are_possible(const struct dynkv_place *places, uint32_t count)
{
    uint64_t *ids = dynkv_calloc(count, sizeof *ids), *holders = dynkv_calloc(count, sizeof *ids);
    uint32_t held = 0;
    bool possible = true;

    for (uint32_t i = 0; i < count; i++) {
        possible = possible && places[i].id && places[i].holder && places[i].weight &&
                   places[i].weight <= WEIGHT_MAX;
        ids[i] = places[i].id;
        if (!places[i].left)
            holders[held++] = places[i].holder;
    }
    possible = ids_are_distinct(ids, count) && ids_are_distinct(holders, held) && possible;
    free(ids);
    free(holders);
    return possible;
}

struct dynkv_ring *dynkv_places_ring(const struct dynkv_place *places, uint32_t count,
                                     uint32_t partitions)
{
    struct dynkv_ring_member *members = dynkv_calloc(count, sizeof *members);
    struct dynkv_ring *ring;

    for (uint32_t i = 0; i < count; i++)
        members[i] = (struct dynkv_ring_member){
            .id = places[i].id,
            .holder = places[i].holder,
            .zone = places[i].zone,
            .joined = places[i].joined,
            .left = places[i].left,
            .weight = places[i].weight,
        };
    ring = dynkv_ring_new(members, count, partitions);
    free(members);
    return ring;
}
