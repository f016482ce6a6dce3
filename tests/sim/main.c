/*
 * main.c: dynkv-sim: thousands of clusters, each a seed.
 *
 *   dynkv-sim --seeds A..B [--nodes K] [--ops N] [--faults all|none|LIST] [--mutate NAME] [--trace]
 *
 * One line a seed, a summary line last; exit 1 on any violation, with the command that repeats it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim.h"

#define OPS_DEFAULT 1500u

struct mutant_name {
    const char *name, *text;
};

static const struct mutant_name mutants[] = {{"none", ""},
#define MUTANT_NAME(upper, name, text) {#name, text},
                                             DYNKV_MUTANTS(MUTANT_NAME)
#undef MUTANT_NAME
};
#define MUTANT_COUNT ((uint32_t)(sizeof mutants / sizeof mutants[0]))

static const char *const fault_texts[] = {
#define FAULT_TEXT(upper, name, text) text,
    SIM_FAULTS(FAULT_TEXT)
#undef FAULT_TEXT
};

static _Noreturn void usage(const char *why)
{
    fprintf(
        stderr,
        "dynkv-sim: %s\n"
        "usage: dynkv-sim --seeds A..B [--nodes K] [--ops N] [--faults all|none|LIST]\n"
        "                 [--mutate NAME|help] [--until INVARIANT] [--quiet] [--trace]\n"
        "  --until      stop at the first seed that violates this invariant; others don't count\n"
        "  --quiet      only seeds with a violation get a line\n"
        "faults:\n",
        why);
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++)
        fprintf(stderr, "  %-12s %s\n", sim_fault_name((enum sim_fault)i), fault_texts[i]);
    exit(2);
}

static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);

    if (end == text || (*end && *end != '.'))
        usage("a number is expected");
    return number;
}

static void take_seeds(const char *text, struct sim_options *options)
{
    const char *dots = strstr(text, "..");

    options->first_seed = number_of(text);
    options->last_seed = dots ? number_of(dots + 2) : options->first_seed;
    if (options->last_seed < options->first_seed)
        usage("--seeds A..B, with A not above B");
}

static uint32_t faults_of(const char *text)
{
    uint32_t faults = 0;

    if (strcmp(text, "all") == 0)
        return (1u << SIM_FAULT_COUNT) - 1;
    if (strcmp(text, "none") == 0)
        return 0;
    while (*text) {
        size_t len = strcspn(text, ",");
        uint32_t i = 0;

        while (i < SIM_FAULT_COUNT && (strlen(sim_fault_name((enum sim_fault)i)) != len ||
                                       memcmp(sim_fault_name((enum sim_fault)i), text, len) != 0))
            i++;
        if (i == SIM_FAULT_COUNT)
            usage("unknown fault");
        faults |= 1u << i;
        text += len + (text[len] == ',');
    }
    return faults;
}

static enum dynkv_mutant mutant_of(const char *text)
{
    if (strcmp(text, "help") == 0) {
        for (uint32_t i = 1; i < MUTANT_COUNT; i++)
            printf("%-22s %s\n", mutants[i].name, mutants[i].text);
        exit(0);
    }
    for (uint32_t i = 1; i < MUTANT_COUNT; i++)
        if (strcmp(text, mutants[i].name) == 0)
            return (enum dynkv_mutant)i;
    usage("unknown mutant; --mutate help lists them");
}

static void take_arguments(int argc, char **argv, struct sim_options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(name, "--trace") == 0) {
            options->trace = true;
            continue;
        }
        if (strcmp(name, "--quiet") == 0) {
            options->quiet = true;
            continue;
        }
        if (!value)
            usage("a value is missing");
        i++;
        if (strcmp(name, "--seeds") == 0)
            take_seeds(value, options);
        else if (strcmp(name, "--nodes") == 0)
            options->nodes = (uint32_t)number_of(value);
        else if (strcmp(name, "--ops") == 0)
            options->ops = (uint32_t)number_of(value);
        else if (strcmp(name, "--faults") == 0)
            options->faults = faults_of(value);
        else if (strcmp(name, "--mutate") == 0)
            options->mutant = mutant_of(value);
        else if (strcmp(name, "--until") == 0)
            options->meant_for = value;
        else
            usage("unknown option");
    }
    if (options->first_seed == 0)
        usage("--seeds A..B is needed, from 1");
    if (options->nodes > SIM_NODES_MAX)
        usage("too many --nodes");
}

/* ---- running ---- */

struct totals {
    uint64_t seeds, violations, ops, steps;
    bool caught;
};

static void print_repeat(const struct sim_options *options, uint64_t seed)
{
    printf("    repeat: dynkv-sim --seeds %llu", (unsigned long long)seed);
    if (options->nodes)
        printf(" --nodes %u", options->nodes);
    if (options->ops != OPS_DEFAULT)
        printf(" --ops %u", options->ops);
    if (options->faults != (1u << SIM_FAULT_COUNT) - 1) {
        printf(" --faults %s", options->faults ? "" : "none");
        for (uint32_t i = 0, count = 0; i < SIM_FAULT_COUNT; i++)
            if (options->faults >> i & 1)
                printf("%s%s", count++ ? "," : "", sim_fault_name((enum sim_fault)i));
    }
    if (options->mutant)
        printf(" --mutate %s", mutants[options->mutant].name);
    printf(" --trace\n");
}

static void run_one(const struct sim_options *options, uint64_t seed, struct totals *totals)
{
    static struct sim sim; /* large */
    char swarm[256];

    sim_run_seed(&sim, options, seed);
    sim_swarm_print(&sim.swarm, swarm, sizeof swarm);
    totals->seeds++;
    totals->ops += sim.ops_done;
    totals->steps += sim.steps;
    if (!options->quiet || sim.report.found)
        printf("seed %llu: %s: %llu ops, trace %016llx: %s\n", (unsigned long long)seed, swarm,
               (unsigned long long)sim.ops_done, (unsigned long long)sim.trace_hash,
               sim.report.found ? "VIOLATION" : "ok");
    if (sim.report.found) {
        totals->violations++;
        totals->caught =
            options->meant_for && strcmp(sim.report.invariant, options->meant_for) == 0;
        printf("    invariant %s at %.3f ms: %s\n", sim.report.invariant,
               (double)sim.report.at_us / 1000, sim.report.text);
        print_repeat(options, seed);
    }
    sim_fini(&sim);
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now); /* for the figures alone */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct sim_options options = {.ops = OPS_DEFAULT, .faults = (1u << SIM_FAULT_COUNT) - 1};
    struct totals totals = {0};
    double began = seconds_now(), took;

    setvbuf(stdout, NULL, _IOLBF, 0);
    take_arguments(argc, argv, &options);
    for (uint64_t seed = options.first_seed; seed <= options.last_seed && !totals.caught; seed++)
        run_one(&options, seed, &totals);
    took = seconds_now() - began;
    printf("%llu seeds, %llu violations, %llu ops, %llu steps in %.1f s: %.0f ops/s, %.0f steps/s, "
           "%.0f seeds/min\n",
           (unsigned long long)totals.seeds, (unsigned long long)totals.violations,
           (unsigned long long)totals.ops, (unsigned long long)totals.steps, took,
           (double)totals.ops / took, (double)totals.steps / took,
           (double)totals.seeds * 60 / took);
    if (options.meant_for)
        return totals.caught ? 0 : 1;
    return totals.violations ? 1 : 0;
}
