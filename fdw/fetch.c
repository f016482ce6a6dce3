/*
 * fetch.c: a queue of gets or scans in flight, in the order of their targets.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "fdw/fetch.h"
#include "fdw/multi_get.h"

/* One multi-get is given out while the next is on its way. */
#define FETCH_GETS_AHEAD  2
/* Partition keys scanned at once; each scan holds its pages. */
#define FETCH_SCANS_AHEAD 8

/* Where a filter leaves rows out, nodes look at so many pages for one. */
#define FETCH_FILTER_PAGES 4

/* One request, and the memory of the keys it asked for. */
typedef struct FetchSlot {
    DynkvMultiGet get;
    struct dynkv_scan_handle *scan;
    uint32 next; /* of a get: the result to be given out next */
    MemoryContext context;

    DynkvOverlayRange *range; /* of a scan, if the transaction has written to the keyspace */
    bool has_item;            /* the scan's item waits for its turn */
    bool is_scan_done;
} FetchSlot;

struct DynkvFetch {
    DynkvSource source;
    DynkvFetchPlan plan;
    bool is_everything_asked; /* without a binding: the one target is taken */
    uint64 received;          /* by requests that are done with */
    uint64 examined;
    /* They double while few entries are expected. */
    uint32 get_size; /* keys of the next get */
    int ahead;       /* slots that are in use at once */

    FetchSlot slots[FETCH_SCANS_AHEAD]; /* a ring */
    int slot_max;
    int first, used;
    uint64 slots_done; /* since the start; 0: the first one is still here */
    bool targets_done;
    struct dynkv_scan_item item;
};

/* Fetching begins: with little, if little is expected. */
static void fetch_begin_small(DynkvFetch *fetch)
{
    uint64 expected = fetch->plan.expected;
    bool is_small = expected > 0 && expected < (uint64)fetch->plan.options->fetch_size;

    fetch->get_size = is_small ? (uint32)expected : (uint32)fetch->plan.options->fetch_size;
    fetch->ahead = is_small ? 1 : fetch->slot_max;
}

DynkvFetch *dynkv_fetch_create(DynkvConnection *connection, const DynkvFetchPlan *plan)
{
    DynkvSource source;
    DynkvFetch *fetch;

    if (!dynkv_source_open(&source, connection, plan->options, plan->table, plan->before))
        return NULL;
    fetch = palloc0(sizeof *fetch);
    fetch->source = source;
    fetch->plan = *plan;
    fetch->slot_max = plan->access == DYNKV_POINT_GET ? FETCH_GETS_AHEAD : FETCH_SCANS_AHEAD;
    fetch_begin_small(fetch);
    for (int i = 0; i < fetch->slot_max; i++)
        fetch->slots[i].context =
            AllocSetContextCreate(CurrentMemoryContext, "dynkv fetch", ALLOCSET_SMALL_SIZES);
    return fetch;
}

/* ---- slots ---- */

static FetchSlot *fetch_first(DynkvFetch *fetch)
{
    return &fetch->slots[fetch->first];
}

/* Rows that a request has brought. */
static uint64 slot_received(const FetchSlot *slot)
{
    return slot->scan ? dynkv_scan_received(slot->scan).entries
                      : dynkv_multi_get_received(&slot->get);
}

static uint64 slot_examined(const FetchSlot *slot)
{
    return slot->scan ? dynkv_scan_received(slot->scan).examined : 0;
}

static void fetch_drop_first(DynkvFetch *fetch)
{
    FetchSlot *slot = fetch_first(fetch);

    fetch->received += slot_received(slot);
    fetch->examined += slot_examined(slot);
    dynkv_multi_get_free(&fetch->source, &slot->get);
    dynkv_guard_free_scan(fetch->source.guard, slot->scan);
    slot->scan = NULL;
    slot->next = 0;
    slot->range = NULL; /* in the context */
    slot->has_item = slot->is_scan_done = false;
    MemoryContextReset(slot->context);
    fetch->first = (fetch->first + 1) % fetch->slot_max;
    fetch->used--;
    fetch->slots_done++;
    fetch->ahead = Min(fetch->ahead * 2, fetch->slot_max);
}

static bool fetch_next_target(DynkvFetch *fetch, DynkvTarget *target)
{
    if (fetch->plan.bind)
        return dynkv_bind_next(fetch->plan.bind, target);
    memset(target, 0, sizeof *target);
    if (fetch->is_everything_asked)
        return false;
    fetch->is_everything_asked = true;
    return true;
}

