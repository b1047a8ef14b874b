/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The cache that is measured: songs that ffmpeg makes, and many small entries, all published
 * through the store. */
#include "config.h"
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encore-ogg.h"
#include "store-fixture.h"

#define SMALL_PACKETS 5

char *
bench_song_id (guint number)
{
  return g_strdup_printf ("song%06uA", number);
}

char *
bench_copy_id (guint number)
{
  return g_strdup_printf ("copy%06uA", number);
}

char *
bench_copy_file (Bench *self, guint number)
{
  g_autofree char *id = bench_copy_id (number);

  return fixture_file (self->cache_dir, id);
}

char *
bench_small_id (guint number)
{
  return g_strdup_printf ("tiny%06uA", number);
}

char *
bench_song_file (Bench *self, guint number)
{
  g_autofree char *id = bench_song_id (number);

  return fixture_file (self->cache_dir, id);
}

/* ---- small entries */

/* Nothing is measured here and nothing lasts: the thousands of syncs are answered at once. */
static gboolean
do_without_syncs (void)
{
  struct sock_filter code[] = {
      BPF_STMT (BPF_LD | BPF_W | BPF_ABS, G_STRUCT_OFFSET (struct seccomp_data, nr)),
      BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_fsync, 1, 0),
      BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_fdatasync, 0, 1),
      BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const struct sock_fprog program = {G_N_ELEMENTS (code), code};

  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void
publish_small (Bench *self)
{
  EncoreCache *cache = fixture_open (self->cache_dir, 0);

  for (guint i = 0; i < self->n_rows; i++) {
    g_autofree char *id = bench_small_id (i);
    fixture_publish (cache, id, id, SMALL_PACKETS);
    if (i > 0 && i % 10000 == 0)
      g_printerr ("bench: %u of %u rows\n", i, self->n_rows);
  }
  encore_cache_close (cache);
}

