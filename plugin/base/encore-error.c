/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The table behind encore-error.h. */
#include "config.h"
#include "base/encore-error.h"

#include <string.h>

#define MINUTE 60
#define DAY (24 * 60 * MINUTE)

static const struct {
  const char *name;
  guint retry_after_s;
} codes[ENCORE_ERROR_N_CODES] = {
    [ENCORE_ERROR_FAILED] = {"failed", 30},
    [ENCORE_ERROR_BAD_ID] = {"bad-id", 0},
    [ENCORE_ERROR_NOT_FOUND] = {"not-found", 0},
    [ENCORE_ERROR_CANCELLED] = {"cancelled", 0},
    [ENCORE_ERROR_BUSY] = {"busy", 0},
    [ENCORE_ERROR_DEADLINE] = {"deadline", 30},
    [ENCORE_ERROR_STORE] = {"store", 0},
    [ENCORE_ERROR_NO_SPACE] = {"no-space", 0},
    [ENCORE_ERROR_CORRUPT] = {"corrupt", 30},
    [ENCORE_ERROR_NO_DECODER] = {"no-decoder", 0},
    [ENCORE_ERROR_NO_PROGRAM] = {"no-program", 0},
    [ENCORE_ERROR_CONFIG] = {"config", 0},
    [ENCORE_ERROR_PRIVATE] = {"private", 7 * DAY},
    [ENCORE_ERROR_GONE] = {"gone", 7 * DAY},
    [ENCORE_ERROR_AGE] = {"age", DAY},
    [ENCORE_ERROR_GEO] = {"geo", DAY},
    [ENCORE_ERROR_THROTTLED] = {"throttled", 10 * MINUTE},
    [ENCORE_ERROR_UPCOMING] = {"upcoming", 10 * MINUTE},
    [ENCORE_ERROR_LIVE] = {"live", 10 * MINUTE},
    [ENCORE_ERROR_TOO_LONG] = {"too-long", 0},
    [ENCORE_ERROR_TOO_BIG] = {"too-big", 0},
    [ENCORE_ERROR_DRM] = {"drm", 7 * DAY},
    [ENCORE_ERROR_NO_AUDIO] = {"no-audio", 10 * MINUTE},
    [ENCORE_ERROR_FORBIDDEN] = {"forbidden", 30},
    [ENCORE_ERROR_NETWORK] = {"network", 30},
};

G_DEFINE_QUARK (encore - error - quark, encore_error)

const char *
encore_error_name (int code)
{
  if (code < 0 || code >= ENCORE_ERROR_N_CODES)
    code = ENCORE_ERROR_FAILED;
  return codes[code].name;
}

EncoreError
encore_error_from_name (const char *name)
{
  for (int i = 0; i < ENCORE_ERROR_N_CODES; i++)
    if (strcmp (codes[i].name, name) == 0)
      return i;
  return ENCORE_ERROR_FAILED;
}

guint
encore_error_retry_after_s (int code)
{
  if (code < 0 || code >= ENCORE_ERROR_N_CODES)
    code = ENCORE_ERROR_FAILED;
  return codes[code].retry_after_s;
}
