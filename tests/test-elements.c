/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The elements, found by name in the built module like anybody's. */
#include "config.h"

#include <glib/gstdio.h>
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <string.h>

#include "store-fixture.h"

#define ID "dQw4w9WgXcQ"
#define PACKETS 500
#define PACKET_NS (20 * GST_MSECOND)

static char *dir;

/* ---- helpers */

static GstElement *launch (const char *format, ...) G_GNUC_PRINTF (1, 2);

static GstElement *
launch (const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  va_list args;

  va_start (args, format);
  g_autofree char *line = g_strdup_vprintf (format, args);
  va_end (args);
  GstElement *pipeline = gst_parse_launch (line, &error);
  g_assert_no_error (error);
  return pipeline;
}

static GstMessage *
wait_for (GstElement *pipeline, GstMessageType types)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND, types);

  g_assert_nonnull (message);
  return message;
}

/* Runs PIPELINE to its end and takes it down.  Returns: its first error. */
static GError *
run (GstElement *pipeline, char **debug)
{
  g_autoptr (GstMessage) message = NULL;
  GError *error = NULL;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = wait_for (pipeline, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, debug);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return error;
}

/* The fixture's packets tell their number. */
static guint
number_of (GstBuffer *buffer)
{
  guint8 bytes[3];

  g_assert_cmpuint (gst_buffer_extract (buffer, 0, bytes, 3), ==, 3);
  return bytes[1] | bytes[2] << 8;
}

static GstHarness *
harness_track (void)
{
  GstHarness *harness = gst_harness_new ("encoretrack");

  g_object_set (harness->element, "uri", "encore://youtube/" ID, "cache-dir", dir, NULL);
  gst_harness_play (harness);
  return harness;
}

/* ---- encoretrack */

static void
test_track_packets (void)
{
  GstHarness *harness = harness_track ();

  for (guint i = 0; i < PACKETS; i++) {
    g_autoptr (GstBuffer) buffer = gst_harness_pull (harness);
    g_assert_cmpuint (number_of (buffer), ==, i);
    g_assert_cmpuint (GST_BUFFER_PTS (buffer), ==, i * PACKET_NS);
    g_assert_cmpuint (GST_BUFFER_DURATION (buffer), ==, PACKET_NS);
    g_assert_cmpint (GST_BUFFER_IS_DISCONT (buffer), ==, i == 0);
  }
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (harness->sinkpad);
  const GstStructure *s = gst_caps_get_structure (caps, 0);
  g_assert_true (gst_structure_has_name (s, "audio/x-opus"));
  g_assert_true (gst_structure_has_field (s, "streamheader"));
  gint64 duration_ns;
  g_assert_true (gst_element_query_duration (harness->element, GST_FORMAT_TIME, &duration_ns));
  g_assert_cmpint (duration_ns, ==, PACKETS * PACKET_NS);
  gst_harness_teardown (harness);
}

/* Pauses, seeks with a flush and looks at the packet that comes first, again and again. */
static void
test_track_seeks_exactly (void)
{
  g_autoptr (GstElement) pipeline =
      launch ("encoretrack name=track uri=encore://youtube/" ID " cache-dir=\"%s\" ! "
              "fakesink name=sink sync=true",
              dir);
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);

  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  for (guint i = 0; i < 41; i++) {
    g_autoptr (GstSample) sample = NULL;
    const gint64 to_ns = g_rand_double (rand) * (PACKETS - 1) * PACKET_NS;
    g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, 20 * GST_SECOND), ==,
                     GST_STATE_CHANGE_SUCCESS);
    g_assert_true (gst_element_seek_simple (pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, to_ns));
    g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, 20 * GST_SECOND), ==,
                     GST_STATE_CHANGE_SUCCESS);
    g_object_get (sink, "last-sample", &sample, NULL);
    g_assert_cmpuint (number_of (gst_sample_get_buffer (sample)), ==, to_ns / PACKET_NS);
  }
  /* only forwards at normal speed, and only in time */
  g_assert_false (gst_element_seek (pipeline, 2.0, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                    GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_NONE, -1));
  g_assert_false (gst_element_seek_simple (pipeline, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, 0));
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

static void
test_track_seek_behind_the_end (void)
{
  g_autoptr (GstElement) pipeline =
      launch ("encoretrack uri=encore://youtube/" ID " cache-dir=\"%s\" ! fakesink", dir);

  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  gst_element_get_state (pipeline, NULL, NULL, 20 * GST_SECOND);
  g_assert_true (gst_element_seek_simple (pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                          2 * PACKETS * PACKET_NS));
  g_assert_no_error (run (pipeline, NULL));
}

