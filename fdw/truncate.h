/*
 * truncate.h: TRUNCATE of foreign tables: every key that the keyspace holds is deleted.
 *
 * Under write_mode 'transaction' the deletes are kept like any others, so a rollback undoes them; under
 * 'immediate' they are sent as the keys are read.  Rows that another session writes meanwhile survive.
 */
#ifndef DYNKV_FDW_TRUNCATE_H
#define DYNKV_FDW_TRUNCATE_H

#include "postgres.h"

#include "nodes/parsenodes.h"

extern void dynkvExecForeignTruncate(List *rels, DropBehavior behavior, bool restart_seqs);

#endif
