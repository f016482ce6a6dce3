/* fake_put.h: what a fake node answers to PUT: that all is written, unless a value says otherwise (fake.h). */
#ifndef DYNKV_TESTS_CLIENT_FAKE_PUT_H
#define DYNKV_TESTS_CLIENT_FAKE_PUT_H

#include "wire/message.h"

/* In the arena; actor: of all dots. */
void fake_fill_put(uint64_t actor, const struct dynkv_put *put, struct dynkv_arena *arena,
                   struct dynkv_put_reply *out);

#endif
