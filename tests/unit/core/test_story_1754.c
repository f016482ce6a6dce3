/*
 * test_story_1754.c: riak_kv #1754 played again: five nodes, ten keys, forty clients that add elements to sets, while
 * two nodes join and then two leave.  Riak lost acknowledged additions.
 *
 * A round: every client reads its key, joins the siblings, and only when all have read does each write back, with
 * what it read as the context; so on each key four writers are concurrent.  While they write, nodes that form a pair
 * in this round do not hear each other, so that many an addition is on two of three replicas only.  A little time passes
 * after each round, in which data move and the members' ideas of the ring differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"

#define KEYS         10u
#define CLIENTS      40u
#define ELEMENTS_MAX 8000u
#define PER_KEY_MAX  (ELEMENTS_MAX / KEYS)
#define STEP_MS      10u
#define SLOW_MS \
    300u /* so long some take to read what they hand over: the others are ready by then */
#define ROUNDS_MAX 150u

/* What a client has read: its key's elements, and the context to write with. */
struct client {
    bool has_read;
    struct dynkv_slice context;
    bool has[PER_KEY_MAX];
};

struct story {
    struct cluster *c;
    uint64_t ks;
    struct client clients[CLIENTS];
    bool acknowledged[KEYS][PER_KEY_MAX];
    uint32_t begun[KEYS]; /* elements are numbered, key by key */
    uint32_t acknowledged_count, refused_count;
    uint32_t nodes, round;
};

static void key_of(uint32_t key, char out[16])
{
    snprintf(out, 16, "set%u", key);
}

/* ---- sets as values: numbers, each followed by a comma ---- */

static void set_join(bool has[PER_KEY_MAX], struct dynkv_slice value)
{
    uint32_t number = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] != ',') {
            number = number * 10 + (uint32_t)(value.data[i] - '0');
            continue;
        }
        assert_true(number < PER_KEY_MAX);
        has[number] = true;
        number = 0;
    }
}

static void set_join_object(bool has[PER_KEY_MAX], const struct dynkv_object *object)
{
    for (uint32_t i = 0; i < object->sibling_count; i++)
        set_join(has, object->siblings[i].value);
}

static void set_write(const bool has[PER_KEY_MAX], char *out)
{
    for (uint32_t i = 0; i < PER_KEY_MAX; i++)
        if (has[i])
            out += sprintf(out, "%u,", i);
    *out = '\0';
}

/* ---- clients ---- */

static struct dynkv_slice context_of(const struct dynkv_object *object, struct dynkv_arena *arena)
{
    struct dynkv_buf buf = {0};
    struct dynkv_slice context;

    dynkv_version_encode(&object->version, &buf);
    context = dynkv_slice_copy(dynkv_buf_slice(&buf), arena);
    dynkv_buf_fini(&buf);
    return context;
}

/* A replica of the key, as clients that know the ring go to one. */
static uint32_t node_for(struct story *story, uint32_t number, uint32_t turn)
{
    char key[16];

    key_of(number % KEYS, key);
    return cluster_replica(story->c, story->ks, key, (number / KEYS + turn) % 3);
}

static void client_read(struct story *story, uint32_t number)
{
    struct client *client = &story->clients[number];
    struct dynkv_object object;
    char key[16];

    key_of(number % KEYS, key);
    memset(client->has, 0, sizeof client->has);
    client->has_read = cluster_get(story->c, node_for(story, number, story->round), story->ks, key,
                                   true, 2, &object)
                           .error == DYNKV_OK;
    if (!client->has_read)
        return;
    set_join_object(client->has, &object);
    client->context = context_of(&object, cluster_arena(story->c));
    for (uint32_t i = 0; i < PER_KEY_MAX; i++)
        assert_true(client->has[i] || !story->acknowledged[number % KEYS][i]);
}

static void client_write(struct story *story, uint32_t number)
{
    static char value[8 * PER_KEY_MAX];
    struct client *client = &story->clients[number];
    uint32_t element = story->begun[number % KEYS];
    char key[16];

    if (!client->has_read)
        return;
    assert_true(element < PER_KEY_MAX);
    story->begun[number % KEYS]++;
    client->has[element] = true;
    set_write(client->has, value);
    key_of(number % KEYS, key);
    if (cluster_put(story->c, node_for(story, number, story->round + 1), story->ks, key, value,
                    &client->context)
            .error == DYNKV_OK) {
        story->acknowledged[number % KEYS][element] = true;
        story->acknowledged_count++;
    } else {
        story->refused_count++;
    }
}

