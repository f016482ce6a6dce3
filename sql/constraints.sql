-- NOT NULL and CHECK, which PostgreSQL itself does not enforce on foreign tables: INSERT, UPDATE, COPY,
-- defaults, views, and the statement that fails leaves nothing.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE SERVER constraints_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER constraints_kv;
CREATE FOREIGN TABLE stock (id int NOT NULL, item text NOT NULL DEFAULT 'thing', count int CHECK (count >= 0),
    twice int GENERATED ALWAYS AS (count * 2) STORED, CONSTRAINT small CHECK (twice < 100))
  SERVER constraints_kv OPTIONS (keyspace 'constraints_stock');
INSERT INTO stock (id, count) VALUES (1, 10), (2, NULL);

INSERT INTO stock (id, item) VALUES (3, NULL);
INSERT INTO stock (id, count) VALUES (3, 1), (4, -1);
INSERT INTO stock (id, count) VALUES (3, 50);
UPDATE stock SET item = NULL WHERE id = 1;
UPDATE stock SET count = count - 11;
UPDATE stock s SET count = o.count * 5 FROM stock o WHERE o.id = 1 AND s.id = 2;
COPY stock (id, item, count) FROM stdin;
5	five	5
6	\N	6
\.
WITH new AS (INSERT INTO stock (id, count) VALUES (7, -7) RETURNING id) SELECT * FROM new;
SELECT * FROM stock ORDER BY id;

-- In a transaction a savepoint takes the statement back, and what came before stays.
BEGIN;
INSERT INTO stock (id, count) VALUES (8, 8);
SAVEPOINT a;
UPDATE stock SET count = -1 WHERE id = 8;
ROLLBACK TO a;
COMMIT;
SELECT * FROM stock WHERE id = 8;

-- With on_insert 'error' keys are unique when the statement ends: they may shift and swap, whatever the
-- order of the rows and the size of batches, but not meet.
CREATE FOREIGN TABLE seat (row int, n int, who text) SERVER constraints_kv
  OPTIONS (keyspace 'constraints_seat', partition_key 'row', sort_key 'n', on_insert 'error', batch_size '2');
INSERT INTO seat SELECT 1, g, 'guest ' || g FROM generate_series(1, 7) g;
UPDATE seat SET n = n + 1;
UPDATE seat SET n = n - 1;
UPDATE seat SET n = 8 - n WHERE n IN (3, 5);
SELECT n, who FROM seat ORDER BY n;
UPDATE seat SET n = n + 1 WHERE n <> 5;
UPDATE seat SET n = n % 4;
UPDATE seat SET n = 7 WHERE n = 6;
BEGIN;
DELETE FROM seat WHERE n = 7;
INSERT INTO seat VALUES (1, 8, 'late');
UPDATE seat SET n = n + 1;
UPDATE seat SET n = 9 WHERE n = 2;
ROLLBACK;
BEGIN;
DELETE FROM seat WHERE n = 7;
INSERT INTO seat VALUES (1, 8, 'late');
UPDATE seat SET n = n + 1;
COMMIT;
SELECT n, who FROM seat ORDER BY n;

-- write_mode 'immediate': what one part of a statement deletes another may put back.
CREATE FOREIGN TABLE now_seat (row int, n int, who text) SERVER constraints_kv
  OPTIONS (keyspace 'constraints_seat', partition_key 'row', sort_key 'n', on_insert 'error', write_mode 'immediate');
CREATE FOREIGN TABLE put_seat (row int, n int, who text) SERVER constraints_kv
  OPTIONS (keyspace 'constraints_seat', partition_key 'row', sort_key 'n', batch_size '1', write_mode 'immediate');
WITH d AS (DELETE FROM now_seat RETURNING *) INSERT INTO now_seat SELECT row, n, upper(who) FROM d;
WITH d AS (DELETE FROM put_seat WHERE n < 6 RETURNING *) INSERT INTO put_seat SELECT row, n, who || '!' FROM d;
SELECT n, who FROM seat ORDER BY n;

DROP SERVER constraints_kv CASCADE;
