/*
 * node.c: the front door of the core: a node's life, and the way of an event to its handler.
 *
 * Nothing here decides anything about data: each message has its handler in the file of its name.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "core/prove.h"
#include "core/reap.h"
#include "core/sync.h"
#include "core/tree.h"
#include "wire/frame.h"

/* ---- life ---- */

static struct member *node_make_self(struct dynkv_node *node,
                                     const struct dynkv_node_config *config)
{
    struct dynkv_member info = {
        .id = config->id,
        .incarnation = 1,
        .name = config->name,
        .zone = config->zone,
        .client_url = config->client_url,
        .peer_url = config->peer_url,
        .weight = config->weight ? config->weight : 100,
        .run = config->run,
    };
    const struct member *before = members_find(node, config->id); /* from the saved state */
    bool merged;

    if (before) {
        info.incarnation = before->info.incarnation + 1;
        info.joined = before->info.joined;
    } else {
        info.joined = dynkv_clock_tick(&node->clock, config->now_ms);
    }
    merged = members_merge(node, &info);
    DYNKV_ASSERT(merged); /* the driver checked its configuration */
    return members_find(node, config->id);
}

struct dynkv_node *dynkv_node_new(const struct dynkv_node_config *config)
{
    struct dynkv_node *node = dynkv_calloc(1, sizeof *node);

    DYNKV_ASSERT(config->id && config->run);
    node->id = config->id;
    node->run = config->run;
    node->mutant = config->mutant;
    node->now_ms = config->now_ms;
    node->random = dynkv_random(config->seed);
    node->partitions = config->partitions ? config->partitions : DYNKV_PARTITIONS_DEFAULT;
    node->default_n = config->default_n ? config->default_n : 3;
    node->default_r = config->default_r ? config->default_r : 2;
    node->default_w = config->default_w ? config->default_w : 2;
    node->storage_len =
        config->storage.len < sizeof node->storage ? config->storage.len : sizeof node->storage;
    if (node->storage_len)
        memcpy(node->storage, config->storage.data, node->storage_len);
    node->hints_max = config->hints_max ? config->hints_max : CORE_HINTS_MAX;
    node->hints_bytes_max =
        config->hints_bytes_max ? config->hints_bytes_max : CORE_HINTS_BYTES_MAX;
    node->plain_swim = config->plain_swim;
    /* From a random place: an answer to a question of the life before must not fit one of this life. */
    node->next_id =
        mutant_is(node, DYNKV_MUTANT_IDS_FROM_ONE)
            ? 1
            : 1 + (dynkv_hash_pair(config->seed, config->now_ms) >> (CORE_INDEX_BITS + 1));
    node->trees = trees_new();
    node->sync = sync_new();
    node->proofs = prove_new();
    node->anti_entropy_interval_ms =
        config->anti_entropy_interval_ms ? config->anti_entropy_interval_ms : CORE_SYNC_INTERVAL_MS;
    node->reap_interval_ms =
        config->reap_interval_ms ? config->reap_interval_ms : CORE_REAP_INTERVAL_MS;
    node->deferred_tail = &node->deferred;
    lease_restore(node, config->lease, config->clean);
    node->reap = reap_new(node->fence);
    if (!state_restore(node, config->state)) {
        node->counters.unsure = false; /* it is new: there is nothing to forget */
        if (config->cluster_id)
            node->cluster_id = config->cluster_id;
    }
    node->behind = node->member_count > 1;
    node->self = node_make_self(node, config);
    node->state_stale = true;
    node->join_url_count = config->join_url_count;
    node->join_urls = dynkv_calloc(config->join_url_count, sizeof *node->join_urls);
    for (uint32_t i = 0; i < config->join_url_count; i++) {
        DYNKV_ASSERT(config->join_urls[i].len <= DYNKV_URL_MAX);
        memcpy(node->join_urls[i], config->join_urls[i].data, config->join_urls[i].len);
    }
    place_rebuild(node);
    return node;
}

void dynkv_node_free(struct dynkv_node *node)
{
    if (!node)
        return;
    while (node->op_first)
        op_end(node, node->op_first);
    dynkv_map_fini(&node->ops);
    dynkv_map_fini(&node->repairs);
    slots_fini(node);
    trees_free(node);
    sync_free(node->sync);
    reap_free(node->reap);
    hints_fini(node);
    remember_fini(node);
    defer_fini(node);
    probe_fini(node);
    rumor_fini(node);
    members_fini(node);
    keyspaces_fini(node);
    dynkv_ring_free(node->ring);
    dynkv_ring_free(node->ring_also);
    stage_fini(node);
    prove_free(node->proofs);
    free(node->join_urls);
    dynkv_arena_fini(&node->arena);
    dynkv_buf_fini(&node->scratch);
    free(node);
}

