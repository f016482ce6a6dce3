#include "daemon/store_pending.h"

#include "base/hash.h"

uint64_t dynkvd_key_hash(enum dynkv_space space, uint32_t partition, uint64_t keyspace,
                         struct dynkv_slice key)
{
    return dynkv_hash(key, dynkv_hash_pair(keyspace, partition) + space);
}

/* Where the store is counted; NULL: it is metadata, which nobody loads. */
static _Atomic uint32_t *store_place(struct dynkvd_pending *pending,
                                     const struct dynkv_effect_store *store)
{
    switch (store->kind) {
    case DYNKV_STORE_RECORD:
    case DYNKV_STORE_DELETE:
        return &pending->places[dynkvd_key_hash(store->space, store->partition, store->keyspace,
                                                store->key) %
                                DYNKVD_PENDING_PLACES];
    case DYNKV_STORE_DROP_KEYSPACE:
    case DYNKV_STORE_DROP_TREE:
        return &pending->ranges;
    case DYNKV_STORE_META:
        break;
    }
    return NULL;
}

void dynkvd_pending_add(struct dynkvd_pending *pending, const struct dynkv_effects *effects)
{
    for (uint32_t i = 0; i < effects->store_count; i++) {
        _Atomic uint32_t *place = store_place(pending, &effects->stores[i]);

        if (place)
            atomic_fetch_add(place, 1);
    }
}

void dynkvd_pending_remove(struct dynkvd_pending *pending, const struct dynkv_effects *effects)
{
    for (uint32_t i = 0; i < effects->store_count; i++) {
        _Atomic uint32_t *place = store_place(pending, &effects->stores[i]);

        if (place)
            atomic_fetch_sub(place, 1);
    }
}

bool dynkvd_pending_has(struct dynkvd_pending *pending, const struct dynkv_effect_load *load)
{
    uint64_t hash = dynkvd_key_hash(load->space, load->partition, load->keyspace, load->key);

    return atomic_load(&pending->ranges) ||
           atomic_load(&pending->places[hash % DYNKVD_PENDING_PLACES]);
}
