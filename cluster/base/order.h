/*
 * order.h: in what order a range over several partitions is read; store, core, wire and clients say it alike.
 *
 * Where keys decide, a range that stops early is divided by a key: what lies before it (in byte order)
 * is on one side, it and what follows is on the other.  RISING gives the side before it first, FALLING
 * the other.  So either way the rest is a range again: it ends, or begins, at the dividing key.  Equal
 * keys in several partitions come together, and are never divided.
 */
#ifndef DYNKV_BASE_ORDER_H
#define DYNKV_BASE_ORDER_H

#include <stdbool.h>

#include "base/bytes.h"

enum dynkv_order {
    DYNKV_ORDER_PARTITION, /* partition by partition as given, keys rising in each */
    DYNKV_ORDER_RISING,    /* by key, across all partitions */
    DYNKV_ORDER_FALLING,   /* likewise, the greatest first */
};

/* Compares two keys as the order gives them: <0 if a comes first. */
static inline int dynkv_order_compare(enum dynkv_order order, struct dynkv_slice a,
                                      struct dynkv_slice b)
{
    return order == DYNKV_ORDER_FALLING ? dynkv_slice_compare(b, a) : dynkv_slice_compare(a, b);
}

/* Whether the order gives a key on this side of the dividing one, in the part that comes first. */
static inline bool dynkv_order_is_before(enum dynkv_order order, struct dynkv_slice key,
                                         struct dynkv_slice divide)
{
    return order == DYNKV_ORDER_FALLING ? dynkv_slice_compare(key, divide) >= 0
                                        : dynkv_slice_compare(key, divide) < 0;
}

#endif
