#include "config/camera-config.h"

#include <string.h>

#include "base/secrets.h"
#include "config/checks.h"
#include "config/fingerprint.h"

static const char *const transports[] = { "auto", "tcp", "udp", NULL };

/* ---- Keys ---------------------------------------------------------------------------------- */

#define OFFSET(field) G_STRUCT_OFFSET(CameraConfig, field)

static const Key own_keys[] = {
  { "url", KEY_TEXT, OFFSET(url) },
  { "credentials-file", KEY_PATH, OFFSET(credentials_file) },
  { "credentials-env", KEY_TEXT, OFFSET(credentials_env) },
  { "ca-file", KEY_PATH, OFFSET(ca_file) },
  { "certificate-sha256", KEY_TEXT, OFFSET(certificate_sha256) },
  { "insecure", KEY_SWITCH, OFFSET(insecure) },
  { "transport", KEY_CHOICE, OFFSET(transport), .choices = transports },
  { "latency", KEY_SECONDS, OFFSET(latency), 0, 60 },
  { "connect-timeout", KEY_SECONDS, OFFSET(connect_timeout), 0.1, 3600 },
  { "stall-timeout", KEY_SECONDS, OFFSET(stall_timeout), 0.1, 3600 },
  { "retry-least", KEY_SECONDS, OFFSET(retry_min), 0.01, DAY },
  { "retry-most", KEY_SECONDS, OFFSET(retry_max), 0.01, DAY },
  { "repeat", KEY_SWITCH, OFFSET(repeat) },
  { "real-time", KEY_SWITCH, OFFSET(real_time) },
  { "threads", KEY_COUNT, OFFSET(threads), 1, 64 },
  { "inference-interval", KEY_COUNT, OFFSET(interval), 1, 1000000 },
  { "latency-budget", KEY_SECONDS, OFFSET(latency_budget), 0, 60 },
  { "whole-frame", KEY_SWITCH, OFFSET(whole_frame) },
  { NULL },
};

/* Returns: (transfer none): the camera's own keys, and those of its whole frame */
static const Key *camera_keys(void)
{
  static gsize keys;
  if (g_once_init_enter(&keys))
    g_once_init_leave(&keys, (gsize)keys_join(own_keys, look_keys, OFFSET(whole)));
  return (const Key *)keys;
}

#define UNSET (-1)

static const CameraConfig camera_defaults = {
  .transport = TRANSPORT_TCP,
  .latency = 0.2,
  .connect_timeout = 20,
  .stall_timeout = 10,
  .retry_min = 1,
  .retry_max = 60,
  .threads = 1,
  .interval = 1,
  .whole_frame = UNSET,
};

/* ---- Checks ------------------------------------------------------------------------------- */

static gboolean check_url(const KeySource *source, const char *group, const char *url,
                          GError **error)
{
  static const char *const schemes[] = { "rtsp", "rtsps", "file", "v4l2", "http", "https", NULL };
  g_autofree char *shown = secrets_hide_url(url);
  if (strchr(url, ' '))
    return key_fail(source, group, "url", error, "contains a space (write %%20)");
  g_autoptr(GUri) uri = g_uri_parse(
      url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED | G_URI_FLAGS_PARSE_RELAXED, NULL);
  /* GUri's reason could show a password, as the port that it would be. */
  if (!uri)
    return key_fail(source, group, "url", error, "\"%s\" is not a URL", shown);
  if (g_uri_get_userinfo(uri))
    return key_fail(source, group, "url", error,
                    "set user and password in credentials-file or credentials-env instead");
  const char *scheme = g_uri_get_scheme(uri), *host = g_uri_get_host(uri);
  if (!g_strv_contains(schemes, scheme)) {
    g_autofree char *known = g_strjoinv(", ", (char **)schemes);
    return key_fail(source, group, "url", error, "\"%s\": expected a scheme of %s", shown, known);
  }
  gboolean local = !strcmp(scheme, "file") || !strcmp(scheme, "v4l2");
  /* GUri resolves dots: it makes the path "/b" of "file:a/../b". */
  const gboolean absolute = g_str_has_prefix(strchr(url, ':'), ":/") && *g_uri_get_path(uri) == '/';
  if (local && (!absolute || (host && *host)))
    return key_fail(source, group, "url", error, "\"%s\": expected %s:///PATH", shown, scheme);
  if (!local && (!host || !*host))
    return key_fail(source, group, "url", error, "\"%s\" has no host", shown);
  return TRUE;
}

