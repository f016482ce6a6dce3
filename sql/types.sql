-- Every type of key and of value goes into the cluster and comes out as it was, in every format and
-- whatever the session's settings; and keys are in their type's order.
\getenv hosts DYNKV_HOSTS
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dynkv_fdw;
SET jit = off; -- plans by the hundred, each run once
SET timezone = 'UTC';
CREATE SERVER types_kv FOREIGN DATA WRAPPER dynkv_fdw OPTIONS (hosts :'hosts');
CREATE USER MAPPING FOR PUBLIC SERVER types_kv;
CREATE SCHEMA "Types Else";
CREATE TABLE "Types Else"."T" (a int);
CREATE TYPE types_mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE types_pair AS (a int, b text, c date);
CREATE TYPE types_nest AS (p types_pair, ps types_pair[], r int4range);
CREATE DOMAIN types_pairs AS types_pair[];
CREATE DOMAIN types_small AS int CHECK (value < 1000);
CREATE DOMAIN types_word AS text COLLATE "C" CHECK (value <> 'forbidden');

-- ---- keys ----
--
-- A table with the key alone, and one where it is a sort key between other columns.  Each value is found
-- by equality, reads back as it was, and divides the others by < and >= as it does in a local table.

CREATE TABLE types_keys (type text, rows int, read int, found int, below int, above int);

CREATE PROCEDURE types_check_key(type text, list text[], number int) LANGUAGE plpgsql AS $$
DECLARE
    found int;
    below int;
    above int;
    readable int;
    kind text := regexp_replace(type, '\W', '_', 'g') || number;
