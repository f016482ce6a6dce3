/* ring_token.c: virtual nodes, and the order of partitions that they give. */
#include "model/ring_build.h"

#include "base/hash.h"

/*
 * Virtual nodes of a member of weight 100.  They do not decide how much a member holds (the targets do
 * that), only which partitions, and in which order it stands in for others, so few suffice.
 */
#define TOKENS_AT_100 16u
#define TOKENS_MAX    512u

/* A merge sort, bottom up: stable, no recursion, the same everywhere. */
void dynkv_ring_sort(struct ring_key *keys, uint32_t count, struct ring_key *spare)
{
    for (uint32_t width = 1; width < count; width *= 2) {
        for (uint32_t start = 0; start < count; start += 2 * width) {
            uint32_t middle = start + width < count ? start + width : count;
            uint32_t end = middle + width < count ? middle + width : count;
            uint32_t i = start, j = middle;

            for (uint32_t out = start; out < end; out++) {
                bool second =
                    i == middle ||
                    (j < end && (keys[j].key < keys[i].key ||
                                 (keys[j].key == keys[i].key && keys[j].tie < keys[i].tie)));

                spare[out] = second ? keys[j++] : keys[i++];
            }
        }
        memcpy(keys, spare, count * sizeof *keys);
    }
}

uint32_t dynkv_ring_token_count(uint32_t weight)
{
    uint64_t count = (uint64_t)weight * TOKENS_AT_100 / 100;

    return count < 1 ? 1 : count > TOKENS_MAX ? TOKENS_MAX : (uint32_t)count;
}

uint64_t dynkv_ring_token(uint64_t id, uint32_t number)
{
    return dynkv_hash_pair(id, (uint64_t)number + 1);
}

uint64_t dynkv_ring_partition_start(uint32_t partition, uint32_t partitions)
{
    /* partitions divides 2^64; for 1 the quotient does not fit, and there is only the start at 0. */
    return partitions == 1 ? 0 : partition * (UINT64_MAX / partitions + 1);
}

void dynkv_ring_order_partitions(struct ring_builder *builder,
                                 const struct dynkv_ring_member *member)
{
    uint32_t count = dynkv_ring_token_count(member->weight), next = 0;
    struct ring_key tokens[TOKENS_MAX], spare[TOKENS_MAX];

    for (uint32_t i = 0; i < count; i++)
        tokens[i] = (struct ring_key){.key = dynkv_ring_token(member->id, i)};
    dynkv_ring_sort(tokens, count, spare);
    for (uint32_t p = 0; p < builder->partitions; p++) {
        uint64_t start = dynkv_ring_partition_start(p, builder->partitions);

        while (next < count && tokens[next].key < start)
            next++;
        /* Past the last token the walk wraps to the first; the subtraction wraps with it. */
        builder->keys[p] = (struct ring_key){tokens[next % count].key - start, p, p};
    }
    dynkv_ring_sort(builder->keys, builder->partitions, builder->keys_spare);
}
