#!/usr/bin/env bash
# What a replacement and a join move, over what the new node must hold: three and then four real nodes, on loopback.
#
#   bench/change_figures.sh BUILD [KEYS [VALUE_BYTES]]
#
# Moved is what the new node has counted as fetched (keys and objects, without frames), plus what anti-entropy has
# given it (objects are counted there, taken at the mean size); to hold is what it holds in the end.  Nothing is
# written meanwhile.
set -euo pipefail

BUILD=${1:-build} KEYS=${2:-50000} VALUE=${3:-100}
DIR=$(mktemp -d "${TMPDIR:-/tmp}/dynkv-change-XXXXXX")
PORT=$((20000 + RANDOM % 10000))
export DYNKV_HOSTS=127.0.0.1:$((PORT + 1)),127.0.0.1:$((PORT + 2))
declare -A PID

node_start() { # NUMBER [OPTION...]
    local i=$1
    shift
    "$BUILD/dynkvd" --name "n$i" --data "$DIR/n$i" --listen "127.0.0.1:$((PORT + i))" \
        --peer "127.0.0.1:$((PORT + 100 + i))" "$@" >>"$DIR/n$i.log" 2>&1 </dev/null &
    PID[$i]=$!
}

finish() {
    for pid in "${PID[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    wait
    rm -rf "$DIR"
}
trap finish EXIT

dynkv() { "$BUILD/dynkv" "$@" </dev/null; }

# Waits until the command line succeeds.
await() {
    local end=$((SECONDS + 120))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || {
            printf 'never: %s\n' "$*" >&2
            exit 1
        }
        sleep 0.2
    done
}

members_are() { # COUNT STATE ROLE
    local have
    have=$(dynkv status --json | grep -o "\"state\":\"$2\",\"role\":\"$3\"" | wc -l)
    [ "$have" -eq "$1" ]
}

counter() { # NUMBER NAME
    dynkv status "127.0.0.1:$((PORT + $1))" --json | grep -o "\"$2\":[0-9]*" | head -n 1 | cut -d: -f2
}

# One line of the table, for node NUMBER, after a change that began at second START.
figure() { # WHAT NUMBER START
    awk -v what="$1" -v hold="$(counter "$2" keys_held)" -v objects="$(counter "$2" transfer_objects)" \
        -v bytes="$(counter "$2" transfer_bytes)" -v synced="$(counter "$2" sync_objects_received)" \
        -v seconds="$((SECONDS - $3))" 'BEGIN {
            each = bytes / objects
            printf "| %s | %d | %d | %d | %.2f | %.2f | %.3f | %d |\n", what, hold, objects, synced, hold * each / 1e6,
                   (bytes + synced * each) / 1e6, (bytes + synced * each) / (hold * each), seconds }'
}

change() { # ACTION NAME
    dynkv cluster "$@" >/dev/null
    dynkv cluster commit --wait --timeout 600 >/dev/null
}

node_start 1
await dynkv status
node_start 2 --join "127.0.0.1:$((PORT + 101))"
node_start 3 --join "127.0.0.1:$((PORT + 101))"
await members_are 3 up member
dynkv bench --keys "$KEYS" --value-size "$VALUE" --batch 100 -w 3 --ops 1 --read-share 1 >/dev/null

printf '%d keys, values of %d bytes, N=3\n\n' "$KEYS" "$VALUE"
printf '| change | keys to hold | fetched | by anti-entropy | MB to hold | MB moved | moved / to hold | seconds |\n'
printf '|---|---|---|---|---|---|---|---|\n'

kill -KILL "${PID[3]}"
wait "${PID[3]}" 2>/dev/null || true
rm -rf "${DIR:?}/n3"
await members_are 1 down member
node_start 3 --join "127.0.0.1:$((PORT + 101))"
await members_are 1 up candidate
began=$SECONDS
change replace n3
figure "n3 of 3, killed and wiped, replaced by its empty self" 3 $began

node_start 4 --join "127.0.0.1:$((PORT + 101))"
await members_are 1 up candidate
began=$SECONDS
change join n4
figure "a fourth joins three" 4 $began
