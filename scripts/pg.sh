#!/usr/bin/env bash
# A private PostgreSQL: its programs, its data, its socket, never the system's.
#
#   scripts/pg.sh install            copies Debian's PostgreSQL 15 into the build folder and installs the
#                                    extension into that copy
#   scripts/pg.sh DIR start [--port P] [-c NAME=VALUE]...   makes the data folder at first, starts it
#   scripts/pg.sh DIR stop           stops it, leaves the data
#   scripts/pg.sh DIR psql [ARGS]    psql as its superuser
#   scripts/pg.sh DIR env            shell assignments: PGHOST PGPORT PGUSER PGPASSFILE PG_BIN
#
# PostgreSQL 15 looks for extensions only below its own installation, and finds that relative to where
# its programs are.  So a copy of the programs has a share/ and a lib/ of its own, into which
# `make install DESTDIR=...` puts the extension, and nothing of the system's is written to.
#
# The socket lies in a folder that only the server's user may enter, and needs no password there; the
# TCP port listens on loopback, and asks for the one in DIR/password.
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
    sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

PG_CONFIG=$(find_pg_config) || die "no pg_config: install postgresql-server-dev-15"
SYSTEM_BIN=$("$PG_CONFIG" --bindir)
PG_TREE=$(state_dir pg 2>/dev/null) || exit 1
PG_BIN=$PG_TREE$SYSTEM_BIN

# ---- the installation ----

PROGRAMS="postgres initdb pg_ctl psql pgbench pg_config pg_isready"

pg_copy_programs() {
    local lib share program
    lib=$("$PG_CONFIG" --pkglibdir) share=$("$PG_CONFIG" --sharedir)
    local stamp="$PG_TREE/copied-from"
    local now
    now="$("$PG_CONFIG" --version) $(stat -c %Y "$SYSTEM_BIN/postgres")"
    [ "$(cat "$stamp" 2>/dev/null)" = "$now" ] && return 0
    rm -rf "$PG_TREE"
    mkdir -p "$PG_BIN" "$PG_TREE$lib" "$PG_TREE$share"
    for program in $PROGRAMS; do
        cp -L "$SYSTEM_BIN/$program" "$PG_BIN/" || die "cannot copy $program into $PG_BIN"
    done
    cp -L "$lib"/*.so "$PG_TREE$lib/" || die "cannot copy PostgreSQL's libraries from $lib"
    rm -f "$PG_TREE$lib"/llvmjit*.so # JIT needs more than its library; without it there is none
    (cd "$share" && tar cf - --exclude=./man .) | tar xf - -C "$PG_TREE$share" ||
        die "cannot copy PostgreSQL's files from $share"
    [ "$("$PG_BIN/pg_config" --sharedir)" = "$PG_TREE$share" ] ||
        die "this PostgreSQL is not relocatable: $PG_BIN/pg_config still names the system's folders"
    printf '%s\n' "$now" >"$stamp"
}

pg_install() {
    pg_copy_programs
    make -C "$ROOT" -s -j "$JOBS" BUILD="$MAKE_BUILD" PG_CONFIG="$PG_CONFIG" DESTDIR="$PG_TREE" install ||
        die "could not build or install the extension"
}

# ---- an instance ----

# The path of a socket may have about 100 characters: a deep folder gets its socket elsewhere.
socket_dir() {
    local folder=$DIR/socket
    if [ ${#folder} -gt 80 ]; then
        folder=/tmp/dynkv-$(id -u)-$(printf %s "$DIR" | cksum | cut -d ' ' -f 1)
        own_folder "$folder"
        folder=$folder/socket
    fi
    printf '%s\n' "$folder"
}

give_to_server() {
    [ "$(id -u)" -ne 0 ] || chown "$(server_user)" "$@"
}

pg_init() {
    [ -f "$DIR/data/PG_VERSION" ] && return 0
    rm -rf "$DIR/data"
    install -d -m 700 "$DIR/data"
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$DIR/password")
    give_to_server "$DIR/data" "$DIR/password"
    as_server "$PG_BIN/initdb" -D "$DIR/data" -U postgres -E UTF8 --locale=C.UTF-8 --lc-collate=C --pwfile="$DIR/password" \
        --auth-local=trust --auth-host=scram-sha-256 >"$DIR/initdb.log" 2>&1 || {
        tail -n 5 "$DIR/initdb.log" >&2
        die "initdb failed (log: $DIR/initdb.log)"
    }
    printf "include 'dynkv.conf'\n" | as_server tee -a "$DIR/data/postgresql.conf" >/dev/null
}

pg_is_running() {
    as_server "$PG_BIN/pg_ctl" status -D "$DIR/data" >/dev/null 2>&1
}

pg_start() {
    local port= settings=()
    while [ $# -gt 0 ]; do
        case $1 in
        --port) port=$2 && shift 2 ;;
        -c) settings+=("${2%%=*} = '${2#*=}'") && shift 2 ;;
        *) usage ;;
        esac
    done
    [ -x "$PG_BIN/postgres" ] || pg_install
    server_reaches "$DIR" || die "user $(server_user) cannot read $DIR: choose a folder that it can"
    pg_init
    pg_is_running && die "PostgreSQL is running in $DIR already"
    [ -n "$port" ] || port=$(free_ports 1) || exit 1
    local socket
    socket=$(socket_dir) || exit 1
    install -d -m 700 "$socket"
    give_to_server "$socket"
    printf '%s\n' "port = $port" "listen_addresses = '127.0.0.1'" "unix_socket_directories = '$socket'" \
        "cluster_name = 'dynkv'" "log_line_prefix = '%m [%p] '" "${settings[@]}" |
        as_server tee "$DIR/data/dynkv.conf" >/dev/null
    printf '%s %s\n' "$port" "$socket" >"$DIR/pg.conf"
    touch "$DIR/pg.log" && give_to_server "$DIR/pg.log"
    as_server "$PG_BIN/pg_ctl" start -w -t 60 -s -D "$DIR/data" -l "$DIR/pg.log" </dev/null || {
        tail -n 5 "$DIR/pg.log" >&2
        die "PostgreSQL did not start (log: $DIR/pg.log)"
    }
}

pg_stop() {
    [ -d "$DIR/data" ] || return 0
    if pg_is_running; then
        as_server "$PG_BIN/pg_ctl" stop -w -t 60 -s -m fast -D "$DIR/data" ||
            as_server "$PG_BIN/pg_ctl" stop -w -t 30 -s -m immediate -D "$DIR/data" ||
            die "PostgreSQL in $DIR did not stop"
    fi
}

pg_load() {
    [ -f "$DIR/pg.conf" ] || die "no PostgreSQL in $DIR: start one with  $0 $DIR start"
    read -r PGPORT PGHOST <"$DIR/pg.conf"
    export PGPORT PGHOST PGUSER=postgres PGDATABASE=${PGDATABASE:-postgres}
}

case ${1:-} in
'') usage ;;
install) pg_install && exit 0 || exit 1 ;;
esac
[ $# -ge 2 ] || usage
mkdir -p "$1" || die "cannot make $1"
DIR=$(cd -- "$1" && pwd -P)
command=$2
shift 2
case $command in
start) pg_start "$@" ;;
stop) pg_stop ;;
psql)
    pg_load
    exec "$PG_BIN/psql" "$@"
    ;;
env)
    pg_load
    printf 'export PGHOST=%q PGPORT=%q PGUSER=postgres PG_BIN=%q\n' "$PGHOST" "$PGPORT" "$PG_BIN"
    ;;
*) usage ;;
esac
