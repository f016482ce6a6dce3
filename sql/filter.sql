-- Filter pushdown: conditions on columns of the value are tested by the nodes, and again here.
\getenv hosts DYNKV_HOSTS
CREATE EXTENSION IF NOT EXISTS dynkv_fdw;
CREATE SERVER filter_srv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER filter_srv;
SET timezone = 'Europe/Berlin';

CREATE DOMAIN filter_positive AS int CHECK (VALUE > 0);
-- The same rows in both formats and here.
CREATE FOREIGN TABLE filter_row (id int, flag bool, small int2, medium int, big int8, narrow float4, wide float8,
    name text, city varchar(8), raw bytea, uid uuid, day date, at timestamp, seen timestamptz, cents numeric,
    doc jsonb, size filter_positive, folded text COLLATE "C")
  SERVER filter_srv OPTIONS (keyspace 'filter_row', partition_key 'id');
CREATE FOREIGN TABLE filter_json (id int, flag bool, small int2, medium int, big int8, narrow float4, wide float8,
    name text, city varchar(8), raw bytea, uid uuid, day date, at timestamp, seen timestamptz, cents numeric,
    doc jsonb, size filter_positive, folded text COLLATE "C")
  SERVER filter_srv OPTIONS (keyspace 'filter_json', partition_key 'id', format 'json');
CREATE TABLE filter_local (id int, flag bool, small int2, medium int, big int8, narrow float4, wide float8,
    name text, city varchar(8), raw bytea, uid uuid, day date, at timestamp, seen timestamptz, cents numeric,
    doc jsonb, size filter_positive, folded text COLLATE "C");

INSERT INTO filter_local
  SELECT i, i % 3 = 0, i - 100, i * 1000, i * 10000000000, i / 10.0, i / 3.0::float8, 'name ' || i, 'c' || i % 7,
    decode(lpad(to_hex(i), 8, '0'), 'hex'), lpad(to_hex(i), 32, '0')::uuid, date '2024-01-01' + i,
    timestamp '2024-01-01' + i * interval '1 hour 1 second', timestamptz '2024-01-01' + i * interval '1.5 hours',
    i / 4.0, jsonb_build_object('i', i), i, chr(97 + i % 26)
  FROM generate_series(1, 200) i;
INSERT INTO filter_local (id) SELECT generate_series(201, 205);
INSERT INTO filter_local VALUES
  (206, true, -32768, -2147483648, -9223372036854775808, 'NaN', 'NaN', '', '', '', '00000000-0000-0000-0000-000000000000',
   '-infinity', '-infinity', '-infinity', 'NaN', 'null', 1, ''),
  (207, false, 32767, 2147483647, 9223372036854775807, 'Infinity', '-Infinity', E'line\n"quoted"\\', 'äöüß',
   '\x00ff', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'infinity', 'infinity', 'infinity', 0, '[]', 1, 'Z'),
  (208, NULL, 0, 0, 0, '-0', '-0', '日本', NULL, NULL, NULL, '0044-03-15 BC', '0044-03-15 BC', '0044-03-15 BC', 0, '0', 1, NULL),
  (209, NULL, 0, 0, 0, 1e-40, 1e-300, 'x', NULL, NULL, NULL, '12024-01-01', '12024-01-01', '12024-01-01', 0, '0', 1, NULL);
INSERT INTO filter_row SELECT * FROM filter_local;
INSERT INTO filter_json SELECT * FROM filter_local;

-- Each condition must find in both formats what it finds here, and is it told to the nodes?
CREATE FUNCTION filter_try(condition text, OUT rows bigint, OUT same boolean, OUT told boolean) LANGUAGE plpgsql AS $$
DECLARE
  wanted text;
  got text[];
  line text;
BEGIN
  EXECUTE format('SELECT count(*), string_agg(id::text, '','' ORDER BY id) FROM filter_local WHERE %s', condition) INTO rows, wanted;
  EXECUTE format('SELECT array[(SELECT string_agg(id::text, '','' ORDER BY id) FROM filter_row WHERE %1$s),
    (SELECT string_agg(id::text, '','' ORDER BY id) FROM filter_json WHERE %1$s)]', condition) INTO got;
  same := got[1] IS NOT DISTINCT FROM wanted AND got[2] IS NOT DISTINCT FROM wanted;
  told := false;
  FOR line IN EXECUTE format('EXPLAIN SELECT * FROM filter_row WHERE %s', condition) LOOP
    told := told OR line LIKE '%Dynkv Filter%';
  END LOOP;
