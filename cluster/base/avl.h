/*
 * avl.h: an intrusive AVL tree (Adelson-Velsky and Landis, 1962; Knuth, TAOCP 3, 6.2.3).
 *
 * The tree holds nodes inside the caller's structures and compares them with the caller's function.
 * Search, insert and remove are O(log n), no recursion deeper than the height (at most 1.44 log2 n).
 */
#ifndef DYNKV_BASE_AVL_H
#define DYNKV_BASE_AVL_H

#include <stddef.h>

struct dynkv_avl_node {
    struct dynkv_avl_node *left, *right, *parent;
    int height; /* of the subtree below; a leaf is 1 */
};

/* <0, 0, >0 as key sorts before, at or after node.  key is what the caller passes to find or bound. */
typedef int dynkv_avl_compare(const void *key, const struct dynkv_avl_node *node);

/* Zero-initialised is a valid empty tree. */
struct dynkv_avl {
    struct dynkv_avl_node *root;
    size_t count;
};

struct dynkv_avl_node *dynkv_avl_find(const struct dynkv_avl *tree, const void *key,
                                      dynkv_avl_compare *compare);
/* The first node not before key (lower bound), or NULL. */
struct dynkv_avl_node *dynkv_avl_seek(const struct dynkv_avl *tree, const void *key,
                                      dynkv_avl_compare *compare);
/* Inserts node under key; returns NULL, or the node that is already there (and then changes nothing). */
struct dynkv_avl_node *dynkv_avl_insert(struct dynkv_avl *tree, struct dynkv_avl_node *node,
                                        const void *key, dynkv_avl_compare *compare);
/* Takes out a node that is in this tree. */
void dynkv_avl_remove(struct dynkv_avl *tree, struct dynkv_avl_node *node);
struct dynkv_avl_node *dynkv_avl_first(const struct dynkv_avl *tree);
struct dynkv_avl_node *dynkv_avl_last(const struct dynkv_avl *tree);
struct dynkv_avl_node *dynkv_avl_next(const struct dynkv_avl_node *node);
struct dynkv_avl_node *dynkv_avl_prev(const struct dynkv_avl_node *node);

#endif
