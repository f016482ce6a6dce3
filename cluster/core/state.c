/*
 * state.c: the tables as they are saved.
 *
 * META_STATE is an encoded JOIN_REPLY message: it holds just what a joiner is told (cluster, members,
 * keyspaces, places, a change), and one encoding is enough.  It is saved at the end of every step that changed
 * the tables.  Accusations are of the moment and are left out.
 *
 * A store that did not stop cleanly may not have been synced, and one that did may be an old copy (restart.c): it
 * may have forgotten that this node agreed to write to new replicas, or to read from them.  Such a node is
 * unsure: it serves no data before a member that is sure, or all that are up, have told it their tables.  Up
 * is also who sends us anything: where only our own messages are lost, all seem to be down.
 *
 * Weak: an old copy that hears nobody at all takes the others for dead in the end, and serves what it has.
 * For a cluster of which one node is left that is the only way on.
 */
#include "core/node_impl.h"

bool state_restore(struct dynkv_node *node, struct dynkv_slice state)
{
    struct dynkv_envelope envelope;
    union dynkv_body body;
    const struct dynkv_join_reply *saved = &body.join_reply;

    if (state.len == 0 || dynkv_message_decode(state, &node->arena, &envelope, &body) ||
        envelope.type != DYNKV_MESSAGE_JOIN_REPLY || !saved->cluster_id)
        return false;
    node->cluster_id = saved->cluster_id;
    node->partitions = saved->partitions;
    for (uint32_t i = 0; i < saved->member_count; i++)
        members_merge(node, &saved->members[i]);
    for (uint32_t i = 0; i < saved->keyspace_count; i++)
        keyspaces_merge(node, &saved->keyspaces[i]);
    stage_merge_tables(node, saved->tables, saved->table_count);
    stage_merge_changes(node, saved->changes, saved->change_count);
    return true;
}

void state_save(struct dynkv_node *node, uint64_t token)
{
    struct dynkv_effect_store *store = dynkv_effects_add_store(node->effects);
    struct dynkv_envelope envelope = {.type = DYNKV_MESSAGE_JOIN_REPLY, .sender = node->id};
    struct dynkv_join_reply body = {
        .cluster_id = node->cluster_id,
        .partitions = node->partitions,
        .members = members_list(node, &node->arena),
        .member_count = node->member_count,
    };

    for (uint32_t i = 0; i < body.member_count; i++)
        body.members[i].accuser_count = 0;
    body.keyspaces = keyspaces_list(node, true, &node->arena, &body.keyspace_count);
    body.tables = stage_table(node, &node->arena, &body.table_count);
    body.changes = stage_change(node, &node->arena, &body.change_count);
    dynkv_buf_reset(&node->scratch);
    dynkv_message_encode(&envelope, &body, &node->scratch);
    store->kind = DYNKV_STORE_META;
    store->token = token;
    store->key = dynkv_slice_text(DYNKV_META_STATE);
    store->record = dynkv_slice_copy(dynkv_buf_slice(&node->scratch), &node->effects->arena);
    node->state_stale = false;
    node->saves_asked++;
}

/* ---- a save that is waited for by its number ---- */

struct numbered_save {
    struct op op;
    uint64_t number;
};

static void numbered_on_stored(struct dynkv_node *node, struct op *op, uint32_t item,
                               enum dynkv_error error)
{
    const struct numbered_save *save = (struct numbered_save *)op;

    (void)item;
    if (!error && save->number > node->saves_durable)
        node->saves_durable = save->number;
    op_end(node, op);
}

static void numbered_on_deadline(struct dynkv_node *node, struct op *op)
{
    node->stage_save = 0; /* it will ask for another */
    op_end(node, op);
}

static const struct op_class numbered_class = {
    .name = "state",
    .is_upkeep = true,
    .on_stored = numbered_on_stored,
    .on_deadline = numbered_on_deadline,
};

void state_save_if_stale(struct dynkv_node *node)
{
    struct source nobody = {.kind = SOURCE_NONE};
    struct numbered_save *save;

    if (!node->state_stale || !node->cluster_id || node->storage_failed)
        return;
    save = op_new(node, &numbered_class, sizeof *save, &nobody, DYNKV_DEADLINE_MAX_MS);
    save->number = node->saves_asked + 1;
    state_save(node, op_token(&save->op, 0));
}

