/* SPDX-License-Identifier: LGPL-2.1-or-later
 * What the store refuses, in words: links, foreign owners, doors open to others, other versions. */
#include "config.h"
#include "store/encore-cache.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store-fixture.h"

static void
expect_refusal_to (EncoreCacheOptions options, const char *words)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (encore_cache_open (&options, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE);
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' does not say '%s'", error->message, words);
}

static void
expect_refusal (const char *dir, const char *words)
{
  expect_refusal_to ((EncoreCacheOptions){.dir = dir}, words);
}

/* Each part of the cache in turn is a link to something of the same kind. */
static void
test_links (void)
{
  static const char *const parts[] = {"",          "tmp",   "opus",        "audio/7f",
                                      "encore.db", "locks", "CACHEDIR.TAG"};

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *dir = fixture_make_dir ();
    g_autofree char *part = g_build_filename (dir, "cache", parts[i], NULL);
    g_autofree char *cache = g_build_filename (dir, "cache", NULL);
    g_autofree char *elsewhere = g_build_filename (dir, "elsewhere", NULL);
    if (g_str_has_suffix (part, "/"))
      part[strlen (part) - 1] = '\0';
    encore_cache_close (fixture_open (cache, 0));
    g_assert_cmpint (g_rename (part, elsewhere), ==, 0);
    g_assert_cmpint (symlink (elsewhere, part), ==, 0);
    expect_refusal (cache, "symbolic link");
    g_assert_cmpint (g_unlink (part), ==, 0);
    fixture_remove (dir);
  }
}

/* Who only reads is not led elsewhere either. */
static void
test_links_to_read (void)
{
  static const char *const parts[] = {"opus", "opus/be", "audio/7f"};

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *dir = fixture_make_dir ();
    g_autofree char *cache = g_build_filename (dir, "cache", NULL);
    g_autofree char *part = g_build_filename (cache, parts[i], NULL);
    g_autofree char *elsewhere = g_build_filename (dir, "elsewhere", NULL);
    encore_cache_close (fixture_open (cache, 0));
    g_assert_cmpint (g_rename (part, elsewhere), ==, 0);
    g_assert_cmpint (symlink (elsewhere, part), ==, 0);
    expect_refusal_to ((EncoreCacheOptions){.dir = cache, .read_only = TRUE}, "symbolic link");
    g_assert_cmpint (g_unlink (part), ==, 0);
    fixture_remove (dir);
  }
}

/* A FIFO in place of a file keeps nobody waiting. */
static void
test_fifos (void)
{
  static const char *const parts[] = {"locks", "CACHEDIR.TAG", "encore.db", "encore.db-wal",
                                      "encore.db-journal"};

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *dir = fixture_make_dir ();
    g_autofree char *part = g_build_filename (dir, parts[i], NULL);
    encore_cache_close (fixture_open (dir, 0));
    g_unlink (part);
    g_assert_cmpint (mkfifo (part, 0600), ==, 0);
    expect_refusal (dir, "no file");
    fixture_remove (dir);
  }
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *reserve = g_build_filename (dir, "reserve", NULL);
  encore_cache_close (fixture_open (dir, 0));
  g_assert_cmpint (g_unlink (reserve), ==, 0);
  g_assert_cmpint (mkfifo (reserve, 0600), ==, 0);
  encore_cache_close (fixture_open (dir, 0));
  fixture_remove (dir);
}

/* Whoever else may write there could change files under us. */
static void
test_open_doors (void)
{
  static const char *const parts[] = {"", "tmp", "opus", "opus/00", "encore.db"};

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *dir = fixture_make_dir ();
    g_autofree char *part = g_build_filename (dir, parts[i], NULL);
    encore_cache_close (fixture_open (dir, 0));
    g_assert_cmpint (chmod (part, 0777), ==, 0);
    expect_refusal (dir, "written by others");
    g_assert_cmpint (chmod (part, 0700), ==, 0);
    encore_cache_close (fixture_open (dir, 0));
    fixture_remove (dir);
  }
}

static void
test_foreign_owner (void)
{
  static const char *const parts[] = {"", "tmp", "audio", "audio/ff", "encore.db"};

  if (geteuid () != 0) {
    g_test_skip ("only root can give files away");
    return;
  }
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *dir = fixture_make_dir ();
    g_autofree char *part = g_build_filename (dir, parts[i], NULL);
    encore_cache_close (fixture_open (dir, 0));
    g_assert_cmpint (chown (part, 12345, -1), ==, 0);
    expect_refusal (dir, "another user");
    fixture_remove (dir);
  }
}

