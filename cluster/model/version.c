/* version.c: dots and version vectors. */
#include "model/version.h"

#include "base/assert.h"

/* u64 actor and at least one byte of counter: what a decoder may expect per entry. */
#define VERSION_ENTRY_MIN 9u

int dynkv_dot_compare(struct dynkv_dot a, struct dynkv_dot b)
{
    if (a.actor != b.actor)
        return a.actor < b.actor ? -1 : 1;
    return (a.counter > b.counter) - (a.counter < b.counter);
}

uint64_t dynkv_version_counter(const struct dynkv_version *version, uint64_t actor)
{
    uint32_t low = 0, high = version->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (version->entries[middle].actor == actor)
            return version->entries[middle].counter;
        if (version->entries[middle].actor < actor)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

bool dynkv_version_covers(const struct dynkv_version *version, struct dynkv_dot dot)
{
    return dot.counter <= dynkv_version_counter(version, dot.actor);
}

/* Whether b has seen all that a has. */
static bool version_is_within(const struct dynkv_version *a, const struct dynkv_version *b)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (!dynkv_version_covers(b, a->entries[i]))
            return false;
    return true;
}

enum dynkv_version_order dynkv_version_compare(const struct dynkv_version *a,
                                               const struct dynkv_version *b)
{
    bool a_in_b = version_is_within(a, b), b_in_a = version_is_within(b, a);

    if (a_in_b)
        return b_in_a ? DYNKV_VERSION_EQUAL : DYNKV_VERSION_BEFORE;
    return b_in_a ? DYNKV_VERSION_AFTER : DYNKV_VERSION_CONCURRENT;
}

struct dynkv_version dynkv_version_merge(const struct dynkv_version *a,
                                         const struct dynkv_version *b, struct dynkv_arena *arena)
{
    struct dynkv_version result = {NULL, 0};
    uint32_t i = 0, j = 0;

    result.entries =
        dynkv_arena_alloc(arena, ((size_t)a->count + b->count) * sizeof *result.entries);
    while (i < a->count || j < b->count) {
        struct dynkv_dot *entry = &result.entries[result.count++];

        if (j == b->count || (i < a->count && a->entries[i].actor < b->entries[j].actor)) {
            *entry = a->entries[i++];
        } else if (i == a->count || b->entries[j].actor < a->entries[i].actor) {
            *entry = b->entries[j++];
        } else {
            *entry = a->entries[i].counter > b->entries[j].counter ? a->entries[i] : b->entries[j];
            i++, j++;
        }
    }
    return result;
}

struct dynkv_version dynkv_version_add(const struct dynkv_version *version, struct dynkv_dot dot,
                                       struct dynkv_arena *arena)
{
    struct dynkv_version one = {&dot, 1};

    DYNKV_ASSERT(dot.counter > 0);
    return dynkv_version_merge(version, &one, arena);
}

void dynkv_version_encode(const struct dynkv_version *version, struct dynkv_buf *out)
{
    dynkv_put_varint(out, version->count);
    for (uint32_t i = 0; i < version->count; i++) {
        dynkv_put_u64(out, version->entries[i].actor);
        dynkv_put_varint(out, version->entries[i].counter);
    }
}

struct dynkv_version dynkv_version_decode(struct dynkv_cursor *cursor, struct dynkv_arena *arena)
{
    const struct dynkv_version none = {NULL, 0};
    struct dynkv_version result = none;
    uint64_t count = dynkv_get_varint(cursor);

    /* The second check keeps a short message from asking for much memory. */
    if (count > DYNKV_ACTORS_MAX || count > dynkv_cursor_left(cursor) / VERSION_ENTRY_MIN)
        cursor->failed = true;
    if (cursor->failed || count == 0)
        return none;
    result.count = (uint32_t)count;
    result.entries = dynkv_arena_alloc(arena, (size_t)count * sizeof *result.entries);
    for (uint32_t i = 0; i < result.count; i++) {
        struct dynkv_dot *entry = &result.entries[i];

        entry->actor = dynkv_get_u64(cursor);
        entry->counter = dynkv_get_varint(cursor);
        if (entry->counter == 0 || (i > 0 && entry[-1].actor >= entry->actor))
            cursor->failed = true;
        if (cursor->failed)
            return none;
    }
    return result;
}

enum dynkv_error dynkv_version_parse(struct dynkv_slice bytes, struct dynkv_arena *arena,
                                     struct dynkv_version *out)
{
    struct dynkv_cursor cursor = dynkv_cursor(bytes);

    *out = (struct dynkv_version){NULL, 0};
    if (bytes.len == 0)
        return DYNKV_OK;
    *out = dynkv_version_decode(&cursor, arena);
    if (cursor.failed || dynkv_cursor_left(&cursor)) {
        *out = (struct dynkv_version){NULL, 0};
        return DYNKV_MALFORMED;
    }
    return DYNKV_OK;
}