END $$;

SELECT c AS condition, t.* FROM unnest(array[
  'flag', 'NOT flag', 'flag IS TRUE', 'flag IS NOT TRUE', 'flag IS FALSE', 'flag IS NOT FALSE', 'flag IS UNKNOWN',
  'flag IS NOT UNKNOWN', 'flag = false', 'small = 5', 'small > 99::bigint', 'medium <> 5000', '5000 < medium',
  'medium BETWEEN 1000 AND 3000', 'medium IN (1000, 7000, 9999, NULL)', 'medium NOT IN (1000, 7000)',
  'medium NOT IN (1000, NULL)', 'medium = ANY (NULL::int[])', 'medium = ANY (''{}'')', 'medium <> ALL (''{}'')',
  'medium > 10000000000', 'big >= 1990000000000', 'big < -9000000000000000000',
  'narrow = 1.5', 'narrow = 0.1::float4', 'narrow = 0.1', 'narrow < 1', 'narrow = ''NaN''', 'narrow > 19.95',
  'wide = 1', 'wide = 1/3.0::float8', 'wide >= ''NaN''', 'wide < -1e300', 'wide = 0', 'wide > 66.6', 'wide IN (1, 2, ''NaN'')',
  'name = ''name 7''', 'name <> ''x''', 'name = ''''', 'name = E''line\n"quoted"\\''', 'name IN (''日本'', ''x'')',
  'city = ''c3''', 'city = ''äöüß''', 'folded < ''c''', 'folded >= ''Z''', 'raw = ''\x00ff''', 'raw < ''\x00000005''',
  'uid = ''00000000-0000-0000-0000-000000000010''', 'uid > ''f0000000-0000-0000-0000-000000000000''',
  'day = ''2024-02-29''', 'day < ''2024-01-03''', 'day > ''2024-07-17''', 'day = ''infinity''', 'day < ''0001-01-01''',
  'at = ''2024-01-01 05:00:05''', 'at > ''2024-01-09''', 'at < ''2000-01-01''', 'seen = ''2024-01-01 07:30:00+01''',
  'seen > timestamptz ''2024-01-13 10:00:00+01''', 'seen = ''-infinity''',
  'name IS NULL', 'doc IS NULL', 'doc IS NOT NULL', 'cents IS NULL', 'city IS NULL AND name IS NOT NULL',
  'flag AND medium > 190000', 'flag OR medium > 190000', 'NOT (flag OR medium > 10000)', 'NOT (flag AND medium > 10000)',
  '(small = 1 OR name = ''name 2'') AND flag IS NOT NULL', 'medium > 190000 AND cents > 49',
  'medium % 7 = 5', 'cents = 1', 'size = 7', 'doc = ''{"i": 3}''', 'name > ''name 5''', 'name LIKE ''name 19%''',
  'medium = big', 'at = date ''2024-01-01''', 'medium = 5000.0', 'medium = 1000 OR cents = 3', 'id > 200 AND flag',
  -- Patterns, a character at a time; under a deterministic collation they need no order.
  'name LIKE ''name 1_''', 'name NOT LIKE ''name %''', 'name LIKE ''%_日%''', 'name LIKE ''_本''', 'name LIKE ''''',
  'name LIKE ''%''', 'name LIKE ''na\_e 1%''', 'name LIKE ''n#ame 1%'' ESCAPE ''#''', 'name LIKE E''line\n%\\\\''',
  'name LIKE ''%e%1%9''', 'name ^@ ''name 20''', 'starts_with(name, ''日'')', 'NOT starts_with(name, ''name'')',
  'city LIKE ''_öü_''', 'city NOT LIKE ''c_''', 'folded LIKE ''_''', 'name LIKE NULL', 'name LIKE ''%3'' OR cents < 1',
  'name ILIKE ''NAME 3''', 'name ~ ''^name 3$''', 'name LIKE folded', 'doc::text LIKE ''%3%''',
  -- Numbers by their digits, whatever zeros they end in.
  'cents = 1.50', 'cents > 49.75', 'cents < 0.5', 'cents <> 2.25', 'cents BETWEEN 3 AND 3.5', 'cents = ''NaN''',
  'cents > 1e20', 'cents IN (1.00, 2.5, ''NaN'', 7777)', 'cents NOT IN (0, 1)', 'cents = -0.0',
  'cents = 3::int', 'cents > 49::float8']) c, filter_try(c) t;

