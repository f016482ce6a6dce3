"""pgbench with its TPC-B tables as foreign tables: filled by itself, run by one client and by four."""
import os
import re
import subprocess

from sentences import equal, finish, holds

HERE = os.path.dirname(os.path.abspath(__file__))
ACCOUNTS = 100000  # what scale 1 means


def run(*command, text=None):
    said = subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert said.returncode == 0, said.stdout
    return said.stdout


def psql(script):
    return run("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", text=script).strip()


def bench(*options):
    """Runs pgbench; gives how many transactions it made."""
    said = run("pgbench", "--no-vacuum", *options)
    assert "number of failed transactions: 0 " in said, said
    return int(re.search(r"transactions actually processed: (\d+)", said).group(1))


def totals():
    """Rows of history, and the four sums that TPC-B wants to change alike."""
    return [int(number) for number in psql(
        "SELECT count(*), coalesce(sum(delta), 0), (SELECT sum(abalance) FROM pgbench_accounts),"
        " (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches)"
        " FROM pgbench_history").split("|")]


def bench_changes(*options):
    """Runs pgbench; gives how many transactions it made, and what they changed in the totals."""
    before = totals()
    made = bench(*options)
    return made, [now - then for now, then in zip(totals(), before)]


run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", os.path.join(HERE, "pgbench_tables.sql"))


@holds("pgbench -i truncates the tables, and fills them by INSERT ... SELECT")
def _():
    psql("INSERT INTO pgbench_tellers VALUES (100, 1, 1, '')")
    run("pgbench", "--initialize", "--init-steps=G")
    equal(psql("SELECT count(*), count(DISTINCT aid), sum(abalance) FROM pgbench_accounts"), f"{ACCOUNTS}|{ACCOUNTS}|0")
    equal(psql("SELECT count(*) FROM pgbench_tellers"), "10")


@holds("its client-side filling, a COPY FREEZE, is refused by PostgreSQL, and changes nothing")
def _():
    refused = subprocess.run(["pgbench", "--initialize", "--init-steps=g"], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    assert refused.returncode != 0 and "COPY FREEZE" in refused.stdout, refused.stdout
    equal(psql("SELECT count(*) FROM pgbench_accounts"), str(ACCOUNTS))


for protocol in "simple", "extended", "prepared":
    @holds(f"one client, protocol {protocol}: every total changes alike")
    def _():
        made, (rows, *sums) = bench_changes("--transactions=50", "--protocol=" + protocol)
        equal((made, rows, len(set(sums))), (50, 50, 1))


@holds("four clients at one branch: no transaction fails, and no row of history is lost")
def _():
    made, (rows, *_) = bench_changes("--client=4", "--jobs=2", "--transactions=50")
    equal((made, rows), (200, 200))


@holds("four clients that take an advisory lock first: every total changes alike")
def _():
    made, (rows, *sums) = bench_changes("--client=4", "--jobs=2", "--transactions=50",
                                        "--file=" + os.path.join(HERE, "pgbench_locked.sql"))
    equal((made, rows, len(set(sums))), (200, 200, 1))


@holds("--select-only reads by key")
def _():
    equal(bench("--client=4", "--jobs=2", "--transactions=200", "--select-only", "--protocol=prepared"), 800)


finish()
