/* main.c: dynkv, the command: one run is one command. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"

static int (*const functions[])(struct dynkv_cli *) = {
#define COMMAND_FUNCTION(upper, name, arguments, fewest, most, summary) dynkv_cmd_##name,
    DYNKV_COMMANDS(COMMAND_FUNCTION)
#undef COMMAND_FUNCTION
};

int dynkv_cmd_help(struct dynkv_cli *cli)
{
    enum dynkv_command command;

    if (cli->options->argument_count == 0) {
        dynkv_options_print_help(stdout);
        return DYNKV_EXIT_OK;
    }
    command = dynkv_command_find(cli->options->arguments[0]);
    if (command == DYNKV_COMMAND_COUNT)
        return dynkv_cli_usage("no command '%s'; dynkv --help lists them",
                               cli->options->arguments[0]);
    dynkv_options_print_command_help(stdout, command);
    return DYNKV_EXIT_OK;
}

static uint64_t wall_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int run_with_client(const struct dynkv_options *options)
{
    struct dynkv_client_options client_options = {
        .hosts = options->hosts,
        .name = "dynkv",
        .routing = strcmp(options->routing, "any") == 0 ? DYNKV_ROUTE_ANY : DYNKV_ROUTE_RING,
    };
    struct dynkv_cli cli = {
        .options = options,
        .now_ms = wall_clock_ms(),
        .started_ms = dynkv_cli_monotonic_ms(),
    };
    char text[DYNKV_CLIENT_TEXT_MAX];
    int code;

    if (dynkv_client_new(&client_options, &cli.client, text, sizeof text))
        return dynkv_cli_usage("%s", text);
    code = functions[options->command](&cli);
    dynkv_client_free(cli.client);
    return code;
}

static int run(const struct dynkv_options *options)
{
    struct dynkv_cli cli = {.options = options};

    if (options->version) {
        printf("dynkv %s\n", DYNKV_SOFTWARE_VERSION);
        return DYNKV_EXIT_OK;
    }
    if (options->command == DYNKV_COMMAND_HELP)
        return dynkv_cmd_help(&cli);
    if (options->help) {
        dynkv_options_print_command_help(stdout, options->command);
        return DYNKV_EXIT_OK;
    }
    return run_with_client(options);
}

int main(int argc, char **argv)
{
    struct dynkv_options options;
    char text[2 * DYNKV_OPTION_TEXT_MAX];
    int code;

    if (!dynkv_options_parse(argc, argv, &options, text, sizeof text))
        return dynkv_cli_usage("%s", text);
    code = run(&options);
    if ((fflush(stdout) || ferror(stdout)) && code == DYNKV_EXIT_OK) {
        perror("dynkv: standard output");
        code = DYNKV_EXIT_UNAVAILABLE;
    }
    return code;
}
