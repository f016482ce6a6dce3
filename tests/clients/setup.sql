-- What every client's database has.  :keyspace is the client's own, so that they do not meet.
CREATE EXTENSION dynkv_fdw;
CREATE SERVER kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR CURRENT_USER SERVER kv;
CREATE FOREIGN TABLE account (id bigint, owner text, balance numeric(12,2) DEFAULT 0, opened timestamptz,
    tags text[], data jsonb, photo bytea)
    SERVER kv OPTIONS (keyspace :'keyspace', partition_key 'id');
