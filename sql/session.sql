-- Connections: one a server and user, kept, closed by hand, by ALTER and DROP, and by rollback never.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE SERVER session_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE SERVER session_kv2 FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts', keep_connections 'off');
CREATE FOREIGN TABLE cart (id int, v text) SERVER session_kv OPTIONS (keyspace 'session_cart');
CREATE FOREIGN TABLE cart2 (id int, v text) SERVER session_kv2 OPTIONS (keyspace 'session_cart');

-- Without a user mapping nobody connects.
\set VERBOSITY sqlstate
SELECT * FROM cart;
\set VERBOSITY default
CREATE USER MAPPING FOR PUBLIC SERVER session_kv;
CREATE USER MAPPING FOR CURRENT_USER SERVER session_kv2;
SELECT * FROM dynkv_fdw_get_connections();

INSERT INTO cart VALUES (1, 'one'), (2, 'two');
SELECT * FROM cart2 ORDER BY id;
-- keep_connections off: only the first one is still there.
SELECT * FROM dynkv_fdw_get_connections();
SELECT dynkv_fdw_disconnect('session_kv2');
SELECT dynkv_fdw_disconnect('session_kv');
SELECT dynkv_fdw_disconnect('no_such_server');
SELECT * FROM dynkv_fdw_get_connections();

-- In use: not closed before the transaction ends.
BEGIN;
SELECT count(*) FROM cart;
SELECT count(*) FROM cart2;
SET LOCAL client_min_messages = notice;
SELECT dynkv_fdw_disconnect('session_kv');
SET LOCAL client_min_messages = error;
SELECT dynkv_fdw_disconnect_all();
SELECT * FROM dynkv_fdw_get_connections() ORDER BY 1;
COMMIT;
SELECT * FROM dynkv_fdw_get_connections();
SELECT dynkv_fdw_disconnect_all();
SELECT dynkv_fdw_disconnect_all();

-- ALTER SERVER: a connection in use stays until the end of the transaction, an idle one is closed at once.
BEGIN;
SELECT count(*) FROM cart;
ALTER SERVER session_kv OPTIONS (ADD connect_timeout '1s');
SELECT * FROM dynkv_fdw_get_connections();
SELECT count(*) FROM cart;
COMMIT;
SELECT * FROM dynkv_fdw_get_connections();
SELECT count(*) FROM cart;
ALTER SERVER session_kv OPTIONS (SET hosts '127.0.0.1:1');
SELECT * FROM dynkv_fdw_get_connections();
\set VERBOSITY sqlstate
SELECT count(*) FROM cart;
\set VERBOSITY default
ALTER SERVER session_kv OPTIONS (SET hosts :'hosts');
SELECT count(*) FROM cart;
-- So does a change of the user mapping.
DROP USER MAPPING FOR PUBLIC SERVER session_kv;
SELECT * FROM dynkv_fdw_get_connections();
CREATE USER MAPPING FOR CURRENT_USER SERVER session_kv;
SELECT count(*) FROM cart;

-- A rollback, also of a savepoint, leaves the connection as it is, and no request behind.
BEGIN;
SELECT count(*) FROM cart;
SAVEPOINT s;
SELECT id / 0 FROM cart;
ROLLBACK TO s;
SELECT count(*) FROM cart;
ROLLBACK;
SELECT * FROM dynkv_fdw_get_connections();
SELECT v FROM cart WHERE id = 1;

-- Each statement that fails half-way would show here if it kept descriptors or memory.
CREATE FUNCTION descriptors() RETURNS bigint LANGUAGE sql AS
  $$SELECT count(*) FROM pg_ls_dir('/proc/' || pg_backend_pid() || '/fd')$$;
CREATE FUNCTION fail_often(times int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..times LOOP
    BEGIN
      PERFORM id / (id - 2) FROM cart;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    BEGIN
      INSERT INTO cart SELECT g, 1 / (5 - g) FROM generate_series(1, 5) g;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
  END LOOP;
END $$;
SELECT fail_often(1);
SELECT descriptors() AS before \gset
SELECT sum(used_bytes) AS before_bytes FROM pg_backend_memory_contexts WHERE name LIKE 'dynkv%' \gset
SELECT fail_often(100);
SELECT descriptors() - :before AS more_descriptors;
SELECT sum(used_bytes) - :before_bytes AS more_bytes FROM pg_backend_memory_contexts WHERE name LIKE 'dynkv%';

-- A dropped server's connection goes with it, and at once.
DROP SERVER session_kv2 CASCADE;
SELECT count(*) FROM cart;
BEGIN;
SELECT count(*) FROM cart;
DROP SERVER session_kv CASCADE;
SELECT server_name IS NULL AS is_dropped, valid FROM dynkv_fdw_get_connections();
COMMIT;
SELECT * FROM dynkv_fdw_get_connections();

-- Another user's mapping is another connection.
CREATE SERVER session_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE FOREIGN TABLE cart (id int, v text) SERVER session_kv OPTIONS (keyspace 'session_cart');
CREATE USER MAPPING FOR CURRENT_USER SERVER session_kv;
CREATE ROLE dynkv_reader;
CREATE USER MAPPING FOR dynkv_reader SERVER session_kv;
CREATE VIEW my_cart AS SELECT * FROM cart;
GRANT SELECT ON cart, my_cart TO dynkv_reader;
SELECT count(*) FROM cart;
SET ROLE dynkv_reader;
SELECT count(*) FROM my_cart;
SELECT count(*) AS connections FROM dynkv_fdw_get_connections();
SELECT count(*) FROM cart;
SELECT count(*) AS connections FROM dynkv_fdw_get_connections();
RESET ROLE;

DROP FUNCTION fail_often;
DROP FUNCTION descriptors;
DROP SERVER session_kv CASCADE;
DROP ROLE dynkv_reader;