/* In each round the nodes are paired in another way, and pairs do not hear each other: a replica misses writes. */
static void lose_some(struct story *story, bool lose)
{
    for (uint32_t i = 0; i < story->nodes; i++) {
        uint32_t other = (story->round + story->nodes - i) % story->nodes;

        if (other != i)
            cluster_cut(story->c, i, other, lose);
    }
}

static void play_round(struct story *story)
{
    for (uint32_t i = 0; i < CLIENTS; i++)
        client_read(story, i);
    cluster_run(story->c, STEP_MS);
    lose_some(story, true);
    for (uint32_t i = 0; i < CLIENTS; i++)
        client_write(story, i);
    lose_some(story, false);
    cluster_run(story->c, STEP_MS);
    story->round++;
}

/* ---- the operator ---- */

static void operator_ask(struct story *story, uint8_t action, const char *name)
{
    struct dynkv_cluster_change body = {.action = action, .name = dynkv_slice_text(name)};
    struct dynkv_envelope envelope;
    union dynkv_body reply;

    assert_true(
        cluster_ask(story->c, 0, DYNKV_MESSAGE_CLUSTER_CHANGE, &body, 1000, &envelope, &reply));
    assert_int_equal(envelope.type, DYNKV_MESSAGE_CLUSTER_PLAN);
}

static void change(struct story *story, uint8_t action, const char *one, const char *other,
                   uint64_t epoch)
{
    operator_ask(story, action, one);
    operator_ask(story, action, other);
    operator_ask(story, DYNKV_CLUSTER_COMMIT, "");
    for (uint32_t i = 0; dynkv_node_stage(cluster_node(story->c, 0)).epoch < epoch; i++) {
        assert_true(i < ROUNDS_MAX);
        play_round(story);
    }
}

static void check_acknowledged(const struct story *story, uint32_t key, const bool has[PER_KEY_MAX])
{
    for (uint32_t i = 0; i < story->begun[key]; i++)
        assert_true(has[i] || !story->acknowledged[key][i]);
}

/* Each replica by itself, without asking the others. */
static void check_every_replica(struct story *story)
{
    for (uint32_t k = 0; k < KEYS; k++)
        for (uint32_t place = 0; place < 3; place++) {
            bool has[PER_KEY_MAX] = {false};
            struct dynkv_object object;
            char key[16];

            key_of(k, key);
            assert_int_equal(cluster_get(story->c, cluster_replica(story->c, story->ks, key, place),
                                         story->ks, key, false, 1, &object)
                                 .error,
                             DYNKV_OK);
            set_join_object(has, &object);
            check_acknowledged(story, k, has);
        }
}

static void riak_1754_no_addition_is_lost_over_two_joins_and_two_leaves(void **state)
{
    struct story *story = calloc(1, sizeof *story);

    (void)state;
    story->nodes = 5;
    story->c = cluster_new(story->nodes, 64);
    story->ks = cluster_keyspace(story->c, 0, "sets", 3, 2, 2);
    cluster_slow_scans(story->c, 1, SLOW_MS, 0);
    cluster_run(story->c, 1000);
    for (uint32_t i = 0; i < 5; i++)
        play_round(story);
    cluster_add(story->c);
    cluster_add(story->c);
    story->nodes = 7;
    cluster_slow_scans(story->c, 5, SLOW_MS, 0);
    cluster_run(story->c, 1000);
    change(story, DYNKV_CLUSTER_JOIN, "n6", "n7", 1);
    change(story, DYNKV_CLUSTER_LEAVE, "n4", "n5", 2);
    for (uint32_t i = 0; i < 5; i++)
        play_round(story);
    cluster_run(story->c, 10000); /* old owners let go, anti-entropy goes quiet */
    check_every_replica(story);
    /* There was something to lose: nearly all were acknowledged, in many rounds while the members changed. */
    assert_true(story->round > 40);
    assert_true(story->acknowledged_count > CLIENTS * story->round * 9 / 10);
    cluster_free(story->c);
    free(story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(riak_1754_no_addition_is_lost_over_two_joins_and_two_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
