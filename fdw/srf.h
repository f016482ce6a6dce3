/* srf.h: functions in SQL that return a set of rows, all at once. */
#ifndef DYNKV_FDW_SRF_H
#define DYNKV_FDW_SRF_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"
#include "utils/tuplestore.h"

typedef struct DynkvSrf {
    Tuplestorestate *store;
    TupleDesc desc;
} DynkvSrf;

/* The function then puts its rows, and returns (Datum)0. */
extern void dynkv_srf_begin(FunctionCallInfo fcinfo, DynkvSrf *srf);
extern void dynkv_srf_put(DynkvSrf *srf, Datum *values, bool *nulls);

#endif
