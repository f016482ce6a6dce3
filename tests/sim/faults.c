/* faults.c: when what breaks, and for how long; and the end of all faults. */
#include "check.h"
#include "sim.h"

#define FAULT_LASTS_MAX_US (5 * SIM_SECOND) /* healing waits for longer than that */

static const char *const fault_names[] = {
#define FAULT_NAME(upper, name, text) #name,
    SIM_FAULTS(FAULT_NAME)
#undef FAULT_NAME
};

const char *sim_fault_name(enum sim_fault fault)
{
    return fault_names[fault];
}

static uint64_t fault_lasts(struct sim *sim)
{
    static const uint32_t means_us[] = {20000, 300000, 1500000};
    uint64_t lasts = sim_around(&sim->fault_random, means_us[sim_below(&sim->fault_random, 3)]);

    return lasts < FAULT_LASTS_MAX_US ? lasts : FAULT_LASTS_MAX_US;
}

static struct sim_node *fault_node(struct sim *sim)
{
    return &sim->nodes[sim_below(&sim->fault_random, sim->node_count)];
}

static void fault_restart_later(struct sim *sim, struct sim_node *node, uint64_t delay_us)
{
    sim_at(sim, delay_us,
           (struct sim_event){.kind = SIM_RESTART, .node = node->index, .life = node->life});
}

static void fault_cut(struct sim *sim, uint32_t from, uint32_t to, uint64_t until_us)
{
    sim->network.cut_until_us[from][to] = until_us;
}

/* Halves that don't hear each other; one direction only; one node alone, maybe from clients too. */
static void fault_partition(struct sim *sim)
{
    uint64_t until_us = sim->now_us + fault_lasts(sim);
    uint32_t kind = (uint32_t)sim_below(&sim->fault_random, 4);
    uint32_t side =
        kind < 2 ? (uint32_t)dynkv_random_next(&sim->fault_random) : 1u << fault_node(sim)->index;

    SIM_TRACE(sim, "network: partition of kind %u, side %x", kind, side);
    for (uint32_t i = 0; i < sim->node_count; i++)
        for (uint32_t j = 0; j < sim->node_count; j++) {
            bool out = (side >> i & 1) && !(side >> j & 1),
                 in = !(side >> i & 1) && (side >> j & 1);

            if (out || (in && kind % 2 == 0))
                fault_cut(sim, i, j, until_us);
        }
    if (kind == 2 && sim_percent(&sim->fault_random, 50))
        sim->network.client_cut_until_us[__builtin_ctz(side)] = until_us;
}

static void fault_pause(struct sim *sim)
{
    struct sim_node *node = fault_node(sim);

    if (!node->core || node->paused_until_us > sim->now_us)
        return;
    node->paused_until_us = sim->now_us + fault_lasts(sim);
    SIM_TRACE(sim, "%s pauses", node->name);
}

static void fault_clock(struct sim *sim)
{
    struct sim_node *node = fault_node(sim);
    int64_t most = sim->swarm.node_skew_ms * (int64_t)SIM_MS;
    int64_t skew = most ? (int64_t)sim_below(&sim->fault_random, (uint64_t)(2 * most)) - most : 0;

    node->drift_ppm = (int64_t)sim_below(&sim->fault_random, 100000) - 50000;
    sim_node_set_skew(sim, node, skew);
    SIM_TRACE(sim, "%s has its clock set off by %lld us", node->name, (long long)skew);
}

static void fault_slow_disk(struct sim *sim)
{
    struct sim_node *node = fault_node(sim);

    node->disk_slowness = 5 + (uint32_t)sim_below(&sim->fault_random, 60);
    sim_at(sim, fault_lasts(sim), (struct sim_event){.kind = SIM_DISK_WELL, .node = node->index});
}

static void fault_bad_disk(struct sim *sim)
{
    struct sim_node *node = fault_node(sim);

    if (!node->core)
        return;
    SIM_TRACE(sim, "%s has a bad disk", node->name);
    node->disk_bad = true;
    fault_restart_later(sim, node, fault_lasts(sim));
}

/*
 * One member never loses anything: were all of them put back, nobody would remember what came after the copies
 * (restart.c).
 */
