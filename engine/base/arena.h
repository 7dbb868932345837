/* Arrays laid out one after another in one block of memory. */
#pragma once

#include <glib.h>

/* Every array that is carved out of a larger one starts on a cache line: of 16 floats. */
static inline gsize vitgate__round_up(gsize n)
{
  return (n + 15) / 16 * 16;
}

typedef struct {
  float **array;
  gsize size;
} Part;

/* Points the arrays into @memory, where it is not NULL. Returns: how many floats they take */
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