static void
test_track_states (void)
{
  g_autoptr (GstElement) pipeline =
      launch ("encoretrack uri=encore://youtube/" ID " cache-dir=\"%s\" ! fakesink sync=true", dir);
  const GstState states[] = {GST_STATE_READY,   GST_STATE_PAUSED, GST_STATE_READY,
                             GST_STATE_PLAYING, GST_STATE_PAUSED, GST_STATE_PLAYING,
                             GST_STATE_NULL};

  for (guint round = 0; round < 50; round++)
    for (guint i = 0; i < G_N_ELEMENTS (states); i++) {
      gst_element_set_state (pipeline, states[i]);
      if (round % 2 == 0)
        g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, 20 * GST_SECOND), ==,
                         GST_STATE_CHANGE_SUCCESS);
    }
}

static void
expect_error (const char *uri, const char *cache_dir, GQuark domain, int code)
{
  g_autofree char *debug = NULL;
  g_autoptr (GstElement) pipeline = launch ("encoretrack name=track ! fakesink");
  g_autoptr (GstElement) track = gst_bin_get_by_name (GST_BIN (pipeline), "track");

  g_object_set (track, "uri", uri, "cache-dir", cache_dir, NULL);
  g_autoptr (GError) error = run (pipeline, &debug);
  g_assert_error (error, domain, code);
  g_assert_nonnull (debug);
}

static void
test_track_errors (void)
{
  expect_error (NULL, dir, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
  expect_error ("encore://youtube/../../etc/passwd", dir, GST_RESOURCE_ERROR,
                GST_RESOURCE_ERROR_SETTINGS);
  expect_error ("file:///etc/passwd", dir, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
  expect_error ("encore://youtube/AAAAAAAAAAA", dir, GST_RESOURCE_ERROR,
                GST_RESOURCE_ERROR_NOT_FOUND);
  expect_error ("encore://youtube/" ID, "/nonexistent", GST_RESOURCE_ERROR,
                GST_RESOURCE_ERROR_OPEN_READ);
}

/* Damage in the middle: the music up to there, then an error; never silently less. */
static void
test_track_damage (void)
{
  g_autoptr (EncoreCache) cache = fixture_open (dir, 0);
  fixture_publish (cache, "damagedAAAA", "Damaged", PACKETS);
  g_autofree char *path = fixture_file (dir, "damagedAAAA");
  g_autofree char *data = NULL;
  g_autofree char *debug = NULL;
  gsize len;

  g_assert_true (g_file_get_contents (path, &data, &len, NULL));
  data[len / 2] ^= 1;
  FILE *file = g_fopen (path, "r+");
  g_assert_cmpuint (fwrite (data, 1, len, file), ==, len);
  g_assert_cmpint (fclose (file), ==, 0);
  g_autoptr (GstElement) pipeline = launch (
      "encoretrack uri=encore://youtube/damagedAAAA cache-dir=\"%s\" ! fakesink sync=false", dir);
  g_autoptr (GError) error = run (pipeline, &debug);
  g_assert_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE);
  g_assert_nonnull (strstr (debug, "checksum"));
}

/* ---- encoresrc */

static void
test_src_bytes (void)
{
  g_autofree char *path = fixture_file (dir, ID), *wanted = NULL, *got = NULL;
  g_autofree char *copy = g_build_filename (dir, "copy.opus", NULL);
  gsize wanted_len, got_len;
  g_autoptr (GstElement) pipeline =
      launch ("encoresrc uri=encore://youtube/" ID " cache-dir=\"%s\" ! filesink location=\"%s\"",
              dir, copy);

  g_assert_no_error (run (pipeline, NULL));
  g_assert_true (g_file_get_contents (path, &wanted, &wanted_len, NULL));
  g_assert_true (g_file_get_contents (copy, &got, &got_len, NULL));
  g_assert_cmpmem (got, got_len, wanted, wanted_len);
}

static void
test_src_uri_handler (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) src =
      gst_element_make_from_uri (GST_URI_SRC, "encore://youtube/" ID, NULL, &error);

  g_assert_no_error (error);
  gst_object_ref_sink (src);
  g_assert_cmpstr (GST_OBJECT_NAME (gst_element_get_factory (src)), ==, "encoresrc");
  g_assert_false (gst_uri_handler_set_uri (GST_URI_HANDLER (src), "encore://youtube/..", &error));
  g_assert_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI);
  g_autofree char *uri = gst_uri_handler_get_uri (GST_URI_HANDLER (src));
  g_assert_cmpstr (uri, ==, "encore://youtube/" ID);
}

