#!/usr/bin/env bash
# A dynkv cluster on this machine: start, kill, restart, stop nodes.  Of use to the demo and to tests.
#
#   scripts/cluster.sh DIR start [--nodes N] [--ports P1,P2,...] [-- dynkvd options]
#   scripts/cluster.sh DIR stop               stops every node, leaves the data
#   scripts/cluster.sh DIR kill I             SIGKILL to node I (1 is the first)
#   scripts/cluster.sh DIR halt I             SIGTERM to node I
#   scripts/cluster.sh DIR restart I          starts node I again, on its data
#   scripts/cluster.sh DIR await [UP]         until every live node says that UP nodes (default: all
#                                             that run) are up, the others down, the ring the same
#   scripts/cluster.sh DIR hosts              host:port,host:port,... for dynkv -H and FDW options
#   scripts/cluster.sh DIR status             the cluster as the first live node sees it
#
# DIR holds a node's data (node1/), log (node1.log) and process (node1.pid).  Every node has two ports,
# the clients' and the peers', chosen freely, or given by --ports in that order, node after node.
# Only processes that this script started are ever signalled.
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
    sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

DYNKVD=${DYNKVD:-$BUILD/dynkvd}
DYNKV=${DYNKV:-$BUILD/dynkv}

# cluster.conf is: a line "nodes N", a line per node "node I client-port peer-port", one "options ...".
cluster_load() {
    [ -f "$DIR/cluster.conf" ] || die "no cluster in $DIR: start one with  $0 $DIR start"
    NODES=0 OPTIONS=()
    local word first second third
    while read -r word first second third; do
        case $word in
        nodes) NODES=$first ;;
        node) CLIENT_PORT[first]=$second PEER_PORT[first]=$third ;;
        option) OPTIONS+=("$first") ;;
        esac
    done <"$DIR/cluster.conf"
}

cluster_hosts() {
    local i list=
    for ((i = 1; i <= NODES; i++)); do
        list+=${list:+,}127.0.0.1:${CLIENT_PORT[i]}
    done
    printf '%s\n' "$list"
}

node_launch() {
    local i=$1 peer join=()
    # Everyone knows everyone to join at; a node that has been a member before remembers by itself.
    # The first node forms the cluster, so it is given nobody at its first start.
    for ((peer = 1; peer <= NODES; peer++)); do
        [ "$peer" -eq "$i" ] && continue
        [ "$i" -eq 1 ] && [ ! -e "$DIR/node1.formed" ] && continue
        join+=(--join "tcp://127.0.0.1:${PEER_PORT[peer]}")
    done
    mkdir -p "$DIR/node$i"
    setsid "$DYNKVD" --name "node$i" --data "$DIR/node$i" --listen "tcp://127.0.0.1:${CLIENT_PORT[i]}" \
        --peer "tcp://127.0.0.1:${PEER_PORT[i]}" "${join[@]}" "${OPTIONS[@]}" \
        </dev/null >>"$DIR/node$i.log" 2>&1 &
    process_remember "$DIR/node$i.pid" $!
    disown $!
    [ "$i" -ne 1 ] || touch "$DIR/node1.formed"
}

node_is_answering() {
    process_is_gone "$DIR/node$1.pid" && return 0
    "$DYNKV" -H "127.0.0.1:${CLIENT_PORT[$1]}" status --json >/dev/null 2>&1
}

node_start() {
    local i=$1
    node_launch "$i"
    await 30 node_is_answering "$i" && process_alive "$DIR/node$i.pid" >/dev/null && return 0
    say "node$i did not start; the end of $DIR/node$i.log:" >&2
    tail -n 5 "$DIR/node$i.log" >&2
    return 1
}

state_count() {
    grep -oE "\"state\" *: *\"$1\"" <<<"$2" | wc -l
}

# "up" and "down" members as one node sees them, and its ring: "3 0 44cac457e794342e".
node_view() {
    local json
    json=$("$DYNKV" -H "127.0.0.1:$1" status --json 2>/dev/null) || return 1
    printf '%d %d %s\n' "$(state_count up "$json")" "$(state_count down "$json")" \
        "$(sed -E 's/^[^[]*"ring_version":"([0-9a-f]+)".*/\1/' <<<"$json")"
}

cluster_sees() {
    local up=$1 i view ring=
    for ((i = 1; i <= NODES; i++)); do
        process_alive "$DIR/node$i.pid" >/dev/null || continue
        view=$(node_view "${CLIENT_PORT[i]}") || return 1
        [ -n "$ring" ] || ring=${view##* }
        [ "$view" = "$up $((NODES - up)) $ring" ] || return 1
    done
}

cluster_running() {
    local i running=0
    for ((i = 1; i <= NODES; i++)); do
        process_alive "$DIR/node$i.pid" >/dev/null && running=$((running + 1))
    done
    printf '%s\n' "$running"
}

cluster_await() {
    local up=${1:-$(cluster_running)} i
    await 60 cluster_sees "$up" && return 0
    for ((i = 1; i <= NODES; i++)); do
        say "node$i: up and down members as it sees them: $(node_view "${CLIENT_PORT[i]}")" >&2
    done
    die "the nodes did not agree within 60 s that $up of $NODES are up (logs: $DIR/node*.log)"
}

cluster_start() {
    local ports=() nodes=3 options=() i
    while [ $# -gt 0 ]; do
        case $1 in
        --nodes) nodes=$2 && shift 2 ;;
        --ports) IFS=, read -ra ports <<<"$2" && shift 2 ;;
        --) shift && options=("$@") && break ;;
        *) usage ;;
        esac
    done
    mkdir -p "$DIR"
    if [ -f "$DIR/cluster.conf" ]; then
        cluster_load
        [ "$(cluster_running)" -eq 0 ] || die "a cluster is running in $DIR already"
    fi
    [ ${#ports[@]} -gt 0 ] || read -ra ports <<<"$(free_ports $((2 * nodes)))"
    [ ${#ports[@]} -eq $((2 * nodes)) ] || die "$nodes nodes need $((2 * nodes)) ports"
    {
        printf 'nodes %d\n' "$nodes"
        for ((i = 1; i <= nodes; i++)); do
            printf 'node %d %d %d\n' "$i" "${ports[2 * i - 2]}" "${ports[2 * i - 1]}"
        done
        [ ${#options[@]} -eq 0 ] || printf 'option %s\n' "${options[@]}"
    } >"$DIR/cluster.conf"
    cluster_load
    for ((i = 1; i <= NODES; i++)); do
        if ! node_start "$i"; then
            cluster_stop
            die "the cluster was not started"
        fi
    done
    cluster_await "$NODES"
}

cluster_stop() {
    local i status=0
    for ((i = 1; i <= NODES; i++)); do
        process_stop "$DIR/node$i.pid" || status=1
    done
    return $status
}

cluster_status() {
    exec "$DYNKV" -H "$(cluster_hosts)" status
}

[ $# -ge 2 ] || usage
mkdir -p "$1" || die "cannot make $1"
DIR=$(cd -- "$1" && pwd -P)
command=$2
shift 2
declare -a CLIENT_PORT PEER_PORT
[ "$command" = start ] || cluster_load
case $command in
start) cluster_start "$@" ;;
stop) cluster_stop ;;
kill) process_kill "$DIR/node$1.pid" || die "node$1 is not running" ;;
halt) process_stop "$DIR/node$1.pid" ;;
restart)
    process_alive "$DIR/node$1.pid" >/dev/null && die "node$1 is running"
    node_start "$1"
    ;;
await) cluster_await "$@" ;;
hosts) cluster_hosts ;;
status) cluster_status ;;
*) usage ;;
esac
