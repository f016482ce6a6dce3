/* command.c: what the commands share. */
#include "cli/command.h"

#include <stdarg.h>
#include <time.h>

int dynkv_cli_exit_code(enum dynkv_error error)
{
    switch (error) {
    case DYNKV_OK:
        return DYNKV_EXIT_OK;
    case DYNKV_NOT_FOUND:
    case DYNKV_NO_KEYSPACE:
        return DYNKV_EXIT_NOT_FOUND;
    case DYNKV_INVALID:
    case DYNKV_TOO_LARGE:
        return DYNKV_EXIT_USAGE;
    case DYNKV_CONFLICT:
    case DYNKV_SIBLINGS_LIMIT:
    case DYNKV_VERSION_LIMIT:
        return DYNKV_EXIT_CONFLICT;
    default:
        return DYNKV_EXIT_UNAVAILABLE;
    }
}

int dynkv_cli_fail(enum dynkv_error error, const char *text)
{
    fprintf(stderr, "dynkv: %s\n", text && *text ? text : dynkv_error_text(error));
    return dynkv_cli_exit_code(error);
}

int dynkv_cli_usage(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "dynkv: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    return DYNKV_EXIT_USAGE;
}

int dynkv_cli_wait(struct dynkv_request *request)
{
    enum dynkv_error error;

    dynkv_request_wait(request);
    error = dynkv_request_error(request);
    return error ? dynkv_cli_fail(error, dynkv_request_text(request)) : DYNKV_EXIT_OK;
}

uint64_t dynkv_cli_monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint32_t dynkv_cli_left_ms(const struct dynkv_cli *cli)
{
    uint64_t spent = dynkv_cli_monotonic_ms() - cli->started_ms;

    return spent < cli->options->deadline_ms ? (uint32_t)(cli->options->deadline_ms - spent) : 1;
}

struct dynkv_call dynkv_cli_call(const struct dynkv_cli *cli)
{
    return (struct dynkv_call){
        .deadline_ms = dynkv_cli_left_ms(cli),
        .r = (uint8_t)cli->options->r,
        .w = (uint8_t)cli->options->w,
        .strict = cli->options->strict,
    };
}

int dynkv_cli_open_keyspace(struct dynkv_cli *cli, const char *name, bool create,
                            struct dynkv_keyspace_info *out)
{
    struct dynkv_request *request =
        dynkv_keyspace_open_start(cli->client, name, create, NULL, dynkv_cli_left_ms(cli));
    int code = dynkv_cli_wait(request);

    if (!code) {
        *out = dynkv_request_keyspaces(request, NULL)[0];
        out->name = dynkv_slice(NULL, 0);
    }
    dynkv_request_free(request);
    return code;
}

/* ---- keys ---- */

int dynkv_cli_key_bytes(const struct dynkv_options *options, const char *what, const char *text,
                        struct dynkv_buf *out)
{
    if (!options->hex)
        dynkv_put_raw(out, dynkv_slice_text(text));
    else if (!dynkv_text_parse_hex(text, out))
        return dynkv_cli_usage("%s '%s' is not hex: two digits 0-9, a-f a byte", what, text);
    if (out->len > DYNKV_KEY_MAX)
        return dynkv_cli_usage("the key is longer than %u bytes", DYNKV_KEY_MAX);
    return DYNKV_EXIT_OK;
}

int dynkv_cli_key(const struct dynkv_options *options, const char *partition_key,
                  struct dynkv_buf *buffer, struct dynkv_key_ref *out)
{
    int code = dynkv_cli_key_bytes(options, "KEY", partition_key, buffer);

    if (code)
        return code;
    if (buffer->len == 0)
        return dynkv_cli_usage("KEY is empty; a key has at least one byte");
    out->partition_len = (uint32_t)buffer->len;
    if (options->sort_key)
        code = dynkv_cli_key_bytes(options, "SORTKEY", options->sort_key, buffer);
    out->key = dynkv_buf_slice(buffer);
    return code;
}

static struct dynkv_slice partition_part(struct dynkv_key_ref at)
{
    return dynkv_slice(at.key.data, at.partition_len);
}

static struct dynkv_slice sort_part(struct dynkv_key_ref at)
{
    return dynkv_slice(at.key.data + at.partition_len, at.key.len - at.partition_len);
}

void dynkv_cli_json_key(struct dynkv_json *json, const struct dynkv_options *options,
                        struct dynkv_key_ref at)
{
    bool has_sort_key = at.key.len > at.partition_len;

    if (options->hex) {
        dynkv_json_hex(json, "key_hex", partition_part(at));
        if (has_sort_key)
            dynkv_json_hex(json, "sort_key_hex", sort_part(at));
    } else {
        dynkv_json_bytes(json, "key", partition_part(at));
        if (has_sort_key)
            dynkv_json_bytes(json, "sort_key", sort_part(at));
    }
}

static void text_part(struct dynkv_buf *out, const struct dynkv_options *options,
                      struct dynkv_slice part)
{
    if (options->hex)
        dynkv_text_put_hex(out, part);
    else
        dynkv_text_put_escaped(out, part);
}

void dynkv_cli_text_key(struct dynkv_buf *out, const struct dynkv_options *options,
                        struct dynkv_key_ref at)
{
    text_part(out, options, partition_part(at));
    if (at.key.len > at.partition_len) {
        dynkv_put_u8(out, '\t');
        text_part(out, options, sort_part(at));
    }
}
