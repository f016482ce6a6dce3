/*
 * check_tree.c: invariant 6: a live hash tree is the one that is made from the store, whatever happened to
 * the node, and in whatever order.
 *
 * What the store will hold once all that is on its way has arrived is known of each cell (its newest record).
 */
#include "check.h"
#include "model/merkle.h"

/* The trees of one keyspace, one a partition. */
struct tree_row {
    struct dynkv_merkle *trees;
};

static struct dynkv_slice cell_newest(const struct sim_node *node, const struct sim_cell *cell)
{
    return dynkv_buf_slice(cell->newest_life == node->life ? &cell->newest : &cell->record);
}

static uint32_t keyspace_index(const struct sim *sim, uint64_t id)
{
    uint32_t i = 0;

    while (i < sim->swarm.keyspace_count && sim->keyspaces[i].id != id)
        i++;
    return i;
}

/* All trees, from the cells. */
static struct tree_row *rows_make(struct sim *sim, const struct sim_node *node)
{
    struct tree_row *rows =
        dynkv_arena_calloc(&sim->step_arena, sim->swarm.keyspace_count, sizeof *rows);

    for (uint32_t i = 0; i < sim->swarm.keyspace_count; i++)
        rows[i].trees =
            dynkv_arena_calloc(&sim->step_arena, sim->swarm.partitions, sizeof *rows[i].trees);
    for (struct dynkv_avl_node *it = dynkv_avl_first(&node->disk.cells); it;
         it = dynkv_avl_next(it)) {
        const struct sim_cell *cell = DYNKV_CONTAINER(it, struct sim_cell, node);
        struct dynkv_slice record = cell_newest(node, cell);
        uint32_t row = keyspace_index(sim, cell->keyspace);
        struct dynkv_object object;

        if (record.len == 0 || row == sim->swarm.keyspace_count)
            continue;
        object = oracle_object(sim, record);
        dynkv_merkle_replace(&rows[row].trees[cell->partition], cell->key,
                             (struct dynkv_merkle_value){0}, dynkv_merkle_value(&object));
    }
    return rows;
}

static void rows_free(const struct sim *sim, struct tree_row *rows)
{
    for (uint32_t i = 0; i < sim->swarm.keyspace_count; i++)
        for (uint32_t p = 0; p < sim->swarm.partitions; p++)
            dynkv_merkle_fini(&rows[i].trees[p]);
}

static bool tree_equal(const struct dynkv_merkle *live, const struct dynkv_merkle *made)
{
    static const struct dynkv_merkle empty;

    if (!live)
        live = &empty;
    return live->root == made->root && memcmp(live->counts, made->counts, sizeof live->counts) == 0;
}

void check_trees(struct sim *sim, struct sim_node *node)
{
    struct tree_row *rows;

    if (!sim_node_serves(node) || node->disk_bad)
        return;
    rows = rows_make(sim, node);
    for (uint32_t i = 0; i < sim->swarm.keyspace_count; i++)
        for (uint32_t p = 0; p < sim->swarm.partitions; p++) {
            const struct dynkv_merkle *made = &rows[i].trees[p];
            bool ready;
            const struct dynkv_merkle *live =
                dynkv_node_tree(node->core, sim->keyspaces[i].id, p, &ready);

            if (ready && !tree_equal(live, made))
                sim_violation(sim, "6",
                              "%s: the tree of %s, partition %u, has %llu keys and root %016llx; "
                              "made from the store it has %llu and %016llx",
                              node->name, sim->keyspaces[i].name, p,
                              (unsigned long long)(live ? dynkv_merkle_keys(live) : 0),
                              (unsigned long long)(live ? live->root : 0),
                              (unsigned long long)dynkv_merkle_keys(made),
                              (unsigned long long)made->root);
        }
    rows_free(sim, rows);
}