static uint32 fetch_get_size(const DynkvFetch *fetch)
{
    return Min(fetch->get_size, (uint32)fetch->plan.options->fetch_size);
}

/* A get of the next keys; false: there are none. */
static bool fetch_start_get(DynkvFetch *fetch, FetchSlot *slot)
{
    DynkvTarget target;

    while (slot->get.count < fetch_get_size(fetch) && fetch_next_target(fetch, &target))
        dynkv_multi_get_add(&slot->get, target.key, target.partition_len);
    if (slot->get.count == 0)
        return false;
    fetch->get_size = Min(fetch->get_size * 2, DYNKV_BATCH_ITEMS_MAX);
    dynkv_multi_get_send(&fetch->source, &slot->get);
    return true;
}

/* The order in which a scan gives keys: of one partition key that is rising, unless falling is wanted. */
static enum dynkv_order fetch_order(const DynkvFetch *fetch)
{
    return fetch->plan.access == DYNKV_PARTITION_SCAN && fetch->plan.order == DYNKV_ORDER_PARTITION
               ? DYNKV_ORDER_RISING
               : fetch->plan.order;
}

/* What libdynkv is asked for: a partition rises by itself. */
static enum dynkv_order fetch_scan_order(const DynkvFetch *fetch)
{
    return fetch->plan.access == DYNKV_PARTITION_SCAN && fetch->plan.order == DYNKV_ORDER_RISING
               ? DYNKV_ORDER_PARTITION
               : fetch->plan.order;
}

static bool fetch_start_scan(DynkvFetch *fetch, FetchSlot *slot)
{
    DynkvTarget target;
    struct dynkv_scan_options options = {
        .keys_only = fetch->plan.keys_only,
        .page_size = (uint32)fetch->plan.options->fetch_size,
        .r = (uint8)fetch->plan.options->r,
        .deadline_ms = (uint32)fetch->plan.options->deadline_ms,
        .order = fetch_scan_order(fetch),
        .expected = fetch->plan.expected,
        .examined = fetch->plan.examined,
    };

    if (!fetch_next_target(fetch, &target))
        return false;
    if (fetch->source.overlay)
        slot->range = dynkv_overlay_range(fetch->source.overlay, &target, fetch_order(fetch));
    slot->is_scan_done = !fetch->source.has_keyspace;
    if (slot->is_scan_done)
        return true;
    fetch->source.requests++;
    options.partition_key = target.key;
    options.lower = target.lower;
    options.upper = target.upper;
    if (fetch->plan.filter && fetch->plan.filter->len > 0) {
        options.filter = *fetch->plan.filter;
        /* What is looked at costs less than what is sent. */
        options.page_size *= FETCH_FILTER_PAGES;
    }
    slot->scan =
        dynkv_guard_scan(fetch->source.guard,
                         dynkv_scan_start(fetch->source.client, fetch->source.keyspace, &options));
    return true;
}

static void fetch_start_more(DynkvFetch *fetch)
{
    while (!fetch->targets_done && fetch->used < fetch->ahead) {
        FetchSlot *slot = &fetch->slots[(fetch->first + fetch->used) % fetch->slot_max];
        MemoryContext old = MemoryContextSwitchTo(slot->context);
        bool is_started;

        slot->next = 0;
        is_started = fetch->plan.access == DYNKV_POINT_GET ? fetch_start_get(fetch, slot)
                                                           : fetch_start_scan(fetch, slot);
        MemoryContextSwitchTo(old);
        if (!is_started) {
            fetch->targets_done = true;
            return;
        }
        fetch->used++;
    }
}

/* ---- giving out ---- */

/* The next result of a get that holds something; false: this get is through. */
static bool fetch_from_get(DynkvFetch *fetch, FetchSlot *slot, DynkvEntry *entry)
{
    while (slot->next < slot->get.count) {
        uint32 at = slot->next++;

        entry->key = slot->get.keys[at].key;
        entry->partition_len = slot->get.keys[at].partition_len;
        entry->object = dynkv_multi_get_object(&fetch->source, &slot->get, at);
        if (entry->object)
            return true;
    }
    return false;
}