BEGIN
    EXECUTE format('CREATE TEMP TABLE local AS SELECT x::%s AS k, n::int FROM unnest($1) WITH ORDINALITY u (x, n)',
                   type) USING list;
    EXECUTE format('CREATE FOREIGN TABLE types_alone (k %s, n int) SERVER types_kv
                    OPTIONS (keyspace %L)', type, 'types_alone_' || kind);
    EXECUTE format('CREATE FOREIGN TABLE types_sort (p text, k %s, z int, n int) SERVER types_kv
                    OPTIONS (keyspace %L, partition_key ''p'', sort_key ''k, z'')', type, 'types_sort_' || kind);
    -- an empty key is no key: see formats.sql
    INSERT INTO types_alone SELECT k, n FROM local WHERE k::text NOT IN ('', '\x');
    INSERT INTO types_sort SELECT 'p', k, 7, n FROM local;

    SELECT count(*) INTO readable FROM local l JOIN types_sort s ON s.n = l.n
        WHERE s.k::text = l.k::text AND s.p = 'p' AND s.z = 7;
    IF (SELECT count(*) FROM types_alone s JOIN local l ON s.n = l.n WHERE s.k::text = l.k::text)
        <> (SELECT count(*) FROM local WHERE k::text NOT IN ('', '\x')) THEN
        readable := -1;
    END IF;

    -- one lookup a value, with the value as parameter
    SELECT count(*) INTO found FROM local l,
        LATERAL (SELECT s.n FROM types_sort s WHERE s.p = 'p' AND s.k = l.k AND s.z = 7 OFFSET 0) f
        WHERE f.n = l.n;
    SELECT count(*) INTO below FROM local l
        WHERE (SELECT array_agg(s.n ORDER BY s.n) FROM types_sort s WHERE s.p = 'p' AND s.k < l.k)
            IS NOT DISTINCT FROM (SELECT array_agg(o.n ORDER BY o.n) FROM local o WHERE o.k < l.k);
    SELECT count(*) INTO above FROM local l
        WHERE (SELECT array_agg(s.n ORDER BY s.n) FROM types_sort s WHERE s.p = 'p' AND s.k >= l.k)
            IS NOT DISTINCT FROM (SELECT array_agg(o.n ORDER BY o.n) FROM local o WHERE o.k >= l.k);
    INSERT INTO types_keys VALUES (type, cardinality(list), readable, found, below, above);
    DROP FOREIGN TABLE types_alone, types_sort;
    DROP TABLE local;
END
$$;

CREATE TABLE types_key_values (number serial, type text, list text[]);
INSERT INTO types_key_values (type, list) VALUES
    ('bool', '{t,f}'),
    ('"char"', ARRAY['a', 'b', ' ', '\001', '\377']),
    ('int2', '{-32768,-1,0,1,255,256,32767}'),
    ('int4', '{-2147483648,-65536,-1,0,1,255,256,2147483647}'),
    ('int8', '{-9223372036854775808,-1,0,1,255,256,4294967296,9223372036854775807}'),
    ('oid', '{0,1,2147483648,4294967295}'),
    ('float4', '{-Infinity,-3.4e38,-1.5,-1,-1e-45,0,1e-45,1,1.5,3.4e38,Infinity,NaN}'),
    ('float8', '{-Infinity,-1.7e308,-1.5,-1,-5e-324,0,5e-324,1,1.5,1.7e308,Infinity,NaN}'),
    ('numeric', '{-Infinity,-1e1000,-10001,-10000,-9999,-1.5,-1,-0.1,-0.00001,-1e-1000,0,1e-1000,0.00001,0.0001,0.1,0.12,0.12345,1,1.5,9999,10000,10001,100000000,100000000.00000001,123456789012345678901234567890.123456789,1e1000,Infinity,NaN}'),
    ('numeric(10,2)', '{-12345678.90,-1.50,0.00,0.01,1.00,NaN}'),
    ('text COLLATE "C"', ARRAY['', ' ', 'a', 'a ', E'a\x01', 'ab', 'b', 'B', 'ä', '日本', '😀', repeat('x', 1000)]),
    ('varchar(5) COLLATE "C"', ARRAY['', 'a', 'ab', '12345', '日本日本日']),
    ('char(5) COLLATE "C"', ARRAY['', 'a', 'ab', '12345', E'a\x01', '日本日本日']),
    ('name', ARRAY['', 'a', 'ab', repeat('n', 63)]),
    ('bytea', ARRAY['\x', '\x00', '\x0000', '\x0001', '\x00ff', '\x01', '\x61', '\x6100', '\x6162', '\xff', '\xff00', '\xffff']),
    ('uuid', '{00000000-0000-0000-0000-000000000000,7fffffff-ffff-ffff-ffff-ffffffffffff,80000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff}'),
    ('date', '{-infinity,4713-01-01 BC,0001-12-31 BC,1999-12-31,2000-01-01,5874897-12-31,infinity}'),
    ('time', '{00:00,12:00,23:59:59.999999,24:00:00}'),
    ('timetz', '{00:00+15:59:59,11:00+00,12:00+01,12:00+00,11:00-01,24:00-15:59:59}'),
    ('timestamp', '{-infinity,4713-01-01 BC,1999-12-31 23:59:59.999999,2000-01-01,2000-01-01 00:00:00.000001,294276-12-31 23:59:59.999999,infinity}'),
    ('timestamptz', '{-infinity,4713-01-01 BC,1999-12-31 23:59:59.999999,2000-01-01,2000-01-01 00:00:00.000001,294276-12-31 23:59:59.999999,infinity}'),
    ('inet', '{0.0.0.0/0,9.255.255.255/8,10.0.0.0/8,10.9.0.1/8,10.0.0.0/16,10.0.0.0/32,10.0.0.1,10.1.0.0/16,255.255.255.255,::/0,::,::1,fe80::1/10,fe80::/64,ffff::}'),
    ('cidr', '{0.0.0.0/0,10.0.0.0/8,10.0.0.0/16,10.0.0.0/32,10.1.0.0/16,255.255.255.255,::/0,::,fe80::/10,fe80::/64}'),
    ('macaddr', '{00:00:00:00:00:00,7f:ff:ff:ff:ff:ff,80:00:00:00:00:01,ff:ff:ff:ff:ff:ff}'),
    ('macaddr8', '{00:00:00:00:00:00:00:00,7f:ff:ff:ff:ff:ff:ff:ff,80:00:00:00:00:01:02:03,ff:ff:ff:ff:ff:ff:ff:ff}'),
    ('types_mood', '{sad,ok,happy}'),
    ('types_small', '{-2147483648,0,999}'),
    ('types_word', '{a,b,ä}');
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT * FROM types_key_values ORDER BY number LOOP
        CALL types_check_key(item.type, item.list, item.number);
    END LOOP;
END
$$;
SELECT type, rows, read, found, below, above FROM types_keys;

-- ---- values ----
--
-- Written and read under one set of settings (same), read under another (read_otherwise), and written
-- under that and read under the first (written_otherwise).

CREATE TABLE types_values (type text, format text, rows int, same int, read_otherwise int, written_otherwise int);

CREATE PROCEDURE types_usual() LANGUAGE plpgsql AS $$
BEGIN
    SET datestyle TO iso, mdy;
    SET intervalstyle TO postgres;
    SET extra_float_digits TO 1;
    SET bytea_output TO hex;
    SET timezone TO 'UTC';
    SET search_path TO public;
END
$$;
CREATE PROCEDURE public.types_unusual() LANGUAGE plpgsql AS $$
BEGIN
    SET datestyle TO german;
    SET intervalstyle TO sql_standard;
    SET extra_float_digits TO -5;
    SET bytea_output TO escape;
    SET timezone TO 'America/New_York';
    SET search_path TO public, "Types Else";
END
$$;

CREATE PROCEDURE types_check_value(type text, list text[], number int, format text) LANGUAGE plpgsql AS $$
DECLARE
    rows int;
    same int;
    read_otherwise int;
    written_otherwise int;
BEGIN
    CALL types_usual();
    EXECUTE format('CREATE TEMP TABLE local AS SELECT x::%s AS v, n::int FROM unnest($1) WITH ORDINALITY u (x, n)',
                   type) USING list;
    IF format <> 'raw' THEN
        INSERT INTO local VALUES (NULL, 0);
    END IF;
    EXECUTE format('CREATE FOREIGN TABLE types_value (n int, v %s) SERVER types_kv
                    OPTIONS (keyspace %L, format %L)', type, 'types_value_' || format || number, format);
    SELECT count(*) INTO rows FROM local;
    INSERT INTO types_value SELECT n, v FROM local;
    SELECT count(*) INTO same FROM local l JOIN types_value f USING (n)
        WHERE f.v::text IS NOT DISTINCT FROM l.v::text;
    CALL public.types_unusual();
    SELECT count(*) INTO read_otherwise FROM local l JOIN types_value f USING (n)
        WHERE f.v::text IS NOT DISTINCT FROM l.v::text;
    INSERT INTO types_value SELECT n, v FROM local;
    CALL public.types_usual();
    SELECT count(*) INTO written_otherwise FROM local l JOIN types_value f USING (n)
        WHERE f.v::text IS NOT DISTINCT FROM l.v::text;
    INSERT INTO types_values VALUES (type, format, rows, same, read_otherwise, written_otherwise);
    DROP FOREIGN TABLE types_value;
    DROP TABLE local;
END
$$;

CREATE TABLE types_value_values (number serial, type text, list text[]);
INSERT INTO types_value_values (type, list) VALUES
    ('bool', '{t,f}'),
    ('int2', '{-32768,-129,-128,-33,-32,-1,0,127,128,255,256,32767}'),
    ('int4', '{-2147483648,-32769,0,32768,65535,65536,2147483647}'),
    ('int8', '{-9223372036854775808,-2147483649,0,4294967295,4294967296,9007199254740993,9223372036854775807}'),
    ('oid', '{0,4294967295}'),
    ('float4', '{-Infinity,-3.4e38,-1e-45,0,-0,1.1,3.4e38,Infinity,NaN}'),
    ('float8', '{-Infinity,-1.7e308,-5e-324,0,-0,0.1,1,1e300,Infinity,NaN}'),
    ('numeric', '{-Infinity,-1.500,0.000,1e100,0.1234567890123456789,Infinity,NaN}'),
    ('numeric(6,2)', '{1.5,-9999.99}'),
    ('text', ARRAY['', ' ', '"', '\', E'\n\t\x01', 'é日本😀', 'null', repeat('x', 100000)]),
    ('varchar(3)', ARRAY['', 'abc', '日本日']),
    ('char(3)', ARRAY['', 'abc', '日']),
    ('name', ARRAY['', repeat('n', 63)]),
    ('"char"', ARRAY['a', '', '\377']),
    ('bytea', ARRAY['\x', '\x00', '\x00ff5c61']),
    ('date', '{-infinity,4713-01-01 BC,1999-12-31,10000-01-01,5874897-12-31,infinity}'),
    ('time', '{00:00,12:00:00.000001,24:00:00}'),
    ('timetz', '{00:00+15:59:59,12:30-05}'),
    ('timestamp', '{-infinity,4713-01-01 BC,1999-12-31 12:34:56.789,294276-12-31 23:59:59.999999,infinity}'),
    ('timestamptz', '{-infinity,4713-01-01 BC,1900-01-01,1999-12-31 12:34:56.789,294276-12-31 23:59:59.999999,infinity}'),
    ('interval', ARRAY['0', '1 year -2 mons 3 days -04:05:06.7', '-1 day', '-1 day +02:00', '-178000000 years']),
    ('uuid', '{00112233-4455-6677-8899-aabbccddeeff}'),
    ('json', ARRAY['null', '{"b":1, "a" : [1,2]}', '"x\u00e4"', '1.0', '[]', '""']),
    ('jsonb', ARRAY['null', '{"b":1, "a" : [1,2]}', '"x\u00e4\n"', '1.0', '[]', 'true']),
    ('int[]', ARRAY['{}', '{1,NULL,3}', '{{1,2},{3,4}}']),
    ('text[]', ARRAY['{"a,b","c\"d","\\",NULL,"NULL",""}', '{{a},{b}}']),
    ('date[]', ARRAY['{2020-01-02,infinity}']),
    ('timestamptz[]', ARRAY['{2020-01-02 03:04:05.6+00}']),
    ('float8[]', ARRAY['{0.1,NaN,-Infinity}']),
    ('bytea[]', ARRAY['{"\\x00ff"}']),
    ('interval[]', ARRAY['{"1 year -2 mons","-1 days +02:00:00"}']),
    ('jsonb[]', ARRAY['{"{\"a\": 1}","[1, 2]","\"s\"",NULL}']),
    ('types_pair', ARRAY['(1,"x y",2020-01-01)', '(,,)']),
    ('types_pair[]', ARRAY['{"(1,\"x,y\",2020-01-01)",NULL}']),
    ('types_mood', ARRAY['happy']),
    ('types_mood[]', ARRAY['{happy,sad}']),
    ('types_small', ARRAY['999']),
    ('types_word', ARRAY['', 'allowed']),
    ('int4range', ARRAY['[1,5)', 'empty', '(,)']),
    ('tstzrange', ARRAY['["2020-01-01 00:00+00","2020-01-02 00:00+00")']),
    ('inet', ARRAY['10.0.0.1/8', '::1']),
    ('macaddr', ARRAY['08:00:2b:01:02:03']),
    ('bit(3)', ARRAY['101']),
    ('varbit', ARRAY['', '10110']),
    ('tsvector', ARRAY['''a'':1 ''b'':2']),
    ('point', ARRAY['(0.1,-2)']),
    ('pg_lsn', ARRAY['1/2']),
    ('money', ARRAY['-12345.67', '92233720368547758.07']),
    ('nummultirange', ARRAY['{}', '{[1.5,2.50),(7,)}']),
    ('datemultirange', ARRAY['{[2020-01-01,2020-02-01)}']),
    ('int8[]', ARRAY['[0:2]={1,2,3}', '[-1:0][2:3]={{1,2},{NULL,4}}']),
    ('numeric[]', ARRAY['{NaN,-Infinity,1.500}']),
    ('bool[]', ARRAY['{t,f,NULL}']),
    ('types_nest', ARRAY['("(1,x,2020-01-01)","{""(2,y,)"",NULL}","[1,2)")']),
    ('types_pairs', ARRAY['[2:2]={"(1,x,)"}']),
    ('tsquery', ARRAY['''a'' & !''b'':*']),
    ('jsonpath', ARRAY['$."a"[*]']),
    ('polygon', ARRAY['((0,0),(1,1),(1,0))']),
    ('circle', ARRAY['<(0.1,0),1>']),
    ('oidvector', ARRAY['', '1 4294967295']),
    ('int2vector', ARRAY['1 -2']),
    ('pg_snapshot', ARRAY['10:20:10,14,15']),
    ('xid8', ARRAY['18446744073709551615']),
    ('tid', ARRAY['(4294967295,65535)']),
    ('interval year to month', ARRAY['1 year 2 mons']),
    ('timestamptz(0)', ARRAY['2020-01-01 00:00:01']),
    ('numeric(7,-2)', ARRAY['1234500']),
    ('regclass', ARRAY['"Types Else"."T"', 'pg_class']),
    ('regtype', ARRAY['integer', 'types_pair']);
DO $$
DECLARE
    item record;
    format text;
BEGIN
    FOR item IN SELECT * FROM public.types_value_values ORDER BY number LOOP
        FOREACH format IN ARRAY '{row,json,raw}'::text[] LOOP
            CALL public.types_check_value(item.type, item.list, item.number, format);
        END LOOP;
    END LOOP;
END
$$;
SELECT type, max(rows) AS rows,
       string_agg(same || '/' || read_otherwise || '/' || written_otherwise, ' '
                  ORDER BY format = 'raw', format = 'json') AS "row json raw"
FROM types_values GROUP BY type ORDER BY min(ctid);
-- nothing but what is the same
SELECT * FROM types_values WHERE NOT rows = ALL (ARRAY[same, read_otherwise, written_otherwise]);

-- ---- what is not kept, and is documented so ----

CREATE FOREIGN TABLE types_scale (k numeric, kept numeric) SERVER types_kv;
INSERT INTO types_scale VALUES (1.500, 1.500), (0.00, 0.00), (100, 100);
INSERT INTO types_scale VALUES (1.5, 2);
SELECT * FROM types_scale ORDER BY k;
CREATE FOREIGN TABLE types_zero (k float8, n int) SERVER types_kv;
INSERT INTO types_zero VALUES ('-0', 1);
INSERT INTO types_zero VALUES ('0', 2);
SELECT * FROM types_zero;
CREATE FOREIGN TABLE types_blanks (k char(4), n int) SERVER types_kv;
INSERT INTO types_blanks VALUES ('a', 1);
INSERT INTO types_blanks VALUES ('a  ', 2);
SELECT k || '|' AS k, octet_length(k), n FROM types_blanks WHERE k = 'a ';

-- arrays in format json know of no negative zero, and json loses its blanks in front
CREATE FOREIGN TABLE types_json (k int, a float8[], j json) SERVER types_kv OPTIONS (format 'json');
INSERT INTO types_json VALUES (1, '{-0}', '  {"a": 1,"a":2}');
SELECT a, j FROM types_json;

-- types that are no keys: their bytes have no order
CREATE FUNCTION types_refused(type text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE FOREIGN TABLE types_no_key (k %s, n int) SERVER types_kv', type);
    EXECUTE 'SELECT * FROM types_no_key';
    RAISE EXCEPTION 'not refused';
EXCEPTION WHEN fdw_invalid_data_type THEN
    RETURN SQLERRM;
END
$$;
SELECT types_refused(t)
    FROM unnest('{interval,money,json,jsonb,int[],int4range,bit(3),types_pair,tsvector,point,pg_lsn,regclass}'::text[]) t;
CREATE FOREIGN TABLE types_no_key (k interval, n int) SERVER types_kv;
INSERT INTO types_no_key VALUES ('1 day', 1);

-- a domain's constraint holds for what is read, too
CREATE FOREIGN TABLE types_wide (k int, v int) SERVER types_kv OPTIONS (keyspace 'types_domain');
CREATE FOREIGN TABLE types_narrow (k types_small, v types_small) SERVER types_kv OPTIONS (keyspace 'types_domain');
INSERT INTO types_wide VALUES (1, 5000);
SELECT * FROM types_narrow;
INSERT INTO types_wide VALUES (1, 50), (5000, 1);
SELECT * FROM types_narrow WHERE k = 1;
SELECT * FROM types_narrow;

DROP SERVER types_kv CASCADE;
DROP SCHEMA "Types Else" CASCADE;
DROP TABLE types_keys, types_key_values, types_values, types_value_values;
DROP PROCEDURE types_check_key, types_check_value, types_usual, types_unusual;
DROP FUNCTION types_refused;
DROP DOMAIN types_small, types_word, types_pairs;
DROP TYPE types_mood, types_nest, types_pair;
