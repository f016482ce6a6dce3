# common.sh: what every script here needs.  Source it; it runs nothing by itself.
#
#   need_packages build|test|demo   installs those of Debian's packages that are missing
#   state_dir NAME                  a folder for state, also reachable by the user PostgreSQL runs as
#   as_server COMMAND...            runs a command as that user (ourselves, unless we are root)
#   free_ports N                    N loopback ports that nobody listens on
#   await SECONDS COMMAND...        polls a condition until it holds
#   process_* FILE                  processes known by a file holding their id and start time
#
# Sourcing sets ROOT (the checkout), BUILD, PG_CONFIG, JOBS and SERVER_USER.

set -o pipefail
umask 022

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=${BUILD:-$ROOT/build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
# What make is given: its dependency files name objects by the path it was given, so that a build folder
# has to be called the same every time, by scripts and by hand.
MAKE_BUILD=${BUILD#"$ROOT"/}
JOBS=${JOBS:-$(nproc)}

say() {
    printf '%s\n' "$*"
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# ---- packages ----

# A|B is one package under the names that Debian's releases give it.  libicu-dev: the server's headers
# include it.  All is tested on PostgreSQL 15 most, so that is taken where a release has it.
PACKAGES_BUILD="build-essential libnng-dev librocksdb-dev libxxhash-dev libmsgpack-dev|libmsgpack-c-dev
                libicu-dev libpq-dev"
PACKAGES_BUILD_OF_PG="postgresql-%s postgresql-client-%s postgresql-server-dev-%s"
PACKAGES_TEST="libcmocka-dev clang libclang-rt-14-dev|libclang-rt-19-dev|libclang-rt-21-dev clang-format
               git iproute2"
PG_VERSIONS="15 17 18 16 14"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die "needs root to run '$*': run as root, or install sudo"
        sudo "$@"
    fi
}

package_is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

package_is_known() {
    apt-cache show "$1" >/dev/null 2>&1
}

# Of the names A|B the one that is installed, or else that this release has.
package_choose() {
    local test name names=${1//|/ }
    for test in package_is_installed package_is_known; do
        for name in $names; do
            if $test "$name"; then
                printf '%s\n' "$name"
                return
            fi
        done
    done
    printf '%s\n' "${1%%|*}"
}

# The packages of a kind, "build" or "test", as this release names them.
packages_of() {
    local list=PACKAGES_${1^^} of_pg=PACKAGES_${1^^}_OF_PG package version
    for package in ${!list}; do
        package_choose "$package"
    done
    [ -n "${!of_pg:-}" ] || return 0
    version=$(package_choose "$(printf 'postgresql-server-dev-%s|' $PG_VERSIONS)")
    for package in ${!of_pg}; do
        printf "$package\n" "${version##*-}"
    done
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Use-Pty=0 "$@"
}

apt_index_is_empty() {
    [ -z "$(apt-cache dumpavail 2>/dev/null | head -c 1)" ]
}

# The first mirror in this machine's sources, in either of apt's two formats.
debian_mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        awk '/^[ \t]*deb[ \t]/ { for (i = 2; i <= NF; i++) if ($i ~ /^https?:/) { print $i; exit } }
             /^URIs:/ { print $2; exit }'
}

# Debian's postgresql-15 creates and starts a cluster on its first installation.  We want only the
# programs, so it is told not to, by a drop-in that is there during the installation and no longer.
install_packages() {
    local dropin_folder=/etc/postgresql-common/createcluster.d
    local dropin=$dropin_folder/zz-dynkv-installing.conf status=0
    if ! apt-get -qq --simulate --no-install-recommends install "$@" >/dev/null 2>&1; then
        apt_get update || die "apt-get update failed: look at its messages above"
    fi
    as_root mkdir -p "$dropin_folder"
    printf 'create_main_cluster = false\nstart_conf = manual\n' | as_root tee "$dropin" >/dev/null
    apt_get install -y --no-install-recommends "$@" >"$BUILD/packages.log" 2>&1 || status=$?
    as_root rm -f "$dropin"
    if [ $status -ne 0 ]; then
        tail -n 20 "$BUILD/packages.log" >&2
        die "apt-get could not install: $* (all of its output: $BUILD/packages.log)"
    fi
}

packages_missing() {
    local kind package
    for kind in "$@"; do
        for package in $(packages_of "$kind"); do
            package_is_installed "$package" || printf '%s\n' "$package"
        done
    done
}

need_packages() {
    local missing
    missing=($(packages_missing "$@"))
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        die "these Debian packages are missing: ${missing[*]} (no apt-get here: install them by hand)"
    if apt_index_is_empty; then
        apt_get update || die "apt-get update failed: look at its messages above"
        missing=($(packages_missing "$@")) # the index knows this release's names
    fi
    mkdir -p "$BUILD"
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    install_packages "${missing[@]}"
}

# ---- the user PostgreSQL runs as ----

# PostgreSQL refuses to run as root.  Root lends it a user that has no rights of its own.
server_user() {
    local user
    if [ "$(id -u)" -ne 0 ]; then
        id -un
        return
    fi
    for user in postgres nobody; do
        if id "$user" >/dev/null 2>&1; then
            printf '%s\n' "$user"
            return
        fi
    done
    die "root must not run PostgreSQL, and there is neither a user postgres nor nobody"
}

as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && exec runuser -u "$(server_user)" -- "$@")
    else
        (cd / && exec "$@")
    fi
}

