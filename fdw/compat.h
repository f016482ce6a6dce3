/*
 * compat.h: what differs between PostgreSQL 14 and 19, so that no other file asks for the version.
 */
#ifndef DYNKV_FDW_COMPAT_H
#define DYNKV_FDW_COMPAT_H

#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "commands/explain.h"
#include "common/jsonapi.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "optimizer/appendinfo.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "parser/parse_type.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/pg_locale.h"
#include "utils/selfuncs.h"
#include "utils/timestamp.h" /* until 18 a part of others */
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 140000
#error "dynkv_fdw needs PostgreSQL 14 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h" /* until 15 a part of postgres.h */
#endif

#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h" /* both until 17 a part of explain.h */
#include "commands/explain_state.h"
#endif

/* Until 15 the server's headers leave it empty, and all of ours is hidden that is not exported. */
#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* The server's own word for it changes place and name; this one does not. */
#define DYNKV_NORETURN __attribute__((__noreturn__))

/* Since 16 the parser's callbacks say whether to go on. */
#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType DynkvJsonResult;
#define DYNKV_JSON_GO_ON return JSON_SUCCESS
#else
typedef void DynkvJsonResult;
#define DYNKV_JSON_GO_ON return
#endif

/* A lexer over text in the server's encoding that also undoes escapes. */
static inline JsonLexContext *dynkv_json_lexer(char *text, int len)
{
#if PG_VERSION_NUM >= 170000
    return makeJsonLexContextCstringLen(NULL, text, len, GetDatabaseEncoding(), true);
#else
    return makeJsonLexContextCstringLen(text, len, GetDatabaseEncoding(), true);
#endif
}

/* Whether the collation compares bytes. */
static inline bool dynkv_collation_is_c(Oid collation)
{
#if PG_VERSION_NUM >= 180000
    return pg_newlocale_from_collation(collation)->collate_is_c;
#else
    return lc_collate_is_c(collation);
#endif
}

static inline AclResult dynkv_server_aclcheck(Oid serverid, Oid userid, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(ForeignServerRelationId, serverid, userid, mode);
#else
    return pg_foreign_server_aclcheck(serverid, userid, mode);
#endif
}

static inline AclResult dynkv_function_aclcheck(Oid function, Oid userid)
{
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(ProcedureRelationId, function, userid, ACL_EXECUTE);
#else
    return pg_proc_aclcheck(function, userid, ACL_EXECUTE);
#endif
}

static inline bool dynkv_table_is_owned_by(Oid relid, Oid userid)
{
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(RelationRelationId, relid, userid);
#else
    return pg_class_ownercheck(relid, userid);
#endif
}

/* The parts of a type's name, such as "numeric(10,2)"; a text that is none is an error. */
static inline TypeName *dynkv_parse_type_name(const char *text)
{
#if PG_VERSION_NUM >= 160000
    return typeStringToTypeName(text, NULL);
#else
    return typeStringToTypeName(text);
#endif
}

/* How many elements an array expression seems to have. */
static inline double dynkv_array_length(PlannerInfo *root, Node *array)
{
#if PG_VERSION_NUM >= 170000
    return estimate_array_length(root, array);
#else
    return estimate_array_length(array);
#endif
}

/* A path of a base relation. */
static inline ForeignPath *dynkv_create_scan_path(PlannerInfo *root, RelOptInfo *rel, double rows,
                                                  Cost startup, Cost total, List *pathkeys,
                                                  Relids outer, List *fdw_private)
{
#if PG_VERSION_NUM >= 180000
    return create_foreignscan_path(root, rel, NULL, rows, 0, startup, total, pathkeys, outer, NULL,
                                   NIL, fdw_private);
#elif PG_VERSION_NUM >= 170000
    return create_foreignscan_path(root, rel, NULL, rows, startup, total, pathkeys, outer, NULL,
                                   NIL, fdw_private);
#else
    return create_foreignscan_path(root, rel, NULL, rows, startup, total, pathkeys, outer, NULL,
                                   fdw_private);
#endif
}

static inline PathKey *dynkv_make_pathkey(PlannerInfo *root, EquivalenceClass *class, Oid family,
                                          bool falls, bool nulls_first)
{
#if PG_VERSION_NUM >= 180000
    return make_canonical_pathkey(root, class, family, falls ? COMPARE_GT : COMPARE_LT,
                                  nulls_first);
#else
    return make_canonical_pathkey(
        root, class, family, falls ? BTGreaterStrategyNumber : BTLessStrategyNumber, nulls_first);
#endif
}

/* The members of a class that may be of these relations; since 18 those of children stand apart. */
#if PG_VERSION_NUM >= 180000
typedef EquivalenceMemberIterator DynkvMemberIterator;

