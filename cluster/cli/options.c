/* options.c: the tables of commands and options, and the parser that works from them. */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#define HOSTS_DEFAULT "127.0.0.1:7401"

struct command_spec {
    const char *name;
    const char *arguments;
    unsigned fewest, most;
    const char *summary;
};

static const struct command_spec commands[] = {
#define COMMAND_SPEC(upper, name, arguments, fewest, most, summary) \
    {#name, arguments, fewest, most, summary},
    DYNKV_COMMANDS(COMMAND_SPEC)
#undef COMMAND_SPEC
};

enum option_kind {
    KIND_FLAG,
    KIND_TEXT,
    KIND_NUMBER, /* a whole number from min to max */
    KIND_SHARE,  /* from 0 to 1 */
    KIND_CHOICE, /* one of the words in what */
};

struct option_spec {
    const char *name; /* without the dashes */
    char letter;      /* 0: no short form */
    enum option_kind kind;
    size_t offset;
    const char *what; /* the value's name in help; CHOICE: the words, between bars */
    uint64_t min, max;
    unsigned commands; /* bits of the commands that know it */
    const char *help;
};

#define AT(member) offsetof(struct dynkv_options, member)
#define C(name)    (1u << DYNKV_COMMAND_##name)
#define ALL                                                                                   \
    (C(GET) | C(PUT) | C(DELETE) | C(SCAN) | C(STATUS) | C(RING) | C(KEYSPACE) | C(CLUSTER) | \
     C(BENCH))
#define KEYED  (C(GET) | C(PUT) | C(DELETE) | C(RING))
#define WRITES (C(PUT) | C(DELETE) | C(BENCH))
#define READS  (C(GET) | C(SCAN) | C(BENCH))
#define N_MAX  DYNKV_REPLICAS_MAX

/* clang-format off */
static const struct option_spec specs[] = {
    {"hosts", 'H', KIND_TEXT, AT(hosts), "HOST:PORT[,...]", 0, 0, ALL,
     "nodes to start from; default $DYNKV_HOSTS, or " HOSTS_DEFAULT},
    {"json", 0, KIND_FLAG, AT(json), NULL, 0, 0, ALL, "print JSON; scan prints one object a line"},
    {"deadline", 0, KIND_NUMBER, AT(deadline_ms), "MS", 1, DYNKV_DEADLINE_MAX_MS, ALL,
     "the longest to wait for a request; default 5000"},
    {"routing", 0, KIND_CHOICE, AT(routing), "ring|any", 0, 0, ALL,
     "ask the replicas of a key (ring, the default) or let any node do so (any)"},
    {"help", 0, KIND_FLAG, AT(help), NULL, 0, 0, ALL | C(HELP), "explain"},
    {"version", 0, KIND_FLAG, AT(version), NULL, 0, 0, ALL | C(HELP), "print the version"},
    {"r", 'r', KIND_NUMBER, AT(r), "R", 1, N_MAX, READS | C(KEYSPACE),
     "replicas that must answer a read"},
    {"w", 'w', KIND_NUMBER, AT(w), "W", 1, N_MAX, WRITES | C(KEYSPACE),
     "replicas that must have stored a write"},
    {"n", 'n', KIND_NUMBER, AT(n), "N", 1, N_MAX, C(KEYSPACE), "replicas of every key"},
    {"strict", 0, KIND_FLAG, AT(strict), NULL, 0, 0, WRITES,
     "count only the key's own replicas, not their stand-ins"},
    {"sort", 's', KIND_TEXT, AT(sort_key), "SORTKEY", 0, 0, KEYED,
     "the sort key: the second part of the key, which does not decide its place"},
    {"hex", 0, KIND_FLAG, AT(hex), NULL, 0, 0, KEYED | C(SCAN),
     "keys are given, and printed, as hex"},
    {"lww", 0, KIND_FLAG, AT(lww), NULL, 0, 0, C(GET) | C(SCAN),
     "of several values show the one that was written last"},
    {"raw", 0, KIND_FLAG, AT(raw), NULL, 0, 0, C(GET), "print exactly the value, without a newline"},
    {"stdin", 0, KIND_FLAG, AT(from_stdin), NULL, 0, 0, C(PUT),
     "read the value from standard input, as VALUE - does"},
    {"context", 0, KIND_TEXT, AT(context), "HEX", 0, 0, C(PUT) | C(DELETE),
     "replace exactly what get --json showed with this context"},
    {"ttl", 0, KIND_NUMBER, AT(ttl_s), "SECONDS", 0, UINT32_MAX, C(PUT) | C(KEYSPACE),
     "the time a value lives; of a keyspace: of values put without one, 0 for ever"},
    {"prefix", 0, KIND_TEXT, AT(prefix), "P", 0, 0, C(SCAN), "keys that begin with P"},
    {"from", 0, KIND_TEXT, AT(from), "K", 0, 0, C(SCAN), "keys from K on"},
    {"to", 0, KIND_TEXT, AT(to), "K", 0, 0, C(SCAN), "keys before K"},
    {"partition-key", 0, KIND_TEXT, AT(partition_key), "K", 0, 0, C(SCAN),
     "only keys with this partition key; the other bounds are then of the sort key"},
    {"limit", 0, KIND_NUMBER, AT(limit), "N", 1, UINT64_MAX, C(SCAN), "at most N keys"},
    {"sorted", 0, KIND_FLAG, AT(sorted), NULL, 0, 0, C(SCAN),
     "in the order of the keys; without it one partition's keys come after another's"},
    {"reverse", 0, KIND_FLAG, AT(reverse), NULL, 0, 0, C(SCAN),
     "in the order of the keys, from the last to the first"},
    {"keys-only", 0, KIND_FLAG, AT(keys_only), NULL, 0, 0, C(SCAN), "leave the values out"},
    {"wait", 0, KIND_FLAG, AT(wait), NULL, 0, 0, C(CLUSTER),
     "commit: wait until the change is finished, and who left holds nothing any more"},
    {"timeout", 0, KIND_NUMBER, AT(timeout_s), "S", 1, 7 * 86400, C(CLUSTER),
     "with --wait: the longest to wait; the change goes on after that.  Default 3600"},
    {"clients", 'c', KIND_NUMBER, AT(clients), "N", 1, 4096, C(BENCH),
     "requests in flight at any time; default 16"},
    {"ops", 0, KIND_NUMBER, AT(ops), "N", 1, UINT64_MAX, C(BENCH), "stop after N operations"},
    {"seconds", 0, KIND_NUMBER, AT(seconds), "S", 1, 86400, C(BENCH),
     "stop after S seconds; default 5, if no --ops"},
    {"batch", 0, KIND_NUMBER, AT(batch), "N", 1, DYNKV_BATCH_ITEMS_MAX, C(BENCH),
     "keys of one request; default 1"},
    {"read-share", 0, KIND_SHARE, AT(read_share), "0..1", 0, 0, C(BENCH),
     "share of requests that read; default 0.5"},
    {"value-size", 0, KIND_NUMBER, AT(value_size), "BYTES", 0, DYNKV_VALUE_MAX, C(BENCH),
     "size of a value; default 100"},
    {"keys", 0, KIND_NUMBER, AT(keys), "N", 1, UINT32_MAX, C(BENCH),
     "different keys; default 10000"},
    {"keyspace", 0, KIND_TEXT, AT(keyspace), "NAME", 0, 0, C(BENCH), "where; default bench"},
    {"seed", 0, KIND_NUMBER, AT(seed), "N", 0, UINT64_MAX, C(BENCH),
     "of the keys that are chosen; default 1"},
    {"no-load", 0, KIND_FLAG, AT(no_load), NULL, 0, 0, C(BENCH),
     "do not store all keys before the reads are measured"},
};
/* clang-format on */
#define SPEC_COUNT (sizeof specs / sizeof specs[0])

const char *dynkv_command_name(enum dynkv_command command)
{
    return commands[command].name;
}

enum dynkv_command dynkv_command_find(const char *name)
{
    enum dynkv_command command = 0;

    while (command < DYNKV_COMMAND_COUNT && strcmp(commands[command].name, name) != 0)
        command++;
    return command;
}

/* ---- parsing ---- */

struct parser {
    int argc, at;
    char **argv;
    struct dynkv_options *out;
    unsigned given[SPEC_COUNT];
    const char *words[DYNKV_ARGUMENTS_MAX + 1]; /* the command, then its arguments */
    unsigned word_count;
    char *text;
    size_t text_size;
};

#define FAIL(parser, ...) (snprintf((parser)->text, (parser)->text_size, __VA_ARGS__), false)

/* The dashes and the name, as a user would write it. */
static const char *spec_shown(const struct option_spec *spec, char *buffer, size_t size)
{
    if (spec->letter && spec->name[1] == '\0')
        snprintf(buffer, size, "-%c", spec->letter);
    else
        snprintf(buffer, size, "--%s", spec->name);
    return buffer;
}

static bool set_number(struct parser *parser, const struct option_spec *spec, const char *value,
                       const char *shown)
{
    uint64_t *target = (uint64_t *)(void *)((char *)parser->out + spec->offset);
    char *end;

    errno = 0;
    *target = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || *target < spec->min ||
        *target > spec->max)
        return FAIL(parser, "%s wants a number from %llu to %llu, not '%s'", shown,
                    (unsigned long long)spec->min, (unsigned long long)spec->max, value);
    return true;
}

