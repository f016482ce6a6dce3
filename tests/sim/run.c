/*
 * run.c: a seed's life:
 *
 *   birth    the nodes form a cluster and open the keyspaces; no faults yet
 *   safety   the clients work, things break; the checkers look at every step
 *   healing  faults end, all nodes come up; every key is read from all its replicas, which repairs them,
 *            until nothing is left to repair; then all must agree, with each other and with the oracle,
 *            and every request must succeed, also after the trial that the seed drew
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "check.h"
#include "model/keyspace.h"
#include "sim.h"

#define PROBE_CLIENT 0xffu
#define BIRTH_US     (20 * SIM_SECOND)
#define HEAL_US \
    (7 * SIM_SECOND) /* longer than deadlines and pauses, and than finding out who is up */
#define REAP_US        (40 * SIM_SECOND)
#define REAP_AHEAD_US  (90 * SIM_SECOND) /* expiries, and how far clocks may be apart */
#define HEAL_ROUNDS    6u
#define HINT_TRIES     60u /* seconds until all hints must have come home */
#define EASE_JOBS      4u  /* that a disk may have to do */
#define EASE_TRIES     60u /* seconds until all must know what they may have missed, and who is up */
#define PROBE_LIMIT_MS 5000u

/* ---- the loop ---- */

static void run_restart(struct sim *sim, struct sim_node *node, const struct sim_event *event)
{
    if (node->life != event->life)
        return; /* it has been started, or has crashed again, meanwhile */
    sim_node_crash(sim, node);
    sim_node_start(sim, node);
}

static void run_reply(struct sim *sim, const struct sim_event *event)
{
    struct dynkv_slice bytes = dynkv_slice(event->data, event->len);

    if ((event->token & 0xff) != PROBE_CLIENT) {
        sim_client_on_reply(sim, event->token, bytes);
    } else if (event->token == sim->probe_token) {
        sim->probe_answered = true;
        sim->probe_answer = dynkv_slice_copy(bytes, &sim->arena);
    }
}

static void run_event(struct sim *sim, struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node % SIM_NODES_MAX];

    switch (event->kind) {
    case SIM_REPLY:
        run_reply(sim, event);
        break;
    case SIM_REFUSED:
        run_reply(sim, event);
        break;
    case SIM_CLIENT_NEXT:
        sim_client_next(sim, &sim->clients[event->node]);
        break;
    case SIM_CLIENT_TIMEOUT:
        sim_client_on_timeout(sim, &sim->clients[event->node], event->token);
        break;
    case SIM_CLIENT_HEDGE:
        sim_client_on_hedge(sim, &sim->clients[event->node], event->token);
        break;
    case SIM_RESTART:
        run_restart(sim, node, event);
        break;
    case SIM_NEXT_FAULT:
        sim_faults_next(sim);
        break;
    case SIM_DISK_WELL:
        node->disk_slowness = 1;
        break;
    default:
        sim_node_on_event(sim, node, event);
    }
}

/* One event; false when the time is up or a violation was found. */
static bool run_step(struct sim *sim, uint64_t until_us)
{
    struct sim_event event;

    if (sim->report.found || sim->now_us >= until_us || !sim_queue_take(&sim->queue, &event))
        return false;
    sim->now_us = event.at_us;
    run_event(sim, &event);
    free(event.data);
    dynkv_arena_reset(&sim->step_arena);
    return true;
}

void sim_run_for(struct sim *sim, uint64_t us)
{
    uint64_t until_us = sim->now_us + us;

    while (run_step(sim, until_us))
        ;
}

/* ---- probes: requests that the run makes itself ---- */

static bool run_probe(struct sim *sim, const struct sim_node *node, uint8_t type, const void *body,
                      union dynkv_body *reply, uint8_t *reply_type)
{
    struct dynkv_envelope envelope = {.type = type, .deadline_ms = PROBE_LIMIT_MS};
    uint64_t until_us = sim->now_us + (PROBE_LIMIT_MS + 1000) * SIM_MS;

    /* Stamped as by a client that has heard from this node. */
    envelope.timestamp = 0;
    sim->probe_token = ++sim->next_serial << 16 | PROBE_CLIENT;
    sim->probe_answered = false;
    dynkv_buf_reset(&sim->scratch);
    dynkv_message_encode(&envelope, body, &sim->scratch);
    sim_network_request(sim, node->index, sim->probe_token, dynkv_buf_slice(&sim->scratch));
    while (!sim->probe_answered && run_step(sim, until_us))
        ;
    if (!sim->probe_answered || sim->probe_answer.len == 0 ||
        dynkv_message_decode(sim->probe_answer, &sim->arena, &envelope, reply))
        return false;
    *reply_type = envelope.type;
    return true;
}

