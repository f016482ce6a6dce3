-- What servers, user mappings, tables and columns accept as options, and what they say to the rest.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dynkv_fdw;
RESET client_min_messages;
CREATE SERVER options_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER options_kv;

-- ---- names ----

CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (colour 'red');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (host 'localhost:1');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (fetchsize '10');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (keyspace 'x');
CREATE FOREIGN TABLE bad (a int) SERVER options_kv OPTIONS (hosts 'localhost:1');
CREATE FOREIGN TABLE bad (a int) SERVER options_kv OPTIONS (partition_keys 'a');
CREATE FOREIGN TABLE bad (a int OPTIONS (colum_name 'x')) SERVER options_kv;
CREATE FOREIGN TABLE bad (a int OPTIONS (format 'row')) SERVER options_kv;
CREATE FOREIGN TABLE bad (a int) SERVER options_kv OPTIONS (write_mode 'later');
CREATE FOREIGN TABLE bad (a int) SERVER options_kv OPTIONS (on_insert 'ignore');
ALTER USER MAPPING FOR PUBLIC SERVER options_kv OPTIONS (ADD password 'secret');
ALTER FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (ADD hosts 'localhost:1');

-- ---- values ----

CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts '');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts 'localhost');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts '127.0.0.1:7401,,127.0.0.1:7402');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts '127.0.0.1:70000');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts 'http://127.0.0.1:7401');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (routing 'random');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (r '8');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (w '-1');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (w 'two');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (strict 'maybe');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (deadline '0');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (deadline '5 parsecs');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (deadline '1h');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (connect_timeout '');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (keep_connections '7');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (fetch_size '0');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (batch_size '10001');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (fdw_startup_cost '-1');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (fdw_tuple_cost 'infinity');
CREATE SERVER bad FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (updatable '');
CREATE FOREIGN TABLE bad (a int) SERVER options_kv OPTIONS (keyspace 'two words');
CREATE FOREIGN TABLE bad (a int) SERVER options_kv OPTIONS (keyspace '');
CREATE FOREIGN TABLE bad (a int) SERVER options_kv OPTIONS (format 'xml');
CREATE FOREIGN TABLE bad (a int) SERVER options_kv OPTIONS (partition_key '');
CREATE FOREIGN TABLE bad (a int) SERVER options_kv OPTIONS (partition_key 'a,,b');
CREATE FOREIGN TABLE bad (a int) SERVER options_kv OPTIONS (partition_key 'a,"a"');
CREATE FOREIGN TABLE bad (a int, b int) SERVER options_kv OPTIONS (partition_key 'a', sort_key 'b, A');
CREATE FOREIGN TABLE bad (a int OPTIONS (column_name '')) SERVER options_kv;

-- ---- what is accepted, and stays ----

CREATE SERVER options_all FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (
    hosts '127.0.0.1:7401,tcp://localhost:7402,ipc:///tmp/dynkv.sock,[::1]:7403',
    routing 'any', r '2', w '3', strict 'on', deadline '1500', connect_timeout '2s',
    keep_connections 'off', fetch_size '10000', batch_size '1', fdw_startup_cost '12.5',
    fdw_tuple_cost '0', updatable 'false');
CREATE FOREIGN TABLE options_table (
    "Mixed Case" int, b text COLLATE "C", c int OPTIONS (column_name 'sea'))
  SERVER options_all OPTIONS (
    keyspace 'some.keys-1$', partition_key '"Mixed Case"', sort_key 'b', format 'json', r '0',
    w '7', strict 'no', deadline '10min', fetch_size '1', batch_size '10000',
    fdw_startup_cost '0', fdw_tuple_cost '1e3', updatable 'yes');
ALTER FOREIGN TABLE options_table OPTIONS (SET format 'row', DROP r);
ALTER FOREIGN TABLE options_table OPTIONS (SET format 'columns');
ALTER FOREIGN TABLE options_table OPTIONS (SET partition_key 'b');
ALTER FOREIGN TABLE options_table ALTER COLUMN c OPTIONS (SET column_name 'ocean');
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'options_table'::regclass;
SELECT attfdwoptions FROM pg_attribute WHERE attrelid = 'options_table'::regclass AND attname = 'c';
SET client_min_messages = warning;
DROP SERVER options_all CASCADE;
RESET client_min_messages;

-- ---- what only shows when a table is used ----

CREATE SERVER options_nowhere FOREIGN DATA WRAPPER dynkv_fdw;
CREATE USER MAPPING FOR PUBLIC SERVER options_nowhere;
CREATE FOREIGN TABLE options_lost (a int) SERVER options_nowhere;
SELECT * FROM options_lost;
\echo :LAST_ERROR_SQLSTATE

CREATE FOREIGN TABLE options_no_columns () SERVER options_kv;
SELECT * FROM options_no_columns;

CREATE FOREIGN TABLE options_key (a int, b int, c int) SERVER options_kv
  OPTIONS (partition_key 'a', sort_key 'nope');
SELECT * FROM options_key;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE options_key OPTIONS (SET sort_key 'b');
SELECT * FROM options_key;
ALTER FOREIGN TABLE options_key RENAME COLUMN b TO bee;
INSERT INTO options_key VALUES (1, 2, 3);
ALTER FOREIGN TABLE options_key OPTIONS (SET sort_key 'bee');
ALTER FOREIGN TABLE options_key DROP COLUMN bee;
SELECT * FROM options_key;
-- the default key is the first column, and not what is first once it is gone
ALTER FOREIGN TABLE options_key OPTIONS (DROP partition_key, SET sort_key 'a');
SELECT * FROM options_key;
ALTER FOREIGN TABLE options_key OPTIONS (DROP sort_key);
SELECT * FROM options_key;
ALTER FOREIGN TABLE options_key DROP COLUMN a;
SELECT * FROM options_key;

CREATE FOREIGN TABLE "options and words" (a int) SERVER options_kv;
SELECT * FROM "options and words";

CREATE FOREIGN TABLE options_raw (a int) SERVER options_kv OPTIONS (format 'raw');
SELECT * FROM options_raw;
ALTER FOREIGN TABLE options_raw ADD COLUMN b text, ADD COLUMN "C" text;
SELECT * FROM options_raw;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE options_raw DROP COLUMN b;
SELECT * FROM options_raw;

CREATE FOREIGN TABLE options_twice (a int, b int, c int OPTIONS (column_name 'b')) SERVER options_kv;
INSERT INTO options_twice VALUES (1, 2, 3);
ALTER FOREIGN TABLE options_twice ALTER COLUMN b OPTIONS (ADD column_name 'c');
INSERT INTO options_twice VALUES (1, 2, 3);
SELECT * FROM options_twice;

-- types that cannot be keys
CREATE FOREIGN TABLE options_jsonb (a jsonb, b int) SERVER options_kv;
SELECT * FROM options_jsonb;
CREATE FOREIGN TABLE options_array (a int, b int[]) SERVER options_kv OPTIONS (sort_key 'b');
INSERT INTO options_array VALUES (1, '{2}');
CREATE COLLATION options_any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE FOREIGN TABLE options_collation (a text COLLATE options_any_case, b int) SERVER options_kv;
SELECT * FROM options_collation;

-- ---- a session's own ----

SHOW dynkv_fdw.r;
SET dynkv_fdw.r = 8;
SET dynkv_fdw.w = -1;
SET dynkv_fdw.w = 3;
SHOW dynkv_fdw.w;
SET dynkv_fdw.colour = 'red';
RESET dynkv_fdw.w;

SET client_min_messages = warning;
DROP SERVER options_nowhere, options_kv CASCADE;
DROP COLLATION options_any_case;
