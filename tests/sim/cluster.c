/*
 * cluster.c: the nodes: how they start and end, step, and have their effects carried out.
 *
 * A node gathers events for a while (gather_us) and then flushes, so that effects come in batches as they
 * do in the daemon.  What a node is after a restart follows cluster/daemon/identity.c: with its store, or an
 * old copy of it, it keeps its id, and is told whether that one stopped cleanly; with an empty store it is
 * somebody else.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "check.h"
#include "sim.h"
#include "wire/frame.h"

/* ---- time ---- */

uint64_t sim_node_wall_ms(const struct sim *sim, const struct sim_node *node)
{
    int64_t since = (int64_t)(sim->now_us - node->drift_since_us);
    int64_t us = (int64_t)sim->now_us + node->skew_us + since / 1000 * node->drift_ppm / 1000;

    return (uint64_t)((int64_t)SIM_WALL_START_MS + us / 1000);
}

void sim_node_set_skew(struct sim *sim, struct sim_node *node, int64_t skew_us)
{
    node->skew_us = skew_us;
    node->drift_since_us = sim->now_us;
}

/* ---- life ---- */

static void node_flush(struct sim *sim, struct sim_node *node);

static uint64_t cluster_new_number(struct sim *sim)
{
    return dynkv_random_next(&sim->random) | 1;
}

static void node_tick_later(struct sim *sim, struct sim_node *node, uint64_t delay_us)
{
    sim_at(sim, delay_us,
           (struct sim_event){.kind = SIM_TICK, .node = node->index, .life = node->life});
}

void sim_node_start(struct sim *sim, struct sim_node *node)
{
    struct dynkv_slice seeds[2] = {dynkv_slice_text(sim->nodes[0].url),
                                   dynkv_slice_text(sim->nodes[1].url)};
    bool founds = node->index == 0 && !node->is_wiped;
    struct dynkv_node_config config = {
        .run = cluster_new_number(sim),
        .clean = node->disk.is_clean,
        .seed = dynkv_random_next(&sim->random),
        .now_ms = sim_node_wall_ms(sim, node),
        .client_url = dynkv_slice_text("sim://client"),
        .storage = dynkv_slice_text("simulated"),
        .partitions = sim->swarm.partitions,
        .cluster_id = founds ? 77 : 0,
        .join_urls = seeds,
        .join_url_count = founds                                              ? 0
                          : node->is_wiped || node->index >= sim->swarm.nodes ? 2
                                                                              : 1,
        .hints_max = sim->swarm.hints_max,
        .hints_bytes_max = sim->swarm.hints_bytes_max,
        .anti_entropy_interval_ms = sim->swarm.sync_every_ms,
        .mutant = sim->options->mutant,
        .reap_interval_ms = sim->swarm.reap_interval_ms,
    };

    DYNKV_ASSERT(!node->core);
    if (!node->id) {
        node->id = cluster_new_number(sim);
        node->had_place = node->is_excluded = node->has_left = false;
        node->changes_seen = 0;
    }
    snprintf(node->name, sizeof node->name, "n%u", node->index);
    snprintf(node->url, sizeof node->url, "sim://%u", node->index);
    config.id = node->id;
    config.name = dynkv_slice_text(node->name);
    config.peer_url = dynkv_slice_text(node->url);
    config.state = dynkv_buf_slice(&node->disk.state);
    config.lease = dynkv_buf_slice(&node->disk.lease);
    node->disk.is_clean = false;
    node->life++;
    node->core = dynkv_node_new(&config);
    node->actor = node->actor_before = dynkv_node_actor(node->core);
    node->job_first = NULL;
    node->job_last = &node->job_first;
    node->disk_bad = false;
    node->flush_due = false;
    node->paused_until_us = 0;
    node->refused_replies = node->refused_hints = 0;
    SIM_TRACE(sim, "%s starts, actor %016llx", node->name, (unsigned long long)node->actor);
    node_tick_later(sim, node, sim_below(&sim->random, DYNKV_TICK_MS * SIM_MS));
}

static void node_end(struct sim_node *node)
{
    dynkv_node_free(node->core);
    node->core = NULL;
    dynkv_effects_fini(&node->effects);
    node->life++;
}

void sim_node_crash(struct sim *sim, struct sim_node *node)
{
    if (!node->core)
        return;
    SIM_TRACE(sim, "%s crashes", node->name);
    sim_disk_lose_jobs(sim, node);
    node_end(node);
}

/* A store that failed is not closed as if nothing had been: main.c of the daemon does the same. */
void sim_node_stop(struct sim *sim, struct sim_node *node)
{
    if (!node->core || node->disk_bad) {
        sim_node_crash(sim, node);
        return;
    }
    SIM_TRACE(sim, "%s stops cleanly", node->name);
    node_flush(sim, node);
    sim_disk_finish_jobs(sim, node);
    node->disk.is_clean = dynkv_node_may_go_on(node->core);
    node_end(node);
}

