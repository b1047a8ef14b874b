/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The host that the bench measures: loads the module through bot-plugin.h, has many rooms whose
 * voice is a null sink, and nothing else in memory: libc only.
 *
 *   bench-host [MODULE KEY=VALUE...]        without MODULE: the same host without a plugin
 *
 * Standard input, one command a line, and its answer, one line, on standard output:
 *   play ROOM WORDS   first NS       from the call of the command's run() to the first packet
 *   stop ROOM LAST    stopped        when the last packet of the silence has come in all of them
 *   say ROOM COMMAND [ARGS]
 *                     answer TEXT    the first reply to it
 *   seek ROOM TIME HEX
 *                     first NS       from the call of `seek`, 4 ms before the room's next slot, to
 * the packet that begins with these bytes usage             usage CPU_US PACKETS     of this
 * process; of all rooms measure ROOMS S   late PACKETS P50_US P99_US MAX_US LATE_PER_MILLION of the
 * rooms up to ROOMS, for S seconds: how far packets are off the room's grid of 20 ms, early or
 * late; LATE: by more than 20 ms "failed TEXT" when that does not happen within 10 s.  The log goes
 * to standard error.
 *
 * Threads: [main] waits for a line or for `wake`; send, reply, post and log come from any. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bot-plugin.h"

#define MAX_ROOMS 20000
#define SLOT_US 20000
#define PACKETS_PER_S 50
#define MAX_WINDOW_S 30
#define MAX_TIMES (MAX_WINDOW_S * PACKETS_PER_S)
#define BASE_PACKETS 50 /* the first ones of a window: their median is the room's grid */
#define BIN_US 100
#define N_BINS 10000 /* what is later than a second is in the last one */
#define MAX_COMMANDS 64
#define LINE_BYTES 4096
#define WAIT_MS 10000
#define BEFORE_SLOT_US 4000
#define START_BYTES 16

typedef struct {
  _Atomic uint64_t packets;
  _Atomic int waiting;       /* [main] wants to know of the first packet */
  _Atomic uint64_t first_ns; /* when it came; 0: not yet */
  _Atomic int silent;        /* the last packet has come */
  _Atomic uint64_t last_ns;  /* when the last one came */
  _Atomic int seeking;       /* [main] wants to know of the one that begins with `start` */
  uint8_t start[START_BYTES];
  int32_t *times_us; /* of its packets since the window began */
  _Atomic uint32_t n_times;
} Room;

typedef struct {
  char name[32];
  void (*run) (void *data, const bot_call *call);
  void *data;
} Command;

typedef struct Post {
  struct Post *next;
  bot_task fn, drop;
  void *data;
} Post;

static Room rooms[MAX_ROOMS + 1]; /* by number; 0 is none */
static Command commands[MAX_COMMANDS];
static int n_commands;
static uint64_t window_ns;
static _Atomic uint64_t began_ns;                         /* the window; 0: none */
static char **settings;                                   /* KEY=VALUE, NULL-terminated */
static int wake;                                          /* eventfd */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static Post *first_post, **last_post = &first_post;
static char reply_text[LINE_BYTES];
static int replied;

static uint64_t
now_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

static void
wake_main (void)
{
  const uint64_t one = 1;

  if (write (wake, &one, sizeof one) < 0)
    abort ();
}

/* ---- what the plugin calls */

static void
api_log (void *ctx, int level, const char *domain, const char *text)
{
  fprintf (stderr, "%d %s: %s\n", level, domain, text);
}

static bot_result
api_config_get (void *ctx, const char *key, char *buf, size_t len)
{
  const size_t n = strlen (key);

  for (char **s = settings; *s != NULL; s++)
    if (strncmp (*s, key, n) == 0 && (*s)[n] == '=')
      return snprintf (buf, len, "%s", *s + n + 1);
  return BOT_EINVAL;
}

static bot_result
api_config_key (void *ctx, uint32_t index, char *buf, size_t len)
{
  for (char **s = settings; *s != NULL; s++)
    if (index-- == 0)
      return snprintf (buf, len, "%.*s", (int) strcspn (*s, "="), *s);
  return BOT_EINVAL;
}

static bot_result
api_command_add (void *ctx, const bot_command *cmd)
{
  if (n_commands == MAX_COMMANDS)
    return BOT_EFAIL;
  Command *command = &commands[n_commands++];
  snprintf (command->name, sizeof command->name, "%s", cmd->name);
  command->run = cmd->run;
  command->data = cmd->data;
  return BOT_OK;
}

static bot_result
api_reply (void *ctx, bot_id room, bot_id user, const char *text)
{
  pthread_mutex_lock (&mutex);
  if (!replied)
    snprintf (reply_text, sizeof reply_text, "%s", text);
  replied = 1;
  pthread_mutex_unlock (&mutex);
  wake_main ();
  return BOT_OK;
}

