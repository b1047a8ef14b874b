/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Who we are and who the server is: the bot's own certificate, and the certificates that servers
 * showed at the first visit.  [main] */
#pragma once

#include <gio/gio.h>

/* mumble_identity_load: the certificate with its key in the file PATH.  It is made if there is no
 * such file, readable by its owner only; a file that others can read is refused. Returns: (transfer
 * full): NULL with ERROR. */
GTlsCertificate *mumble_identity_load (const char *path, const char *name, GError **error);

/* mumble_identity_digest: (transfer full): of the certificate's DER form, in hex. */
char *mumble_identity_digest (GTlsCertificate *certificate, GChecksumType type);

/* mumble_known_get: *DIGEST (out) (transfer full) (nullable): the SHA-256 that SERVER ("host port")
 * showed when it was first visited, from the file beside the certificate at PATH.  Returns: FALSE
 * with ERROR if that file cannot be read: what is known is then not known to be nothing. */
gboolean mumble_known_get (const char *path, const char *server, char **digest, GError **error);
gboolean
mumble_known_set (const char *path, const char *server, const char *digest, GError **error);
/* mumble_known_file: (transfer full): where they are. */
char *mumble_known_file (const char *path);
