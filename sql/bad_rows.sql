-- Rows that are none: what another client has written, and what tables with other columns have.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE SERVER bad_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER bad_kv;
CREATE FOREIGN TABLE doc (k text, n int, v text) SERVER bad_kv OPTIONS (keyspace 'bad_doc', format 'json');
INSERT INTO doc VALUES ('good', 1, 'x'), ('better', 2, 'y');
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_doc words 'not json' >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_doc torn '{"n": 1' >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_doc list '[1, 2]' >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_doc empty '' >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_doc text '{"n": "many", "v": "z"}' >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_doc huge '{"n": 5000000000}' >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_doc bytes "$(printf '{"v": "\377"}')" >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_doc nul '{"v": "\u0000"}' >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_doc twice '{"n": 1, "n": 2, "else": {}}' >/dev/null

-- Each an error that names key and column.
SELECT * FROM doc WHERE k = 'words';
SELECT * FROM doc WHERE k = 'torn';
SELECT * FROM doc WHERE k = 'list';
SELECT * FROM doc WHERE k = 'empty';
SELECT * FROM doc WHERE k = 'text';
SELECT * FROM doc WHERE k = 'huge';
SELECT * FROM doc WHERE k = 'bytes';
SELECT * FROM doc WHERE k = 'nul';
SELECT * FROM doc WHERE k = 'twice';
-- what is not asked for is not looked at
SELECT k FROM doc ORDER BY k;
SELECT k, v FROM doc WHERE k = 'text';
-- such a row can be replaced and deleted
INSERT INTO doc VALUES ('list', 3, 'replaced');
DELETE FROM doc WHERE k = 'empty';
SELECT * FROM doc WHERE k IN ('list', 'empty');

-- on_bad_row 'skip': a warning for each, that says the same.
ALTER FOREIGN TABLE doc OPTIONS (ADD on_bad_row 'skip');
SELECT * FROM doc WHERE k IN ('good', 'text', 'words');
SET client_min_messages = error;
SELECT * FROM doc ORDER BY k;
UPDATE doc SET v = v || '!';
\echo rows: :ROW_COUNT
ANALYZE doc;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM doc ORDER BY k;
INSERT INTO doc VALUES ('buffered', 4, 'b');
SELECT count(n) FROM doc;
SAVEPOINT s;
SELECT count(1 / (n - 4)) FROM doc;
ROLLBACK TO s;
FETCH ALL FROM c;
COMMIT;
SET client_min_messages = warning;
-- other errors are errors still
SELECT count(1 / (n - 4)) FROM doc WHERE k = 'buffered';
-- what nests too deep for the stack is a bad row, too
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_deep deep "$(printf '%020000d' 0 | tr 0 '[')" >/dev/null
\! "$DYNKV" -H "$DYNKV_HOSTS" put bad_deep flat '{"n": 1}' >/dev/null
CREATE FOREIGN TABLE deep (k text, n int) SERVER bad_kv OPTIONS (keyspace 'bad_deep', format 'json');
\set VERBOSITY sqlstate
SELECT * FROM deep;
\set VERBOSITY default
ALTER FOREIGN TABLE deep OPTIONS (ADD on_bad_row 'skip');
SELECT * FROM deep;
-- after ten warnings the rest is passed over in silence
\! for i in 1 2 3 4 5 6 7 8 9 10 11 12; do "$DYNKV" -H "$DYNKV_HOSTS" put bad_many $i "no" >/dev/null; done
CREATE FOREIGN TABLE many (k text, n int) SERVER bad_kv OPTIONS (keyspace 'bad_many', format 'json', on_bad_row 'skip');
\setenv QUERY 'SELECT count(n) FROM many'
\! psql -XAtq -d regress -c "$QUERY" 2>&1 | grep -v DETAIL | sort | uniq -c | sed 's/^ *//'

-- Keys that are none, and formats that are others.
CREATE FOREIGN TABLE numbered (k int, n int) SERVER bad_kv OPTIONS (keyspace 'bad_doc', format 'json');
SELECT count(*) FROM numbered WHERE k = 1;
\set VERBOSITY sqlstate
SELECT k FROM numbered;
\set VERBOSITY default
CREATE FOREIGN TABLE packed (k text, n int) SERVER bad_kv OPTIONS (keyspace 'bad_doc');
SELECT n FROM packed WHERE k = 'good';
CREATE FOREIGN TABLE raw (k text, v int) SERVER bad_kv OPTIONS (keyspace 'bad_doc', format 'raw');
SELECT v FROM raw WHERE k = 'good';
ALTER FOREIGN TABLE raw ALTER v TYPE text;
SELECT v FROM raw WHERE k = 'words';
SELECT v FROM raw WHERE k = 'bytes';
ALTER FOREIGN TABLE raw ALTER v TYPE bytea;
SELECT v FROM raw WHERE k = 'bytes';
ALTER FOREIGN TABLE raw ALTER v TYPE jsonb;
SELECT v FROM raw WHERE k = 'words';
ALTER FOREIGN TABLE raw OPTIONS (ADD on_bad_row 'skip');
SELECT v FROM raw WHERE k = 'words';

DROP SERVER bad_kv CASCADE;
