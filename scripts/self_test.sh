#!/usr/bin/env bash
# Tests of what the other scripts stand on: processes, ports, packages, and the reading of
# Debian's package index.
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

PASSED=0 FAILED=0
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

check() { # sentence, command...
    if "${@:2}"; then
        PASSED=$((PASSED + 1))
    else
        FAILED=$((FAILED + 1))
        printf 'FAIL  %s\n' "$1"
    fi
}

# ---- processes ----

remembered_process_is_found() {
    sleep 100 &
    process_remember "$WORK/sleep" $!
    [ "$(process_alive "$WORK/sleep")" = $! ]
}

another_with_the_same_number_is_not() {
    local id began
    read -r id began <"$WORK/sleep"
    printf '%s %s\n' "$id" "$((began - 1))" >"$WORK/older"
    process_is_gone "$WORK/older" && process_stop "$WORK/older" && kill -0 "$id"
}

stopping_ends_it() {
    local id
    id=$(process_alive "$WORK/sleep")
    process_stop "$WORK/sleep" && ! kill -0 "$id" 2>/dev/null && [ ! -e "$WORK/sleep" ]
}

one_that_will_not_end_is_killed() {
    bash -c 'trap "" TERM; echo ready >"$1"; while :; do sleep 0.1; done' deaf "$WORK/ready" &
    process_remember "$WORK/deaf" $!
    await 10 test -s "$WORK/ready"
    ! process_stop "$WORK/deaf" 1 2>/dev/null && process_is_gone "$WORK/deaf" && ! kill -0 $! 2>/dev/null
}

stopping_nobody_is_no_error() {
    process_stop "$WORK/nobody" && process_is_gone "$WORK/nobody"
}

# ---- ports, waiting ----

free_ports_are_many_and_distinct() {
    [ "$(free_ports 12 | tr ' ' '\n' | sort -u | grep -c .)" -eq 12 ]
}

a_port_that_is_used_is_not_free() {
    local port
    port=$(free_ports 1)
    perl -MIO::Socket::INET -e '
        my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => shift) or die;
        open my $f, ">", shift; print $f "ready\n"; close $f; sleep 100' "$port" "$WORK/listening" &
    process_remember "$WORK/listener" $!
    await 10 test -s "$WORK/listening"
    ! ports_are_free "$port"
    local status=$?
    process_stop "$WORK/listener"
    [ $status -eq 0 ] && ports_are_free "$port"
}

waiting_has_an_end() {
    ! await 1 false && await 1 true
}

# ---- packages ----

# chosen INSTALLED KNOWN NAMES: what is chosen where only these are installed, and known.
chosen() (
    package_is_installed() { [ "$1" = "$installed" ]; }
    package_is_known() { [ "$1" = "$known" ]; }
    installed=$1 known=$2
    package_choose "$3"
)

a_package_goes_by_the_name_that_is_installed_or_known() {
    [ "$(chosen new old 'old|new')" = new ] && [ "$(chosen none new 'old|new')" = new ] &&
        [ "$(chosen none none 'old|new')" = old ] && [ "$(chosen none none old)" = old ]
}

the_packages_of_the_server_are_of_one_version() (
    package_is_installed() { false; }
    package_is_known() { [[ $1 == *-17 || $1 == *-18 ]]; }
    [ "$(packages_of build | grep -c '^postgresql-.*17$')" -eq 3 ] &&
        ! packages_of build | grep -qE '^postgresql-.*(15|18)$'
)

# ---- the package index ----

converted() {
    printf "$1" | awk -f "$ROOT/scripts/packages_to_copy.awk"
}

records_become_lines() {
    [ "$(converted 'Package: a\nVersion: 1\nArchitecture: all\nSection: x\n\nPackage: b\nVersion: 2\nArchitecture: all\nInstalled-Size: 7\nDepends: a (>= 1)\n')" = \
        "$(printf 'a\t1\tall\tx\t\\N\t\\N\t\\N\t\\N\nb\t2\tall\t\\N\t\\N\t7\ta (>= 1)\t\\N')" ]
}

the_same_version_comes_once() {
    [ "$(converted 'Package: a\nVersion: 1\nArchitecture: all\n\nPackage: a\nVersion: 1\nArchitecture: all\n' | wc -l)" -eq 1 ]
}

backslashes_and_tabs_are_quoted() {
    [ "$(converted 'Package: a\nVersion: 1\nArchitecture: all\nDescription: b\\c\td\n' | cut -f 8)" = 'b\\c\td' ]
}

continued_fields_keep_their_first_line() {
    [ "$(converted 'Package: a\nVersion: 1\nArchitecture: all\nDescription: one\n two: three\n .\nSection: y\n' | cut -f 4,8)" = \
        "$(printf 'y\tone')" ]
}

check "a remembered process is found" remembered_process_is_found
check "another process with the same number is not taken for it" another_with_the_same_number_is_not
check "stopping ends it and forgets it" stopping_ends_it
check "one that ignores SIGTERM is killed, and that is told" one_that_will_not_end_is_killed
check "stopping what is not there is no error" stopping_nobody_is_no_error
check "free ports are as many as asked, and distinct" free_ports_are_many_and_distinct
check "a port that somebody listens on is not free" a_port_that_is_used_is_not_free
check "waiting has an end" waiting_has_an_end
check "a package goes by the name that is installed, or else known" a_package_goes_by_the_name_that_is_installed_or_known
check "the server's packages are all of one version" the_packages_of_the_server_are_of_one_version
check "a package record becomes a line, with NULL for what it lacks" records_become_lines
check "the same version comes once" the_same_version_comes_once
check "backslashes and tabs are quoted" backslashes_and_tabs_are_quoted
check "of a continued field the first line is kept" continued_fields_keep_their_first_line
say "scripts: $PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]
