#!/usr/bin/env bash
# The differential test on a cluster and a PostgreSQL of its own, both new and both gone afterwards.
#
#   tests/differential/run_differential.sh PROGRAM [options of the program]
#   tests/differential/run_differential.sh PROGRAM --soak SECONDS FIRST_SEED [options of the program]
#
# Without --seeds they come from the commit, so that what runs before a change is handed in is what will
# run on it afterwards, and yet each commit walks another road.
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/common.sh"

SEEDS=30       # of one run: about 12,000 statements
SOAK_SEEDS=100 # between two new clusters, as the deleted rows of old seeds make scans slow

program=$1
shift
state=$(state_dir differential) || exit 1

down() {
    [ -z "${started_pg:-}" ] || "$ROOT/scripts/pg.sh" "$state/pg" stop
    [ -z "${started_cluster:-}" ] || "$ROOT/scripts/cluster.sh" "$state/cluster" stop
    started_pg='' started_cluster=''
}
trap down EXIT
trap 'exit 130' INT TERM

up() {
    # What an earlier, interrupted run may have left.
    [ ! -f "$state/cluster/cluster.conf" ] || "$ROOT/scripts/cluster.sh" "$state/cluster" stop
    "$ROOT/scripts/pg.sh" "$state/pg" stop
    rm -rf "$state/cluster"
    started_cluster=yes
    "$ROOT/scripts/cluster.sh" "$state/cluster" start -- --storage memory --partitions 16 || exit 1
    started_pg=yes
    "$ROOT/scripts/pg.sh" "$state/pg" start -c fsync=off -c autovacuum=off || exit 1
    settings=$("$ROOT/scripts/pg.sh" "$state/pg" env) || exit 1
    eval "$settings"
    export PGDATABASE=postgres
    hosts=$("$ROOT/scripts/cluster.sh" "$state/cluster" hosts)
}

seed_of_commit() {
    local commit
    commit=$(git -C "$ROOT" rev-parse HEAD 2>/dev/null) || commit=000001
    printf '%d\n' $((16#${commit:0:6} * 1000))
}

# A test that cannot fail would say nothing.
notices_sabotage() {
    if "$program" --hosts "$hosts" --seeds 1 --statements 40 --sabotage 1 >"$state/sabotage.log"; then
        tail -n 5 "$state/sabotage.log"
        die "a row that only one side has was not found: the comparison is broken"
    fi
}

run_seeds() { # first, last, options
    local first=$1 last=$2
    shift 2
    "$program" --hosts "$hosts" --jobs "$JOBS" --seeds "$first..$last" "$@"
}

soak() { # seconds, first seed, options
    local limit=$1 seed=$2
    shift 2
    while [ $SECONDS -lt "$limit" ]; do
        up
        run_seeds "$seed" $((seed + SOAK_SEEDS - 1)) "$@" || exit 1
        seed=$((seed + SOAK_SEEDS))
        down
    done
}

"$ROOT/scripts/pg.sh" install || exit 1
if [ "${1:-}" = --soak ]; then
    soak "$2" "$3" "${@:4}"
    exit
fi
up
notices_sabotage
if [[ " $* " == *" --seeds "* ]]; then
    "$program" --hosts "$hosts" --jobs "$JOBS" "$@"
else
    first=$(seed_of_commit)
    run_seeds "$first" $((first + SEEDS - 1)) "$@"
fi
