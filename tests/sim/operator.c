/*
 * operator.c: the one who changes the cluster's membership: adds nodes, has members leave, replaces the dead,
 * changes its mind; and in the end sees to it that no change is left half done.
 *
 * It sends its requests to some member, like dynkv cluster does, and looks at nothing but the state of the nodes:
 * an answer may be lost.
 */
#include "check.h"
#include "sim.h"

#define OPERATOR_TOKEN 0xfeu
#define SPARES_MAX     3u /* nodes that are added in a seed */
#define HEAL_CHANGE_S  90u
#define HEAL_CANCEL_S  30u
#define HEAL_LEAVE_S   60u

static void operator_ask(struct sim *sim, const struct sim_node *node, uint8_t action,
                         const char *name, const char *other)
{
    struct dynkv_envelope envelope = {.type = DYNKV_MESSAGE_CLUSTER_CHANGE};
    struct dynkv_cluster_change body = {
        .action = action, .name = dynkv_slice_text(name), .other = dynkv_slice_text(other)};

    SIM_TRACE(sim, "operator to %s: action %u %s %s", node->name, action, name, other);
    dynkv_buf_reset(&sim->scratch);
    dynkv_message_encode(&envelope, &body, &sim->scratch);
    sim_network_request(sim, node->index, ++sim->next_serial << 16 | OPERATOR_TOKEN,
                        dynkv_buf_slice(&sim->scratch));
}

/* ---- who is there ---- */

static bool is_candidate(const struct sim_node *node)
{
    struct dynkv_node_stage stage;

    if (!node->core || !dynkv_node_is_member(node->core))
        return false;
    stage = dynkv_node_stage(node->core);
    return !stage.is_placed && !stage.has_left && !stage.is_excluded && !node->had_place;
}

/* A node that the condition holds for, any of them with the same chance. */
static struct sim_node *operator_pick(struct sim *sim, bool (*fits)(const struct sim_node *node))
{
    struct sim_node *chosen = NULL;
    uint32_t seen = 0;

    for (uint32_t i = 0; i < sim->node_count; i++)
        if (fits(&sim->nodes[i]) && sim_below(&sim->fault_random, ++seen) == 0)
            chosen = &sim->nodes[i];
    return chosen;
}

static uint32_t operator_count(const struct sim *sim, bool (*fits)(const struct sim_node *node))
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < sim->node_count; i++)
        count += fits(&sim->nodes[i]);
    return count;
}

/* The phase that the one who is asked knows of. */
static enum dynkv_change_phase operator_phase(const struct sim_node *node)
{
    return dynkv_node_stage(node->core).phase;
}

/* ---- what it does in the safety phase ---- */

/* Whether the ones a new node asks know that it needs a plan. */
static bool knows_of_data(struct sim *sim, const struct sim_node *node)
{
    struct dynkv_status_reply status;

    if (!node->core)
        return false;
    dynkv_node_status(node->core, &sim->step_arena, &status);
    for (uint32_t i = 0; i < status.member_count; i++)
        if (status.members[i].holds_data)
            return true;
    return false;
}

static void operator_add_node(struct sim *sim)
{
    struct sim_node *node = &sim->nodes[sim->node_count];

    if (sim->node_count == SIM_NODES_MAX || sim->spares == SPARES_MAX ||
        !knows_of_data(sim, &sim->nodes[0]) || !knows_of_data(sim, &sim->nodes[1]))
        return;
    sim->spares++;
    node->index = sim->node_count++;
    node->disk_slowness = 1;
    sim_node_start(sim, node);
}

static void operator_commit(struct sim *sim, const struct sim_node *at)
{
    operator_ask(sim, at, DYNKV_CLUSTER_COMMIT, "", "");
}

static void operator_join(struct sim *sim, const struct sim_node *at)
{
    const struct sim_node *candidate = operator_pick(sim, is_candidate);

    if (!candidate) {
        operator_add_node(sim);
        return;
    }
    operator_ask(sim, at, DYNKV_CLUSTER_JOIN, candidate->name, "");
    operator_commit(sim, at);
}

static void operator_leave(struct sim *sim, const struct sim_node *at)
{
    const struct sim_node *leaver = operator_pick(sim, sim_node_serves);

    if (operator_count(sim, sim_node_serves) <= sim->swarm.nodes / 2 + 1)
        return;
    operator_ask(sim, at, DYNKV_CLUSTER_LEAVE, leaver->name, "");
    operator_commit(sim, at);
}

static bool was_wiped(const struct sim_node *node)
{
    return node->is_wiped && node->old_id != node->id;
}

static bool is_stopped(const struct sim_node *node)
{
    return !node->core && node->had_place;
}

