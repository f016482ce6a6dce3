/*
 * chaos_set.c: the set test.
 *
 * A key's value is a list of elements, u32 each, rising.  A client draws a key, reads it, joins the
 * elements of all siblings, adds a new element and writes the list with the context of the read.  A
 * write of which the outcome is unknown is not tried again: its element may appear or not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/chaos/chaos.h"

#define THINK_MS 8u /* at most, between additions */

enum element_state {
    ELEMENT_NONE,
    ELEMENT_BEGUN, /* sent, and the outcome is not known, yet or for ever */
    ELEMENT_ACKNOWLEDGED,
    ELEMENT_REFUSED, /* by an answer which says that nothing was written */
};

struct element {
    uint8_t state, key;
    uint64_t acknowledged_ms;
    uint32_t read; /* the number of the check that last saw it */
};

struct key {
    char name[16];
    uint32_t *acknowledged; /* elements, in this order */
    uint32_t count;
};

struct chaos_set_result chaos_set;

static struct element *elements;
static struct key keys[CHAOS_SET_KEYS];
static uint32_t element_count, check_number;

const char *chaos_set_key(uint32_t key)
{
    return keys[key].name;
}

/* ---- checks ---- */

static uint32_t element_at(struct dynkv_slice value, size_t i)
{
    struct dynkv_cursor cursor = dynkv_cursor(dynkv_slice(value.data + i * 4, 4));

    return dynkv_get_u32(&cursor);
}

static void check_element(uint32_t key, uint32_t element, const char *where)
{
    if (element < element_count && elements[element].key == key &&
        elements[element].state != ELEMENT_REFUSED) {
        elements[element].read = check_number;
        return;
    }
    chaos_violation(&chaos_set.unwritten, "%s of %s has element %u, which %s", where,
                    keys[key].name, element,
                    element < element_count && elements[element].key == key ? "was refused"
                                                                            : "nobody wrote there");
}

/* The first of the key's acknowledged elements, up to count, that the object lacks; or -1. */
static int64_t missing_after(uint32_t key, uint32_t *from, uint32_t count)
{
    while (*from < count) {
        uint32_t element = keys[key].acknowledged[(*from)++];

        if (elements[element].read != check_number)
            return element;
    }
    return -1;
}

static void mark(uint32_t key, const struct dynkv_object *object, const char *where)
{
    check_number++;
    for (uint32_t i = 0; i < object->sibling_count; i++)
        for (size_t j = 0; j < object->siblings[i].value.len / 4; j++)
            check_element(key, element_at(object->siblings[i].value, j), where);
}

void chaos_set_check(uint32_t key, const struct dynkv_object *object, uint32_t *lost,
                     const char *where)
{
    uint32_t from = 0;
    int64_t element;

    mark(key, object, where);
    while ((element = missing_after(key, &from, keys[key].count)) >= 0)
        chaos_violation(lost, "%s of %s lacks element %lld, acknowledged at %.3f s", where,
                        keys[key].name, (long long)element,
                        (double)elements[element].acknowledged_ms / 1000);
}

/* A read under faults: what was acknowledged before it began has to be there. */
static void check_read(const struct chaos_actor *actor, const struct dynkv_object *object)
{
    uint32_t from = 0;
    int64_t element;

    if (object->sibling_count > chaos_set.siblings_most)
        chaos_set.siblings_most = object->sibling_count;
    mark(actor->key, object, "a read");
    element = missing_after(actor->key, &from, (uint32_t)actor->floor);
    if (element >= 0)
        chaos_violation(&chaos_set.stale,
                        "a read of %s that ended at %.3f s lacks element %lld, acknowledged at "
                        "%.3f s, before it began",
                        keys[actor->key].name, (double)chaos_now_ms() / 1000, (long long)element,
                        (double)elements[element].acknowledged_ms / 1000);
}

/* ---- a client ---- */

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/* The elements of all siblings and one more. */
static void join_elements(const struct dynkv_object *object, uint32_t one_more,
                          struct dynkv_buf *out)
{
    size_t room = 1, count = 0;
    uint32_t *all;

    for (uint32_t i = 0; i < object->sibling_count; i++)
        room += object->siblings[i].value.len / 4;
    all = dynkv_calloc(room, sizeof *all);
    for (uint32_t i = 0; i < object->sibling_count; i++)
        for (size_t j = 0; j < object->siblings[i].value.len / 4; j++)
            all[count++] = element_at(object->siblings[i].value, j);
    all[count++] = one_more;
    qsort(all, count, sizeof *all, compare);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || all[i] != all[i - 1])
            dynkv_put_u32(out, all[i]);
    free(all);
}

