/*
 * oracle.c: knows every write, the dots that came of it, what each supersedes, and its acknowledgements;
 * is told of everything that happens, and has the checkers look at it.
 *
 * A value carries the number of its write, so a sibling is known by its value.  A tombstone has none: the
 * delete it came from is the one whose context explains what became of the object.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "check.h"
#include "core/node.h"

struct key_node {
    struct dynkv_map_node by_bytes;
    struct sim_key *key;
};

/* ---- keys, dots, writes ---- */

struct sim_key *oracle_key(struct sim *sim, uint64_t keyspace, struct dynkv_slice bytes)
{
    uint64_t hash = dynkv_hash(bytes, keyspace);
    struct dynkv_map_node *found = dynkv_map_find(&sim->key_map, hash);

    for (; found; found = dynkv_map_find_next(found)) {
        struct sim_key *key = DYNKV_CONTAINER(found, struct key_node, by_bytes)->key;

        if (sim->keyspaces[key->keyspace].id == keyspace &&
            dynkv_slice_equal(dynkv_slice(key->bytes, key->len), bytes))
            return key;
    }
    for (uint32_t i = 0; i < sim->swarm.keys; i++) {
        struct sim_key *key = &sim->keys[i];
        struct key_node *node;

        if (sim->keyspaces[key->keyspace].id != keyspace ||
            !dynkv_slice_equal(dynkv_slice(key->bytes, key->len), bytes))
            continue;
        node = dynkv_arena_calloc(&sim->arena, 1, sizeof *node);
        node->key = key;
        dynkv_map_add(&sim->key_map, &node->by_bytes, hash);
        return key;
    }
    return NULL;
}

struct sim_applied *oracle_applied(struct sim *sim, struct dynkv_dot dot)
{
    struct dynkv_map_node *found =
        dynkv_map_find(&sim->dots, dynkv_hash_pair(dot.actor, dot.counter));

    for (; found; found = dynkv_map_find_next(found)) {
        struct sim_applied *it = DYNKV_CONTAINER(found, struct sim_applied, by_dot);

        if (it->dot.actor == dot.actor && it->dot.counter == dot.counter)
            return it;
    }
    return NULL;
}

struct sim_write *oracle_write_new(struct sim *sim, struct sim_key *key)
{
    struct sim_write *write = dynkv_arena_calloc(&sim->arena, 1, sizeof *write);

    if (sim->write_count == sim->write_cap) {
        sim->write_cap = sim->write_cap ? sim->write_cap * 2 : 1024;
        sim->writes = dynkv_realloc(sim->writes, sim->write_cap * sizeof *sim->writes);
    }
    write->number = sim->write_count;
    write->key = key;
    write->next_of_key = key->writes;
    key->writes = write;
    sim->writes[sim->write_count++] = write;
    return write;
}

struct sim_write *oracle_write_of(struct sim *sim, const struct dynkv_sibling *sibling)
{
    const uint8_t *at = sibling->value.data;
    uint32_t number = 0;

    if (sibling->value.len < SIM_VALUE_NUMBER + 4)
        return NULL;
    for (uint32_t i = 0; i < 4; i++)
        number = number << 8 | at[SIM_VALUE_NUMBER + i];
    return number >= sim->write_count ? NULL : sim->writes[number];
}

bool object_has_dot(const struct dynkv_object *object, struct dynkv_dot dot)
{
    for (uint32_t i = 0; i < object->sibling_count; i++)
        if (dynkv_dot_compare(object->siblings[i].dot, dot) == 0)
            return true;
    return false;
}

bool oracle_is_superseded(const struct sim_key *key, const struct sim_applied *applied,
                          const struct dynkv_version *by, bool durably)
{
    for (const struct sim_applied *it = key->applied; it; it = it->next_of_key)
        if (it != applied && (it->is_durable || !durably) && dynkv_version_covers(by, it->dot) &&
            dynkv_version_covers(&it->context, applied->dot))
            return true;
    return false;
}

/* ---- disks ---- */

struct dynkv_slice oracle_record_object(struct dynkv_slice record)
{
    struct dynkv_cursor cursor = dynkv_cursor(record);

