/*
 * sync.c: anti-entropy: when, with whom, roots, and the descent to the leaves that differ.
 *
 * A write on its way makes two roots differ for a moment, so one mismatch means nothing: a partition is
 * suspected when it differs, and descended into when it was a suspect already.
 */
#include "core/sync.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/prove.h"
#include "core/tree.h"

struct sync *sync_new(void)
{
    return dynkv_calloc(1, sizeof(struct sync));
}

void sync_free(struct sync *sync)
{
    for (uint32_t i = 0; i < sync->peer_count; i++)
        free(sync->peers[i].suspects);
    free(sync->peers);
    dynkv_buf_fini(&sync->page_lower);
    free(sync);
}

static struct sync_peer *sync_peer(struct sync *sync, uint64_t id)
{
    struct sync_peer *peer;

    for (uint32_t i = 0; i < sync->peer_count; i++)
        if (sync->peers[i].id == id)
            return &sync->peers[i];
    sync->peers = dynkv_realloc(sync->peers, (sync->peer_count + 1) * sizeof *sync->peers);
    peer = &sync->peers[sync->peer_count++];
    *peer = (struct sync_peer){.id = id};
    return peer;
}

bool sync_is_kept_by_both(const struct dynkv_node *node, const struct keyspace *keyspace,
                          uint32_t partition, uint64_t peer)
{
    return partition < node->partitions &&
           place_keeps(node, partition, node->id, keyspace->def.n) &&
           place_keeps(node, partition, peer, keyspace->def.n) &&
           !prove_is_open(node, keyspace->id, partition);
}

/* ---- the exchange as a whole ---- */

static const struct op_class sync_class;

void sync_ask(struct dynkv_node *node, struct sync_op *s, uint8_t type, const void *body)
{
    const struct member *peer = members_find(node, s->peer);
    uint32_t sub;

    /* Every step has a sub-request of its own number, so that late answers to earlier ones are told
     * apart; there are some thousands in the longest exchange. */
    sub = op_ask(node, &s->op, s->peer, NULL);
    s->op.deadline_ms = node->mono_ms + CORE_SYNC_PATIENCE_MS;
    node_send(node, peer, type, op_token(&s->op, sub), CORE_SYNC_PATIENCE_MS, body);
}

static void sync_plan(struct dynkv_node *node, uint64_t delay_ms)
{
    node->sync->next_ms = node->mono_ms + delay_ms;
}

static uint64_t sync_interval(struct dynkv_node *node)
{
    return node->anti_entropy_interval_ms + dynkv_random_below(&node->random, CORE_SYNC_JITTER_MS);
}

void sync_end(struct dynkv_node *node, struct sync_op *s)
{
    struct sync *sync = node->sync;
    const struct member *peer = members_find(node, s->peer);

    if (sync->descending && peer)
        node_send(node, peer, DYNKV_MESSAGE_TREE_NODES, 0, 0, &(struct dynkv_tree_nodes){0});
    if (s->mode != SYNC_REGULAR) {
        sync->prove_next_ms =
            node->mono_ms +
            (s->progress
                 ? CORE_PROVE_AGAIN_MS
                 : CORE_PROVE_PAUSE_MS + dynkv_random_below(&node->random, CORE_PROVE_PAUSE_MS));
        sync->leading = 0;
        sync->descending = false;
        op_end(node, &s->op);
        return;
    }
    /* Twice in a row only if it is of use, or one busy peer would keep all others waiting. */
    if (s->unfinished && (s->objects_moved || !s->is_again))
        sync->again = s->peer;
    sync_plan(node, s->unfinished && s->objects_moved ? CORE_SYNC_AGAIN_MS : sync_interval(node));
    sync->leading = 0;
    sync->descending = false;
    op_end(node, &s->op);
}

static void sync_fini(struct op *op)
{
    struct sync_op *s = (struct sync_op *)op;

    free(s->found);
    dynkv_buf_fini(&s->lower);
    dynkv_arena_fini(&s->page);
}

/* ---- descending ---- */

