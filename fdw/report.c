/*
 * report.c: outcomes to SQLSTATEs, with a hint where there is something to do.
 */
#include "postgres.h"

#include "fdw/report.h"

static int report_sqlstate(enum dynkv_error error, DynkvDoing doing)
{
    switch (error) {
    case DYNKV_UNAVAILABLE:
    case DYNKV_TIMEOUT:
        /* A write that was sent may have taken effect: only reading tells. */
        if (doing == DYNKV_WRITING)
            return ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN;
        return ERRCODE_CONNECTION_FAILURE;
    case DYNKV_CONNECT:
        return ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
    case DYNKV_NOT_DYNKV:
    case DYNKV_MALFORMED:
    case DYNKV_UNSUPPORTED:
        return ERRCODE_PROTOCOL_VIOLATION;
    case DYNKV_TOO_LARGE:
        return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case DYNKV_SIBLINGS_LIMIT:
    case DYNKV_VERSION_LIMIT:
        return ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
    case DYNKV_OVERLOADED:
        return ERRCODE_INSUFFICIENT_RESOURCES;
    case DYNKV_STOPPING:
        return ERRCODE_CANNOT_CONNECT_NOW;
    case DYNKV_NOT_FOUND:
    case DYNKV_NO_KEYSPACE:
        return ERRCODE_FDW_TABLE_NOT_FOUND;
    case DYNKV_INVALID:
        return ERRCODE_INVALID_PARAMETER_VALUE;
    case DYNKV_NOT_REPLICA:
    case DYNKV_RING_CHANGED:
        return ERRCODE_CONNECTION_FAILURE;
    case DYNKV_STORAGE:
        return ERRCODE_IO_ERROR;
    case DYNKV_CORRUPT:
        return ERRCODE_DATA_CORRUPTED;
    case DYNKV_REFUSED:
        return ERRCODE_INSUFFICIENT_PRIVILEGE;
    case DYNKV_CONFLICT:
        return ERRCODE_T_R_SERIALIZATION_FAILURE;
    case DYNKV_CANCELLED:
        return ERRCODE_QUERY_CANCELED;
    case DYNKV_OK:
    case DYNKV_CLOCK_DRIFT:
    case DYNKV_TRUNCATED: /* libdynkv asks again by itself */
    case DYNKV_STALE:     /* said between nodes only */
        break;
    }
    return ERRCODE_FDW_ERROR;
}

static const char *report_hint(enum dynkv_error error, DynkvDoing doing)
{
    switch (error) {
    case DYNKV_UNAVAILABLE:
    case DYNKV_TIMEOUT:
        if (doing == DYNKV_WRITING)
            return "Rows not acknowledged may or may not have been written; read them before "
                   "writing them again.";
        return "Look at \"dynkv status\" for nodes that are down; a smaller \"r\" needs fewer of "
               "them.";
    case DYNKV_CONNECT:
        return "Check that the cluster runs, and the option \"hosts\" of the server.";
    case DYNKV_NOT_DYNKV:
        return "Check the ports in the option \"hosts\" of the server: they must be the nodes' "
               "client addresses.";
    case DYNKV_UNSUPPORTED:
        return "The nodes and the extension are of versions that do not work together.";
    case DYNKV_INVALID:
        return "Check r and w: the options of the table and of its server, and the settings "
               "dynkv_fdw.r and dynkv_fdw.w.";
    case DYNKV_OVERLOADED:
    case DYNKV_STOPPING:
    case DYNKV_NOT_REPLICA:
    case DYNKV_RING_CHANGED:
        return "Try again.";
    case DYNKV_NO_KEYSPACE:
        return "The keyspace was dropped in the meantime; the next write makes it again.";
    case DYNKV_CLOCK_DRIFT:
        return "Set the clocks of this machine and of the nodes.";
    case DYNKV_STORAGE:
    case DYNKV_CORRUPT:
        return "The log of the node says more.";
    default:
        return NULL;
    }
}

void dynkv_report(int elevel, enum dynkv_error error, const char *text, DynkvDoing doing,
                  const char *table)
{
    static const char *const verb[] = {
        [DYNKV_OPENING] = "open", [DYNKV_READING] = "read", [DYNKV_WRITING] = "write"};
    const char *hint = report_hint(error, doing);

    ereport(elevel,
            (errcode(report_sqlstate(error, doing)),
             table ? errmsg("could not %s foreign table \"%s\": %s", verb[doing], table,
                            dynkv_error_text(error))
                   : errmsg("could not %s dynkv data: %s", verb[doing], dynkv_error_text(error)),
             text && text[0] && strcmp(text, dynkv_error_text(error)) != 0
                 ? errdetail_internal("%s", text)
                 : 0,
             hint ? errhint("%s", hint) : 0));
}
