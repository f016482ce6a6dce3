/*
 * sync.h: anti-entropy, the exchange by which two replicas find what they hold differently, and move it.
 *
 *   ROOTS   the roots of all trees that both keep; the peer says which differ        sync.c
 *   NODES   of those that differed in the round before, too: the sums of the children of nodes
 *           that differ, level after level, down to the leaves                        sync.c
 *   THEIRS  the keys, digests and versions that the peer holds in differing leaves    sync_leaf.c
 *   MINE    the same from our store; what differs is sorted by who lacks it
 *   PULL    objects that we lack are fetched and merged (GET, slots)                  sync_move.c
 *   PUSH    objects that the peer lacks are sent (REPLICATE)
 *
 * An exchange that proves something (prove.h) begins otherwise, and may go through whole partitions:
 *
 *   PROVE   the roots of the trees in question; the peer says which are equal        sync_prove.c
 *   PAGE    objects of a partition of which we hold nothing, page by page
 *
 * THEIRS to PUSH go round for each page of keys of each tree.  All of it is one operation; each step
 * gives the peer CORE_SYNC_PATIENCE_MS.  The side that is asked keeps no state but whom it is serving
 * (sync_answer.c): a node takes part in one descent at a time, as asker or asked, so that one object that
 * several replicas could give is not given twice.
 */
#ifndef DYNKV_CORE_SYNC_H
#define DYNKV_CORE_SYNC_H

#include "core/node_impl.h"
#include "model/merkle.h"

struct sync_place {
    uint64_t keyspace;
    uint32_t partition;
};

/* What differed in the last round with a peer, sorted. */
struct sync_peer {
    uint64_t id;
    struct sync_place *suspects;
    uint32_t suspect_count;
};

/* What an exchange is for. */
enum sync_mode {
    SYNC_REGULAR,
    SYNC_GAIN,  /* that we hold all that the peer holds: nothing is pushed */
    SYNC_STRAY, /* that the peer holds all that we hold, durably: nothing is pulled */
};

struct sync {
    uint64_t next_ms; /* monotonic: the next round; 0: not planned yet */
    uint32_t turn;    /* index of the member to look at next */
    uint64_t again;   /* a peer to be asked before it is its turn; 0: none */
    struct sync_peer *peers;
    uint32_t peer_count;
    /* the exchange that this node leads */
    uint64_t leading; /* the peer; 0: none */
    bool descending;
    /* the one that it serves */
    uint64_t serving; /* the peer; 0: none */
    uint64_t serving_until_ms;
    /* sync_prove.c */
    uint64_t prove_next_ms;
    uint32_t prove_turn;
    struct sync_place
        page_at; /* the partition whose pages were interrupted, and where; keyspace 0: none */
    struct dynkv_buf page_lower;
};

enum sync_stage {
    SYNC_ROOTS,
    SYNC_NODES,
    SYNC_THEIRS,
    SYNC_MINE,
    SYNC_PULL,
    SYNC_PUSH,
    SYNC_PROVE,
    SYNC_PAGE,
};

struct sync_tree {
    struct sync_place at;
    uint32_t *nodes; /* of the level, that differ */
    uint32_t node_count;
    uint64_t root; /* of ours, when an exchange that proves something began */
    bool pages;    /* we hold nothing of it: it comes whole */
};

/* A key that the two hold differently. */
struct sync_item {
    struct slot_key at;
    bool pull, push;
    size_t my_len;             /* of our object, 0: none */
    struct dynkv_slice object; /* theirs once pulled, ours once loaded */
};

struct sync_op {
    struct op op;
    uint64_t peer;
    bool is_again; /* it was not this peer's turn */
    enum sync_mode mode;
    uint64_t prove_key;
    bool progress; /* something was proved or moved */
    bool spoiled;  /* a key of the tree at hand could not be brought together: it proves nothing */
    enum sync_stage stage;
    /* ROOTS */
    uint32_t keyspace; /* index of the first one that was not asked about */
    struct sync_place *found;
    uint32_t found_count;
    /* NODES */
    struct sync_tree *trees;
    uint32_t tree_count, level;
    /* THEIRS, MINE: the tree at hand, and a page of its keys */
    uint32_t tree;
    struct dynkv_buf lower;
    struct dynkv_arena page; /* what lives as long as the page */
    struct dynkv_leaf_key *theirs;
    uint32_t their_count;
    bool more; /* the page ends before the tree does: at end (excluded) */
    struct dynkv_slice end;
    /* PULL, PUSH */
    struct sync_item *items;
    uint32_t item_count;
    uint32_t *batch; /* items of the message at hand */
    uint32_t batch_count;
    uint32_t waiting; /* loads or stores that are still to come */
    /* of the whole exchange */
    uint32_t objects_moved;
    uint64_t bytes_moved;
    bool unfinished; /* a limit was reached, there is more to do */
};

