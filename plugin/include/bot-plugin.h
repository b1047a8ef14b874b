/* SPDX-License-Identifier: LGPL-2.1-or-later
 * bot-plugin.h - contract between a chat/voice bot (the host) and a plugin (a shared object).
 *
 * C99 and C++11, no library types, so that any host can include it.
 *
 * Threads.  [main] is the one thread on which the host calls start().  [any] means any thread,
 *   several at once; such a call never blocks and never waits for [main].  [send] means any thread,
 *   but one at a time for one voice.  A plugin's [main] functions return within 5 ms, save stop().
 * Memory.  Arguments are lent for the length of the call: copy what you keep.  Neither side frees
 *   what the other allocated.  Rooms, users and voices are numbers; a stale number is answered with
 *   BOT_ECLOSED, never with a crash.  0 is "none".
 * Text.  UTF-8, NUL-terminated, never NULL unless said so.
 * Growth.  Structs that cross the border begin with their size in bytes as their maker compiled
 *   them and grow only at the end, with a new minor; never put one in an array or another struct.
 *   A reader takes the smaller of both sizes and 0 for the rest: ask BOT_HAS() for every member
 *   newer than 1.0.  Whole new areas come as extensions; an incompatible one gets a new id.
 * Life.  dlopen, read bot_plugin_entry (no plugin code runs), start(), ..., stop(), dlclose.
 */
#ifndef BOT_PLUGIN_H
#define BOT_PLUGIN_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define BOT_ABI_MAJOR 1 /* must be equal on both sides */
#define BOT_ABI_MINOR 2 /* may differ: sizes say what is there */

#define BOT_HAS(s, member)                                                                \
  ((size_t) ((const char *) &(s)->member - (const char *) (s)) + sizeof (s)->member       \
       <= (s)->size && (s)->member != NULL)

#define BOT_EXPORT __attribute__ ((visibility ("default")))
typedef uint64_t bot_id;
typedef int32_t bot_result; /* >= 0 is success */
#define BOT_OK 0
#define BOT_EFAIL (-1)   /* anything else */
#define BOT_EINVAL (-2)  /* bad argument, or called on the wrong thread */
#define BOT_EAGAIN (-3)  /* full just now: try again after one frame */
#define BOT_EDENIED (-4) /* not allowed */
#define BOT_ENOTSUP (-5) /* this host cannot */
#define BOT_ECLOSED (-6) /* room, user or voice is gone, or the plugin is stopping */
enum { BOT_LOG_DEBUG, BOT_LOG_INFO, BOT_LOG_WARNING, BOT_LOG_ERROR };

/* One command typed by one user. */
typedef struct bot_call {
  uint32_t size;
  uint32_t reserved;
  bot_id room;           /* where it was typed and where a reply belongs */
  bot_id user;
  bot_id voice_room;     /* the voice room that user sits in, or 0 */
  const char *user_name; /* for messages only; not an identity */
  const char *name;      /* command name without the prefix, as registered */
  const char *args;      /* rest of the line, trimmed, perhaps "" */
} bot_call;

typedef struct bot_command {
  uint32_t size;
  uint32_t reserved;
  const char *name;       /* ASCII lower case and '_' */
  const char *usage;      /* "<song>", perhaps "" */
  const char *help;       /* one line */
  const char *permission; /* the host checks it before run(); NULL: everybody */
  void (*run) (void *data, const bot_call *call); /* [main] */
  void *data;
} bot_command;

typedef void (*bot_task) (void *data);

/* What the host gives.  Lives from before start() until after stop(). */
typedef struct bot_host {
  uint32_t size;
  uint16_t abi_major, abi_minor;
  void *ctx;        /* first argument of every call below */
  const char *name, *version;

  /* [any] An interface by id, or NULL.  Same lifetime as the host struct. */
  const void *(*get_extension) (void *ctx, const char *id);

  /* [any] One line, without a newline. */
  void (*log) (void *ctx, int level, const char *domain, const char *text);

  /* [any] Copy the value of KEY in this plugin's section of the host's configuration to BUF (LEN
   * bytes, cut and terminated like snprintf; NULL with 0 only asks).  Returns its full length, or
   * BOT_EINVAL if unset. */
  bot_result (*config_get) (void *ctx, const char *key, char *buf, size_t len);

  /* [any] Copy the name of the INDEXth key (from 0) that is set in this plugin's section, as
   * config_get does the value; BOT_EINVAL past the last one.  With it a plugin can tell an operator
   * of a key that it does not know. */
  bot_result (*config_key) (void *ctx, uint32_t index, char *buf, size_t len);

  /* [main] The host copies CMD.  Commands are taken back by the host when the plugin stops. */
  bot_result (*command_add) (void *ctx, const bot_command *cmd);

  /* [any] Queue TEXT for ROOM; USER may be 0, else the answer is addressed to that user. */
  bot_result (*reply) (void *ctx, bot_id room, bot_id user, const char *text);

  /* [any] BOT_OK or BOT_EDENIED, e.g. for "encore.admin". */
  bot_result (*allowed) (void *ctx, bot_id room, bot_id user, const char *permission);

  /* [any] Run FN(DATA) once on [main], in order of posting.  If the plugin stops first, DROP(DATA),
   * unless NULL, runs instead on [main] after stop() and before dlclose: it only frees DATA. */
  bot_result (*post) (void *ctx, bot_task fn, void *data, bot_task drop);
} bot_host;

