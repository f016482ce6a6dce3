"""psycopg 3: prepared statements, binary results, pipelines, server-side cursors, COPY, asyncio."""
import asyncio
import datetime
import decimal
import uuid

import psycopg
from psycopg.types.json import Jsonb
from sentences import equal, finish, holds

connection = psycopg.connect("")
connection.execute("CREATE FOREIGN TABLE reading (sensor uuid, at timestamptz, value float8, exact numeric,"
                   " days int[], note jsonb) SERVER kv OPTIONS (keyspace 'psycopg3_reading', partition_key 'sensor',"
                   " sort_key 'at')")
connection.commit()

SENSOR = uuid.UUID("0d9cf1b0-5a43-4ab1-b8be-0d2a3ac8cf11")
START = datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc)


def row(i):
    return (SENSOR, START + datetime.timedelta(minutes=i), i / 4, decimal.Decimal(i) / 8, [i, None], Jsonb({"i": i}))


def values(condition="true", *arguments):
    return [r[0] for r in connection.execute(f"SELECT value FROM reading WHERE {condition} ORDER BY at", arguments)]


@holds("executemany, with RETURNING, gives a result for each row")
def _():
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO reading VALUES (%s, %s, %s, %s, %s, %s) RETURNING value",
                           [row(i) for i in range(100)], returning=True)
        got = [cursor.fetchone()[0]]
        while cursor.nextset():
            got.append(cursor.fetchone()[0])
    connection.commit()
    equal(got, [i / 4 for i in range(100)])


@holds("text and binary results say the same")
def _():
    text, binary = (connection.execute("SELECT * FROM reading WHERE sensor = %s AND at = %s", row(7)[:2], binary=b)
                    .fetchone() for b in (False, True))
    equal(text, binary)
    equal(binary[:5], row(7)[:5])
    equal(binary[5], {"i": 7})


@holds("a prepared statement asks by key in its generic plan, too")
def _():
    connection.execute("SET plan_cache_mode = force_generic_plan")
    for i in range(20):
        got = connection.execute("SELECT value FROM reading WHERE sensor = %s AND at = %s", row(i)[:2], prepare=True)
        equal(got.fetchall(), [(i / 4,)])
    prepared = connection.execute("SELECT name, generic_plans FROM pg_prepared_statements WHERE statement"
                                  " LIKE '%value FROM reading%'").fetchall()
    equal([generic for _, generic in prepared], [20])
    plan = connection.execute("EXPLAIN (COSTS OFF) EXECUTE \"%s\" ('%s', '%s')" % ((prepared[0][0],) + row(3)[:2]))
    assert any("point get" in line for line, in plan), plan
    connection.execute("RESET plan_cache_mode")
    connection.commit()


@holds("a pipeline sends many statements before it reads an answer")
def _():
    with connection.pipeline():
        cursors = [connection.execute("SELECT value FROM reading WHERE sensor = %s AND at = %s", row(i)[:2])
                   for i in range(50)]
        got = [cursor.fetchone()[0] for cursor in cursors]
    connection.commit()
    equal(got, [i / 4 for i in range(50)])


@holds("an error in a pipeline takes back what was written before it in the same transaction")
def _():
    try:
        with connection.pipeline():
            connection.execute("UPDATE reading SET value = -1 WHERE sensor = %s", (SENSOR,))
            connection.execute("SELECT 1 / 0")
        assert False, "no error"
    except psycopg.errors.DivisionByZero:
        connection.rollback()
    equal(values("value < 0"), [])


@holds("a server-side cursor reads in parts")
def _():
    with connection.cursor(name="parts") as cursor:
        cursor.itersize = 7
        cursor.execute("SELECT value FROM reading WHERE sensor = %s", (SENSOR,))
        equal(sorted(r[0] for r in cursor), [i / 4 for i in range(100)])
    connection.commit()


@holds("COPY in is a context of its own, in text and in binary")
def _():
    with connection.cursor() as cursor:
        with cursor.copy("COPY reading FROM STDIN") as copy:
            for i in range(100, 200):
                copy.write_row(row(i))
        with cursor.copy("COPY reading FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["uuid", "timestamptz", "float8", "numeric", "int4[]", "jsonb"])
            for i in range(200, 300):
                copy.write_row(row(i))
    connection.commit()
    equal(values(), [i / 4 for i in range(300)])


@holds("COPY out of a query gives rows")
def _():
    with connection.cursor() as cursor:
        with cursor.copy("COPY (SELECT value FROM reading ORDER BY at LIMIT 3) TO STDOUT") as copy:
            copy.set_types(["float8"])
            equal(list(copy.rows()), [(0.0,), (0.25,), (0.5,)])
    connection.commit()


@holds("a COPY that the client gives up writes nothing")
def _():
    try:
        with connection.cursor().copy("COPY reading FROM STDIN") as copy:
            copy.write_row(row(900))
            raise KeyError("given up")
        assert False, "no error"
    except psycopg.errors.QueryCanceled:
        connection.rollback()
    equal(values("at = %s", row(900)[1]), [])


@holds("nested transaction blocks are savepoints")
def _():
    with connection.transaction():
        connection.execute("INSERT INTO reading (sensor, at, value) VALUES (%s, %s, 1000)", row(1000)[:2])
        try:
            with connection.transaction():
                connection.execute("INSERT INTO reading (sensor, at, value) VALUES (%s, %s, 1001)", row(1001)[:2])
                raise KeyError("inner")
        except KeyError:
            pass
    equal(values("value >= 1000"), [1000])
    connection.rollback()


@holds("ten asyncio connections work side by side")
def _():
    async def worker(i):
        async with await psycopg.AsyncConnection.connect("") as own:
            await own.execute("INSERT INTO reading (sensor, at, value) VALUES (%s, %s, %s)",
                              (*row(2000 + i)[:2], 2000 + i))
            await own.commit()
            cursor = await own.execute("SELECT value FROM reading WHERE sensor = %s AND at = %s", row(2000 + i)[:2])
            return (await cursor.fetchone())[0]

    async def all_workers():
        return await asyncio.gather(*(worker(i) for i in range(10)))

    equal(asyncio.run(all_workers()), [2000 + i for i in range(10)])
    equal(values("value >= 2000"), [2000 + i for i in range(10)])
    connection.rollback()


finish()
