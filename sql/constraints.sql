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

DROP SERVER constraints_kv CASCADE;
