#include "train/network/patch-reader.h"

#include <stdlib.h>

#include "file/architecture.h"
#include "network/weight-loader.h"

struct _PatchReader {
  const Network *network;
  guint n_members;
  float *weights, *scratch; /* the stem's packed weights; one layer before packing */
  Stem *stem;               /* NULL until packed, or if the family has no stem */
  float *memory;            /* used by work */
  StemWork *work;           /* NULL if the family has no stem */
  float **tensors;          /* [n_members][3][image_size][image_size] */
  float **patches;          /* [n_members][n_patches][patch_values] */
};

/* Returns: (transfer full) (nullable): memory that starts on a cache line */
static float *allocate(gsize n)
{
  return aligned_alloc(64, (n + 15) / 16 * 16 * sizeof(float));
}

static gboolean allocate_stem(PatchReader *reader)
{
  const Description *d = reader->network->description;
  const Family *family = d->family;
  gsize largest;
  if (!family->load)
    return TRUE;
  reader->weights = allocate(family->measure(d, VITGATE_PRECISION_FLOAT32, &largest));
  reader->scratch = allocate(largest);
  reader->memory = allocate(family->work_size(d, VITGATE_PRECISION_FLOAT32) * reader->n_members);
  if (!reader->weights || !reader->scratch || !reader->memory)
    return FALSE;
  reader->work = family->work_new(d, VITGATE_PRECISION_FLOAT32, reader->memory, reader->n_members);
  return TRUE;
}

PatchReader *patch_reader_new(const Network *network, guint n_members)
{
  const Description *d = network->description;
  PatchReader *reader = g_new0(PatchReader, 1);
  reader->network = network;
  reader->n_members = n_members;
  reader->tensors = g_new0(float *, n_members);
  reader->patches = g_new0(float *, n_members);
  gboolean complete = allocate_stem(reader);
  for (guint i = 0; complete && i < n_members; i++) {
    reader->tensors[i] = allocate((gsize)3 * d->image_size * d->image_size);
    reader->patches[i] =
        allocate((gsize)vitgate__description_n_patches(d) * vitgate__description_patch_values(d));
    complete = reader->tensors[i] && reader->patches[i];
  }
  if (!complete)
    patch_reader_free(&reader);
  return reader;
}

void patch_reader_free(PatchReader **reader)
{
  PatchReader *r = g_steal_pointer(reader);
  if (!r)
    return;
  for (guint i = 0; i < r->n_members; i++) {
    free(r->tensors[i]);
    free(r->patches[i]);
  }
  g_free(r->tensors);
  g_free(r->patches);
  g_free(r->work);
  g_free(r->stem);
  free(r->memory);
  free(r->weights);
  free(r->scratch);
  g_free(r);
}

static void read_parameter(gconstpointer source, const char *name, float *values)
{
  const Network *network = source;
  const Parameter *p = network_find(network, name);
  for (gsize i = 0; i < p->n; i++)
    values[i] = (float)network->values[p->offset + i];
}

void patch_reader_pack(PatchReader *reader)
{
  const Description *d = reader->network->description;
  WeightLoader loader = { .read = read_parameter,
                          .source = reader->network,
                          .precision = VITGATE_PRECISION_FLOAT32,
                          .next = reader->weights,
                          .scratch = reader->scratch };
  if (!d->family->load)
    return;
  g_free(reader->stem);
  reader->stem = d->family->load(&loader, d);
}

void patch_reader_run(const PatchReader *reader, guint member, real *patches, const real *tensor)
{
  const Description *d = reader->network->description;
  const guint n = vitgate__description_n_patches(d);
  const gsize pixels = (gsize)3 * d->image_size * d->image_size;
  const gsize values = (gsize)n * vitgate__description_patch_values(d);
  float *image = reader->tensors[member], *rows = reader->patches[member];
  for (gsize i = 0; i < pixels; i++)
    image[i] = (float)tensor[i];
  if (reader->stem)
    d->family->run(reader->stem, reader->work, &(StemShare){ .n = 1, .base = member }, image);
  d->family->gather(d, reader->work, member, rows, image, 0, n);
  if (d->family->reorder)
    d->family->reorder(d, rows, n, TRUE);
  for (gsize i = 0; i < values; i++)
    patches[i] = rows[i];
}