static bool fault_is_keeper(const struct sim *sim, const struct sim_node *node)
{
    return node->index == sim->seed % sim->swarm.nodes;
}

static void fault_restore(struct sim *sim)
{
    struct sim_node *node = fault_node(sim);

    if (!node->core || node->is_wiped || fault_is_keeper(sim, node))
        return;
    if (!node->has_backup || sim_percent(&sim->fault_random, 40)) {
        sim_node_back_up(sim, node);
        return;
    }
    sim_node_crash(sim, node);
    sim_node_restore(sim, node);
    fault_restart_later(sim, node, fault_lasts(sim));
}

/* One node of a seed, and only where enough are left. */
static void fault_wipe(struct sim *sim)
{
    struct sim_node *node = fault_node(sim);

    if (!node->core || sim->wipes || sim->node_count < 4 || sim->ops_done < 20 ||
        fault_is_keeper(sim, node))
        return;
    sim->wipes++;
    sim_node_crash(sim, node);
    sim_node_wipe(sim, node);
    fault_restart_later(sim, node, fault_lasts(sim));
}

static void fault_crash(struct sim *sim)
{
    struct sim_node *node = fault_node(sim);

    if (!node->core)
        return;
    if (sim_percent(&sim->fault_random, 30)) {
        sim_node_stop(sim, node);
        if (sim->swarm.faults >> SIM_FAULT_RESTORE & 1 && !node->is_wiped)
            sim_node_back_up(sim, node); /* the copy of a clean store is clean, too */
    } else {
        sim_node_crash(sim, node);
    }
    fault_restart_later(sim, node, fault_lasts(sim));
}

static void fault_strike(struct sim *sim, enum sim_fault fault)
{
    switch (fault) {
    case SIM_FAULT_PARTITION:
        fault_partition(sim);
        break;
    case SIM_FAULT_CRASH:
        fault_crash(sim);
        break;
    case SIM_FAULT_PAUSE:
        fault_pause(sim);
        break;
    case SIM_FAULT_CLOCK:
        fault_clock(sim);
        break;
    case SIM_FAULT_SLOW_DISK:
        fault_slow_disk(sim);
        break;
    case SIM_FAULT_BAD_DISK:
        fault_bad_disk(sim);
        break;
    case SIM_FAULT_RESTORE:
        fault_restore(sim);
        break;
    case SIM_FAULT_WIPE:
        fault_wipe(sim);
        break;
    case SIM_FAULT_JOIN:
    case SIM_FAULT_LEAVE:
    case SIM_FAULT_REPLACE:
    case SIM_FAULT_CANCEL:
        sim_operator_act(sim, fault);
        break;
    default: /* those of messages go on all the time: network.c */
        break;
    }
}

void sim_faults_next(struct sim *sim)
{
    enum sim_fault fault = (enum sim_fault)sim_below(&sim->fault_random, SIM_FAULT_COUNT);

    if (!sim->faults_on)
        return;
    if (sim->swarm.faults >> fault & 1)
        fault_strike(sim, fault);
    sim_at(sim, sim_around(&sim->fault_random, sim->swarm.fault_every_us),
           (struct sim_event){.kind = SIM_NEXT_FAULT});
}

void sim_faults_start(struct sim *sim)
{
    sim->faults_on = true;
    sim_faults_next(sim);
}

/*
 * All nodes up, on good disks, all links whole.  All clocks are set to the latest time that any showed: a node
 * whose clock had jumped ahead and come back is refused until the others reach where it was.
 */
void sim_faults_end(struct sim *sim)
{
    SIM_TRACE(sim, "all faults end");
    sim->faults_on = false;
    memset(sim->network.cut_until_us, 0, sizeof sim->network.cut_until_us);
    memset(sim->network.client_cut_until_us, 0, sizeof sim->network.client_cut_until_us);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];

        node->drift_ppm = 0;
        sim_node_set_skew(sim, node,
                          (int64_t)(sim->latest_wall_ms - SIM_WALL_START_MS) * (int64_t)SIM_MS -
                              (int64_t)sim->now_us);
        node->paused_until_us = 0;
        node->disk_slowness = 1;
        if (node->core && node->disk_bad)
            sim_node_crash(sim, node);
        if (!node->core)
            sim_node_start(sim, node);
    }
}