static bool set_share(struct parser *parser, const struct option_spec *spec, const char *value,
                      const char *shown)
{
    double *target = (double *)(void *)((char *)parser->out + spec->offset);
    char *end;

    *target = strtod(value, &end);
    if (end == value || *end || !(*target >= 0 && *target <= 1))
        return FAIL(parser, "%s wants a number from 0 to 1, not '%s'", shown, value);
    return true;
}

/* Whether value is one of the words, which stand between bars. */
static bool is_choice(const char *words, const char *value)
{
    size_t len = strlen(value);

    for (; words; words = strchr(words, '|') ? strchr(words, '|') + 1 : NULL)
        if (strcspn(words, "|") == len && memcmp(words, value, len) == 0)
            return true;
    return false;
}

static bool set_option(struct parser *parser, const struct option_spec *spec, const char *value)
{
    char shown[64];

    spec_shown(spec, shown, sizeof shown);
    parser->given[spec - specs] = 1;
    if (spec->kind == KIND_FLAG) {
        if (value)
            return FAIL(parser, "%s takes no value", shown);
        *(bool *)((char *)parser->out + spec->offset) = true;
        return true;
    }
    if (!value && parser->at < parser->argc)
        value = parser->argv[parser->at++];
    if (!value)
        return FAIL(parser, "%s wants a value: %s %s", shown, shown, spec->what);
    if (spec->kind == KIND_NUMBER)
        return set_number(parser, spec, value, shown);
    if (spec->kind == KIND_SHARE)
        return set_share(parser, spec, value, shown);
    if (spec->kind == KIND_CHOICE && !is_choice(spec->what, value))
        return FAIL(parser, "%s wants %s, not '%s'", shown, spec->what, value);
    *(const char **)(void *)((char *)parser->out + spec->offset) = value;
    return true;
}

