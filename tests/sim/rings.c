/*
 * rings.c: the rings that the nodes have used, as clients know them.
 */
#include "base/memory.h"
#include "check.h"
#include "sim.h"
#include "wire/places.h"

const struct dynkv_ring *sim_ring_of(const struct sim *sim, uint64_t version)
{
    for (uint32_t i = 0; i < sim->ring_count; i++)
        if (dynkv_ring_version(sim->rings[i]) == version)
            return sim->rings[i];
    return NULL;
}

const struct dynkv_ring *sim_ring_note(struct sim *sim, const struct sim_node *node, bool other)
{
    uint64_t version =
        dynkv_ring_version(other ? dynkv_node_other_ring(node->core) : dynkv_node_ring(node->core));
    const struct dynkv_ring *known = sim_ring_of(sim, version);
    const struct dynkv_place *places;
    struct dynkv_ring *ring;
    uint32_t count;

    if (known)
        return known;
    places = dynkv_node_places(node->core, other, &sim->step_arena, &count);
    ring = dynkv_places_ring(places, count, sim->swarm.partitions);
    if (dynkv_ring_version(ring) != version)
        sim_violation(sim, "8", "%s uses a ring that is not the one of its %u places", node->name,
                      count);
    sim->rings = dynkv_realloc(sim->rings, (sim->ring_count + 1) * sizeof *sim->rings);
    sim->rings[sim->ring_count++] = ring;
    return ring;
}

void sim_rings_note(struct sim *sim, const struct sim_node *node)
{
    if (dynkv_node_is_member(node->core))
        sim_ring_note(sim, node, false);
    if (dynkv_node_other_ring(node->core))
        sim_ring_note(sim, node, true);
}

bool sim_ring_is_first(const struct sim *sim)
{
    return sim->ring_count == sim->rings_of_birth;
}

uint32_t sim_key_replicas(const struct sim *sim, const struct dynkv_ring *ring,
                          const struct sim_key *key, uint64_t out[DYNKV_REPLICAS_MAX])
{
    return dynkv_ring_preference(ring, key->partition, out, sim->keyspaces[key->keyspace].plan.n);
}

bool sim_key_is_on(const struct sim *sim, const struct dynkv_ring *ring, const struct sim_key *key,
                   uint64_t id)
{
    return dynkv_ring_replica_index(ring, key->partition, id,
                                    sim->keyspaces[key->keyspace].plan.n) >= 0;
}

/* What readers use when all is settled. */
void sim_settle_keys(struct sim *sim)
{
    const struct sim_node *node = NULL;

    for (uint32_t i = 0; i < sim->node_count && !node; i++)
        if (sim_node_serves(&sim->nodes[i]))
            node = &sim->nodes[i];
    if (!node)
        return;
    for (uint32_t i = 0; i < sim->swarm.keys; i++)
        sim->keys[i].replica_count = sim_key_replicas(sim, dynkv_node_ring(node->core),
                                                      &sim->keys[i], sim->keys[i].replicas);
}
