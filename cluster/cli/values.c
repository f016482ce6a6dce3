/* values.c: what a reader is shown of an object. */
#include "cli/values.h"

#include <stdlib.h>

#include "model/clock.h"

void dynkv_values_init(struct dynkv_values *values, const struct dynkv_object *object,
                       bool latest_only, uint64_t now_ms)
{
    *values = (struct dynkv_values){0};
    values->alive = dynkv_calloc((size_t)object->sibling_count + 1, sizeof *values->alive);
    if (latest_only) {
        const struct dynkv_sibling *latest = dynkv_object_latest(object, now_ms);

        if (latest)
            values->alive[values->alive_count++] = latest;
        return;
    }
    for (uint32_t i = 0; i < object->sibling_count; i++) {
        const struct dynkv_sibling *sibling = &object->siblings[i];

        if (dynkv_object_is_twin(object, i))
            continue;
        if (!dynkv_sibling_is_dead(sibling, now_ms))
            values->alive[values->alive_count++] = sibling;
        else if (sibling->flags & DYNKV_SIBLING_TOMBSTONE)
            values->has_delete = true;
    }
}

void dynkv_values_fini(struct dynkv_values *values)
{
    free(values->alive);
}

bool dynkv_values_conflict(const struct dynkv_values *values)
{
    return values->alive_count + values->has_delete > 1 && values->alive_count > 0;
}

void dynkv_values_json_context(struct dynkv_json *json, const struct dynkv_object *object)
{
    struct dynkv_buf context = {0};

    dynkv_version_encode(&object->version, &context);
    dynkv_json_hex(json, "context", dynkv_buf_slice(&context));
    dynkv_buf_fini(&context);
}

void dynkv_values_json(struct dynkv_json *json, const struct dynkv_values *values)
{
    dynkv_json_begin_array(json, "values");
    for (uint32_t i = 0; i < values->alive_count; i++) {
        const struct dynkv_sibling *sibling = values->alive[i];

        dynkv_json_begin_object(json, NULL);
        if (!(sibling->flags & DYNKV_SIBLING_STRIPPED))
            dynkv_json_bytes(json, "value", sibling->value);
        dynkv_json_u64(json, "modified_at_ms", dynkv_timestamp_ms(sibling->timestamp));
        if (sibling->expires_at_ms)
            dynkv_json_u64(json, "expires_at_ms", sibling->expires_at_ms);
        dynkv_json_id(json, "actor", sibling->dot.actor);
        dynkv_json_u64(json, "counter", sibling->dot.counter);
        dynkv_json_end_object(json);
    }
    dynkv_json_end_array(json);
    if (values->has_delete && values->alive_count > 0)
        dynkv_json_bool(json, "deleted_too", true);
}
