#include "commands/external.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "commands/command.h"

static const struct {
  const char *name, *summary;
} programs[] = {
  { "collect", "collect different pictures of a camera, clip or device" },
};

void external_print(void)
{
  for (guint i = 0; i < G_N_ELEMENTS(programs); i++)
    g_print("  %-10s %s\n", programs[i].name, programs[i].summary);
}

gboolean external_is_known(const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS(programs); i++)
    if (!strcmp(programs[i].name, name))
      return TRUE;
  return FALSE;
}

/* Returns: (transfer full) (nullable): the path of @program beside this one */
static char *find_beside(const char *program)
{
  g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
  if (!self)
    return NULL;
  g_autofree char *folder = g_path_get_dirname(self);
  g_autofree char *path = g_build_filename(folder, program, NULL);
  return g_file_test(path, G_FILE_TEST_IS_EXECUTABLE) ? g_steal_pointer(&path) : NULL;
}

int external_run(int argc, char **argv)
{
  g_autofree char *program = g_strconcat("vitgate-", argv[0], NULL);
  g_autofree char *path = find_beside(program);
  if (!path)
    path = g_find_program_in_path(program);
  if (!path) {
    command_note("\"%s\" needs the program %s, which is neither beside vitgate nor in $PATH "
                 "(it is installed with the GStreamer plugin)",
                 argv[0], program);
    return 1;
  }
  argv[0] = program;
  execv(path, argv);
  command_note("cannot run %s: %s", path, g_strerror(errno));
  return 1;
}
