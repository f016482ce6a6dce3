#!/usr/bin/env bash
# The same work on a local table, on a table behind postgres_fdw, and on dynkv, one after the other in
# one run, since only figures taken together can be compared.  Prints tables in Markdown.
#
#   bench/compare/run.sh [--rows N] [--seconds S] [--repeat K] [--only sql|tps|store]
#
#   local          an ordinary table with a primary key
#   postgres_fdw   the same table through a loopback TCP connection, batch_size and fetch_size 1000
#   dynkv_fdw      three nodes on this machine, N=3 R=2 W=2, RocksDB, every write synced
#
# Every figure is the median of K runs.  The result is also left in build/bench/compare.md.
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/common.sh"
. "$ROOT/bench/compare/measure.sh"

ROWS=100000 SECONDS_EACH=4 REPEAT=3 ONLY=all
while [ $# -gt 0 ]; do
    case $1 in
    --rows) ROWS=$2 ;;
    --seconds) SECONDS_EACH=$2 ;;
    --repeat) REPEAT=$2 ;;
    --only) ONLY=$2 ;;
    *)
        sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    esac
    shift 2 || exit 2
done

KINDS="local postgres_fdw dynkv_fdw"
STATE=$(state_dir bench) || exit 1
SCRIPTS=$ROOT/bench/compare

finish() {
    [ -z "${started_pg:-}" ] || "$ROOT/scripts/pg.sh" "$STATE/pg" stop
    [ -z "${started_cluster:-}" ] || "$ROOT/scripts/cluster.sh" "$STATE/cluster" stop
}
trap finish EXIT
trap 'exit 130' INT TERM

start_all() {
    [ ! -f "$STATE/cluster/cluster.conf" ] || "$ROOT/scripts/cluster.sh" "$STATE/cluster" stop
    "$ROOT/scripts/pg.sh" install || exit 1
    "$ROOT/scripts/pg.sh" "$STATE/pg" stop
    rm -rf "$STATE/pg" "$STATE/cluster"
    started_cluster=yes
    "$ROOT/scripts/cluster.sh" "$STATE/cluster" start || exit 1
    HOSTS=$("$ROOT/scripts/cluster.sh" "$STATE/cluster" hosts)
    started_pg=yes
    "$ROOT/scripts/pg.sh" "$STATE/pg" start || exit 1
    local settings
    settings=$("$ROOT/scripts/pg.sh" "$STATE/pg" env) || exit 1
    eval "$settings"
    "$PG_BIN/psql" -X -q -c 'CREATE DATABASE bench' || exit 1
    export PGDATABASE=bench
    "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -v hosts="$HOSTS" -v port="$PGPORT" \
        -v password="$(cat "$STATE/pg/password")" -v rows="$ROWS" -v repeat="$REPEAT" \
        -f "$SCRIPTS/tables.sql" >/dev/null || exit 1
}

# ---- statements, in milliseconds ----

VALUE="repeat(md5(i::text), 3) || 'four'" # 100 bytes
row_insert() {
    printf '| INSERT…SELECT of %s rows, ms |' "$ROWS"
    local kind i
    for kind in $KINDS; do
        for ((i = 1; i <= REPEAT; i++)); do
            statement_ms "INSERT INTO ${kind}_$i SELECT i, $VALUE FROM generate_series(1, $ROWS) i"
        done | cell
    done
    printf '\n'
    "$PG_BIN/psql" -X -q -c "ANALYZE local_1" -c "ANALYZE postgres_fdw_1" >/dev/null
}

row_statement() { # what, statement with KV for the table
    printf '| %s |' "$1"
    local kind i
    for kind in $KINDS; do
        for ((i = 1; i <= REPEAT; i++)); do
            statement_ms "${2//KV/${kind}_1}"
        done | cell
    done
    printf '\n'
}

table_statements() {
    printf '| work | local table | postgres_fdw | dynkv_fdw |\n|---|---|---|---|\n'
    row_insert
    row_statement "sum(length(value)) of all, ms" "SELECT sum(length(value)) FROM KV"
    row_statement "count(*), ms" "SELECT count(*) FROM KV"
    row_statement "join of 10,000 local rows by key, ms" \
        "SELECT count(*), sum(length(value)) FROM wanted JOIN KV USING (id)"
    row_statement "key IN (1000 from a subselect), ms" \
        "SELECT count(*), sum(length(value)) FROM KV WHERE id IN (SELECT id FROM wanted WHERE n <= 1000)"
    row_statement "key = ANY (array of 1000), ms" \
        "SELECT count(*), sum(length(value)) FROM KV WHERE id = ANY (ARRAY(SELECT id FROM wanted WHERE n <= 1000))"
}

# ---- transactions a second ----

row_pgbench() { # what, mode, clients, script
    printf '| %s, %s client%s, %s |' "$1" "$3" "$([ "$3" = 1 ] || echo s)" "$2"
    local kind i
    for kind in $KINDS; do
        for ((i = 1; i <= REPEAT; i++)); do
            pgbench_tps "$2" "$3" "$SCRIPTS/$4" "$kind"
        done | cell
    done
    printf '\n'
}

table_pgbench() {
    local clients mode
    printf '\n| transactions a second | local table | postgres_fdw | dynkv_fdw |\n|---|---|---|---|\n'
    for mode in simple prepared; do
        for clients in 1 8; do row_pgbench "SELECT by key" $mode $clients select.sql; done
    done
    for clients in 1 8; do row_pgbench "UPDATE by key" simple $clients update.sql; done
    for clients in 1 8; do row_pgbench "INSERT" simple $clients insert.sql; done
}

# ---- the store without SQL ----

table_store() {
    local arguments
    printf '\nWithout SQL, the same cluster, each line one run:\n\n'
    while read -r arguments; do
        printf '```\n$ dynkv bench %s\n' "$arguments"
        "$BUILD/dynkv" -H "$HOSTS" bench $arguments 2>&1
        printf '```\n'
    done <"$SCRIPTS/store_runs"
}

load() {
    cut -d ' ' -f 1 /proc/loadavg
}

start_all
mkdir -p "$BUILD/bench"
LOAD_BEFORE=$(load) # what else runs here: on a busy machine the figures are only rough
{
    printf '%s, %s CPUs, PostgreSQL %s, %s; N=3 R=2 W=2, every write synced; medians of %s\n\n' \
        "$(date -u +%F)" "$(nproc)" "$("$PG_BIN/pg_config" --version | cut -d ' ' -f 2)" \
        "100-byte values" "$REPEAT"
    [[ $ONLY != all && $ONLY != sql ]] || table_statements
    if [ "$ONLY" = tps ]; then row_insert >/dev/null; fi
    [[ $ONLY != all && $ONLY != tps ]] || table_pgbench
    [[ $ONLY != all && $ONLY != store ]] || table_store
    printf '\nLoad average before the run: %s, after it: %s\n' "$LOAD_BEFORE" "$(load)"
} | tee "$BUILD/bench/compare.md"
