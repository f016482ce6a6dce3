/*
 * tree.h: the live hash trees: one for each partition and keyspace that this node holds records of.
 *
 * A tree follows every change at the moment the slot makes it, so it is what the store will hold once all
 * that is on its way there has arrived.  At start-up the trees of a keyspace are rebuilt from the store,
 * page by page, while writes go on; until then they are not ready and nobody may compare them.
 *
 * Memory: see model/merkle.h for a tree; a keyspace with any record has one struct (64 bytes) for each
 * partition of the ring.
 */
#ifndef DYNKV_CORE_TREE_H
#define DYNKV_CORE_TREE_H

#include "core/node_impl.h"
#include "model/merkle.h"

struct trees *trees_new(void);
void trees_free(struct dynkv_node *node);

/* A keyspace has become known; its trees will be made. */
void tree_keyspace_opened(struct dynkv_node *node, uint64_t keyspace);
void tree_keyspace_dropped(struct dynkv_node *node, uint64_t keyspace);
/* All records of one tree are being removed from the store. */
void tree_dropped(struct dynkv_node *node, uint64_t keyspace, uint32_t partition);
/* The object of a key has changed; the change is on its way to the store. */
void tree_changed(struct dynkv_node *node, const struct slot_key *at,
                  struct dynkv_merkle_value before, struct dynkv_merkle_value after);
/* Goes on rebuilding, if there is anything to rebuild and no page on its way. */
void tree_tick(struct dynkv_node *node);

/* Whether the trees of a keyspace say what the store holds. */
bool tree_is_ready(const struct dynkv_node *node, uint64_t keyspace);
/* The trees of all partitions, empty ones too; NULL: nothing is held of the keyspace. */
const struct dynkv_merkle *tree_all(const struct dynkv_node *node, uint64_t keyspace);
/* The keys that are not dead in all of them, with the bytes of keys and values; false: not ready. */
bool tree_total(const struct dynkv_node *node, uint64_t keyspace, uint64_t *keys, uint64_t *bytes);
/* NULL: nothing is held there. */
const struct dynkv_merkle *tree_find(const struct dynkv_node *node, uint64_t keyspace,
                                     uint32_t partition);

#endif
