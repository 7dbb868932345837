#include "page/teach/task-pictures.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <glib/gstdio.h>

/* Group of task.ini, member of the result, and folder that "vitgate teach" leaves out. */
#define DOUBTS    "doubtful"
#define MAX_DEPTH 4    /* of folders in that of a class, such as open/monday */
#define MAX_FILES 5000 /* beyond these, files in a task are not listed */

static void free_picture(gpointer data)
{
  TaskPicture *picture = data;
  g_free(picture->id);
  g_free(picture->path);
  g_free(picture->class);
  g_free(picture->guess);
  g_free(picture);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static gboolean is_picture(const char *name)
{
  static const char *const extensions[] = { ".jpg", ".jpeg", ".png", ".webp", NULL };
  g_autofree char *lower = g_ascii_strdown(name, -1);
  for (guint i = 0; extensions[i]; i++)
    if (*name != '.' && g_str_has_suffix(lower, extensions[i]))
      return g_utf8_validate(name, -1, NULL);
  return FALSE;
}

/* Candidates are named by the time of day; a file that was copied has another time. */
static gint64 find_time(const char *name, const GStatBuf *status)
{
  int year, month, day, hour, minute;
  double second;
  g_autoptr(GDateTime) time = NULL;
  if (sscanf(name, "%4d-%2d-%2dT%2d-%2d-%6lf", &year, &month, &day, &hour, &minute, &second) == 6)
    time = g_date_time_new_local(year, month, day, hour, minute, second);
  return time ? g_date_time_to_unix(time) * G_USEC_PER_SEC + g_date_time_get_microsecond(time)
              : (gint64)status->st_mtim.tv_sec * G_USEC_PER_SEC;
}

static void add_file(GPtrArray *pictures, const char *path, const char *name, const char *class,
                     const GStatBuf *status)
{
  TaskPicture *picture = g_new0(TaskPicture, 1);
  /* Neither changes when the file is moved, and both together are never used again. */
  picture->id = g_strdup_printf("%lx-%lx-%lx", (gulong)status->st_ino,
                                (gulong)status->st_mtim.tv_sec, (gulong)status->st_mtim.tv_nsec);
  picture->path = g_strdup(path);
  picture->class = g_strdup(class);
  picture->time = find_time(name, status);
  picture->doubtful = -1;
  g_ptr_array_add(pictures, picture);
}

static void add_folder(GPtrArray *pictures, const char *folder, const char *class, guint depth)
{
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  const char *name;
  while (dir && pictures->len < MAX_FILES && (name = g_dir_read_name(dir))) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    GStatBuf status;
    if (*name == '.' || g_lstat(path, &status) < 0)
      continue;
    if (S_ISDIR(status.st_mode) && class && depth < MAX_DEPTH)
      add_folder(pictures, path, class, depth + 1);
    else if (S_ISREG(status.st_mode) && is_picture(name))
      add_file(pictures, path, name, class, &status);
  }
}

