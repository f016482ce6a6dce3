/*
 * overlay.c: buffered writes as objects, and the merge of two streams of keys.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "fdw/overlay.h"

struct DynkvOverlay {
    MemoryContextCallback on_reset;
    DynkvWriteBuffer *buffer;
    CommandId before;
    uint64 rows;
    /* The row given out last. */
    struct dynkv_object object;
    struct dynkv_sibling sibling;
    struct dynkv_arena version; /* the library's memory, so it must be given back */
};

struct DynkvOverlayRange {
    DynkvOverlay *overlay;
    DynkvBufferCursor *cursor;
    enum dynkv_order order;
    struct dynkv_slice prefix; /* of all keys; empty: any */
    uint32 partition_len;      /* 0: any */
    struct dynkv_slice lower;
    struct dynkv_slice upper; /* empty: none */
    bool has_next, is_end;
    DynkvBuffered next;   /* copied: the statement may write between two of its reads */
    MemoryContext memory; /* of the copy */
};

static void overlay_on_reset(void *arg)
{
    dynkv_arena_fini(&((DynkvOverlay *)arg)->version);
}

DynkvOverlay *dynkv_overlay_create(DynkvWriteBuffer *buffer, CommandId before)
{
    DynkvOverlay *overlay = palloc0(sizeof *overlay);

    overlay->buffer = buffer;
    overlay->before = before;
    overlay->on_reset.func = overlay_on_reset;
    overlay->on_reset.arg = overlay;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &overlay->on_reset);
    return overlay;
}

uint64 dynkv_overlay_rows(const DynkvOverlay *overlay)
{
    return overlay->rows;
}

/* The row that a write leaves; NULL: none.  Its version is the one that the write replaces. */
static const struct dynkv_object *overlay_object(DynkvOverlay *overlay, const DynkvBuffered *write)
{
    if (write->write.is_delete)
        return NULL;
    dynkv_arena_reset(&overlay->version);
    memset(&overlay->object, 0, sizeof overlay->object);
    memset(&overlay->sibling, 0, sizeof overlay->sibling);
    if (write->write.has_context &&
        dynkv_version_parse(write->write.context, &overlay->version, &overlay->object.version))
        elog(ERROR, "a buffered write has a version that is none");
    overlay->sibling.expires_at_ms = write->write.expires_at_ms;
    overlay->sibling.value = write->write.value;
    overlay->object.siblings = &overlay->sibling;
    overlay->object.sibling_count = 1;
    overlay->rows++;
    return &overlay->object;
}

bool dynkv_overlay_covers(DynkvOverlay *overlay, struct dynkv_slice key)
{
    return dynkv_write_buffer_find(overlay->buffer, key, overlay->before, NULL);
}

bool dynkv_overlay_find(DynkvOverlay *overlay, struct dynkv_slice key,
                        const struct dynkv_object **object)
{
    DynkvBuffered write;

    if (!dynkv_write_buffer_find(overlay->buffer, key, overlay->before, &write))
        return false;
    *object = overlay_object(overlay, &write);
    return true;
}

/* ---- ranges ---- */

static struct dynkv_slice overlay_concat(struct dynkv_slice a, struct dynkv_slice b)
{
    uint8 *bytes = palloc(a.len + b.len + 1);

    if (a.len > 0)
        memcpy(bytes, a.data, a.len);
    if (b.len > 0)
        memcpy(bytes + a.len, b.data, b.len);
    return dynkv_slice(bytes, a.len + b.len);
}

DynkvOverlayRange *dynkv_overlay_range(DynkvOverlay *overlay, const DynkvTarget *target,
                                       enum dynkv_order order)
{
    DynkvOverlayRange *range = palloc0(sizeof *range);

    range->overlay = overlay;
    range->cursor = dynkv_buffer_cursor_create(overlay->buffer, overlay->before);
    range->memory =
        AllocSetContextCreate(CurrentMemoryContext, "dynkv buffered row", ALLOCSET_SMALL_SIZES);
    range->order = order;
    range->prefix = target->key;
    range->partition_len = target->partition_len;
    range->lower = overlay_concat(target->key, target->lower);
    if (target->upper.len > 0)
        range->upper = overlay_concat(target->key, target->upper);
    else if (target->key.len == 0 || !dynkv_bind_prefix_end(target->key, &range->upper))
        range->upper = dynkv_slice(NULL, 0);
    if (order == DYNKV_ORDER_FALLING)
        dynkv_buffer_cursor_seek_before(range->cursor, range->upper);
    else
        dynkv_buffer_cursor_seek(range->cursor, range->lower);
    return range;
}

static bool range_has(const DynkvOverlayRange *range, const struct dynkv_key_ref *at)
{
    return dynkv_slice_has_prefix(at->key, range->prefix) &&
           dynkv_slice_compare(at->key, range->lower) >= 0 &&
           (range->upper.len == 0 || dynkv_slice_compare(at->key, range->upper) < 0);
}

static void range_copy(DynkvOverlayRange *range, const DynkvBuffered *write)
{
    static const struct dynkv_slice nothing = {NULL, 0};
    MemoryContext old;

    MemoryContextReset(range->memory);
    old = MemoryContextSwitchTo(range->memory);
    range->next = *write;
    range->next.write.at.key = overlay_concat(write->write.at.key, nothing);
    range->next.write.context = overlay_concat(write->write.context, nothing);
    range->next.write.value = overlay_concat(write->write.value, nothing);
    MemoryContextSwitchTo(old);
}

static bool range_step(DynkvOverlayRange *range, DynkvBuffered *write)
{
    return range->order == DYNKV_ORDER_FALLING ? dynkv_buffer_cursor_previous(range->cursor, write)
                                               : dynkv_buffer_cursor_next(range->cursor, write);
}

/* The next write of the range that waits for its turn; false: no more. */
static bool range_peek(DynkvOverlayRange *range)
{
    DynkvBuffered write;

    while (!range->has_next && !range->is_end) {
        if (!range_step(range, &write) || !range_has(range, &write.write.at)) {
            range->is_end = true;
        } else if (range->partition_len == 0 ||
                   range->partition_len == write.write.at.partition_len) {
            range_copy(range, &write);
            range->has_next = true;
        }
    }
    return range->has_next;
}

/* Takes the next write, and makes it a row. */
static const struct dynkv_object *range_take(DynkvOverlayRange *range, struct dynkv_key_ref *key)
{
    *key = range->next.write.at;
    range->has_next = false;
    return overlay_object(range->overlay, &range->next);
}

DynkvOverlayStep dynkv_overlay_step(DynkvOverlayRange *range, const struct dynkv_slice *at,
                                    struct dynkv_key_ref *key, const struct dynkv_object **object)
{
    if (at && range->order == DYNKV_ORDER_PARTITION)
        return dynkv_overlay_covers(range->overlay, *at) ? DYNKV_OVERLAY_SKIP
                                                         : DYNKV_OVERLAY_THEIRS;
    while (range_peek(range)) {
        int order = at ? dynkv_order_compare(range->order, range->next.write.at.key, *at) : -1;

        if (order > 0)
            return DYNKV_OVERLAY_THEIRS;
        *object = range_take(range, key);
        if (order == 0)
            return *object ? DYNKV_OVERLAY_REPLACED : DYNKV_OVERLAY_SKIP;
        if (*object)
            return DYNKV_OVERLAY_OURS;
    }
    return at ? DYNKV_OVERLAY_THEIRS : DYNKV_OVERLAY_END;
}
