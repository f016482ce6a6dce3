/*
 * probe.c: is everybody there?
 *
 * Every protocol period one member is pinged, in an order that is shuffled anew when all have had their
 * turn: so each member is looked at within a bounded time, and by everybody at different moments.
 * Members that are down are pinged like the rest: that is how their return is noticed.  A probe:
 *
 *   direct     pinged; if the answer does not come in time
 *   indirect   pinged once more, and CORE_PING_HELPERS others are asked to ping it.  A helper sends the
 *              answer on, so that a path that is cut in one direction only misleads nobody; if it gets
 *              none in time, it says at least that itself is there (nack)
 *   failed     the member is accused (down.c)
 *
 * Local health counts how badly we do ourselves: it rises with a failed probe, by one for every helper
 * that did not even say nack, with every accusation of ourselves that we have to refute, and when we find
 * that we slept; it falls with every answer.  Period and timeouts are stretched by it, so that a slow node
 * blames others more slowly.  A node whose probe failed without a word from anybody is quarantined until
 * it is answered again: it tells nobody whom it accuses.
 *
 * After Das, Gupta, Motivala, "SWIM", DSN 2002, 3.1 and 4.3, and Dadgar, Phillips, Currey, "Lifeguard",
 * DSN 2018, IV-A.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "core/node_impl.h"

void probe_health(struct dynkv_node *node, int change)
{
    int64_t health = (int64_t)node->counters.local_health + change;

    if (node->plain_swim || health < 0)
        health = 0;
    node->counters.local_health = health > CORE_HEALTH_MAX ? CORE_HEALTH_MAX : (uint64_t)health;
}

static uint64_t probe_stretch(const struct dynkv_node *node, uint32_t ms)
{
    return ms * (node->counters.local_health + 1);
}

/* ---- the order ---- */

void probe_add_member(struct dynkv_node *node, struct member *member)
{
    uint32_t last = node->probe_order_count++, at;

    node->probe_order =
        dynkv_realloc(node->probe_order, node->probe_order_count * sizeof *node->probe_order);
    at = node->probe_place +
         (uint32_t)dynkv_random_below(&node->random, last + 1 - node->probe_place);
    node->probe_order[last] = node->probe_order[at];
    node->probe_order[at] = member;
}

static void probe_shuffle(struct dynkv_node *node)
{
    for (uint32_t i = node->probe_order_count; i > 1; i--) {
        uint32_t j = (uint32_t)dynkv_random_below(&node->random, i);
        struct member *swap = node->probe_order[i - 1];

        node->probe_order[i - 1] = node->probe_order[j];
        node->probe_order[j] = swap;
    }
    node->probe_place = 0;
}

void probe_fini(struct dynkv_node *node)
{
    free(node->probe_order);
}

/* ---- messages out ---- */

static void probe_ping(struct dynkv_node *node, struct member *to, uint64_t target,
                       uint64_t asked_by, uint64_t sequence)
{
    struct rumors rumors = rumor_fill(node, to);
    struct dynkv_ping ping = {
        .tables_digest = state_tables_digest(node),
        .target = target,
        .asked_by = asked_by,
        .sequence = sequence,
    };

    ping.news = rumors.news;
    ping.news_count = rumors.news_count;
    ping.reports = rumors.reports;
    ping.report_count = rumors.report_count;
    node->counters.pings_sent++;
    node_send(node, to, DYNKV_MESSAGE_PING, 0, 0, &ping);
}

static void probe_reply(struct dynkv_node *node, struct member *to, uint64_t target,
                        uint64_t sequence)
{
    struct rumors rumors = rumor_fill(node, to);
    struct dynkv_ping_reply reply = {
        .tables_digest = state_tables_digest(node),
        .target = target,
        .sequence = sequence,
    };

    reply.news = rumors.news;
    reply.news_count = rumors.news_count;
    reply.reports = rumors.reports;
    reply.report_count = rumors.report_count;
    node_send(node, to, DYNKV_MESSAGE_PING_REPLY, 0, 0, &reply);
}

void probe_warn(struct dynkv_node *node, struct member *member)
{
    if (!node->plain_swim)
        probe_ping(node, member, member->info.id, 0, ++node->probe_sequence);
}

/* ---- a probe's life ---- */

static struct probe *probe_find(struct dynkv_node *node, uint64_t target)
{
    for (uint32_t i = 0; i < node->probe_count; i++)
        if (node->probes[i].target == target)
            return &node->probes[i];
    return NULL;
}

