# measure.sh: takes one figure, or the median of several.  Sourced by run.sh.

# Prints how long a statement took, in ms, or why it failed.
statement_ms() {
    "$PG_BIN/psql" -X -v ON_ERROR_STOP=1 -o /dev/null -c '\timing on' -c "$1" 2>&1 |
        awk '/^Time:/ { time = $2 } /ERROR|FATAL/ && !error { error = $0 }
             END { if (error) print "failed: " error; else printf "%.1f\n", time }'
}

# Prints the transactions a second of a script on the table of a kind, or why it failed.
pgbench_tps() { # mode, clients, script, kind
    sed "s/KV/${4}_1/" "$3" >"$STATE/pgbench.sql"
    "$PG_BIN/pgbench" -n -M "$1" -c "$2" -j 2 -T "$SECONDS_EACH" -D rows="$ROWS" -f "$STATE/pgbench.sql" 2>&1 |
        awk '/^tps = / { tps = $3 } /ERROR|FATAL|error:/ && !error { error = $0 }
             END { if (error || !tps) print "failed: " error; else printf "%.0f\n", tps }'
}

# One cell of a table: the median of the lines given; a failure is told on stderr.
cell() {
    sort -n | awk '/^failed/ { failure = $0 } { line[NR] = $0 }
        END { if (failure) { print failure >"/dev/stderr"; printf " failed |" }
              else printf " %s |", line[int((NR + 1) / 2)] }'
}
