-- What is stored, how tables and their columns may change over it, what happens to rows that another
-- client wrote, and the limits.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dynkv_fdw;
RESET client_min_messages;
CREATE SERVER formats_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER formats_kv;

-- ---- the very bytes ----
--
-- A table with bytea for key and value sees, in the same keyspace, what is stored.

CREATE FOREIGN TABLE formats_row (id int, a int, b text, c float8, d bytea) SERVER formats_kv
  OPTIONS (keyspace 'formats_row');
CREATE FOREIGN TABLE formats_row_bytes (k bytea, v bytea) SERVER formats_kv
  OPTIONS (keyspace 'formats_row', format 'raw');
INSERT INTO formats_row VALUES (1, 7, 'hé', 1.5, '\x00ff'), (-1, NULL, NULL, NULL, NULL);
SELECT * FROM formats_row_bytes ORDER BY k;
SELECT * FROM formats_row ORDER BY id;

CREATE FOREIGN TABLE formats_json (id text, a int, b text, c float8, d bytea, e jsonb, f numeric, g int[], h timestamptz, i bool)
  SERVER formats_kv OPTIONS (keyspace 'formats_json', format 'json');
CREATE FOREIGN TABLE formats_json_text (id text, v text) SERVER formats_kv
  OPTIONS (keyspace 'formats_json', format 'raw');
