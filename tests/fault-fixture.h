/* SPDX-License-Identifier: LGPL-2.1-or-later
 * Songs fetched through the real yt-dlp from a site with a fault, some at a time, each with a cache
 * and a configuration of its own; and what is to be said of each afterwards. */
#pragma once

#include "base/encore-config.h"
#include "site-fixture.h"

/* The options of a fetch here: small, so that a fault ends soon. */
#define FAULT_STALL_MS 3000
#define FAULT_RESOLVE_TIMEOUT_MS 10000
#define FAULT_FETCH_TIMEOUT_MS 20000
#define FAULT_MAX_BYTES (1024 * 1024)
/* smaller still: of a case that is hasty */
#define FAULT_HASTY_STALL_MS 2000
#define FAULT_HASTY_TIMEOUT_MS 8000
/* a machine that is busy, and two seconds for SIGTERM */
#define FAULT_PATIENCE_MS 6000

#define FAULT_PLAYED (-1)

typedef struct {
  char *id;          /* asked for; its requests are those whose path has it */
  char *fault;       /* for tests/site/site.py; (nullable) */
  char *set;         /* (nullable) "KEY=VALUE" for the configuration */
  const char *way;   /* value of the option download */
  gboolean is_hasty; /* and no good song afterwards */
} FaultCase;

typedef struct {
  int code; /* of ENCORE_ERROR, or FAULT_PLAYED */
  char *message;
  gint64 elapsed_ms; /* from the first progress to the end */
  gint64 requests;   /* at the site */
  gboolean is_cached;
  char *packets;      /* (nullable) checksum of the packets that were published */
  gint64 duration_ms; /* of them */
  guint tmp_files;    /* left in the cache */
  guint processes;    /* left running */
  int good_code;      /* of the request of a good song that followed */
  char *good_packets;
} FaultOutcome;

/* faults_run: N cases, AT_ONCE at the same time. */
void
faults_run (Site *site, const FaultCase *cases, FaultOutcome *outcomes, guint n, guint at_once);
void fault_outcome_clear (FaultOutcome *self);
