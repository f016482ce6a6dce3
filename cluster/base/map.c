/* map.c: the intrusive hash map. */
#include "base/map.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"

#define MAP_FIRST_BUCKETS 16u

static struct dynkv_map_node **map_bucket(const struct dynkv_map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->bucket_count - 1)];
}

struct dynkv_map_node *dynkv_map_find(const struct dynkv_map *map, uint64_t hash)
{
    struct dynkv_map_node *node = map->count ? *map_bucket(map, hash) : NULL;

    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct dynkv_map_node *dynkv_map_find_next(const struct dynkv_map_node *node)
{
    uint64_t hash = node->hash;
    struct dynkv_map_node *next = node->next;

    while (next && next->hash != hash)
        next = next->next;
    return next;
}

static void map_grow(struct dynkv_map *map)
{
    struct dynkv_map old = *map;

    map->bucket_count = old.bucket_count ? old.bucket_count * 2 : MAP_FIRST_BUCKETS;
    map->buckets = dynkv_calloc(map->bucket_count, sizeof(struct dynkv_map_node *));
    for (size_t i = 0; i < old.bucket_count; i++) {
        struct dynkv_map_node *node = old.buckets[i];

        while (node) {
            struct dynkv_map_node *next = node->next;
            struct dynkv_map_node **bucket = map_bucket(map, node->hash);

            node->next = *bucket;
            *bucket = node;
            node = next;
        }
    }
    free(old.buckets);
}

void dynkv_map_add(struct dynkv_map *map, struct dynkv_map_node *node, uint64_t hash)
{
    struct dynkv_map_node **bucket;

    if (map->count >= map->bucket_count)
        map_grow(map);
    bucket = map_bucket(map, hash);
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    map->count++;
}

void dynkv_map_remove(struct dynkv_map *map, struct dynkv_map_node *node)
{
    struct dynkv_map_node **at = map_bucket(map, node->hash);

    while (*at != node) {
        DYNKV_ASSERT(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    map->count--;
}

static struct dynkv_map_node *map_first_from(const struct dynkv_map *map, size_t bucket)
{
    for (; bucket < map->bucket_count; bucket++)
        if (map->buckets[bucket])
            return map->buckets[bucket];
    return NULL;
}

struct dynkv_map_node *dynkv_map_first(const struct dynkv_map *map)
{
    return map_first_from(map, 0);
}

struct dynkv_map_node *dynkv_map_next(const struct dynkv_map *map,
                                      const struct dynkv_map_node *node)
{
    if (node->next)
        return node->next;
    return map_first_from(map, (size_t)(node->hash & (map->bucket_count - 1)) + 1);
}

void dynkv_map_fini(struct dynkv_map *map)
{
    free(map->buckets);
    *map = (struct dynkv_map){NULL, 0, 0};
}
