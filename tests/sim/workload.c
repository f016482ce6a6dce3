/*
 * workload.c: the clients, each with one operation in flight, and their writes.
 *
 * A client has a hybrid clock of its own, as libdynkv has, and remembers the version it last read of a key: a
 * write goes with that as its context, without one, or blind (an empty context: it saw nothing).  An
 * operation that fails or times out is repeated under its identity, at the same node or another, or given
 * up.  Half of the writes are stamped by their client, as libdynkv does where the last value wins: these go to
 * another node, if there are several.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "check.h"
#include "sim.h"

#define TOKEN_SERIAL_BITS 16u /* below: sub-request and client */

/* ---- calls ---- */

struct sim_client *sim_client_of_token(struct sim *sim, uint64_t token)
{
    uint32_t index = (uint32_t)(token & 0xff);
    struct sim_client *client = index < sim->swarm.clients ? &sim->clients[index] : NULL;

    return client && client->kind && client->serial == token >> TOKEN_SERIAL_BITS ? client : NULL;
}

uint32_t sim_token_sub(uint64_t token)
{
    return (uint32_t)(token >> 8 & 0xff);
}

static uint64_t client_wall_ms(const struct sim *sim, const struct sim_client *client)
{
    return (uint64_t)((int64_t)(SIM_WALL_START_MS + sim->now_us / SIM_MS) + client->skew_ms);
}

void sim_client_ask(struct sim *sim, struct sim_client *client, uint32_t node, uint32_t sub,
                    uint8_t type, const void *body)
{
    struct dynkv_envelope envelope = {
        .type = type,
        .request_id = client->serial,
        .timestamp = dynkv_clock_tick(&client->clock, client_wall_ms(sim, client)),
        .ring_version = client->ring_version,
        .deadline_ms = sim->swarm.client_deadline_ms,
    };
    /* Nobody waits for the answer of a REPAIR. */
    uint64_t serial = type == DYNKV_MESSAGE_REPAIR ? 0 : client->serial;

    if (client_wall_ms(sim, client) > sim->latest_wall_ms)
        sim->latest_wall_ms = client_wall_ms(sim, client);

    for (uint32_t i = 0; i < SIM_BATCH_MAX && client->kind == SIM_OP_PUT; i++)
        if (client->writes[i] && !client->writes[i]->is_asked) {
            client->writes[i]->is_asked = true;
            client->writes[i]->client_clock = envelope.timestamp;
        }
    dynkv_buf_reset(&sim->scratch);
    dynkv_message_encode(&envelope, body, &sim->scratch);
    sim_network_request(sim, node, serial << TOKEN_SERIAL_BITS | sub << 8 | client->index,
                        dynkv_buf_slice(&sim->scratch));
}

/* ---- an operation's life ---- */

static void client_later(struct sim *sim, struct sim_client *client, enum sim_event_kind kind,
                         uint64_t delay_us)
{
    sim_at(
        sim, delay_us,
        (struct sim_event){.kind = (uint8_t)kind, .node = client->index, .token = client->serial});
}

void sim_client_begin(struct sim *sim, struct sim_client *client, enum sim_op_kind kind)
{
    dynkv_arena_reset(&client->arena);
    memset(client->writes, 0, sizeof client->writes);
    client->kind = kind;
    client->serial = ++sim->next_serial;
    client->tries = 1;
    client->need_count = 0;
    client->heard_excluded = false;
    client_later(sim, client, SIM_CLIENT_TIMEOUT, sim->swarm.client_deadline_ms * SIM_MS);
    if (kind == SIM_OP_DIRECT)
        client_later(sim, client, SIM_CLIENT_HEDGE, 60 * SIM_MS);
}

void sim_client_end(struct sim *sim, struct sim_client *client)
{
    client->kind = SIM_OP_NONE;
    sim->ops_done++;
    client_later(sim, client, SIM_CLIENT_NEXT, sim_around(&sim->work_random, sim->swarm.think_us));
}

uint8_t sim_draw_quorum(struct sim *sim, uint8_t keyspace_default, uint8_t n)
{
    if (!sim_percent(&sim->work_random, sim->swarm.odd_quorum_share))
        return keyspace_default;
    return (uint8_t)(1 + sim_below(&sim->work_random, n));
}

