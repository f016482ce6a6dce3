/*
 * ring_join.c: a member enters the lists.
 *
 * In each list it enters, the joiner pushes somebody out of a place; who was pushed out may take the
 * place of a later entry, which is then out instead.  So for every prefix the set of one list gains the
 * joiner and loses exactly one, whoever that is: the movement is the least possible, for all prefixes
 * at once, and at each place there is a choice of who is out, which is used to even out the loads.
 *
 *   before   a  b  c  d          the joiner j enters at the first place; a is out
 *   after    j  b  ...           prefix 2: a stays out ...
 *   or       j  a  ...           ... or takes the place of b, which is out from there on
 *
 * The places are worked through from the first to the last, each for all lists.  In the first
 * zone_limit places a zone may not occur twice; if j's zone is among the entries, the one that stands
 * there must be the one that is out from its place on.  There is always such a
 * choice, since the entries without j have distinct zones.
 */
#include "model/ring_build.h"

#include <stdlib.h>

/* builder->at[p]: who is out of list p so far, or RING_NONE while the joiner has not entered it. */

/* The joiner's work at one place. */
struct place {
    struct ring_builder *builder;
    uint32_t joiner;
    uint32_t index; /* of the entry */
    bool zoned;     /* within the zone limit */
};

/* scratch[0]: lists that a node is out of; scratch[1]: its excess in all longer prefixes together. */
static int64_t *node_out(struct ring_node *node)
{
    return &node->scratch[0];
}

/* Whether node may stand at this place, after the entries before it. */
static bool place_admits(const struct place *place, uint32_t partition, uint32_t node)
{
    return !place->zoned || !ring_zone_is_used(place->builder, ring_list(place->builder, partition),
                                               place->index, place->builder->nodes[node].zone);
}

/* In the prefix that ends here, and in what follows unless it changes again. */
static void node_goes_out(const struct place *place, uint32_t node, int64_t times)
{
    struct ring_node *it = &place->builder->nodes[node];

    *node_out(it) += times;
    it->load[place->index] -= times;
    it->scratch[1] -= times * RING_UNIT * (place->builder->length - place->index - 1);
}

static void place_enter(const struct place *place, uint32_t partition)
{
    uint32_t *entry = ring_list(place->builder, partition) + place->index;

    place->builder->at[partition] = *entry;
    node_goes_out(place, *entry, 1);
    *entry = place->joiner;
    place->builder->nodes[place->joiner].load[place->index]++;
}

static void place_swap(const struct place *place, uint32_t partition)
{
    uint32_t *entry = ring_list(place->builder, partition) + place->index;
    uint32_t *out = &place->builder->at[partition], was_out = *out;

    node_goes_out(place, was_out, -1);
    node_goes_out(place, *entry, 1);
    *out = *entry;
    *entry = was_out;
}

/* Loads of this prefix as they are if everybody who is out stays out. */
static void place_begin(const struct place *place)
{
    struct ring_builder *builder = place->builder;

    for (uint32_t i = 0; i < builder->live_count; i++) {
        struct ring_node *node = &builder->nodes[builder->live[i]];

        node->load[place->index] -= *node_out(node);
        node->scratch[1] = 0;
        for (uint32_t n = place->index + 2; n <= builder->length; n++)
            node->scratch[1] += ring_excess(node, n) - *node_out(node) * RING_UNIT;
    }
    for (uint32_t p = 0; p < builder->partitions; p++)
        if (builder->at[p] != RING_NONE)
            builder->nodes[place->joiner].load[place->index]++;
}

/* What the zones leave no choice about. */
static void place_force(const struct place *place)
{
    struct ring_builder *builder = place->builder;

    if (!place->zoned)
        return;
    for (uint32_t p = 0; p < builder->partitions; p++) {
        if (place_admits(place, p, ring_list(builder, p)[place->index]))
            continue;
        if (builder->at[p] == RING_NONE)
            place_enter(place, p);
        else
            place_swap(place, p);
    }
}

/* Whether a has more to give than b at this place. */
static bool gives_before(const struct place *place, const struct ring_node *a,
                         const struct ring_node *b)
{
    uint32_t n = place->index + 1;
    int64_t in_a = ring_quarters(ring_excess(a, n)), in_b = ring_quarters(ring_excess(b, n));

    if (in_a != in_b)
        return in_a > in_b;
    in_a = ring_quarters(a->scratch[1]);
    in_b = ring_quarters(b->scratch[1]);
    return in_a != in_b ? in_a > in_b : a->order < b->order;
}

