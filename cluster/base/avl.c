/*
 * avl.c: the intrusive AVL tree.
 *
 * Every node knows its parent, so insertion and removal climb instead of recursing.  The invariant:
 * the heights of two siblings differ by at most one, and height is one more than the higher child's.
 * A climb stops at the first subtree whose height did not change.
 */
#include "base/avl.h"

#include "base/assert.h"

static int avl_height(const struct dynkv_avl_node *node)
{
    return node ? node->height : 0;
}

static void avl_update_height(struct dynkv_avl_node *node)
{
    int left = avl_height(node->left), right = avl_height(node->right);

    node->height = 1 + (left > right ? left : right);
}

/* Puts fresh (may be NULL) where old hangs below parent; parent NULL means the root. */
static void avl_replace_child(struct dynkv_avl *tree, struct dynkv_avl_node *parent,
                              struct dynkv_avl_node *old, struct dynkv_avl_node *fresh)
{
    if (!parent)
        tree->root = fresh;
    else if (parent->left == old)
        parent->left = fresh;
    else
        parent->right = fresh;
    if (fresh)
        fresh->parent = parent;
}

/* Lifts the right child over node; returns the new top of the subtree. */
static struct dynkv_avl_node *avl_rotate_left(struct dynkv_avl *tree, struct dynkv_avl_node *node)
{
    struct dynkv_avl_node *top = node->right;

    avl_replace_child(tree, node->parent, node, top);
    node->right = top->left;
    if (node->right)
        node->right->parent = node;
    top->left = node;
    node->parent = top;
    avl_update_height(node);
    avl_update_height(top);
    return top;
}

static struct dynkv_avl_node *avl_rotate_right(struct dynkv_avl *tree, struct dynkv_avl_node *node)
{
    struct dynkv_avl_node *top = node->left;

    avl_replace_child(tree, node->parent, node, top);
    node->left = top->right;
    if (node->left)
        node->left->parent = node;
    top->right = node;
    node->parent = top;
    avl_update_height(node);
    avl_update_height(top);
    return top;
}

/* Restores the invariant of one subtree whose children keep it; returns its top. */
static struct dynkv_avl_node *avl_balance(struct dynkv_avl *tree, struct dynkv_avl_node *node)
{
    int lean = avl_height(node->right) - avl_height(node->left);

    if (lean > 1) {
        if (avl_height(node->right->left) > avl_height(node->right->right))
            avl_rotate_right(tree, node->right);
        return avl_rotate_left(tree, node);
    }
    if (lean < -1) {
        if (avl_height(node->left->right) > avl_height(node->left->left))
            avl_rotate_left(tree, node->left);
        return avl_rotate_right(tree, node);
    }
    avl_update_height(node);
    return node;
}

static void avl_climb(struct dynkv_avl *tree, struct dynkv_avl_node *node)
{
    while (node) {
        int before = node->height;

        node = avl_balance(tree, node);
        if (node->height == before)
            break;
        node = node->parent;
    }
}

struct dynkv_avl_node *dynkv_avl_find(const struct dynkv_avl *tree, const void *key,
                                      dynkv_avl_compare *compare)
{
    struct dynkv_avl_node *node = tree->root;

    while (node) {
        int order = compare(key, node);

        if (order == 0)
            break;
        node = order < 0 ? node->left : node->right;
    }
    return node;
}

struct dynkv_avl_node *dynkv_avl_seek(const struct dynkv_avl *tree, const void *key,
                                      dynkv_avl_compare *compare)
{
    struct dynkv_avl_node *node = tree->root, *bound = NULL;

    while (node) {
        if (compare(key, node) <= 0) {
            bound = node;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return bound;
}

struct dynkv_avl_node *dynkv_avl_insert(struct dynkv_avl *tree, struct dynkv_avl_node *node,
                                        const void *key, dynkv_avl_compare *compare)
{
    struct dynkv_avl_node *parent = NULL, **link = &tree->root;

    while (*link) {
        int order;

        parent = *link;
        order = compare(key, parent);
        if (order == 0)
            return parent;
        link = order < 0 ? &parent->left : &parent->right;
    }
    *node = (struct dynkv_avl_node){.parent = parent, .height = 1};
    *link = node;
    tree->count++;
    avl_climb(tree, parent);
    return NULL;
}

void dynkv_avl_remove(struct dynkv_avl *tree, struct dynkv_avl_node *node)
{
    struct dynkv_avl_node *climb_from;

    DYNKV_ASSERT(tree->count > 0);
    if (node->left && node->right) {
        /* The successor has no left child: it is cut out below and takes the place of node. */
        struct dynkv_avl_node *successor = dynkv_avl_next(node);

        climb_from = successor->parent == node ? successor : successor->parent;
        avl_replace_child(tree, successor->parent, successor, successor->right);
        successor->left = node->left;
        successor->right = node->right; /* what the cut left of it */
        successor->height = node->height;
        successor->left->parent = successor;
        if (successor->right)
            successor->right->parent = successor;
        avl_replace_child(tree, node->parent, node, successor);
    } else {
        climb_from = node->parent;
        avl_replace_child(tree, node->parent, node, node->left ? node->left : node->right);
    }
    *node = (struct dynkv_avl_node){NULL, NULL, NULL, 0};
    tree->count--;
    avl_climb(tree, climb_from);
}

struct dynkv_avl_node *dynkv_avl_first(const struct dynkv_avl *tree)
{
    struct dynkv_avl_node *node = tree->root;

    while (node && node->left)
        node = node->left;
    return node;
}

struct dynkv_avl_node *dynkv_avl_last(const struct dynkv_avl *tree)
{
    struct dynkv_avl_node *node = tree->root;

    while (node && node->right)
        node = node->right;
    return node;
}

struct dynkv_avl_node *dynkv_avl_next(const struct dynkv_avl_node *node)
{
    struct dynkv_avl_node *next = node->right;

    if (next) {
        while (next->left)
            next = next->left;
        return next;
    }
    for (next = node->parent; next && node == next->right; next = next->parent)
        node = next;
    return next;
}

struct dynkv_avl_node *dynkv_avl_prev(const struct dynkv_avl_node *node)
{
    struct dynkv_avl_node *prev = node->left;

    if (prev) {
        while (prev->right)
            prev = prev->right;
        return prev;
    }
    for (prev = node->parent; prev && node == prev->left; prev = prev->parent)
        node = prev;
    return prev;
}
