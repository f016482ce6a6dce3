/*
 * cmd_bench.c: bench: a closed loop of reads and writes.
 *
 * One client with a fixed number of requests in flight: whenever one is answered, the next is sent.
 * Before reads are measured, all keys are stored once, so that reads find something.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/random.h"
#include "cli/bench.h"
#include "cli/command.h"

#define SECONDS_DEFAULT 5u
#define KEY_SIZE        14u        /* "key" and eleven digits; --keys is below 2^32 */
#define NOISE_SIZE      (1u << 20) /* values are pieces of this much noise */
#define LOAD_BYTES      (1u << 20) /* of one request that loads */
#define LOAD_BATCH      1000u
#define LOAD_IN_FLIGHT  4u

/* One request in flight at a time. */
struct slot {
    struct dynkv_request *request; /* NULL: idle */
    uint64_t started_ns;
    uint32_t count; /* of keys */
    bool is_read;
};

struct bench_run {
    struct dynkv_cli *cli;
    uint64_t keyspace;
    struct dynkv_call call;
    struct dynkv_random random;
    uint8_t *noise;
    char (*names)[KEY_SIZE + 1]; /* of the request being made: the client copies them */
    struct dynkv_key_ref *keys;
    struct dynkv_write *writes;
    struct slot *slots;
    struct dynkv_bench_result result;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct dynkv_slice random_value(struct bench_run *run)
{
    return dynkv_slice(run->noise + dynkv_random_below(&run->random, NOISE_SIZE),
                       (size_t)run->cli->options->value_size);
}

static void name_key(struct bench_run *run, uint32_t i, uint32_t number)
{
    snprintf(run->names[i], sizeof run->names[i], "key%011" PRIu32, number);
    run->keys[i] = (struct dynkv_key_ref){dynkv_slice(run->names[i], KEY_SIZE), KEY_SIZE};
    run->writes[i] = (struct dynkv_write){.at = run->keys[i]};
}

static void start(struct bench_run *run, struct slot *slot, bool is_read, uint32_t count)
{
    slot->started_ns = now_ns();
    slot->is_read = is_read;
    slot->count = count;
    if (is_read) {
        slot->request =
            dynkv_get_start(run->cli->client, run->keyspace, run->keys, count, &run->call);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        run->writes[i].value = random_value(run);
    slot->request =
        dynkv_put_start(run->cli->client, run->keyspace, run->writes, count, &run->call);
}

/* ---- loading ---- */

static int wait_idle(struct slot *slot)
{
    int code = DYNKV_EXIT_OK;

    if (slot->request) {
        code = dynkv_cli_wait(slot->request);
        dynkv_request_free(slot->request);
        slot->request = NULL;
    }
    return code;
}

static int load(struct bench_run *run)
{
    const struct dynkv_options *options = run->cli->options;
    struct slot slots[LOAD_IN_FLIGHT] = {0};
    uint64_t fitting = LOAD_BYTES / (options->value_size + KEY_SIZE) + 1;
    uint32_t batch = fitting < LOAD_BATCH ? (uint32_t)fitting : LOAD_BATCH;
    uint32_t turn = 0;
    int code = DYNKV_EXIT_OK;

    for (uint64_t done = 0; done < options->keys && !code; turn++) {
        struct slot *slot = &slots[turn % LOAD_IN_FLIGHT];
        uint32_t count = 0;

        code = wait_idle(slot);
        while (!code && count < batch && done < options->keys)
            name_key(run, count++, (uint32_t)done++);
        if (count)
            start(run, slot, false, count);
    }
    for (uint32_t i = 0; i < LOAD_IN_FLIGHT; i++) {
        if (!code)
            code = wait_idle(&slots[i]);
        else if (slots[i].request) /* one error is told; what else is on its way is abandoned */
            dynkv_request_free(slots[i].request);
    }
    return code;
}

/* ---- the closed loop ---- */

static void start_next(struct bench_run *run, struct slot *slot, uint32_t count)
{
    const struct dynkv_options *options = run->cli->options;
    double dice = (double)(dynkv_random_next(&run->random) >> 11) * 0x1p-53;

    for (uint32_t i = 0; i < count; i++)
        name_key(run, i, (uint32_t)dynkv_random_below(&run->random, options->keys));
    start(run, slot, dice < options->read_share, count);
}

/* How many keys of a request failed; a request that never got results failed as a whole. */
static uint32_t count_failed(const struct slot *slot, enum dynkv_error error)
{
    const struct dynkv_read_result *reads = NULL;
    const struct dynkv_write_result *writes = NULL;
    uint32_t count = 0, failed = 0;

    if (!error)
        return 0;
    if (slot->is_read)
        reads = dynkv_request_reads(slot->request, &count);
    else
        writes = dynkv_request_writes(slot->request, &count);
    for (uint32_t i = 0; i < count && (reads || writes); i++)
        failed += (reads ? reads[i].error : writes[i].error) != DYNKV_OK;
    return failed ? failed : slot->count;
}

static void finish(struct bench_run *run, struct slot *slot)
{
    struct dynkv_bench_side *side = slot->is_read ? &run->result.reads : &run->result.writes;
    enum dynkv_error error = dynkv_request_error(slot->request);
    uint32_t failed = count_failed(slot, error);

    side->ops += slot->count - failed;
    side->errors += failed;
    if (error) {
        dynkv_bench_count_error(&run->result, error, failed, dynkv_request_text(slot->request));
    } else {
        side->requests++;
        dynkv_latency_add(&side->latency, (now_ns() - slot->started_ns) / 1000);
    }
    dynkv_request_free(slot->request);
    slot->request = NULL;
}

static void loop(struct bench_run *run)
{
    const struct dynkv_options *options = run->cli->options;
    uint64_t seconds = options->seconds ? options->seconds : options->ops ? 0 : SECONDS_DEFAULT;
    uint64_t begin_ns = now_ns(), end_ns = seconds ? begin_ns + seconds * 1000000000u : UINT64_MAX;
    uint64_t issued = 0, limit = options->ops ? options->ops : UINT64_MAX;
    uint32_t in_flight;

    do {
        in_flight = 0;
        for (uint64_t i = 0; i < options->clients; i++) {
            struct slot *slot = &run->slots[i];

            if (slot->request && dynkv_request_is_done(slot->request))
                finish(run, slot);
            if (!slot->request && issued < limit && now_ns() < end_ns) {
                uint64_t count = options->batch < limit - issued ? options->batch : limit - issued;

                start_next(run, slot, (uint32_t)count);
                issued += count;
            }
            in_flight += slot->request != NULL;
        }
        if (in_flight)
            dynkv_client_poll(run->cli->client, -1);
    } while (in_flight);
    run->result.seconds = (double)(now_ns() - begin_ns) / 1e9;
}

static void make_noise(struct bench_run *run)
{
    size_t size = NOISE_SIZE + (size_t)run->cli->options->value_size + sizeof(uint64_t);

    run->noise = dynkv_alloc(size);
    for (size_t i = 0; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
        uint64_t word = dynkv_random_next(&run->random);

        memcpy(run->noise + i, &word, sizeof word);
    }
}

static int measure(struct bench_run *run)
{
    const struct dynkv_options *options = run->cli->options;
    int code = DYNKV_EXIT_OK;

    if (options->read_share > 0 && !options->no_load)
        code = load(run);
    if (code)
        return code;
    loop(run);
    dynkv_bench_print(&run->result, options);
    return run->result.reads.ops + run->result.writes.ops ? DYNKV_EXIT_OK : DYNKV_EXIT_UNAVAILABLE;
}

int dynkv_cmd_bench(struct dynkv_cli *cli)
{
    const struct dynkv_options *options = cli->options;
    struct bench_run *run = dynkv_calloc(1, sizeof *run);
    size_t batch = options->batch > LOAD_BATCH ? options->batch : LOAD_BATCH;
    struct dynkv_keyspace_info keyspace;
    int code = dynkv_cli_open_keyspace(cli, options->keyspace, true, &keyspace);

    if (!code) {
        run->cli = cli;
        run->keyspace = keyspace.id;
        run->call = dynkv_cli_call(cli);
        run->call.deadline_ms = (uint32_t)options->deadline_ms; /* of each request */
        run->random = dynkv_random(options->seed);
        run->names = dynkv_calloc(batch, sizeof *run->names);
        run->keys = dynkv_calloc(batch, sizeof *run->keys);
        run->writes = dynkv_calloc(batch, sizeof *run->writes);
        run->slots = dynkv_calloc(options->clients, sizeof *run->slots);
        make_noise(run);
        code = measure(run);
        free(run->noise);
        free(run->names);
        free(run->keys);
        free(run->writes);
        free(run->slots);
    }
    free(run);
    return code;
}
