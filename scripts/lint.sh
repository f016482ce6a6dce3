#!/usr/bin/env bash
# The rules of the house that a compiler does not know.  Each violation is one line: file:line: rule.
#
#   scripts/lint.sh               checks the tree; builds what it needs to look at
#   scripts/lint.sh --sources     only what can be seen without building
#   scripts/lint.sh --self-test   breaks every rule in a small tree of its own, and expects to be told
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

LINES_MAX=800
FORMAT_VERSION=14 # of clang-format: others have other ideas

# Which layers a folder may include.  docs/architecture.md draws the picture.
layers_allowed() {
    case $1 in
    cluster/base/* | tests/unit/base/*) echo base ;;
    cluster/model/* | tests/unit/model/*) echo base model ;;
    cluster/wire/* | tests/unit/wire/*) echo base model wire ;;
    cluster/core/* | tests/unit/core/*) echo base model wire core ;;
    cluster/store/* | tests/unit/store/*) echo base model store ;;
    cluster/client/* | tests/unit/client/*) echo base model wire client ;;
    cluster/daemon/* | tests/unit/daemon/*) echo base model wire core store daemon ;;
    cluster/cli/*) echo base model wire client cli ;;
    tests/sim/*) echo base model wire core ;;
    dynkv_fdw.c | fdw/* | tests/unit/fdw/*) echo base model wire client fdw ;;
    *) echo base model wire core store client daemon cli fdw ;;
    esac
}
LAYER_NAMES="base|model|wire|core|store|client|daemon|cli|fdw"

# What the core, and what it stands on, may ask of the C library: memory, strings, abort.
CORE_SYMBOLS="abort calloc free malloc realloc memchr memcmp memcpy memmove memset
    strchr strcmp strlen strncmp strnlen strrchr snprintf vsnprintf qsort bsearch
    __stack_chk_fail __memcpy_chk __memmove_chk __memset_chk __snprintf_chk __vsnprintf_chk
    _GLOBAL_OFFSET_TABLE_"

VIOLATIONS=0
violation() { # where, rule
    VIOLATIONS=$((VIOLATIONS + 1))
    printf '%s: %s\n' "$1" "$2"
}

# Every file of ours whose name ends in one of the given endings, without what is built.
files() {
    local ending names=()
    for ending in "$@"; do
        names+=(-o -name "*$ending")
    done
    find . \( -path ./build -o -path ./.git -o -path ./results \) -prune -o \
        -type f \( "${names[@]:1}" \) -print | sed 's|^\./||' | sort
}

# Prints "file:line path" for every #include of the files given.
includes() {
    grep -HnE '^[[:space:]]*#[[:space:]]*include' "$@" /dev/null |
        sed -nE 's/^([^:]*:[0-9]+):[^"<]*["<]([^">]*)[">].*/\1 \2/p'
}

# ---- the checks on sources; all run in the root of a tree ----

