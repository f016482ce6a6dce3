/*
 * op_repair.c: REPAIR: a reader found that replicas of some keys differ, and nobody waits for the cure.
 *
 * Everybody who reads a key while a replica lags finds that, and asks: so a key is repaired once at a time here,
 * and so many requests at most are under way.  What is passed over is asked for again by the next read, or
 * brought by anti-entropy (read repair that fed on itself: riak_kv #1845).
 */
#include "base/hash.h"
#include "core/get.h"

static uint64_t repair_hash(uint64_t keyspace, struct dynkv_slice key)
{
    return dynkv_hash(key, keyspace);
}

/* Those of the keys that are not being repaired. */
static struct dynkv_get_item *repair_items(struct dynkv_node *node, const struct dynkv_repair *body,
                                           uint32_t *count)
{
    struct dynkv_get_item *items =
        dynkv_arena_calloc(&node->arena, body->item_count, sizeof *items);

    *count = 0;
    for (uint32_t i = 0; i < body->item_count; i++) {
        const struct dynkv_repair_item *from = &body->items[i];

        if (!dynkv_map_find(&node->repairs, repair_hash(body->keyspace, from->key)))
            items[(*count)++] =
                (struct dynkv_get_item){from->key, from->partition_len, DYNKV_WANT_OBJECT};
    }
    node->counters.repairs_dropped += body->item_count - *count;
    return items;
}

static void repair_begin(struct dynkv_node *node, struct get_op *get)
{
    node->repairs_in_flight++;
    get->repairs = dynkv_arena_calloc(&get->op.arena, get->item_count, sizeof *get->repairs);
    for (uint32_t i = 0; i < get->item_count; i++)
        dynkv_map_add(&node->repairs, &get->repairs[i],
                      repair_hash(get->keyspace, get->items[i].at.key));
}

void repair_done(struct dynkv_node *node, struct get_op *get)
{
    node->repairs_in_flight--;
    for (uint32_t i = 0; i < get->item_count; i++)
        dynkv_map_remove(&node->repairs, &get->repairs[i]);
}

void on_repair(struct dynkv_node *node, const struct source *source,
               const struct dynkv_repair *body)
{
    const struct keyspace *keyspace = keyspaces_find(node, body->keyspace);
    struct dynkv_get get_body = {.keyspace = body->keyspace, .flags = DYNKV_GET_COORDINATE};
    struct get_op *get;

    node_answer(node, source, DYNKV_MESSAGE_DONE, &(struct dynkv_done){0});
    if (!keyspace)
        return;
    if (node->repairs_in_flight >= CORE_REPAIRS_MAX) {
        node->counters.repairs_dropped += body->item_count;
        return;
    }
    get_body.items = repair_items(node, body, &get_body.item_count);
    if (get_body.item_count == 0)
        return;
    get = get_new(node, &(struct source){.kind = SOURCE_NONE}, 0, &get_body);
    repair_begin(node, get);
    get_start(node, get, keyspace->def.n, 0);
}
