/*
 * option.h: what a user can set on a server, a user mapping, a table and a column.
 *
 * One table of options (option.c) gives each name, where it may stand, its type, its bounds and its
 * default; the validator, the error texts that list the valid names, and the readers below all work
 * from it.
 */
#ifndef DYNKV_FDW_OPTION_H
#define DYNKV_FDW_OPTION_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/relcache.h"

/* Keyspaces whose names begin with this are the extension's own. */
#define DYNKV_RESERVED_PREFIX "_dynkv"

typedef enum DynkvFormat {
    DYNKV_FORMAT_ROW,  /* MessagePack map by column name */
    DYNKV_FORMAT_JSON, /* one JSON object by column name */
    DYNKV_FORMAT_RAW,  /* one value column, its bytes (bytea) or text as they are */
} DynkvFormat;

/* What a reader is shown of a key with several siblings; see conflict.h. */
typedef enum DynkvConflictMode {
    DYNKV_CONFLICT_LWW,      /* the one written last */
    DYNKV_CONFLICT_SIBLINGS, /* all of them, a row each */
    DYNKV_CONFLICT_ERROR,
} DynkvConflictMode;

/* How a session is opened: all of it comes from the server. */
typedef struct DynkvServerOptions {
    char *hosts;            /* as libdynkv takes them */
    bool route_any;         /* routing 'any'; else 'ring' */
    int connect_timeout_ms; /* connect_timeout */
    bool keep_connections;
} DynkvServerOptions;

/* How a table is read and written: table options, over server options, over session settings. */
typedef struct DynkvTableOptions {
    Oid relid;
    Oid serverid;
    char *keyspace; /* default: the table's name */
    DynkvFormat format;
    List *partition_key; /* attribute numbers (int list), at least one */
    List *sort_key;      /* attribute numbers, may be NIL */
    int r, w;            /* 0: the keyspace's */
    bool strict;
    int deadline_ms;
    int fetch_size;      /* entries a scan page */
    int batch_size;      /* rows a put */
    bool is_immediate;   /* write_mode 'immediate'; else 'transaction' */
    bool insert_errors;  /* on_insert 'error'; else 'put' */
    bool skips_bad_rows; /* on_bad_row 'skip'; else 'error' */
    DynkvConflictMode conflict;
    char *resolver; /* schema.function; NULL: none */
    bool updatable;
    bool truncatable;
    double startup_cost, tuple_cost; /* fdw_startup_cost, fdw_tuple_cost */
} DynkvTableOptions;

/* Both are palloc'd in the current context.  Errors: the options name something impossible. */
extern DynkvServerOptions *dynkv_server_options(Oid serverid);
extern DynkvTableOptions *dynkv_table_options(Relation rel);

/*
 * What is wrong with the options of one object (catalog: the class of that object, as the validator is
 * told it) is raised here, with the names or values that are allowed.
 */
extern void dynkv_option_validate(List *options, Oid catalog);

/* Whether a keyspace's name is the extension's own. */
extern bool dynkv_option_is_reserved(const char *keyspace);

/* The name of a column in stored values: its option column_name, else the column's own; palloc'd. */
extern char *dynkv_option_column_name(Relation rel, AttrNumber attno);

/* What a column shows of the row beside its value, its option meta (meta.h); NULL: it is a value. */
extern const char *dynkv_option_meta(Relation rel, AttrNumber attno);

/* A function's name in its two parts, schema and function; NIL: it has not two. */
extern List *dynkv_option_split_function(const char *value);

/* Session settings dynkv_fdw.r and dynkv_fdw.w (0: not set; they win over table and server). */
extern void dynkv_option_init(void); /* defines them; from _PG_init */

#endif
