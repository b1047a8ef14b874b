/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the programs of libFuzzer share.  Each reads texts or bytes of others, and asserts what must
 * hold of the result whatever they are. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* g_assert() is for tests: this one ends the program wherever it is used. */
#define MUST(condition) \
  do { \
    if (!(condition)) \
      abort (); \
  } while (0)
