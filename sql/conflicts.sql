-- Concurrent values: two sessions write a key that both have read.  The other session is a psql of its own.
\getenv hosts DYNKV_HOSTS
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT current_database() AS db \gset
\setenv PGDATABASE :db
CREATE SERVER conflicts_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER conflicts_kv;
-- a connection of its own, and so another writer
CREATE SERVER conflicts_other FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER conflicts_other;

-- Five views of one keyspace.
CREATE FOREIGN TABLE note (k text, v text, version text OPTIONS (meta 'version'), n int OPTIONS (meta 'siblings'))
  SERVER conflicts_kv OPTIONS (keyspace 'conflicts_note');
CREATE FOREIGN TABLE note_all (k text, v text, version text OPTIONS (meta 'version'), n int OPTIONS (meta 'siblings'),
    modified_at timestamptz OPTIONS (meta 'modified_at'), node text OPTIONS (meta 'node'))
  SERVER conflicts_kv OPTIONS (keyspace 'conflicts_note', conflict 'siblings');
CREATE FOREIGN TABLE note_strict (k text, v text)
  SERVER conflicts_kv OPTIONS (keyspace 'conflicts_note', conflict 'error');
CREATE FOREIGN TABLE note_joined (k text, v text, n int OPTIONS (meta 'siblings'), modified_at timestamptz OPTIONS (meta 'modified_at'))
  SERVER conflicts_kv OPTIONS (keyspace 'conflicts_note', resolver 'public.join_notes');
CREATE FOREIGN TABLE note_now (k text, v text)
  SERVER conflicts_other OPTIONS (keyspace 'conflicts_note', write_mode 'immediate', conflict 'siblings');
CREATE FUNCTION join_notes(siblings note_joined[]) RETURNS note_joined LANGUAGE sql AS $$
  SELECT row(min(s.k), string_agg(s.v, '|' ORDER BY s.v), NULL, max(s.modified_at))::note_joined FROM unnest(siblings) s
$$;

-- Both have read (a, start); neither overwrites the other.
CREATE PROCEDURE begin_again() LANGUAGE sql AS $$
  DELETE FROM note;
  INSERT INTO note VALUES ('a', 'start'), ('b', 'start'), ('c', 'alone');
$$;
CREATE PROCEDURE conflict(text) LANGUAGE sql AS $$
  UPDATE note SET v = 'one' WHERE k = $1;  -- waits for the commit, with the version that was read
  INSERT INTO note_now VALUES ($1, 'two'); -- does not
$$;
CALL begin_again();
BEGIN;
UPDATE note SET v = v || ', mine' WHERE k IN ('a', 'b');
\! psql -XAtqc "UPDATE note SET v = v || ', theirs' WHERE k = 'a' RETURNING k, v, version, n"
COMMIT;
SELECT k, v, n FROM note ORDER BY k;
SELECT k, v, n FROM note_all ORDER BY k, modified_at;
SELECT count(*), count(DISTINCT version), count(DISTINCT k) FROM note_all;
SELECT count(*) FROM note_all WHERE k = 'a';
SELECT k, v FROM note_all WHERE k = 'a'; -- the latest first
SELECT count(*) FROM note_all WHERE modified_at BETWEEN now() - interval '1 hour' AND now() + interval '1 hour'
  AND node ~ '^[0-9a-f]{16}$';

-- conflict 'error'.
\set VERBOSITY sqlstate
SELECT v FROM note_strict WHERE k = 'a';
\set VERBOSITY default
SELECT v FROM note_strict WHERE k = 'a';
SELECT * FROM note_strict WHERE k = 'c';
SELECT count(*) FROM note_strict;
UPDATE note_strict SET v = 'x' WHERE k = 'a';
DO $$ BEGIN
  PERFORM * FROM note_strict;
EXCEPTION WHEN SQLSTATE 'KV001' THEN
  RAISE NOTICE 'caught: %', sqlerrm;
END $$;

-- resolver: reading settles nothing.
SELECT k, v, n FROM note_joined ORDER BY k;
SELECT j.modified_at = max(a.modified_at) AS of_the_function FROM note_joined j JOIN note_all a USING (k) WHERE k = 'a'
  GROUP BY j.modified_at;
SELECT count(*) FROM note_joined;
SELECT k FROM note_joined ORDER BY k;
SELECT max(n) FROM note_joined;
SELECT count(*) FROM note_all;

