/*
 * trial.c: what some seeds are put to once all is healed, where it can be said what must happen:
 *
 *   absent   some members are down, and known to be: W that are up are enough for a write (invariant 15)
 *   repair   a replica missed some writes: anti-entropy brings just those, and nobody reads (14 and 16)
 */
#include <stdio.h>

#include "check.h"
#include "sim.h"

#define CUT_US       (3 * SIM_SECOND)
#define KNOWN_US     (12 * SIM_SECOND) /* until one that is down, or back, is known to be */
#define KNOWN_TRIES  120u              /* seconds for many at once: the more, the slower */
#define QUIET_US     (12 * SIM_SECOND) /* some rounds of anti-entropy */
#define REPAIR_TRIES 180u              /* seconds until anti-entropy must have been round */

static uint32_t trial_serving(const struct sim *sim)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < sim->node_count; i++)
        count += sim_node_serves(&sim->nodes[i]);
    return count;
}

static struct sim_node *trial_any(struct sim *sim)
{
    struct sim_node *chosen = NULL;
    uint32_t seen = 0;

    for (uint32_t i = 0; i < sim->node_count; i++)
        if (sim_node_serves(&sim->nodes[i]) && sim_below(&sim->random, ++seen) == 0)
            chosen = &sim->nodes[i];
    return chosen;
}

static void trial_start_all(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++)
        if (!sim->nodes[i].core)
            sim_node_start(sim, &sim->nodes[i]);
}

static void trial_await_identical(struct sim *sim)
{
    for (uint32_t i = 0; i < REPAIR_TRIES && !check_is_identical(sim); i++)
        sim_run_for(sim, SIM_SECOND);
    check_final_identical(sim);
}

/* ---- absent ---- */

/* Every member that is up sees all the others as down. */
static bool absent_are_known(struct sim *sim, uint32_t up)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct dynkv_status_reply status;

        if (!sim_node_serves(&sim->nodes[i]))
            continue;
        dynkv_node_status(sim->nodes[i].core, &sim->step_arena, &status);
        if (status.down_count + up != status.member_count)
            return false;
    }
    return true;
}

/* For a while the members don't all hear each other, and find out different things. */
static void trial_cut(struct sim *sim)
{
    uint64_t until_us = sim->now_us + sim_below(&sim->random, CUT_US);

    for (uint32_t i = 0; i < sim->node_count; i++)
        for (uint32_t j = 0; j < sim->node_count; j++)
            if (i != j && sim_percent(&sim->random, 50))
                sim->network.cut_until_us[i][j] = until_us;
}

static void trial_absent(struct sim *sim)
{
    uint32_t up;

    for (uint32_t i = 0; i < sim->node_count; i++)
        if (trial_serving(sim) > 1 && sim_node_serves(&sim->nodes[i]) &&
            sim_percent(&sim->random, 50))
            sim_node_crash(sim, &sim->nodes[i]);
    up = trial_serving(sim);
    if (sim_percent(&sim->random, 50))
        trial_cut(sim);
    sim_run_for(sim, CUT_US + SIM_SECOND);
    for (uint32_t i = 0; i < KNOWN_TRIES && !absent_are_known(sim, up); i++)
        sim_run_for(sim, SIM_SECOND);
    if (!absent_are_known(sim, up))
        sim_violation(sim, "15", "the %u members that are up don't agree on who is down", up);
    for (uint32_t i = 0; i < sim->swarm.keys && !sim->report.found; i += 2) {
        uint8_t w = sim->keyspaces[sim->keys[i].keyspace].plan.w;
        struct sim_node *node = trial_any(sim);

        if (w <= up && !sim_probe_write(sim, &sim->keys[i], node, w, 0))
            sim_violation(sim, "15", "%s: a write at w=%u at %s failed, with %u members up",
                          sim_key_text(&sim->keys[i]), w, node->name, up);
    }
    trial_start_all(sim);
    sim_run_for(sim, KNOWN_US);
    trial_await_identical(sim); /* what nobody was left to keep a hint of */
}

/* ---- repair ---- */

static bool key_is_for(struct sim *sim, const struct sim_key *key, const struct sim_node *node,
                       uint32_t *others)
{
    bool is = false;

    *others = 0;
    for (uint32_t i = 0; i < key->replica_count; i++) {
        struct sim_node *replica = sim_node_by_id(sim, key->replicas[i]);

        if (replica == node)
            is = true;
        else if (replica && sim_node_serves(replica))
            ++*others;
    }
    return is && *others > 0;
}

static struct sim_node *replica_that_is_up(struct sim *sim, const struct sim_key *key)
{
    for (uint32_t i = 0; i < key->replica_count; i++) {
        struct sim_node *node = sim_node_by_id(sim, key->replicas[i]);

        if (node && sim_node_serves(node))
            return node;
    }
    return NULL;
}

/* Writes that the node misses; strict ones, so that nobody keeps a hint of them. */
static uint32_t repair_write(struct sim *sim, const struct sim_node *absent)
{
    uint32_t most = 1 + (uint32_t)sim_below(&sim->random, 8), written = 0, others;

    for (uint32_t i = 0; i < sim->swarm.keys && written < most && !sim->report.found; i++) {
        struct sim_key *key = &sim->keys[i];

        if (!key_is_for(sim, key, absent, &others))
            continue;
        if (!sim_probe_write(sim, key, replica_that_is_up(sim, key), (uint8_t)others,
                             DYNKV_PUT_STRICT))
            sim_violation(sim, "15", "%s: a strict write to the %u replicas that are up failed",
                          sim_key_text(key), others);
        written++;
    }
    return written;
}

static void trial_repair(struct sim *sim)
{
    struct sim_node *node = trial_any(sim);
    uint32_t differing;

    if (trial_serving(sim) < 2)
        return;
    for (uint32_t i = 0; i < REPAIR_TRIES && !check_hints_are_gone(sim); i++)
        sim_run_for(sim, SIM_SECOND);
    sim_node_stop(sim, node);
    sim_run_for(sim, KNOWN_US);
    differing = repair_write(sim, node);
    sim_run_for(sim, SIM_SECOND);
    sim->repair = (struct sim_repair){.is_watched = true};
    sim_node_start(sim, node);
    trial_await_identical(sim);
    sim_run_for(sim, QUIET_US);
    check_repair(sim, differing);
    sim->repair.is_watched = false;
}

void sim_trial(struct sim *sim)
{
    /* With lost members, and with candidates, it can't be said so simply. */
    if (sim->wipes || !sim_ring_is_first(sim) || sim->node_count != sim->swarm.nodes ||
        sim_operator_misses_somebody(sim))
        return;
    switch (sim->swarm.trial) {
    case SIM_TRIAL_ABSENT:
        trial_absent(sim);
        break;
    case SIM_TRIAL_REPAIR:
        trial_repair(sim);
        break;
    default:
        break;
    }
}
