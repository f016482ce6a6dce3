-- Joins by the whole key of a foreign table: one request for the keys of many rows.
\getenv hosts DYNKV_HOSTS
SET jit = off;
CREATE SERVER lookup_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER lookup_kv;
CREATE FOREIGN TABLE item (id int, name text, price numeric) SERVER lookup_kv OPTIONS (keyspace 'lookup_item');
CREATE FOREIGN TABLE place (country varchar(2), city text, at int8, people int)
  SERVER lookup_kv OPTIONS (keyspace 'lookup_place', partition_key 'country, city', sort_key 'at');
CREATE TABLE wish (n int, item int, big bigint, label text);
CREATE TABLE trip (n int, country text, city text, at int2);

INSERT INTO item SELECT g, 'item ' || g, g * 1.5 FROM generate_series(1, 30) g;
INSERT INTO place SELECT c, t, a, ascii(c) * a FROM unnest(ARRAY['de', 'fr']) c, unnest(ARRAY['a', 'b', '']) t, generate_series(1, 3) a;
INSERT INTO wish VALUES (1, 7, 7, 'item 7'), (2, NULL, 3, 'null'), (3, 7, 8, 'again'), (4, 99, 99999999999, 'missing'), (5, 30, 30, 'item 30'), (6, -1, 1, 'item 1');
INSERT INTO trip VALUES (1, 'de', 'a', 2), (2, 'fr', '', 3), (3, 'fr', 'c', 1), (4, 'it', 'a', 1), (5, 'de', NULL, 1), (6, 'de', 'b', 30000);
ANALYZE wish, trip;
-- Other plans would be as good for so few rows.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_nestloop = off;

-- The four kinds of joins; rows come in the order of the outer table.
EXPLAIN (VERBOSE, COSTS OFF) SELECT w.n, i.name FROM wish w JOIN item i ON i.id = w.item;
SELECT w.n, i.name FROM wish w JOIN item i ON i.id = w.item;
EXPLAIN (COSTS OFF) SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item;
SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item;
EXPLAIN (COSTS OFF) SELECT w.n FROM wish w WHERE EXISTS (SELECT FROM item i WHERE i.id = w.item);
SELECT w.n FROM wish w WHERE EXISTS (SELECT FROM item i WHERE i.id = w.item);
EXPLAIN (COSTS OFF) SELECT w.n FROM wish w WHERE NOT EXISTS (SELECT FROM item i WHERE i.id = w.item);
SELECT w.n FROM wish w WHERE NOT EXISTS (SELECT FROM item i WHERE i.id = w.item);
EXPLAIN (COSTS OFF) SELECT name FROM item WHERE id IN (SELECT item FROM wish) ORDER BY id;
SELECT name FROM item WHERE id IN (SELECT item FROM wish) ORDER BY id;
-- A right join turns round, a full one cannot.
SELECT w.n, i.name FROM item i RIGHT JOIN wish w ON i.id = w.item ORDER BY 1;
SELECT count(*), count(w.n), count(i.id) FROM item i FULL JOIN wish w ON i.id = w.item;

-- Conditions look at the pair of rows that they are about: on the join, after it, on either side.
SELECT w.n, w.label, i.name FROM wish w JOIN item i ON i.id = w.item AND i.name = w.label;
EXPLAIN (COSTS OFF) SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item AND i.name = w.label WHERE i.name IS NULL OR i.price > 20;
SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item AND i.name = w.label WHERE i.name IS NULL OR i.price > 20;
SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item AND w.n <> 3 AND i.price < 20;
SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item WHERE w.label = coalesce(i.name, 'missing');
SELECT w.n FROM wish w WHERE EXISTS (SELECT FROM item i WHERE i.id = w.item AND i.name <> w.label);
SELECT w.n FROM wish w WHERE NOT EXISTS (SELECT FROM item i WHERE i.id = w.item AND i.name = w.label);
SELECT w.n, i.* FROM wish w JOIN item i ON i.id = w.item WHERE i.price = (SELECT max(price) FROM item WHERE id <= i.id) AND w.n > 2;
-- What is computed below an outer join is null above it, not before.
EXPLAIN (VERBOSE, COSTS OFF) SELECT w.n, s.c FROM wish w LEFT JOIN (SELECT id, coalesce(name, 'none') || '!' AS c FROM item) s ON s.id = w.item;
SELECT w.n, s.c FROM wish w LEFT JOIN (SELECT id, coalesce(name, 'none') || '!' AS c FROM item) s ON s.id = w.item;
SELECT w.n, s.c FROM wish w LEFT JOIN LATERAL (SELECT coalesce(name, 'none') || w.label AS c FROM item WHERE id = w.item) s ON true;
SELECT w.n, i IS NULL AS is_null, i FROM wish w LEFT JOIN item i ON i.id = w.item ORDER BY 1;
SELECT a.n, b.n, i.name, j.name FROM wish a LEFT JOIN item i ON i.id = a.item LEFT JOIN wish b ON b.n = a.n + 1 AND i.name IS NOT NULL LEFT JOIN item j ON j.id = b.item ORDER BY 1;

