/*
 * ring_target.c: the fair share of every member in every prefix, as water filling.
 *
 * While a prefix is no longer than there are zones, each zone has at most one entry in each list, so a
 * zone that is heavier than its 1/n of the cluster is filled to the brim, all partitions once, and the
 * rest of the water goes to the other zones.  A longer prefix has the one entry of each zone already:
 * what a member has there is its floor, and all partitions once its ceiling.
 *
 * Divisions round down, so a target is never above the true share.
 */
#include "model/ring_build.h"

/* Of whole a part of weight out of total; whole < 2^36, weight < 2^25: no overflow. */
static int64_t share(int64_t whole, uint64_t weight, uint64_t total)
{
    return (int64_t)((uint64_t)whole * weight / total);
}

/* n <= zone_limit.  A lighter zone is never filled before a heavier one, so one weight parts them. */
static void targets_within_zones(struct ring_builder *builder, uint32_t n)
{
    const int64_t brim = (int64_t)builder->partitions * RING_UNIT;
    int64_t rest = brim * n;
    uint64_t weight = 0, filled_from = UINT64_MAX; /* zones at least this heavy are filled */
    bool again = true;

    for (uint32_t z = 0; z < builder->zone_count; z++)
        weight += builder->zone_weights[z];
    while (again) {
        uint64_t heaviest = 0;

        for (uint32_t z = 0; z < builder->zone_count; z++)
            if (builder->zone_weights[z] < filled_from && builder->zone_weights[z] > heaviest)
                heaviest = builder->zone_weights[z];
        again = heaviest > 0 && share(rest, heaviest, weight) >= brim;
        if (!again)
            break;
        filled_from = heaviest;
        for (uint32_t z = 0; z < builder->zone_count; z++) {
            if (builder->zone_weights[z] == heaviest) {
                rest -= brim;
                weight -= heaviest;
            }
        }
        again = weight > 0;
    }
    for (uint32_t i = 0; i < builder->live_count; i++) {
        struct ring_node *node = &builder->nodes[builder->live[i]];
        uint64_t zone_weight = builder->zone_weights[node->zone];

        node->target[n - 1] = zone_weight >= filled_from
                                  ? share(brim, node->member.weight, zone_weight)
                                  : share(rest, node->member.weight, weight);
    }
}

/* What a free node would get too little (below its floor) and too much (above the brim), in sum. */
struct misfit {
    int64_t below, above;
};

static struct misfit misfit_of(int64_t level, int64_t floor, int64_t brim)
{
    return (struct misfit){level < floor ? floor - level : 0, level > brim ? level - brim : 0};
}

/* n > zone_limit.  scratch[0]: the node's target is settled. */
static void targets_beyond_zones(struct ring_builder *builder, uint32_t n)
{
    const int64_t brim = (int64_t)builder->partitions * RING_UNIT;
    const uint32_t base = builder->zone_limit; /* at least 1 */
    int64_t rest = brim * n;
    uint64_t weight = 0;
    struct misfit sum;

    for (uint32_t i = 0; i < builder->live_count; i++) {
        builder->nodes[builder->live[i]].scratch[0] = 0;
        weight += builder->nodes[builder->live[i]].member.weight;
    }
    /* Bitran and Hax 1981: settle the side that misses by more; every round settles somebody. */
    do {
        int64_t whole = rest;
        uint64_t total = weight;

        sum = (struct misfit){0, 0};
        for (uint32_t i = 0; i < builder->live_count; i++) {
            struct ring_node *node = &builder->nodes[builder->live[i]];
            struct misfit one;

            if (node->scratch[0])
                continue;
            node->target[n - 1] = share(whole, node->member.weight, total);
            one = misfit_of(node->target[n - 1], node->target[base - 1], brim);
            sum.below += one.below;
            sum.above += one.above;
        }
        for (uint32_t i = 0; i < builder->live_count; i++) {
            struct ring_node *node = &builder->nodes[builder->live[i]];
            struct misfit one = misfit_of(node->target[n - 1], node->target[base - 1], brim);

            if (node->scratch[0] || (sum.below >= sum.above ? one.below : one.above) == 0)
                continue;
            node->target[n - 1] = one.below ? node->target[base - 1] : brim;
            node->scratch[0] = 1;
            rest -= node->target[n - 1];
            weight -= node->member.weight;
        }
    } while ((sum.below > 0 || sum.above > 0) && weight > 0);
}

void dynkv_ring_targets(struct ring_builder *builder)
{
    for (uint32_t n = 1; n <= builder->length; n++) {
        if (n <= builder->zone_limit)
            targets_within_zones(builder, n);
        else
            targets_beyond_zones(builder, n);
    }
}

int64_t dynkv_ring_limit(int64_t target)
{
    int64_t whole = (target + RING_UNIT - 1) / RING_UNIT, loose = target * 21 / 20 / RING_UNIT;

    return whole > loose ? whole : loose;
}