/* ---- encorepack */

#define OPUS "audio/x-opus, channel-mapping-family = (int) 0, rate = (int) 48000"

static GstBuffer *
make_packet (guint8 toc, guint n, GstClockTime pts)
{
  guint8 bytes[120] = {toc, n, n >> 8};
  GstBuffer *buffer = gst_buffer_new_memdup (bytes, sizeof bytes);

  GST_BUFFER_PTS (buffer) = pts;
  return buffer;
}

/* Stamps as demuxers make them come out 20 ms apart; the buffer itself passes. */
static void
test_pack_restamps (void)
{
  GstHarness *harness = gst_harness_new ("encorepack");
  const GstClockTime stamps[] = {0, 14500000, 41000000, GST_CLOCK_TIME_NONE, 81000000};

  gst_harness_set_src_caps_str (harness, OPUS);
  for (guint i = 0; i < G_N_ELEMENTS (stamps); i++) {
    GstBuffer *in = make_packet (0xfc, i, stamps[i]);
    const GstMemory *memory = gst_buffer_peek_memory (in, 0);
    g_assert_cmpint (gst_harness_push (harness, in), ==, GST_FLOW_OK);
    g_autoptr (GstBuffer) out = gst_harness_pull (harness);
    g_assert_true (gst_buffer_peek_memory (out, 0) == memory);
    g_assert_cmpuint (GST_BUFFER_PTS (out), ==, i * PACKET_NS);
    g_assert_cmpuint (GST_BUFFER_DURATION (out), ==, PACKET_NS);
  }
  gst_harness_teardown (harness);
}

static void
test_pack_drops_headers_and_splits (void)
{
  GstHarness *harness = gst_harness_new ("encorepack");
  /* three frames of 20 ms: code 3, constant length */
  guint8 sixty[2 + 3 * 100] = {0xff, 0x03};

  gst_harness_set_src_caps_str (harness, OPUS);
  GstBuffer *head = gst_buffer_new_memdup ("OpusHead\1\2\0\0\0\0\0\0\0\0", 19);
  g_assert_cmpint (gst_harness_push (harness, head), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_harness_push (harness, gst_buffer_new ()), ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_harness_buffers_received (harness), ==, 0);
  GstBuffer *packet = gst_buffer_new_memdup (sixty, sizeof sixty);
  GST_BUFFER_PTS (packet) = GST_SECOND;
  g_assert_cmpint (gst_harness_push (harness, packet), ==, GST_FLOW_OK);
  for (guint i = 0; i < 3; i++) {
    g_autoptr (GstBuffer) out = gst_harness_pull (harness);
    g_assert_cmpuint (gst_buffer_get_size (out), ==, 101);
    g_assert_cmpuint (GST_BUFFER_PTS (out), ==, GST_SECOND + i * PACKET_NS);
  }
  gst_harness_teardown (harness);
}

static void
test_pack_refuses (void)
{
  GstHarness *harness = gst_harness_new ("encorepack");

  gst_harness_set_src_caps_str (harness, OPUS);
  g_assert_cmpint (gst_harness_push (harness, gst_buffer_new_memdup ("\xff", 1)), ==,
                   GST_FLOW_ERROR);
  gst_harness_teardown (harness);
  harness = gst_harness_new ("encorepack"); /* surround: refused by the caps */
  gst_harness_set_src_caps_str (harness, "audio/x-opus, channel-mapping-family = (int) 1");
  g_assert_cmpint (gst_harness_push (harness, make_packet (0xfc, 0, 0)), ==,
                   GST_FLOW_NOT_NEGOTIATED);
  gst_harness_teardown (harness);
}

