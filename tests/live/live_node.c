/* live_node.c: dynkvd processes, their standard error, their end. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/live/live.h"

extern char **environ;

struct live_node {
    char name[DYNKV_NAME_MAX + 1];
    char client_url[DYNKV_URL_MAX + 1], peer_url[DYNKV_URL_MAX + 1], pages[DYNKV_URL_MAX + 1];
    pid_t pid; /* 0: not running */
    pthread_t reader;
    int log_fd;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ready, ended; /* it said so; its standard error was closed */
    size_t log_len;
    char log[LIVE_LOG_MAX];
};

static const char *dynkvd_path;
static struct live_node *nodes[LIVE_NODES_MAX];

void live_nodes_init(const char *program)
{
    dynkvd_path = program;
}

/* ---- the log ---- */

static void url_copy(char out[DYNKV_URL_MAX + 1], const char *line, const char *label)
{
    const char *at = strstr(line, label);

    if (at)
        snprintf(out, DYNKV_URL_MAX + 1, "%.*s", (int)strcspn(at + strlen(label), ",\n"),
                 at + strlen(label));
}

/* With the lock held. */
static void find_ready_line(struct live_node *node)
{
    char prefix[128];
    const char *line;

    snprintf(prefix, sizeof prefix, "dynkvd %s ready: ", node->name);
    line = strstr(node->log, prefix);
    if (!line || !strchr(line, '\n'))
        return;
    url_copy(node->client_url, line, "clients ");
    url_copy(node->peer_url, line, "peers ");
    url_copy(node->pages, line, "pages http://");
    node->ready = true;
}

static void *read_log(void *argument)
{
    struct live_node *node = argument;
    char chunk[4096];
    ssize_t got;

    while ((got = read(node->log_fd, chunk, sizeof chunk)) > 0) {
        pthread_mutex_lock(&node->lock);
        for (ssize_t i = 0; i < got; i++) /* a full log loses what comes later */
            if (node->log_len < LIVE_LOG_MAX - 1)
                node->log[node->log_len++] = chunk[i];
        if (!node->ready)
            find_ready_line(node);
        pthread_cond_broadcast(&node->changed);
        pthread_mutex_unlock(&node->lock);
    }
    pthread_mutex_lock(&node->lock);
    node->ended = true;
    pthread_cond_broadcast(&node->changed);
    pthread_mutex_unlock(&node->lock);
    return NULL;
}

void live_node_log(struct live_node *node, char out[LIVE_LOG_MAX])
{
    pthread_mutex_lock(&node->lock);
    memcpy(out, node->log, LIVE_LOG_MAX);
    pthread_mutex_unlock(&node->lock);
}

/* ---- start ---- */

static struct live_node *node_named(const char *name)
{
    for (size_t i = 0; i < LIVE_NODES_MAX; i++) {
        if (nodes[i] && strcmp(nodes[i]->name, name) == 0)
            return nodes[i];
        if (!nodes[i]) {
            nodes[i] = dynkv_calloc(1, sizeof *nodes[i]);
            snprintf(nodes[i]->name, sizeof nodes[i]->name, "%s", name);
            strcpy(nodes[i]->client_url, "tcp://127.0.0.1:0");
            strcpy(nodes[i]->peer_url, "tcp://127.0.0.1:0");
            pthread_mutex_init(&nodes[i]->lock, NULL);
            pthread_cond_init(&nodes[i]->changed, NULL);
            return nodes[i];
        }
    }
    live_fail(__FILE__, __LINE__, "more than %u nodes in one test", LIVE_NODES_MAX);
}

