/*
 * check_acks.c: invariants 3 and 10: what is acknowledged is on that many replicas' disks and stays there;
 * only replicas, under an identity that never lost its data, hold keys and answer for them.
 */
#include "check.h"

void check_acks(struct sim *sim, const struct sim_write *write,
                const struct dynkv_put_result *result)
{
    const struct sim_applied *applied = oracle_answered(sim, write, result);
    uint32_t had, now = 0;

    if (applied && oracle_is_reaped(write->key, applied->dot))
        return; /* all replicas had it, or what had seen it */
    had = applied ? applied->lost_from : 0;
    if (applied)
        now = oracle_holders(sim, write->key, applied->dot);
    if (__builtin_popcount(now | had) >= write->w && __builtin_popcount(now | had) >= result->acks)
        return;
    sim_violation(sim, "3",
                  "%s: write %u (w=%u) was answered OK with %u acknowledgements, but %d replicas "
                  "have it on disk",
                  sim_key_text(write->key), write->number, write->w, result->acks,
                  __builtin_popcount(now | had));
}

void check_stays(struct sim *sim, const struct sim_change *change)
{
    enum dynkv_version_order order =
        dynkv_version_compare(&change->after.version, &change->before.version);

    if (order != DYNKV_VERSION_EQUAL && order != DYNKV_VERSION_AFTER)
        sim_violation(sim, "3", "%s: the version on %s went back from %s to %s",
                      sim_key_text(change->key), change->node->name,
                      sim_version_text(sim, &change->before.version),
                      sim_version_text(sim, &change->after.version));
}

void check_identity(struct sim *sim, const struct sim_node *node, const struct sim_key *key)
{
    for (uint32_t i = 0; i < key->replica_count; i++)
        if (key->replicas[i] == node->id)
            return;
    sim_violation(sim, "10", "%s: %s stored it, and is no replica of it", sim_key_text(key),
                  node->name);
}

void check_identity_sent(struct sim *sim, const struct sim_node *node, uint32_t first)
{
    if (!node->is_wiped || node->id != node->old_id)
        return;
    for (uint32_t i = first; i < node->effects.send_count; i++) {
        uint8_t type = node->effects.sends[i].message.data[1];

        if (type == DYNKV_MESSAGE_REPLICATE_REPLY || type == DYNKV_MESSAGE_GET_REPLY ||
            type == DYNKV_MESSAGE_VERIFY_REPLY)
            sim_violation(sim, "10", "%s lost its store and answers %s as if it had not",
                          node->name, dynkv_message_name(type));
    }
}
