#!/usr/bin/env bash
# Fresh seeds for a while, on every processor: tests/sim/soak.sh PROGRAM [SECONDS [FIRST_SEED]]
# A violation ends it, with the command that repeats it.  The first seed is printed, so that a run can be
# repeated; without one it is taken from the time.
set -u
SIM=$1 SECONDS_LEFT=${2:-3600} FIRST=${3:-$(($(date +%s) * 1000))}
JOBS=${JOBS:-$(nproc)} BATCH=200
LOGS=$(mktemp -d)
trap 'rm -rf "$LOGS"' EXIT

worker() { # worker NUMBER: every JOBS-th batch of seeds
    local seed=$((FIRST + $1 * BATCH)) seeds=0
    while [ $SECONDS -lt "$SECONDS_LEFT" ] && [ ! -e "$LOGS/found" ]; do
        if ! "$SIM" --quiet --seeds "$seed..$((seed + BATCH - 1))" >"$LOGS/$1"; then
            touch "$LOGS/found"
            cat "$LOGS/$1"
        fi
        seeds=$((seeds + BATCH))
        seed=$((seed + JOBS * BATCH))
        echo $seeds >"$LOGS/count$1"
    done
}

echo "soak: from seed $FIRST, $SECONDS_LEFT s, $JOBS at a time"
for ((job = 0; job < JOBS; job++)); do worker $job & done
wait
total=$(cat "$LOGS"/count* | awk '{ sum += $1 } END { print sum }')
if [ -e "$LOGS/found" ]; then
    echo "soak: $total seeds, and a violation: 0 passed, 1 failed"
    exit 1
fi
echo "soak: $total seeds without a violation: 1 passed, 0 failed"
