-- What the cluster says of itself, as rows.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE SERVER status_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER status_kv;
CREATE FOREIGN TABLE coin (id int, v text) SERVER status_kv OPTIONS (keyspace 'status_coin');
INSERT INTO coin SELECT g, 'x' FROM generate_series(1, 100) g;

SELECT node, state, zone <> '' AS has_zone, weight, storage IN ('rocksdb', 'memory') AS has_storage,
       id ~ '^[0-9a-f]{16}$' AS has_id, client_url LIKE 'tcp://%' AS has_url, peer_url <> client_url AS has_peer_url,
       uptime > '0' AS is_up
  FROM dynkv_nodes('status_kv') ORDER BY node;

SELECT count(*) > 0 AND count(*) & (count(*) - 1) = 0 AS is_power_of_two, min(partition), max(partition) = count(*) - 1 AS all_there,
       bool_and(primary_node = replicas[1]) AS primary_is_first,
       bool_and((SELECT count(DISTINCT r) = 3 FROM unnest(replicas) r)) AS three_nodes
  FROM dynkv_ring('status_kv');
-- A fair share each, as primary.
SELECT n.node, count(*) BETWEEN 0.25 * total AND 0.42 * total AS is_fair
  FROM dynkv_nodes('status_kv') n JOIN dynkv_ring('status_kv') r ON r.primary_node = n.node,
       (SELECT count(*) AS total FROM dynkv_ring('status_kv')) t
  GROUP BY n.node, total ORDER BY 1;

SELECT keyspace, id ~ '^[0-9a-f]{16}$' AS has_id, generation > 0 AS has_generation, n, r, w, ttl
  FROM dynkv_keyspaces('status_kv') WHERE keyspace = 'status_coin';

SELECT node, count(*) > 10 AS has_counters, min(value) >= 0 AS not_negative FROM dynkv_counters('status_kv') GROUP BY 1 ORDER BY 1;
SELECT sum(value) > 0 AS has_puts FROM dynkv_counters('status_kv') WHERE counter = 'puts';

-- This session's connections.
SELECT server_name, user_name, requests > 0 AND messages_sent > 0 AND messages_received > 0 AS is_used,
       bytes_sent > 1000 AND bytes_received > 1000 AS has_bytes, reconnects, descriptors BETWEEN 2 AND 6 AS has_descriptors
  FROM dynkv_fdw_session();
SELECT requests AS before FROM dynkv_fdw_session() \gset
SELECT v FROM coin WHERE id = 7;
SELECT requests - :before AS requests FROM dynkv_fdw_session();
SELECT dynkv_fdw_disconnect('status_kv');
SELECT * FROM dynkv_fdw_session();

-- A node that is down has no uptime and no counters; the others are as they were.
\! "$DYNKV_CLUSTER" kill 3
SELECT count(*) AS nodes, count(uptime) AS that_answer FROM dynkv_nodes('status_kv');
SELECT count(DISTINCT node) AS with_counters FROM dynkv_counters('status_kv');
\! "$DYNKV_CLUSTER" restart 3
\! "$DYNKV_CLUSTER" await 3

-- Who may ask.
CREATE ROLE dynkv_outsider;
SET ROLE dynkv_outsider;
SELECT * FROM dynkv_nodes('status_kv');
SELECT * FROM dynkv_ring('status_kv');
SELECT * FROM dynkv_keyspaces('status_kv');
SELECT * FROM dynkv_counters('status_kv');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER status_kv TO dynkv_outsider;
SET ROLE dynkv_outsider;
SELECT count(*) FROM dynkv_nodes('status_kv');
RESET ROLE;

-- Not these.
SELECT * FROM dynkv_nodes('no_such_server');
SELECT * FROM dynkv_nodes(NULL);
CREATE FOREIGN DATA WRAPPER other;
CREATE SERVER other_server FOREIGN DATA WRAPPER other;
SELECT * FROM dynkv_nodes('other_server');
DROP FOREIGN DATA WRAPPER other CASCADE;

DROP SERVER status_kv CASCADE;
DROP ROLE dynkv_outsider;
