-- Writes wait for the commit: rollback, savepoints, what a transaction sees of its own, what others see.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE SERVER txn_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER txn_kv;
CREATE FOREIGN TABLE acct (id int, v text) SERVER txn_kv OPTIONS (keyspace 'txn_acct');
CREATE FOREIGN TABLE line (who int, n int, v text)
  SERVER txn_kv OPTIONS (keyspace 'txn_line', partition_key 'who', sort_key 'n');
CREATE FOREIGN TABLE now_acct (id int, v text) SERVER txn_kv OPTIONS (keyspace 'txn_acct', write_mode 'immediate');
INSERT INTO acct VALUES (1, 'one'), (2, 'two'), (3, 'three');
INSERT INTO line SELECT g % 2, g, 'line ' || g FROM generate_series(1, 6) g;

-- What the transaction sees: points, ranges, full scans, joins, aggregates; and after a rollback.
BEGIN;
UPDATE acct SET v = 'ONE' WHERE id = 1;
DELETE FROM acct WHERE id = 2;
INSERT INTO acct VALUES (4, 'four');
SELECT * FROM acct ORDER BY id;
SELECT * FROM acct WHERE id IN (1, 2, 4, 5) ORDER BY id;
SELECT * FROM acct WHERE id = 4;
INSERT INTO line VALUES (1, 0, 'first'), (1, 4, 'between'), (1, 9, 'last'), (3, 1, 'new');
DELETE FROM line WHERE who = 1 AND n = 5;
UPDATE line SET v = 'changed' WHERE who = 1 AND n = 3;
SELECT * FROM line WHERE who = 1;
SELECT * FROM line WHERE who = 1 AND n > 1 AND n < 9;
SELECT * FROM line WHERE who IN (1, 3) AND n <= 1 ORDER BY who, n;
SELECT a.v, l.v FROM acct a JOIN line l ON l.who = a.id ORDER BY 1, 2;
SELECT who, (SELECT count(*) FROM line l WHERE l.who = w.who) FROM generate_series(0, 3) w(who);
ROLLBACK;
SELECT * FROM acct ORDER BY id;
SELECT count(*), count(*) FILTER (WHERE v LIKE 'line %') FROM line;

-- Another session sees nothing before the commit, and everything after it.
SELECT format('psql -XAtq -d %s -c "SELECT string_agg(id || v, '','' ORDER BY id) FROM acct"', current_database()) AS other \gset
\setenv OTHER :other
BEGIN;
INSERT INTO acct VALUES (4, 'four');
UPDATE acct SET v = 'TWO' WHERE id = 2;
\! eval "$OTHER"
COMMIT;
\! eval "$OTHER"

-- Savepoints, nested, released, rolled back; exception blocks.
BEGIN;
INSERT INTO acct VALUES (10, 'top');
SAVEPOINT a;
INSERT INTO acct VALUES (11, 'a');
UPDATE acct SET v = 'a' WHERE id = 10;
SAVEPOINT b;
DELETE FROM acct WHERE id IN (1, 10);
RELEASE b;
SAVEPOINT c;
INSERT INTO acct VALUES (10, 'c'), (12, 'c');
SELECT * FROM acct WHERE id >= 10 OR id = 1 ORDER BY id;
ROLLBACK TO c;
SELECT * FROM acct WHERE id >= 10 OR id = 1 ORDER BY id;
ROLLBACK TO a;
SELECT * FROM acct WHERE id >= 10 OR id = 1 ORDER BY id;
INSERT INTO acct VALUES (13, 'after');
DO $$
BEGIN
  INSERT INTO acct VALUES (14, 'kept');
  BEGIN
    UPDATE acct SET v = 'lost' WHERE id IN (13, 14);
    DELETE FROM acct WHERE id = 10;
    PERFORM 1 / 0;
  EXCEPTION WHEN division_by_zero THEN
    INSERT INTO acct VALUES (15, 'handler');
  END;
