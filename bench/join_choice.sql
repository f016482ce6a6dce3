-- What estimates are worth: the same joins with the plan that is chosen, and with the one that was before.
--
--   scripts/demo.sh && scripts/demo.sh psql -qAt -f bench/join_choice.sql
--
-- Prints milliseconds, each the median of 5.  Makes tables of its own on server kv, and drops them.
SET client_min_messages = warning;
SET jit = off;
CREATE FOREIGN TABLE choice_product (id int, name text) SERVER kv OPTIONS (keyspace 'choice_product');
CREATE FOREIGN TABLE choice_item (id int, kind int, note text) SERVER kv OPTIONS (keyspace 'choice_item');
INSERT INTO choice_product SELECT g, 'product ' || g FROM generate_series(1, 2000) g;
INSERT INTO choice_item SELECT g, g % 1000, repeat('x', 80) FROM generate_series(1, 100000) g;
CREATE TEMP TABLE choice_line AS SELECT g * 2 AS product, g * 100 AS item FROM generate_series(1, 1000) g;
ANALYZE choice_line;

CREATE FUNCTION pg_temp.choice_ms(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  began timestamptz;
  took numeric[];
BEGIN
  FOR i IN 1..5 LOOP
    began := clock_timestamp();
    EXECUTE query;
    took := took || round(1000 * extract(epoch FROM clock_timestamp() - began), 1);
  END LOOP;
  RETURN (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took) t);
END $$;

\set product 'SELECT count(p.name) FROM choice_line l JOIN choice_product p ON p.id = l.product'
\set item 'SELECT count(i.note) FROM choice_line l JOIN choice_item i ON i.id = l.item WHERE i.kind = 100'
-- The session has to be told first.
SELECT count(*) FROM choice_product \g /dev/null
SELECT count(*) FROM choice_item \g /dev/null
SELECT '1000 rows with a table of 2000, its size known: ' || pg_temp.choice_ms(:'product');
SELECT '1000 rows with 100 of 100000 that nodes choose: ' || pg_temp.choice_ms(:'item');
-- As before: a table was taken for 100000 rows, and a row that is looked at for one that travels.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET dynkv_fdw.enable_lookup_join = off;
SELECT 'the same by key: ' || pg_temp.choice_ms(:'product');
SELECT 'the same by key: ' || pg_temp.choice_ms(:'item');
TRUNCATE choice_product, choice_item;
DROP FOREIGN TABLE choice_product, choice_item;