# Whether the server's user can walk into a folder.
server_reaches() {
    as_server test -r "$1" -a -x "$1" 2>/dev/null
}

# state_dir NAME: prints a folder, made if need be: $BUILD/NAME, or when the server's user cannot get
# there (a checkout below /root, say) one in the temporary folder that belongs to this checkout.
state_dir() {
    local folder=$BUILD/$1
    mkdir -p "$folder" || die "cannot make $folder"
    if ! server_reaches "$folder"; then
        local base=${TMPDIR:-/tmp}
        server_reaches "$base" || base=/tmp
        base=$base/dynkv-$(id -u)-$(printf %s "$BUILD" | cksum | cut -d ' ' -f 1)
        own_folder "$base"
        rmdir "$folder" 2>/dev/null
        folder=$base/$1
        mkdir -p "$folder" || die "cannot make $folder"
        say "note: user $(server_user) cannot read $BUILD, so state is kept in $folder" >&2
    fi
    printf '%s\n' "$folder"
}

# A name in a shared folder can be taken by somebody else: accept only a folder that is ours.
own_folder() {
    mkdir -m 755 "$1" 2>/dev/null
    [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] ||
        die "$1 is not a folder of ours: remove it, or set TMPDIR to another place"
}

# ---- ports, waiting ----

# From below the range the kernel gives to outgoing connections, so that none can take it meanwhile.
# Perl is part of every Debian, and this module of it too.
free_ports() {
    perl -MIO::Socket::INET -e '
        my ($want, %held) = (shift);
        for (my $try = 0; keys %held < $want && $try < 10000; $try++) {
            my $port = 20000 + int rand 12000;
            next if $held{$port};
            my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1",
                                               LocalPort => $port, Proto => "tcp") or next;
            $held{$port} = $socket;
        }
        exit 1 if keys %held < $want;
        print join(" ", keys %held), "\n";' "$1" || die "found no $1 free ports on 127.0.0.1"
}

# Whether nobody listens on these loopback ports.
ports_are_free() {
    perl -MIO::Socket::INET -e '
        my @held;
        for my $port (@ARGV) {
            push @held, IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", ReuseAddr => 1,
                                              LocalPort => $port, Proto => "tcp") || exit 1;
        }' "$@"
}

# await SECONDS COMMAND...: 0 as soon as the command succeeds, 1 when the time is over.
await() {
    local limit=$1 began=$SECONDS
    shift
    until "$@"; do
        [ $((SECONDS - began)) -lt "$limit" ] || return 1
        sleep 0.05
    done
}

# ---- processes ----
# A process is remembered as "id start-time", so that a number used again is never taken for ours.

process_start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) } # the name in brackets may hold anything
    set -- $stat
    [ "$1" != Z ] || return 1
    printf '%s\n' "${20}"
}

process_remember() {
    local id=$2
    printf '%s %s\n' "$id" "$(process_start_time "$id")" >"$1"
}

# Prints the id if the process remembered in the file is alive.
process_alive() {
    local id began
    [ -f "$1" ] && read -r id began <"$1" && [ -n "$began" ] || return 1
    [ "$(process_start_time "$id")" = "$began" ] || return 1
    printf '%s\n' "$id"
}

process_is_gone() {
    ! process_alive "$1" >/dev/null
}

# process_stop FILE [SECONDS]: asks, waits, and only then insists.
process_stop() {
    local id
    if id=$(process_alive "$1"); then
        kill -TERM "$id" 2>/dev/null
        if ! await "${2:-15}" process_is_gone "$1"; then
            say "process $id did not stop on SIGTERM within ${2:-15} s: killed" >&2
            kill -KILL "$id" 2>/dev/null
            await 5 process_is_gone "$1"
            rm -f "$1"
            return 1
        fi
    fi
    rm -f "$1"
}

process_kill() {
    local id
    id=$(process_alive "$1") || return 1
    kill -KILL "$id" 2>/dev/null
    await 5 process_is_gone "$1"
    rm -f "$1"
}

# ---- PostgreSQL's place ----

find_pg_config() {
    local candidate
    for candidate in "${PG_CONFIG:-}" $(printf '/usr/lib/postgresql/%s/bin/pg_config ' $PG_VERSIONS) pg_config; do
        [ -n "$candidate" ] || continue
        if command -v "$candidate" >/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

build_all() {
    make -C "$ROOT" -s -j "$JOBS" BUILD="$MAKE_BUILD" PG_CONFIG="$(find_pg_config)" "${@:-all}"
}
