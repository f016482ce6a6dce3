-- INSERT, UPDATE, DELETE, RETURNING, COPY.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE SERVER dml_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER dml_kv;
CREATE FOREIGN TABLE person (id int, name text DEFAULT 'nobody', age int, tags jsonb)
  SERVER dml_kv OPTIONS (keyspace 'dml_person');
CREATE FOREIGN TABLE visit (who int, day date, place text)
  SERVER dml_kv OPTIONS (keyspace 'dml_visit', partition_key 'who', sort_key 'day', batch_size '3');

-- INSERT writes over what is there.
INSERT INTO person VALUES (1, 'Ada', 36, '{"x": 1}'), (2, 'Bob', NULL, NULL), (3, 'Cy', 7, '[]');
INSERT INTO person (id) VALUES (4) RETURNING *;
INSERT INTO person VALUES (2, 'Bea', 5, NULL) RETURNING id, name, tableoid::regclass;
INSERT INTO person VALUES (5, 'first', 1, NULL), (5, 'second', 2, NULL);
SELECT * FROM person ORDER BY id;
WITH new AS (INSERT INTO person SELECT id + 10, name, age, tags FROM person RETURNING id) SELECT * FROM new ORDER BY id;
SELECT count(*) FROM person;
WITH new AS (INSERT INTO person VALUES (20, 'Zoe', 1, NULL) RETURNING id) SELECT id FROM new;
SELECT name FROM person WHERE id = 20;

-- UPDATE: by key, by other columns, of all; what it returns; how many.
UPDATE person SET age = age + 1, name = upper(name) WHERE id = 1 RETURNING *;
UPDATE person SET tags = '{"seen": true}' WHERE age > 5;
UPDATE person SET age = 0 WHERE id IN (2, 3, 2, 777);
\echo rows: :ROW_COUNT
UPDATE person SET age = 1 WHERE id = 777;
\echo rows: :ROW_COUNT
UPDATE person SET name = name;
\echo rows: :ROW_COUNT
SELECT * FROM person WHERE id < 10 ORDER BY id;

-- Rows have no place to be found by.
DELETE FROM person WHERE ctid = '(0,1)';
UPDATE person SET age = 1 WHERE ctid IN (SELECT ctid FROM person LIMIT 1);
DELETE FROM person p USING person q WHERE p.ctid < q.ctid AND p.name = q.name;
SELECT count(*) FROM person WHERE ctid = '(0,1)';
WITH u AS (UPDATE person SET name = name WHERE ctid = '(0,1)' RETURNING id) SELECT * FROM u;

-- UPDATE of keys: a shift, a swap, onto itself.
UPDATE person SET id = id + 1 WHERE id < 10;
\echo rows: :ROW_COUNT
SELECT id, name FROM person WHERE id < 10 ORDER BY id;
UPDATE person SET id = 5 - id WHERE id IN (2, 3) RETURNING id, name;
SELECT id, name FROM person WHERE id < 10 ORDER BY id;
UPDATE person SET id = id;
SELECT count(*) FROM person;

-- With another table; a row that is joined twice is updated once.
CREATE TABLE fix (id int, age int);
INSERT INTO fix VALUES (2, 22), (3, 33), (3, 34), (99, 1);
ANALYZE fix;
UPDATE person p SET age = f.age FROM fix f WHERE f.id = p.id AND f.id <> 3 RETURNING p.id, p.age, f.id;
UPDATE person p SET age = 33 FROM fix f WHERE f.id = p.id AND f.id = 3;
\echo rows: :ROW_COUNT
SET enable_hashjoin = off;
SET enable_mergejoin = off;
UPDATE person p SET age = 44 FROM fix f WHERE f.id = p.id;
\echo rows: :ROW_COUNT
RESET enable_hashjoin;
RESET enable_mergejoin;
SELECT id, age FROM person WHERE id < 10 ORDER BY id;
UPDATE person p SET name = q.name FROM person q WHERE q.id = 20 AND p.id = 3 RETURNING p.id, p.name, q.id;
UPDATE person SET age = (SELECT count(*) FROM visit) WHERE id = 4 RETURNING age;

-- DELETE.
DELETE FROM person WHERE id = 20 RETURNING *;
DELETE FROM person WHERE id = 20;
\echo rows: :ROW_COUNT
DELETE FROM person p USING fix f WHERE f.id = p.id;
\echo rows: :ROW_COUNT
SELECT id FROM person ORDER BY id;
DELETE FROM person WHERE id > 10 AND name = 'nobody' RETURNING id, name;
DELETE FROM person;
SELECT count(*) FROM person;
INSERT INTO person VALUES (1, 'again', 1, NULL);
SELECT * FROM person;

-- A composite key, many rows, batches of three.
INSERT INTO visit SELECT g % 10, date '2024-01-01' + g / 10, 'place ' || g FROM generate_series(0, 99) g;
SELECT count(*), count(DISTINCT who), min(day), max(day) FROM visit;
UPDATE visit SET place = 'home' WHERE who = 3 AND day >= '2024-01-08';
SELECT day, place FROM visit WHERE who = 3 AND day > '2024-01-06' ORDER BY day;
DELETE FROM visit WHERE day < '2024-01-06' AND who IN (1, 2);
SELECT who, count(*) FROM visit WHERE who < 4 GROUP BY who ORDER BY who;

