/*
 * swarm.c: what a seed draws: the size of things, which faults there are, and how often.
 *
 * Each fault is in a seed or not by the toss of a coin, and rates span orders of magnitude: a mix of
 * everything everywhere finds less (Groce et al., "Swarm testing", ISSTA 2012).
 */
#include <stdio.h>

#include "sim.h"

static uint32_t swarm_pick(struct dynkv_random *random, const uint32_t *choices, uint32_t count)
{
    return choices[sim_below(random, count)];
}

#define PICK(random, ...)                               \
    swarm_pick(random, (const uint32_t[]){__VA_ARGS__}, \
               (uint32_t)(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))

static uint32_t swarm_draw_faults(struct dynkv_random *random, uint32_t allowed)
{
    uint32_t faults = (uint32_t)dynkv_random_next(random) & allowed;

    /* What loses data for good is rarer: it lifts the guarantees of what it touches. */
    if (sim_percent(random, 70))
        faults &= ~(1u << SIM_FAULT_WIPE);
    if (sim_percent(random, 60))
        faults &= ~(1u << SIM_FAULT_RESTORE);
    return sim_percent(random, 8) ? 0 : faults;
}

static void swarm_draw_keyspaces(struct sim_swarm *swarm, struct dynkv_random *random)
{
    swarm->keyspace_count = 1 + (uint32_t)sim_below(random, SIM_KEYSPACES_MAX);
    for (uint32_t i = 0; i < swarm->keyspace_count; i++) {
        struct sim_keyspace_plan *plan = &swarm->keyspaces[i];
        uint32_t n = PICK(random, 1, 2, 3, 3, 3, 3, 4, 5);

        if (n > swarm->nodes)
            n = swarm->nodes;
        plan->n = (uint8_t)n;
        plan->r = (uint8_t)(sim_percent(random, 75) ? n / 2 + 1 : 1 + sim_below(random, n));
        plan->w = (uint8_t)(sim_percent(random, 75) ? n / 2 + 1 : 1 + sim_below(random, n));
        plan->ttl_ms = PICK(random, 0, 0, 0, 500, 20000);
    }
}

static void swarm_draw_network(struct sim_swarm *swarm, struct dynkv_random *random)
{
    uint32_t loss = PICK(random, 1000, 10000, 50000, 150000, 300000);
    uint32_t duplicate = PICK(random, 1000, 20000, 200000, 500000);
    uint32_t late = PICK(random, 1000, 20000, 200000);

    swarm->loss = swarm->faults >> SIM_FAULT_LOSS & 1 ? loss : 0;
    swarm->duplicate = swarm->faults >> SIM_FAULT_DUPLICATE & 1 ? duplicate : 0;
    swarm->late = swarm->faults >> SIM_FAULT_DELAY & 1 ? late : 0;
    swarm->in_order = sim_percent(random, 40);
    swarm->link_us = PICK(random, 20, 100, 500, 3000, 20000);
    swarm->jitter_us = PICK(random, 10, 200, 2000);
    swarm->late_us = PICK(random, 5000, 200000, 2000000);
}

static void swarm_draw_clients(struct sim_swarm *swarm, struct dynkv_random *random)
{
    swarm->clients = 2 + (uint32_t)sim_below(random, 11);
    swarm->think_us = PICK(random, 50, 1000, 1000, 10000);
    swarm->put_share = PICK(random, 20, 40, 50, 80);
    swarm->delete_share = PICK(random, 0, 10, 40);
    swarm->scan_share = PICK(random, 0, 5, 10);
    swarm->direct_share = PICK(random, 0, 5, 10);
    swarm->context_share = PICK(random, 20, 60, 95);
    swarm->blind_share = PICK(random, 0, 0, 5, 20);
    swarm->retry_share = PICK(random, 0, 50, 90);
    swarm->ttl_share = PICK(random, 0, 0, 30);
    swarm->batch_share = PICK(random, 0, 20, 60);
    swarm->odd_quorum_share = PICK(random, 0, 15, 50);
    swarm->client_deadline_ms = PICK(random, 150, 500, 1000, 2500);
    if (sim_below(random, 12) == 0) { /* siblings in great numbers */
        swarm->keys = 1 + (uint32_t)sim_below(random, 2);
        swarm->keyspace_count = 1;
        swarm->context_share = 1;
        swarm->blind_share = 99;
        swarm->put_share = 80;
    }
}

