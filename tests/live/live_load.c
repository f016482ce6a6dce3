/* live_load.c: writes and reads while the members change, and what must be left of them. */
#include "tests/live/live_load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/object.h"
#include "model/read_quorum.h"

#define WRITERS          2u
#define WRITES_MAX       200000u /* of one writer */
#define BATCH            100u
#define LOAD_PATIENCE_MS 120000u /* many steps, on a machine with other work to do */
#define N                3u
#define REGISTER         "register"

struct writer {
    struct load *load;
    struct live_client *client;
    uint32_t number;
    pthread_t thread;
    _Atomic uint32_t begun, done; /* puts; and those acknowledged */
    bool acknowledged[WRITES_MAX];
};

struct load {
    struct writer *writers[WRITERS];
    struct live_client *put_client, *get_client;
    pthread_t register_thread;
    uint64_t keyspace;
    _Atomic bool stop;
    _Atomic uint32_t numbers, reads, stale; /* of the register */
};

static void old_key(char out[32], uint32_t i)
{
    snprintf(out, 32, "old-%u", i);
}

static void new_key(char out[32], uint32_t writer, uint32_t i)
{
    snprintf(out, 32, "w%u-%u", writer, i);
}

/* ---- requests of the threads: checks end the test by a jump, which they may not do ---- */

static bool put(struct live_client *client, uint64_t keyspace, uint64_t writer, uint64_t sequence,
                const char *key, const char *value)
{
    struct dynkv_put_item item = {.key = dynkv_slice_text(key),
                                  .partition_len = (uint32_t)strlen(key),
                                  .value = dynkv_slice_text(value)};
    struct dynkv_put body = {.keyspace = keyspace,
                             .flags = DYNKV_PUT_STRICT,
                             .w = 2,
                             .client = writer,
                             .sequence = sequence,
                             .items = &item,
                             .item_count = 1};
    struct live_answer answer;
    bool ok;

    if (!live_client_ask(client, DYNKV_MESSAGE_PUT, &body, 2000, &answer))
        return false;
    ok = answer.envelope.type == DYNKV_MESSAGE_PUT_REPLY &&
         answer.body.put_reply.result_count == 1 &&
         answer.body.put_reply.results[0].error == DYNKV_OK;
    live_answer_free(&answer);
    return ok;
}

/* The greatest number that the register holds; false: no answer. */
static bool get_number(struct live_client *client, uint64_t keyspace, uint32_t *number)
{
    struct dynkv_get_item item = {.key = dynkv_slice_text(REGISTER),
                                  .partition_len = sizeof REGISTER - 1};
    struct dynkv_get body = {.keyspace = keyspace,
                             .flags = DYNKV_GET_COORDINATE,
                             .r = 2,
                             .items = &item,
                             .item_count = 1};
    struct live_answer answer;
    struct dynkv_object object;
    bool ok;

    *number = 0;
    if (!live_client_ask(client, DYNKV_MESSAGE_GET, &body, 2000, &answer))
        return false;
    ok = answer.envelope.type == DYNKV_MESSAGE_GET_REPLY &&
         answer.body.get_reply.result_count == 1 &&
         answer.body.get_reply.results[0].error == DYNKV_OK &&
         dynkv_object_decode(answer.body.get_reply.results[0].object, &answer.arena, &object) ==
             DYNKV_OK;
    for (uint32_t i = 0; ok && i < object.sibling_count; i++) {
        char text[16];
        uint32_t value;

        snprintf(text, sizeof text, "%.*s", (int)object.siblings[i].value.len,
                 (const char *)object.siblings[i].value.data);
        value = (uint32_t)strtoul(text, NULL, 10);
        *number = value > *number ? value : *number;
    }
    live_answer_free(&answer);
    return ok;
}

static void *write_on(void *argument)
{
    struct writer *writer = argument;
    char key[32];

    for (uint32_t i = 0; i < WRITES_MAX && !atomic_load(&writer->load->stop); i++) {
        new_key(key, writer->number, i);
        atomic_store(&writer->begun, i + 1);
        writer->acknowledged[i] =
            put(writer->client, writer->load->keyspace, writer->number + 1, i + 1, key, key);
        if (writer->acknowledged[i])
            atomic_fetch_add(&writer->done, 1);
    }
    return NULL;
}

static void *count_on(void *argument)
{
    struct load *load = argument;
    uint32_t acknowledged = 0, seen;
    char value[16];

    for (uint32_t i = 1; !atomic_load(&load->stop); i++) {
        snprintf(value, sizeof value, "%u", i);
        if (put(load->put_client, load->keyspace, WRITERS + 1, i, REGISTER, value)) {
            acknowledged = i;
            atomic_fetch_add(&load->numbers, 1);
        }
        if (!get_number(load->get_client, load->keyspace, &seen))
            continue;
        atomic_fetch_add(&load->reads, 1);
        if (seen < acknowledged)
            atomic_fetch_add(&load->stale, 1);
    }
    return NULL;
}

