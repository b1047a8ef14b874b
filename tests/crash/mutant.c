/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The step that this process leaves out: ENCORE_MUTANT. */
#include "config.h"

#ifndef ENCORE_MUTANTS
#define ENCORE_MUTANTS
#endif
#include "store/encore-mutant.h"

#include <stdlib.h>
#include <string.h>

gboolean
encore_mutant (const char *name)
{
  const char *chosen = getenv ("ENCORE_MUTANT");

  return chosen != NULL && strcmp (chosen, name) == 0;
}
