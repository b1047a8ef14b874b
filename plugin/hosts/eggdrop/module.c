/* SPDX-License-Identifier: GPL-3.0-or-later
 * What eggdrop loads by "loadmodule encore"; the plugin is another file, in our own directory.
 *
 * eggdrop loads modules before it goes to the background, where no thread follows it.  So nothing
 * begins here before the first second of its main loop.  It stays mapped (-z nodelete).
 *
 * module.h makes macros of common words (admin, answer, days, dcc, now, ver): it comes last. */
#include "hosts/eggdrop/shim.h"

#define MODULE_NAME "encore"
#define MAKING_ENCORE
#include "src/mod/module.h"

#define CONFIG_BYTES_MAX 1023
/* by way of the one type of function that matches every other */
#define AS(type, function) ((type) (void (*) (void)) (function))

#undef global
static Function *global;
static char config[CONFIG_BYTES_MAX + 1] = "encore.conf";
static Shim *shim;
static int has_failed; /* until the next rehash */

__attribute__ ((visibility ("default"))) char *encore_start (Function *functions);

static tcl_strings settings[] = {{"encore-config", config, CONFIG_BYTES_MAX, 0},
                                 {NULL, NULL, 0, 0}};

/* ---- what the shim wants */

static void
say (const char *channel, const char *line)
{
  dprintf (DP_SERVER, "PRIVMSG %s :%s\n", channel, line);
}

static void
log_text (const char *text)
{
  putlog (LOG_MISC, "*", "encore: %s", text);
}

/* ---- hooks */

static void
on_posts (ClientData data, int mask)
{
  shim_run_posts (shim);
}

static void
start_shim (void)
{
  const ShimBot bot = {say, log_text};
  GError *error = NULL;

  shim = shim_new (config, &bot, &error);
  has_failed = shim == NULL;
  if (has_failed) {
    log_text (error->message);
    g_error_free (error);
    return;
  }
  Tcl_CreateFileHandler (shim_get_fd (shim), TCL_READABLE, on_posts, NULL);
}

static int
stop_shim (void)
{
  if (shim != NULL) {
    Tcl_DeleteFileHandler (shim_get_fd (shim));
    shim_free (shim);
  }
  shim = NULL;
  has_failed = 1; /* who dies does not begin again */
  return 0;
}

static int
on_second (void)
{
  if (shim == NULL && !has_failed)
    start_shim ();
  if (shim != NULL)
    shim_tick (shim);
  return 0;
}

static int
on_rehash (void)
{
  has_failed = 0;
  return 0;
}

/* ---- who speaks */

static int
on_pubm (char *nick, char *address, char *handle, char *channel, char *text)
{
  struct flag_record flags = {.match = FR_GLOBAL | FR_CHAN};
  struct userrec *user = get_user_by_handle (userlist, handle);

  if (shim == NULL)
    return 0;
  if (user != NULL)
    get_user_flagrec (user, &flags, channel);
  const ShimSpeaker who = {
      .nick = nick,
      .address = address,
      .handle = user != NULL ? handle : "*",
      .channel = channel,
      /* masters and owners of the bot are admins, those of a channel are not */
      .is_admin = user != NULL && (glob_master (flags) || glob_owner (flags)),
      .is_dj = user != NULL &&
               (glob_op (flags) || chan_op (flags) || chan_master (flags) || chan_owner (flags)),
  };
  shim_hear (shim, &who, text);
  return 0;
}

static cmd_t binds[] = {{"*", "", AS (IntFunc, on_pubm), "encore"}, {NULL, NULL, NULL, NULL}};

/* ---- life */

static int
count_memory (void)
{
  return 0; /* none of eggdrop's own */
}

static void
report (int idx, int details)
{
  if (shim == NULL) {
    dprintf (idx, "    Encore does not run; the log says why, and .rehash tries it again\n");
    return;
  }
  g_autoptr (GPtrArray) lines = shim_describe (shim);
  for (guint i = 0; i < lines->len; i++)
    dprintf (idx, "    %s\n", (const char *) g_ptr_array_index (lines, i));
}

static char *
encore_close (void)
{
  p_tcl_bind_list pubm = find_bind_table ("pubm");

  stop_shim ();
  if (pubm != NULL)
    rem_builtins (pubm, binds);
  rem_tcl_strings (settings);
  del_hook (HOOK_SECONDLY, AS (Function, on_second));
  del_hook (HOOK_REHASH, AS (Function, on_rehash));
  del_hook (HOOK_DIE, AS (Function, stop_shim));
  module_undepend (MODULE_NAME);
  return NULL;
}

static Function table[] = {AS (Function, encore_start), AS (Function, encore_close),
                           AS (Function, count_memory), AS (Function, report)};

char *
encore_start (Function *functions)
{
  if (functions != NULL)
    global = functions; /* NULL: after a restart, and the old one holds */
  module_register (MODULE_NAME, table, 1, 0);
  if (module_depend (MODULE_NAME, "eggdrop", 108, 0) == NULL) {
    module_undepend (MODULE_NAME);
    return "encore needs eggdrop 1.8 or later";
  }
  if (module_depend (MODULE_NAME, "irc", 1, 0) == NULL) {
    module_undepend (MODULE_NAME);
    return "encore needs the modules server, channels and irc before it";
  }
  has_failed = 0;
  add_builtins (find_bind_table ("pubm"), binds);
  add_tcl_strings (settings);
  add_hook (HOOK_SECONDLY, AS (Function, on_second));
  add_hook (HOOK_REHASH, AS (Function, on_rehash));
  add_hook (HOOK_DIE, AS (Function, stop_shim));
  return NULL;
}
