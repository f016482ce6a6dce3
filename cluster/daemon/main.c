/*
 * main.c: dynkvd's start and stop.
 *
 * Start, each needing the one before: options, store, identity, sockets (which give the ports), the
 * core, the threads.  Stop, the other way round: new requests are refused while those in flight end,
 * then the loop halts, the sockets close, the store's thread finishes and the store is marked clean.
 * NNG is first used after the store is open, and this program never forks.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/client_socket.h"
#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/crash.h"
#include "daemon/http.h"
#include "daemon/identity.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/peer_receiver.h"
#include "daemon/peer_sender.h"
#include "daemon/store_thread.h"

#define STOP_PATIENCE_MS 2000u /* how long requests in flight may take at a clean stop */

enum exit_code {
    EXIT_CLEAN = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
};

struct daemon {
    struct dynkvd_config config;
    struct dynkvd_metrics metrics;
    struct dynkvd_identity identity;
    struct dynkv_arena arena; /* of the identity */
    struct dynkv_engine *engine;
    struct dynkvd_loop *loop;
    struct dynkvd_clients *clients;
    struct dynkvd_receiver *receiver;
    struct dynkvd_http *http;
    struct dynkvd_senders *senders;
    struct dynkvd_store *store;
    struct dynkv_node *node;
    char error[DYNKVD_CONFIG_TEXT_MAX];
};

/* ---- start ---- */

static bool open_store(struct daemon *daemon)
{
    struct dynkvd_config *config = &daemon->config;
    bool in_memory = config->storage == DYNKVD_STORAGE_MEMORY;
    struct dynkv_engine_config engine_config = {
        .path = in_memory ? NULL : config->data,
        .sync = (enum dynkv_sync)config->sync,
    };
    struct dynkvd_identity *identity = &daemon->identity;

    daemon->engine = dynkv_engine_open(in_memory ? "memory" : "rocksdb", &engine_config,
                                       daemon->error, sizeof daemon->error);
    if (!daemon->engine)
        return false;
    if (!dynkvd_identity_open(daemon->engine, config, &daemon->arena, identity, daemon->error,
                              sizeof daemon->error)) {
        char why[512];

        snprintf(why, sizeof why, "%.511s", daemon->error);
        snprintf(daemon->error, sizeof daemon->error, "%.500s: %s",
                 in_memory ? "memory" : config->data, why);
        return false;
    }
    return true;
}

static bool open_sockets(struct daemon *daemon)
{
    struct dynkvd_config *config = &daemon->config;
    char *error = daemon->error;
    size_t size = sizeof daemon->error;

    daemon->loop = dynkvd_loop_new();
    daemon->clients =
        dynkvd_clients_open(daemon->loop, &daemon->metrics, daemon->identity.id, error, size);
    if (!daemon->clients)
        return false;
    for (uint32_t i = 0; i < config->listen.count; i++)
        if (!dynkvd_clients_listen(daemon->clients, config->listen.url[i], error, size))
            return false;
    daemon->receiver = dynkvd_receiver_open(daemon->loop, &daemon->metrics, error, size);
    if (!daemon->receiver || !dynkvd_receiver_listen(daemon->receiver, config->peer, error, size))
        return false;
    if (config->http[0] &&
        !(daemon->http = dynkvd_http_start(daemon->loop, config->http, error, size)))
        return false;
    if (!config->advertise[0])
        strcpy(config->advertise, config->listen.url[0]);
    if (!config->advertise_peer[0])
        strcpy(config->advertise_peer, config->peer);
    return true;
}

/* A store whose identity counts for nothing any more serves nobody: says what to do instead. */
static bool is_of_use(struct daemon *daemon)
{
    struct dynkv_node_stage stage = dynkv_node_stage(daemon->node);

    if (!stage.has_left && !stage.is_excluded)
        return true;
    snprintf(daemon->error, sizeof daemon->error,
             "%.500s: the node of this store %s; to make this machine a member again, start with "
             "an empty data folder and --join, then dynkv cluster join or replace",
             daemon->config.data,
             stage.is_excluded ? "was excluded from the cluster, and its data count no more"
                               : "has left the cluster, and has nothing to give any more");
    return false;
}