/* "--name", "--name=value". */
static bool parse_long(struct parser *parser, const char *word)
{
    size_t len = strcspn(word, "=");

    for (size_t i = 0; i < SPEC_COUNT; i++)
        if (strlen(specs[i].name) == len && memcmp(specs[i].name, word, len) == 0)
            return set_option(parser, &specs[i], word[len] ? word + len + 1 : NULL);
    return FAIL(parser, "unknown option --%.*s; dynkv --help and dynkv help COMMAND list them all",
                (int)(len < 64 ? len : 64), word);
}

/* "-r", "-r2"; "-h" is help, as everywhere. */
static bool parse_short(struct parser *parser, const char *word)
{
    if (word[0] == 'h' && !word[1])
        return parser->out->help = true;
    for (size_t i = 0; i < SPEC_COUNT; i++)
        if (specs[i].letter == word[0])
            return set_option(parser, &specs[i], word[1] ? word + 1 : NULL);
    return FAIL(parser, "unknown option -%c; dynkv --help and dynkv help COMMAND list them all",
                word[0]);
}

static bool parse_words(struct parser *parser)
{
    bool options_ended = false;

    while (parser->at < parser->argc) {
        const char *word = parser->argv[parser->at++];

        if (!options_ended && strcmp(word, "--") == 0) {
            options_ended = true;
        } else if (!options_ended && word[0] == '-' && word[1] == '-') {
            if (!parse_long(parser, word + 2))
                return false;
        } else if (!options_ended && word[0] == '-' && word[1]) {
            if (!parse_short(parser, word + 1))
                return false;
        } else {
            if (parser->word_count == sizeof parser->words / sizeof parser->words[0])
                return FAIL(parser, "too many arguments; '%s' is the first that no command takes",
                            word);
            parser->words[parser->word_count++] = word;
        }
    }
    return true;
}

