/*
 * merkle.h: a hash tree of fixed shape over keys and the digests of their objects.
 *
 *   level 0            the root
 *   level 1   4 nodes
 *   level 2   64
 *   level 3   1024     the leaves; a key belongs to the leaf of its hash
 *
 * Each node is the sum, modulo 2^64, of H(key, digest) over the keys below it.  A sum and not a hash of
 * hashes, so that one key is added, removed or replaced without looking at the others, and in any order:
 * trees over the same entries are equal, whatever their histories.  It tells differences that happen, not
 * ones that somebody makes on purpose (generalised birthday attacks find sums that collide): the members
 * of a cluster trust each other.
 *
 * Memory: a tree with up to MERKLE_SPARSE_MAX leaves in use keeps only those, 10 bytes each (60 keys:
 * 640 bytes); beyond, all nodes in one piece of 8.5 KiB.  An empty tree is its struct.
 *
 * After Merkle, "A Digital Signature Based on a Conventional Encryption Function", CRYPTO 1987;
 * DeCandia et al., "Dynamo", SOSP 2007, 4.7.
 */
#ifndef DYNKV_MODEL_MERKLE_H
#define DYNKV_MODEL_MERKLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "model/object.h"

#define DYNKV_MERKLE_LEVELS     4u
#define DYNKV_MERKLE_LEAF_LEVEL 3u
#define DYNKV_MERKLE_LEAVES     DYNKV_TREE_LEAVES
#define DYNKV_MERKLE_FANOUT_MAX 16u

/* How an object counts. */
enum dynkv_merkle_life {
    DYNKV_MERKLE_DEAD,  /* tombstones only */
    DYNKV_MERKLE_TIMED, /* it depends on the clock: what is not a tombstone expires */
    DYNKV_MERKLE_LIVE,
    DYNKV_MERKLE_LIVES, /* how many there are */
};

/* What a tree knows of one object.  Zero-initialised: there is none. */
struct dynkv_merkle_value {
    uint64_t digest; /* dynkv_object_digest */
    enum dynkv_merkle_life life;
    uint32_t bytes; /* of its values */
};

struct dynkv_merkle_value dynkv_merkle_value(const struct dynkv_object *object);

/* Zero-initialised is an empty tree. */
struct dynkv_merkle {
    uint64_t root;
    uint64_t counts[DYNKV_MERKLE_LIVES]; /* keys, by their life */
    uint64_t bytes;                      /* of keys and values, without the dead */
    struct merkle_leaf *sparse;          /* rising by index; NULL when dense */
    uint64_t *dense;                     /* all nodes but the root, level after level */
    uint32_t sparse_count, sparse_cap;
};

void dynkv_merkle_fini(struct dynkv_merkle *tree);
/* The leaf that a key belongs to. */
uint32_t dynkv_merkle_leaf(struct dynkv_slice key);
/*
 * Puts after in the place of before for one key; either may be none.  before must be what the tree was
 * last told of the key: the tree cannot check it.
 */
void dynkv_merkle_replace(struct dynkv_merkle *tree, struct dynkv_slice key,
                          struct dynkv_merkle_value before, struct dynkv_merkle_value after);

/* Keys in the tree, dead ones too. */
uint64_t dynkv_merkle_keys(const struct dynkv_merkle *tree);

/* Nodes of a level, and children of each node of it (0 for leaves). */
uint32_t dynkv_merkle_width(uint32_t level);
uint32_t dynkv_merkle_fanout(uint32_t level);
/* The sum of one node.  tree may be NULL: empty. */
uint64_t dynkv_merkle_node(const struct dynkv_merkle *tree, uint32_t level, uint32_t index);
/* The sums of a node's children, from the first on; returns how many. */
uint32_t dynkv_merkle_children(const struct dynkv_merkle *tree, uint32_t level, uint32_t index,
                               uint64_t out[DYNKV_MERKLE_FANOUT_MAX]);
/*
 * One step down.  parents are nodes of a level (not the leaves'), theirs the sums of their children in
 * another tree, in that order, fanout for each parent.  Writes the indices of those children that differ
 * to out (room for count * fanout), returns how many.
 */
uint32_t dynkv_merkle_differing(const struct dynkv_merkle *tree, uint32_t level,
                                const uint32_t *parents, uint32_t count, const uint64_t *theirs,
                                uint32_t *out);

#endif
