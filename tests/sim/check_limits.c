/*
 * check_limits.c: invariant 12: queues, objects and hints stay within their limits, and what is refused for
 * them is counted.
 */
#include "check.h"
#include "wire/message.h"

#define OPERATIONS_MAX 100000u /* CORE_OPS_MAX */
#define HINT_PREFIX    12u     /* of a hint's key in the store: partition and keyspace */

void check_limits_change(struct sim *sim, const struct sim_change *change)
{
    if (change->applied && change->after.sibling_count > DYNKV_SIBLINGS_MAX)
        sim_violation(sim, "12", "%s: a put on %s left %u siblings", sim_key_text(change->key),
                      change->node->name, change->after.sibling_count);
}

/* REPLICATE that found no room for a hint. */
void check_limits_sent(struct sim *sim, struct sim_node *node, uint32_t first)
{
    for (uint32_t i = first; i < node->effects.send_count; i++) {
        struct dynkv_slice message = node->effects.sends[i].message;
        struct dynkv_envelope envelope;
        union dynkv_body body;

        if (message.data[1] == DYNKV_MESSAGE_REPLICATE_REPLY &&
            !dynkv_message_decode(message, &sim->step_arena, &envelope, &body) &&
            body.replicate_reply.error == DYNKV_OVERLOADED)
            node->refused_hints++;
    }
}

/* As many, and as big, as the node has them, on disk or on the way there. */
static void limits_hints(struct sim *sim, const struct sim_node *node)
{
    uint64_t count = 0, bytes = 0;

    for (struct dynkv_avl_node *it = dynkv_avl_first(&node->disk.hints); it;
         it = dynkv_avl_next(it)) {
        const struct sim_cell *cell = DYNKV_CONTAINER(it, struct sim_cell, node);
        struct dynkv_slice record =
            dynkv_buf_slice(cell->newest_life == node->life ? &cell->newest : &cell->record);

        count += record.len != 0;
        if (record.len)
            bytes += oracle_record_object(record).len + cell->key.len - HINT_PREFIX;
    }
    if ((sim->swarm.hints_max && count > sim->swarm.hints_max) ||
        (sim->swarm.hints_bytes_max && bytes > sim->swarm.hints_bytes_max))
        sim_violation(sim, "12", "%s keeps %llu hints of %llu bytes, and may keep %u of %u",
                      node->name, (unsigned long long)count, (unsigned long long)bytes,
                      sim->swarm.hints_max, sim->swarm.hints_bytes_max);
}

static void limits_counted(struct sim *sim, const struct sim_node *node, const char *counter,
                           uint64_t told, const char *what)
{
    uint64_t counted = sim_node_counter(sim, node, counter);

    if (counted < told)
        sim_violation(sim, "12", "%s refused %llu %s, and counted %llu", node->name,
                      (unsigned long long)told, what, (unsigned long long)counted);
}

void check_limits_tick(struct sim *sim, struct sim_node *node)
{
    if (sim_node_counter(sim, node, "operations_in_flight") > OPERATIONS_MAX)
        sim_violation(sim, "12", "%s has more operations in flight than it may", node->name);
    limits_counted(sim, node, "siblings_refused", node->refused_replies,
                   "writes for their siblings");
    limits_counted(sim, node, "hints_refused", node->refused_hints, "messages for want of room");
    limits_hints(sim, node);
}
