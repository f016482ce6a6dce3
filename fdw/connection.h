/*
 * connection.h: one libdynkv client per user mapping and backend, and waiting for it.
 *
 * Clients are cached until the session ends, dynkv_fdw_disconnect(), keep_connections 'off', or an
 * ALTER / DROP of their server or user mapping (by syscache callback; closed at once when idle, else
 * at the end of the transaction).
 *
 * Requests and scans belong to guards (guard.h).  The client itself stays usable after an abort, as its
 * conversations are tagged by request id.
 */
#ifndef DYNKV_FDW_CONNECTION_H
#define DYNKV_FDW_CONNECTION_H

#include "postgres.h"

#include "client/dynkv.h"
#include "fdw/guard.h"
#include "fdw/option.h"

/* The cached connection for the server and the user (looks up the user mapping; PUBLIC's counts). */
extern DynkvConnection *dynkv_connection_get(Oid serverid, Oid userid);
extern struct dynkv_client *dynkv_connection_client(DynkvConnection *connection);

/*
 * The keyspace's id, opened once per connection.  create false and the keyspace not there: false (the
 * table is empty).  Other failures are raised.
 */
extern bool dynkv_connection_keyspace(DynkvConnection *connection, const DynkvTableOptions *options,
                                      const char *table, bool create, uint64 *id);
/* The same, if it was opened already: asks nobody. */
extern bool dynkv_connection_known_keyspace(DynkvConnection *connection, const char *name,
                                            uint64 *id);
/* A node answered NO_KEYSPACE (it was dropped): ask again next time. */
extern void dynkv_connection_forget_keyspace(DynkvConnection *connection, const char *name);

/*
 * Waits until the request is done, on the client's descriptor and the latch with
 * CHECK_FOR_INTERRUPTS, so that a cancel comes back at once.  Raises no error for the request's own.
 */
extern void dynkv_connection_wait(DynkvConnection *connection, struct dynkv_request *request);
/* One wait for anything to happen on the connection (scans). */
extern void dynkv_connection_wait_any(DynkvConnection *connection);

extern void dynkv_connection_init(void); /* callbacks; from _PG_init */

#endif
