#!/usr/bin/env bash
# Fresh seeds for a while, on every processor: tests/sim/soak.sh PROGRAM [SECONDS [FIRST_SEED]]
# Each violation is shown when it is found, with the command that repeats it, and the soak goes on: one run
# tells all that its time could find.  The first seed is printed, so that a run can be repeated; without one
# it is taken from the time.
set -u
SIM=$1 SECONDS_LEFT=${2:-3600} FIRST=${3:-$(($(date +%s) * 1000))}
JOBS=${JOBS:-$(nproc)} BATCH=200
LOGS=$(mktemp -d)
trap 'rm -rf "$LOGS"' EXIT

worker() { # worker NUMBER: every JOBS-th batch of seeds
    local seed=$((FIRST + $1 * BATCH)) seeds=0 failed=0
    while [ $SECONDS -lt "$SECONDS_LEFT" ]; do
        if ! "$SIM" --quiet --seeds "$seed..$((seed + BATCH - 1))" >"$LOGS/$1"; then
            failed=$((failed + 1))
            cat "$LOGS/$1"
        fi
        seeds=$((seeds + BATCH))
        seed=$((seed + JOBS * BATCH))
        echo "$seeds $failed" >"$LOGS/count$1"
    done
}

echo "soak: from seed $FIRST, $SECONDS_LEFT s, $JOBS at a time"
for ((job = 0; job < JOBS; job++)); do worker $job & done
wait
read -r seeds failed < <(cat "$LOGS"/count* | awk '{ seeds += $1; failed += $2 } END { print seeds, failed }')
if [ "$failed" -gt 0 ]; then
    echo "soak: $seeds seeds, $failed batches of $BATCH with a violation: 0 passed, 1 failed"
    exit 1
fi
echo "soak: $seeds seeds without a violation: 1 passed, 0 failed"