    dynkv_get_varint(&cursor);
    return dynkv_get_raw(&cursor, dynkv_cursor_left(&cursor));
}

struct dynkv_object oracle_object(struct sim *sim, struct dynkv_slice record)
{
    struct dynkv_object object = {0};

    if (record.len && dynkv_object_decode(oracle_record_object(record), &sim->step_arena, &object))
        sim_violation(sim, "1", "a node stored an object that cannot be decoded");
    return object;
}

bool oracle_is_reaped(const struct sim_key *key, struct dynkv_dot dot)
{
    return dynkv_version_covers(&key->reaped, dot);
}

struct dynkv_object oracle_on_disk(struct sim *sim, struct sim_disk *disk,
                                   const struct sim_key *key)
{
    struct sim_cell *cell = sim_disk_cell(disk, key->partition, sim->keyspaces[key->keyspace].id,
                                          dynkv_slice(key->bytes, key->len), false);

    return oracle_object(sim, cell ? dynkv_buf_slice(&cell->record) : dynkv_slice(NULL, 0));
}

struct dynkv_object oracle_held(struct sim *sim, struct sim_node *node, const struct sim_key *key)
{
    return oracle_on_disk(sim, &node->disk, key);
}

/* A hint's key in the store is u32 BE partition, u64 BE keyspace, key. */
#define HINT_PREFIX 12u

static uint64_t hint_keyspace(struct dynkv_slice key)
{
    uint64_t keyspace = 0;

    for (uint32_t i = 4; i < HINT_PREFIX; i++)
        keyspace = keyspace << 8 | key.data[i];
    return keyspace;
}

/* No life of a node: what is on its disk counts, whatever it has made of it since. */
#define NO_LIFE UINT32_MAX

/*
 * Some hint of the key on this disk, for whomever, covers the dot.  One that the node has let go of in this
 * life, having handed it over, does not count, though the disk may have it for a moment still.
 */
static bool is_hint_of(const struct sim *sim, const struct sim_cell *cell,
                       const struct sim_key *key)
{
    return cell->record.len != 0 && cell->key.len == HINT_PREFIX + key->len &&
           hint_keyspace(cell->key) == sim->keyspaces[key->keyspace].id &&
           memcmp(cell->key.data + HINT_PREFIX, key->bytes, key->len) == 0;
}

static bool disk_hints_at(struct sim *sim, struct sim_disk *disk, uint32_t life,
                          const struct sim_key *key, struct dynkv_dot dot)
{
    for (struct dynkv_avl_node *it = dynkv_avl_first(&disk->hints); it; it = dynkv_avl_next(it)) {
        const struct sim_cell *cell = DYNKV_CONTAINER(it, struct sim_cell, node);
        struct dynkv_object object;

        if (!is_hint_of(sim, cell, key) || (cell->newest_life == life && cell->newest.len == 0))
            continue;
        object = oracle_object(sim, dynkv_buf_slice(&cell->record));
        if (dynkv_version_covers(&object.version, dot))
            return true;
    }
    return false;
}

struct sim_key *oracle_hint_key(struct sim *sim, const struct sim_cell *cell)
{
    return oracle_key(sim, hint_keyspace(cell->key),
                      dynkv_slice(cell->key.data + HINT_PREFIX, cell->key.len - HINT_PREFIX));
}

void oracle_hints(struct sim *sim, struct sim_disk *disk, const struct sim_key *key,
                  oracle_visit_hint *visit, void *context)
{
    for (struct dynkv_avl_node *it = dynkv_avl_first(&disk->hints); it; it = dynkv_avl_next(it)) {
        const struct sim_cell *cell = DYNKV_CONTAINER(it, struct sim_cell, node);
        struct dynkv_object object;

        if (!is_hint_of(sim, cell, key))
            continue;
        object = oracle_object(sim, dynkv_buf_slice(&cell->record));
        visit(sim, key, &object, context);
    }
}

/* One that lost its store and goes on under its old name holds nothing that counts. */
static bool oracle_counts(const struct sim_node *node)
{
    return !node->is_excluded && !node->has_left && !(node->is_wiped && node->id == node->old_id);
}