/* "a, b, c": the names of the commands, or of the options that a command knows. */
static void list_commands(char *buffer, size_t size)
{
    size_t len = 0;

    for (enum dynkv_command i = 0; i < DYNKV_COMMAND_COUNT && len < size; i++)
        len += (size_t)snprintf(buffer + len, size - len, "%s%s", i ? ", " : "", commands[i].name);
}

static void list_options(enum dynkv_command command, char *buffer, size_t size)
{
    size_t len = 0;
    char shown[64];

    for (size_t i = 0; i < SPEC_COUNT && len < size; i++)
        if (specs[i].commands & 1u << command)
            len += (size_t)snprintf(buffer + len, size - len, "%s%s", len ? ", " : "",
                                    spec_shown(&specs[i], shown, sizeof shown));
}

static bool check_options(struct parser *parser)
{
    enum dynkv_command command = parser->out->command;
    char shown[64], known[DYNKV_OPTION_TEXT_MAX];

    for (size_t i = 0; i < SPEC_COUNT; i++) {
        if (!parser->given[i] || (specs[i].commands & 1u << command))
            continue;
        list_options(command, known, sizeof known);
        return FAIL(parser, "%s has no option %s; it knows %s", commands[command].name,
                    spec_shown(&specs[i], shown, sizeof shown), known);
    }
    return true;
}

static bool check_command(struct parser *parser)
{
    struct dynkv_options *out = parser->out;
    char known[DYNKV_OPTION_TEXT_MAX];
    const struct command_spec *spec;

    list_commands(known, sizeof known);
    if (parser->word_count == 0)
        return FAIL(parser, "a command is missing; the commands are %s", known);
    out->command = dynkv_command_find(parser->words[0]);
    if (out->command == DYNKV_COMMAND_COUNT)
        return FAIL(parser, "unknown command '%s'; the commands are %s", parser->words[0], known);
    if (out->help || out->version)
        return true;
    spec = &commands[out->command];
    out->argument_count = parser->word_count - 1;
    memcpy(out->arguments, parser->words + 1, out->argument_count * sizeof *out->arguments);
    if (out->argument_count < spec->fewest || out->argument_count > spec->most)
        return FAIL(parser, "%s takes %s, not %u argument%s; usage: dynkv %s %s", spec->name,
                    *spec->arguments ? spec->arguments : "no arguments", out->argument_count,
                    out->argument_count == 1 ? "" : "s", spec->name, spec->arguments);
    return check_options(parser);
}

static bool is_given(const struct parser *parser, const char *name)
{
    for (size_t i = 0; i < SPEC_COUNT; i++)
        if (strcmp(specs[i].name, name) == 0)
            return parser->given[i];
    return false;
}

bool dynkv_options_parse(int argc, char **argv, struct dynkv_options *out, char *text,
                         size_t text_size)
{
    struct parser parser = {
        .argc = argc, .at = 1, .argv = argv, .out = out, .text = text, .text_size = text_size};
    const char *hosts = getenv("DYNKV_HOSTS");

    *out = (struct dynkv_options){
        .command = DYNKV_COMMAND_HELP,
        .hosts = hosts && *hosts ? hosts : HOSTS_DEFAULT,
        .routing = "ring",
        .deadline_ms = DYNKV_DEADLINE_DEFAULT_MS,
        .timeout_s = 3600,
        .clients = 16,
        .batch = 1,
        .read_share = 0.5,
        .value_size = 100,
        .keys = 10000,
        .keyspace = "bench",
        .seed = 1,
    };
    if (!parse_words(&parser))
        return false;
    if ((out->help || out->version) && parser.word_count == 0)
        return true;
    out->has_ttl = is_given(&parser, "ttl");
    return check_command(&parser);
}

/* ---- help ---- */

