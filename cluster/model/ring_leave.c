/*
 * ring_leave.c: a member is taken out of the lists.
 *
 * It leaves a hole in each list it was on.  A hole is filled by somebody who is not on the list, or by
 * a later entry of the list, which leaves a hole there: so for every prefix the set of one list loses
 * the leaver and gains exactly one, and the movement is the least possible for all prefixes at once.
 *
 * The holes are filled from the first place to the last.  Whoever fills one gains in the prefix that
 * ends there and in the longer ones, down to where it stood before; the choice is for the member for
 * which this costs least, in squares of the excess.  When a place is done for all lists, each choice
 * is thought over again, now that the others are known, until none gets better.
 *
 * Within the zone limit an entry that stands further behind, but within the limit too, always fits;
 * somebody from elsewhere must bring a zone that the others there do not have.
 */
#include "model/ring_build.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

/*
 * The prefix that ends at a hole counts this much against each longer one: those have further holes
 * to be evened out with, this one has not.
 */
#define HERE_WEIGHT 4

/* One hole, and how it was filled. */
struct hole {
    struct ring_builder *builder;
    uint32_t *list;
    uint32_t partition, index;
    uint32_t filler; /* RING_NONE: nobody yet */
    uint32_t from;   /* where the filler stood; the old length if it was not on the list */
};

static bool hole_admits(const struct hole *hole, uint32_t node, uint32_t from)
{
    const uint32_t limit = hole->builder->zone_limit;
    const struct ring_node *nodes = hole->builder->nodes;

    if (ring_list_find(hole->list, 0, hole->index, node) < hole->index)
        return false;
    if (hole->index >= limit || from < limit)
        return true;
    for (uint32_t i = 0; i < limit; i++)
        if (i != hole->index && nodes[hole->list[i]].zone == nodes[node].zone)
            return false;
    return true;
}

/* Up to which prefix a filler gains. */
static uint32_t gain_end(const struct ring_builder *builder, uint32_t from)
{
    return from < builder->length ? from : builder->length;
}

static void hole_count(const struct hole *hole, int64_t times)
{
    struct ring_node *filler = &hole->builder->nodes[hole->filler];

    for (uint32_t n = hole->index + 1; n <= gain_end(hole->builder, hole->from); n++)
        filler->load[n - 1] += times;
}

/*
 * The growth of the squared excesses, halved and without its constant.  usual[n - 1] is the average
 * excess of all in the prefix: where the gain of this filler ends, another will fill the hole behind.
 */
static int64_t hole_cost(const struct hole *hole, uint32_t node, uint32_t from,
                         const int64_t *usual)
{
    const struct ring_node *it = &hole->builder->nodes[node];
    int64_t cost = HERE_WEIGHT * ring_excess(it, hole->index + 1);

    for (uint32_t n = hole->index + 2; n <= hole->builder->length; n++)
        cost += n <= gain_end(hole->builder, from) ? ring_excess(it, n) : usual[n - 1];
    return ring_quarters(cost);
}

/* The member that costs least; the hole is not counted to anybody yet. */
static void hole_choose(struct hole *hole, const int64_t *usual)
{
    struct ring_builder *builder = hole->builder;
    int64_t best = 0;

    /* A choice made before is given up only for a better one. */
    if (hole->filler != RING_NONE)
        best = hole_cost(hole, hole->filler, hole->from, usual);
    for (uint32_t i = 0; i < builder->live_count; i++) {
        uint32_t node = builder->live[i];
        uint32_t from = ring_list_find(hole->list, hole->index + 1, builder->length_before, node);
        int64_t cost;

        if (!hole_admits(hole, node, from))
            continue;
        cost = hole_cost(hole, node, from, usual);
        if (hole->filler == RING_NONE || cost < best) {
            hole->filler = node;
            hole->from = from;
            best = cost;
        }
    }
    DYNKV_ASSERT(hole->filler != RING_NONE);
}

/* Fills all holes at one place. */
static void holes_fill(struct hole *holes, uint32_t count, const int64_t *usual)
{
    bool changed = true;

    for (uint32_t i = 0; i < count; i++) {
        hole_choose(&holes[i], usual);
        hole_count(&holes[i], 1);
    }
    /* Every change lowers the sum of squares, so this ends. */
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t was = holes[i].filler;

            hole_count(&holes[i], -1);
            hole_choose(&holes[i], usual);
            hole_count(&holes[i], 1);
            changed |= holes[i].filler != was;
        }
    }
    for (uint32_t i = 0; i < count; i++)
        holes[i].list[holes[i].index] = holes[i].filler;
}

static void usual_excess(const struct ring_builder *builder, int64_t *usual)
{
    for (uint32_t n = 1; n <= builder->length; n++) {
        usual[n - 1] = 0;
        for (uint32_t i = 0; i < builder->live_count; i++)
            usual[n - 1] += ring_excess(&builder->nodes[builder->live[i]], n);
        usual[n - 1] /= builder->live_count;
    }
}

void dynkv_ring_leave(struct ring_builder *builder, uint32_t leaver)
{
    struct hole *holes = dynkv_calloc(builder->partitions, sizeof *holes);
    int64_t usual[RING_LIST_MAX];

    /* at[p]: where the hole of list p is. */
    for (uint32_t p = 0; p < builder->partitions; p++)
        builder->at[p] = ring_list_find(ring_list(builder, p), 0, builder->length_before, leaver);
    for (uint32_t index = 0; index < builder->length; index++) {
        uint32_t count = 0;

        for (uint32_t i = 0; i < builder->partitions; i++) {
            uint32_t p = builder->keys[i].value;

            if (builder->at[p] == index)
                holes[count++] =
                    (struct hole){builder, ring_list(builder, p), p, index, RING_NONE, 0};
        }
        usual_excess(builder, usual);
        holes_fill(holes, count, usual);
        for (uint32_t i = 0; i < count; i++)
            builder->at[holes[i].partition] = holes[i].from;
    }
    free(holes);
}
