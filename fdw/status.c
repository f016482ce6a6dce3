/*
 * status.c: the cluster's members, ring, keyspaces and counters, and this session's connections, as
 * rows.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "fdw/catalog.h"
#include "fdw/compat.h"
#include "fdw/srf.h"
#include "wire/places.h"

/* A node that does not answer in this time is shown without what it alone knows. */
#define STATUS_NODE_DEADLINE_MS 2000

extern PGDLLEXPORT Datum dynkv_nodes(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum dynkv_ring(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum dynkv_keyspaces(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum dynkv_counters(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(dynkv_nodes);
PG_FUNCTION_INFO_V1(dynkv_ring);
PG_FUNCTION_INFO_V1(dynkv_keyspaces);
PG_FUNCTION_INFO_V1(dynkv_counters);

/* ---- values ---- */

static Datum status_text(struct dynkv_slice utf8)
{
    return CStringGetTextDatum(dynkv_catalog_string(utf8));
}

/* As the command line writes ids. */
static Datum status_id(uint64 id)
{
    return CStringGetTextDatum(psprintf("%016llx", (unsigned long long)id));
}

static Datum status_interval(uint64 ms)
{
    Interval *interval = palloc0(sizeof *interval);

    interval->time = (TimeOffset)Min(ms, (uint64)(PG_INT64_MAX / 1000)) * 1000;
    return IntervalPGetDatum(interval);
}

/* ---- the members and what each of them says ---- */

typedef struct StatusNode {
    const struct dynkv_member *member;
    const char *state;
    const struct dynkv_status_reply *reply; /* NULL: it did not answer */
    struct dynkv_request *request;
} StatusNode;

static const char *status_state(const struct dynkv_ring_reply *ring,
                                const struct dynkv_member *member)
{
    uint32 i;

    if (member->left)
        return "left";
    for (i = 0; i < ring->down_count; i++)
        if (ring->down[i].id == member->id)
            return "down";
    return "up";
}

static const struct dynkv_ring_reply *status_ask_ring(DynkvCatalog *catalog)
{
    return dynkv_request_ring(dynkv_catalog_wait(
        catalog, dynkv_ring_start(catalog->client, (uint32)catalog->options.deadline_ms),
        DYNKV_READING));
}

/* Asks all that are up at the same time. */
static StatusNode *status_ask_nodes(DynkvCatalog *catalog, uint32 *count)
{
    const struct dynkv_ring_reply *ring = status_ask_ring(catalog);
    uint32 deadline_ms = (uint32)Min(catalog->options.deadline_ms, STATUS_NODE_DEADLINE_MS);
    StatusNode *nodes = palloc0(sizeof *nodes * Max(ring->member_count, 1));
    uint32 i;

    *count = ring->member_count;
    for (i = 0; i < ring->member_count; i++) {
        const struct dynkv_member *member = &ring->members[i];

        nodes[i].member = member;
        nodes[i].state = status_state(ring, member);
        if (strcmp(nodes[i].state, "up") == 0)
            nodes[i].request = dynkv_guard_request(
                catalog->guard, dynkv_status_start(catalog->client,
                                                   pnstrdup((const char *)member->client_url.data,
                                                            member->client_url.len),
                                                   deadline_ms));
    }
    for (i = 0; i < ring->member_count; i++) {
        if (!nodes[i].request)
            continue;
        dynkv_connection_wait(catalog->connection, nodes[i].request);
        if (!dynkv_request_error(nodes[i].request))
            nodes[i].reply = dynkv_request_status(nodes[i].request);
    }
    return nodes;
}

Datum dynkv_nodes(PG_FUNCTION_ARGS)
{
    DynkvCatalog catalog;
    DynkvSrf srf;
    StatusNode *nodes;
    uint32 count, i;

    dynkv_catalog_open_name(&catalog, PG_GETARG_TEXT_PP(0));
    dynkv_srf_begin(fcinfo, &srf);
    nodes = status_ask_nodes(&catalog, &count);
    for (i = 0; i < count; i++) {
        const StatusNode *node = &nodes[i];
        Datum values[10] = {
            status_text(node->member->name),
            status_id(node->member->id),
            CStringGetTextDatum(node->state),
            status_text(node->member->zone),
            Int32GetDatum((int32)node->member->weight),
            status_text(node->member->client_url),
            status_text(node->member->peer_url),
            node->reply ? status_text(node->reply->storage) : (Datum)0,
            node->reply ? status_interval(node->reply->uptime_ms) : (Datum)0,
            node->reply ? status_id(node->reply->actor) : (Datum)0,
        };
        bool nulls[10] = {[7] = !node->reply, [8] = !node->reply, [9] = !node->reply};

        dynkv_srf_put(&srf, values, nulls);
    }
    return (Datum)0;
}

Datum dynkv_counters(PG_FUNCTION_ARGS)
{
    DynkvCatalog catalog;
    DynkvSrf srf;
    StatusNode *nodes;
    uint32 count, i, k;

    dynkv_catalog_open_name(&catalog, PG_GETARG_TEXT_PP(0));
    dynkv_srf_begin(fcinfo, &srf);
    nodes = status_ask_nodes(&catalog, &count);
    for (i = 0; i < count; i++) {
        const struct dynkv_status_reply *reply = nodes[i].reply;

        for (k = 0; reply && k < reply->counter_count; k++) {
            Datum values[3] = {
                status_text(reply->node_name),
                status_text(reply->counters[k].name),
                Int64GetDatum((int64)Min(reply->counters[k].value, (uint64)PG_INT64_MAX)),
            };
            bool nulls[3] = {false};

            dynkv_srf_put(&srf, values, nulls);
        }
    }
    return (Datum)0;
}

Datum dynkv_keyspaces(PG_FUNCTION_ARGS)
{
    DynkvCatalog catalog;
    DynkvSrf srf;
    const struct dynkv_keyspace_info *keyspaces;
    uint32 count, i;

    dynkv_catalog_open_name(&catalog, PG_GETARG_TEXT_PP(0));
    dynkv_srf_begin(fcinfo, &srf);
    keyspaces = dynkv_request_keyspaces(
        dynkv_catalog_wait(
            &catalog,
            dynkv_keyspace_list_start(catalog.client, (uint32)catalog.options.deadline_ms),
            DYNKV_READING),
        &count);
    for (i = 0; i < count; i++) {
        const struct dynkv_keyspace_info *keyspace = &keyspaces[i];
        Datum values[7] = {
            status_text(keyspace->name),
            status_id(keyspace->id),
            Int32GetDatum((int32)keyspace->generation),
            Int32GetDatum(keyspace->n),
            Int32GetDatum(keyspace->r),
            Int32GetDatum(keyspace->w),
            keyspace->ttl_ms ? status_interval(keyspace->ttl_ms) : (Datum)0,
        };
        bool nulls[7] = {[6] = keyspace->ttl_ms == 0};

        dynkv_srf_put(&srf, values, nulls);
    }
    return (Datum)0;
}

/* ---- the ring ---- */

/* The ring that the nodes use, computed here from the same places; the caller frees it. */
static struct dynkv_ring *status_make_ring(const struct dynkv_ring_reply *reply)
{
    struct dynkv_ring *ring;

    if (!dynkv_places_are_possible(reply->places, reply->place_count))
        dynkv_report(ERROR, DYNKV_MALFORMED, "A node told a ring that cannot be.", DYNKV_READING,
                     NULL);
    ring = dynkv_places_ring(reply->places, reply->place_count, reply->partitions);
    if (dynkv_ring_version(ring) != reply->ring_version) {
        dynkv_ring_free(ring);
        dynkv_report(ERROR, DYNKV_RING_CHANGED,
                     "The ring is changing, or the nodes are of another version.", DYNKV_READING,
                     NULL);
    }
    return ring;
}

static Datum status_member_name(const struct dynkv_ring_reply *reply, uint64 id)
{
    uint32 i;

    for (i = 0; i < reply->member_count; i++)
        if (reply->members[i].id == id)
            return status_text(reply->members[i].name);
    return status_id(id);
}

static void status_put_partition(DynkvSrf *srf, const struct dynkv_ring_reply *reply,
                                 const struct dynkv_ring *ring, uint32 partition)
{
    uint64 ids[DYNKV_REPLICAS_MAX];
    Datum names[DYNKV_REPLICAS_MAX];
    uint32 count = dynkv_ring_preference(ring, partition, ids, DYNKV_REPLICAS_MAX);
    Datum values[3] = {Int32GetDatum((int32)partition)};
    bool nulls[3] = {false, count == 0, false};
    uint32 i;

    for (i = 0; i < count; i++)
        names[i] = status_member_name(reply, ids[i]);
    if (count > 0)
        values[1] = names[0];
    values[2] =
        PointerGetDatum(construct_array(names, (int)count, TEXTOID, -1, false, TYPALIGN_INT));
    dynkv_srf_put(srf, values, nulls);
}

Datum dynkv_ring(PG_FUNCTION_ARGS)
{
    DynkvCatalog catalog;
    DynkvSrf srf;
    const struct dynkv_ring_reply *reply;
    struct dynkv_ring *ring;

    dynkv_catalog_open_name(&catalog, PG_GETARG_TEXT_PP(0));
    dynkv_srf_begin(fcinfo, &srf);
    reply = status_ask_ring(&catalog);
    ring = status_make_ring(reply);
    PG_TRY();
    {
        uint32 i;

        for (i = 0; i < reply->partitions; i++)
            status_put_partition(&srf, reply, ring, i);
    }
    PG_FINALLY();
    {
        dynkv_ring_free(ring);
    }
    PG_END_TRY();
    return (Datum)0;
}
