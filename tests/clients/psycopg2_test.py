"""psycopg2: parameters, batches, COPY, named cursors, notices and errors."""
import datetime
import decimal
import io
import select
import threading

import psycopg2
import psycopg2.errors
import psycopg2.extras
from sentences import equal, finish, holds

connection = psycopg2.connect("")
cursor = connection.cursor()

WHEN = datetime.datetime(2024, 2, 29, 12, 30, 15, 250000, tzinfo=datetime.timezone.utc)


def count(condition="true"):
    cursor.execute("SELECT count(*) FROM account WHERE " + condition)
    return cursor.fetchone()[0]


@holds("a row with a value of every kind comes back as it was given")
def _():
    row = (1, "Ann", decimal.Decimal("12.50"), WHEN, ["a", None, "b,c"], {"x": [1, 2]}, b"\x00\x01\xff")
    cursor.execute("INSERT INTO account VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
                   row[:5] + (psycopg2.extras.Json(row[5]), psycopg2.Binary(row[6])))
    equal(cursor.fetchone(), (1,))
    connection.commit()
    cursor.execute("SELECT * FROM account WHERE id = %s", (1,))
    got = cursor.fetchone()
    equal(got[:6] + (bytes(got[6]),), row)


@holds("executemany inserts, execute_batch updates, execute_values inserts with RETURNING")
def _():
    cursor.executemany("INSERT INTO account (id, owner) VALUES (%s, %s)",
                       [(i, "many") for i in range(100, 300)])
    psycopg2.extras.execute_batch(cursor, "UPDATE account SET balance = %s WHERE id = %s",
                                  [(i, i) for i in range(100, 300)])
    got = psycopg2.extras.execute_values(cursor, "INSERT INTO account (id, owner) VALUES %s RETURNING id",
                                         [(i, "values") for i in range(300, 500)], fetch=True)
    connection.commit()
    equal([row[0] for row in got], list(range(300, 500)))
    equal(count("owner = 'many' AND balance = id"), 200)
    equal(count("owner = 'values'"), 200)


@holds("rowcount tells what was changed, and a rollback takes it back")
def _():
    cursor.execute("UPDATE account SET balance = -1 WHERE id = ANY(%s)", ([100, 101, 9999],))
    equal(cursor.rowcount, 2)
    cursor.execute("DELETE FROM account WHERE owner = 'values'")
    equal(cursor.rowcount, 200)
    connection.rollback()
    equal(count("balance = -1"), 0)
    equal(count("owner = 'values'"), 200)


@holds("COPY goes in by copy_from and copy_expert, and out by a SELECT")
def _():
    cursor.copy_from(io.StringIO("600\tcopied\n601\t\\N\n"), "account", columns=("id", "owner"))
    cursor.copy_expert("COPY account (id, owner) FROM STDIN (FORMAT csv)", io.StringIO('602,"copied, too"\n'))
    connection.commit()
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT id, owner FROM account WHERE id BETWEEN 600 AND 602 ORDER BY id) TO STDOUT", out)
    equal(out.getvalue(), "600\tcopied\n601\t\\N\n602\tcopied, too\n")


@holds("COPY account TO is refused by PostgreSQL, which names the way")
def _():
    try:
        cursor.copy_to(io.StringIO(), "account")
        assert False, "no error"
    except psycopg2.errors.WrongObjectType as error:
        assert "COPY (SELECT ...) TO" in error.diag.message_hint, error
    finally:
        connection.rollback()


@holds("a named cursor reads a table in parts, and keeps what it saw while rows are deleted")
def _():
    with connection.cursor(name="reader") as reader:
        reader.itersize = 50
        reader.execute("SELECT id FROM account WHERE id BETWEEN 100 AND 499")
        first = reader.fetchmany(10)
        cursor.execute("DELETE FROM account WHERE id BETWEEN 100 AND 199")
        equal(sorted(row[0] for row in first + list(reader)), list(range(100, 500)))
    equal(count("id BETWEEN 100 AND 499"), 300)
    connection.rollback()


@holds("a named cursor WITH HOLD outlives its transaction")
def _():
    reader = connection.cursor(name="held", withhold=True)
    reader.execute("SELECT id FROM account WHERE id BETWEEN 100 AND 199")
    connection.commit()
    equal(len(reader.fetchall()), 100)
    reader.close()
    connection.commit()


@holds("a scrollable cursor goes back")
def _():
    with connection.cursor(name="scroll", scrollable=True) as reader:
        reader.execute("SELECT id FROM account WHERE id BETWEEN 100 AND 109 ORDER BY id")
        equal([row[0] for row in reader.fetchmany(5)], list(range(100, 105)))
        reader.scroll(2, mode="absolute")
        equal(reader.fetchone(), (102,))
    connection.rollback()


