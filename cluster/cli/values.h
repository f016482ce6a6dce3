/*
 * values.h: what a reader is shown of an object: the values that are alive, and whether they conflict.
 */
#ifndef DYNKV_CLI_VALUES_H
#define DYNKV_CLI_VALUES_H

#include "cli/json.h"
#include "model/object.h"

struct dynkv_values {
    const struct dynkv_sibling **alive; /* on the heap, pointing into the object */
    uint32_t alive_count;
    bool has_delete; /* a delete that did not know of the values that are alive */
};

/* latest_only: the sibling that was written last, or nothing if that was a delete (last write wins). */
void dynkv_values_init(struct dynkv_values *values, const struct dynkv_object *object,
                       bool latest_only, uint64_t now_ms);
void dynkv_values_fini(struct dynkv_values *values);
/* More than one opinion on what is there. */
bool dynkv_values_conflict(const struct dynkv_values *values);

/* "context": what a put that replaces all this must give. */
void dynkv_values_json_context(struct dynkv_json *json, const struct dynkv_object *object);
/* "values": [...], "deleted_too": true if so. */
void dynkv_values_json(struct dynkv_json *json, const struct dynkv_values *values);

#endif
