/*
 * merkle.c: the hash tree, sparse while it is small.
 *
 * The sparse form is a sorted list of leaves whose sum is not 0; nodes above are added up when somebody
 * asks, which happens only where two trees differ.  The dense form keeps all sums.  A tree that has
 * become dense stays so until it is empty.
 */
#include "model/merkle.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"

#define MERKLE_LEAF_SEED  0x6d65726b6c65u
#define MERKLE_LEAF_SHIFT 54 /* the upper ten bits of the hash */
#define MERKLE_SPARSE_MAX 128u
#define MERKLE_SPARSE_MIN 8u

#pragma pack(push, 2)
struct merkle_leaf {
    uint64_t sum;
    uint16_t index;
};
#pragma pack(pop)

static const uint32_t merkle_widths[DYNKV_MERKLE_LEVELS] = {1, 4, 64, DYNKV_MERKLE_LEAVES};
static const uint32_t merkle_fanouts[DYNKV_MERKLE_LEVELS] = {4, 16, 16, 0};
/* Where a level begins in the dense form, which has no root. */
static const uint32_t merkle_starts[DYNKV_MERKLE_LEVELS] = {0, 0, 4, 68};
/* A leaf's index shifted right by this is the index of the node above it in the level. */
static const uint32_t merkle_shifts[DYNKV_MERKLE_LEVELS] = {10, 8, 4, 0};

#define MERKLE_DENSE_COUNT (4u + 64u + DYNKV_MERKLE_LEAVES)

struct dynkv_merkle_value dynkv_merkle_value(const struct dynkv_object *object)
{
    struct dynkv_merkle_value value = {dynkv_object_digest(object), DYNKV_MERKLE_DEAD, 0};

    for (uint32_t i = 0; i < object->sibling_count; i++) {
        const struct dynkv_sibling *sibling = &object->siblings[i];

        if (sibling->flags & DYNKV_SIBLING_TOMBSTONE)
            continue;
        value.bytes += (uint32_t)sibling->value.len;
        if (!sibling->expires_at_ms)
            value.life = DYNKV_MERKLE_LIVE;
        else if (value.life == DYNKV_MERKLE_DEAD)
            value.life = DYNKV_MERKLE_TIMED;
    }
    return value;
}

void dynkv_merkle_fini(struct dynkv_merkle *tree)
{
    free(tree->sparse);
    free(tree->dense);
    *tree = (struct dynkv_merkle){0};
}

uint32_t dynkv_merkle_leaf(struct dynkv_slice key)
{
    return (uint32_t)(dynkv_hash(key, MERKLE_LEAF_SEED) >> MERKLE_LEAF_SHIFT);
}

uint64_t dynkv_merkle_keys(const struct dynkv_merkle *tree)
{
    uint64_t keys = 0;

    for (int life = 0; tree && life < DYNKV_MERKLE_LIVES; life++)
        keys += tree->counts[life];
    return keys;
}

uint32_t dynkv_merkle_width(uint32_t level)
{
    DYNKV_ASSERT(level < DYNKV_MERKLE_LEVELS);
    return merkle_widths[level];
}

uint32_t dynkv_merkle_fanout(uint32_t level)
{
    DYNKV_ASSERT(level < DYNKV_MERKLE_LEVELS);
    return merkle_fanouts[level];
}

/* ---- changes ---- */

static void dense_add(struct dynkv_merkle *tree, uint32_t leaf, uint64_t delta)
{
    for (uint32_t level = 1; level < DYNKV_MERKLE_LEVELS; level++)
        tree->dense[merkle_starts[level] + (leaf >> merkle_shifts[level])] += delta;
}

static void merkle_make_dense(struct dynkv_merkle *tree)
{
    tree->dense = dynkv_calloc(MERKLE_DENSE_COUNT, sizeof *tree->dense);
    for (uint32_t i = 0; i < tree->sparse_count; i++)
        dense_add(tree, tree->sparse[i].index, tree->sparse[i].sum);
    free(tree->sparse);
    tree->sparse = NULL;
    tree->sparse_count = tree->sparse_cap = 0;
}