static bot_result
api_allowed (void *ctx, bot_id room, bot_id user, const char *permission)
{
  return BOT_OK;
}

static bot_result
api_post (void *ctx, bot_task fn, void *data, bot_task drop)
{
  Post *post = malloc (sizeof *post);

  if (post == NULL)
    return BOT_EFAIL;
  *post = (Post){NULL, fn, drop, data};
  pthread_mutex_lock (&mutex);
  *last_post = post;
  last_post = &post->next;
  pthread_mutex_unlock (&mutex);
  wake_main ();
  return BOT_OK;
}

static bot_result
voice_open (void *ctx, bot_id room, bot_voice_spec *spec, bot_id *voice)
{
  if (room == 0 || room > MAX_ROOMS)
    return BOT_ECLOSED;
  spec->max_bytes = 1275;
  spec->max_bps = 0;
  spec->queue_us = 0;
  *voice = room;
  return BOT_OK;
}

static bot_result
voice_send (void *ctx, bot_id voice, uint64_t seq, uint32_t flags, const void *packet, size_t len)
{
  Room *room = &rooms[voice];

  const uint64_t now = now_ns ();
  if (atomic_load (&room->waiting)) {
    atomic_store (&room->first_ns, now);
    atomic_store (&room->waiting, 0);
    wake_main ();
  }
  if (atomic_load (&room->seeking) && len >= START_BYTES &&
      memcmp (packet, room->start, START_BYTES) == 0) {
    atomic_store (&room->first_ns, now);
    atomic_store (&room->seeking, 0);
    wake_main ();
  }
  atomic_store_explicit (&room->last_ns, now, memory_order_relaxed);
  atomic_fetch_add_explicit (&room->packets, 1, memory_order_relaxed);
  const uint64_t began = atomic_load (&began_ns);
  const uint32_t n = room->n_times; /* one thread sends */
  if (began != 0 && room->times_us != NULL && n < MAX_TIMES) {
    room->times_us[n] = (int32_t) ((now - began) / 1000);
    atomic_store (&room->n_times, n + 1);
  }
  if (flags & BOT_VOICE_LAST) {
    atomic_store (&room->silent, 1);
    wake_main ();
  }
  return BOT_OK;
}

static bot_result
voice_close (void *ctx, bot_id voice)
{
  return BOT_OK;
}

static bot_result
voice_now_playing (void *ctx, bot_id voice, const char *title)
{
  return BOT_OK;
}

static const bot_host_voice voice_api = {.size = sizeof voice_api,
                                         .open = voice_open,
                                         .send = voice_send,
                                         .close = voice_close,
                                         .now_playing = voice_now_playing};

static const void *
api_get_extension (void *ctx, const char *id)
{
  return strcmp (id, BOT_EXT_VOICE) == 0 ? &voice_api : NULL;
}

static const bot_host api = {.size = sizeof api,
                             .abi_major = BOT_ABI_MAJOR,
                             .abi_minor = BOT_ABI_MINOR,
                             .name = "bench-host",
                             .version = "1",
                             .get_extension = api_get_extension,
                             .log = api_log,
                             .config_get = api_config_get,
                             .config_key = api_config_key,
                             .command_add = api_command_add,
                             .reply = api_reply,
                             .allowed = api_allowed,
                             .post = api_post};

/* ---- [main] */

static void
run_posts (int drop_only)
{
  pthread_mutex_lock (&mutex);
  Post *post = first_post;
  first_post = NULL;
  last_post = &first_post;
  pthread_mutex_unlock (&mutex);
  while (post != NULL) {
    Post *next = post->next;
    if (!drop_only)
      post->fn (post->data);
    else if (post->drop != NULL)
      post->drop (post->data);
    free (post);
    post = next;
  }
}

static int
is_replied (const Room *room)
{
  pthread_mutex_lock (&mutex);
  const int result = replied;
  pthread_mutex_unlock (&mutex);
  return result;
}

static int
has_packet (const Room *room)
{
  return atomic_load (&room->first_ns) != 0;
}

static int
is_silent (const Room *room)
{
  return atomic_load (&room->silent);
}

/* Returns: 0 if CONDITION does not come true in time. */
static int
wait_for (int (*condition) (const Room *), const Room *room)
{
  const uint64_t deadline_ns = now_ns () + WAIT_MS * 1000000ull;
  struct pollfd fd = {.fd = wake, .events = POLLIN};
  uint64_t count;

  while (!condition (room)) {
    if (now_ns () >= deadline_ns)
      return 0;
    if (poll (&fd, 1, 100) > 0 && read (wake, &count, sizeof count) > 0)
      run_posts (0);
  }
  return 1;
}

