/*
 * publish.h: the definitions that dynkv_publish_table() has stored.
 *
 * They are rows like a foreign table's: written when the transaction commits, taken back by ROLLBACK and
 * ROLLBACK TO SAVEPOINT, and seen by the transaction itself before.
 */
#ifndef DYNKV_FDW_PUBLISH_H
#define DYNKV_FDW_PUBLISH_H

#include "postgres.h"

#include "fdw/catalog.h"

/* One definition: a table's name and its JSON, both in UTF-8; they live until the call returns. */
typedef void (*DynkvPublishedVisit)(struct dynkv_slice table, struct dynkv_slice json, void *arg);

/* All that the cluster has, as this transaction has changed it; in no order. */
extern void dynkv_published_each(DynkvCatalog *catalog, DynkvPublishedVisit visit, void *arg);

#endif
