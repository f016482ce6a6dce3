/*
 * dynkv_fdw.c: the extension's front door: the handler, the validator, and what happens at load.
 *
 * About tables and clusters as a whole: fdw/analyze.c, fdw/publish.c, fdw/import.c, fdw/infer.c,
 * fdw/status.c (functions about the cluster), fdw/session.c (about this session's connections).
 *
 * Behind it: fdw/option.c (what users can set), fdw/codec.c (rows and bytes), fdw/connection.c (clients
 * and waiting), fdw/plan.c and fdw/match.c (what is pushed down), fdw/bind.c (key values at execution),
 * fdw/scan.c, fdw/lookup_join.c (joins by key), fdw/conflict.c (which rows a key is), fdw/meta.c (version, expiry and so on), fdw/modify.c,
 * fdw/writer.c (all writes), fdw/txn.c (what waits for the commit), fdw/explain.c.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"

#include "fdw/analyze.h"
#include "fdw/catalog.h"
#include "fdw/compat.h"
#include "fdw/connection.h"
#include "fdw/explain.h"
#include "fdw/lookup.h"
#include "fdw/modify.h"
#include "fdw/option.h"
#include "fdw/plan.h"
#include "fdw/scan.h"
#include "fdw/truncate.h"
#include "fdw/txn.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);
extern PGDLLEXPORT Datum dynkv_fdw_handler(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum dynkv_fdw_validator(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(dynkv_fdw_handler);
PG_FUNCTION_INFO_V1(dynkv_fdw_validator);

void _PG_init(void)
{
    dynkv_lookup_init(); /* its setting, before option_init says that there are no more */
    dynkv_option_init();
    dynkv_connection_init();
    dynkv_txn_init();
    dynkv_modify_init();
}

Datum dynkv_fdw_handler(PG_FUNCTION_ARGS)
{
    FdwRoutine *routine = makeNode(FdwRoutine);

    routine->GetForeignRelSize = dynkvGetForeignRelSize;
    routine->GetForeignPaths = dynkvGetForeignPaths;
    routine->GetForeignPlan = dynkvGetForeignPlan;

    routine->BeginForeignScan = dynkvBeginForeignScan;
    routine->IterateForeignScan = dynkvIterateForeignScan;
    routine->ReScanForeignScan = dynkvReScanForeignScan;
    routine->EndForeignScan = dynkvEndForeignScan;

    routine->IsForeignRelUpdatable = dynkvIsForeignRelUpdatable;
    routine->AddForeignUpdateTargets = dynkvAddForeignUpdateTargets;
    routine->PlanForeignModify = dynkvPlanForeignModify;
    routine->BeginForeignModify = dynkvBeginForeignModify;
    routine->ExecForeignInsert = dynkvExecForeignInsert;
    routine->GetForeignModifyBatchSize = dynkvGetForeignModifyBatchSize;
    routine->ExecForeignBatchInsert = dynkvExecForeignBatchInsert;
    routine->ExecForeignUpdate = dynkvExecForeignUpdate;
    routine->ExecForeignDelete = dynkvExecForeignDelete;
    routine->EndForeignModify = dynkvEndForeignModify;
    routine->BeginForeignInsert = dynkvBeginForeignInsert;
    routine->EndForeignInsert = dynkvEndForeignInsert;

    routine->ExecForeignTruncate = dynkvExecForeignTruncate;

    routine->ExplainForeignScan = dynkvExplainForeignScan;
    routine->ExplainForeignModify = dynkvExplainForeignModify;

    routine->AnalyzeForeignTable = dynkvAnalyzeForeignTable;
    routine->ImportForeignSchema = dynkvImportForeignSchema;

    PG_RETURN_POINTER(routine);
}

Datum dynkv_fdw_validator(PG_FUNCTION_ARGS)
{
    dynkv_option_validate(untransformRelOptions(PG_GETARG_DATUM(0)), PG_GETARG_OID(1));
    PG_RETURN_VOID();
}
