/* get.h: a GET in flight, shared by op_get.c (its life) and op_repair.c (one that nobody waits for). */
#ifndef DYNKV_CORE_GET_H
#define DYNKV_CORE_GET_H

#include "core/node_impl.h"

struct get_item {
    struct slot_key at;
    uint8_t want;
    bool done;
    bool refused; /* by one who says that it is no replica: we do not use the same ring */
    struct dynkv_get_result result;
    /* coordinate */
    uint64_t replicas[DYNKV_REPLICAS_MAX];
    struct dynkv_read_quorum read;
};

struct get_op {
    struct op op;
    uint64_t keyspace;
    bool coordinate;
    bool held; /* between nodes: what this one holds, whatever its part in the ring */
    struct get_item *items;
    uint32_t item_count, undone;
    struct dynkv_map_node *repairs; /* of a repair: one an item, in node->repairs; else NULL */
};

/* The items are copied; deadline_ms 0: the longest. */
struct get_op *get_new(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
                       const struct dynkv_get *body);
/* n: replicas of the keyspace; r: answers that are needed, 0: of all replicas that are up. */
void get_start(struct dynkv_node *node, struct get_op *get, uint32_t n, uint32_t r);

/* Its keys may be repaired again. */
void repair_done(struct dynkv_node *node, struct get_op *get);

#endif
