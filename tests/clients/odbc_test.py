"""psqlODBC by unixODBC's isql and by pyodbc: parameters, arrays of them, cursors in parts, the catalog."""
import datetime
import decimal
import os
import subprocess

import pyodbc
from sentences import equal, finish, holds

TARGET = ("Driver=PostgreSQL Unicode;Server={PGHOST};Port={PGPORT};Database={PGDATABASE};"
          "Uid={PGUSER};Pwd={PGPASSWORD}").format(**os.environ)

connection = pyodbc.connect(TARGET)
cursor = connection.cursor()


def value(query, *parameters):
    return cursor.execute(query, *parameters).fetchone()[0]


@holds("isql connects without a data source of its own, and prints rows")
def _():
    said = subprocess.run(["isql", "-k", "-b", "-v", "-d,", TARGET], text=True, stdout=subprocess.PIPE,
                          input="INSERT INTO account (id, owner) VALUES (1, 'isql')\n"
                                "SELECT id, owner FROM account WHERE id = 1\n")
    equal(said.returncode, 0)
    assert "1,isql" in said.stdout, said.stdout


@holds("a row with a value of every kind comes back as it was given")
def _():
    row = (2, "Zoë", decimal.Decimal("12.50"), datetime.datetime(2024, 2, 29, 12, 30, 15, 250000), "{a,b}", '{"x": 1}',
           b"\x00\x01\xff")
    cursor.execute("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
    connection.commit()
    equal(tuple(cursor.execute("SELECT * FROM account WHERE id = ?", 2).fetchone()), row)


@holds("executemany sends rows, one by one and as an array of parameters")
def _():
    for fast, first in (False, 1000), (True, 2000):
        cursor.fast_executemany = fast
        cursor.executemany("INSERT INTO account (id, owner, balance) VALUES (?, ?, ?)",
                           [(i, "many", i) for i in range(first, first + 200)])
    connection.commit()
    equal(value("SELECT count(*) FROM account WHERE owner = 'many' AND balance = id"), 400)


@holds("rowcount tells what was changed, and a rollback takes it back")
def _():
    equal(cursor.execute("UPDATE account SET balance = ? WHERE id BETWEEN ? AND ?", -1, 1000, 1009).rowcount, 10)
    equal(cursor.execute("DELETE FROM account WHERE id = ?", 2).rowcount, 1)
    connection.rollback()
    equal(value("SELECT count(*) FROM account WHERE balance = -1"), 0)
    equal(value("SELECT count(*) FROM account WHERE id = 2"), 1)


@holds("INSERT ... RETURNING is a result set")
def _():
    equal(value("INSERT INTO account (id, owner) VALUES (?, ?) RETURNING id", 3, "returned"), 3)
    connection.commit()


@holds("UseDeclareFetch reads by a cursor, in parts")
def _():
    parts = pyodbc.connect(TARGET + ";UseDeclareFetch=1;Fetch=50")
    rows = parts.cursor().execute("SELECT id FROM account WHERE owner = 'many'").fetchall()
    equal(sorted(row[0] for row in rows), list(range(1000, 1200)) + list(range(2000, 2200)))
    parts.close()


@holds("autocommit commits each statement")
def _():
    own = pyodbc.connect(TARGET, autocommit=True)
    own.execute("UPDATE account SET owner = 'auto' WHERE id = 3")
    own.close()
    connection.rollback()
    equal(value("SELECT owner FROM account WHERE id = 3"), "auto")


@holds("the catalog shows the table, its columns and their types, and no primary key")
def _():
    equal([(t.table_schem, t.table_name) for t in cursor.tables(table="account")], [("public", "account")])
    equal([(c.column_name, c.type_name) for c in cursor.columns(table="account")],
          [("id", "int8"), ("owner", "text"), ("balance", "numeric"), ("opened", "timestamptz"), ("tags", "_text"),
           ("data", "jsonb"), ("photo", "bytea")])
    equal(cursor.primaryKeys(table="account").fetchall(), [])


@holds("an error has its SQLSTATE, and the connection goes on")
def _():
    try:
        cursor.execute("INSERT INTO account (owner) VALUES ('nobody')")
        connection.commit()
        assert False, "no error"
    except pyodbc.Error as error:
        equal(error.args[0], "23502")
        connection.rollback()
    equal(value("SELECT owner FROM account WHERE id = 3"), "auto")


finish()
