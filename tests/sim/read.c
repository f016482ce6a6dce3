/*
 * read.c: gets: coordinated by a node, or driven by the client, which asks the replicas itself by the same
 * model/read_quorum.h that libdynkv uses.
 */
#include "check.h"
#include "sim.h"

static struct sim_need *read_need(struct sim *sim, struct sim_client *client, struct sim_key *key)
{
    struct sim_need *need = &client->needs[client->need_count++];

    *need = (struct sim_need){key, oracle_need(sim, key, client->r), key->loss_epoch, sim->now_us};
    return need;
}

static struct sim_key *read_key(struct sim *sim, const struct sim_client *client)
{
    for (;;) {
        struct sim_key *key = &sim->keys[sim_below(&sim->work_random, sim->swarm.keys)];

        if (key->keyspace == client->keyspace)
            return key;
    }
}

static void read_done(struct sim *sim, struct sim_client *client, const struct sim_need *need,
                      const struct dynkv_object *object)
{
    check_on_seen(sim, need, object);
    check_quorum(sim, client, need, object);
    sim_client_saw(sim, client, need->key, object);
}

/* ---- coordinated ---- */

void sim_get_begin(struct sim *sim, struct sim_client *client)
{
    const struct sim_keyspace_plan *plan = &sim->keyspaces[client->keyspace].plan;
    struct dynkv_get body = {.keyspace = sim->keyspaces[client->keyspace].id,
                             .flags = DYNKV_GET_COORDINATE};
    uint32_t count = 1;

    sim_client_begin(sim, client, SIM_OP_GET);
    client->r = body.r = sim_draw_quorum(sim, plan->r, plan->n);
    if (sim_percent(&sim->work_random, sim->swarm.batch_share))
        count += (uint32_t)sim_below(&sim->work_random, SIM_BATCH_MAX);
    body.items = dynkv_arena_calloc(&client->arena, count, sizeof *body.items);
    for (; body.item_count < count; body.item_count++) {
        const struct sim_key *key = read_need(sim, client, read_key(sim, client))->key;

        body.items[body.item_count] = (struct dynkv_get_item){
            .key = dynkv_slice(key->bytes, key->len), .partition_len = key->partition_len};
    }
    sim_client_ask(sim, client, (uint32_t)sim_below(&sim->work_random, sim->node_count), 0,
                   DYNKV_MESSAGE_GET, &body);
}

void sim_get_on_reply(struct sim *sim, struct sim_client *client,
                      const struct dynkv_get_reply *reply)
{
    for (uint32_t i = 0; i < reply->result_count && i < client->need_count; i++) {
        struct dynkv_object object = {0};

        if (reply->results[i].error)
            continue;
        if (reply->results[i].object.len &&
            dynkv_object_decode(reply->results[i].object, &client->arena, &object))
            sim_violation(sim, "1", "a get was answered with an object that cannot be decoded");
        read_done(sim, client, &client->needs[i], &object);
    }
    sim_client_end(sim, client);
}

/* ---- driven by the client ---- */

/* Asks what the quorum wants asked; ends the operation when it is decided. */
static void direct_advance(struct sim *sim, struct sim_client *client)
{
    const struct sim_key *key = client->needs[0].key;
    struct dynkv_get_item item = {.key = dynkv_slice(key->bytes, key->len),
                                  .partition_len = key->partition_len};
    struct dynkv_get body = {
        .keyspace = sim->keyspaces[key->keyspace].id, .items = &item, .item_count = 1};
    enum dynkv_want want;
    uint32_t replica;
    bool is_stale = false;

    while (dynkv_read_quorum_next(&client->read, &replica, &want)) {
        item.want = (uint8_t)want;
        sim_client_ask(sim, client, client->read_nodes[replica], replica | (uint32_t)want << 4,
                       DYNKV_MESSAGE_GET, &body);
    }
    if (dynkv_read_quorum_state(&client->read) == DYNKV_READ_ASKING)
        return;
    if (dynkv_read_quorum_state(&client->read) == DYNKV_READ_DONE) {
        struct dynkv_repair_item repair_item = {item.key, item.partition_len};
        struct dynkv_repair repair = {body.keyspace, &repair_item, 1};

        read_done(sim, client, &client->needs[0], &client->read.merged);
        for (uint32_t i = 0; i < client->read.n; i++)
            is_stale = is_stale || dynkv_read_quorum_is_stale(&client->read, i);
        if (is_stale)
            sim_client_ask(sim, client, client->read_nodes[0], 0, DYNKV_MESSAGE_REPAIR, &repair);
    }
    sim_client_end(sim, client);
}

void sim_direct_begin(struct sim *sim, struct sim_client *client)
{
    const struct sim_keyspace_plan *plan = &sim->keyspaces[client->keyspace].plan;
    uint64_t replicas[DYNKV_REPLICAS_MAX];
    struct sim_key *key;
    uint32_t count = 0, listed;

    sim_client_begin(sim, client, SIM_OP_DIRECT);
    client->r = sim_draw_quorum(sim, plan->r, plan->n);
    key = read_need(sim, client, read_key(sim, client))->key;
    listed = sim_key_replicas(sim, sim_ring_of(sim, client->ring_version), key, replicas);
    for (uint32_t i = 0; i < listed; i++) {
        const struct sim_node *node = sim_node_by_id(sim, replicas[i]);

        if (node)
            client->read_nodes[count++] = node->index;
    }
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = (uint32_t)sim_below(&sim->work_random, i);
        uint32_t node = client->read_nodes[other];

        client->read_nodes[other] = client->read_nodes[i - 1];
        client->read_nodes[i - 1] = node;
    }
    dynkv_read_quorum_init(&client->read, count, client->r);
    direct_advance(sim, client);
}

void sim_direct_on_answer(struct sim *sim, struct sim_client *client, uint32_t sub,
                          const struct dynkv_get_reply *reply)
{
    const struct dynkv_get_result *result =
        reply && reply->result_count == 1 && !reply->results[0].error ? &reply->results[0] : NULL;
    uint32_t replica = sub & 15;
    struct dynkv_object object = {0};

    if (!result) {
        dynkv_read_quorum_on_failure(&client->read, replica);
    } else if (sub >> 4 == DYNKV_WANT_DIGEST) {
        dynkv_read_quorum_on_digest(&client->read, replica, result->digest);
    } else {
        struct dynkv_slice bytes = dynkv_slice_copy(result->object, &client->arena);

        if (bytes.len && dynkv_object_decode(bytes, &client->arena, &object))
            sim_violation(sim, "1", "a replica answered with an object that cannot be decoded");
        dynkv_read_quorum_on_object(&client->read, replica, &object, &client->arena);
    }
    direct_advance(sim, client);
}

void sim_direct_on_hedge(struct sim *sim, struct sim_client *client)
{
    dynkv_read_quorum_hedge(&client->read);
    direct_advance(sim, client);
}
