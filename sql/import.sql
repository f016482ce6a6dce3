-- IMPORT FOREIGN SCHEMA: definitions published in the cluster, and tables inferred from what keyspaces hold.
\getenv hosts DYNKV_HOSTS
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE SERVER import_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER import_kv;
CREATE SCHEMA here;
CREATE SCHEMA there;
SET search_path = here, public;

CREATE TYPE here.mood AS ENUM ('sad', 'happy');
CREATE DOMAIN here.positive AS numeric(6,2) CHECK (VALUE > 0);
CREATE FOREIGN TABLE session (
  user_id bigint NOT NULL, started timestamptz(3) NOT NULL, data jsonb, tags text[],
  price numeric(10,2), mood here.mood, share here.positive, code char(3), name varchar(20) COLLATE "C")
  SERVER import_kv OPTIONS (keyspace 'import_session', partition_key 'user_id', sort_key 'started', fetch_size '50');
CREATE FOREIGN TABLE "Odd ""Table" ("Key, of it" text, "sel""ect" int OPTIONS (column_name 'it''s'), gone int, "order" date)
  SERVER import_kv OPTIONS (keyspace 'import_odd');
ALTER FOREIGN TABLE "Odd ""Table" DROP COLUMN gone;
CREATE FOREIGN TABLE import_plain (k text, v text) SERVER import_kv OPTIONS (format 'raw');
INSERT INTO session VALUES (1, '2024-01-02 03:04:05.678+00', '{"a": 1}', '{x,y}', 9.95, 'happy', 0.5, 'ab', 'Ann');
INSERT INTO "Odd ""Table" VALUES ('k', 5, '2024-02-29');
INSERT INTO import_plain VALUES ('k', 'v');

SELECT dynkv_publish_table('session');
SELECT dynkv_publish_table('"Odd ""Table"');
SELECT dynkv_publish_table('import_plain');

-- All of them, with their rows.
IMPORT FOREIGN SCHEMA public FROM SERVER import_kv INTO there;
\d there.session
\d there."Odd ""Table"
SELECT * FROM there.session;
SELECT * FROM there."Odd ""Table";
SELECT * FROM there.import_plain;
SELECT count(*) FROM there.session WHERE user_id = 1 AND started > '2024-01-01';
DROP SCHEMA there CASCADE;

-- Some of them, under any name of the remote schema.
CREATE SCHEMA there;
IMPORT FOREIGN SCHEMA whatever LIMIT TO (session, nothing) FROM SERVER import_kv INTO there;
SELECT relname FROM pg_class WHERE relnamespace = 'there'::regnamespace AND relkind = 'f' ORDER BY 1;
IMPORT FOREIGN SCHEMA public EXCEPT (session) FROM SERVER import_kv INTO there;
SELECT relname FROM pg_class WHERE relnamespace = 'there'::regnamespace AND relkind = 'f' ORDER BY 1;
IMPORT FOREIGN SCHEMA public LIMIT TO (session) FROM SERVER import_kv INTO there;
DROP SCHEMA there CASCADE;

-- Where a type does not exist, the type below a domain, or text, takes its place.
CREATE SCHEMA there;
ALTER FOREIGN TABLE session ALTER COLUMN mood TYPE text;
ALTER FOREIGN TABLE session ALTER COLUMN share TYPE numeric;
DROP TYPE here.mood;
DROP DOMAIN here.positive;
IMPORT FOREIGN SCHEMA public LIMIT TO (session) FROM SERVER import_kv INTO there;
SELECT mood, share FROM there.session;
DROP SCHEMA there CASCADE;

-- Published again it is replaced; unpublished it is gone.
CREATE SCHEMA there;
ALTER FOREIGN TABLE import_plain OPTIONS (ADD batch_size '7');
SELECT dynkv_publish_table('import_plain');
SELECT dynkv_unpublish_table('import_kv', 'session');
SELECT dynkv_unpublish_table('import_kv', 'session');
SELECT dynkv_unpublish_table('import_kv', '');
IMPORT FOREIGN SCHEMA public FROM SERVER import_kv INTO there;
SELECT relname, ftoptions FROM pg_foreign_table JOIN pg_class c ON c.oid = ftrelid WHERE relnamespace = 'there'::regnamespace ORDER BY 1;
DROP SCHEMA there CASCADE;

