#include "file/identity.h"

typedef struct {
  char *name;
  FileStamp stamp;
} Part;

struct _Identity {
  GArray *parts;
};

static void clear_part(gpointer part)
{
  g_free(((Part *)part)->name);
}

Identity *vitgate__identity_new(void)
{
  Identity *identity = g_new(Identity, 1);
  identity->parts = g_array_new(FALSE, FALSE, sizeof(Part));
  g_array_set_clear_func(identity->parts, clear_part);
  return identity;
}

void vitgate__identity_free(Identity **identity)
{
  Identity *i = g_steal_pointer(identity);
  if (!i)
    return;
  g_array_unref(i->parts);
  g_free(i);
}

FileStamp vitgate__stamp_of_path(const char *path)
{
  struct stat status;
  return stat(path, &status) ? (FileStamp){ 0 } : vitgate__stamp_of(&status);
}

void vitgate__identity_add(Identity *identity, const char *path, FileStamp stamp)
{
  const Part part = { g_path_get_basename(path), stamp };
  g_array_append_val(identity->parts, part);
}

gboolean vitgate__identity_matches(const Identity *identity, const char *path, FileStamp stamp)
{
  return vitgate__stamp_equal(g_array_index(identity->parts, Part, 0).stamp, stamp) &&
         vitgate__identity_matches_folder(identity, path);
}

gboolean vitgate__identity_matches_folder(const Identity *identity, const char *path)
{
  g_autofree char *folder = g_path_get_dirname(path);
  for (guint i = 1; i < identity->parts->len; i++) {
    const Part *part = &g_array_index(identity->parts, Part, i);
    g_autofree char *beside = g_build_filename(folder, part->name, NULL);
    if (!vitgate__stamp_equal(part->stamp, vitgate__stamp_of_path(beside)))
      return FALSE;
  }
  return TRUE;
}