struct sync *sync_new(void);
void sync_free(struct sync *sync);
void sync_tick(struct dynkv_node *node);

/* sync_prove.c; the tick: true if an exchange was begun */
bool sync_prove_tick(struct dynkv_node *node);
void sync_on_proved(struct dynkv_node *node, struct sync_op *s,
                    const struct dynkv_prove_reply *reply);
void sync_pages_begin(struct dynkv_node *node, struct sync_op *s);
void sync_pages_next(struct dynkv_node *node, struct sync_op *s);
void sync_on_page(struct dynkv_node *node, struct sync_op *s, const struct dynkv_pull_reply *reply);

/* sync.c, for the other files */
struct sync_op *sync_open(struct dynkv_node *node, uint64_t peer, enum sync_mode mode);
/* From the roots of s->trees down. */
void sync_descend(struct dynkv_node *node, struct sync_op *s);
void sync_ask(struct dynkv_node *node, struct sync_op *s, uint8_t type, const void *body);
void sync_end(struct dynkv_node *node, struct sync_op *s);
bool sync_is_kept_by_both(const struct dynkv_node *node, const struct keyspace *keyspace,
                          uint32_t partition, uint64_t peer);
/* The leaf stage goes on with the next page, or tree; ends the exchange after the last one. */
void sync_leaves_begin(struct dynkv_node *node, struct sync_op *s);
void sync_leaves_next(struct dynkv_node *node, struct sync_op *s);
void sync_on_theirs(struct dynkv_node *node, struct sync_op *s,
                    const struct dynkv_leaf_keys_reply *reply);
void sync_on_mine(struct dynkv_node *node, struct op *op, uint32_t item,
                  const struct dynkv_event *event);
/* Moves the items of the page, then goes on. */
void sync_move(struct dynkv_node *node, struct sync_op *s);
void sync_on_pulled(struct dynkv_node *node, struct sync_op *s,
                    const struct dynkv_get_reply *reply);
void sync_on_pushed(struct dynkv_node *node, struct sync_op *s,
                    const struct dynkv_replicate_reply *reply);
void sync_on_loaded(struct dynkv_node *node, struct op *op, uint32_t item, enum dynkv_error error,
                    struct dynkv_slice object);
enum dynkv_error sync_mutate(struct dynkv_node *node, struct op *op, uint32_t item,
                             const struct dynkv_object *current, struct dynkv_arena *arena,
                             struct dynkv_object *out);
void sync_on_applied(struct dynkv_node *node, struct op *op, uint32_t item, enum dynkv_error error,
                     struct dynkv_slice object);
void sync_on_stored(struct dynkv_node *node, struct op *op, uint32_t item, enum dynkv_error error);

/* sync_answer.c */
/* Which of 1024 leaves were named. */
struct leaf_set {
    uint64_t bits[DYNKV_MERKLE_LEAVES / 64];
};

static inline void leaf_set_add(struct leaf_set *set, uint32_t leaf)
{
    set->bits[leaf / 64] |= UINT64_C(1) << leaf % 64;
}

static inline bool leaf_set_has(const struct leaf_set *set, uint32_t leaf)
{
    return set->bits[leaf / 64] >> leaf % 64 & 1;
}

void on_tree_roots(struct dynkv_node *node, const struct source *source,
                   const struct dynkv_tree_roots *body);
void on_tree_nodes(struct dynkv_node *node, const struct source *source,
                   const struct dynkv_tree_nodes *body);
void on_leaf_keys(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
                  const struct dynkv_leaf_keys *body);

#endif
