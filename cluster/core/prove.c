/*
 * prove.c: which questions there are (prove.h), and which have been answered.
 *
 * For each keyspace and partition there is one byte: a bit for each owner, by its place in the preference
 * list, that has proved it.  All of it is void as soon as a ring changes (prove_key).
 */
#include "core/prove.h"

#include <stdlib.h>

#include "core/tree.h"

struct forest_proofs {
    uint64_t keyspace;
    uint8_t *bits;   /* one a partition */
    uint64_t *roots; /* of our trees, when the bits were set */
};

struct proofs {
    uint64_t key;
    struct forest_proofs *forests;
    uint32_t forest_count;
    bool complete; /* all gains were proved */
    uint64_t counted_ms;
};

struct proofs *prove_new(void)
{
    return dynkv_calloc(1, sizeof(struct proofs));
}

static void prove_clear(struct proofs *proofs)
{
    for (uint32_t i = 0; i < proofs->forest_count; i++) {
        free(proofs->forests[i].bits);
        free(proofs->forests[i].roots);
    }
    free(proofs->forests);
    proofs->forests = NULL;
    proofs->forest_count = 0;
    proofs->complete = false;
    proofs->counted_ms = 0;
}

void prove_free(struct proofs *proofs)
{
    prove_clear(proofs);
    free(proofs);
}

enum sync_mode prove_mode(const struct dynkv_node *node)
{
    if (node->counters.unsure || node->storage_failed || !member_counts(node->self))
        return SYNC_REGULAR;
    if (!change_is_open(node))
        return SYNC_STRAY;
    return node->phase == DYNKV_CHANGE_MOVING ? SYNC_GAIN : SYNC_REGULAR;
}

uint64_t prove_key(const struct dynkv_node *node)
{
    uint64_t also = node->ring_also ? dynkv_ring_version(node->ring_also) : 0;

    return dynkv_hash_pair(dynkv_ring_version(node->ring), also);
}

/* The proofs that hold for the rings in use. */
static struct proofs *prove_current(struct dynkv_node *node)
{
    struct proofs *proofs = node->proofs;

    if (proofs->key != prove_key(node)) {
        prove_clear(proofs);
        proofs->key = prove_key(node);
    }
    return proofs;
}

static struct forest_proofs *prove_forest(const struct proofs *proofs, uint64_t keyspace)
{
    for (uint32_t i = 0; i < proofs->forest_count; i++)
        if (proofs->forests[i].keyspace == keyspace)
            return &proofs->forests[i];
    return NULL;
}

static struct forest_proofs *prove_forest_make(struct dynkv_node *node, struct proofs *proofs,
                                               uint64_t keyspace)
{
    struct forest_proofs *forest = prove_forest(proofs, keyspace);

    if (forest)
        return forest;
    proofs->forests =
        dynkv_realloc(proofs->forests, (proofs->forest_count + 1) * sizeof *proofs->forests);
    forest = &proofs->forests[proofs->forest_count++];
    forest->keyspace = keyspace;
    forest->bits = dynkv_calloc(node->partitions, sizeof *forest->bits);
    forest->roots = dynkv_calloc(node->partitions, sizeof *forest->roots);
    return forest;
}

/* ---- the questions ---- */

static bool is_gain(const struct dynkv_node *node, uint32_t partition, uint32_t n)
{
    return node->ring_also &&
           dynkv_ring_replica_index(node->ring_also, partition, node->id, n) >= 0 &&
           dynkv_ring_replica_index(node->ring, partition, node->id, n) < 0;
}

static uint64_t root_of(const struct dynkv_node *node, uint64_t keyspace, uint32_t partition)
{
    const struct dynkv_merkle *tree = tree_find(node, keyspace, partition);

    return tree ? tree->root : 0;
}

static bool is_stray(const struct dynkv_node *node, const struct keyspace *keyspace,
                     uint32_t partition)
{
    return root_of(node, keyspace->id, partition) &&
           !place_keeps(node, partition, node->id, keyspace->def.n);
}

static bool is_question(const struct dynkv_node *node, enum sync_mode mode,
                        const struct keyspace *keyspace, uint32_t partition)
{
    if (keyspace->def.dropped)
        return false;
    return mode == SYNC_GAIN ? is_gain(node, partition, keyspace->def.n)
                             : is_stray(node, keyspace, partition);
}

/* The proofs that are good still. */
static uint8_t bits_of(const struct dynkv_node *node, enum sync_mode mode, uint64_t keyspace,
                       uint32_t partition)
{
    const struct forest_proofs *forest = prove_forest(node->proofs, keyspace);

    if (!forest || node->proofs->key != prove_key(node) ||
        (mode == SYNC_STRAY && forest->roots[partition] != root_of(node, keyspace, partition)))
        return 0;
    return forest->bits[partition];
}