-- Keys: expressions, other integer types and values that do not fit, several columns, a constant for one.
SELECT w.n, i.name FROM wish w JOIN item i ON w.item + 1 = i.id;
SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.big;
SELECT t.n, p.people FROM trip t LEFT JOIN place p ON p.country = t.country AND p.city = t.city AND p.at = t.at;
EXPLAIN (COSTS OFF) SELECT t.n, p.people FROM trip t JOIN place p ON p.city = t.city AND p.at = t.at WHERE p.country = 'de';
SELECT t.n, p.people FROM trip t JOIN place p ON p.city = t.city AND p.at = t.at WHERE p.country = 'de';
-- A part of the key is not enough, nor another comparison.
EXPLAIN (COSTS OFF) SELECT * FROM trip t JOIN place p ON p.country = t.country AND p.city = t.city;
EXPLAIN (COSTS OFF) SELECT * FROM wish w JOIN item i ON i.id > w.item;

-- Many rows: few requests, no key twice in one.
CREATE TABLE pull AS SELECT g AS n, g % 40 AS item FROM generate_series(1, 10000) g;
ANALYZE pull;
CREATE FUNCTION told(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ 'Lookup Join|Limit|Dynkv (Requests|Keys|Rows)|Removed' THEN
      RETURN NEXT trim(line);
    END IF;
  END LOOP;
END $$;
SELECT told('SELECT * FROM pull p LEFT JOIN item i ON i.id = p.item');
SELECT told('SELECT * FROM generate_series(1, 10000) g JOIN item i ON i.id = g');
SELECT count(*), count(i.name), sum(i.id) FROM pull p LEFT JOIN item i ON i.id = p.item;
SELECT count(*), count(i.name), sum(i.id) FROM generate_series(-4999, 5000) g LEFT JOIN item i ON i.id = g;
SET work_mem = '64kB'; -- smaller batches, the same rows
SELECT count(*), count(i.name), sum(i.id) FROM pull p LEFT JOIN item i ON i.id = p.item;
RESET work_mem;
-- Where few rows are wanted, few are asked for.
SELECT told('SELECT * FROM generate_series(1, 10000) g LEFT JOIN item i ON i.id = g LIMIT 5');
SELECT told('SELECT * FROM generate_series(1, 10000) g JOIN item i ON i.id = g WHERE i.price > 15 LIMIT 5');
-- A table that is not there yet is empty, and nobody is asked.
CREATE FOREIGN TABLE nothing (id int, v text) SERVER lookup_kv OPTIONS (keyspace 'lookup_nothing');
SELECT told('SELECT * FROM wish w LEFT JOIN nothing t ON t.id = w.item');
SELECT w.n, t.v FROM wish w LEFT JOIN nothing t ON t.id = w.item;

-- Own writes of the transaction, and their rollback.
BEGIN;
UPDATE item SET name = 'mine' WHERE id = 7;
DELETE FROM item WHERE id = 30;
SAVEPOINT s;
INSERT INTO item VALUES (99, 'new', 1);
SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item;
ROLLBACK TO s;
SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item;
SELECT told('SELECT * FROM wish w JOIN item i ON i.id = w.item + 0');
ROLLBACK;
-- A statement does not see what it writes itself.
BEGIN;
INSERT INTO item SELECT w.n + 100, i.name, 0 FROM generate_series(-2, 3) w (n) LEFT JOIN item i ON i.id = w.n + 99;
SELECT id, name FROM item WHERE id > 90 ORDER BY 1;
ROLLBACK;

-- Again and again: below a nested loop, in a correlated subquery, in a prepared statement, through a cursor.
SET enable_nestloop = on;
SET enable_material = off;
SELECT x.n, s.* FROM (VALUES (1), (4), (5)) x (n), LATERAL (SELECT w.n AS m, i.name FROM wish w LEFT JOIN item i ON i.id = w.item AND i.price > x.n * 2.5 WHERE w.n >= x.n OFFSET 0) s;
SELECT x.n, (SELECT string_agg(i.name, ',') FROM wish w JOIN item i ON i.id = w.item + x.n WHERE w.n < 4 OR w.n = x.n) FROM wish x;
SET plan_cache_mode = force_generic_plan;
PREPARE by_n (int, text) AS SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item + $1 AND i.name <> $2 WHERE w.n <> $1;
EXPLAIN (COSTS OFF) EXECUTE by_n (1, 'item 8');
EXECUTE by_n (1, 'item 8');
EXECUTE by_n (0, 'none');
EXECUTE by_n (NULL, NULL);
RESET plan_cache_mode;
BEGIN;
DECLARE c CURSOR FOR SELECT p.n, i.name FROM pull p JOIN item i ON i.id = p.item;
FETCH 2 FROM c;
DELETE FROM item WHERE id < 5;
FETCH 2 FROM c;
MOVE 7494 FROM c;
FETCH ALL FROM c;
CLOSE c;
DECLARE c SCROLL CURSOR FOR SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
CLOSE c;
ROLLBACK;

SET enable_nestloop = off;
-- Below and above other joins; a foreign table with itself; partitions.
SELECT a.id, b.name FROM item a JOIN item b ON b.id = a.id * 2 WHERE a.id IN (3, 4, 20) ORDER BY 1;
SELECT w.n, i.name, p.people FROM wish w JOIN item i ON i.id = w.item JOIN trip t ON t.n = w.n LEFT JOIN place p ON p.country = t.country AND p.city = t.city AND p.at = t.at ORDER BY 1;
CREATE TABLE part (id int, v text) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (10) SERVER lookup_kv OPTIONS (keyspace 'lookup_part_low');
CREATE FOREIGN TABLE part_high PARTITION OF part FOR VALUES FROM (10) TO (20) SERVER lookup_kv OPTIONS (keyspace 'lookup_part_high');
CREATE TABLE want (id int, n int) PARTITION BY RANGE (id);
CREATE TABLE want_low PARTITION OF want FOR VALUES FROM (0) TO (10);
CREATE TABLE want_high PARTITION OF want FOR VALUES FROM (10) TO (20);
INSERT INTO part SELECT g, 'part ' || g FROM generate_series(0, 19, 3) g;
INSERT INTO want SELECT g, g * g FROM generate_series(0, 19, 2) g;
ANALYZE want;
SET enable_partitionwise_join = on;
EXPLAIN (COSTS OFF) SELECT want.n, part.v FROM want LEFT JOIN part USING (id);
SELECT want.n, part.v FROM want LEFT JOIN part USING (id) ORDER BY 1;
SELECT want.n, part FROM want JOIN part USING (id) ORDER BY 1;
RESET enable_partitionwise_join;

-- Changing a local table with what the foreign one says; its own rows are changed by its own scan.
EXPLAIN (COSTS OFF) UPDATE wish w SET label = i.name || '?' FROM item i WHERE i.id = w.item AND w.n > 2;
UPDATE wish w SET label = i.name || '?' FROM item i WHERE i.id = w.item AND w.n > 2 RETURNING w.n, w.label, i.price;
DELETE FROM wish w USING item i WHERE i.id = w.item AND i.price > 40 RETURNING w.n, i.name;
EXPLAIN (COSTS OFF) UPDATE item i SET price = 0 FROM wish w WHERE i.id = w.item;
UPDATE item i SET price = 0 FROM (SELECT DISTINCT item FROM wish) w WHERE i.id = w.item RETURNING i.*;
EXPLAIN (COSTS OFF) UPDATE item i SET price = o.people FROM trip t, place o WHERE i.id = t.n AND o.country = t.country AND o.city = t.city AND o.at = t.at;
UPDATE item i SET price = o.people FROM trip t, place o WHERE i.id = t.n AND o.country = t.country AND o.city = t.city AND o.at = t.at RETURNING i.*;
SELECT w.n, i.name FROM wish w JOIN item i ON i.id = w.item ORDER BY 1 FOR UPDATE;
SELECT w.n, i.name FROM wish w LEFT JOIN item i ON i.id = w.item ORDER BY 1 FOR UPDATE OF w;

-- Concurrent values are rows of their own, if the table says so; expired rows are gone.
CREATE SERVER lookup_other FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER lookup_other;
CREATE FOREIGN TABLE twin (id int, v text, n int OPTIONS (meta 'siblings')) SERVER lookup_kv OPTIONS (keyspace 'lookup_twin', conflict 'siblings');
CREATE FOREIGN TABLE twin_now (id int, v text) SERVER lookup_other OPTIONS (keyspace 'lookup_twin', write_mode 'immediate');
INSERT INTO twin VALUES (7, 'start'), (99, 'only');
BEGIN;
UPDATE twin SET v = 'one' WHERE id = 7;
INSERT INTO twin_now VALUES (7, 'two');
COMMIT;
SELECT w.n, t.v, t.n FROM wish w LEFT JOIN twin t ON t.id = w.item ORDER BY 1, 2;
SELECT w.n, t.v FROM wish w LEFT JOIN twin t ON t.id = w.item AND t.v = 'one' ORDER BY 1, 2;
SELECT w.n FROM wish w WHERE EXISTS (SELECT FROM twin t WHERE t.id = w.item) ORDER BY 1;
ALTER FOREIGN TABLE twin OPTIONS (SET conflict 'error');
SELECT w.n, t.v FROM wish w LEFT JOIN twin t ON t.id = w.item ORDER BY 1, 2;
CREATE FOREIGN TABLE brief (id int, v text, until timestamptz OPTIONS (meta 'expires_at')) SERVER lookup_kv OPTIONS (keyspace 'lookup_brief');
INSERT INTO brief VALUES (7, 'gone', '2001-01-01'), (99, 'there', 'infinity'), (-1, 'later', '2100-01-01 00:00 UTC');
SET timezone = 'UTC';
SELECT w.n, b.v, b.until FROM wish w LEFT JOIN brief b ON b.id = w.item ORDER BY 1;

-- What cannot be read is an error, or no row.
CREATE FOREIGN TABLE word (w text, n int) SERVER lookup_kv OPTIONS (keyspace 'lookup_word', format 'json');
INSERT INTO word VALUES ('fine', 1);
\! "$DYNKV" -H "$DYNKV_HOSTS" put lookup_word torn '{"n": 1' >/dev/null
SELECT * FROM (VALUES ('fine'), ('torn'), ('none')) x (w) LEFT JOIN word USING (w);
ALTER FOREIGN TABLE word OPTIONS (ADD on_bad_row 'skip');
SELECT * FROM (VALUES ('fine'), ('torn'), ('none')) x (w) LEFT JOIN word USING (w);

-- A view reads as its owner, who alone has a mapping there.
CREATE SERVER lookup_owned FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE ROLE lookup_owner;
CREATE ROLE lookup_reader;
CREATE USER MAPPING FOR lookup_owner SERVER lookup_owned;
CREATE FOREIGN TABLE owned (id int, name text) SERVER lookup_owned OPTIONS (keyspace 'lookup_item');
GRANT SELECT ON owned, wish TO lookup_owner;
GRANT CREATE ON SCHEMA public TO lookup_owner;
SET ROLE lookup_owner;
CREATE VIEW shown AS SELECT w.n, o.name FROM wish w JOIN owned o ON o.id = w.item;
GRANT SELECT ON shown TO lookup_reader;
SET ROLE lookup_reader;
EXPLAIN (COSTS OFF) SELECT * FROM shown;
SELECT * FROM shown;
SELECT * FROM owned;
RESET ROLE;
SELECT w.n, o.name FROM wish w JOIN owned o ON o.id = w.item;
-- A barrier lets no row by before its own conditions.
CREATE FUNCTION loud(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
CREATE VIEW cheap WITH (security_barrier) AS SELECT * FROM item WHERE price < 11;
INSERT INTO wish VALUES (9, 9, 9, 'dear');
SELECT w.n, c.name FROM wish w LEFT JOIN cheap c ON c.id = w.item AND loud(c.name || w.label) WHERE w.n > 5 ORDER BY 1;

-- Conditions that have nothing to do with rows; switched off; quorums of the statement.
EXPLAIN (COSTS OFF) SELECT * FROM wish w JOIN item i ON i.id = w.item WHERE current_user = 'nobody';
SELECT * FROM wish w JOIN item i ON i.id = w.item WHERE current_user = 'nobody';
SET dynkv_fdw.r = 3;
SELECT w.n, i.name FROM wish w JOIN item i ON i.id = w.item ORDER BY 1;
RESET dynkv_fdw.r;
SET dynkv_fdw.enable_lookup_join = off;
EXPLAIN (COSTS OFF) SELECT w.n, i.name FROM wish w JOIN item i ON i.id = w.item;
RESET dynkv_fdw.enable_lookup_join;
EXPLAIN (FORMAT YAML, VERBOSE, COSTS OFF) SELECT w.n, i.name FROM wish w JOIN item i ON i.id = w.item AND i.name <> w.label;

SET client_min_messages = warning;
DROP OWNED BY lookup_owner, lookup_reader;
DROP ROLE lookup_owner, lookup_reader;
DROP TABLE part, want;
DROP SERVER lookup_kv, lookup_other, lookup_owned CASCADE;
DROP TABLE wish, trip, pull;
DROP FUNCTION told, loud;
