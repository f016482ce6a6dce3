#!/usr/bin/env bash
# The simulator's test: fixed seeds, found seeds, the same trace twice, and every mutant caught.
#
#   tests/sim/run_sim.sh PROGRAM [SEEDS]        the last line is "sim: N passed, N failed"
set -u
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
SIM=$1 SEEDS=${2:-300} MUTANT_SEEDS=500
PASSED=0 FAILED=0
LOGS=$(mktemp -d)
trap 'rm -rf "$LOGS"' EXIT

verdict() { # verdict STATUS WHAT [LOG]: counts, and shows what failed
    if [ "$1" -eq 0 ]; then
        PASSED=$((PASSED + 1))
        printf '%-56s ok\n' "$2"
    else
        FAILED=$((FAILED + 1))
        printf '%-56s FAILED\n' "$2"
        [ -z "${3:-}" ] || tail -n 12 "$3"
    fi
}

fixed_seeds() { # two at a time: each is one thread
    local half=$((SEEDS / 2)) status=0
    "$SIM" --quiet --seeds 1..$half >"$LOGS/a" 2>&1 &
    local first=$!
    "$SIM" --quiet --seeds $((half + 1))..$SEEDS >"$LOGS/b" 2>&1
    verdict $? "seeds $((half + 1)) to $SEEDS hold every invariant" "$LOGS/b"
    wait $first || status=$?
    verdict $status "seeds 1 to $half hold every invariant" "$LOGS/a"
    tail -qn 1 "$LOGS/a" "$LOGS/b"
}

same_trace() {
    local status=0
    for run in 1 2; do
        "$SIM" --seeds 1..12 | grep '^seed' >"$LOGS/trace$run"
    done
    [ -s "$LOGS/trace1" ] && cmp -s "$LOGS/trace1" "$LOGS/trace2" || status=1
    verdict $status "the same seed gives the same trace"
}

found_seeds() { # lines of regressions: arguments, then what it was
    local arguments what
    while IFS='#' read -r arguments what; do
        [ -n "${arguments// /}" ] || continue
        # shellcheck disable=SC2086 # the arguments are words
        "$SIM" --quiet $arguments >"$LOGS/found" 2>&1
        verdict $? "found: $arguments" "$LOGS/found"
    done <"$HERE/regressions"
}

mutants() {
    local name invariant listed
    while read -r name invariant; do
        case $name in '' | '#'*) continue ;; esac
        "$SIM" --quiet --seeds 1..$MUTANT_SEEDS --mutate "$name" --until "$invariant" \
            >"$LOGS/mutant" 2>&1
        verdict $? "mutant $name is caught by invariant $invariant" "$LOGS/mutant"
    done <"$HERE/mutants"
    listed=$("$SIM" --mutate help | awk '{ print $1 }' | sort)
    [ "$listed" = "$(sed -E '/^#/d; s/ .*//' "$HERE/mutants" | sort)" ]
    verdict $? "every mutant has an invariant that must catch it"
}

fixed_seeds
same_trace
found_seeds
mutants
echo "sim: $PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]
