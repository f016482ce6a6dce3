-- EXPLAIN: what is pushed down, without asking the cluster; and what it took.
SET jit = off; -- the estimates of tables that were not analyzed are high enough for it
CREATE SERVER explain_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts '127.0.0.1:1');
CREATE USER MAPPING FOR CURRENT_USER SERVER explain_kv;
CREATE FOREIGN TABLE item (id int, name text, price numeric) SERVER explain_kv OPTIONS (keyspace 'explain_item');
CREATE FOREIGN TABLE event (account int, at date, n bigint, note text)
  SERVER explain_kv OPTIONS (partition_key 'account', sort_key 'at, n');
CREATE FOREIGN TABLE word (w text COLLATE "C", language text, len int)
  SERVER explain_kv OPTIONS (partition_key 'w, language');
CREATE FOREIGN TABLE flag (is_on bool, n int) SERVER explain_kv;
CREATE TABLE wanted (id int, account int, at date);
INSERT INTO wanted SELECT g, g, date '2024-01-01' FROM generate_series(1, 20) g;
ANALYZE wanted;
SET enable_memoize = off;

-- A plan without what PostgreSQL's versions word differently, or differs between two runs.
CREATE FUNCTION explained(options text, query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (COSTS OFF, %s) %s', options, query) LOOP
    line := regexp_replace(line, '(Messages|Bytes Fetched): [1-9]\d*', '\1: some');
    line := regexp_replace(line, '(InitPlan \d)( \(returns \$\d\))?$', '\1');
    line := replace(line, '$0', '(InitPlan 1).col1');
    line := replace(line, E'      "Disabled": false,\n', '');
    RETURN NEXT regexp_replace(line, '(rows=\d+)\.\d\d', '\1');
  END LOOP;
END $$;

-- Nothing bounds the key.
EXPLAIN (COSTS OFF) SELECT * FROM item;
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE name = 'x';
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id + 1 = 2;
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id = random();
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id = (random() * 10)::int;
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id = price;
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id <> 3;
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id <> ALL ('{1,2}');
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id IS NULL;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE at = '2024-01-01' AND n = 1;

-- Whole keys.
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id = 3 AND name LIKE 'a%';
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id = 3::smallint;
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id IN (1, 2, NULL);
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id = length(current_user);
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE n = 3 AND at = '2024-02-03' AND account IN (1, 2);
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w = 'house' AND language = ANY (ARRAY['en', 'de']);
EXPLAIN (COSTS OFF) SELECT * FROM flag WHERE is_on;
EXPLAIN (COSTS OFF) SELECT * FROM flag WHERE NOT is_on;

-- Parts of keys.
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account = 5;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account = 5 AND n = 3;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account = 5 AND at BETWEEN '2024-01-01' AND '2024-01-31' AND n > 3;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account IN (5, 6) AND at = '2024-01-01' AND n < 10;
EXPLAIN (COSTS OFF) SELECT * FROM event WHERE account > 5 AND account <= 9 AND at = '2024-01-01';
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w = 'house';
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w = 'house' AND language > 'e' COLLATE "C";
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w >= 'h' AND w < 'i';

-- Collations whose order is not that of bytes bound no range; equality is the same in all of them.
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w >= 'h' COLLATE "en-x-icu";
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w = 'h' COLLATE "en-x-icu" AND language = 'en';

-- Parameters, sub-selects, joins.
PREPARE by_id(int) AS SELECT * FROM item WHERE id = $1;
PREPARE by_ids(int[], date) AS SELECT * FROM event WHERE account = ANY ($1) AND at >= $2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_id(1);
EXPLAIN (COSTS OFF) EXECUTE by_ids('{1,2}', '2024-01-01');
RESET plan_cache_mode;
SELECT explained('VERBOSE off', 'SELECT * FROM item WHERE id = (SELECT max(id) FROM wanted)');
EXPLAIN (COSTS OFF) SELECT * FROM wanted JOIN item USING (id);
EXPLAIN (COSTS OFF) SELECT * FROM wanted w LEFT JOIN event e ON e.account = w.account AND e.at = w.at;
EXPLAIN (COSTS OFF) SELECT * FROM wanted WHERE EXISTS (SELECT FROM item WHERE item.id = wanted.id);
EXPLAIN (COSTS OFF) SELECT * FROM wanted w, LATERAL (SELECT * FROM event e WHERE e.account = w.id AND e.at > w.at LIMIT 2) x;
EXPLAIN (COSTS OFF) SELECT *, (SELECT name FROM item i WHERE i.id = w.id) FROM wanted w;
-- Two tables give one key.
EXPLAIN (COSTS OFF) SELECT * FROM wanted a, wanted b, event e
  WHERE a.id = 4 AND b.id = 5 AND e.account = a.account AND e.at = b.at AND e.n = 1;
-- A join gives a closer bound than the table's own condition.
EXPLAIN (COSTS OFF) SELECT * FROM wanted w JOIN event e ON e.at = w.at
  WHERE e.account = 5 AND e.at > '2020-01-01' AND w.id = 7;
-- All of a table is cheaper read at once than row by row, when that is nearly all of it.
SET dynkv_fdw.enable_lookup_join = off; -- by key 100,000 times, or many at once: suite "analyze"
EXPLAIN (COSTS OFF) SELECT * FROM generate_series(1, 100000) g JOIN item ON item.id = g;
RESET dynkv_fdw.enable_lookup_join;

-- Modifications.
EXPLAIN (COSTS OFF, VERBOSE) INSERT INTO item VALUES (1, 'x', 2);
EXPLAIN (COSTS OFF, VERBOSE) UPDATE item SET name = 'x' WHERE id = 3 RETURNING price;
EXPLAIN (COSTS OFF, VERBOSE) UPDATE item SET price = w.account FROM wanted w WHERE w.id = item.id;
EXPLAIN (COSTS OFF, VERBOSE) DELETE FROM item WHERE id = 3;
EXPLAIN (COSTS OFF, VERBOSE) DELETE FROM item WHERE id = 3 RETURNING name;

-- Other formats.
SELECT explained('FORMAT json', 'SELECT name FROM item WHERE id = 3');

-- The cluster was not asked so far.  Now it is.
SELECT * FROM dynkv_fdw_get_connections();
\getenv hosts DYNKV_HOSTS
ALTER SERVER explain_kv OPTIONS (SET hosts :'hosts');
INSERT INTO item SELECT g, 'item ' || g, g FROM generate_series(1, 10) g;
\set analyze 'ANALYZE, BUFFERS off, TIMING off, SUMMARY off'
SELECT explained(:'analyze', 'SELECT * FROM item WHERE id IN (1, 2, 99)');
SELECT explained(:'analyze', 'SELECT count(*) FROM item WHERE price > 5');
ALTER SERVER explain_kv OPTIONS (ADD fdw_tuple_cost '1000'); -- else it would read the few rows at once
SELECT explained(:'analyze', 'SELECT * FROM wanted JOIN item USING (id)');
ALTER SERVER explain_kv OPTIONS (DROP fdw_tuple_cost);
SELECT explained(:'analyze', 'UPDATE item SET price = 0 WHERE id = 1');

DROP FUNCTION explained;
DROP TABLE wanted;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SERVER explain_kv CASCADE;