bool oracle_disk_has(struct sim *sim, struct sim_node *node, const struct sim_key *key,
                     struct dynkv_dot dot)
{
    struct dynkv_object held = oracle_held(sim, node, key);

    return dynkv_version_covers(&held.version, dot) ||
           disk_hints_at(sim, &node->disk, node->life, key, dot);
}

uint32_t oracle_hint_holders(struct sim *sim, const struct sim_key *key, struct dynkv_dot dot)
{
    uint32_t holders = 0;

    for (uint32_t i = 0; i < sim->node_count; i++)
        if (oracle_counts(&sim->nodes[i]) &&
            disk_hints_at(sim, &sim->nodes[i].disk, sim->nodes[i].life, key, dot))
            holders |= 1u << i;
    return holders;
}

uint32_t oracle_record_holders(struct sim *sim, const struct sim_key *key, struct dynkv_dot dot)
{
    uint32_t holders = 0;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        struct dynkv_object held;

        if (!node->id || !oracle_counts(node))
            continue;
        held = oracle_held(sim, node, key);
        if (dynkv_version_covers(&held.version, dot))
            holders |= 1u << i;
    }
    return holders;
}

uint32_t oracle_holders(struct sim *sim, const struct sim_key *key, struct dynkv_dot dot)
{
    return oracle_record_holders(sim, key, dot) | oracle_hint_holders(sim, key, dot);
}

uint32_t oracle_replica_holders(struct sim *sim, const struct dynkv_ring *ring,
                                const struct sim_key *key, struct dynkv_dot dot)
{
    uint64_t list[DYNKV_REPLICAS_MAX];
    uint32_t holders = 0, count = sim_key_replicas(sim, ring, key, list);

    for (uint32_t i = 0; i < count; i++) {
        struct sim_node *node = sim_node_by_id(sim, list[i]);
        struct dynkv_object held;

        if (!node || !oracle_counts(node))
            continue;
        held = oracle_held(sim, node, key);
        if (dynkv_version_covers(&held.version, dot))
            holders |= 1u << node->index;
    }
    return holders;
}

/*
 * The fewest replicas that hold it in any ring that readers use now, or that a change which moves data will have
 * them use: so many can be promised to readers.  Where all of it was proved before it is more than that.
 */
static uint32_t oracle_fewest_holders(struct sim *sim, const struct sim_key *key,
                                      struct dynkv_dot dot)
{
    uint32_t fewest = UINT32_MAX;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        const struct dynkv_ring *rings[2] = {NULL, NULL};

        if (!sim_node_serves(node))
            continue;
        rings[0] = dynkv_node_ring(node->core);
        if (dynkv_node_stage(node->core).phase >= DYNKV_CHANGE_MOVING)
            rings[1] = dynkv_node_other_ring(node->core);
        for (uint32_t j = 0; j < 2 && rings[j]; j++) {
            uint32_t count =
                (uint32_t)__builtin_popcount(oracle_replica_holders(sim, rings[j], key, dot));

            if (count < fewest)
                fewest = count;
        }
    }
    return fewest == UINT32_MAX ? 0 : fewest;
}

/* ---- acknowledgements, and what readers may count on ---- */

struct sim_applied *oracle_answered(struct sim *sim, const struct sim_write *write,
                                    const struct dynkv_put_result *result)
{
    struct dynkv_version version;

    if (dynkv_version_parse(result->context, &sim->step_arena, &version))
        return NULL;
    for (struct sim_applied *it = write->key->applied; it; it = it->next_of_key)
        if (it->timestamp == result->timestamp && dynkv_version_covers(&version, it->dot) &&
            (it->write == write || it->flags & DYNKV_SIBLING_TOMBSTONE))
            return it;
    return NULL;
}

void oracle_acknowledge(struct sim *sim, struct sim_write *write,
                        const struct dynkv_put_result *result)
{
    struct sim_key *key = write->key;
    struct sim_applied *applied = oracle_answered(sim, write, result);
    uint32_t holders;

    if (!applied) {
        sim_violation(sim, "11", "%s: write %u was answered OK, but no such write was applied",
                      sim_key_text(key), write->number);
        return;
    }
    if (oracle_is_reaped(key, applied->dot))
        return; /* nobody will read it any more */
    holders = oracle_fewest_holders(sim, key, applied->dot);
    applied->is_acknowledged = applied->is_durable = true;
    /* A disk may have been lost since it counted: promise no more than is there. */
    if (holders > write->w)
        holders = write->w;
    if (!oracle_holders(sim, key, applied->dot))
        applied->may_be_lost = true;
    else if (holders)
        key->acknowledged[holders] =
            dynkv_version_add(&key->acknowledged[holders], applied->dot, &sim->arena);
}

