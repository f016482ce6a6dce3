"""psql: what its commands say of a foreign table, COPY, FETCH_COUNT, and completion at a terminal."""
import os
import pty
import re
import select
import signal
import subprocess
import time

from sentences import equal, finish, holds

PATIENCE_S = 30  # for an answer at the terminal; it is awaited, so it costs nothing where all is well


def psql(script, *options):
    said = subprocess.run(["psql", "-X", "-v", "ON_ERROR_STOP=1", *options], input=script, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert said.returncode == 0, said.stdout
    return said.stdout


def plain(script):
    return psql(script, "-At").splitlines()


psql("COMMENT ON FOREIGN TABLE account IS 'who owns what'; INSERT INTO account VALUES"
     " (1, 'Ann', 12.5, '2024-02-29 12:30Z', '{a,b}', '{\"x\": 1}', '\\x00ff'), (2, 'Bob', 0, NULL, NULL, NULL, NULL)")


@holds("\\d, \\dE and \\det list the table; \\d+ has its comment")
def _():
    equal(plain("\\d"), ["public|account|foreign table|postgres"])
    equal(plain("\\dE"), ["public|account|foreign table|postgres"])
    equal(plain("\\det"), ["public|account|kv"])
    assert "|who owns what" in plain("\\d+")[0]


@holds("\\d account tells columns, server and options")
def _():
    lines = psql("\\d account").splitlines()
    equal(lines[0].strip(), 'Foreign table "public.account"')
    equal(lines[-3:], ["Server: kv", "FDW options: (keyspace 'psql_account', partition_key 'id')", ""])
    equal([line.split("|")[0].strip() for line in lines[3:10]],
          ["id", "owner", "balance", "opened", "tags", "data", "photo"])


@holds("\\des, \\deu and \\dew list server, user mapping and wrapper")
def _():
    equal(plain("\\des"), ["kv|postgres|dynkv_fdw"])
    equal(plain("\\deu"), ["kv|postgres"])
    equal(plain("\\dew"), ["dynkv_fdw|postgres|dynkv_fdw_handler|dynkv_fdw_validator"])


@holds("\\dx+ lists the functions of the extension, \\df finds them, \\sf shows one")
def _():
    assert "function dynkv_nodes(text)" in plain("\\dx+ dynkv_fdw")
    equal([line.split("|")[1] for line in plain("\\df dynkv_fdw_disc*")],
          ["dynkv_fdw_disconnect", "dynkv_fdw_disconnect_all"])
    assert "dynkv_nodes" in psql("\\sf dynkv_nodes")


@holds("\\copy goes in, and out by a query; COPY TO of the table itself is refused by PostgreSQL")
def _():
    plain("\\copy account (id, owner) FROM stdin (FORMAT csv)\n10,ten\n11,\"e,leven\"\n\\.\n")
    equal(plain("\\copy (SELECT id, owner FROM account WHERE id >= 10 ORDER BY id) TO stdout (FORMAT csv)"),
          ["10,ten", '11,"e,leven"'])
    refused = subprocess.run(["psql", "-X", "-c", "\\copy account TO stdout"], text=True, stderr=subprocess.PIPE)
    assert 'cannot copy from foreign table "account"' in refused.stderr, refused.stderr


@holds("FETCH_COUNT reads by a cursor; \\gset, \\gdesc and \\crosstabview work")
def _():
    equal(len(plain("INSERT INTO account (id, owner) SELECT i, 'many' FROM generate_series(1000, 1499) i;\n"
                    "\\set FETCH_COUNT 7\nSELECT id FROM account WHERE owner = 'many';")), 501)
    equal(plain("SELECT owner AS who FROM account WHERE id = 11 \\gset\n\\echo :who"), ["e,leven"])
    equal(plain("SELECT id, balance FROM account \\gdesc"), ["id|bigint", "balance|numeric(12,2)"])
    equal(plain("SELECT id, owner, 'x' FROM account WHERE id = 1 \\crosstabview"), ["1|x"])


# ---- completion ----

class Terminal:
    """psql at a terminal of its own."""

    def __init__(self):
        self.process, self.file = pty.fork()
        if self.process == 0:
            os.environ["TERM"] = "dumb"
            os.execvp("psql", ["psql", "-X", "-At", "-P", "pager=off"])
        self.read_until("=# $")

    def read_until(self, pattern):
        said, deadline = "", time.monotonic() + PATIENCE_S
        while not re.search(pattern, said):
            ready, _, _ = select.select([self.file], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"waited for {pattern!r}, got {said!r}"
            said += os.read(self.file, 4096).decode()
        return said

    def type(self, text):
        os.write(self.file, text.encode())

    def completes(self, typed, rest):
        """After TAB psql writes the rest; a comment behind it, and the line is thrown away."""
        self.type(typed + "\t--there\n")
        said = self.read_until("--there").replace("\a", "")
        assert (typed + rest).replace(" ", "") in said.replace(" ", ""), f"{typed!r} became {said!r}"
        self.type("\\r\n")
        self.read_until("reset.*\r\n.*=# $")

    def close(self):
        os.close(self.file)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


try:
    terminal = Terminal()
except OSError as error:  # a bare chroot has none
    print(f"clients: skipped: psql: completion: no terminal can be had here: {error}")
    finish()

for typed, rest, what in [
        ("SELECT * FROM acc", "ount", "a foreign table after FROM"),
        ("SELECT * FROM account WHERE ba", "lance", "its columns"),
        ("INSERT INTO acc", "ount", "it after INSERT INTO"),
        ("UPDATE account SET bal", "ance", "its columns after SET"),
        ("TRUNCATE acc", "ount", "it after TRUNCATE"),
        ("ANALYZE acc", "ount", "it after ANALYZE"),
        ("ALTER FOREIGN TABLE acc", "ount", "it after ALTER FOREIGN TABLE"),
        ("DROP SERVER k", "v", "the server"),
        ("IMPORT FOREIGN SCHEMA s FROM SERVER k", "v", "the server of an import"),
        ("CREATE SERVER s FOREIGN DATA WRAPPER dyn", "kv_fdw", "the wrapper"),
]:
    @holds("TAB completes " + what)
    def _():
        terminal.completes(typed, rest)


@holds("TAB completes the settings as soon as the session has used a foreign table")
def _():
    terminal.type("SELECT owner FROM account WHERE id = 2;\n")
    terminal.read_until("Bob\r\n.*=# $")
    terminal.completes("SET dynkv", "_fdw.")


terminal.close()
finish()
