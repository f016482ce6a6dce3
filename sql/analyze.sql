-- ANALYZE: a sample of partitions gives counts and statistics, and the planner other plans.
\getenv hosts DYNKV_HOSTS
SET jit = off;
SET client_min_messages = warning;
CREATE SERVER analyze_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER analyze_kv;
CREATE FOREIGN TABLE account (id int, branch int, name text, note text)
  SERVER analyze_kv OPTIONS (keyspace 'analyze_account');
CREATE FOREIGN TABLE reading (sensor int, at int, celsius float8)
  SERVER analyze_kv OPTIONS (keyspace 'analyze_reading', partition_key 'sensor', sort_key 'at');
CREATE FOREIGN TABLE nothing (id int, v text) SERVER analyze_kv OPTIONS (keyspace 'analyze_nothing');

INSERT INTO account SELECT g, g % 50, 'name ' || g, CASE WHEN g % 4 = 0 THEN 'x' END FROM generate_series(1, 20000) g;
INSERT INTO reading SELECT s, t, 20 + t % 10 FROM generate_series(1, 500) s, generate_series(1, 20) t;

CREATE FUNCTION estimates(tab regclass) RETURNS TABLE (rows real, attname name, n_distinct real, null_frac numeric) LANGUAGE sql AS $$
  SELECT c.reltuples, s.attname, s.n_distinct, round(s.null_frac::numeric, 1)
    FROM pg_class c JOIN pg_stats s ON s.tablename = c.relname WHERE c.oid = tab ORDER BY s.attname
$$;

-- What is not known yet is guessed: a third of 100000 rows is less than 10.  (What this session has
-- written it knows, until it disconnects: suite "estimates".)
SELECT dynkv_fdw_disconnect('analyze_kv');
EXPLAIN (COSTS OFF) SELECT * FROM account a JOIN account b ON b.id = a.branch WHERE a.id < 10;

-- Fewer rows than a sample has: all are read, and counted exactly.
ANALYZE account;
SELECT * FROM estimates('account');
ANALYZE reading;
SELECT * FROM estimates('reading');
EXPLAIN (COSTS OFF) SELECT * FROM account a JOIN account b ON b.id = a.branch WHERE a.id < 10;
SELECT relpages > 0 AS has_pages FROM pg_class WHERE relname = 'account';
ANALYZE account;
SELECT reltuples FROM pg_class WHERE relname = 'account';

-- More rows than a sample has: some of the partitions are read.
SET default_statistics_target = 2;
CREATE TABLE estimate (rows real);
ANALYZE account;
INSERT INTO estimate SELECT reltuples FROM pg_class WHERE relname = 'account';
SELECT attname, n_distinct BETWEEN 40 AND 60 AS in_range FROM estimates('account') WHERE attname = 'branch';
SELECT attname, n_distinct < -0.5 AS in_range FROM estimates('account') WHERE attname = 'id';
ANALYZE account;
INSERT INTO estimate SELECT reltuples FROM pg_class WHERE relname = 'account';
ANALYZE account;
INSERT INTO estimate SELECT reltuples FROM pg_class WHERE relname = 'account';
SELECT min(rows) > 15000 AND max(rows) < 25000 AS in_range, count(DISTINCT rows) > 1 AS from_other_partitions FROM estimate;
RESET default_statistics_target;

-- Keys of several rows are counted, too, though their rows come together.
SET default_statistics_target = 20;
ANALYZE reading;
SELECT attname, n_distinct BETWEEN 450 AND 550 AS in_range FROM estimates('reading') WHERE attname = 'sensor';
RESET default_statistics_target;

-- Rows that were deleted are no rows.
DELETE FROM reading WHERE at > 5;
ANALYZE reading;
SELECT reltuples FROM pg_class WHERE relname = 'reading';
-- A table that nobody has written to; columns alone.
ANALYZE nothing;
SELECT reltuples FROM pg_class WHERE relname = 'nothing';
ANALYZE account (branch);

-- Each way to read has its time: by key for a few accounts, the whole table for all of them.
CREATE TABLE few AS SELECT g AS id FROM generate_series(1, 20000, 2000) g;
CREATE TABLE many AS SELECT g AS id FROM generate_series(1, 20000) g;
ANALYZE few, many;
ANALYZE account;
EXPLAIN (COSTS OFF) SELECT * FROM few JOIN account USING (id);
EXPLAIN (COSTS OFF) SELECT * FROM many JOIN account USING (id);
-- What was thought to be a great table is small enough to be read at once.
CREATE FOREIGN TABLE country (id int, name text) SERVER analyze_kv OPTIONS (keyspace 'analyze_country');
INSERT INTO country SELECT g, 'country ' || g FROM generate_series(1, 50) g;
CREATE TABLE visit AS SELECT g % 50 + 1 AS country FROM generate_series(1, 1000) g;
ANALYZE visit;
SET enable_memoize = off;
SET dynkv_fdw.enable_lookup_join = off; -- a lookup join is best either way
SELECT dynkv_fdw_disconnect('analyze_kv');
EXPLAIN (COSTS OFF) SELECT * FROM visit v JOIN country c ON c.id = v.country;
ANALYZE country;
EXPLAIN (COSTS OFF) SELECT * FROM visit v JOIN country c ON c.id = v.country;

-- A partitioned table's statistics take each partition's share of its rows.
CREATE TABLE log (id int, kind text) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE log_old PARTITION OF log FOR VALUES FROM (0) TO (3001)
  SERVER analyze_kv OPTIONS (keyspace 'analyze_log');
CREATE TABLE log_new PARTITION OF log FOR VALUES FROM (3001) TO (4001);
INSERT INTO log_old SELECT g, 'old' FROM generate_series(1, 3000) g;
INSERT INTO log_new SELECT g, 'new' FROM generate_series(3001, 4000) g;
ANALYZE log;
SELECT relname, reltuples FROM pg_class WHERE relname IN ('log', 'log_old', 'log_new') ORDER BY 1;
SELECT inherited, most_common_vals, most_common_freqs[1] BETWEEN 0.65 AND 0.9 AS share FROM pg_stats WHERE tablename = 'log' AND attname = 'kind';

-- A row that cannot be read, or a cluster that is not there, is an error as in a scan; a cancel comes through.
CREATE FOREIGN TABLE wrong (id int, branch uuid) SERVER analyze_kv OPTIONS (keyspace 'analyze_account');
\set VERBOSITY sqlstate
ANALYZE wrong;
\set VERBOSITY default
SET statement_timeout = '1ms';
ANALYZE account;
RESET statement_timeout;
SELECT count(*) FROM account;

DROP FUNCTION estimates;
DROP TABLE few, many, visit, estimate, log;
DROP SERVER analyze_kv CASCADE;