struct dynkv_version oracle_need(struct sim *sim, const struct sim_key *key, uint32_t r)
{
    struct dynkv_version need = {0};
    const uint32_t n = sim->keyspaces[key->keyspace].plan.n;

    for (uint32_t w = 1; w <= n; w++)
        if (w + r > n)
            need = dynkv_version_merge(&need, &key->acknowledged[w], &sim->arena);
    return need;
}

static void disk_lost_key(struct sim *sim, struct sim_node *node, struct sim_key *key,
                          struct sim_disk *now)
{
    struct dynkv_object before = oracle_on_disk(sim, &node->disk, key);
    struct dynkv_object after = oracle_on_disk(sim, now, key);
    bool lost = false;

    for (struct sim_applied *it = key->applied; it; it = it->next_of_key) {
        bool had = dynkv_version_covers(&before.version, it->dot);
        bool has = dynkv_version_covers(&after.version, it->dot);
        bool hinted = disk_hints_at(sim, &node->disk, NO_LIFE, key, it->dot);
        bool hints = disk_hints_at(sim, now, NO_LIFE, key, it->dot);

        /* A hint that is left does not stand for a record: nobody reads it. */
        if (!(had || hinted) || has || (!had && hints))
            continue;
        lost = true;
        it->lost_from |= 1u << node->index;
        if (!hints && !(oracle_holders(sim, key, it->dot) & ~(1u << node->index)))
            it->may_be_lost = true;
    }
    if (!lost)
        return;
    key->loss_epoch++;
    memset(key->acknowledged, 0, sizeof key->acknowledged);
}

void check_on_disk_lost(struct sim *sim, struct sim_node *node, const struct sim_disk *now)
{
    struct sim_disk copy = *now; /* looked at only */

    for (uint32_t i = 0; i < sim->swarm.keys; i++)
        disk_lost_key(sim, node, &sim->keys[i], &copy);
    check_reap_restored(sim, &copy);
}

/* ---- changes ---- */

static struct sim_applied *oracle_add_applied(struct sim *sim, const struct sim_change *change,
                                              struct sim_write *write,
                                              const struct dynkv_sibling *sibling)
{
    struct sim_applied *applied = dynkv_arena_calloc(&sim->arena, 1, sizeof *applied);
    const struct dynkv_version *context =
        write->item_flags & DYNKV_PUT_HAS_CONTEXT ? &write->context : &change->before.version;

    applied->write = write;
    applied->dot = sibling->dot;
    applied->context = dynkv_version_merge(context, &(struct dynkv_version){0}, &sim->arena);
    applied->timestamp = sibling->timestamp;
    applied->expires_at_ms = sibling->expires_at_ms;
    applied->value_hash = dynkv_hash(sibling->value, 0);
    applied->flags = sibling->flags;
    applied->node = change->node->index;
    applied->life = change->node->life;
    applied->may_be_lost = change->node->is_excluded; /* it has not heard so: nobody will ask it */
    write->is_applied = true;
    applied->next_of_key = change->key->applied;
    change->key->applied = applied;
    dynkv_map_add(&sim->dots, &applied->by_dot,
                  dynkv_hash_pair(applied->dot.actor, applied->dot.counter));
    return applied;
}

/* Whether this delete, put to the object before, gives the object after. */
static bool delete_explains(struct sim *sim, const struct sim_change *change,
                            const struct sim_write *write, const struct dynkv_sibling *sibling)
{
    const struct dynkv_version *context =
        write->item_flags & DYNKV_PUT_HAS_CONTEXT ? &write->context : &change->before.version;
    struct dynkv_object out;
    struct dynkv_buf bytes = {0};
    bool same;

    if (write->stamp && write->stamp != sibling->timestamp)
        return false;
    if (dynkv_object_put(&change->before, context, sibling, &sim->step_arena, &out))
        return false;
    dynkv_object_encode(&out, &bytes);
    same = dynkv_slice_equal(dynkv_buf_slice(&bytes), change->after_bytes);
    dynkv_buf_fini(&bytes);
    return same;
}

