/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"
#include "play/encore-opus.h"

#include "base/encore-ogg.h"

#define CHANNELS 2
#define COMPLEXITY 5
#define BITRATE_BPS 128000
#define ROOMY_BPS 160000 /* from here on the encoder's own idea fits, also where it is loud */

static gboolean
check (int code, GError **error)
{
  if (code != OPUS_OK)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "opus: %s", opus_strerror (code));
  return code == OPUS_OK;
}

OpusDecoder *
encore_opus_decoder_new (GError **error)
{
  int code = OPUS_OK;
  OpusDecoder *self = opus_decoder_create (ENCORE_OPUS_RATE_HZ, CHANNELS, &code);

  return check (code, error) ? self : NULL;
}

void
encore_opus_encoder_limit (OpusEncoder *self, guint max_bps)
{
  const gboolean tight = max_bps != 0 && max_bps < ROOMY_BPS;

  opus_encoder_ctl (self, OPUS_SET_BITRATE (tight ? max_bps : BITRATE_BPS));
  opus_encoder_ctl (self, OPUS_SET_VBR (!tight));
}

OpusEncoder *
encore_opus_encoder_new (gsize *lookahead, GError **error)
{
  int code = OPUS_OK;
  opus_int32 samples = 0;
  OpusEncoder *self =
      opus_encoder_create (ENCORE_OPUS_RATE_HZ, CHANNELS, OPUS_APPLICATION_AUDIO, &code);

  if (!check (code, error))
    return NULL;
  encore_opus_encoder_limit (self, 0);
  opus_encoder_ctl (self, OPUS_SET_COMPLEXITY (COMPLEXITY));
  opus_encoder_ctl (self, OPUS_GET_LOOKAHEAD (&samples));
  *lookahead = samples;
  return self;
}
