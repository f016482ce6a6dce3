/*
 * unique.h: on_insert 'error': an INSERT of a key that is there is a unique_violation.
 *
 * What the transaction itself has said of a key decides at once.  Otherwise the cluster is asked, for many
 * keys at a time: rows are written (kept) before they are checked, and an error discards them with the
 * statement.  Rows that are sent are looked after once more then: absent.h.
 */
#ifndef DYNKV_FDW_UNIQUE_H
#define DYNKV_FDW_UNIQUE_H

#include "postgres.h"

#include "utils/relcache.h"

#include "fdw/codec.h"
#include "fdw/connection.h"
#include "fdw/writer.h"

typedef struct DynkvUnique DynkvUnique;

/* In the current memory context; all that is passed must outlive it. */
extern DynkvUnique *dynkv_unique_create(Relation rel, DynkvConnection *connection,
                                        const DynkvTableOptions *options, DynkvCodec *codec,
                                        DynkvWriter *writer);
/*
 * Checks a key that is about to be written, now or soon.  Returns whether the key is certainly none of the
 * transaction's own making, so that it will be new to the cluster.
 */
extern bool dynkv_unique_check(DynkvUnique *unique, struct dynkv_slice key, uint32 partition_len);
/* Asks the cluster now which of the keys are there, whatever the transaction has said of them. */
extern void dynkv_unique_find(DynkvUnique *unique, const struct dynkv_key_ref *keys, int count,
                              bool *exists);
/*
 * A row that is about to get another key.  Whether the new one is taken is judged when the statement ends, as
 * the row that has it may leave it until then (keys are shifted, swapped), like a DEFERRABLE constraint.
 */
extern void dynkv_unique_move(DynkvUnique *unique, struct dynkv_slice old_key,
                              struct dynkv_slice new_key, uint32 partition_len);
/* Checks what is left to check. */
extern void dynkv_unique_finish(DynkvUnique *unique);

#endif
