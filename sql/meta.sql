-- Meta columns and the time to live.
\getenv hosts DYNKV_HOSTS
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE SERVER meta_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER meta_kv;
-- a connection of its own, and so another writer
CREATE SERVER meta_other FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER meta_other;
\! "$DYNKV" -H "$DYNKV_HOSTS" keyspace create meta_ttl --ttl 3600 >/dev/null

CREATE FOREIGN TABLE item (
  id int, v text,
  version bytea OPTIONS (meta 'version'), siblings bigint OPTIONS (meta 'siblings'),
  expires_at timestamptz OPTIONS (meta 'expires_at'), modified_at timestamptz(3) OPTIONS (meta 'modified_at'),
  node text OPTIONS (meta 'node'))
  SERVER meta_kv OPTIONS (keyspace 'meta_item', format 'json');
CREATE VIEW item_shown AS SELECT id, v, length(version) > 8 AS has_version, siblings, expires_at,
  modified_at > now() - interval '1 hour' AS is_new, node ~ '^[0-9a-f]{16}$' AS has_node FROM item;

-- They are no part of the value; expires_at is written, to milliseconds.
INSERT INTO item (id, v) VALUES (1, 'one');
INSERT INTO item (id, v, expires_at) VALUES (2, 'two', '2999-01-02 03:04:05.678901'), (3, 'three', NULL), (4, 'four', 'infinity');
SELECT * FROM item_shown ORDER BY id;
\! "$DYNKV" -H "$DYNKV_HOSTS" scan meta_item --json | grep -c modified_at_ms
\! "$DYNKV" -H "$DYNKV_HOSTS" scan meta_item --json | grep -o '"value":[^,]*' | sort
SELECT id FROM item WHERE version = (SELECT version FROM item WHERE id = 2);
SELECT id, v FROM item WHERE expires_at > '2900-01-01';
SELECT id, v FROM item WHERE siblings = 1 AND id = 3;
SELECT siblings, count(*) FROM item GROUP BY 1;
SELECT count(*) AS of_known_nodes FROM item JOIN dynkv_nodes('meta_kv') n ON n.store = item.node;
EXPLAIN (COSTS OFF, VERBOSE) SELECT id, modified_at FROM item WHERE id = 2 AND version = '\x00';

-- An UPDATE keeps the expiry unless it sets it, whatever else it changes; the key, too.
UPDATE item SET v = v || '!' WHERE id = 2 RETURNING id, v, version, siblings, expires_at, modified_at, node;
SELECT id, v, expires_at FROM item WHERE id = 2;
UPDATE item SET id = 20 WHERE id = 2;
SELECT id, v, expires_at FROM item WHERE id = 20;
UPDATE item SET expires_at = expires_at + interval '1 day' WHERE id = 20 RETURNING expires_at;
UPDATE item SET expires_at = NULL WHERE id = 20;
SELECT id, v, expires_at FROM item WHERE id = 20;
-- Through a table that does not show it as well.
CREATE FOREIGN TABLE item_plain (id int, v text) SERVER meta_kv OPTIONS (keyspace 'meta_item', format 'json');
UPDATE item SET expires_at = '2999-12-31' WHERE id = 20;
UPDATE item_plain SET v = 'plain' WHERE id = 20;
SELECT id, v, expires_at FROM item WHERE id = 20;
INSERT INTO item_plain VALUES (20, 'new');
SELECT id, v, expires_at FROM item WHERE id = 20;

-- What has expired is not there.
UPDATE item SET expires_at = now() - interval '1 ms' WHERE id = 20;
SELECT id FROM item ORDER BY id;
SELECT count(*) FROM item;
SELECT v FROM item WHERE id = 20;
\set QUIET off
UPDATE item SET v = 'x', expires_at = NULL WHERE id = 20;
DELETE FROM item WHERE id = 20;
\set QUIET on
INSERT INTO item (id, v, expires_at) VALUES (21, 'stillborn', '1969-07-20'), (22, 'stillborn', '-infinity');
SELECT count(*) FROM item WHERE id > 20;
INSERT INTO item (id, v) VALUES (20, 'born again');
SELECT v, siblings, expires_at FROM item WHERE id = 20;
-- In the transaction that writes it, too.
BEGIN;
UPDATE item SET expires_at = now() - interval '1 ms' WHERE id = 20;
SELECT v FROM item WHERE id = 20;
SELECT id FROM item ORDER BY id;
UPDATE item SET v = 'x' WHERE id = 20;
ROLLBACK;
SELECT v FROM item WHERE id = 20;
-- An expired value that others have not seen does not hide theirs, but for lww.
CREATE FOREIGN TABLE item_all (id int, v text) SERVER meta_kv OPTIONS (keyspace 'meta_item', format 'json', conflict 'siblings');
CREATE FOREIGN TABLE item_now (id int, v text, expires_at timestamptz OPTIONS (meta 'expires_at'))
  SERVER meta_other OPTIONS (keyspace 'meta_item', format 'json', write_mode 'immediate');
