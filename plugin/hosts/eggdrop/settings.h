/* SPDX-License-Identifier: GPL-3.0-or-later
 * The file that eggdrop's setting encore-config names: [eggdrop] is ours, [encore] the plugin's.
 * What is asked of it is in hosts/weechat/options.h.
 *
 * Threads: it never changes once it is read, so any. */
#pragma once

#include "hosts/weechat/options.h"

/* settings_read: Errors: a sentence.  (transfer full) */
Options *settings_read (const char *path, GError **error);
