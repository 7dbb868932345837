/* Arrays laid out one after another in one block of memory. */
#pragma once

#include <glib.h>

/* Rounds up to whole cache lines of 16 floats, so that each array starts on a cache line. */
static inline gsize vitgate__round_up(gsize n)
{
  return (n + 15) / 16 * 16;
}

/* Returns: the number of floats, in whole cache lines, that hold @n_bytes */
static inline gsize vitgate__floats_of(gsize n_bytes)
{
  return vitgate__round_up((n_bytes + sizeof(float) - 1) / sizeof(float));
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