/* Extension: send ready Opus packets to a voice room. */
#define BOT_EXT_VOICE "bot.voice/1"

typedef struct bot_voice_spec {
  uint32_t size;
  uint32_t rate_hz;   /* 48000 */
  uint32_t channels;  /* 1 or 2 */
  uint32_t frame_us;  /* 20000; length of every packet */
  uint32_t max_bytes; /* out: longest packet the host takes */
  uint32_t max_bps;   /* out: highest sustained packet rate in bit/s; 0: no limit */
  uint32_t queue_us;  /* out: how much the host buffers before BOT_EAGAIN */
  uint32_t reserved;
  /* [main] The network's limits changed: packets sent from now on must fit. */
  void (*limits) (void *data, bot_id voice, uint32_t max_bytes, uint32_t max_bps);
  void (*closed) (void *data, bot_id voice, bot_result why); /* [main] once, if the host ends it */
  void *data;
  /* [main] 1.2: people begin (1) or cease (0) to speak in the room, for a plugin that makes room for
   * them.  When a voice is opened nobody speaks. */
  void (*speaking) (void *data, bot_id voice, int32_t on);
} bot_voice_spec;

/* The last packet for now: silence follows until the next one (a network's "end of talk" mark). */
#define BOT_VOICE_LAST 1u

typedef struct bot_host_voice {
  uint32_t size;
  uint32_t reserved;
  /* [main] Begin to join ROOM and return at once.  send() answers BOT_EAGAIN until it is joined; if
   * that fails, closed() tells why. */
  bot_result (*open) (void *ctx, bot_id room, bot_voice_spec *spec, bot_id *voice);
  /* [send] The plugin keeps the clock: one packet every frame_us.  Never blocks.  SEQ counts frames
   * from 0 and may jump forward over silence.  FLAGS: BOT_VOICE_* above.  On BOT_EAGAIN the packet
   * was not taken: the plugin offers the same one again after one frame, or drops it. */
  bot_result (*send) (void *ctx, bot_id voice, uint64_t seq, uint32_t flags, const void *packet,
                      size_t len);
  /* [any] Idempotent.  No send() may be running; closed() is not called for it. */
  bot_result (*close) (void *ctx, bot_id voice);
  /* [any] What plays now, for hosts that show it (status line, stream title); "" when idle. */
  bot_result (*now_playing) (void *ctx, bot_id voice, const char *title);
} bot_host_voice;

#define BOT_PLUGIN_RESIDENT 1u /* never dlclose: it holds libraries that cannot be unloaded */

/* What the plugin gives. */
typedef struct bot_plugin {
  uint32_t size;
  uint16_t abi_major, abi_minor;
  uint32_t flags, reserved;
  const char *id; /* names the configuration section: "encore" */
  const char *version;
  /* [main] Read configuration, add commands.  On failure nothing is left behind. */
  bot_result (*start) (const bot_host *host, void **self);
  /* [main] Refuse new work, cancel the rest, join every thread.  May take 5 s; calls [any] until it
   * returns, nothing afterwards.  start() may follow again. */
  void (*stop) (void *self);
  /* [any] Between start() and stop(): songs queued, fetched or playing and commands under way; 0:
   * idle, a host may leave without cutting anything off. */
  uint32_t (*busy) (void *self);
  /* [main] 1.1: the host's configuration of this plugin is another now.  The plugin reads it anew,
   * takes what can change while it runs and names what changed, and what only a restart changes, in
   * the log.  BOT_EINVAL: something in it is wrong, as the log says; all stays as it was. */
  bot_result (*reconfigure) (void *self);
} bot_plugin;

/* The one symbol a host looks up.  It is data: the version can be checked before any code runs. */
extern BOT_EXPORT const bot_plugin bot_plugin_entry;

#ifdef __cplusplus
}
#endif
#endif /* BOT_PLUGIN_H */
