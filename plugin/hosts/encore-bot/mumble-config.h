/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The section [mumble] of the configuration. */
#pragma once

#include <gio/gio.h>

typedef enum { MUMBLE_VERIFY_PIN, MUMBLE_VERIFY_CA, MUMBLE_VERIFY_OFF } MumbleVerify;

typedef struct {
  char *host;
  guint16 port;
  char *user, *password;
  char *certificate; /* path */
  MumbleVerify verify;
  char *fingerprint; /* (nullable) 64 hex digits, lower case */
  char **channels;   /* paths, at least one; "" is the root */
  char **tokens;     /* never NULL */
  guint bitrate_bps; /* 0: what the server allows */
  char **admins;     /* never NULL: "cert:HEX", "user:N", "group:NAME" */
  char **djs;        /* (nullable): everybody */
  gboolean pause_alone;
  gboolean comment;
  guint return_after_s; /* after a kick; 0: stay away */
} MumbleConfig;

/* mumble_config_new: NULL with ERROR naming key, value and what it may be. */
MumbleConfig *mumble_config_new (GKeyFile *file, GError **error);
/* mumble_config_live: keys that mumble_config_take_live() takes. */
extern const char *const mumble_config_live[];
/* mumble_config_take_live: what may change in a running bot, from FROM, which is left with the old.
 */
void mumble_config_take_live (MumbleConfig *self, MumbleConfig *from);
void mumble_config_free (MumbleConfig *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MumbleConfig, mumble_config_free)