/* ---- birth ---- */

static bool birth_is_done(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct dynkv_status_reply status, first;

        dynkv_node_status(sim->nodes[i].core, &sim->step_arena, &status);
        dynkv_node_status(sim->nodes[0].core, &sim->step_arena, &first);
        if (!status.cluster_id || status.member_count != sim->node_count ||
            status.ring_version != first.ring_version)
            return false;
    }
    return true;
}

static void birth_open_keyspaces(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->swarm.keyspace_count; i++) {
        struct sim_keyspace *keyspace = &sim->keyspaces[i];
        struct dynkv_keyspace_open body = {.flags = DYNKV_KEYSPACE_CREATE};
        union dynkv_body reply;
        uint8_t type;

        keyspace->plan = sim->swarm.keyspaces[i];
        snprintf(keyspace->name, sizeof keyspace->name, "ks%u", i);
        keyspace->id = dynkv_keyspace_id(dynkv_slice_text(keyspace->name), 1);
        body.name = dynkv_slice_text(keyspace->name);
        body.n = keyspace->plan.n;
        body.r = keyspace->plan.r;
        body.w = keyspace->plan.w;
        body.ttl_ms = keyspace->plan.ttl_ms;
        body.has_ttl = 1;
        if (!run_probe(sim, &sim->nodes[0], DYNKV_MESSAGE_KEYSPACE_OPEN, &body, &reply, &type) ||
            type != DYNKV_MESSAGE_KEYSPACE_REPLY)
            sim_violation(sim, "15", "a keyspace could not be opened in a cluster without faults");
    }
    sim_run_for(sim, SIM_SECOND); /* everybody hears of them */
}

/* Keys of one to three per partition key, so that some share a partition and sort within it. */
static void birth_keys(struct sim *sim)
{
    const struct dynkv_ring *ring = sim_ring_note(sim, &sim->nodes[0], false);

    sim->ring_version = dynkv_ring_version(ring);
    sim->rings_of_birth = sim->ring_count;
    for (uint32_t i = 0; i < sim->swarm.keys; i++) {
        struct sim_key *key = &sim->keys[i];
        uint64_t hash;

        key->number = i;
        key->keyspace = i % sim->swarm.keyspace_count;
        key->partition_len =
            (uint32_t)snprintf((char *)key->bytes, sizeof key->bytes, "p%u.", i / 3);
        key->len = key->partition_len + (uint32_t)snprintf((char *)key->bytes + key->partition_len,
                                                           sizeof key->bytes - key->partition_len,
                                                           "k%u", i);
        hash = dynkv_ring_hash(sim->keyspaces[key->keyspace].id,
                               dynkv_slice(key->bytes, key->partition_len));
        key->partition = dynkv_ring_partition(ring, hash);
        key->replica_count = sim_key_replicas(sim, ring, key, key->replicas);
    }
}

static void run_birth(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        sim->nodes[i].index = i;
        sim->nodes[i].disk_slowness = 1;
        sim_node_start(sim, &sim->nodes[i]);
    }
    while (!birth_is_done(sim) && sim->now_us < BIRTH_US && !sim->report.found)
        sim_run_for(sim, 100 * SIM_MS);
    if (!birth_is_done(sim)) {
        sim_violation(sim, "15", "the nodes did not form a cluster, without any fault");
        return;
    }
    if (sim->report.found)
        return;
    birth_open_keyspaces(sim);
    birth_keys(sim);
}

/* ---- safety ---- */

static void run_safety(struct sim *sim)
{
    sim->work_on = true;
    sim->ops_left = sim->options->ops;
    sim->clients_busy = sim->swarm.clients;
    for (uint32_t i = 0; i < sim->swarm.clients; i++) {
        struct sim_client *client = &sim->clients[i];
        uint64_t most = (uint64_t)sim->swarm.client_skew_ms;

        client->index = i;
        client->id = dynkv_random_next(&sim->work_random);
        client->ring_version = sim->ring_version;
        client->skew_ms =
            most ? (int64_t)sim_below(&sim->work_random, 2 * most) - (int64_t)most : 0;
        sim_at(sim, sim_below(&sim->work_random, 1000),
               (struct sim_event){.kind = SIM_CLIENT_NEXT, .node = i});
    }
    sim_faults_start(sim);
    while (sim->clients_busy && run_step(sim, UINT64_MAX))
        ;
}

/* ---- healing ---- */

static struct sim_node *heal_replica(struct sim *sim, const struct sim_key *key, uint32_t *live)
{
    struct sim_node *chosen = NULL;