END $$;
COMMIT;
SELECT * FROM acct WHERE id >= 10 ORDER BY id;
DELETE FROM acct WHERE id >= 10;

-- A statement does not see its own writes; a cursor keeps what it saw; a held one outlives the commit.
BEGIN;
INSERT INTO acct SELECT id + 100, v FROM acct;
INSERT INTO acct SELECT id + 1000, v FROM acct;
SELECT count(*) FROM acct;
UPDATE acct SET id = id + 1;
SELECT count(*), min(id), max(id), count(*) FILTER (WHERE id = 2) FROM acct;
DECLARE c CURSOR FOR SELECT id FROM acct WHERE id < 10 ORDER BY id;
DECLARE lazy CURSOR FOR SELECT count(*) FROM acct;
DECLARE held CURSOR WITH HOLD FOR SELECT id, v FROM acct WHERE id < 100 ORDER BY id;
DELETE FROM acct WHERE id < 100;
INSERT INTO acct VALUES (7, 'seven');
FETCH ALL FROM c;
FETCH ALL FROM lazy;
SELECT id FROM acct WHERE id < 100;
WITH gone AS (DELETE FROM acct WHERE id = 7 RETURNING v) INSERT INTO acct SELECT 8, v FROM gone RETURNING *;
SELECT id FROM acct WHERE id < 100;
COMMIT;
FETCH ALL FROM held;
CLOSE held;
SELECT count(*), count(*) FILTER (WHERE id < 100) FROM acct;
TRUNCATE acct;
SELECT count(*) FROM acct;

-- The version that an UPDATE carries is the one read from the cluster: no sibling is left behind.
INSERT INTO acct VALUES (1, 'one'), (2, 'two');
BEGIN;
UPDATE acct SET v = v || '+';
UPDATE acct SET v = v || '+';
DELETE FROM acct WHERE id = 2;
INSERT INTO acct VALUES (2, 'again');
COMMIT;
SELECT * FROM acct ORDER BY id;

-- on_insert 'error': by the buffer, by the cluster, within one statement; and ON CONFLICT DO NOTHING.
ALTER FOREIGN TABLE line OPTIONS (ADD on_insert 'error');
INSERT INTO line VALUES (0, 100, 'new'), (0, 2, 'there');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO line VALUES (7, 1, 'twice'), (7, 1, 'twice');
SELECT count(*) FROM line WHERE n = 100 OR who = 7;
BEGIN;
DELETE FROM line WHERE who = 0 AND n = 2;
INSERT INTO line VALUES (0, 2, 'there again');
SAVEPOINT s;
INSERT INTO line VALUES (0, 2, 'once more');
ROLLBACK TO s;
INSERT INTO line SELECT 8, g, 'many' FROM generate_series(1, 3000) g;
INSERT INTO line VALUES (0, 2, 'kept out'), (0, 3, 'let in') ON CONFLICT DO NOTHING RETURNING *;
UPDATE line SET n = 4 WHERE who = 0 AND n = 2;
ROLLBACK TO s;
DELETE FROM line WHERE who = 8;
COMMIT;
SELECT * FROM line ORDER BY who, n;
-- Keys that were deleted are free, also when their versions go to disk with the rows.
SET work_mem = '64kB';
INSERT INTO line SELECT 8, g, 'first' FROM generate_series(1, 3000) g;
DELETE FROM line WHERE who = 8;
INSERT INTO line SELECT 8, g, 'again' FROM generate_series(1, 3000) g;
SELECT v, count(*) FROM line WHERE who = 8 GROUP BY v;
DELETE FROM line WHERE who = 8;
RESET work_mem;
COPY line FROM stdin;
0	2	copied
\.
ALTER FOREIGN TABLE line OPTIONS (ADD write_mode 'immediate');
INSERT INTO line VALUES (0, 100, 'new'), (0, 2, 'there');
SELECT count(*) FROM line WHERE n = 100;
ALTER FOREIGN TABLE line OPTIONS (DROP write_mode, DROP on_insert);

