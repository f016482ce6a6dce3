/*
 * layouts.h: how the layout tables of the messages are written; private to wire/.
 *
 * A layout is a list of fields in the order in which they travel:
 *
 *     static const struct dynkv_field get_fields[] = {
 *         FIXED64(get, keyspace),
 *         LIST(get, items, item_count, get_item, DYNKV_BATCH_ITEMS_MAX),
 *     };
 *     LAYOUT(get)
 *
 * A field whose kind does not fit the type of the member does not compile.
 */
#ifndef DYNKV_WIRE_LAYOUTS_H
#define DYNKV_WIRE_LAYOUTS_H

#include "model/filter.h"
#include "wire/layout.h"
#include "wire/message.h"

/* The longest encoded version vector: a count, then 8 bytes and a varint for every actor. */
#define CONTEXT_MAX (3u + DYNKV_ACTORS_MAX * 18u)
/* An end of a key range: a key, or the next byte string after one (the key and a zero byte). */
#define BOUND_MAX   (DYNKV_KEY_MAX + 1u)

/* offsetof, for a member of that very type only: the two arms of ?: must be compatible pointers. */
#define OFFSET(name, member, type)           \
    (offsetof(struct dynkv_##name, member) + \
     0 * sizeof(1 ? &((struct dynkv_##name *)0)->member : (type *)0))

/* clang-format off */
#define U8(name, member) \
    {#member, DYNKV_FIELD_U8, OFFSET(name, member, uint8_t), 0, 0, NULL}
#define U32(name, member) \
    {#member, DYNKV_FIELD_U32, OFFSET(name, member, uint32_t), 0, 0, NULL}
#define U64(name, member) \
    {#member, DYNKV_FIELD_U64, OFFSET(name, member, uint64_t), 0, 0, NULL}
#define FIXED64(name, member) \
    {#member, DYNKV_FIELD_FIXED64, OFFSET(name, member, uint64_t), 0, 0, NULL}
#define BYTES(name, member, longest) \
    {#member, DYNKV_FIELD_BYTES, OFFSET(name, member, struct dynkv_slice), (longest), 0, NULL}
#define LIST(name, member, count, item, most) \
    {#member, DYNKV_FIELD_LIST, OFFSET(name, member, struct dynkv_##item *), (most), \
     OFFSET(name, count, uint32_t), &dynkv_layout_##item}
/* clang-format on */

#define LAYOUT(of)                                                                              \
    const struct dynkv_layout dynkv_layout_##of = {#of, sizeof(struct dynkv_##of), of##_fields, \
                                                   sizeof of##_fields / sizeof of##_fields[0]};
/* A body that says all by being there. */
#define LAYOUT_EMPTY(of) \
    const struct dynkv_layout dynkv_layout_##of = {#of, sizeof(struct dynkv_##of), NULL, 0};

#define LAYOUT_DECLARE(number, upper, name) extern const struct dynkv_layout dynkv_layout_##name;
DYNKV_MESSAGES(LAYOUT_DECLARE)
#undef LAYOUT_DECLARE

/* Structs that are parts of several messages. */
extern const struct dynkv_layout dynkv_layout_accuser;
extern const struct dynkv_layout dynkv_layout_member;
extern const struct dynkv_layout dynkv_layout_keyspace_info;
extern const struct dynkv_layout dynkv_layout_extent;
extern const struct dynkv_layout dynkv_layout_scan_entry;
extern const struct dynkv_layout dynkv_layout_place;
extern const struct dynkv_layout dynkv_layout_ring_table;
extern const struct dynkv_layout dynkv_layout_change_record;
extern const struct dynkv_layout dynkv_layout_replicate_item;

#endif