/* Whether all whom it concerns have proved it.  Who is excluded has nothing to give; and takes nothing. */
static bool is_proved(const struct dynkv_node *node, enum sync_mode mode,
                      const struct keyspace *keyspace, uint32_t partition)
{
    uint64_t owners[DYNKV_REPLICAS_MAX];
    uint32_t count = place_replicas(node, partition, keyspace->def.n, owners), proved = 0;
    uint8_t bits = bits_of(node, mode, keyspace->id, partition);

    for (uint32_t i = 0; i < count; i++) {
        const struct member *owner = members_find(node, owners[i]);
        bool is_out = mode == SYNC_GAIN && owner && owner->info.excluded;

        proved += is_out || (bits >> i & 1);
    }
    return count > 0 && proved == count;
}

struct sync_place *prove_places(struct dynkv_node *node, uint64_t peer, uint32_t max,
                                uint32_t *count)
{
    enum sync_mode mode = prove_mode(node);
    struct sync_place *places = dynkv_arena_calloc(&node->arena, max, sizeof *places);

    prove_current(node);
    *count = 0;
    for (uint32_t i = 0; i < node->keyspace_count; i++) {
        const struct keyspace *keyspace = node->keyspaces[i];

        if (!tree_is_ready(node, keyspace->id))
            continue;
        for (uint32_t p = 0; p < node->partitions && *count < max; p++) {
            int index;

            if (!is_question(node, mode, keyspace, p))
                continue;
            index = dynkv_ring_replica_index(node->ring, p, peer, keyspace->def.n);
            if (index >= 0 && !(bits_of(node, mode, keyspace->id, p) >> index & 1))
                places[(*count)++] = (struct sync_place){keyspace->id, p};
        }
    }
    return places;
}

void prove_mark(struct dynkv_node *node, const struct sync_op *s, const struct sync_tree *tree)
{
    const struct keyspace *keyspace = keyspaces_find(node, tree->at.keyspace);
    struct proofs *proofs = prove_current(node);
    struct forest_proofs *forest;
    int index;

    if (!keyspace || s->prove_key != proofs->key || prove_mode(node) != s->mode)
        return; /* it was about rings that are no more */
    index = dynkv_ring_replica_index(node->ring, tree->at.partition, s->peer, keyspace->def.n);
    if (index < 0)
        return;
    forest = prove_forest_make(node, proofs, keyspace->id);
    if (s->mode == SYNC_STRAY && forest->roots[tree->at.partition] != tree->root)
        forest->bits[tree->at.partition] = 0;
    forest->roots[tree->at.partition] = tree->root;
    forest->bits[tree->at.partition] |= (uint8_t)(1u << index);
}

/* ---- the answers ---- */

static uint64_t gains_left(const struct dynkv_node *node)
{
    uint64_t left = 0;

    for (uint32_t i = 0; i < node->keyspace_count; i++)
        for (uint32_t p = 0; p < node->partitions; p++)
            left += is_question(node, SYNC_GAIN, node->keyspaces[i], p) &&
                    !is_proved(node, SYNC_GAIN, node->keyspaces[i], p);
    return left;
}

bool prove_is_complete(struct dynkv_node *node)
{
    struct proofs *proofs = prove_current(node);

    if (node->mono_ms < proofs->counted_ms + CORE_PROVE_COUNT_MS && !proofs->complete)
        return false;
    proofs->counted_ms = node->mono_ms;
    node->counters.transfer_left = gains_left(node);
    proofs->complete = node->counters.transfer_left == 0;
    return proofs->complete;
}

bool prove_is_open(const struct dynkv_node *node, uint64_t keyspace_id, uint32_t partition)
{
    const struct keyspace *keyspace = keyspaces_find(node, keyspace_id);

    return keyspace && prove_mode(node) == SYNC_GAIN && is_gain(node, partition, keyspace->def.n) &&
           !is_proved(node, SYNC_GAIN, keyspace, partition);
}

bool prove_is_stray(const struct dynkv_node *node, const struct keyspace *keyspace,
                    uint32_t partition)
{
    return !keyspace->def.dropped && is_stray(node, keyspace, partition);
}

bool prove_is_held(const struct dynkv_node *node, const struct keyspace *keyspace,
                   uint32_t partition)
{
    return is_proved(node, SYNC_STRAY, keyspace, partition);
}

void prove_forget_strays(struct dynkv_node *node)
{
    if (node->proofs && !change_is_open(node))
        prove_clear(node->proofs);
}
