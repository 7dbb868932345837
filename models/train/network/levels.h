/* Where a student's tokens are compared with its teacher's: as they enter the tail, and, as further
 * levels, three blocks before, six blocks before, and so on. */
#pragma once

#include "file/description.h"

#define LEVEL_BLOCKS 3
#define MAX_LEVELS   8

typedef struct {
  guint n;
  guint block; /* that the tokens of level 0 enter */
} Levels;

/* The levels of two networks of one depth. They are counted from the earlier of both tails, as a
 * student whose last attention is cut away has no patch tokens where its teacher's tail begins.
 * @all: FALSE: only level 0
 * Returns: the levels, to be used for both networks */
Levels levels_between(const Description *student, const Description *teacher, gboolean all);

/* Returns: the block that the level's tokens enter */
static inline guint levels_block(Levels levels, guint level)
{
  return levels.block - LEVEL_BLOCKS * level;
}
