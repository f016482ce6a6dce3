/*
 * restart.c: which actor stamps what this run writes.
 *
 * An entry of a version vector says "all of this actor's writes of this key up to here".  So an actor may go on
 * only in a store that has every write which it ever stamped; else a new one takes its place, whose number
 * is this run's.  What it costs is an entry in the vectors of the keys that it will write.
 *
 *   UNCLEAN   The last run crashed.  It sent objects before they were durable here (op_put.c), so others may
 *             know dots that this store has lost: a new actor.
 *   DOUBT     The last run stopped cleanly, everything it did is stored.  But the folder may be an old copy
 *             that was put back, and later runs have used the actor since: others are asked.
 *   NONE      Decided.  Evidence of a later run is heeded still, whenever it comes.
 *
 * A start raises the incarnation of the member, and draws the number of the run at random; both stand in its
 * record.  A copy made before has the lower incarnation; the one that it begins with is at most that of the
 * first run after it.  So a member that knows a later run does not take the copy's record over, and answers
 * with the one it has.  An actor goes on when all that are asked answer that they have, and have saved, the
 * record of this run: those are the first members by id, so that a later start asks the same ones.  One that
 * is silent, or was not a member yet, is no proof: a new actor.  That is never wrong.
 *
 * A run that is stopped while in doubt has not stopped cleanly: the next one would ask about this one only, which
 * the others know, and not about those that this one has not heard of.
 *
 * Weak: if all that were asked have been replaced, or lost their stores, or were put back to copies of the
 * same age, nobody knows.  Neither does a node that is alone.
 */
#include "core/node_impl.h"

struct restart_op {
    struct op op;
    uint32_t waiting; /* members that have not answered */
};

static void restart_renew(struct dynkv_node *node, const char *because)
{
    node->restart = RESTART_NONE;
    node_log(node, DYNKV_LOG_WARNING, "this store goes on as a new actor: %s", because);
    lease_renew(node);
}

void restart_is_old_copy(struct dynkv_node *node, const char *because)
{
    if (node->actor == node->run || mutant_is(node, DYNKV_MUTANT_RESTORE_KEEPS_ACTOR))
        return;
    node_log(node, DYNKV_LOG_WARNING, "the store is an old copy of this node's: %s", because);
    node->counters.unsure = true;
    restart_renew(node, "it was put back after a later run");
}

/* ---- asking ---- */

static void restart_settle(struct dynkv_node *node, struct op *op, const char *silent)
{
    op_end(node, op);
    if (node->restart != RESTART_DOUBT)
        return; /* something else has decided */
    node->restart = RESTART_NONE;
    if (silent) {
        restart_renew(node, silent);
        return;
    }
    node->counters.unsure = false;
    lease_tick(node);
}

static void restart_send(struct dynkv_node *node, struct op *op, uint32_t sub)
{
    struct dynkv_member record = node->self->info;
    struct dynkv_restarted body = {.members = &record, .member_count = 1};

    node_send(node, members_find(node, op->subs[sub].peer), DYNKV_MESSAGE_RESTARTED,
              op_token(op, sub), 0, &body);
}

static void restart_on_answer(struct dynkv_node *node, struct op *op, uint32_t sub,
                              const struct dynkv_envelope *envelope, const union dynkv_body *body)
{
    struct restart_op *restart = (struct restart_op *)op;
    const struct dynkv_member *record;

    (void)sub;
    if (!body || envelope->type != DYNKV_MESSAGE_RESTARTED_REPLY ||
        body->restarted_reply.member_count != 1) {
        restart_settle(node, op, "a member could not be asked whether it knows a later run of it");
        return;
    }
    record = body->restarted_reply.members;
    if (record->id == node->id)
        members_merge(node, record); /* which sees whether it is another run's */
    if (node->restart != RESTART_DOUBT || --restart->waiting == 0)
        restart_settle(node, op, NULL);
}

/* Those that are just starting, too, did not hear the first question. */
static void restart_on_slow(struct dynkv_node *node, struct op *op, uint32_t sub)
{
    restart_send(node, op, sub);
    op->subs[sub].slow_ms = node->mono_ms + CORE_HEDGE_MS;
}

static void restart_on_deadline(struct dynkv_node *node, struct op *op)
{
    restart_settle(node, op, "not all members answered whether they know a later run of it");
}

static const struct op_class restart_class = {
    .name = "restart",
    .is_upkeep = true,
    .on_answer = restart_on_answer,
    .on_slow = restart_on_slow,
    .on_deadline = restart_on_deadline,
};

static void restart_ask(struct dynkv_node *node)
{
    static const struct source nobody = {0};
    struct restart_op *restart =
        op_new(node, &restart_class, sizeof *restart, &nobody, CORE_RESTART_MS);

    for (uint32_t i = 0; i < node->member_count && restart->waiting < CORE_RESTART_ASKED; i++) {
        const struct member *member = node->members[i];

        if (member == node->self || !member_counts(member))
            continue;
        restart->waiting++;
        restart_send(node, &restart->op, op_ask(node, &restart->op, member->info.id, NULL));
    }
    if (restart->waiting == 0)
        restart_settle(node, &restart->op, NULL);
}

void restart_begin(struct dynkv_node *node)
{
    if (node->restart == RESTART_UNCLEAN)
        restart_renew(node, "its last run did not stop cleanly");
    else if (node->restart == RESTART_DOUBT && mutant_is(node, DYNKV_MUTANT_RESTORE_KEEPS_ACTOR))
        node->restart = RESTART_NONE;
    else if (node->restart == RESTART_DOUBT)
        restart_ask(node);
}

/* ---- answering ---- */

struct restarted_op {
    struct op op;
};

static void restarted_on_stored(struct dynkv_node *node, struct op *op, uint32_t item,
                                enum dynkv_error error)
{
    const struct member *member = members_find(node, op->source.peer);
    struct dynkv_member record;
    struct dynkv_restarted_reply reply = {.members = &record, .member_count = 1};

    (void)item;
    if (!error) {
        record = member->info;
        node_answer(node, &op->source, DYNKV_MESSAGE_RESTARTED_REPLY, &reply);
    }
    op_end(node, op);
}

static const struct op_class restarted_class = {
    .name = "restarted",
    .is_upkeep = true,
    .on_stored = restarted_on_stored,
    .on_deadline = op_end,
};

void on_restarted(struct dynkv_node *node, const struct source *source,
                  const struct dynkv_restarted *body)
{
    struct op *op;

    if (body->member_count != 1 || body->members->id != source->peer)
        return;
    if (members_merge(node, body->members))
        members_settle(node);
    op = op_new(node, &restarted_class, sizeof *op, source, 0);
    state_save(node, op_token(op, 0));
}
