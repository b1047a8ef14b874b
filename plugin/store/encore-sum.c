/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Checksums of files. */
#include "config.h"
#include "store/encore-sum.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <unistd.h>

#define BUF_BYTES (64 * 1024) /* on the heap once a file; larger is not faster */

static char *
to_hex (const guint8 *bytes, gsize len)
{
  GString *text = g_string_sized_new (2 * len);

  for (gsize i = 0; i < len; i++)
    g_string_append_printf (text, "%02x", bytes[i]);
  return g_string_free (text, FALSE);
}

char *
encore_sum_file (int fd, GError **error)
{
  struct sha256_ctx context;
  guint8 digest[SHA256_DIGEST_SIZE];
  g_autofree guint8 *buf = g_malloc (BUF_BYTES);
  gint64 offset = 0;
  gssize n;

  sha256_init (&context);
  while ((n = pread (fd, buf, BUF_BYTES, offset)) > 0) {
    sha256_update (&context, n, buf);
    offset += n;
  }
  if (n < 0) {
    const int saved = errno;
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "the file cannot be read: %s",
                 g_strerror (saved));
    errno = saved;
    return NULL;
  }
  sha256_digest (&context, sizeof digest, digest);
  return to_hex (digest, sizeof digest);
}