static void
test_versions (void)
{
  g_autofree char *dir = fixture_make_dir ();

  encore_cache_close (fixture_open (dir, 0));
  fixture_sql (dir, "PRAGMA user_version = 99");
  expect_refusal (dir, "a newer Encore (version 99");
  /* not even to make it again: its pins and counts would be lost */
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*newer Encore*"); /* no copy of it */
  expect_refusal_to ((EncoreCacheOptions){.dir = dir, .rebuild = TRUE}, "a newer Encore");
  g_test_assert_expected_messages ();
  fixture_sql (dir, "PRAGMA user_version = 1");
  expect_refusal (dir, "not Encore's");
  fixture_sql (dir, "PRAGMA user_version = 4; PRAGMA application_id = 42");
  expect_refusal (dir, "not Encore's");
  g_test_expect_message ("Encore", G_LOG_LEVEL_WARNING, "*weekly copy*");
  expect_refusal_to ((EncoreCacheOptions){.dir = dir, .rebuild = TRUE}, "not Encore's");
  g_test_assert_expected_messages ();
  fixture_remove (dir);
}

/* A newer version has come beside a process that runs: it plays on, and no other of its age gets
 * in.
 */
static void
test_newer_beside (void)
{
  g_autofree char *dir = fixture_make_dir ();
  EncoreCache *running = fixture_open (dir, 0);

  fixture_publish (running, "dQw4w9WgXcQ", "Plays on", 5);
  fixture_sql (dir, "PRAGMA user_version = 5; ALTER TABLE entry ADD COLUMN mood TEXT");
  expect_refusal (dir, "a newer Encore (version 5");
  EncoreHandle *hit = encore_cache_get (running, "dQw4w9WgXcQ", TRUE, NULL);
  g_assert_nonnull (hit);
  encore_handle_free (hit);
  g_assert_true (encore_cache_flush (running, NULL));
  encore_cache_close (running);
  expect_refusal (dir, "a newer Encore (version 5");
  g_assert_cmpint (fixture_number (dir, "SELECT access_count FROM entry"), ==, 2);
  fixture_remove (dir);
}

/* The tool that only looks makes nothing where there is nothing. */
static void
test_read_only (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *db = g_build_filename (dir, "encore.db", NULL);
  const EncoreCacheOptions options = {.dir = dir, .read_only = TRUE};
  g_autoptr (GError) error = NULL;

  g_assert_null (encore_cache_open (&options, &error));
  g_assert_error (error, ENCORE_ERROR, ENCORE_ERROR_STORE);
  g_assert_false (g_file_test (db, G_FILE_TEST_EXISTS));
  encore_cache_close (fixture_open (dir, 0));
  EncoreCache *cache = encore_cache_open (&options, NULL);
  g_assert_nonnull (cache);
  encore_cache_close (cache);
  fixture_remove (dir);
}

/* A database of somebody else's, where ours was: it is his, not damaged. */
static void
test_foreign (void)
{
  g_autofree char *dir = fixture_make_dir ();
  g_autofree char *path = g_build_filename (dir, "encore.db", NULL);

  encore_cache_close (fixture_open (dir, 0));
  g_assert_cmpint (g_unlink (path), ==, 0);
  fixture_sql (dir, "CREATE TABLE mine (v)");
  g_assert_cmpint (chmod (path, 0600), ==, 0);
  expect_refusal (dir, "not Encore's");
  fixture_sql (dir, "PRAGMA application_id = 7");
  expect_refusal (dir, "not Encore's");
  fixture_sql (dir, "INSERT INTO mine VALUES (1)"); /* it is there */
  fixture_remove (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/refuse/links", test_links);
  g_test_add_func ("/refuse/open-doors", test_open_doors);
  g_test_add_func ("/refuse/foreign-owners", test_foreign_owner);
  g_test_add_func ("/refuse/other-versions", test_versions);
  g_test_add_func ("/refuse/foreign-database", test_foreign);
  g_test_add_func ("/refuse/links-to-read", test_links_to_read);
  g_test_add_func ("/refuse/fifos", test_fifos);
  g_test_add_func ("/refuse/newer-version-beside-a-running-one", test_newer_beside);
  g_test_add_func ("/refuse/nothing-is-made-by-looking", test_read_only);
  return g_test_run ();
}
