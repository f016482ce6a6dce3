/* cmd_data.c: get, put, delete. */
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/values.h"

/* ---- get ---- */

static void print_values(const struct dynkv_values *values, bool raw)
{
    for (uint32_t i = 0; i < values->alive_count; i++) {
        struct dynkv_slice value = values->alive[i]->value;

        if (value.len)
            fwrite(value.data, 1, value.len, stdout);
        if (!raw || values->alive_count > 1)
            putchar('\n');
    }
}

static void print_get_json(struct dynkv_cli *cli, struct dynkv_key_ref at,
                           const struct dynkv_read_result *got, const struct dynkv_values *values)
{
    struct dynkv_json json = {0};

    dynkv_json_begin_object(&json, NULL);
    dynkv_cli_json_key(&json, cli->options, at);
    dynkv_json_bool(&json, "found", values->alive_count > 0);
    dynkv_json_bool(&json, "conflict", dynkv_values_conflict(values));
    dynkv_values_json(&json, values);
    dynkv_values_json_context(&json, &got->object);
    dynkv_json_u64(&json, "answers", got->answers);
    dynkv_json_end_object(&json);
    dynkv_json_print(&json);
    dynkv_json_fini(&json);
}

static int show_read(struct dynkv_cli *cli, struct dynkv_key_ref at,
                     const struct dynkv_read_result *got)
{
    struct dynkv_values values;
    int code = DYNKV_EXIT_OK;

    dynkv_values_init(&values, &got->object, cli->options->lww, cli->now_ms);
    if (cli->options->json)
        print_get_json(cli, at, got, &values);
    else
        print_values(&values, cli->options->raw);
    if (values.alive_count == 0) {
        if (!cli->options->json)
            fprintf(stderr, "dynkv: not found\n");
        code = DYNKV_EXIT_NOT_FOUND;
    } else if (dynkv_values_conflict(&values)) {
        fprintf(
            stderr,
            "dynkv: %u concurrent values%s; put one with --context (see get --json) to settle, or "
            "read with --lww\n",
            values.alive_count, values.has_delete ? " and a delete" : "");
        code = DYNKV_EXIT_CONFLICT;
    }
    dynkv_values_fini(&values);
    return code;
}

int dynkv_cmd_get(struct dynkv_cli *cli)
{
    struct dynkv_call call;
    struct dynkv_keyspace_info keyspace;
    struct dynkv_buf buffer = {0};
    struct dynkv_key_ref at;
    int code = dynkv_cli_key(cli->options, cli->options->arguments[1], &buffer, &at);

    if (!code)
        code = dynkv_cli_open_keyspace(cli, cli->options->arguments[0], false, &keyspace);
    if (!code) {
        struct dynkv_request *request;

        call = dynkv_cli_call(cli);
        request = dynkv_get_start(cli->client, keyspace.id, &at, 1, &call);
        code = dynkv_cli_wait(request);
        if (!code)
            code = show_read(cli, at, dynkv_request_reads(request, NULL));
        dynkv_request_free(request);
    }
    dynkv_buf_fini(&buffer);
    return code;
}

/* ---- put and delete ---- */

static int read_stdin(struct dynkv_buf *out)
{
    enum { CHUNK = 65536 };

    for (;;) {
        ssize_t got = read(STDIN_FILENO, dynkv_put_room(out, CHUNK), CHUNK);

        out->len -= (size_t)(CHUNK - (got > 0 ? got : 0));
        if (got < 0) {
            perror("dynkv: standard input");
            return DYNKV_EXIT_USAGE;
        }
        if (got == 0)
            return DYNKV_EXIT_OK;
        if (out->len > DYNKV_VALUE_MAX)
            return dynkv_cli_usage("the value on standard input is longer than %u bytes",
                                   DYNKV_VALUE_MAX);
    }
}

static int value_of(const struct dynkv_options *options, struct dynkv_buf *out)
{
    const char *value = options->argument_count > 2 ? options->arguments[2] : NULL;

    if (options->from_stdin && value && strcmp(value, "-") != 0)
        return dynkv_cli_usage("VALUE and --stdin exclude each other");
    if (options->from_stdin || (value && strcmp(value, "-") == 0))
        return read_stdin(out);
    if (!value)
        return dynkv_cli_usage(
            "the value is missing: dynkv put KEYSPACE KEY VALUE, or - to read it "
            "from standard input");
    dynkv_put_raw(out, dynkv_slice_text(value));
    return DYNKV_EXIT_OK;
}

