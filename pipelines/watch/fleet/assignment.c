#include "fleet/assignment.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
  guint node;
  double score;
} Place;

/* FNV-1a, 64 bits. GLib's hash may differ between versions. */
static guint64 hash_name(const char *name)
{
  guint64 hash = G_GUINT64_CONSTANT(0xcbf29ce484222325);
  for (const guchar *c = (const guchar *)name; *c; c++)
    hash = (hash ^ *c) * G_GUINT64_CONSTANT(0x100000001b3);
  return hash;
}

/* The last step of SplitMix64 (Steele, Lea and Flood, 2014): every bit depends on every other. */
static guint64 mix(guint64 value)
{
  value += G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
  value = (value ^ (value >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
  value = (value ^ (value >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
  return value ^ (value >> 31);
}

/* @camera: its mixed hash
 * Returns: the larger, the more the node should have the camera; negative without a weight */
static double score(const AssignmentNode *node, guint64 camera)
{
  if (!(node->weight > 0))
    return -1;
  const guint64 hash = mix(hash_name(node->name) ^ camera);
  const double uniform = ((double)(hash >> 11) + 0.5) * 0x1p-53; /* neither 0 nor 1 */
  return -node->weight / log(uniform);
}

int assignment_find_best(const AssignmentNode *nodes, guint n_nodes, const char *camera)
{
  const guint64 hash = mix(hash_name(camera));
  double best_score = 0;
  int best = -1;
  for (guint i = 0; i < n_nodes; i++) {
    const double node_score = score(&nodes[i], hash);
    if (node_score > best_score) {
      best_score = node_score;
      best = (int)i;
    }
  }
  return best;
}

static int compare_places(gconstpointer a, gconstpointer b)
{
  const Place *first = a, *second = b;
  if (first->score != second->score)
    return first->score > second->score ? -1 : 1;
  return first->node < second->node ? -1 : first->node > second->node;
}

guint assignment_rank(const AssignmentNode *nodes, guint n_nodes, const char *camera, guint *order)
{
  const guint64 hash = mix(hash_name(camera));
  g_autofree Place *places = g_new(Place, n_nodes);
  guint n = 0;
  for (guint i = 0; i < n_nodes; i++) {
    const double node_score = score(&nodes[i], hash);
    if (node_score > 0)
      places[n++] = (Place){ i, node_score };
  }
  qsort(places, n, sizeof *places, compare_places);
  for (guint i = 0; i < n; i++)
    order[i] = places[i].node;
  return n;
}
