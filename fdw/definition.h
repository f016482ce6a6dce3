/*
 * definition.h: a foreign table's definition apart from any database: names, types as text, options.
 *
 * Its JSON form, which is what dynkv_publish_table stores:
 *
 *   {"definition": 1, "table": "session",
 *    "columns": [{"name": "user_id", "type": "bigint", "not_null": true},
 *                {"name": "mood", "type": "public.mood", "options": {"column_name": "m"}},
 *                {"name": "w", "type": "text", "collation": "pg_catalog.\"C\""},
 *                {"name": "n", "type": "public.positive", "base": "integer"}],
 *    "options": {"keyspace": "session", "partition_key": "user_id"}}
 *
 * Of a column, "base" is the type below a domain, for databases without the domain.  Names that a reader
 * does not know are passed over; a "definition" that is greater than the reader's is an error.
 */
#ifndef DYNKV_FDW_DEFINITION_H
#define DYNKV_FDW_DEFINITION_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

typedef struct DynkvColumnDefinition {
    char *name;
    char *type;
    char *base;      /* NULL: not a domain */
    char *collation; /* NULL: the type's */
    bool not_null;
    List *options; /* of DefElem with string values */
} DynkvColumnDefinition;

typedef struct DynkvDefinition {
    char *table;
    List *columns; /* of DynkvColumnDefinition */
    List *options;
} DynkvDefinition;

/* Everything is palloc'd in the current memory context. */
extern DynkvDefinition *dynkv_definition_of_table(Relation rel);
extern void dynkv_definition_add_option(List **options, const char *name, const char *value);
/* The value of an option, or NULL. */
extern const char *dynkv_definition_option(const DynkvDefinition *definition, const char *name);

extern char *dynkv_definition_to_json(const DynkvDefinition *definition);
/* json in the server's encoding.  Text that is no definition is an error that names the table. */
extern DynkvDefinition *dynkv_definition_from_json(const char *table, const char *json);

/*
 * A CREATE FOREIGN TABLE statement.  Every name is quoted where it must be, and every type is one of this
 * database: one that is not there becomes its base type, else text, with a NOTICE.
 */
extern char *dynkv_definition_to_sql(const DynkvDefinition *definition, const char *server);

#endif