check_layers() {
    local where path file allowed
    while read -r where path; do
        file=${where%:*}
        if [[ $path == *../* ]]; then
            violation "$where" "include \"$path\": name the layer (\"wire/message.h\"), never climb with ../"
        elif [[ $path =~ ^($LAYER_NAMES)/ ]]; then
            allowed=" $(layers_allowed "$file") "
            [[ $allowed == *" ${BASH_REMATCH[1]} "* ]] ||
                violation "$where" "include \"$path\": this folder may include only$allowed"
        fi
    done < <(includes $(files .c .h))
}

check_third_parties() {
    local where path file
    while read -r where path; do
        file=${where%:*}
        case $path in
        nng/*)
            [[ $file == cluster/daemon/* || $file == tests/* || $file == bench/* ]] ||
                violation "$where" "include <$path>: NNG is used in cluster/daemon alone (and in tests)" ;;
        rocksdb/*)
            [[ $file == cluster/store/* || $file == tests/unit/store/* ]] ||
                violation "$where" "include <$path>: RocksDB is used in cluster/store alone (and in its tests)" ;;
        postgres.h | fmgr.h | funcapi.h | miscadmin.h | pgstat.h | access/* | catalog/* | commands/* | \
            executor/* | foreign/* | libpq/* | nodes/* | optimizer/* | parser/* | storage/* | utils/*)
            [[ $file == dynkv_fdw.c || $file == fdw/* ]] ||
                violation "$where" "include \"$path\": PostgreSQL is used in dynkv_fdw.c and fdw/ alone" ;;
        esac
    done < <(includes $(files .c .h))
}

check_length() {
    local file lines
    for file in $(files .c .h .sh .pl .mk Makefile); do
        lines=$(wc -l <"$file")
        [ "$lines" -le $LINES_MAX ] ||
            violation "$file:$lines" "more than $LINES_MAX lines: this file holds two concepts, divide it"
    done
}

# Where this machine keeps things is nobody else's business.
check_machine_paths() {
    local hit
    while IFS= read -r hit; do
        violation "$(cut -d : -f 1-2 <<<"$hit")" "a path of somebody's machine: name it relative to the tree"
    done < <(grep -nE '(^|[^[:alnum:]_.$}])/(work|root|home/[a-z]+|tmp/b-[a-z]+|Users)/' \
        $(files .c .h .sh .pl .mk .md .sql .out .control Makefile run) /dev/null)
}

check_format() {
    local hit
    while IFS= read -r hit; do
        violation "$(cut -d : -f 1-2 <<<"$hit")" "not formatted: make format"
    done < <(files .c .h | xargs clang-format --dry-run 2>&1 |
        grep -E '^[^ ]+:[0-9]+:[0-9]+: (warning|error)' | sort -u -t : -k 1,2)
}

# ---- the checks on what was built ----

# check_core_symbols LIBRARY LOWER_LIBRARY...: what the first needs, with what it takes from the others.
check_core_symbols() {
    local library=$1 work symbol from
    work=$(mktemp -d)
    ld -r -o "$work/core.o" --whole-archive "$library" --no-whole-archive --start-group "${@:2}" \
        --end-group || violation "$library:1" "does not link with the layers below it"
    while read -r symbol; do
        [[ " $(tr -s ' \n' ' ' <<<"$CORE_SYMBOLS") " == *" $symbol "* ]] && continue
        from=$(nm -A -u "$@" 2>/dev/null | awk -v s="$symbol" '$NF == s { sub(/:$/, "", $1); print $1; exit }')
        violation "${from:-$library}:1" "uses $symbol: the core may use only memory, string and abort symbols"
    done < <(nm -u "$work/core.o" | awk '{ print $NF }')
    rm -rf "$work"
}

check_core_globals() {
    local name where
    while read -r where name; do
        violation "$where:1" "the variable $name: the core has no writable globals"
    done < <(nm -A -f sysv "$1" 2>/dev/null | awk -F '|' '
        $NF ~ /^\.(data|bss|tdata|tbss)/ && $NF !~ /^\.data\.rel\.ro/ && $4 ~ /OBJECT|TLS/ {
            gsub(/ /, "", $1); n = split($1, part, ":");
            print substr($1, 1, length($1) - length(part[n]) - 1), part[n] }')
}

# check_exports LIBRARY SQL_FILE: only what PostgreSQL looks up by name may be seen from outside.
check_exports() {
    local library=$1 sql=$2 symbol exported
    exported=$(nm -D --defined-only "$library" | awk '{ print $NF }')
    for symbol in $exported; do
        case $symbol in
        Pg_magic_func | _PG_init | _PG_fini | pg_finfo_*) continue ;;
        esac
        if ! grep -qx "pg_finfo_$symbol" <<<"$exported"; then
            violation "$library:1" "exports $symbol: only functions that PostgreSQL calls may be visible"
        elif ! grep -qw "$symbol" "$sql"; then
            violation "$sql:1" "does not declare $symbol, which $library exports for SQL"
        fi
    done
}

check_sources() {
    check_layers
    check_third_parties
    check_length
    check_machine_paths
    if clang-format --version 2>/dev/null | grep -q " version $FORMAT_VERSION\."; then
        check_format
    else
        say "lint: skipped: the format: it is clang-format $FORMAT_VERSION's, which is not installed"
    fi
}

check_built() {
    local log=$BUILD/lint-build.log lib=$BUILD/lib
    mkdir -p "$BUILD"
    if ! build_all all dynkv_fdw.so >"$log" 2>&1; then
        grep -E ':[0-9]+(:[0-9]+)?: ' "$log"
        violation "$log:1" "the tree does not build without warnings"
        return
    fi
    check_core_symbols "$lib/libcore.a" "$lib/libwire.a" "$lib/libmodel.a" "$lib/libbase.a"
    check_core_globals "$lib/libcore.a"
    check_exports dynkv_fdw.so dynkv_fdw--1.0.sql
}

finish() {
    say "lint: $VIOLATIONS violations"
    [ "$VIOLATIONS" -eq 0 ]
}

cd "$ROOT" || exit 1
case ${1:-} in
--self-test)
    . "$ROOT/scripts/lint_self_test.sh"
    self_test
    ;;
--sources)
    check_sources
    finish
    ;;
'')
    check_sources
    check_built
    finish
    ;;
*)
    sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