void sim_node_back_up(struct sim *sim, struct sim_node *node)
{
    sim_disk_copy(&node->backup, &node->disk);
    node->has_backup = true;
    SIM_TRACE(sim, "%s is copied", node->name);
}

void sim_node_restore(struct sim *sim, struct sim_node *node)
{
    SIM_TRACE(sim, "%s gets its old copy back", node->name);
    check_on_disk_lost(sim, node, &node->backup);
    sim_disk_copy(&node->disk, &node->backup);
    node->was_unsure = true;
    node->actor_timestamp = 0;
}

void sim_node_wipe(struct sim *sim, struct sim_node *node)
{
    static const struct sim_disk empty = {0};

    SIM_TRACE(sim, "%s is wiped", node->name);
    check_on_disk_lost(sim, node, &empty);
    node->old_id = node->id;
    node->is_wiped = true;
    if (sim->options->mutant == DYNKV_MUTANT_WIPE_KEEPS_IDENTITY) {
        /* As if somebody had kept the identity and the tables, and lost the rest. */
        struct dynkv_buf state = node->disk.state;

        node->disk.state = (struct dynkv_buf){0};
        sim_disk_fini(&node->disk);
        node->disk = (struct sim_disk){.state = state};
    } else {
        sim_disk_fini(&node->disk);
        node->disk = (struct sim_disk){0};
        node->id = 0; /* start draws a new one */
    }
    node->actor_timestamp = 0;
    node->has_backup = false;
}

bool sim_node_serves(const struct sim_node *node)
{
    return node->core && !node->is_excluded && dynkv_node_is_member(node->core) &&
           dynkv_node_stage(node->core).is_placed && !dynkv_node_stage(node->core).has_left;
}

struct sim_node *sim_node_by_id(struct sim *sim, uint64_t id)
{
    for (uint32_t i = 0; i < sim->node_count; i++)
        if (sim->nodes[i].id == id)
            return &sim->nodes[i];
    return NULL;
}

uint64_t sim_node_counter(struct sim *sim, const struct sim_node *node, const char *name)
{
    struct dynkv_status_reply status;

    dynkv_node_status(node->core, &sim->step_arena, &status);
    for (uint32_t i = 0; i < status.counter_count; i++)
        if (dynkv_slice_equal(status.counters[i].name, dynkv_slice_text(name)))
            return status.counters[i].value;
    abort(); /* a name that this file misspells */
}

/* ---- effects ---- */

static void node_give_to_disk(struct sim *sim, struct sim_node *node)
{
    struct sim_job *job;

    if (!node->effects.load_count && !node->effects.range_count && !node->effects.store_count) {
        dynkv_effects_reset(&node->effects);
        return;
    }
    job = dynkv_calloc(1, sizeof *job);
    job->effects = node->effects;
    node->effects = (struct dynkv_effects){0};
    *node->job_last = job;
    node->job_last = &job->next;
    if (node->job_first == job)
        sim_disk_start_job(sim, node);
}

static void node_flush(struct sim *sim, struct sim_node *node)
{
    const struct dynkv_effects *effects = &node->effects;

    node->flush_due = false;
    for (uint32_t i = 0; i < effects->log_count; i++)
        SIM_TRACE(sim, "%s says: %.*s", node->name, (int)effects->logs[i].text.len,
                  (const char *)effects->logs[i].text.data);
    sim_network_send(sim, node, effects);
    for (uint32_t i = 0; i < effects->reply_count; i++)
        sim_network_reply(sim, node, effects->replies[i].client, effects->replies[i].message);
    node_give_to_disk(sim, node);
}

static bool effects_are_empty(const struct dynkv_effects *effects)
{
    return !effects->send_count && !effects->reply_count && !effects->load_count &&
           !effects->range_count && !effects->store_count && !effects->log_count;
}

static uint64_t event_hash(const struct dynkv_event *event)
{
    switch (event->type) {
    case DYNKV_EVENT_REQUEST:
        return dynkv_hash(event->as.request.bytes, event->as.request.client);
    case DYNKV_EVENT_FRAME:
        return dynkv_hash(event->as.frame.bytes, 1);
    case DYNKV_EVENT_LOADED:
        return dynkv_hash(event->as.loaded.record, event->as.loaded.token);
    case DYNKV_EVENT_SCANNED:
        return dynkv_hash_pair(event->as.scanned.token, event->as.scanned.record_count);
    case DYNKV_EVENT_STORED:
        return dynkv_hash_pair(event->as.stored.token_count, event->as.stored.error);
    default:
        return 0;
    }
}

