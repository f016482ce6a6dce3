/*
 * resolver.h: a table's option resolver: a SQL function that makes one row of the siblings of a key.
 *
 *     CREATE FUNCTION app.pick(siblings app.session[]) RETURNS app.session ...
 *
 * It gets the rows as the table shows them, meta columns too, the latest written first, and gives the row,
 * with the same key.  It runs as the table's owner, who must be allowed to execute it, and as an index's
 * function does: whoever reads the table need not trust its owner (SECURITY_RESTRICTED_OPERATION).
 */
#ifndef DYNKV_FDW_RESOLVER_H
#define DYNKV_FDW_RESOLVER_H

#include "postgres.h"

#include "fdw/codec.h"

typedef struct DynkvResolver DynkvResolver;

/* In the current memory context.  Errors: no such function, or not one of that type. */
extern DynkvResolver *dynkv_resolver_create(Relation rel, const char *name, DynkvCodec *codec);
/* One more sibling; copied into the current memory context, which must stay until the call. */
extern void dynkv_resolver_add(DynkvResolver *resolver, Datum *values, bool *nulls);
/* The row of those that were added since the last call; in the current memory context. */
extern void dynkv_resolver_call(DynkvResolver *resolver, struct dynkv_slice key, Datum *values,
                                bool *nulls);

#endif
