/* srf.c: materialized results, as InitMaterializedSRF makes them since PostgreSQL 15. */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"

#include "fdw/srf.h"

void dynkv_srf_begin(FunctionCallInfo fcinfo, DynkvSrf *srf)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    MemoryContext old;

    if (!result || !IsA(result, ReturnSetInfo) || !(result->allowedModes & SFRM_Materialize))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a function that returns a set cannot be called here"),
                        errhint("Call it in FROM.")));
    old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
    if (get_call_result_type(fcinfo, NULL, &srf->desc) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    srf->store = tuplestore_begin_heap(true, false, work_mem);
    result->returnMode = SFRM_Materialize;
    result->setResult = srf->store;
    result->setDesc = srf->desc;
    MemoryContextSwitchTo(old);
}

void dynkv_srf_put(DynkvSrf *srf, Datum *values, bool *nulls)
{
    tuplestore_putvalues(srf->store, srf->desc, values, nulls);
}
