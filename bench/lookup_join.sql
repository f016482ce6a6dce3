-- What a lookup join is worth: joins of 10 to 10,000 local rows by key with a table of 100,000 rows, by each plan.
--
--   scripts/demo.sh && scripts/demo.sh psql -qAt -f bench/lookup_join.sql
--
-- Prints milliseconds, each the median of 5.  Makes tables of its own on server kv, and drops them.
SET client_min_messages = warning;
SET jit = off;
SET enable_material = off;
SET enable_memoize = off;
CREATE FOREIGN TABLE lookup_item (id int, note text) SERVER kv OPTIONS (keyspace 'lookup_item');
INSERT INTO lookup_item SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g;
CREATE TEMP TABLE lookup_line AS SELECT g AS n, (g * 7919) % 100000 + 1 AS item FROM generate_series(1, 10000) g;
ANALYZE lookup_line;
-- The session has to be told how large it is.
SELECT count(*) FROM lookup_item \g /dev/null

CREATE FUNCTION pg_temp.lookup_ms(rows int, lookup bool, hash bool) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  query text := format('SELECT count(i.note) FROM lookup_line l JOIN lookup_item i ON i.id = l.item WHERE l.n <= %s', rows);
  began timestamptz;
  took numeric[];
  plan json;
BEGIN
  PERFORM set_config('dynkv_fdw.enable_lookup_join', lookup::text, true);
  PERFORM set_config('enable_hashjoin', hash::text, true);
  PERFORM set_config('enable_mergejoin', 'off', true);
  PERFORM set_config('enable_nestloop', (NOT hash AND NOT lookup)::text, true);
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  FOR i IN 1..5 LOOP
    began := clock_timestamp();
    EXECUTE query;
    took := took || round(1000 * extract(epoch FROM clock_timestamp() - began), 1);
  END LOOP;
  RETURN format('%s rows, %s: %s', rows, plan->0->'Plan'->'Plans'->0->>'Node Type', (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took) t));
END $$;

SELECT pg_temp.lookup_ms(rows, lookup, hash)
  FROM (VALUES (10), (100), (1000), (10000)) r (rows), (VALUES (true, false), (false, true), (false, false)) p (lookup, hash);
TRUNCATE lookup_item;
DROP FOREIGN TABLE lookup_item;