static void spawn(struct live_node *node, char *const *args)
{
    posix_spawn_file_actions_t actions;
    int ends[2], result;

    CHECK(pipe(ends) == 0, "%s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
    result = posix_spawnp(&node->pid, args[0], &actions, NULL, args, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    CHECK(result == 0, "cannot start %s: %s", args[0], strerror(result));
    node->log_fd = ends[0];
    pthread_create(&node->reader, NULL, read_log, node);
}

struct live_node *live_node_start(const struct live_node_options *options)
{
    struct live_node *node = node_named(options->name);
    char data[512];
    const char *args[LIVE_ARGS_MAX];
    char shell[512];
    size_t count = 0;

    CHECK(node->pid == 0, "%s is running already", node->name);
    snprintf(data, sizeof data, "%s/%s", live_folder(), options->name);
    mkdir(data, 0700);
    if (options->client_url)
        snprintf(node->client_url, sizeof node->client_url, "%s", options->client_url);
    if (options->peer_url)
        snprintf(node->peer_url, sizeof node->peer_url, "%s", options->peer_url);
    if (options->shell) {
        snprintf(shell, sizeof shell, "%s; exec \"$@\"", options->shell);
        args[count++] = "sh";
        args[count++] = "-c";
        args[count++] = shell;
        args[count++] = "sh";
    }
    args[count++] = dynkvd_path;
    args[count++] = "--name";
    args[count++] = options->name;
    args[count++] = "--data";
    args[count++] = data;
    args[count++] = "--listen";
    args[count++] = node->client_url;
    args[count++] = "--peer";
    args[count++] = node->peer_url;
    if (options->storage) {
        args[count++] = "--storage";
        args[count++] = options->storage;
    }
    if (options->join) {
        args[count++] = "--join";
        args[count++] = options->join;
    }
    for (size_t i = 0; i < sizeof options->extra / sizeof *options->extra; i++)
        if (options->extra[i])
            args[count++] = options->extra[i];
    args[count] = NULL;
    node->ready = node->ended = false;
    node->log_len = 0;
    memset(node->log, 0, sizeof node->log);
    spawn(node, (char *const *)(const void *)args);
    return node;
}

static struct timespec patience(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LIVE_PATIENCE_MS / 1000;
    return until;
}

void live_node_await_ready(struct live_node *node)
{
    struct timespec until = patience();
    bool ready;
    int result = 0;

    pthread_mutex_lock(&node->lock);
    while (!node->ready && !node->ended && result == 0)
        result = pthread_cond_timedwait(&node->changed, &node->lock, &until);
    ready = node->ready;
    pthread_mutex_unlock(&node->lock);
    CHECK(ready, "%s did not become ready; it wrote:\n%s", node->name, node->log);
}

const char *live_node_client_url(const struct live_node *node)
{
    return node->client_url;
}

const char *live_node_peer_url(const struct live_node *node)
{
    return node->peer_url;
}

const char *live_node_pages(const struct live_node *node)
{
    return node->pages;
}

pid_t live_node_pid(const struct live_node *node)
{
    return node->pid;
}

/* ---- end ---- */

bool live_node_is_alive(struct live_node *node)
{
    bool ended;

    pthread_mutex_lock(&node->lock);
    ended = node->ended;
    pthread_mutex_unlock(&node->lock);
    return node->pid != 0 && !ended;
}

void live_node_signal(struct live_node *node, int signal)
{
    CHECK(node->pid != 0, "%s is not running", node->name);
    kill(node->pid, signal);
}

/* The end of standard error is the event to wait for: it closes when the process ends. */
int live_node_await_exit(struct live_node *node)
{
    struct timespec until = patience();
    int status, result = 0;

    CHECK(node->pid != 0, "%s is not running", node->name);
    pthread_mutex_lock(&node->lock);
    while (!node->ended && result == 0)
        result = pthread_cond_timedwait(&node->changed, &node->lock, &until);
    pthread_mutex_unlock(&node->lock);
    CHECK(result == 0, "%s does not end; it wrote:\n%s", node->name, node->log);
    waitpid(node->pid, &status, 0);
    node->pid = 0;
    pthread_join(node->reader, NULL);
    close(node->log_fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void live_nodes_end(void)
{
    for (size_t i = 0; i < LIVE_NODES_MAX && nodes[i]; i++)
        if (nodes[i]->pid) {
            kill(nodes[i]->pid, SIGKILL);
            waitpid(nodes[i]->pid, NULL, 0);
            pthread_join(nodes[i]->reader, NULL);
            close(nodes[i]->log_fd);
        }
    for (size_t i = 0; i < LIVE_NODES_MAX && nodes[i]; i++) {
        pthread_cond_destroy(&nodes[i]->changed);
        pthread_mutex_destroy(&nodes[i]->lock);
        free(nodes[i]);
        nodes[i] = NULL;
    }
}

/* ---- clusters ---- */

struct expectation {
    struct live_client *client;
    uint32_t up, down;
    char seen[64];
};

static bool members_are(void *context)
{
    struct expectation *expected = context;
    struct dynkv_status body = {0};
    struct live_answer answer;
    uint32_t up = 0, down = 0;
    bool sure = false;

    if (!live_client_ask(expected->client, DYNKV_MESSAGE_STATUS, &body, 1000, &answer))
        return false;
    if (answer.envelope.type == DYNKV_MESSAGE_STATUS_REPLY) {
        const struct dynkv_status_reply *status = &answer.body.status_reply;

        for (uint32_t i = 0; i < status->member_count; i++)
            up += status->members[i].left == 0;
        down = status->down_count;
        up -= down;
        sure = live_status_counter(status, "unsure") == 0;
    }
    live_answer_free(&answer);
    return sure && up == expected->up && down == expected->down;
}

void live_await_members(struct live_node *node, uint32_t up, uint32_t down)
{
    struct expectation expected = {live_client_open(node->client_url), up, down, ""};
    char what[128];

    snprintf(what, sizeof what, "%s sees %u members up and %u down", node->name, up, down);
    live_await(members_are, &expected, what);
    live_client_close(expected.client);
}

void live_cluster_start(const char *storage, struct live_node *cluster[3])
{
    static const char *const names[] = {"n1", "n2", "n3"};

    for (uint32_t i = 0; i < 3; i++) {
        cluster[i] = live_node_start(&(struct live_node_options){
            .name = names[i],
            .storage = storage,
            .join = i ? live_node_peer_url(cluster[0]) : NULL,
        });
        if (i == 0)
            live_node_await_ready(cluster[0]); /* the others join two at a time */
    }
    for (uint32_t i = 0; i < 3; i++)
        live_node_await_ready(cluster[i]);
    for (uint32_t i = 0; i < 3; i++)
        live_await_members(cluster[i], 3, 0);
}