/* The place of the first leaf in the list that is not before index. */
static uint32_t sparse_seek(const struct dynkv_merkle *tree, uint32_t index)
{
    uint32_t low = 0, high = tree->sparse_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (tree->sparse[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void sparse_insert(struct dynkv_merkle *tree, uint32_t at, uint32_t leaf, uint64_t sum)
{
    if (tree->sparse_count == tree->sparse_cap) {
        tree->sparse_cap = tree->sparse_cap ? tree->sparse_cap * 2 : MERKLE_SPARSE_MIN;
        tree->sparse = dynkv_realloc(tree->sparse, tree->sparse_cap * sizeof *tree->sparse);
    }
    memmove(&tree->sparse[at + 1], &tree->sparse[at],
            (tree->sparse_count - at) * sizeof *tree->sparse);
    tree->sparse[at] = (struct merkle_leaf){.sum = sum, .index = (uint16_t)leaf};
    tree->sparse_count++;
}

static void sparse_add(struct dynkv_merkle *tree, uint32_t leaf, uint64_t delta)
{
    uint32_t at = sparse_seek(tree, leaf);

    if (at == tree->sparse_count || tree->sparse[at].index != leaf) {
        if (tree->sparse_count == MERKLE_SPARSE_MAX) {
            merkle_make_dense(tree);
            dense_add(tree, leaf, delta);
        } else {
            sparse_insert(tree, at, leaf, delta);
        }
        return;
    }
    tree->sparse[at].sum += delta;
    if (tree->sparse[at].sum == 0) {
        tree->sparse_count--;
        memmove(&tree->sparse[at], &tree->sparse[at + 1],
                (tree->sparse_count - at) * sizeof *tree->sparse);
    }
}

static uint64_t entry_hash(struct dynkv_slice key, struct dynkv_merkle_value value)
{
    return value.digest ? dynkv_hash(key, value.digest) : 0;
}

static uint64_t entry_bytes(struct dynkv_slice key, struct dynkv_merkle_value value)
{
    return value.digest && value.life != DYNKV_MERKLE_DEAD ? key.len + value.bytes : 0;
}

void dynkv_merkle_replace(struct dynkv_merkle *tree, struct dynkv_slice key,
                          struct dynkv_merkle_value before, struct dynkv_merkle_value after)
{
    uint64_t delta = entry_hash(key, after) - entry_hash(key, before);

    if (before.digest) {
        DYNKV_ASSERT(tree->counts[before.life] > 0);
        tree->counts[before.life]--;
    }
    if (after.digest)
        tree->counts[after.life]++;
    tree->bytes += entry_bytes(key, after) - entry_bytes(key, before);
    if (delta) {
        tree->root += delta;
        if (tree->dense)
            dense_add(tree, dynkv_merkle_leaf(key), delta);
        else
            sparse_add(tree, dynkv_merkle_leaf(key), delta);
    }
    if (dynkv_merkle_keys(tree) == 0) {
        DYNKV_ASSERT(tree->root == 0 && tree->bytes == 0);
        dynkv_merkle_fini(tree);
    }
}

/* ---- looking ---- */

uint64_t dynkv_merkle_node(const struct dynkv_merkle *tree, uint32_t level, uint32_t index)
{
    uint32_t shift = merkle_shifts[level];
    uint64_t sum = 0;

    DYNKV_ASSERT(level < DYNKV_MERKLE_LEVELS && index < merkle_widths[level]);
    if (!tree)
        return 0;
    if (level == 0)
        return tree->root;
    if (tree->dense)
        return tree->dense[merkle_starts[level] + index];
    for (uint32_t i = sparse_seek(tree, index << shift);
         i < tree->sparse_count && (uint32_t)tree->sparse[i].index >> shift == index; i++)
        sum += tree->sparse[i].sum;
    return sum;
}

uint32_t dynkv_merkle_children(const struct dynkv_merkle *tree, uint32_t level, uint32_t index,
                               uint64_t out[DYNKV_MERKLE_FANOUT_MAX])
{
    uint32_t fanout = dynkv_merkle_fanout(level);

    for (uint32_t i = 0; i < fanout; i++)
        out[i] = dynkv_merkle_node(tree, level + 1, index * fanout + i);
    return fanout;
}

uint32_t dynkv_merkle_differing(const struct dynkv_merkle *tree, uint32_t level,
                                const uint32_t *parents, uint32_t count, const uint64_t *theirs,
                                uint32_t *out)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t mine[DYNKV_MERKLE_FANOUT_MAX];
        uint32_t fanout = dynkv_merkle_children(tree, level, parents[i], mine);

        for (uint32_t j = 0; j < fanout; j++)
            if (mine[j] != theirs[i * fanout + j])
                out[found++] = parents[i] * fanout + j;
    }
    return found;
}
