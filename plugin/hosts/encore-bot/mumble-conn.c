/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Writing is done at once and without waiting; what the socket does not take stays in OUT, whose
 * front never changes until it is gone (TLS may have taken a part of it).  Voice has a queue of its
 * own behind OUT, from which old packets can still be taken away.
 *
 * The connection holds one reference for its user and one for each asynchronous call; after close()
 * these come back and find that nobody listens. */
#include "config.h"
#include "mumble-conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "host.h"
#include "mumble-frame.h"
#include "mumble-identity.h"
#include "mumble.pb-c.h"

#define CONNECT_S 10
#define HANDSHAKE_S 10
#define PING_MS 5000
#define DEAD_US (15 * G_USEC_PER_SEC)
#define READ_BYTES 16384
#define VOICE_MAX 20 /* packets that wait: 400 ms */
#define UNSENT_BYTES 2048

static guint n_alive;

struct MumbleConn {
  gatomicrefcount ref_count;
  const MumbleConfig *config;
  GTlsCertificate *certificate;
  MumbleConnEvents events;
  gpointer data;
  gboolean closed, up;
  GCancellable *cancellable;
  GSocketConnection *socket; /* (nullable) */
  GIOStream *tls;            /* (nullable) */
  GSource *reader, *writer;  /* (nullable) */
  guint timer;
  gint64 heard_us;
  GByteArray *in, *out;
  GQueue voice; /* GByteArray: frames */
  guint late;
  char *broken;   /* (nullable): why nothing can be written any more */
  char *mismatch; /* (nullable): why the server's certificate was refused */
};

static MumbleConn *
conn_ref (MumbleConn *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
conn_unref (MumbleConn *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_clear_object (&self->tls);
  g_clear_object (&self->socket);
  g_clear_object (&self->cancellable);
  g_byte_array_unref (self->in);
  g_byte_array_unref (self->out);
  g_queue_clear_full (&self->voice, (GDestroyNotify) g_byte_array_unref);
  g_free (self->mismatch);
  g_free (self->broken);
  g_free (self);
  n_alive--;
}

guint
mumble_conn_count (void)
{
  return n_alive;
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MumbleConn, conn_unref)

static void
drop_source (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

/* Everything that could call us again. */
static void
shut (MumbleConn *self)
{
  self->closed = TRUE;
  drop_source (&self->reader);
  drop_source (&self->writer);
  if (self->timer != 0)
    g_source_remove (self->timer);
  self->timer = 0;
  g_cancellable_cancel (self->cancellable);
  /* not through TLS: its goodbye would wait for a peer that may be gone; and not below a handshake,
   * which has a thread of its own and closes it when it is cancelled */
  if (self->up)
    g_socket_close (g_socket_connection_get_socket (self->socket), NULL);
}

static void
down (MumbleConn *self, MumbleDown why, const char *text)
{
  if (self->closed)
    return;
  conn_ref (self); /* whoever is told lets go of us */
  shut (self);
  self->events.down (why, text, self->data);
  conn_unref (self);
}

void
mumble_conn_close (MumbleConn *self)
{
  shut (self);
  conn_unref (self);
}

/* ---- writing */

static void flush (MumbleConn *self);

static gboolean
on_writable (GObject *stream, gpointer data)
{
  MumbleConn *self = data;

  conn_ref (self);
  drop_source (&self->writer);
  flush (self);
  conn_unref (self);
  return G_SOURCE_REMOVE;
}

static gboolean
on_broken (gpointer data)
{
  MumbleConn *self = data;

  conn_ref (self);
  drop_source (&self->writer);
  down (self, MUMBLE_DOWN_LOST, self->broken);
  conn_unref (self);
  return G_SOURCE_REMOVE;
}

/* Told later: whoever sends something need not reckon with the connection going under him. */
static void
break_later (MumbleConn *self, const char *text)
{
  self->broken = g_strdup (text);
  self->writer = g_idle_source_new ();
  g_source_set_callback (self->writer, on_broken, self, NULL);
  g_source_attach (self->writer, NULL);
}

static void
await_writable (MumbleConn *self, GPollableOutputStream *stream)
{
  self->writer = g_pollable_output_stream_create_source (stream, NULL);
  g_source_set_callback (self->writer, G_SOURCE_FUNC (on_writable), self, NULL);
  g_source_attach (self->writer, NULL);
}

/* Returns: FALSE if the connection is down or the socket full. */
static gboolean
write_some (MumbleConn *self)
{
  g_autoptr (GError) error = NULL;
  GPollableOutputStream *stream =
      G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (self->tls));
  const gssize n = g_pollable_output_stream_write_nonblocking (
      stream, self->out->data, self->out->len, self->cancellable, &error);

  if (n > 0) {
    g_byte_array_remove_range (self->out, 0, n);
    return TRUE;
  }
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    await_writable (self, stream);
  else
    break_later (self, error != NULL ? error->message : "nothing can be written");
  return FALSE;
}

static void
flush (MumbleConn *self)
{
  while (self->up && !self->closed && self->writer == NULL) {
    if (self->out->len == 0 && self->voice.length > 0) {
      g_autoptr (GByteArray) frame = g_queue_pop_head (&self->voice);
      g_byte_array_append (self->out, frame->data, frame->len);
    }
    if (self->out->len == 0 || !write_some (self))
      return;
  }
}

void
mumble_conn_send (MumbleConn *self, guint type, const ProtobufCMessage *message)
{
  if (self->closed)
    return;
  mumble_frame_append (self->out, type, message);
  flush (self);
}

void
mumble_conn_send_voice (MumbleConn *self, guint64 sequence, gboolean last, const guint8 *packet,
                        gsize len)
{
  GByteArray *frame = g_byte_array_new ();

  mumble_frame_append_voice (frame, sequence, last, packet, len);
  g_queue_push_tail (&self->voice, frame);
  for (; self->voice.length > VOICE_MAX; self->late++)
    g_byte_array_unref (g_queue_pop_head (&self->voice));
  flush (self);
}

guint
mumble_conn_get_late (MumbleConn *self)
{
  return self->late;
}

/* ---- reading */

static gboolean
take_frame (guint type, const guint8 *body, gsize len, gpointer data)
{
  MumbleConn *self = data;

  self->events.frame (type, body, len, self->data);
  return !self->closed;
}

/* Returns: TRUE if there may be more. */
static gboolean
read_some (MumbleConn *self, GPollableInputStream *stream)
{
  guint8 buffer[READ_BYTES];
  g_autoptr (GError) error = NULL;
  const gssize n = g_pollable_input_stream_read_nonblocking (stream, buffer, sizeof buffer,
                                                             self->cancellable, &error);

  if (n > 0) {
    self->heard_us = g_get_monotonic_time ();
    g_byte_array_append (self->in, buffer, n);
    if (!mumble_frame_split (self->in, take_frame, self))
      down (self, MUMBLE_DOWN_LOST, "the server sends what is no Mumble protocol");
    return !self->closed;
  }
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return FALSE;
  down (self, MUMBLE_DOWN_LOST, n == 0 ? "the server closed the connection" : error->message);
  return FALSE;
}

static gboolean
on_readable (GObject *stream, gpointer data)
{
  MumbleConn *self = data;

  conn_ref (self);
  /* not until it is empty: a server that never stops would keep everybody else waiting */
  for (int i = 0; i < 8 && read_some (self, G_POLLABLE_INPUT_STREAM (stream)); i++)
    ;
  const gboolean goes_on = !self->closed;
  conn_unref (self);
  return goes_on;
}

static void
start_reading (MumbleConn *self)
{
  GPollableInputStream *stream = G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (self->tls));

  self->reader = g_pollable_input_stream_create_source (stream, NULL);
  g_source_set_callback (self->reader, G_SOURCE_FUNC (on_readable), self, NULL);
  g_source_attach (self->reader, NULL);
}

