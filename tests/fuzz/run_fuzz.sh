#!/usr/bin/env bash
# Runs the fuzz targets of a folder for a bounded number of runs each, and ends with the counts.
#   run_fuzz.sh FOLDER RUNS SEED TARGET...
set -u
folder=$1 runs=$2 seed=$3
shift 3
passed=0 failed=0
for target in "$@"; do
    corpus=$folder/corpus/$target log=$folder/$target.log
    mkdir -p "$corpus"
    if "$folder/fuzz_$target" -runs="$runs" -seed="$seed" -max_len=4096 -timeout=20 \
        -rss_limit_mb=2048 -artifact_prefix="$folder/$target-" -print_final_stats=1 \
        "$corpus" "$folder/seeds/$target" >"$log" 2>&1; then
        passed=$((passed + 1))
        printf 'fuzz/%-10s %8s runs, coverage %s\n' "$target" "$runs" \
            "$(grep -o 'cov: [0-9]*' "$log" | tail -1 | cut -c6-)"
    else
        failed=$((failed + 1))
        tail -60 "$log"
        input=$(grep -o "$folder/$target-[a-z]*-[0-9a-f]*" "$log" | tail -1)
        printf 'FAILED: repeat with  %s %s\n' "$folder/fuzz_$target" "$input"
    fi
done
printf 'fuzz: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
