/*
 * ring_repair.c: the loads that are over their limit after an event.
 *
 * Joins and leaves move the least possible, and what they find to choose from does not always suffice
 * for the balance.  Here single entries move beyond that: an overloaded member gives one entry to
 * another member, which either is not on the list (a replica moves) or stands further behind on it
 * (the two change places, and only shorter prefixes notice).  Where zones forbid the direct way, a
 * chain of such steps is found, with the fewest that move a replica.  Steps that undo or redirect what
 * the event itself moved cost nothing more, and are taken first.
 *
 * Prefixes are repaired from the shortest on, and the entry given is the last of the prefix: those
 * that are done do not change any more.
 */
#include "model/ring_build.h"

#include <stdlib.h>

/* builder->at[p]: the list is used by a step that moves somebody up, and by no other. */

/* How the search came to a node: who gives it which partition's entry. */
struct step {
    uint32_t giver; /* RING_NONE: not reached; the node itself: the start */
    uint32_t partition;
    bool moved_up; /* in one of the steps so far, the entry given was not the last of the prefix */
};

struct search {
    struct ring_builder *builder;
    uint32_t index;     /* of the last entry of the prefix */
    uint32_t start;     /* who is to be relieved */
    bool desperate;     /* take steps, too, that move replicas of shorter prefixes */
    struct step *steps; /* by node */
    uint32_t *queue;
    uint32_t queued;
};

/* One step on one list, as it would be: who gives, who takes, and who moves up between them. */
struct exchange {
    uint32_t giver, taker, mover;
    uint32_t giver_at; /* within the prefix; if not its end, the entry there, mover, moves up */
    uint32_t taker_at; /* behind the prefix; length: not on the list */
};

static void exchange_apply(const struct exchange *exchange, uint32_t index, uint32_t length,
                           uint32_t *list)
{
    list[exchange->giver_at] = exchange->mover;
    list[index] = exchange->taker;
    if (exchange->taker_at < length)
        list[exchange->taker_at] = exchange->giver;
}

/* Whether taker is not in the prefix yet, and the zones stay distinct. */
static bool taker_fits(const struct search *search, const uint32_t *list,
                       const struct exchange *exchange)
{
    const struct ring_builder *builder = search->builder;
    uint32_t after[RING_LIST_MAX];

    if (ring_list_find(list, 0, search->index + 1, exchange->taker) <= search->index)
        return false;
    if (exchange->giver_at >= builder->zone_limit || exchange->taker_at < builder->zone_limit)
        return true;
    memcpy(after, list, sizeof after);
    exchange_apply(exchange, search->index, builder->length, after);
    for (uint32_t i = exchange->giver_at; i < builder->zone_limit; i++)
        if (ring_zone_is_used(builder, after, i, builder->nodes[after[i]].zone))
            return false;
    return true;
}

static bool has_room(const struct search *search, uint32_t node, uint32_t n)
{
    const struct ring_node *it = &search->builder->nodes[node];

    return it->load[n - 1] < dynkv_ring_limit(it->target[n - 1]);
}

/* Whether the node was in a prefix of this list before the event. */
static bool was_in_prefix(const struct search *search, uint32_t partition, uint32_t node,
                          uint32_t n)
{
    const struct ring_builder *builder = search->builder;
    const uint32_t *before = builder->before + (size_t)partition * RING_LIST_MAX;
    uint32_t end = n < builder->length_before ? n : builder->length_before;

    return ring_list_find(before, 0, end, node) < end;
}

/* Whether the event left the prefix of this list as it was; then no step on it is free. */
static bool is_unchanged(const struct search *search, uint32_t partition)
{
    const struct ring_builder *builder = search->builder;

    return memcmp(ring_list(builder, partition),
                  builder->before + (size_t)partition * RING_LIST_MAX,
                  (search->index + 1) * sizeof *builder->before) == 0;
}

/* Whether the step moves no replica that the event itself did not move. */
static bool is_free(const struct search *search, uint32_t partition,
                    const struct exchange *exchange)
{
    for (uint32_t n = exchange->giver_at + 1; n <= search->index + 1; n++) {
        uint32_t gains = n <= search->index ? exchange->mover : exchange->taker;

        if (!was_in_prefix(search, partition, gains, n) &&
            was_in_prefix(search, partition, exchange->giver, n))
            return false;
    }
    return true;
}

/* Whether the chain from the start to the node uses the list. */
static bool chain_uses(const struct search *search, uint32_t node, uint32_t partition)
{
    for (; node != search->start; node = search->steps[node].giver)
        if (search->steps[node].partition == partition)
            return true;
    return false;
}

/*
 * Whether giver may give an entry of this list.  Only one of a chain may have it further in front, so
 * that the room of the one who moves up there is not counted on twice.
 */
static bool giver_fits(const struct search *search, uint32_t partition, struct exchange *exchange)
{
    const uint32_t *list = ring_list(search->builder, partition);

    exchange->giver_at = ring_list_find(list, 0, search->index + 1, exchange->giver);
    exchange->mover = list[search->index];
    if (exchange->giver_at > search->index || search->builder->at[partition])
        return false;
    if (exchange->giver_at == search->index)
        return true;
    if (search->steps[exchange->giver].moved_up || chain_uses(search, exchange->giver, partition))
        return false;
    for (uint32_t n = exchange->giver_at + 1; n <= search->index; n++)
        if (!has_room(search, exchange->mover, n))
            return false;
    return true;
}

