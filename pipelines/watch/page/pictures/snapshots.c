#include "page/pictures/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/console.h"
#include "base/line-file.h"
#include "page/pictures/jpeg.h"

#define MAX_WAITING 8
#define MAX_WIDTH   1280
#define QUALITY     80
#define NICENESS    10 /* of the thread */
#define NEW         ".new-"
#define BLOCK       4096 /* bytes that a file takes are a multiple of it */
#define ID_LENGTH   25
#define NAME_LENGTH (16 + 1 + ID_LENGTH + 1 + 8 + 4) /* NUMBER-ID-CAMERA.jpg */

typedef struct {
  guint64 number;
  char id[ID_LENGTH + 1];
  guint32 camera; /* hash of its name */
  guint64 bytes;
} Entry;

typedef struct {
  GstSample *frame; /* NULL: a picture is read */
  Entry entry;
  char *camera, *comment;
  GTask *task; /* of a read */
} Job;

struct _Snapshots {
  char *folder;
  GThread *thread;
  GAsyncQueue *jobs;
  gboolean failing;   /* already reported; used by the thread */
  SnapshotsFunc func; /* or NULL */
  gpointer user_data;

  GMutex lock;
  guint64 limit, bytes, next_number, dropped;
  GQueue entries;      /* of Entry, oldest first */
  GHashTable *by_id;   /* id → its GList in entries */
  GHashTable *waiting; /* ids of pictures to be made */
};

/* ---- Names --------------------------------------------------------------------------------- */

static guint32 hash_camera(const char *name)
{
  g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA1, name, -1);
  hash[8] = '\0';
  return (guint32)g_ascii_strtoull(hash, NULL, 16);
}

static char *make_path(Snapshots *self, const Entry *entry)
{
  return g_strdup_printf("%s/%016" G_GINT64_MODIFIER "x-%s-%08x.jpg", self->folder, entry->number,
                         entry->id, entry->camera);
}

static gint64 get_time(const Entry *entry)
{
  return g_ascii_strtoll(entry->id, NULL, 10);
}

/* Returns: whether it is the name of a picture */
static gboolean parse_name(const char *name, Entry *entry)
{
  static const char form[] = "xxxxxxxxxxxxxxxx-dddddddddddddddd-xxxxxxxx-xxxxxxxx.jpg";
  if (strlen(name) != NAME_LENGTH)
    return FALSE;
  for (guint i = 0; i < NAME_LENGTH; i++)
    if (form[i] == 'x'   ? !g_ascii_isxdigit(name[i])
        : form[i] == 'd' ? !g_ascii_isdigit(name[i])
                         : name[i] != form[i])
      return FALSE;
  *entry = (Entry){ .number = g_ascii_strtoull(name, NULL, 16),
                    .camera = (guint32)g_ascii_strtoull(name + 17 + ID_LENGTH + 1, NULL, 16) };
  memcpy(entry->id, name + 17, ID_LENGTH);
  return TRUE;
}

/* ---- The index ----------------------------------------------------------------------------- */

/* Call the next two with the lock held. */
static void add_entry(Snapshots *self, const Entry *entry)
{
  Entry *copy = g_memdup2(entry, sizeof *entry);
  g_queue_push_tail(&self->entries, copy);
  g_hash_table_replace(self->by_id, copy->id, self->entries.tail);
  self->bytes += copy->bytes;
}

/* Returns: (transfer full): free it with g_free() */
static Entry *take_oldest(Snapshots *self)
{
  GList *link = self->entries.head;
  Entry *entry = g_queue_pop_head(&self->entries);
  if (g_hash_table_lookup(self->by_id, entry->id) == link)
    g_hash_table_remove(self->by_id, entry->id);
  self->bytes -= entry->bytes;
  return entry;
}

/* Removes the oldest pictures until there is room.
 * @bytes: of the next picture */
static void make_room(Snapshots *self, guint64 bytes)
{
  for (;;) {
    g_mutex_lock(&self->lock);
    const gboolean full = self->limit && self->entries.length && self->bytes + bytes > self->limit;
    Entry *oldest = full ? take_oldest(self) : NULL;
    g_mutex_unlock(&self->lock);
    if (!oldest)
      return;
    g_autofree char *path = make_path(self, oldest);
    g_unlink(path);
    g_free(oldest);
  }
}

