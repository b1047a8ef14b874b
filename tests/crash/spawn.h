/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Processes of the harness: started, killed and waited for by pid, and never outliving the driver.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Nothing the store does takes longer: who is not done by then hangs. */
#define SPAWN_HANG_MS 20000

/* Starts ARGV with "KEY=value" ENV added (nullable). */
pid_t spawn (const char *const *argv, const char *const *env);
/* The same, and what it prints goes nowhere. */
pid_t spawn_quiet (const char *const *argv, const char *const *env);
/* Returns: the wait status; -1 after TIMEOUT_MS, then the process has been killed. */
int spawn_wait (pid_t pid, int timeout_ms);
gboolean spawn_is_clean (int status);
/* "exit status 3", "signal 9", "hangs" (transfer full) */
char *spawn_describe (int status);