static inline void dynkv_member_iterator_begin(DynkvMemberIterator *it, EquivalenceClass *class,
                                               Relids relids)
{
    setup_eclass_member_iterator(it, class, relids);
}

static inline EquivalenceMember *dynkv_member_iterator_next(DynkvMemberIterator *it)
{
    return eclass_member_iterator_next(it);
}
#else
typedef struct DynkvMemberIterator {
    List *members;
    int at;
} DynkvMemberIterator;

static inline void dynkv_member_iterator_begin(DynkvMemberIterator *it, EquivalenceClass *class,
                                               Relids relids)
{
    it->members = class->ec_members;
    it->at = 0;
}

static inline EquivalenceMember *dynkv_member_iterator_next(DynkvMemberIterator *it)
{
    return it->at < list_length(it->members) ? (EquivalenceMember *)list_nth(it->members, it->at++)
                                             : NULL;
}
#endif

/* Until 14 all custom scans can compute their target lists. */
#if PG_VERSION_NUM >= 150000
#define DYNKV_CUSTOM_PROJECTION CUSTOMPATH_SUPPORT_PROJECTION
#else
#define DYNKV_CUSTOM_PROJECTION 0
#endif

/* Since 18 a path counts the disabled ones that it is made of. */
static inline void dynkv_path_take_disabled(Path *path, const Path *below)
{
#if PG_VERSION_NUM >= 180000
    path->disabled_nodes = below->disabled_nodes;
#endif
}

/* Expressions that refer to a partitioned table, for one of its partitions. */
static inline Node *dynkv_adjust_for_child(PlannerInfo *root, Node *exprs, RelOptInfo *child)
{
#if PG_VERSION_NUM >= 160000
    return adjust_appendrel_attrs_multilevel(root, exprs, child, child->top_parent);
#else
    return adjust_appendrel_attrs_multilevel(root, exprs, child->relids, child->top_parent_relids);
#endif
}

/* A copy of a Var or PlaceHolderVar, which since 16 says what outer joins may have made it null, as the other does. */
static inline Node *dynkv_with_marks_of(Node *node, Node *other)
{
    Node *copy = copyObject(node);
#if PG_VERSION_NUM >= 160000
    if (IsA(node, Var))
        ((Var *)copy)->varnullingrels = bms_copy(((Var *)other)->varnullingrels);
    else
        ((PlaceHolderVar *)copy)->phnullingrels =
            bms_copy(((PlaceHolderVar *)other)->phnullingrels);
#endif
    return copy;
}

/* As whom a scan reads: the owner of the view it stands in, or the current user. */
static inline Oid dynkv_scan_user(ForeignScan *scan, EState *estate)
{
#if PG_VERSION_NUM >= 160000
    Oid user = scan->checkAsUser;
#else
    Oid user = exec_rt_fetch(scan->scan.scanrelid, estate)->checkAsUser;
#endif
    return OidIsValid(user) ? user : GetUserId();
}

/* As whom a statement writes; a partition is written as its root table is. */
static inline Oid dynkv_modify_user(ResultRelInfo *result, EState *estate)
{
    Oid user = InvalidOid;
#if PG_VERSION_NUM >= 160000
    user = ExecGetResultRelCheckAsUser(result, estate);
#else
    Index index = result->ri_RangeTableIndex;

    if (index == 0 && result->ri_RootResultRelInfo)
        index = result->ri_RootResultRelInfo->ri_RangeTableIndex;
    if (index > 0 && index <= (Index)estate->es_range_table_size)
        user = exec_rt_fetch(index, estate)->checkAsUser;
#endif
    return OidIsValid(user) ? user : GetUserId();
}

/* From the rows of the root table to those of a partition that ExecFindPartition gave; NULL: the same. */
static inline TupleConversionMap *dynkv_root_to_child_map(ResultRelInfo *target, EState *estate)
{
#if PG_VERSION_NUM >= 160000
    return ExecGetRootToChildMap(target, estate);
#else
    return target->ri_RootToPartitionMap;
#endif
}

/* A set of events that lives as long as the context, or until FreeWaitEventSet. */
static inline WaitEventSet *dynkv_wait_set(MemoryContext context, int size)
{
#if PG_VERSION_NUM >= 170000
    MemoryContext old = MemoryContextSwitchTo(context);
    WaitEventSet *set = CreateWaitEventSet(NULL, size);

    MemoryContextSwitchTo(old);
    return set;
#else
    return CreateWaitEventSet(context, size);
#endif
}

/* What pg_stat_activity shows while a session waits for the cluster. */
static inline uint32 dynkv_wait_event(void)
{
#if PG_VERSION_NUM >= 170000
    static uint32 event = 0;

    if (event == 0)
        event = WaitEventExtensionNew("DynkvWait");
    return event;
#else
    return PG_WAIT_EXTENSION;
#endif
}

#endif
