/* resolver.c: finding the function, calling it, and looking at what it gave. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/limits.h"
#include "fdw/column.h"
#include "fdw/compat.h"
#include "fdw/resolver.h"

struct DynkvResolver {
    Relation rel;
    const char *name; /* as the option has it */
    DynkvCodec *codec;
    Oid row_type;
    FmgrInfo function;
    Datum siblings[DYNKV_SIBLINGS_HARD_MAX];
    int count;
};

/* ---- the function ---- */

static DYNKV_NORETURN void resolver_unfit(const DynkvResolver *resolver, int sqlstate,
                                          const char *problem)
{
    char *type = format_type_be(resolver->row_type);

    ereport(ERROR, (errcode(sqlstate),
                    errmsg("resolver %s of foreign table \"%s\" %s", resolver->name,
                           RelationGetRelationName(resolver->rel), problem),
                    errhint("It must be a function of the table's siblings that gives one row: "
                            "CREATE FUNCTION %s(siblings %s[]) RETURNS %s ...",
                            resolver->name, type, type),
                    errtable(resolver->rel)));
}

static Oid resolver_find(const DynkvResolver *resolver)
{
    Oid argument = get_array_type(resolver->row_type);
    List *names = NIL;
    ListCell *cell;
    Oid function;

    foreach (cell, dynkv_option_split_function(resolver->name))
        names = lappend(names, makeString(lfirst(cell)));
    function = LookupFuncName(names, 1, &argument, true);
    if (!OidIsValid(function))
        resolver_unfit(resolver, ERRCODE_UNDEFINED_FUNCTION, "does not exist");
    if (get_func_prokind(function) != PROKIND_FUNCTION || get_func_retset(function) ||
        get_func_rettype(function) != resolver->row_type)
        resolver_unfit(resolver, ERRCODE_INVALID_FUNCTION_DEFINITION,
                       psprintf("gives %s%s, and not a row of the table",
                                get_func_retset(function) ? "a set of " : "",
                                format_type_be(get_func_rettype(function))));
    return function;
}

DynkvResolver *dynkv_resolver_create(Relation rel, const char *name, DynkvCodec *codec)
{
    DynkvResolver *resolver = palloc0(sizeof *resolver);
    Oid function;

    resolver->rel = rel;
    resolver->name = name;
    resolver->codec = codec;
    resolver->row_type = rel->rd_rel->reltype;
    function = resolver_find(resolver);
    if (dynkv_function_aclcheck(function, rel->rd_rel->relowner) != ACLCHECK_OK)
        resolver_unfit(resolver, ERRCODE_INSUFFICIENT_PRIVILEGE,
                       psprintf("may not be executed by %s, who owns the table",
                                GetUserNameFromId(rel->rd_rel->relowner, false)));
    fmgr_info(function, &resolver->function);
    return resolver;
}

/* ---- calling it ---- */

void dynkv_resolver_add(DynkvResolver *resolver, Datum *values, bool *nulls)
{
    TupleDesc desc = RelationGetDescr(resolver->rel);
    HeapTuple row = heap_form_tuple(desc, values, nulls);

    Assert(resolver->count < (int)DYNKV_SIBLINGS_HARD_MAX);
    resolver->siblings[resolver->count++] = heap_copy_tuple_as_datum(row, desc);
}

static Datum resolver_array(DynkvResolver *resolver)
{
    ArrayType *array = construct_array(resolver->siblings, resolver->count, resolver->row_type, -1,
                                       false, TYPALIGN_DOUBLE);

    resolver->count = 0;
    return PointerGetDatum(array);
}

/* User and settings come back by themselves after an error. */
static Datum resolver_run(DynkvResolver *resolver, bool *is_null)
{
    LOCAL_FCINFO(call, 1);
    Oid user;
    int security, nest_level;
    Datum result;

    InitFunctionCallInfoData(*call, &resolver->function, 1, InvalidOid, NULL, NULL);
    call->args[0].value = resolver_array(resolver);
    call->args[0].isnull = false;
    GetUserIdAndSecContext(&user, &security);
    SetUserIdAndSecContext(resolver->rel->rd_rel->relowner,
                           security | SECURITY_RESTRICTED_OPERATION);
    nest_level = NewGUCNestLevel();
    result = FunctionCallInvoke(call);
    AtEOXact_GUC(false, nest_level);
    SetUserIdAndSecContext(user, security);
    *is_null = call->isnull;
    return result;
}

static DYNKV_NORETURN void resolver_wrong(const DynkvResolver *resolver, struct dynkv_slice key,
                                          const char *problem)
{
    ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
                    errmsg("resolver %s of foreign table \"%s\" %s", resolver->name,
                           RelationGetRelationName(resolver->rel), problem),
                    errdetail("The key is %s.",
                              dynkv_codec_describe_key(resolver->codec, resolver->rel, key)),
                    errhint("It must give one row with the key of the siblings that it got."),
                    errtable(resolver->rel)));
}

static void resolver_check_key(const DynkvResolver *resolver, struct dynkv_slice key,
                               const Datum *values, const bool *nulls)
{
    StringInfoData given;
    uint32 partition_len;

    for (int i = 0; i < dynkv_codec_key_count(resolver->codec); i++)
        if (nulls[dynkv_codec_key_attno(resolver->codec, i) - 1])
            resolver_wrong(resolver, key, "returned a row with NULL in its key");
    initStringInfo(&given);
    dynkv_codec_put_key(resolver->codec, values, nulls, &given, &partition_len);
    if (!dynkv_slice_equal(dynkv_slice(given.data, (size_t)given.len), key))
        resolver_wrong(resolver, key, "returned a row with another key");
}

/* For error_context_stack. */
typedef struct ResolverPlace {
    const DynkvResolver *resolver;
    struct dynkv_slice key;
} ResolverPlace;

static void resolver_context(void *arg)
{
    const ResolverPlace *place = arg;

    errcontext("resolver %s of foreign table \"%s\", key %s", place->resolver->name,
               RelationGetRelationName(place->resolver->rel), dynkv_hex(place->key));
}

void dynkv_resolver_call(DynkvResolver *resolver, struct dynkv_slice key, Datum *values,
                         bool *nulls)
{
    ResolverPlace place = {resolver, key};
    ErrorContextCallback context = {
        .previous = error_context_stack, .callback = resolver_context, .arg = &place};
    HeapTupleHeader header;
    HeapTupleData row;
    bool is_null;
    Datum result;

    error_context_stack = &context;
    result = resolver_run(resolver, &is_null);
    error_context_stack = context.previous;
    if (is_null)
        resolver_wrong(resolver, key, "returned NULL");
    header = DatumGetHeapTupleHeader(result);
    memset(&row, 0, sizeof row);
    row.t_len = HeapTupleHeaderGetDatumLength(header);
    ItemPointerSetInvalid(&row.t_self);
    row.t_data = header;
    heap_deform_tuple(&row, RelationGetDescr(resolver->rel), values, nulls);
    resolver_check_key(resolver, key, values, nulls);
}
