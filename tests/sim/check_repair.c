/*
 * check_repair.c: invariant 16: what anti-entropy sends is in proportion to what differs: an object goes once to
 * a replica that lacks it, finding it costs a bounded number of bytes, and where nothing differs nothing is
 * sent but roots.
 *
 * Counted on the wire, while clients rest and no read repairs anything: then every object that a node sends
 * to another is anti-entropy's.
 */
#include "check.h"
#include "wire/message.h"

/*
 * To find one object: sums of some nodes on three levels, and the keys of a leaf, there and back.  A peer that
 * serves another is asked again; a key is named with its version, which grows with crashes.
 */
#define FIND_BYTES  5000u
#define FIND_LEAVES 2u

static uint32_t objects_in(const struct dynkv_get_reply *reply)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < reply->result_count; i++)
        count += reply->results[i].object.len != 0;
    return count;
}

static void repair_count(struct sim *sim, struct dynkv_slice message)
{
    struct sim_repair *repair = &sim->repair;
    struct dynkv_envelope envelope;
    union dynkv_body body;

    switch (message.data[1]) {
    case DYNKV_MESSAGE_TREE_NODES:
    case DYNKV_MESSAGE_TREE_NODES_REPLY:
    case DYNKV_MESSAGE_LEAF_KEYS:
    case DYNKV_MESSAGE_LEAF_KEYS_REPLY:
        repair->find_bytes += message.len;
        break;
    case DYNKV_MESSAGE_REPLICATE:
    case DYNKV_MESSAGE_GET_REPLY:
        break;
    default:
        return;
    }
    if (dynkv_message_decode(message, &sim->step_arena, &envelope, &body))
        return;
    if (envelope.type == DYNKV_MESSAGE_REPLICATE)
        repair->objects += body.replicate.item_count;
    else if (envelope.type == DYNKV_MESSAGE_GET_REPLY)
        repair->objects += objects_in(&body.get_reply);
    else if (envelope.type == DYNKV_MESSAGE_LEAF_KEYS)
        repair->leaves += body.leaf_keys.leaf_count;
}

void check_repair_sent(struct sim *sim, const struct sim_node *node, uint32_t first)
{
    if (!sim->repair.is_watched)
        return;
    for (uint32_t i = first; i < node->effects.send_count; i++)
        repair_count(sim, node->effects.sends[i].message);
}

void check_repair(struct sim *sim, uint32_t written)
{
    const struct sim_repair *repair = &sim->repair;
    uint32_t differing = written + (uint32_t)repair->reaped;

    if (repair->objects > differing)
        sim_violation(sim, "16", "%u objects differed, and anti-entropy sent %llu", differing,
                      (unsigned long long)repair->objects);
    if (repair->leaves > (uint64_t)FIND_LEAVES * differing)
        sim_violation(sim, "16", "%u objects differed, and anti-entropy looked into %llu leaves",
                      differing, (unsigned long long)repair->leaves);
    if (repair->find_bytes > (uint64_t)FIND_BYTES * differing)
        sim_violation(sim, "16", "%u objects differed, and finding them took %llu bytes", differing,
                      (unsigned long long)repair->find_bytes);
}
