#include "report/structure.h"

#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "file/json.h"
#include "report/gate-usage.h"
#include "report/module-numbers.h"

/* Returns the number of neurons in a block of the dense teacher. A model file does not record it,
 * but records the dense compute, which is linear in it. Other differences of the teacher, such as
 * more classes, change the result by a few per cent at most, so a result near the 4 * dim of ViT
 * and DeiT is taken as 4 * dim. */
static guint find_dense_neurons(const Description *d, guint heads)
{
  const guint tokens = vitgate__description_n_tokens(d), usual = 4 * d->dim;
  guint most = 0;
  for (guint b = 0; b < d->depth; b++)
    most = MAX(most, d->blocks[b].neurons);
  g_autofree BlockShape *blocks = g_new0(BlockShape, d->depth + 1);
  Description bare = *d;
  bare.blocks = blocks;
  for (guint b = 0; b < d->depth; b++)
    blocks[b].heads = heads;
  const double each = d->depth * vitgate__mlp_gmacs(d, 1, tokens),
               found = each > 0
                           ? (d->dense_gmacs - vitgate__description_published_gmacs(&bare)) / each
                           : 0;
  if (fabs(found - usual) <= 0.05 * usual)
    return MAX(usual, most);
  return (guint)CLAMP(rint(found), most, DESCRIPTION_MAX_NEURONS);
}

static guint find_dense_heads(const Description *d)
{
  guint heads = MAX(d->dim / d->head_dim, 1);
  for (guint b = 0; b < d->depth; b++)
    heads = MAX(heads, d->blocks[b].heads);
  return heads;
}

/* Interpolates the gate usage at the default dial between calibration points, as the engine does.
 * Returns NULL if one of the two points has no usage. */
static double *interpolate(const Structure *structure)
{
  const Description *d = structure->description;
  const CalibrationPoint *points = d->calibration;
  guint above = 0;
  while (above + 1 < d->n_calibration && points[above].compute < d->default_compute)
    above++;
  const guint below = above ? above - 1 : above;
  const double *low = structure->point_usage[below], *high = structure->point_usage[above];
  if (!low || !high)
    return NULL;
  const double span = points[above].compute - points[below].compute;
  const double t = span > 0 ? CLAMP((d->default_compute - points[below].compute) / span, 0, 1) : 1;
  double *usage = g_new(double, 2 * d->depth + 1);
  for (guint m = 0; m < 2 * d->depth; m++)
    usage[m] = low[m] + t * (high[m] - low[m]);
  return usage;
}

/* Takes the gate usage from the file's own metadata, from which @description was read. */
static void take_usage(Structure *structure, const Safetensors *file)
{
  const Description *d = structure->description;
  const char *text = vitgate__safetensors_get_metadata(file, "vitgate");
  g_autoptr(JsonNode) root =
      text ? vitgate__json_parse_object(text, strlen(text), "", VITGATE_ERROR_METADATA, NULL)
           : NULL;
  if (!root)
    return;
  JsonArray *points = vitgate__json_get_array(json_node_get_object(root), "calibration");
  for (guint i = 0; points && i < d->n_calibration; i++)
    structure->point_usage[i] =
        gate_usage_parse(json_array_get_object_element(points, i), structure->model);
  if (d->n_calibration && (structure->usage = interpolate(structure)))
    structure->usage_source = g_strdup_printf("calibration at compute %.3f", d->default_compute);
  else if (d->provenance && (structure->usage = gate_usage_parse(d->provenance, structure->model)))
    structure->usage_source = g_strdup("provenance");
  if (d->provenance && (structure->tokens = module_tokens_parse(d->provenance, structure->model)))
    structure->tokens_source = g_strdup("held-out photographs, default dial");
}

/* Takes gate usage and tokens from the output of vitgate eval --json. */
static gboolean read_usage(Structure *structure, const char *path, GError **error)
{
  g_clear_pointer(&structure->usage, g_free);
  g_clear_pointer(&structure->usage_source, g_free);
  g_clear_pointer(&structure->tokens, g_free);
  g_clear_pointer(&structure->tokens_source, g_free);
  structure->usage_source = g_filename_display_basename(path);
  structure->usage = gate_usage_read(path, structure->model, &structure->tokens, error);
  if (structure->tokens)
    structure->tokens_source = g_strdup(structure->usage_source);
  return structure->usage != NULL;
}

Structure *structure_new(const VitgateModelInfo *model, const Description *description,
                         const Safetensors *file, const char *usage_path, GError **error)
{
  g_autoptr(Structure) structure = g_new0(Structure, 1);
  structure->model = model;
  structure->description = description;
  structure->dense_heads = find_dense_heads(description);
  structure->dense_neurons = find_dense_neurons(description, structure->dense_heads);
  structure->gates = gate_usage_kinds(model);
  structure->point_usage = g_new0(double *, description->n_calibration + 1);
  take_usage(structure, file);
  if (usage_path && !read_usage(structure, usage_path, error))
    return NULL;
  return g_steal_pointer(&structure);
}

char *structure_substitute_to_text(const Structure *structure, guint m)
{
  const Description *d = structure->description;
  const BlockShape *shape = &d->blocks[m / 2];
  const TokenGate *gate = m % 2 ? &shape->mlp_tokens : &shape->attention_tokens;
  if (!gate->present)
    return NULL;
  return gate->rank ? g_strdup_printf("rank %u", gate->rank) : g_strdup("mean");
}

void structure_free(Structure **structure)
{
  Structure *s = g_steal_pointer(structure);
  if (!s)
    return;
  for (guint i = 0; i < s->description->n_calibration; i++)
    g_free(s->point_usage[i]);
  g_free(s->point_usage);
  g_free(s->usage);
  g_free(s->usage_source);
  g_free(s->tokens);
  g_free(s->tokens_source);
  g_free(s);
}
