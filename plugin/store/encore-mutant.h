/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Steps that the crash harness can leave out, one at a time, to show that it would notice
 * (tests/crash/test-mutant.sh).  In the product this is the constant FALSE. */
#pragma once

#include <glib.h>

#ifdef ENCORE_MUTANTS
gboolean encore_mutant (const char *name);
#else
#define encore_mutant(name) FALSE
#endif
