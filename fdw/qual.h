/*
 * qual.h: which conditions of a query nodes can test for a scan, and what they are told (model/filter.h).
 *
 * A condition is told if it is made of comparisons of columns of the value (formats 'row' and 'json') with
 * values that are known before the scan begins, tests for NULL, AND, OR and NOT.  The types are those whose
 * stored form has one meaning: boolean, integers, floats, text and varchar (order under collation C only),
 * bytea, uuid, date, timestamp, timestamptz; any type for IS NULL.  Nodes leave out what they are certain of, so
 * all conditions are looked at here again.
 *
 * At the top of a condition a value may be any expression that match.h would take for a key.  Under AND, OR and
 * NOT it must be a constant or a parameter: others might fail where the query would never come to them.
 */
#ifndef DYNKV_FDW_QUAL_H
#define DYNKV_FDW_QUAL_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "base/bytes.h"
#include "fdw/option.h"

typedef struct DynkvQuals DynkvQuals;

/* Those of the clauses (RestrictInfos) that nodes can test. */
extern List *dynkv_quals_choose(RelOptInfo *rel, Relation table, const DynkvTableOptions *options,
                                List *clauses);
/* For the execution of such expressions; NULL: there are none.  In the current memory context. */
extern DynkvQuals *dynkv_quals_create(ForeignScanState *node, const DynkvTableOptions *options,
                                      List *clauses);
/* The filter with the values of this execution, valid until the next call; empty: nothing to tell. */
extern struct dynkv_slice dynkv_quals_evaluate(DynkvQuals *quals);

#endif
