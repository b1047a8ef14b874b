/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A bare GstBin: a GstPipeline would bring a clock that nobody needs and two descriptors for a bus
 * that nobody polls.  All bins share one bus, whose handler logs errors where they happen. */
#include "config.h"
#include "play/encore-pipeline.h"

#include <gst/gst.h>
#include <stdatomic.h>
#include <string.h>

#include "play/elements/gstencore.h"
#include "play/elements/gstencoretrack.h"
#include "play/elements/gstencorevoicesink.h"
#include "play/encore-gain.h"

struct EncorePipeline {
  gatomicrefcount ref_count;
  GstElement *bin, *track, *pack, *sink;
};

static GstBus *bus; /* set once by init, kept like everything that GStreamer keeps */
static EncorePipeline *_Atomic prepared; /* (nullable) */

/* ---- once */

static GstBusSyncReply
on_message (GstBus *shared, GstMessage *message, gpointer data)
{
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;
    g_autofree char *debug = NULL;
    gst_message_parse_error (message, &error, &debug);
    g_warning ("play: %s: %s (%s)", GST_MESSAGE_SRC_NAME (message), error->message,
               debug != NULL ? debug : "");
  }
  gst_message_unref (message); /* who drops it has it */
  return GST_BUS_DROP;
}

gboolean
encore_pipeline_init (GError **error)
{
  if (!gst_init_check (NULL, NULL, error) || !gst_encore_register (error))
    return FALSE;
  if (bus == NULL) {
    /* nobody polls it: without this it would open a pair of sockets */
    bus = g_object_new (GST_TYPE_BUS, "enable-async", FALSE, NULL);
    gst_bus_set_sync_handler (bus, on_message, NULL, NULL);
  }
  encore_pipeline_prepare ();
  return TRUE;
}

/* ---- life */

/* Running, without a song.  Returns: (nullable). */
static EncorePipeline *
make (void)
{
  EncorePipeline *self = g_new0 (EncorePipeline, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->bin = gst_object_ref_sink (gst_bin_new (NULL));
  self->track = gst_encore_track_new_driven ();
  self->pack = gst_element_factory_make ("encorepack", NULL);
  self->sink = gst_encore_voice_sink_new_unpaced ();
  gst_element_set_bus (self->bin, bus);
  gst_bin_add_many (GST_BIN (self->bin), self->track, self->pack, self->sink, NULL);
  if (gst_element_link_many (self->track, self->pack, self->sink, NULL) &&
      gst_element_set_state (self->bin, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE)
    return self;
  encore_pipeline_unref (self);
  return NULL;
}

void
encore_pipeline_prepare (void)
{
  EncorePipeline *none = NULL;

  if (atomic_load (&prepared) != NULL)
    return;
  EncorePipeline *self = make ();
  if (self != NULL && !atomic_compare_exchange_strong (&prepared, &none, self))
    encore_pipeline_unref (self);
}

void
encore_pipeline_clear (void)
{
  EncorePipeline *self = atomic_exchange (&prepared, NULL);

  if (self != NULL)
    encore_pipeline_unref (self);
}

EncorePipeline *
encore_pipeline_new (EncoreEntry *entry, gint64 start_ns, EncoreProducer *producer,
                     const char *room, GError **error)
{
  EncorePipeline *self = atomic_exchange (&prepared, NULL);

  if (self == NULL)
    self = make ();
  if (self == NULL) {
    g_set_error_literal (error, ENCORE_ERROR, ENCORE_ERROR_FAILED, "the pipeline does not start");
    encore_entry_free (entry);
    return NULL;
  }
  gst_encore_voice_sink_join (GST_ENCORE_VOICE_SINK (self->sink), producer, room);
  gst_encore_track_give (GST_ENCORE_TRACK (self->track), entry, start_ns);
  GST_DEBUG_BIN_TO_DOT_FILE_WITH_TS (GST_BIN (self->bin), GST_DEBUG_GRAPH_SHOW_ALL, "encore");
  return self;
}

EncorePipeline *
encore_pipeline_ref (EncorePipeline *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
encore_pipeline_stop (EncorePipeline *self)
{
  gst_element_set_state (self->bin, GST_STATE_NULL);
}

void
encore_pipeline_unref (EncorePipeline *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  encore_pipeline_stop (self);
  gst_object_unref (self->bin);
  g_free (self);
}

void
encore_pipeline_limit (EncorePipeline *self, guint max_bps)
{
  g_object_set (self->pack, "max-bitrate", max_bps, NULL);
}

guint
encore_pipeline_get_limit (EncorePipeline *self)
{
  guint max_bps;

  g_object_get (self->pack, "max-bitrate", &max_bps, NULL);
  return max_bps;
}

EncoreFillResult
encore_pipeline_fill (EncorePipeline *self, guint n, GError **error)
{
  return gst_encore_track_fill (GST_ENCORE_TRACK (self->track), n, error);
}

void
encore_pipeline_set_volume (EncorePipeline *self, double linear, double db_per_s)
{
  g_object_set (self->pack, "slope", db_per_s, "volume", CLAMP (linear, 0, ENCORE_GAIN_MAX), NULL);
}

/* ---- for people */

/* What holds the line to the room's clock; outside a room the pipeline keeps time by itself. */
static gboolean
is_of_the_room (const char *property)
{
  static const char *const names[] = {"name", "parent", "sync", "async", NULL};

  return g_strv_contains (names, property);
}

/* Where ELEMENT differs from a FRESH one. */
static void
append_property (GString *line, GstElement *element, GstElement *fresh, GParamSpec *spec)
{
  g_auto (GValue) value = G_VALUE_INIT, initial = G_VALUE_INIT;

  if ((spec->flags & G_PARAM_READWRITE) != G_PARAM_READWRITE || is_of_the_room (spec->name))
    return;
  g_value_init (&value, spec->value_type);
  g_value_init (&initial, spec->value_type);
  g_object_get_property (G_OBJECT (element), spec->name, &value);
  g_object_get_property (G_OBJECT (fresh), spec->name, &initial);
  if (g_param_values_cmp (spec, &value, &initial) == 0)
    return;
  g_autofree char *text = gst_value_serialize (&value);
  g_autofree char *pair = g_strdup_printf ("%s=%s", spec->name, text);
  const gboolean plain =
      strspn (pair, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "=:/._-+,@%") == strlen (pair);
  g_autofree char *quoted = plain ? g_strdup (pair) : g_shell_quote (pair);
  g_string_append_printf (line, " %s", quoted);
}

static void
append_element (GString *line, GstElement *element)
{
  GstElementFactory *factory = gst_element_get_factory (element);
  g_autoptr (GstElement) fresh = gst_object_ref_sink (gst_element_factory_create (factory, NULL));
  guint n = 0;
  g_autofree GParamSpec **specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &n);

  g_string_append (line, GST_OBJECT_NAME (factory));
  for (guint i = 0; i < n; i++)
    append_property (line, element, fresh, specs[i]);
}

char *
encore_pipeline_describe (EncorePipeline *self, const char *cache_dir)
{
  GString *line = g_string_new ("gst-launch-1.0 ");

  g_object_set (self->track, "cache-dir", cache_dir, NULL);
  append_element (line, self->track);
  g_string_append (line, " ! ");
  append_element (line, self->pack);
  g_string_append (line, " ! ");
  append_element (line, self->sink);
  return g_string_free (line, FALSE);
}
