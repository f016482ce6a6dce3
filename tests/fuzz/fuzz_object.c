/*
 * fuzz_object.c: two objects as replicas hold them: decoded, read, merged both ways.
 *
 * The input is u16 length of the first, the first, the second.
 */
#include "fuzz.h"
#include "model/object.h"

#define NOW_MS UINT64_C(1700000000000)

static bool encodes_to(const struct dynkv_object *object, struct dynkv_slice bytes)
{
    struct dynkv_buf out = {0};
    bool equal;

    dynkv_object_encode(object, &out);
    equal = dynkv_slice_equal(dynkv_buf_slice(&out), bytes);
    dynkv_buf_fini(&out);
    return equal;
}

static void check_one(const struct dynkv_object *object, struct dynkv_slice bytes,
                      struct dynkv_arena *arena)
{
    struct dynkv_object merged = dynkv_object_merge(object, object, arena);
    const struct dynkv_sibling *latest = dynkv_object_latest(object, NOW_MS);

    DYNKV_ASSERT(encodes_to(object, bytes));
    DYNKV_ASSERT(encodes_to(&merged, bytes));
    DYNKV_ASSERT((dynkv_object_digest(object) == 0) == (bytes.len == 0));
    DYNKV_ASSERT(!latest || !dynkv_object_is_dead(object, NOW_MS));
}

static void check_two(const struct dynkv_object *a, const struct dynkv_object *b,
                      struct dynkv_arena *arena)
{
    struct dynkv_object forth = dynkv_object_merge(a, b, arena);
    struct dynkv_object back = dynkv_object_merge(b, a, arena);
    struct dynkv_object again = dynkv_object_merge(&forth, b, arena);
    struct dynkv_buf bytes = {0};

    dynkv_object_encode(&forth, &bytes);
    DYNKV_ASSERT(encodes_to(&back, dynkv_buf_slice(&bytes)));
    DYNKV_ASSERT(encodes_to(&again, dynkv_buf_slice(&bytes)));
    if (forth.version.count <= DYNKV_ACTORS_MAX && forth.sibling_count <= DYNKV_SIBLINGS_HARD_MAX) {
        struct dynkv_object decoded;

        DYNKV_ASSERT(!dynkv_object_decode(dynkv_buf_slice(&bytes), arena, &decoded));
    }
    dynkv_buf_fini(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dynkv_arena arena = {0};
    struct dynkv_object first, second;
    struct dynkv_slice first_bytes, second_bytes;
    size_t cut;

    if (size < 2)
        return 0;
    cut = (size_t)(data[0] | data[1] << 8) % (size - 1);
    first_bytes = dynkv_slice(data + 2, cut);
    second_bytes = dynkv_slice(data + 2 + cut, size - 2 - cut);
    if (!dynkv_object_decode(first_bytes, &arena, &first)) {
        check_one(&first, first_bytes, &arena);
        if (!dynkv_object_decode(second_bytes, &arena, &second)) {
            check_one(&second, second_bytes, &arena);
            check_two(&first, &second, &arena);
        }
    }
    dynkv_arena_fini(&arena);
    return 0;
}
