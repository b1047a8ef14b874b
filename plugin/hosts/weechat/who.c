/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "who.h"

#include <string.h>

#include "api.h"

#define OP_PREFIXES "~&@" /* owner, protected, operator */

gboolean
who_in_list (const char *text, const char *list)
{
  g_auto (GStrv) masks = g_strsplit (list, ",", -1);

  for (char **mask = masks; *mask != NULL; mask++)
    if (*g_strstrip (*mask) != '\0' && weechat_string_match (text, *mask, 0))
      return TRUE;
  return FALSE;
}

/* Entries are [SERVER/]TEXT: whoever runs one network shall not be admin on another.  The slash of
 * a host name comes after the '!'. */
static gboolean
is_listed (const WhoSpeaker *who, const char *text, const char *list)
{
  g_auto (GStrv) entries = g_strsplit (list, ",", -1);

  for (char **entry = entries; *entry != NULL; entry++) {
    char *mask = g_strstrip (*entry);
    const gsize slash = strcspn (mask, "/!");
    if (mask[slash] == '/') {
      mask[slash] = '\0';
      if (!weechat_string_match (who->server, mask, 0))
        continue;
      mask += slash + 1;
    }
    if (*mask != '\0' && weechat_string_match (text, mask, 0))
      return TRUE;
  }
  return FALSE;
}

/* Account names are names, not masks. */
static gboolean
is_account_listed (const WhoSpeaker *who, const char *account, const char *list)
{
  g_auto (GStrv) entries = g_strsplit (list, ",", -1);

  for (char **entry = entries; *entry != NULL; entry++) {
    char *name = g_strstrip (*entry);
    char *slash = strchr (name, '/');
    if (slash != NULL) {
      *slash = '\0';
      if (g_ascii_strcasecmp (who->server, name) != 0)
        continue;
      name = slash + 1;
    }
    if (*name != '\0' && g_ascii_strcasecmp (account, name) == 0)
      return TRUE;
  }
  return FALSE;
}

/* What WeeChat knows of the nick in its channel.  FIELD: account, prefixes.  (transfer full) */
static char *
ask_nick_list (const WhoSpeaker *who, const char *field)
{
  g_autofree char *arguments = g_strdup_printf ("%s,%s,%s", who->server, who->channel, who->nick);
  struct t_infolist *list = weechat_infolist_get ("irc_nick", NULL, arguments);
  char *value = NULL;

  if (list == NULL)
    return NULL;
  if (weechat_infolist_next (list))
    value = g_strdup (weechat_infolist_string (list, field));
  weechat_infolist_free (list);
  return value;
}

/* NULL: he is not logged in, or the network does not tell.  (transfer full) */
static char *
find_account (const WhoSpeaker *who)
{
  char *account = who->account != NULL ? g_strdup (who->account) : ask_nick_list (who, "account");

  if (account != NULL && (*account == '\0' || strcmp (account, "*") == 0))
    g_clear_pointer (&account, g_free);
  return account;
}

static gboolean
is_in (const WhoSpeaker *who, const char *masks, const char *accounts)
{
  if (is_listed (who, who->mask, masks))
    return TRUE;
  if (*accounts == '\0')
    return FALSE;
  g_autofree char *account = find_account (who);
  return account != NULL && is_account_listed (who, account, accounts);
}

static gboolean
is_op (const WhoSpeaker *who)
{
  g_autofree char *prefixes = ask_nick_list (who, "prefixes");

  return prefixes != NULL && strpbrk (prefixes, OP_PREFIXES) != NULL;
}

gboolean
who_is_admin (const WhoSpeaker *who, const Options *options)
{
  return is_in (who, options_get_admins (options), options_get_admin_accounts (options));
}

gboolean
who_is_dj (const WhoSpeaker *who, const Options *options)
{
  return who_is_admin (who, options) ||
         is_in (who, options_get_djs (options), options_get_dj_accounts (options)) ||
         (options_get_ops_are_djs (options) && is_op (who));
}

char *
who_identity (const WhoSpeaker *who)
{
  g_autofree char *account = find_account (who);
  g_autofree char *name = g_ascii_strdown (account != NULL ? account : who->mask, -1);

  return g_strdup_printf ("%s/%s%s", who->server, account != NULL ? "account/" : "", name);
}
