/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Two growing files: the download as it comes, and what is made of it. */
#include "config.h"
#include "fetch/encore-early.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "sound/encore-encode.h"
#include "sound/encore-remux.h"

/* Of a stream; a room that was paused for longer goes on with what there is. */
#define KEEP_SOURCE_BYTES (4 * 1024 * 1024)
#define KEEP_OGG_BYTES (64 * 1024 * 1024)
#define FORGET_BYTES (1024 * 1024) /* not for every page */

struct EncoreEarly { /* g_atomic_rc_box: the job has it, and the worker */
  EncoreReader *source, *ogg;
  int bitrate_bps;
  gboolean is_stream;
  gint64 source_bytes; /* job only: the most that was there */
  gint64 ogg_bytes;    /* worker only */
};

static void
early_clear (gpointer data)
{
  EncoreEarly *self = data;

  encore_reader_unref (self->source);
  encore_reader_unref (self->ogg);
}

static void
early_unref (EncoreEarly *self)
{
  g_atomic_rc_box_release_full (self, early_clear);
}

static void
close_fd (gpointer fd)
{
  close (GPOINTER_TO_INT (fd));
}

/* A file in DIR that has no name. */
static int
open_nameless (const char *dir)
{
  int fd = open (dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
    return fd;
  g_autofree char *path = g_build_filename (dir, "early-XXXXXX", NULL);
  fd = g_mkstemp_full (path, O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0)
    unlink (path);
  return fd;
}

/* @source: (transfer full): a descriptor; -1 with errno. */
static EncoreEarly *
early_new (GThreadPool *pool, int source, gboolean is_stream, const char *dir, int bitrate_bps,
           GError **error)
{
  const int ogg = source >= 0 ? open_nameless (dir) : -1;

  if (ogg < 0) {
    g_set_error (error, ENCORE_ERROR, errno == ENOSPC ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE,
                 "cannot be heard early: %s", g_strerror (errno));
    if (source >= 0)
      close (source);
    return NULL;
  }
  EncoreEarly *self = g_atomic_rc_box_new0 (EncoreEarly);
  self->source = encore_reader_new_growing (source, close_fd, GINT_TO_POINTER (source));
  self->ogg = encore_reader_new_growing (ogg, close_fd, GINT_TO_POINTER (ogg));
  self->bitrate_bps = bitrate_bps;
  self->is_stream = is_stream;
  g_thread_pool_push (pool, g_atomic_rc_box_acquire (self), NULL);
  return self;
}

EncoreEarly *
encore_early_new (GThreadPool *pool, const char *path, const char *dir, int bitrate_bps,
                  GError **error)
{
  return early_new (pool, open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), FALSE, dir, bitrate_bps,
                    error);
}

EncoreEarly *
encore_early_new_stream (GThreadPool *pool, const char *dir, int bitrate_bps, GError **error)
{
  return early_new (pool, open_nameless (dir), TRUE, dir, bitrate_bps, error);
}

EncoreReader *
encore_early_get_reader (EncoreEarly *self)
{
  return self->ogg;
}

/* ---- files */

/* What lies more than KEEP bytes before BYTES, which is where FD ends, is given back.  (Where the
 * file system cannot do that the stream takes its room until it ends.) */
static void
forget (int fd, gint64 before_bytes, gint64 bytes, gint64 keep_bytes)
{
  if (bytes / FORGET_BYTES > before_bytes / FORGET_BYTES && bytes > keep_bytes)
    fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, bytes - keep_bytes);
}

static gboolean
write_at (int fd, const guint8 *bytes, gsize len, gint64 at, GError **error)
{
  for (gsize done = 0; done < len;) {
    const gssize n = pwrite (fd, bytes + done, len - done, at + done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      g_set_error (error, ENCORE_ERROR,
                   errno == ENOSPC ? ENCORE_ERROR_NO_SPACE : ENCORE_ERROR_STORE, "cannot write: %s",
                   g_strerror (errno));
      return FALSE;
    }
    done += n;
  }
  return TRUE;
}

/* ---- the job */

void
encore_early_fail (EncoreEarly *self, const GError *error)
{
  encore_reader_fail (self->source, error);
}