/* ---- beginning and end ---- */

void load_prepare(struct live_node *node)
{
    struct live_client *client = live_client_open(live_node_client_url(node));
    uint64_t keyspace = live_keyspace(client, LOAD_KEYSPACE, N, 2, 2);
    struct dynkv_put_item items[BATCH];
    char keys[BATCH][32];

    for (uint32_t first = 0; first < LOAD_OLD_KEYS; first += BATCH) {
        struct dynkv_put body = {.keyspace = keyspace,
                                 .w = N,
                                 .client = WRITERS + 2,
                                 .sequence = first + 1,
                                 .items = items,
                                 .item_count = BATCH};
        struct live_answer answer;

        for (uint32_t i = 0; i < BATCH; i++) {
            old_key(keys[i], first + i);
            items[i] = (struct dynkv_put_item){.key = dynkv_slice_text(keys[i]),
                                               .partition_len = (uint32_t)strlen(keys[i]),
                                               .value = dynkv_slice_text(keys[i])};
        }
        CHECK(live_client_ask(client, DYNKV_MESSAGE_PUT, &body, 20000, &answer), "no answer");
        CHECK(answer.envelope.type == DYNKV_MESSAGE_PUT_REPLY, "got %s",
              dynkv_message_name(answer.envelope.type));
        for (uint32_t i = 0; i < answer.body.put_reply.result_count; i++)
            CHECK(!answer.body.put_reply.results[i].error, "%s: %s", keys[i],
                  dynkv_error_name((enum dynkv_error)answer.body.put_reply.results[i].error));
        live_answer_free(&answer);
    }
    live_client_close(client);
}

struct load *load_start(struct live_node *a, struct live_node *b)
{
    struct load *load = dynkv_calloc(1, sizeof *load);

    load->put_client = live_client_open(live_node_client_url(a));
    load->get_client = live_client_open(live_node_client_url(b));
    load->keyspace = live_keyspace(load->put_client, LOAD_KEYSPACE, N, 2, 2);
    for (uint32_t i = 0; i < WRITERS; i++) {
        struct writer *writer = load->writers[i] = dynkv_calloc(1, sizeof *writer);

        writer->load = load;
        writer->number = i;
        writer->client = live_client_open(live_node_client_url(i % 2 ? b : a));
        pthread_create(&writer->thread, NULL, write_on, writer);
    }
    pthread_create(&load->register_thread, NULL, count_on, load);
    return load;
}

static uint32_t load_writes(const struct load *load)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < WRITERS; i++)
        sum += atomic_load(&load->writers[i]->done);
    return sum;
}

struct goal {
    struct load *load;
    uint32_t writes, reads;
};

static bool goal_is_reached(void *context)
{
    struct goal *goal = context;

    return load_writes(goal->load) >= goal->writes &&
           atomic_load(&goal->load->reads) >= goal->reads;
}

void load_await_writes(struct load *load, uint32_t more)
{
    struct goal goal = {load, load_writes(load) + more, atomic_load(&load->reads) + 1};

    live_await_within(goal_is_reached, &goal, "writes are acknowledged", LOAD_PATIENCE_MS);
}

void load_stop(struct load *load)
{
    atomic_store(&load->stop, true);
    for (uint32_t i = 0; i < WRITERS; i++)
        pthread_join(load->writers[i]->thread, NULL);
    pthread_join(load->register_thread, NULL);
    printf("    %u writes and %u numbers acknowledged, %u reads\n", load_writes(load),
           atomic_load(&load->numbers), atomic_load(&load->reads));
    CHECK(atomic_load(&load->numbers) > 0 && atomic_load(&load->reads) > 0,
          "the register was used");
    CHECK(atomic_load(&load->stale) == 0, "%u of %u reads were older than what was acknowledged",
          atomic_load(&load->stale), atomic_load(&load->reads));
}

void load_free(struct load *load)
{
    for (uint32_t i = 0; i < WRITERS; i++)
        free(load->writers[i]);
    free(load);
}

/* ---- what each node holds ---- */

struct held {
    char key[32];
    struct dynkv_slice object; /* of the first node that holds it; empty: none does yet */
    uint32_t holders;
    bool differ;
};

struct settling {
    struct load *load;
    struct live_node *const *nodes;
    uint32_t node_count;
    struct held *keys;
    uint32_t count;
    struct dynkv_arena arena;
    char why[160]; /* it is not settled yet */
};