/* The dead first; else any: a live one that is replaced becomes a leaver. */
static void operator_replace(struct sim *sim, const struct sim_node *at)
{
    const struct sim_node *old = operator_pick(sim, was_wiped);
    const struct sim_node *candidate = operator_pick(sim, is_candidate);

    if (!old || sim_percent(&sim->fault_random, 30))
        old = operator_pick(sim, is_stopped);
    if (!old)
        old = operator_pick(sim, sim_node_serves);
    if (!candidate) {
        operator_add_node(sim);
        return;
    }
    operator_ask(sim, at, DYNKV_CLUSTER_REPLACE, old->name, candidate->name);
    operator_commit(sim, at);
}

void sim_operator_act(struct sim *sim, enum sim_fault fault)
{
    const struct sim_node *at = operator_pick(sim, sim_node_serves);
    enum dynkv_change_phase phase;

    if (!at || sim->ops_done < 10)
        return;
    phase = operator_phase(at);
    if (fault == SIM_FAULT_CANCEL) {
        if (phase != DYNKV_CHANGE_NONE && sim_percent(&sim->fault_random, 30))
            operator_ask(sim, at, DYNKV_CLUSTER_CANCEL, "", "");
        return;
    }
    if (phase == DYNKV_CHANGE_STAGED) {
        operator_commit(sim, at);
        if (sim_percent(&sim->fault_random, 70))
            return;
    }
    if (phase > DYNKV_CHANGE_STAGED)
        return;
    if (fault == SIM_FAULT_JOIN)
        operator_join(sim, at);
    else if (fault == SIM_FAULT_LEAVE)
        operator_leave(sim, at);
    else
        operator_replace(sim, at);
}

/* ---- in the end ---- */

static bool is_open_somewhere(struct sim *sim)
{
    uint64_t changes = 0;

    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct dynkv_node_stage stage;

        if (!sim_node_serves(&sim->nodes[i]))
            continue;
        stage = dynkv_node_stage(sim->nodes[i].core);
        if (stage.change || (changes && changes != stage.changes + 1))
            return true;
        changes = stage.changes + 1;
    }
    return false;
}

/* Identities that will not come back keep a change from going on. */
static void heal_exclude_the_dead(struct sim *sim, const struct sim_node *at)
{
    for (uint32_t i = 0; i < sim->node_count; i++)
        if (was_wiped(&sim->nodes[i]) && !dynkv_node_excludes(at->core, sim->nodes[i].old_id))
            operator_ask(sim, at, DYNKV_CLUSTER_EXCLUDE, sim->nodes[i].name, "");
}

/* Whether it holds records that are not its own any more. */
static bool holds_strays(struct sim *sim, struct sim_node *node)
{
    const struct dynkv_ring *ring = dynkv_node_ring(node->core);

    for (uint32_t i = 0; i < sim->swarm.keys; i++) {
        struct sim_key *key = &sim->keys[i];
        struct sim_cell *cell =
            sim_disk_cell(&node->disk, key->partition, sim->keyspaces[key->keyspace].id,
                          dynkv_slice(key->bytes, key->len), false);

        if (cell && cell->record.len && !sim_key_is_on(sim, ring, key, node->id))
            return true;
    }
    return false;
}

static const struct sim_node *a_hoarder(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];

        if (node->core && !node->is_excluded && dynkv_node_is_member(node->core) &&
            !dynkv_node_stage(node->core).has_left && holds_strays(sim, node))
            return node;
    }
    return NULL;
}

/* Owners that will never answer: what they should hold can't be proved. */
bool sim_operator_misses_somebody(struct sim *sim)
{
    const struct sim_node *at = operator_pick(sim, sim_node_serves);
    uint32_t count;
    const struct dynkv_place *places;

    if (!at)
        return true;
    for (uint32_t i = 0; i < sim->node_count; i++)
        if (was_wiped(&sim->nodes[i]) && !dynkv_node_excludes(at->core, sim->nodes[i].old_id))
            return true;
    places = dynkv_node_places(at->core, false, &sim->step_arena, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_node *holder = sim_node_by_id(sim, places[i].holder);

        if (!places[i].left && (!holder || !sim_node_serves(holder)))
            return true;
    }
    return false;
}

void sim_operator_heal(struct sim *sim)
{
    for (uint32_t s = 0; is_open_somewhere(sim) && !sim->report.found; s++) {
        const struct sim_node *at = operator_pick(sim, sim_node_serves);

        if (s > 5)
            heal_exclude_the_dead(sim, at);
        if (s == HEAL_CANCEL_S)
            operator_ask(sim, at, DYNKV_CLUSTER_CANCEL, "", "");
        if (s == HEAL_CHANGE_S)
            sim_violation(sim, "15",
                          "a change of the membership was neither finished nor cancelled");
        sim_run_for(sim, SIM_SECOND);
    }
    for (uint32_t s = 0; !sim->report.found && !sim_operator_misses_somebody(sim) && a_hoarder(sim);
         s++) {
        if (s == HEAL_LEAVE_S)
            sim_violation(sim, "9", "%s holds data still that are not its own any more",
                          a_hoarder(sim)->name);
        sim_run_for(sim, SIM_SECOND);
    }
}
