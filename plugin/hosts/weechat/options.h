/* SPDX-License-Identifier: GPL-3.0-or-later
 * encore.conf: our options and, in its section [encore], those of the plugin.
 *
 * Threads: all of [main], the thread of WeeChat, but options_get_plugin() and
 * options_get_plugin_key(), which any thread may call. */
#pragma once

#include <glib.h>

typedef struct Options Options;

/* options_new: makes or reads the file.  CHANGED(DATA) is called on each change of a plugin's
 * option, not while the file is read.  NULL if WeeChat refuses it. */
Options *options_new (void (*changed) (gpointer data), gpointer data);
/* Writes the file. */
void options_free (Options *self);

/* Our own, as they are now.  Strings: (transfer none), until the next change. */
const char *options_get_module (const Options *self);
const char *options_get_prefix (const Options *self);
const char *options_get_channels (const Options *self);
guint options_get_rate_per_minute (const Options *self);
guint options_get_burst (const Options *self);
guint options_get_line_interval_ms (const Options *self);
guint options_get_max_lines (const Options *self);
gboolean options_get_debug (const Options *self);
const char *options_get_admins (const Options *self);
const char *options_get_admin_accounts (const Options *self);
const char *options_get_djs (const Options *self);
const char *options_get_dj_accounts (const Options *self);
gboolean options_get_ops_are_djs (const Options *self);
const char *options_get_voice_url (const Options *self);
const char *options_get_voice_public_url (const Options *self);
const char *options_get_voice_user (const Options *self);
/* options_get_voice_password: with ${sec.data.NAME} replaced.  (transfer full) */
char *options_get_voice_password (const Options *self);
const char *options_get_voice_name (const Options *self);
const char *options_get_voice_status_dir (const Options *self);
gboolean options_get_voice_chain (const Options *self);

/* The plugin's.  NULL if it is not set.  (transfer full) */
char *options_get_plugin (Options *self, const char *key);
char *options_get_plugin_key (Options *self, guint index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Options, options_free)
