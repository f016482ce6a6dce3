/* put_route.c: who coordinates an item of a PUT, and who takes its roles (see put.h). */
#include "base/assert.h"
#include "core/put.h"

/* How many more places of the walk are looked at at a time; the whole walk of a big ring costs time. */
#define ROUTE_AHEAD 4u

static bool route_has_role(const struct put_item *item, uint64_t member)
{
    for (uint32_t i = 0; i < item->role_count; i++)
        if (item->roles[i].member == member)
            return true;
    return false;
}

static struct put_role *route_add(struct put_op *put, struct put_item *item, uint64_t member,
                                  uint64_t hint_for, uint8_t sides)
{
    struct put_role *role = &item->roles[item->role_count++];

    DYNKV_ASSERT(item->role_count <= PUT_ROLES_MAX);
    *role = (struct put_role){.member = member, .hint_for = hint_for, .sides = sides, .open = true};
    item->open++;
    put->open++;
    return role;
}

/* The next member on the walk behind the replicas that is up and has no role; 0: there is none. */
static uint64_t route_next(struct dynkv_node *node, struct put_item *item)
{
    const uint32_t members = dynkv_ring_member_count(node->ring);

    while (item->walk_at < members) {
        uint32_t max =
            item->walk_at + ROUTE_AHEAD < members ? item->walk_at + ROUTE_AHEAD : members;
        uint64_t *walk = dynkv_arena_alloc(&node->arena, max * sizeof *walk);
        uint32_t count = dynkv_ring_preference(node->ring, item->at.partition, walk, max);

        for (; item->walk_at < count; item->walk_at++)
            if (place_is_up(node, walk[item->walk_at]) &&
                !route_has_role(item, walk[item->walk_at]))
                return walk[item->walk_at];
        if (count < max)
            break;
    }
    return 0;
}

uint32_t put_route_acks(const struct put_item *item, bool hoped)
{
    uint32_t fewest = UINT32_MAX;

    for (unsigned side = PUT_SIDE_READERS; side <= PUT_SIDE_OTHER; side *= 2) {
        uint32_t acks = 0;

        for (uint32_t i = 0; i < item->role_count; i++)
            acks += (item->roles[i].sides & side) != 0 &&
                    (item->roles[i].acked || (hoped && item->roles[i].open));
        if (item->sides & side && acks < fewest)
            fewest = acks;
    }
    return fewest;
}

struct put_role *put_route_fallback(struct dynkv_node *node, struct put_op *put,
                                    struct put_item *item, const struct put_role *failed)
{
    bool strict = put->flags & DYNKV_PUT_STRICT && !mutant_is(node, DYNKV_MUTANT_COUNT_FALLBACK);
    uint64_t hint_for = failed->hint_for ? failed->hint_for : failed->member, member;

    if (strict || item->role_count == PUT_ROLES_MAX || mutant_is(node, DYNKV_MUTANT_NO_FALLBACK))
        return NULL;
    member = route_next(node, item);
    return member ? route_add(put, item, member, hint_for, failed->sides) : NULL;
}

/* Takes back roles that were only tried out. */
static void route_clear(struct put_op *put, struct put_item *item)
{
    put->open -= item->open;
    item->open = 0;
    item->role_count = 0;
}

/* Where no replica is up: the first fallback, or this node if it was chosen as such by another. */
static enum put_route route_without_replicas(struct dynkv_node *node, struct put_op *put,
                                             struct put_item *item, const struct put_role *absent,
                                             uint64_t *to)
{
    if (!(put->flags & DYNKV_PUT_FORWARDED)) {
        *to = route_next(node, item);
        if (*to != node->id)
            return *to ? PUT_FORWARD : PUT_NOWHERE;
    }
    if (route_has_role(item, node->id))
        return PUT_NOWHERE; /* it is a new replica, that may not have the record yet */
    route_add(put, item, node->id, absent->member, absent->sides);
    item->at.hint_for = absent->member;
    return PUT_HERE;
}

struct route_replica {
    uint64_t member;
    uint8_t sides;
};

/* The replicas of the ring that readers use, then those that only the other one has. */
static uint32_t route_all(struct dynkv_node *node, const struct put_op *put, struct put_item *item,
                          struct route_replica all[2 * DYNKV_REPLICAS_MAX])
{
    uint64_t list[DYNKV_REPLICAS_MAX];
    uint32_t count = place_replicas(node, item->at.partition, put->n, list), more;