static guint64 round_up(guint64 bytes)
{
  return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

static int compare_entries(gconstpointer a, gconstpointer b)
{
  const guint64 x = ((const Entry *)a)->number, y = ((const Entry *)b)->number;
  return x < y ? -1 : x > y;
}

/* @entries: of Entry
 * @name: of a file in the folder */
static void find_entry(Snapshots *self, GArray *entries, const char *name)
{
  g_autofree char *path = g_build_filename(self->folder, name, NULL);
  struct stat status;
  Entry entry;
  if (g_str_has_prefix(name, NEW)) {
    g_unlink(path); /* the program was killed meanwhile */
  } else if (parse_name(name, &entry) && stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
    entry.bytes = round_up((guint64)status.st_size);
    if (status.st_size > 0)
      g_array_append_val(entries, entry);
    else
      g_unlink(path); /* by a power cut */
  }
}

static void report(Snapshots *self, const GError *error)
{
  if (error && !self->failing)
    console_print("%s; events have no pictures until that is possible", error->message);
  else if (!error && self->failing)
    console_print("%s: pictures can be written again", self->folder);
  self->failing = error != NULL;
}

static void read_folder(Snapshots *self)
{
  g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(Entry));
  g_autoptr(GError) error = NULL;
  if (!self->limit && !g_file_test(self->folder, G_FILE_TEST_EXISTS))
    return;
  if (g_mkdir_with_parents(self->folder, 0700) < 0) {
    line_file_fail(&error, self->folder);
    report(self, error);
    return;
  }
  g_autoptr(GDir) folder = g_dir_open(self->folder, 0, &error);
  const char *name;
  while (folder && (name = g_dir_read_name(folder)))
    find_entry(self, entries, name);
  if (error)
    report(self, error);
  g_array_sort(entries, compare_entries);
  for (guint i = 0; i < entries->len; i++)
    add_entry(self, &g_array_index(entries, Entry, i));
  if (entries->len)
    self->next_number = g_array_index(entries, Entry, entries->len - 1).number + 1;
}

/* ---- The thread ---------------------------------------------------------------------------- */

static gboolean write_all(int fd, GBytes *bytes)
{
  gsize size, done = 0;
  const char *data = g_bytes_get_data(bytes, &size);
  while (done < size) {
    const ssize_t n = write(fd, data + done, size - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      errno = n < 0 ? errno : ENOSPC;
      return FALSE;
    }
    done += (gsize)n;
  }
  return fdatasync(fd) == 0;
}

static gboolean write_file(Snapshots *self, const char *path, GBytes *bytes, GError **error)
{
  g_autofree char *fresh = g_strdup_printf("%s/" NEW "%d", self->folder, (int)getpid());
  g_mkdir_with_parents(self->folder, 0700); /* somebody may have removed it */
  const int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  gboolean good = fd >= 0 && write_all(fd, bytes);
  int code = errno;
  if (fd >= 0 && close(fd) < 0 && good) {
    code = errno;
    good = FALSE;
  }
  if (good && g_rename(fresh, path) < 0) {
    code = errno;
    good = FALSE;
  }
  if (good)
    return TRUE;
  if (fd >= 0)
    g_unlink(fresh);
  errno = code;
  return line_file_fail(error, self->folder);
}

static GBytes *encode(const Job *job, GError **error)
{
  g_autoptr(GBytes) jpeg = jpeg_encode_now(job->frame, NULL, MAX_WIDTH, QUALITY, error);
  return jpeg ? jpeg_add_comment(jpeg, job->comment) : NULL;
}

static void keep_picture(Snapshots *self, Job *job)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = encode(job, &error);
  g_clear_pointer(&job->frame, gst_sample_unref);
  gboolean written = FALSE;
  if (bytes) {
    job->entry.bytes = round_up(g_bytes_get_size(bytes));
    make_room(self, job->entry.bytes);
    g_autofree char *path = make_path(self, &job->entry);
    written = write_file(self, path, bytes, &error);
  }
  report(self, error);
  g_mutex_lock(&self->lock);
  g_hash_table_remove(self->waiting, job->entry.id);
  if (written)
    add_entry(self, &job->entry);
  else
    self->dropped++;
  g_mutex_unlock(&self->lock);
  if (written && self->func)
    self->func(job->camera, bytes, self->user_data);
}

static void read_picture(Snapshots *self, Job *job)
{
  char *data = NULL;
  gsize size;
  g_mutex_lock(&self->lock);
  GList *link = g_hash_table_lookup(self->by_id, job->entry.id);
  g_autofree char *path = link ? make_path(self, link->data) : NULL;
  g_mutex_unlock(&self->lock);
  if (path && g_file_get_contents(path, &data, &size, NULL))
    g_task_return_pointer(job->task, g_bytes_new_take(data, size), (GDestroyNotify)g_bytes_unref);
  else
    g_task_return_new_error(job->task, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                            "there is no picture of this event");
}

static void free_job(Job *job)
{
  g_clear_pointer(&job->frame, gst_sample_unref);
  g_clear_object(&job->task);
  g_free(job->camera);
  g_free(job->comment);
  g_free(job);
}

