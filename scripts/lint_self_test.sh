# lint_self_test.sh: breaks each rule of lint.sh once, in a tree made for it.  Sourced by lint.sh.

SELF_TESTS=0 SELF_FAILURES=0

# expect CHECK PATTERN: the check says exactly one thing, and it matches the pattern.
expect() {
    local said
    said=$("${@:2:$#-2}" 2>&1)
    SELF_TESTS=$((SELF_TESTS + 1))
    if [[ $(grep -c . <<<"$said") -eq 1 && $said =~ ${!#} ]]; then
        printf 'ok    %s\n' "$1"
    else
        SELF_FAILURES=$((SELF_FAILURES + 1))
        printf 'FAIL  %s\n      wanted one line like: %s\n      got: %s\n' "$1" "${!#}" "${said:-nothing}"
    fi
}

expect_silence() {
    local said
    said=$("${@:2}" 2>&1)
    SELF_TESTS=$((SELF_TESTS + 1))
    if [ -z "$said" ]; then
        printf 'ok    %s\n' "$1"
    else
        SELF_FAILURES=$((SELF_FAILURES + 1))
        printf 'FAIL  %s\n      wanted nothing, got: %s\n' "$1" "$said"
    fi
}

# A small tree in which every rule is kept.
make_tree() {
    local layer
    cp "$ROOT/.clang-format" .
    for layer in base model wire core store client daemon cli; do
        mkdir -p "cluster/$layer"
        printf 'int dynkv_%s(void);\n' "$layer" >"cluster/$layer/$layer.h"
    done
    mkdir -p fdw tests/sim
    printf '#include "wire/wire.h"\n' >cluster/core/node.c
    printf '#include <nng/nng.h>\n#include "core/core.h"\n#include "store/store.h"\n' >cluster/daemon/main.c
    printf '#include <rocksdb/c.h>\n#include "model/model.h"\n' >cluster/store/rocksdb.c
    printf '#include "client/client.h"\n' >cluster/cli/main.c
    printf '#include "postgres.h"\n#include "utils/rel.h"\n#include "client/client.h"\n' >fdw/scan.c
    printf '#include "core/core.h"\n' >tests/sim/world.c
    printf '#include "fdw/option.h"\n' >dynkv_fdw.c
}

# break_file FILE LINE...: puts a file with these lines into the tree for the one expectation.
expect_source() { # name, check, pattern, file, content
    local folder
    folder=$(mktemp -d "$WORK/tree.XXXXXX")
    cd "$folder" || exit 1
    make_tree
    mkdir -p "$(dirname "$4")"
    printf '%b' "$5" >"$4"
    expect "$1" "$2" "$3"
    cd "$WORK" || exit 1
}

archive() { # name, C source
    printf '%b' "$2" >"$WORK/$1.c"
    gcc -O1 -fPIC -fno-stack-protector -c -o "$WORK/$1.o" "$WORK/$1.c" && rm -f "$WORK/lib$1.a" &&
        ar rcs "$WORK/lib$1.a" "$WORK/$1.o"
}

shared() { # name, C source
    printf '%b' "$2" >"$WORK/$1.c"
    gcc -O1 -fPIC -shared -o "$WORK/$1.so" "$WORK/$1.c"
}

self_test_sources() {
    mkdir "$WORK/clean" && cd "$WORK/clean" && make_tree
    expect_silence "a tree that keeps the rules is passed" check_sources

    expect_source "the model may not include the wire" check_layers \
        '^cluster/model/a\.c:2: .*only base model' cluster/model/a.c '\n#include "wire/wire.h"\n'
    expect_source "the base may not include the model" check_layers \
        '^cluster/base/a\.h:1: .*only base' cluster/base/a.h '#include "model/model.h"\n'
    expect_source "the core may not include the store" check_layers \
        '^cluster/core/a\.c:1: .*only base model wire core' cluster/core/a.c '#include "store/store.h"\n'
    expect_source "the store may not include the wire" check_layers \
        '^cluster/store/a\.c:1: .*only base model store' cluster/store/a.c '#include "wire/wire.h"\n'
    expect_source "the client may not include the core" check_layers \
        '^cluster/client/a\.c:1: ' cluster/client/a.c '#  include "core/core.h"\n'
    expect_source "the daemon may not include the client" check_layers \
        '^cluster/daemon/a\.c:1: ' cluster/daemon/a.c '#include "client/client.h"\n'
    expect_source "the command may not include the daemon" check_layers \
        '^cluster/cli/a\.c:1: ' cluster/cli/a.c '#include "daemon/daemon.h"\n'
    expect_source "the extension may not include the core" check_layers \
        '^fdw/a\.c:1: ' fdw/a.c '#include "core/core.h"\n'
    expect_source "the simulator may not include the store" check_layers \
        '^tests/sim/a\.c:1: ' tests/sim/a.c '#include "store/store.h"\n'
    expect_source "an include may not climb" check_layers \
        '^cluster/base/a\.c:1: .*never climb' cluster/base/a.c '#include "../wire/wire.h"\n'

    expect_source "NNG stays in the daemon" check_third_parties \
        '^cluster/client/a\.c:1: .*NNG' cluster/client/a.c '#include <nng/nng.h>\n'
    expect_source "RocksDB stays in the store" check_third_parties \
        '^cluster/daemon/a\.c:1: .*RocksDB' cluster/daemon/a.c '#include <rocksdb/c.h>\n'
    expect_source "PostgreSQL stays in the extension" check_third_parties \
        '^cluster/client/a\.c:1: .*PostgreSQL' cluster/client/a.c '#include "postgres.h"\n'

    expect_source "a file has at most $LINES_MAX lines" check_length \
        '^cluster/base/a\.c:801: more than 800' cluster/base/a.c "$(printf '%801s' | sed 's/ /\\n/g')"
    expect_source "no path of somebody's machine" check_machine_paths \
        '^cluster/base/a\.c:1: a path' cluster/base/a.c '/* see /home/'"somebody/notes */\n"
    expect_source "C files are formatted" check_format \
        '^cluster/base/a\.c:1: not formatted' cluster/base/a.c 'int  a ;\n'
}

self_test_built() {
    cd "$WORK" || exit 1
    archive low '#include <stdlib.h>\nvoid *low(void){return malloc(4);}\n'
    archive pure 'void *low(void);\nstatic int *const table[] = {0};\nvoid *pure(int i){return i ? low() : table[i];}\n'
    archive clock '#include <time.h>\nlong ticks(void){return (long)time(0);}\n'
    archive file '#include <stdio.h>\nvoid *low(void){return fopen("x", "r");}\n'
    archive global 'static int seen;\nint count(void){return ++seen;}\n'

    expect_silence "memory, strings and abort are the core's to use" check_core_symbols libpure.a liblow.a
    expect_silence "constants are no globals" check_core_globals libpure.a
    expect "the core reads no clock" check_core_symbols libclock.a liblow.a '^libclock\.a:clock\.o:1: uses time'
    expect "nor does what it stands on open files" check_core_symbols libpure.a libfile.a 'uses fopen'
    expect "the core has no writable globals" check_core_globals libglobal.a 'the variable seen'

    printf 'CREATE FUNCTION known() ...;\n' >x.sql
    shared good 'int Pg_magic_func(void){return 1;}\nint pg_finfo_known(void){return 1;}\nint known(void){return 1;}\n'
    shared leaky 'int Pg_magic_func(void){return 1;}\nint helper(void){return 1;}\n'
    shared silent 'int pg_finfo_unknown(void){return 1;}\nint unknown(void){return 1;}\n'
    expect_silence "what SQL calls may be visible" check_exports good.so x.sql
    expect "no other symbol is visible" check_exports leaky.so x.sql '^leaky\.so:1: exports helper'
    expect "what is visible is declared in SQL" check_exports silent.so x.sql '^x\.sql:1: does not declare unknown'
}

self_test() {
    WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
    self_test_sources
    self_test_built
    say "lint self-test: $((SELF_TESTS - SELF_FAILURES)) passed, $SELF_FAILURES failed"
    [ "$SELF_FAILURES" -eq 0 ]
}
