/*
 * fuzz_filter.c: a filter as a client sends it, on a value as a client has stored it.
 *
 * The input is u16 length of the filter, the filter, the value.
 */
#include "fuzz.h"
#include "model/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dynkv_arena arena = {0};
    struct dynkv_filter filter;
    struct dynkv_slice bytes;
    size_t cut;
    enum dynkv_error error;

    if (size < 2)
        return 0;
    cut = (size_t)(data[0] | data[1] << 8) % (size - 1);
    bytes = dynkv_slice(data + 2, cut);
    error = dynkv_filter_decode(bytes, &arena, &filter);
    if (!error) {
        struct dynkv_buf again = {0};
        uint8_t set =
            dynkv_filter_test(&filter, dynkv_slice(data + 2 + cut, size - 2 - cut), &arena);

        dynkv_filter_encode(&filter, &again);
        DYNKV_ASSERT(dynkv_slice_equal(dynkv_buf_slice(&again), bytes));
        DYNKV_ASSERT(set > 0 && set <= DYNKV_FILTER_MAY_BE_ANY);
        dynkv_buf_fini(&again);
    } else {
        DYNKV_ASSERT(error == DYNKV_MALFORMED || error == DYNKV_TOO_LARGE);
    }
    dynkv_arena_fini(&arena);
    return 0;
}
