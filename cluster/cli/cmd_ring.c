/* cmd_ring.c: ring: what every member holds, and who holds a key. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "cli/command.h"
#include "cli/members.h"
#include "cli/plan.h"
#include "cli/table.h"
#include "wire/places.h"

/* The replicas that the overview counts: the N of a keyspace that nobody chose otherwise. */
#define OVERVIEW_N 3u

struct ring_run {
    struct dynkv_cli *cli;
    struct dynkv_request *request;
    const struct dynkv_ring_reply *reply;
    struct dynkv_members members;
    struct dynkv_ring *ring;
};

/* The ring that the nodes use, computed here from the same places. */
static int open_ring(struct ring_run *run)
{
    int code;

    run->request = dynkv_ring_start(run->cli->client, (uint32_t)run->cli->options->deadline_ms);
    code = dynkv_cli_wait(run->request);
    if (code)
        return code;
    run->reply = dynkv_request_ring(run->request);
    dynkv_members_init(&run->members, run->reply->members, run->reply->member_count,
                       run->reply->down, run->reply->down_count);
    if (!dynkv_places_are_possible(run->reply->places, run->reply->place_count))
        return dynkv_cli_fail(DYNKV_MALFORMED, "the node told a ring that cannot be");
    run->ring =
        dynkv_places_ring(run->reply->places, run->reply->place_count, run->reply->partitions);
    if (dynkv_ring_version(run->ring) != run->reply->ring_version)
        return dynkv_cli_fail(
            DYNKV_RING_CHANGED,
            "the node's ring is not the one of its places: it is changing, or the "
            "node is of another version; try again");
    return DYNKV_EXIT_OK;
}

static void close_ring(struct ring_run *run)
{
    if (run->ring)
        dynkv_ring_free(run->ring);
    dynkv_members_fini(&run->members);
    dynkv_request_free(run->request);
}

/* ---- the overview ---- */

static uint32_t count_held(const struct ring_run *run, uint64_t member, uint32_t n)
{
    uint32_t held = 0;

    for (uint32_t i = 0; i < run->reply->partitions; i++)
        held += dynkv_ring_replica_index(run->ring, i, member, n) >= 0;
    return held;
}

static void print_overview(const struct ring_run *run)
{
    struct dynkv_table table = {.columns = 6};

    printf("ring %016" PRIx64 ", epoch %" PRIu64 ", %" PRIu32 " partitions, %" PRIu32
           " members\n\n",
           run->reply->ring_version, run->reply->epoch, run->reply->partitions,
           dynkv_ring_member_count(run->ring));
    dynkv_table_text(&table, "MEMBER");
    dynkv_table_text(&table, "STATE");
    dynkv_table_text(&table, "ZONE");
    dynkv_table_text(&table, "WEIGHT");
    dynkv_table_text(&table, "PRIMARY");
    dynkv_table_text(&table, "REPLICAS AT N=3");
    for (uint32_t i = 0; i < run->members.count; i++) {
        const struct dynkv_member *member = &run->members.list[i];

        dynkv_table_bytes(&table, member->name);
        dynkv_table_text(&table, dynkv_members_state(&run->members, member));
        dynkv_table_bytes(&table, member->zone);
        dynkv_table_format(&table, "%" PRIu32, member->weight);
        dynkv_table_format(&table, "%" PRIu32, count_held(run, member->id, 1));
        dynkv_table_format(&table, "%" PRIu32, count_held(run, member->id, OVERVIEW_N));
    }
    dynkv_table_print(&table);
}

/* The partitions of which the member is among the first n. */
static void json_partitions(struct dynkv_json *json, const struct ring_run *run, const char *name,
                            uint64_t member, uint32_t n)
{
    dynkv_json_begin_array(json, name);
    for (uint32_t i = 0; i < run->reply->partitions; i++)
        if (dynkv_ring_replica_index(run->ring, i, member, n) >= 0)
            dynkv_json_u64(json, NULL, i);
    dynkv_json_end_array(json);
}

/* The ring is replayed from these; who is in none is a candidate, or left. */
static void json_places(struct dynkv_json *json, const struct ring_run *run)
{
    dynkv_json_begin_array(json, "places");
    for (uint32_t i = 0; i < run->reply->place_count; i++) {
        const struct dynkv_place *place = &run->reply->places[i];
        const struct dynkv_member *holder = dynkv_members_find(&run->members, place->holder);

        dynkv_json_begin_object(json, NULL);
        dynkv_json_id(json, "id", place->id);
        dynkv_json_id(json, "holder", place->holder);
        if (holder)
            dynkv_json_text(json, "holder_name", holder->name);
        dynkv_json_u64(json, "weight", place->weight);
        dynkv_json_id(json, "joined", place->joined);
        dynkv_json_id(json, "left", place->left);
        dynkv_json_end_object(json);
    }
    dynkv_json_end_array(json);
}

/* The change that is staged or under way; nothing if the node that was asked cannot tell. */
static void json_change(struct dynkv_json *json, const struct ring_run *run)
{
    struct dynkv_request *request = dynkv_cluster_change_start(
        run->cli->client, DYNKV_CLUSTER_STATUS, NULL, NULL, dynkv_cli_left_ms(run->cli));

    dynkv_request_wait(request);
    if (!dynkv_request_error(request))
        dynkv_plan_json(json, "change", dynkv_request_plan(request), NULL);
    dynkv_request_free(request);
}

