/*
 * lease.c: the counters and timestamps this node may hand out.
 *
 * A counter of an actor must never be given out twice, nor a timestamp go back, not even by a node that
 * crashed and came back with its wall clock set back.  So both are handed out below bounds that are
 * durable first; a restart goes on at the bounds, skipping what was left, or begins as a new actor
 * (restart.c).
 *
 * Until the first lease of a start is durable, requests wait (defer.c); so they do when the clock
 * was moved past the lease, by somebody whose clock is ahead or by a jump, until a longer one is durable.
 *
 * The latest fence of reaping (reap.h) is kept in the same record: it, too, has to be durable before it counts.
 *
 * META_LEASE: u64 actor, varint counter bound, u64 clock bound, u64 fence, varint bounds of hints and of their
 * bytes (hints.c).
 */
#include "base/assert.h"
#include "core/node_impl.h"

void lease_restore(struct dynkv_node *node, struct dynkv_slice lease, bool clean)
{
    struct dynkv_cursor cursor = dynkv_cursor(lease);
    uint64_t actor = dynkv_get_u64(&cursor);
    uint64_t counter = dynkv_get_varint(&cursor);
    uint64_t clock = dynkv_get_u64(&cursor);
    uint64_t fence = dynkv_get_u64(&cursor);
    uint64_t hints = dynkv_get_varint(&cursor), hints_bytes = dynkv_get_varint(&cursor);

    node->actor = node->run;
    node->counter_next = 1;
    node->counters.unsure =
        true; /* until it is known that this store has all that it had: state.c, restart.c */
    if (cursor.failed)
        return;
    node->hints_before = hints;
    node->hints_bytes_before = hints_bytes;
    if (!mutant_is(node, DYNKV_MUTANT_FORGET_CLOCK))
        node->clock.last = node->life_began = clock;
    node->fence = node->fence_asked = node->fence_durable = fence;
    node->restart = RESTART_UNCLEAN;
    if (!clean && !mutant_is(node, DYNKV_MUTANT_CRASH_KEEPS_ACTOR))
        return;
    node->restart = RESTART_DOUBT;
    node->actor = actor;
    node->actor_saved = true;
    if (!mutant_is(node, DYNKV_MUTANT_REUSE_COUNTERS))
        node->counter_next = counter;
}

/*
 * A lease begins at the wall clock, or a little past a clock that is ahead of it.  A restart goes on at the
 * bound, so a bound that were taken from the clock each time would move it on by a whole lease with every
 * restart: after a few quick ones all others would refuse this node for its drift.  And where it is half-way to
 * that already, a lease is shorter still: a node that restarts twice a second for minutes got there by "a
 * little" each time (found by the simulator).
 */
static uint64_t lease_clock_bound(const struct dynkv_node *node, uint64_t wall_ms,
                                  uint64_t ahead_ms)
{
    uint64_t by_wall = node->now_ms + wall_ms, clock_ms = dynkv_timestamp_ms(node->clock.last);
    uint64_t by_clock;

    /* Many quick restarts must not add up, either. */
    if (clock_ms > node->now_ms + 2 * CORE_LEASE_CLOCK_MS)
        ahead_ms = (ahead_ms + CORE_LEASE_FAR - 1) / CORE_LEASE_FAR;
    by_clock = clock_ms + (mutant_is(node, DYNKV_MUTANT_LEASE_FROM_CLOCK) ? wall_ms : ahead_ms);
    return (by_wall > by_clock ? by_wall : by_clock) << 16;
}

/* The next timestamp would be beyond what is durable. */
static bool lease_is_passed(const struct dynkv_node *node)
{
    return lease_clock_bound(node, 0, 1) > node->clock_bound &&
           !mutant_is(node, DYNKV_MUTANT_STAMP_PAST_LEASE);
}

