#include "page/teach/task.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <glib/gstdio.h>

#include "page/teach/plain-name.h"

#define FILE_NAME "task.ini"
#define GROUP     "task"

static const char heading[] = " A task of vitgate-watch's page. The folder \"pictures\" is for\n"
                              " vitgate teach --data pictures\n";

static gboolean fail(GError **error, const char *path)
{
  const int code = errno;
  g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "cannot write %s: %s", path,
              g_strerror(code));
  return FALSE;
}

char *task_path(const Task *self, const char *name)
{
  return g_build_filename(self->folder, name, NULL);
}

gboolean task_has(const Task *self, const char *name)
{
  g_autofree char *path = task_path(self, name);
  return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

/* ---- Regions ------------------------------------------------------------------------------- */

gboolean task_region_is_valid(const TaskRegion *r)
{
  const double rounding = 1e-6;
  return r->x >= 0 && r->y >= 0 && r->width > 0 && r->height > 0 &&
         r->x + r->width <= 1 + rounding && r->y + r->height <= 1 + rounding;
}

gboolean task_region_is_whole(const TaskRegion *r)
{
  return r->x <= 0 && r->y <= 0 && r->width >= 1 && r->height >= 1;
}

char *task_region_text(const TaskRegion *r)
{
  /* Rounded down, so that a region at the edge does not reach beyond it. */
  const double shares[] = { r->x, r->y, MIN(r->width, 1 - r->x), MIN(r->height, 1 - r->y) };
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(shares); i++) {
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(number, sizeof number, "%.3f", floor(shares[i] * 1e5 + 1e-6) / 1e3);
    g_string_append_printf(text, "%s%s%%", i ? "," : "", number);
  }
  return g_string_free(text, FALSE);
}

/* ---- task.ini ------------------------------------------------------------------------------ */

static Task *allocate(const char *parent, const char *name)
{
  Task *self = g_new0(Task, 1);
  self->name = g_strdup(name);
  self->folder = g_build_filename(parent, name, NULL);
  self->classes = g_ptr_array_new_with_free_func(g_free);
  self->file = g_key_file_new();
  return self;
}

void task_free(Task *self)
{
  g_free(self->name);
  g_free(self->folder);
  g_free(self->camera);
  g_free(self->look);
  g_ptr_array_unref(self->classes);
  g_key_file_unref(self->file);
  g_clear_pointer(&self->result, json_node_unref);
  g_free(self);
}

gboolean task_save(Task *self, GError **error)
{
  const double region[] = { self->region.x, self->region.y, self->region.width,
                            self->region.height };
  g_key_file_set_string(self->file, GROUP, "camera", self->camera);
  g_key_file_set_double_list(self->file, GROUP, "region", (double *)region, 4);
  g_key_file_set_string_list(self->file, GROUP, "classes",
                             (const char *const *)self->classes->pdata, self->classes->len);
  g_key_file_set_boolean(self->file, GROUP, "collecting", self->collecting);
  g_key_file_set_boolean(self->file, GROUP, "kept-whole-frame", self->kept_whole);
  if (self->look)
    g_key_file_set_string(self->file, GROUP, "look", self->look);
  else
    g_key_file_remove_key(self->file, GROUP, "look", NULL);
  g_autofree char *path = task_path(self, FILE_NAME);
  g_autoptr(GError) reason = NULL;
  if (g_key_file_save_to_file(self->file, path, &reason))
    return TRUE;
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot write %s: %s", path, reason->message);
  return FALSE;
}

static gboolean wrong(GError **error, const char *path, const char *key, const char *expected)
{
  g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
              "%s: [" GROUP "] %s: expected %s", path, key, expected);
  return FALSE;
}

static gboolean read_classes(Task *self, const char *path, GError **error)
{
  g_auto(GStrv) names = g_key_file_get_string_list(self->file, GROUP, "classes", NULL, NULL);
  for (guint i = 0; names && names[i]; i++) {
    char *name = plain_name_new("class", names[i], error);
    if (!name) {
      g_prefix_error(error, "%s: [" GROUP "] classes: ", path);
      return FALSE;
    }
    if (g_ptr_array_find_with_equal_func(self->classes, name, g_str_equal, NULL))
      g_free(name);
    else
      g_ptr_array_add(self->classes, name);
  }
  return self->classes->len <= TASK_MAX_CLASSES ||
         wrong(error, path, "classes", "at most 20 names");
}

