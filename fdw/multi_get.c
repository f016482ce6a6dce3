/* multi_get.c: keys that leave together, and what comes back. */
#include "postgres.h"

#include "fdw/multi_get.h"
#include "fdw/report.h"
#include "fdw/txn.h"

#define GET_SECOND_ROOM 64

bool dynkv_source_open(DynkvSource *source, DynkvConnection *connection,
                       const DynkvTableOptions *options, const char *table, CommandId before)
{
    DynkvTxnBuffer *kept = dynkv_txn_find(connection, options->keyspace);

    memset(source, 0, sizeof *source);
    source->has_keyspace =
        dynkv_connection_keyspace(connection, options, table, false, &source->keyspace);
    if (!source->has_keyspace && !kept)
        return false;
    source->connection = connection;
    source->client = dynkv_connection_client(connection);
    source->guard = dynkv_guard_create(connection);
    source->options = options;
    source->table = table;
    if (kept)
        source->overlay = dynkv_overlay_create(kept->buffer, before);
    return true;
}

void dynkv_source_error(DynkvSource *source, enum dynkv_error error, const char *text)
{
    if (error == DYNKV_NO_KEYSPACE)
        dynkv_connection_forget_keyspace(source->connection, source->options->keyspace);
    dynkv_report(ERROR, error, text, DYNKV_READING, source->table);
}

uint64 dynkv_source_own_rows(const DynkvSource *source, bool *has_any)
{
    *has_any = source->overlay != NULL;
    return source->overlay ? dynkv_overlay_rows(source->overlay) : 0;
}

void dynkv_multi_get_add(DynkvMultiGet *get, struct dynkv_slice key, uint32 partition_len)
{
    if (get->count == get->room) {
        /* Most gets are of one key. */
        get->room = get->room == 0 ? 1 : get->room == 1 ? GET_SECOND_ROOM : get->room * 2;
        get->keys = get->keys ? repalloc(get->keys, sizeof *get->keys * get->room)
                              : palloc(sizeof *get->keys * get->room);
    }
    get->keys[get->count].key = key;
    get->keys[get->count].partition_len = partition_len;
    get->count++;
}

/* Whether the cluster must be asked for one of the keys. */
static bool get_must_ask(const DynkvSource *source, const DynkvMultiGet *get)
{
    if (!source->has_keyspace || get->count == 0)
        return false;
    for (uint32 i = 0; source->overlay && i < get->count; i++)
        if (!dynkv_overlay_covers(source->overlay, get->keys[i].key))
            return true;
    return !source->overlay;
}

void dynkv_multi_get_send(DynkvSource *source, DynkvMultiGet *get)
{
    struct dynkv_call call = {
        .deadline_ms = (uint32)source->options->deadline_ms,
        .r = (uint8)source->options->r,
        .strict = source->options->strict,
    };

    if (!get_must_ask(source, get))
        return;
    source->requests++;
    get->request =
        dynkv_guard_request(source->guard, dynkv_get_start(source->client, source->keyspace,
                                                           get->keys, get->count, &call));
}

/* The results of a get that was sent; NULL: it needed none. */
static const struct dynkv_read_result *get_results(DynkvSource *source, const DynkvMultiGet *get)
{
    if (!get->request)
        return NULL;
    dynkv_connection_wait(source->connection, get->request);
    if (dynkv_request_error(get->request))
        dynkv_source_error(source, dynkv_request_error(get->request),
                           dynkv_request_text(get->request));
    return dynkv_request_reads(get->request, NULL);
}

const struct dynkv_object *dynkv_multi_get_object(DynkvSource *source, DynkvMultiGet *get, uint32 n)
{
    const struct dynkv_read_result *reads = get_results(source, get);
    const struct dynkv_object *object =
        reads && reads[n].object.sibling_count > 0 ? &reads[n].object : NULL;

    if (source->overlay)
        dynkv_overlay_find(source->overlay, get->keys[n].key, &object);
    return object;
}

uint64 dynkv_multi_get_received(const DynkvMultiGet *get)
{
    const struct dynkv_read_result *reads;
    uint64 received = 0;
    uint32 count = 0;

    if (!get->request || !dynkv_request_is_done(get->request))
        return 0;
    reads = dynkv_request_reads(get->request, &count);
    for (uint32 i = 0; i < count; i++)
        received += reads[i].object.sibling_count > 0;
    return received;
}

void dynkv_multi_get_free(DynkvSource *source, DynkvMultiGet *get)
{
    dynkv_guard_free_request(source->guard, get->request);
    memset(get, 0, sizeof *get);
}