/* What is too far ahead of its clock is not taken over, but remembered: such a client may not stamp. */
static void client_observe(struct sim *sim, struct sim_client *client, uint64_t timestamp)
{
    if (timestamp > client->newest)
        client->newest = timestamp;
    dynkv_clock_observe(&client->clock, timestamp, client_wall_ms(sim, client));
}

void sim_client_saw(struct sim *sim, struct sim_client *client, struct sim_key *key,
                    const struct dynkv_object *object)
{
    for (uint32_t i = 0; i < object->sibling_count; i++)
        client_observe(sim, client, object->siblings[i].timestamp);
    dynkv_buf_reset(&sim->scratch);
    dynkv_version_encode(&object->version, &sim->scratch);
    client->contexts[key->number] = dynkv_slice_copy(dynkv_buf_slice(&sim->scratch), &sim->arena);
}

/* ---- writes ---- */

/* A row, so that filters can be tested: {"n": uint32 number of the write, "p": len bytes}. */
struct dynkv_slice sim_value(struct sim *sim, uint32_t number, uint8_t len)
{
    static const uint8_t head[] = "\x82\xa1n\xce\0\0\0\0\xa1p\xc4"; /* its end: the length */
    uint8_t *value = dynkv_arena_calloc(&sim->arena, 1, sizeof head + len);

    memcpy(value, head, sizeof head);
    for (size_t i = 0; i < 4; i++)
        value[SIM_VALUE_NUMBER + i] = (uint8_t)(number >> 8 * (3 - i) & 0xff);
    value[sizeof head - 1] = len;
    for (size_t i = 0; i < len; i++)
        value[sizeof head + i] = (uint8_t)((number + i) & 0xff);
    return dynkv_slice(value, sizeof head + len);
}

static struct sim_key *workload_key(struct sim *sim, uint8_t keyspace)
{
    for (;;) {
        struct sim_key *key = &sim->keys[sim_below(&sim->work_random, sim->swarm.keys)];

        if (key->keyspace == keyspace)
            return key;
    }
}

static void write_draw_context(struct sim *sim, const struct sim_client *client,
                               struct sim_write *write)
{
    struct dynkv_slice known = client->contexts[write->key->number];
    enum dynkv_error error;

    if (known.len && sim_percent(&sim->work_random, sim->swarm.context_share))
        write->context_bytes = known;
    else if (!sim_percent(&sim->work_random, sim->swarm.blind_share))
        return;
    write->item_flags |= DYNKV_PUT_HAS_CONTEXT;
    error = dynkv_version_parse(write->context_bytes, &sim->arena, &write->context);
    DYNKV_ASSERT(!error); /* it was encoded here */
}

static struct sim_write *write_draw(struct sim *sim, const struct sim_client *client,
                                    struct sim_key *key)
{
    struct sim_write *write = oracle_write_new(sim, key);
    uint8_t len = (uint8_t)sim_below(&sim->work_random, 40);

    write->client = client->id;
    write->sequence = client->sequence;
    write->stamp = client->stamp;
    if (client->stamp)
        write->item_flags |= DYNKV_PUT_STAMPED;
    write_draw_context(sim, client, write);
    if (sim_percent(&sim->work_random, sim->swarm.delete_share)) {
        write->item_flags |= DYNKV_PUT_DELETE;
        return write;
    }
    write->value = sim_value(sim, write->number, len);
    if (sim_percent(&sim->work_random, sim->swarm.ttl_share))
        write->expires_at_ms =
            SIM_WALL_START_MS + sim->now_us / SIM_MS + sim_below(&sim->work_random, 5000);
    else if (write->number % 8 == 0) /* no draw, so that seeds keep their meaning */
        write->expires_at_ms = DYNKV_EXPIRES_NEVER;
    return write;
}

static bool client_has_key(const struct sim_client *client, const struct sim_key *key,
                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (client->writes[i]->key == key)
            return true;
    return false;
}

