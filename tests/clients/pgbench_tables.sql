-- The tables of pgbench as foreign tables.  TPC-B's history has no key; a column behind the others makes one.
CREATE FOREIGN TABLE pgbench_branches (bid int NOT NULL, bbalance int, filler char(88))
    SERVER kv OPTIONS (partition_key 'bid');
CREATE FOREIGN TABLE pgbench_tellers (tid int NOT NULL, bid int, tbalance int, filler char(84))
    SERVER kv OPTIONS (partition_key 'tid');
CREATE FOREIGN TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84))
    SERVER kv OPTIONS (partition_key 'aid');
CREATE FOREIGN TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22),
    id uuid DEFAULT gen_random_uuid())
    SERVER kv OPTIONS (partition_key 'id');
