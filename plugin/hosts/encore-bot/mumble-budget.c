/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "mumble-budget.h"

#define WINDOW_US (120 * G_USEC_PER_SEC)
#define BAN_US (300 * G_USEC_PER_SEC)
#define CUTS_OF_A_BAN 3

gint64
mumble_budget_take (MumbleBudget *self, gint64 now_us)
{
  gint64 *oldest = &self->at_us[self->next % MUMBLE_BUDGET_ATTEMPTS];

  if (now_us < self->closed_until_us)
    return self->closed_until_us - now_us;
  if (*oldest != 0 && now_us - *oldest < WINDOW_US)
    return *oldest + WINDOW_US - now_us;
  *oldest = now_us;
  self->next++;
  return 0;
}

void
mumble_budget_give_back (MumbleBudget *self)
{
  if (self->next == 0)
    return;
  self->next--;
  self->at_us[self->next % MUMBLE_BUDGET_ATTEMPTS] = 0;
}

gboolean
mumble_budget_note (MumbleBudget *self, gboolean cut, gint64 now_us)
{
  self->cut = cut ? self->cut + 1 : 0;
  if (self->cut < CUTS_OF_A_BAN)
    return FALSE;
  self->cut = 0;
  self->closed_until_us = now_us + BAN_US;
  return TRUE;
}
