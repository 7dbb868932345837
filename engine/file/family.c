#include "file/family.h"

const Family *vitgate__family_find(const char *name, const char *kind)
{
  for (const Family *const *family = vitgate__families; *family; family++)
    if (!g_strcmp0((*family)->name, name) && !g_strcmp0((*family)->kind, kind))
      return *family;
  return NULL;
}