    *live = 0;
    for (uint32_t i = 0; i < key->replica_count; i++) {
        struct sim_node *node = sim_node_by_id(sim, key->replicas[i]);

        if (node && sim_node_serves(node) && sim_below(&sim->random, ++*live) == 0)
            chosen = node;
    }
    return chosen;
}

static void heal_read(struct sim *sim, struct sim_key *key)
{
    struct dynkv_get_item item = {.key = dynkv_slice(key->bytes, key->len),
                                  .partition_len = key->partition_len};
    struct dynkv_get body = {.keyspace = sim->keyspaces[key->keyspace].id,
                             .flags = DYNKV_GET_COORDINATE,
                             .items = &item,
                             .item_count = 1};
    struct sim_need need = {.key = key, .since_us = sim->now_us};
    struct dynkv_object object = {0};
    struct sim_node *node;
    union dynkv_body reply;
    uint32_t live;
    uint8_t type;

    node = heal_replica(sim, key, &live);
    if (!node)
        return;
    body.r = (uint8_t)live;
    if (!run_probe(sim, node, DYNKV_MESSAGE_GET, &body, &reply, &type) ||
        type != DYNKV_MESSAGE_GET_REPLY || reply.get_reply.results[0].error ||
        dynkv_object_decode(reply.get_reply.results[0].object, &sim->arena, &object)) {
        sim_violation(sim, "15", "%s: a read of all %u replicas at %s failed, with all members up",
                      sim_key_text(key), live, node->name);
        return;
    }
    check_on_seen(sim, &need, &object);
}

static uint64_t heal_repairs(struct sim *sim)
{
    uint64_t repairs = 0;

    for (uint32_t i = 0; i < sim->node_count; i++)
        if (sim_node_serves(&sim->nodes[i]))
            repairs += sim_node_counter(sim, &sim->nodes[i], "read_repairs");
    return repairs;
}

/* Until a round has nothing to repair any more. */
static void heal_by_reading(struct sim *sim)
{
    uint64_t before = 0, after = 1;

    for (uint32_t round = 0; round < HEAL_ROUNDS && before != after && !sim->report.found;
         round++) {
        before = heal_repairs(sim);
        for (uint32_t i = 0; i < sim->swarm.keys; i++)
            heal_read(sim, &sim->keys[i]);
        sim_run_for(sim, SIM_SECOND / 2);
        after = heal_repairs(sim);
    }
    if (before != after)
        sim_violation(sim, "14", "reads still find stale replicas after %u rounds", HEAL_ROUNDS);
}

bool sim_probe_write(struct sim *sim, struct sim_key *key, struct sim_node *node, uint8_t w,
                     uint8_t put_flags)
{
    struct sim_write *write = oracle_write_new(sim, key);
    struct dynkv_put_item item = {.key = dynkv_slice(key->bytes, key->len),
                                  .partition_len = key->partition_len};
    struct dynkv_put body = {.keyspace = sim->keyspaces[key->keyspace].id,
                             .flags = put_flags,
                             .w = w,
                             .items = &item,
                             .item_count = 1,
                             .client = 1,
                             .sequence = write->number};
    union dynkv_body reply;
    uint8_t type;
    bool good;

    write->value = item.value = sim_value(sim, write->number, 0);
    write->w = w;
    write->is_strict = put_flags & DYNKV_PUT_STRICT;
    write->is_asked = true;
    sim->probe_write = write;
    good = run_probe(sim, node, DYNKV_MESSAGE_PUT, &body, &reply, &type) &&
           type == DYNKV_MESSAGE_PUT_REPLY && !reply.put_reply.results[0].error;
    if (good)
        oracle_acknowledge(sim, write, &reply.put_reply.results[0]);
    sim->probe_write = NULL;
    return good;
}

static void heal_write(struct sim *sim, struct sim_key *key)
{
    uint32_t live;
    struct sim_node *node = heal_replica(sim, key, &live);

    if (node && !sim_probe_write(sim, key, node, (uint8_t)live, 0))
        sim_violation(sim, "15", "%s: a write to all %u replicas at %s failed, with all members up",
                      sim_key_text(key), live, node->name);
}

/*
 * Nothing dead is left once all members are up and no clock doubts that it is dead: all are moved on, past
 * what expires and the margin.  A lost member that is not replaced keeps everything from being reaped.
 */
static void heal_reaping(struct sim *sim)
{
    uint64_t until_us = sim->now_us + REAP_US;

    if (sim_operator_misses_somebody(sim) || sim->report.found)
        return;
    for (uint32_t i = 0; i < sim->node_count; i++)
        sim->nodes[i].skew_us += (int64_t)REAP_AHEAD_US;
    while (sim->now_us < until_us && !sim->report.found && check_reap_has_work(sim))
        sim_run_for(sim, 100 * SIM_MS);
    sim_run_for(sim, SIM_SECOND);
    check_final_reaped(sim);
}

