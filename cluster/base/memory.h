/*
 * memory.h: allocation that does not fail, and the arena.
 *
 * Running out of memory ends the process through dynkv_out_of_memory(), which a program may supply
 * itself: the daemon and the tools take the one in out_of_memory.c, which aborts; the extension links
 * its own, which ends the session and leaves the server alone.
 *
 * An arena owns many small pieces with one lifetime.  Pieces are never freed singly; reset keeps one
 * block for the next round, so a steady workload stops calling malloc.
 */
#ifndef DYNKV_BASE_MEMORY_H
#define DYNKV_BASE_MEMORY_H

#include <stddef.h>

/* Never returns.  size is what was asked for. */
_Noreturn void dynkv_out_of_memory(size_t size);

/* As malloc, calloc and realloc, but never NULL (a size of 0 gives a unique pointer).  Free with free(). */
void *dynkv_alloc(size_t size);
void *dynkv_calloc(size_t count, size_t size);
void *dynkv_realloc(void *old, size_t size);
/* A copy of a C string, to be freed by the caller. */
char *dynkv_strdup(const char *text);

struct dynkv_arena_block;

/* Zero-initialised is a valid empty arena. */
struct dynkv_arena {
    struct dynkv_arena_block *blocks; /* newest first */
};

/* size bytes aligned for any type, uninitialised; live until reset or fini. */
void *dynkv_arena_alloc(struct dynkv_arena *arena, size_t size);
/* count * size bytes, zeroed; a product that overflows ends in dynkv_out_of_memory(). */
void *dynkv_arena_calloc(struct dynkv_arena *arena, size_t count, size_t size);
void *dynkv_arena_copy(struct dynkv_arena *arena, const void *data, size_t size);
/* Frees all pieces; keeps at most one block of ordinary size. */
void dynkv_arena_reset(struct dynkv_arena *arena);
/* Frees everything; the arena is empty and usable again. */
void dynkv_arena_fini(struct dynkv_arena *arena);

#endif
