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
                                  uint64_t hint_for)
{
    struct put_role *role = &item->roles[item->role_count++];

    DYNKV_ASSERT(item->role_count <= PUT_ROLES_MAX);
    *role = (struct put_role){.member = member, .hint_for = hint_for, .open = true};
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

struct put_role *put_route_fallback(struct dynkv_node *node, struct put_op *put,
                                    struct put_item *item, uint64_t hint_for)
{
    uint64_t member;

    if (put->flags & DYNKV_PUT_STRICT || item->role_count == PUT_ROLES_MAX)
        return NULL;
    member = route_next(node, item);
    return member ? route_add(put, item, member, hint_for) : NULL;
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
                                             struct put_item *item, uint64_t absent, uint64_t *to)
{
    if (!(put->flags & DYNKV_PUT_FORWARDED)) {
        *to = route_next(node, item);
        if (*to != node->id)
            return *to ? PUT_FORWARD : PUT_NOWHERE;
    }
    route_add(put, item, node->id, absent);
    item->at.hint_for = absent;
    return PUT_HERE;
}

/* The replicas that are up take their own places; *absent are the others. */
static uint32_t route_replicas(struct dynkv_node *node, struct put_op *put, struct put_item *item,
                               uint64_t absent[DYNKV_REPLICAS_MAX])
{
    uint64_t all[DYNKV_REPLICAS_MAX];
    uint32_t count = place_replicas(node, item->at.partition, put->n, all), absent_count = 0;

    route_clear(put, item);
    item->walk_at = count;
    for (uint32_t i = 0; i < count; i++)
        if (place_is_up(node, all[i]))
            route_add(put, item, all[i], 0);
        else
            absent[absent_count++] = all[i];
    return absent_count;
}

enum put_route put_route(struct dynkv_node *node, struct put_op *put, struct put_item *item,
                         enum dynkv_error *error, uint64_t *to)
{
    uint64_t absent[DYNKV_REPLICAS_MAX];
    uint32_t absent_count, first = 0, skipped = 0;
    enum put_route route = PUT_HERE;

    *error = DYNKV_INVALID;
    if (item->at.partition_len < 1 || item->at.partition_len > item->at.key.len)
        return PUT_NOWHERE;
    item->at.partition = place_partition(node, put->keyspace, item->at.key, item->at.partition_len);
    absent_count = route_replicas(node, put, item, absent);
    *error = DYNKV_UNAVAILABLE;
    if (item->role_count == 0 && !(put->flags & DYNKV_PUT_STRICT) && absent_count) {
        route = route_without_replicas(node, put, item, absent[0], to);
        first = 1;
    } else if (item->role_count >= 1 && !route_has_role(item, node->id) &&
               mutant_is(node, DYNKV_MUTANT_COORDINATE_ANYWHERE)) {
        route_add(put, item, node->id, 0);
    } else if (item->role_count >= 1 && !route_has_role(item, node->id)) {
        *error = DYNKV_NOT_REPLICA;
        *to = item->roles[0].member;
        route = put->flags & DYNKV_PUT_FORWARDED ? PUT_NOWHERE : PUT_FORWARD;
    }
    if (route == PUT_HERE)
        for (uint32_t i = first; i < absent_count; i++)
            skipped += put_route_fallback(node, put, item, absent[i]) == NULL;
    /* Known before anything was written: nothing will be. */
    if (route == PUT_HERE && item->role_count < put->w) {
        *error = DYNKV_UNAVAILABLE;
        route = PUT_NOWHERE;
    }
    if (route == PUT_HERE)
        node->counters.hints_skipped += skipped;
    else
        route_clear(put, item);
    return route;
}
