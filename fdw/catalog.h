/*
 * catalog.h: what the cluster says of itself, for SQL functions and IMPORT FOREIGN SCHEMA.
 *
 * Published definitions of tables (definition.h) are the rows of the keyspace DYNKV_TABLES_KEYSPACE: the
 * key is the table's name, the value JSON, both UTF-8.
 */
#ifndef DYNKV_FDW_CATALOG_H
#define DYNKV_FDW_CATALOG_H

#include "postgres.h"

#include "foreign/fdwapi.h"
#include "foreign/foreign.h"

#include "fdw/connection.h"
#include "fdw/option.h"
#include "fdw/report.h"

#define DYNKV_TABLES_KEYSPACE DYNKV_RESERVED_PREFIX ".tables"

typedef struct DynkvCatalog {
    ForeignServer *server;
    DynkvConnection *connection;
    struct dynkv_client *client;
    DynkvGuard *guard;         /* of the memory context that was current at open */
    DynkvTableOptions options; /* of no table: the server's */
} DynkvCatalog;

/* Errors: no such server, no USAGE on it, not one of dynkv_fdw, no user mapping. */
extern void dynkv_catalog_open(DynkvCatalog *catalog, Oid serverid);
extern void dynkv_catalog_open_name(DynkvCatalog *catalog, const text *server_name);
/* Whether servers of that wrapper are ours. */
extern bool dynkv_catalog_is_server(Oid serverid);

/* Holds the request and waits for it; raises its error. */
extern struct dynkv_request *dynkv_catalog_wait(DynkvCatalog *catalog,
                                                struct dynkv_request *request, DynkvDoing doing);
/* Opens a keyspace by name; false: it is not there. */
extern bool dynkv_catalog_keyspace(DynkvCatalog *catalog, const char *name, bool create,
                                   uint64 *id);

/* All keys of a keyspace that hold a row, with the latest value; limit 0: no limit. */
typedef struct DynkvCatalogScan {
    DynkvCatalog *catalog;
    struct dynkv_scan_handle *scan;
    uint64 now_ms;
    struct dynkv_scan_item item;
} DynkvCatalogScan;

extern void dynkv_catalog_scan(DynkvCatalog *catalog, uint64 keyspace, uint64 limit,
                               DynkvCatalogScan *scan);
/* The slices live until the next call.  False: no more, and the scan is closed. */
extern bool dynkv_catalog_scan_next(DynkvCatalogScan *scan, struct dynkv_key_ref *key,
                                    struct dynkv_slice *value);
extern void dynkv_catalog_scan_close(DynkvCatalogScan *scan);

/* UTF-8 of the cluster in the server's encoding; bytes that are no text are an error. */
extern char *dynkv_catalog_string(struct dynkv_slice utf8);

extern List *dynkvImportForeignSchema(ImportForeignSchemaStmt *statement, Oid serverid);

#endif