/* Returns: when run() was called, 0 if there is no such command. */
static uint64_t
call (unsigned long room, const char *name, const char *args)
{
  const bot_call typed = {.size = sizeof typed,
                          .room = room,
                          .user = 1,
                          .voice_room = room,
                          .user_name = "bench",
                          .name = name,
                          .args = args};

  pthread_mutex_lock (&mutex);
  replied = 0;
  reply_text[0] = '\0';
  pthread_mutex_unlock (&mutex);
  for (int i = 0; i < n_commands; i++)
    if (strcmp (commands[i].name, name) == 0) {
      const uint64_t called_ns = now_ns ();
      commands[i].run (commands[i].data, &typed);
      return called_ns;
    }
  return 0;
}

static void
print_failed (void)
{
  pthread_mutex_lock (&mutex);
  printf ("failed %s\n", reply_text[0] != '\0' ? reply_text : "nothing happened");
  pthread_mutex_unlock (&mutex);
}

static void
play (unsigned long number, const char *words)
{
  Room *room = &rooms[number];

  atomic_store (&room->first_ns, 0);
  atomic_store (&room->silent, 0);
  atomic_store (&room->waiting, 1);
  const uint64_t called_ns = call (number, "play", words);
  if (called_ns != 0 && wait_for (has_packet, room))
    printf ("first %llu\n", (unsigned long long) (atomic_load (&room->first_ns) - called_ns));
  else
    print_failed ();
}

