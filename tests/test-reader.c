/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A file that grows under its readers: they never see what is not there yet, and none sleeps on. */
#include "config.h"
#include "store/encore-reader.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encore-error.h"
#include "store-fixture.h"

typedef struct {
  char *dir, *path;
  int fd; /* the writer's */
  EncoreReader *reader;
  gint released;
} Rig;

static void
on_release (gpointer data)
{
  g_atomic_int_inc (&((Rig *) data)->released);
}

static void
rig_set_up (Rig *rig, gconstpointer data)
{
  rig->dir = fixture_make_dir ();
  rig->path = g_build_filename (rig->dir, "grows", NULL);
  rig->fd = g_open (rig->path, O_RDWR | O_CREAT | O_EXCL, 0600);
  g_assert_cmpint (rig->fd, >=, 0);
  rig->reader = encore_reader_new_growing (rig->fd, on_release, rig);
}

static void
rig_tear_down (Rig *rig, gconstpointer data)
{
  g_assert_cmpint (rig->released, ==, 0);
  encore_reader_unref (rig->reader);
  g_assert_cmpint (rig->released, ==, 1);
  close (rig->fd);
  fixture_remove (rig->dir);
  g_free (rig->path);
  g_free (rig->dir);
}

static void
append (Rig *rig, const char *text)
{
  g_assert_cmpint (write (rig->fd, text, strlen (text)), ==, strlen (text));
}

static char *
read_at (EncoreReader *reader, gint64 offset, gsize len, GError **error)
{
  g_autofree guint8 *buf = g_malloc (len + 1);
  const gssize n = encore_reader_read (reader, offset, buf, len, error);

  return n < 0 ? NULL : g_strndup ((char *) buf, n);
}

