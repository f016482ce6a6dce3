-- Foreign partitions beside local ones, and foreign children of a table: routing, rows that move, bounds.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE SERVER part_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER part_kv;
CREATE TABLE doc (id int, place text, v text) PARTITION BY LIST (place);
CREATE TABLE doc_here PARTITION OF doc FOR VALUES IN ('here');
CREATE FOREIGN TABLE doc_far PARTITION OF doc FOR VALUES IN ('far')
  SERVER part_kv OPTIONS (keyspace 'part_far', partition_key 'id');
-- its columns stand in another order, and one was dropped
CREATE FOREIGN TABLE doc_away (v text, gone int, place text, id int)
  SERVER part_kv OPTIONS (keyspace 'part_away', partition_key 'id');
ALTER FOREIGN TABLE doc_away DROP COLUMN gone;
ALTER TABLE doc ATTACH PARTITION doc_away FOR VALUES IN ('away');
CREATE VIEW places AS SELECT tableoid::regclass AS part, * FROM doc ORDER BY id;

-- Routing.
INSERT INTO doc VALUES (1, 'here', 'a'), (2, 'far', 'b'), (3, 'away', 'c') RETURNING tableoid::regclass, *;
COPY doc FROM stdin WITH (FORMAT csv);
4,here,d
5,far,e
6,away,f
\.
INSERT INTO doc VALUES (7, 'nowhere', 'x');
SELECT * FROM places;
EXPLAIN (COSTS OFF) SELECT * FROM doc WHERE place = 'far' AND id = 2;

-- An UPDATE moves rows: from here to there, from there to here, from one foreign partition to another.
UPDATE doc SET place = 'far' WHERE id = 1 RETURNING *;
UPDATE doc SET place = 'here', v = v || '!' WHERE id = 2 RETURNING *;
UPDATE doc SET place = 'far' WHERE place = 'away' AND id = 3;
SELECT * FROM places;
SELECT count(*) FROM doc_away WHERE id = 3;
-- all at once, and back
UPDATE doc SET place = CASE place WHEN 'here' THEN 'far' WHEN 'far' THEN 'away' ELSE 'here' END;
\echo rows: :ROW_COUNT
SELECT * FROM places;
BEGIN;
UPDATE doc SET place = 'away', id = id + 10 WHERE place <> 'away';
SELECT * FROM places;
SAVEPOINT s;
UPDATE doc SET place = 'here';
SELECT part, count(*) FROM places GROUP BY part;
ROLLBACK TO s;
SELECT part, count(*) FROM places GROUP BY part;
ROLLBACK;
-- with a join, and a row that two others would move
UPDATE doc SET place = n.place FROM (VALUES (1, 'here'), (4, 'here'), (4, 'away'), (5, 'far')) n (id, place) WHERE doc.id = n.id;
\echo rows: :ROW_COUNT
SELECT part, id FROM places WHERE id IN (1, 5);
-- with write_mode 'immediate', too
ALTER FOREIGN TABLE doc_far OPTIONS (ADD write_mode 'immediate');
ALTER FOREIGN TABLE doc_away OPTIONS (ADD write_mode 'immediate');
UPDATE doc SET place = CASE place WHEN 'far' THEN 'away' ELSE 'far' END;
\echo rows: :ROW_COUNT
SELECT count(*), count(*) FILTER (WHERE part::text = 'doc_' || place) FROM places;
ALTER FOREIGN TABLE doc_far OPTIONS (DROP write_mode);
ALTER FOREIGN TABLE doc_away OPTIONS (DROP write_mode);

-- A row that exists where it moves to.
DELETE FROM doc;
INSERT INTO doc VALUES (1, 'here', 'h1'), (1, 'far', 'f1'), (2, 'here', 'h2');
ALTER FOREIGN TABLE doc_far OPTIONS (ADD on_insert 'error');
UPDATE doc SET place = 'far' WHERE place = 'here';
SELECT * FROM places;
UPDATE doc SET place = 'far' WHERE place = 'here' AND id = 2;
INSERT INTO doc SELECT g, 'far', 'more' FROM generate_series(1, 4) g ON CONFLICT DO NOTHING;
\echo rows: :ROW_COUNT
SELECT * FROM places;
ALTER FOREIGN TABLE doc_far OPTIONS (DROP on_insert);

-- Bounds hold for rows that are written to a partition directly.
INSERT INTO doc_far VALUES (8, 'here', 'x');
COPY doc_far FROM stdin WITH (FORMAT csv);
8,here,x
\.
UPDATE doc_far SET place = 'here' WHERE id = 4;
UPDATE doc SET place = 'nowhere' WHERE place = 'far';

-- Triggers: those of an UPDATE where the row was, those of an INSERT where it is.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE WARNING '% % % %: % -> %', TG_TABLE_NAME, TG_WHEN, TG_LEVEL, TG_OP, OLD, NEW;
  RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON doc_far FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON doc FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER after_all AFTER INSERT OR UPDATE OR DELETE ON doc FOR EACH STATEMENT EXECUTE FUNCTION note();
