/* cmd_keyspace.c: keyspace list, create, alter, drop. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/table.h"

static void print_json(const struct dynkv_keyspace_info *keyspaces, uint32_t count, bool as_list)
{
    struct dynkv_json json = {0};

    if (as_list)
        dynkv_json_begin_array(&json, NULL);
    for (uint32_t i = 0; i < count; i++) {
        dynkv_json_begin_object(&json, NULL);
        dynkv_json_text(&json, "name", keyspaces[i].name);
        dynkv_json_id(&json, "id", keyspaces[i].id);
        dynkv_json_u64(&json, "n", keyspaces[i].n);
        dynkv_json_u64(&json, "r", keyspaces[i].r);
        dynkv_json_u64(&json, "w", keyspaces[i].w);
        dynkv_json_u64(&json, "ttl_ms", keyspaces[i].ttl_ms);
        dynkv_json_bool(&json, "dropped", keyspaces[i].dropped);
        dynkv_json_end_object(&json);
    }
    if (as_list)
        dynkv_json_end_array(&json);
    dynkv_json_print(&json);
    dynkv_json_fini(&json);
}

static void print_table(const struct dynkv_keyspace_info *keyspaces, uint32_t count)
{
    struct dynkv_table table = {.columns = 6};

    dynkv_table_text(&table, "KEYSPACE");
    dynkv_table_text(&table, "N");
    dynkv_table_text(&table, "R");
    dynkv_table_text(&table, "W");
    dynkv_table_text(&table, "TTL");
    dynkv_table_text(&table, "ID");
    for (uint32_t i = 0; i < count; i++) {
        dynkv_table_bytes(&table, keyspaces[i].name);
        dynkv_table_format(&table, "%u", keyspaces[i].n);
        dynkv_table_format(&table, "%u", keyspaces[i].r);
        dynkv_table_format(&table, "%u", keyspaces[i].w);
        if (keyspaces[i].ttl_ms)
            dynkv_table_format(&table, "%g s", (double)keyspaces[i].ttl_ms / 1000);
        else
            dynkv_table_text(&table, "-");
        dynkv_table_format(&table, "%016" PRIx64, keyspaces[i].id);
    }
    dynkv_table_print(&table);
}

static int by_name(const void *a, const void *b)
{
    return dynkv_slice_compare(((const struct dynkv_keyspace_info *)a)->name,
                               ((const struct dynkv_keyspace_info *)b)->name);
}

static void print_result(struct dynkv_cli *cli, struct dynkv_request *request, bool as_list)
{
    uint32_t count;
    const struct dynkv_keyspace_info *told = dynkv_request_keyspaces(request, &count);
    struct dynkv_keyspace_info *sorted = dynkv_calloc((size_t)count + 1, sizeof *sorted);

    if (count)
        memcpy(sorted, told, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_name);
    if (cli->options->json)
        print_json(sorted, count, as_list);
    else if (as_list || !sorted[0].dropped)
        print_table(sorted, count);
    else
        printf("dropped\n");
    free(sorted);
}

static int finish(struct dynkv_cli *cli, struct dynkv_request *request, bool as_list)
{
    int code = dynkv_cli_wait(request);

    if (!code)
        print_result(cli, request, as_list);
    dynkv_request_free(request);
    return code;
}

static bool has_settings(const struct dynkv_options *options)
{
    return options->n || options->r || options->w || options->has_ttl;
}

int dynkv_cmd_keyspace(struct dynkv_cli *cli)
{
    const struct dynkv_options *options = cli->options;
    const char *verb = options->arguments[0], *name = options->arguments[1];
    uint32_t deadline_ms = (uint32_t)options->deadline_ms;
    struct dynkv_keyspace_settings settings = {
        .n = (uint8_t)options->n,
        .r = (uint8_t)options->r,
        .w = (uint8_t)options->w,
        .has_ttl = options->has_ttl,
        .ttl_ms = options->ttl_s * 1000,
    };

    if (strcmp(verb, "list") == 0) {
        if (name)
            return dynkv_cli_usage("keyspace list takes no name");
        return finish(cli, dynkv_keyspace_list_start(cli->client, deadline_ms), true);
    }
    if (strcmp(verb, "create") != 0 && strcmp(verb, "alter") != 0 && strcmp(verb, "drop") != 0)
        return dynkv_cli_usage("keyspace takes list, create, alter or drop, not '%s'", verb);
    if (!name)
        return dynkv_cli_usage("the name is missing: dynkv keyspace %s NAME", verb);
    if (strcmp(verb, "drop") == 0)
        return finish(cli, dynkv_keyspace_drop_start(cli->client, name, deadline_ms), false);
    if (strcmp(verb, "create") == 0)
        return finish(
            cli, dynkv_keyspace_open_start(cli->client, name, true, &settings, deadline_ms), false);
    if (!has_settings(options))
        return dynkv_cli_usage("keyspace alter changes nothing without one of -n, -r, -w, --ttl");
    return finish(cli, dynkv_keyspace_alter_start(cli->client, name, &settings, deadline_ms),
                  false);
}
