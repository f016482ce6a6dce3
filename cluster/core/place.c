/*
 * place.c: the rings in use, and who of them can be asked now.
 *
 * Without a change there is one ring.  While one is open there are two, that of the places before and that of
 * those after: readers use the first until the change has switched, then the second; writes reach both.
 */
#include "core/node_impl.h"

/* At epoch 0, which nobody has left: what the members say of themselves. */
static struct dynkv_place *place_from_members(const struct dynkv_node *node,
                                              struct dynkv_arena *arena, uint32_t *count)
{
    struct dynkv_place *list = dynkv_arena_calloc(arena, node->member_count, sizeof *list);

    *count = 0;
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct dynkv_member *info = &node->members[i]->info;

        if (info->joined > DYNKV_JOINED_BY_CHANGE)
            list[(*count)++] = (struct dynkv_place){
                .id = info->id,
                .holder = info->id,
                .zone = dynkv_ring_zone(info->zone),
                .joined = info->joined,
                .weight = info->weight,
            };
    }
    return list;
}

static struct dynkv_place *place_copy(const struct dynkv_node *node, struct dynkv_arena *arena,
                                      uint32_t *count)
{
    if (node->table.epoch == 0)
        return place_from_members(node, arena, count);
    *count = node->table.place_count;
    return dynkv_arena_copy(arena, node->table.places,
                            node->table.place_count * sizeof *node->table.places);
}

struct dynkv_place *place_list(struct dynkv_node *node, uint32_t *count)
{
    return place_copy(node, &node->arena, count);
}

struct dynkv_place *dynkv_node_places(const struct dynkv_node *node, bool other,
                                      struct dynkv_arena *arena, uint32_t *count)
{
    if (node->ring_switched == other)
        return place_copy(node, arena, count);
    *count = node->change->place_count;
    return dynkv_arena_copy(arena, node->change->places,
                            node->change->place_count * sizeof *node->change->places);
}

void place_rebuild(struct dynkv_node *node)
{
    uint32_t count;
    const struct dynkv_place *list = place_list(node, &count);
    bool forgets = count > 1 && mutant_is(node, DYNKV_MUTANT_RING_FORGETS_MEMBER);

    dynkv_ring_free(node->ring);
    dynkv_ring_free(node->ring_also);
    node->ring = dynkv_places_ring(list, count - forgets, node->partitions);
    node->ring_also =
        change_is_open(node)
            ? dynkv_places_ring(node->change->places, node->change->place_count, node->partitions)
            : NULL;
    node->ring_switched = false;
    node->ring_stale = false;
    place_follow(node);
}

void place_follow(struct dynkv_node *node)
{
    enum dynkv_change_phase phase = stage_phase(node);
    bool switched = phase == DYNKV_CHANGE_SWITCHED || phase == DYNKV_CHANGE_FINISHED ||
                    (phase == DYNKV_CHANGE_MOVING && mutant_is(node, DYNKV_MUTANT_SWITCH_EARLY));

    node->phase = phase;
    node->phase_stale = false;
    if (switched != node->ring_switched) {
        struct dynkv_ring *ring = node->ring;

        node->ring = node->ring_also;
        node->ring_also = ring;
        node->ring_switched = switched;
    }
}

const struct dynkv_ring *dynkv_node_ring(const struct dynkv_node *node)
{
    return node->ring;
}

uint64_t place_rings(const struct dynkv_node *node)
{
    return dynkv_ring_version(node->ring) +
           (node->ring_also ? dynkv_ring_version(node->ring_also) : 0);
}

const struct dynkv_ring *dynkv_node_other_ring(const struct dynkv_node *node)
{
    return node->ring_also;
}

bool place_of_reader(const struct dynkv_node *node, uint64_t id)
{
    const struct dynkv_place *places =
        node->ring_switched ? node->change->places : node->table.places;
    uint32_t count = node->ring_switched ? node->change->place_count : node->table.place_count;
    const struct member *member = members_find(node, id);

    if (!node->ring_switched && node->table.epoch == 0)
        return member && member->info.joined > DYNKV_JOINED_BY_CHANGE;
    for (uint32_t i = 0; i < count; i++)
        if (places[i].holder == id && !places[i].left)
            return true;
    return false;
}

