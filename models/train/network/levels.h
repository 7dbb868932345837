/* Where a student's tokens are compared with its teacher's: as they enter the tail and, at further
 * levels, three blocks earlier, six blocks earlier, and so on. */
#pragma once

#include "file/description.h"

#define LEVEL_BLOCKS 3
#define MAX_LEVELS   8

typedef struct {
  guint n;
  guint block; /* the block that the tokens of level 0 enter */
} Levels;

/* Finds the levels for two networks of the same depth. Levels are counted from the earlier tail: a
 * student whose last attention was cut has no patch tokens where its teacher's tail begins.
 * @all: FALSE: only level 0
 * Returns: the levels, for use with both networks */
Levels levels_between(const Description *student, const Description *teacher, gboolean all);

/* Returns: the block that the level's tokens enter */
static inline guint levels_block(Levels levels, guint level)
{
  return levels.block - LEVEL_BLOCKS * level;
}
