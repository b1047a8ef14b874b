/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Which way the bytes come. */
#include "config.h"
#include "fetch/encore-download.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fetch/encore-ytdlp.h"

#define RESOLVES \
  2 /* an address may have expired; a second one that is refused will not get better */

void
encore_download_clear (EncoreDownload *self)
{
  g_clear_pointer (&self->title, g_free);
  g_clear_pointer (&self->artist, g_free);
  g_clear_pointer (&self->live_status, g_free);
  g_clear_pointer (&self->file, g_free);
  encore_media_clear (&self->media);
}

static void
on_bytes (gint64 at, gint64 total, gpointer data)
{
  EncoreDownload *out = data;

  out->done_bytes = at;
  out->total_bytes = total;
  if (out->changed != NULL)
    out->changed (out->data);
}

gboolean
encore_download_by_http (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error)
{
  g_autofree char *name = g_strconcat ("media.", out->media.ext, NULL);
  g_autofree char *path = g_build_filename (spec->dir, name, NULL);
  EncoreHttpSpec http = {.media = &out->media,
                         .deadline_us = spec->deadline_us,
                         .cancellable = spec->cancellable,
                         .func = on_bytes,
                         .data = out};

  http.fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (http.fd < 0) {
    g_set_error (error, ENCORE_ERROR, errno == ENOSPC ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
                 "cannot make %s: %s", path, g_strerror (errno));
    return FALSE;
  }
  const gboolean ok = encore_http_download (spec->http, &http, error);
  close (http.fd);
  if (ok)
    out->file = g_steal_pointer (&name);
  else
    unlink (path);
  return ok;
}

gboolean
encore_download_run (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error)
{
  g_autofree char *text = encore_media_id_to_text (spec->id);

  for (int i = 0; i < RESOLVES && spec->config->download == ENCORE_DOWNLOAD_AUTO; i++) {
    g_autoptr (GError) local = NULL;
    if (!encore_ytdlp_resolve (spec, out, error))
      return FALSE;
    if (!out->media.plain) {
      g_info ("fetch: %s is not one file over HTTP: yt-dlp downloads it", text);
      break;
    }
    if (encore_download_by_http (spec, out, &local))
      return TRUE;
    if (!g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_FORBIDDEN)) {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
    g_info ("fetch: %s: %s; %s", text, local->message,
            i + 1 < RESOLVES ? "asking for another address" : "yt-dlp tries itself");
  }
  return encore_download_by_ytdlp (spec, out, error);
}
