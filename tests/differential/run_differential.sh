#!/usr/bin/env bash
# The differential test on a cluster and a PostgreSQL of its own, both new and both gone afterwards.
#
#   tests/differential/run_differential.sh PROGRAM [options of the program]
#
# Without --seeds they come from the commit, so that what runs before a change is handed in is what will
# run on it afterwards, and yet each commit walks another road.
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/common.sh"

program=$1
shift
state=$(state_dir differential) || exit 1
finish() {
    [ -z "${started_pg:-}" ] || "$ROOT/scripts/pg.sh" "$state/pg" stop
    [ -z "${started_cluster:-}" ] || "$ROOT/scripts/cluster.sh" "$state/cluster" stop
}
trap finish EXIT
trap 'exit 130' INT TERM

seed_of_commit() {
    local commit
    commit=$(git -C "$ROOT" rev-parse HEAD 2>/dev/null) || commit=00000001
    printf '%d\n' $((16#${commit:0:6} * 1000))
}

# What an earlier, interrupted run may have left.
[ ! -f "$state/cluster/cluster.conf" ] || "$ROOT/scripts/cluster.sh" "$state/cluster" stop
"$ROOT/scripts/pg.sh" install || exit 1
"$ROOT/scripts/pg.sh" "$state/pg" stop
rm -rf "$state/cluster" "$state/pg/data"
started_cluster=yes
"$ROOT/scripts/cluster.sh" "$state/cluster" start -- --storage memory --partitions 16 || exit 1
started_pg=yes
"$ROOT/scripts/pg.sh" "$state/pg" start -c fsync=off -c autovacuum=off || exit 1
settings=$("$ROOT/scripts/pg.sh" "$state/pg" env) || exit 1
eval "$settings"
export PGDATABASE=postgres

hosts=$("$ROOT/scripts/cluster.sh" "$state/cluster" hosts)
if [[ " $* " != *" --seeds "* ]]; then
    first=$(seed_of_commit)
    set -- --seeds "$first..$((first + 49))" "$@"
fi
if "$program" --hosts "$hosts" --seeds 1 --statements 40 --sabotage 1 >"$state/sabotage.log"; then
    tail -n 5 "$state/sabotage.log"
    die "a row that only one side has was not found: the comparison is broken"
fi
"$program" --hosts "$hosts" --jobs "$JOBS" "$@"
