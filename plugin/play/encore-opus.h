/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The encoder that rooms use where packets cannot pass as they are. */
#pragma once

#include <glib.h>
#include <opus.h>

#include "base/encore-error.h"

G_BEGIN_DECLS

/* encore_opus_encoder_new: 48 kHz stereo.  *LOOKAHEAD (out): samples that it is late.
 * Returns: (transfer full) of opus_encoder_destroy(); NULL with ERROR: FAILED. */
OpusEncoder *encore_opus_encoder_new (gsize *lookahead, GError **error);
/* encore_opus_encoder_limit: to MAX_BPS bit/s, 0: its own idea.  Networks that drop what is over
 * their limit ask for every packet to be within it, so a low one is a constant bitrate. */
void encore_opus_encoder_limit (OpusEncoder *self, guint max_bps);
/* Returns: (transfer full) of opus_decoder_destroy(); NULL with ERROR: FAILED. */
OpusDecoder *encore_opus_decoder_new (GError **error);

G_END_DECLS