static int context_of(const struct dynkv_options *options, struct dynkv_buf *out)
{
    struct dynkv_arena arena = {0};
    struct dynkv_version version;
    enum dynkv_error error = DYNKV_MALFORMED;

    if (dynkv_text_parse_hex(options->context, out) && out->len > 0)
        error = dynkv_version_parse(dynkv_buf_slice(out), &arena, &version);
    dynkv_arena_fini(&arena);
    if (error)
        return dynkv_cli_usage("--context wants what get --json showed as \"context\", not '%s'",
                               options->context);
    return DYNKV_EXIT_OK;
}

static void print_write(struct dynkv_cli *cli, struct dynkv_key_ref at,
                        const struct dynkv_write_result *done)
{
    struct dynkv_json json = {0};

    if (!cli->options->json) {
        printf("ok, %u acknowledgement%s", done->acks, done->acks == 1 ? "" : "s");
        if (done->siblings > 1)
            printf(", beside %u concurrent write%s", done->siblings - 1u,
                   done->siblings == 2 ? "" : "s");
        putchar('\n');
        return;
    }
    dynkv_json_begin_object(&json, NULL);
    dynkv_cli_json_key(&json, cli->options, at);
    dynkv_json_u64(&json, "acks", done->acks);
    if (done->context.len)
        dynkv_json_hex(&json, "context", done->context);
    dynkv_json_u64(&json, "siblings", done->siblings);
    dynkv_json_u64(&json, "modified_at_ms", done->timestamp >> 16);
    dynkv_json_end_object(&json);
    dynkv_json_print(&json);
    dynkv_json_fini(&json);
}

/* What happened, and how many replicas have it all the same. */
static int fail_write(struct dynkv_cli *cli, const struct dynkv_request *request)
{
    enum dynkv_error error = dynkv_request_error(request);
    uint32_t count;
    const struct dynkv_write_result *results = dynkv_request_writes(request, &count);
    unsigned acks = count ? results[0].acks : 0;
    struct dynkv_json json = {0};

    if (cli->options->json) {
        dynkv_json_begin_object(&json, NULL);
        dynkv_json_text(&json, "error", dynkv_slice_text(dynkv_error_name(error)));
        dynkv_json_text(&json, "text", dynkv_slice_text(dynkv_request_text(request)));
        dynkv_json_u64(&json, "acks", acks);
        dynkv_json_end_object(&json);
        dynkv_json_print(&json);
        dynkv_json_fini(&json);
    }
    dynkv_cli_fail(error, dynkv_request_text(request));
    if (error == DYNKV_UNAVAILABLE || error == DYNKV_TIMEOUT)
        fprintf(stderr, "dynkv: %u acknowledgement%s came\n", acks, acks == 1 ? "" : "s");
    return dynkv_cli_exit_code(error);
}

static int write_one(struct dynkv_cli *cli, const struct dynkv_write *write)
{
    const struct dynkv_options *options = cli->options;
    bool create = !write->is_delete;
    struct dynkv_call call;
    struct dynkv_keyspace_info keyspace;
    struct dynkv_request *request;
    int code = dynkv_cli_open_keyspace(cli, options->arguments[0], create, &keyspace);

    if (code)
        return code;
    call = dynkv_cli_call(cli);
    request = dynkv_put_start(cli->client, keyspace.id, write, 1, &call);
    dynkv_request_wait(request);
    if (dynkv_request_error(request))
        code = fail_write(cli, request);
    else
        print_write(cli, write->at, dynkv_request_writes(request, NULL));
    dynkv_request_free(request);
    return code;
}

/* Both: a delete is a write without a value. */
static int run_write(struct dynkv_cli *cli, bool is_delete)
{
    const struct dynkv_options *options = cli->options;
    struct dynkv_buf key = {0}, value = {0}, context = {0};
    struct dynkv_write write = {.is_delete = is_delete, .has_context = options->context != NULL};
    int code = dynkv_cli_key(options, options->arguments[1], &key, &write.at);

    if (!code && !is_delete)
        code = value_of(options, &value);
    if (!code && options->context)
        code = context_of(options, &context);
    if (!code && options->has_ttl && options->ttl_s == 0)
        code = dynkv_cli_usage("--ttl wants at least 1 second; without it the keyspace's holds");
    if (!code) {
        write.value = dynkv_buf_slice(&value);
        write.context = dynkv_buf_slice(&context);
        if (options->has_ttl)
            write.expires_at_ms = cli->now_ms + options->ttl_s * 1000;
        code = write_one(cli, &write);
    }
    dynkv_buf_fini(&key);
    dynkv_buf_fini(&value);
    dynkv_buf_fini(&context);
    return code;
}

int dynkv_cmd_put(struct dynkv_cli *cli)
{
    return run_write(cli, false);
}

int dynkv_cmd_delete(struct dynkv_cli *cli)
{
    return run_write(cli, true);
}