UPDATE doc SET place = 'here' WHERE id = 2;
UPDATE doc SET place = 'far' WHERE id = 2;
UPDATE doc SET place = 'away' WHERE id = 2;
UPDATE doc SET v = 'same place' WHERE id = 2;
DELETE FROM doc WHERE id = 2;
DROP TRIGGER before_row ON doc_far;
DROP TRIGGER after_row ON doc;
DROP TRIGGER after_all ON doc;

-- Constraints, defaults and generated columns of where it goes; a view with a check.
CREATE TABLE cap (id int, n int, twice int GENERATED ALWAYS AS (n * 2) STORED) PARTITION BY RANGE (n);
CREATE FOREIGN TABLE cap_low PARTITION OF cap FOR VALUES FROM (0) TO (10) SERVER part_kv OPTIONS (keyspace 'part_low', partition_key 'id');
CREATE TABLE cap_high PARTITION OF cap (PRIMARY KEY (id), CHECK (n < 100)) FOR VALUES FROM (10) TO (1000);
CREATE VIEW cap_small AS SELECT id, n FROM cap WHERE n < 50 WITH CHECK OPTION;
INSERT INTO cap (id, n) VALUES (1, 1), (2, 2), (3, 30);
WITH u AS (UPDATE cap SET n = n + 20 WHERE id < 3 RETURNING *) SELECT * FROM u ORDER BY id;
UPDATE cap SET n = 200 WHERE id = 1;
UPDATE cap_small SET n = n - 20 WHERE id = 2 RETURNING *;
UPDATE cap_small SET n = 60 WHERE id = 2;
UPDATE cap SET id = 3, n = 40 WHERE id = 2;
SELECT tableoid::regclass, * FROM cap ORDER BY id;

-- A partition below a partition.
CREATE TABLE tree (id int, a int, b int) PARTITION BY LIST (a);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES IN (1) PARTITION BY LIST (b);
CREATE FOREIGN TABLE tree_1_1 PARTITION OF tree_1 FOR VALUES IN (1) SERVER part_kv OPTIONS (keyspace 'part_tree_1_1');
CREATE TABLE tree_1_2 PARTITION OF tree_1 FOR VALUES IN (2);
CREATE FOREIGN TABLE tree_2 PARTITION OF tree FOR VALUES IN (2) SERVER part_kv OPTIONS (keyspace 'part_tree_2');
INSERT INTO tree VALUES (1, 1, 1), (2, 1, 2), (3, 2, 3);
UPDATE tree SET a = 3 - a, b = 1 RETURNING id;
SELECT tableoid::regclass, * FROM tree ORDER BY id;
UPDATE tree_1 SET b = 2 WHERE id = 3;
UPDATE tree_1 SET a = 2 WHERE id = 3;
SELECT tableoid::regclass, * FROM tree ORDER BY id;

-- What the server refuses on any foreign partition; TRUNCATE and DETACH.
MERGE INTO doc USING (VALUES (1)) s (i) ON doc.id = s.i WHEN MATCHED THEN DELETE;
CREATE UNIQUE INDEX ON doc (id, place);
TRUNCATE doc;
SELECT count(*) FROM doc;
INSERT INTO doc VALUES (1, 'far', 'x');
ALTER TABLE doc DETACH PARTITION doc_far;
INSERT INTO doc_far VALUES (2, 'here', 'free');
SELECT * FROM doc_far ORDER BY id;

-- Inheritance: children of both kinds, with columns of their own.
CREATE TABLE thing (id int, v text);
CREATE FOREIGN TABLE thing_far (n int) INHERITS (thing) SERVER part_kv OPTIONS (keyspace 'part_thing');
CREATE TABLE thing_here (m int) INHERITS (thing);
INSERT INTO thing VALUES (1, 'parent');
INSERT INTO thing_far VALUES (2, 'far', 20), (3, 'far', 30);
INSERT INTO thing_here VALUES (4, 'here', 40);
UPDATE thing SET v = v || '!' WHERE id > 1;
UPDATE thing SET id = id + 10 WHERE v = 'far!';
SELECT tableoid::regclass, * FROM thing ORDER BY id;
SELECT * FROM thing_far ORDER BY id;
SELECT count(*) FROM ONLY thing;
WITH d AS (DELETE FROM thing WHERE id IN (1, 12) RETURNING tableoid::regclass, *) SELECT * FROM d ORDER BY id;
ALTER TABLE thing ADD COLUMN w int DEFAULT 5;
SELECT * FROM thing_far;
ALTER TABLE thing RENAME v TO u;
SELECT id, u FROM thing ORDER BY id;
TRUNCATE thing;
SELECT count(*) FROM thing;

DROP TABLE doc, cap, tree, thing CASCADE;
DROP SERVER part_kv CASCADE;
DROP FUNCTION note;