void sim_node_step(struct sim *sim, struct sim_node *node, struct dynkv_event *event)
{
    uint32_t stores = node->effects.store_count, replies = node->effects.reply_count;
    uint32_t sends = node->effects.send_count, drops = stores;

    event->now_ms = sim_node_wall_ms(sim, node);
    event->mono_ms = 1000 + sim->now_us / SIM_MS;
    if (event->now_ms > sim->latest_wall_ms)
        sim->latest_wall_ms = event->now_ms;
    node->actor_before = node->actor;
    dynkv_node_step(node->core, event, &node->effects);
    node->actor = dynkv_node_actor(node->core);
    if (node->actor != node->actor_before)
        SIM_TRACE(sim, "%s goes on as a new actor", node->name);
    sim->steps++;
    if (event->type != DYNKV_EVENT_TICK) {
        sim_hash(sim, sim->now_us << 8 | node->index << 4 | (uint64_t)event->type);
        sim_hash(sim, event_hash(event));
    }
    for (; stores < node->effects.store_count; stores++)
        if (node->effects.stores[stores].kind == DYNKV_STORE_RECORD ||
            node->effects.stores[stores].kind == DYNKV_STORE_DELETE)
            check_on_changed(sim, node, &node->effects.stores[stores]);
    for (uint32_t i = drops; i < node->effects.store_count; i++)
        if (node->effects.stores[i].kind == DYNKV_STORE_DROP_TREE)
            check_dropped(sim, node, &node->effects.stores[i]);
    for (; replies < node->effects.reply_count; replies++)
        check_on_reply(sim, node, &node->effects.replies[replies]);
    check_on_sent(sim, node, sends);
    if (node->flush_due || effects_are_empty(&node->effects))
        return;
    node->flush_due = true;
    sim_at(sim, sim->swarm.gather_us ? sim_below(&sim->random, sim->swarm.gather_us) : 0,
           (struct sim_event){.kind = SIM_FLUSH, .node = node->index, .life = node->life});
}

/* ---- events ---- */

static void trace_message(struct sim *sim, const struct sim_node *node,
                          const struct sim_event *event)
{
    struct dynkv_frame frame;
    struct dynkv_slice message;
    const struct sim_node *from;

    if (event->kind == SIM_REQUEST)
        sim_trace(sim, "%s <- client %u: %s", node->name, (uint32_t)(event->token & 0xff),
                  dynkv_message_name(event->data[1]));
    if (event->kind != SIM_FRAME || dynkv_frame_open(dynkv_slice(event->data, event->len), &frame))
        return;
    from = sim_node_by_id(sim, frame.sender);
    while (dynkv_frame_next(&frame, &message))
        if (message.data[1] < DYNKV_MESSAGE_PING || message.data[1] > DYNKV_MESSAGE_GOSSIP)
            sim_trace(sim, "%s <- %s: %s", node->name, from ? from->name : "nobody",
                      dynkv_message_name(message.data[1]));
}

static void node_take(struct sim *sim, struct sim_node *node, struct sim_event *from)
{
    struct dynkv_event event = {.type = DYNKV_EVENT_TICK};

    if (sim->options->trace)
        trace_message(sim, node, from);
    switch (from->kind) {
    case SIM_TICK:
        sim_node_step(sim, node, &event);
        check_on_tick(sim, node);
        node_tick_later(sim, node, DYNKV_TICK_MS * SIM_MS);
        break;
    case SIM_FRAME:
        event.type = DYNKV_EVENT_FRAME;
        event.as.frame.bytes = dynkv_slice(from->data, from->len);
        sim_node_step(sim, node, &event);
        break;
    case SIM_REQUEST:
        event.type = DYNKV_EVENT_REQUEST;
        event.as.request.client = from->token;
        event.as.request.bytes = dynkv_slice(from->data, from->len);
        sim_node_step(sim, node, &event);
        break;
    case SIM_FLUSH:
        node_flush(sim, node);
        break;
    case SIM_DISK_READ:
        sim_disk_on_read(sim, node);
        break;
    case SIM_DISK_SYNC:
        sim_disk_on_sync(sim, node);
        break;
    default:
        abort();
    }
}

void sim_node_on_event(struct sim *sim, struct sim_node *node, struct sim_event *event)
{
    bool from_outside = event->kind == SIM_FRAME || event->kind == SIM_REQUEST;

    if (!node->core && event->kind == SIM_REQUEST)
        sim_at(sim, SIM_MS, (struct sim_event){.kind = SIM_REFUSED, .token = event->token});
    if (!node->core || (!from_outside && event->life != node->life))
        return;
    if (node->paused_until_us > sim->now_us) { /* it waits, in its order */
        sim_at(sim, node->paused_until_us - sim->now_us, *event);
        event->data = NULL;
        return;
    }
    node_take(sim, node, event);
}
