/*
 * chaos_net.c: a network that can be cut, of namespaces, virtual cables and bridges.
 *
 *     driver's namespace           namespace of node i
 *     bridge clients 10.77.2.254 -- ci --- clients  10.77.2.i   where clients connect
 *     bridge near  --------------- pi --- peers    10.77.1.i   where nodes connect
 *     bridge far   (empty until the network is cut)
 *
 * To cut is to plug a node's cable into the other bridge, or into none: frames vanish without a word,
 * as in a switch that fails.  The driver lives in a network and a mount namespace of its own, so nothing
 * of this can be seen from outside, and all of it goes when its processes end, however they do.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/chaos/chaos.h"

#define COMMAND_MAX 1024

static bool entered;
static uint32_t cut_peers, cut_clients; /* masks */

static bool ip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs "ip ..."; false if it fails, and it has said why. */
static bool ip(const char *format, ...)
{
    char command[COMMAND_MAX];
    va_list args;
    int len = snprintf(command, sizeof command, "exec ip ");

    va_start(args, format);
    vsnprintf(command + len, sizeof command - (size_t)len, format, args);
    va_end(args);
    return system(command) == 0;
}

static bool net_add_node(uint32_t i)
{
    unsigned n = i + 1;

    return ip("netns add n%u", n) && ip("link add p%u type veth peer name peers netns n%u", n, n) &&
           ip("link add c%u type veth peer name clients netns n%u", n, n) &&
           ip("-n n%u addr add 10.77.1.%u/24 dev peers", n, n) &&
           ip("-n n%u addr add 10.77.2.%u/24 dev clients", n, n) &&
           ip("-n n%u link set lo up", n) && ip("-n n%u link set peers up", n) &&
           ip("-n n%u link set clients up", n) && ip("link set p%u master near up", n) &&
           ip("link set c%u master clients up", n);
}

/* In this process; names of namespaces go to a /run that only it and its children see. */
static bool net_make(void)
{
    bool good;

    if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("chaos", "/run", "tmpfs", 0, NULL) || mkdir("/run/netns", 0755)) {
        fprintf(stderr, "no namespaces of our own: %s\n", strerror(errno));
        return false;
    }
    good = ip("link set lo up") && ip("link add near type bridge") &&
           ip("link add far type bridge") && ip("link add clients type bridge") &&
           ip("addr add 10.77.2.254/24 dev clients") && ip("link set near up") &&
           ip("link set far up") && ip("link set clients up");
    for (uint32_t i = 0; good && i < CHAOS_NODES; i++)
        good = net_add_node(i);
    return good;
}

/* A process that tries it first leaves nothing behind when it fails. */
static bool net_is_possible(void)
{
    int status = -1;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(net_make() ? 0 : 1);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

bool chaos_net_enter(char text[256])
{
    if (geteuid() != 0)
        snprintf(text, 256, "only root can make network namespaces");
    else if (system("exec ip -V >/dev/null 2>&1") != 0)
        snprintf(text, 256, "the command ip is missing: apt-get install iproute2");
    else if (!net_is_possible())
        snprintf(text, 256, "this machine lets us make no network namespaces, see above");
    else if (!net_make())
        live_fail(__FILE__, __LINE__, "what was possible a moment ago is not now, see above");
    else
        entered = true;
    return entered;
}

bool chaos_net_is_entered(void)
{
    return entered;
}

/* On loopback: addresses of this run, below the ports that connections get by themselves. */
static const char *url(uint32_t i, uint32_t network, uint32_t port)
{
    static char urls[CHAOS_NODES][2][64];
    char *out = urls[i][network - 1];

    if (entered)
        snprintf(out, 64, "tcp://10.77.%u.%u:%u", network, i + 1, port);
    else
        snprintf(out, 64, "tcp://127.%u.%u.%u:%u", 100 + (unsigned)getpid() / 250 % 100,
                 (unsigned)getpid() % 250, i + 1, port);
    return out;
}

const char *chaos_peer_url(uint32_t i)
{
    return url(i, 1, 7501);
}

const char *chaos_client_url(uint32_t i)
{
    return url(i, 2, 7401);
}

const char *chaos_node_shell(uint32_t i)
{
    static char shells[CHAOS_NODES][128];

    snprintf(shells[i], sizeof shells[i], "set -- setpriv --pdeathsig KILL ");
    if (entered)
        snprintf(shells[i] + strlen(shells[i]), sizeof shells[i] - strlen(shells[i]),
                 "ip netns exec n%u ", i + 1);
    strcat(shells[i], "\"$@\"");
    return shells[i];
}

static void plug(char cable, uint32_t i, const char *bridge)
{
    bool moved = ip("link set %c%u %s", cable, i + 1, bridge);

    CHECK(moved, "cannot plug a cable of n%u, see above", i + 1);
}

void chaos_net_cut(uint32_t mask, bool clients_too)
{
    for (uint32_t i = 0; i < CHAOS_NODES; i++) {
        if (!(mask >> i & 1))
            continue;
        plug('p', i, "master far");
        if (clients_too)
            plug('c', i, "nomaster");
    }
    cut_peers |= mask;
    cut_clients |= clients_too ? mask : 0;
}

void chaos_net_heal(void)
{
    for (uint32_t i = 0; i < CHAOS_NODES; i++) {
        if (cut_peers >> i & 1)
            plug('p', i, "master near");
        if (cut_clients >> i & 1)
            plug('c', i, "master clients");
    }
    cut_peers = cut_clients = 0;
}
