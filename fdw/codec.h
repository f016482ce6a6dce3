/*
 * codec.h: between rows and the key and value bytes that the cluster stores.
 *
 * Key: the key columns, partition key first, each encoded so that byte order is the type's order, and
 * so that the end of each column can be told (text and bytea: 0x00 is written as 0x00 0xff, and
 * 0x00 0x01 ends the column; integers big-endian with the sign flipped; see key_codec.c for all).  A
 * single text or bytea key column that is the whole key is written plainly, so that other clients see
 * the very bytes.  A NULL key column is an error (23502) that names the column.
 *
 * Value: by format.  'row': a MessagePack map {column name: value} of the columns that are not key;
 * 'json': one JSON object of them; 'raw': the one value column's bytes.  A column that is missing in
 * the value reads as NULL; a name in the value that is no column is passed over, and is gone once the
 * row is written again (an UPDATE writes the row's columns, not what else was there).  In 'raw' there
 * is no NULL (23502).  Meta columns (meta.h) are no part of key or value.  Text is UTF-8 in keys and values, whatever the server's encoding.
 *
 * A codec is made once an execution, in the memory context that is current then.  Limits of what is
 * written (put_key, put_value) are checked here: 54000 with the table, the size and the limit; and
 * 2200F for an empty string that is the whole key, as a key has at least one byte.  A key made with
 * put_key_column, to look for rows, may be over the limit or empty: then there is no such row.
 *
 * Neither put nor get frees what it needs in between: call them in a context that is reset by row.
 */
#ifndef DYNKV_FDW_CODEC_H
#define DYNKV_FDW_CODEC_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"

#include "base/bytes.h"
#include "fdw/meta.h"
#include "fdw/option.h"

typedef struct DynkvCodec DynkvCodec;

/* Checks that format and key columns fit the table's columns; errors name table, column and remedy. */
extern DynkvCodec *dynkv_codec_create(Relation rel, const DynkvTableOptions *options);

/* Key columns in key order: how many, how many of them are the partition key, their attribute numbers. */
extern int dynkv_codec_key_count(const DynkvCodec *codec);
extern int dynkv_codec_partition_count(const DynkvCodec *codec);
extern AttrNumber dynkv_codec_key_attno(const DynkvCodec *codec, int index);

extern const DynkvMeta *dynkv_codec_meta(const DynkvCodec *codec);

/* Whether a type can be a key column at all; and, with a collation, whether byte order is its order. */
extern bool dynkv_codec_type_is_key(Oid type);
extern bool dynkv_codec_is_ordered(Oid type, Oid collation);
/* Whether, compared under that collation, values are equal only if their key bytes are. */
extern bool dynkv_codec_is_comparable(Oid type, Oid collation);

/*
 * Appends key column `index`, value of exactly the column's type, not NULL.  Appending columns 0..k
 * in turn gives the prefix of all keys with these values; all of them give the key.
 */
extern void dynkv_codec_put_key_column(DynkvCodec *codec, int index, Datum value, StringInfo out);
/* The whole key from a row (arrays by attribute number - 1); sets *partition_len. */
extern void dynkv_codec_put_key(DynkvCodec *codec, const Datum *values, const bool *nulls,
                                StringInfo out, uint32 *partition_len);
/* The value of a row. */
extern void dynkv_codec_put_value(DynkvCodec *codec, const Datum *values, const bool *nulls,
                                  StringInfo out);

/*
 * Decodes the columns in `wanted` (attribute numbers; NULL: all) into values and nulls, which have
 * natts places; the others become NULL.  Results live in the current memory context.  Bytes that are
 * no such row: an error (SQLSTATEs in codec.c) that names table, column and key.
 */
extern void dynkv_codec_get_row(DynkvCodec *codec, struct dynkv_slice key, struct dynkv_slice value,
                                const Bitmapset *wanted, Datum *values, bool *nulls);
/* "(a, b)=(1, x)", as the server's own unique indexes say it; palloc'd. */
extern char *dynkv_codec_describe_key(DynkvCodec *codec, Relation rel, struct dynkv_slice key);
/* false: only key and meta columns are wanted, and the value need not be fetched. */
extern bool dynkv_codec_needs_value(const DynkvCodec *codec, const Bitmapset *wanted);

#endif
