#include "camera/tls-check.h"

#include <string.h>

#include "base/certificate-faults.h"
#include "config/fingerprint.h"

struct _TlsCheck {
  GTlsDatabase parent;
  gboolean insecure;
  char *fingerprint;         /* (nullable) */
  GTlsDatabase *authorities; /* NULL: there are none */
  char *server, *policy;     /* of config_tls_server() and config_tls_policy() */
  char *host;

  GMutex lock;
  char *reason;
};

G_DEFINE_TYPE(TlsCheck, tls_check, G_TYPE_TLS_DATABASE)

/* GLib's TLS resumes sessions with a server for an hour, and then asks no GTlsDatabase. So a server
 * that was accepted by one policy could never be refused by another one. */
static GMutex accepted_lock;
static GHashTable *accepted; /* policy by server */

static GTlsCertificateFlags accept(TlsCheck *self)
{
  g_mutex_lock(&accepted_lock);
  g_hash_table_replace(accepted, g_strdup(self->server), g_strdup(self->policy));
  g_mutex_unlock(&accepted_lock);
  return 0;
}

static gboolean was_accepted_otherwise(TlsCheck *self)
{
  g_mutex_lock(&accepted_lock);
  if (!accepted)
    accepted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  const char *policy = g_hash_table_lookup(accepted, self->server);
  gboolean otherwise = policy && strcmp(policy, self->policy) != 0;
  g_mutex_unlock(&accepted_lock);
  return otherwise;
}

static void set_reason(TlsCheck *self, char *reason)
{
  g_mutex_lock(&self->lock);
  g_free(self->reason);
  self->reason = reason;
  g_mutex_unlock(&self->lock);
}

/* ---- By fingerprint ------------------------------------------------------------------------ */

static GTlsCertificateFlags check_fingerprint(TlsCheck *self, GTlsCertificate *certificate)
{
  g_autoptr(GByteArray) der = NULL;
  g_object_get(certificate, "certificate", &der, NULL);
  g_autofree char *found = fingerprint_of(der->data, der->len);
  if (!strcmp(found, self->fingerprint))
    return accept(self);
  g_autofree char *written = fingerprint_format(found);
  set_reason(self, g_strdup_printf("%s shows another certificate than that of certificate-sha256: "
                                   "%s",
                                   self->host, written));
  return G_TLS_CERTIFICATE_UNKNOWN_CA;
}

/* ---- By authorities ------------------------------------------------------------------------ */

static char *describe(GTlsCertificateFlags flags)
{
  g_autofree char *faults = certificate_faults(flags);
  return g_strconcat(
      faults, flags & G_TLS_CERTIFICATE_UNKNOWN_CA ? " (see ca-file and certificate-sha256)" : "",
      NULL);
}

static GTlsCertificateFlags tls_check_verify_chain(GTlsDatabase *database, GTlsCertificate *chain,
                                                   const char *purpose,
                                                   GSocketConnectable *identity,
                                                   GTlsInteraction *interaction,
                                                   GTlsDatabaseVerifyFlags verify_flags,
                                                   GCancellable *cancellable, GError **error)
{
  TlsCheck *self = TLS_CHECK(database);
  set_reason(self, NULL);
  if (self->fingerprint)
    return check_fingerprint(self, chain);
  if (self->insecure)
    return accept(self);
  if (!self->authorities) {
    set_reason(self, g_strdup("this machine knows no authorities (install glib-networking and "
                              "ca-certificates)"));
    return G_TLS_CERTIFICATE_UNKNOWN_CA;
  }
  GTlsCertificateFlags flags = g_tls_database_verify_chain(
      self->authorities, chain, purpose, identity, interaction, verify_flags, cancellable, error);
  if (!flags)
    return accept(self);
  g_autofree char *text = describe(flags);
  set_reason(self, g_strdup_printf("the certificate of %s is refused: %s", self->host, text));
  return flags;
}

/* ---- Making -------------------------------------------------------------------------------- */

static void tls_check_finalize(GObject *object)
{
  TlsCheck *self = TLS_CHECK(object);
  g_clear_object(&self->authorities);
  g_free(self->fingerprint);
  g_free(self->server);
  g_free(self->policy);
  g_free(self->host);
  g_free(self->reason);
  g_mutex_clear(&self->lock);
  G_OBJECT_CLASS(tls_check_parent_class)->finalize(object);
}

static void tls_check_class_init(TlsCheckClass *class)
{
  G_OBJECT_CLASS(class)->finalize = tls_check_finalize;
  G_TLS_DATABASE_CLASS(class)->verify_chain = tls_check_verify_chain;
}

static void tls_check_init(TlsCheck *self)
{
  g_mutex_init(&self->lock);
}

TlsCheck *tls_check_new(const CameraConfig *config, GError **error)
{
  g_autoptr(TlsCheck) self = g_object_new(TYPE_TLS_CHECK, NULL);
  g_autoptr(GUri) uri = g_uri_parse(config->url, G_URI_FLAGS_PARSE_RELAXED, NULL);
  self->host = g_strdup(uri ? g_uri_get_host(uri) : "the camera");
  self->server = config_tls_server(config);
  self->policy = config_tls_policy(config);
  if (was_accepted_otherwise(self)) {
    g_set_error(
        error, G_TLS_ERROR, G_TLS_ERROR_MISC,
        "%s was checked by other keys than now (ca-file, certificate-sha256, insecure), and "
        "its session may last; restart vitgate-watch",
        self->server);
    return NULL;
  }
  self->insecure = config->insecure;
  if (config->certificate_sha256) {
    self->fingerprint = fingerprint_parse(config->certificate_sha256);
  } else if (config->ca_file) {
    self->authorities = g_tls_file_database_new(config->ca_file, error);
    if (!self->authorities) {
      g_prefix_error(error, "%s: ", config->ca_file);
      return NULL;
    }
  } else {
    self->authorities = g_tls_backend_get_default_database(g_tls_backend_get_default());
  }
  return g_steal_pointer(&self);
}

char *tls_check_get_reason(TlsCheck *self)
{
  g_mutex_lock(&self->lock);
  char *reason = g_strdup(self->reason);
  g_mutex_unlock(&self->lock);
  return reason;
}
