-- What a table says of its rows: defaults, generated columns, constraints, triggers, views.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE SERVER rules_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER rules_kv;

-- Defaults and generated columns: computed here, stored there; and what is generated anew by an UPDATE.
CREATE SEQUENCE rules_ids;
CREATE FOREIGN TABLE bill (
    id int DEFAULT nextval('rules_ids'), net numeric(10, 2) DEFAULT 10, rate numeric DEFAULT 0.2,
    gross numeric(10, 2) GENERATED ALWAYS AS (net * (1 + rate)) STORED, note text DEFAULT 'note ' || 1 + 1)
  SERVER rules_kv OPTIONS (keyspace 'rules_bill');
INSERT INTO bill DEFAULT VALUES RETURNING *;
INSERT INTO bill (net, note) VALUES (20, NULL), (30, DEFAULT) RETURNING id, gross, note;
INSERT INTO bill (gross) VALUES (1);
INSERT INTO bill (net, gross) VALUES (40, DEFAULT) RETURNING gross;
UPDATE bill SET rate = 0.5, note = DEFAULT WHERE id = 2 RETURNING *;
UPDATE bill SET gross = 1 WHERE id = 1;
COPY bill (net) FROM stdin;
50
\.
SELECT * FROM bill ORDER BY id;
-- a generated column may be a part of the key
CREATE FOREIGN TABLE word (text text COLLATE "C", initial text COLLATE "C" GENERATED ALWAYS AS (left(text, 1)) STORED)
  SERVER rules_kv OPTIONS (keyspace 'rules_word', partition_key 'initial', sort_key 'text');
INSERT INTO word VALUES ('apple'), ('avocado'), ('banana');
UPDATE word SET text = 'blueberry' WHERE text = 'apple' RETURNING *;
SELECT * FROM word WHERE initial = 'b';

-- NOT NULL and CHECK hold (constraints.sql has more).
CREATE FOREIGN TABLE vouched (id int, n int NOT NULL CHECK (n > 0), v text CONSTRAINT short CHECK (length(v) < 5))
  SERVER rules_kv OPTIONS (keyspace 'rules_vouched');
INSERT INTO vouched VALUES (1, 1, 'fine'), (2, NULL, 'none');
INSERT INTO vouched VALUES (1, 1, 'fine'), (3, -1, 'none');
INSERT INTO vouched VALUES (1, 1, 'fine');
SELECT * FROM vouched ORDER BY id;
INSERT INTO vouched (n) VALUES (1);
-- and the planner believes them
SET constraint_exclusion = on;
EXPLAIN (COSTS OFF) SELECT * FROM vouched WHERE n < 0;
RESET constraint_exclusion;
-- a domain's constraints are enforced, as everywhere
CREATE DOMAIN rules_positive AS int CHECK (value > 0);
CREATE FOREIGN TABLE checked (id int, n rules_positive) SERVER rules_kv OPTIONS (keyspace 'rules_checked');
INSERT INTO checked VALUES (1, -1);
-- and so is what a view checks
CREATE VIEW enforced AS SELECT * FROM vouched WHERE n < 10 WITH CHECK OPTION;
INSERT INTO enforced VALUES (4, 4, 'four'), (5, 50, 'none');
INSERT INTO enforced VALUES (4, 4, 'four');
UPDATE enforced SET v = 'much too long' WHERE id = 4;
UPDATE enforced SET n = n + 1 WHERE id = 4 RETURNING *;
DELETE FROM enforced;
SELECT id FROM vouched ORDER BY id;
-- what the server refuses on any foreign table
ALTER FOREIGN TABLE vouched ADD PRIMARY KEY (id);
CREATE INDEX ON vouched (n);
CREATE TABLE refers (id int REFERENCES vouched);

-- Views upon views: local and cascaded checks, columns left out, security barriers, INSTEAD OF.
CREATE FOREIGN TABLE base (id int, n int, secret text DEFAULT 'hidden') SERVER rules_kv OPTIONS (keyspace 'rules_base');
CREATE VIEW low AS SELECT id, n FROM base WHERE n < 100;
CREATE VIEW even AS SELECT id, n FROM low WHERE n % 2 = 0 WITH LOCAL CHECK OPTION;
CREATE VIEW even_low AS SELECT id, n FROM even WITH CASCADED CHECK OPTION;
INSERT INTO even VALUES (1, 2), (2, 200);
INSERT INTO even_low VALUES (3, 300);
INSERT INTO even VALUES (3, 3);
SELECT * FROM base ORDER BY id;
UPDATE even SET n = n + 2 RETURNING *;
CREATE VIEW walled WITH (security_barrier) AS SELECT * FROM base WHERE id < 10;
UPDATE walled SET secret = 'seen' WHERE n = 4 RETURNING *;
DELETE FROM walled WHERE n > 100 RETURNING id;
CREATE VIEW summed AS SELECT n / 10 AS tens, count(*) AS rows FROM base GROUP BY 1;
CREATE FUNCTION insert_tens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO base SELECT NEW.tens * 100 + g, NEW.tens * 10 FROM generate_series(1, NEW.rows) g;
  RETURN NEW;
