/*
 * chaos_faults.c: what goes wrong, and when.
 *
 * Two lists of faults are drawn from the seed: of processes (kills and pauses, of one node, two, or now and
 * then all) and of the network.  Within a list faults follow one another; the two lists overlap as
 * they like.  The last of each may last until all is healed, so that the clients stop with replicas that
 * differ.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/chaos/chaos.h"

#define PLAN_MAX     4096u
#define UNTIL_HEALED UINT64_MAX

struct fault {
    enum chaos_fault_kind kind;
    uint32_t mask; /* of nodes */
    uint64_t at_ms, until_ms;
};

/* Faults in order; the one at next is under way if began. */
struct list {
    struct fault faults[PLAN_MAX];
    uint32_t count, next;
    bool began;
};

static struct list lists[2]; /* processes, network */
static uint32_t killed;      /* mask: not running because of us, but for a while */
static uint32_t running = (1u << CHAOS_FOUNDERS) - 1;
static uint32_t counts[CHAOS_FAULT_KINDS];

const char *chaos_fault_name(enum chaos_fault_kind kind)
{
    static const char *const names[] = {"kill", "pause", "halves", "isolate", "unplug"};

    return names[kind];
}

uint32_t chaos_faults_count(enum chaos_fault_kind kind)
{
    return counts[kind];
}

/* ---- the plan ---- */

static uint32_t draw_nodes(struct dynkv_random *random, uint32_t count)
{
    uint32_t mask = 0;

    while (count) {
        uint32_t bit =
            1u << dynkv_random_below(random, chaos_options.change ? CHAOS_NODES : CHAOS_FOUNDERS);

        count -= !(mask & bit);
        mask |= bit;
    }
    return mask;
}

static uint32_t draw_mask(struct dynkv_random *random, enum chaos_fault_kind kind)
{
    uint64_t dice = dynkv_random_below(random, 20);

    if (kind == CHAOS_HALVES)
        return draw_nodes(random, 2);
    if (kind == CHAOS_ISOLATE || kind == CHAOS_UNPLUG)
        return draw_nodes(random, 1);
    if (kind == CHAOS_KILL && dice == 0)
        return chaos_options.change ? CHAOS_ALL_NODES : (1u << CHAOS_FOUNDERS) - 1;
    return draw_nodes(random, dice < 5 ? 2 : 1);
}

/* The first faults go through all kinds, so that even a short run has each. */
static void draw_list(struct list *list, struct dynkv_random *random, enum chaos_fault_kind first,
                      uint32_t kinds, uint64_t gap_ms, uint64_t longest_ms)
{
    uint64_t at = 1000, last = (uint64_t)chaos_options.seconds * 1000;

    *list = (struct list){0};
    while (list->count < PLAN_MAX) {
        struct fault fault = {.at_ms = at + dynkv_random_below(random, gap_ms)};
        uint64_t kind = list->count < kinds ? list->count : dynkv_random_below(random, kinds);

        fault.kind = (enum chaos_fault_kind)(first + kind);
        fault.mask = draw_mask(random, fault.kind);
        fault.until_ms = fault.at_ms + 300 + dynkv_random_below(random, longest_ms);
        if (fault.at_ms > last)
            return;
        if (fault.until_ms > last)
            fault.until_ms = UNTIL_HEALED;
        list->faults[list->count++] = fault;
        if (fault.until_ms == UNTIL_HEALED)
            return;
        at = fault.until_ms + 300;
    }
}

static void print_list(const struct list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct fault *fault = &list->faults[i];

        printf("  %7.1f s  %-8s %-15s ", (double)fault->at_ms / 1000, chaos_fault_name(fault->kind),
               chaos_names(fault->mask));
        if (fault->until_ms == UNTIL_HEALED)
            printf("until all is healed\n");
        else
            printf("for %.1f s\n", (double)(fault->until_ms - fault->at_ms) / 1000);
    }
}

void chaos_faults_plan(void)
{
    struct dynkv_random random = dynkv_random(chaos_options.seed);

    draw_list(&lists[0], &random, CHAOS_KILL, 2, 2000, 4000);
    if (chaos_net_is_entered())
        draw_list(&lists[1], &random, CHAOS_HALVES, 3, 3000, 6000);
    else
        lists[1] = (struct list){0};
    killed = 0;
    memset(counts, 0, sizeof counts);
    printf("the plan of seed %llu:\n", (unsigned long long)chaos_options.seed);
    print_list(&lists[0]);
    print_list(&lists[1]);
    fflush(stdout);
}

/* ---- carrying it out ---- */

