#include "daemon/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/node.h"
#include "store/engine.h"

enum option_kind {
    KIND_NAME,   /* a node's or zone's name */
    KIND_PATH,   /* a folder */
    KIND_URL,    /* one address */
    KIND_URLS,   /* addresses, repeated or separated by commas */
    KIND_NUMBER, /* from min to max */
    KIND_CHOICE, /* one of choices; its place in them is the value */
    KIND_CONFIG, /* the configuration file's own path: no field */
};

struct option {
    const char *name;
    enum option_kind kind;
    size_t offset; /* of the field in struct dynkvd_config */
    uint32_t min, max;
    const char *choices; /* separated by '|' */
    const char *argument;
    const char *help;
};

#define FIELD(name) offsetof(struct dynkvd_config, name)

/* Order of the help text. */
static const struct option options[] = {
    {"name", KIND_NAME, FIELD(name), 0, 0, NULL, "NAME",
     "this node's name, the same at every start (required)"},
    {"data", KIND_PATH, FIELD(data), 0, 0, NULL, "DIR",
     "folder of the store (required with --storage rocksdb)"},
    {"listen", KIND_URLS, FIELD(listen), 0, 0, NULL, "URL[,URL]",
     "where clients connect: host:port, tcp://host:port, ipc://path (default 127.0.0.1:7401)"},
    {"peer", KIND_URL, FIELD(peer), 0, 0, NULL, "URL",
     "where other nodes connect (default 127.0.0.1:7501)"},
    {"advertise", KIND_URL, FIELD(advertise), 0, 0, NULL, "URL",
     "what clients dial, if not the first --listen (needed when that is a wildcard)"},
    {"advertise-peer", KIND_URL, FIELD(advertise_peer), 0, 0, NULL, "URL",
     "what other nodes dial, if not --peer (needed when that is a wildcard)"},
    {"join", KIND_URLS, FIELD(join), 0, 0, NULL, "URL[,URL]",
     "--peer address of a member of the cluster to join; without, a new node founds one"},
    {"http", KIND_URL, FIELD(http), 0, 0, NULL, "HOST:PORT",
     "serve /, /status and /metrics there (default: not at all)"},
    {"zone", KIND_NAME, FIELD(zone), 0, 0, NULL, "ZONE",
     "failure zone: replicas are spread over zones (default \"default\")"},
    {"weight", KIND_NUMBER, FIELD(weight), 1, 10000, NULL, "N",
     "share of the data, 100 is ordinary (default 100)"},
    {"storage", KIND_CHOICE, FIELD(storage), 0, 0, "rocksdb|memory", "KIND",
     "rocksdb or memory (default rocksdb)"},
    {"sync", KIND_CHOICE, FIELD(sync), 0, 0, "always|interval|never", "MODE",
     "when writes are forced to disk: always, interval or never (default always)"},
    {"sync-interval-ms", KIND_NUMBER, FIELD(sync_interval_ms), 1, 60000, NULL, "MS",
     "how often with --sync interval (default 1000)"},
    {"partitions", KIND_NUMBER, FIELD(partitions), 1, DYNKV_PARTITIONS_MAX, NULL, "Q",
     "partitions of a cluster that this node founds, a power of two (default 1024)"},
    {"log-level", KIND_CHOICE, FIELD(log_level), 0, 0, "error|warning|info|debug", "LEVEL",
     "error, warning, info or debug (default info)"},
    {"config", KIND_CONFIG, 0, 0, 0, NULL, "FILE",
     "read options from FILE, lines of  name = value"},
};
#define OPTION_COUNT (sizeof options / sizeof *options)

/* Where a value stands, for messages: "--name" or "/etc/dynkvd.conf:3: name". */
struct place {
    const char *file; /* NULL: the command line */
    unsigned line;
};