static void write_begin(struct chaos_actor *actor, const struct dynkv_object *object)
{
    struct dynkv_buf value = {0}, context = {0};
    struct dynkv_call call = chaos_call();
    struct dynkv_write write = {0};

    actor->value = element_count++;
    elements[actor->value] = (struct element){.state = ELEMENT_BEGUN, .key = (uint8_t)actor->key};
    join_elements(object, (uint32_t)actor->value, &value);
    dynkv_version_encode(&object->version, &context);
    write.at.key = dynkv_slice_text(keys[actor->key].name);
    write.at.partition_len = (uint32_t)write.at.key.len;
    write.value = dynkv_buf_slice(&value);
    write.has_context = !chaos_options.without_context;
    write.context = dynkv_buf_slice(&context);
    dynkv_request_free(actor->request);
    actor->is_writing = true;
    actor->request = dynkv_put_start(actor->client, chaos_keyspace, &write, 1, &call);
    dynkv_buf_fini(&value);
    dynkv_buf_fini(&context);
}

static void read_begin(struct chaos_actor *actor)
{
    struct dynkv_call call = chaos_call();
    struct dynkv_key_ref ref;

    actor->key = (uint32_t)dynkv_random_below(&actor->random, CHAOS_SET_KEYS);
    actor->floor = keys[actor->key].count;
    actor->is_writing = false;
    ref.key = dynkv_slice_text(keys[actor->key].name);
    ref.partition_len = (uint32_t)ref.key.len;
    chaos_set.additions.begun++;
    actor->request = dynkv_get_start(actor->client, chaos_keyspace, &ref, 1, &call);
}

static void read_done(struct chaos_actor *actor)
{
    const struct dynkv_read_result *result = dynkv_request_reads(actor->request, NULL);

    if (result->error) {
        chaos_set.additions.refused++; /* nothing was written */
        chaos_count_error("set read", result->error);
        chaos_actor_sleep(actor, CHAOS_BACK_OFF_MS);
        return;
    }
    check_read(actor, &result->object);
    write_begin(actor, &result->object);
}

static void write_done(struct chaos_actor *actor)
{
    enum dynkv_error error = dynkv_request_writes(actor->request, NULL)->error;
    struct element *element = &elements[actor->value];
    struct key *key = &keys[actor->key];

    if (error)
        chaos_count_error("set write", error);
    if (!error) {
        element->state = ELEMENT_ACKNOWLEDGED;
        element->acknowledged_ms = chaos_now_ms();
        key->acknowledged[key->count++] = (uint32_t)actor->value;
        chaos_set.additions.acknowledged++;
    } else if (error == DYNKV_UNAVAILABLE || error == DYNKV_TIMEOUT) {
        chaos_set.additions.indeterminate++;
    } else {
        element->state = ELEMENT_REFUSED;
        chaos_set.additions.refused++;
    }
    chaos_actor_sleep(actor, error ? CHAOS_BACK_OFF_MS : THINK_MS);
}

/* Additions are spread evenly over the time, so that faults of all kinds fall between them. */
static bool is_ahead_of_time(void)
{
    uint64_t due = chaos_now_ms() * chaos_options.additions / (chaos_options.seconds * 900u);

    return chaos_set.additions.acknowledged > due;
}

static void step(struct chaos_actor *actor)
{
    if (!actor->request && (is_ahead_of_time() || element_count == CHAOS_ADDITIONS_MAX))
        chaos_actor_sleep(actor, 2 * THINK_MS);
    else if (!actor->request)
        read_begin(actor);
    else if (actor->is_writing)
        write_done(actor);
    else
        read_done(actor);
}

void chaos_set_begin(void)
{
    chaos_set = (struct chaos_set_result){0};
    element_count = check_number = 0;
    elements = dynkv_calloc(CHAOS_ADDITIONS_MAX, sizeof *elements);
    for (uint32_t i = 0; i < CHAOS_SET_KEYS; i++) {
        keys[i].count = 0;
        keys[i].acknowledged = dynkv_calloc(CHAOS_ADDITIONS_MAX, sizeof *keys[i].acknowledged);
        snprintf(keys[i].name, sizeof keys[i].name, "set-%u", i);
    }
    for (uint32_t i = 0; i < CHAOS_SET_CLIENTS; i++)
        chaos_actor_add(&(struct chaos_actor){.step = step, .number = i});
}

void chaos_set_end(void)
{
    free(elements);
    for (uint32_t i = 0; i < CHAOS_SET_KEYS; i++)
        free(keys[i].acknowledged);
}