static void lease_save(struct dynkv_node *node)
{
    struct dynkv_effect_store *store = dynkv_effects_add_store(node->effects);

    node->fence_asked = node->fence;
    dynkv_buf_reset(&node->scratch);
    dynkv_put_u64(&node->scratch, node->actor);
    dynkv_put_varint(&node->scratch, node->counter_bound_asked);
    dynkv_put_u64(&node->scratch, node->clock_bound_asked);
    dynkv_put_u64(&node->scratch, node->fence_asked);
    hints_reserve(node);
    dynkv_put_varint(&node->scratch, node->hints_bound);
    dynkv_put_varint(&node->scratch, node->hints_bytes_bound);
    node->lease_saves++;
    store->kind = DYNKV_STORE_META;
    store->token = 0; /* 0 is the lease's own: operations start at 1 */
    store->key = dynkv_slice_text(DYNKV_META_LEASE);
    store->record = dynkv_slice_copy(dynkv_buf_slice(&node->scratch), &node->effects->arena);
}

void lease_extend(struct dynkv_node *node)
{
    node->counter_bound_asked = node->counter_next + CORE_LEASE_COUNTERS;
    node->clock_bound_asked = lease_clock_bound(node, CORE_LEASE_CLOCK_MS, CORE_LEASE_AHEAD_MS);
    lease_save(node);
}

/* One is on its way, or has to wait until it is decided whose it will be. */
static bool lease_is_asked(const struct dynkv_node *node)
{
    return node->lease_saves || node->restart == RESTART_DOUBT;
}

void lease_tick(struct dynkv_node *node)
{
    if (node->storage_failed || lease_is_asked(node))
        return;
    if (!node->lease_ready || node->counter_next + CORE_LEASE_COUNTERS / 2 > node->counter_bound ||
        lease_clock_bound(node, CORE_LEASE_CLOCK_MS / 2, CORE_LEASE_AHEAD_MS / 2) >
            node->clock_bound)
        lease_extend(node);
    else if (node->fence != node->fence_durable)
        lease_save(node); /* that alone: a lease that is longer moves the next life's clock */
}

uint64_t lease_life_begins(const struct dynkv_node *node)
{
    return node->clock_bound > node->life_began ? node->clock_bound : node->life_began;
}

void lease_renew(struct dynkv_node *node)
{
    node->actor = node->run;
    node->actor_saved = false;
    node->counter_next = 1;
    node->lease_ready = false;
    if (!node->storage_failed)
        lease_extend(node); /* also if one is on its way, which is the former actor's */
}

struct dynkv_dot lease_next_dot(struct dynkv_node *node)
{
    /* Also when the wall clock has jumped past the lease: the next tick asks for one that covers it. */
    if (!node->lease_ready || node->counter_next >= node->counter_bound || lease_is_passed(node))
        return (struct dynkv_dot){node->actor, 0};
    return (struct dynkv_dot){node->actor, node->counter_next++};
}

bool lease_defer(struct dynkv_node *node, const struct dynkv_event *event)
{
    return !node->lease_ready && !node->storage_failed && defer_request(node, event);
}

bool lease_defer_ahead(struct dynkv_node *node, const struct dynkv_event *event)
{
    if (!lease_is_passed(node) || node->storage_failed)
        return false;
    node->lease_ready = false;
    if (!lease_is_asked(node))
        lease_extend(node);
    return lease_defer(node, event);
}

void lease_on_stored(struct dynkv_node *node, enum dynkv_error error)
{
    DYNKV_ASSERT(node->lease_saves > 0);
    if (--node->lease_saves)
        return; /* the newest counts */
    if (!error && node->restart != RESTART_DOUBT) {
        node->counter_bound = node->counter_bound_asked;
        node->clock_bound = node->clock_bound_asked;
        node->fence_durable = node->fence_asked;
        node->lease_ready = node->actor_saved = true;
    }
    defer_retry(
        node); /* with a lease they can be served, with a failed store they can be refused */
}
