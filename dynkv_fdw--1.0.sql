-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION dynkv_fdw" to load this file. \quit

CREATE FUNCTION dynkv_fdw_handler()
RETURNS fdw_handler
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FUNCTION dynkv_fdw_validator(text[], oid)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FOREIGN DATA WRAPPER dynkv_fdw
  HANDLER dynkv_fdw_handler
  VALIDATOR dynkv_fdw_validator;

CREATE FUNCTION dynkv_fdw_get_connections(OUT server_name text, OUT valid boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION dynkv_fdw_get_connections() IS
  'the clusters this session holds connections to; not valid: closed at the end of the transaction';

CREATE FUNCTION dynkv_fdw_disconnect(server_name text)
RETURNS bool
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION dynkv_fdw_disconnect(text) IS
  'closes this session''s connections to one server, unless the transaction uses them';

CREATE FUNCTION dynkv_fdw_disconnect_all()
RETURNS bool
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION dynkv_fdw_disconnect_all() IS
  'closes all of this session''s connections to dynkv clusters, unless the transaction uses them';

CREATE FUNCTION dynkv_fdw_session(
  OUT server_name text, OUT user_name text,
  OUT requests bigint, OUT messages_sent bigint, OUT messages_received bigint,
  OUT bytes_sent bigint, OUT bytes_received bigint, OUT reconnects bigint,
  OUT digest_mismatches bigint, OUT repairs_reported bigint, OUT descriptors int)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION dynkv_fdw_session() IS
  'what each of this session''s connections has done since it was opened';

-- The cluster of a server: USAGE on the server is required.

CREATE FUNCTION dynkv_nodes(
  server_name text,
  OUT node text, OUT id text, OUT state text, OUT zone text, OUT weight int,
  OUT client_url text, OUT peer_url text, OUT storage text, OUT uptime interval,
  OUT store text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10;

COMMENT ON FUNCTION dynkv_nodes(text) IS
  'the members of a server''s cluster; state is up, down or left';

CREATE FUNCTION dynkv_ring(
  server_name text,
  OUT partition int, OUT primary_node text, OUT replicas text[])
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 1024;

COMMENT ON FUNCTION dynkv_ring(text) IS
  'which nodes hold each partition, in the order they are asked; a keyspace uses the first n of them';

CREATE FUNCTION dynkv_keyspaces(
  server_name text,
  OUT keyspace text, OUT id text, OUT generation int, OUT n int, OUT r int, OUT w int, OUT ttl interval)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION dynkv_keyspaces(text) IS
  'the keyspaces of a server''s cluster and their quorums';

CREATE FUNCTION dynkv_counters(
  server_name text,
  OUT node text, OUT counter text, OUT value bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 300;

COMMENT ON FUNCTION dynkv_counters(text) IS
  'what each node that answers has counted since it started';

-- Definitions of tables in the cluster, for IMPORT FOREIGN SCHEMA.

CREATE FUNCTION dynkv_publish_table(foreign_table regclass)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dynkv_publish_table(regclass) IS
  'stores a foreign table''s definition in its cluster, for IMPORT FOREIGN SCHEMA elsewhere';

CREATE FUNCTION dynkv_unpublish_table(server_name text, table_name text)
RETURNS bool
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION dynkv_unpublish_table(text, text) IS
  'removes a published definition from a server''s cluster; false: there was none';
