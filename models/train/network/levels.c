#include "train/network/levels.h"

#include "file/architecture.h"

Levels levels_between(const Description *student, const Description *teacher, gboolean all)
{
  const guint block = MIN(vitgate__description_tail(student), vitgate__description_tail(teacher));
  return (Levels){ .n = all && block ? MIN(MAX_LEVELS, 1 + (block - 1) / LEVEL_BLOCKS) : 1,
                   .block = block };
}
