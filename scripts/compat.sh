#!/usr/bin/env bash
# Compiles the extension against the server headers of other PostgreSQL versions: those that are
# installed here (/usr/include/postgresql/VERSION/server), or that Debian has, which are 17 and 18.
# Warnings are errors.  Nothing is installed: packages are unpacked below the build folder.
#
#   scripts/compat.sh [VERSION]...      14 16 17 18 without arguments; 15 is what all else is built on
#
# Debian has one version in each release, and 14 and 16 in none; docs/clients.md tells what speaks for
# those two.  A version whose headers are not to be had is skipped, and that is said.
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

RELEASE_17=trixie RELEASE_18=sid
FETCH_LIMIT_S=120
WORK=$BUILD/compat
INSTALLED=/usr/include/postgresql

# ---- headers ----

# An apt of its own: this machine's mirror and settings, but no list, cache or status of the system's.
# An old copy of a release will do: it is only compiled against.
apt_of_release() {
    local release=$1 apt=$WORK/apt/$1
    shift
    timeout "$FETCH_LIMIT_S" apt-get -qq -o Dir::Etc::SourceList="$apt/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
        -o Dir::State::Status=/dev/null -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false \
        -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o APT::Sandbox::User=root "$@"
}

apt_prepare() {
    local release=$1 apt=$WORK/apt/$1 address
    address=$(debian_mirror)
    [ -n "$address" ] || return 1
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$address" "$release" \
        >"$apt/sources.list"
    apt_of_release "$release" -o APT::Update::Error-Mode=any update
}

# The headers know the C library they were made with: Debian's newer one has strlcpy, this one may not.
headers_fit_libc() {
    if ! grep -qw strlcpy /usr/include/string.h; then
        sed -i -E 's/(HAVE_DECL_STRL(CAT|CPY)) 1/\1 0/' "$1/pg_config.h"
    fi
}

headers_are_installed() {
    [ -f "$INSTALLED/$1/server/postgres.h" ]
}

headers_fetch() {
    local version=$1 release=RELEASE_$1 tree=$WORK/$1 package=postgresql-server-dev-$1
    release=${!release}
    [ -f "$tree/fetched" ] && return 0
    rm -rf "$tree"
    mkdir -p "$tree"
    apt_prepare "$release" && (cd "$tree" && apt_of_release "$release" download "$package") || return 1
    dpkg-deb -x "$tree/$package"_*.deb "$tree" || return 1
    headers_fit_libc "$(headers_of "$version")"
    rm -rf "$WORK/apt/$release" && touch "$tree/fetched"
}

headers_of() {
    local below=
    headers_are_installed "$1" || below=$WORK/$1
    printf '%s\n' "$below$INSTALLED/$1/server"
}

# Sees to it that there are headers of a version; prints why there are none.
headers_need() {
    local release=RELEASE_$1 log=$WORK/fetch-$1.log
    headers_are_installed "$1" && return 0
    if [ -z "${!release:-}" ]; then
        say "none are installed, and no Debian release has them"
        return 1
    fi
    headers_fetch "$1" >"$log" 2>&1 && return 0
    say "they cannot be fetched from Debian's mirror ($(grep -m 1 '^[EW]:' "$log"))"
    return 1
}

# ---- compiling ----

# The flags are the installed server's, with the headers of the other one.
compile_all() {
    local version=$1 objects=$WORK/objects-$1
    rm -rf "$objects"
    mkdir -p "$objects"
    printf '%s\n' dynkv_fdw.c fdw/*.c | xargs -P "$JOBS" -I '{}' sh -c '
        object=$1/$(basename "$2" .c).o
        shift 2 && exec "$@" -o "$object"' compile "$objects" '{}' \
        gcc $("$PG_CONFIG" --cflags) -fPIC -fvisibility=hidden -Werror -D_GNU_SOURCE -Icluster -I. \
        -I"$(headers_of "$version")" -c '{}'
}

compat() {
    local version=$1 found missing
    if ! missing=$(headers_need "$version"); then
        say "compat: skipped: PostgreSQL $version: its headers: $missing"
        return 0
    fi
    found=$(sed -nE 's/^#define PG_VERSION "(.*)"/\1/p' "$(headers_of "$version")/pg_config.h")
    if compile_all "$version"; then
        PASSED=$((PASSED + 1))
        say "ok    compiles against PostgreSQL $found"
    else
        FAILED=$((FAILED + 1))
        say "FAIL  compiles against PostgreSQL $found"
    fi
}

cd "$ROOT" || exit 1
PG_CONFIG=$(find_pg_config) || die "no pg_config: install postgresql-server-dev-15"
PASSED=0 FAILED=0
mkdir -p "$WORK"
[ $# -gt 0 ] || set -- 14 16 17 18
for version in "$@"; do
    compat "$version"
done
printf 'compat: %d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" -eq 0 ]
