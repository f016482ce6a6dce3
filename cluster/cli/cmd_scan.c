/* cmd_scan.c: scan. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/values.h"

struct scan_run {
    struct dynkv_cli *cli;
    struct dynkv_buf from, to, prefix, partition_key; /* as bytes */
    struct dynkv_arena arena;
    struct dynkv_json json;
    struct dynkv_buf line;
    uint64_t conflicts;
};

static int bound(struct scan_run *run, const char *what, const char *text, struct dynkv_buf *out)
{
    return text ? dynkv_cli_key_bytes(run->cli->options, what, text, out) : DYNKV_EXIT_OK;
}

static int read_bounds(struct scan_run *run)
{
    const struct dynkv_options *options = run->cli->options;
    int code = bound(run, "--from", options->from, &run->from);

    if (!code)
        code = bound(run, "--to", options->to, &run->to);
    if (!code)
        code = bound(run, "--prefix", options->prefix, &run->prefix);
    if (!code)
        code = bound(run, "--partition-key", options->partition_key, &run->partition_key);
    if (!code && options->partition_key && run->partition_key.len == 0)
        code = dynkv_cli_usage("--partition-key is empty; a partition key has at least one byte");
    if (!code && options->to && run->to.len == 0)
        code = dynkv_cli_usage("--to is empty: no key stands before the empty one");
    return code;
}

/* --from, --to and --prefix narrow the range together. */
static struct dynkv_scan_options scan_options(struct scan_run *run)
{
    const struct dynkv_options *options = run->cli->options;
    struct dynkv_slice prefix = dynkv_buf_slice(&run->prefix);
    struct dynkv_slice prefix_end = dynkv_prefix_end(prefix, &run->arena);
    struct dynkv_scan_options scan = {
        .lower = dynkv_buf_slice(&run->from),
        .upper = dynkv_buf_slice(&run->to),
        .partition_key = dynkv_buf_slice(&run->partition_key),
        .keys_only = options->keys_only,
        .order = options->reverse  ? DYNKV_ORDER_FALLING
                 : options->sorted ? DYNKV_ORDER_RISING
                                   : DYNKV_ORDER_PARTITION,
        .limit = options->limit,
        .r = (uint8_t)options->r,
        .deadline_ms = (uint32_t)options->deadline_ms,
    };

    if (dynkv_slice_compare(prefix, scan.lower) > 0)
        scan.lower = prefix;
    if (prefix_end.len && (!scan.upper.len || dynkv_slice_compare(prefix_end, scan.upper) < 0))
        scan.upper = prefix_end;
    return scan;
}

static bool is_empty_range(const struct dynkv_scan_options *scan)
{
    return scan->upper.len && dynkv_slice_compare(scan->lower, scan->upper) >= 0;
}

static void print_text(struct scan_run *run, const struct dynkv_scan_item *item,
                       const struct dynkv_values *values)
{
    const struct dynkv_options *options = run->cli->options;
    uint32_t lines = options->keys_only ? 1 : values->alive_count;

    for (uint32_t i = 0; i < lines; i++) {
        dynkv_buf_reset(&run->line);
        dynkv_cli_text_key(&run->line, options, item->at);
        if (!options->keys_only) {
            dynkv_put_u8(&run->line, '\t');
            dynkv_text_put_escaped(&run->line, values->alive[i]->value);
        }
        dynkv_put_u8(&run->line, '\n');
        fwrite(run->line.data, 1, run->line.len, stdout);
    }
}

static void print_json(struct scan_run *run, const struct dynkv_scan_item *item,
                       const struct dynkv_values *values)
{
    struct dynkv_json *json = &run->json;

    dynkv_json_begin_object(json, NULL);
    dynkv_cli_json_key(json, run->cli->options, item->at);
    dynkv_json_bool(json, "conflict", dynkv_values_conflict(values));
    dynkv_values_json(json, values);
    dynkv_values_json_context(json, &item->object);
    dynkv_json_end_object(json);
    dynkv_json_print(json);
}

static void show_item(struct scan_run *run, const struct dynkv_scan_item *item)
{
    struct dynkv_values values;

    dynkv_values_init(&values, &item->object, run->cli->options->lww, run->cli->now_ms);
    if (values.alive_count > 0 && run->cli->options->json)
        print_json(run, item, &values);
    else if (values.alive_count > 0)
        print_text(run, item, &values);
    run->conflicts += dynkv_values_conflict(&values);
    dynkv_values_fini(&values);
}

static int show_range(struct scan_run *run, uint64_t keyspace,
                      const struct dynkv_scan_options *options)
{
    struct dynkv_scan_handle *scan = dynkv_scan_start(run->cli->client, keyspace, options);
    struct dynkv_scan_item item;
    enum dynkv_scan_state state;
    int code = DYNKV_EXIT_OK;

    while ((state = dynkv_scan_next_wait(scan, &item)) == DYNKV_SCAN_ITEM && !ferror(stdout))
        show_item(run, &item);
    if (state == DYNKV_SCAN_ERROR)
        code = dynkv_cli_fail(dynkv_scan_error(scan), dynkv_scan_text(scan));
    if (run->conflicts)
        fprintf(stderr, "dynkv: concurrent values under %llu key%s; --lww shows the last written\n",
                (unsigned long long)run->conflicts, run->conflicts == 1 ? "" : "s");
    dynkv_scan_free(scan);
    return code;
}

int dynkv_cmd_scan(struct dynkv_cli *cli)
{
    struct scan_run run = {.cli = cli};
    struct dynkv_keyspace_info keyspace;
    int code = read_bounds(&run);

    if (!code)
        code = dynkv_cli_open_keyspace(cli, cli->options->arguments[0], false, &keyspace);
    if (!code) {
        struct dynkv_scan_options options = scan_options(&run);

        if (!is_empty_range(&options))
            code = show_range(&run, keyspace.id, &options);
    }
    dynkv_buf_fini(&run.from);
    dynkv_buf_fini(&run.to);
    dynkv_buf_fini(&run.prefix);
    dynkv_buf_fini(&run.partition_key);
    dynkv_buf_fini(&run.line);
    dynkv_json_fini(&run.json);
    dynkv_arena_fini(&run.arena);
    return code;
}