static bool make_node(struct daemon *daemon)
{
    struct dynkvd_config *config = &daemon->config;
    struct dynkvd_identity *identity = &daemon->identity;
    struct dynkv_slice joins[DYNKVD_URLS_MAX];
    struct dynkv_node_config node_config = {
        .id = identity->id,
        .run = dynkvd_random_id(),
        .clean = identity->is_clean,
        .seed = dynkvd_random_id(),
        .now_ms = dynkvd_wall_ms(),
        .name = dynkv_slice_text(config->name),
        .zone = dynkv_slice_text(config->zone),
        .client_url = dynkv_slice_text(config->advertise),
        .peer_url = dynkv_slice_text(config->advertise_peer),
        .storage = dynkv_slice_text(dynkv_engine_kind(daemon->engine)),
        .weight = config->weight,
        .partitions = config->partitions,
        .state = identity->state,
        .lease = identity->lease,
        .join_urls = joins,
    };

    if (identity->state.len) {
        dynkvd_log(DYNKV_LOG_INFO, "restarting in the cluster that the store knows");
    } else if (config->join.count) {
        for (uint32_t i = 0; i < config->join.count; i++)
            joins[i] = dynkv_slice_text(config->join.url[i]);
        node_config.join_url_count = config->join.count;
        dynkvd_log(DYNKV_LOG_INFO, "joining the cluster at %s%s", config->join.url[0],
                   config->join.count > 1 ? " or others" : "");
    } else {
        node_config.cluster_id = dynkvd_random_id();
        dynkvd_log(DYNKV_LOG_INFO, "founding a cluster of %u partitions", config->partitions);
    }
    daemon->node = dynkv_node_new(&node_config);
    if (identity->state.len && !dynkv_node_is_member(daemon->node)) {
        snprintf(daemon->error, sizeof daemon->error,
                 "%.500s: the saved tables of the cluster are damaged: restore the folder from a "
                 "backup, or start with an empty one and let the others fill it",
                 config->data);
        return false;
    }
    return !identity->state.len || is_of_use(daemon);
}

static void start_threads(struct daemon *daemon)
{
    struct dynkvd_loop_parts parts;

    daemon->senders = dynkvd_senders_new(&daemon->metrics, daemon->identity.id);
    if (daemon->config.storage != DYNKVD_STORAGE_MEMORY)
        daemon->store =
            dynkvd_store_start(daemon->engine, &daemon->config, daemon->loop, &daemon->metrics);
    parts = (struct dynkvd_loop_parts){
        .node = daemon->node,
        .clients = daemon->clients,
        .receiver = daemon->receiver,
        .senders = daemon->senders,
        .store = daemon->store,
        .engine = daemon->store ? NULL : daemon->engine,
        .metrics = &daemon->metrics,
    };
    dynkvd_loop_start(daemon->loop, &parts);
    dynkvd_receiver_start(daemon->receiver);
    dynkvd_clients_start(daemon->clients);
}

/* Scripts wait for this line: it is the same at every log level. */
static void announce(const struct daemon *daemon)
{
    const struct dynkvd_config *config = &daemon->config;
    char line[DYNKVD_URLS_MAX * (DYNKV_URL_MAX + 1) + 1024];
    int used = snprintf(line, sizeof line, "dynkvd %s ready: clients %s", config->name,
                        config->listen.url[0]);

    for (uint32_t i = 1; i < config->listen.count; i++)
        used += snprintf(line + used, sizeof line - (size_t)used, ",%s", config->listen.url[i]);
    used += snprintf(line + used, sizeof line - (size_t)used, ", peers %s", config->peer);
    if (config->http[0])
        used += snprintf(line + used, sizeof line - (size_t)used, ", pages http%s",
                         config->http + strlen("tcp"));
    fprintf(stderr, "%s\n", line);
}

/* ---- stop ---- */

/* A start that came to nothing leaves the store as it found it. */
static bool store_is_clean(const struct daemon *daemon)
{
    if (!daemon->identity.id)
        return false;
    return daemon->node ? dynkv_node_may_go_on(daemon->node) : daemon->identity.is_clean;
}

