#include "config/model-source.h"

#include <string.h>

#include "config/checks.h"
#include "config/fingerprint.h"

#define HASH_PREFIX "sha256:"
#define HASH_SUFFIX "#sha256="
#define PLACE       "{sha256}"

#define OFFSET(field) G_STRUCT_OFFSET(FetchConfig, field)

const Key fetch_keys[] = {
  { "model-cache", KEY_PATH, OFFSET(cache) },
  { "model-urls", KEY_LIST, OFFSET(urls) },
  { "model-ca-file", KEY_PATH, OFFSET(ca_file) },
  { "model-size", KEY_SIZE, OFFSET(max_size), 1, 1099511627776.0 },
  { "model-retry-least", KEY_SECONDS, OFFSET(retry_min), 0.01, DAY },
  { "model-retry-most", KEY_SECONDS, OFFSET(retry_max), 0.01, DAY },
  { NULL },
};

/* Returns: (transfer full): a folder that the service manager has made for this, or the user's */
static char *find_cache(void)
{
  const char *folders = g_getenv("CACHE_DIRECTORY"); /* separated by colons */
  if (!folders || *folders != '/')
    return g_build_filename(g_get_user_cache_dir(), "vitgate-watch", "models", NULL);
  g_autofree char *first = g_strndup(folders, strcspn(folders, ":"));
  return g_build_filename(first, "models", NULL);
}

FetchConfig fetch_config_defaults(void)
{
  return (FetchConfig){
    .cache = find_cache(),
    .max_size = G_GUINT64_CONSTANT(4) << 30,
    .retry_min = 1,
    .retry_max = 300,
  };
}

/* Returns: FALSE with an error of key_fail() */
static gboolean check_url(const KeySource *source, const char *group, const char *key,
                          const char *url, GError **error)
{
  g_autoptr(GUri) uri =
      g_uri_parse(url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_PARSE_RELAXED, NULL);
  const char *host = uri ? g_uri_get_host(uri) : NULL;
  if (!host || !*host || strchr(url, ' '))
    return key_fail(source, group, key, error, "\"%s\" is not a URL with a host", url);
  if (strcmp(g_uri_get_scheme(uri), "https") && strcmp(g_uri_get_scheme(uri), "http"))
    return key_fail(source, group, key, error, "\"%s\": expected https:// or http://", url);
  return !g_uri_get_userinfo(uri) ||
         key_fail(source, group, key, error, "user and password in a URL are not supported");
}

gboolean fetch_config_check(const FetchConfig *self, const KeySource *source, GError **error)
{
  for (char **at = self->urls; at && *at; at++) {
    if (!strstr(*at, PLACE))
      return key_fail(source, "watch", "model-urls", error,
                      "\"%s\": expected " PLACE " where the model's hash belongs", *at);
    g_auto(GStrv) parts = g_strsplit(*at, PLACE, -1);
    g_autofree char *url = g_strjoinv("0", parts);
    if (!check_url(source, "watch", "model-urls", url, error))
      return FALSE;
  }
  if (self->retry_min > self->retry_max)
    return key_fail(source, "watch", "model-retry-least", error,
                    "%g is greater than model-retry-most (%g)", self->retry_min, self->retry_max);
  return check_readable(source, "watch", "model-ca-file", self->ca_file, error);
}

gboolean model_source_is(const char *text)
{
  return text && (g_str_has_prefix(text, HASH_PREFIX) || g_str_has_prefix(text, "https://") ||
                  g_str_has_prefix(text, "http://"));
}

ModelSource *model_source_parse(const KeySource *source, const char *group, const char *text,
                                GError **error)
{
  const gboolean by_hash = g_str_has_prefix(text, HASH_PREFIX);
  const char *suffix = by_hash ? NULL : strstr(text, HASH_SUFFIX);
  const char *digits = by_hash  ? text + strlen(HASH_PREFIX)
                       : suffix ? suffix + strlen(HASH_SUFFIX)
                                : "";
  g_autofree char *url = by_hash ? NULL : g_strndup(text, strcspn(text, "#"));
  g_autofree char *sha256 = fingerprint_parse(digits);
#ifndef VITGATE_HAVE_FETCH
  key_fail(source, group, "model", error,
           "this vitgate-watch was built without libsoup 3, so it cannot fetch models");
  return NULL;
#endif
  if (url && !check_url(source, group, "model", url, error))
    return NULL;
  if (!sha256) {
    key_fail(source, group, "model", error, "\"%s\": expected %s%s", text,
             by_hash ? HASH_PREFIX : "a URL that ends with " HASH_SUFFIX,
             " and the 64 hexadecimal digits that sha256sum prints for the file");
    return NULL;
  }
  ModelSource *self = g_new0(ModelSource, 1);
  self->sha256 = g_steal_pointer(&sha256);
  self->urls = g_new0(char *, 2);
  self->urls[0] = g_steal_pointer(&url);
  return self;
}

static char **fill_in(char *const *templates, const char *sha256)
{
  g_autoptr(GStrvBuilder) urls = g_strv_builder_new();
  for (; templates && *templates; templates++) {
    g_auto(GStrv) parts = g_strsplit(*templates, PLACE, -1);
    g_autofree char *url = g_strjoinv(sha256, parts);
    g_strv_builder_add(urls, url);
  }
  return g_strv_builder_end(urls);
}

void model_source_locate(ModelSource *self, const FetchConfig *fetch)
{
  if (!self->urls[0]) {
    g_strfreev(self->urls);
    self->urls = fill_in(fetch->urls, self->sha256);
  }
  /* A folder for each: other files beside a model would belong to it. */
  self->path =
      fetch->cache ? g_build_filename(fetch->cache, self->sha256, "model.safetensors", NULL) : NULL;
  self->ca_file = g_strdup(fetch->ca_file);
  self->max_size = fetch->max_size;
  self->retry_min = fetch->retry_min;
  self->retry_max = fetch->retry_max;
}

ModelSource *model_source_copy(const ModelSource *self)
{
  ModelSource *copy = g_memdup2(self, sizeof *self);
  copy->sha256 = g_strdup(self->sha256);
  copy->urls = g_strdupv(self->urls);
  copy->path = g_strdup(self->path);
  copy->ca_file = g_strdup(self->ca_file);
  return copy;
}

void model_source_free(ModelSource *self)
{
  if (!self)
    return;
  g_free(self->sha256);
  g_strfreev(self->urls);
  g_free(self->path);
  g_free(self->ca_file);
  g_free(self);
}
