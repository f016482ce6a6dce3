#!/usr/bin/env bash
# The test of a clean machine: a minimal Debian in a folder of its own, a clone of this tree in it
# (what is committed, nothing else), and there the demo and the tests, from packages on.  Root only.
#
#   scripts/clean_room.sh [--keep] [--release NAME] [demo] [test] [user]
#
#   demo       scripts/demo.sh, then psql, status, down, and that no process is left
#   test       scripts/test.sh
#   user       the demo again, as an ordinary user with sudo
#   --keep     leaves the folder, and says where it is
#   --release  Debian's name of it: bookworm (12, the default), trixie (13)
#
# Without names: demo and test.  The mirror is the one this machine uses.
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
    sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# What apt here needs to reach its mirror (a proxy, say), there too.
copy_apt_settings() {
    local file
    apt-config dump --format '%F "%v";%n' 2>/dev/null | grep -E '^Acquire::https?::' \
        >"$ROOM/etc/apt/apt.conf.d/99-as-outside"
    for file in /etc/resolv.conf /etc/hosts; do
        [ ! -e "$file" ] || cp -L "$file" "$ROOM$file"
    done
    for file in /usr/local/share/ca-certificates/*.crt; do
        [ ! -e "$file" ] || install -D "$file" "$ROOM$file"
    done
}

room_make() {
    local address
    address=$(debian_mirror)
    [ -n "$address" ] || die "found no mirror in /etc/apt"
    ROOM=$(mktemp -d "${TMPDIR:-/tmp}/dynkv-clean-room.XXXXXX")
    chmod 755 "$ROOM"
    trap room_leave EXIT
    trap 'exit 130' INT TERM
    say "a minimal Debian ($RELEASE) in $ROOM"
    debootstrap --variant=minbase "$RELEASE" "$ROOM" "$address" >"$ROOM.log" 2>&1 ||
        { tail -n 5 "$ROOM.log" >&2; die "debootstrap failed (log: $ROOM.log)"; }
    rm -f "$ROOM.log"
    copy_apt_settings
    mount -t proc proc "$ROOM/proc" || die "cannot mount proc in $ROOM"
    git -c safe.directory="$ROOT" clone -q --no-local "$ROOT" "$ROOM/srv/dynkv" || die "cannot clone $ROOT"
}

# Processes whose root is the room: there should be none but those we are just running.
room_processes() {
    local link
    for link in /proc/[0-9]*/root; do
        [ "$(readlink "$link" 2>/dev/null)" = "$ROOM" ] || continue
        link=${link#/proc/}
        printf '%s ' "${link%/root}"
    done
}

room_leave() {
    local left
    left=$(room_processes)
    if [ -n "$left" ]; then
        say "ending what still runs in the room: $left"
        kill -KILL $left 2>/dev/null
        await 10 room_is_empty
    fi
    mountpoint -q "$ROOM/proc" && umount "$ROOM/proc"
    if [ $KEEP = yes ]; then
        say "the room is left in $ROOM (mount proc there before use)"
    else
        rm -rf --one-file-system "$ROOM"
    fi
}

room_is_empty() {
    [ -z "$(room_processes)" ]
}

inside() {
    chroot "$ROOM" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root TERM="${TERM:-dumb}" "$@"
}

check() { # what, command...
    local what=$1
    shift
    printf '\n---- %s\n' "$what"
    if "$@"; then
        PASSED=$((PASSED + 1))
        printf -- '---- ok: %s\n' "$what"
    else
        FAILED=$((FAILED + 1))
        printf -- '---- FAILED: %s\n' "$what"
    fi
}

refuses() {
    ! "$@"
}

demo_in_room() { # how to run a command there
    local as=("$@")
    check "demo.sh ends with 0" "${as[@]}" scripts/demo.sh
    check "no cluster of the system's was made" test -z "$(ls -A "$ROOM/etc/postgresql" 2>/dev/null)"
    check "demo.sh a second time says that it runs" "${as[@]}" scripts/demo.sh
    check "demo.sh psql" "${as[@]}" scripts/demo.sh psql -c \
        "SELECT name, version FROM packages WHERE name = 'bash'"
    check "demo.sh psql tells of a wrong statement" refuses "${as[@]}" scripts/demo.sh psql -c "SELECT nonsense"
    check "demo.sh status" "${as[@]}" scripts/demo.sh status
    check "demo.sh down" "${as[@]}" scripts/demo.sh down
    check "no process is left" room_is_empty
    check "demo.sh down again" "${as[@]}" scripts/demo.sh down
}

in_tree() {
    inside bash -c 'cd /srv/dynkv && exec "$@"' in_tree "$@"
}

as_user_in_tree() {
    inside runuser -u tester -- bash -c 'cd ~/dynkv && HOME=~ exec "$@"' in_tree "$@"
}

make_user() {
    inside sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends sudo >/dev/null &&
        useradd -m -s /bin/bash tester && echo "tester ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/tester &&
        cp -r /srv/dynkv ~tester/dynkv && rm -rf ~tester/dynkv/build &&
        chown -R tester: ~tester/dynkv'
}

KEEP=no RELEASE=bookworm PASSED=0 FAILED=0 parts=()
while [ $# -gt 0 ]; do
    case $1 in
    --keep) KEEP=yes ;;
    --release)
        RELEASE=${2:-}
        [ -n "$RELEASE" ] && shift || usage
        ;;
    demo | test | user) parts+=("$1") ;;
    *) usage ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(demo test)
[ "$(id -u)" -eq 0 ] || die "needs root, for debootstrap and chroot"
command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"

room_make
for part in "${parts[@]}"; do
    case $part in
    demo) demo_in_room in_tree ;;
    test)
        check "test.sh ends with 0" in_tree scripts/test.sh
        check "no process is left" room_is_empty
        ;;
    user)
        check "a user with sudo" make_user
        demo_in_room as_user_in_tree
        ;;
    esac
done
printf 'clean room: %d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" -eq 0 ]