static bool fail(char *error, const struct place *place, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static bool fail(char *error, const struct place *place, const char *name, const char *format, ...)
{
    va_list args;
    int used = place->file ? snprintf(error, DYNKVD_CONFIG_TEXT_MAX,
                                      "%.200s:%u: %.64s: ", place->file, place->line, name)
                           : snprintf(error, DYNKVD_CONFIG_TEXT_MAX, "--%.64s: ", name);

    va_start(args, format);
    vsnprintf(error + used, DYNKVD_CONFIG_TEXT_MAX - (size_t)used, format, args);
    va_end(args);
    return false;
}

static const struct option *option_find(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

static bool fail_unknown(char *error, const struct place *place, const char *name, size_t len)
{
    char shown[65], list[512];
    size_t used = 0;

    snprintf(shown, sizeof shown, "%.*s", (int)(len < 64 ? len : 64), name);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 options[i].name);
    return fail(error, place, shown, "no such option; the options are: %s", list);
}

static bool name_is_valid(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= DYNKV_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == len;
}

static bool set_urls(const struct option *option, struct dynkvd_urls *urls, const char *value,
                     char *error, const struct place *place)
{
    for (;;) {
        size_t len = strcspn(value, ",");
        char why[256];

        if (urls->count == DYNKVD_URLS_MAX)
            return fail(error, place, option->name, "more than %u addresses", DYNKVD_URLS_MAX);
        if (!dynkvd_url_parse(value, len, urls->url[urls->count], why, sizeof why))
            return fail(error, place, option->name, "%s", why);
        urls->count++;
        if (!value[len])
            return true;
        value += len + 1;
    }
}

static bool set_number(const struct option *option, uint32_t *field, const char *value, char *error,
                       const struct place *place)
{
    char *end;
    unsigned long number;

    errno = 0;
    number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || number < option->min ||
        number > option->max)
        return fail(error, place, option->name, "'%.64s' is not a number from %u to %u", value,
                    option->min, option->max);
    *field = (uint32_t)number;
    return true;
}

static bool set_choice(const struct option *option, uint32_t *field, const char *value, char *error,
                       const struct place *place)
{
    uint32_t place_of_choice = 0;

    for (const char *choice = option->choices;; place_of_choice++) {
        size_t len = strcspn(choice, "|");

        if (strlen(value) == len && memcmp(value, choice, len) == 0) {
            *field = place_of_choice;
            return true;
        }
        if (!choice[len])
            return fail(error, place, option->name, "'%.64s' is not one of %s", value,
                        option->choices);
        choice += len + 1;
    }
}

static bool option_set(const struct option *option, struct dynkvd_config *config, const char *value,
                       char *error, const struct place *place)
{
    void *field = (char *)config + option->offset;
    char why[256];

    switch (option->kind) {
    case KIND_NAME:
        if (!name_is_valid(value))
            return fail(error, place, option->name,
                        "a name has 1 to %u letters, digits, '_', '-' or '.'", DYNKV_NAME_MAX);
        strcpy(field, value);
        return true;
    case KIND_PATH:
        if (!*value || strlen(value) > DYNKVD_PATH_MAX)
            return fail(error, place, option->name, "a path has 1 to %u bytes", DYNKVD_PATH_MAX);
        strcpy(field, value);
        return true;
    case KIND_URL:
        if (!dynkvd_url_parse(value, strlen(value), field, why, sizeof why))
            return fail(error, place, option->name, "%s", why);
        return true;
    case KIND_URLS:
        return set_urls(option, field, value, error, place);
    case KIND_NUMBER:
        return set_number(option, field, value, error, place);
    case KIND_CHOICE:
        return set_choice(option, field, value, error, place);
    case KIND_CONFIG:
        break; /* read before all others */
    }
    return true;
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    size_t len;

    text += strspn(text, " \t\r\n");
    for (len = strlen(text); len && strchr(" \t\r\n", text[len - 1]); len--)
        text[len - 1] = '\0';
    return text;
}

static bool read_line(struct dynkvd_config *config, char *line, char *error,
                      const struct place *place)
{
    char *name = trim(line), *equals = strchr(name, '=');
    const struct option *option;

    if (!*name || *name == '#')
        return true;
    if (!equals)
        return fail(error, place, name, "a line is:  name = value");
    *equals = '\0';
    name = trim(name);
    option = option_find(name, strlen(name));
    if (!option || option->kind == KIND_CONFIG)
        return fail_unknown(error, place, name, strlen(name));
    return option_set(option, config, trim(equals + 1), error, place);
}

static bool read_file(struct dynkvd_config *config, const char *path, char *error)
{
    char line[DYNKVD_CONFIG_TEXT_MAX];
    struct place place = {path, 0};
    FILE *file = fopen(path, "r");
    bool ok = true;

    if (!file) {
        snprintf(error, DYNKVD_CONFIG_TEXT_MAX, "--config: cannot read %.500s: %s", path,
                 strerror(errno));
        return false;
    }
    while (ok && fgets(line, sizeof line, file)) {
        place.line++;
        if (!strchr(line, '\n') && !feof(file))
            ok = fail(error, &place, "line", "longer than %zu bytes", sizeof line - 2);
        else
            ok = read_line(config, line, error, &place);
    }
    if (ok && ferror(file)) {
        snprintf(error, DYNKVD_CONFIG_TEXT_MAX, "--config: cannot read %.500s: %s", path,
                 strerror(errno));
        ok = false;
    }
    fclose(file);
    return ok;
}