/* What a slow disk has left it to do is done, but for what it does now. */
static bool has_a_backlog(const struct sim_node *node)
{
    const struct sim_job *job = node->job_first;

    for (uint32_t i = 0; i < EASE_JOBS && job; i++)
        job = job->next;
    return job != NULL;
}

/* It knows what its store may have forgotten, and that all are up who are. */
static bool is_at_ease(struct sim *sim, const struct sim_node *node)
{
    struct dynkv_status_reply status;

    if (sim_node_counter(sim, node, "unsure") || has_a_backlog(node))
        return false;
    dynkv_node_status(node->core, &sim->step_arena, &status);
    for (uint32_t i = 0; i < status.down_count; i++) {
        const struct sim_node *other = sim_node_by_id(sim, status.down[i].id);

        if (other && sim_node_serves(other))
            return false;
    }
    return true;
}

/*
 * A restarted node may have to find out first who is not there to tell it what it missed; and one that was sick
 * takes its time to believe in others again (Lifeguard).
 */
static void heal_doubts(struct sim *sim)
{
    const struct sim_node *doubts = NULL;

    for (uint32_t tries = 0; tries < EASE_TRIES && !sim->report.found; tries++) {
        doubts = NULL;
        for (uint32_t i = 0; i < sim->node_count && !doubts; i++)
            if (sim_node_serves(&sim->nodes[i]) && !is_at_ease(sim, &sim->nodes[i]))
                doubts = &sim->nodes[i];
        if (!doubts)
            return;
        sim_run_for(sim, SIM_SECOND);
    }
    if (doubts)
        sim_violation(
            sim, "15",
            "%s is unsure, takes a member for down, or has work to do still, though all is healed",
            doubts->name);
}

static void run_healing(struct sim *sim)
{
    sim->work_on = false;
    sim_faults_end(sim);
    sim_run_for(sim, HEAL_US);
    heal_doubts(sim);
    sim_operator_heal(sim);
    sim_settle_keys(sim);
    if (sim->report.found)
        return;
    /* What hints bring later no read can have repaired. */
    for (uint32_t i = 0; i < HINT_TRIES && !check_hints_are_gone(sim); i++)
        sim_run_for(sim, SIM_SECOND);
    heal_by_reading(sim);
    if (sim->report.found)
        return;
    check_final_siblings(sim);
    check_final_identical(sim);
    sim_trial(sim);
    for (uint32_t i = 0; i < sim->swarm.keys; i += 3)
        heal_write(sim, &sim->keys[i]);
    /* A write that waits for a silent replica may linger until its deadline. */
    sim_run_for(sim, (DYNKV_DEADLINE_DEFAULT_MS / 1000 + 1) * SIM_SECOND);
    heal_reaping(sim);
    check_final_siblings(sim);
    check_final_identical(sim);
    check_final_quiet(sim);
}

/* ---- all of it ---- */

void sim_run_seed(struct sim *sim, const struct sim_options *options, uint64_t seed)
{
    *sim = (struct sim){.options = options, .seed = seed};
    sim_swarm_draw(&sim->swarm, options, seed);
    sim->node_count = sim->swarm.nodes;
    sim->random = dynkv_random(seed ^ 0x11u);
    sim->network.random = dynkv_random(seed ^ 0x22u);
    sim->fault_random = dynkv_random(seed ^ 0x33u);
    sim->work_random = dynkv_random(seed ^ 0x44u);
    run_birth(sim);
    if (!sim->report.found)
        run_safety(sim);
    if (!sim->report.found)
        run_healing(sim);
}

void sim_fini(struct sim *sim)
{
    sim_queue_fini(&sim->queue);
    for (uint32_t i = 0; i < SIM_NODES_MAX; i++) {
        struct sim_node *node = &sim->nodes[i];

        if (node->core) {
            sim->swarm.sync_us = 0;
            node->disk_bad = true; /* nothing is stored any more, nothing is checked */
            sim_node_crash(sim, node);
        }
        sim_disk_fini(&node->disk);
        sim_disk_fini(&node->backup);
    }
    for (uint32_t i = 0; i < SIM_CLIENTS_MAX; i++)
        dynkv_arena_fini(&sim->clients[i].arena);
    for (uint32_t i = 0; i < sim->ring_count; i++)
        dynkv_ring_free(sim->rings[i]);
    free(sim->rings);
    oracle_fini(sim);
    dynkv_buf_fini(&sim->scratch);
    dynkv_arena_fini(&sim->arena);
    dynkv_arena_fini(&sim->step_arena);
}