static void nodes_ask(struct dynkv_node *node, struct sync_op *s)
{
    struct dynkv_tree_nodes body = {
        .level = s->level, .part_count = s->tree_count, .quiet = s->mode == SYNC_STRAY};

    body.parts = dynkv_arena_calloc(&node->arena, s->tree_count, sizeof *body.parts);
    for (uint32_t i = 0; i < s->tree_count; i++) {
        const struct sync_tree *tree = &s->trees[i];
        struct dynkv_tree_part *part = &body.parts[i];

        part->keyspace = tree->at.keyspace;
        part->partition = tree->at.partition;
        part->nodes = dynkv_arena_calloc(&node->arena, tree->node_count, sizeof *part->nodes);
        part->node_count = tree->node_count;
        for (uint32_t j = 0; j < tree->node_count; j++)
            part->nodes[j].index = tree->nodes[j];
    }
    s->stage = SYNC_NODES;
    sync_ask(node, s, DYNKV_MESSAGE_TREE_NODES, &body);
}

/* One level down in every tree; false: the reply does not fit the question. */
static bool nodes_descend(struct dynkv_node *node, struct sync_op *s,
                          const struct dynkv_tree_nodes_reply *reply)
{
    uint32_t fanout = dynkv_merkle_fanout(s->level), at = 0, kept = 0;
    uint64_t *sums = dynkv_arena_calloc(&node->arena, reply->sum_count, sizeof *sums);

    for (uint32_t i = 0; i < reply->sum_count; i++)
        sums[i] = reply->sums[i].sum;
    for (uint32_t i = 0; i < s->tree_count; i++) {
        struct sync_tree tree = s->trees[i];
        uint32_t count = tree.node_count * fanout;
        uint32_t *children = dynkv_arena_calloc(&s->op.arena, count, sizeof *children);

        if (count > reply->sum_count - at)
            return false;
        node->counters.sync_hashes_compared += count;
        tree.node_count =
            dynkv_merkle_differing(tree_find(node, tree.at.keyspace, tree.at.partition), s->level,
                                   tree.nodes, tree.node_count, &sums[at], children);
        tree.nodes = children;
        at += count;
        if (tree.node_count)
            s->trees[kept++] = tree;
    }
    s->tree_count = kept;
    s->level++;
    return at == reply->sum_count;
}

void sync_descend(struct dynkv_node *node, struct sync_op *s)
{
    struct sync *sync = node->sync;

    if (sync->serving && sync->serving_until_ms > node->mono_ms) {
        sync_end(node, s);
        return;
    }
    for (uint32_t i = 0; i < s->tree_count; i++) {
        s->trees[i].nodes = dynkv_arena_calloc(&s->op.arena, 1, sizeof *s->trees[i].nodes);
        s->trees[i].node_count = 1;
    }
    s->level = 0;
    sync->descending = true;
    nodes_ask(node, s);
}

static void sync_on_nodes(struct dynkv_node *node, struct sync_op *s,
                          const struct dynkv_tree_nodes_reply *reply)
{
    if (reply->error || !nodes_descend(node, s, reply)) {
        s->unfinished = reply->error == DYNKV_OVERLOADED; /* it serves another: ask again */
        sync_end(node, s);
    } else if (s->tree_count == 0) {
        sync_end(node, s);
    } else if (s->level == DYNKV_MERKLE_LEAF_LEVEL) {
        sync_leaves_begin(node, s);
    } else {
        nodes_ask(node, s);
    }
}

/* ---- roots ---- */

static int place_compare(const void *left, const void *right)
{
    const struct sync_place *a = left, *b = right;

    if (a->keyspace != b->keyspace)
        return a->keyspace < b->keyspace ? -1 : 1;
    return a->partition < b->partition ? -1 : a->partition > b->partition;
}

/* Both lists are sorted.  Writes what stands in both to out, which may be one of them. */
static uint32_t places_in_both(const struct sync_place *a, uint32_t a_count,
                               const struct sync_place *b, uint32_t b_count, struct sync_place *out)
{
    uint32_t i = 0, j = 0, count = 0;

    while (i < a_count && j < b_count) {
        int order = place_compare(&a[i], &b[j]);

        if (order == 0)
            out[count++] = a[i];
        i += order <= 0;
        j += order >= 0;
    }
    return count;
}

