/* stage.c: three nodes, and the server that leads to them. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/sessions/sessions.h"

struct live_node *stage_nodes[STAGE_NODES];

/* "tcp://host:port" without its scheme. */
const char *stage_host(uint32_t node)
{
    return live_node_client_url(stage_nodes[node]) + strlen("tcp://");
}

const char *stage_hosts(void)
{
    static char hosts[512];

    snprintf(hosts, sizeof hosts, "%s,%s,%s", stage_host(0), stage_host(1), stage_host(2));
    return hosts;
}

void stage_set(const char *storage)
{
    struct session *session;

    live_cluster_start(storage, stage_nodes);
    session = session_open();
    session_do(session, "SET client_min_messages = error;"
                        "DROP EXTENSION IF EXISTS dynkv_fdw CASCADE;"
                        "DROP SCHEMA IF EXISTS public CASCADE;"
                        "CREATE SCHEMA public;"
                        "CREATE EXTENSION dynkv_fdw");
    session_do(
        session,
        "CREATE SERVER kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts '%s', deadline '60s', "
        "connect_timeout '60s');"
        "CREATE USER MAPPING FOR PUBLIC SERVER kv",
        stage_hosts());
    session_close(session);
}

static void signal_all(int signal)
{
    for (uint32_t i = 0; i < STAGE_NODES; i++)
        live_node_signal(stage_nodes[i], signal);
}

void stage_freeze(void)
{
    signal_all(SIGSTOP);
}

void stage_thaw(void)
{
    signal_all(SIGCONT);
    for (uint32_t i = 0; i < STAGE_NODES; i++)
        live_await_members(stage_nodes[i], STAGE_NODES, 0);
}

void stage_restart(uint32_t node)
{
    static const char *const names[STAGE_NODES] = {"n1", "n2", "n3"};

    live_node_start(&(struct live_node_options){.name = names[node]});
    live_node_await_ready(stage_nodes[node]);
}
