/*
 * infer.h: a definition for a keyspace that nobody has published one for, from a sample of its rows.
 *
 * What can be told: whether values are MessagePack maps, JSON objects or something else, their members'
 * names, and the types that occur.  What cannot: the columns of a key (it becomes one column), types
 * that are stored as text (dates, numeric, uuid), names that no sampled row has.
 */
#ifndef DYNKV_FDW_INFER_H
#define DYNKV_FDW_INFER_H

#include "postgres.h"

#include "fdw/catalog.h"
#include "fdw/definition.h"

/*
 * NULL, after a NOTICE that says why: the keyspace is empty, or its keys have a sort key, and looking
 * rows up by the whole of such a key would miss them.
 */
extern DynkvDefinition *dynkv_infer(DynkvCatalog *catalog, const char *keyspace, uint64 id);

#endif
