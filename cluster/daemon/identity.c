#include "daemon/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/node.h"

#define IDENTITY_META   "identity"
#define IDENTITY_FORMAT 1u

enum identity_flag {
    IDENTITY_CLEAN = 1, /* the last run ended with everything stored and synced */
};

uint64_t dynkvd_random_id(void)
{
    uint64_t id = 0;

    while (id == 0)
        if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id && errno != EINTR) {
            perror("dynkvd: getrandom");
            abort(); /* an identity that is not random would cost data */
        }
    return id;
}

static enum dynkv_error identity_write(struct dynkv_engine *engine, const char *name, uint8_t flags,
                                       const struct dynkvd_identity *identity)
{
    struct dynkv_buf record = {0};
    struct dynkv_engine_op op = {.kind = DYNKV_ENGINE_META};
    enum dynkv_error error;

    dynkv_put_u8(&record, IDENTITY_FORMAT);
    dynkv_put_u8(&record, flags);
    dynkv_put_u64(&record, identity->id);
    dynkv_put_bytes(&record, dynkv_slice_text(name));
    op.at.key = dynkv_slice_text(IDENTITY_META);
    op.value = dynkv_buf_slice(&record);
    error = dynkv_engine_write_synced(engine, &op, 1);
    dynkv_buf_fini(&record);
    return error;
}

/* Reads what the last run left; false, and why, if this store is not for this node. */
static bool identity_take_over(struct dynkv_slice record, const char *name,
                               struct dynkvd_identity *out, char *error, size_t error_size)
{
    struct dynkv_cursor cursor = dynkv_cursor(record);
    uint8_t format = dynkv_get_u8(&cursor), flags = dynkv_get_u8(&cursor);
    struct dynkv_slice stored_name;

    if (!cursor.failed && format != IDENTITY_FORMAT) {
        snprintf(error, error_size,
                 "the store has metadata of format %u, this dynkvd knows format %u: use the "
                 "version that wrote it",
                 format, IDENTITY_FORMAT);
        return false;
    }
    out->id = dynkv_get_u64(&cursor);
    out->is_clean = flags & IDENTITY_CLEAN;
    stored_name = dynkv_get_bytes(&cursor, DYNKV_NAME_MAX);
    if (cursor.failed || out->id == 0) {
        snprintf(error, error_size,
                 "the store's identity record is damaged: restore the folder from a backup, or "
                 "start with an empty one and let the others fill it");
        return false;
    }
    if (!dynkv_slice_equal(stored_name, dynkv_slice_text(name))) {
        snprintf(error, error_size,
                 "the store belongs to node '%.*s', not to '%s': give --name %.*s, or another "
                 "--data folder",
                 (int)stored_name.len, (const char *)stored_name.data, name, (int)stored_name.len,
                 (const char *)stored_name.data);
        return false;
    }
    return true;
}

static bool identity_open(struct dynkv_engine *engine, const struct dynkvd_config *config,
                          struct dynkv_arena *arena, struct dynkvd_identity *out, char *error,
                          size_t error_size)
{
    struct dynkv_engine_value record, state, lease;
    enum dynkv_error written;

    *out = (struct dynkvd_identity){0};
    record = dynkv_engine_meta(engine, dynkv_slice_text(IDENTITY_META), arena);
    state = dynkv_engine_meta(engine, dynkv_slice_text(DYNKV_META_STATE), arena);
    lease = dynkv_engine_meta(engine, dynkv_slice_text(DYNKV_META_LEASE), arena);
    if ((record.error && record.error != DYNKV_NOT_FOUND) ||
        (state.error && state.error != DYNKV_NOT_FOUND) ||
        (lease.error && lease.error != DYNKV_NOT_FOUND)) {
        snprintf(error, error_size, "cannot read the store's metadata: %s",
                 dynkv_engine_last_error(engine));
        return false;
    }
    if (record.error == DYNKV_NOT_FOUND) {
        if (state.error == DYNKV_OK) {
            snprintf(error, error_size,
                     "the store knows a cluster but not its own identity: restore the folder from "
                     "a backup, or start with an empty one and let the others fill it");
            return false;
        }
        out->id = dynkvd_random_id();
    } else if (!identity_take_over(record.data, config->name, out, error, error_size)) {
        return false;
    }
    out->state = state.error ? dynkv_slice(NULL, 0) : state.data;
    out->lease = lease.error ? dynkv_slice(NULL, 0) : lease.data;
    written = identity_write(engine, config->name, 0, out);
    if (written)
        snprintf(error, error_size, "cannot write to the store: %s",
                 dynkv_engine_last_error(engine));
    return written == DYNKV_OK;
}

bool dynkvd_identity_open(struct dynkv_engine *engine, const struct dynkvd_config *config,
                          struct dynkv_arena *arena, struct dynkvd_identity *out, char *error,
                          size_t error_size)
{
    if (identity_open(engine, config, arena, out, error, error_size))
        return true;
    *out = (struct dynkvd_identity){0}; /* nobody may write another node's id back */
    return false;
}

enum dynkv_error dynkvd_identity_mark_clean(struct dynkv_engine *engine,
                                            const struct dynkvd_config *config,
                                            const struct dynkvd_identity *identity)
{
    return identity_write(engine, config->name, IDENTITY_CLEAN, identity);
}
