/*
 * chaos.c: real processes under kills, pauses and partitions.
 *
 *     chaos DYNKVD [--seed N] [--seconds S] [--additions N] [--r R] [--w W] [--loopback] [--sloppy]
 *                  [--change] [--without-context] [--without-reading] [--expect-violations]
 *
 * Phases: five nodes start; clients work while the faults of the plan fall; all is healed; what the
 * replicas hold is checked before repair, brought together by reading, and checked again.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/chaos/chaos.h"

struct chaos_options chaos_options = {.seconds = 40, .additions = 2000, .r = 2, .w = 2};
struct live_node *chaos_nodes[CHAOS_NODES];
uint64_t chaos_keyspace;

static uint64_t began_ms, lasted_ms, converged_ms;
static bool are_equal, keeps, is_fresh; /* what the options promise */
static uint32_t passed, failures;

uint64_t chaos_now_ms(void)
{
    return live_now_ms() - began_ms;
}

const char *chaos_names(uint32_t mask)
{
    static char names[4][CHAOS_NODES * 3 + 1];
    static uint32_t turn;
    char *out = names[turn++ % 4];
    size_t len = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < CHAOS_NODES; i++)
        if (mask >> i & 1)
            len += (size_t)snprintf(out + len, 4, "%sn%u", len ? " " : "", i + 1);
    return out;
}