bool dynkv_node_is_member(const struct dynkv_node *node)
{
    return node->cluster_id != 0;
}

uint64_t dynkv_node_actor(const struct dynkv_node *node)
{
    return node->actor;
}

bool dynkv_node_may_go_on(const struct dynkv_node *node)
{
    return node->actor_saved && node->restart != RESTART_DOUBT;
}

void node_log(struct dynkv_node *node, enum dynkv_log_level level, const char *format, ...)
{
    char text[DYNKV_TEXT_MAX];
    struct dynkv_effect_log *log;
    va_list arguments;

    if (!node->effects)
        return; /* not in a step: a node that is being made has nobody to tell */
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log = dynkv_effects_add_log(node->effects);
    log->level = level;
    log->text = dynkv_slice_copy(dynkv_slice_text(text), &node->effects->arena);
}

/* ---- messages ---- */

/* What both a client and a peer may ask. */
static void dispatch_request(struct dynkv_node *node, const struct source *source,
                             const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    uint32_t deadline_ms = envelope->deadline_ms;

    switch (envelope->type) {
    case DYNKV_MESSAGE_HELLO:
        on_hello(node, source, &body->hello);
        break;
    case DYNKV_MESSAGE_RING:
        on_ring(node, source, &body->ring_request);
        break;
    case DYNKV_MESSAGE_STATUS:
        on_status(node, source);
        break;
    case DYNKV_MESSAGE_KEYSPACE_OPEN:
        on_keyspace_open(node, source, &body->keyspace_open);
        break;
    case DYNKV_MESSAGE_KEYSPACE_DROP:
        on_keyspace_drop(node, source, &body->keyspace_drop);
        break;
    case DYNKV_MESSAGE_KEYSPACE_LIST:
        on_keyspace_list(node, source);
        break;
    case DYNKV_MESSAGE_CLUSTER_CHANGE:
        on_cluster_change(node, source, &body->cluster_change);
        break;
    case DYNKV_MESSAGE_GET:
        on_get(node, source, deadline_ms, &body->get);
        break;
    case DYNKV_MESSAGE_PUT:
        on_put(node, source, deadline_ms, &body->put);
        break;
    case DYNKV_MESSAGE_SCAN:
        on_scan(node, source, deadline_ms, &body->scan);
        break;
    case DYNKV_MESSAGE_REPAIR:
        on_repair(node, source, &body->repair);
        break;
    default:
        node_answer_error(node, source, DYNKV_UNSUPPORTED, "%s is not a request that clients make",
                          dynkv_message_name(envelope->type));
    }
}

/* Facts about the node can be asked at any time; data only of a working member. */
static bool dispatch_needs_member(uint8_t type)
{
    return type != DYNKV_MESSAGE_HELLO && type != DYNKV_MESSAGE_STATUS &&
           type != DYNKV_MESSAGE_RING;
}

/* A request that this node cannot serve before it has been told what its store may have forgotten. */
static bool needs_certainty(const struct dynkv_node *node, uint8_t type)
{
    return node->counters.unsure && (type == DYNKV_MESSAGE_GET || type == DYNKV_MESSAGE_PUT ||
                                     type == DYNKV_MESSAGE_SCAN || type == DYNKV_MESSAGE_VERIFY);
}

/* Why a member serves no data though its store is well; NULL: it does. */
static const char *dispatch_refusal(const struct dynkv_node *node, uint8_t type)
{
    if (node->self->info.left)
        return "has left the cluster: it can be stopped";
    if (node->self->info.excluded && !mutant_is(node, DYNKV_MUTANT_EXCLUDED_COUNT))
        return "was excluded from the cluster: start it anew with an empty data folder";
    if (needs_certainty(node, type))
        return "came back with a store that may have forgotten something, and waits to hear from "
               "the others";
    return NULL;
}

static bool dispatch_refuses(struct dynkv_node *node, const struct source *source, uint8_t type)
{
    const char *why = dispatch_refusal(node, type);

    if (why)
        node_answer_error(node, source,
                          node->self->info.left || node->self->info.excluded ? DYNKV_REFUSED
                                                                             : DYNKV_OVERLOADED,
                          "node %.*s %s", (int)node->self->info.name.len,
                          (const char *)node->self->info.name.data, why);
    return why != NULL;
}