static uint32_t workload_node_for(struct sim *sim, const struct sim_client *client,
                                  const struct sim_key *key)
{
    uint64_t replicas[DYNKV_REPLICAS_MAX];
    uint32_t count = sim_key_replicas(sim, sim_ring_of(sim, client->ring_version), key, replicas);
    const struct sim_node *node;

    if (sim_percent(&sim->work_random, 25))
        return (uint32_t)sim_below(&sim->work_random, sim->node_count);
    node = sim_node_by_id(sim, replicas[sim_below(&sim->work_random, count)]);
    return node ? node->index : 0;
}

/* The first time, and again under the same identity. */
static void put_send(struct sim *sim, struct sim_client *client)
{
    struct dynkv_put body = {
        .keyspace = sim->keyspaces[client->keyspace].id,
        .w = client->w,
        .flags = client->put_flags,
        .client = client->id,
        .sequence = client->sequence,
        .stamp = client->stamp,
    };

    body.items = dynkv_arena_calloc(&client->arena, SIM_BATCH_MAX, sizeof *body.items);
    for (; body.item_count < SIM_BATCH_MAX && client->writes[body.item_count]; body.item_count++) {
        const struct sim_write *write = client->writes[body.item_count];

        body.items[body.item_count] = (struct dynkv_put_item){
            .key = dynkv_slice(write->key->bytes, write->key->len),
            .partition_len = write->key->partition_len,
            .flags = write->item_flags,
            .context = write->context_bytes,
            .expires_at_ms = write->expires_at_ms,
            .value = write->value,
        };
    }
    sim_client_ask(sim, client, client->node, 0, DYNKV_MESSAGE_PUT, &body);
}

static void put_begin(struct sim *sim, struct sim_client *client)
{
    const struct sim_keyspace_plan *plan = &sim->keyspaces[client->keyspace].plan;
    uint32_t count = sim_percent(&sim->work_random, sim->swarm.batch_share)
                         ? 1 + (uint32_t)sim_below(&sim->work_random, SIM_BATCH_MAX)
                         : 1;
    uint32_t drawn = 0;

    sim_client_begin(sim, client, SIM_OP_PUT);
    client->sequence++;
    client->stamp = dynkv_clock_tick(&client->clock, client_wall_ms(sim, client));
    if (client->sequence % 2 ||
        client->stamp <= client->newest) /* no draw: seeds keep their meaning */
        client->stamp = 0;
    client->w = sim_draw_quorum(sim, plan->w, plan->n);
    client->put_flags =
        sim_percent(&sim->work_random, sim->swarm.strict_share) ? DYNKV_PUT_STRICT : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sim_key *key = workload_key(sim, client->keyspace);

        if (client_has_key(client, key, drawn))
            continue;
        client->writes[drawn] = write_draw(sim, client, key);
        client->writes[drawn]->is_strict = client->put_flags != 0;
        client->writes[drawn++]->w = client->w;
    }
    client->node = workload_node_for(sim, client, client->writes[0]->key);
    put_send(sim, client);
}

/* Again, or given up. */
static void put_failed(struct sim *sim, struct sim_client *client)
{
    if (client->tries >= 4 || !sim_percent(&sim->work_random, sim->swarm.retry_share)) {
        sim_client_end(sim, client);
        return;
    }
    client->tries++;
    if (sim_percent(&sim->work_random, 30) || client->stamp)
        client->node = workload_node_for(sim, client, client->writes[0]->key);
    client_later(sim, client, SIM_CLIENT_TIMEOUT, sim->swarm.client_deadline_ms * SIM_MS);
    put_send(sim, client);
}

static void put_on_reply(struct sim *sim, struct sim_client *client,
                         const struct dynkv_put_reply *reply)
{
    bool good = true;

    for (uint32_t i = 0; i < reply->result_count && i < SIM_BATCH_MAX && client->writes[i]; i++) {
        struct sim_write *write = client->writes[i];

        if (reply->results[i].error == DYNKV_OK) {
            client_observe(sim, client, reply->results[i].timestamp);
            oracle_acknowledge(sim, write, &reply->results[i]);
            if (sim_percent(&sim->work_random, 50)) /* what it read is old now */
                client->contexts[write->key->number] = dynkv_slice(NULL, 0);
            else if (reply->results[i].siblings == 1) /* as libdynkv gives it on */
                client->contexts[write->key->number] =
                    dynkv_slice_copy(reply->results[i].context, &sim->arena);
        } else if (reply->results[i].error == DYNKV_UNAVAILABLE) {
            good = false;
        }
    }
    if (good)
        sim_client_end(sim, client);
    else
        put_failed(sim, client);
}