static void print_option(FILE *out, const struct option_spec *spec)
{
    char left[64], shown[48];

    if (spec->letter && spec->name[1])
        snprintf(shown, sizeof shown, "-%c, --%s", spec->letter, spec->name);
    else
        spec_shown(spec, shown, sizeof shown);
    snprintf(left, sizeof left, "%s%s%s", shown, spec->what ? " " : "",
             spec->what ? spec->what : "");
    fprintf(out, "  %-28s %s\n", left, spec->help);
}

void dynkv_options_print_help(FILE *out)
{
    fprintf(out, "usage: dynkv [OPTIONS] COMMAND [ARGUMENTS]\n\nCommands:\n");
    for (enum dynkv_command i = 0; i < DYNKV_COMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\nOptions of all commands:\n");
    for (size_t i = 0; i < SPEC_COUNT; i++)
        if ((specs[i].commands & ALL) == ALL)
            print_option(out, &specs[i]);
    fprintf(
        out,
        "\nThe exit code is 0 when done, 1 if what was asked for is not there, 2 for wrong usage,\n"
        "3 if the cluster did not answer in time, could not, or failed, and 4 if there are\n"
        "conflicting values.  dynkv help COMMAND tells more.\n");
}

static const char *command_notes(enum dynkv_command command)
{
    switch (command) {
    case DYNKV_COMMAND_GET:
        return "Several values, written by writers that did not know of each other, are printed "
               "one a\n"
               "line, and the exit code is 4.  To settle them, put the value you want with the "
               "context\n"
               "that get --json shows.  A key that is not there: exit code 1.\n";
    case DYNKV_COMMAND_PUT:
        return "VALUE - (or --stdin) reads the value from standard input.  Exit code 3 means: it "
               "may\n"
               "be stored all the same.\n";
    case DYNKV_COMMAND_DELETE:
        return "Deleting a key that is not there is no error.\n";
    case DYNKV_COMMAND_SCAN:
        return "A line holds the partition key, the sort key if there is one, and the value, "
               "parted by tabs;\n"
               "control characters in them are written as \\t, \\n, \\xNN.  Keys come in order "
               "within\n"
               "a partition of the ring, the partitions in no order.\n";
    case DYNKV_COMMAND_STATUS:
        return "NODE is a member's name or HOST:PORT: show what that node thinks of the others.\n";
    case DYNKV_COMMAND_RING:
        return "Without a key: the members, and how many partitions each of them is the first, or "
               "one of\n"
               "the first three, to hold; --json also lists which.  With one: the members in the "
               "order\n"
               "in which they are asked for that key.\n";
    case DYNKV_COMMAND_KEYSPACE:
        return "create does nothing to a keyspace that is there.  alter changes what is given.  "
               "drop takes\n"
               "all its keys away.\n";
    case DYNKV_COMMAND_CLUSTER:
        return "A node that was started with --join is a candidate if the cluster holds data.  "
               "join, leave\n"
               "and replace stage a change, plan shows what it would move and what is in its way, "
               "commit\n"
               "begins it, cancel forgets it, or takes it back while it is under way.  status "
               "shows how far\n"
               "it is.  NEW is a candidate; without it the one called OLD, or the only one there "
               "is.\n"
               "exclude gives a member up that is down for good: what only it holds is lost.\n"
               "Exit code 1: nobody of that name, or nothing is staged; 4: it cannot be done "
               "now.\n";
    case DYNKV_COMMAND_BENCH:
        return "A closed loop: each client sends a request, waits for the answer, and sends the "
               "next.\n"
               "Latencies are of requests, operations are keys.\n";
    case DYNKV_COMMAND_HELP:
    case DYNKV_COMMAND_COUNT:
        break;
    }
    return "";
}

void dynkv_options_print_command_help(FILE *out, enum dynkv_command command)
{
    const struct command_spec *spec = &commands[command];

    fprintf(out, "usage: dynkv %s%s%s [OPTIONS]\n\n%c%s.\n%s\nOptions:\n", spec->name,
            *spec->arguments ? " " : "", spec->arguments, spec->summary[0] - 'a' + 'A',
            spec->summary + 1, command_notes(command));
    for (size_t i = 0; i < SPEC_COUNT; i++)
        if (specs[i].commands & 1u << command)
            print_option(out, &specs[i]);
}
