/* catalog.c: a connection for questions about the cluster, and the waiting for their answers. */
#include "postgres.h"

#include "catalog/pg_foreign_server.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "fdw/catalog.h"
#include "fdw/moment.h"
#include "fdw/compat.h"
#include "fdw/option_table.h"
#include "fdw/scan.h"

bool dynkv_catalog_is_server(Oid serverid)
{
    ForeignServer *server = GetForeignServer(serverid);

    if (!OidIsValid(GetForeignDataWrapper(server->fdwid)->fdwhandler))
        return false;
    return GetFdwRoutineByServerId(serverid)->BeginForeignScan == dynkvBeginForeignScan;
}

void dynkv_catalog_open(DynkvCatalog *catalog, Oid serverid)
{
    AclResult allowed = dynkv_server_aclcheck(serverid, GetUserId(), ACL_USAGE);

    memset(catalog, 0, sizeof *catalog);
    catalog->server = GetForeignServer(serverid);
    if (allowed != ACLCHECK_OK)
        aclcheck_error(allowed, OBJECT_FOREIGN_SERVER, catalog->server->servername);
    if (!dynkv_catalog_is_server(serverid))
        ereport(ERROR,
                (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                 errmsg("server \"%s\" is not one of dynkv_fdw", catalog->server->servername)));
    catalog->options.serverid = serverid;
    dynkv_option_defaults(DYNKV_FOR_TABLE, &catalog->options);
    dynkv_option_apply(catalog->server->options, DYNKV_FOR_TABLE, &catalog->options);
    catalog->connection = dynkv_connection_get(serverid, GetUserId());
    catalog->client = dynkv_connection_client(catalog->connection);
    catalog->guard = dynkv_guard_create(catalog->connection);
}

void dynkv_catalog_open_name(DynkvCatalog *catalog, const text *server_name)
{
    dynkv_catalog_open(catalog,
                       GetForeignServerByName(text_to_cstring(server_name), false)->serverid);
}

struct dynkv_request *dynkv_catalog_wait(DynkvCatalog *catalog, struct dynkv_request *request,
                                         DynkvDoing doing)
{
    dynkv_guard_request(catalog->guard, request);
    dynkv_connection_wait(catalog->connection, request);
    if (dynkv_request_error(request))
        dynkv_report(ERROR, dynkv_request_error(request), dynkv_request_text(request), doing, NULL);
    return request;
}

bool dynkv_catalog_keyspace(DynkvCatalog *catalog, const char *name, bool create, uint64 *id)
{
    DynkvTableOptions options = catalog->options;

    options.keyspace = pstrdup(name);
    return dynkv_connection_keyspace(catalog->connection, &options, NULL, create, id);
}

/* ---- scans ---- */

void dynkv_catalog_scan(DynkvCatalog *catalog, uint64 keyspace, uint64 limit,
                        DynkvCatalogScan *scan)
{
    struct dynkv_scan_options options = {
        .limit = limit,
        .page_size =
            limit ? (uint32)Min(limit, DYNKV_SCAN_ITEMS_MAX) : (uint32)catalog->options.fetch_size,
        .r = (uint8)catalog->options.r,
        .deadline_ms = (uint32)catalog->options.deadline_ms,
    };

    memset(scan, 0, sizeof *scan);
    scan->catalog = catalog;
    scan->now_ms = dynkv_now_ms();
    scan->scan =
        dynkv_guard_scan(catalog->guard, dynkv_scan_start(catalog->client, keyspace, &options));
}

void dynkv_catalog_scan_close(DynkvCatalogScan *scan)
{
    dynkv_guard_free_scan(scan->catalog->guard, scan->scan);
    scan->scan = NULL;
}

bool dynkv_catalog_scan_next(DynkvCatalogScan *scan, struct dynkv_key_ref *key,
                             struct dynkv_slice *value)
{
    while (scan->scan) {
        const struct dynkv_sibling *sibling;

        switch (dynkv_scan_next(scan->scan, &scan->item)) {
        case DYNKV_SCAN_ITEM:
            sibling = dynkv_object_latest(&scan->item.object, scan->now_ms);
            if (!sibling)
                break;
            *key = scan->item.at;
            *value = sibling->value;
            return true;
        case DYNKV_SCAN_WAIT:
            dynkv_connection_wait_any(scan->catalog->connection);
            break;
        case DYNKV_SCAN_END:
            dynkv_catalog_scan_close(scan);
            break;
        case DYNKV_SCAN_ERROR:
            dynkv_report(ERROR, dynkv_scan_error(scan->scan), dynkv_scan_text(scan->scan),
                         DYNKV_READING, NULL);
        }
    }
    return false;
}

char *dynkv_catalog_string(struct dynkv_slice utf8)
{
    char *text = pnstrdup((const char *)utf8.data, utf8.len);

    if (utf8.len == 0)
        return text;
    return pg_any_to_server(text, (int)utf8.len, PG_UTF8);
}