INSERT INTO formats_json VALUES
    ('one', 7, E'hé "you"\n', 'NaN', '\x00ff', '{"x": [1, null]}', 1.50, '{{1,2},{3,NULL}}', '2020-01-02 03:04:05.6+02', true),
    ('null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('json null', 0, '', 0, '', 'null', 0, '{}', 'infinity', false);
SELECT * FROM formats_json_text ORDER BY id;
SET timezone TO 'UTC';
SELECT * FROM formats_json ORDER BY id;
SELECT id, e IS NULL AS null FROM formats_json ORDER BY id;
-- an array that does not begin at 1
INSERT INTO formats_json (id, g) VALUES ('zero', '[0:1]={5,6}');
SELECT v FROM formats_json_text WHERE id = 'zero';
SELECT g, g[0] FROM formats_json WHERE id = 'zero';
DELETE FROM formats_json WHERE id = 'zero';
RESET timezone;

-- composite keys: an end to each column, so that none runs into the next
CREATE FOREIGN TABLE formats_key (a text, b text, c int, v int) SERVER formats_kv
  OPTIONS (keyspace 'formats_key', partition_key 'a, b', sort_key 'c');
CREATE FOREIGN TABLE formats_key_bytes (k bytea, v bytea) SERVER formats_kv
  OPTIONS (keyspace 'formats_key', format 'raw');
INSERT INTO formats_key VALUES ('ab', 'c', 1, 1), ('a', 'bc', 1, 2), ('', '', -1, 3);
SELECT * FROM formats_key_bytes ORDER BY k;
SELECT * FROM formats_key WHERE a = 'a' AND b = 'bc';
SELECT * FROM formats_key WHERE a = '' AND b = '' AND c = -1;

-- ---- columns come and go ----

CREATE FOREIGN TABLE formats_change (id int, a int, b text, c text) SERVER formats_kv;
INSERT INTO formats_change VALUES (1, 10, 'b1', 'c1');
ALTER FOREIGN TABLE formats_change ADD COLUMN d int;
SELECT * FROM formats_change;
INSERT INTO formats_change VALUES (2, 20, 'b2', 'c2', 200);
ALTER FOREIGN TABLE formats_change DROP COLUMN b;
SELECT * FROM formats_change ORDER BY id;
UPDATE formats_change SET a = a + 1 WHERE id = 2;
-- what was dropped is still in the value of a row that was not written since
ALTER FOREIGN TABLE formats_change ADD COLUMN b text;
SELECT * FROM formats_change ORDER BY id;
ALTER FOREIGN TABLE formats_change RENAME COLUMN c TO see;
SELECT id, see FROM formats_change ORDER BY id;
ALTER FOREIGN TABLE formats_change ALTER COLUMN see OPTIONS (ADD column_name 'c');
SELECT id, see FROM formats_change ORDER BY id;
INSERT INTO formats_change (id, see) VALUES (3, 'c3');
-- the same rows under other columns in another order, and in other types
CREATE FOREIGN TABLE formats_view (d numeric, c text, nothing text, id int, a text) SERVER formats_kv
  OPTIONS (keyspace 'formats_change', partition_key 'id');
SELECT id, c, nothing, d FROM formats_view ORDER BY id;
SELECT a FROM formats_view WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
-- nothing but keys
CREATE FOREIGN TABLE formats_set (a int, b text) SERVER formats_kv OPTIONS (sort_key 'b');
INSERT INTO formats_set VALUES (1, 'x'), (1, 'y'), (1, 'x');
SELECT * FROM formats_set ORDER BY b;
SELECT count(*) FROM formats_set;

-- ---- rows by other clients: MessagePack ----

CREATE FOREIGN TABLE formats_typed (id int, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, t text, b bool, ts timestamp, y bytea)
  SERVER formats_kv OPTIONS (keyspace 'formats_typed');
CREATE FOREIGN TABLE formats_bytes (id int, v bytea) SERVER formats_kv
  OPTIONS (keyspace 'formats_typed', format 'raw');
-- {"i4": 5.0, "f8": 3, "n": 18446744073709551615, "ts": "2020-01-02", "t": "x", 9: [1, {"a": nil}], "?": ext, "i8": "12"}
INSERT INTO formats_bytes VALUES (1, '\x88a26934cb4014000000000000a2663803a16ecfffffffffffffffffa27473aa323032302d30312d3032a174a17809920181a161c0a13fd401aaa26938a23132');
SELECT * FROM formats_typed;
-- one column of a long row: what follows is not looked at
SELECT i4 FROM formats_typed WHERE id = 1;
-- what does not fit
INSERT INTO formats_bytes VALUES (1, '\x81a26932cd8000');         -- i2: 32768
SELECT i2 FROM formats_typed;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_bytes VALUES (1, '\x81a26934cb3ff8000000000000'); -- i4: 1.5
SELECT i4 FROM formats_typed;
INSERT INTO formats_bytes VALUES (1, '\x81a26938cfffffffffffffffff'); -- i8: 2^64 - 1
SELECT i8 FROM formats_typed;
INSERT INTO formats_bytes VALUES (1, '\x81a2663491c0');           -- f4: [nil]
SELECT f4 FROM formats_typed;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_bytes VALUES (1, '\x81a17405');               -- t: 5
SELECT t FROM formats_typed;
INSERT INTO formats_bytes VALUES (1, '\x81a174a2c328');           -- t: no UTF-8
SELECT t FROM formats_typed;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_bytes VALUES (1, '\x81a174a3610062');         -- t: a zero byte
SELECT t FROM formats_typed;
INSERT INTO formats_bytes VALUES (1, '\x81a16201');               -- b: 1
SELECT b FROM formats_typed;
INSERT INTO formats_bytes VALUES (1, '\x81a27473a3666f6f');       -- ts: "foo"
SELECT ts FROM formats_typed;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_bytes VALUES (1, '\x81a179a2c328');           -- y: a string
SELECT y FROM formats_typed;
-- no map, no end, lengths that lie
INSERT INTO formats_bytes VALUES (1, '');
SELECT * FROM formats_typed;
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_bytes VALUES (1, '\x05');
SELECT * FROM formats_typed;
INSERT INTO formats_bytes VALUES (1, '\x82a269340aa274');
SELECT * FROM formats_typed;
INSERT INTO formats_bytes VALUES (1, '\x81a17adfffffffff');
SELECT * FROM formats_typed;
INSERT INTO formats_bytes VALUES (1, '\xdfffffffffa17a01');
SELECT * FROM formats_typed;
INSERT INTO formats_bytes VALUES (1, '\x81a17ac1');
SELECT * FROM formats_typed;
INSERT INTO formats_bytes VALUES (1, decode(repeat('91', 100000), 'hex'));
SELECT * FROM formats_typed;
-- the key alone needs no value
SELECT id FROM formats_typed;
-- an UPDATE reads the row first; an INSERT and a DELETE do not
UPDATE formats_typed SET i4 = 1 WHERE id = 1;
INSERT INTO formats_typed (id, i4) VALUES (1, 4);
SELECT id, i4 FROM formats_typed;
-- a name that is no column is gone after an UPDATE
INSERT INTO formats_bytes VALUES (1, '\x82a1780ba269340a');
UPDATE formats_typed SET i4 = i4 + 1 WHERE id = 1;
SELECT position('\xa178'::bytea IN v) FROM formats_bytes;
SELECT i4 FROM formats_typed;

-- ---- rows by other clients: JSON ----

CREATE FUNCTION formats_json_as(v text) RETURNS SETOF formats_json LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO formats_json_text VALUES ('other', v);
    RETURN QUERY SELECT * FROM formats_json WHERE id = 'other';
END
$$;
SELECT a, b, c, e, f FROM formats_json_as(E' {\n"more": {"a": [1]}, "c" : 3, "a": 1e3, "b": "\\u00e9\\ud83d\\ude00",\t"e": "s", "f": 12345678901234567890.10 , "a": 7.0}\n');
SELECT a, b, g, h, i FROM formats_json_as('{"a": "12", "g": "{4,5}", "i": "yes"}');
SELECT * FROM formats_json_as('{}');
SELECT * FROM formats_json_as('');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM formats_json_as('[{"a": 1}]');
SELECT * FROM formats_json_as('"a"');
SELECT * FROM formats_json_as('{"a": 1');
SELECT * FROM formats_json_as('{"a": 1} {}');
SELECT * FROM formats_json_as('{"b": "\u0000"}');
SELECT * FROM formats_json_as('{"a": 1.5}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM formats_json_as('{"a": 1e10}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM formats_json_as('{"a": true}');
SELECT * FROM formats_json_as('{"b": 5}');
SELECT * FROM formats_json_as('{"b": [5]}');
SELECT * FROM formats_json_as('{"g": {"x": 1}}');
SELECT * FROM formats_json_as('{"g": [[1, 2], [3]]}');
SELECT * FROM formats_json_as('{"h": "yesterday-ish"}');
CREATE FOREIGN TABLE formats_json_bytes (id text, v bytea) SERVER formats_kv
  OPTIONS (keyspace 'formats_json', format 'raw');
INSERT INTO formats_json_bytes VALUES ('other', '\x7b2262223a22c328227d');
SELECT * FROM formats_json WHERE id = 'other';
SELECT * FROM formats_json_text WHERE id = 'other';
SELECT * FROM formats_json_bytes WHERE id = 'other';

-- ---- format 'raw' ----

CREATE FOREIGN TABLE formats_raw (k text, v int) SERVER formats_kv OPTIONS (keyspace 'formats_raw', format 'raw');
CREATE FOREIGN TABLE formats_raw_text (k text, v varchar(3)) SERVER formats_kv OPTIONS (keyspace 'formats_raw', format 'raw');
INSERT INTO formats_raw VALUES ('a', -12);
SELECT * FROM formats_raw_text;
INSERT INTO formats_raw_text VALUES ('a', 'x'), ('é', '');
SELECT * FROM formats_raw_text ORDER BY k;
SELECT * FROM formats_raw WHERE k = 'a';
INSERT INTO formats_raw VALUES ('a', NULL);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_raw VALUES ('a', 1234);
SELECT * FROM formats_raw_text WHERE k = 'a';

-- ---- keys by other clients ----

CREATE FOREIGN TABLE formats_keys (a int, b text, v int) SERVER formats_kv OPTIONS (keyspace 'formats_keys', sort_key 'b');
CREATE FOREIGN TABLE formats_keys_bytes (k bytea, v bytea) SERVER formats_kv OPTIONS (keyspace 'formats_keys', format 'raw');
CREATE FUNCTION formats_key_as(key bytea) RETURNS SETOF formats_keys LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM formats_keys_bytes;
    INSERT INTO formats_keys_bytes VALUES (key, '\x80');
    RETURN QUERY SELECT * FROM formats_keys;
END
$$;
SELECT * FROM formats_key_as('\x80000001610001');
SELECT * FROM formats_key_as('\x8000');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM formats_key_as('\x8000000161');
SELECT * FROM formats_key_as('\x80000001610002');
SELECT * FROM formats_key_as('\x8000000161000100');
SELECT * FROM formats_key_as('\x80000001ff0001');
SELECT * FROM formats_key_as('\x800000016100ff0001');
SELECT * FROM formats_key_as('\x' || decode(repeat('80', 100), 'hex'));

-- ---- keys and values that cannot be written ----

INSERT INTO formats_keys VALUES (NULL, 'x', 1);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_keys VALUES (1, NULL, 1);
INSERT INTO formats_keys (v) VALUES (1);
INSERT INTO formats_raw VALUES (NULL, 1);
INSERT INTO formats_raw VALUES ('', 1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM formats_raw WHERE k = '';
SELECT * FROM formats_raw WHERE k = NULL;
CREATE FOREIGN TABLE formats_large (k text, v text) SERVER formats_kv OPTIONS (keyspace 'formats_large', format 'raw');
INSERT INTO formats_large VALUES (repeat('k', 65536), 'v');
INSERT INTO formats_large VALUES (repeat('k', 65537), 'v');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO formats_large VALUES ('v', repeat('v', 16 * 1024 * 1024));
INSERT INTO formats_large VALUES ('v', repeat('v', 16 * 1024 * 1024 + 1));
\echo :LAST_ERROR_SQLSTATE
SELECT length(k) AS k, length(v) AS v FROM formats_large ORDER BY 1;
SELECT * FROM formats_large WHERE k = repeat('k', 65537);
UPDATE formats_large SET v = v || v WHERE k = 'v';
SELECT length(k) AS k, length(v) AS v FROM formats_large WHERE k = 'v';

SET client_min_messages = warning;
DROP SERVER formats_kv CASCADE;
