/*
 * make_corpus.c: writes the seeds of the fuzz targets: valid messages, frames, objects, vectors and filters.
 *
 *   make_corpus DIRECTORY      makes DIRECTORY/{message,frame,object,version,filter}/NNN
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "model/filter.h"
#include "model/object.h"
#include "random_body.h"
#include "wire/frame.h"

#define SEEDS_PER_MESSAGE 3u
#define SEEDS_PER_MODEL   24u

static const uint8_t types[] = {
#define MESSAGE_TYPE(number, upper, name) (number),
    DYNKV_MESSAGES(MESSAGE_TYPE)
#undef MESSAGE_TYPE
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

static _Noreturn void fail(const char *path)
{
    perror(path);
    exit(1);
}

static void write_seed(const char *directory, const char *target, unsigned number,
                       struct dynkv_slice bytes)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, target);
    if (mkdir(path, 0777) && errno != EEXIST)
        fail(path);
    snprintf(path, sizeof path, "%s/%s/%03u", directory, target, number);
    file = fopen(path, "wb");
    if (!file || fwrite(bytes.data, 1, bytes.len, file) != bytes.len || fclose(file))
        fail(path);
}

static void random_message(uint8_t type, struct dynkv_random *random, struct dynkv_buf *out)
{
    struct dynkv_arena arena = {0};
    struct dynkv_envelope envelope = random_envelope(type, random);
    union dynkv_body body;

    random_body(dynkv_message_layout(type), random, true, &arena, &body);
    dynkv_message_encode(&envelope, &body, out);
    dynkv_arena_fini(&arena);
}

static void write_messages(const char *directory, struct dynkv_random *random)
{
    struct dynkv_buf bytes = {0};

    for (unsigned i = 0; i < TYPE_COUNT * SEEDS_PER_MESSAGE; i++) {
        dynkv_buf_reset(&bytes);
        random_message(types[i % TYPE_COUNT], random, &bytes);
        write_seed(directory, "message", i, dynkv_buf_slice(&bytes));
    }
    dynkv_buf_fini(&bytes);
}

static void write_frames(const char *directory, struct dynkv_random *random)
{
    struct dynkv_buf frame = {0}, message = {0};

    for (unsigned i = 0; i < SEEDS_PER_MODEL; i++) {
        dynkv_buf_reset(&frame);
        dynkv_frame_begin(&frame, dynkv_random_next(random), dynkv_random_next(random));
        for (unsigned j = 0; j < i % 4; j++) {
            dynkv_buf_reset(&message);
            random_message(types[dynkv_random_below(random, TYPE_COUNT)], random, &message);
            if (!dynkv_frame_add(&frame, dynkv_buf_slice(&message)))
                break;
        }
        write_seed(directory, "frame", i, dynkv_buf_slice(&frame));
    }
    dynkv_buf_fini(&frame);
    dynkv_buf_fini(&message);
}

static struct dynkv_version random_version(struct dynkv_random *random, struct dynkv_arena *arena)
{
    struct dynkv_version version = {0};
    uint64_t count = dynkv_random_below(random, 4);

    for (uint64_t i = 0; i < count; i++) {
        struct dynkv_dot dot = {1 + dynkv_random_below(random, 4),
                                1 + dynkv_random_below(random, 300)};

        version = dynkv_version_add(&version, dot, arena);
    }
    return version;
}

static void write_versions(const char *directory, struct dynkv_random *random)
{
    struct dynkv_arena arena = {0};
    struct dynkv_buf bytes = {0};

    for (unsigned i = 0; i < SEEDS_PER_MODEL; i++) {
        struct dynkv_version version = random_version(random, &arena);

        dynkv_buf_reset(&bytes);
        dynkv_version_encode(&version, &bytes);
        write_seed(directory, "version", i, dynkv_buf_slice(&bytes));
    }
    dynkv_buf_fini(&bytes);
    dynkv_arena_fini(&arena);
}

/* Some writes of some actors, each seeing all or nothing of what was before. */
static struct dynkv_object random_object(struct dynkv_random *random, struct dynkv_arena *arena)
{
    struct dynkv_object object = {0};
    uint64_t writes = dynkv_random_below(random, 5);

    for (uint64_t i = 0; i < writes; i++) {
        struct dynkv_version nothing = {0};
        const struct dynkv_version *context =
            dynkv_random_below(random, 2) ? &object.version : &nothing;
        struct dynkv_sibling sibling = {
            .dot.actor = 1 + dynkv_random_below(random, 3),
            .timestamp = dynkv_random_next(random),
            .value = dynkv_slice_text("value"),
        };
        struct dynkv_object next;

        sibling.dot.counter = dynkv_version_counter(&object.version, sibling.dot.actor) + 1;
        sibling.expires_at_ms = dynkv_random_below(random, 3) ? 0 : dynkv_random_next(random) >> 20;
        if (dynkv_random_below(random, 4) == 0) {
            sibling.flags = DYNKV_SIBLING_TOMBSTONE;
            sibling.value = dynkv_slice(NULL, 0);
        }
        if (!dynkv_object_put(&object, context, &sibling, arena, &next))
            object = next;
    }
    return object;
}