/* As many out as in, whatever the volume does, and the last one is not forgotten. */
static void
test_pack_volume (void)
{
  g_autoptr (GstElement) pipeline = launch (
      "audiotestsrc num-buffers=100 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! "
      "opusenc ! encorepack name=pack volume=0.4 ! encorevoicesink name=sink sync=false "
      "silent=true");
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GstStructure) stats = NULL;
  guint64 packets, gaps;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstMessage) message = wait_for (pipeline, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_EOS);
  g_object_get (sink, "stats", &stats, NULL);
  g_assert_true (gst_structure_get (stats, "packets", G_TYPE_UINT64, &packets, "gaps",
                                    G_TYPE_UINT64, &gaps, NULL));
  g_assert_cmpuint (packets, ==, 101); /* opusenc pays its look-ahead with one more */
  g_assert_cmpuint (gaps, ==, 0);
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

/* ---- encorevoicesink */

static gpointer
push_two (gpointer harness)
{
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint (gst_harness_push (harness, make_packet (0xfc, i, i * PACKET_NS)), ==,
                     GST_FLOW_OK);
  return NULL;
}

static guint64
count_packets (GstElement *sink)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 packets = 0;

  g_object_get (sink, "stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint64 (stats, "packets", &packets));
  return packets;
}

/* Outside a bot: each packet exactly when the clock says so. */
static void
test_sink_keeps_time (void)
{
  GstHarness *harness = gst_harness_new ("encorevoicesink");

  g_object_set (harness->element, "sync", TRUE, "silent", TRUE, NULL);
  gst_harness_set_src_caps_str (harness, OPUS);
  gst_harness_play (harness);
  GThread *pusher = g_thread_new ("pusher", push_two, harness);
  for (guint i = 0; i < 2; i++) {
    g_assert_true (gst_harness_wait_for_clock_id_waits (harness, 1, 20));
    g_assert_cmpuint (count_packets (harness->element), ==, i);
    g_assert_true (gst_harness_crank_single_clock_wait (harness));
  }
  g_thread_join (pusher);
  g_assert_cmpuint (count_packets (harness->element), ==, 2);
  gst_harness_teardown (harness);
}

static void
test_sink_takes_only_20_ms (void)
{
  GstHarness *harness = gst_harness_new ("encorevoicesink");

  gst_harness_set_src_caps_str (harness, OPUS);
  /* CELT, 10 ms */
  g_assert_cmpint (gst_harness_push (harness, make_packet (0xf4, 0, 0)), ==, GST_FLOW_ERROR);
  gst_harness_teardown (harness);
}

/* ---- all */

static void
test_documented (void)
{
  static const char *const names[] = {"encoresrc", "encoretrack", "encorepack", "encorevoicesink"};

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (GstElement) element = gst_element_factory_make (names[i], NULL);
    g_autofree GParamSpec **specs = NULL;
    guint n;
    g_assert_nonnull (element);
    gst_object_ref_sink (element);
    g_assert_nonnull (_gst_debug_get_category (names[i]));
    specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &n);
    for (guint k = 0; k < n; k++)
      g_assert_cmpuint (strlen (g_param_spec_get_blurb (specs[k])), >, 10);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  dir = fixture_make_dir ();
  {
    g_autoptr (EncoreCache) cache = fixture_open (dir, 0);
    fixture_publish (cache, ID, "A song", PACKETS);
  }
  g_test_add_func ("/elements/documented", test_documented);
  g_test_add_func ("/elements/track-packets-20-ms-apart", test_track_packets);
  g_test_add_func ("/elements/track-seeks-exactly", test_track_seeks_exactly);
  g_test_add_func ("/elements/track-seek-behind-the-end", test_track_seek_behind_the_end);
  g_test_add_func ("/elements/track-states", test_track_states);
  g_test_add_func ("/elements/track-errors", test_track_errors);
  g_test_add_func ("/elements/track-damage-is-an-error", test_track_damage);
  g_test_add_func ("/elements/src-bytes", test_src_bytes);
  g_test_add_func ("/elements/src-handles-encore-uris", test_src_uri_handler);
  g_test_add_func ("/elements/pack-restamps-and-passes", test_pack_restamps);
  g_test_add_func ("/elements/pack-drops-headers-and-splits", test_pack_drops_headers_and_splits);
  g_test_add_func ("/elements/pack-refuses", test_pack_refuses);
  g_test_add_func ("/elements/pack-volume-loses-no-packet", test_pack_volume);
  g_test_add_func ("/elements/sink-keeps-time", test_sink_keeps_time);
  g_test_add_func ("/elements/sink-takes-only-20-ms", test_sink_takes_only_20_ms);
  const int result = g_test_run ();
  fixture_remove (dir);
  g_free (dir);
  return result;
}