/* One pass over the command line: only --config (file_pass), or all the others. */
static enum dynkvd_config_outcome read_arguments(struct dynkvd_config *config, int argc,
                                                 char **argv, bool file_pass, char *error)
{
    static const struct place here = {NULL, 0};
    bool given[OPTION_COUNT] = {false};

    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value;
        const struct option *option;
        size_t len;

        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
            return DYNKVD_CONFIG_HELP;
        if (strcmp(name, "--version") == 0)
            return DYNKVD_CONFIG_VERSION;
        name += strspn(name, "-");
        len = strcspn(name, "=");
        option = strncmp(argv[i], "--", 2) == 0 ? option_find(name, len) : NULL;
        if (!option) {
            fail_unknown(error, &here, name, len);
            return DYNKVD_CONFIG_WRONG;
        }
        value = name[len] ? name + len + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value) {
            fail(error, &here, option->name, "needs a value: --%s %s", option->name,
                 option->argument);
            return DYNKVD_CONFIG_WRONG;
        }
        if (file_pass) {
            if (option->kind == KIND_CONFIG && !read_file(config, value, error))
                return DYNKVD_CONFIG_WRONG;
            continue;
        }
        if (option->kind == KIND_URLS && !given[option - options])
            ((struct dynkvd_urls *)(void *)((char *)config + option->offset))->count = 0;
        given[option - options] = true;
        if (!option_set(option, config, value, error, &here))
            return DYNKVD_CONFIG_WRONG;
    }
    return DYNKVD_CONFIG_RUN;
}

/* What no single option can know. */
static bool check(struct dynkvd_config *config, char *error)
{
    static const struct place here = {NULL, 0};

    if (!config->name[0])
        return fail(error, &here, "name", "required: give this node a name of its own");
    if (!config->data[0] && config->storage != DYNKVD_STORAGE_MEMORY)
        return fail(error, &here, "data",
                    "required: give the store a folder, or use --storage memory");
    if (config->partitions & (config->partitions - 1))
        return fail(error, &here, "partitions", "%u is not a power of two", config->partitions);
    if (!config->advertise[0] && dynkvd_url_is_wildcard(config->listen.url[0]))
        return fail(error, &here, "advertise",
                    "required, since nobody can dial %s: name the address clients use",
                    config->listen.url[0]);
    if (!config->advertise_peer[0] && dynkvd_url_is_wildcard(config->peer))
        return fail(error, &here, "advertise-peer",
                    "required, since nobody can dial %s: name the address other nodes use",
                    config->peer);
    if (config->http[0] && !dynkvd_url_is_tcp(config->http))
        return fail(error, &here, "http", "must be HOST:PORT");
    return true;
}

enum dynkvd_config_outcome dynkvd_config_read(struct dynkvd_config *config, int argc, char **argv,
                                              char error[DYNKVD_CONFIG_TEXT_MAX])
{
    enum dynkvd_config_outcome outcome;

    memset(config, 0, sizeof *config);
    strcpy(config->zone, "default");
    strcpy(config->peer, "tcp://127.0.0.1:7501");
    config->weight = 100;
    config->partitions = DYNKV_PARTITIONS_DEFAULT;
    config->sync_interval_ms = 1000;
    config->log_level = DYNKV_LOG_INFO;
    config->sync = DYNKV_SYNC_ALWAYS;
    outcome = read_arguments(config, argc, argv, true, error);
    if (outcome == DYNKVD_CONFIG_RUN)
        outcome = read_arguments(config, argc, argv, false, error);
    if (outcome != DYNKVD_CONFIG_RUN)
        return outcome;
    if (config->listen.count == 0) {
        strcpy(config->listen.url[0], "tcp://127.0.0.1:7401");
        config->listen.count = 1;
    }
    return check(config, error) ? DYNKVD_CONFIG_RUN : DYNKVD_CONFIG_WRONG;
}

void dynkvd_config_print_help(void)
{
    puts("dynkvd: one node of a dynkv cluster.\n\nUsage: dynkvd --name NAME --data DIR "
         "[OPTION]...\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char left[64];

        snprintf(left, sizeof left, "--%s %s", options[i].name, options[i].argument);
        printf("  %-26s %s\n", left, options[i].help);
    }
    puts(
        "  --version                  print the version\n"
        "  --help                     print this\n\n"
        "Logs to standard error.  SIGTERM and SIGINT stop it cleanly.  Exit code: 0 after a clean\n"
        "stop, 1 when it cannot start or its store failed, 2 for a wrong option.");
}
