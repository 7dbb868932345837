#include "page/api/static-files.h"

#include <string.h>

#include <gio/gio.h>

#define FOLDER "/vitgate/page/"

/* Generated from page.gresource.xml. The call makes the linker take it. */
GResource *page_web_get_resource(void);

typedef struct {
  const char *type;
  GBytes *plain, *zipped; /* zipped: (nullable): if that is smaller */
  char *tag;              /* strong ETag */
} StaticFile;

static const char *const types[][2] = {
  { ".html", "text/html; charset=utf-8" },
  { ".css", "text/css; charset=utf-8" },
  { ".js", "text/javascript; charset=utf-8" },
  { ".svg", "image/svg+xml" },
  { ".json", "application/json" },
  { ".webmanifest", "application/manifest+json" },
  { ".png", "image/png" },
  { ".woff2", "font/woff2" },
};

static const char *find_type(const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS(types); i++)
    if (g_str_has_suffix(name, types[i][0]))
      return types[i][1];
  return "application/octet-stream";
}

/* Returns: (transfer full) (nullable): NULL if that is not smaller */
static GBytes *zip(GBytes *plain)
{
  g_autoptr(GZlibCompressor) compressor = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, 9);
  g_autoptr(GOutputStream) memory = g_memory_output_stream_new_resizable();
  g_autoptr(GOutputStream) stream = g_converter_output_stream_new(memory, G_CONVERTER(compressor));
  gsize size;
  const void *data = g_bytes_get_data(plain, &size);
  if (!g_output_stream_write_all(stream, data, size, NULL, NULL, NULL) ||
      !g_output_stream_close(stream, NULL, NULL))
    return NULL;
  GBytes *zipped = g_memory_output_stream_steal_as_bytes(G_MEMORY_OUTPUT_STREAM(memory));
  if (g_bytes_get_size(zipped) < size)
    return zipped;
  g_bytes_unref(zipped);
  return NULL;
}

static void set_tag(SoupServerMessage *message, const StaticFile *file, gboolean zipped)
{
  g_autofree char *tag = g_strdup_printf("\"%s%s\"", file->tag, zipped ? "-gz" : "");
  http_set_header(message, "ETag", tag);
  http_set_header(message, "Cache-Control", "no-cache");
  http_set_header(message, "Vary", "Accept-Encoding");
}

static gboolean is_known(SoupServerMessage *message, const StaticFile *file)
{
  const char *tags = soup_message_headers_get_list(soup_server_message_get_request_headers(message),
                                                   "If-None-Match");
  return tags && strstr(tags, file->tag);
}

static gboolean takes_gzip(SoupServerMessage *message)
{
  const char *codings = soup_message_headers_get_list(
      soup_server_message_get_request_headers(message), "Accept-Encoding");
  return codings && soup_header_contains(codings, "gzip");
}

static void send_file(HttpRequest *request, gpointer user_data)
{
  const StaticFile *file = user_data;
  SoupServerMessage *message = request->message;
  const gboolean zipped = file->zipped && takes_gzip(message);
  set_tag(message, file, zipped);
  if (is_known(message, file)) {
    soup_server_message_set_status(message, SOUP_STATUS_NOT_MODIFIED, NULL);
    http_request_answered(request);
    return;
  }
  if (zipped)
    http_set_header(message, "Content-Encoding", "gzip");
  http_answer_bytes(request, file->type, zipped ? file->zipped : file->plain);
}

/* Returns: (transfer none): stays for ever, since the program has these files anyway */
static StaticFile *find_file(const char *name)
{
  static GHashTable *files;
  g_autofree char *path = g_strconcat(FOLDER, name, NULL);
  if (!files)
    files = g_hash_table_new(g_str_hash, g_str_equal);
  StaticFile *file = g_hash_table_lookup(files, name);
  if (file)
    return file;
  file = g_new0(StaticFile, 1);
  file->type = find_type(name);
  file->plain = g_resources_lookup_data(path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  file->zipped = zip(file->plain);
  file->tag = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, file->plain);
  file->tag[32] = '\0';
  g_hash_table_insert(files, g_strdup(name), file);
  return file;
}

void static_files_add(HttpServer *server)
{
  g_resources_register(page_web_get_resource());
  g_auto(GStrv) names = g_resources_enumerate_children(FOLDER, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  for (guint i = 0; names && names[i]; i++) {
    g_autofree char *path = g_strconcat("/", names[i], NULL);
    StaticFile *file = find_file(names[i]);
    http_server_add_with(server, "GET", path, HTTP_OPEN, send_file, file);
    if (!strcmp(names[i], "index.html"))
      http_server_add_with(server, "GET", "/", HTTP_OPEN, send_file, file);
  }
}