-- UPDATE settles what the statement saw: with a resolver the row that it made,
UPDATE note_joined SET v = v || '!' WHERE k = 'a' RETURNING k, v, n;
SELECT k, v, n FROM note_all WHERE k = 'a';
-- with siblings the row that the condition meets, one of them if it meets several; each key counts once.
CALL begin_again();
CALL conflict('a');
WITH u AS (UPDATE note_all SET v = v || '!' RETURNING k, v, n, version, modified_at, node) SELECT * FROM u ORDER BY k;
SELECT k, v, n FROM note_all ORDER BY k;

-- To choose one of them is to UPDATE it.
CALL begin_again();
CALL conflict('a');
CALL conflict('b');
SELECT k, v, n FROM note_all ORDER BY k, v;
UPDATE note_all SET v = v WHERE k = 'a' AND v = 'two' RETURNING k, v;
SELECT k, v, n FROM note_all ORDER BY k, v;
-- A DELETE of some rows of a key would take away the others, too.
DELETE FROM note_all WHERE v = 'two';
DELETE FROM note_now WHERE v = 'two';
DELETE FROM note_all USING (VALUES ('two'), ('two')) w(v) WHERE note_all.v = w.v AND k = 'b';
SELECT k, v, n FROM note_all ORDER BY k, v;
BEGIN;
DELETE FROM note_all WHERE k = 'b' RETURNING k, v, n;
SELECT k, v, n FROM note_all ORDER BY k, v;
ROLLBACK;
DELETE FROM note_now WHERE k = 'b' AND v IN ('one', 'two');
SELECT k, v, n FROM note_all ORDER BY k, v;

-- A row that joins several times, an update of the key, a rescan, a cursor: a conflicted key is written once.
CALL conflict('c');
UPDATE note_all SET v = v || w.i FROM generate_series(1, 3) w(i) WHERE k = 'c' AND v = 'one';
SELECT k, v, n FROM note_all WHERE k = 'c';
CALL conflict('c');
UPDATE note_all SET k = 'd', v = v || ' moved' WHERE k = 'c' AND v = 'two' RETURNING k, v;
SELECT k, v, n FROM note_all ORDER BY k, v;
CALL conflict('a');
SELECT i, v FROM generate_series(1, 2) i, LATERAL (SELECT v FROM note_all WHERE k = 'a' AND i > 0) s;
BEGIN;
DECLARE c CURSOR FOR SELECT v FROM note_all WHERE k = 'a';
FETCH 1 FROM c;
UPDATE note_all SET v = 'settled' WHERE k = 'a';
FETCH ALL FROM c;
SELECT v, n, version, modified_at, node FROM note_all WHERE k = 'a'; -- not sent yet
COMMIT;
SELECT v, n FROM note_all WHERE k = 'a';

-- Who deletes what he has read does not delete what he has not.
CALL begin_again();
BEGIN;
DELETE FROM note WHERE k = 'a';
\! psql -XAtqc "UPDATE note SET v = 'unseen' WHERE k = 'a'"
COMMIT;
SELECT v, n FROM note_all WHERE k = 'a';
SELECT v FROM note WHERE k = 'a'; -- the last write was the delete
SELECT v FROM note_strict WHERE k = 'a';
SELECT v, n FROM note_joined WHERE k = 'a';

-- The version a row was read at, for writers that read and write in different transactions.
SELECT version FROM note WHERE k = 'c' \gset
\! psql -XAtqc "UPDATE note SET v = 'changed' WHERE k = 'c'"
UPDATE note SET v = 'too late' WHERE k = 'c' AND version = :'version';
SELECT version FROM note WHERE k = 'c' \gset
UPDATE note SET v = 'in time' WHERE k = 'c' AND version = :'version';
SELECT version = :'version' AS is_same, v FROM note WHERE k = 'c';
-- The command line takes it, too: this context is an old one.
\setenv VERSION :version
\! "$DYNKV" -H "$DYNKV_HOSTS" delete conflicts_note c --context "$VERSION" | sed 's/.*acknowledgements*, //'
SELECT v, n FROM note_all WHERE k = 'c';

-- Others than lww know a row by any value that is alive.
CREATE FOREIGN TABLE note_once (k text, v text)
  SERVER conflicts_kv OPTIONS (keyspace 'conflicts_note', conflict 'siblings', on_insert 'error');
INSERT INTO note_once VALUES ('a', 'again');
INSERT INTO note_once VALUES ('a', 'again') ON CONFLICT DO NOTHING;

-- Statistics are made of what is there, without errors and functions.
CALL begin_again();
CALL conflict('a');
ANALYZE note, note_all, note_strict, note_joined;
SELECT relname, reltuples FROM pg_class WHERE relname ~ '^note_?(all|strict|joined)?$' ORDER BY 1;

