/* memory.c: checked allocation and the arena. */
#include "base/memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Blocks double from the first size to the last, so that a small arena stays small; a piece that is
 * large for its block gets one of its own. */
#define ARENA_BLOCK_FIRST ((size_t)1024)
#define ARENA_BLOCK_LAST  ((size_t)32 * 1024)

struct dynkv_arena_block {
    struct dynkv_arena_block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

void *dynkv_alloc(size_t size)
{
    void *result = malloc(size ? size : 1);

    if (!result)
        dynkv_out_of_memory(size);
    return result;
}

void *dynkv_calloc(size_t count, size_t size)
{
    void *result = calloc(count ? count : 1, size ? size : 1);

    if (!result)
        dynkv_out_of_memory(size);
    return result;
}

void *dynkv_realloc(void *old, size_t size)
{
    void *result = realloc(old, size ? size : 1);

    if (!result)
        dynkv_out_of_memory(size);
    return result;
}

char *dynkv_strdup(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(dynkv_alloc(size), text, size);
}

static struct dynkv_arena_block *arena_block_new(size_t size)
{
    struct dynkv_arena_block *block = dynkv_alloc(sizeof *block + size);

    block->next = NULL;
    block->size = size;
    block->used = 0;
    return block;
}

void *dynkv_arena_alloc(struct dynkv_arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct dynkv_arena_block *block = arena->blocks;
    void *result;

    if (size > SIZE_MAX / 2)
        dynkv_out_of_memory(size);
    size = (size + align - 1) / align * align;
    if (!block || block->size - block->used < size) {
        size_t block_size = block && block->size < ARENA_BLOCK_LAST ? block->size * 2
                            : block                                 ? ARENA_BLOCK_LAST
                                                                    : ARENA_BLOCK_FIRST;

        /* A big piece goes behind the current block, whose free space stays in use. */
        if (size > block_size / 4 && block) {
            struct dynkv_arena_block *big = arena_block_new(size);

            big->next = block->next;
            block->next = big;
            big->used = size;
            return big->data;
        }
        block = arena_block_new(size > block_size ? size : block_size);
        block->next = arena->blocks;
        arena->blocks = block;
    }
    result = block->data + block->used;
    block->used += size;
    return result;
}

void *dynkv_arena_calloc(struct dynkv_arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size)
        dynkv_out_of_memory(SIZE_MAX);
    return memset(dynkv_arena_alloc(arena, count * size), 0, count * size);
}

void *dynkv_arena_copy(struct dynkv_arena *arena, const void *data, size_t size)
{
    void *result = dynkv_arena_alloc(arena, size);

    if (size)
        memcpy(result, data, size);
    return result;
}

void dynkv_arena_reset(struct dynkv_arena *arena)
{
    struct dynkv_arena_block *kept = NULL;

    while (arena->blocks) {
        struct dynkv_arena_block *block = arena->blocks;

        arena->blocks = block->next;
        if (!kept && block->size <= ARENA_BLOCK_LAST)
            kept = block;
        else
            free(block);
    }
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
        arena->blocks = kept;
    }
}

void dynkv_arena_fini(struct dynkv_arena *arena)
{
    while (arena->blocks) {
        struct dynkv_arena_block *block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
}
