/* fuzz_version.c: a version vector as a client hands it back as its context. */
#include "fuzz.h"
#include "model/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dynkv_arena arena = {0};
    struct dynkv_slice bytes = dynkv_slice(data, size);
    struct dynkv_version version, merged;

    if (!dynkv_version_parse(bytes, &arena, &version)) {
        struct dynkv_buf again = {0};

        dynkv_version_encode(&version, &again);
        if (size > 0) /* no bytes are the empty vector, too */
            DYNKV_ASSERT(dynkv_slice_equal(dynkv_buf_slice(&again), bytes));
        merged = dynkv_version_merge(&version, &version, &arena);
        DYNKV_ASSERT(dynkv_version_compare(&version, &merged) == DYNKV_VERSION_EQUAL);
        for (uint32_t i = 0; i < version.count; i++)
            DYNKV_ASSERT(dynkv_version_covers(&version, version.entries[i]));
        dynkv_buf_fini(&again);
    }
    dynkv_arena_fini(&arena);
    return 0;
}