void node_on_request(struct dynkv_node *node, const struct dynkv_event *event)
{
    struct source source = {.kind = SOURCE_CLIENT, .client = event->as.request.client};
    struct dynkv_envelope envelope = {0};
    union dynkv_body body;
    enum dynkv_error error;

    if (lease_defer(node, event))
        return;
    error = dynkv_message_decode(event->as.request.bytes, &node->arena, &envelope, &body);
    source.request_id = envelope.request_id;
    if (error) {
        node->counters.malformed_messages++;
        node_answer_error(node, &source, error,
                          error == DYNKV_UNSUPPORTED
                              ? "message type %u of protocol %u is not known here; this node "
                                "speaks protocol 1"
                              : "not a dynkv message (type %u, protocol %u)",
                          envelope.type, envelope.protocol);
        return;
    }
    if (!dynkv_clock_observe(&node->clock, envelope.timestamp, node->now_ms)) {
        node->counters.clock_drift_refused++;
        node_answer_error(node, &source, DYNKV_CLOCK_DRIFT,
                          "the request is stamped more than %u ms ahead of this node's clock: set "
                          "the clocks",
                          DYNKV_CLOCK_DRIFT_MAX_MS);
        return;
    }
    if (lease_defer_ahead(node, event))
        return;
    if (dispatch_needs_member(envelope.type)) {
        if (!dynkv_node_is_member(node)) {
            node_answer_error(
                node, &source, DYNKV_REFUSED, "node %.*s has not joined a cluster yet",
                (int)node->self->info.name.len, (const char *)node->self->info.name.data);
            return;
        }
        if (needs_certainty(node, envelope.type) && member_counts(node->self) &&
            !node->storage_failed && defer_until_sure(node, event))
            return;
        if (dispatch_refuses(node, &source, envelope.type))
            return;
        if (node->storage_failed) {
            node_answer_error(node, &source, DYNKV_STORAGE,
                              "node %.*s is out of service: its storage failed (see its log)",
                              (int)node->self->info.name.len,
                              (const char *)node->self->info.name.data);
            return;
        }
        if (node->counters.operations_in_flight >= CORE_OPS_MAX) {
            node->counters.overloaded++;
            node_answer_error(node, &source, DYNKV_OVERLOADED,
                              "%u operations are in flight already", CORE_OPS_MAX);
            return;
        }
    }
    dispatch_request(node, &source, &envelope, &body);
}