-- It is part of the transaction, which sees it; savepoints and ROLLBACK take it back; the last of a statement counts.
CREATE SCHEMA there;
BEGIN;
SELECT dynkv_publish_table('session');
SAVEPOINT s;
SELECT dynkv_unpublish_table('import_kv', 'session'), dynkv_unpublish_table('import_kv', 'session');
ALTER FOREIGN TABLE import_plain OPTIONS (SET batch_size '8');
SELECT dynkv_publish_table('import_plain');
\! "$DYNKV" -H "$DYNKV_HOSTS" get _dynkv.tables import_plain
SAVEPOINT imported;
IMPORT FOREIGN SCHEMA public FROM SERVER import_kv INTO there;
SELECT relname, ftoptions FROM pg_foreign_table JOIN pg_class c ON c.oid = ftrelid WHERE relnamespace = 'there'::regnamespace ORDER BY 1;
ROLLBACK TO imported;
ROLLBACK TO s;
IMPORT FOREIGN SCHEMA public LIMIT TO (session) FROM SERVER import_kv INTO there;
SELECT relname FROM pg_class WHERE relnamespace = 'there'::regnamespace AND relkind = 'f';
ROLLBACK;
IMPORT FOREIGN SCHEMA public LIMIT TO (session) FROM SERVER import_kv INTO there;
SELECT relname FROM pg_class WHERE relnamespace = 'there'::regnamespace AND relkind = 'f';
BEGIN;
SELECT dynkv_publish_table('session'), dynkv_unpublish_table('import_kv', 'session'), dynkv_publish_table('session');
COMMIT;
\! "$DYNKV" -H "$DYNKV_HOSTS" get _dynkv.tables session >/dev/null && echo stored
SELECT dynkv_publish_table('session'), dynkv_unpublish_table('import_kv', 'session');
\! "$DYNKV" -H "$DYNKV_HOSTS" get _dynkv.tables session >/dev/null || echo gone
BEGIN READ ONLY;
SELECT dynkv_publish_table('session');
ROLLBACK;
DROP SCHEMA there;

-- Not these.
CREATE TABLE ordinary (a int);
SELECT dynkv_publish_table('ordinary');
SELECT dynkv_publish_table('no_such_table');
CREATE FOREIGN TABLE unsound (a int) SERVER import_kv OPTIONS (format 'raw');
SELECT dynkv_publish_table('unsound');
IMPORT FOREIGN SCHEMA public FROM SERVER import_kv INTO here OPTIONS (import_default 'on');
CREATE FOREIGN TABLE reserved (a int) SERVER import_kv OPTIONS (keyspace '_dynkv.tables');
CREATE FOREIGN TABLE _dynkv_mine (a int) SERVER import_kv;
SELECT * FROM _dynkv_mine;
CREATE ROLE dynkv_importer;
GRANT USAGE ON SCHEMA here TO dynkv_importer;
SET ROLE dynkv_importer;
SELECT dynkv_publish_table('import_plain');
SELECT dynkv_unpublish_table('import_kv', 'import_plain');
RESET ROLE;

