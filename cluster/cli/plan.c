/* plan.c: how a change of the membership is shown. */
#include "cli/plan.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/table.h"

#define NAME(slice) (int)(slice).len, (const char *)(slice).data

struct phase_words {
    const char *word, *sentence;
};

/* By enum dynkv_change_phase. */
static const struct phase_words phases[] = {
    {"none", "no change is staged"},
    {"staged", "a change is staged; it has no effect before dynkv cluster commit"},
    {"committing", "members begin to write to the old and the new replicas"},
    {"moving", "new replicas fetch what they lack; reads and writes go on"},
    {"switched", "the data have moved, and members begin to read from the new replicas"},
    {"cancelling", "it was cancelled, and members go back to the old replicas"},
    {"finished", "it is finished"},
};

static const struct phase_words *words_of(uint8_t phase)
{
    static const struct phase_words unknown = {"unknown",
                                               "in a phase that this program does not know"};

    return phase < sizeof phases / sizeof phases[0] ? &phases[phase] : &unknown;
}

const char *dynkv_plan_phase(uint8_t phase)
{
    return words_of(phase)->word;
}

static const char *kind_word(uint8_t kind)
{
    static const char *const words[] = {"?", "join", "leave", "replace"};

    return kind < sizeof words / sizeof words[0] ? words[kind] : words[0];
}

static const char *role_word(uint8_t role)
{
    static const char *const words[] = {"?", "member", "candidate", "joining", "leaving", "leaver"};

    return role < sizeof words / sizeof words[0] ? words[role] : words[0];
}

static const char *state_word(const struct dynkv_plan_member *member)
{
    return member->excluded ? "excluded" : member->down ? "down" : "up";
}

bool dynkv_plan_is_open(const struct dynkv_cluster_plan *plan)
{
    return plan->phase >= DYNKV_CHANGE_COMMITTING && plan->phase <= DYNKV_CHANGE_CANCELLING;
}

bool dynkv_plan_waits_for(const struct dynkv_cluster_plan *plan,
                          const struct dynkv_plan_member *member)
{
    if (member->excluded || member->role == DYNKV_ROLE_CANDIDATE ||
        member->role == DYNKV_ROLE_LEAVER)
        return false;
    switch (plan->phase) {
    case DYNKV_CHANGE_COMMITTING:
        return !member->accepted;
    case DYNKV_CHANGE_MOVING:
        return !member->ready;
    case DYNKV_CHANGE_SWITCHED:
        return !member->seen;
    case DYNKV_CHANGE_CANCELLING:
        return !member->reverted;
    default:
        return false;
    }
}

/* ---- text ---- */

static void print_entries(const struct dynkv_cluster_plan *plan)
{
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const struct dynkv_plan_entry *entry = &plan->entries[i];

        printf("  %s %.*s", kind_word(entry->kind), NAME(entry->member_name));
        if (entry->kind == DYNKV_CHANGE_REPLACE)
            printf(" by %.*s", NAME(entry->other_name));
        printf("\n");
    }
}

/* A plus: somebody who could tell did not answer. */
static void put_gains(struct dynkv_table *table, const struct dynkv_plan_transfer *transfer)
{
    const char *more = transfer->is_partial ? "+" : "";

    dynkv_table_format(table, "%" PRIu64 "%s", transfer->gained_keys, more);
    dynkv_table_format(table, "%" PRIu64 "%s", transfer->gained_bytes, more);
}

static void put_transfer(struct dynkv_table *table, const struct dynkv_plan_member *member,
                         const struct dynkv_plan_transfer *transfer)
{
    if (member->gained && transfer->is_known) {
        dynkv_table_format(table, "%" PRIu64, transfer->objects);
        dynkv_table_format(table, "%" PRIu64, transfer->bytes);
        dynkv_table_format(table, "%" PRIu64, transfer->left);
        return;
    }
    for (int i = 0; i < 3; i++)
        dynkv_table_text(table, "-");
}

static const char *progress_word(const struct dynkv_cluster_plan *plan,
                                 const struct dynkv_plan_member *member)
{
    if (plan->phase == DYNKV_CHANGE_CANCELLING && member->reverted)
        return "reverted";
    return member->seen ? "seen" : member->ready ? "ready" : member->accepted ? "accepted" : "-";
}