static gboolean check_scheme(const KeySource *source, const char *group, const CameraConfig *camera,
                             GError **error)
{
  gboolean file = config_is_file(camera);
  if (camera->repeat && !file)
    return key_fail(source, group, "repeat", error, "only file:/// URLs can be repeated");
  if (camera->real_time && !file)
    return key_fail(source, group, "real-time", error, "is only for file:/// URLs");
  if ((camera->credentials_file || camera->credentials_env) && !config_is_on_network(camera))
    return key_fail(source, group, "url", error, "takes no credentials");
  return TRUE;
}

/* A camera's own keys must have an effect; those of [defaults] may be for other cameras. */
static gboolean check_tls(const KeySource *source, const char *group, const CameraConfig *camera,
                          GError **error)
{
  static const char *const keys[] = { "ca-file", "certificate-sha256", "insecure" };
  const gboolean set[] = { camera->ca_file != NULL, camera->certificate_sha256 != NULL,
                           camera->insecure };
  for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
    if (set[i] && !config_uses_tls(camera) &&
        g_key_file_has_key(source->file, group, keys[i], NULL))
      return key_fail(source, group, keys[i], error, "is only for rtsps:// and https:// URLs");
  if (set[0] + set[1] + set[2] > 1)
    return key_fail(source, group, keys[set[0] ? 0 : 1], error,
                    "expected only one of ca-file, certificate-sha256 and insecure");
  if (camera->certificate_sha256) {
    g_autofree char *digits = fingerprint_parse(camera->certificate_sha256);
    if (!digits)
      return key_fail(source, group, "certificate-sha256", error,
                      "\"%s\": expected the SHA-256 of the certificate in DER form, as 64 "
                      "hexadecimal digits with or without colons",
                      camera->certificate_sha256);
  }
  return check_readable(source, group, "ca-file", camera->ca_file, error);
}

static gboolean check_camera(const KeySource *source, const char *group, CameraConfig *camera,
                             GError **error)
{
  if (!camera->url)
    return key_fail(source, group, "url", error, "is missing");
  return check_url(source, group, camera->url, error) &&
         check_scheme(source, group, camera, error) && check_tls(source, group, camera, error) &&
         check_retries(source, group, camera->retry_min, camera->retry_max, error) &&
         check_credentials(source, group, camera->credentials_file, camera->credentials_env,
                           error) &&
         look_complete(source, group, &camera->whole, error);
}

CameraConfig *camera_config_new(const char *name)
{
  CameraConfig *self = g_new(CameraConfig, 1);
  *self = camera_defaults;
  self->whole = look_defaults;
  self->name = g_strdup(name);
  self->looks = g_ptr_array_new_with_free_func((GDestroyNotify)look_config_free);
  return self;
}

void camera_config_free(CameraConfig *self)
{
  keys_clear(camera_keys(), self);
  model_source_free(self->whole.source);
  g_ptr_array_unref(self->looks);
  g_free(self->name);
  g_free(self->shown_url);
  g_free(self->fingerprint);
  g_free(self->fixed_fingerprint);
  g_free(self);
}

gboolean camera_config_check_defaults(const KeySource *source, GError **error)
{
  CameraConfig *any = camera_config_new(DEFAULTS);
  const gboolean good = !g_key_file_has_group(source->file, DEFAULTS) ||
                        keys_read(source, DEFAULTS, camera_keys(), any, error);
  camera_config_free(any);
  return good;
}

