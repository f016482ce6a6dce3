/*
 * order.h: the order in which a scan can give the rows of a table, as the planner's pathkeys.
 *
 * Keys are stored in the order of their columns where each column's encoding sorts as its type does
 * (dynkv_codec_is_ordered).  They can be read rising or falling, all columns alike.
 */
#ifndef DYNKV_FDW_ORDER_H
#define DYNKV_FDW_ORDER_H

#include "postgres.h"

#include "nodes/pathnodes.h"

#include "base/order.h"
#include "fdw/match.h"

/*
 * What the order of the keys (RISING or FALLING) is worth to the query; NIL: nothing.  used: the bounds of
 * the access, since a column with one value has any order.
 */
extern List *dynkv_order_pathkeys(PlannerInfo *root, RelOptInfo *rel,
                                  const DynkvKeyColumns *columns, List *used,
                                  enum dynkv_order order);

#endif
