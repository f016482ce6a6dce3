/*
 * map.h: an intrusive hash map.
 *
 *   struct thing { struct dynkv_map_node node; ...key... };
 *
 * The map holds the nodes, the caller owns the things and does the key comparison: it looks up by
 * hash and walks the candidates.  Chained, power-of-two table, grows at load 1; never shrinks.
 *
 *   for (n = dynkv_map_find(&map, hash); n; n = dynkv_map_find_next(n))
 *       if (is_mine(DYNKV_CONTAINER(n, struct thing, node))) ...
 *
 * The order of a walk over all nodes depends on the hashes and on the history only, never on
 * addresses, so that a simulated run repeats exactly.
 */
#ifndef DYNKV_BASE_MAP_H
#define DYNKV_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#define DYNKV_CONTAINER(pointer, type, member) \
    ((type *)(void *)((unsigned char *)(pointer)-offsetof(type, member)))

struct dynkv_map_node {
    struct dynkv_map_node *next;
    uint64_t hash;
};

/* Zero-initialised is a valid empty map. */
struct dynkv_map {
    struct dynkv_map_node **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

/* A node with that very hash, or NULL. */
struct dynkv_map_node *dynkv_map_find(const struct dynkv_map *map, uint64_t hash);
/* The next one with the same hash, or NULL. */
struct dynkv_map_node *dynkv_map_find_next(const struct dynkv_map_node *node);
/* Adds a node that is in no map; duplicates are the caller's affair. */
void dynkv_map_add(struct dynkv_map *map, struct dynkv_map_node *node, uint64_t hash);
/* Takes out a node that is in this map. */
void dynkv_map_remove(struct dynkv_map *map, struct dynkv_map_node *node);
/* All nodes: first (or NULL), then the one after; the current one may be removed only after next. */
struct dynkv_map_node *dynkv_map_first(const struct dynkv_map *map);
struct dynkv_map_node *dynkv_map_next(const struct dynkv_map *map,
                                      const struct dynkv_map_node *node);
/* Frees the table, not the nodes. */
void dynkv_map_fini(struct dynkv_map *map);

#endif
