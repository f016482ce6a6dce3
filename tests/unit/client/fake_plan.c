/* fake_plan.c: changes of the membership, as a fake node knows them. */
#include "tests/unit/client/fake_plan.h"

void fake_fill_plan(const struct dynkv_cluster_change *change, struct dynkv_arena *arena,
                    struct dynkv_cluster_plan *out)
{
    out->phase = DYNKV_CHANGE_STAGED;
    out->entry_count = 1;
    out->entries = dynkv_arena_calloc(arena, 1, sizeof *out->entries);
    out->entries[0] = (struct dynkv_plan_entry){
        .kind = change->action,
        .member_name = dynkv_slice_copy(change->name, arena),
        .other_name = dynkv_slice_copy(change->other, arena),
    };
}
