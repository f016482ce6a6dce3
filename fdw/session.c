/*
 * session.c: the SQL functions about this session's connections, named as postgres_fdw's are.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_user_mapping.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "fdw/compat.h"
#include "fdw/connection_cache.h"
#include "fdw/srf.h"

extern PGDLLEXPORT Datum dynkv_fdw_get_connections(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum dynkv_fdw_session(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum dynkv_fdw_disconnect(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum dynkv_fdw_disconnect_all(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(dynkv_fdw_get_connections);
PG_FUNCTION_INFO_V1(dynkv_fdw_session);
PG_FUNCTION_INFO_V1(dynkv_fdw_disconnect);
PG_FUNCTION_INFO_V1(dynkv_fdw_disconnect_all);

static void session_add_row(DynkvConnection *connection, void *arg)
{
    /* A server dropped in this transaction has no name any more. */
    ForeignServer *server = GetForeignServerExtended(connection->serverid, FSV_MISSING_OK);
    Datum values[2];
    bool nulls[2] = {server == NULL, false};

    values[0] = server ? CStringGetTextDatum(server->servername) : (Datum)0;
    values[1] = BoolGetDatum(!connection->invalidated);
    dynkv_srf_put(arg, values, nulls);
}

Datum dynkv_fdw_get_connections(PG_FUNCTION_ARGS)
{
    DynkvSrf srf;

    dynkv_srf_begin(fcinfo, &srf);
    dynkv_connection_each(session_add_row, &srf);
    return (Datum)0;
}

/* The owner of a user mapping: NULL for PUBLIC, and for one that was dropped in this transaction. */
static char *session_user_name(Oid umid)
{
    HeapTuple tuple = SearchSysCache1(USERMAPPINGOID, ObjectIdGetDatum(umid));
    Oid user;

    if (!HeapTupleIsValid(tuple))
        return NULL;
    user = ((Form_pg_user_mapping)GETSTRUCT(tuple))->umuser;
    ReleaseSysCache(tuple);
    return OidIsValid(user) ? GetUserNameFromId(user, true) : NULL;
}

static void session_add_counters(DynkvConnection *connection, void *arg)
{
    ForeignServer *server = GetForeignServerExtended(connection->serverid, FSV_MISSING_OK);
    char *user = session_user_name(connection->umid);
    struct dynkv_client_stats stats;
    Datum values[11] = {
        server ? CStringGetTextDatum(server->servername) : (Datum)0,
        user ? CStringGetTextDatum(user) : (Datum)0,
    };
    bool nulls[11] = {!server, !user};

    dynkv_client_stats(connection->client, &stats);
    values[2] = Int64GetDatum((int64)stats.requests);
    values[3] = Int64GetDatum((int64)stats.messages_sent);
    values[4] = Int64GetDatum((int64)stats.messages_received);
    values[5] = Int64GetDatum((int64)stats.bytes_sent);
    values[6] = Int64GetDatum((int64)stats.bytes_received);
    values[7] = Int64GetDatum((int64)stats.reconnects);
    values[8] = Int64GetDatum((int64)stats.digest_mismatches);
    values[9] = Int64GetDatum((int64)stats.repairs_reported);
    values[10] = Int32GetDatum((int32)dynkv_client_descriptor_count(connection->client));
    dynkv_srf_put(arg, values, nulls);
}

Datum dynkv_fdw_session(PG_FUNCTION_ARGS)
{
    DynkvSrf srf;

    dynkv_srf_begin(fcinfo, &srf);
    dynkv_connection_each(session_add_counters, &srf);
    return (Datum)0;
}

typedef struct SessionDisconnect {
    Oid serverid; /* InvalidOid: all */
    bool closed;
} SessionDisconnect;

static void session_disconnect(DynkvConnection *connection, void *arg)
{
    SessionDisconnect *disconnect = arg;
    ForeignServer *server;

    if (OidIsValid(disconnect->serverid) && connection->serverid != disconnect->serverid)
        return;
    if (!connection->in_use) {
        dynkv_connection_close(connection);
        disconnect->closed = true;
        return;
    }
    server = GetForeignServerExtended(connection->serverid, FSV_MISSING_OK);
    ereport(WARNING, (errmsg("cannot close connection for server \"%s\" because it is still in use",
                             server ? server->servername : "(dropped)")));
}

Datum dynkv_fdw_disconnect(PG_FUNCTION_ARGS)
{
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    SessionDisconnect disconnect = {.serverid = GetForeignServerByName(name, false)->serverid};

    dynkv_connection_each(session_disconnect, &disconnect);
    PG_RETURN_BOOL(disconnect.closed);
}

Datum dynkv_fdw_disconnect_all(PG_FUNCTION_ARGS)
{
    SessionDisconnect disconnect = {.serverid = InvalidOid};

    dynkv_connection_each(session_disconnect, &disconnect);
    PG_RETURN_BOOL(disconnect.closed);
}