-- What is told is shown, and how much it saved.
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM filter_row WHERE medium > 190000 AND flag AND size > 49;
-- PostgreSQL's versions show rows with and without decimals.
CREATE FUNCTION filter_analyzed(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    RETURN NEXT regexp_replace(line, '(rows=\d+)\.\d\d', '\1');
  END LOOP;
END $$;
SELECT filter_analyzed('SELECT name FROM filter_row WHERE medium > 198000');
EXPLAIN (COSTS OFF) SELECT * FROM filter_row WHERE id = 5 AND flag;  -- the row is on its way already

-- Numbers with a scale, and of any length; what other clients store beyond the scale is rounded here.
CREATE FOREIGN TABLE filter_number (k text, n numeric, price numeric(6,2))
  SERVER filter_srv OPTIONS (keyspace 'filter_number', format 'json');
INSERT INTO filter_number VALUES ('a', 12345678901234567890123456789.000000000000000000000000000001, 9.99), ('b', -0.00, 0),
  ('c', 1e-30, 10), ('d', 'Infinity', 1234.5), ('e', '-Infinity', NULL), ('f', 10::numeric ^ 900, -1), ('g', 2.500, 'NaN');
\! "$DYNKV" -H "$DYNKV_HOSTS" put filter_number h '{"n": 2.5e0, "price": 9.994}' >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put filter_number i '{"n": "25e-1", "price": "9.99"}' >/dev/null
SELECT k FROM filter_number WHERE n = 12345678901234567890123456789.000000000000000000000000000001;
SELECT k FROM filter_number WHERE n > 12345678901234567890123456789 ORDER BY k;
SELECT k FROM filter_number WHERE n = 2.5 ORDER BY k;
SELECT k FROM filter_number WHERE n <= 0 ORDER BY k;
SELECT k FROM filter_number WHERE n = 10::numeric ^ 900;
SELECT k FROM filter_number WHERE n < 10::numeric ^ 2000 AND n IN (2.5, 10::numeric ^ 2000) ORDER BY k; -- too long to tell
SELECT k FROM filter_number WHERE price = 9.99 ORDER BY k;
SELECT k FROM filter_number WHERE price > 10 ORDER BY k;
-- A pattern that ends in its escape is an error where it is reached, as with any table.
SELECT k FROM filter_number WHERE k || n LIKE 'z\';
SELECT id FROM filter_row WHERE name LIKE 'x\' AND id < 200;
SELECT id FROM filter_row WHERE name LIKE 'name 7\' ORDER BY id;

-- Parameters, in generic plans too; values that the statement finds itself; joins.
SET plan_cache_mode = force_generic_plan;
PREPARE filter_p(int, text[]) AS SELECT id FROM filter_row WHERE medium = $1 OR name = ANY ($2) ORDER BY id;
EXPLAIN (COSTS OFF) EXECUTE filter_p(3000, '{}');
EXECUTE filter_p(3000, '{name 9,name 4}');
EXECUTE filter_p(NULL, NULL);
EXECUTE filter_p(5000, '{}');
RESET plan_cache_mode;
SELECT id FROM filter_row WHERE medium > (SELECT max(medium) - 2000 FROM filter_local WHERE id < 201) AND id < 201 ORDER BY id;
SELECT x, (SELECT count(*) FROM filter_json WHERE medium < x) FROM (VALUES (3000), (NULL), (-5), (11000)) v(x);
-- A value that cannot be had is no error where nobody comes to it.
PREPARE filter_z(int) AS SELECT count(*) FROM filter_row WHERE flag IS NULL OR flag IS NOT NULL OR medium > 1 / $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE filter_z(0);
RESET plan_cache_mode;

-- By key, with a limit, and in pages of which most hold nothing.
SELECT id FROM filter_row WHERE medium % 1000 = 0 AND medium > 150000 ORDER BY id DESC LIMIT 3;
SELECT id FROM filter_row WHERE medium > 196000 AND medium < 2000000 ORDER BY id LIMIT 3 OFFSET 1;
-- With a limit, each node sends no more than it if they test all conditions; else some more, of which enough pass here.
CREATE FUNCTION filter_received(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
  RETURN plan->0->'Plan'->'Plans'->0->>'Dynkv Rows Received';
END $$;
SELECT filter_received('SELECT id FROM filter_row WHERE medium > 100000 LIMIT 5') BETWEEN 5 AND 15 AS few;
SELECT filter_received('SELECT id FROM filter_row WHERE name LIKE ''%7%'' AND cents > 1 LIMIT 3 OFFSET 2') BETWEEN 5 AND 15 AS few;
SELECT filter_received('SELECT id FROM filter_row WHERE medium > 100000 AND medium % 2000 = 0 LIMIT 5') BETWEEN 5 AND 101 AS some;
SELECT count(*) FROM (SELECT id FROM filter_row WHERE medium > 100000 AND medium % 2000 = 0 LIMIT 30) q;
SELECT count(*) FROM (SELECT id FROM filter_row WHERE medium > 100000 LIMIT 1000) q;
DROP FUNCTION filter_received;
ALTER FOREIGN TABLE filter_row OPTIONS (fetch_size '1');
SELECT id FROM filter_row WHERE name = 'name 77';
SELECT id FROM filter_row WHERE name IN ('name 77', 'name 3', 'x') ORDER BY id DESC LIMIT 2;
ALTER FOREIGN TABLE filter_row OPTIONS (DROP fetch_size);

-- The transaction's own writes: what matched and does not any more, and the reverse.
BEGIN;
UPDATE filter_row SET medium = -1 WHERE medium = 5000;
UPDATE filter_row SET medium = 5000 WHERE id = 6;
DELETE FROM filter_row WHERE medium = 7000;
INSERT INTO filter_row (id, medium) VALUES (1000, 5000), (1001, 8000);
SELECT id FROM filter_row WHERE medium IN (5000, 6000, 7000, 8000) ORDER BY id;
SELECT id FROM filter_row WHERE medium = -1;
SAVEPOINT s;
DELETE FROM filter_row WHERE medium = 5000;
SELECT id FROM filter_row WHERE medium = 5000;
ROLLBACK TO s;
UPDATE filter_row SET name = 'both' WHERE medium = 5000 RETURNING id;
COMMIT;
SELECT id, name FROM filter_row WHERE medium = 5000 ORDER BY id;
SELECT id FROM filter_row WHERE name = 'both' ORDER BY id;

-- Columns added later are NULL, under the name they have in values; meta columns and keys are not told.
ALTER FOREIGN TABLE filter_row ADD COLUMN later int OPTIONS (column_name 'added');
ALTER FOREIGN TABLE filter_row ADD COLUMN version text OPTIONS (meta 'version');
ALTER FOREIGN TABLE filter_row ADD COLUMN siblings int OPTIONS (meta 'siblings');
SELECT count(*) FROM filter_row WHERE later IS NULL;
UPDATE filter_row SET later = 1 WHERE id = 9;
SELECT id FROM filter_row WHERE later = 1;
EXPLAIN (COSTS OFF) SELECT id FROM filter_row WHERE siblings > 1 AND version IS NOT NULL AND later = 1;

-- Concurrent values: which counts is decided here.
CREATE FOREIGN TABLE filter_kv (k text, v int) SERVER filter_srv OPTIONS (keyspace 'filter_kv', format 'json');
CREATE FOREIGN TABLE filter_siblings (k text, v int) SERVER filter_srv
  OPTIONS (keyspace 'filter_kv', format 'json', conflict 'siblings');
INSERT INTO filter_kv VALUES ('a', 1), ('b', 1);
BEGIN;
UPDATE filter_kv SET v = 2 WHERE k = 'a';
\! "$DYNKV" -H "$DYNKV_HOSTS" put filter_kv a '{"v": 1}' >/dev/null
COMMIT;
SELECT * FROM filter_siblings WHERE v = 1 ORDER BY k;
SELECT * FROM filter_siblings WHERE v = 2;
SELECT * FROM filter_kv WHERE v = 1 ORDER BY k;
SELECT * FROM filter_kv WHERE v = 2;

-- What another client has stored otherwise is read here; what cannot be read is an error only where it matters.
\! "$DYNKV" -H "$DYNKV_HOSTS" put filter_kv c '{"v": "2"}' >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put filter_kv d '{"v": 2.0}' >/dev/null
SELECT * FROM filter_kv WHERE v = 2 ORDER BY k;
\! "$DYNKV" -H "$DYNKV_HOSTS" put filter_kv e '{"v": "two"}' >/dev/null
SELECT * FROM filter_kv WHERE v = 2;
DELETE FROM filter_kv WHERE k = 'e';

-- An IN of more than a filter holds is looked at here.
SELECT count(*) FROM filter_row WHERE medium = ANY (ARRAY(SELECT generate_series(1000, 21000))) AND flag;

DROP SERVER filter_srv CASCADE;
DROP TABLE filter_local;
DROP FUNCTION filter_try, filter_analyzed;
DROP DOMAIN filter_positive;
