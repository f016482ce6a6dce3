/* keyspace.c: the identity of keyspaces and which of two definitions wins. */
#include "model/keyspace.h"

#include "base/hash.h"

uint64_t dynkv_keyspace_id(struct dynkv_slice name, uint32_t generation)
{
    return dynkv_hash(name, generation);
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

bool dynkv_keyspace_is_newer(const struct dynkv_keyspace *old, const struct dynkv_keyspace *new_)
{
    const int orders[] = {
        compare_u64(new_->generation, old->generation),
        compare_u64(new_->stamp, old->stamp),
        /* Two that were defined at the same instant: any total order settles it. */
        compare_u64(new_->dropped, old->dropped),
        compare_u64(new_->n, old->n),
        compare_u64(new_->r, old->r),
        compare_u64(new_->w, old->w),
        compare_u64(new_->ttl_ms, old->ttl_ms),
    };

    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        if (orders[i])
            return orders[i] > 0;
    return false;
}

bool dynkv_keyspace_name_is_valid(struct dynkv_slice name)
{
    if (name.len < 1 || name.len > DYNKV_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !(c >= '0' && c <= '9') && !(c && strchr("_-.$", c)))
            return false;
    }
    return true;
}
