-- What goes wrong outside: nodes that are down, silent, or something else; and rows that do not fit.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE SERVER errors_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER errors_kv;
CREATE FOREIGN TABLE pair (k text, n int, v text)
  SERVER errors_kv OPTIONS (keyspace 'errors_pair', partition_key 'k', sort_key 'n');
CREATE FOREIGN TABLE same_as_json (k text, n int, v text)
  SERVER errors_kv OPTIONS (keyspace 'errors_pair', format 'json', partition_key 'k', sort_key 'n');
CREATE FUNCTION state_of(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  RETURN 'no error';
EXCEPTION WHEN OTHERS OR query_canceled THEN
  RETURN SQLSTATE || ' ' || replace(SQLERRM, current_setting('port'), 'PORT');
END $$;

-- Keys are never NULL.
INSERT INTO pair VALUES (NULL, 1, 'x');
INSERT INTO pair VALUES ('a', NULL, 'x');
INSERT INTO pair VALUES ('a', 1, 'x'), ('b', 2, NULL);
UPDATE pair SET n = NULL WHERE k = 'a' AND n = 1;
COPY pair FROM stdin;
a	\N	x
\.
SELECT * FROM pair ORDER BY k;

-- A failed statement leaves the session and the table usable.
INSERT INTO pair SELECT 'c', g, 10 / (g - 5) FROM generate_series(1, 10) g;
SELECT count(*) FROM pair WHERE k = 'a';

-- Over the limits: nothing is written.
SELECT state_of($$INSERT INTO pair VALUES (repeat('k', 70000), 1, 'x')$$);
SELECT state_of($$INSERT INTO pair VALUES ('large', 1, repeat('v', 17 * 1024 * 1024))$$);
SELECT count(*) FROM pair WHERE k = 'large';
SELECT count(*) FROM pair WHERE k = repeat('k', 70000) AND n = 1;

-- Values that are no such row.
SELECT state_of($$SELECT v FROM same_as_json WHERE k = 'a' AND n = 1$$);
SELECT count(*) FROM same_as_json;

-- Nobody listens.
CREATE SERVER nobody FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts '127.0.0.1:1,127.0.0.1:2');
CREATE USER MAPPING FOR CURRENT_USER SERVER nobody;
CREATE FOREIGN TABLE at_nobody (k int, v int) SERVER nobody OPTIONS (write_mode 'immediate');
SELECT state_of('SELECT * FROM at_nobody');
SELECT state_of('SELECT * FROM at_nobody WHERE k = 1');
SELECT state_of('INSERT INTO at_nobody VALUES (1, 1)');
SELECT state_of('UPDATE at_nobody SET v = 1 WHERE k = 1');

-- One of the hosts is enough.
ALTER SERVER nobody OPTIONS (SET hosts :'hosts');
ALTER SERVER nobody OPTIONS (SET hosts '127.0.0.1:1');
SELECT '127.0.0.1:1,' || :'hosts' AS some_hosts \gset
ALTER SERVER nobody OPTIONS (SET hosts :'some_hosts');
SELECT state_of('SELECT * FROM at_nobody');

-- Somebody else listens.
SELECT '127.0.0.1:' || current_setting('port') AS other \gset
ALTER SERVER nobody OPTIONS (SET hosts :'other');
SELECT state_of('SELECT * FROM at_nobody');
SELECT state_of('INSERT INTO at_nobody VALUES (1, 1)');

-- Somebody listens and never answers: timeouts and cancels come back at once, deadlines in their time.
\set silent `perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 8, LocalAddr => "127.0.0.1") or die; $pid = fork; print($s->sockport, " $pid"), exit if $pid; close STDOUT; sleep 120'`
SELECT '127.0.0.1:' || split_part(:'silent', ' ', 1) AS silent_host, split_part(:'silent', ' ', 2) AS silent_pid \gset
\setenv SILENT_PID :silent_pid
ALTER SERVER nobody OPTIONS (SET hosts :'silent_host', ADD deadline '60s', ADD connect_timeout '60s');
CREATE FUNCTION state_in_time(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  start timestamptz := clock_timestamp();
  state text := state_of(command);
  ms float := extract(epoch FROM clock_timestamp() - start) * 1000;
BEGIN
  RETURN format('%s, in time: %s', left(state, 5), ms BETWEEN 150 AND 1200);
END $$;
SET statement_timeout = '200ms';
SELECT state_in_time('SELECT * FROM at_nobody');
SELECT state_in_time('SELECT * FROM at_nobody WHERE k = 1');
SELECT state_in_time('INSERT INTO at_nobody VALUES (1, 1)');
-- A commit is bounded by statement_timeout, too.
CREATE FOREIGN TABLE at_nobody_later (k int, v int) SERVER nobody;
INSERT INTO at_nobody_later VALUES (1, 1);
\echo :LAST_ERROR_SQLSTATE
RESET statement_timeout;
ALTER SERVER nobody OPTIONS (SET deadline '200ms', SET connect_timeout '200ms');
SELECT state_in_time('SELECT * FROM at_nobody');
SELECT state_in_time('INSERT INTO at_nobody VALUES (1, 1)');
\! kill "$SILENT_PID"

-- A cancelled statement leaves the connection usable.
INSERT INTO pair SELECT 'many', g, repeat('x', 100) FROM generate_series(1, 20000) g;
SET statement_timeout = '20ms';
SELECT left(state_of($$SELECT count(v) FROM pair a WHERE EXISTS (SELECT FROM pair b WHERE b.k = 'many' AND b.n = -a.n)$$), 5);
RESET statement_timeout;
SELECT count(*) FROM pair WHERE k = 'many';

-- More replicas asked for than there are.
ALTER FOREIGN TABLE pair OPTIONS (ADD w '7', ADD write_mode 'immediate');
SELECT left(state_of($$INSERT INTO pair VALUES ('z', 1, 'z')$$), 5);

DROP FUNCTION state_in_time;
DROP FUNCTION state_of;
DROP SERVER errors_kv CASCADE;
DROP SERVER nobody CASCADE;