void chaos_violation(uint32_t *count, const char *format, ...)
{
    va_list args;

    if ((*count)++ >= CHAOS_SHOWN_MAX)
        return;
    printf("  violation: ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static struct {
    const char *what;
    enum dynkv_error error;
    uint32_t count;
} errors[CHAOS_ERRORS_MAX];

void chaos_count_error(const char *what, enum dynkv_error error)
{
    uint32_t i = 0;

    while (i < CHAOS_ERRORS_MAX - 1 && errors[i].what &&
           (strcmp(errors[i].what, what) != 0 || errors[i].error != error))
        i++;
    errors[i].what = what;
    errors[i].error = error;
    errors[i].count++;
}

struct dynkv_call chaos_call(void)
{
    return (struct dynkv_call){.deadline_ms = CHAOS_DEADLINE_MS,
                               .r = chaos_options.r,
                               .w = chaos_options.w,
                               .strict = !chaos_options.sloppy};
}

const char *chaos_hosts(void)
{
    static char hosts[CHAOS_NODES * 64];
    size_t len = 0;

    for (uint32_t i = 0; i < CHAOS_FOUNDERS; i++)
        len += (size_t)snprintf(hosts + len, sizeof hosts - len, "%s%s", i ? "," : "",
                                chaos_client_url(i));
    return hosts;
}

/* ---- a run ---- */

static void start_nodes(void)
{
    for (uint32_t i = 0; i < CHAOS_FOUNDERS; i++) {
        char name[8];

        snprintf(name, sizeof name, "n%u", i + 1);
        chaos_nodes[i] =
            live_node_start(&(struct live_node_options){.name = name,
                                                        .shell = chaos_node_shell(i),
                                                        .join = i ? chaos_peer_url(0) : NULL,
                                                        .client_url = chaos_client_url(i),
                                                        .peer_url = chaos_peer_url(i)});
        if (i == 0)
            live_node_await_ready(chaos_nodes[0]);
    }
    for (uint32_t i = 0; i < CHAOS_FOUNDERS; i++)
        live_node_await_ready(chaos_nodes[i]);
    for (uint32_t i = 0; i < CHAOS_FOUNDERS; i++)
        live_await_members(chaos_nodes[i], CHAOS_FOUNDERS, 0);
}

static bool is_over(void)
{
    uint64_t least_ms = (uint64_t)chaos_options.seconds * 1000;

    return chaos_now_ms() >= 2 * least_ms ||
           (chaos_now_ms() >= least_ms &&
            chaos_set.additions.acknowledged >= chaos_options.additions);
}

static void run(void)
{
    start_nodes();
    chaos_faults_plan();
    began_ms = live_now_ms();
    chaos_set_begin();
    chaos_register_begin();
    began_ms = live_now_ms();
    chaos_loop_run(is_over);
    lasted_ms = chaos_now_ms();
    printf("healing\n");
    chaos_faults_heal();
    chaos_replicas_check_pairs();
    are_equal = chaos_replicas_converge(&converged_ms);
    chaos_replicas_check_all();
}

/* ---- the report ---- */

static void print_tally(const char *what, const struct chaos_tally *tally)
{
    printf("  %-10s %u begun, %u acknowledged, %u indeterminate, %u refused\n", what, tally->begun,
           tally->acknowledged, tally->indeterminate, tally->refused);
}

static void print_report(void)
{
    printf("seed %llu, N=%u R=%u W=%u %s%s, %.1f s of faults, %.1f s to converge\n",
           (unsigned long long)chaos_options.seed, CHAOS_N, chaos_options.r, chaos_options.w,
           chaos_options.sloppy ? "sloppy" : "strict",
           chaos_options.without_context ? ", writes without context" : "",
           (double)lasted_ms / 1000, (double)converged_ms / 1000);
    printf("  faults    ");
    for (uint32_t i = 0; i < CHAOS_FAULT_KINDS; i++)
        printf(" %u %s%s", chaos_faults_count((enum chaos_fault_kind)i),
               chaos_fault_name((enum chaos_fault_kind)i), i + 1 < CHAOS_FAULT_KINDS ? "," : "\n");
    print_tally("additions", &chaos_set.additions);
    printf("  set        %u lost, %u stale reads, %u lacking in some %u replicas before repair, "
           "%u never written, at most %u siblings\n",
           chaos_set.lost, chaos_set.stale, chaos_set.lost_in_pair, chaos_options.r,
           chaos_set.unwritten, chaos_set.siblings_most);
    print_tally("numbers", &chaos_register.writes);
    printf("  register   %u reads, %u refused, %u stale, %u never written; %u saw an older number "
           "than another read before, none of them acknowledged (allowed)\n",
           chaos_register.reads, chaos_register.reads_refused, chaos_register.stale,
           chaos_register.unwritten, chaos_register.went_back);
    printf("  answers    ");
    for (uint32_t i = 0; i < CHAOS_ERRORS_MAX && errors[i].what; i++)
        printf("%s%u %s %s", i ? ", " : "", errors[i].count, errors[i].what,
               dynkv_error_name(errors[i].error));
    printf("%s\n", errors[0].what ? "" : "without an error");
}

static void judge(const char *sentence, bool promised, bool holds)
{
    printf("  %-6s  %s\n", !promised ? "free" : holds ? "ok" : "FAILED", sentence);
    passed += promised && holds;
    failures += promised && !holds;
}

#define CHAOS_LONG_S 120u

static bool all_kinds_came(void)
{
    uint32_t kinds = chaos_net_is_entered() ? CHAOS_FAULT_KINDS : CHAOS_HALVES;

    for (uint32_t i = 0; i < kinds; i++)
        if (chaos_faults_count((enum chaos_fault_kind)i) == 0)
            return false;
    return true;
}

/* A short run draws few faults, and a busy machine does little in it: only a long one must have had all. */
static bool is_long(void)
{
    return chaos_options.seconds >= CHAOS_LONG_S;
}

static void judge_all(void)
{
    judge("the clients got their work done", true,
          chaos_set.additions.acknowledged > 0 && chaos_register.writes.acknowledged > 0 &&
              chaos_register.reads > 0);
    judge("faults of every kind came, and all additions that were asked for", is_long(),
          all_kinds_came() && chaos_set.additions.acknowledged >= chaos_options.additions);
    judge("no acknowledged element is lost", keeps, chaos_set.lost == 0);
    judge("any R replicas hold every acknowledged element, before anything is repaired", is_fresh,
          chaos_set.lost_in_pair == 0);
    judge("no read lacks an element that was acknowledged before it began", is_fresh,
          chaos_set.stale == 0);
    judge("no read of a register is older than what was acknowledged before it began", is_fresh,
          chaos_register.stale == 0);
    judge("nothing was read that was never written", true,
          chaos_set.unwritten == 0 && chaos_register.unwritten == 0);
    judge("all replicas of every key are identical once healed", true, are_equal);
    if (chaos_options.expect_violations)
        judge("what is not promised does not hold", true,
              chaos_set.lost + chaos_set.stale + chaos_register.stale > 0);
}

/* ---- options ---- */

static void usage(const char *program)
{
    fprintf(stderr,
            "usage: %s DYNKVD [--seed N] [--seconds S] [--additions N] [--r R] [--w W]\n"
            "       [--loopback] [--sloppy] [--change] [--without-context] [--without-reading]\n"
            "       [--expect-violations]\n",
            program);
    exit(2);
}

static uint64_t number(const char *program, uint64_t least, uint64_t most)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(optarg, &end, 10);
    if (errno || *end || end == optarg || value < least || value > most) {
        fprintf(stderr, "%s: \"%s\" is no number from %llu to %llu\n", program, optarg,
                (unsigned long long)least, (unsigned long long)most);
        usage(program);
    }
    return value;
}

