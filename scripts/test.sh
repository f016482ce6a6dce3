#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.  The last line is "N passed, N failed".
#
#   scripts/test.sh                  everything
#   scripts/test.sh PART...          only these parts (names below)
#   scripts/test.sh --no-install     uses what is installed
#
# A part that ends without telling its counts, or that takes too long, counts as one failure.  What a
# part had to skip ("PART: skipped: WHAT AND WHY") is shown, and counted in the line before the last.
# Each part's output is in build/test-logs/PART.log, and is shown when the part fails.
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

PARTS="build lint lint-self-test scripts unit unit-san fuzz sim regress differential sessions clients compat live chaos"
PART_LIMIT_S=600

usage() {
    sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    printf 'parts: %s\n' "$PARTS" >&2
    exit 2
}

part_command() {
    local make=(make -s -C "$ROOT" -j "$JOBS" PG_CONFIG="$PG_CONFIG")
    case $1 in
    build) "${make[@]}" BUILD="$MAKE_BUILD" all dynkv_fdw.so bench-build && say "build: 1 passed, 0 failed" ;;
    lint) "$ROOT/scripts/lint.sh" && say "lint: 1 passed, 0 failed" ;;
    lint-self-test) "$ROOT/scripts/lint.sh" --self-test ;;
    scripts) "$ROOT/scripts/self_test.sh" ;;
    unit) "${make[@]}" BUILD="$MAKE_BUILD" unit ;;
    unit-san) "${make[@]}" SAN=1 BUILD="$MAKE_BUILD/san" unit ;;
    fuzz) "${make[@]}" BUILD="$MAKE_BUILD" FUZZ_RUNS="${FUZZ_RUNS:-20000}" fuzz ;;
    clients) "$ROOT/scripts/clients.sh" $([ "$INSTALL" = yes ] || echo --no-install) ;;
    compat) "$ROOT/scripts/compat.sh" ;;
    sim | regress | differential | sessions | live | chaos) "${make[@]}" BUILD="$MAKE_BUILD" "$1" ;;
    esac
}

# Prints "passed failed" from a part's log; nothing if the log tells no counts.
part_counts() {
    sed -nE -e 's/^[a-z -]+: ([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' \
        -e 's/^ All ([0-9]+) tests passed\. *$/\1 0/p' \
        -e 's/^ ([0-9]+) of ([0-9]+) tests failed.*$/\2 \1 of/p' "$1" |
        awk '{ if ($3 == "of") { $1 -= $2 } passed += $1; failed += $2 }
             END { if (NR) print passed, failed }'
}

part_run() {
    local part=$1 log=$LOGS/$1.log began=$SECONDS status=0 passed failed skipped
    export -f part_command say
    export ROOT BUILD MAKE_BUILD JOBS PG_CONFIG INSTALL
    timeout -k 30 "$PART_LIMIT_S" bash -c 'part_command "$1"' part "$part" >"$log" 2>&1 </dev/null || status=$?
    read -r passed failed < <(part_counts "$log") || passed=0 failed=0
    skipped=$(grep -c "^$part: skipped: " "$log")
    if [ $status -ne 0 ] || [ $((passed + failed + skipped)) -eq 0 ]; then
        [ "$failed" -gt 0 ] || failed=1
        tail -n 60 "$log"
        [ $status -ne 124 ] || say "$part: not finished after $PART_LIMIT_S s"
    fi
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
    printf '%-16s %5d passed %4d failed %5d s   %s\n' "$part" "$passed" "$failed" $((SECONDS - began)) "$log"
    grep "^$part: skipped: " "$log"
    return 0
}

INSTALL=yes chosen=()
for argument in "$@"; do
    case $argument in
    --no-install) INSTALL=no ;;
    -*) usage ;;
    *)
        [[ " $PARTS " == *" $argument "* ]] || usage
        chosen+=("$argument")
        ;;
    esac
done
[ ${#chosen[@]} -gt 0 ] || read -ra chosen <<<"$PARTS"

[ $INSTALL = no ] || need_packages build test
PG_CONFIG=$(find_pg_config) || die "no pg_config: install postgresql-server-dev-15"
LOGS=$BUILD/test-logs PASSED=0 FAILED=0 SKIPPED=0
rm -rf "$LOGS"
mkdir -p "$LOGS"
for part in "${chosen[@]}"; do
    part_run "$part"
done
[ $SKIPPED -eq 0 ] || say "$SKIPPED skipped, see above"
printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" -eq 0 ]
