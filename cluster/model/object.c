/*
 * object.c: objects as dotted version vector sets.
 *
 * Invariants of every object built here or accepted by decode:
 *   1. siblings rise by dot, each dot once, and the vector covers every one of them;
 *   2. a tombstone and a stripped sibling (all the flags there are) have an empty value;
 *   3. the vector has a positive counter per actor, rising by actor.
 * They make the encoding canonical.
 */
#include "model/object.h"

#include "base/assert.h"
#include "base/hash.h"

#define OBJECT_FORMAT      1u
#define OBJECT_DIGEST_SEED UINT64_C(0x6f626a6563743031) /* "object01" */
/* actor 8, counter 1, timestamp 8, expiry 1, flags 1, length 1 */
#define SIBLING_MIN        20u
#define SIBLING_FLAGS      (DYNKV_SIBLING_TOMBSTONE | DYNKV_SIBLING_STRIPPED)
#define SIBLING_NO_VALUE   (DYNKV_SIBLING_TOMBSTONE | DYNKV_SIBLING_STRIPPED)

static bool object_is_empty(const struct dynkv_object *object)
{
    return object->version.count == 0 && object->sibling_count == 0;
}

/* ---- encoding ---- */

/* All but the values: what the digest covers. */
static void object_encode_head(const struct dynkv_object *object, struct dynkv_buf *out)
{
    dynkv_put_u8(out, OBJECT_FORMAT);
    dynkv_version_encode(&object->version, out);
    dynkv_put_varint(out, object->sibling_count);
    for (uint32_t i = 0; i < object->sibling_count; i++) {
        const struct dynkv_sibling *sibling = &object->siblings[i];

        dynkv_put_u64(out, sibling->dot.actor);
        dynkv_put_varint(out, sibling->dot.counter);
        dynkv_put_u64(out, sibling->timestamp);
        dynkv_put_varint(out, sibling->expires_at_ms);
        dynkv_put_u8(out, sibling->flags);
        dynkv_put_varint(out, sibling->value.len);
    }
}

void dynkv_object_encode(const struct dynkv_object *object, struct dynkv_buf *out)
{
    if (object_is_empty(object))
        return;
    object_encode_head(object, out);
    for (uint32_t i = 0; i < object->sibling_count; i++)
        dynkv_put_raw(out, object->siblings[i].value);
}

uint64_t dynkv_object_digest(const struct dynkv_object *object)
{
    struct dynkv_buf head = {NULL, 0, 0};
    uint64_t digest;

    if (object_is_empty(object))
        return 0;
    object_encode_head(object, &head);
    digest = dynkv_hash(dynkv_buf_slice(&head), OBJECT_DIGEST_SEED);
    dynkv_buf_fini(&head);
    return digest ? digest : 1; /* 0 is taken by the empty object */
}

/* ---- decoding ---- */

/* The part of a sibling before the values; its value has the length but no bytes yet. */
static void sibling_decode(struct dynkv_cursor *cursor, struct dynkv_sibling *out)
{
    uint64_t len;

    out->dot.actor = dynkv_get_u64(cursor);
    out->dot.counter = dynkv_get_varint(cursor);
    out->timestamp = dynkv_get_u64(cursor);
    out->expires_at_ms = dynkv_get_varint(cursor);
    out->flags = dynkv_get_u8(cursor);
    len = dynkv_get_varint(cursor);
    if (len > DYNKV_VALUE_MAX || (out->flags & ~SIBLING_FLAGS) || (len > 0 && out->flags != 0))
        cursor->failed = true;
    out->value = dynkv_slice(NULL, cursor->failed ? 0 : (size_t)len);
}

static void object_decode(struct dynkv_cursor *cursor, struct dynkv_arena *arena,
                          struct dynkv_object *out)
{
    uint64_t count;

