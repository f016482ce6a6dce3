/*
 * network.c: frames between nodes, and clients' requests and replies: lost, doubled, late, cut off.
 *
 * What one flush sends to one peer travels as one frame, as the daemon does it.  A link is slow in its own
 * way (a share of link_us drawn from its ends); on top of that comes jitter, and now and then a delay
 * that lets much overtake it, unless the seed keeps links in order.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"
#include "wire/frame.h"

static uint32_t network_node_of(struct dynkv_slice url)
{
    uint32_t number = 0;

    for (size_t i = 0; i < url.len; i++)
        if (url.data[i] >= '0' && url.data[i] <= '9')
            number = number * 10 + (uint32_t)(url.data[i] - '0');
    return number;
}

static uint64_t network_delay(struct sim *sim, uint32_t from, uint32_t to)
{
    struct dynkv_random *random = &sim->network.random;
    uint64_t base = sim->swarm.link_us * (1 + (from * 7u + to * 3u) % 5) / 3;
    uint64_t delay = base + sim_below(random, sim->swarm.jitter_us + 1);

    if (sim->faults_on && sim_ppm(random, sim->swarm.late))
        delay += sim_below(random, sim->swarm.late_us + 1);
    return delay;
}

static bool network_loses(struct sim *sim)
{
    return sim->faults_on && sim_ppm(&sim->network.random, sim->swarm.loss);
}

static bool network_doubles(struct sim *sim)
{
    return sim->faults_on && sim_ppm(&sim->network.random, sim->swarm.duplicate);
}

static void network_deliver(struct sim *sim, uint64_t delay, struct sim_event event,
                            struct dynkv_slice bytes)
{
    event.data = dynkv_alloc(bytes.len);
    memcpy(event.data, bytes.data, bytes.len);
    event.len = bytes.len;
    sim_at(sim, delay, event);
}

static void network_frame(struct sim *sim, uint32_t from, uint32_t to, struct dynkv_slice frame)
{
    struct sim_network *network = &sim->network;
    uint64_t *last = &network->last_us[from][to];
    uint32_t copies = 1 + network_doubles(sim);

    if (to >= sim->node_count || network->cut_until_us[from][to] > sim->now_us)
        return;
    for (; copies; copies--) {
        uint64_t delay = network_delay(sim, from, to);

        if (network_loses(sim))
            continue;
        if (sim->swarm.in_order && sim->now_us + delay < *last)
            delay = *last - sim->now_us;
        *last = sim->now_us + delay;
        network_deliver(sim, delay, (struct sim_event){.kind = SIM_FRAME, .node = to}, frame);
    }
}

void sim_network_send(struct sim *sim, struct sim_node *from, const struct dynkv_effects *effects)
{
    bool *sent = dynkv_arena_calloc(&sim->step_arena, effects->send_count, sizeof *sent);

    for (uint32_t i = 0; i < effects->send_count; i++) {
        const struct dynkv_effect_send *first = &effects->sends[i];

        if (sent[i])
            continue;
        dynkv_buf_reset(&sim->scratch);
        dynkv_frame_begin(&sim->scratch, first->cluster_id, from->id);
        for (uint32_t j = i; j < effects->send_count; j++) {
            const struct dynkv_effect_send *send = &effects->sends[j];

            if (sent[j] || send->cluster_id != first->cluster_id ||
                !dynkv_slice_equal(send->url, first->url) ||
                !dynkv_frame_add(&sim->scratch, send->message))
                continue;
            sent[j] = true;
        }
        network_frame(sim, from->index, network_node_of(first->url),
                      dynkv_buf_slice(&sim->scratch));
    }
}

/* ---- clients ---- */

void sim_network_request(struct sim *sim, uint32_t node, uint64_t token, struct dynkv_slice bytes)
{
    uint32_t copies = 1 + network_doubles(sim);

    for (; copies; copies--) {
        uint64_t delay = network_delay(sim, SIM_NODES_MAX, node);

        if (network_loses(sim) || sim->network.client_cut_until_us[node] > sim->now_us)
            continue;
        network_deliver(sim, delay,
                        (struct sim_event){.kind = SIM_REQUEST, .node = node, .token = token},
                        bytes);
    }
}

void sim_network_reply(struct sim *sim, struct sim_node *from, uint64_t token,
                       struct dynkv_slice bytes)
{
    if (network_loses(sim) || sim->network.client_cut_until_us[from->index] > sim->now_us)
        return;
    network_deliver(sim, network_delay(sim, from->index, SIM_NODES_MAX),
                    (struct sim_event){.kind = SIM_REPLY, .token = token}, bytes);
}
