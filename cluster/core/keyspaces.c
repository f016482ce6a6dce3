/* keyspaces.c: the table of keyspaces, and the requests about it. */
#include <stdlib.h>

#include "core/tree.h"

const struct keyspace *keyspaces_find(const struct dynkv_node *node, uint64_t id)
{
    for (uint32_t i = 0; i < node->keyspace_count; i++)
        if (node->keyspaces[i]->id == id)
            return node->keyspaces[i]->def.dropped ? NULL : node->keyspaces[i];
    return NULL;
}

const struct keyspace *keyspaces_require(struct dynkv_node *node, const struct source *source,
                                         uint64_t id)
{
    const struct keyspace *keyspace = keyspaces_find(node, id);

    if (!keyspace)
        node_answer_error(node, source, DYNKV_NO_KEYSPACE,
                          "node %.*s knows no keyspace with the id %016llx",
                          (int)node->self->info.name.len, (const char *)node->self->info.name.data,
                          (unsigned long long)id);
    return keyspace;
}

static struct keyspace *keyspaces_find_name(const struct dynkv_node *node, struct dynkv_slice name)
{
    for (uint32_t i = 0; i < node->keyspace_count; i++)
        if (dynkv_slice_equal(node->keyspaces[i]->def.name, name))
            return node->keyspaces[i];
    return NULL;
}

static void keyspace_drop_records(struct dynkv_node *node, uint64_t id)
{
    struct dynkv_effect_store *store;

    if (!node->effects)
        return; /* restoring: dropped before the restart already */
    store = dynkv_effects_add_store(node->effects);
    store->kind = DYNKV_STORE_DROP_KEYSPACE;
    store->token = node->next_id++ << CORE_INDEX_BITS; /* nobody waits for it */
    store->keyspace = id;
    tree_keyspace_dropped(node, id);
    handoff_survey_again(node);
}

static bool keyspace_is_possible(const struct dynkv_keyspace *def)
{
    return dynkv_keyspace_name_is_valid(def->name) && def->generation >= 1 && def->n >= 1 &&
           def->n <= DYNKV_REPLICAS_MAX && def->r >= 1 && def->r <= def->n && def->w >= 1 &&
           def->w <= def->n;
}

static bool keyspaces_set(struct dynkv_node *node, const struct dynkv_keyspace *def)
{
    struct keyspace *keyspace = keyspaces_find_name(node, def->name);
    uint64_t old_id = keyspace ? keyspace->id : 0;
    bool old_dropped = keyspace && keyspace->def.dropped;

    if (!keyspace_is_possible(def))
        return false;
    if (keyspace && !dynkv_keyspace_is_newer(&keyspace->def, def))
        return false;
    if (!keyspace) {
        if (node->keyspace_count >= DYNKV_KEYSPACES_MAX) {
            node_log(node, DYNKV_LOG_ERROR, "more than %u keyspaces: a new one is ignored",
                     DYNKV_KEYSPACES_MAX);
            return false;
        }
        keyspace = dynkv_calloc(1, sizeof *keyspace);
        node->keyspaces =
            dynkv_realloc(node->keyspaces, (node->keyspace_count + 1) * sizeof *node->keyspaces);
        node->keyspaces[node->keyspace_count++] = keyspace;
        memcpy(keyspace->name, def->name.data, def->name.len);
    }
    keyspace->def = *def;
    keyspace->def.name = dynkv_slice(keyspace->name, def->name.len);
    keyspace->id = dynkv_keyspace_id(keyspace->def.name, keyspace->def.generation);
    if (old_id && !old_dropped && (def->dropped || keyspace->id != old_id))
        keyspace_drop_records(node, old_id);
    if (!def->dropped)
        tree_keyspace_opened(node, keyspace->id);
    node->digest_stale = node->state_stale = true;
    return true;
}

bool keyspaces_merge(struct dynkv_node *node, const struct dynkv_keyspace_info *info)
{
    struct dynkv_keyspace def = {
        .name = info->name,
        .generation = info->generation,
        .stamp = info->stamp,
        .dropped = info->dropped != 0,
        .n = info->n,
        .r = info->r,
        .w = info->w,
        .ttl_ms = info->ttl_ms,
    };

    return keyspaces_set(node, &def);
}

static struct dynkv_keyspace_info keyspace_info(const struct keyspace *keyspace)
{
    return (struct dynkv_keyspace_info){
        .id = keyspace->id,
        .name = keyspace->def.name,
        .generation = keyspace->def.generation,
        .stamp = keyspace->def.stamp,
        .dropped = keyspace->def.dropped,
        .n = keyspace->def.n,
        .r = keyspace->def.r,
        .w = keyspace->def.w,
        .ttl_ms = keyspace->def.ttl_ms,
    };
}

struct dynkv_keyspace_info *keyspaces_list(const struct dynkv_node *node, bool dropped_too,
                                           struct dynkv_arena *arena, uint32_t *count)
{
    struct dynkv_keyspace_info *list =
        dynkv_arena_calloc(arena, node->keyspace_count, sizeof *list);