static void read_options(int argc, char **argv)
{
    static const struct option table[] = {{"seed", required_argument, NULL, 's'},
                                          {"seconds", required_argument, NULL, 't'},
                                          {"additions", required_argument, NULL, 'a'},
                                          {"r", required_argument, NULL, 'r'},
                                          {"w", required_argument, NULL, 'w'},
                                          {"loopback", no_argument, NULL, 'l'},
                                          {"sloppy", no_argument, NULL, 'y'},
                                          {"change", no_argument, NULL, 'm'},
                                          {"without-context", no_argument, NULL, 'c'},
                                          {"without-reading", no_argument, NULL, 'd'},
                                          {"expect-violations", no_argument, NULL, 'e'},
                                          {NULL, 0, NULL, 0}};
    struct chaos_options *options = &chaos_options;
    int option;

    options->seed = (uint64_t)time(NULL);
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (option) {
        case 's':
            options->seed = number(argv[0], 0, UINT64_MAX);
            break;
        case 't':
            options->seconds = (uint32_t)number(argv[0], 20, CHAOS_SECONDS_MAX);
            break;
        case 'a':
            options->additions = (uint32_t)number(argv[0], 1, CHAOS_ADDITIONS_MAX / 2);
            break;
        case 'r':
            options->r = (uint8_t)number(argv[0], 1, CHAOS_N);
            break;
        case 'w':
            options->w = (uint8_t)number(argv[0], 1, CHAOS_N);
            break;
        case 'l':
            options->loopback = true;
            break;
        case 'y':
            options->sloppy = true;
            break;
        case 'm':
            options->change = true;
            break;
        case 'c':
            options->without_context = true;
            break;
        case 'd':
            options->without_reading = true;
            break;
        case 'e':
            options->expect_violations = true;
            break;
        default:
            usage(argv[0]);
        }
    }
    if (optind != argc - 1)
        usage(argv[0]);
    keeps = !options->without_context;
    is_fresh = keeps && !options->sloppy && options->r + options->w > (int)CHAOS_N;
}

static void print_repetition(const char *program, const char *dynkvd)
{
    printf("repeat with  %s %s --seed %llu --seconds %u --additions %u --r %u --w %u%s%s%s%s%s%s\n",
           program, dynkvd, (unsigned long long)chaos_options.seed, chaos_options.seconds,
           chaos_options.additions, chaos_options.r, chaos_options.w,
           chaos_options.loopback ? " --loopback" : "", chaos_options.sloppy ? " --sloppy" : "",
           chaos_options.change ? " --change" : "",
           chaos_options.without_context ? " --without-context" : "",
           chaos_options.without_reading ? " --without-reading" : "",
           chaos_options.expect_violations ? " --expect-violations" : "");
    printf("its files are in %s\n", live_folder());
}

int main(int argc, char **argv)
{
    char text[256];

    read_options(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (chaos_options.loopback)
        printf("on loopback: no partitions\n");
    else if (!chaos_net_enter(text))
        printf("SKIPPED: partitions: %s; kills and pauses only, on loopback\n", text);
    if (!live_begin(argv[optind]))
        return 2;
    if (live_run(run)) {
        print_report();
        judge_all();
    } else {
        failures++;
    }
    chaos_loop_end();
    chaos_change_end();
    chaos_set_end();
    if (failures)
        print_repetition(argv[0], argv[optind]);
    live_end(failures == 0);
    printf("chaos: %u passed, %u failed\n", passed, failures);
    return failures ? 1 : 0;
}