    if (dynkv_get_u8(cursor) != OBJECT_FORMAT)
        cursor->failed = true;
    out->version = dynkv_version_decode(cursor, arena);
    count = dynkv_get_varint(cursor);
    if (count > DYNKV_SIBLINGS_HARD_MAX || count > dynkv_cursor_left(cursor) / SIBLING_MIN)
        cursor->failed = true;
    /* The empty object has one form only, no bytes. */
    if (out->version.count == 0)
        cursor->failed = true;
    if (cursor->failed)
        return;
    out->siblings = dynkv_arena_alloc(arena, (size_t)count * sizeof *out->siblings);
    for (; out->sibling_count < count && !cursor->failed; out->sibling_count++) {
        struct dynkv_sibling *sibling = &out->siblings[out->sibling_count];

        sibling_decode(cursor, sibling);
        if (sibling->dot.counter == 0 || !dynkv_version_covers(&out->version, sibling->dot) ||
            (out->sibling_count > 0 && dynkv_dot_compare(sibling[-1].dot, sibling->dot) >= 0))
            cursor->failed = true;
    }
    for (uint32_t i = 0; i < out->sibling_count; i++)
        out->siblings[i].value = dynkv_get_raw(cursor, out->siblings[i].value.len);
}

enum dynkv_error dynkv_object_decode(struct dynkv_slice bytes, struct dynkv_arena *arena,
                                     struct dynkv_object *out)
{
    struct dynkv_cursor cursor = dynkv_cursor(bytes);

    *out = (struct dynkv_object){0};
    if (bytes.len == 0)
        return DYNKV_OK;
    object_decode(&cursor, arena, out);
    if (cursor.failed || dynkv_cursor_left(&cursor)) {
        *out = (struct dynkv_object){0};
        return DYNKV_MALFORMED;
    }
    return DYNKV_OK;
}

bool dynkv_object_is_within_limits(const struct dynkv_object *object)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < object->sibling_count; i++)
        bytes += object->siblings[i].value.len;
    return object->version.count <= DYNKV_ACTORS_MAX &&
           object->sibling_count <= DYNKV_SIBLINGS_HARD_MAX && bytes <= DYNKV_OBJECT_MAX;
}

/* ---- merge and put ---- */

/*
 * One of two copies of the same dot.  They differ in one lawful case, where one is stripped: the
 * whole one wins.  For the rest any rule will do that does not depend on the side.
 */
static const struct dynkv_sibling *sibling_choose(const struct dynkv_sibling *a,
                                                  const struct dynkv_sibling *b)
{
    if (a->flags != b->flags)
        return a->flags < b->flags ? a : b;
    if (a->timestamp != b->timestamp)
        return a->timestamp > b->timestamp ? a : b;
    if (a->expires_at_ms != b->expires_at_ms)
        return a->expires_at_ms > b->expires_at_ms ? a : b;
    return dynkv_slice_compare(a->value, b->value) >= 0 ? a : b;
}

static void object_keep(struct dynkv_object *object, const struct dynkv_sibling *sibling)
{
    object->siblings[object->sibling_count++] = *sibling;
}

struct dynkv_object dynkv_object_merge(const struct dynkv_object *a, const struct dynkv_object *b,
                                       struct dynkv_arena *arena)
{
    struct dynkv_object result = {.version = dynkv_version_merge(&a->version, &b->version, arena)};
    uint32_t i = 0, j = 0;

    result.siblings = dynkv_arena_alloc(arena, ((size_t)a->sibling_count + b->sibling_count) *
                                                   sizeof *result.siblings);
    while (i < a->sibling_count || j < b->sibling_count) {
        int order = i == a->sibling_count ? 1
                    : j == b->sibling_count
                        ? -1
                        : dynkv_dot_compare(a->siblings[i].dot, b->siblings[j].dot);

        if (order == 0) {
            object_keep(&result, sibling_choose(&a->siblings[i++], &b->siblings[j++]));
        } else if (order < 0) {
            if (!dynkv_version_covers(&b->version, a->siblings[i].dot))
                object_keep(&result, &a->siblings[i]);
            i++;
        } else {
            if (!dynkv_version_covers(&a->version, b->siblings[j].dot))
                object_keep(&result, &b->siblings[j]);
            j++;
        }
    }
    return result;
}