static void
sleep_until_ns (uint64_t time_ns)
{
  const struct timespec until = {(time_t) (time_ns / 1000000000u), (long) (time_ns % 1000000000u)};

  clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* WORDS: TIME HEX */
static void
seek (unsigned long number, const char *words)
{
  Room *room = &rooms[number];
  char place[16] = "";
  int at = 0;

  if (sscanf (words, "%15s %n", place, &at) != 1 || strlen (words + at) != START_BYTES * 2) {
    puts ("failed usage");
    return;
  }
  for (int i = 0; i < START_BYTES; i++)
    sscanf (words + at + i * 2, "%2hhx", &room->start[i]);
  /* right after a slot, so that what is slept is known */
  const uint64_t last_ns = atomic_load (&room->last_ns);
  while (atomic_load (&room->last_ns) == last_ns)
    sleep_until_ns (now_ns () + 200000);
  sleep_until_ns (atomic_load (&room->last_ns) + (SLOT_US - BEFORE_SLOT_US) * 1000ull);
  atomic_store (&room->first_ns, 0);
  atomic_store (&room->seeking, 1);
  const uint64_t called_ns = call (number, "seek", place);
  if (called_ns != 0 && wait_for (has_packet, room))
    printf ("first %llu\n", (unsigned long long) (atomic_load (&room->first_ns) - called_ns));
  else
    print_failed ();
}

static void
stop (unsigned long number, unsigned long last)
{
  int ok = last <= MAX_ROOMS;

  for (unsigned long i = number; ok && i <= last; i++)
    ok = call (i, "stop", "") != 0;
  for (unsigned long i = number; ok && i <= last; i++)
    ok = wait_for (is_silent, &rooms[i]);
  if (ok)
    puts ("stopped");
  else
    print_failed ();
}

static void
say (unsigned long number, char *words)
{
  char *args = words + strcspn (words, " ");

  if (*args != '\0')
    *args++ = '\0';
  if (call (number, words, args) != 0 && wait_for (is_replied, NULL))
    printf ("answer %s\n", reply_text);
  else
    print_failed ();
}

static int
compare (const void *a, const void *b)
{
  const int32_t x = *(const int32_t *) a, y = *(const int32_t *) b;

  return (x > y) - (x < y);
}

typedef struct {
  uint64_t bins[N_BINS], n, late;
  int64_t max_us;
} Lateness;

static void
add_room (const Room *room, Lateness *out)
{
  const uint32_t n = room->n_times;
  int32_t base[BASE_PACKETS];

  if (n <= BASE_PACKETS)
    return;
  for (int i = 0; i < BASE_PACKETS; i++)
    base[i] = room->times_us[i] - i * SLOT_US;
  qsort (base, BASE_PACKETS, sizeof *base, compare);
  for (uint32_t i = BASE_PACKETS; i < n; i++) {
    const int64_t off_us =
        llabs ((int64_t) room->times_us[i] - (int64_t) i * SLOT_US - base[BASE_PACKETS / 2]);
    const int64_t bin = off_us / BIN_US;
    out->bins[bin < N_BINS ? bin : N_BINS - 1]++;
    out->n++;
    out->late += off_us > SLOT_US;
    out->max_us = off_us > out->max_us ? off_us : out->max_us;
  }
}

/* The upper edge of the bin with that share of all. */
static long
quantile_us (const Lateness *lateness, double share)
{
  uint64_t below = 0;

  for (int i = 0; i < N_BINS; i++) {
    below += lateness->bins[i];
    if (below >= share * lateness->n)
      return (i + 1) * BIN_US;
  }
  return N_BINS * BIN_US;
}

static int
is_over (const Room *room)
{
  return now_ns () - atomic_load (&began_ns) >= window_ns;
}

static void
measure (unsigned long n_rooms, unsigned long seconds)
{
  static Lateness lateness;
  uint64_t packets = 0;

  if (seconds > MAX_WINDOW_S) {
    puts ("failed the window is too long");
    return;
  }
  window_ns = seconds * 1000000000ull;
  for (unsigned long i = 1; i <= n_rooms; i++) {
    if (rooms[i].times_us == NULL)
      rooms[i].times_us = calloc (MAX_TIMES, sizeof (int32_t));
    atomic_store (&rooms[i].n_times, 0);
  }
  atomic_store (&began_ns, now_ns ());
  while (!is_over (NULL))
    wait_for (is_over, NULL);
  atomic_store (&began_ns, 0);
  memset (&lateness, 0, sizeof lateness);
  for (unsigned long i = 1; i <= n_rooms; i++) {
    packets += rooms[i].n_times;
    add_room (&rooms[i], &lateness);
  }
  printf ("late %llu %ld %ld %lld %llu\n", (unsigned long long) packets,
          quantile_us (&lateness, 0.5), quantile_us (&lateness, 0.99), (long long) lateness.max_us,
          lateness.n > 0 ? (unsigned long long) (lateness.late * 1000000 / lateness.n) : 0ull);
}

static void
print_usage (void)
{
  struct rusage usage;
  unsigned long long packets = 0;

  getrusage (RUSAGE_SELF, &usage);
  for (int i = 1; i <= MAX_ROOMS; i++)
    packets += atomic_load (&rooms[i].packets);
  printf ("usage %lld %llu\n",
          (long long) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
              usage.ru_utime.tv_usec + usage.ru_stime.tv_usec,
          packets);
}

static void
obey (char *line)
{
  char verb[16] = "";
  unsigned long number = 0;
  int at = 0;

  line[strcspn (line, "\n")] = '\0';
  const int n = sscanf (line, "%15s %lu %n", verb, &number, &at);
  if (strcmp (verb, "usage") == 0)
    print_usage ();
  else if (n < 2 || number == 0 || number > MAX_ROOMS)
    puts ("failed no such room");
  else if (strcmp (verb, "play") == 0)
    play (number, line + at);
  else if (strcmp (verb, "seek") == 0)
    seek (number, line + at);
  else if (strcmp (verb, "measure") == 0)
    measure (number, strtoul (line + at, NULL, 10));
  else if (strcmp (verb, "stop") == 0)
    stop (number, strtoul (line + at, NULL, 10));
  else if (strcmp (verb, "say") == 0)
    say (number, line + at);
  else
    puts ("failed no such verb");
  fflush (stdout);
}

/* Nothing is buffered: the driver sends one line and waits for its answer. */
static void
serve (void)
{
  struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = wake, .events = POLLIN}};
  char line[LINE_BYTES];
  uint64_t count;

  puts ("ready");
  fflush (stdout);
  for (;;) {
    poll (fds, 2, -1);
    if ((fds[1].revents & POLLIN) && read (wake, &count, sizeof count) > 0)
      run_posts (0);
    if (fds[0].revents == 0)
      continue;
    const ssize_t n = read (STDIN_FILENO, line, sizeof line - 1);
    if (n <= 0)
      return;
    line[n] = '\0';
    obey (line);
  }
}

static const bot_plugin *
load (const char *path)
{
  void *module = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  const bot_plugin *plugin = module != NULL ? dlsym (module, "bot_plugin_entry") : NULL;

  if (plugin == NULL || plugin->abi_major != BOT_ABI_MAJOR) {
    fprintf (stderr, "bench-host: %s: %s\n", path,
             plugin == NULL ? dlerror () : "another version of the contract");
    return NULL;
  }
  return plugin;
}

/* Rooms have files open. */
static void
allow_files (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit (RLIMIT_NOFILE, &limit);
  }
}

int
main (int argc, char **argv)
{
  const bot_plugin *plugin = NULL;
  void *self = NULL;

  allow_files ();

  wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  settings = argv + (argc > 1 ? 2 : 1);
  if (argc > 1) {
    plugin = load (argv[1]);
    if (plugin == NULL || plugin->start (&api, &self) < BOT_OK)
      return 1;
  }
  serve ();
  if (plugin != NULL)
    plugin->stop (self);
  run_posts (1);
  return 0;
}
