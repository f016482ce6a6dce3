"""pg_dump and pg_restore: the schema with its options, and the rows where they are asked for."""
import os
import subprocess
import tempfile

from sentences import equal, finish, holds

HERE, THERE = os.environ["PGDATABASE"], os.environ["PGDATABASE"] + "_restored"


def run(*command, text=None):
    said = subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert said.returncode == 0, said.stderr
    return said.stdout


def psql(database, script):
    return run("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", database, text=script)


def rows(database):
    return psql(database, "SELECT * FROM account ORDER BY id")


psql(HERE, r"""
ALTER FOREIGN TABLE account ALTER COLUMN owner OPTIONS (column_name 'who');
INSERT INTO account VALUES (1, 'Ann', 12.5, '2024-02-29 12:30:15.25Z', '{a,NULL,"b,c"}', '{"x": [1, 2]}', '\x0001ff'),
    (2, E'tab\there,\nline "quoted" \\ backslash', NULL, 'infinity', '{}', 'null', ''),
    (3, '', 'NaN', NULL, NULL, NULL, NULL);
INSERT INTO account (id, owner) SELECT i, 'many' FROM generate_series(1000, 2999) i;
CREATE FOREIGN TABLE piece (host text COLLATE "C", number int, body text) SERVER kv
    OPTIONS (keyspace 'pg_dump_piece', partition_key 'host', sort_key 'number', format 'json', r '1', w '3');
CREATE VIEW rich AS SELECT id, owner FROM account WHERE balance > 10;
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.owner := upper(NEW.owner); RETURN NEW; END $$;
CREATE TRIGGER loud BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION shout();
""")


@holds("a dump has extension, server, user mapping and tables with their options, and no rows")
def _():
    dump = run("pg_dump", HERE)
    for part in ["CREATE EXTENSION IF NOT EXISTS dynkv_fdw", "CREATE SERVER kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (",
                 "CREATE USER MAPPING FOR postgres SERVER kv", "    keyspace 'pg_dump_account',",
                 "    sort_key 'number',", "    column_name 'who'\n"]:
        assert part in dump, f"no {part!r} in {dump}"
    assert "COPY public.account" not in dump and "Ann" not in dump, dump


@holds("the schema restored elsewhere shows the same rows: they are in the cluster")
def _():
    run("createdb", THERE)
    psql(THERE, run("pg_dump", "--schema-only", HERE))
    equal(psql(THERE, "SELECT owner FROM rich WHERE id = 1"), "Ann\n")
    equal(rows(THERE), rows(HERE))
    run("dropdb", THERE)


@holds("--include-foreign-data dumps the rows, and a restore brings them back after they were lost")
def _():
    before = rows(HERE)
    run("createdb", THERE)
    dump = run("pg_dump", "--include-foreign-data=kv", HERE)
    psql(HERE, "DELETE FROM account")
    equal(rows(HERE), "")
    psql(THERE, dump)
    equal(rows(THERE), before)
    equal(rows(HERE), before)
    run("dropdb", THERE)


@holds("the rows go into another keyspace by a dump with the option changed, as INSERT statements, too")
def _():
    before = rows(HERE)
    run("createdb", THERE)
    dump = run("pg_dump", "--include-foreign-data=kv", "--inserts", "--rows-per-insert=100", HERE)
    psql(THERE, dump.replace("keyspace 'pg_dump_account'", "keyspace 'pg_dump_other'"))
    psql(HERE, "DELETE FROM account WHERE id = 3")
    equal(rows(THERE), before)
    psql(HERE, "INSERT INTO account (id, owner, balance) VALUES (3, '', 'NaN')")
    equal(rows(HERE), before)
    run("dropdb", THERE)


@holds("a time to live is dumped and restored where the table has a column for it")
def _():
    psql(HERE, "CREATE FOREIGN TABLE leased (id int, until timestamptz OPTIONS (meta 'expires_at')) SERVER kv"
               " OPTIONS (keyspace 'pg_dump_leased');"
               "INSERT INTO leased VALUES (1, '2999-12-31 23:59:59.5Z'), (2, NULL)")
    dump = run("pg_dump", "--include-foreign-data=kv", HERE)
    psql(HERE, "DELETE FROM leased")
    run("createdb", THERE)
    psql(THERE, dump)
    equal(psql(THERE, "SELECT * FROM leased ORDER BY id"), "1|2999-12-31 23:59:59.5+00\n2|\n")
    run("dropdb", THERE)


@holds("a custom-format archive is listed and restored by pg_restore, its rows in parallel jobs")
def _():
    before = rows(HERE)
    folder = tempfile.TemporaryDirectory()
    archive = os.path.join(folder.name, "archive")
    run("pg_dump", "--format=custom", "--include-foreign-data=kv", "--file=" + archive, HERE)
    assert "FOREIGN TABLE public account" in run("pg_restore", "--list", archive)
    psql(HERE, "DELETE FROM account")
    run("createdb", THERE)
    run("pg_restore", "--jobs=2", "--exit-on-error", "--dbname=" + THERE, archive)
    folder.cleanup()
    equal(rows(THERE), before)
    run("dropdb", THERE)


finish()