/* Is the file at PATH the one we read? */
static gboolean
is_ours (EncoreEarly *self, const char *path)
{
  struct stat ours, theirs;

  return fstat (encore_reader_get_fd (self->source), &ours) == 0 && stat (path, &theirs) == 0 &&
         ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

static void
check_ours (EncoreEarly *self, const char *path)
{
  g_autoptr (GError) error = NULL;

  if (is_ours (self, path))
    return;
  error = g_error_new_literal (ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "the download began again");
  encore_early_fail (self, error);
}

void
encore_early_advance (EncoreEarly *self, const char *path, gint64 bytes)
{
  if (bytes < self->source_bytes) /* from the beginning */
    check_ours (self, path);
  self->source_bytes = bytes;
  encore_reader_advance (self->source, bytes, 0);
}

gboolean
encore_early_append (EncoreEarly *self, const guint8 *bytes, gsize len, GError **error)
{
  const int fd = encore_reader_get_fd (self->source);

  if (!write_at (fd, bytes, len, self->source_bytes, error))
    return FALSE;
  forget (fd, self->source_bytes, self->source_bytes + len, KEEP_SOURCE_BYTES);
  self->source_bytes += len;
  encore_reader_advance (self->source, self->source_bytes, 0);
  return TRUE;
}

void
encore_early_complete (EncoreEarly *self, const char *path)
{
  struct stat st;

  if (path != NULL)
    check_ours (self, path);
  if (fstat (encore_reader_get_fd (self->source), &st) == 0)
    encore_reader_advance (self->source, st.st_size, 0);
  encore_reader_complete (self->source);
}

void
encore_early_free (EncoreEarly *self)
{
  g_autoptr (GError) error = NULL;
  gboolean complete;

  if (self == NULL)
    return;
  encore_reader_get_size (self->source, &complete);
  if (!complete) {
    error = g_error_new_literal (ENCORE_ERROR, ENCORE_ERROR_CANCELLED, "the download was given up");
    encore_early_fail (self, error);
  }
  early_unref (self);
}

/* ---- the worker */

/* Samples at the end of PAGE; it is ours, so it is one (RFC 3533, section 6). */
static gint64
get_end_ns (const guint8 *page)
{
  guint64 granule;

  memcpy (&granule, page + 6, sizeof granule);
  return GUINT64_FROM_LE (granule) / ENCORE_PACKET_SAMPLES * ENCORE_PACKET_NS;
}

static gboolean
write_page (const guint8 *page, gsize len, gpointer data, GError **error)
{
  EncoreEarly *self = data;

  const int fd = encore_reader_get_fd (self->ogg);

  if (!write_at (fd, page, len, self->ogg_bytes, error))
    return FALSE;
  if (self->is_stream)
    forget (fd, self->ogg_bytes, self->ogg_bytes + len, KEEP_OGG_BYTES);
  self->ogg_bytes += len;
  encore_reader_advance (self->ogg, self->ogg_bytes, get_end_ns (page));
  return TRUE;
}

static EncoreRemuxResult
keep_packets (EncoreEarly *self, GCancellable *closing, GError **error)
{
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (write_page, self);
  const char *const none[] = {NULL};
  const EncoreRemuxSpec spec = {.growing = self->source};
  const char *why = NULL;
  guint max_packet_bytes;

  const EncoreRemuxResult result =
      encore_remux (NULL, &spec, writer, none, closing, &max_packet_bytes, &why, error);
  if (result != ENCORE_REMUX_UNFIT || self->ogg_bytes == 0)
    return result;
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT, "not from here on: %s", why);
  return ENCORE_REMUX_FAILED;
}

static gboolean
encode (EncoreEarly *self, GCancellable *closing, GError **error)
{
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (write_page, self);
  const char *const none[] = {NULL};
  const EncoreEncodeSpec spec = {.bitrate_bps = self->bitrate_bps, .growing = self->source};
  EncoreEncoded encoded;

  return encore_encode (NULL, &spec, writer, none, closing, &encoded, error);
}

void
encore_early_run (gpointer early, gpointer closing)
{
  EncoreEarly *self = early;
  g_autoptr (GError) error = NULL;
  EncoreRemuxResult result = keep_packets (self, closing, &error);

  if (result == ENCORE_REMUX_UNFIT)
    result = encode (self, closing, &error) ? ENCORE_REMUX_DONE : ENCORE_REMUX_FAILED;
  if (result == ENCORE_REMUX_DONE)
    encore_reader_complete (self->ogg);
  else
    encore_reader_fail (self->ogg, error);
  early_unref (self);
}