/* Ends at a job that is neither a picture to make nor one to read. */
static gpointer run(gpointer data)
{
  Snapshots *self = data;
  setpriority(PRIO_PROCESS, 0, NICENESS); /* of this thread, on Linux */
  for (gboolean over = FALSE; !over;) {
    Job *job = g_async_queue_pop(self->jobs);
    if (job->frame)
      keep_picture(self, job);
    else if (job->task)
      read_picture(self, job);
    else
      over = TRUE;
    free_job(job);
  }
  return NULL;
}

/* ---- Calls --------------------------------------------------------------------------------- */

Snapshots *snapshots_new(const char *folder, guint64 limit)
{
  Snapshots *self = g_new0(Snapshots, 1);
  self->folder = g_strdup(folder);
  self->limit = limit;
  self->jobs = g_async_queue_new();
  self->by_id = g_hash_table_new(g_str_hash, g_str_equal);
  self->waiting = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_queue_init(&self->entries);
  g_mutex_init(&self->lock);
  read_folder(self);
  make_room(self, 0);
  self->thread = g_thread_new("snapshots", run, self);
  return self;
}

void snapshots_set_func(Snapshots *self, SnapshotsFunc func, gpointer user_data)
{
  self->func = func;
  self->user_data = user_data;
}

gboolean snapshots_take(Snapshots *self, const char *id, const char *camera, GstSample *frame,
                        const char *comment)
{
  if (strlen(id) != ID_LENGTH)
    return FALSE;
  const guint32 hash = hash_camera(camera);
  g_mutex_lock(&self->lock);
  const gboolean wanted = self->limit > 0 && !g_hash_table_contains(self->by_id, id) &&
                          !g_hash_table_contains(self->waiting, id);
  const gboolean room = g_hash_table_size(self->waiting) < MAX_WAITING;
  if (wanted && room) {
    Job *job = g_new0(Job, 1);
    job->frame = gst_sample_ref(frame);
    job->camera = g_strdup(camera);
    job->comment = g_strdup(comment);
    job->entry = (Entry){ .number = self->next_number++, .camera = hash };
    memcpy(job->entry.id, id, ID_LENGTH);
    g_hash_table_add(self->waiting, g_strdup(id));
    g_async_queue_push(self->jobs, job);
  } else if (wanted) {
    self->dropped++;
  }
  g_mutex_unlock(&self->lock);
  return wanted && room;
}

gboolean snapshots_has(Snapshots *self, const char *id)
{
  g_mutex_lock(&self->lock);
  gboolean has = g_hash_table_contains(self->by_id, id) || g_hash_table_contains(self->waiting, id);
  g_mutex_unlock(&self->lock);
  return has;
}

void snapshots_load(Snapshots *self, const char *id, GAsyncReadyCallback callback,
                    gpointer user_data)
{
  Job *job = g_new0(Job, 1);
  job->task = g_task_new(NULL, NULL, callback, user_data);
  if (strlen(id) == ID_LENGTH)
    memcpy(job->entry.id, id, ID_LENGTH);
  g_async_queue_push(self->jobs, job);
}

GBytes *snapshots_load_finish(GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer(G_TASK(result), error);
}

static void snapshot_free(gpointer data)
{
  Snapshot *snapshot = data;
  g_free(snapshot->id);
  g_free(snapshot->path);
  g_free(snapshot);
}

GPtrArray *snapshots_list(Snapshots *self, const char *camera, gint64 since)
{
  GPtrArray *list = g_ptr_array_new_with_free_func(snapshot_free);
  const guint32 hash = hash_camera(camera);
  g_mutex_lock(&self->lock);
  for (GList *link = self->entries.tail; link; link = link->prev) {
    const Entry *entry = link->data;
    if (entry->camera != hash || get_time(entry) < since)
      continue;
    Snapshot *snapshot = g_new0(Snapshot, 1);
    snapshot->id = g_strdup(entry->id);
    snapshot->time = get_time(entry);
    snapshot->path = make_path(self, entry);
    g_ptr_array_add(list, snapshot);
  }
  g_mutex_unlock(&self->lock);
  return list;
}

void snapshots_get_status(Snapshots *self, SnapshotsStatus *status)
{
  g_mutex_lock(&self->lock);
  *status = (SnapshotsStatus){ .count = self->entries.length,
                               .bytes = self->bytes,
                               .limit = self->limit,
                               .dropped = self->dropped };
  g_mutex_unlock(&self->lock);
}

void snapshots_free(Snapshots **snapshots)
{
  Snapshots *self = *snapshots;
  *snapshots = NULL;
  if (!self)
    return;
  g_async_queue_push(self->jobs, g_new0(Job, 1));
  g_thread_join(self->thread);
  g_async_queue_unref(self->jobs);
  g_hash_table_unref(self->by_id);
  g_hash_table_unref(self->waiting);
  g_queue_clear_full(&self->entries, g_free);
  g_mutex_clear(&self->lock);
  g_free(self->folder);
  g_free(self);
}