/* ---- life */

static gboolean
on_ping (gpointer data)
{
  MumbleConn *self = data;
  MumbleProto__Ping ping = MUMBLE_PROTO__PING__INIT;
  const gint64 now = g_get_monotonic_time ();

  if (now - self->heard_us > DEAD_US) {
    self->timer = 0;
    down (self, MUMBLE_DOWN_LOST, "the server says nothing any more");
    return G_SOURCE_REMOVE;
  }
  ping.has_timestamp = TRUE;
  ping.timestamp = now;
  mumble_conn_send (self, MUMBLE_PING, &ping.base);
  return !self->closed;
}

static gboolean
on_handshake_timeout (gpointer data)
{
  MumbleConn *self = data;

  self->timer = 0;
  down (self, MUMBLE_DOWN_LOST, "the server does not finish the TLS handshake");
  return G_SOURCE_REMOVE;
}

static void
on_handshake (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (MumbleConn) self = data;
  g_autoptr (GError) error = NULL;
  const gboolean ok = g_tls_connection_handshake_finish (G_TLS_CONNECTION (source), result, &error);

  if (self->closed)
    return;
  if (!ok) {
    down (self, self->mismatch != NULL ? MUMBLE_DOWN_CERTIFICATE : MUMBLE_DOWN_EARLY,
          self->mismatch != NULL ? self->mismatch : error->message);
    return;
  }
  g_source_remove (self->timer);
  self->heard_us = g_get_monotonic_time ();
  self->timer = g_timeout_add (PING_MS, on_ping, self);
  self->up = TRUE;
  start_reading (self);
  self->events.up (self->data);
}

