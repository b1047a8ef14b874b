/* SPDX-License-Identifier: LGPL-2.1-or-later
 * From words and playlists to songs: the search cache, then one flat request. */
#include "config.h"
#include "fetch/encore-lookup.h"

#include <string.h>

#include "fetch/encore-manners.h"
#include "store/encore-notes.h"

#define FRESH_S ((gint64) 24 * 3600)
#define STALE_S ((gint64) 365 * 24 * 3600)
#define NAMED_MAX 50 /* songs with the same words in their titles that are compared */

typedef struct {
  EncoreCache *cache;
  const EncoreConfig *config;
  const char *words, *list_id; /* one of both is NULL */
  guint limit;
  GCancellable *cancellable;
} Question;

/* ---- what is known */

static void
take_known (const EncoreKnownSong *song, gpointer data)
{
  EncoreMediaId id;

  if (encore_media_id_from_stem (song->id, &id))
    g_ptr_array_add (data, encore_hit_new (&id, song->title, song->duration_ms));
}

static GPtrArray *
recall (EncoreCache *cache, const char *words, guint limit, gint64 max_age_s)
{
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func (encore_hit_free);

  encore_cache_recall_search (cache, words, max_age_s, take_known, hits);
  if (hits->len > limit)
    g_ptr_array_set_size (hits, limit);
  return hits->len > 0 ? g_steal_pointer (&hits) : NULL;
}

/* FOLDED is the title of INFO, perhaps with its artist. */
static gboolean
is_named (const EncoreEntryInfo *info, const char *folded)
{
  const char *const forms[][3] = {{info->title, "", ""},
                                  {info->artist, " ", info->title},
                                  {info->artist, " - ", info->title},
                                  {info->title, " ", info->artist}};

  for (gsize i = 0; i < G_N_ELEMENTS (forms); i++) {
    g_autofree char *form = g_strconcat (forms[i][0], forms[i][1], forms[i][2], NULL);
    g_autofree char *same = encore_words_fold (form);
    if (*folded != '\0' && strcmp (same, folded) == 0)
      return TRUE;
  }
  return FALSE;
}

/* Songs in the cache with all WORDS in their titles and artists.  @named: only if that is all. */
static GPtrArray *
find_here (EncoreCache *cache, const char *words, guint limit, gboolean named)
{
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func (encore_hit_free);
  g_autoptr (GPtrArray) infos = encore_cache_find (cache, words, named ? NAMED_MAX : limit, NULL);
  g_autofree char *folded = encore_words_fold (words);
  EncoreMediaId id;

  for (guint i = 0; infos != NULL && i < infos->len && hits->len < limit; i++) {
    const EncoreEntryInfo *info = infos->pdata[i];
    if (encore_media_id_from_stem (info->id, &id) && (!named || is_named (info, folded)))
      g_ptr_array_add (hits, encore_hit_new (&id, info->title, info->duration_ms));
  }
  return hits->len > 0 ? g_steal_pointer (&hits) : NULL;
}

GPtrArray *
encore_lookup_recall (EncoreCache *cache, const char *words, guint limit)
{
  GPtrArray *hits = recall (cache, words, limit, FRESH_S);

  return hits != NULL || limit > 1 ? hits : find_here (cache, words, 1, TRUE);
}

static void
remember (EncoreCache *cache, const char *words, GPtrArray *hits)
{
  EncoreKnownSong songs[ENCORE_LOOKUP_MAX];
  g_autoptr (GPtrArray) stems = g_ptr_array_new_with_free_func (g_free);
  const guint n = MIN (hits->len, ENCORE_LOOKUP_MAX);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < n; i++) {
    const EncoreHit *hit = hits->pdata[i];
    char *stem = encore_media_id_to_stem (&hit->id);
    g_ptr_array_add (stems, stem);
    songs[i] = (EncoreKnownSong){stem, hit->title, hit->duration_ms};
  }
  if (!encore_cache_know_search (cache, words, songs, n, &error))
    g_warning ("fetch: a search is not remembered: %s", error->message);
}

/* ---- asking */

static GPtrArray *
ask_once (const Question *q, GError **error)
{
  g_autoptr (EncoreScratch) scratch = NULL;
  g_autoptr (GError) local = NULL;

  if (!encore_manners_may_ask (q->cache, q->config, q->cancellable, error) ||
      (scratch = encore_cache_scratch (q->cache, "search", error)) == NULL)
    return NULL;
  const char *dir = encore_scratch_get_dir (scratch);
  GPtrArray *hits =
      q->words != NULL
          ? encore_ytdlp_search (q->config, q->words, q->limit, dir, q->cancellable, &local)
          : encore_ytdlp_list (q->config, q->list_id, q->limit, dir, q->cancellable, &local);
  encore_manners_note (q->cache, local);
  if (local != NULL)
    g_propagate_error (error, g_steal_pointer (&local));
  return hits;
}

static GPtrArray *
ask (const Question *q, GError **error)
{
  const gint64 began_us = g_get_monotonic_time ();

  for (guint tries = 1;; tries++) {
    g_autoptr (GError) local = NULL;
    GPtrArray *hits = ask_once (q, &local);
    if (hits != NULL)
      return hits;
    if (!encore_manners_again (q->config, tries, began_us, q->cancellable, local)) {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  }
}

/* The site has not answered, ERROR tells why: an old answer is better than none, and so is a song
 * that is here. */
static GPtrArray *
make_do (EncoreCache *cache, const char *words, guint limit, const GError *error)
{
  GPtrArray *hits = NULL;

  if (g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_NOT_FOUND) ||
      g_error_matches (error, ENCORE_ERROR, ENCORE_ERROR_CANCELLED))
    return NULL;
  hits = recall (cache, words, limit, STALE_S);
  if (hits == NULL)
    hits = find_here (cache, words, limit, FALSE);
  if (hits != NULL)
    g_info ("fetch: a search is answered from what is here: %s", error->message);
  return hits;
}

GPtrArray *
encore_lookup_words (EncoreCache *cache, const EncoreConfig *config, const char *words, guint limit,
                     GCancellable *cancellable, GError **error)
{
  const Question question = {.cache = cache,
                             .config = config,
                             .words = words,
                             .limit = MAX (limit, ENCORE_LOOKUP_MAX),
                             .cancellable = cancellable};
  g_autoptr (GError) local = NULL;
  GPtrArray *hits = encore_lookup_recall (cache, words, limit); /* asked for twice at once */

  if (hits != NULL)
    return hits;
  hits = ask (&question, &local);
  if (hits != NULL) {
    remember (cache, words, hits);
    g_ptr_array_set_size (hits, MIN (hits->len, limit));
    return hits;
  }
  hits = make_do (cache, words, limit, local);
  if (hits == NULL)
    g_propagate_error (error, g_steal_pointer (&local));
  return hits;
}

GPtrArray *
encore_lookup_list (EncoreCache *cache, const EncoreConfig *config, const char *list_id,
                    guint limit, GCancellable *cancellable, GError **error)
{
  const Question question = {.cache = cache,
                             .config = config,
                             .list_id = list_id,
                             .limit = limit,
                             .cancellable = cancellable};

  return ask (&question, error);
}
