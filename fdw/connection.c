/*
 * connection.c: the cache of clients, and the waiting loop.
 *
 * A cache entry is in one of these states:
 *   empty        no client; the entry stays in the hash table for its next use
 *   idle         a client, not used by this transaction
 *   in use       a client that this transaction has asked for
 *   in use and invalidated
 * dynkv_connection_get moves to "in use"; a syscache callback closes an idle one and marks one in use;
 * the end of the transaction frees what guards still hold and moves to idle, or to empty if the entry is
 * marked or keep_connections is off.
 */
#include "postgres.h"

#include "catalog/pg_foreign_server.h"
#include "foreign/foreign.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "fdw/compat.h"
#include "fdw/connection.h"
#include "fdw/connection_cache.h"
#include "fdw/report.h"

/* A keyspace that was opened, so that its id is asked for once. */
typedef struct ConnectionKeyspace {
    slist_node node;
    uint64 id;
    char name[DYNKV_NAME_MAX + 1];
} ConnectionKeyspace;

static HTAB *connection_cache; /* by user mapping */
static bool connection_used;   /* this transaction has used some connection */

/* ---- open and close ---- */

/* The server counts descriptors that are not its own, so that it leaves room for them. */
static void connection_count_descriptors(DynkvConnection *connection)
{
    uint32 now = connection->client ? dynkv_client_descriptor_count(connection->client) : 0;

    for (; connection->descriptors < now; connection->descriptors++)
        ReserveExternalFD();
    for (; connection->descriptors > now; connection->descriptors--)
        ReleaseExternalFD();
}

void dynkv_connection_close(DynkvConnection *connection)
{
    if (!connection->client)
        return;
    dynkv_guards_detach(connection);
    FreeWaitEventSet(connection->wait_set);
    connection->wait_set = NULL;
    dynkv_client_free(connection->client);
    connection->client = NULL;
    connection_count_descriptors(connection);
    slist_init(&connection->keyspaces);
    MemoryContextDelete(connection->context);
    connection->context = NULL;
    connection->own = NULL;
    connection->in_use = false;
    connection->invalidated = false;
}

/* As WaitLatchOrSocket would make for each wait, with five system calls. */
static WaitEventSet *connection_wait_set(const struct dynkv_client *client, MemoryContext context)
{
    WaitEventSet *set = dynkv_wait_set(context, 3);

    AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
    AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
    AddWaitEventToSet(set, WL_SOCKET_READABLE, dynkv_client_fd(client), NULL, NULL);
    return set;
}

static struct dynkv_client *connection_new_client(const UserMapping *mapping,
                                                  const DynkvServerOptions *options)
{
    struct dynkv_client_options client_options = {
        .hosts = options->hosts,
        .name = "dynkv_fdw",
        .routing = options->route_any ? DYNKV_ROUTE_ANY : DYNKV_ROUTE_RING,
        .connect_timeout_ms = (uint32)options->connect_timeout_ms,
    };
    struct dynkv_client *client;
    char text[DYNKV_CLIENT_TEXT_MAX];

    if (dynkv_client_new(&client_options, &client, text, sizeof text))
        ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
                        errmsg("option \"hosts\" of server \"%s\" is not usable",
                               GetForeignServer(mapping->serverid)->servername),
                        errdetail_internal("%s", text)));
    return client;
}

/* Whatever fails before the end leaves the entry empty. */
static void connection_open(DynkvConnection *connection, const UserMapping *mapping)
{
    DynkvServerOptions *options = dynkv_server_options(mapping->serverid);
    struct dynkv_client *client = connection_new_client(mapping, options);
    MemoryContext volatile context = NULL; /* set inside PG_TRY */

    PG_TRY();
    {
        context =
            AllocSetContextCreate(CacheMemoryContext, "dynkv connection", ALLOCSET_SMALL_SIZES);
        connection->server_hash =
            GetSysCacheHashValue1(FOREIGNSERVEROID, ObjectIdGetDatum(mapping->serverid));
        connection->mapping_hash =
            GetSysCacheHashValue1(USERMAPPINGOID, ObjectIdGetDatum(mapping->umid));
        connection->wait_set = connection_wait_set(client, context);
        connection->own = dynkv_guard_create_own(connection, context);
    }
    PG_CATCH();
    {
        dynkv_client_free(client);
        if (context)
            MemoryContextDelete(context);
        PG_RE_THROW();
    }
    PG_END_TRY();
    connection->client = client;
    connection->context = context;
    connection->serverid = mapping->serverid;
    connection->keep = options->keep_connections;
    connection_count_descriptors(connection);
}

static void connection_cache_create(void)
{
    HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(DynkvConnection)};

    connection_cache = hash_create("dynkv connections", 8, &control, HASH_ELEM | HASH_BLOBS);
}

DynkvConnection *dynkv_connection_get(Oid serverid, Oid userid)
{
    UserMapping *mapping = GetUserMapping(userid, serverid);
    DynkvConnection *connection;
    bool found;

    if (!connection_cache)
        connection_cache_create();
    connection = hash_search(connection_cache, &mapping->umid, HASH_ENTER, &found);
    if (!found) {
        /* HASH_ENTER fills in the key alone. */
        memset((char *)connection + sizeof connection->umid, 0,
               sizeof *connection - sizeof connection->umid);
        dlist_init(&connection->guards);
        slist_init(&connection->keyspaces);
    }
    if (!connection->client)
        connection_open(connection, mapping);
    connection->in_use = true;
    connection_used = true;
    return connection;
}