static void list_keys(struct settling *s)
{
    uint32_t most = LOAD_OLD_KEYS;

    for (uint32_t w = 0; w < WRITERS; w++)
        most += atomic_load(&s->load->writers[w]->begun);
    s->keys = dynkv_calloc(most, sizeof *s->keys);
    for (uint32_t i = 0; i < LOAD_OLD_KEYS; i++)
        old_key(s->keys[s->count++].key, i);
    for (uint32_t w = 0; w < WRITERS; w++)
        for (uint32_t i = 0; i < atomic_load(&s->load->writers[w]->begun); i++)
            if (s->load->writers[w]->acknowledged[i])
                new_key(s->keys[s->count++].key, w, i);
}

/* Adds what a node says that it holds of some keys, no other being asked; false: it cannot tell. */
static bool ask_held(struct settling *s, struct live_client *client, struct held *keys,
                     uint32_t count)
{
    struct dynkv_get_item items[BATCH] = {0};
    struct dynkv_get body = {.keyspace = s->load->keyspace, .items = items, .item_count = count};
    struct live_answer answer;
    bool ok;

    for (uint32_t i = 0; i < count; i++) {
        items[i].key = dynkv_slice_text(keys[i].key);
        items[i].partition_len = (uint32_t)items[i].key.len;
        items[i].want = DYNKV_WANT_OBJECT;
    }
    if (!live_client_ask(client, DYNKV_MESSAGE_GET, &body, 10000, &answer))
        return false;
    ok = answer.envelope.type == DYNKV_MESSAGE_GET_REPLY;
    for (uint32_t i = 0; ok && i < count; i++) {
        const struct dynkv_get_result *result = &answer.body.get_reply.results[i];

        if (result->error == DYNKV_NOT_REPLICA)
            continue;
        ok = !result->error;
        keys[i].holders++;
        keys[i].differ |= keys[i].object.len && !dynkv_slice_equal(keys[i].object, result->object);
        if (!keys[i].object.len)
            keys[i].object = dynkv_slice_copy(result->object, &s->arena);
    }
    live_answer_free(&answer);
    return ok;
}

static bool has_value(const struct held *held, struct dynkv_arena *arena)
{
    struct dynkv_object object;

    return dynkv_object_decode(held->object, arena, &object) == DYNKV_OK &&
           object.sibling_count == 1 &&
           dynkv_slice_equal(object.siblings[0].value, dynkv_slice_text(held->key));
}

static bool holds_only_its_own(struct settling *s, uint32_t n)
{
    struct live_client *client = live_client_open(live_node_client_url(s->nodes[n]));
    bool is_so =
        live_counter(client, "trees_stray") == 0 && live_counter(client, "hints_pending") == 0;

    live_client_close(client);
    if (!is_so)
        snprintf(s->why, sizeof s->why, "node %u of those left holds what is not its own", n);
    return is_so;
}

static bool ask_all(struct settling *s, uint32_t n)
{
    struct live_client *client = live_client_open(live_node_client_url(s->nodes[n]));
    bool ok = true;

    for (uint32_t first = 0; ok && first < s->count; first += BATCH)
        ok = ask_held(s, client, &s->keys[first],
                      s->count - first < BATCH ? s->count - first : BATCH);
    live_client_close(client);
    if (!ok)
        snprintf(s->why, sizeof s->why, "node %u of those left cannot tell what it holds", n);
    return ok;
}

static bool is_settled(void *context)
{
    struct settling *s = context;

    dynkv_arena_reset(&s->arena);
    for (uint32_t i = 0; i < s->count; i++) {
        s->keys[i].object = dynkv_slice(NULL, 0);
        s->keys[i].holders = 0;
        s->keys[i].differ = false;
    }
    for (uint32_t n = 0; n < s->node_count; n++)
        if (!holds_only_its_own(s, n) || !ask_all(s, n))
            return false;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct held *held = &s->keys[i];

        if (held->holders == N && !held->differ && has_value(held, &s->arena))
            continue;
        snprintf(s->why, sizeof s->why, "%s is on %u nodes%s, %s", held->key, held->holders,
                 held->differ ? ", that differ" : "",
                 has_value(held, &s->arena) ? "with its value" : "WITHOUT ITS VALUE");
        return false;
    }
    return true;
}

void load_await_settled(struct load *load, struct live_node *const *nodes, uint32_t count)
{
    struct settling s = {.load = load, .nodes = nodes, .node_count = count};
    uint64_t until = live_now_ms() + LOAD_PATIENCE_MS;
    bool settled;

    list_keys(&s);
    while (!(settled = is_settled(&s)) && live_now_ms() < until)
        ;
    free(s.keys);
    dynkv_arena_fini(&s.arena);
    CHECK(settled, "%s", s.why);
}
