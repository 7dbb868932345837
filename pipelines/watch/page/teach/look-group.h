/* Adds a look to the text of a key file, and takes it out again. All other lines stay as they are.
 */
#pragma once

#include <glib.h>

typedef struct {
  const char *name, *camera;
  const char *region;  /* as the key */
  const char *model;   /* absolute path */
  gboolean keep_whole; /* the camera's group gets whole-frame=true, which it does not have yet */
} LookGroup;

/* Returns: (transfer full): the text with the look at its end */
char *look_group_add(const char *text, const LookGroup *look);

/* Removes what look_group_add() has added, as far as it is still there.
 * Returns: (transfer full) */
char *look_group_remove(const char *text, const LookGroup *look);
