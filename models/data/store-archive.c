#include "data/store-archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/command-error.h"
#include "base/regular-file.h"
#include "data/decode.h"

/* Maximum unpacked size, in bytes, of an archive that must be kept in memory. */
#define MAX_UNPACKED (G_GUINT64_CONSTANT(4) << 30)

typedef struct archive Archive;

static void free_archive(Archive *archive)
{
  archive_read_free(archive);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archive, free_archive)

/* A reader's own position in the shared file. With pread(), readers in several threads do not
 * interfere. */
typedef struct {
  int fd;
  guint64 at, size;
  guint8 buffer[32 << 10];
} Cursor;

static la_ssize_t read_block(Archive *archive, void *user_data, const void **block)
{
  Cursor *cursor = user_data;
  ssize_t n;
  do
    n = pread(cursor->fd, cursor->buffer, sizeof cursor->buffer, (off_t)cursor->at);
  while (n < 0 && errno == EINTR);
  if (n < 0) {
    archive_set_error(archive, errno, "%s", g_strerror(errno));
    return -1;
  }
  cursor->at += (guint64)n;
  *block = cursor->buffer;
  return n;
}

static la_int64_t skip_bytes(Archive *archive, void *user_data, la_int64_t request)
{
  Cursor *cursor = user_data;
  guint64 skipped = MIN((guint64)request, cursor->size - MIN(cursor->at, cursor->size));
  cursor->at += skipped;
  return (la_int64_t)skipped;
}

static la_int64_t seek_to(Archive *archive, void *user_data, la_int64_t offset, int whence)
{
  Cursor *cursor = user_data;
  gint64 base = whence == SEEK_SET ? 0 : (gint64)(whence == SEEK_CUR ? cursor->at : cursor->size);
  if (offset < -base || base + offset > (gint64)cursor->size)
    return ARCHIVE_FATAL;
  cursor->at = (guint64)(base + offset);
  return (la_int64_t)cursor->at;
}

static gboolean fail(Archive *archive, CommandError code, const char *path, GError **error)
{
  const char *reason = archive_error_string(archive);
  g_set_error(error, COMMAND_ERROR, code, "%s%s%s", path ? path : "", path ? ": " : "",
              reason ? reason : "is not an archive");
  return FALSE;
}

/* Enables only formats and filters that libarchive reads by itself. For others, it would run
 * programs. */
static Archive *open_archive(Cursor *cursor, const char *path, GError **error)
{
  g_autoptr(Archive) archive = archive_read_new();
  archive_read_support_format_tar(archive);
  archive_read_support_format_zip(archive);
  archive_read_support_filter_gzip(archive);
  archive_read_support_filter_bzip2(archive);
  archive_read_support_filter_xz(archive);
  archive_read_support_filter_zstd(archive);
  archive_read_set_read_callback(archive, read_block);
  archive_read_set_skip_callback(archive, skip_bytes);
  archive_read_set_seek_callback(archive, seek_to);
  archive_read_set_callback_data(archive, cursor);
  if (archive_read_open1(archive) < ARCHIVE_WARN) {
    fail(archive, COMMAND_ERROR_DATA, path, error);
    return NULL;
  }
  return g_steal_pointer(&archive);
}

/* Returns: (transfer full): with '/' between its parts and without a leading "./" */
static char *entry_name(struct archive_entry *entry)
{
  const char *name = archive_entry_pathname_utf8(entry);
  if (!name)
    name = archive_entry_pathname(entry);
  while (name && (name[0] == '/' || (name[0] == '.' && name[1] == '/')))
    name++;
  return g_strdup(name ? name : "");
}

static GBytes *read_content(Archive *archive, struct archive_entry *entry, GError **error)
{
  if (archive_entry_size_is_set(entry) && (guint64)archive_entry_size(entry) > DECODE_MAX_FILE) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "is larger than %u MB",
                (guint)(DECODE_MAX_FILE >> 20));
    return NULL;
  }
  g_autoptr(GByteArray) content = g_byte_array_new();
  guint8 block[16 << 10];
  la_ssize_t n;
  while ((n = archive_read_data(archive, block, sizeof block)) > 0 &&
         content->len + (guint64)n <= DECODE_MAX_FILE)
    g_byte_array_append(content, block, (guint)n);
  if (n > 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "is larger than %u MB",
                (guint)(DECODE_MAX_FILE >> 20));
    return NULL;
  }
  if (n < 0) {
    fail(archive, COMMAND_ERROR_DATA, NULL, error);
    return NULL;
  }
  return g_byte_array_free_to_bytes(g_steal_pointer(&content));
}

