-- INSERT in all its forms, COPY in both directions, and what RETURNING gives.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE SERVER insert_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER insert_kv;
CREATE FOREIGN TABLE item (id int, name text DEFAULT 'nameless', made date DEFAULT '2024-02-29', tags text[])
  SERVER insert_kv OPTIONS (keyspace 'insert_item');
CREATE FOREIGN TABLE once (id int, v text) SERVER insert_kv OPTIONS (keyspace 'insert_once', on_insert 'error');

-- VALUES, DEFAULT, columns left out, and nothing at all.
INSERT INTO item VALUES (1);
INSERT INTO item VALUES (2, DEFAULT, NULL), (3, NULL, '2020-01-01');
INSERT INTO item (tags, id) VALUES ('{}', 4), (ARRAY['x'], 5) RETURNING *;
INSERT INTO item DEFAULT VALUES;
INSERT INTO item (id) SELECT 1 WHERE false;
\echo rows: :ROW_COUNT
SELECT * FROM item ORDER BY id;

-- RETURNING: expressions, columns not written, the row as a whole, of data-modifying WITH.
INSERT INTO item (id) VALUES (6) RETURNING id * 2 AS twice, made + 1 AS next, tableoid::regclass, (SELECT max(id) FROM item);
INSERT INTO item AS i (id, name) VALUES (7, 'seven') RETURNING i, i.name IS NULL AS no_name;
UPDATE item SET name = 'was ' || name, id = id + 10 WHERE id IN (6, 7) RETURNING id, name, made;
WITH d AS (DELETE FROM item AS gone WHERE id > 10 RETURNING gone.*, gone IS NULL AS is_null) SELECT * FROM d ORDER BY id;
WITH moved AS (DELETE FROM item WHERE id = 5 RETURNING *),
     copied AS (INSERT INTO item SELECT id + 100, name, made, tags FROM moved RETURNING *)
  SELECT m.id AS from_id, c.* FROM moved m, copied c;
SELECT id FROM item ORDER BY id;

-- system columns: the table, a place that means nothing, and zeroes
SELECT tableoid::regclass, ctid IS NULL AS no_ctid, xmin, xmax, cmin, cmax, id FROM item WHERE id = 4;
INSERT INTO item (id) VALUES (8) RETURNING xmin, cmin, id;
UPDATE item SET name = 'xmin ' || xmin WHERE id = 8 RETURNING xmin, name;
WITH two AS (SELECT 8 AS id FROM generate_series(1, 2)) UPDATE item i SET name = 'n' FROM two WHERE two.id = i.id RETURNING xmax, i.id;
WITH two AS (SELECT 8 AS id FROM generate_series(1, 2)) DELETE FROM item i USING two WHERE two.id = i.id RETURNING xmax, i.id;

-- ON CONFLICT DO NOTHING: rows of the cluster, of the transaction, of the statement itself; many at a time.
INSERT INTO once SELECT g, 'first' FROM generate_series(1, 2000, 2) g;
INSERT INTO once SELECT g % 1500, 'second' FROM generate_series(0, 4000) g ON CONFLICT DO NOTHING;
\echo rows: :ROW_COUNT
SELECT v, count(*), min(id), max(id) FROM once GROUP BY v ORDER BY v;
BEGIN;
DELETE FROM once WHERE id < 10;
INSERT INTO once SELECT g, 'third' FROM generate_series(0, 20) g ON CONFLICT DO NOTHING;
\echo rows: :ROW_COUNT
INSERT INTO once VALUES (0, 'x'), (3000, 'new'), (3000, 'again'), (4, 'x') ON CONFLICT DO NOTHING RETURNING *;
SELECT id, v FROM once WHERE id < 12 OR id >= 3000 ORDER BY id;
SAVEPOINT s;
INSERT INTO once VALUES (5000, 'x'), (1, 'there');
ROLLBACK TO s;
INSERT INTO once VALUES (5000, 'y') ON CONFLICT DO NOTHING RETURNING v;
ROLLBACK;
SELECT count(*) FROM once;
-- one request for a batch, whatever is there
CREATE FUNCTION requests_of(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE before bigint;
BEGIN
  SELECT requests INTO before FROM dynkv_fdw_session() WHERE server_name = 'insert_kv';
  EXECUTE statement;
  RETURN (SELECT requests - before FROM dynkv_fdw_session() WHERE server_name = 'insert_kv');
END $$;
SELECT requests_of('INSERT INTO once SELECT g, ''x'' FROM generate_series(1, 3000) g ON CONFLICT DO NOTHING');
SELECT requests_of('INSERT INTO once SELECT g, ''x'' FROM generate_series(4001, 4010) g ON CONFLICT DO NOTHING');
DELETE FROM once WHERE id > 2000;
-- a trigger wants to know of each row
CREATE FUNCTION upper_v() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.v := upper(NEW.v); RETURN NEW; END$$;
CREATE TRIGGER upper_v BEFORE INSERT ON once FOR EACH ROW EXECUTE FUNCTION upper_v();
INSERT INTO once VALUES (1, 'x'), (7000, 'x'), (7000, 'y') ON CONFLICT DO NOTHING RETURNING *;
DROP TRIGGER upper_v ON once;
ALTER FOREIGN TABLE once OPTIONS (ADD write_mode 'immediate');
INSERT INTO once VALUES (1, 'x'), (7001, 'z'), (7001, 'y') ON CONFLICT DO NOTHING;
\echo rows: :ROW_COUNT
SELECT * FROM once WHERE id > 2000 ORDER BY id;
-- what it cannot do
INSERT INTO once VALUES (1, 'x') ON CONFLICT (id) DO NOTHING;
INSERT INTO once VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET v = 'y';

-- COPY: text, csv, binary; columns in another order, defaults, WHERE; both directions.
COPY item (name, id) FROM stdin;
tab\there	20
\N	21
	22
\.
COPY item (id, tags) FROM stdin WITH (FORMAT csv, HEADER) WHERE id % 2 = 0;
id,tags
30,"{a,""b c""}"
31,{}
32,
\.
COPY (SELECT * FROM item WHERE id >= 20 ORDER BY id) TO stdout WITH (FORMAT csv, FORCE_QUOTE *);
COPY item (id, name) FROM stdin;
40	forty
many	x
\.
SELECT count(*) FROM item WHERE id = 40;
CREATE FOREIGN TABLE item_copy (id int, name text, made date, tags text[])
  SERVER insert_kv OPTIONS (keyspace 'insert_item_copy');
SELECT format('/tmp/dynkv_copy_%s', pg_backend_pid()) AS file \gset
COPY (SELECT * FROM item) TO :'file' WITH (FORMAT binary);
COPY item_copy FROM :'file' WITH (FORMAT binary);
SELECT count(*) FROM item i JOIN item_copy c ON i = c;
\setenv FILE :file
\! rm "$FILE"
-- nothing of a COPY that fails, and all of one that goes on over several batches
BEGIN;
COPY item_copy (id, name) FROM PROGRAM 'seq 1000 4999 | sed "s/$/,n/"' WITH (FORMAT csv);
SELECT count(*) FROM item_copy WHERE id >= 1000;
ROLLBACK;
SELECT count(*) FROM item_copy WHERE id >= 1000;

DROP FUNCTION requests_of;
DROP SERVER insert_kv CASCADE;
DROP FUNCTION upper_v;