/*
 * The joiner takes its share of the prefix: first it is settled how many entries each member gives,
 * always from the one with the greatest excess, then which ones: those next to the joiner's tokens.
 * ready and gives have one number a node.
 */
static void place_take(const struct place *place, uint32_t *ready, uint32_t *gives)
{
    struct ring_builder *builder = place->builder;
    struct ring_node *joiner = &builder->nodes[place->joiner];
    int64_t wanted = (joiner->target[place->index] + RING_UNIT / 2) / RING_UNIT;

    memset(ready, 0, builder->node_count * sizeof *ready);
    memset(gives, 0, builder->node_count * sizeof *gives);
    for (uint32_t p = 0; p < builder->partitions; p++)
        if (builder->at[p] == RING_NONE && place_admits(place, p, place->joiner))
            ready[ring_list(builder, p)[place->index]]++;
    for (wanted -= joiner->load[place->index]; wanted > 0; wanted--) {
        uint32_t giver = RING_NONE;

        for (uint32_t i = 0; i < builder->live_count; i++) {
            uint32_t node = builder->live[i];

            if (ready[node] > gives[node] &&
                (giver == RING_NONE ||
                 gives_before(place, &builder->nodes[node], &builder->nodes[giver])))
                giver = node;
        }
        if (giver == RING_NONE)
            break; /* the zones allow no more here; a later place makes up for it */
        gives[giver]++;
        node_goes_out(place, giver, 1);
    }
    for (uint32_t i = 0; i < builder->partitions; i++) {
        uint32_t p = builder->keys[i].value, node = ring_list(builder, p)[place->index];

        if (builder->at[p] == RING_NONE && gives[node] > 0 &&
            place_admits(place, p, place->joiner)) {
            gives[node]--;
            node_goes_out(place, node, -1); /* place_enter counts it */
            place_enter(place, p);
        }
    }
}

/*
 * Exchanges who is out with the entry here where that evens out the loads.  Each exchange lowers the
 * sum of squared excesses of this prefix, or leaves it and lowers that of the longer ones: it ends.
 */
static void place_even_out(const struct place *place)
{
    struct ring_builder *builder = place->builder;
    const uint32_t n = place->index + 1;
    bool changed = true;

    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < builder->partitions; i++) {
            uint32_t p = builder->keys[i].value, entry = ring_list(builder, p)[place->index];
            uint32_t out = builder->at[p];
            const struct ring_node *in_node = &builder->nodes[entry], *out_node;
            int64_t gain, gain_later;

            if (out == RING_NONE || entry == place->joiner)
                continue;
            out_node = &builder->nodes[out];
            gain = ring_excess(in_node, n) - ring_excess(out_node, n) - RING_UNIT;
            gain_later =
                in_node->scratch[1] - out_node->scratch[1] - RING_UNIT * (builder->length - n);
            if ((gain > 0 || (gain == 0 && gain_later > 0)) && place_admits(place, p, out)) {
                place_swap(place, p);
                changed = true;
            }
        }
    }
}

/* The place that lists get anew, while there are fewer members than DYNKV_REPLICAS_MAX. */
static void fill_new_place(const struct place *place)
{
    struct ring_builder *builder = place->builder;

    for (uint32_t p = 0; p < builder->partitions; p++) {
        uint32_t node = builder->at[p] == RING_NONE ? place->joiner : builder->at[p];

        ring_list(builder, p)[place->index] = node;
    }
}

void dynkv_ring_join(struct ring_builder *builder, uint32_t joiner)
{
    uint32_t *counts = dynkv_calloc((size_t)builder->node_count * 2, sizeof *counts);

    for (uint32_t p = 0; p < builder->partitions; p++)
        builder->at[p] = RING_NONE;
    for (uint32_t i = 0; i < builder->live_count; i++) {
        struct ring_node *node = &builder->nodes[builder->live[i]];

        *node_out(node) = 0;
        if (builder->length > builder->length_before)
            node->load[builder->length_before] =
                builder->partitions; /* everybody is on every list */
    }
    for (uint32_t index = 0; index < builder->length; index++) {
        struct place place = {builder, joiner, index, index < builder->zone_limit};

        if (index >= builder->length_before) {
            fill_new_place(&place);
            continue;
        }
        place_begin(&place);
        place_force(&place);
        place_take(&place, counts, counts + builder->node_count);
        place_even_out(&place);
    }
    free(counts);
}
