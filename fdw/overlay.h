/*
 * overlay.h: what a scan reads, as its own transaction has changed it.
 *
 * A scan sees the writes of commands before its own: the snapshot's command id says which, as for local
 * tables.  So a statement does not see its own writes, and a cursor keeps what it saw at its start.
 *
 * A key that the buffer has a visible write of is not looked for in the cluster: that write is the row, or
 * that there is none.
 */
#ifndef DYNKV_FDW_OVERLAY_H
#define DYNKV_FDW_OVERLAY_H

#include "postgres.h"

#include "client/dynkv.h"
#include "fdw/bind.h"
#include "fdw/write_buffer.h"

typedef struct DynkvOverlay DynkvOverlay;
typedef struct DynkvOverlayRange DynkvOverlayRange;

/* In the current memory context.  before: of the scan's snapshot. */
extern DynkvOverlay *dynkv_overlay_create(DynkvWriteBuffer *buffer, CommandId before);
/* Whether a key's row is the buffer's affair. */
extern bool dynkv_overlay_covers(DynkvOverlay *overlay, struct dynkv_slice key);

/* The same, with the row: NULL if it is deleted.  Its dot is zero: it is not written yet.  Valid until the next call with this overlay. */
extern bool dynkv_overlay_find(DynkvOverlay *overlay, struct dynkv_slice key,
                               const struct dynkv_object **object);
/* Rows given out that came from the buffer. */
extern uint64 dynkv_overlay_rows(const DynkvOverlay *overlay);

/*
 * The buffer's rows within a scan's target; in the current memory context.  order: in which the cluster gives
 * keys, and so does this.  PARTITION: in none, and the buffer's rows come last.
 */
extern DynkvOverlayRange *dynkv_overlay_range(DynkvOverlay *overlay, const DynkvTarget *target,
                                              enum dynkv_order order);
/* Puts the two together.  at: the cluster's next key, or NULL at its end. */
typedef enum DynkvOverlayStep {
    DYNKV_OVERLAY_THEIRS,   /* give the cluster's */
    DYNKV_OVERLAY_OURS,     /* give *key and *object, then ask again with the same `at` */
    DYNKV_OVERLAY_REPLACED, /* give *key and *object, then ask with the cluster's next */
    DYNKV_OVERLAY_SKIP,     /* give nothing of this key: ask with the cluster's next */
    DYNKV_OVERLAY_END,      /* no more of either */
} DynkvOverlayStep;
extern DynkvOverlayStep dynkv_overlay_step(DynkvOverlayRange *range, const struct dynkv_slice *at,
                                           struct dynkv_key_ref *key,
                                           const struct dynkv_object **object);

#endif
