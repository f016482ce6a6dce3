/*
 * qual_tree.h: the inside of conditions that nodes test: trees made of expressions (qual.c), whose values are
 * put in when they are known (qual_value.c).
 */
#ifndef DYNKV_FDW_QUAL_TREE_H
#define DYNKV_FDW_QUAL_TREE_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "utils/relcache.h"

#include "fdw/meta.h"
#include "fdw/qual.h"
#include "model/filter.h"

/* A node of a filter whose value is not known yet. */
typedef struct DynkvQualNode {
    enum dynkv_filter_op op;
    int column;
    Expr *value; /* of a comparison: the constant, or the array of IN; NULL: true */
    Oid value_type;
    ExprState *state;
    List *children;
} DynkvQualNode;

struct DynkvQuals {
    Relation table;
    enum dynkv_filter_format format;
    DynkvMeta *meta;
    Bitmapset *keys;
    int varno;
    int column_count;
    AttrNumber attnos[DYNKV_FILTER_COLUMNS_MAX];
    struct dynkv_filter_column columns[DYNKV_FILTER_COLUMNS_MAX];
    int nodes; /* in all conditions */

    /* At execution. */
    List *conditions; /* DynkvQualNodes */
    ExprContext *econtext;
    MemoryContext context; /* of the values; reset by evaluate */
};

extern DynkvQuals *dynkv_quals_new(Relation table, const DynkvTableOptions *options, int varno);
/* The tree of a whole condition; NULL: no filter can say it. */
extern DynkvQualNode *dynkv_quals_take(DynkvQuals *quals, Node *expr);

#endif