static void print_members(const struct dynkv_cluster_plan *plan,
                          const struct dynkv_plan_transfer *transfers)
{
    bool is_open = dynkv_plan_is_open(plan);
    struct dynkv_table table = {.columns = is_open ? 13 : plan->phase ? 9 : 7};
    static const char *const heads[] = {"MEMBER",  "STATE",    "ROLE",    "REPLICAS", "AFTER",
                                        "GAINS",   "LOSES",    "KEYS",    "BYTES",    "HAS",
                                        "FETCHED", "RECEIVED", "UNPROVED"};

    for (unsigned i = 0; i < table.columns; i++)
        dynkv_table_text(&table, heads[i]);
    for (uint32_t i = 0; i < plan->member_count; i++) {
        const struct dynkv_plan_member *member = &plan->members[i];

        dynkv_table_bytes(&table, member->name);
        dynkv_table_text(&table, state_word(member));
        dynkv_table_text(&table, role_word(member->role));
        dynkv_table_format(&table, "%" PRIu32, member->replicas_before);
        dynkv_table_format(&table, "%" PRIu32, member->replicas_after);
        dynkv_table_format(&table, "%" PRIu32, member->gained);
        dynkv_table_format(&table, "%" PRIu32, member->lost);
        if (plan->phase)
            put_gains(&table, &transfers[i]);
        if (!is_open)
            continue;
        dynkv_table_text(&table, progress_word(plan, member));
        put_transfer(&table, member, &transfers[i]);
    }
    dynkv_table_print(&table);
}

static void print_waiting(const struct dynkv_cluster_plan *plan)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < plan->member_count; i++) {
        const struct dynkv_plan_member *member = &plan->members[i];

        if (!dynkv_plan_waits_for(plan, member))
            continue;
        printf("%s%.*s", count++ ? ", " : "\nit waits for ", NAME(member->name));
        if (member->down)
            printf(" (down)");
    }
    if (count)
        printf("\n");
}

static void print_blockers(const struct dynkv_cluster_plan *plan)
{
    for (uint32_t i = 0; i < plan->blocker_count; i++)
        printf("%s  %.*s\n", i ? "" : "\nin its way:\n", NAME(plan->blockers[i].text));
}

/* What can be done next, where nothing is under way. */
static void print_advice(const struct dynkv_cluster_plan *plan)
{
    if (plan->phase == DYNKV_CHANGE_STAGED && plan->blocker_count == 0)
        printf("\nnothing is in its way: dynkv cluster commit\n");
    for (uint32_t i = 0; i < plan->member_count; i++) {
        const struct dynkv_plan_member *member = &plan->members[i];

        if (member->role == DYNKV_ROLE_CANDIDATE && !dynkv_plan_is_open(plan))
            printf("\n%.*s is a candidate: dynkv cluster join %.*s, or replace a member by it\n",
                   NAME(member->name), NAME(member->name));
        if (member->role == DYNKV_ROLE_LEAVER)
            printf("\n%.*s hands over what it holds; when it is not shown any more it can be "
                   "stopped\n",
                   NAME(member->name));
    }
}

void dynkv_plan_print(const struct dynkv_cluster_plan *plan,
                      const struct dynkv_plan_transfer *transfers)
{
    printf("ring epoch %" PRIu64 ", %" PRIu64 " change%s so far; %s: %s\n", plan->epoch,
           plan->changes, plan->changes == 1 ? "" : "s", words_of(plan->phase)->word,
           words_of(plan->phase)->sentence);
    print_entries(plan);
    printf("\n");
    print_members(plan, transfers);
    print_waiting(plan);
    print_blockers(plan);
    print_advice(plan);
}

/* ---- JSON ---- */

static void json_entries(struct dynkv_json *json, const struct dynkv_cluster_plan *plan)
{
    dynkv_json_begin_array(json, "entries");
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const struct dynkv_plan_entry *entry = &plan->entries[i];

        dynkv_json_begin_object(json, NULL);
        dynkv_json_text(json, "kind", dynkv_slice_text(kind_word(entry->kind)));
        dynkv_json_text(json, "name", entry->member_name);
        dynkv_json_id(json, "id", entry->member);
        if (entry->kind == DYNKV_CHANGE_REPLACE) {
            dynkv_json_text(json, "by_name", entry->other_name);
            dynkv_json_id(json, "by_id", entry->other);
        }
        dynkv_json_end_object(json);
    }
    dynkv_json_end_array(json);
}