END $$;
CREATE TRIGGER insert_tens INSTEAD OF INSERT ON summed FOR EACH ROW EXECUTE FUNCTION insert_tens();
INSERT INTO summed VALUES (7, 3) RETURNING *;
SELECT * FROM summed ORDER BY tens;
CREATE RULE no_delete AS ON DELETE TO base DO INSTEAD NOTHING;

-- Triggers: that change a row, its key, or keep it out; that see all rows; that write elsewhere; that fail.
CREATE FOREIGN TABLE event (id int, v text, n int) SERVER rules_kv OPTIONS (keyspace 'rules_event');
CREATE TABLE journal (what text);
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RETURN CASE WHEN OLD.v <> 'kept' THEN OLD END;
  END IF;
  IF NEW.v = 'unwanted' THEN RETURN NULL; END IF;
  IF NEW.v = 'wrong' THEN RAISE EXCEPTION 'a trigger says no to %', NEW.id; END IF;
  NEW.n := coalesce(NEW.n, 0) + 1;
  IF NEW.v = 'moved' THEN NEW.id := NEW.id + 100; END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO journal (what) VALUES (format('%s %s %s->%s of %s', TG_OP, TG_LEVEL, OLD.id, NEW.id, (SELECT count(*) FROM event)));
  RETURN NULL;
END $$;
CREATE TRIGGER change BEFORE INSERT OR UPDATE OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION change();
CREATE TRIGGER record AFTER INSERT OR UPDATE OF v OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION record();
CREATE TRIGGER record_all BEFORE INSERT OR UPDATE OR DELETE ON event FOR EACH STATEMENT EXECUTE FUNCTION record();
INSERT INTO event VALUES (1, 'one'), (2, 'unwanted'), (3, 'moved') RETURNING *;
\echo rows: :ROW_COUNT
UPDATE event SET n = 10 WHERE id = 1 RETURNING *;
UPDATE event SET v = 'moved' WHERE id = 1 RETURNING *;
UPDATE event SET v = 'unwanted' WHERE id = 103;
\echo rows: :ROW_COUNT
INSERT INTO event VALUES (4, 'kept'), (5, 'fine'), (6, 'wrong');
COPY event FROM stdin WITH (FORMAT csv);
4,kept,1
7,unwanted,1
8,moved,1
\.
DELETE FROM event WHERE id < 108;
\echo rows: :ROW_COUNT
SELECT * FROM event ORDER BY id;
SELECT what FROM journal ORDER BY what COLLATE "C";
-- PostgreSQL 16 and later have triggers for TRUNCATE here.
SELECT current_setting('server_version_num')::int >= 160000 AS truncate_fires \gset
\if :truncate_fires
CREATE TRIGGER cleared AFTER TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION record();
\endif
BEGIN;
TRUNCATE event;
SELECT count(*) FROM event;
SELECT (count(*) = 1) = :'truncate_fires' AS as_this_version_does FROM journal WHERE what LIKE 'TRUNCATE STATEMENT%';
ROLLBACK;
CREATE TRIGGER keyed AFTER UPDATE ON event REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION record();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION record();
ALTER FOREIGN TABLE event DISABLE TRIGGER change;
INSERT INTO event VALUES (6, 'wrong');
ALTER FOREIGN TABLE event ENABLE ROW LEVEL SECURITY;

-- Columns that come, go, change their type or name.
CREATE FOREIGN TABLE shape (id int, a int, b text) SERVER rules_kv OPTIONS (keyspace 'rules_shape');
INSERT INTO shape VALUES (1, 1, 'one'), (2, NULL, '');
ALTER FOREIGN TABLE shape ADD c int DEFAULT 7, DROP a;
INSERT INTO shape (id, b) VALUES (3, 'three');
SELECT * FROM shape ORDER BY id;
ALTER FOREIGN TABLE shape ADD a text;
SELECT id, a FROM shape WHERE id = 2;
SELECT id, a FROM shape WHERE id = 1;
ALTER FOREIGN TABLE shape RENAME b TO title;
ALTER FOREIGN TABLE shape ALTER a TYPE bigint, ALTER title OPTIONS (ADD column_name 'b');
SELECT * FROM shape ORDER BY id;
UPDATE shape SET title = upper(title);
ALTER FOREIGN TABLE shape ALTER c TYPE text;
SELECT * FROM shape WHERE id = 3;
UPDATE shape SET c = 'seven' WHERE id = 3;
DELETE FROM shape WHERE id <> 2;
ALTER FOREIGN TABLE shape OPTIONS (ADD partition_key 'title');
SELECT * FROM shape;
ALTER FOREIGN TABLE shape OPTIONS (SET partition_key 'gone');
SELECT * FROM shape;
ALTER FOREIGN TABLE shape OPTIONS (DROP partition_key);
ALTER FOREIGN TABLE shape DROP id;
SELECT * FROM shape;

DROP SERVER rules_kv CASCADE;
DROP TABLE journal;
DROP DOMAIN rules_positive;
DROP FUNCTION change, record, insert_tens;
DROP SEQUENCE rules_ids;