gboolean
bench_make_cache (Bench *self, GError **error)
{
  const pid_t pid = fork (); /* there are no threads yet */

  if (pid == 0) {
    do_without_syncs (); /* or it takes longer */
    publish_small (self);
    _exit (0);
  }
  if (!bench_reap (pid, NULL, error))
    return FALSE;
  const int fd = open (self->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || syncfs (fd) < 0) /* not later, while something is measured */
    g_printerr ("bench: %s: %s\n", self->cache_dir, g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return TRUE;
}

/* ---- songs */

/* Three notes that beat, and noise over them. */
gboolean
bench_compose (Bench *self, guint number, guint length_s, const char *path, GError **error)
{
  const int base_hz = 110 + 13 * number;
  g_autofree char *music = g_strdup_printf (
      "sine=f=%d:r=48000[a];sine=f=%d:beep_factor=4:r=48000[b];sine=f=%d:r=48000[c];"
      "anoisesrc=c=pink:a=0.4:s=%u:r=48000[n];[a][b][c][n]amix=inputs=4,tremolo=f=2:d=0.6,"
      "apulsator=hz=0.5",
      base_hz, base_hz * 5 / 4, base_hz * 3 / 2, number + 1);
  g_autofree char *length = g_strdup_printf ("%u", length_s);
  const char *const argv[] = {
      self->ffmpeg, "-v",   "error", "-nostdin", "-y",  "-filter_complex", music,
      "-t",         length, "-ac",   "2",        "-ar", "48000",           "-c:a",
      "libopus",    "-b:a", "128k",  path,       NULL};
  const pid_t pid = bench_spawn (argv, -1, error);

  return pid != 0 && bench_reap (pid, NULL, error);
}

static gssize
read_at (gpointer data, gint64 offset, guint8 *buf, gsize len, GError **error)
{
  return pread (GPOINTER_TO_INT (data), buf, len, offset);
}

char *
bench_song_packet (Bench *self, guint number, guint index, GError **error)
{
  g_autofree char *path = bench_song_file (self, number);
  const int fd = open (path, O_RDONLY | O_CLOEXEC);
  g_autoptr (EncoreOggReader) reader = encore_ogg_reader_new (read_at, GINT_TO_POINTER (fd));
  g_autoptr (GString) hex = g_string_new (NULL);
  const guint8 *packet = NULL;
  gsize len = 0;
  gint64 pts_ns;

  encore_ogg_reader_set_size (reader, lseek (fd, 0, SEEK_END), TRUE);
  for (guint i = 0; i <= index; i++)
    if (encore_ogg_reader_next (reader, &packet, &len, &pts_ns, error) != ENCORE_OGG_PACKET)
      len = 0;
  for (guint i = 0; i < MIN (len, 16); i++)
    g_string_append_printf (hex, "%02x", packet[i]);
  close (fd);
  if (hex->len == 32)
    return g_string_free (g_steal_pointer (&hex), FALSE);
  if (error != NULL && *error == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s has no packet %u", path, index);
  return NULL;
}

static gboolean
append (const guint8 *page, gsize len, gpointer data, GError **error)
{
  g_byte_array_append (data, page, len);
  return TRUE;
}

/* FD's packets, in pages as the cache has them.  *PACKETS (out), *LONGEST (out): bytes. */
static GByteArray *
repage (int fd, const char *id, guint *packets, gsize *longest, GError **error)
{
  g_autoptr (GByteArray) file = g_byte_array_new ();
  g_autoptr (EncoreOggWriter) writer = encore_ogg_writer_new (append, file);
  g_autoptr (EncoreOggReader) reader = encore_ogg_reader_new (read_at, GINT_TO_POINTER (fd));
  g_auto (EncoreOggSummary) summary = {0};
  g_autofree char *tag = g_strconcat ("ENCORE_ID=", id, NULL);
  const char *const comments[] = {tag, "TITLE=Bench", NULL};
  const guint8 *packet;
  gint64 pts_ns;
  gsize len;

  if (!encore_ogg_summarise (fd, &summary, error) ||
      !encore_ogg_writer_begin (writer, summary.channels, summary.pre_skip, comments, error))
    return NULL;
  encore_ogg_reader_set_size (reader, lseek (fd, 0, SEEK_END), TRUE);
  while (encore_ogg_reader_next (reader, &packet, &len, &pts_ns, error) == ENCORE_OGG_PACKET) {
    if (!encore_ogg_writer_packet (writer, packet, len, error))
      return NULL;
    ++*packets;
    *longest = MAX (*longest, len);
  }
  if ((error != NULL && *error != NULL) || !encore_ogg_writer_end (writer, -1, error))
    return NULL;
  return g_steal_pointer (&file);
}

static gboolean
publish_song (EncoreCache *cache, const char *id, int fd, GError **error)
{
  g_autoptr (EncoreHandle) hit = NULL;
  g_autoptr (EncoreClaim) claim = encore_cache_claim (cache, id, 0, NULL, &hit, error);
  guint packets = 0;
  gsize longest = 0;

  if (claim == NULL)
    return FALSE;
  g_autofree char *path = g_build_filename (encore_claim_get_dir (claim), "song.opus", NULL);
  g_autoptr (GByteArray) file = repage (fd, id, &packets, &longest, error);
  if (file == NULL || !g_file_set_contents (path, (const char *) file->data, file->len, error))
    return FALSE;
  const EncorePublish what = {.opus_name = "song.opus",
                              .title = "Bench",
                              .duration_ms = packets * 20,
                              .max_packet_bytes = longest};
  g_autoptr (EncoreHandle) handle = encore_claim_publish (claim, &what, error);
  return handle != NULL;
}

gboolean
bench_make_songs (Bench *self, GError **error)
{
  g_autofree char *path = g_build_filename (self->dir, "song.opus", NULL);
  g_autoptr (EncoreCache) cache = fixture_open (self->cache_dir, 0);

  for (guint i = 0; i < self->n_songs; i++) {
    g_autofree char *id = bench_song_id (i);
    if (!bench_compose (self, i, self->song_s, path, error))
      return FALSE;
    const int fd = open (path, O_RDONLY | O_CLOEXEC);
    const gboolean ok = fd >= 0 && publish_song (cache, id, fd, error);
    if (fd >= 0)
      close (fd);
    if (!ok)
      return FALSE;
  }
  unlink (path);
  return TRUE;
}

/* ---- the same songs under many ids */

static gboolean
publish_copies (Bench *self, guint n, GError **error)
{
  g_autoptr (EncoreCache) cache = fixture_open (self->cache_dir, 0);

  for (guint i = 0; i < n; i++) {
    g_autofree char *id = bench_copy_id (i);
    g_autofree char *path = bench_song_file (self, i % self->n_songs);
    const int fd = open (path, O_RDONLY | O_CLOEXEC);
    const gboolean ok = fd >= 0 && publish_song (cache, id, fd, error);
    if (fd >= 0)
      close (fd);
    if (!ok)
      return FALSE;
  }
  return TRUE;
}

gboolean
bench_make_copies (Bench *self, guint n, GError **error)
{
  const pid_t pid = fork (); /* still no threads: a closed cache has joined its own */
  if (pid == 0) {
    g_autoptr (GError) local = NULL;
    do_without_syncs ();
    if (!publish_copies (self, n, &local))
      g_printerr ("bench: %s\n", local != NULL ? local->message : "a song cannot be opened");
    _exit (local != NULL);
  }
  if (!bench_reap (pid, NULL, error))
    return FALSE;
  self->n_copies = n;
  return TRUE;
}
