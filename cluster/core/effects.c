/* effects.c: the growing lists of effects; arrays and arena are kept between flushes. */
#include "core/effects.h"

#include <stdlib.h>

#define EFFECTS_FIRST_CAP 64u

/* Each list doubles; a flush is bounded by what one drain of the driver's queue can ask for. */
#define DYNKV_EFFECT_ADD(name, plural)                                                         \
    struct dynkv_effect_##name *dynkv_effects_add_##name(struct dynkv_effects *effects)        \
    {                                                                                          \
        if (effects->name##_count == effects->name##_cap) {                                    \
            effects->name##_cap =                                                              \
                effects->name##_cap ? effects->name##_cap * 2 : EFFECTS_FIRST_CAP;             \
            effects->plural =                                                                  \
                dynkv_realloc(effects->plural, effects->name##_cap * sizeof *effects->plural); \
        }                                                                                      \
        effects->plural[effects->name##_count] = (struct dynkv_effect_##name){0};              \
        return &effects->plural[effects->name##_count++];                                      \
    }
DYNKV_EFFECTS(DYNKV_EFFECT_ADD)
#undef DYNKV_EFFECT_ADD

void dynkv_effects_reset(struct dynkv_effects *effects)
{
#define DYNKV_EFFECT_RESET(name, plural) effects->name##_count = 0;
    DYNKV_EFFECTS(DYNKV_EFFECT_RESET)
#undef DYNKV_EFFECT_RESET
    dynkv_arena_reset(&effects->arena);
}

void dynkv_effects_fini(struct dynkv_effects *effects)
{
#define DYNKV_EFFECT_FREE(name, plural) free(effects->plural);
    DYNKV_EFFECTS(DYNKV_EFFECT_FREE)
#undef DYNKV_EFFECT_FREE
    dynkv_arena_fini(&effects->arena);
    *effects = (struct dynkv_effects){0};
}
