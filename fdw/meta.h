/*
 * meta.h: columns that show what the cluster knows of a row, instead of a part of its value.
 *
 *   version      text (hexadecimal) or bytea: the version of the whole key, opaque; it changes with every
 *                write, and "dynkv put --context" takes it
 *   siblings     integer or bigint: how many values of the key are alive
 *   expires_at   timestamptz: when the row is gone; NULL: never.  The only one that can be written
 *   modified_at  timestamptz: the write's hybrid logical clock, to milliseconds
 *   node         text: the store that took the write, 16 hexadecimal digits (dynkv_nodes(): store)
 *
 * Of a row that the transaction has written itself and not sent yet, version, modified_at and node are
 * NULL; expires_at is NULL, too, if the keyspace's ttl is to decide.
 */
#ifndef DYNKV_FDW_META_H
#define DYNKV_FDW_META_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/bitmapset.h"
#include "utils/relcache.h"

#include "model/object.h"

/* In the order of their names. */
typedef enum DynkvMetaKind {
    DYNKV_META_VERSION,
    DYNKV_META_SIBLINGS,
    DYNKV_META_EXPIRES_AT,
    DYNKV_META_MODIFIED_AT,
    DYNKV_META_NODE,
    DYNKV_META_KINDS,
} DynkvMetaKind;

extern const char *const dynkv_meta_names[DYNKV_META_KINDS + 1]; /* NULL at the end */

/* The meta columns of a table. */
typedef struct DynkvMeta {
    AttrNumber attnos[DYNKV_META_KINDS]; /* 0: no such column */
    Oid types[DYNKV_META_KINDS];
    Bitmapset *columns; /* all of them, by attribute number */
} DynkvMeta;

/* In the current memory context.  Columns of a wrong type, or two of a kind, are errors. */
extern DynkvMeta *dynkv_meta_create(Relation rel);
static inline bool dynkv_meta_has(const DynkvMeta *meta, AttrNumber attno)
{
    return meta->columns && bms_is_member(attno, meta->columns);
}

/*
 * Fills the wanted ones (by attribute number; NULL: all) of a row that is this sibling.  siblings: of the
 * object, how many are alive.
 */
extern void dynkv_meta_get(const DynkvMeta *meta, const struct dynkv_object *object,
                           const struct dynkv_sibling *sibling, int siblings,
                           const Bitmapset *wanted, Datum *values, bool *nulls);
/* Only version and siblings, which belong to the key, whatever made the row. */
extern void dynkv_meta_get_of_key(const DynkvMeta *meta, const struct dynkv_object *object,
                                  int siblings, const Bitmapset *wanted, Datum *values,
                                  bool *nulls);
/* Whether any is wanted that belongs to one of the siblings. */
extern bool dynkv_meta_is_of_sibling(const DynkvMeta *meta, const Bitmapset *wanted);

/* Of a sibling that was read, when a write that keeps it says it expires (libdynkv's expires_at_ms). */
extern uint64 dynkv_meta_kept_expiry(const struct dynkv_sibling *sibling);
/* Raises an error if any of `written` (by attribute number) cannot be written. */
extern void dynkv_meta_check_written(const DynkvMeta *meta, Relation rel, const Bitmapset *written);

#endif
