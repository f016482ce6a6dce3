/*
 * options.h: the command line: the commands, their options, and the one parser of both.
 *
 * Two tables (options.c) say all: which commands there are and what they take, and which options there
 * are and which commands know them.  Parsing, the help texts and the texts of usage errors come from the
 * tables, so an error can always name the valid choices.
 */
#ifndef DYNKV_CLI_OPTIONS_H
#define DYNKV_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define DYNKV_ARGUMENTS_MAX   8u
#define DYNKV_OPTION_TEXT_MAX 512u

/* X(NAME, name, arguments, fewest, most, summary) */
#define DYNKV_COMMANDS(X)                                                                          \
    X(GET, get, "KEYSPACE KEY", 2, 2, "print the value of a key")                                  \
    X(PUT, put, "KEYSPACE KEY [VALUE|-]", 2, 3, "store a value; makes the keyspace if need be")    \
    X(DELETE, delete, "KEYSPACE KEY", 2, 2, "delete a key")                                        \
    X(SCAN, scan, "KEYSPACE", 1, 1, "print the keys and values of a range")                        \
    X(STATUS, status, "[NODE]", 0, 1, "show the members, and the counters of the nodes")           \
    X(RING, ring, "[KEYSPACE KEY]", 0, 2, "show who holds what, or who holds one key")             \
    X(KEYSPACE, keyspace, "list | create NAME | alter NAME | drop NAME", 1, 2, "manage keyspaces") \
    X(CLUSTER, cluster,                                                                            \
      "status | plan | join NAME | leave NAME | replace OLD [NEW] | exclude NAME | commit | "      \
      "cancel",                                                                                    \
      1, 3, "change who the members are")                                                          \
    X(BENCH, bench, "", 0, 0, "measure operations a second and their latencies")                   \
    X(HELP, help, "[COMMAND]", 0, 1, "explain a command")

enum dynkv_command {
#define DYNKV_COMMAND_ENUM(upper, name, arguments, fewest, most, summary) DYNKV_COMMAND_##upper,
    DYNKV_COMMANDS(DYNKV_COMMAND_ENUM)
#undef DYNKV_COMMAND_ENUM
        DYNKV_COMMAND_COUNT
};

struct dynkv_options {
    enum dynkv_command command;
    const char *arguments[DYNKV_ARGUMENTS_MAX];
    unsigned argument_count;

    bool help, version;
    const char *hosts;
    const char *routing; /* "ring" or "any" */
    bool json, hex, strict;
    uint64_t deadline_ms;
    uint64_t n, r, w; /* 0: as the keyspace has it */

    const char *sort_key; /* NULL: none */
    bool lww, raw, from_stdin;
    const char *context; /* hex; NULL: none */
    uint64_t ttl_s;
    bool has_ttl;

    const char *prefix, *from, *to, *partition_key;
    uint64_t limit;
    bool keys_only, sorted, reverse;

    bool wait;
    uint64_t timeout_s;

    uint64_t clients, ops, seconds, batch, value_size, keys, seed;
    double read_share;
    const char *keyspace;
    bool no_load;
};

/*
 * Options may stand anywhere, "--" ends them, and "-" alone is an argument.  false: text says what is
 * wrong and what would be right.  With help or version set, nothing else was checked to the end.
 */
bool dynkv_options_parse(int argc, char **argv, struct dynkv_options *out, char *text,
                         size_t text_size);

const char *dynkv_command_name(enum dynkv_command command);
/* The page of all commands; the page of one. */
void dynkv_options_print_help(FILE *out);
void dynkv_options_print_command_help(FILE *out, enum dynkv_command command);
/* The command of that name, or DYNKV_COMMAND_COUNT. */
enum dynkv_command dynkv_command_find(const char *name);

#endif
