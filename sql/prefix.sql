-- LIKE 'abc%', ^@ and starts_with(): a range of the key, and looked at again for each row.
\getenv hosts DYNKV_HOSTS
SET jit = off;
SET client_min_messages = warning;
CREATE SERVER prefix_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER prefix_kv;
CREATE FOREIGN TABLE word (w text, n int) SERVER prefix_kv OPTIONS (keyspace 'prefix_word');
CREATE FOREIGN TABLE file (host text COLLATE "en-x-icu", path varchar COLLATE "en-x-icu", size int)
  SERVER prefix_kv OPTIONS (keyspace 'prefix_file', partition_key 'host', sort_key 'path');
CREATE FOREIGN TABLE code (c char(5), n int) SERVER prefix_kv OPTIONS (keyspace 'prefix_code');
CREATE TABLE local_word (w text, n int);
INSERT INTO local_word SELECT x, row_number() OVER (ORDER BY x COLLATE "C")
  FROM unnest(ARRAY['a', 'ab', 'abc', 'abcd', 'abd', 'Abc', 'a%c', 'a_c', 'a\c', 'axc', 'é', 'éa', 'ê',
                    'zz', '日', '日本', 'b c', 'b  ']) x;
INSERT INTO word SELECT * FROM local_word;
INSERT INTO file SELECT h, p, length(p) FROM unnest(ARRAY['x', 'y']) h,
  unnest(ARRAY['/', '/bin', '/bin/ls', '/bin/lsof', '/boot', '/Bin', '/é']) p;
INSERT INTO code SELECT DISTINCT ON (rtrim(w)) w, n FROM local_word WHERE length(w) < 6 ORDER BY rtrim(w), n;

-- What is pushed down.
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w LIKE 'abc%';
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w LIKE 'a_c%';
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w LIKE 'a!%%' ESCAPE '!';
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w ^@ 'ab';
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE starts_with(w, 'ab') AND w > 'abc' COLLATE "C";
EXPLAIN (COSTS OFF) SELECT * FROM file WHERE host = 'x' AND path LIKE '/bin/%';
EXPLAIN (COSTS OFF) SELECT * FROM file WHERE host LIKE 'x%' AND path LIKE '/bin/%';
-- A pattern without wildcards is the key itself; not so for char(n).
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w LIKE 'a\%c';
EXPLAIN (COSTS OFF) SELECT * FROM code WHERE c LIKE 'abc';
-- What is not.
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w LIKE '%abc';
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w ILIKE 'abc%';
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE w NOT LIKE 'abc%';
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE 'abcdef' LIKE w;
EXPLAIN (COSTS OFF) SELECT * FROM word WHERE starts_with('abcdef', w);

-- The same rows as an ordinary table has, for patterns that are known only at execution ...
CREATE FUNCTION differences(condition text, value text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  difference bigint;
BEGIN
  EXECUTE format('WITH f AS (SELECT w FROM word WHERE %1$s), l AS (SELECT w FROM local_word WHERE %1$s)
                  SELECT count(*) FROM ((TABLE f EXCEPT TABLE l) UNION ALL (TABLE l EXCEPT TABLE f)) x',
                 format(condition, '$1')) INTO difference USING value;
  RETURN difference;
END $$;
CREATE FUNCTION matches(condition text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  words text;
BEGIN
  EXECUTE format('SELECT string_agg(w, '','' ORDER BY n) FROM word WHERE ' || condition, quote_nullable(value)) INTO words;
  RETURN words;
END $$;
SET plan_cache_mode = force_generic_plan;
SELECT p, matches('w LIKE %s', p), differences('w LIKE %s', p) AS parameter,
       differences('starts_with(w, %s)', p) AS starts
  FROM unnest(ARRAY['abc%', 'abc', 'a_c%', 'a\%c', 'a\_%', 'a\\%', '%', '', '_', '%b%', 'é%', 'b %', 'A%', 'zzz%',
                    'ab%d', 'nothing%', NULL]) p;
-- ... and for beginnings.
SELECT p, matches('w ^@ %s', p), differences('w ^@ %s', p) AS parameter
  FROM unnest(ARRAY['ab', 'a', 'a%', 'é', '', 'b ', '日', NULL]) p;
RESET plan_cache_mode;
PREPARE by_pattern(text) AS SELECT w FROM word WHERE w LIKE $1 || '%' ORDER BY n;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_pattern('abc');
EXECUTE by_pattern('abc');
EXECUTE by_pattern('_b');
EXECUTE by_pattern('zz');
RESET plan_cache_mode;

-- A beginning from another table.
EXPLAIN (COSTS OFF) SELECT * FROM local_word l, LATERAL (SELECT * FROM word f WHERE f.w ^@ l.w OFFSET 0) x;
SELECT l.w AS beginning, string_agg(x.w, ',' ORDER BY x.n)
  FROM local_word l, LATERAL (SELECT * FROM word f WHERE f.w ^@ l.w OFFSET 0) x
  WHERE l.w IN ('ab', 'abc') GROUP BY 1 ORDER BY 1;

-- Within a partition key, and as the partition key, of a key with several columns.
SELECT * FROM file WHERE host = 'x' AND path LIKE '/bin/%' ORDER BY size;
SELECT * FROM file WHERE host = 'x' AND path ^@ '/b' AND path > '/bin' COLLATE "C" ORDER BY size;
SELECT * FROM file WHERE host LIKE 'y%' AND path LIKE '/B%';
SELECT * FROM file WHERE host LIKE 'x' AND path LIKE '/é%';
SELECT count(*) FROM file WHERE host = ANY ('{x,y}') AND path LIKE '/bin%';
SELECT count(*) FROM file WHERE host = 'x' AND path LIKE '/bin%' AND path LIKE '/boot%';

-- char(n): the key has no trailing blanks, while LIKE sees them.
SELECT c, n FROM code WHERE c LIKE 'abc' ORDER BY n;
SELECT c, n FROM code WHERE c LIKE 'abc  ' ORDER BY n;
SELECT c, n FROM code WHERE c LIKE 'ab %' ORDER BY n;
SELECT c, n FROM code WHERE c LIKE 'ab%' ORDER BY n;

-- What the transaction itself has written is there, too.
BEGIN;
INSERT INTO word VALUES ('abcx', 99);
DELETE FROM word WHERE w LIKE 'abcd%';
SELECT w FROM word WHERE w LIKE 'abc%' ORDER BY n;
DELETE FROM word WHERE w ^@ 'abcx';
INSERT INTO word SELECT * FROM local_word WHERE w = 'abcd';
COMMIT;
SELECT w FROM word WHERE w LIKE 'abc%' ORDER BY n;

-- Few rows are moved.
CREATE FUNCTION fetched(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ 'Rows Fetched|Removed' THEN
      RETURN NEXT trim(line);
    END IF;
  END LOOP;
END $$;
SELECT fetched('SELECT * FROM word WHERE w LIKE ''abc%''');
SELECT fetched('SELECT * FROM word WHERE w LIKE ''ab_d%''');

DROP FUNCTION differences, matches, fetched;
DROP TABLE local_word;
DROP SERVER prefix_kv CASCADE;
