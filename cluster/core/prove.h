/*
 * prove.h: what this node has proved to hold, or others to hold of its own.
 *
 * Two questions, asked of every (keyspace, partition) that they concern, and of every other member that they
 * concern, and answered by one kind of exchange (sync.h):
 *
 *   gain    while a change moves data: do we hold all that an old replica holds?  A new replica asks each old
 *           one; only when all of it is proved does it say that it is ready (stage.c)
 *   stray   otherwise: do its owners hold all that we hold, durably, of what is not ours?  Only then is it
 *           dropped (drop.c)
 *
 * What lacks something is given it on the way.  A proof is of the moment: the owner of the
 * question knows why it lasts.  A gain lasts because all writes since reach us too.  A stray lasts
 * while our tree has the root it had, and no owner has been restarted.
 */
#ifndef DYNKV_CORE_PROVE_H
#define DYNKV_CORE_PROVE_H

#include "core/sync.h"

struct proofs *prove_new(void);
void prove_free(struct proofs *proofs);

/* Which question is to be asked now. */
enum sync_mode prove_mode(const struct dynkv_node *node);
/* What is to be proved with this peer, at most max places; in the step's arena. */
struct sync_place *prove_places(struct dynkv_node *node, uint64_t peer, uint32_t max,
                                uint32_t *count);
/* The exchange has proved a tree; its root is that of ours when the exchange began. */
void prove_mark(struct dynkv_node *node, const struct sync_op *s, const struct sync_tree *tree);
/* A hash of the rings in use, which the questions follow from. */
uint64_t prove_key(const struct dynkv_node *node);
/* All gains are proved; false also before anything is known of them. */
bool prove_is_complete(struct dynkv_node *node);
/* A gain that is not: regular anti-entropy leaves it alone. */
bool prove_is_open(const struct dynkv_node *node, uint64_t keyspace, uint32_t partition);
/* Records are held here that this node keeps in no ring; and all their owners have proved to hold them. */
bool prove_is_stray(const struct dynkv_node *node, const struct keyspace *keyspace,
                    uint32_t partition);
bool prove_is_held(const struct dynkv_node *node, const struct keyspace *keyspace,
                   uint32_t partition);
/* A member was restarted: strays have to be proved anew. */
void prove_forget_strays(struct dynkv_node *node);

void on_prove(struct dynkv_node *node, const struct source *source, const struct dynkv_prove *body);
void on_pull(struct dynkv_node *node, const struct source *source, uint32_t deadline_ms,
             const struct dynkv_pull *body);

/* drop.c */
void drop_tick(struct dynkv_node *node);

#endif
