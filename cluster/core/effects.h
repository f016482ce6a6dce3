/*
 * effects.h: appending to the lists of effects (inside the core only).
 *
 * Slices are copied into the effects' arena, so callers may pass anything that lives now.
 */
#ifndef DYNKV_CORE_EFFECTS_H
#define DYNKV_CORE_EFFECTS_H

#include "core/node.h"

#define DYNKV_EFFECT_ADD(name, plural) \
    struct dynkv_effect_##name *dynkv_effects_add_##name(struct dynkv_effects *effects);
DYNKV_EFFECTS(DYNKV_EFFECT_ADD)
#undef DYNKV_EFFECT_ADD

#endif
