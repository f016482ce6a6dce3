-- ORDER BY, LIMIT and what else wants an order: rows by key from the nodes, merged, rising and falling.
\getenv hosts DYNKV_HOSTS
SET jit = off; -- the estimates of tables that were not analyzed are high enough for it
CREATE SERVER order_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER order_kv;
CREATE FOREIGN TABLE item (id int, v text) SERVER order_kv OPTIONS (keyspace 'order_item');
CREATE FOREIGN TABLE event (account int, at int, kind text COLLATE "C", n int)
  SERVER order_kv OPTIONS (keyspace 'order_event', partition_key 'account', sort_key 'at, kind', fetch_size '20');
CREATE FOREIGN TABLE word (w text COLLATE "C", l text COLLATE "en-x-icu", n int)
  SERVER order_kv OPTIONS (keyspace 'order_word', partition_key 'w, l');
INSERT INTO item SELECT g, 'v' || g FROM generate_series(-2500, 2499) g;
INSERT INTO event SELECT a, t, k, a * t FROM generate_series(1, 9) a, generate_series(1, 50) t, unnest(ARRAY['x', 'y']) k;
INSERT INTO word SELECT chr(97 + g % 26) || g, 'en', g FROM generate_series(1, 200) g;

-- What EXPLAIN ANALYZE says that the nodes have sent.
CREATE FUNCTION fetched(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  line text;
  rows bigint := 0;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line LIKE '%Dynkv Rows Received:%' THEN
      rows := rows + substring(line FROM ': (\d+)')::bigint;
    END IF;
  END LOOP;
  RETURN rows;
END $$;
-- Rows in the order in which they came, against the sorted ones.
CREATE FUNCTION is_sorted(query text, by text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('SELECT CASE WHEN array_agg(whole ORDER BY place) = array_agg(whole ORDER BY %s) THEN count(*)::text ELSE ''no'' END
    FROM (SELECT row_number() OVER () AS place, whole, (whole).* FROM (%s) AS q(whole)) AS s', by, query) INTO result;
  RETURN result;
END $$;

-- The whole table, rising and falling; NULLS FIRST or LAST is the same where there are none.
EXPLAIN (COSTS OFF) SELECT * FROM item ORDER BY id LIMIT 3;
EXPLAIN (COSTS OFF) SELECT * FROM item ORDER BY id DESC LIMIT 3;
EXPLAIN (COSTS OFF) SELECT * FROM item ORDER BY id DESC NULLS LAST LIMIT 3;
EXPLAIN (COSTS OFF) SELECT * FROM item ORDER BY id NULLS FIRST LIMIT 3;
SELECT * FROM item ORDER BY id LIMIT 3;
SELECT * FROM item ORDER BY id DESC LIMIT 3;
SELECT * FROM item ORDER BY id LIMIT 3 OFFSET 2498;
SELECT is_sorted('SELECT item FROM item ORDER BY id', 'id');
SELECT is_sorted('SELECT item FROM item ORDER BY id DESC', 'id DESC');
SELECT is_sorted('SELECT item FROM item WHERE id BETWEEN -700 AND 900 ORDER BY id DESC', 'id DESC');
SELECT id FROM item WHERE id > 2490 ORDER BY id DESC LIMIT 3;
SELECT id FROM item WHERE id < -2490 ORDER BY id DESC LIMIT 3;
SELECT count(*) FROM (SELECT * FROM item WHERE id > 5000 ORDER BY id) q;

-- Several columns, prefixes of them, and columns with one value.
-- Few rows are rather sorted here, so the session is made to forget how few there are.
SELECT dynkv_fdw_disconnect('order_kv');
EXPLAIN (COSTS OFF) SELECT * FROM event ORDER BY account, at, kind LIMIT 5;
EXPLAIN (COSTS OFF) SELECT * FROM event ORDER BY account DESC, at DESC LIMIT 5;
EXPLAIN (COSTS OFF) SELECT * FROM event ORDER BY account, at DESC LIMIT 5;
EXPLAIN (COSTS OFF) SELECT * FROM event ORDER BY at LIMIT 5;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account = 3 ORDER BY at;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account = 3 ORDER BY at DESC, kind DESC;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account = 3 AND at = 7 ORDER BY kind DESC;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account IN (3, 1) ORDER BY account DESC, at DESC;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account IN (3, 1) ORDER BY at;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account IN (3, 1) AND at = 7 AND kind IN ('y', 'x') ORDER BY account DESC, kind DESC;
SELECT is_sorted('SELECT event FROM event ORDER BY account, at, kind', 'account, at, kind');
SELECT is_sorted('SELECT event FROM event ORDER BY account DESC, at DESC, kind DESC', 'account DESC, at DESC, kind DESC');
SELECT is_sorted('SELECT event FROM event WHERE account = 3 ORDER BY at DESC, kind DESC', 'at DESC, kind DESC');
SELECT is_sorted('SELECT event FROM event WHERE account IN (3, 9, 1) AND at > 45 ORDER BY account DESC, at DESC, kind DESC', 'account DESC, at DESC, kind DESC');
SELECT * FROM event WHERE account = 3 ORDER BY at DESC, kind DESC LIMIT 3;
SELECT * FROM event WHERE account = 3 AND at < 30 ORDER BY at DESC LIMIT 2 OFFSET 1;
SELECT * FROM event WHERE account IN (3, 1) AND at = 7 AND kind IN ('y', 'x') ORDER BY account DESC, kind DESC;

-- The order must be that of bytes: of a collation, and of an expression.
EXPLAIN (COSTS OFF) SELECT * FROM word ORDER BY w LIMIT 3;
EXPLAIN (COSTS OFF) SELECT * FROM word ORDER BY w, l LIMIT 3;
EXPLAIN (COSTS OFF) SELECT * FROM word ORDER BY w, l COLLATE "C" LIMIT 3;
EXPLAIN (COSTS OFF) SELECT * FROM word ORDER BY w COLLATE "en-x-icu" LIMIT 3;
EXPLAIN (COSTS OFF) SELECT * FROM word ORDER BY upper(w) LIMIT 3;
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w LIKE 'c%' ORDER BY w DESC LIMIT 3;
SELECT * FROM word WHERE w LIKE 'c%' ORDER BY w DESC LIMIT 3;
SELECT is_sorted('SELECT word FROM word ORDER BY w DESC', 'w DESC');

-- What a plan asks of the cluster; PostgreSQL's versions differ in what they make of it.
CREATE FUNCTION asked(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    line := ltrim(line, ' ->');
    IF line LIKE 'Foreign Scan%' OR line LIKE 'Dynkv%' OR line LIKE '%: false' THEN RETURN NEXT line; END IF;
  END LOOP;
END $$;

-- min and max, DISTINCT, GROUP BY, merge joins, partitions of a table.
SELECT asked('SELECT min(id), max(id) FROM item');
SELECT min(id), max(id) FROM item;
SELECT min(at), max(at) FROM event WHERE account = 4 AND at > 10;
SELECT max(id) FROM item WHERE id > 5000;
SELECT dynkv_fdw_disconnect('order_kv');
SELECT asked('SELECT DISTINCT account FROM event ORDER BY account LIMIT 2');
SELECT DISTINCT account FROM event ORDER BY account DESC LIMIT 2;
SELECT account, count(*) FROM event GROUP BY account ORDER BY account LIMIT 2;
SET enable_hashjoin = off;
SET enable_nestloop = off;
SET enable_sort = off;
SET dynkv_fdw.enable_lookup_join = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM item a JOIN item b USING (id);
SELECT count(*) FROM item a JOIN item b USING (id);
RESET enable_hashjoin;
RESET enable_nestloop;
RESET enable_sort;
RESET dynkv_fdw.enable_lookup_join;
CREATE TABLE log (id int, v text) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE log_old PARTITION OF log FOR VALUES FROM (0) TO (100) SERVER order_kv OPTIONS (keyspace 'order_log_old');
CREATE FOREIGN TABLE log_new PARTITION OF log FOR VALUES FROM (100) TO (200) SERVER order_kv OPTIONS (keyspace 'order_log_new');
INSERT INTO log SELECT g, 'l' || g FROM generate_series(0, 199) g;
SELECT dynkv_fdw_disconnect('order_kv');
EXPLAIN (COSTS OFF) SELECT * FROM log ORDER BY id DESC LIMIT 2;
SELECT * FROM log ORDER BY id DESC LIMIT 2 OFFSET 99;

-- A transaction's own writes come in their places, of a buffer in memory and of one on disk.
BEGIN;
DELETE FROM item WHERE id IN (-2500, 2499, 0);
INSERT INTO item VALUES (0, 'again'), (3000, 'last'), (-3000, 'first');
UPDATE item SET v = 'new' WHERE id = 2498;
SELECT * FROM item ORDER BY id LIMIT 3;
SELECT * FROM item ORDER BY id DESC LIMIT 3;
SELECT is_sorted('SELECT item FROM item ORDER BY id DESC', 'id DESC');
INSERT INTO event VALUES (3, 51, 'a', 0), (3, 0, 'b', 0), (3, 25, 'xx', 0);
DELETE FROM event WHERE account = 3 AND at = 50;
SELECT * FROM event WHERE account = 3 ORDER BY at DESC, kind DESC LIMIT 2;
SELECT is_sorted('SELECT event FROM event WHERE account = 3 AND at < 52 ORDER BY at DESC, kind DESC', 'at DESC, kind DESC');
SELECT is_sorted('SELECT event FROM event WHERE account = 3 AND at < 52 ORDER BY at, kind', 'at, kind');
ROLLBACK;
SET work_mem = '64kB';
BEGIN;
INSERT INTO item SELECT g, repeat('x', 50) FROM generate_series(2400, 4399) g;
DELETE FROM item WHERE id % 3 = 0 AND id > 2000;
SELECT is_sorted('SELECT item FROM item ORDER BY id', 'id');
SELECT is_sorted('SELECT item FROM item ORDER BY id DESC', 'id DESC');
SELECT id FROM item WHERE id < 2405 ORDER BY id DESC LIMIT 5;
SELECT min(id), max(id) FROM item WHERE id > 2000;
SAVEPOINT s;
DELETE FROM item WHERE id > 4000;
SELECT max(id) FROM item;
ROLLBACK TO s;
SELECT max(id) FROM item;
ROLLBACK;
RESET work_mem;

-- A LIMIT fetches little more than it gives: in any order, by key, by keys, with parameters, within a join.
SELECT fetched('SELECT * FROM item LIMIT 10') <= 10;
SELECT fetched('SELECT * FROM item LIMIT 5 OFFSET 5') <= 10;
SELECT fetched('SELECT * FROM item ORDER BY id LIMIT 10') <= 30;
SELECT fetched('SELECT * FROM item ORDER BY id DESC OFFSET 20 LIMIT 10') <= 90;
SELECT fetched('SELECT max(id) FROM item') <= 10;
SELECT fetched('SELECT * FROM event WHERE account = 3 ORDER BY at DESC LIMIT 4') <= 4;
SELECT fetched('SELECT * FROM event WHERE account IN (1, 2, 3, 4) LIMIT 4') <= 4;
SELECT fetched('SELECT * FROM item WHERE id = ANY (ARRAY(SELECT generate_series(1, 2000))) LIMIT 4') <= 4;
SELECT fetched('SELECT * FROM (VALUES (1), (2)) AS a (id), LATERAL (SELECT * FROM event WHERE account = a.id ORDER BY at DESC LIMIT 1) e') <= 2;
SELECT fetched('SELECT * FROM log LIMIT 5') <= 5;
SELECT fetched('SELECT * FROM item WHERE v LIKE ''%7%'' LIMIT 2') <= 200;
SET plan_cache_mode = force_generic_plan;
PREPARE first_rows (int, int) AS SELECT id FROM item ORDER BY id LIMIT $1 OFFSET $2;
EXPLAIN (COSTS OFF) EXECUTE first_rows (2, 3);
EXECUTE first_rows (2, 3);
EXECUTE first_rows (NULL, 4998);
SELECT fetched('EXECUTE first_rows (10, 0)') <= 30;
RESET plan_cache_mode;
-- More than was expected is there all the same.
SELECT count(*) FROM (SELECT * FROM item WHERE v LIKE '%7' LIMIT 400) q;
SELECT count(*) FROM (SELECT * FROM item WHERE id = ANY (ARRAY(SELECT generate_series(-9000, 9000, 7))) LIMIT 600) q;
SELECT count(*) FROM (SELECT * FROM item ORDER BY id LIMIT ALL) q;

-- Columns of a key are never NULL; what follows from equalities is known without asking.
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE kind IS NULL AND account = 3;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE kind IS NOT NULL AND account = 3;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE n IS NULL AND account = 3;
EXPLAIN (COSTS OFF) UPDATE event SET n = 1 WHERE account IS NULL;
SELECT * FROM item WHERE id = 1 AND id = 2;
EXPLAIN (COSTS OFF) SELECT * FROM item a JOIN item b USING (id) WHERE a.id = 3;
SELECT asked('SELECT * FROM item a LEFT JOIN item b ON b.id = a.id AND b.id IS NULL WHERE a.id = 3');
SELECT dynkv_fdw_disconnect('order_kv');
EXPLAIN (COSTS OFF) SELECT * FROM event a JOIN event b ON b.account = a.at AND b.at = a.at WHERE a.account = 7 AND a.at = a.account;
SELECT count(*) FROM event WHERE kind IS NULL;
SELECT count(*) FROM event WHERE kind IS NOT NULL AND account = 3;
SELECT a.*, b.v FROM item a LEFT JOIN item b ON b.id = a.id AND b.id IS NULL WHERE a.id = 3;
SELECT count(*) FROM event a JOIN event b ON b.account = a.at AND b.at = a.at WHERE a.account = 7 AND a.at = a.account;

-- Cursors and rescans.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM item ORDER BY id DESC;
FETCH 2 FROM c;
MOVE FORWARD 100 FROM c;
FETCH 2 FROM c;
FETCH BACKWARD 2 FROM c;
COMMIT;
SELECT a.id, (SELECT max(at) FROM event WHERE account = a.id AND at < a.id * 5) FROM generate_series(1, 3) a (id);

-- A node that is down: the others have its partitions.
\! "$DYNKV_CLUSTER" kill 2
\! "$DYNKV_CLUSTER" await 2
SELECT is_sorted('SELECT item FROM item ORDER BY id DESC', 'id DESC');
SELECT max(id) FROM item;
\! "$DYNKV_CLUSTER" restart 2
\! "$DYNKV_CLUSTER" await 3

DROP FUNCTION fetched, is_sorted, asked;
DROP TABLE log;
DROP FOREIGN TABLE item, event, word;
DROP SERVER order_kv CASCADE;