-- Resolvers that are none.
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.no_such');
SELECT * FROM note_joined;
\echo :LAST_ERROR_SQLSTATE
EXPLAIN (COSTS OFF) UPDATE note_joined SET v = 'x';
CREATE FUNCTION pick_set(note_joined[]) RETURNS SETOF note_joined LANGUAGE sql AS 'SELECT * FROM unnest($1)';
CREATE FUNCTION pick_text(note_joined[]) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
CREATE FUNCTION pick_null(note_joined[]) RETURNS note_joined LANGUAGE sql AS 'SELECT NULL::note_joined';
CREATE FUNCTION pick_no_key(note_joined[]) RETURNS note_joined LANGUAGE sql AS $$SELECT row(NULL, 'v', 0, NULL)::note_joined$$;
CREATE FUNCTION pick_other(note_joined[]) RETURNS note_joined LANGUAGE sql AS $$SELECT row('z', 'v', 0, NULL)::note_joined$$;
CREATE FUNCTION pick_fails(note_joined[]) RETURNS note_joined LANGUAGE plpgsql AS $$BEGIN RAISE 'no idea'; END$$;
CREATE FUNCTION pick_private(note_joined[]) RETURNS note_joined LANGUAGE sql AS 'SELECT $1[1]';
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.pick_set');
SELECT * FROM note_joined;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.pick_text');
SELECT * FROM note_joined;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.pick_null');
SELECT v FROM note_joined;
\echo :LAST_ERROR_SQLSTATE
SELECT v FROM note_joined WHERE k = 'c'; -- nothing to resolve
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.pick_no_key');
SELECT v FROM note_joined;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.pick_other');
SELECT v FROM note_joined;
\echo :LAST_ERROR_SQLSTATE
-- a record is a row of the table only if it has its columns
CREATE FUNCTION pick_record(note_joined[]) RETURNS record LANGUAGE sql AS 'SELECT $1[1]';
CREATE FUNCTION pick_short(note_joined[]) RETURNS note_joined LANGUAGE plpgsql AS $$BEGIN RETURN row('a', 'v'); END$$;
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.pick_record');
SELECT v FROM note_joined;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.pick_short');
-- (PostgreSQL tells the column in other words from 18 on)
\set VERBOSITY terse
SELECT v FROM note_joined;
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
-- one that is there takes part in no write of a key without siblings; one that fails stops those with
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.pick_fails');
UPDATE note_joined SET v = 'x' WHERE k = 'c';
UPDATE note_joined SET v = v || 'x' WHERE k = 'a';
DELETE FROM note_joined WHERE k = 'a' RETURNING v;
SELECT v FROM note_joined;
\echo :LAST_ERROR_SQLSTATE
-- It runs as the table's owner, whoever reads.
CREATE ROLE conflicts_owner;
CREATE ROLE conflicts_reader;
GRANT USAGE ON FOREIGN SERVER conflicts_kv TO conflicts_owner;
ALTER FOREIGN TABLE note_joined OWNER TO conflicts_owner;
GRANT SELECT ON note_joined TO conflicts_reader;
CREATE FUNCTION pick_who(siblings note_joined[]) RETURNS note_joined LANGUAGE plpgsql AS $$
DECLARE
  result note_joined := siblings[1];
BEGIN
  result.v := current_user || ' of ' || array_length(siblings, 1);
  PERFORM set_config('timezone', 'Asia/Tokyo', false);
  RETURN result;
END $$;
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.pick_who');
SET ROLE conflicts_reader;
SELECT v FROM note_joined ORDER BY k;
SELECT current_user;
SHOW timezone;
RESET ROLE;
ALTER FOREIGN TABLE note_joined OPTIONS (SET resolver 'public.pick_private');
REVOKE EXECUTE ON FUNCTION pick_private FROM PUBLIC;
SELECT v FROM note_joined;
\echo :LAST_ERROR_SQLSTATE

-- What the options may say.
ALTER FOREIGN TABLE note OPTIONS (conflict 'merge');
ALTER FOREIGN TABLE note OPTIONS (resolver 'join_notes');
ALTER FOREIGN TABLE note_all OPTIONS (resolver 'public.join_notes');

SET client_min_messages = warning;
DROP FOREIGN TABLE note, note_all, note_strict, note_joined, note_now, note_once CASCADE;
DROP PROCEDURE begin_again, conflict(text);
DROP SERVER conflicts_kv, conflicts_other CASCADE;
DROP ROLE conflicts_owner, conflicts_reader;