static void probe_end(struct dynkv_node *node, const struct probe *probe)
{
    node->probes[probe - node->probes] = node->probes[--node->probe_count];
}

/* Up to CORE_PING_HELPERS others, each set of them as likely as any other. */
static void probe_ask_helpers(struct dynkv_node *node, struct probe *probe)
{
    struct member **others =
        dynkv_arena_calloc(&node->arena, node->member_count, sizeof(struct member *));
    uint32_t count = 0;

    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *other = node->members[i];

        if (other != node->self && other->info.id != probe->target && member_counts(other) &&
            !other->down)
            others[count++] = other;
    }
    for (; probe->helpers < CORE_PING_HELPERS && count > 0; probe->helpers++) {
        uint32_t chosen = (uint32_t)dynkv_random_below(&node->random, count);

        probe_ping(node, others[chosen], probe->target, 0, probe->sequence);
        others[chosen] = others[--count];
    }
}

static void probe_failed(struct dynkv_node *node, const struct probe *probe, struct member *target)
{
    bool silent = node->answers == probe->answers_before;

    if (probe->was_down || target->down) { /* as expected */
        /* Others may lack just this report, which was not told while we were in quarantine. */
        if (target->accused && !silent && !mutant_is(node, DYNKV_MUTANT_KEEP_SUSPICIONS))
            members_accuse(node, target, !node->counters.quarantined);
        return;
    }
    node->counters.probes_failed++;
    probe_health(node, probe->helpers ? probe->helpers - probe->nacks : 1);
    if (silent && !node->plain_swim)
        node->counters.quarantined = 1;
    members_accuse(node, target, !node->counters.quarantined);
}

/* False when the probe is at its end. */
static bool probe_advance(struct dynkv_node *node, struct probe *probe)
{
    struct member *target = members_find(node, probe->target);

    if (!target || !member_counts(target))
        return false;
    if (!probe->indirect && node->mono_ms >= probe->direct_ms) {
        probe->indirect = true;
        if (!probe->was_down) {
            probe_ping(node, target, probe->target, 0, probe->sequence);
            probe_ask_helpers(node, probe);
        }
    }
    if (node->mono_ms < probe->end_ms)
        return true;
    probe_failed(node, probe, target);
    return false;
}

static void probe_answered(struct dynkv_node *node, uint64_t target)
{
    struct probe *probe = probe_find(node, target);

    node->answers++;
    node->counters.quarantined = 0;
    if (!probe)
        return;
    probe_end(node, probe);
    probe_health(node, -1);
}

static void probe_start(struct dynkv_node *node, struct member *target)
{
    struct probe *probe = &node->probes[node->probe_count++];

    *probe = (struct probe){
        .target = target->info.id,
        .sequence = ++node->probe_sequence,
        .direct_ms = node->mono_ms + probe_stretch(node, CORE_PING_TIMEOUT_MS),
        .end_ms = node->mono_ms + probe_stretch(node, CORE_PING_INDIRECT_MS),
        .answers_before = node->answers,
        .was_down = target->down,
    };
    probe_ping(node, target, probe->target, 0, probe->sequence);
}

static void probe_start_next(struct dynkv_node *node)
{
    if (node->probe_count == CORE_PROBES_MAX)
        return;
    for (uint32_t i = 0; i < node->probe_order_count; i++) {
        struct member *member;

        if (node->probe_place == node->probe_order_count)
            probe_shuffle(node);
        member = node->probe_order[node->probe_place++];
        if (member == node->self || !member_counts(member) || probe_find(node, member->info.id))
            continue;
        probe_start(node, member);
        return;
    }
}

/* ---- helping others ---- */

static void relay_start(struct dynkv_node *node, const struct member *asker,
                        const struct dynkv_ping *body)
{
    struct member *target = members_find(node, body->target);
    struct relay *relay;

    if (!target || !member_counts(target))
        return;
    if (node->relay_count == CORE_RELAYS_MAX) {
        node->counters.relays_refused++;
        return;
    }
    relay = &node->relays[node->relay_count++];
    *relay = (struct relay){
        .asker = asker->info.id,
        .asker_sequence = body->sequence,
        .target = body->target,
        .sequence = ++node->probe_sequence,
        .nack_ms = node->mono_ms + CORE_PING_NACK_MS,
        /* A stretched asker waits this long. */
        .end_ms = node->mono_ms + CORE_PING_INDIRECT_MS * (CORE_HEALTH_MAX + 1),
        .nacked = node->plain_swim,
    };
    probe_ping(node, target, relay->target, relay->asker, relay->sequence);
}

