#!/usr/bin/env bash
# Runs Debian's own PostgreSQL clients on foreign tables: tests/clients/, one program each, in a database
# of its own, on a three-node cluster and a private PostgreSQL that are new and gone afterwards.
#
#   scripts/clients.sh [--no-install] [CLIENT]...      all of them without names
#
# What a client needs is installed from Debian; a client that cannot be had is skipped, and that is said.
# They connect by TCP with a password, as from elsewhere.  A program prints a line for each sentence that
# holds ("ok    ...") or does not ("FAIL  ...").
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

CLIENTS="psql psycopg2 psycopg3 odbc jdbc pg_dump pgbench"
CLIENT_LIMIT_S=180
JDBC_JAR=/usr/share/java/postgresql.jar

usage() {
    sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    printf 'clients: %s\n' "$CLIENTS" >&2
    exit 2
}

packages_of() {
    case $1 in
    psql | pg_dump | pgbench) echo python3 ;;
    psycopg2) echo python3-psycopg2 ;;
    psycopg3) echo python3-psycopg ;;
    odbc) echo odbc-postgresql unixodbc python3-pyodbc ;;
    jdbc) echo openjdk-17-jdk-headless libpostgresql-jdbc-java ;;
    *) usage ;;
    esac
}

# The interpreter is Debian's: another one would not find the modules of Debian's packages.
program_of() {
    case $1 in
    jdbc) echo java -cp "$JDBC_JAR" Jdbc.java "$PGHOST:$PGPORT/$PGDATABASE" ;;
    *) echo /usr/bin/python3 "$1_test.py" ;;
    esac
}

# Prints what is missing, and cannot be installed or may not.
packages_missing() {
    local package missing=()
    for package in $(packages_of "$1"); do
        package_is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ $INSTALL = yes ] && (install_packages "${missing[@]}") >&2 && return 0
    printf '%s' "${missing[*]}"
}

# ---- the server ----

start_servers() {
    "$ROOT/scripts/pg.sh" install || exit 1
    "$ROOT/scripts/pg.sh" "$state/pg" stop
    [ ! -f "$state/cluster/cluster.conf" ] || "$ROOT/scripts/cluster.sh" "$state/cluster" stop
    rm -rf "$state/pg" "$state/cluster"
    started_cluster=yes
    "$ROOT/scripts/cluster.sh" "$state/cluster" start || exit 1
    started_pg=yes
    "$ROOT/scripts/pg.sh" "$state/pg" start || exit 1
    local settings
    settings=$("$ROOT/scripts/pg.sh" "$state/pg" env) || exit 1
    eval "$settings"
    PGPASSWORD=$(cat "$state/pg/password") PGHOST=127.0.0.1
    DYNKV_HOSTS=$("$ROOT/scripts/cluster.sh" "$state/cluster" hosts)
    PATH=$("$(find_pg_config)" --bindir):$PATH
    unset PGSERVICE PGOPTIONS PGSSLMODE
    export PGPASSWORD PGHOST PATH
}

finish() {
    [ -z "${started_pg:-}" ] || "$ROOT/scripts/pg.sh" "$state/pg" stop
    [ -z "${started_cluster:-}" ] || "$ROOT/scripts/cluster.sh" "$state/cluster" stop
}

# ---- the clients ----

client_run() {
    local client=$1 log=$LOGS/$1.log began=$SECONDS missing status=0 passed failed
    missing=$(packages_missing "$client")
    if [ -n "$missing" ]; then
        say "clients: skipped: $client: not to be had: $missing"
        return
    fi
    export PGDATABASE=clients_$client
    psql -X -q -d postgres -c "CREATE DATABASE $PGDATABASE" &&
        psql -X -q -v ON_ERROR_STOP=1 -v hosts="$DYNKV_HOSTS" -v keyspace="${client}_account" \
            -f "$ROOT/tests/clients/setup.sql" || die "could not make the database of $client"
    say "$client:"
    # Written nowhere near the sources: they may belong to somebody else.
    (cd "$ROOT/tests/clients" && PYTHONDONTWRITEBYTECODE=1 timeout -k 10 $CLIENT_LIMIT_S $(program_of "$client")) \
        </dev/null 2>&1 | tee "$log" || status=$?
    passed=$(grep -c '^ok ' "$log") failed=$(grep -c '^FAIL ' "$log")
    if [ $status -ne 0 ] && [ "$failed" -eq 0 ] || [ $((passed + failed)) -eq 0 ]; then
        failed=$((failed + 1))
        say "FAIL  $client ended with status $status (124: not within $CLIENT_LIMIT_S s)"
    fi
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
    say "($((SECONDS - began)) s)"
}

INSTALL=yes chosen=()
for argument in "$@"; do
    case $argument in
    --no-install) INSTALL=no ;;
    -*) usage ;;
    *)
        packages_of "$argument" >/dev/null
        chosen+=("$argument")
        ;;
    esac
done
[ ${#chosen[@]} -gt 0 ] || read -ra chosen <<<"$CLIENTS"

state=$(state_dir clients) || exit 1
LOGS=$BUILD/clients-logs PASSED=0 FAILED=0
rm -rf "$LOGS"
mkdir -p "$LOGS"
trap finish EXIT
trap 'exit 130' INT TERM
start_servers
for client in "${chosen[@]}"; do
    client_run "$client"
done
[ "$FAILED" -eq 0 ] || say "repeat with  scripts/clients.sh CLIENT   (PostgreSQL's log: $state/pg/pg.log)"
printf 'clients: %d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" -eq 0 ]