static void json_progress(struct dynkv_json *json, const struct dynkv_cluster_plan *plan,
                          const struct dynkv_plan_member *member,
                          const struct dynkv_plan_transfer *transfer)
{
    dynkv_json_bool(json, "accepted", member->accepted);
    dynkv_json_bool(json, "ready", member->ready);
    dynkv_json_bool(json, "seen", member->seen);
    dynkv_json_bool(json, "reverted", member->reverted);
    dynkv_json_bool(json, "waited_for", dynkv_plan_waits_for(plan, member));
    if (!member->gained || !transfer || !transfer->is_known)
        return;
    dynkv_json_u64(json, "moved_objects", transfer->objects);
    dynkv_json_u64(json, "moved_bytes", transfer->bytes);
    dynkv_json_u64(json, "unproved", transfer->left);
}

static void json_gains(struct dynkv_json *json, const struct dynkv_plan_transfer *transfer)
{
    dynkv_json_u64(json, "gained_keys", transfer->gained_keys);
    dynkv_json_u64(json, "gained_bytes", transfer->gained_bytes);
    dynkv_json_bool(json, "gained_is_partial", transfer->is_partial);
}

static void json_members(struct dynkv_json *json, const struct dynkv_cluster_plan *plan,
                         const struct dynkv_plan_transfer *transfers)
{
    dynkv_json_begin_array(json, "members");
    for (uint32_t i = 0; i < plan->member_count; i++) {
        const struct dynkv_plan_member *member = &plan->members[i];

        dynkv_json_begin_object(json, NULL);
        dynkv_json_text(json, "name", member->name);
        dynkv_json_id(json, "id", member->id);
        dynkv_json_text(json, "state", dynkv_slice_text(state_word(member)));
        dynkv_json_text(json, "role", dynkv_slice_text(role_word(member->role)));
        dynkv_json_u64(json, "replicas_before", member->replicas_before);
        dynkv_json_u64(json, "replicas_after", member->replicas_after);
        dynkv_json_u64(json, "gained", member->gained);
        dynkv_json_u64(json, "lost", member->lost);
        if (plan->phase && transfers)
            json_gains(json, &transfers[i]);
        if (dynkv_plan_is_open(plan))
            json_progress(json, plan, member, transfers ? &transfers[i] : NULL);
        dynkv_json_end_object(json);
    }
    dynkv_json_end_array(json);
}

void dynkv_plan_json(struct dynkv_json *json, const char *name,
                     const struct dynkv_cluster_plan *plan,
                     const struct dynkv_plan_transfer *transfers)
{
    dynkv_json_begin_object(json, name);
    dynkv_json_text(json, "phase", dynkv_slice_text(words_of(plan->phase)->word));
    dynkv_json_u64(json, "epoch", plan->epoch);
    dynkv_json_u64(json, "changes", plan->changes);
    json_entries(json, plan);
    json_members(json, plan, transfers);
    dynkv_json_begin_array(json, "blockers");
    for (uint32_t i = 0; i < plan->blocker_count; i++)
        dynkv_json_text(json, NULL, plan->blockers[i].text);
    dynkv_json_end_array(json);
    dynkv_json_end_object(json);
}

/* ---- names ---- */

static void put_names(struct dynkv_buf *out, const struct dynkv_cluster_plan *plan, bool candidates)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < plan->member_count; i++) {
        const struct dynkv_plan_member *member = &plan->members[i];

        if ((member->role == DYNKV_ROLE_CANDIDATE) != candidates)
            continue;
        dynkv_put_raw(out, dynkv_slice_text(count++      ? ", "
                                            : candidates ? "; candidates: "
                                                         : "; members: "));
        dynkv_text_put_escaped(out, member->name);
    }
    if (count == 0)
        dynkv_put_raw(out, dynkv_slice_text(candidates ? "; there is no candidate" : ""));
}

void dynkv_plan_put_names(struct dynkv_buf *out, const struct dynkv_cluster_plan *plan)
{
    put_names(out, plan, true);
    put_names(out, plan, false);
}