/* An answer from a member itself: those for whom it was pinged are told. */
static void relay_answered(struct dynkv_node *node, const struct member *target, uint64_t sequence)
{
    uint32_t i = 0;

    while (i < node->relay_count) {
        struct relay relay = node->relays[i];
        struct member *asker;

        if (relay.target != target->info.id || relay.sequence != sequence) {
            i++;
            continue;
        }
        node->relays[i] = node->relays[--node->relay_count];
        asker = members_find(node, relay.asker);
        if (asker)
            probe_reply(node, asker, relay.target, relay.asker_sequence);
    }
}

static void relay_nack(struct dynkv_node *node, struct relay *relay)
{
    struct dynkv_ping_nack body = {.target = relay->target, .sequence = relay->asker_sequence};
    const struct member *asker = members_find(node, relay->asker);

    relay->nacked = true;
    if (!asker)
        return;
    node->counters.nacks_sent++;
    node_send(node, asker, DYNKV_MESSAGE_PING_NACK, 0, 0, &body);
}

static void relay_tick(struct dynkv_node *node)
{
    uint32_t i = 0;

    while (i < node->relay_count) {
        struct relay *relay = &node->relays[i];

        if (!relay->nacked && node->mono_ms >= relay->nack_ms)
            relay_nack(node, relay);
        if (node->mono_ms >= relay->end_ms)
            *relay = node->relays[--node->relay_count];
        else
            i++;
    }
}

/* ---- messages in ---- */

void on_ping(struct dynkv_node *node, struct member *from, const struct dynkv_ping *body)
{
    gossip_merge(node, body->news, body->news_count, body->reports, body->report_count);
    if (body->target == node->id)
        probe_reply(node, from, node->id, body->sequence);
    else if (body->asked_by == 0)
        relay_start(node, from, body);
    gossip_compare(node, from, body->tables_digest);
}

void on_ping_reply(struct dynkv_node *node, struct member *from,
                   const struct dynkv_ping_reply *body)
{
    gossip_merge(node, body->news, body->news_count, body->reports, body->report_count);
    probe_answered(node, body->target);
    if (body->target == from->info.id)
        relay_answered(node, from, body->sequence);
    gossip_compare(node, from, body->tables_digest);
}

void on_ping_nack(struct dynkv_node *node, struct member *from, const struct dynkv_ping_nack *body)
{
    struct probe *probe = probe_find(node, body->target);

    (void)from;
    node->answers++;
    node->counters.quarantined = 0;
    if (probe && probe->sequence == body->sequence && probe->nacks < probe->helpers)
        probe->nacks++;
}

/* ---- time ---- */

/* What ran out while we slept (stopped, swapped out, suspended) ran out for no fault of others. */
static void probe_notice_sleep(struct dynkv_node *node)
{
    uint64_t passed_ms = node->mono_ms - node->ticked_ms;
    bool slept = node->ticked_ms && passed_ms >= CORE_ASLEEP_MS;

    node->ticked_ms = node->mono_ms;
    if (!slept || node->plain_swim)
        return;
    probe_health(node, 1);
    for (uint32_t i = 0; i < node->probe_count; i++) {
        node->probes[i].direct_ms += passed_ms;
        node->probes[i].end_ms += passed_ms;
    }
    members_down_slept(node, passed_ms);
}

void probe_tick(struct dynkv_node *node)
{
    uint32_t i = 0;

    probe_notice_sleep(node);
    while (i < node->probe_count) {
        if (probe_advance(node, &node->probes[i]))
            i++;
        else
            probe_end(node, &node->probes[i]);
    }
    relay_tick(node);
    members_down_tick(node);
    if (node->mono_ms < node->ping_next_ms)
        return;
    /* Jitter keeps the members of a cluster that was started by a script from marching in step. */
    node->ping_next_ms =
        node->mono_ms + probe_stretch(node, CORE_PING_INTERVAL_MS * 3 / 4 +
                                                (uint32_t)dynkv_random_below(
                                                    &node->random, CORE_PING_INTERVAL_MS / 2));
    probe_start_next(node);
}