static struct sim_write *oracle_delete_of(struct sim *sim, const struct sim_change *change,
                                          const struct dynkv_sibling *sibling)
{
    struct sim_write *any = NULL;

    for (struct sim_write *it = change->key->writes; it; it = it->next_of_key)
        if (it->item_flags & DYNKV_PUT_DELETE && it->stamp && it->is_asked &&
            delete_explains(sim, change, it, sibling))
            return it;
    for (struct sim_write *it = change->key->writes; it; it = it->next_of_key) {
        if (!(it->item_flags & DYNKV_PUT_DELETE) || !it->is_asked)
            continue;
        if (!any || (any->is_applied && !it->is_applied))
            any = it;
        if (!it->is_applied && delete_explains(sim, change, it, sibling))
            return it;
    }
    for (struct sim_write *it = change->key->writes; it; it = it->next_of_key)
        if (it->item_flags & DYNKV_PUT_DELETE && it->is_asked &&
            delete_explains(sim, change, it, sibling))
            return it;
    return any; /* the checker of puts will say what is wrong */
}

/* The sibling that a put on this node made, if that is what happened. */
static const struct dynkv_sibling *change_new_sibling(struct sim *sim,
                                                      const struct sim_change *change)
{
    for (uint32_t i = 0; i < change->after.sibling_count; i++) {
        const struct dynkv_sibling *sibling = &change->after.siblings[i];

        /* A fallback that coordinates stamps with an actor made for the hint. */
        if ((change->is_hint || sibling->dot.actor == change->node->actor ||
             sibling->dot.actor == change->node->actor_before) &&
            !oracle_applied(sim, sibling->dot))
            return sibling;
    }
    return NULL;
}

static void oracle_take_put(struct sim *sim, struct sim_change *change,
                            const struct dynkv_sibling *sibling)
{
    struct sim_write *write = sibling->flags & DYNKV_SIBLING_TOMBSTONE
                                  ? oracle_delete_of(sim, change, sibling)
                                  : oracle_write_of(sim, sibling);

    if (!write || write->key != change->key || !write->is_asked) {
        sim_violation(sim, "11", "%s: %s stored %s, whose value nobody wrote to this key",
                      sim_key_text(change->key), change->node->name,
                      sim_dot_text(sim, sibling->dot));
        return;
    }
    check_once(sim, change, write);
    check_whole(sim, change, write, sibling);
    check_put_result(sim, change, write, sibling);
    check_clock_change(sim, change, write, sibling);
    check_stamped(sim, change, write, sibling);
    change->applied = oracle_add_applied(sim, change, write, sibling);
    SIM_TRACE(sim, "%s applies write %u to %s: %s", change->node->name, write->number,
              sim_key_text(change->key), sim_dot_text(sim, sibling->dot));
}

static void oracle_note_durable(struct sim *sim, const struct dynkv_object *object)
{
    for (uint32_t i = 0; i < object->sibling_count; i++) {
        struct sim_applied *applied = oracle_applied(sim, object->siblings[i].dot);

        if (applied)
            applied->is_durable = true;
    }
}

struct state_node {
    struct dynkv_map_node by_hash;
};

/* An object that was not looked at before is looked at closely. */
static void oracle_state(struct sim *sim, const struct sim_node *node, struct sim_key *key,
                         const struct dynkv_object *object)
{
    uint64_t digest = dynkv_object_digest(object);
    struct state_node *state;

    if (dynkv_map_find(&key->states, digest))
        return;
    state = dynkv_arena_calloc(&sim->arena, 1, sizeof *state);
    dynkv_map_add(&key->states, &state->by_hash, digest);
    check_return(sim, key, object);
    check_vanish_state(sim, key, object);
    if (node)
        check_merge_laws(sim, node, key, object);
}

