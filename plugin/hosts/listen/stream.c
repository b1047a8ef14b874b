/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The stream has as many packets as 20 ms have passed, whatever comes in: a listener's buffer
 * neither grows nor runs dry.  A song starts when 200 ms of it are there, so that the plugin's
 * thread and ours may both be late without a hole. */
#include "config.h"
#include "hosts/listen/stream.h"

#include <string.h>

#include "base/encore-ogg.h"

#define PACKET_US 20000
#define CUSHION_PACKETS 10
#define QUEUE_PACKETS 50
#define BEHIND_PACKETS 100     /* after a longer standstill the clock starts again */
#define SILENCE "\xfc\xff\xfe" /* 20 ms, stereo, CELT */
#define PRE_SKIP 312

typedef struct {
  GBytes *packet; /* NULL: a title */
  char *title;
  gboolean last;
} Item;

struct Stream {
  gboolean chain;
  GMutex mutex;
  GQueue queue;    /* Item, under MUTEX */
  guint n_packets; /* in it, under MUTEX */
  gboolean ends;   /* the newest packet is a last one, under MUTEX */
  /* the one thread's: */
  EncoreOggWriter *writer;
  GByteArray *out; /* while a function runs that was given it */
  gint64 start_us; /* when packet 0 was due */
  gint64 n_written;
  gboolean talking;
  char *title;
};

static void
item_free (gpointer data)
{
  Item *self = data;

  g_clear_pointer (&self->packet, g_bytes_unref);
  g_free (self->title);
  g_free (self);
}

Stream *
stream_new (gboolean chain)
{
  Stream *self = g_new0 (Stream, 1);

  self->chain = chain;
  self->title = g_strdup ("");
  g_mutex_init (&self->mutex);
  g_queue_init (&self->queue);
  return self;
}

void
stream_free (Stream *self)
{
  if (self == NULL)
    return;
  g_queue_clear_full (&self->queue, item_free);
  g_clear_pointer (&self->writer, encore_ogg_writer_free);
  g_free (self->title);
  g_mutex_clear (&self->mutex);
  g_free (self);
}

/* ---- in */

/* The oldest packet goes, titles stay.  Under MUTEX. */
static void
drop_oldest (Stream *self)
{
  for (GList *link = self->queue.head; link != NULL; link = link->next)
    if (((Item *) link->data)->packet != NULL) {
      item_free (link->data);
      g_queue_delete_link (&self->queue, link);
      self->n_packets--;
      return;
    }
}

void
stream_put (Stream *self, const void *packet, gsize len, gboolean last)
{
  Item *item = g_new0 (Item, 1);

  item->packet = g_bytes_new (packet, len);
  item->last = last;
  g_mutex_lock (&self->mutex);
  if (self->n_packets == QUEUE_PACKETS)
    drop_oldest (self);
  g_queue_push_tail (&self->queue, item);
  self->n_packets++;
  self->ends = last;
  g_mutex_unlock (&self->mutex);
}

void
stream_put_title (Stream *self, const char *title)
{
  Item *item = g_new0 (Item, 1);

  item->title = g_strdup (title);
  g_mutex_lock (&self->mutex);
  /* two titles without a packet between them: the first one was nothing */
  Item *newest = g_queue_peek_tail (&self->queue);
  if (newest != NULL && newest->packet == NULL)
    item_free (g_queue_pop_tail (&self->queue));
  g_queue_push_tail (&self->queue, item);
  g_mutex_unlock (&self->mutex);
}

/* The next item, or NULL if silence is due.  (transfer full) */
static Item *
take (Stream *self)
{
  Item *item = NULL;

  g_mutex_lock (&self->mutex);
  if (!self->talking && (self->n_packets >= CUSHION_PACKETS || (self->n_packets > 0 && self->ends)))
    self->talking = TRUE;
  if (self->talking)
    item = g_queue_pop_head (&self->queue);
  if (item != NULL && item->packet != NULL)
    self->n_packets--;
  if (item == NULL || item->last)
    self->talking = FALSE;
  g_mutex_unlock (&self->mutex);
  return item;
}

/* ---- out */

static gboolean
on_page (const guint8 *page, gsize len, gpointer data, GError **error)
{
  Stream *self = data;

  g_byte_array_append (self->out, page, len);
  return TRUE;
}

static void
write_packet (Stream *self, const void *packet, gsize len)
{
  encore_ogg_writer_packet (self->writer, packet, len, NULL);
}

static void
begin_logical (Stream *self)
{
  g_autofree char *comment = g_strconcat ("TITLE=", self->title, NULL);
  const char *const comments[] = {comment, NULL};
  const char *const none[] = {NULL};

  g_clear_pointer (&self->writer, encore_ogg_writer_free);
  self->writer = encore_ogg_writer_new (on_page, self);
  encore_ogg_writer_begin (self->writer, 2, PRE_SKIP,
                           self->chain && *self->title != '\0' ? comments : none, NULL);
}

/* The page that ends a stream must not be empty. */
static void
end_logical (Stream *self)
{
  write_packet (self, SILENCE, strlen (SILENCE));
  encore_ogg_writer_end (self->writer, -1, NULL);
}

static void
take_title (Stream *self, const char *title)
{
  /* the end of a song is no reason for a new stream, the beginning of one is */
  const gboolean is_new = *title != '\0' && strcmp (title, self->title) != 0;

  if (!is_new)
    return;
  g_free (self->title);
  self->title = g_strdup (title);
  if (!self->chain || self->writer == NULL)
    return;
  end_logical (self);
  self->n_written++;
  begin_logical (self);
}

static void
write_due (Stream *self)
{
  Item *item = take (self);

  while (item != NULL && item->packet == NULL) {
    take_title (self, item->title);
    item_free (item);
    item = take (self);
  }
  if (item != NULL) {
    gsize len;
    const void *packet = g_bytes_get_data (item->packet, &len);
    write_packet (self, packet, len);
    item_free (item);
  } else {
    write_packet (self, SILENCE, strlen (SILENCE));
  }
  self->n_written++;
}

static gint64
count_due (Stream *self, gint64 now_us)
{
  gint64 due = (now_us - self->start_us) / PACKET_US - self->n_written;

  if (due > BEHIND_PACKETS) {
    self->start_us = now_us;
    self->n_written = 0;
    due = 0;
  }
  return due;
}

void
stream_begin (Stream *self, gint64 now_us, GByteArray *out)
{
  self->out = out;
  self->start_us = now_us;
  self->n_written = 0;
  begin_logical (self);
}

void
stream_pages (Stream *self, gint64 now_us, GByteArray *out)
{
  self->out = out;
  for (gint64 due = count_due (self, now_us); due > 0; due--)
    write_due (self);
  encore_ogg_writer_flush (self->writer, NULL);
}

void
stream_end (Stream *self, GByteArray *out)
{
  self->out = out;
  end_logical (self);
}

void
stream_skip (Stream *self, gint64 now_us)
{
  g_autoptr (GByteArray) nobody = g_byte_array_new ();

  if (self->writer == NULL)
    stream_begin (self, now_us, nobody);
  stream_pages (self, now_us, nobody);
}