static int compare_names(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Returns: whether a person has made a folder of that name for a class */
static gboolean is_class(const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  GStatBuf status;
  return *name != '.' && strcmp(name, DOUBTS) != 0 && g_utf8_validate(name, -1, NULL) &&
         g_lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

GPtrArray *task_pictures_classes(Task *task)
{
  GPtrArray *classes = g_ptr_array_new_with_free_func(g_free), *others = g_ptr_array_new();
  for (guint i = 0; i < task->classes->len; i++)
    g_ptr_array_add(classes, g_strdup(task->classes->pdata[i]));
  g_autofree char *folder = task_path(task, TASK_PICTURES);
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  const char *name;
  while (dir && others->len < TASK_MAX_CLASSES && (name = g_dir_read_name(dir)))
    if (is_class(folder, name) &&
        !g_ptr_array_find_with_equal_func(classes, name, g_str_equal, NULL))
      g_ptr_array_add(others, g_strdup(name));
  g_ptr_array_sort(others, compare_names);
  g_ptr_array_extend_and_steal(classes, others);
  return classes;
}

/* ---- Doubts -------------------------------------------------------------------------------- */

void task_pictures_doubt(Task *task, const char *name, double probability, const char *guess)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd(number, sizeof number, "%.3f", probability);
  const char *const values[] = { number, guess };
  g_key_file_set_string_list(task->file, DOUBTS, name, values, guess ? 2 : 1);
}

/* Adds what was stored with a candidate. */
static void find_doubt(Task *task, TaskPicture *picture)
{
  g_autofree char *name = g_path_get_basename(picture->path);
  g_auto(GStrv) values = g_key_file_get_string_list(task->file, DOUBTS, name, NULL, NULL);
  if (!values || !values[0])
    return;
  picture->doubtful = CLAMP(g_ascii_strtod(values[0], NULL), 0, 1);
  picture->guess = g_strdup(values[1]);
}

/* Adds what the last run found of sorted pictures. A picture that was moved since has another path.
 * @by_path: of TaskPicture */
static void add_found(const Task *task, GHashTable *by_path)
{
  JsonArray *doubts = NULL;
  if (task->result && json_object_has_member(json_node_get_object(task->result), DOUBTS)) {
    JsonNode *node = json_object_get_member(json_node_get_object(task->result), DOUBTS);
    doubts = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
  }
  for (guint i = 0; doubts && i < json_array_get_length(doubts); i++) {
    JsonNode *node = json_array_get_element(doubts, i);
    JsonObject *doubt = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    const char *file =
        doubt ? json_object_get_string_member_with_default(doubt, "file", NULL) : NULL;
    g_autofree char *path = file ? g_canonicalize_filename(file, task->folder) : NULL;
    TaskPicture *picture = path ? g_hash_table_lookup(by_path, path) : NULL;
    if (!picture)
      continue;
    picture->doubtful =
        CLAMP(json_object_get_double_member_with_default(doubt, "probability", 0), 0, 1);
    g_free(picture->guess);
    picture->guess = g_strdup(json_object_get_string_member_with_default(doubt, "taken_for", NULL));
  }
}

/* Forgets doubts of candidates that are no longer there. */
static void forget_old(Task *task, GHashTable *by_path)
{
  g_auto(GStrv) names = g_key_file_get_keys(task->file, DOUBTS, NULL, NULL);
  for (guint i = 0; names && names[i]; i++) {
    g_autofree char *path = g_build_filename(task->folder, TASK_UNSORTED, names[i], NULL);
    if (!g_hash_table_contains(by_path, path))
      g_key_file_remove_key(task->file, DOUBTS, names[i], NULL);
  }
}

static int compare_pictures(gconstpointer a, gconstpointer b)
{
  const TaskPicture *x = *(const TaskPicture *const *)a, *y = *(const TaskPicture *const *)b;
  return x->time != y->time ? (x->time < y->time) - (x->time > y->time) : strcmp(x->path, y->path);
}

GPtrArray *task_pictures_list(Task *task)
{
  GPtrArray *pictures = g_ptr_array_new_with_free_func(free_picture);
  g_autoptr(GPtrArray) classes = task_pictures_classes(task);
  g_autoptr(GHashTable) by_path = g_hash_table_new(g_str_hash, g_str_equal);
  g_autofree char *unsorted = task_path(task, TASK_UNSORTED);
  add_folder(pictures, unsorted, NULL, 0);
  for (guint i = 0; i < pictures->len; i++)
    find_doubt(task, pictures->pdata[i]);
  for (guint i = 0; i < classes->len; i++) {
    g_autofree char *folder =
        g_build_filename(task->folder, TASK_PICTURES, classes->pdata[i], NULL);
    add_folder(pictures, folder, classes->pdata[i], 0);
  }
  for (guint i = 0; i < pictures->len; i++)
    g_hash_table_insert(by_path, ((TaskPicture *)pictures->pdata[i])->path, pictures->pdata[i]);
  add_found(task, by_path);
  forget_old(task, by_path);
  g_ptr_array_sort(pictures, compare_pictures);
  return pictures;
}

const TaskPicture *task_pictures_find(const GPtrArray *pictures, const char *id)
{
  for (guint i = 0; i < pictures->len; i++) {
    const TaskPicture *picture = pictures->pdata[i];
    if (!strcmp(picture->id, id))
      return picture;
  }
  return NULL;
}

/* ---- Changing ------------------------------------------------------------------------------ */

static gboolean fail(GError **error, const char *doing, const char *path)
{
  const int code = errno;
  g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "cannot %s %s: %s", doing, path,
              g_strerror(code));
  return FALSE;
}

/* Returns: (transfer full): a path in @folder that is not taken */
static char *free_path(const char *folder, const char *name)
{
  char *path = g_build_filename(folder, name, NULL);
  const char *dot = strrchr(name, '.');
  for (guint i = 2; g_file_test(path, G_FILE_TEST_EXISTS); i++) {
    g_free(path);
    path = g_strdup_printf("%s/%.*s-%u%s", folder, (int)(dot - name), name, i, dot);
  }
  return path;
}

gboolean task_pictures_sort(Task *task, const TaskPicture *picture, const char *class,
                            GError **error)
{
  if (g_strcmp0(picture->class, class) == 0)
    return TRUE;
  g_autofree char *folder = class ? g_build_filename(task->folder, TASK_PICTURES, class, NULL)
                                  : task_path(task, TASK_UNSORTED);
  g_autofree char *name = g_path_get_basename(picture->path);
  if (g_mkdir_with_parents(folder, 0755) < 0)
    return fail(error, "create", folder);
  g_autofree char *path = free_path(folder, name);
  return g_rename(picture->path, path) == 0 || fail(error, "move", picture->path);
}

gboolean task_pictures_delete(const TaskPicture *picture, GError **error)
{
  return g_unlink(picture->path) == 0 || errno == ENOENT || fail(error, "delete", picture->path);
}

/* Makes all pictures of a class unsorted, and removes its folder. */
static gboolean dissolve(Task *task, const char *class, GError **error)
{
  g_autoptr(GPtrArray) pictures = task_pictures_list(task);
  for (guint i = 0; i < pictures->len; i++) {
    const TaskPicture *picture = pictures->pdata[i];
    if (g_strcmp0(picture->class, class) == 0 && !task_pictures_sort(task, picture, NULL, error))
      return FALSE;
  }
  g_autofree char *folder = g_build_filename(task->folder, TASK_PICTURES, class, NULL);
  if (g_rmdir(folder) == 0 || errno == ENOENT)
    return TRUE;
  return fail(error, "remove", folder);
}

gboolean task_pictures_set_classes(Task *task, const GPtrArray *classes, GError **error)
{
  g_autoptr(GPtrArray) old = task_pictures_classes(task);
  for (guint i = 0; i < old->len; i++)
    if (!g_ptr_array_find_with_equal_func((GPtrArray *)classes, old->pdata[i], g_str_equal, NULL) &&
        !dissolve(task, old->pdata[i], error))
      return FALSE;
  task_copy_classes(task, classes);
  return task_make_folders(task, error) && task_save(task, error);
}