enum dynkv_error dynkv_object_put(const struct dynkv_object *current,
                                  const struct dynkv_version *context,
                                  const struct dynkv_sibling *sibling, struct dynkv_arena *arena,
                                  struct dynkv_object *out)
{
    struct dynkv_sibling fresh = *sibling;
    struct dynkv_object result = {0};
    struct dynkv_version seen;
    uint32_t i = 0;

    DYNKV_ASSERT(fresh.dot.counter > 0);
    /* Vectors come from clients and peers, so a dot that was foretold is an error, not an assertion. */
    if (dynkv_version_covers(context, fresh.dot))
        return DYNKV_INVALID;
    if (dynkv_version_covers(&current->version, fresh.dot))
        return DYNKV_CORRUPT;
    if (fresh.flags)
        fresh.value = dynkv_slice(NULL, 0);

    seen = dynkv_version_merge(&current->version, context, arena);
    result.version = dynkv_version_add(&seen, fresh.dot, arena);
    if (result.version.count >
        (fresh.flags & DYNKV_SIBLING_TOMBSTONE ? DYNKV_ACTORS_MAX : DYNKV_ACTORS_PUT_MAX))
        return DYNKV_VERSION_LIMIT;
    result.siblings =
        dynkv_arena_alloc(arena, ((size_t)current->sibling_count + 1) * sizeof *result.siblings);
    for (; i < current->sibling_count; i++) {
        if (dynkv_dot_compare(current->siblings[i].dot, fresh.dot) > 0)
            break;
        if (!dynkv_version_covers(context, current->siblings[i].dot))
            object_keep(&result, &current->siblings[i]);
    }
    object_keep(&result, &fresh);
    for (; i < current->sibling_count; i++)
        if (!dynkv_version_covers(context, current->siblings[i].dot))
            object_keep(&result, &current->siblings[i]);
    if (result.sibling_count > DYNKV_SIBLINGS_MAX)
        return DYNKV_SIBLINGS_LIMIT;
    *out = result;
    return DYNKV_OK;
}

/* ---- reading ---- */

bool dynkv_sibling_is_dead(const struct dynkv_sibling *sibling, uint64_t now_ms)
{
    return (sibling->flags & DYNKV_SIBLING_TOMBSTONE) ||
           (sibling->expires_at_ms != 0 && sibling->expires_at_ms <= now_ms);
}

bool dynkv_object_is_dead(const struct dynkv_object *object, uint64_t now_ms)
{
    for (uint32_t i = 0; i < object->sibling_count; i++)
        if (!dynkv_sibling_is_dead(&object->siblings[i], now_ms))
            return false;
    return true;
}

bool dynkv_object_is_twin(const struct dynkv_object *object, uint32_t sibling)
{
    const struct dynkv_sibling *it = &object->siblings[sibling];

    for (uint32_t i = 0; i < sibling; i++)
        if (object->siblings[i].timestamp == it->timestamp &&
            object->siblings[i].flags == it->flags && !(it->flags & DYNKV_SIBLING_STRIPPED) &&
            dynkv_slice_equal(object->siblings[i].value, it->value))
            return true;
    return false;
}

const struct dynkv_sibling *dynkv_object_latest(const struct dynkv_object *object, uint64_t now_ms)
{
    const struct dynkv_sibling *latest = NULL;

    /* Siblings rise by dot, so on equal timestamps the later of the walk has the greater dot. */
    for (uint32_t i = 0; i < object->sibling_count; i++)
        if (!latest || object->siblings[i].timestamp >= latest->timestamp)
            latest = &object->siblings[i];
    return latest && !dynkv_sibling_is_dead(latest, now_ms) ? latest : NULL;
}