/* Keys that are written rarely, and often deleted: time enough for tombstones to be reaped in between. */
static void swarm_draw_deletes(struct sim_swarm *swarm, struct dynkv_random *random)
{
    swarm->keys = PICK(random, 20, 50);
    swarm->think_us = PICK(random, 30000, 80000);
    swarm->put_share = PICK(random, 50, 80);
    swarm->delete_share = PICK(random, 40, 60);
    swarm->reap_interval_ms = 20;
    swarm->in_order = false;
    swarm->fault_every_us =
        PICK(random, 300000, 1000000, 3000000); /* time for rounds to end, too */
    if (swarm->late) {
        swarm->late = PICK(random, 10000, 40000);
        swarm->late_us = 2000000;
    }
    if (swarm->duplicate)
        swarm->duplicate = 500000;
}

void sim_swarm_draw(struct sim_swarm *swarm, const struct sim_options *options, uint64_t seed)
{
    struct dynkv_random random = dynkv_random(seed ^ 0x5eedu);

    *swarm = (struct sim_swarm){0};
    swarm->nodes = PICK(&random, 1, 2, 3, 3, 4, 5, 5, 5, 6, 8);
    if (options->nodes)
        swarm->nodes = options->nodes;
    swarm->partitions = PICK(&random, 8, 16, 64);
    swarm->faults = swarm_draw_faults(&random, options->faults);
    swarm->keys = PICK(&random, 3, 8, 20, 50);
    swarm_draw_keyspaces(swarm, &random);
    if (swarm->keys < swarm->keyspace_count)
        swarm->keys = swarm->keyspace_count;
    swarm_draw_network(swarm, &random);
    swarm_draw_clients(swarm, &random);
    swarm->gather_us = PICK(&random, 0, 0, 200, 3000);
    swarm->read_us = PICK(&random, 5, 50, 500, 5000);
    swarm->sync_us = PICK(&random, 20, 200, 2000, 10000);
    swarm->fault_every_us = PICK(&random, 5000, 20000, 80000, 300000);
    swarm->client_skew_ms = PICK(&random, 0, 20, 5000, 40000);
    swarm->node_skew_ms = PICK(&random, 0, 50, 3000, 40000, 100000);
    swarm->strict_share = PICK(&random, 0, 0, 30, 100);
    swarm->sync_every_ms = PICK(&random, 0, 300, 1000);
    swarm->trial = PICK(&random, SIM_TRIAL_NONE, SIM_TRIAL_ABSENT, SIM_TRIAL_REPAIR);
    if (swarm->trial != SIM_TRIAL_ABSENT) { /* who may not keep a hint cannot stand in */
        swarm->hints_max = PICK(&random, 0, 0, 1, 2, 4, 15);
        swarm->hints_bytes_max = PICK(&random, 0, 0, 150, 600);
    }
    swarm->reap_interval_ms = PICK(&random, 20, 20, 100, 300);
    if (sim_below(&random, 6) == 0)
        swarm_draw_deletes(swarm, &random);
}

void sim_swarm_print(const struct sim_swarm *swarm, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "nodes %u q %u keys %u clients %u n%ur%uw%u%s",
                                  swarm->nodes, swarm->partitions, swarm->keys, swarm->clients,
                                  swarm->keyspaces[0].n, swarm->keyspaces[0].r,
                                  swarm->keyspaces[0].w, swarm->keyspace_count > 1 ? "+" : "");

    for (uint32_t i = 0; i < SIM_FAULT_COUNT && len < size; i++)
        if (swarm->faults >> i & 1)
            len += (size_t)snprintf(out + len, size - len, "%s%s", i ? " " : " ",
                                    sim_fault_name((enum sim_fault)i));
    if (len < size)
        snprintf(out + len, size - len, "%s every %u ms", swarm->faults ? "" : " no faults",
                 swarm->fault_every_us / 1000);
}
