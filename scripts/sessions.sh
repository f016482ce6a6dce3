#!/usr/bin/env bash
# Runs the session tests on a private PostgreSQL of their own, new and gone afterwards.  They start nodes
# themselves.
#
#   scripts/sessions.sh PROGRAM [PART OF A SENTENCE]
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

[ $# -ge 1 ] || die "which program?  make sessions knows"
state=$(state_dir sessions) || exit 1
finish() {
    [ -z "${started_pg:-}" ] || "$ROOT/scripts/pg.sh" "$state/pg" stop
}
trap finish EXIT
trap 'exit 130' INT TERM

"$ROOT/scripts/pg.sh" install || exit 1
"$ROOT/scripts/pg.sh" "$state/pg" stop # what an interrupted run may have left
rm -rf "$state/pg"
started_pg=yes
"$ROOT/scripts/pg.sh" "$state/pg" start || exit 1
settings=$("$ROOT/scripts/pg.sh" "$state/pg" env) || exit 1
eval "$settings"
export PGDATABASE=postgres
"$1" "${DYNKVD:-$BUILD/dynkvd}" "${@:2}"