/* The server's certificate against the one in the configuration, or else the one that it showed at
 * the first visit.  Returns: (transfer full) (nullable): what is wrong. */
static char *
check_pin (MumbleConn *self, const char *digest)
{
  const MumbleConfig *config = self->config;
  g_autofree char *server = g_strdup_printf ("%s %u", config->host, (guint) config->port);
  g_autofree char *file = mumble_known_file (config->certificate);
  g_autofree char *known = NULL;
  g_autoptr (GError) error = NULL;

  if (config->fingerprint == NULL &&
      !mumble_known_get (config->certificate, server, &known, &error))
    return g_strdup (error->message);
  const char *wanted = config->fingerprint != NULL ? config->fingerprint : known;
  if (wanted == NULL) {
    host_log (BOT_LOG_INFO, "mumble", "%s shows the certificate %s; it is remembered in %s", server,
              digest, file);
    return mumble_known_set (config->certificate, server, digest, &error)
               ? NULL
               : g_strdup (error->message);
  }
  if (strcmp (wanted, digest) == 0)
    return NULL;
  return g_strdup_printf ("the server's certificate is %s, not %s as %s says: it was renewed, or "
                          "this is another server",
                          digest, wanted, config->fingerprint != NULL ? "fingerprint" : file);
}

static gboolean
on_accept_certificate (GTlsConnection *tls, GTlsCertificate *peer, GTlsCertificateFlags errors,
                       gpointer data)
{
  MumbleConn *self = data;
  g_autofree char *digest = mumble_identity_digest (peer, G_CHECKSUM_SHA256);

  if (self->closed)
    return FALSE;
  g_clear_pointer (&self->mismatch, g_free);
  if (self->config->verify == MUMBLE_VERIFY_CA)
    self->mismatch =
        g_strdup ("the server's certificate is not signed for this name by an authority "
                  "that this machine trusts");
  else if (self->config->verify == MUMBLE_VERIFY_PIN)
    self->mismatch = check_pin (self, digest);
  return self->mismatch == NULL;
}

/* Small writes go out at once, and what the network does not take stays with us, where it can be
 * dropped. */
static void
tune (GSocket *socket)
{
  g_socket_set_timeout (socket, 0);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, 1, NULL);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES, NULL);
}

static void
start_tls (MumbleConn *self)
{
  g_autoptr (GSocketConnectable) identity =
      g_network_address_new (self->config->host, self->config->port);
  g_autoptr (GError) error = NULL;

  self->tls = g_tls_client_connection_new (G_IO_STREAM (self->socket), identity, &error);
  if (self->tls == NULL) {
    down (self, MUMBLE_DOWN_UNREACHABLE, error->message);
    return;
  }
  GTlsConnection *tls = G_TLS_CONNECTION (self->tls);
  g_tls_connection_set_require_close_notify (tls, FALSE);
  g_tls_connection_set_certificate (tls, self->certificate);
  /* without authorities every certificate is asked about, also one that they would vouch for */
  if (self->config->verify != MUMBLE_VERIFY_CA)
    g_tls_connection_set_database (tls, NULL);
  g_signal_connect (tls, "accept-certificate", G_CALLBACK (on_accept_certificate), self);
  self->timer = g_timeout_add_seconds (HANDSHAKE_S, on_handshake_timeout, self);
  g_tls_connection_handshake_async (tls, G_PRIORITY_DEFAULT, self->cancellable, on_handshake,
                                    conn_ref (self));
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (MumbleConn) self = data;
  g_autoptr (GError) error = NULL;

  self->socket = g_socket_client_connect_finish (G_SOCKET_CLIENT (source), result, &error);
  if (self->closed)
    return;
  if (self->socket == NULL) {
    down (self, MUMBLE_DOWN_UNREACHABLE, error->message);
    return;
  }
  tune (g_socket_connection_get_socket (self->socket));
  start_tls (self);
}

MumbleConn *
mumble_conn_new (const MumbleConfig *config, GTlsCertificate *certificate,
                 const MumbleConnEvents *events, gpointer data)
{
  MumbleConn *self = g_new0 (MumbleConn, 1);
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnectable) address = g_network_address_new (config->host, config->port);

  g_atomic_ref_count_init (&self->ref_count);
  n_alive++;
  self->config = config;
  self->certificate = certificate;
  self->events = *events;
  self->data = data;
  self->in = g_byte_array_new ();
  self->out = g_byte_array_new ();
  self->cancellable = g_cancellable_new ();
  /* no proxy: asking for one would load half a desktop */
  g_socket_client_set_enable_proxy (client, FALSE);
  g_socket_client_set_timeout (client, CONNECT_S);
  g_socket_client_connect_async (client, address, self->cancellable, on_connected, conn_ref (self));
  return self;
}
