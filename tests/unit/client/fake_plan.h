/* fake_plan.h: what a fake node answers to CLUSTER_CHANGE: as if what was asked for had been staged. */
#ifndef DYNKV_TESTS_CLIENT_FAKE_PLAN_H
#define DYNKV_TESTS_CLIENT_FAKE_PLAN_H

#include "wire/message.h"

/* In the arena: one entry, whose kind is the number of the action. */
void fake_fill_plan(const struct dynkv_cluster_change *change, struct dynkv_arena *arena,
                    struct dynkv_cluster_plan *out);

#endif