/* What only a known member of this cluster may say. */
static void dispatch_member(struct dynkv_node *node, struct member *from,
                            const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    struct source source = {
        .kind = SOURCE_PEER,
        .peer = from->info.id,
        .request_id = envelope->request_id,
        .timestamp = envelope->timestamp,
        .ring_version = envelope->ring_version,
    };

    members_heard_from(node, from);
    switch (envelope->type) {
    case DYNKV_MESSAGE_PING:
        on_ping(node, from, &body->ping);
        break;
    case DYNKV_MESSAGE_PING_REPLY:
        on_ping_reply(node, from, &body->ping_reply);
        break;
    case DYNKV_MESSAGE_PING_NACK:
        on_ping_nack(node, from, &body->ping_nack);
        break;
    case DYNKV_MESSAGE_ERROR:
    case DYNKV_MESSAGE_DONE:
    case DYNKV_MESSAGE_GET_REPLY:
    case DYNKV_MESSAGE_PUT_REPLY:
    case DYNKV_MESSAGE_REPLICATE_REPLY:
    case DYNKV_MESSAGE_VERIFY_REPLY:
    case DYNKV_MESSAGE_TREE_ROOTS_REPLY:
    case DYNKV_MESSAGE_TREE_NODES_REPLY:
    case DYNKV_MESSAGE_LEAF_KEYS_REPLY:
    case DYNKV_MESSAGE_REAP_CHECK_REPLY:
    case DYNKV_MESSAGE_REAP_QUIET_REPLY:
    case DYNKV_MESSAGE_REAP_REPLY:
    case DYNKV_MESSAGE_PROVE_REPLY:
    case DYNKV_MESSAGE_PULL_REPLY:
    case DYNKV_MESSAGE_RESTARTED_REPLY:
        op_on_answer(node, envelope, body);
        break;
    default:
        if (node->storage_failed) {
            node_answer_error(node, &source, DYNKV_STORAGE, "the node's storage failed");
            break;
        }
        if (dispatch_refuses(node, &source, envelope->type))
            break;
        if (envelope->type == DYNKV_MESSAGE_REPLICATE)
            on_replicate(node, &source, envelope->deadline_ms, &body->replicate);
        else if (envelope->type == DYNKV_MESSAGE_VERIFY)
            on_verify(node, &source, envelope->deadline_ms, &body->verify);
        else if (envelope->type == DYNKV_MESSAGE_TREE_ROOTS)
            on_tree_roots(node, &source, &body->tree_roots);
        else if (envelope->type == DYNKV_MESSAGE_TREE_NODES)
            on_tree_nodes(node, &source, &body->tree_nodes);
        else if (envelope->type == DYNKV_MESSAGE_LEAF_KEYS)
            on_leaf_keys(node, &source, envelope->deadline_ms, &body->leaf_keys);
        else if (envelope->type == DYNKV_MESSAGE_REAP_CHECK)
            on_reap_check(node, &source, envelope->deadline_ms, &body->reap_check);
        else if (envelope->type == DYNKV_MESSAGE_REAP_QUIET)
            on_reap_quiet(node, &source, envelope->deadline_ms, &body->reap_quiet);
        else if (envelope->type == DYNKV_MESSAGE_REAP)
            on_reap(node, &source, envelope->deadline_ms, &body->reap);
        else if (envelope->type == DYNKV_MESSAGE_PROVE)
            on_prove(node, &source, &body->prove);
        else if (envelope->type == DYNKV_MESSAGE_PULL)
            on_pull(node, &source, envelope->deadline_ms, &body->pull);
        else if (envelope->type == DYNKV_MESSAGE_RESTARTED)
            on_restarted(node, &source, &body->restarted);
        else
            dispatch_request(node, &source, envelope, body);
    }
}

/* Where a sender says that it is now; empty: the message does not tell. */
static struct dynkv_slice sender_url(uint8_t type, const union dynkv_body *body, uint64_t sender)
{
    const struct dynkv_member *list = NULL;
    uint32_t count = 0;

    if (type == DYNKV_MESSAGE_GOSSIP) {
        list = body->gossip.members;
        count = body->gossip.member_count;
    } else if (type == DYNKV_MESSAGE_RESTARTED) {
        list = body->restarted.members;
        count = body->restarted.member_count;
    }
    for (uint32_t i = 0; i < count; i++)
        if (list[i].id == sender)
            return list[i].peer_url;
    return dynkv_slice(NULL, 0);
}

/* It may not have heard that it left, or was excluded; and be at another address than then. */
static void tell_what_became_of_it(struct dynkv_node *node, struct member *member,
                                   struct dynkv_slice url)
{
    struct dynkv_gossip body = {.members = &member->info, .member_count = 1};
    bool has_moved = url.len && !dynkv_slice_equal(url, member->info.peer_url);

    if (!has_moved && node->mono_ms < member->gossip_next_ms)
        return;
    member->gossip_next_ms = node->mono_ms + CORE_GOSSIP_INTERVAL_MS;
    node_send_url(node, has_moved ? url : member->info.peer_url, node->cluster_id,
                  DYNKV_MESSAGE_GOSSIP, &body);
}

static void on_peer_message(struct dynkv_node *node, const struct dynkv_frame *frame,
                            struct dynkv_slice bytes)
{
    struct dynkv_envelope envelope = {0};
    union dynkv_body body;
    struct member *from;

    if (dynkv_message_decode(bytes, &node->arena, &envelope, &body) ||
        envelope.sender != frame->sender) {
        node->counters.malformed_messages++;
        return;
    }
    if (!dynkv_clock_observe(&node->clock, envelope.timestamp, node->now_ms)) {
        node->counters.clock_drift_refused++;
        return; /* the sender's timeouts deal with it; status shows the counter */
    }
    if (envelope.type == DYNKV_MESSAGE_JOIN) {
        on_join(node, &body.join);
        return;
    }
    if (envelope.type == DYNKV_MESSAGE_JOIN_REPLY) {
        on_join_reply(node, &body.join_reply);
        return;
    }
    if (!node->cluster_id || frame->cluster_id != node->cluster_id) {
        node->counters.foreign_frames++;
        return;
    }
    from = members_find(node, envelope.sender);
    if (from && !member_counts(from) && !mutant_is(node, DYNKV_MUTANT_EXCLUDED_COUNT)) {
        node->counters.foreign_frames++;
        tell_what_became_of_it(node, from, sender_url(envelope.type, &body, from->info.id));
        return;
    }
    state_met(node, envelope.sender);
    if (envelope.type == DYNKV_MESSAGE_GOSSIP) {
        on_gossip(node, envelope.sender, &body.gossip);
        return;
    }
    if (!from || from == node->self) {
        node->counters.foreign_frames++;
        return;
    }
    dispatch_member(node, from, &envelope, &body);
}