/* All roots are compared: descends into those that are suspects for the second time. */
static void roots_done(struct dynkv_node *node, struct sync_op *s)
{
    struct sync *sync = node->sync;
    struct sync_peer *peer = sync_peer(sync, s->peer);
    struct sync_place *confirmed =
        dynkv_arena_calloc(&node->arena, s->found_count, sizeof *confirmed);
    uint32_t count, first;

    if (s->found_count)
        qsort(s->found, s->found_count, sizeof *s->found, place_compare);
    count =
        places_in_both(s->found, s->found_count, peer->suspects, peer->suspect_count, confirmed);
    free(peer->suspects);
    peer->suspects = s->found;
    peer->suspect_count = s->found_count;
    s->found = NULL;
    if (count == 0 || (sync->serving && sync->serving_until_ms > node->mono_ms)) {
        s->unfinished = peer->suspect_count > 0; /* a second look, before it is this peer's turn */
        sync_end(node, s);
        return;
    }
    s->tree_count = count < DYNKV_TREE_PARTS_MAX ? count : DYNKV_TREE_PARTS_MAX;
    s->unfinished = s->tree_count < count;
    s->trees = dynkv_arena_calloc(&s->op.arena, s->tree_count, sizeof *s->trees);
    /* From anywhere on, so that trees that cannot be brought together don't keep others waiting. */
    first = (uint32_t)dynkv_random_below(&node->random, count);
    for (uint32_t i = 0; i < s->tree_count; i++) {
        s->trees[i].at = confirmed[(first + i) % count];
    }
    sync_descend(node, s);
}

/* The roots of one keyspace that both keep; false: there are none. */
static bool roots_of(struct dynkv_node *node, uint64_t peer, const struct keyspace *keyspace,
                     struct dynkv_tree_keyspace *out)
{
    const struct dynkv_merkle *trees = tree_all(node, keyspace->id);
    uint32_t count = 0;

    if (keyspace->def.dropped || !trees || !tree_is_ready(node, keyspace->id))
        return false;
    for (uint32_t p = 0; p < node->partitions; p++)
        count += trees[p].root != 0;
    *out = (struct dynkv_tree_keyspace){.keyspace = keyspace->id};
    out->roots = dynkv_arena_calloc(&node->arena, count, sizeof *out->roots);
    for (uint32_t p = 0; p < node->partitions; p++)
        if (trees[p].root && sync_is_kept_by_both(node, keyspace, p, peer))
            out->roots[out->root_count++] = (struct dynkv_tree_root){p, trees[p].root};
    return out->root_count > 0;
}

/* The next message of roots; false: there are no more. */
static bool roots_ask(struct dynkv_node *node, struct sync_op *s)
{
    struct dynkv_tree_roots body = {0};
    uint32_t roots = 0;

    body.keyspaces = dynkv_arena_calloc(&node->arena, node->keyspace_count - s->keyspace,
                                        sizeof *body.keyspaces);
    while (s->keyspace < node->keyspace_count && roots < CORE_SYNC_ROOTS_MAX) {
        struct dynkv_tree_keyspace *next = &body.keyspaces[body.keyspace_count];

        if (roots_of(node, s->peer, node->keyspaces[s->keyspace++], next)) {
            roots += next->root_count;
            body.keyspace_count++;
        }
    }
    if (body.keyspace_count == 0)
        return false;
    s->stage = SYNC_ROOTS;
    sync_ask(node, s, DYNKV_MESSAGE_TREE_ROOTS, &body);
    return true;
}

static void sync_on_roots(struct dynkv_node *node, struct sync_op *s,
                          const struct dynkv_tree_roots_reply *reply)
{
    uint32_t room = CORE_SYNC_ROOTS_MAX - s->found_count;
    uint32_t count = reply->place_count < room ? reply->place_count : room; /* rest: later rounds */

    if (count)
        s->found = dynkv_realloc(s->found, (s->found_count + count) * sizeof *s->found);
    for (uint32_t i = 0; i < count; i++) {
        const struct dynkv_tree_place *place = &reply->places[i];
        const struct keyspace *keyspace = keyspaces_find(node, place->keyspace);

        if (keyspace && sync_is_kept_by_both(node, keyspace, place->partition, s->peer))
            s->found[s->found_count++] = (struct sync_place){place->keyspace, place->partition};
    }
    if (!roots_ask(node, s))
        roots_done(node, s);
}

