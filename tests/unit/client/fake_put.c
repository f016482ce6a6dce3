/* fake_put.c: writes, as a fake node takes them. */
#include "tests/unit/client/fake_put.h"

#include "tests/unit/client/fake.h"

void fake_fill_put(uint64_t actor, const struct dynkv_put *put, struct dynkv_arena *arena,
                   struct dynkv_put_reply *out)
{
    out->result_count = put->item_count;
    out->results = dynkv_arena_calloc(arena, put->item_count, sizeof *out->results);
    for (uint32_t i = 0; i < put->item_count; i++) {
        struct dynkv_dot dot = {.actor = actor, .counter = i + 1};
        struct dynkv_version version = {.entries = &dot, .count = 1};
        struct dynkv_buf encoded = {0};

        dynkv_version_encode(&version, &encoded);
        out->results[i].acks = 2;
        out->results[i].context = dynkv_slice_copy(dynkv_buf_slice(&encoded), arena);
        out->results[i].timestamp = 1;
        if (put->items[i].flags & DYNKV_PUT_STAMPED &&
            dynkv_slice_equal(put->items[i].value, dynkv_slice_text(FAKE_STALE)))
            out->results[i].error = DYNKV_STALE;
        /* A value that says so is met by a concurrent one. */
        out->results[i].siblings =
            dynkv_slice_equal(put->items[i].value, dynkv_slice_text(FAKE_CONFLICT)) ? 2 : 1;
        dynkv_buf_fini(&encoded);
    }
}
