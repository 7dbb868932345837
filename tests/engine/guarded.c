#include "guarded.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATTERN 0x5a
/* Bytes of pattern that are written and checked beside the array: more than any vector. */
#define REACH 256

struct _Guarded {
  guint8 *mapping; /* a forbidden page, the memory, a forbidden page */
  gsize size;      /* of the memory in the middle */
  gsize page;
  guint8 *array;
  gsize n_bytes;
};

Guarded *guarded_new(gsize size)
{
  Guarded *g = g_new0(Guarded, 1);
  g->page = (gsize)sysconf(_SC_PAGESIZE);
  g->size = (size + g->page - 1) / g->page * g->page + g->page;
  g->mapping = mmap(NULL, g->size + 2 * g->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (g->mapping == MAP_FAILED || mprotect(g->mapping + g->page, g->size, PROT_READ | PROT_WRITE))
    g_error("no memory for a test");
  return g;
}

void guarded_free(Guarded *g)
{
  munmap(g->mapping, g->size + 2 * g->page);
  g_free(g);
}

gpointer guarded_place(Guarded *g, gsize n_bytes, GuardedPlace place)
{
  guint8 *first = g->mapping + g->page, *end = first + g->size;
  if (n_bytes + REACH > g->size)
    g_error("an array of %" G_GSIZE_FORMAT " bytes is larger than its place", n_bytes);
  g->n_bytes = n_bytes;
  g->array = place == GUARDED_END ? end - n_bytes : first;
  if (place == GUARDED_END)
    memset(g->array - REACH, PATTERN, REACH);
  else
    memset(g->array + n_bytes, PATTERN, REACH);
  return g->array;
}

gboolean guarded_intact(const Guarded *g)
{
  const gboolean at_start = g->array == g->mapping + g->page;
  const guint8 *beside = at_start ? g->array + g->n_bytes : g->array - REACH;
  for (guint i = 0; i < REACH; i++)
    if (beside[i] != PATTERN)
      return FALSE;
  return TRUE;
}