static void reach(struct search *search, uint32_t partition, const struct exchange *exchange)
{
    bool moves_up = exchange->giver_at < search->index;

    search->steps[exchange->taker] = (struct step){
        .giver = exchange->giver,
        .partition = partition,
        .moved_up = moves_up || search->steps[exchange->giver].moved_up,
    };
    search->queue[search->queued++] = exchange->taker;
    search->builder->at[partition] |= moves_up;
}

/* Reaches whom giver can give to, by free steps or by the others; returns the one with most room, or
 * RING_NONE. */
static uint32_t search_from(struct search *search, uint32_t giver, bool free_steps)
{
    struct ring_builder *builder = search->builder;
    struct exchange exchange = {.giver = giver};
    uint32_t best = RING_NONE;

    for (uint32_t p = 0; p < builder->partitions; p++) {
        const uint32_t *list = ring_list(builder, p);

        if ((free_steps && is_unchanged(search, p)) || !giver_fits(search, p, &exchange))
            continue;
        if (!free_steps && exchange.giver_at < search->index && !search->desperate)
            continue;
        for (uint32_t i = 0; i < builder->live_count; i++) {
            uint32_t node = builder->live[i];

            if (search->steps[node].giver != RING_NONE)
                continue;
            exchange.taker = node;
            exchange.taker_at = ring_list_find(list, search->index + 1, builder->length, node);
            if (!taker_fits(search, list, &exchange) || is_free(search, p, &exchange) != free_steps)
                continue;
            reach(search, p, &exchange);
            if (has_room(search, node, search->index + 1) &&
                (best == RING_NONE || ring_excess(&builder->nodes[node], search->index + 1) <
                                          ring_excess(&builder->nodes[best], search->index + 1)))
                best = node;
        }
    }
    return best;
}

/*
 * The nearest node with room, by the number of steps that are not free: all that free steps reach,
 * then one other step from any of these, and so on.
 */
static uint32_t search_room(struct search *search)
{
    uint32_t begin = 0, taker = RING_NONE;

    while (begin < search->queued && taker == RING_NONE) {
        uint32_t end;

        for (uint32_t i = begin; i < search->queued && taker == RING_NONE; i++)
            taker = search_from(search, search->queue[i], true);
        end = search->queued;
        for (uint32_t i = begin; i < end && taker == RING_NONE; i++)
            taker = search_from(search, search->queue[i], false);
        begin = end;
    }
    return taker;
}

static void step_apply(const struct search *search, uint32_t taker)
{
    struct ring_builder *builder = search->builder;
    const struct step *step = &search->steps[taker];
    uint32_t *list = ring_list(builder, step->partition), end = search->index + 1;
    struct exchange exchange = {
        .giver = step->giver,
        .taker = taker,
        .mover = list[search->index],
        .giver_at = ring_list_find(list, 0, end, step->giver),
        .taker_at = ring_list_find(list, end, builder->length, taker),
    };

    exchange_apply(&exchange, search->index, builder->length, list);
    for (uint32_t n = exchange.giver_at + 1; n <= exchange.taker_at; n++) {
        builder->nodes[exchange.giver].load[n - 1]--;
        builder->nodes[n < end ? exchange.mover : taker].load[n - 1]++;
    }
}

/* Takes one entry of the prefix from the node; false if nobody can take it. */
static bool relieve_by(struct search *search, uint32_t node, bool desperate)
{
    uint32_t taker;

    search->desperate = desperate;
    for (uint32_t i = 0; i < search->builder->node_count; i++)
        search->steps[i].giver = RING_NONE;
    memset(search->builder->at, 0, search->builder->partitions * sizeof *search->builder->at);
    search->start = node;
    search->steps[node] = (struct step){.giver = node};
    search->queue[0] = node;
    search->queued = 1;
    taker = search_room(search);
    if (taker == RING_NONE)
        return false;
    for (; taker != node; taker = search->steps[taker].giver)
        step_apply(search, taker);
    return true;
}

static bool relieve(struct search *search, uint32_t node)
{
    return relieve_by(search, node, false) || relieve_by(search, node, true);
}

void dynkv_ring_repair(struct ring_builder *builder)
{
    struct search search = {
        .builder = builder,
        .steps = dynkv_alloc(builder->node_count * sizeof(struct step)),
        .queue = dynkv_alloc(builder->node_count * sizeof(uint32_t)),
    };

    for (search.index = 0; search.index < builder->length; search.index++) {
        for (uint32_t i = 0; i < builder->live_count; i++) {
            struct ring_node *node = &builder->nodes[builder->live[i]];

            while (node->load[search.index] > dynkv_ring_limit(node->target[search.index]))
                if (!relieve(&search, builder->live[i]))
                    break;
        }
    }
    free(search.steps);
    free(search.queue);
}