-- TRUNCATE rolls back, too, and can be forbidden.
BEGIN;
INSERT INTO line VALUES (9, 9, 'nine');
TRUNCATE line;
SELECT count(*) FROM line;
INSERT INTO line VALUES (9, 1, 'after');
SELECT * FROM line;
ROLLBACK;
SELECT count(*) FROM line;
ALTER FOREIGN TABLE line OPTIONS (ADD truncatable 'off');
TRUNCATE line;

-- DDL under writes that wait: they go where they were meant to go.
BEGIN;
INSERT INTO acct VALUES (20, 'then renamed');
ALTER FOREIGN TABLE acct RENAME TO account;
ALTER FOREIGN TABLE account OPTIONS (SET keyspace 'txn_other');
INSERT INTO account VALUES (21, 'elsewhere');
ALTER SERVER txn_kv OPTIONS (ADD connect_timeout '3s');
COMMIT;
SELECT id FROM account;
ALTER FOREIGN TABLE account OPTIONS (SET keyspace 'txn_acct');
ALTER FOREIGN TABLE account RENAME TO acct;
SELECT id FROM acct ORDER BY id;
BEGIN;
INSERT INTO acct VALUES (22, 'then dropped');
DROP FOREIGN TABLE acct;
COMMIT;
CREATE FOREIGN TABLE acct (id int, v text) SERVER txn_kv OPTIONS (keyspace 'txn_acct');
SELECT * FROM acct WHERE id = 22;

-- Two-phase commit is refused if anything waits.
BEGIN;
INSERT INTO acct VALUES (30, 'prepared');
PREPARE TRANSACTION 'dynkv';
SELECT * FROM acct WHERE id = 30;

-- write_mode 'immediate': a rollback takes nothing back.
BEGIN;
INSERT INTO now_acct VALUES (40, 'at once');
\! eval "$OTHER"
ROLLBACK;
SELECT * FROM acct WHERE id = 40;

-- EXPLAIN ANALYZE: how much waits, how much was sent, what came from the transaction itself.
CREATE FUNCTION counts_of(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE row text;
BEGIN
  FOR row IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || statement LOOP
    IF row ~ 'Buffered|Flushed|Requests|Of This' THEN RETURN NEXT trim(row); END IF;
  END LOOP;
END $$;
BEGIN;
SELECT counts_of('INSERT INTO acct SELECT g, g FROM generate_series(50, 59) g');
SELECT counts_of('INSERT INTO now_acct VALUES (60, 60)');
SELECT counts_of('SELECT * FROM acct WHERE id IN (50, 51)');
SELECT counts_of('SELECT * FROM acct');
ROLLBACK;

-- dynkv_fdw.r and .w hold from the next statement on, for writes as they are made.
SET dynkv_fdw.w = 7;
INSERT INTO acct VALUES (70, 'w 7');
BEGIN;
SET LOCAL dynkv_fdw.w = 3;
INSERT INTO acct VALUES (70, 'w 3');
SET LOCAL dynkv_fdw.w = 7;
COMMIT;
RESET dynkv_fdw.w;
SELECT * FROM acct WHERE id = 70;
SET dynkv_fdw.r = 7;
SELECT * FROM acct WHERE id = 70;
RESET dynkv_fdw.r;
SET dynkv_fdw.w = 8;

-- A flush that fails: plainly if nothing was written; else as an unknown outcome.
CREATE SERVER txn_nobody FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts '127.0.0.1:1', deadline '300ms');
CREATE USER MAPPING FOR CURRENT_USER SERVER txn_nobody;
CREATE FOREIGN TABLE nowhere (id int, v text) SERVER txn_nobody;
BEGIN;
INSERT INTO acct VALUES (80, 'stays here');
INSERT INTO nowhere VALUES (1, 'x');
COMMIT;
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SAVEPOINT s;
INSERT INTO nowhere VALUES (1, 'x');
ROLLBACK TO s;
INSERT INTO acct VALUES (81, 'goes out');
COMMIT;
BEGIN;
INSERT INTO acct VALUES (82, 'goes out'), (83, 'goes out');
SET LOCAL dynkv_fdw.w = 7;
INSERT INTO acct SELECT g, 'refused' FROM generate_series(84, 89) g;
COMMIT;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM acct WHERE id >= 80 ORDER BY id;

