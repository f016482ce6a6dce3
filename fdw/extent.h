/*
 * extent.h: how many rows a table has, and how long they are, as far as this session has been told.
 *
 * Nodes say what a keyspace holds in each reply about it (wire/message.h, struct dynkv_extent), and the
 * client remembers what was said last.  So planning asks nobody, and knows what the session's latest
 * statement on that keyspace learnt; before the first one it knows nothing.
 */
#ifndef DYNKV_FDW_EXTENT_H
#define DYNKV_FDW_EXTENT_H

#include "postgres.h"

#include "fdw/option.h"

typedef struct DynkvExtent {
    double rows;      /* keys, or what the transaction has written itself if that is more */
    double row_bytes; /* of key and value, on average; 0: not known */
} DynkvExtent;

/* Of the table's keyspace; false: no node has told, rows is what the transaction wrote.  Opens no connection. */
extern bool dynkv_extent_known(const DynkvTableOptions *options, DynkvExtent *extent);

#endif