gboolean camera_config_read(CameraConfig *self, const KeySource *source, const char *group,
                            GError **error)
{
  if (!check_name(source, group, "camera", self->name, error))
    return FALSE;
  if (g_key_file_has_group(source->file, DEFAULTS) &&
      !keys_read(source, DEFAULTS, camera_keys(), self, error))
    return FALSE;
  if (!keys_read(source, group, camera_keys(), self, error))
    return FALSE;
  self->shown_url = self->url ? secrets_hide_url(self->url) : NULL;
  return check_camera(source, group, self, error);
}

/* Returns: (nullable): a key of @group that is only for the whole frame */
static const char *find_whole_key(const KeySource *source, const char *group)
{
  static const char *const keys[] = { "model", "model-labels", "labels", "state", "states" };
  for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
    if (g_key_file_has_key(source->file, group, keys[i], NULL))
      return keys[i];
  return NULL;
}

/* @models: whether they count */
static char *make_fingerprint(const CameraConfig *self, gboolean models)
{
  CameraConfig copy = *self;
  if (!models)
    look_forget_model(&copy.whole);
  g_autofree char *keys = keys_fingerprint(camera_keys(), &copy);
  g_autofree char *urls = copy.whole.source ? g_strjoinv("\n", copy.whole.source->urls) : NULL;
  GString *all = g_string_new(keys);
  g_string_append_printf(all, "%s\n", urls ? urls : "");
  for (guint i = 0; i < self->looks->len; i++) {
    LookConfig part = *(LookConfig *)self->looks->pdata[i];
    if (!models)
      look_forget_model(&part);
    g_autofree char *look = look_config_fingerprint(&part);
    g_string_append(all, look);
  }
  return g_string_free(all, FALSE);
}

static void locate_models(CameraConfig *self, const FetchConfig *fetch)
{
  look_locate_model(&self->whole, fetch);
  for (guint i = 0; i < self->looks->len; i++)
    look_locate_model(self->looks->pdata[i], fetch);
}

gboolean camera_config_complete(CameraConfig *self, const KeySource *source, const char *group,
                                const FetchConfig *fetch, GError **error)
{
  const char *key = find_whole_key(source, group);
  /* That of [defaults] may be for other cameras. */
  if (self->whole_frame == UNSET ||
      (self->looks->len == 0 && !g_key_file_has_key(source->file, group, "whole-frame", NULL)))
    self->whole_frame = self->looks->len == 0 || key;
  if (!self->whole_frame && self->looks->len == 0)
    return key_fail(source, group, "whole-frame", error,
                    "is false, but no [look NAME] has camera=%s", self->name);
  if (!self->whole_frame && key)
    return key_fail(source, group, key, error, "is for the whole frame, but whole-frame is false");
  locate_models(self, fetch);
  self->fingerprint = make_fingerprint(self, TRUE);
  self->fixed_fingerprint = make_fingerprint(self, FALSE);
  return TRUE;
}

gboolean config_is_file(const CameraConfig *camera)
{
  return g_str_has_prefix(camera->url, "file:");
}

gboolean config_is_on_network(const CameraConfig *camera)
{
  return !config_is_file(camera) && !g_str_has_prefix(camera->url, "v4l2:");
}

gboolean config_uses_tls(const CameraConfig *camera)
{
  return g_str_has_prefix(camera->url, "rtsps:") || g_str_has_prefix(camera->url, "https:");
}

char *config_tls_server(const CameraConfig *camera)
{
  g_autoptr(GUri) uri = g_uri_parse(camera->url, G_URI_FLAGS_PARSE_RELAXED, NULL);
  g_autofree char *host = g_ascii_strdown(uri ? g_uri_get_host(uri) : "", -1);
  int port = uri ? g_uri_get_port(uri) : -1;
  if (port < 0)
    port = g_str_has_prefix(camera->url, "https:") ? 443 : 322;
  return g_strdup_printf("%s:%d", host, port);
}

char *config_tls_policy(const CameraConfig *camera)
{
  g_autofree char *digits =
      camera->certificate_sha256 ? fingerprint_parse(camera->certificate_sha256) : NULL;
  return g_strdup_printf("%d %s %s", camera->insecure, digits ? digits : "",
                         camera->ca_file ? camera->ca_file : "");
}