bool place_is_held(const struct dynkv_node *node, uint64_t id)
{
    if (node->table.epoch == 0 && members_find(node, id) &&
        members_find(node, id)->info.joined > DYNKV_JOINED_BY_CHANGE)
        return true;
    for (uint32_t i = 0; i < node->table.place_count; i++)
        if (node->table.places[i].holder == id && !node->table.places[i].left)
            return true;
    for (uint32_t i = 0; change_is_open(node) && i < node->change->place_count; i++)
        if (node->change->places[i].holder == id && !node->change->places[i].left)
            return true;
    return false;
}

uint32_t place_partition(const struct dynkv_node *node, uint64_t keyspace, struct dynkv_slice key,
                         uint32_t partition_len)
{
    struct dynkv_slice partition_key = dynkv_slice(key.data, partition_len);

    return dynkv_ring_partition(node->ring, dynkv_ring_hash(keyspace, partition_key));
}

bool place_is_up(const struct dynkv_node *node, uint64_t id)
{
    const struct member *member = members_find(node, id);

    return member && !member->down &&
           (member_counts(member) || mutant_is(node, DYNKV_MUTANT_EXCLUDED_COUNT));
}

bool place_keeps(const struct dynkv_node *node, uint32_t partition, uint64_t member, uint32_t n)
{
    return dynkv_ring_replica_index(node->ring, partition, member, n) >= 0 ||
           (node->ring_also &&
            dynkv_ring_replica_index(node->ring_also, partition, member, n) >= 0);
}

static bool place_is_excluded(const struct dynkv_node *node, uint64_t id)
{
    const struct member *member = members_find(node, id);

    return member && member->info.excluded;
}

/* After it nobody has the partition who is there still; before it somebody does. */
static bool place_is_stranded(const struct dynkv_node *node, const struct dynkv_ring *before,
                              const struct dynkv_ring *after, uint32_t partition, uint32_t n)
{
    uint64_t list[DYNKV_REPLICAS_MAX];
    uint32_t count = dynkv_ring_preference(after, partition, list, n);

    for (uint32_t i = 0; i < count; i++)
        if (!place_is_excluded(node, list[i]) || id_set_has(&node->change->ready, list[i]))
            return false;
    count = dynkv_ring_preference(before, partition, list, n);
    for (uint32_t i = 0; i < count; i++)
        if (!place_is_excluded(node, list[i]))
            return true;
    return false;
}

bool place_strands(const struct dynkv_node *node, const struct dynkv_ring *before,
                   const struct dynkv_ring *after)
{
    uint32_t least_n = DYNKV_REPLICAS_MAX;
    bool misses_one = false, has_keyspace = false;

    for (uint32_t i = 0; i < node->member_count; i++)
        misses_one |= node->members[i]->info.excluded &&
                      !id_set_has(&node->change->ready, node->members[i]->info.id);
    for (uint32_t i = 0; i < node->keyspace_count; i++) {
        const struct dynkv_keyspace *def = &node->keyspaces[i]->def;

        has_keyspace |= !def->dropped;
        if (!def->dropped && def->n < least_n)
            least_n = def->n;
    }
    for (uint32_t p = 0; misses_one && has_keyspace && p < node->partitions; p++)
        if (place_is_stranded(node, before, after, p, least_n))
            return true;
    return false;
}

uint32_t place_replicas(const struct dynkv_node *node, uint32_t partition, uint32_t n,
                        uint64_t out[DYNKV_REPLICAS_MAX])
{
    return dynkv_ring_preference(node->ring, partition, out,
                                 n < DYNKV_REPLICAS_MAX ? n : DYNKV_REPLICAS_MAX);
}

uint32_t place_readable(const struct dynkv_node *node, uint32_t partition, uint32_t n,
                        uint64_t out[DYNKV_REPLICAS_MAX])
{
    uint64_t replicas[DYNKV_REPLICAS_MAX];
    uint32_t count = place_replicas(node, partition, n, replicas), kept = 0;

    for (uint32_t i = 0; i < count; i++)
        if (replicas[i] == node->id)
            out[kept++] = node->id;
    for (uint32_t i = 0; i < count; i++)
        if (replicas[i] != node->id && place_is_up(node, replicas[i]))
            out[kept++] = replicas[i];
    return kept;
}