-- Ten thousand rows.
CREATE FOREIGN TABLE bulk (k text, v text) SERVER dml_kv OPTIONS (keyspace 'dml_bulk');
INSERT INTO bulk SELECT 'key ' || g, repeat('x', 100) || g FROM generate_series(1, 10000) g;
SELECT count(*), count(DISTINCT k), sum(length(v)) FROM bulk;
UPDATE bulk SET v = 'short';
SELECT count(*), sum(length(v)) FROM bulk;
-- Moved keys are not met again by the scan that moves them.
UPDATE bulk SET k = 'moved ' || k;
\echo rows: :ROW_COUNT
SELECT count(*) FILTER (WHERE k LIKE 'moved key %'), count(*) FROM bulk;
INSERT INTO bulk SELECT 'copy of ' || k, v FROM bulk;
SELECT count(*) FROM bulk;
DELETE FROM bulk WHERE k LIKE 'copy%';
\echo rows: :ROW_COUNT
SELECT count(*) FROM bulk;
-- The same, when the statement remembers more than fits in memory.
SET work_mem = '64kB';
UPDATE bulk SET k = 'back ' || k, v = 'long ' || v;
RESET work_mem;
SELECT count(*), min(v), max(v), count(*) FILTER (WHERE k LIKE 'back moved key %') FROM bulk;

-- COPY, both ways.
COPY person FROM stdin;
7	Gus	70	{"a": [1, 2]}
8	Hal	\N	\N
7	Gil	71	\N
\.
COPY person (id, age) FROM stdin WITH (FORMAT csv);
9,90
\.
COPY (SELECT * FROM person ORDER BY id) TO stdout;
COPY visit FROM PROGRAM 'seq 1 2000 | sed "s/.*/100,2024-01-01,&/"' WITH (FORMAT csv);
\echo rows: :ROW_COUNT
SELECT * FROM visit WHERE who = 100;

-- Triggers, generated columns, checks of a view.
CREATE FOREIGN TABLE ledger (id int, amount int, twice int GENERATED ALWAYS AS (amount * 2) STORED)
  SERVER dml_kv OPTIONS (keyspace 'dml_ledger');
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE WARNING '% % %: old %, new %, rows now %', TG_WHEN, TG_LEVEL, TG_OP, OLD, NEW, (SELECT count(*) FROM ledger);
  RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER after_all AFTER INSERT OR DELETE ON ledger FOR EACH STATEMENT EXECUTE FUNCTION note();
INSERT INTO ledger (id, amount) VALUES (1, 10), (2, 20);
UPDATE ledger SET amount = 15 WHERE id = 1 RETURNING *;
DELETE FROM ledger WHERE id = 2;
DROP TRIGGER before_row ON ledger;
DROP TRIGGER after_row ON ledger;
DROP TRIGGER after_all ON ledger;
CREATE VIEW small AS SELECT id, amount FROM ledger WHERE amount < 100 WITH CHECK OPTION;
INSERT INTO small VALUES (3, 30);
INSERT INTO small VALUES (4, 400);
UPDATE small SET amount = amount + 1 WHERE id = 3;
SELECT * FROM small ORDER BY id;

-- A partitioned table with foreign partitions, one of which has its columns in another order.
CREATE TABLE part (id int, v text) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE FOREIGN TABLE part_2 PARTITION OF part FOR VALUES IN (2, 3) SERVER dml_kv OPTIONS (keyspace 'dml_part_2');
CREATE FOREIGN TABLE part_4 (v text, gone int, id int) SERVER dml_kv OPTIONS (keyspace 'dml_part_4', partition_key 'id');
ALTER FOREIGN TABLE part_4 DROP COLUMN gone;
ALTER TABLE part ATTACH PARTITION part_4 FOR VALUES IN (4, 5);
INSERT INTO part VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four'), (5, 'five') RETURNING tableoid::regclass, *;
COPY part FROM stdin WITH (DELIMITER ',');
1,uno
2,dos
4,cuatro
\.
UPDATE part SET v = v || '!' WHERE id > 1;
UPDATE part SET v = v || '?' WHERE id IN (1, 2, 4) RETURNING tableoid::regclass, *;
DELETE FROM part WHERE id IN (3, 5) RETURNING tableoid::regclass, *;
SELECT tableoid::regclass, * FROM part ORDER BY id, v;
DROP TABLE part;

-- What is there may be read only; ON CONFLICT has nothing to stand on.
INSERT INTO person VALUES (1) ON CONFLICT DO NOTHING;
ALTER FOREIGN TABLE person OPTIONS (ADD updatable 'off');
INSERT INTO person VALUES (1);
UPDATE person SET age = 1;
DELETE FROM person;
SELECT count(*) FROM person;

DROP VIEW small;
DROP TABLE fix;
DROP SERVER dml_kv CASCADE;
DROP FUNCTION note;
