#!/usr/bin/env bash
# Runs the SQL suites (sql/NAME.sql against expected/NAME.out) with pg_regress, on a three-node cluster
# and a private PostgreSQL of their own, both new and both gone afterwards.
#
#   scripts/regress.sh [SUITE]...      all of them without arguments
#
# The order is that of sql/schedule; a suite not listed there runs after those that are.  A suite gets
# its cluster with  \getenv hosts DYNKV_HOSTS  ("127.0.0.1:PORT,..."), and, to stop and start nodes,
# \! "$DYNKV_CLUSTER" kill 1  and so on (scripts/cluster.sh with its folder), and the command line as
# \! "$DYNKV" -H "$DYNKV_HOSTS" ...
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

suites() {
    local name file
    {
        grep -v '^ *\(#\|$\)' "$ROOT/sql/schedule" 2>/dev/null
        for file in "$ROOT"/sql/*.sql; do
            name=${file##*/}
            printf '%s\n' "${name%.sql}"
        done
    } | awk '!seen[$1]++ { print $1 }'
}

state=$(state_dir regress) || exit 1
finish() {
    [ -z "${started_pg:-}" ] || "$ROOT/scripts/pg.sh" "$state/pg" stop
    [ -z "${started_cluster:-}" ] || "$ROOT/scripts/cluster.sh" "$state/cluster" stop
}
trap finish EXIT
trap 'exit 130' INT TERM

compgen -G "$ROOT/sql/*.sql" >/dev/null || die "no suites in sql/"
[ $# -gt 0 ] || set -- $(suites)

# What an earlier, interrupted run may have left.
[ ! -f "$state/cluster/cluster.conf" ] || "$ROOT/scripts/cluster.sh" "$state/cluster" stop
"$ROOT/scripts/pg.sh" install || exit 1
"$ROOT/scripts/pg.sh" "$state/pg" stop
rm -rf "$state/pg" "$state/cluster"

started_cluster=yes
"$ROOT/scripts/cluster.sh" "$state/cluster" start || exit 1
started_pg=yes
"$ROOT/scripts/pg.sh" "$state/pg" start || exit 1

settings=$("$ROOT/scripts/pg.sh" "$state/pg" env) || exit 1
eval "$settings"
DYNKV_HOSTS=$("$ROOT/scripts/cluster.sh" "$state/cluster" hosts)
cat >"$state/cluster.command" <<END
#!/bin/sh
exec '$ROOT/scripts/cluster.sh' '$state/cluster' "\$@"
END
chmod +x "$state/cluster.command"
export DYNKV_HOSTS DYNKV_CLUSTER=$state/cluster.command DYNKV=${DYNKV:-$BUILD/dynkv}

output=$BUILD/regress-output
rm -rf "$output"
mkdir -p "$output"
pg_regress=$("$(find_pg_config)" --pkglibdir)/pgxs/src/test/regress/pg_regress
"$pg_regress" --inputdir="$ROOT" --outputdir="$output" --bindir="$PG_BIN" --host="$PGHOST" --port="$PGPORT" \
    --user=postgres --dbname=regress --encoding=UTF8 --no-locale --load-extension=dynkv_fdw "$@"
status=$?
[ $status -eq 0 ] || say "repeat with  scripts/regress.sh SUITE   (differences: $output/regression.diffs)"
exit $status