BEGIN;
UPDATE item SET v = 'gone', expires_at = '1999-12-31' WHERE id = 20;
INSERT INTO item_now VALUES (20, 'alive');
COMMIT;
SELECT v FROM item WHERE id = 20;
SELECT v FROM item_all WHERE id = 20;

-- A row that a resolver made of several keeps the longest time, if the table does not show it.
CREATE FOREIGN TABLE item_first (id int, v text)
  SERVER meta_kv OPTIONS (keyspace 'meta_item', format 'json', resolver 'public.first_item');
CREATE FUNCTION first_item(item_first[]) RETURNS item_first LANGUAGE sql AS 'SELECT $1[array_upper($1, 1)]';
CREATE PROCEDURE two_times(moment timestamptz, other timestamptz) LANGUAGE sql AS $$
  UPDATE item SET v = 'buffered', expires_at = moment WHERE id = 1;
  INSERT INTO item_now VALUES (1, 'immediate', other);
$$;
CALL two_times('2999-01-01', '2999-02-02');
SELECT * FROM item_first WHERE id = 1;
UPDATE item_first SET v = v || '!' WHERE id = 1;
SELECT v, expires_at, siblings FROM item WHERE id = 1;
CALL two_times('2999-01-01', NULL);
UPDATE item_first SET v = v || '!' WHERE id = 1;
SELECT v, expires_at, siblings FROM item WHERE id = 1;

-- A keyspace with a ttl: it decides for an INSERT that does not say when.
CREATE FOREIGN TABLE brief (id int, v text, expires_at timestamptz OPTIONS (meta 'expires_at'))
  SERVER meta_kv OPTIONS (keyspace 'meta_ttl');
CREATE VIEW brief_shown AS SELECT id, v, CASE WHEN expires_at IS NULL THEN 'never'
  WHEN expires_at BETWEEN now() + interval '50 min' AND now() + interval '61 min' THEN 'in an hour' ELSE 'else' END AS expires FROM brief;
INSERT INTO brief VALUES (1, 'by ttl');
INSERT INTO brief (id, v) VALUES (2, 'by ttl');
INSERT INTO brief VALUES (3, 'never', NULL), (4, 'later', now() + interval '1 day');
COPY brief FROM stdin;
5	never	\N
6	later	2999-01-01
\.
COPY brief (id, v) FROM stdin;
7	by ttl
\.
INSERT INTO brief SELECT 10 + i, 'many' FROM generate_series(1, 3) i;
SELECT * FROM brief_shown ORDER BY id;
-- No UPDATE begins it anew by itself.
UPDATE brief SET v = v || '!';
SELECT * FROM brief_shown ORDER BY id;
UPDATE brief SET expires_at = NULL WHERE id = 1;
UPDATE brief SET v = v || '!' WHERE id = 1;
SELECT * FROM brief_shown WHERE id = 1;
-- It is for the nodes to say when: not known before the commit.
BEGIN;
INSERT INTO brief VALUES (8, 'by ttl');
INSERT INTO brief VALUES (9, 'never', NULL);
UPDATE brief SET v = v || '!' WHERE id IN (8, 9) RETURNING id, v, expires_at;
COMMIT;
SELECT * FROM brief_shown WHERE id IN (8, 9) ORDER BY id;
-- Spilled to disk.
SET work_mem = '64kB';
BEGIN;
INSERT INTO brief SELECT i, 'spilled', NULL FROM generate_series(1000, 3999) i;
INSERT INTO brief SELECT i, 'spilled' FROM generate_series(4000, 4999) i;
COMMIT;
RESET work_mem;
SELECT expires, count(*) FROM brief_shown WHERE v = 'spilled' GROUP BY 1 ORDER BY 1;
-- With write_mode 'immediate'.
ALTER FOREIGN TABLE brief OPTIONS (write_mode 'immediate');
INSERT INTO brief VALUES (30, 'by ttl');
INSERT INTO brief VALUES (31, 'never', NULL);
UPDATE brief SET v = v || '!' WHERE id IN (30, 31);
SELECT * FROM brief_shown WHERE id IN (30, 31) ORDER BY id;
-- A trigger may say when; a default as well.
CREATE FUNCTION in_an_hour() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.expires_at := '2999-12-31'; RETURN NEW; END$$;
CREATE TRIGGER t BEFORE INSERT OR UPDATE ON brief FOR EACH ROW EXECUTE FUNCTION in_an_hour();
INSERT INTO brief VALUES (32, 'by trigger') RETURNING *;
UPDATE brief SET v = 'by trigger' WHERE id = 31;
SELECT * FROM brief WHERE id IN (31, 32) ORDER BY id;
DROP TRIGGER t ON brief;
ALTER FOREIGN TABLE brief ALTER expires_at SET DEFAULT '2999-01-01';
INSERT INTO brief VALUES (33, 'by default') RETURNING *;

