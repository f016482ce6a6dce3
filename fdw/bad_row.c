/*
 * bad_row.c: a row read in a subtransaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "fdw/bad_row.h"

/* After so many warnings it is known that there are bad rows. */
#define BAD_ROW_WARNINGS_MAX 10

/* Of the data: a value that is none, that a domain forbids, that is too much for its type; bytes that are no row. */
static bool bad_row_is_meant(int sqlstate)
{
    int category = ERRCODE_TO_CATEGORY(sqlstate);

    return category == ERRCODE_DATA_EXCEPTION ||
           category == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION || category == ERRCODE_FDW_ERROR ||
           category == ERRCODE_PROGRAM_LIMIT_EXCEEDED; /* 20,000 brackets: too deep for the stack */
}

/*
 * What was wrong and where: the codec says it in its detail; of an error of a type it is the context that
 * says where, which clients do not show of warnings.
 */
static char *bad_row_place(const ErrorData *error)
{
    const char *at = error->context ? strstr(error->context, "reading ") : NULL;
    char *place = at ? pnstrdup(at, strcspn(at, "\n")) : NULL;

    if (error->detail)
        return place ? psprintf("%s\n%s", error->detail, place) : error->detail;
    return place;
}

static void bad_row_warn(DynkvBadRows *bad, const ErrorData *error)
{
    char *place = bad_row_place(error);

    bad->skipped++;
    if (bad->skipped <= BAD_ROW_WARNINGS_MAX)
        ereport(WARNING, (errcode(error->sqlerrcode), errmsg("skipped a row: %s", error->message),
                          place ? errdetail_internal("%s", place) : 0));
    if (bad->skipped == BAD_ROW_WARNINGS_MAX)
        ereport(WARNING, (errmsg("more rows that cannot be read are skipped without a warning")));
}

/* In PG_CATCH: takes the error back, or raises it again. */
static void bad_row_catch(DynkvBadRows *bad, MemoryContext context, ResourceOwner owner)
{
    ErrorData *error;

    MemoryContextSwitchTo(context);
    error = CopyErrorData();
    FlushErrorState();
    RollbackAndReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    if (!bad_row_is_meant(error->sqlerrcode))
        ReThrowError(error);
    bad_row_warn(bad, error);
}

bool dynkv_bad_row_get(DynkvBadRows *bad, DynkvConflict *conflict, const DynkvConflictRow *row,
                       Datum *values, bool *nulls)
{
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    volatile bool is_read = true;

    if (IsInParallelMode()) {
        dynkv_conflict_get(conflict, row, values, nulls);
        return true;
    }
    BeginInternalSubTransaction(NULL);
    MemoryContextSwitchTo(context);
    PG_TRY();
    {
        dynkv_conflict_get(conflict, row, values, nulls);
        ReleaseCurrentSubTransaction();
        MemoryContextSwitchTo(context);
        CurrentResourceOwner = owner;
    }
    PG_CATCH();
    {
        bad_row_catch(bad, context, owner);
        is_read = false;
    }
    PG_END_TRY();
    return is_read;
}