static gboolean read_keys(Task *self, const char *path, GError **error)
{
  gsize n = 0;
  g_autofree double *r = g_key_file_get_double_list(self->file, GROUP, "region", &n, NULL);
  self->camera = g_key_file_get_string(self->file, GROUP, "camera", NULL);
  self->look = g_key_file_get_string(self->file, GROUP, "look", NULL);
  self->collecting = g_key_file_get_boolean(self->file, GROUP, "collecting", NULL);
  self->kept_whole = g_key_file_get_boolean(self->file, GROUP, "kept-whole-frame", NULL);
  if (!self->camera)
    return wrong(error, path, "camera", "the name of a camera");
  if (n == 4)
    self->region = (TaskRegion){ r[0], r[1], r[2], r[3] };
  if (n != 4 || !task_region_is_valid(&self->region))
    return wrong(error, path, "region", "x;y;width;height, each a share of the frame from 0 to 1");
  return read_classes(self, path, error);
}

/* Returns: (transfer full) (nullable): NULL with an error if @text is not a JSON object */
static JsonNode *parse_result(const char *text, GError **error)
{
  g_autoptr(JsonNode) node = json_from_string(text, error);
  if (node && JSON_NODE_HOLDS_OBJECT(node))
    return g_steal_pointer(&node);
  if (node)
    g_set_error(error, JSON_PARSER_ERROR, JSON_PARSER_ERROR_PARSE, "expected an object");
  return NULL;
}

/* A result that a person has deleted or changed is none. */
static void load_result(Task *self)
{
  g_autofree char *path = task_path(self, TASK_RESULT), *text = NULL;
  if (task_has(self, TASK_MODEL) && g_file_get_contents(path, &text, NULL, NULL))
    self->result = parse_result(text, NULL);
}

gboolean task_set_result(Task *self, const char *text, GError **error)
{
  g_autofree char *path = task_path(self, TASK_RESULT);
  JsonNode *result = parse_result(text, error);
  if (!result) {
    g_prefix_error(error, "vitgate teach: its result cannot be read: ");
    return FALSE;
  }
  g_clear_pointer(&self->result, json_node_unref);
  self->result = result;
  return g_file_set_contents(path, text, -1, error);
}

Task *task_load(const char *parent, const char *name, GError **error)
{
  Task *self = allocate(parent, name);
  g_autofree char *path = task_path(self, FILE_NAME);
  if (!g_key_file_load_from_file(self->file, path, G_KEY_FILE_KEEP_COMMENTS, error)) {
    g_prefix_error(error, "%s: ", path);
    g_clear_pointer(&self, task_free);
  } else if (!read_keys(self, path, error)) {
    g_clear_pointer(&self, task_free);
  } else {
    load_result(self);
  }
  return self;
}

/* ---- Folders ------------------------------------------------------------------------------- */

static gboolean make_folder(const char *path, GError **error)
{
  return g_mkdir_with_parents(path, 0755) == 0 || fail(error, path);
}

gboolean task_make_folders(Task *self, GError **error)
{
  g_autofree char *unsorted = task_path(self, TASK_UNSORTED);
  gboolean made = make_folder(unsorted, error);
  for (guint i = 0; made && i < self->classes->len; i++) {
    g_autofree char *path =
        g_build_filename(self->folder, TASK_PICTURES, self->classes->pdata[i], NULL);
    made = make_folder(path, error);
  }
  return made;
}

void task_copy_classes(Task *self, const GPtrArray *classes)
{
  g_ptr_array_set_size(self->classes, 0);
  for (guint i = 0; i < classes->len; i++)
    g_ptr_array_add(self->classes, g_strdup(classes->pdata[i]));
}

Task *task_new(const char *parent, const char *name, const char *camera, const TaskRegion *region,
               const GPtrArray *classes, GError **error)
{
  Task *self = allocate(parent, name);
  self->camera = g_strdup(camera);
  self->region = *region;
  task_copy_classes(self, classes);
  g_key_file_set_comment(self->file, NULL, NULL, heading, NULL);
  gboolean made = make_folder(parent, error);
  if (made && g_mkdir(self->folder, 0755) < 0)
    made = fail(error, self->folder);
  if (made && task_make_folders(self, error) && task_save(self, error))
    return self;
  task_free(self);
  return NULL;
}

/* Symbolic links are removed, not followed. */
static gboolean remove_tree(const char *path)
{
  GStatBuf status;
  if (g_lstat(path, &status) < 0)
    return errno == ENOENT;
  if (!S_ISDIR(status.st_mode))
    return g_unlink(path) == 0;
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *entry;
  while (dir && (entry = g_dir_read_name(dir))) {
    g_autofree char *inside = g_build_filename(path, entry, NULL);
    if (!remove_tree(inside))
      return FALSE;
  }
  return g_rmdir(path) == 0;
}

gboolean task_delete(Task *self, GError **error)
{
  if (remove_tree(self->folder))
    return TRUE;
  const int code = errno;
  g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "cannot delete %s: %s", self->folder,
              g_strerror(code));
  return FALSE;
}
