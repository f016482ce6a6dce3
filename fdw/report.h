/* report.h: the one place that turns libdynkv's outcomes into PostgreSQL errors. */
#ifndef DYNKV_FDW_REPORT_H
#define DYNKV_FDW_REPORT_H

#include "postgres.h"

#include "base/error.h"

/*
 * Raises the error for an outcome.  text: libdynkv's, may be NULL or empty.  doing: DYNKV_READING and so
 * on; table may be NULL.  A write whose outcome is unknown is 08007.
 */
typedef enum DynkvDoing {
    DYNKV_OPENING, /* looking the keyspace up */
    DYNKV_READING,
    DYNKV_WRITING,
} DynkvDoing;

extern void dynkv_report(int elevel, enum dynkv_error error, const char *text, DynkvDoing doing,
                         const char *table);

#endif
