/*
 * modify_state.h: what a statement that writes a foreign table keeps, for modify.c, which says when it begins and
 * ends, and modify_rows.c, which makes writes of rows.
 */
#ifndef DYNKV_FDW_MODIFY_STATE_H
#define DYNKV_FDW_MODIFY_STATE_H

#include "postgres.h"

#include "lib/ilist.h"
#include "nodes/execnodes.h"
#include "nodes/plannodes.h"
#include "utils/relcache.h"

#include "base/bytes.h"
#include "fdw/codec.h"
#include "fdw/option.h"
#include "fdw/rows.h"
#include "fdw/settle.h"
#include "fdw/unique.h"
#include "fdw/writer.h"

/* Names of columns that the plan carries along. */
#define DYNKV_MODIFY_CTID     "ctid"
#define DYNKV_MODIFY_WHOLEROW "wholerow"

/* Keys that were written (modify_rows.c). */
typedef struct DynkvModifyDone DynkvModifyDone;

typedef struct DynkvModifyState {
    MemoryContextCallback on_reset;
    dlist_node node; /* in modify_states */
    EState *estate;
    ModifyTableState *mtstate;
    Relation rel;
    DynkvTableOptions *options;
    DynkvCodec *codec;
    CommandId command;
    CmdType operation;   /* of the statement: an UPDATE may move rows into a partition */
    bool sets_expiry;    /* it names the column that shows meta 'expires_at' */
    DynkvWriter *writer; /* NULL: nothing written yet */
    bool shares_writer;  /* it is another's */
    DynkvUnique *unique; /* on_insert 'error', once there is a writer; else NULL */
    bool skips_existing; /* ON CONFLICT DO NOTHING */
    bool is_moved_into;  /* the statement reads what is inserted */
    Oid user;
    MemoryContext row_context;             /* of the row being written */
    DynkvRows *rows;                       /* of UPDATE and DELETE */
    AttrNumber ctid_attno, wholerow_attno; /* in the plan's rows */
    DynkvModifyDone *done; /* keys already updated or deleted; NULL: no row can come twice */
    DynkvSettle *settle;   /* of a DELETE; else NULL */
} DynkvModifyState;

extern DynkvModifyDone *dynkv_modify_done_create(MemoryContext context);
/* The writer, made when the first row is written. */
extern DynkvWriter *dynkv_modify_writer(DynkvModifyState *state);
/*
 * Whether INSERT is to leave rows with a key that is there, ON CONFLICT DO NOTHING; an error if the table cannot
 * do what it says.  plan NULL: no INSERT.
 */
extern bool dynkv_modify_skips_existing(Relation rel, const ModifyTable *plan);

#endif