struct dynkv_client *dynkv_connection_client(DynkvConnection *connection)
{
    return connection->client;
}

void dynkv_connection_each(DynkvConnectionVisit visit, void *arg)
{
    HASH_SEQ_STATUS status;
    DynkvConnection *connection;

    if (!connection_cache)
        return;
    hash_seq_init(&status, connection_cache);
    while ((connection = hash_seq_search(&status)) != NULL)
        if (connection->client)
            visit(connection, arg);
}

/* ---- keyspaces ---- */

static ConnectionKeyspace *connection_find_keyspace(DynkvConnection *connection, const char *name)
{
    slist_iter at;

    slist_foreach(at, &connection->keyspaces)
    {
        ConnectionKeyspace *keyspace = slist_container(ConnectionKeyspace, node, at.cur);

        if (strcmp(keyspace->name, name) == 0)
            return keyspace;
    }
    return NULL;
}

bool dynkv_connection_keyspace(DynkvConnection *connection, const DynkvTableOptions *options,
                               const char *table, bool create, uint64 *id)
{
    ConnectionKeyspace *keyspace = connection_find_keyspace(connection, options->keyspace);
    struct dynkv_request *request;
    enum dynkv_error error;

    if (keyspace) {
        *id = keyspace->id;
        return true;
    }
    request = dynkv_guard_request(
        connection->own, dynkv_keyspace_open_start(connection->client, options->keyspace, create,
                                                   NULL, (uint32)options->deadline_ms));
    dynkv_connection_wait(connection, request);
    error = dynkv_request_error(request);
    if (error == DYNKV_NO_KEYSPACE && !create) {
        dynkv_guard_free_request(connection->own, request);
        return false;
    }
    if (error)
        dynkv_report(ERROR, error, dynkv_request_text(request), DYNKV_OPENING, table);
    *id = dynkv_request_keyspaces(request, NULL)[0].id;
    dynkv_guard_free_request(connection->own, request);

    keyspace = MemoryContextAllocZero(connection->context, sizeof *keyspace);
    keyspace->id = *id;
    strlcpy(keyspace->name, options->keyspace, sizeof keyspace->name);
    slist_push_head(&connection->keyspaces, &keyspace->node);
    return true;
}

bool dynkv_connection_known_keyspace(DynkvConnection *connection, const char *name, uint64 *id)
{
    ConnectionKeyspace *keyspace = connection_find_keyspace(connection, name);

    if (keyspace)
        *id = keyspace->id;
    return keyspace != NULL;
}

void dynkv_connection_forget_keyspace(DynkvConnection *connection, const char *name)
{
    ConnectionKeyspace *keyspace = connection_find_keyspace(connection, name);

    if (keyspace) {
        slist_delete(&connection->keyspaces, &keyspace->node);
        pfree(keyspace);
    }
}

/* ---- waiting ---- */

void dynkv_connection_wait_any(DynkvConnection *connection)
{
    WaitEvent event;

    if (WaitEventSetWait(connection->wait_set, dynkv_client_timeout_ms(connection->client), &event,
                         1, dynkv_wait_event()) > 0 &&
        (event.events & WL_LATCH_SET))
        ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    dynkv_client_drive(connection->client);
    connection_count_descriptors(connection);
}

void dynkv_connection_wait(DynkvConnection *connection, struct dynkv_request *request)
{
    while (!dynkv_request_is_done(request))
        dynkv_connection_wait_any(connection);
}

/* ---- callbacks ---- */

static void connection_release(DynkvConnection *connection, void *arg)
{
    dynkv_guards_free_handles(connection);
    if (connection->invalidated || !connection->keep)
        dynkv_connection_close(connection);
    connection->in_use = false;
}

void dynkv_connection_end_transaction(void)
{
    /* A session that ends leaves all to the kernel: it may be ending from inside the library. */
    if (!connection_used || proc_exit_inprogress)
        return;
    connection_used = false;
    dynkv_connection_each(connection_release, NULL);
}

typedef struct ConnectionInval {
    int cacheid;
    uint32 hash;
} ConnectionInval;

static void connection_invalidate(DynkvConnection *connection, void *arg)
{
    const ConnectionInval *inval = arg;
    uint32 mine =
        inval->cacheid == FOREIGNSERVEROID ? connection->server_hash : connection->mapping_hash;

    if (inval->hash != 0 && inval->hash != mine)
        return;
    if (connection->in_use)
        connection->invalidated = true;
    else
        dynkv_connection_close(connection);
}

static void connection_on_syscache(Datum arg, int cacheid, uint32 hash)
{
    ConnectionInval inval = {.cacheid = cacheid, .hash = hash};

    dynkv_connection_each(connection_invalidate, &inval);
}

void dynkv_connection_init(void)
{
    CacheRegisterSyscacheCallback(FOREIGNSERVEROID, connection_on_syscache, (Datum)0);
    CacheRegisterSyscacheCallback(USERMAPPINGOID, connection_on_syscache, (Datum)0);
}
