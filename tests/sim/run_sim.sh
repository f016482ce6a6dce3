#!/usr/bin/env bash
# The simulator's test: fresh seeds, found seeds, the same trace twice, and every mutant caught.
#
#   tests/sim/run_sim.sh PROGRAM [SEEDS [FIRST]]        the last line is "sim: N passed, N failed"
#
# The first seed follows from the commit, so every commit tries other seeds, and whoever has the commit tries
# the very same ones; without git it is 1.  It is printed.
set -u
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
SIM=$1 SEEDS=${2:-300} MUTANT_SEEDS=500 JOBS=${JOBS:-$(nproc)}
PASSED=0 FAILED=0
LOGS=$(mktemp -d)
trap 'rm -rf "$LOGS"' EXIT

first_seed() {
    local commit
    commit=$(git -C "$HERE" rev-parse HEAD 2>/dev/null) || commit=0
    echo $((16#${commit:0:10} + 1))
}

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

fresh_seeds() { # two at a time: each is one thread
    local half=$((FIRST + SEEDS / 2)) last=$((FIRST + SEEDS - 1)) status=0
    echo "seeds of this commit: $SIM --quiet --seeds $FIRST..$last"
    "$SIM" --quiet --seeds "$FIRST..$((half - 1))" >"$LOGS/a" 2>&1 &
    local other=$!
    "$SIM" --quiet --seeds "$half..$last" >"$LOGS/b" 2>&1
    verdict $? "seeds $half to $last hold every invariant" "$LOGS/b"
    wait $other || status=$?
    verdict $status "seeds $FIRST to $((half - 1)) hold every invariant" "$LOGS/a"
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

mutant() { # mutant NAME INVARIANT [ARGUMENTS]: leaves its status in a file
    local name=$1 invariant=$2
    shift 2
    [ $# -gt 0 ] || set -- --seeds "1..$MUTANT_SEEDS"
    "$SIM" --quiet "$@" --mutate "$name" --until "$invariant" >"$LOGS/mutant-$name" 2>&1
    echo $? >"$LOGS/status-$name"
}

mutants() {
    local name invariant listed
    export -f mutant
    export SIM LOGS MUTANT_SEEDS
    grep -v '^#' "$HERE/mutants" | xargs -P "$JOBS" -L 1 bash -c 'mutant "$@"' mutant
    while read -r name invariant _; do
        case $name in '' | '#'*) continue ;; esac
        verdict "$(cat "$LOGS/status-$name")" "mutant $name is caught by invariant $invariant" "$LOGS/mutant-$name"
    done <"$HERE/mutants"
    listed=$("$SIM" --mutate help | awk '{ print $1 }' | sort)
    [ "$listed" = "$(sed -E '/^#/d; s/ .*//' "$HERE/mutants" | sort)" ]
    verdict $? "every mutant has an invariant that must catch it"
}

FIRST=${3:-$(first_seed)}
fresh_seeds
same_trace
found_seeds
mutants
echo "sim: $PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]
