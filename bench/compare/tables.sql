-- The tables of the comparison: <kind>_<run>, one for each INSERT of the series; the others use the first.
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dynkv_fdw;

CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host '127.0.0.1', port :'port', dbname 'bench', batch_size '1000', fetch_size '1000');
CREATE USER MAPPING FOR PUBLIC SERVER loopback OPTIONS (user 'postgres', password :'password');

CREATE SERVER kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER kv;

SELECT format('CREATE TABLE local_%1$s (id bigint PRIMARY KEY, value text)', i),
       format('CREATE TABLE behind_%1$s (id bigint PRIMARY KEY, value text)', i),
       format('CREATE FOREIGN TABLE postgres_fdw_%1$s (id bigint, value text) SERVER loopback
               OPTIONS (table_name %2$L)', i, 'behind_' || i),
       format('CREATE FOREIGN TABLE dynkv_fdw_%1$s (id bigint, value text) SERVER kv
               OPTIONS (keyspace %2$L, partition_key %3$L)', i, 'bench_' || i, 'id')
FROM generate_series(1, :repeat) i
\gexec

-- 10,000 keys, spread over all, in no order.
CREATE TABLE wanted AS
    SELECT row_number() OVER () AS n, id
    FROM (SELECT 1 + (i * 7919 % :rows) AS id FROM generate_series(1, 10000) i) spread;
ANALYZE wanted;
