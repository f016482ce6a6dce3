-- Estimates: what nodes have told this session of a keyspace, in replies that it got anyway.
\getenv hosts DYNKV_HOSTS
CREATE EXTENSION IF NOT EXISTS dynkv_fdw;
CREATE SERVER estimates_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER estimates_kv;
-- With w 3 every node holds what was written, and tells the exact number in its answer to the next scan.
CREATE FOREIGN TABLE part (id int, kind int, note text) SERVER estimates_kv OPTIONS (keyspace 'estimates_part', w '3');
CREATE FOREIGN TABLE part_too (id int, note text) SERVER estimates_kv OPTIONS (keyspace 'estimates_part');

CREATE FUNCTION planned(query text, OUT rows bigint, OUT width int, OUT cost numeric) LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  rows := plan->0->'Plan'->>'Plan Rows';
  width := plan->0->'Plan'->>'Plan Width';
  cost := plan->0->'Plan'->>'Total Cost';
END $$;

-- A node tells once it has counted a keyspace, which may take it a moment when that is new.
CREATE FUNCTION await_told(query text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..600 LOOP
    EXECUTE query;
    EXIT WHEN (planned(query)).rows < 90000;
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;

-- Of a keyspace that this session has not met nothing is known.
SELECT rows, width FROM planned('SELECT * FROM part');
INSERT INTO part SELECT g, g % 100, repeat('x', 200) FROM generate_series(1, 1000) g;
SELECT await_told('SELECT * FROM part');
SELECT rows, width BETWEEN 200 AND 220 AS width_is_known FROM planned('SELECT * FROM part');
SELECT rows, width BETWEEN 180 AND 220 AS width_is_known FROM planned('SELECT note FROM part');
-- Each table on a keyspace has all of its rows.
SELECT rows FROM planned('SELECT * FROM part_too');

-- Planning asks nobody, not with a connection either.
CREATE TEMP TABLE before AS SELECT messages_sent FROM dynkv_fdw_session() WHERE server_name = 'estimates_kv';
SELECT rows > 0 AS is_planned FROM planned('SELECT * FROM part JOIN part_too USING (id)');
SELECT s.messages_sent - b.messages_sent AS sent FROM dynkv_fdw_session() s, before b WHERE server_name = 'estimates_kv';

-- What is deleted is not counted, though its tombstones are still there.
DELETE FROM part WHERE id > 600;
SELECT count(*) FROM part;
SELECT rows FROM planned('SELECT * FROM part');

-- What the transaction has written itself counts if it is more than there is.
BEGIN;
INSERT INTO part SELECT g, g % 100, '' FROM generate_series(1, 5000) g;
SELECT rows FROM planned('SELECT * FROM part');
ROLLBACK;
SELECT rows FROM planned('SELECT * FROM part');

-- ANALYZE counts for sessions that know no better.
ANALYZE part;
SELECT dynkv_fdw_disconnect('estimates_kv');
SELECT rows FROM planned('SELECT * FROM part');
INSERT INTO part SELECT g, g % 100, repeat('x', 200) FROM generate_series(601, 2000) g;
SELECT count(*) FROM part;
SELECT rows FROM planned('SELECT * FROM part');
-- Its statistics are scaled to what is there now.
SELECT rows FROM planned('SELECT * FROM part WHERE kind = 7');

-- A condition that nodes test makes a scan cheaper, and the more so the fewer rows it leaves.
SELECT one.cost < half.cost AS one_is_cheaper, half.cost < every.cost AS half_is_cheaper
  FROM planned('SELECT * FROM part') every, planned('SELECT * FROM part WHERE kind < 50') half,
    planned('SELECT * FROM part WHERE kind = 7') one;
-- One that they do not test does not.
SELECT here.cost > every.cost AS here_is_dearer
  FROM planned('SELECT * FROM part') every, planned('SELECT * FROM part WHERE kind % 100 = 7') here;

-- A small table is read at once for a join, an unknown one by key.
CREATE FOREIGN TABLE colour (id int, name text) SERVER estimates_kv OPTIONS (keyspace 'estimates_colour', w '3');
INSERT INTO colour SELECT g, 'colour ' || g FROM generate_series(1, 10) g;
CREATE TABLE car AS SELECT g AS id, g % 10 + 1 AS colour FROM generate_series(1, 500) g;
ANALYZE car;
SET enable_memoize = off;
SET dynkv_fdw.enable_lookup_join = off; -- a lookup join is best either way
SELECT await_told('SELECT * FROM colour');
EXPLAIN (COSTS OFF) SELECT * FROM car JOIN colour c ON c.id = car.colour;
SELECT dynkv_fdw_disconnect('estimates_kv');
EXPLAIN (COSTS OFF) SELECT * FROM car JOIN colour c ON c.id = car.colour;

-- An empty table will hardly stay so: plans are made for some rows.
TRUNCATE colour;
SELECT count(*) FROM colour;
SELECT rows FROM planned('SELECT * FROM colour');

DROP TABLE car, before;
DROP FUNCTION planned, await_told;
DROP SERVER estimates_kv CASCADE;
