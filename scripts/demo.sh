#!/usr/bin/env bash
# A working system in one command: a three-node dynkv cluster and a private PostgreSQL, with this
# machine's own Debian package index in it, and queries on it while a node dies and comes back.
#
#   scripts/demo.sh                 installs what is missing, builds, starts, loads, shows
#   scripts/demo.sh psql [ARGS]     psql in the demo's database
#   scripts/demo.sh status          what runs
#   scripts/demo.sh down            stops everything and removes the demo's data
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

PACKAGES_MIN=5000 # fewer than that is not a distribution's index, but what is left of one
CLIENT_PORTS=(7401 7402 7403)
PEER_PORTS=(7501 7502 7503)
PG_PORT=7432

usage() {
    sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

cluster() {
    "$ROOT/scripts/cluster.sh" "$STATE/cluster" "$@"
}

pg() {
    "$ROOT/scripts/pg.sh" "$STATE/pg" "$@"
}

# psql in the demo's database, without the user's .psqlrc; stops at the first error.
demo_psql() {
    PGDATABASE=demo pg psql -X -v ON_ERROR_STOP=1 "$@"
}

dynkv() {
    "$BUILD/dynkv" -H "$(cluster hosts)" "$@"
}

# Prints "dynkv status" as one would type it for these nodes, and the members; its counters fill a page.
show_members() {
    local nodes
    nodes=$(cluster hosts) || exit 1
    [ "$nodes" = "$(printf '127.0.0.1:%s\n' "${CLIENT_PORTS[@]}" | paste -sd ,)" ] && nodes= || nodes=" -H $nodes"
    printf "$ build/dynkv%s status | sed '/^COUNTER/,\$d'\n" "$nodes"
    dynkv status | sed '/^COUNTER/,$d'
    [ "${PIPESTATUS[0]}" -eq 0 ] || die "dynkv status failed"
}

step() {
    printf '\n== %s\n\n' "$*"
}

# show SQL: prints a statement as one would type it, and what comes of it.
show() {
    local shown=$1
    [[ $shown == \\* ]] || shown="$shown;"
    printf 'demo=# %s\n' "$shown"
    demo_psql -q -c '\timing on' -c '\set QUIET off' -c "$1" || die "this statement failed"
}

# expect WHAT SQL: the statement's one value has to be that.
expect() {
    local got
    got=$(demo_psql -Atq -c "$2") || die "this statement failed: $2"
    [ "$got" = "$1" ] || die "expected $1, got $got, from: $2"
}

demo_is_running() {
    [ -f "$STATE/running" ] && { pg psql -Atqc 'SELECT 1' >/dev/null 2>&1 || cluster_has_nodes; }
}

cluster_has_nodes() {
    local file
    for file in "$STATE"/cluster/node*.pid; do
        process_alive "$file" >/dev/null && return 0
    done
    return 1
}

# ---- bringing it up ----

start_cluster() {
    local ports=() i
    if ports_are_free "${CLIENT_PORTS[@]}" "${PEER_PORTS[@]}"; then
        for i in 0 1 2; do ports+=("${CLIENT_PORTS[i]}" "${PEER_PORTS[i]}"); done
    else
        say "the usual ports (${CLIENT_PORTS[*]} ${PEER_PORTS[*]}) are taken: using others"
        read -ra ports <<<"$(free_ports 6)"
        [ ${#ports[@]} -eq 6 ] || exit 1
    fi
    cluster start --ports "$(IFS=, && echo "${ports[*]}")" || exit 1
}

start_postgres() {
    local port=$PG_PORT
    if ! ports_are_free "$port"; then
        say "the usual port ($port) is taken: using another"
        port=$(free_ports 1) || exit 1
    fi
    pg start --port "$port" || exit 1
    pg psql -X -q -c 'CREATE DATABASE demo' || exit 1
}

make_tables() {
    show "CREATE EXTENSION dynkv_fdw"
    show "CREATE SERVER kv FOREIGN DATA WRAPPER dynkv_fdw
    OPTIONS (hosts '$(cluster hosts)')"
    show "CREATE USER MAPPING FOR PUBLIC SERVER kv"
    show "CREATE FOREIGN TABLE packages (
    name text, version text, architecture text,
    section text, maintainer text, installed_size bigint, dependencies text, description text)
    SERVER kv OPTIONS (keyspace 'packages', partition_key 'name', sort_key 'version,architecture')"
    show "CREATE TABLE installed (name text, version text, architecture text,
    PRIMARY KEY (name, architecture))"
}

count_available() {
    apt-cache dumpavail 2>/dev/null | grep -c '^Package:'
}

write_package_index() {
    if [ "$(count_available)" -lt $PACKAGES_MIN ]; then
        say "this machine has no package index yet: apt-get update"
        apt_get update || die "apt-get update failed: look at its messages above"
    fi
    apt-cache dumpavail | awk -f "$ROOT/scripts/packages_to_copy.awk" >"$STATE/packages.copy"
    AVAILABLE=$(wc -l <"$STATE/packages.copy")
    [ "$AVAILABLE" -ge $PACKAGES_MIN ] ||
        die "apt-cache dumpavail gave $AVAILABLE packages: are there sources in /etc/apt?"
}

load_tables() {
    say "$AVAILABLE records of apt-cache dumpavail:"
    show "\\copy packages FROM '${STATE#"$PWD"/}/packages.copy'"
    dpkg-query -W -f '${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n' |
        awk -F '\t' '$1 ~ /^.i/ { print $2 "\t" $3 "\t" $4 }' >"$STATE/installed.copy"
    show "\\copy installed FROM '${STATE#"$PWD"/}/installed.copy'"
    show "ANALYZE installed"
}

# ---- what it can do ----

ALIVE="SELECT count(*) FROM packages"

# The package of the server that runs here: it is in every index that the demo can load.
server_package() {
    printf 'postgresql-%s\n' "$("$(find_pg_config)" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')"
}

show_queries() {
    step "A point lookup: the first key column decides which nodes are asked"
    show "SELECT name, version, architecture, section, installed_size, description
    FROM packages WHERE name = '$SERVER_PACKAGE'"
    show "EXPLAIN (COSTS OFF, VERBOSE) SELECT section FROM packages WHERE name = '$SERVER_PACKAGE'"
    step "The largest packages of a section"
    show "SELECT name, version, pg_size_pretty(installed_size * 1024) AS size
    FROM packages WHERE section = 'database' ORDER BY installed_size DESC LIMIT 5"
    step "What is installed here (an ordinary table) against what is available (the cluster)"
    show "SELECT p.section, count(*), pg_size_pretty(sum(p.installed_size) * 1024) AS size
    FROM installed i JOIN packages p USING (name, version, architecture)
    GROUP BY 1 ORDER BY sum(p.installed_size) DESC LIMIT 5"
    step "Many keys at once"
    show "SELECT name, version, section FROM packages WHERE name IN ('gcc', 'make', 'clang', 'no-such-package')
    ORDER BY name"
}

show_changes() {
    step "Changing things"
    show "UPDATE packages SET maintainer = 'you', section = 'demo' WHERE name = 'hello'
    RETURNING name, version, section, maintainer"
    show "DELETE FROM packages WHERE name = 'cowsay' RETURNING name, version"
    show "SELECT name FROM packages WHERE name IN ('hello', 'cowsay')"
    expect 0 "SELECT count(*) FROM packages WHERE name = 'cowsay'"
    expect demo "SELECT min(section) FROM packages WHERE name = 'hello'"
}

# run NODE ARGUMENTS...: prints a dynkv command as one would type it, and what comes of it.
run() {
    local node word shown=
    node=$(cluster hosts | cut -d , -f "$1") || exit 1
    shift
    for word in "$@"; do
        [[ $word =~ ^[[:alnum:]_.:/-]+$ ]] || word="'$word'"
        shown+=" $word"
    done
    printf '$ build/dynkv -H %s%s\n' "$node" "$shown"
    "$BUILD/dynkv" -H "$node" "$@" || die "this command failed"
}

show_both_sides() {
    step "The same data without SQL: from node 2 what SQL wrote, through node 3 what SQL reads"
    show "CREATE FOREIGN TABLE note (title text, body text)
    SERVER kv OPTIONS (keyspace 'note', format 'raw')"
    show "INSERT INTO note VALUES ('greeting', 'hello from SQL')"
    run 2 get note greeting
    run 3 put note answer 'hello from the shell'
    show "SELECT * FROM note ORDER BY title"
    expect 'hello from the shell' "SELECT body FROM note WHERE title = 'answer'"
}

show_failure() {
    local before
    before=$(demo_psql -Atqc "$ALIVE") || exit 1
    step "Node 2 is killed with SIGKILL; a read and a write go on"
    cluster kill 2 || exit 1
    show "SELECT name, version, section FROM packages WHERE name = '$SERVER_PACKAGE'"
    show "INSERT INTO packages (name, version, architecture, description)
    VALUES ('written-meanwhile', '1', 'all', 'while node 2 was dead')"
    expect "$before" "$ALIVE WHERE name <> 'written-meanwhile'"
    say "all $before rows are still read, as before"
    cluster await 2 || exit 1
    printf '\n'
    show_members
    step "Node 2 is started again, on its data"
    cluster restart 2 || exit 1
    cluster await 3 || exit 1
    show_members
    show "SELECT name, description FROM packages WHERE name = 'written-meanwhile'"
    expect 1 "$ALIVE WHERE name = 'written-meanwhile'"
}

show_connections() {
    local settings
    settings=$(pg env) || exit 1
    eval "$settings"
    step "It is running; connect to it"
    cat <<END
  scripts/demo.sh psql                          SQL, as here
  postgresql://postgres:$(cat "$STATE/pg/password")@127.0.0.1:$PGPORT/demo
                                                SQL, from any PostgreSQL client of this machine
  build/dynkv -H $(cluster hosts) status
                                                the cluster, without SQL
  scripts/demo.sh status                        what runs
  scripts/demo.sh down                          stops it all, removes its data
END
}

# Whatever goes wrong on the way up, no process is left behind.
give_up() {
    local status=$?
    [ $status -ne 0 ] || return 0
    demo_stop
    say "the demo did not come up; its logs are in $STATE" >&2
    exit $status
}

demo_up() {
    local began=$SECONDS
    if demo_is_running; then
        say "the demo is running already (since $(cat "$STATE/running"))"
        show_connections
        return 0
    fi
    need_packages build
    step "Building"
    "$ROOT/scripts/pg.sh" install || exit 1
    demo_stop
    rm -rf "$STATE"
    STATE=$(state_dir demo) || exit 1
    trap give_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    step "Starting three nodes and a PostgreSQL"
    date >"$STATE/running"
    start_cluster
    start_postgres
    show_members
    step "Tables"
    make_tables
    step "Loading"
    write_package_index
    load_tables
    expect "$AVAILABLE" "$ALIVE"
    SERVER_PACKAGE=$(server_package)
    show_queries
    show_changes
    show_both_sides
    show_failure
    trap - EXIT
    show_connections
    printf '\n(all of this took %d s)\n' $((SECONDS - began))
}

# ---- status and down ----

demo_status() {
    if ! demo_is_running; then
        say "the demo is not running: start it with scripts/demo.sh"
        return 1
    fi
    if pg psql -Atqc 'SELECT 1' >/dev/null 2>&1; then
        say "PostgreSQL: up"
    else
        say "PostgreSQL: down"
    fi
    dynkv status
}

demo_stop() {
    local status=0
    [ ! -f "$STATE/pg/pg.conf" ] || pg stop || status=1
    [ ! -f "$STATE/cluster/cluster.conf" ] || cluster stop || status=1
    return $status
}

demo_down() {
    if [ ! -f "$STATE/running" ]; then
        say "the demo is not running"
        return 0
    fi
    demo_stop || die "not everything stopped: see above (state: $STATE)"
    rm -rf "$STATE"
    say "the demo is stopped, its data removed"
}

command=${1:-up}
[ $# -eq 0 ] || shift
if [ "$command" = up ]; then
    mkdir -p "$BUILD"
    STATE=$(state_dir demo) || exit 1
else
    STATE=$(state_dir demo 2>/dev/null) || exit 1
fi
case $command in
up) demo_up ;;
psql)
    [ -f "$STATE/running" ] || die "the demo is not running: start it with scripts/demo.sh"
    PGDATABASE=demo exec "$ROOT/scripts/pg.sh" "$STATE/pg" psql "$@"
    ;;
status) demo_status ;;
down) demo_down ;;
*) usage ;;
esac
