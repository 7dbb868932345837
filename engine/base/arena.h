/* Arrays laid out one after another in one block of memory. */
#pragma once

#include <glib.h>

/* Rounds up to whole cache lines of 16 floats, so that each array starts on a cache line. */
static inline gsize vitgate__round_up(gsize n)
{
  return (n + 15) / 16 * 16;
}

typedef struct {
  float **array;
  gsize size;
} Part;

/* Points the arrays into @memory, unless it is NULL.
 * Returns: the number of floats that they take */
static inline gsize vitgate__carve(const Part *parts, guint n, float *memory)
{
  gsize offset = 0;
  for (guint i = 0; i < n; i++) {
    if (memory)
      *parts[i].array = memory + offset;
    offset += vitgate__round_up(parts[i].size);
  }
  return offset;
}
