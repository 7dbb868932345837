#include "config/page-config.h"

#include <string.h>

#include <gio/gio.h>

#include "config/checks.h"
#include "config/credentials.h"

#define GROUP "page"

#define OFFSET(field) G_STRUCT_OFFSET(PageConfig, field)

static const Key page_keys[] = {
  { "listen", KEY_TEXT, OFFSET(listen) },
  { "hosts", KEY_LIST, OFFSET(hosts) },
  { "password-file", KEY_PATH, OFFSET(password_file) },
  { "certificate", KEY_PATH, OFFSET(certificate) },
  { "private-key", KEY_PATH, OFFSET(private_key) },
  { "folder", KEY_PATH, OFFSET(folder) },
  { "snapshots", KEY_SIZE, OFFSET(snapshots), 0, 1099511627776.0 },
  { NULL },
};

/* Takes the address and the port from listen, such as "127.0.0.1:8470" or "[::1]:8470". */
static gboolean parse_listen(const KeySource *source, PageConfig *self, GError **error)
{
  const char *colon = strrchr(self->listen, ':');
  guint64 port;
  g_autofree char *host = colon ? g_strndup(self->listen, (gsize)(colon - self->listen)) : NULL;
  const gsize length = host ? strlen(host) : 0;
  if (length > 2 && *host == '[' && host[length - 1] == ']') {
    host[length - 1] = '\0';
    memmove(host, host + 1, length - 1);
  }
  if (!g_strcmp0(host, "localhost"))
    memcpy(host, "127.0.0.1", sizeof "127.0.0.1");
  g_autoptr(GInetAddress) address = host ? g_inet_address_new_from_string(host) : NULL;
  if (!address || !g_ascii_string_to_unsigned(colon + 1, 10, 0, 65535, &port, NULL))
    return key_fail(source, GROUP, "listen", error,
                    "\"%s\": expected ADDRESS:PORT, such as 127.0.0.1:8470, 0.0.0.0:8470 (all "
                    "addresses of this machine) or [::1]:8470",
                    self->listen);
  self->address = g_steal_pointer(&host);
  self->port = (guint)port;
  self->loopback = g_inet_address_get_is_loopback(address);
  return TRUE;
}

static gboolean check_tls(const KeySource *source, const PageConfig *self, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  if (!self->certificate != !self->private_key)
    return key_fail(source, GROUP, self->certificate ? "certificate" : "private-key", error,
                    "certificate and private-key need each other");
  if (self->private_key && !credentials_check_file(self->private_key, &wrong))
    return key_fail(source, GROUP, "private-key", error, "%s", wrong->message);
  return check_readable(source, GROUP, "certificate", self->certificate, error);
}

static gboolean check(const KeySource *source, PageConfig *self, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  if (!parse_listen(source, self, error))
    return FALSE;
  if (!self->loopback && !self->password_file)
    return key_fail(source, GROUP, "password-file", error,
                    "is missing; other machines can connect to %s, so the page needs a password "
                    "(vitgate-watch --page-password makes the file's contents)",
                    self->listen);
  if (self->password_file && !credentials_check_file(self->password_file, &wrong))
    return key_fail(source, GROUP, "password-file", error, "%s", wrong->message);
  return check_tls(source, self, error) &&
         check_writable(source, GROUP, "folder", self->folder, self->folder, error);
}

static void set_folder(const KeySource *source, PageConfig *self, const char *log)
{
  g_autofree char *beside = log ? g_path_get_dirname(log) : NULL;
  if (!self->folder)
    self->folder = g_build_filename(beside ? beside : source->folder, "page", NULL);
}

gboolean page_config_read(PageConfig **page, const KeySource *source, const char *log,
                          GError **error)
{
  *page = NULL;
  if (!g_key_file_has_group(source->file, GROUP))
    return TRUE;
#ifndef VITGATE_HAVE_PAGE
  return key_fail(source, GROUP, NULL, error, NO_PAGE);
#endif
  PageConfig *self = *page = g_new0(PageConfig, 1);
  self->snapshots = 256 << 20;
  if (!keys_read(source, GROUP, page_keys, self, error))
    return FALSE;
  if (!self->listen)
    self->listen = g_strdup("127.0.0.1:8470");
  set_folder(source, self, log);
  return check(source, self, error);
}

PageConfig *page_config_copy(const PageConfig *self)
{
  PageConfig *copy = g_new(PageConfig, 1);
  *copy = (PageConfig){
    .listen = g_strdup(self->listen),
    .address = g_strdup(self->address),
    .port = self->port,
    .loopback = self->loopback,
    .hosts = g_strdupv(self->hosts),
    .password_file = g_strdup(self->password_file),
    .certificate = g_strdup(self->certificate),
    .private_key = g_strdup(self->private_key),
    .folder = g_strdup(self->folder),
    .snapshots = self->snapshots,
  };
  return copy;
}

gboolean page_config_equal(const PageConfig *a, const PageConfig *b)
{
  if (!a || !b)
    return a == b;
  g_autofree char *one = keys_fingerprint(page_keys, a), *other = keys_fingerprint(page_keys, b);
  return !strcmp(one, other);
}

void page_config_free(PageConfig *self)
{
  if (!self)
    return;
  keys_clear(page_keys, self);
  g_free(self->address);
  g_free(self);
}
