/*
 * chaos_register.c: the register test.
 *
 * A key's value is a number, u64, and then the register it belongs to, u32.  Its one writer writes 1, 2,
 * 3 ..., each with the context that its last acknowledged write gave it: so a number of which the outcome
 * is unknown may stand beside the next one, as a sibling.  Then that one gives no context, and the number
 * that follows is written without, over all that its coordinator has.  A read gives the greatest.
 * Of every second register a read gives the number that was written last, and libdynkv may repeat its writes.
 *
 * This is a regular register, not an atomic one: a read may see a number that is being written, and the
 * next read may not.  That is counted, not forbidden.
 */
#include <stdio.h>

#include "tests/chaos/chaos.h"

#define WRITER_THINK_MS 60u
#define READER_THINK_MS 25u

struct reg {
    char name[16];
    uint64_t begun, acknowledged; /* numbers */
    uint64_t seen;                /* the greatest that a read has given */
    uint8_t context[4096];        /* of the last acknowledged write */
    size_t context_len;
};

struct chaos_register_result chaos_register;

static struct reg registers[CHAOS_REGISTERS];

const char *chaos_register_key(uint32_t key)
{
    return registers[key].name;
}

/* The greatest number, 0 if there is none; a value that was never written is told. */
static uint64_t greatest(uint32_t key, const struct dynkv_object *object, const char *where)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < object->sibling_count; i++) {
        struct dynkv_cursor cursor = dynkv_cursor(object->siblings[i].value);
        uint64_t number = dynkv_get_u64(&cursor);
        uint32_t owner = dynkv_get_u32(&cursor);

        if (cursor.failed || dynkv_cursor_left(&cursor) || owner != key ||
            number > registers[key].begun || number == 0)
            chaos_violation(&chaos_register.unwritten, "%s of %s has number %llu of register %u",
                            where, registers[key].name, (unsigned long long)number, owner);
        else if (number > most)
            most = number;
    }
    return most;
}

/* Every second register is one of which readers take the last value, so that its writes may be repeated. */
static bool takes_last(uint32_t key)
{
    return key % 2 == 0;
}

/* What a reader makes of it. */
static uint64_t number_read(uint32_t key, const struct dynkv_object *object, const char *where)
{
    const struct dynkv_sibling *latest = dynkv_object_latest(object, 0);
    struct dynkv_object last = {.sibling_count = latest != NULL};
    struct dynkv_sibling copy;

    if (!takes_last(key))
        return greatest(key, object, where);
    if (latest)
        copy = *latest;
    last.siblings = &copy;
    return greatest(key, &last, where);
}

void chaos_register_check(uint32_t key, const struct dynkv_object *object, uint32_t *stale,
                          const char *where)
{
    uint64_t number = greatest(key, object, where);

    if (number < registers[key].acknowledged)
        chaos_violation(stale, "%s of %s has %llu, and %llu was acknowledged", where,
                        registers[key].name, (unsigned long long)number,
                        (unsigned long long)registers[key].acknowledged);
}

/* ---- the writer of a register ---- */

static void write_begin(struct chaos_actor *actor)
{
    struct reg *reg = &registers[actor->key];
    struct dynkv_call call = chaos_call();
    struct dynkv_write write = {.has_context = reg->acknowledged == 0 || reg->context_len > 0};
    struct dynkv_buf value = {0};

    call.repeat = takes_last(actor->key);
    actor->value = ++reg->begun;
    dynkv_put_u64(&value, actor->value);
    dynkv_put_u32(&value, actor->key);
    write.at.key = dynkv_slice_text(reg->name);
    write.at.partition_len = (uint32_t)write.at.key.len;
    write.context = dynkv_slice(reg->context, reg->context_len);
    write.value = dynkv_buf_slice(&value);
    chaos_register.writes.begun++;
    actor->request = dynkv_put_start(actor->client, chaos_keyspace, &write, 1, &call);
    dynkv_buf_fini(&value);
}

static void write_done(struct chaos_actor *actor)
{
    const struct dynkv_write_result *result = dynkv_request_writes(actor->request, NULL);
    struct reg *reg = &registers[actor->key];

    if (result->error)
        chaos_count_error("register write", result->error);
    if (!result->error) {
        CHECK(result->context.len <= sizeof reg->context, "a context of %zu bytes",
              result->context.len);
        reg->acknowledged = actor->value;
        if (result->context.len)
            memcpy(reg->context, result->context.data, result->context.len);
        reg->context_len = result->context.len;
        chaos_register.writes.acknowledged++;
    } else if (result->error == DYNKV_UNAVAILABLE || result->error == DYNKV_TIMEOUT) {
        chaos_register.writes.indeterminate++;
    } else {
        chaos_register.writes.refused++;
    }
    chaos_actor_sleep(actor, result->error ? CHAOS_BACK_OFF_MS : WRITER_THINK_MS);
}

static void writer_step(struct chaos_actor *actor)
{
    if (actor->request)
        write_done(actor);
    else
        write_begin(actor);
}

/* ---- readers ---- */

static void read_begin(struct chaos_actor *actor)
{
    struct dynkv_call call = chaos_call();
    struct dynkv_key_ref ref;

    actor->key = (uint32_t)dynkv_random_below(&actor->random, CHAOS_REGISTERS);
    actor->floor = registers[actor->key].acknowledged;
    actor->seen = registers[actor->key].seen;
    ref.key = dynkv_slice_text(registers[actor->key].name);
    ref.partition_len = (uint32_t)ref.key.len;
    actor->request = dynkv_get_start(actor->client, chaos_keyspace, &ref, 1, &call);
}

static void read_done(struct chaos_actor *actor)
{
    const struct dynkv_read_result *result = dynkv_request_reads(actor->request, NULL);
    struct reg *reg = &registers[actor->key];
    uint64_t number;

    if (result->error) {
        chaos_register.reads_refused++;
        chaos_count_error("register read", result->error);
    } else {
        number = number_read(actor->key, &result->object, "a read");
        chaos_register.reads++;
        if (number < actor->floor)
            chaos_violation(&chaos_register.stale,
                            "a read of %s that ended at %.3f s gave %llu, and %llu was "
                            "acknowledged before it began",
                            reg->name, (double)chaos_now_ms() / 1000, (unsigned long long)number,
                            (unsigned long long)actor->floor);
        chaos_register.went_back += number >= actor->floor && number < actor->seen;
        if (number > reg->seen)
            reg->seen = number;
    }
    chaos_actor_sleep(actor, result->error ? CHAOS_BACK_OFF_MS : READER_THINK_MS);
}

static void reader_step(struct chaos_actor *actor)
{
    if (actor->request)
        read_done(actor);
    else
        read_begin(actor);
}

void chaos_register_begin(void)
{
    chaos_register = (struct chaos_register_result){0};
    for (uint32_t i = 0; i < CHAOS_REGISTERS; i++) {
        registers[i] = (struct reg){0};
        snprintf(registers[i].name, sizeof registers[i].name, "register-%u", i);
        chaos_actor_add(&(struct chaos_actor){.step = writer_step, .key = i});
    }
    for (uint32_t i = 0; i < CHAOS_READERS; i++)
        chaos_actor_add(&(struct chaos_actor){.step = reader_step, .number = i});
}