/* A record is deleted because it was reaped. */
static void oracle_record_gone(struct sim *sim, struct sim_node *node, struct sim_key *key,
                               struct sim_cell *cell)
{
    const struct dynkv_buf *before =
        cell->newest_life == node->life ? &cell->newest : &cell->record;
    struct dynkv_object object = oracle_object(sim, dynkv_buf_slice(before));

    sim->repair.reaped += sim->repair.is_watched;
    if (key)
        check_reap(sim, node, key, &object);
    dynkv_buf_reset(&cell->newest);
    cell->newest_life = node->life;
}

/*
 * A hint is deleted because its member said that it has it.  If that one's disk was lost since, or it was excluded,
 * which this node has not heard, what only the two of them had is gone with it; if not, it has to be there, which
 * the last checks see.
 */
static void oracle_hint_gone(struct sim *sim, struct sim_node *node, struct sim_key *key,
                             struct sim_cell *cell)
{
    struct dynkv_object hint = oracle_object(sim, dynkv_buf_slice(&cell->record));
    const struct sim_node *home = sim_node_by_id(sim, cell->keyspace);

    if (key)
        check_hint_gone(sim, node, key, cell->keyspace, &hint);

    dynkv_buf_reset(&cell->newest);
    cell->newest_life = node->life;
    for (struct sim_applied *it = key ? key->applied : NULL; it; it = it->next_of_key)
        if ((it->lost_from || (home && home->is_excluded)) &&
            dynkv_version_covers(&hint.version, it->dot) &&
            !(oracle_holders(sim, key, it->dot) & ~(1u << node->index)))
            it->may_be_lost = true;
}

struct dynkv_object oracle_cell_object(struct sim *sim, const struct sim_node *node,
                                       const struct sim_cell *cell)
{
    return oracle_object(
        sim, dynkv_buf_slice(cell->newest_life == node->life ? &cell->newest : &cell->record));
}

void check_on_changed(struct sim *sim, struct sim_node *node,
                      const struct dynkv_effect_store *store)
{
    struct sim_change change = {.node = node, .is_hint = store->space == DYNKV_SPACE_HINTS};
    uint64_t keyspace = store->keyspace;
    struct dynkv_slice bytes = store->key;
    const struct dynkv_sibling *new_sibling;
    struct sim_cell *cell;
    struct dynkv_buf *before;

    if (change.is_hint) {
        keyspace = hint_keyspace(store->key);
        bytes = dynkv_slice(store->key.data + HINT_PREFIX, store->key.len - HINT_PREFIX);
        cell = sim_disk_hint(&node->disk, store->keyspace, store->key, true);
    } else {
        cell = sim_disk_cell(&node->disk, store->partition, store->keyspace, store->key, true);
    }
    change.key = oracle_key(sim, keyspace, bytes);
    if (store->kind == DYNKV_STORE_DELETE) {
        (change.is_hint ? oracle_hint_gone : oracle_record_gone)(sim, node, change.key, cell);
        return;
    }
    if (!change.key || (!change.is_hint && change.key->partition != store->partition)) {
        sim_violation(sim, "10", "%s stored a key that nobody wrote, or in a wrong partition",
                      node->name);
        return;
    }
    before = cell->newest_life == node->life ? &cell->newest : &cell->record;
    change.before_bytes = oracle_record_object(dynkv_buf_slice(before));
    change.after_bytes = oracle_record_object(store->record);
    change.before = oracle_object(sim, dynkv_buf_slice(before));
    change.after = oracle_object(sim, store->record);
    if (sim->report.found)
        return;
    new_sibling = change_new_sibling(sim, &change);
    if (new_sibling)
        oracle_take_put(sim, &change, new_sibling);
    check_dots(sim, change.key, &change.after, node->name);
    if (!change.is_hint)
        check_identity(sim, node, change.key);
    check_merge(sim, &change);
    check_vanish_change(sim, &change);
    check_stays(sim, &change);
    check_limits_change(sim, &change);
    check_reaped(sim, change.key, &change.after, node->name);
    oracle_state(sim, node, change.key, &change.after);
    dynkv_buf_reset(&cell->newest);
    dynkv_put_raw(&cell->newest, store->record);
    cell->newest_life = node->life;
}

