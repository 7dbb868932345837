#include "data/store-archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
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

/* ---- Names ---- */

/* libarchive converts names to the character set of the thread's locale, and drops those that do
 * not fit: in the locale C, all that are not ASCII.
 * Returns: (transfer none): a locale for UTF-8; 0 if there is none */
static locale_t get_utf8(void)
{
  static gsize once;
  static locale_t utf8;
  if (g_once_init_enter(&once)) {
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    g_once_init_leave(&once, 1);
  }
  return utf8;
}

/* The thread's locale from before. */
typedef struct {
  locale_t before;
} NameLocale;

static NameLocale enter_utf8(void)
{
  return (NameLocale){ uselocale(get_utf8()) };
}

static void leave_utf8(NameLocale *names)
{
  uselocale(names->before);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NameLocale, leave_utf8)

/* Returns: (transfer full): @name without a leading "/" or "./" */
static char *clean_name(const char *name)
{
  while (name && (name[0] == '/' || (name[0] == '.' && name[1] == '/')))
    name++;
  return g_strdup(name ? name : "");
}

/* Returns: (transfer full): with '/' between its parts; "" if libarchive cannot read it */
static char *entry_name(struct archive_entry *entry)
{
  const char *name = archive_entry_pathname_utf8(entry);
  return clean_name(name ? name : archive_entry_pathname(entry));
}

/* Returns: (transfer full) (nullable): the file that a hard link leads to */
static char *entry_target(struct archive_entry *entry)
{
  const char *name = archive_entry_hardlink_utf8(entry);
  if (!name)
    name = archive_entry_hardlink(entry);
  return name ? clean_name(name) : NULL;
}

/* ---- Reading ---- */

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
  g_auto(NameLocale) names G_GNUC_UNUSED = enter_utf8();
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

/* ---- Listing ---- */

/* An archive whose files are being listed. */
typedef struct {
  Store *store;
  Archive *archive;
  GHashTable *found; /* (element-type filename guint): the number of each file in the store */
  gboolean keep;     /* keep contents, since the archive cannot be read in any order */
  guint64 kept;      /* bytes */
} Listing;

static gboolean add_file(Listing *listing, struct archive_entry *entry, const char *name,
                         GError **error)
{
  GBytes *content = NULL;
  if (listing->keep && !(content = read_content(listing->archive, entry, error))) {
    g_prefix_error(error, "%s: %s: ", listing->store->path, name);
    return FALSE;
  }
  listing->kept += content ? g_bytes_get_size(content) : 0;
  const guint64 offset = (guint64)archive_read_header_position(listing->archive);
  store_add(listing->store, name, offset, content);
  return TRUE;
}

/* Adds another name of a file. */
static void add_link(const Listing *listing, const char *name, const char *target)
{
  gpointer number;
  if (!g_hash_table_lookup_extended(listing->found, target, NULL, &number)) {
    store_add(listing->store, name, 0, NULL)->problem =
        "is a hard link to a file that the archive does not contain before it";
    return;
  }
  const StoredFile *file = listing->store->files->pdata[GPOINTER_TO_UINT(number)];
  store_add(listing->store, name, file->offset, file->bytes ? g_bytes_ref(file->bytes) : NULL)
      ->problem = file->problem;
}

/* Adds whatever may be a photograph, so that each that cannot be used is reported. */
static gboolean add_entry(Listing *listing, struct archive_entry *entry, GError **error)
{
  Store *store = listing->store;
  const guint type = archive_entry_filetype(entry);
  if (type == AE_IFDIR)
    return TRUE;
  g_autofree char *name = entry_name(entry), *target = entry_target(entry);
  if (!*name) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%s: the name of a file cannot be read; the file before it is %s", store->path,
                store->files->len
                    ? ((const StoredFile *)store->files->pdata[store->files->len - 1])->name
                    : "missing");
    return FALSE;
  }
  if (target)
    add_link(listing, name, target);
  else if (type != AE_IFREG)
    store_add(store, name, 0, NULL)->problem =
        type == AE_IFLNK ? "is a symbolic link, which is not followed in an archive"
                         : "is not a regular file";
  else if (!add_file(listing, entry, name, error))
    return FALSE;
  g_hash_table_replace(listing->found, g_steal_pointer(&name),
                       GUINT_TO_POINTER(store->files->len - 1));
  return TRUE;
}

static gboolean list(Store *store, Archive *archive, GError **error)
{
  g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  Listing listing = { .store = store, .archive = archive, .found = found };
  struct archive_entry *entry;
  int status;
  while ((status = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
    if (status < ARCHIVE_WARN)
      return fail(archive, COMMAND_ERROR_DATA, store->path, error);
    const gboolean tar = (archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    listing.keep = !tar || archive_filter_code(archive, 0) != ARCHIVE_FILTER_NONE;
    if (!add_entry(&listing, entry, error))
      return FALSE;
    if (listing.kept > MAX_UNPACKED) {
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
  g_auto(NameLocale) names G_GNUC_UNUSED = enter_utf8();
  g_autoptr(Archive) archive = open_archive(cursor, store->path, error);
  return archive && list(store, archive, error);
}