@holds("a cursor's row cannot be updated by WHERE CURRENT OF, and the error says so")
def _():
    with connection.cursor(name="positioned") as reader:
        reader.execute("SELECT id FROM account WHERE id = 100 FOR UPDATE")
        equal(reader.fetchone(), (100,))
        try:
            cursor.execute("UPDATE account SET owner = 'x' WHERE CURRENT OF positioned")
            assert False, "no error"
        except psycopg2.Error as error:
            equal(error.diag.message_primary, "WHERE CURRENT OF is not supported for this table type")
    connection.rollback()


@holds("a savepoint takes back its part only")
def _():
    cursor.execute("INSERT INTO account (id, owner) VALUES (700, 'kept')")
    cursor.execute("SAVEPOINT s")
    cursor.execute("INSERT INTO account (id, owner) VALUES (701, 'lost')")
    cursor.execute("ROLLBACK TO s")
    connection.commit()
    equal(count("id = 700"), 1)
    equal(count("id = 701"), 0)


@holds("two-phase commit is refused after a write, and the connection goes on")
def _():
    connection.rollback()
    connection.tpc_begin(connection.xid(1, "global", "branch"))
    cursor.execute("INSERT INTO account (id, owner) VALUES (702, 'prepared')")
    try:
        connection.tpc_prepare()
        assert False, "no error"
    except psycopg2.errors.FeatureNotSupported:
        pass
    connection.tpc_rollback()
    equal(count("id = 702"), 0)
    connection.rollback()


@holds("an asynchronous connection waits by its own select")
def _():
    other = psycopg2.connect("", async_=True)

    def wait():
        while True:
            state = other.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            reads = [other] if state == psycopg2.extensions.POLL_READ else []
            ready = select.select(reads, [] if reads else [other], [], 60)
            assert any(ready), "no answer within 60 s"

    wait()
    cursor2 = other.cursor()
    cursor2.execute("SELECT owner FROM account WHERE id = 700")
    wait()
    equal(cursor2.fetchone(), ("kept",))
    other.close()


@holds("SELECT FOR UPDATE locks nothing: two sessions have the same row, and neither waits")
def _():
    other = psycopg2.connect("", options="-c statement_timeout=60s")
    with other.cursor() as look:
        for one in cursor, look:
            one.execute("SELECT owner FROM account WHERE id = 700 FOR UPDATE")
            equal(one.fetchone(), ("kept",))
    other.close()
    connection.rollback()


@holds("LOCK TABLE is refused by PostgreSQL; an advisory lock keeps another session out")
def _():
    try:
        cursor.execute("LOCK TABLE account")
        assert False, "no error"
    except psycopg2.errors.WrongObjectType:
        connection.rollback()
    cursor.execute("SELECT pg_advisory_xact_lock(700)")
    other = psycopg2.connect("")
    with other.cursor() as rival:
        for wanted in False, True:
            rival.execute("SELECT pg_try_advisory_xact_lock(700)")
            equal(rival.fetchone(), (wanted,))
            connection.rollback()
    other.close()


@holds("REPEATABLE READ sees what another session has committed meanwhile")
def _():
    other = psycopg2.connect("")
    other.set_session(isolation_level="REPEATABLE READ")
    with other.cursor() as look:
        look.execute("SELECT count(*) FROM account WHERE id = 710")
        equal(look.fetchone(), (0,))
        cursor.execute("INSERT INTO account (id, owner) VALUES (710, 'meanwhile')")
        connection.commit()
        look.execute("SELECT count(*) FROM account WHERE id = 710")
        equal(look.fetchone(), (1,))
    other.close()


@holds("of two updates from the same read one is shown, the one that was committed last")
def _():
    other = psycopg2.connect("")
    with other.cursor() as rival:
        for one in cursor, rival:
            one.execute("UPDATE account SET balance = balance + 1 WHERE id = 710 RETURNING balance")
            equal(one.fetchone()[0], 1)
    connection.commit()
    other.commit()
    other.close()
    equal(count("id = 710 AND balance = 1"), 1)
    connection.rollback()


def cancel_when_it_runs(other):
    watch = psycopg2.connect("")
    watch.autocommit = True
    with watch.cursor() as look:
        running = None
        while not running:
            look.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'"
                         " AND query LIKE '%%slow%%'", (other.info.backend_pid,))
            running = look.fetchone()
    watch.close()
    other.cancel()


@holds("cancel() ends a running statement, and the connection goes on")
def _():
    connection.rollback()
    other = psycopg2.connect("")
    other.autocommit = True
    thread = threading.Thread(target=cancel_when_it_runs, args=(other,))
    thread.start()
    try:
        other.cursor().execute("SELECT count(*) FROM account a, account b, account c, account d -- slow")
        assert False, "no error"
    except psycopg2.errors.QueryCanceled:
        pass
    finally:
        thread.join()
    again = other.cursor()
    again.execute("SELECT owner FROM account WHERE id = 700")
    equal(again.fetchone(), ("kept",))
    other.close()


finish()