    *count = 0;
    for (uint32_t i = 0; i < node->keyspace_count; i++)
        if (dropped_too || !node->keyspaces[i]->def.dropped)
            list[(*count)++] = keyspace_info(node->keyspaces[i]);
    return list;
}

void keyspaces_fini(struct dynkv_node *node)
{
    for (uint32_t i = 0; i < node->keyspace_count; i++)
        free(node->keyspaces[i]);
    free(node->keyspaces);
}

/* ---- requests ---- */

static bool open_is_valid(struct dynkv_node *node, const struct source *source,
                          const struct dynkv_keyspace *def)
{
    if (!dynkv_keyspace_name_is_valid(def->name)) {
        node_answer_error(node, source, DYNKV_INVALID,
                          "a keyspace's name is 1 to %u letters, digits and _ - . $",
                          DYNKV_NAME_MAX);
        return false;
    }
    if (keyspace_is_possible(def))
        return true;
    node_answer_error(node, source, DYNKV_INVALID,
                      "n=%u r=%u w=%u: n must be 1 to %u, r and w 1 to n", def->n, def->r, def->w,
                      DYNKV_REPLICAS_MAX);
    return false;
}

/* Applies a definition, tells everybody, and answers once it is durable here. */
static void open_change(struct dynkv_node *node, const struct source *source,
                        struct dynkv_keyspace *def)
{
    struct dynkv_keyspace_info info;

    def->stamp = dynkv_clock_tick(&node->clock, node->now_ms);
    if (!keyspaces_set(node, def)) {
        node_answer_error(node, source, DYNKV_OVERLOADED,
                          "the cluster has %u keyspaces already; drop one", DYNKV_KEYSPACES_MAX);
        return;
    }
    gossip_spread_tables(node);
    info = keyspace_info(keyspaces_find_name(node, def->name));
    state_save_then_answer(node, source, &info);
}

static void open_answer(struct dynkv_node *node, const struct source *source,
                        const struct keyspace *keyspace)
{
    struct dynkv_keyspace_info info = keyspace_info(keyspace);
    struct dynkv_keyspace_reply reply = {.keyspaces = &info, .keyspace_count = 1};

    reply.extent = extent_tell(node, source, keyspace->id, &reply.extent_count);
    node_answer(node, source, DYNKV_MESSAGE_KEYSPACE_REPLY, &reply);
}

void on_keyspace_open(struct dynkv_node *node, const struct source *source,
                      const struct dynkv_keyspace_open *body)
{
    const struct keyspace *old = keyspaces_find_name(node, body->name);
    bool exists = old && !old->def.dropped;
    bool change = (body->flags & DYNKV_KEYSPACE_ALTER) != 0;
    struct dynkv_keyspace def = {
        .name = body->name,
        .generation = old ? old->def.generation + (old->def.dropped ? 1 : 0) : 1,
        .n = exists ? old->def.n : node->default_n,
        .r = exists ? old->def.r : node->default_r,
        .w = exists ? old->def.w : node->default_w,
        .ttl_ms = exists ? old->def.ttl_ms : 0,
    };

    if (exists && !change) {
        open_answer(node, source, old);
        return;
    }
    if (!exists && !(body->flags & DYNKV_KEYSPACE_CREATE)) {
        node_answer_error(node, source, DYNKV_NO_KEYSPACE, "keyspace \"%.*s\" does not exist",
                          (int)body->name.len, (const char *)body->name.data);
        return;
    }
    if (body->n) {
        def.n = body->n;
        /* A quorum not given follows n, so that reads and writes overlap. */
        def.r = def.w = (uint8_t)(body->n / 2 + 1);
    }
    if (body->r)
        def.r = body->r;
    if (body->w)
        def.w = body->w;
    if (body->has_ttl)
        def.ttl_ms = body->ttl_ms;
    if (open_is_valid(node, source, &def))
        open_change(node, source, &def);
}

void on_keyspace_drop(struct dynkv_node *node, const struct source *source,
                      const struct dynkv_keyspace_drop *body)
{
    const struct keyspace *keyspace = keyspaces_find_name(node, body->name);
    struct dynkv_keyspace def;

    if (!keyspace || keyspace->def.dropped) {
        node_answer_error(node, source, DYNKV_NO_KEYSPACE, "keyspace \"%.*s\" does not exist",
                          (int)body->name.len, (const char *)body->name.data);
        return;
    }
    def = keyspace->def;
    def.dropped = true;
    open_change(node, source, &def);
}

void on_keyspace_list(struct dynkv_node *node, const struct source *source)
{
    struct dynkv_keyspace_reply reply = {0};

    reply.keyspaces = keyspaces_list(node, false, &node->arena, &reply.keyspace_count);
    node_answer(node, source, DYNKV_MESSAGE_KEYSPACE_REPLY, &reply);
}