/* ---- answers, in the order of the stages ---- */

static void sync_on_answer(struct dynkv_node *node, struct op *op, uint32_t sub,
                           const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    static const uint8_t expected[] = {
        [SYNC_ROOTS] = DYNKV_MESSAGE_TREE_ROOTS_REPLY,
        [SYNC_NODES] = DYNKV_MESSAGE_TREE_NODES_REPLY,
        [SYNC_THEIRS] = DYNKV_MESSAGE_LEAF_KEYS_REPLY,
        [SYNC_MINE] = 0,
        [SYNC_PULL] = DYNKV_MESSAGE_GET_REPLY,
        [SYNC_PUSH] = DYNKV_MESSAGE_REPLICATE_REPLY,
        [SYNC_PROVE] = DYNKV_MESSAGE_PROVE_REPLY,
        [SYNC_PAGE] = DYNKV_MESSAGE_PULL_REPLY,
    };
    struct sync_op *s = (struct sync_op *)op;

    (void)sub; /* one is open at a time */
    if (!body || envelope->type != expected[s->stage]) {
        sync_end(node, s);
        return;
    }
    switch (s->stage) {
    case SYNC_ROOTS:
        sync_on_roots(node, s, &body->tree_roots_reply);
        break;
    case SYNC_NODES:
        sync_on_nodes(node, s, &body->tree_nodes_reply);
        break;
    case SYNC_THEIRS:
        sync_on_theirs(node, s, &body->leaf_keys_reply);
        break;
    case SYNC_PULL:
        sync_on_pulled(node, s, &body->get_reply);
        break;
    case SYNC_PUSH:
        sync_on_pushed(node, s, &body->replicate_reply);
        break;
    case SYNC_PROVE:
        sync_on_proved(node, s, &body->prove_reply);
        break;
    case SYNC_PAGE:
        sync_on_page(node, s, &body->pull_reply);
        break;
    case SYNC_MINE:
        break;
    }
}

static void sync_on_deadline(struct dynkv_node *node, struct op *op)
{
    sync_end(node, (struct sync_op *)op);
}

static const struct op_class sync_class = {
    .name = "sync",
    .is_upkeep = true,
    .on_loaded = sync_on_loaded,
    .on_scanned = sync_on_mine,
    .mutate = sync_mutate,
    .on_applied = sync_on_applied,
    .on_stored = sync_on_stored,
    .on_answer = sync_on_answer,
    .on_deadline = sync_on_deadline,
    .fini = sync_fini,
};

/* ---- when, and with whom ---- */

struct sync_op *sync_open(struct dynkv_node *node, uint64_t peer, enum sync_mode mode)
{
    struct source nobody = {.kind = SOURCE_NONE};
    struct sync_op *s = op_new(node, &sync_class, sizeof *s, &nobody, CORE_SYNC_PATIENCE_MS);

    s->peer = peer;
    s->mode = mode;
    node->sync->leading = peer;
    return s;
}

/* False: nothing to compare with this member. */
static bool sync_start(struct dynkv_node *node, const struct member *peer, bool is_again)
{
    struct sync_op *s;

    if (peer == node->self || !place_is_up(node, peer->info.id))
        return false;
    s = sync_open(node, peer->info.id, SYNC_REGULAR);
    s->is_again = is_again;
    if (!roots_ask(node, s)) {
        node->sync->leading = 0;
        op_end(node, &s->op);
        return false;
    }
    node->counters.sync_rounds++;
    return true;
}

void sync_tick(struct dynkv_node *node)
{
    struct sync *sync = node->sync;
    const struct member *again;

    if (sync->leading || node->storage_failed)
        return;
    if (sync->next_ms == 0)
        sync_plan(node, sync_interval(node));
    if (sync->next_ms > node->mono_ms) {
        sync_prove_tick(node);
        return;
    }
    again = sync->again ? members_find(node, sync->again) : NULL;
    sync->again = 0;
    if (again && sync_start(node, again, true))
        return;
    for (uint32_t i = 0; i < CORE_SYNC_TRIES && i < node->member_count; i++) {
        sync->turn = (sync->turn + 1) % node->member_count;
        if (sync_start(node, node->members[sync->turn], false))
            return;
    }
    sync_plan(node, sync_interval(node));
}
