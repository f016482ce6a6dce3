-- SELECT: by whole keys, by parts of keys, by ranges, in joins, and over and over.
\getenv hosts DYNKV_HOSTS
SET jit = off; -- the estimates of tables that were not analyzed are high enough for it
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE SERVER scan_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER scan_kv;
CREATE FOREIGN TABLE item (id int, name text, price numeric)
  SERVER scan_kv OPTIONS (keyspace 'scan_item');
CREATE FOREIGN TABLE event (account int, at timestamptz, n smallint, note text)
  SERVER scan_kv OPTIONS (keyspace 'scan_event', partition_key 'account', sort_key 'at, n', fetch_size '7');
CREATE FOREIGN TABLE word (w text COLLATE "C", len int)
  SERVER scan_kv OPTIONS (keyspace 'scan_word');

-- What a query fetches from the cluster, and how.
CREATE FUNCTION fetched(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
  result text := '';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ 'Dynkv Access' THEN result := result || substring(line FROM 'Access: (.*)'); END IF;
    IF line ~ 'Dynkv Requests' THEN result := result || ', requests ' || substring(line FROM ': (.*)'); END IF;
    IF line ~ 'Rows Fetched' THEN result := result || ', rows ' || substring(line FROM ': (.*)') || '; '; END IF;
  END LOOP;
  RETURN rtrim(result, '; ');
END $$;

-- No keyspace yet: a table without rows.
SELECT * FROM item;
SELECT count(*) FROM item WHERE id = 1;

INSERT INTO item SELECT g, 'item ' || g, g * 1.25 FROM generate_series(1, 100) g;
INSERT INTO event
  SELECT a, timestamptz '2024-01-01 00:00Z' + h * interval '1 hour', h % 3, format('%s/%s', a, h)
  FROM generate_series(1, 5) a, generate_series(0, 23) h;
INSERT INTO word SELECT w, length(w) FROM unnest(ARRAY['a', 'ab', 'abc', 'abd', 'b', 'B', 'ä', 'zz', 'z z']) w;

-- All of it.
SELECT count(*), sum(id), sum(price), min(name), max(name) FROM item;
SELECT count(*) FROM event;
SELECT fetched('SELECT count(*) FROM item');

-- One key.
SELECT * FROM item WHERE id = 42;
SELECT * FROM item WHERE 42 = id;
SELECT name FROM item WHERE id = 42::bigint;
SELECT * FROM item WHERE id = 1000;
SELECT * FROM item WHERE id = 4200000000;
SELECT * FROM item WHERE id = NULL;
SELECT * FROM item WHERE id = 42 AND id = 43;
SELECT * FROM item WHERE id = 42 AND price > 1000;
SELECT fetched('SELECT * FROM item WHERE id = 42');
SELECT fetched('SELECT * FROM item WHERE id = NULL::int');
SELECT fetched('SELECT * FROM item WHERE id = 4200000000');
SELECT note FROM event WHERE account = 2 AND at = '2024-01-01 05:00Z' AND n = 2;
SELECT fetched($$SELECT * FROM event WHERE account = 2 AND at = '2024-01-01 05:00Z' AND n = 2$$);
SELECT * FROM word WHERE w = '';

-- Many keys: each one once, NULL never, whatever the list says.
SELECT id, name FROM item WHERE id IN (3, 1, NULL, 2, 3, 1000, 3) ORDER BY id;
SELECT id FROM item WHERE id = ANY ('{}'::int[]);
SELECT id FROM item WHERE id = ANY (NULL::int[]);
SELECT id FROM item WHERE id = ANY ('{7,8,99999999999}'::bigint[]) ORDER BY id;
SELECT count(*) FROM item WHERE id = ANY (ARRAY(SELECT generate_series(-5000, 5000)));
SELECT fetched('SELECT * FROM item WHERE id IN (3, 1, NULL, 2, 3, 1000)');
SELECT note FROM event
  WHERE account IN (1, 5) AND at IN ('2024-01-01 03:00Z', '2024-01-01 04:00Z', '2023-01-01 00:00Z') AND n IN (0, 1)
  ORDER BY note;
SELECT fetched($$SELECT * FROM event WHERE account IN (1, 5)
  AND at IN ('2024-01-01 03:00Z', '2024-01-01 04:00Z') AND n IN (0, 1)$$);

-- A partition key, with and without bounds of the sort key.
SELECT count(*), min(note), max(at) FROM event WHERE account = 3;
SELECT note FROM event WHERE account = 3 AND at >= '2024-01-01 20:00Z' AND at < '2024-01-01 22:00Z' ORDER BY at;
SELECT note FROM event WHERE account = 3 AND at > '2024-01-01 22:00Z';
SELECT note FROM event WHERE account = 3 AND at <= '2024-01-01 00:00Z';
SELECT note FROM event WHERE account = 3 AND at BETWEEN '2024-01-01 22:00Z' AND '2024-01-01 10:00Z';
SELECT note FROM event WHERE account = 3 AND at < NULL;
SELECT note FROM event WHERE account = 3 AND at = '2024-01-01 07:00Z' AND n < 2;
SELECT account, count(*) FROM event WHERE account IN (4, 2, 9, 2) AND at < '2024-01-01 03:00Z' GROUP BY 1 ORDER BY 1;
SELECT fetched($$SELECT * FROM event WHERE account = 3 AND at > '2024-01-01 21:00Z'$$);
SELECT fetched($$SELECT * FROM event WHERE account IN (4, 2, 9, 2) AND at < '2024-01-01 03:00Z'$$);

-- Ranges of keys over all partitions.
SELECT id FROM item WHERE id > 97 ORDER BY id;
SELECT id FROM item WHERE id >= 97 AND id < 99 ORDER BY id;
SELECT count(*) FROM item WHERE id < -4200000000 OR id IS NULL;
SELECT count(*) FROM item WHERE id < 4200000000;
SELECT count(*) FROM item WHERE id > 4200000000;
SELECT count(*) FROM item WHERE id > 50 AND id < 10;
SELECT fetched('SELECT * FROM item WHERE id > 97 AND id > 98');
SELECT fetched('SELECT * FROM item WHERE id > 4200000000');
SELECT w FROM word ORDER BY w;
SELECT w FROM word WHERE w > 'ab' AND w <= 'b' ORDER BY w;
SELECT w FROM word WHERE w < 'ab' ORDER BY w;
SELECT w FROM word WHERE w < '';
SELECT count(*) FROM word WHERE w >= '';
SELECT fetched($$SELECT * FROM word WHERE w > 'ab' AND w <= 'b'$$);
-- The order of another collation is not the order of bytes.
SELECT fetched($$SELECT * FROM word WHERE w COLLATE "en-x-icu" < 'b'$$);

-- Columns that nobody asks for are not fetched: no value, or nothing at all.
SELECT sum(id) FROM item;
SELECT count(*) FROM word;
SELECT 1 FROM item WHERE id = 7;
SELECT item FROM item WHERE id = 7;
SELECT tableoid::regclass, ctid, * FROM item WHERE id = 7;

-- Prepared statements get what is asked for, also as generic plans.
PREPARE get_item(int) AS SELECT name FROM item WHERE id = $1;
EXECUTE get_item(1);
EXECUTE get_item(2);
EXECUTE get_item(3);
EXECUTE get_item(4);
EXECUTE get_item(5);
EXECUTE get_item(6);
EXECUTE get_item(7);
SELECT generic_plans > 0 AS is_generic FROM pg_prepared_statements WHERE name = 'get_item';
SELECT fetched('EXECUTE get_item(8)');
EXECUTE get_item(NULL);
SET plan_cache_mode = force_generic_plan;
PREPARE get_items(int[], int) AS SELECT id FROM item WHERE id = ANY ($1) AND id < $2 ORDER BY id;
EXECUTE get_items('{5,6,7,NULL,5}', 7);
EXECUTE get_items('{50}', 7);
EXECUTE get_items(NULL, 7);
PREPARE get_events(int, timestamptz) AS SELECT note FROM event WHERE account = $1 AND at > $2 ORDER BY at;
EXECUTE get_events(1, '2024-01-01 21:00Z');
SELECT fetched($$EXECUTE get_events(1, '2024-01-01 21:00Z')$$);
RESET plan_cache_mode;
DEALLOCATE ALL;

-- Sub-selects as key values.
SELECT name FROM item WHERE id = (SELECT max(account) FROM event WHERE account IN (3, 4));
SELECT fetched('SELECT name FROM item WHERE id = (SELECT 5)');
SELECT id FROM item WHERE id = ANY (ARRAY(SELECT n FROM event WHERE account = 1)) ORDER BY id;

-- Joins take keys from the other table.
CREATE TABLE orders (order_id int, item_id bigint, account int);
INSERT INTO orders VALUES (1, 10, 1), (2, 20, 2), (3, 10, 3), (4, 999, 4), (5, NULL, 5);
ANALYZE orders;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
ALTER SERVER scan_kv OPTIONS (ADD fdw_tuple_cost '1000'); -- else so small tables are read at once
SELECT order_id, name FROM orders JOIN item ON id = item_id ORDER BY order_id;
SELECT fetched('SELECT order_id, name FROM orders JOIN item ON id = item_id');
SELECT order_id, name FROM orders LEFT JOIN item ON id = item_id ORDER BY order_id;
SELECT order_id, note FROM orders JOIN event USING (account) WHERE at < '2024-01-01 01:00Z' ORDER BY 1, 2;
SELECT fetched($$SELECT note FROM orders JOIN event USING (account) WHERE at < '2024-01-01 01:00Z'$$);
SELECT order_id, i.name, e.note FROM orders o JOIN item i ON i.id = o.item_id
  JOIN event e ON e.account = o.account AND e.at = '2024-01-01 04:00Z' AND e.n = 1 ORDER BY 1;
SELECT order_id FROM orders WHERE EXISTS (SELECT FROM item WHERE id = item_id) ORDER BY 1;
SELECT order_id FROM orders WHERE NOT EXISTS (SELECT FROM item WHERE id = item_id) ORDER BY 1;
SELECT order_id, x.note FROM orders o,
  LATERAL (SELECT note FROM event e WHERE e.account = o.account AND e.at > '2024-01-01 12:00Z' ORDER BY at LIMIT 1) x
  ORDER BY 1;
SELECT order_id, (SELECT count(*) FROM event e WHERE e.account = o.account AND e.n = 0) FROM orders o ORDER BY 1;
SELECT count(*) FROM item a JOIN item b ON b.id = a.id + 1 WHERE a.id < 5;

-- A scan that is repeated with the same values gives the same rows.
SET enable_material = off;
SELECT count(*), sum(i.id) FROM (VALUES (1), (2), (3)) g LEFT JOIN item i ON i.id IN (1, 2);
SELECT count(*) FROM (VALUES (1), (2), (3)) g LEFT JOIN event e ON e.account = 1;
SELECT count(*) FROM (VALUES (1), (2)) g LEFT JOIN item i ON true;
RESET enable_material;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_memoize;
SELECT count(*), count(i.id) FROM orders LEFT JOIN item i ON id = item_id;

-- A scan that is left before its end, and cursors.
SELECT count(*) FROM (SELECT FROM event LIMIT 3) x;
BEGIN;
DECLARE c CURSOR FOR SELECT w FROM word WHERE w IN ('a', 'ab', 'b') ORDER BY w;
FETCH 1 FROM c;
SAVEPOINT s;
FETCH 1 FROM c;
SELECT 1 / 0;
ROLLBACK TO s;
FETCH ALL FROM c;
DECLARE d SCROLL CURSOR WITH HOLD FOR SELECT w FROM word WHERE w >= 'ab' AND w < 'b' ORDER BY w;
COMMIT;
FETCH ALL FROM d;
FETCH BACKWARD 1 FROM d;
CLOSE d;

-- A cursor that a failed subtransaction has fetched from goes on.
DO $$
DECLARE
  c CURSOR FOR SELECT id FROM item;
  seen int[] := '{}';
  x int;
BEGIN
  OPEN c;
  FOR i IN 1..10 LOOP
    BEGIN
      FETCH c INTO x;
      seen := seen || x;
      IF i % 2 = 0 THEN RAISE EXCEPTION 'no'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
  RAISE WARNING 'distinct keys seen: %', (SELECT count(DISTINCT s) FROM unnest(seen) s);
END $$;

-- Rows are locked nowhere, but may be asked to be.
SELECT id FROM item WHERE id = 3 FOR UPDATE;

DROP TABLE orders;
DROP FUNCTION fetched;
DROP SERVER scan_kv CASCADE;
