/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What /proc tells: of the machine and of one process. */
#include "config.h"
#include "bench.h"

#include <gst/gst.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* ---- load */

/* Of all processors, with what the hypervisor took away. */
static gint64
machine_busy_us (void)
{
  g_autofree char *text = NULL;
  guint64 user, nice, system, idle, iowait, irq, softirq, steal;

  if (!g_file_get_contents ("/proc/stat", &text, NULL, NULL) ||
      sscanf (text, "cpu %lu %lu %lu %lu %lu %lu %lu %lu", &user, &nice, &system, &idle, &iowait,
              &irq, &softirq, &steal) != 8)
    return 0;
  return (gint64) (user + nice + system + irq + softirq + steal) * G_USEC_PER_SEC /
         sysconf (_SC_CLK_TCK);
}

static gint64
usage_us (int who)
{
  struct rusage usage;

  getrusage (who, &usage);
  return (gint64) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static BenchLoad
load_now (Bench *self)
{
  const gint64 live_us = self->live != 0 ? bench_process_cpu_ns (self->live) / 1000 : 0;

  return (BenchLoad){.busy_us = machine_busy_us (),
                     .own_us = usage_us (RUSAGE_SELF) + usage_us (RUSAGE_CHILDREN) + live_us,
                     .time_us = g_get_monotonic_time ()};
}

BenchLoad
bench_load_begin (Bench *self)
{
  return load_now (self);
}

double
bench_load_end (Bench *self, const BenchLoad *begin)
{
  const BenchLoad now = load_now (self);
  const gint64 foreign_us = (now.busy_us - begin->busy_us) - (now.own_us - begin->own_us);

  return MAX (foreign_us, 0) / (double) MAX (now.time_us - begin->time_us, 1);
}

/* ---- one process */

/* Calls ADD with the text of /proc/PID/task/TID/NAME of every thread. */
static gint64
sum_threads (pid_t pid, const char *name, gint64 (*get) (const char *text))
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/task", (int) pid);
  g_autoptr (GDir) tasks = g_dir_open (path, 0, NULL);
  const char *tid;
  gint64 sum = 0;

  while (tasks != NULL && (tid = g_dir_read_name (tasks)) != NULL) {
    g_autofree char *file = g_build_filename (path, tid, name, NULL);
    g_autofree char *text = NULL;
    if (g_file_get_contents (file, &text, NULL, NULL))
      sum += get (text);
  }
  return sum;
}

static gint64
get_number (const char *text, const char *key)
{
  const char *at = strstr (text, key);

  return at != NULL ? g_ascii_strtoll (at + strlen (key), NULL, 10) : 0;
}

static gint64
get_switches (const char *text)
{
  return get_number (text, "\nvoluntary_ctxt_switches:") +
         get_number (text, "\nnonvoluntary_ctxt_switches:");
}

gint64
bench_process_cpu_ns (pid_t pid)
{
  struct timespec used = {0, 0};
  clockid_t clock;

  if (clock_getcpuclockid (pid, &clock) != 0 || clock_gettime (clock, &used) != 0)
    return 0;
  return used.tv_sec * G_GINT64_CONSTANT (1000000000) + used.tv_nsec;
}

gint64
bench_process_switches (pid_t pid)
{
  return sum_threads (pid, "status", get_switches);
}

static gint64
get_one (const char *text)
{
  return 1;
}

guint
bench_process_threads (pid_t pid)
{
  return sum_threads (pid, "stat", get_one);
}

gboolean
bench_process_memory (pid_t pid, BenchMemory *out, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/smaps_rollup", (int) pid);
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, error))
    return FALSE;
  out->rss_kib = get_number (text, "\nRss:");
  out->pss_kib = get_number (text, "\nPss:");
  return TRUE;
}

/* ---- words */

static char *
first_line_of (const char *program, const char *option)
{
  const char *argv[] = {program, option, NULL};
  g_autofree char *out = NULL;

  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL | G_SPAWN_SEARCH_PATH,
                     NULL, NULL, &out, NULL, NULL, NULL))
    return g_strdup ("not installed");
  out[strcspn (out, "\n")] = '\0';
  if (strstr (out, " Copyright") != NULL)
    *strstr (out, " Copyright") = '\0';
  return g_steal_pointer (&out);
}

static char *
processor_name (void)
{
  g_autofree char *text = NULL;
  const char *at = NULL;

  if (g_file_get_contents ("/proc/cpuinfo", &text, NULL, NULL))
    at = strstr (text, "model name\t: ");
  if (at == NULL)
    return g_strdup ("unknown processor");
  at += strlen ("model name\t: ");
  return g_strndup (at, strcspn (at, "\n"));
}

char **
bench_machine_describe (Bench *self)
{
  g_autoptr (GStrvBuilder) lines = g_strv_builder_new ();
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *date = g_date_time_format (now, "%Y-%m-%d %H:%M:%S UTC");
  g_autofree char *processor = processor_name ();
  g_autofree char *ffmpeg = first_line_of ("ffmpeg", "-version");
  g_autofree char *gst = gst_version_string ();
  struct utsname system;
  struct statfs fs = {0};
  double load[3] = {0};

  uname (&system);
  statfs (self->dir, &fs);
  if (getloadavg (load, 3) < 0)
    load[0] = -1;
  g_autofree char *machine = g_strdup_printf ("machine: %u x %s, %s %s", g_get_num_processors (),
                                              processor, system.sysname, system.release);
  g_autofree char *versions =
      g_strdup_printf ("versions: encore " PACKAGE_VERSION ", %s, SQLite %s, %s", gst,
                       sqlite3_libversion (), ffmpeg);
  g_autofree char *place = g_strdup_printf ("cache: %u rows on file system type 0x%lx",
                                            self->n_rows, (unsigned long) fs.f_type);
  g_autofree char *begin = g_strdup_printf ("begin: %s, load average %.2f", date, load[0]);
  g_strv_builder_add_many (lines, machine, versions, place, begin, NULL);
  return g_strv_builder_end (lines);
}
