/* random_body.c: makes and compares message bodies from their layouts. */
#include "random_body.h"

/* Zero, one, all ones, the steps of a varint's length, or anything. */
static uint64_t random_number(struct dynkv_random *random, uint64_t most)
{
    uint64_t value = 0;

    switch (dynkv_random_below(random, 6)) {
    case 0:
        break;
    case 1:
        value = 1;
        break;
    case 2:
        value = UINT64_MAX;
        break;
    case 3:
        value = UINT64_C(1) << 7 * dynkv_random_below(random, 10);
        break;
    case 4:
        value = (UINT64_C(1) << 7 * dynkv_random_below(random, 10)) - 1;
        break;
    default:
        value = dynkv_random_next(random);
    }
    return value & most;
}

static struct dynkv_slice random_bytes(uint32_t max, struct dynkv_random *random, bool rich,
                                       struct dynkv_arena *arena)
{
    uint64_t most = max < 40 ? max : 40;
    size_t len = (size_t)dynkv_random_below(random, most + 1);
    uint8_t *data;

    if (max <= DYNKV_TEXT_MAX && dynkv_random_below(random, 8) == 0)
        len = max;
    if (rich && len == 0)
        len = 1;
    data = dynkv_arena_alloc(arena, len);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)dynkv_random_next(random);
    return dynkv_slice(data, len);
}

static void random_list(const struct dynkv_field *field, struct dynkv_random *random, bool rich,
                        struct dynkv_arena *arena, uint8_t *target)
{
    uint32_t count = (uint32_t)dynkv_random_below(random, field->max < 3 ? field->max + 1 : 4);
    uint8_t *items;

    if (rich && count == 0)
        count = 1;
    items = dynkv_arena_calloc(arena, count, field->item->size);
    for (uint32_t i = 0; i < count; i++)
        random_body(field->item, random, rich, arena, items + i * field->item->size);
    memcpy(target + field->offset, &items, sizeof items);
    memcpy(target + field->count_offset, &count, sizeof count);
}

void random_body(const struct dynkv_layout *layout, struct dynkv_random *random, bool rich,
                 struct dynkv_arena *arena, void *target)
{
    uint8_t *at = target;

    memset(target, 0, layout->size);
    for (uint32_t i = 0; i < layout->field_count; i++) {
        const struct dynkv_field *field = &layout->fields[i];
        struct dynkv_slice bytes;
        uint64_t wide;
        uint32_t narrow;

        switch (field->kind) {
        case DYNKV_FIELD_U8:
            at[field->offset] = (uint8_t)random_number(random, UINT8_MAX);
            break;
        case DYNKV_FIELD_U32:
            narrow = (uint32_t)random_number(random, UINT32_MAX);
            memcpy(at + field->offset, &narrow, sizeof narrow);
            break;
        case DYNKV_FIELD_U64:
        case DYNKV_FIELD_FIXED64:
            wide = random_number(random, UINT64_MAX);
            memcpy(at + field->offset, &wide, sizeof wide);
            break;
        case DYNKV_FIELD_BYTES:
            bytes = random_bytes(field->max, random, rich, arena);
            memcpy(at + field->offset, &bytes, sizeof bytes);
            break;
        case DYNKV_FIELD_LIST:
            random_list(field, random, rich, arena, at);
            break;
        }
    }
}

struct dynkv_envelope random_envelope(uint8_t type, struct dynkv_random *random)
{
    return (struct dynkv_envelope){
        .protocol = DYNKV_PROTOCOL_VERSION,
        .type = type,
        .request_id = random_number(random, UINT64_MAX),
        .timestamp = random_number(random, UINT64_MAX),
        .sender = random_number(random, UINT64_MAX),
        .ring_version = random_number(random, UINT64_MAX),
        .deadline_ms = (uint32_t)random_number(random, UINT32_MAX),
    };
}

static bool lists_equal(const struct dynkv_field *field, const uint8_t *a, const uint8_t *b)
{
    const uint8_t *items_a, *items_b;
    uint32_t count_a, count_b;

    memcpy(&items_a, a + field->offset, sizeof items_a);
    memcpy(&items_b, b + field->offset, sizeof items_b);
    memcpy(&count_a, a + field->count_offset, sizeof count_a);
    memcpy(&count_b, b + field->count_offset, sizeof count_b);
    if (count_a != count_b)
        return false;
    for (uint32_t i = 0; i < count_a; i++)
        if (!bodies_equal(field->item, items_a + i * field->item->size,
                          items_b + i * field->item->size))
            return false;
    return true;
}

static bool slices_equal(const uint8_t *a, const uint8_t *b)
{
    struct dynkv_slice slice_a, slice_b;

    memcpy(&slice_a, a, sizeof slice_a);
    memcpy(&slice_b, b, sizeof slice_b);
    return dynkv_slice_equal(slice_a, slice_b);
}

static bool fields_equal(const struct dynkv_field *field, const uint8_t *a, const uint8_t *b)
{
    switch (field->kind) {
    case DYNKV_FIELD_U8:
        return a[field->offset] == b[field->offset];
    case DYNKV_FIELD_U32:
        return memcmp(a + field->offset, b + field->offset, sizeof(uint32_t)) == 0;
    case DYNKV_FIELD_U64:
    case DYNKV_FIELD_FIXED64:
        return memcmp(a + field->offset, b + field->offset, sizeof(uint64_t)) == 0;
    case DYNKV_FIELD_BYTES:
        return slices_equal(a + field->offset, b + field->offset);
    case DYNKV_FIELD_LIST:
        return lists_equal(field, a, b);
    }
    return false;
}

bool bodies_equal(const struct dynkv_layout *layout, const void *a, const void *b)
{
    for (uint32_t i = 0; i < layout->field_count; i++)
        if (!fields_equal(&layout->fields[i], a, b))
            return false;
    return true;
}