-- The same at random, against a table of the server's own, with next to no memory.
CREATE FOREIGN TABLE theirs (id int, n int, v text)
  SERVER txn_kv OPTIONS (keyspace 'txn_random', partition_key 'id', sort_key 'n');
CREATE TABLE ours (id int, n int, v text, PRIMARY KEY (id, n) DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION both_do(command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format(command, 'theirs');
  EXECUTE format(command, 'ours');
END $$;
CREATE FUNCTION check_same(what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  query text := 'SELECT coalesce(md5(string_agg(id || '':'' || n || v, '','' ORDER BY id, n)), '''') FROM %s ' || what;
  theirs text;
  ours text;
BEGIN
  EXECUTE format(query, 'theirs') INTO theirs;
  EXECUTE format(query, 'ours') INTO ours;
  IF theirs <> ours THEN RAISE EXCEPTION 'differ: %', what; END IF;
END $$;
CREATE FUNCTION change_at_random(depth int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  id int;
  n int;
BEGIN
  FOR i IN 1..12 LOOP
    id := random() * 20;
    n := random() * 100;
    CASE (random() * 8)::int
    WHEN 0, 1 THEN
      PERFORM both_do(format('DELETE FROM %%s WHERE id = %s AND n BETWEEN %s AND %s', id, n, n + 20));
      PERFORM both_do(format('INSERT INTO %%s SELECT %s, g, repeat(''v'', %s) FROM generate_series(%s, %s) g', id, n, n, n + 20));
    WHEN 2 THEN
      PERFORM both_do(format('UPDATE %%s SET v = v || %s WHERE id = %s AND n > %s', i, id, n));
    WHEN 3 THEN
      PERFORM both_do(format('UPDATE %%s SET n = 120 - n WHERE id = %s', id));
    WHEN 4 THEN
      PERFORM both_do(format('UPDATE %%s SET n = n + 1 WHERE id = %s', id));
    WHEN 5 THEN
      PERFORM both_do(format('DELETE FROM %%s WHERE id < 10 AND n = %s', n));
    WHEN 6 THEN
      PERFORM check_same(format('WHERE id = %s AND n >= %s', id, n));
      PERFORM check_same(format('WHERE id IN (%s, 5) AND n IN (%s, 7, 8)', id, n));
    ELSE
      IF depth < 3 THEN
        BEGIN
          PERFORM change_at_random(depth + 1);
          IF random() < 0.5 THEN RAISE EXCEPTION 'take it back'; END IF;
        EXCEPTION WHEN raise_exception THEN
          IF SQLERRM <> 'take it back' THEN RAISE; END IF;
        END;
      END IF;
    END CASE;
  END LOOP;
  PERFORM check_same('');
END $$;
SET work_mem = '64kB';
SELECT setseed(0.25);
BEGIN;
SELECT count(change_at_random(0)) FROM generate_series(1, 5);
COMMIT;
SELECT check_same('');
BEGIN;
SELECT count(change_at_random(0)) FROM generate_series(1, 2);
ROLLBACK;
SELECT check_same('');
SELECT count(*) > 100 AS has_rows FROM theirs;
RESET work_mem;

-- Nothing is left of any of them.
SELECT count(*) FROM pg_backend_memory_contexts WHERE name IN ('dynkv write buffer', 'dynkv writes', 'dynkv flush');
SELECT count(*) FROM pg_ls_tmpdir();
DROP FUNCTION change_at_random, check_same, both_do, counts_of;
DROP TABLE ours;
DROP SERVER txn_nobody CASCADE;
DROP SERVER txn_kv CASCADE;