static void write_objects(const char *directory, struct dynkv_random *random)
{
    struct dynkv_arena arena = {0};
    struct dynkv_buf first = {0}, bytes = {0};

    for (unsigned i = 0; i < SEEDS_PER_MODEL; i++) {
        struct dynkv_object a = random_object(random, &arena), b = random_object(random, &arena);

        dynkv_buf_reset(&first);
        dynkv_buf_reset(&bytes);
        dynkv_object_encode(&a, &first);
        dynkv_put_u8(&bytes, (uint8_t)first.len);
        dynkv_put_u8(&bytes, (uint8_t)(first.len >> 8));
        dynkv_put_raw(&bytes, dynkv_buf_slice(&first));
        dynkv_object_encode(&b, &bytes);
        write_seed(directory, "object", i, dynkv_buf_slice(&bytes));
    }
    dynkv_buf_fini(&first);
    dynkv_buf_fini(&bytes);
    dynkv_arena_fini(&arena);
}

/* One comparison of each kind with a constant of each type, on two columns of which one is looked for. */
static void write_filter(const char *directory, unsigned number, enum dynkv_filter_format format,
                         enum dynkv_filter_type type, struct dynkv_random *random)
{
    static const char row[] = "\x83\xa1n\xce\x00\x01\x02\x03\xa1t\xa3"
                              "abc\xa1x\xc0";
    static const char json[] = "{\"n\": -12.5e3, \"t\": \"a\\u00e9\", \"x\": [null, {}]}";
    struct dynkv_filter_column columns[] = {{type, 0, dynkv_slice_text("n")},
                                            {DYNKV_FILTER_TEXT, 3, dynkv_slice_text("t")}};
    bool is_numeric = type == DYNKV_FILTER_NUMERIC;
    struct dynkv_filter_value values[] = {{(int64_t)dynkv_random_below(random, 1000), 1.5,
                                           dynkv_slice_text(is_numeric ? "-12.5" : "abc")},
                                          {1000, 2.5, dynkv_slice_text("abd")}};
    struct dynkv_filter_value texts[] = {{.bytes = dynkv_slice_text("abc")},
                                         {.bytes = dynkv_slice_text("abd")}};
    struct dynkv_filter_value pattern = {.bytes = dynkv_slice_text("%a_\\c%")};
    struct dynkv_filter_node not_null = {.op = DYNKV_FILTER_IS_NULL};
    struct dynkv_filter_node some[] = {
        {.op = (enum dynkv_filter_op)(DYNKV_FILTER_EQ + number % 5),
         .column = type < DYNKV_FILTER_BOOL,
         .values = values,
         .value_count = 1},
        {.op = DYNKV_FILTER_IN, .column = 1, .values = texts, .value_count = 2},
        {.op = number % 2 ? DYNKV_FILTER_LIKE : DYNKV_FILTER_STARTS_WITH,
         .column = 1,
         .values = &pattern,
         .value_count = 1},
        {.op = DYNKV_FILTER_NOT, .children = &not_null, .child_count = 1},
        {.op = DYNKV_FILTER_NULL},
    };
    struct dynkv_filter filter = {
        .format = format,
        .columns = columns,
        .column_count = 2,
        .root = {.op = number % 2 ? DYNKV_FILTER_AND : DYNKV_FILTER_OR,
                 .children = some,
                 .child_count = 5},
    };
    struct dynkv_buf encoded = {0}, bytes = {0};

    dynkv_filter_encode(&filter, &encoded);
    dynkv_put_u8(&bytes, (uint8_t)encoded.len);
    dynkv_put_u8(&bytes, (uint8_t)(encoded.len >> 8));
    dynkv_put_raw(&bytes, dynkv_buf_slice(&encoded));
    dynkv_put_raw(&bytes, format == DYNKV_FILTER_ROW ? dynkv_slice(row, sizeof row - 1)
                                                     : dynkv_slice(json, sizeof json - 1));
    write_seed(directory, "filter", number, dynkv_buf_slice(&bytes));
    dynkv_buf_fini(&encoded);
    dynkv_buf_fini(&bytes);
}

static void write_filters(const char *directory, struct dynkv_random *random)
{
    unsigned number = 0;

    for (int type = DYNKV_FILTER_ANY; type <= DYNKV_FILTER_TYPE_LAST; type++) {
        write_filter(directory, number++, DYNKV_FILTER_ROW, (enum dynkv_filter_type)type, random);
        write_filter(directory, number++, DYNKV_FILTER_JSON, (enum dynkv_filter_type)type, random);
    }
}

int main(int argc, char **argv)
{
    struct dynkv_random random = dynkv_random(1);

    if (argc != 2) {
        fprintf(stderr, "usage: make_corpus DIRECTORY\n");
        return 2;
    }
    if (mkdir(argv[1], 0777) && errno != EEXIST)
        fail(argv[1]);
    write_messages(argv[1], &random);
    write_frames(argv[1], &random);
    write_versions(argv[1], &random);
    write_objects(argv[1], &random);
    write_filters(argv[1], &random);
    return 0;
}
