#include "model/download.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <libsoup/soup.h>

#include "base/certificate-faults.h"
#include "base/secrets.h"

#define SILENCE 30 /* seconds without a byte, after which a server is given up */
#define CHUNK   65536

/* One download that runs. */
typedef struct {
  const Download *what;
  SoupMessage *message;
  char *shown; /* URL for messages; after a redirect, both */
  GChecksum *sum;
  guint64 got, total;
  gboolean lasting;
} Run;

static gboolean fail(Run *self, int code, gboolean lasting, GError **error, const char *format, ...)
    G_GNUC_PRINTF(5, 6);

static gboolean fail(Run *self, int code, gboolean lasting, GError **error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *reason = g_strdup_vprintf(format, args);
  va_end(args);
  self->lasting = lasting;
  g_set_error(error, G_IO_ERROR, code, "%s: %s", self->shown, reason);
  return FALSE;
}

/* @reason: of libsoup or GIO */
static gboolean explain(Run *self, const GError *reason, GError **error)
{
  const GTlsCertificateFlags flags = soup_message_get_tls_peer_certificate_errors(self->message);
  if (reason->domain == G_TLS_ERROR && flags) {
    g_autofree char *faults = certificate_faults(flags);
    return fail(self, G_IO_ERROR_FAILED, TRUE, error, "its certificate is refused: %s%s", faults,
                flags & G_TLS_CERTIFICATE_UNKNOWN_CA ? " (see model-ca-file)" : "");
  }
  if (g_error_matches(reason, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return fail(self, G_IO_ERROR_TIMED_OUT, FALSE, error, "no answer within %d s", SILENCE);
  const int code = reason->domain == G_IO_ERROR ? reason->code : G_IO_ERROR_FAILED;
  return fail(self, code, FALSE, error, "%s", reason->message);
}

/* Errors from now on say where a redirect has led. */
static gboolean check_redirect(Run *self, GError **error)
{
  g_autofree char *place = g_uri_to_string(soup_message_get_uri(self->message));
  const gboolean weaker =
      g_str_has_prefix(self->what->url, "https:") && g_str_has_prefix(place, "http:");
  if (strcmp(place, self->what->url)) {
    g_autofree char *hidden = secrets_hide_url(place), *from = self->shown;
    self->shown = g_strdup_printf("%s (redirected to %s)", from, hidden);
  }
  return !weaker || fail(self, G_IO_ERROR_PERMISSION_DENIED, TRUE, error,
                         "a redirect from https to http is not followed");
}

/* Returns: whether another try may succeed soon */
static gboolean will_pass(guint status)
{
  return status >= 500 || status == SOUP_STATUS_REQUEST_TIMEOUT || status == 425 || status == 429;
}

static gboolean check_answer(Run *self, GError **error)
{
  const guint status = soup_message_get_status(self->message);
  SoupMessageHeaders *headers = soup_message_get_response_headers(self->message);
  if (!check_redirect(self, error))
    return FALSE;
  if (status != SOUP_STATUS_OK)
    return fail(self, G_IO_ERROR_FAILED, !will_pass(status), error,
                "HTTP status %u %s, expected 200", status,
                soup_message_get_reason_phrase(self->message));
  if (soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH)
    self->total = (guint64)soup_message_headers_get_content_length(headers);
  return self->total <= self->what->max_size ||
         fail(self, G_IO_ERROR_FAILED, TRUE, error,
              "has %" G_GUINT64_FORMAT " bytes, expected at most %" G_GUINT64_FORMAT
              " (see model-size)",
              self->total, self->what->max_size);
}

static gboolean write_all(Run *self, const char *bytes, gssize n, GError **error)
{
  while (n > 0) {
    const gssize written = write(self->what->fd, bytes, (gsize)n);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0) {
      const int code = errno;
      g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "cannot write %s: %s",
                  self->what->path, g_strerror(code));
      return FALSE;
    }
    bytes += written;
    n -= written;
  }
  return TRUE;
}

static gboolean take(Run *self, const char *bytes, gssize n, GError **error)
{
  self->got += (guint64)n;
  if (self->got > self->what->max_size)
    return fail(self, G_IO_ERROR_FAILED, TRUE, error,
                "has more than %" G_GUINT64_FORMAT " bytes (see model-size)", self->what->max_size);
  g_checksum_update(self->sum, (const guchar *)bytes, n);
  self->what->func(self->got, self->total, self->what->user_data);
  return write_all(self, bytes, n, error);
}

static gboolean read_body(Run *self, GInputStream *body, GCancellable *cancellable, GError **error)
{
  g_autofree char *bytes = g_malloc(CHUNK);
  g_autoptr(GError) reason = NULL;
  gssize n;
  while ((n = g_input_stream_read(body, bytes, CHUNK, cancellable, &reason)) > 0)
    if (!take(self, bytes, n, error))
      return FALSE;
  if (self->got < self->total &&
      (n == 0 || g_error_matches(reason, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT)))
    return fail(self, G_IO_ERROR_PARTIAL_INPUT, FALSE, error,
                "the connection ended after %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes",
                self->got, self->total);
  return n == 0 || explain(self, reason, error);
}

static gboolean run(Run *self, GCancellable *cancellable, GError **error)
{
  g_autoptr(GError) reason = NULL;
  g_autoptr(SoupSession) session = soup_session_new_with_options(
      "timeout", SILENCE, "user-agent", "vitgate-watch/" VITGATE_VERSION, NULL);
  /* The hash is that of the file as it is sent. */
  soup_session_remove_feature_by_type(session, SOUP_TYPE_CONTENT_DECODER);
  if (self->what->ca_file) {
    g_autoptr(GTlsDatabase) authorities = g_tls_file_database_new(self->what->ca_file, &reason);
    if (!authorities)
      return fail(self, G_IO_ERROR_FAILED, TRUE, error, "%s cannot be used: %s",
                  self->what->ca_file, reason->message);
    soup_session_set_tls_database(session, authorities);
  }
  g_autoptr(GInputStream) body = soup_session_send(session, self->message, cancellable, &reason);
  if (!body)
    return explain(self, reason, error);
  return check_answer(self, error) && read_body(self, body, cancellable, error);
}

char *download_run(const Download *what, gboolean *lasting, GCancellable *cancellable,
                   GError **error)
{
  Run self = {
    .what = what,
    .message = soup_message_new("GET", what->url),
    .shown = secrets_hide_url(what->url),
    .sum = g_checksum_new(G_CHECKSUM_SHA256),
  };
  gboolean good;
  if (self.message)
    good = run(&self, cancellable, error);
  else
    good = fail(&self, G_IO_ERROR_INVALID_ARGUMENT, TRUE, error, "is not a URL");
  char *sha256 = good ? g_strdup(g_checksum_get_string(self.sum)) : NULL;
  *lasting = self.lasting;
  g_clear_object(&self.message);
  g_checksum_free(self.sum);
  g_free(self.shown);
  return sha256;
}