/* ---- events ---- */

void sim_client_next(struct sim *sim, struct sim_client *client)
{
    uint32_t draw = (uint32_t)sim_below(&sim->work_random, 100);

    if (client->kind)
        return;
    if (!sim->work_on || sim->ops_left == 0) {
        sim->clients_busy--;
        return;
    }
    sim->ops_left--;
    client->keyspace = (uint8_t)sim_below(&sim->work_random, sim->swarm.keyspace_count);
    if (draw < sim->swarm.put_share)
        put_begin(sim, client);
    else if (draw < sim->swarm.put_share + sim->swarm.scan_share)
        sim_scan_begin(sim, client);
    else if (draw < sim->swarm.put_share + sim->swarm.scan_share + sim->swarm.direct_share)
        sim_direct_begin(sim, client);
    else
        sim_get_begin(sim, client);
}

static void client_take(struct sim *sim, struct sim_client *client, uint64_t token,
                        const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    bool is_error = envelope->type == DYNKV_MESSAGE_ERROR;

    if (client->kind == SIM_OP_PUT && envelope->type == DYNKV_MESSAGE_PUT_REPLY)
        put_on_reply(sim, client, &body->put_reply);
    else if (client->kind == SIM_OP_PUT && is_error)
        put_failed(sim, client);
    else if (client->kind == SIM_OP_GET && envelope->type == DYNKV_MESSAGE_GET_REPLY)
        sim_get_on_reply(sim, client, &body->get_reply);
    else if (client->kind == SIM_OP_DIRECT &&
             (is_error || envelope->type == DYNKV_MESSAGE_GET_REPLY))
        sim_direct_on_answer(sim, client, sim_token_sub(token), is_error ? NULL : &body->get_reply);
    else if (client->kind == SIM_OP_SCAN && envelope->type == DYNKV_MESSAGE_SCAN_REPLY)
        sim_scan_on_reply(sim, client, sim_token_sub(token), &body->scan_reply);
    else if (is_error)
        sim_client_end(sim, client);
    else
        sim_violation(sim, "11", "a client was answered with %s, which it did not ask for",
                      dynkv_message_name(envelope->type));
}

void sim_client_on_reply(struct sim *sim, uint64_t token, struct dynkv_slice bytes)
{
    struct sim_client *client = sim_client_of_token(sim, token);
    const struct sim_node *node;
    struct dynkv_envelope envelope;
    union dynkv_body body;

    if (!client)
        return;           /* late, or given up */
    if (bytes.len == 0) { /* nobody listens there */
        if (client->kind == SIM_OP_DIRECT)
            sim_direct_on_answer(sim, client, sim_token_sub(token), NULL);
        else if (client->kind == SIM_OP_PUT)
            put_failed(sim, client);
        else
            sim_client_end(sim, client);
        return;
    }
    if (dynkv_message_decode(bytes, &client->arena, &envelope, &body)) {
        sim_violation(sim, "11", "a client was sent a reply that cannot be decoded");
        return;
    }
    client_observe(sim, client, envelope.timestamp);
    node = sim_node_by_id(sim, envelope.sender);
    client->heard_excluded |= node && node->is_excluded;
    /* It fetches a ring that it has not seen; but that takes a while. */
    if (envelope.ring_version != client->ring_version && sim_ring_of(sim, envelope.ring_version) &&
        (envelope.type == DYNKV_MESSAGE_ERROR || sim_percent(&sim->work_random, 20)))
        client->ring_version = envelope.ring_version;
    client_take(sim, client, token, &envelope, &body);
}

void sim_client_on_timeout(struct sim *sim, struct sim_client *client, uint64_t serial)
{
    if (!client->kind || client->serial != serial)
        return;
    if (client->kind == SIM_OP_PUT)
        put_failed(sim, client);
    else
        sim_client_end(sim, client);
}

void sim_client_on_hedge(struct sim *sim, struct sim_client *client, uint64_t serial)
{
    if (client->kind == SIM_OP_DIRECT && client->serial == serial)
        sim_direct_on_hedge(sim, client);
}