uint32_t chaos_running(void)
{
    return running;
}

void chaos_node_start(uint32_t i)
{
    char name[8];

    snprintf(name, sizeof name, "n%u", i + 1);
    chaos_nodes[i] = live_node_start(&(struct live_node_options){.name = name,
                                                                 .shell = chaos_node_shell(i),
                                                                 .join = chaos_peer_url(i ? 0 : 1),
                                                                 .client_url = chaos_client_url(i),
                                                                 .peer_url = chaos_peer_url(i)});
    killed &= ~(1u << i);
    running |= 1u << i;
}

void chaos_node_end(uint32_t i)
{
    if (!(killed >> i & 1)) {
        live_node_signal(chaos_nodes[i], SIGKILL); /* it may be paused */
        live_node_await_exit(chaos_nodes[i]);
    }
    running &= ~(1u << i);
    killed &= ~(1u << i);
}

static void fault_begin(const struct fault *fault)
{
    uint32_t mask = fault->mask & running;

    counts[fault->kind]++;
    if (fault->kind >= CHAOS_HALVES) {
        chaos_net_cut(fault->mask, fault->kind == CHAOS_UNPLUG);
        return;
    }
    for (uint32_t i = 0; i < CHAOS_NODES; i++)
        if (mask >> i & 1)
            live_node_signal(chaos_nodes[i], fault->kind == CHAOS_KILL ? SIGKILL : SIGSTOP);
    for (uint32_t i = 0; fault->kind == CHAOS_KILL && i < CHAOS_NODES; i++) {
        if (!(mask >> i & 1))
            continue;
        CHECK(live_node_await_exit(chaos_nodes[i]) == -SIGKILL, "n%u ended before it was killed",
              i + 1);
        killed |= 1u << i;
    }
}

static void fault_end(const struct fault *fault)
{
    if (fault->kind >= CHAOS_HALVES)
        chaos_net_heal();
    for (uint32_t i = 0; i < CHAOS_NODES; i++) {
        if (!((fault->mask & running) >> i & 1))
            continue;
        if (fault->kind == CHAOS_KILL && killed >> i & 1)
            chaos_node_start(i);
        if (fault->kind == CHAOS_PAUSE)
            live_node_signal(chaos_nodes[i], SIGCONT);
    }
}

/* The milliseconds until the list has something to do. */
static uint64_t list_step(struct list *list)
{
    uint64_t now = chaos_now_ms();

    while (list->next < list->count) {
        const struct fault *fault = &list->faults[list->next];
        uint64_t due = list->began ? fault->until_ms : fault->at_ms;

        if (due > now)
            return due - now;
        if (list->began)
            fault_end(fault);
        else
            fault_begin(fault);
        list->next += list->began;
        list->began = !list->began;
    }
    return 1000;
}

/* Nobody but us ends a node. */
static void check_nodes_live(void)
{
    static char log[LIVE_LOG_MAX];

    for (uint32_t i = 0; i < CHAOS_NODES; i++) {
        int status;

        if (!(running >> i & 1) || killed >> i & 1 || live_node_is_alive(chaos_nodes[i]))
            continue;
        status = live_node_await_exit(chaos_nodes[i]);
        live_node_log(chaos_nodes[i], log);
        if (status == 1 && chaos_change_may_end(i) && strstr(log, "has left the cluster")) {
            running &= ~(1u << i);
            continue;
        }
        live_fail(__FILE__, __LINE__, "n%u ended by itself (%s %d); it wrote:\n%s", i + 1,
                  status < 0 ? "signal" : "exit code", status < 0 ? -status : status, log);
    }
}

uint64_t chaos_faults_step(void)
{
    uint64_t a = list_step(&lists[0]), b = list_step(&lists[1]);

    check_nodes_live();
    if (chaos_options.change) {
        chaos_change_step();
        a = a < 100 ? a : 100;
    }
    return a < b ? a : b;
}

void chaos_faults_heal(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (lists[i].began)
            fault_end(&lists[i].faults[lists[i].next]);
        lists[i].count = lists[i].next = 0;
        lists[i].began = false;
    }
    if (chaos_options.change)
        chaos_change_finish();
    for (uint32_t i = 0; i < CHAOS_NODES; i++)
        if (running >> i & 1)
            live_node_await_ready(chaos_nodes[i]);
    for (uint32_t i = 0; i < CHAOS_NODES; i++)
        if (running >> i & 1)
            live_await_members(chaos_nodes[i], (uint32_t)__builtin_popcount(running), 0);
    check_nodes_live();
}