static void json_overview(const struct ring_run *run)
{
    struct dynkv_json json = {0};

    dynkv_json_begin_object(&json, NULL);
    dynkv_json_id(&json, "cluster_id", run->reply->cluster_id);
    dynkv_json_id(&json, "ring_version", run->reply->ring_version);
    dynkv_json_u64(&json, "partitions", run->reply->partitions);
    dynkv_json_u64(&json, "epoch", run->reply->epoch);
    dynkv_json_u64(&json, "n", OVERVIEW_N);
    dynkv_json_begin_array(&json, "members");
    for (uint32_t i = 0; i < run->members.count; i++) {
        const struct dynkv_member *member = &run->members.list[i];

        dynkv_json_begin_object(&json, NULL);
        dynkv_json_text(&json, "name", member->name);
        dynkv_json_id(&json, "id", member->id);
        dynkv_json_text(&json, "state",
                        dynkv_slice_text(dynkv_members_state(&run->members, member)));
        dynkv_json_text(&json, "zone", member->zone);
        dynkv_json_u64(&json, "weight", member->weight);
        json_partitions(&json, run, "primary", member->id, 1);
        json_partitions(&json, run, "replica", member->id, OVERVIEW_N);
        dynkv_json_end_object(&json);
    }
    dynkv_json_end_array(&json);
    json_places(&json, run);
    json_change(&json, run);
    dynkv_json_end_object(&json);
    dynkv_json_print(&json);
    dynkv_json_fini(&json);
}

/* ---- one key ---- */

struct key_place {
    struct dynkv_key_ref at;
    uint32_t partition, n;
    uint64_t list[DYNKV_MEMBERS_MAX];
    uint32_t count;
};

static void print_place(const struct ring_run *run, const struct key_place *place)
{
    struct dynkv_table table = {.columns = 4};

    printf("partition %" PRIu32 "\n\n", place->partition);
    dynkv_table_text(&table, "MEMBER");
    dynkv_table_text(&table, "ROLE");
    dynkv_table_text(&table, "STATE");
    dynkv_table_text(&table, "CLIENT URL");
    for (uint32_t i = 0; i < place->count; i++) {
        const struct dynkv_member *member = dynkv_members_find(&run->members, place->list[i]);

        dynkv_table_bytes(&table, member->name);
        dynkv_table_text(&table, i < place->n ? "replica" : "fallback");
        dynkv_table_text(&table, dynkv_members_state(&run->members, member));
        dynkv_table_bytes(&table, member->client_url);
    }
    dynkv_table_print(&table);
}

static void json_place(const struct ring_run *run, const struct key_place *place)
{
    struct dynkv_json json = {0};

    dynkv_json_begin_object(&json, NULL);
    dynkv_cli_json_key(&json, run->cli->options, place->at);
    dynkv_json_u64(&json, "partition", place->partition);
    dynkv_json_u64(&json, "n", place->n);
    dynkv_json_begin_array(&json, "preference");
    for (uint32_t i = 0; i < place->count; i++) {
        const struct dynkv_member *member = dynkv_members_find(&run->members, place->list[i]);

        dynkv_json_begin_object(&json, NULL);
        dynkv_json_text(&json, "name", member->name);
        dynkv_json_id(&json, "id", member->id);
        dynkv_json_bool(&json, "replica", i < place->n);
        dynkv_json_text(&json, "state",
                        dynkv_slice_text(dynkv_members_state(&run->members, member)));
        dynkv_json_text(&json, "client_url", member->client_url);
        dynkv_json_end_object(&json);
    }
    dynkv_json_end_array(&json);
    dynkv_json_end_object(&json);
    dynkv_json_print(&json);
    dynkv_json_fini(&json);
}

static int show_place(struct ring_run *run)
{
    const struct dynkv_options *options = run->cli->options;
    struct dynkv_keyspace_info keyspace;
    struct dynkv_buf buffer = {0};
    struct key_place place;
    int code = dynkv_cli_key(options, options->arguments[1], &buffer, &place.at);

    if (!code)
        code = dynkv_cli_open_keyspace(run->cli, options->arguments[0], false, &keyspace);
    if (!code) {
        struct dynkv_slice partition_key = dynkv_slice(place.at.key.data, place.at.partition_len);

        place.n = keyspace.n;
        place.partition =
            dynkv_ring_partition(run->ring, dynkv_ring_hash(keyspace.id, partition_key));
        place.count =
            dynkv_ring_preference(run->ring, place.partition, place.list, DYNKV_MEMBERS_MAX);
        if (options->json)
            json_place(run, &place);
        else
            print_place(run, &place);
    }
    dynkv_buf_fini(&buffer);
    return code;
}

int dynkv_cmd_ring(struct dynkv_cli *cli)
{
    struct ring_run run = {.cli = cli};
    int code;

    if (cli->options->argument_count == 1)
        return dynkv_cli_usage("ring takes no argument, or two: dynkv ring KEYSPACE KEY");
    code = open_ring(&run);
    if (!code && cli->options->argument_count == 2)
        code = show_place(&run);
    else if (!code && cli->options->json)
        json_overview(&run);
    else if (!code)
        print_overview(&run);
    close_ring(&run);
    return code;
}