void check_on_durable(struct sim *sim, struct sim_node *node,
                      const struct dynkv_effect_store *store)
{
    struct dynkv_object object = oracle_object(sim, store->record);

    if (sim->options->trace)
        sim_trace(sim, "%s has on disk %.*s %s", node->name, (int)store->key.len,
                  (const char *)store->key.data, sim_version_text(sim, &object.version));
    if (!node->is_excluded) /* else it may be nowhere but here, and nobody asks here any more */
        oracle_note_durable(sim, &object);
}

/*
 * A client that asks the replicas itself may have heard one before a key was reaped and written anew, and another
 * after: it sees both, beside each other, this once.
 */
void check_on_seen(struct sim *sim, const struct sim_need *need, const struct dynkv_object *object)
{
    check_dots(sim, need->key, object, "a reply");
    oracle_note_durable(sim, object);
    if (need->key->reaped_us < need->since_us)
        oracle_state(sim, NULL, need->key, object);
}

/* ---- replies, ticks ---- */

static void reply_put(struct sim *sim, struct sim_client *client, struct sim_node *node,
                      const struct dynkv_put_reply *reply)
{
    for (uint32_t i = 0; i < reply->result_count && i < SIM_BATCH_MAX; i++) {
        const struct sim_write *write = client ? client->writes[i] : sim->probe_write;

        if (!write)
            break;
        SIM_TRACE(sim, "%s answers write %u: %s, %u acks", node->name, write->number,
                  dynkv_error_name((enum dynkv_error)reply->results[i].error),
                  reply->results[i].acks);
        if (reply->results[i].error == DYNKV_OK) {
            check_acks(sim, node, write, &reply->results[i]);
            check_put_answer(sim, write, &reply->results[i]);
        }
        if (reply->results[i].error && reply->results[i].error != DYNKV_UNAVAILABLE && client &&
            client->tries == 1 && !sim->swarm.duplicate)
            check_refused(sim, node, write, (enum dynkv_error)reply->results[i].error);
        if (reply->results[i].error == DYNKV_SIBLINGS_LIMIT && sim_ring_is_first(sim) &&
            sim_key_is_on(sim, dynkv_node_ring(node->core), write->key, node->id))
            node->refused_replies++; /* refused here, not by a node it was sent on to */
    }
}

void check_on_reply(struct sim *sim, struct sim_node *node, const struct dynkv_effect_reply *reply)
{
    struct sim_client *client = sim_client_of_token(sim, reply->client);
    struct dynkv_envelope envelope = {0};
    union dynkv_body body;

    sim_hash(sim, dynkv_hash(reply->message, reply->client));
    if (!client && !(reply->client == sim->probe_token && sim->probe_write))
        return;
    if (reply->message.data[1] != DYNKV_MESSAGE_PUT_REPLY)
        return;
    if (dynkv_message_decode(reply->message, &sim->step_arena, &envelope, &body)) {
        sim_violation(sim, "11", "%s sent a reply that cannot be decoded", node->name);
        return;
    }
    if (client && client->kind != SIM_OP_PUT)
        return;
    reply_put(sim, client, node, &body.put_reply);
}

void check_on_sent(struct sim *sim, struct sim_node *node, uint32_t first)
{
    for (uint32_t i = first; i < node->effects.send_count; i++)
        sim_hash(sim, dynkv_hash(node->effects.sends[i].message, node->index));
    sim_rings_note(sim, node);
    check_identity_sent(sim, node, first);
    check_limits_sent(sim, node, first);
    check_repair_sent(sim, node, first);
}

void check_on_tick(struct sim *sim, struct sim_node *node)
{
    check_change_tick(sim, node);
    if (sim->now_us / (DYNKV_TICK_MS * SIM_MS) % 16 != node->index)
        return; /* now and then is enough */
    check_ring(sim, node);
    check_limits_tick(sim, node);
    check_trees(sim, node);
}

void oracle_fini(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_KEYS_MAX; i++)
        dynkv_map_fini(&sim->keys[i].states);
    dynkv_map_fini(&sim->key_map);
    dynkv_map_fini(&sim->dots);
    free(sim->writes);
}