-- What others have written.  Two formats, a raw one, and keys that cannot be told apart.
CREATE SCHEMA there;
CREATE FOREIGN TABLE w_row (k int, b bool, i int, f float8, t text, y bytea, "key" text, none text) SERVER import_kv OPTIONS (keyspace 'infer_row');
CREATE FOREIGN TABLE w_json (k text, b bool, i int, n numeric, t text, j jsonb, mixed jsonb) SERVER import_kv OPTIONS (keyspace 'infer_json', format 'json');
CREATE FOREIGN TABLE w_raw (k text, v bytea) SERVER import_kv OPTIONS (keyspace 'infer_raw', format 'raw');
CREATE FOREIGN TABLE w_text (k text, v text) SERVER import_kv OPTIONS (keyspace 'infer_text', format 'raw');
CREATE FOREIGN TABLE w_sort (a int, b int, v text) SERVER import_kv OPTIONS (keyspace 'infer_sort', sort_key 'b');
CREATE FOREIGN TABLE w_empty (a int, v text) SERVER import_kv OPTIONS (keyspace 'infer_empty');
CREATE FOREIGN TABLE w_mixed1 (k text, m int, l int, l2 int) SERVER import_kv OPTIONS (keyspace 'infer_mixed');
CREATE FOREIGN TABLE w_mixed2 (k text, m text) SERVER import_kv OPTIONS (keyspace 'infer_mixed');
ALTER FOREIGN TABLE w_mixed1 ALTER COLUMN l OPTIONS (ADD column_name 'a member whose name is much longer than any name of a column in SQL');
ALTER FOREIGN TABLE w_mixed1 ALTER COLUMN l2 OPTIONS (ADD column_name 'a member whose name is much longer than any name of a column in SQL, still');
INSERT INTO w_row VALUES (1, true, 5, 1.5, 'x', '\x00ff', 'y', NULL), (2, NULL, NULL, 2, NULL, NULL, NULL, NULL);
INSERT INTO w_json VALUES ('a', true, 5, 1.5, 'x', '[1, 2]', '1'), ('b', false, 6, 7, NULL, '{"q": null}', '"s"');
INSERT INTO w_raw VALUES ('a', '\x00010203'), ('b', '');
INSERT INTO w_text VALUES ('a', 'some text'), ('b', '42');
INSERT INTO w_sort VALUES (1, 2, 'x');
INSERT INTO w_empty VALUES (1, 'x');
DELETE FROM w_empty;
INSERT INTO w_mixed1 VALUES ('a', 1, 2, 3);
INSERT INTO w_mixed2 VALUES ('b', 'two');
IMPORT FOREIGN SCHEMA public LIMIT TO (infer_row, infer_json, infer_raw, infer_text, infer_sort, infer_empty, infer_mixed, import_plain)
  FROM SERVER import_kv INTO there OPTIONS (import_inferred 'on');
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null, a.attfdwoptions AS options
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
  WHERE c.relnamespace = 'there'::regnamespace AND c.relkind = 'f' ORDER BY 1, a.attnum;
SELECT * FROM there.infer_row ORDER BY key_;
SELECT * FROM there.infer_row WHERE key_ = '\x80000001';
SELECT * FROM there.infer_json ORDER BY key;
SELECT * FROM there.infer_raw ORDER BY key;
SELECT * FROM there.infer_text ORDER BY key;
SELECT * FROM there.infer_mixed ORDER BY key;
UPDATE there.infer_text SET value = 'changed' WHERE key = 'a';
SELECT * FROM w_text ORDER BY k;

-- A definition that somebody else has written is believed as little as other bytes are.
\! "$DYNKV" -H "$DYNKV_HOSTS" put _dynkv.tables bad1 'no json' >/dev/null
IMPORT FOREIGN SCHEMA public LIMIT TO (bad1) FROM SERVER import_kv INTO there;
\! "$DYNKV" -H "$DYNKV_HOSTS" put _dynkv.tables bad1 '{"definition": 1, "columns": [{"name": "a"}]}' >/dev/null
IMPORT FOREIGN SCHEMA public LIMIT TO (bad1) FROM SERVER import_kv INTO there;
\! "$DYNKV" -H "$DYNKV_HOSTS" put _dynkv.tables bad1 '{"definition": 2, "columns": []}' >/dev/null
IMPORT FOREIGN SCHEMA public LIMIT TO (bad1) FROM SERVER import_kv INTO there;
\! "$DYNKV" -H "$DYNKV_HOSTS" put _dynkv.tables bad1 '{"definition": 1, "columns": [{"name": "a", "type": "int); DROP TABLE x; --"}]}' >/dev/null
IMPORT FOREIGN SCHEMA public LIMIT TO (bad1) FROM SERVER import_kv INTO there;
IMPORT FOREIGN SCHEMA public EXCEPT (bad1, import_plain) FROM SERVER import_kv INTO there;
SELECT dynkv_unpublish_table('import_kv', 'bad1');
SELECT dynkv_unpublish_table('import_kv', 'import_plain'), dynkv_unpublish_table('import_kv', 'Odd "Table');

SET client_min_messages = warning;
DROP SERVER import_kv CASCADE;
DROP SCHEMA here, there CASCADE;
DROP ROLE dynkv_importer;
