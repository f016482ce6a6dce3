/*
 * bind.h: the bounds of a plan, with the values of this execution, as key bytes.
 *
 * Values are evaluated once for each (re)scan.  Equalities and arrays give the list of all combinations
 * of their values, each one once, in key order (or falling, as the plan says), made one at a time; bounds of the column after them give
 * one range for all.  A value that is NULL, or that the column's type cannot hold, matches no row.
 */
#ifndef DYNKV_FDW_BIND_H
#define DYNKV_FDW_BIND_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "fdw/codec.h"
#include "fdw/plan.h"

typedef struct DynkvBind DynkvBind;

/* Something to read. */
typedef struct DynkvTarget {
    /* POINT_GET: the key.  PARTITION_SCAN: the partition key.  Otherwise empty. */
    struct dynkv_slice key;
    uint32 partition_len;
    /* Scans: keys (PARTITION_SCAN: sort keys) from lower to before upper; an empty upper is no bound. */
    struct dynkv_slice lower;
    struct dynkv_slice upper;
} DynkvTarget;

extern DynkvBind *dynkv_bind_create(ForeignScanState *node, const DynkvPlan *plan,
                                    DynkvCodec *codec, const DynkvKeyColumns *columns);
/* Evaluates the values; the first target is next. */
extern void dynkv_bind_evaluate(DynkvBind *bind);
/* Starts over with the same values. */
extern void dynkv_bind_rewind(DynkvBind *bind);
/* The next target, its bytes in the current memory context; false: no more. */
extern bool dynkv_bind_next(DynkvBind *bind, DynkvTarget *target);
/* A value as one of the column's type, which may be another integer type; false: that cannot hold it. */
extern bool dynkv_bind_convert(Oid column_type, Oid value_type, Datum *value);
/* The least bytes after all that begin with prefix, palloc'd; false: there is no such. */
extern bool dynkv_bind_prefix_end(struct dynkv_slice prefix, struct dynkv_slice *end);

#endif
