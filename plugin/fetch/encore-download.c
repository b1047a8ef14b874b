/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Which way the bytes come. */
#include "config.h"
#include "fetch/encore-download.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-clean.h"
#include "base/encore-weblink.h"
#include "fetch/encore-address.h"
#include "fetch/encore-partial.h"
#include "fetch/encore-ytdlp.h"

#define TITLE_MAX 200
#define RESOLVES \
  2 /* an address may have expired; a second one that is refused will not get better */

void
encore_download_clear (EncoreDownload *self)
{
  g_clear_pointer (&self->title, g_free);
  g_clear_pointer (&self->artist, g_free);
  g_clear_pointer (&self->url, g_free);
  g_clear_pointer (&self->live_status, g_free);
  g_clear_pointer (&self->growing, g_free);
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

static int
open_file (const char *path, GError **error)
{
  const int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

  if (fd < 0)
    g_set_error (error, ENCORE_ERROR, errno == ENOSPC ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
                 "cannot make %s: %s", path, g_strerror (errno));
  return fd;
}

/* *RESUMED: bytes that were there before. */
static gboolean
download_to (const EncoreDownloadSpec *spec, const char *path, EncoreDownload *out, gint64 *resumed,
             GError **error)
{
  EncoreHttpSpec http = {.media = &out->media,
                         .fd = open_file (path, error),
                         .deadline_us = spec->deadline_us,
                         .cancellable = spec->cancellable,
                         .func = on_bytes,
                         .open_ended = &out->is_open_ended,
                         .data = out};

  if (http.fd < 0)
    return FALSE;
  *resumed = lseek (http.fd, 0, SEEK_END);
  g_free (out->growing);
  out->growing = g_strdup (path);
  const gboolean ok = encore_http_download (spec->http, &http, error);
  g_clear_pointer (&out->growing, g_free);
  close (http.fd);
  return ok;
}

static gboolean
is_corrupt (const GError *error)
{
  return g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT);
}

/* To PATH, and once more from the beginning if what was there before is of another file. */
static gboolean
download_or_resume (const EncoreDownloadSpec *spec, const char *path, EncoreDownload *out,
                    GError **error)
{
  g_autofree char *text = encore_media_id_to_text (spec->id);
  g_autoptr (GError) local = NULL;
  gint64 resumed = 0;

  gboolean ok = download_to (spec, path, out, &resumed, &local);
  if (resumed > 0)
    g_info ("fetch: %s: %" G_GINT64_FORMAT " bytes were there already%s", text, resumed,
            is_corrupt (local) ? ", but they are of another file" : "");
  if (resumed > 0 && is_corrupt (local)) {
    g_clear_error (&local);
    unlink (path);
    ok = download_to (spec, path, out, &resumed, &local);
  }
  if (local != NULL && !encore_partial_is_worth (path, local->code))
    unlink (path);
  if (local != NULL)
    g_propagate_error (error, g_steal_pointer (&local));
  return ok;
}

gboolean
encore_download_by_http (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error)
{
  g_autofree char *name = g_strconcat ("media.", out->media.ext, NULL);
  g_autofree char *path = g_build_filename (spec->dir, name, NULL);
  g_autofree char *partial = spec->partial_dir != NULL
                                 ? encore_partial_path (spec->partial_dir, spec->id, &out->media)
                                 : NULL;

  if (!download_or_resume (spec, partial != NULL ? partial : path, out, error)) {
    unlink (path);
    return FALSE;
  }
  if (partial != NULL && rename (partial, path) < 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "cannot rename %s to %s: %s", partial,
                 path, g_strerror (errno));
    return FALSE;
  }
  out->file = g_steal_pointer (&name);
  return TRUE;
}

gboolean
encore_download_is_direct (const EncoreMediaId *id)
{
  return strcmp (id->source, ENCORE_SOURCE_HTTP) == 0;
}

/* A sound file on the web has no other name than its own. */
static char *
make_title (const char *url)
{
  g_autofree char *path = g_strndup (url, strcspn (url, "?#"));
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *plain = g_uri_unescape_string (name, NULL);
  char *dot = strrchr (plain != NULL ? plain : name, '.');

  if (dot != NULL && encore_weblink_is_audio (url))
    *dot = '\0';
  return encore_clean (plain != NULL ? plain : name, TITLE_MAX);
}

static gboolean
download_direct (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error)
{
  out->id = *spec->id;
  out->has_meta = TRUE;
  out->meta_us = g_get_monotonic_time ();
  out->title = make_title (spec->url);
  out->artist = g_strdup ("");
  out->url = g_strdup (spec->url);
  out->media = (EncoreMedia){.plain = TRUE,
                             .url = g_strdup (spec->url),
                             .format_id = g_strdup ("file"),
                             .ext = g_strdup ("bin")};
  if (out->changed != NULL)
    out->changed (out->data);
  return encore_download_by_http (spec, out, error);
}

/* yt-dlp takes pages of some systems at any host, also of our own network, and it is yt-dlp that
 * asks there.  What such a page leads to is beyond us.  A name that is not known it may find out
 * itself. */
static gboolean
is_allowed (const EncoreDownloadSpec *spec, GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (spec->url, G_URI_FLAGS_NONE, NULL);
  g_autoptr (GResolver) resolver = g_resolver_get_default ();
  struct sockaddr_storage native;
  gboolean ok = TRUE;

  if (spec->config->allow_private || *spec->config->proxy != '\0' || uri == NULL)
    return TRUE;
  GList *addresses =
      g_resolver_lookup_by_name (resolver, g_uri_get_host (uri), spec->cancellable, NULL);
  for (GList *link = addresses; link != NULL && ok; link = link->next) {
    g_autoptr (GSocketAddress) address = g_inet_socket_address_new (link->data, 0);
    ok = g_socket_address_to_native (address, &native, sizeof native, NULL) &&
         encore_address_is_public ((struct sockaddr *) &native);
  }
  g_resolver_free_addresses (addresses);
  if (!ok)
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_FAILED,
                 "refused to connect to %s: it is no public address", g_uri_get_host (uri));
  return ok;
}

/* By whichever way. */
static gboolean
download_any (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error)
{
  g_autofree char *text = encore_media_id_to_text (spec->id);

  g_autofree char *known = encore_media_id_to_url (spec->id);
  if (known == NULL && spec->url == NULL) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND,
                 "the address of %s is not known any more: its link must be given again", text);
    return FALSE;
  }
  if (encore_download_is_direct (spec->id))
    return download_direct (spec, out, error);
  if (spec->url != NULL && !is_allowed (spec, error))
    return FALSE;
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
  if (!encore_download_by_ytdlp (spec, out, error))
    return FALSE;
  if (spec->partial_dir != NULL)
    encore_partial_drop (spec->partial_dir, spec->id);
  return TRUE;
}

gboolean
encore_download_run (const EncoreDownloadSpec *spec, EncoreDownload *out, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (download_any (spec, out, &local))
    return TRUE;
  /* whoever gives the link of a server of his own must not make us leave YouTube alone */
  if (spec->url != NULL && g_error_matches (local, ENCORE_ERROR, ENCORE_ERROR_THROTTLED))
    local->code = ENCORE_ERROR_FORBIDDEN;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}