    for (uint32_t i = 0; i < count; i++)
        all[i] = (struct route_replica){list[i], PUT_SIDE_READERS};
    item->sides = PUT_SIDE_READERS;
    item->walk_at = count;
    if (!node->ring_also || mutant_is(node, DYNKV_MUTANT_NO_DUAL_WRITES))
        return count;
    item->sides |= PUT_SIDE_OTHER;
    more = dynkv_ring_preference(node->ring_also, item->at.partition, list, put->n);
    for (uint32_t i = 0; i < more; i++) {
        uint32_t at = 0;

        while (at < count && all[at].member != list[i])
            at++;
        if (at == count)
            all[count++] = (struct route_replica){list[i], 0};
        all[at].sides |= PUT_SIDE_OTHER;
    }
    return count;
}

/* The replicas that are up take their own places; *absent are the others. */
static uint32_t route_replicas(struct dynkv_node *node, struct put_op *put, struct put_item *item,
                               struct put_role absent[2 * DYNKV_REPLICAS_MAX])
{
    struct route_replica all[2 * DYNKV_REPLICAS_MAX];
    uint32_t count, absent_count = 0;

    route_clear(put, item);
    count = route_all(node, put, item, all);
    for (uint32_t i = 0; i < count; i++)
        if (place_is_up(node, all[i].member))
            route_add(put, item, all[i].member, 0, all[i].sides);
        else
            absent[absent_count++] =
                (struct put_role){.member = all[i].member, .sides = all[i].sides};
    return absent_count;
}

/* The first replica of the readers' ring that is up; 0: none.  Only those may coordinate (put.h). */
static uint64_t route_coordinator(const struct put_item *item)
{
    for (uint32_t i = 0; i < item->role_count; i++)
        if (item->roles[i].sides & PUT_SIDE_READERS)
            return item->roles[i].member;
    return 0;
}

static bool route_may_coordinate(const struct put_item *item, uint64_t member)
{
    for (uint32_t i = 0; i < item->role_count; i++)
        if (item->roles[i].member == member && item->roles[i].sides & PUT_SIDE_READERS)
            return true;
    return false;
}

enum put_route put_route(struct dynkv_node *node, struct put_op *put, struct put_item *item,
                         enum dynkv_error *error, uint64_t *to)
{
    struct put_role absent[2 * DYNKV_REPLICAS_MAX];
    uint32_t absent_count, first = 0, skipped = 0;
    uint64_t coordinator;
    enum put_route route = PUT_HERE;

    *error = DYNKV_INVALID;
    if (item->at.partition_len < 1 || item->at.partition_len > item->at.key.len)
        return PUT_NOWHERE;
    item->at.partition = place_partition(node, put->keyspace, item->at.key, item->at.partition_len);
    absent_count = route_replicas(node, put, item, absent);
    coordinator = route_coordinator(item);
    *error = DYNKV_UNAVAILABLE;
    if (!coordinator && !(put->flags & DYNKV_PUT_STRICT) && absent_count) {
        route = route_without_replicas(node, put, item, &absent[0], to);
        first = 1;
    } else if (coordinator && !route_may_coordinate(item, node->id) &&
               mutant_is(node, DYNKV_MUTANT_COORDINATE_ANYWHERE)) {
        if (!route_has_role(item, node->id))
            route_add(put, item, node->id, 0, item->sides);
    } else if (!coordinator) {
        route = PUT_NOWHERE;
    } else if (!route_may_coordinate(item, node->id)) {
        *error = DYNKV_NOT_REPLICA;
        *to = coordinator;
        route = put->flags & DYNKV_PUT_FORWARDED ? PUT_NOWHERE : PUT_FORWARD;
    }
    if (route == PUT_HERE)
        for (uint32_t i = first; i < absent_count; i++)
            skipped += put_route_fallback(node, put, item, &absent[i]) == NULL;
    /* Known before anything was written: nothing will be. */
    if (route == PUT_HERE && put_route_acks(item, true) < put->w) {
        *error = DYNKV_UNAVAILABLE;
        route = PUT_NOWHERE;
    }
    if (route == PUT_HERE)
        node->counters.hints_skipped += skipped;
    else
        route_clear(put, item);
    return route;
}