static bool close_store(struct daemon *daemon)
{
    if (store_is_clean(daemon) &&
        (dynkv_engine_sync(daemon->engine) ||
         dynkvd_identity_mark_clean(daemon->engine, &daemon->config, &daemon->identity))) {
        dynkvd_log(DYNKV_LOG_ERROR, "the store cannot be marked clean: %s",
                   dynkv_engine_last_error(daemon->engine));
        return false;
    }
    dynkv_engine_close(daemon->engine);
    return true;
}

/* Ends the work and closes the store; answers whether the node stopped cleanly. */
static bool stop_work(struct daemon *daemon)
{
    bool clean = !daemon->loop || !dynkvd_loop_has_failed(daemon->loop);

    if (daemon->loop)
        dynkvd_loop_halt(daemon->loop);
    if (daemon->store && !dynkvd_store_stop(daemon->store))
        clean = false;
    /* A store that failed is left as it is, to be recovered at the next start: closing would write. */
    if (daemon->engine && clean)
        clean = close_store(daemon);
    return clean;
}

/* Gives back what a start that came to nothing had taken. */
static void abandon(struct daemon *daemon)
{
    stop_work(daemon);
    if (daemon->http)
        dynkvd_http_stop(daemon->http);
    if (daemon->senders)
        dynkvd_senders_free(daemon->senders);
    if (daemon->receiver)
        dynkvd_receiver_close(daemon->receiver);
    if (daemon->clients)
        dynkvd_clients_close(daemon->clients);
    if (daemon->loop)
        dynkvd_loop_free(daemon->loop);
    if (daemon->receiver)
        dynkvd_receiver_free(daemon->receiver);
    dynkv_node_free(daemon->node);
    dynkv_arena_fini(&daemon->arena);
}

/* Runs until a signal; does not return. */
static _Noreturn void serve(struct daemon *daemon, const sigset_t *signals)
{
    bool clean;
    int signal = 0;

    start_threads(daemon);
    announce(daemon);
    while (sigwait(signals, &signal) != 0)
        continue;
    dynkvd_log(DYNKV_LOG_INFO, "stopping: %s", strsignal(signal));
    dynkvd_loop_drain(daemon->loop);
    if (!dynkvd_clients_wait_idle(daemon->clients, STOP_PATIENCE_MS))
        dynkvd_log(DYNKV_LOG_WARNING, "requests were in flight for %u ms: leaving them unanswered",
                   STOP_PATIENCE_MS);
    clean = stop_work(daemon);
    dynkvd_log(DYNKV_LOG_INFO, "stopped%s", clean ? "" : ", not cleanly");
    /* The store is safe; the sockets go with the process.  Closing them could hang for ever: NNG 1.5.2
     * waits in nng_close for callbacks that may never run (nng #1543, #1813). */
    _exit(clean ? EXIT_CLEAN : EXIT_FAILED);
}

/* Every client, node and file of the store takes a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* refused: then it is what it was */
    }
}

int main(int argc, char **argv)
{
    static struct daemon daemon;
    sigset_t signals;

    switch (dynkvd_config_read(&daemon.config, argc, argv, daemon.error)) {
    case DYNKVD_CONFIG_HELP:
        dynkvd_config_print_help();
        return EXIT_CLEAN;
    case DYNKVD_CONFIG_VERSION:
        puts("dynkvd " DYNKV_SOFTWARE_VERSION);
        return EXIT_CLEAN;
    case DYNKVD_CONFIG_WRONG:
        fprintf(stderr, "dynkvd: %s\n", daemon.error);
        return EXIT_USAGE;
    case DYNKVD_CONFIG_RUN:
        break;
    }
    /* Blocked before any thread exists, so that all inherit it and only sigwait takes them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file too large is an error of the store, not the end */
    dynkvd_crash_init();
    raise_descriptor_limit();
    dynkvd_log_init(daemon.config.name, (enum dynkv_log_level)daemon.config.log_level);
    if (open_store(&daemon) && open_sockets(&daemon) && make_node(&daemon))
        serve(&daemon, &signals);
    fprintf(stderr, "dynkvd: %s\n", daemon.error);
    abandon(&daemon);
    return EXIT_FAILED;
}
