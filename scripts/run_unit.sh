#!/usr/bin/env bash
# Runs the unit test programs given, says which failed and how to repeat it, and ends with the counts.
set -u
passed=0 failed=0
for program in "$@"; do
    output=$("$program" 2>&1)
    status=$?
    ok=$(grep -c '^\[       OK \]' <<<"$output")
    passed=$((passed + ok))
    if [ $status -ne 0 ]; then
        bad=$(grep '^\[  FAILED  \]' <<<"$output" | sort -u | grep -vc 'test(s)')
        [ "$bad" -gt 0 ] || bad=1
        failed=$((failed + bad))
        printf '%s\n' "$output"
        printf 'FAILED: repeat with  %s\n' "$program"
    else
        printf '%-48s %3d passed\n' "${program#*tests/}" "$ok"
    fi
done
printf 'unit: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
