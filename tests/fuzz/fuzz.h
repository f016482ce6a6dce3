/*
 * fuzz.h: what every fuzz target is: one function that takes any bytes and must not mind them.
 *
 * A target aborts (DYNKV_ASSERT) when what it was given breaks a promise of the code under test; the
 * sanitizers see the rest.
 */
#ifndef DYNKV_TESTS_FUZZ_H
#define DYNKV_TESTS_FUZZ_H

#include "base/assert.h"
#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