static void on_frame(struct dynkv_node *node, const struct dynkv_event *event)
{
    struct dynkv_frame frame;
    struct dynkv_slice message;

    if (dynkv_frame_open(event->as.frame.bytes, &frame)) {
        node->counters.malformed_frames++;
        return;
    }
    while (dynkv_frame_next(&frame, &message))
        on_peer_message(node, &frame, message);
    if (frame.messages.failed)
        node->counters.malformed_frames++;
}

/* ---- what the driver did for us ---- */

static void on_loaded(struct dynkv_node *node, const struct dynkv_event *event)
{
    enum dynkv_error error = event->as.loaded.error;
    struct dynkv_slice object = {NULL, 0};
    uint32_t partition_len;
    struct op *op;

    if (error && error != DYNKV_NOT_FOUND)
        storage_has_failed(node, error, "a read");
    if (slot_on_loaded(node, event->as.loaded.token, error, event->as.loaded.record))
        return;
    op = op_find(node, event->as.loaded.token);
    if (!op)
        return;
    if (!error)
        error = record_open(event->as.loaded.record, &partition_len, &object);
    op_hold(op);
    op->class->on_loaded(node, op, op_index(event->as.loaded.token), error, object);
    op_release(node, op);
}

static void on_scanned(struct dynkv_node *node, const struct dynkv_event *event)
{
    struct op *op = op_find(node, event->as.scanned.token);

    if (event->as.scanned.error)
        storage_has_failed(node, event->as.scanned.error, "a scan");
    if (!op)
        return;
    op_hold(op);
    op->class->on_scanned(node, op, op_index(event->as.scanned.token), event);
    op_release(node, op);
}

static void on_stored(struct dynkv_node *node, const struct dynkv_event *event)
{
    enum dynkv_error error = event->as.stored.error;

    if (error)
        storage_has_failed(node, error, "a write");
    for (uint32_t i = 0; i < event->as.stored.token_count; i++) {
        uint64_t token = event->as.stored.tokens[i];
        struct op *op;

        if (token == 0)
            lease_on_stored(node, error);
        else if ((op = op_find(node, token))) {
            op_hold(op);
            op->class->on_stored(node, op, op_index(token), error);
            op_release(node, op);
        } else {
            slot_on_stored(node, token, error);
        }
    }
}

static void on_tick(struct dynkv_node *node)
{
    lease_tick(node);
    defer_tick(node);
    op_tick(node);
    tree_tick(node);
    if (dynkv_node_is_member(node)) {
        probe_tick(node);
        state_unsure_tick(node);
        stage_tick(node);
        sync_tick(node);
        drop_tick(node);
        handoff_tick(node);
        reap_tick(node);
    } else {
        join_tick(node);
    }
}

void dynkv_node_step(struct dynkv_node *node, const struct dynkv_event *event,
                     struct dynkv_effects *effects)
{
    node->effects = effects;
    node->now_ms = event->now_ms;
    if (event->mono_ms > node->mono_ms)
        node->mono_ms = event->mono_ms;
    if (!node->started) {
        node->started = true;
        node->started_ms = node->mono_ms;
        restart_begin(node);
        lease_tick(node);
        if (dynkv_node_is_member(node))
            gossip_announce(node);
    }
    switch (event->type) {
    case DYNKV_EVENT_TICK:
        on_tick(node);
        break;
    case DYNKV_EVENT_REQUEST:
        node_on_request(node, event);
        break;
    case DYNKV_EVENT_FRAME:
        on_frame(node, event);
        break;
    case DYNKV_EVENT_LOADED:
        on_loaded(node, event);
        break;
    case DYNKV_EVENT_SCANNED:
        on_scanned(node, event);
        break;
    case DYNKV_EVENT_STORED:
        on_stored(node, event);
        break;
    }
    state_save_if_stale(node);
    dynkv_arena_reset(&node->arena);
    node->effects = NULL;
}
