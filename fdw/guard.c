/* guard.c: see guard.h; what a guard holds is listed in its own memory context. */
#include "postgres.h"

#include "lib/ilist.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "fdw/connection_cache.h"
#include "fdw/guard.h"

struct DynkvGuard {
    MemoryContextCallback on_reset; /* of context; not used by a connection's own guard */
    MemoryContext context;
    dlist_node node;             /* in the connection's guards */
    DynkvConnection *connection; /* NULL once the client is closed */
    dlist_head handles;
};

/* One request or scan that a guard holds. */
typedef struct GuardHandle {
    dlist_node node;
    struct dynkv_request *request;
    struct dynkv_scan_handle *scan;
} GuardHandle;

static void guard_free_handles(DynkvGuard *guard)
{
    dlist_mutable_iter at;

    dlist_foreach_modify(at, &guard->handles)
    {
        GuardHandle *handle = dlist_container(GuardHandle, node, at.cur);

        dlist_delete(&handle->node);
        if (handle->request)
            dynkv_request_free(handle->request);
        if (handle->scan)
            dynkv_scan_free(handle->scan);
        pfree(handle);
    }
}

static void guard_on_reset(void *arg)
{
    DynkvGuard *guard = arg;

    if (!guard->connection || proc_exit_inprogress)
        return;
    guard_free_handles(guard);
    dlist_delete(&guard->node);
}

DynkvGuard *dynkv_guard_create_own(DynkvConnection *connection, MemoryContext context)
{
    DynkvGuard *guard = MemoryContextAllocZero(context, sizeof *guard);

    guard->context = context;
    guard->connection = connection;
    dlist_init(&guard->handles);
    dlist_push_tail(&connection->guards, &guard->node);
    return guard;
}

DynkvGuard *dynkv_guard_create(DynkvConnection *connection)
{
    DynkvGuard *guard = dynkv_guard_create_own(connection, CurrentMemoryContext);

    guard->on_reset.func = guard_on_reset;
    guard->on_reset.arg = guard;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &guard->on_reset);
    return guard;
}

/* Room for the handle is made before the request is started only if the caller may not leak it. */
static void guard_add(DynkvGuard *guard, struct dynkv_request *request,
                      struct dynkv_scan_handle *scan)
{
    GuardHandle *handle =
        MemoryContextAllocExtended(guard->context, sizeof *handle, MCXT_ALLOC_NO_OOM);

    if (!handle) {
        if (request)
            dynkv_request_free(request);
        if (scan)
            dynkv_scan_free(scan);
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
    }
    handle->request = request;
    handle->scan = scan;
    dlist_push_tail(&guard->handles, &handle->node);
}

static void guard_forget(DynkvGuard *guard, const void *request_or_scan)
{
    dlist_mutable_iter at;

    dlist_foreach_modify(at, &guard->handles)
    {
        GuardHandle *handle = dlist_container(GuardHandle, node, at.cur);

        if (handle->request == request_or_scan || handle->scan == request_or_scan) {
            dlist_delete(&handle->node);
            pfree(handle);
            return;
        }
    }
}

struct dynkv_request *dynkv_guard_request(DynkvGuard *guard, struct dynkv_request *request)
{
    guard_add(guard, request, NULL);
    return request;
}

void dynkv_guard_free_request(DynkvGuard *guard, struct dynkv_request *request)
{
    if (!request)
        return;
    guard_forget(guard, request);
    dynkv_request_free(request);
}

struct dynkv_scan_handle *dynkv_guard_scan(DynkvGuard *guard, struct dynkv_scan_handle *scan)
{
    guard_add(guard, NULL, scan);
    return scan;
}

void dynkv_guard_free_scan(DynkvGuard *guard, struct dynkv_scan_handle *scan)
{
    if (!scan)
        return;
    guard_forget(guard, scan);
    dynkv_scan_free(scan);
}

/* ---- all guards of a connection ---- */

void dynkv_guards_free_handles(DynkvConnection *connection)
{
    dlist_iter at;

    dlist_foreach(at, &connection->guards)
    {
        guard_free_handles(dlist_container(DynkvGuard, node, at.cur));
    }
}

void dynkv_guards_detach(DynkvConnection *connection)
{
    dlist_mutable_iter at;

    dlist_foreach_modify(at, &connection->guards)
    {
        DynkvGuard *guard = dlist_container(DynkvGuard, node, at.cur);

        guard_free_handles(guard);
        dlist_delete(&guard->node);
        guard->connection = NULL;
    }
}
