/* SPDX-License-Identifier: LGPL-2.1-or-later
 * GLib reads certificates but makes none: that is done by GnuTLS, which is below GLib's TLS anyway.
 */
#include "config.h"
#include "mumble-identity.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <string.h>

#define KEY_BITS 2048
#define VALID_S (20 * 365 * 86400ll)
#define SERIAL_BYTES 8
#define GROUP "servers"

typedef struct {
  gnutls_x509_privkey_t key;
  gnutls_x509_crt_t crt;
} Pair;

static int
fill_certificate (Pair *pair, const char *name)
{
  const gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  guint8 serial[SERIAL_BYTES];
  int code;

  if ((code = gnutls_rnd (GNUTLS_RND_NONCE, serial, sizeof serial)) < 0)
    return code;
  serial[0] &= 0x7f;
  if ((code = gnutls_x509_privkey_generate (pair->key, GNUTLS_PK_RSA, KEY_BITS, 0)) < 0 ||
      (code = gnutls_x509_crt_set_version (pair->crt, 3)) < 0 ||
      (code = gnutls_x509_crt_set_serial (pair->crt, serial, sizeof serial)) < 0 ||
      (code = gnutls_x509_crt_set_activation_time (pair->crt, now - 86400)) < 0 ||
      (code = gnutls_x509_crt_set_expiration_time (pair->crt, now + VALID_S)) < 0 ||
      (code = gnutls_x509_crt_set_dn_by_oid (pair->crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                             strlen (name))) < 0 ||
      (code = gnutls_x509_crt_set_key (pair->crt, pair->key)) < 0)
    return code;
  return gnutls_x509_crt_sign2 (pair->crt, pair->crt, pair->key, GNUTLS_DIG_SHA256, 0);
}

static int
export_pair (Pair *pair, GString *out)
{
  gnutls_datum_t key = {NULL, 0}, crt = {NULL, 0};
  int code = gnutls_x509_privkey_export2_pkcs8 (pair->key, GNUTLS_X509_FMT_PEM, NULL,
                                                GNUTLS_PKCS_PLAIN, &key);

  if (code >= 0)
    code = gnutls_x509_crt_export2 (pair->crt, GNUTLS_X509_FMT_PEM, &crt);
  if (code >= 0) {
    g_string_append_len (out, (char *) key.data, key.size);
    g_string_append_len (out, (char *) crt.data, crt.size);
  }
  gnutls_free (key.data);
  gnutls_free (crt.data);
  return code;
}

/* Returns: (transfer full): key and certificate as PEM; NULL with ERROR. */
static char *
make_pem (const char *name, GError **error)
{
  GString *pem = g_string_new (NULL);
  Pair pair = {NULL, NULL};
  int code = gnutls_x509_privkey_init (&pair.key);

  if (code >= 0)
    code = gnutls_x509_crt_init (&pair.crt);
  if (code >= 0)
    code = fill_certificate (&pair, name);
  if (code >= 0)
    code = export_pair (&pair, pem);
  if (pair.crt != NULL)
    gnutls_x509_crt_deinit (pair.crt);
  if (pair.key != NULL)
    gnutls_x509_privkey_deinit (pair.key);
  if (code < 0)
    g_set_error (error, G_TLS_ERROR, G_TLS_ERROR_MISC, "no certificate can be made: %s",
                 gnutls_strerror (code));
  return g_string_free (pem, code < 0);
}

static gboolean
make_directory (const char *path, GError **error)
{
  g_autofree char *dir = g_path_get_dirname (path);

  if (g_mkdir_with_parents (dir, 0700) == 0)
    return TRUE;
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "directory %s: %s", dir,
               g_strerror (errno));
  return FALSE;
}

static gboolean
make_file (const char *path, const char *name, GError **error)
{
  g_autofree char *pem = make_pem (name, error);

  return pem != NULL && make_directory (path, error) &&
         g_file_set_contents_full (path, pem, -1,
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                   0600, error);
}

static gboolean
check_mode (const char *path, GError **error)
{
  GStatBuf st;

  if (g_stat (path, &st) != 0) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "certificate %s: %s", path,
                 g_strerror (errno));
    return FALSE;
  }
  if ((st.st_mode & 077) == 0)
    return TRUE;
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_PERM,
               "certificate %s: others may read the key in it; chmod 600 mends that", path);
  return FALSE;
}

GTlsCertificate *
mumble_identity_load (const char *path, const char *name, GError **error)
{
  if (!g_file_test (path, G_FILE_TEST_EXISTS) && !make_file (path, name, error))
    return NULL;
  if (!check_mode (path, error))
    return NULL;
  GTlsCertificate *certificate = g_tls_certificate_new_from_file (path, error);
  if (certificate == NULL)
    g_prefix_error (error, "certificate %s: ", path);
  return certificate;
}

char *
mumble_identity_digest (GTlsCertificate *certificate, GChecksumType type)
{
  g_autoptr (GByteArray) der = NULL;

  g_object_get (certificate, "certificate", &der, NULL);
  return der != NULL ? g_compute_checksum_for_data (type, der->data, der->len) : g_strdup ("");
}

/* ---- servers */

char *
mumble_known_file (const char *path)
{
  return g_strconcat (path, ".servers", NULL);
}

static GKeyFile *
read_known (const char *name, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) local = NULL;

  if (g_key_file_load_from_file (file, name, G_KEY_FILE_KEEP_COMMENTS, &local) ||
      g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return g_steal_pointer (&file);
  g_propagate_prefixed_error (error, g_steal_pointer (&local), "known servers %s: ", name);
  return NULL;
}

gboolean
mumble_known_get (const char *path, const char *server, char **digest, GError **error)
{
  g_autofree char *name = mumble_known_file (path);
  g_autoptr (GKeyFile) file = read_known (name, error);

  *digest = file != NULL ? g_key_file_get_string (file, GROUP, server, NULL) : NULL;
  return file != NULL;
}

gboolean
mumble_known_set (const char *path, const char *server, const char *digest, GError **error)
{
  g_autofree char *name = mumble_known_file (path);
  g_autoptr (GKeyFile) file = read_known (name, error);

  if (file == NULL)
    return FALSE;
  g_key_file_set_string (file, GROUP, server, digest);
  return make_directory (path, error) && g_key_file_save_to_file (file, name, error);
}
