-- r and w: a session's setting wins over the table's option, which wins over the server's; none is greater than n.
\getenv hosts DYNKV_HOSTS
CREATE SERVER quorum_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts', r '3', w '3', strict 'on');
CREATE USER MAPPING FOR PUBLIC SERVER quorum_kv;
\! "$DYNKV" -H "$DYNKV_HOSTS" keyspace create quorum_two -n 2 -r 2 -w 2 >/dev/null
CREATE FOREIGN TABLE of_server (k text, v text) SERVER quorum_kv OPTIONS (keyspace 'quorum_two');
CREATE FOREIGN TABLE of_table (k text, v text) SERVER quorum_kv OPTIONS (keyspace 'quorum_two', r '1', w '0');

INSERT INTO of_table VALUES ('a', 'b');
SELECT * FROM of_table;
SELECT * FROM of_server WHERE k = 'a';
SELECT count(*) FROM of_server;
INSERT INTO of_server VALUES ('a', 'b');
SET dynkv_fdw.r = 2;
SET dynkv_fdw.w = 1;
INSERT INTO of_server VALUES ('a', 'c');
SELECT * FROM of_server;
SET dynkv_fdw.r = 3;
SELECT * FROM of_table WHERE k = 'a';
SELECT * FROM of_table;
UPDATE of_table SET v = 'd';
RESET dynkv_fdw.r;
SET dynkv_fdw.w = 3;
UPDATE of_table SET v = 'd';
-- What a write needs is said when it is made, not when it is sent.
BEGIN;
SET LOCAL dynkv_fdw.w = 2;
UPDATE of_table SET v = 'd';
SET LOCAL dynkv_fdw.w = 3;
COMMIT;
RESET dynkv_fdw.w;
SELECT * FROM of_table;

SET dynkv_fdw.w = 8;
SET dynkv_fdw.r = -1;
ALTER FOREIGN TABLE of_table OPTIONS (SET r '8');

SET client_min_messages = warning;
DROP FOREIGN TABLE of_server, of_table;
DROP SERVER quorum_kv CASCADE;