static void
assert_reads (EncoreReader *reader, gint64 offset, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *got = read_at (reader, offset, 100, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (got, ==, expected);
}

static void
test_advance (Rig *rig, gconstpointer data)
{
  gboolean complete = TRUE;

  append (rig, "abcdefgh");
  g_assert_cmpint (encore_reader_get_size (rig->reader, &complete), ==, 0);
  g_assert_false (complete);
  assert_reads (rig->reader, 0, ""); /* written, but not told */
  encore_reader_advance (rig->reader, 5, 0);
  assert_reads (rig->reader, 0, "abcde");
  assert_reads (rig->reader, 3, "de");
  assert_reads (rig->reader, 5, "");
  assert_reads (rig->reader, 1000, "");
  encore_reader_advance (rig->reader, 2, 0); /* never back */
  assert_reads (rig->reader, 0, "abcde");
  encore_reader_advance (rig->reader, 8, 0);
  encore_reader_complete (rig->reader);
  g_assert_cmpint (encore_reader_get_size (rig->reader, &complete), ==, 8);
  g_assert_true (complete);
  assert_reads (rig->reader, 4, "efgh");
}

static void
test_fail (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) reason = g_error_new_literal (ENCORE_ERROR, ENCORE_ERROR_NETWORK, "broke off");
  g_autoptr (GError) other = g_error_new_literal (ENCORE_ERROR, ENCORE_ERROR_FAILED, "later");
  g_autoptr (GError) error = NULL;

  append (rig, "abc");
  encore_reader_advance (rig->reader, 3, 0);
  encore_reader_fail (rig->reader, reason);
  encore_reader_fail (rig->reader, other);
  assert_reads (rig->reader, 1, "bc"); /* what came is there */
  g_assert_null (read_at (rig->reader, 3, 1, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_NETWORK); /* the first reason */
  g_assert_null (read_at (rig->reader, 3, 1, NULL));
}

static void
test_whole (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  gboolean complete = FALSE;
  gint released = 0;

  append (rig, "whole");
  Rig other = {.released = 0};
  EncoreReader *reader = encore_reader_new (rig->fd, on_release, &other, &error);
  g_assert_no_error (error);
  g_assert_cmpint (encore_reader_get_size (reader, &complete), ==, 5);
  g_assert_true (complete);
  g_assert_true (encore_reader_wait (reader, 100, NULL)); /* nothing more will come */
  encore_reader_unref (encore_reader_ref (reader));
  g_assert_cmpint (other.released, ==, 0);
  assert_reads (reader, 2, "ole");
  /* shorter than it was: an end, no endless loop */
  g_assert_cmpint (ftruncate (rig->fd, 3), ==, 0);
  assert_reads (reader, 2, "o");
  encore_reader_unref (reader);
  g_assert_cmpint (other.released, ==, 1);

  const int closed = dup (rig->fd);
  close (closed);
  g_assert_null (encore_reader_new (closed, NULL, &released, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE);
}

/* ---- waiting on another thread */

typedef struct {
  EncoreReader *reader;
  gint64 beyond;
  gint waits, cancelled, done; /* atomic */
  gboolean result;
} Waiter;

static gpointer
wait_thread (gpointer data)
{
  Waiter *self = data;

  g_atomic_int_set (&self->waits, TRUE);
  self->result = encore_reader_wait (self->reader, self->beyond, &self->cancelled);
  g_atomic_int_set (&self->done, TRUE);
  return NULL;
}

static GThread *
start_waiter (Waiter *self, EncoreReader *reader, gint64 beyond)
{
  *self = (Waiter){.reader = reader, .beyond = beyond};
  GThread *thread = g_thread_new ("wait", wait_thread, self);
  while (!g_atomic_int_get (&self->waits))
    g_thread_yield ();
  return thread;
}

static void
test_wait (Rig *rig, gconstpointer data)
{
  Waiter waiter;
  GThread *thread = start_waiter (&waiter, rig->reader, 4);

  append (rig, "0123456789");
  encore_reader_advance (rig->reader, 4, 0); /* not beyond */
  for (int i = 0; i < 1000; i++)
    g_thread_yield ();
  g_assert_false (g_atomic_int_get (&waiter.done));
  encore_reader_advance (rig->reader, 5, 0);
  g_thread_join (thread);
  g_assert_true (waiter.result);
  thread = start_waiter (&waiter, rig->reader, 5);
  encore_reader_complete (rig->reader);
  g_thread_join (thread);
  g_assert_true (waiter.result);
}

static void
test_wait_fail (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) reason = g_error_new_literal (ENCORE_ERROR, ENCORE_ERROR_DEADLINE, "stalled");
  Waiter waiter;
  GThread *thread = start_waiter (&waiter, rig->reader, 0);

  encore_reader_fail (rig->reader, reason);
  g_thread_join (thread);
  g_assert_true (waiter.result); /* not cancelled: read() tells the rest */
}

/* One is cancelled, the others wait on; again and again, so that a wake between look and wait shows
 * as a hang. */
static void
test_cancel (Rig *rig, gconstpointer data)
{
  for (int i = 0; i < 500; i++) {
    Waiter stays, leaves;
    GThread *stay = start_waiter (&stays, rig->reader, i);
    GThread *leave = start_waiter (&leaves, rig->reader, i);
    g_atomic_int_set (&leaves.cancelled, TRUE);
    encore_reader_wake (rig->reader);
    g_thread_join (leave);
    g_assert_false (leaves.result);
    g_assert_false (g_atomic_int_get (&stays.done));
    encore_reader_advance (rig->reader, i + 1, 0);
    g_thread_join (stay);
    g_assert_true (stays.result);
  }
}

/* ---- one writer, several readers, all of it */

#define TOTAL (1 << 20)

static guint8
byte_at (gint64 offset)
{
  return offset * 7 + (offset >> 8) * 13;
}

static gpointer
read_thread (gpointer data)
{
  EncoreReader *reader = data;
  guint8 buf[5000];
  gint64 offset = 0;
  gboolean complete = FALSE;

  while (!complete || offset < encore_reader_get_size (reader, &complete)) {
    const gssize n = encore_reader_read (reader, offset, buf, 1 + offset % sizeof buf, NULL);
    g_assert_cmpint (n, >=, 0);
    for (gssize i = 0; i < n; i++)
      g_assert_cmpint (buf[i], ==, byte_at (offset + i));
    offset += n;
    if (n == 0)
      g_assert_true (encore_reader_wait (reader, offset, NULL));
    encore_reader_get_size (reader, &complete);
  }
  g_assert_cmpint (offset, ==, TOTAL);
  return NULL;
}

static void
test_concurrent (Rig *rig, gconstpointer data)
{
  GThread *threads[4];
  guint8 chunk[3000];

  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("read", read_thread, rig->reader);
  for (gint64 offset = 0; offset < TOTAL;) {
    const gsize n = MIN (1 + offset % sizeof chunk, (gsize) (TOTAL - offset));
    /* what is written first is wrong: it may not be read before it is told */
    memset (chunk, 0, n);
    g_assert_cmpint (pwrite (rig->fd, chunk, n, offset), ==, n);
    for (gsize i = 0; i < n; i++)
      chunk[i] = byte_at (offset + i);
    g_assert_cmpint (pwrite (rig->fd, chunk, n, offset), ==, n);
    offset += n;
    encore_reader_advance (rig->reader, offset, 0);
  }
  encore_reader_complete (rig->reader);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

#define ADD(name, func) g_test_add (name, Rig, NULL, rig_set_up, func, rig_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/reader/advance-and-complete", test_advance);
  ADD ("/reader/failure-behind-the-last-byte", test_fail);
  ADD ("/reader/whole-file", test_whole);
  ADD ("/reader/wait", test_wait);
  ADD ("/reader/failure-ends-a-wait", test_wait_fail);
  ADD ("/reader/cancel-and-wake", test_cancel);
  ADD ("/reader/one-writer-four-readers", test_concurrent);
  return g_test_run ();
}
