/*
 * analyze.h: ANALYZE reads a bounded sample of a table's partitions.
 */
#ifndef DYNKV_FDW_ANALYZE_H
#define DYNKV_FDW_ANALYZE_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern bool dynkvAnalyzeForeignTable(Relation rel, AcquireSampleRowsFunc *func,
                                     BlockNumber *total_pages);

#endif