static GBytes *load(const Store *store, const StoredFile *file, GError **error)
{
  g_autofree Cursor *cursor = g_new(Cursor, 1);
  struct stat status;
  if (fstat(store->fd, &status)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "cannot read: %s", g_strerror(errno));
    return NULL;
  }
  *cursor = (Cursor){ .fd = store->fd, .at = file->offset, .size = (guint64)status.st_size };
  g_autoptr(Archive) archive = open_archive(cursor, NULL, error);
  if (!archive)
    return NULL;
  struct archive_entry *entry;
  if (archive_read_next_header(archive, &entry) < ARCHIVE_WARN) {
    fail(archive, COMMAND_ERROR_DATA, NULL, error);
    return NULL;
  }
  return read_content(archive, entry, error);
}

/* Adds an entry, by its offset in the file, or with its content if @keep. */
static gboolean add_entry(Store *store, Archive *archive, struct archive_entry *entry,
                          GHashTable *offsets, gboolean keep, GError **error)
{
  g_autofree char *name = entry_name(entry);
  const char *target = archive_entry_hardlink(entry);
  guint64 offset = (guint64)archive_read_header_position(archive);
  if (target) {
    while (target[0] == '/' || (target[0] == '.' && target[1] == '/'))
      target++;
    gpointer found = g_hash_table_lookup(offsets, target);
    if (!found || keep)
      return TRUE;
    offset = *(guint64 *)found;
  } else if (archive_entry_filetype(entry) != AE_IFREG) {
    return TRUE;
  }
  if (!*name)
    return TRUE;
  GBytes *content = NULL;
  if (keep) {
    content = read_content(archive, entry, error);
    if (!content) {
      g_prefix_error(error, "%s: %s: ", store->path, name);
      return FALSE;
    }
  }
  store_add(store, name, offset, content);
  g_hash_table_replace(offsets, g_steal_pointer(&name), g_memdup2(&offset, sizeof offset));
  return TRUE;
}

static gboolean list(Store *store, Archive *archive, GError **error)
{
  g_autoptr(GHashTable) offsets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  guint64 unpacked = 0;
  struct archive_entry *entry;
  int status;
  while ((status = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
    if (status < ARCHIVE_WARN)
      return fail(archive, COMMAND_ERROR_DATA, store->path, error);
    gboolean tar = (archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    gboolean keep = !tar || archive_filter_code(archive, 0) != ARCHIVE_FILTER_NONE;
    if (!add_entry(store, archive, entry, offsets, keep, error))
      return FALSE;
    if (keep && store->files->len) {
      const StoredFile *file = g_ptr_array_index(store->files, store->files->len - 1);
      unpacked += file->bytes ? g_bytes_get_size(file->bytes) : 0;
    }
    if (unpacked > MAX_UNPACKED) {
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                  "%s: contains more than %u GB; unpack it, or use an uncompressed tar archive",
                  store->path, (guint)(MAX_UNPACKED >> 30));
      return FALSE;
    }
  }
  return TRUE;
}

gboolean store_list_archive(Store *store, GError **error)
{
  struct stat status;
  store->load = load;
  store->fd = vitgate__regular_file_open(store->path, &status);
  if (store->fd < 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: %s", store->path,
                errno == ENOTSUP ? "is neither a regular file nor a folder" : g_strerror(errno));
    return FALSE;
  }
  g_autofree Cursor *cursor = g_new(Cursor, 1);
  *cursor = (Cursor){ .fd = store->fd, .size = (guint64)status.st_size };
  g_autoptr(Archive) archive = open_archive(cursor, store->path, error);
  return archive && list(store, archive, error);
}
