/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Lengths that containers write into themselves. */
#include "config.h"
#include "sound/encore-whole.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encore-ogg.h"

#define TOLERANCE_MS 1500  /* sites tell whole seconds */
#define TOLERANCE_SHARE 50 /* 2 % */
#define TOLERANCE_BYTES 32768
#define HEAD_BYTES 64

gboolean
encore_whole_has_magic (const guint8 *head, gsize len)
{
  static const struct {
    gsize offset;
    const char *bytes;
  } magics[] = {{0, "\x1a\x45\xdf\xa3"},
                {4, "ftyp"},
                {0, "OggS"},
                {0, "ID3"},
                {0, "fLaC"},
                {0, "RIFF"},
                /* MPEG audio: MP3 with and without CRC, at all rates; ADTS */
                {0, "\xff\xfb"},
                {0, "\xff\xfa"},
                {0, "\xff\xf3"},
                {0, "\xff\xf2"},
                {0, "\xff\xe3"},
                {0, "\xff\xe2"},
                {0, "\xff\xf1"},
                {0, "\xff\xf0"},
                {0, "\xff\xf9"},
                {0, "\xff\xf8"}};

  for (gsize i = 0; i < G_N_ELEMENTS (magics); i++) {
    const gsize n = strlen (magics[i].bytes);
    if (magics[i].offset + n <= len && memcmp (head + magics[i].offset, magics[i].bytes, n) == 0)
      return TRUE;
  }
  return FALSE;
}

gboolean
encore_whole_check_duration (gint64 decoded_ms, gint64 announced_ms, GError **error)
{
  const gint64 tolerance_ms = MAX (announced_ms / TOLERANCE_SHARE, TOLERANCE_MS);

  if (announced_ms == 0 || ABS (decoded_ms - announced_ms) <= tolerance_ms)
    return TRUE;
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
               "%" G_GINT64_FORMAT " s of music in a song of %" G_GINT64_FORMAT " s",
               decoded_ms / 1000, announced_ms / 1000);
  return FALSE;
}

static gboolean
check_bytes (gint64 there, gint64 announced, GError **error)
{
  if (there >= announced - MAX (announced / TOLERANCE_SHARE, TOLERANCE_BYTES))
    return TRUE;
  g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_CORRUPT,
               "cut off: its header announces %" G_GINT64_FORMAT " bytes, %" G_GINT64_FORMAT
               " are there",
               announced, there);
  return FALSE;
}

static guint32
be32 (const guint8 *p)
{
  return (guint32) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* Bytes of the tag at the beginning of an MP3 file. */
static gint64
id3_bytes (const guint8 *head)
{
  if (memcmp (head, "ID3", 3) != 0)
    return 0;
  return 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + (head[5] & 0x10 ? 10 : 0);
}

/* The frame at OFFSET may be a Xing header, which tells how many bytes there are from here on. */
static gboolean
check_mp3 (int fd, gint64 offset, gint64 size, GError **error)
{
  guint8 frame[HEAD_BYTES];

  if (pread (fd, frame, sizeof frame, offset) < (gssize) sizeof frame || frame[0] != 0xff ||
      (frame[1] & 0xe0) != 0xe0)
    return TRUE;
  const gboolean mpeg1 = (frame[1] & 0x18) == 0x18;
  const gboolean mono = (frame[3] & 0xc0) == 0xc0;
  const guint8 *xing = frame + 4 + (mpeg1 ? (mono ? 17 : 32) : (mono ? 9 : 17));
  if (memcmp (xing, "Xing", 4) != 0 && memcmp (xing, "Info", 4) != 0)
    return TRUE;
  const guint32 flags = be32 (xing + 4); /* 1: frames, 2: bytes */
  if ((flags & 2) == 0)
    return TRUE;
  return check_bytes (size - offset, be32 (xing + (flags & 1 ? 12 : 8)), error);
}

static gboolean
check_riff (const guint8 *head, gint64 size, GError **error)
{
  const guint32 bytes = head[4] | head[5] << 8 | head[6] << 16 | (guint32) head[7] << 24;

  return bytes == G_MAXUINT32 || check_bytes (size, (gint64) bytes + 8, error);
}

static gboolean
check_open (int fd, gint64 decoded_ms, gint64 announced_ms, GError **error)
{
  guint8 head[HEAD_BYTES] = {0};
  struct stat st;

  if (fstat (fd, &st) < 0 || pread (fd, head, sizeof head, 0) < 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "cannot read the file: %s",
                 g_strerror (errno));
    return FALSE;
  }
  if (memcmp (head, "OggS", 4) == 0)
    return encore_ogg_check_pages (fd, error);
  if (memcmp (head, "RIFF", 4) == 0)
    return check_riff (head, st.st_size, error);
  /* the duration of a bare stream is only guessed from its size */
  if (memcmp (head, "ID3", 3) == 0 || (head[0] == 0xff && (head[1] & 0xe0) == 0xe0))
    return check_mp3 (fd, id3_bytes (head), st.st_size, error);
  return decoded_ms >= announced_ms ||
         encore_whole_check_duration (decoded_ms, announced_ms, error);
}

gboolean
encore_whole_check_file (const char *path, gint64 decoded_ms, gint64 announced_ms, GError **error)
{
  const int fd = open (path, O_RDONLY | O_CLOEXEC);

  if (fd < 0) {
    g_set_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE, "cannot open the file: %s",
                 g_strerror (errno));
    return FALSE;
  }
  const gboolean ok = check_open (fd, decoded_ms, announced_ms, error);
  close (fd);
  return ok;
}