/* ---- a store that may have forgotten ---- */

static bool unsure_has_heard_all(const struct dynkv_node *node)
{
    for (uint32_t i = 0; i < node->unsure_met.count; i++)
        if (node->mono_ms < node->unsure_met_ms + CORE_UNSURE_MET_MS &&
            !id_set_has(&node->unsure_heard, node->unsure_met.ids[i]))
            return false;
    for (uint32_t i = 0; i < node->member_count; i++)
        if (node->members[i] != node->self && place_is_up(node, node->members[i]->info.id) &&
            !id_set_has(&node->unsure_heard, node->members[i]->info.id))
            return false;
    return true;
}

static void state_is_sure(struct dynkv_node *node)
{
    node->counters.unsure = false;
    node_log(node, DYNKV_LOG_INFO, "the cluster has told what this store may have forgotten");
}

void state_met(struct dynkv_node *node, uint64_t from)
{
    if (!node->counters.unsure || from == node->id || id_set_has(&node->unsure_heard, from))
        return;
    if (node->unsure_met.count < DYNKV_MEMBERS_MAX)
        id_set_add(&node->unsure_met, from);
    node->unsure_met_ms = node->mono_ms;
}

void state_heard_tables(struct dynkv_node *node, uint64_t from, bool they_are_unsure)
{
    if (!node->counters.unsure)
        return;
    id_set_add(&node->unsure_heard, from);
    if (!they_are_unsure || unsure_has_heard_all(node))
        state_is_sure(node);
}

void state_unsure_tick(struct dynkv_node *node)
{
    if (!node->counters.unsure || node->mono_ms < node->unsure_ask_ms)
        return;
    node->unsure_ask_ms = node->mono_ms + CORE_UNSURE_ASK_MS;
    if (unsure_has_heard_all(node)) {
        state_is_sure(node);
        return;
    }
    for (uint32_t i = 0; i < CORE_TABLES_PEERS; i++) {
        struct member *peer = node->members[dynkv_random_below(&node->random, node->member_count)];

        if (peer != node->self && member_counts(peer))
            gossip_send_tables(node, peer, true);
    }
}

/* ---- an answer that waits for the save ---- */

struct save_op {
    struct op op;
    struct dynkv_keyspace_info keyspace;
};

static void save_on_stored(struct dynkv_node *node, struct op *op, uint32_t item,
                           enum dynkv_error error)
{
    struct save_op *save = (struct save_op *)op;
    struct dynkv_keyspace_reply reply = {.keyspaces = &save->keyspace, .keyspace_count = 1};

    (void)item;
    if (error)
        node_answer_error(node, &op->source, error, "the keyspace table could not be saved");
    else
        node_answer(node, &op->source, DYNKV_MESSAGE_KEYSPACE_REPLY, &reply);
    op_end(node, op);
}

static void save_on_deadline(struct dynkv_node *node, struct op *op)
{
    node_answer_error(node, &op->source, DYNKV_TIMEOUT,
                      "the keyspace table was not saved in time; it may be yet");
    op_end(node, op);
}

static const struct op_class save_class = {
    .name = "save",
    .on_stored = save_on_stored,
    .on_deadline = save_on_deadline,
};

void state_save_then_answer(struct dynkv_node *node, const struct source *source,
                            const struct dynkv_keyspace_info *keyspace)
{
    struct save_op *save = op_new(node, &save_class, sizeof *save, source, 0);

    save->keyspace = *keyspace;
    save->keyspace.name = dynkv_slice_copy(keyspace->name, &save->op.arena);
    state_save(node, op_token(&save->op, 0));
}

/* ---- the digest by which two nodes find out that their tables differ ---- */

uint64_t state_tables_digest(struct dynkv_node *node)
{
    uint64_t sum = 0;

    if (!node->digest_stale)
        return node->tables_digest;
    for (uint32_t i = 0; i < node->member_count; i++)
        sum += node->members[i]->digest = members_digest(node->members[i]);
    for (uint32_t i = 0; i < node->keyspace_count; i++) {
        const struct keyspace *keyspace = node->keyspaces[i];

        sum += dynkv_hash_pair(keyspace->id, keyspace->def.stamp << 1 | keyspace->def.dropped);
    }
    sum += stage_digest(node);
    node->tables_digest = sum;
    node->digest_stale = false;
    return sum;
}