-- Rows that move here from a local partition keep it, and leave the rest where they were.
CREATE TABLE moving (id int, v text, expires_at timestamptz, version text) PARTITION BY LIST (v);
CREATE FOREIGN TABLE moving_a PARTITION OF moving FOR VALUES IN ('a') SERVER meta_kv OPTIONS (keyspace 'meta_moving_a');
ALTER FOREIGN TABLE moving_a ALTER expires_at OPTIONS (meta 'expires_at'), ALTER version OPTIONS (meta 'version');
CREATE TABLE moving_c PARTITION OF moving FOR VALUES IN ('c');
INSERT INTO moving VALUES (1, 'a', '2999-01-01', NULL), (2, 'c', NULL, 'local'), (3, 'c', '2999-03-03', 'local');
UPDATE moving SET v = 'a' WHERE id > 1 RETURNING tableoid::regclass, *;
SELECT tableoid::regclass, id, v, expires_at, length(version) > 16 AS has_version FROM moving ORDER BY id;
INSERT INTO moving VALUES (4, 'a', NULL, 'some version');

-- All but expires_at can only be read.
INSERT INTO item (id, version) VALUES (5, '\x00');
INSERT INTO item VALUES (5, 'x', NULL, 1);
INSERT INTO item SELECT * FROM item WHERE id = 1;
INSERT INTO item VALUES (5, 'five', NULL, NULL, '2999-01-01');
UPDATE item SET modified_at = now() WHERE id = 5;
UPDATE item SET siblings = DEFAULT WHERE id = 5;
COPY item FROM stdin;
6	six	\N	\N	\N	\N	\N
\.
COPY item (id, node) FROM stdin;
7	abc
\.
COPY (SELECT id, v, expires_at FROM item WHERE id IN (5, 6) ORDER BY id) TO stdout;
DELETE FROM item WHERE id = 6 RETURNING id, v, siblings, version IS NOT NULL AS has_version;

-- Published and imported like all columns.
SELECT dynkv_publish_table('brief');
CREATE SCHEMA there;
IMPORT FOREIGN SCHEMA public LIMIT TO (brief) FROM SERVER meta_kv INTO there;
\d there.brief
SELECT * FROM there.brief WHERE id = 32;
ANALYZE item;
SELECT null_frac FROM pg_stats WHERE tablename = 'item' AND attname = 'siblings';

-- Columns that cannot be one.
CREATE FOREIGN TABLE bad (a int, b text OPTIONS (meta 'vector')) SERVER meta_kv;
CREATE FOREIGN TABLE bad (a int, b text OPTIONS (meta 'version', column_name 'c')) SERVER meta_kv;
CREATE FOREIGN TABLE bad (a int, b int OPTIONS (meta 'version'), c timestamptz(0)) SERVER meta_kv;
SELECT * FROM bad;
ALTER FOREIGN TABLE bad ALTER b TYPE text, ALTER b SET NOT NULL;
INSERT INTO bad VALUES (1);
ALTER FOREIGN TABLE bad ALTER b DROP NOT NULL, ALTER c OPTIONS (meta 'expires_at');
SELECT * FROM bad;
ALTER FOREIGN TABLE bad ALTER c TYPE text;
SELECT * FROM bad;
ALTER FOREIGN TABLE bad ALTER c OPTIONS (SET meta 'version');
SELECT * FROM bad;
ALTER FOREIGN TABLE bad OPTIONS (partition_key 'b');
ALTER FOREIGN TABLE bad DROP COLUMN c;
SELECT * FROM bad;

SET client_min_messages = warning;
DROP PROCEDURE two_times;
DROP FOREIGN TABLE bad, item, item_plain, item_all, item_now, item_first, brief CASCADE;
DROP TABLE moving;
DROP FUNCTION in_an_hour;
DROP SERVER meta_kv, meta_other CASCADE;