/* The scan's next item is in fetch->item; false: it has no more. */
static bool fetch_scan_item(DynkvFetch *fetch, FetchSlot *slot)
{
    while (!slot->has_item && !slot->is_scan_done) {
        switch (dynkv_scan_next(slot->scan, &fetch->item)) {
        case DYNKV_SCAN_ITEM:
            slot->has_item = true;
            break;
        case DYNKV_SCAN_WAIT:
            dynkv_connection_wait_any(fetch->source.connection);
            break;
        case DYNKV_SCAN_END:
            slot->is_scan_done = true;
            break;
        case DYNKV_SCAN_ERROR:
            dynkv_source_error(&fetch->source, dynkv_scan_error(slot->scan),
                               dynkv_scan_text(slot->scan));
        }
    }
    return slot->has_item;
}

static bool fetch_give_item(DynkvFetch *fetch, FetchSlot *slot, DynkvEntry *entry)
{
    entry->key = fetch->item.at.key;
    entry->partition_len = fetch->item.at.partition_len;
    entry->object = &fetch->item.object;
    slot->has_item = false;
    return true;
}

static bool fetch_from_scan(DynkvFetch *fetch, FetchSlot *slot, DynkvEntry *entry)
{
    struct dynkv_key_ref key;

    for (;;) {
        bool has_item = fetch_scan_item(fetch, slot);

        if (!slot->range)
            return has_item && fetch_give_item(fetch, slot, entry);
        switch (dynkv_overlay_step(slot->range, has_item ? &fetch->item.at.key : NULL, &key,
                                   &entry->object)) {
        case DYNKV_OVERLAY_THEIRS:
            return fetch_give_item(fetch, slot, entry);
        case DYNKV_OVERLAY_REPLACED:
            slot->has_item = false;
            __attribute__((fallthrough));
        case DYNKV_OVERLAY_OURS:
            entry->key = key.key;
            entry->partition_len = key.partition_len;
            return true;
        case DYNKV_OVERLAY_SKIP:
            slot->has_item = false;
            break;
        case DYNKV_OVERLAY_END:
            return false;
        }
    }
}

bool dynkv_fetch_next(DynkvFetch *fetch, DynkvEntry *entry)
{
    bool is_get = fetch->plan.access == DYNKV_POINT_GET;

    for (;;) {
        FetchSlot *slot;

        fetch_start_more(fetch);
        if (fetch->used == 0)
            return false;
        slot = fetch_first(fetch);
        if (is_get ? fetch_from_get(fetch, slot, entry) : fetch_from_scan(fetch, slot, entry))
            return true;
        /* The only get stays, in case that the scan starts over. */
        if (is_get && fetch->slots_done == 0 && fetch->used == 1 && fetch->targets_done)
            return false;
        fetch_drop_first(fetch);
    }
}

void dynkv_fetch_restart(DynkvFetch *fetch, bool values_changed)
{
    bool is_all_here = fetch->plan.access == DYNKV_POINT_GET && fetch->targets_done &&
                       fetch->slots_done == 0 && fetch->used == 1;

    if (is_all_here && !values_changed) {
        fetch_first(fetch)->next = 0;
        return;
    }
    while (fetch->used > 0)
        fetch_drop_first(fetch);
    fetch->slots_done = 0;
    fetch_begin_small(fetch);
    fetch->targets_done = false;
    fetch->is_everything_asked = false;
}

uint64 dynkv_fetch_requests(const DynkvFetch *fetch)
{
    return fetch->source.requests;
}

uint64 dynkv_fetch_received(const DynkvFetch *fetch)
{
    uint64 received = fetch->received;

    for (int i = 0; i < fetch->used; i++)
        received += slot_received(&fetch->slots[(fetch->first + i) % fetch->slot_max]);
    return received;
}

uint64 dynkv_fetch_examined(const DynkvFetch *fetch)
{
    uint64 examined = fetch->examined;

    for (int i = 0; i < fetch->used; i++)
        examined += slot_examined(&fetch->slots[(fetch->first + i) % fetch->slot_max]);
    return examined;
}

uint64 dynkv_fetch_own_rows(const DynkvFetch *fetch, bool *has_any)
{
    return dynkv_source_own_rows(&fetch->source, has_any);
}

void dynkv_fetch_close(DynkvFetch *fetch)
{
    while (fetch->used > 0)
        fetch_drop_first(fetch);
}
