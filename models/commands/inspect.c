/* vitgate inspect: shows what a model file contains. */
#include "base/clean-text.h"
#include "commands/command.h"
#include "file/architecture.h"
#include "file/source.h"
#include "network/dial.h"
#include "report/gate-usage.h"
#include "report/report.h"
#include "report/structure-svg.h"
#include "write/output-file.h"

/* Returns: the width of a column for a module's gate */
static int gate_width(const Structure *structure, gboolean mlp)
{
  return structure->gates & GATES_FOR_TOKENS ? 16 : mlp ? 8 : 10;
}

/* Prints a row of the table. Only a model with gates has columns for them. */
static void print_block(const Structure *structure, guint i)
{
  const VitgateModelInfo *info = structure->model;
  const VitgateBlockInfo *block = &info->blocks[i];
  g_print("%8u %6u %8u %11" G_GUINT64_FORMAT " %9.2f", i, block->heads, block->neurons,
          block->attention_parameters + block->mlp_parameters,
          1e3 * (block->attention_gmacs + block->mlp_gmacs));
  if (structure->gates) {
    g_autofree char *attention = gate_usage_to_text(structure->usage, info, 2 * i),
                    *mlp = gate_usage_to_text(structure->usage, info, 2 * i + 1);
    g_print(" %*s %*s", gate_width(structure, FALSE), attention, gate_width(structure, TRUE), mlp);
  }
  g_print("\n");
}

static void print_blocks(const Structure *structure)
{
  const VitgateModelInfo *info = structure->model;
  double block_gmacs = 0;
  guint64 block_parameters = 0;
  g_print("%8s %6s %8s %11s %9s", "block", "heads", "neurons", "parameters", "MMACs");
  if (structure->gates)
    g_print(" %*s %*s", gate_width(structure, FALSE), "attention", gate_width(structure, TRUE),
            "mlp");
  g_print("\n");
  for (guint i = 0; i < info->depth; i++) {
    const VitgateBlockInfo *block = &info->blocks[i];
    print_block(structure, i);
    block_parameters += block->attention_parameters + block->mlp_parameters;
    block_gmacs += block->attention_gmacs + block->mlp_gmacs;
  }
  g_print("%8s %6s %8s %11" G_GUINT64_FORMAT " %9.2f   embeddings, last norm, classifier%s\n",
          "rest", "", "", info->n_parameters - block_parameters, 1e3 * (info->gmacs - block_gmacs),
          structure->gates ? ", gates" : "");
  g_print("%8s %6s %8s %11" G_GUINT64_FORMAT " %9.2f\n", "total", "", "", info->n_parameters,
          1e3 * info->gmacs);
  g_print("%8s %6u %8u %11" G_GUINT64_FORMAT
          " %9.2f   the teacher, with heads and neurons per block\n\n",
          "dense", structure->dense_heads, structure->dense_neurons,
          structure->description->dense_parameters, 1e3 * info->dense_gmacs);
}

static void print_gates(const Structure *structure)
{
  g_autofree char *source = structure->usage ? vitgate__clean_text(structure->usage_source) : NULL;
  if (!structure->gates)
    g_print("gates: none\n");
  else if (structure->usage)
    g_print("gates: share of %s for which a module runs (%s)\n",
            gate_usage_shares_of(structure->model), source);
  else
    g_print("gates: the file does not record how often they open (see --usage)\n");
}

static void print_substitutes(const Structure *structure)
{
  if (!(structure->gates & GATES_FOR_TOKENS))
    return;
  g_print("substitutes: for tokens that a module does not run for\n%8s %10s %8s\n", "block",
          "attention", "mlp");
  for (guint i = 0; i < structure->model->depth; i++) {
    g_autofree char *attention = structure_substitute_to_text(structure, 2 * i),
                    *mlp = structure_substitute_to_text(structure, 2 * i + 1);
    if (attention || mlp)
      g_print("%8u %10s %8s\n", i, attention ? attention : "-", mlp ? mlp : "-");
  }
}

/* Prints a single number if all blocks share it. */
static char *thresholds_to_text(const CalibrationPoint *point, guint depth)
{
  gboolean alike = TRUE;
  GString *text = g_string_new(NULL);
  for (guint b = 1; b < depth; b++)
    alike = alike && point->thresholds[b] == point->thresholds[0];
  for (guint b = 0; b < (alike ? MIN(depth, 1) : depth); b++)
    if (point->thresholds[b] >= MERGE_NEVER)
      g_string_append(text, b ? " never" : "never");
    else
      g_string_append_printf(text, b ? " %.3f" : "%.3f", point->thresholds[b]);
  return g_string_free(text, FALSE);
}

static void print_dial(const Structure *structure)
{
  const VitgateModelInfo *info = structure->model;
  const Description *description = structure->description;
  if (!description->n_calibration) {
    g_print("dial: none\n");
    return;
  }
  g_print("dial: compute %.3f to %.3f, default %.3f\n", info->min_compute, info->max_compute,
          info->default_compute);
  g_print("%9s %11s %10s %10s   %s\n", "compute", "mean GMACs", "agreement", "gate bias",
          "tokens merge above");
  for (guint i = 0; i < description->n_calibration; i++) {
    const CalibrationPoint *point = &description->calibration[i];
    g_autofree char *thresholds = thresholds_to_text(point, info->depth);
    g_print("%9.3f %11.3f %8.1f %% %10.3f   %s\n", point->compute,
            point->compute * info->dense_gmacs, 100 * point->agreement, point->gate_bias,
            thresholds);
  }
}

static void print_provenance(JsonObject *provenance)
{
  if (!provenance)
    return;
  g_print("provenance\n");
  g_autoptr(GList) members = json_object_get_members(provenance);
  for (GList *member = members; member; member = member->next) {
    JsonNode *node = json_object_get_member(provenance, member->data);
    g_autofree char *text =
        JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
            ? json_node_dup_string(node)
            : json_to_string(node, FALSE);
    g_autofree char *key = vitgate__clean_text(member->data);
    g_autofree char *clean = vitgate__clean_text(text);
    g_print("  %s: %s\n", key, clean);
  }
}

/* Prints a line such as "stem: performer, token_dim 64, features 32, 184.18 MMACs". */
static void print_stem(const Description *description)
{
  const Family *family = description->family;
  if (!family->kind)
    return;
  g_autoptr(JsonObject) stem = json_object_new();
  family->write_stem(description, stem);
  g_autoptr(GList) members = json_object_get_members(stem);
  g_print("stem: %s", family->kind);
  for (GList *member = members; member; member = member->next)
    g_print(", %s %" G_GINT64_FORMAT, (const char *)member->data,
            json_object_get_int_member(stem, member->data));
  g_print(", %.2f MMACs\n", 1e3 * family->gmacs(description));
}

static void report_stem(JsonBuilder *json, const Description *description)
{
  const Family *family = description->family;
  if (!family->kind)
    return;
  JsonObject *stem = json_object_new();
  json_object_set_string_member(stem, "kind", family->kind);
  family->write_stem(description, stem);
  json_object_set_double_member(stem, "mmacs", 1e3 * family->gmacs(description));
  g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, stem);
  json_builder_set_member_name(json, "stem");
  json_builder_add_value(json, g_steal_pointer(&node));
}

static void print_taught(const Description *d)
{
  double min = 1, max = 0;
  for (guint i = 0; d->thresholds && i < d->n_classes; i++) {
    min = MIN(min, d->thresholds[i]);
    max = MAX(max, d->thresholds[i]);
  }
  if (d->thresholds)
    g_print("thresholds: one for each class, from %.3f to %.3f\n", min, max);
  if (d->unknown.present)
    g_print("unknown pictures: scored by their distance from the nearest class, median %.4g, 95 %% "
            "below %.4g\n",
            d->unknown.median, d->unknown.limit);
  if (d->teach)
    g_print("stored for vitgate teach: features of %u views, %u values each\n", d->n_views,
            vitgate__description_head_inputs(d));
}

static void print_text(const Structure *structure)
{
  const VitgateModelInfo *info = structure->model;
  const Description *description = structure->description;
  g_autofree char *name = vitgate__clean_text(info->name);
  g_autofree char *geometry =
      report_geometry(info->fit, info->resize, info->bicubic, info->image_size);
  g_print("%s: family %s%s, %u blocks, %u tokens, %u wide, heads of %u\n\n", name, info->family,
          description->class_head_only ? ", distilled with one head"
          : description->distilled     ? ", distilled"
                                       : "",
          info->depth, info->n_tokens, info->dim, info->head_dim);
  print_blocks(structure);
  print_stem(description);
  g_print("compute: %.3f GMACs for one image with every module running, %.1f %% of the dense "
          "model's %.3f\n",
          info->gmacs, 100.0 * info->gmacs / info->dense_gmacs, info->dense_gmacs);
  print_gates(structure);
  print_substitutes(structure);
  print_dial(structure);
  g_print("precision: stored as %s, products in %s\n", description->precision,
          vitgate_precision_name(info->precision));
  for (guint p = VITGATE_PRECISION_FLOAT32; p < VITGATE_N_PRECISIONS; p++)
    if (description->agreement[p] > 0)
      g_print("  same class as the teacher with products in %s: %.1f %%\n",
              vitgate_precision_name((VitgatePrecision)p), 100 * description->agreement[p]);
  g_print("pre-processing: %s, patches of %u,\n"
          "  mean %.3f %.3f %.3f, std %.3f %.3f %.3f\n",
          geometry, info->patch_size, info->mean[0], info->mean[1], info->mean[2], info->std[0],
          info->std[1], info->std[2]);
  g_print("classes: %u, %s%s\n", info->n_classes,
          !info->has_labels  ? "without labels"
          : !info->label_ids ? "with labels"
                             : "with labels and ids",
          info->activation == VITGATE_ACTIVATION_SIGMOID
              ? ", each with a probability of its own (sigmoid)"
              : "");
  print_taught(description);
  print_provenance(description->provenance);
}

static void report_rgb(JsonBuilder *json, const char *name, const float rgb[3])
{
  json_builder_set_member_name(json, name);
  json_builder_begin_array(json);
  for (guint i = 0; i < 3; i++)
    json_builder_add_double_value(json, rgb[i]);
  json_builder_end_array(json);
}

static void report_token_gate(JsonBuilder *json, const char *name, const TokenGate *gate)
{
  if (!gate->present) {
    report_null(json, name);
    return;
  }
  report_begin(json, name);
  report_count(json, "rank", gate->rank);
  json_builder_end_object(json);
}

static void report_blocks(JsonBuilder *json, const Structure *structure)
{
  const VitgateModelInfo *info = structure->model;
  json_builder_set_member_name(json, "blocks");
  json_builder_begin_array(json);
  for (guint i = 0; i < info->depth; i++) {
    const VitgateBlockInfo *block = &info->blocks[i];
    json_builder_begin_object(json);
    report_count(json, "index", i);
    report_count(json, "heads", block->heads);
    report_count(json, "neurons", block->neurons);
    report_count(json, "parameters", block->attention_parameters + block->mlp_parameters);
    report_number(json, "mmacs", 1e3 * (block->attention_gmacs + block->mlp_gmacs));
    report_count(json, "attention_parameters", block->attention_parameters);
    report_count(json, "mlp_parameters", block->mlp_parameters);
    report_number(json, "attention_mmacs", 1e3 * block->attention_gmacs);
    report_number(json, "mlp_mmacs", 1e3 * block->mlp_gmacs);
    report_boolean(json, "attention_gate", block->attention_gate);
    report_boolean(json, "mlp_gate", block->mlp_gate);
    const BlockShape *shape = &structure->description->blocks[i];
    report_token_gate(json, "attention_token_gate", &shape->attention_tokens);
    report_token_gate(json, "mlp_token_gate", &shape->mlp_tokens);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

static void report_dial(JsonBuilder *json, const Structure *structure)
{
  const VitgateModelInfo *info = structure->model;
  const Description *description = structure->description;
  if (!description->n_calibration) {
    report_null(json, "dial");
    return;
  }
  report_begin(json, "dial");
  report_number(json, "default_compute", info->default_compute);
  report_number(json, "min_compute", info->min_compute);
  report_number(json, "max_compute", info->max_compute);
  json_builder_set_member_name(json, "calibration");
  json_builder_begin_array(json);
  for (guint i = 0; i < description->n_calibration; i++) {
    const CalibrationPoint *point = &description->calibration[i];
    json_builder_begin_object(json);
    report_number(json, "compute", point->compute);
    report_number(json, "gmacs", point->compute * info->dense_gmacs);
    report_number(json, "agreement", point->agreement);
    report_number(json, "gate_bias", point->gate_bias);
    report_numbers(json, "merge_thresholds", point->thresholds, info->depth);
    gate_usage_report(json, structure->point_usage[i], info);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
  json_builder_end_object(json);
}

static void report_taught(JsonBuilder *json, const Description *d)
{
  if (d->thresholds)
    report_numbers(json, "thresholds", d->thresholds, d->n_classes);
  else
    report_null(json, "thresholds");
  if (d->unknown.present) {
    report_begin(json, "unknown");
    report_number(json, "median", d->unknown.median);
    report_number(json, "limit", d->unknown.limit);
    json_builder_end_object(json);
  } else {
    report_null(json, "unknown");
  }
  report_count(json, "stored_views", d->n_views);
}

static void report_provenance(JsonBuilder *json, JsonObject *object)
{
  if (!object) {
    report_null(json, "provenance");
    return;
  }
  JsonNode *provenance = json_node_new(JSON_NODE_OBJECT);
  json_node_set_object(provenance, object);
  json_builder_set_member_name(json, "provenance");
  json_builder_add_value(json, provenance);
}

static void print_json(const char *path, const Structure *structure)
{
  const VitgateModelInfo *info = structure->model;
  const Description *description = structure->description;
  g_autoptr(JsonBuilder) json = json_builder_new();
  json_builder_begin_object(json);
  report_string(json, "model", info->name);
  report_string(json, "file", path);
  report_string(json, "family", info->family);
  report_stem(json, description);
  report_boolean(json, "distilled", description->distilled);
  report_count(json, "class_heads", vitgate__description_n_class_heads(description));
  report_string(json, "precision", vitgate_precision_name(info->precision));
  report_string(json, "stored_precision", description->precision);
  report_begin(json, "precision_agreement");
  for (guint p = VITGATE_PRECISION_FLOAT32; p < VITGATE_N_PRECISIONS; p++)
    if (description->agreement[p] > 0)
      report_number(json, vitgate_precision_name((VitgatePrecision)p), description->agreement[p]);
  json_builder_end_object(json);
  report_count(json, "parameters", info->n_parameters);
  report_begin(json, "gmacs");
  report_number(json, "model", info->gmacs);
  report_number(json, "dense", info->dense_gmacs);
  json_builder_end_object(json);
  report_begin(json, "dense");
  report_count(json, "heads", structure->dense_heads);
  report_count(json, "neurons", structure->dense_neurons);
  report_count(json, "parameters", description->dense_parameters);
  json_builder_end_object(json);
  report_count(json, "tokens", info->n_tokens);
  report_count(json, "dim", info->dim);
  report_count(json, "head_dim", info->head_dim);
  report_count(json, "depth", info->depth);
  report_count(json, "classes", info->n_classes);
  report_string(json, "activation", vitgate_activation_name(info->activation));
  report_boolean(json, "labels", info->has_labels);
  report_boolean(json, "label_ids", info->label_ids != NULL);
  report_begin(json, "preprocessing");
  report_count(json, "image_size", info->image_size);
  report_count(json, "patch_size", info->patch_size);
  report_string(json, "fit", vitgate_fit_name(info->fit));
  report_count(json, "resize", info->resize);
  report_string(json, "interpolation", info->bicubic ? "bicubic" : "bilinear");
  report_rgb(json, "mean", info->mean);
  report_rgb(json, "std", info->std);
  json_builder_end_object(json);
  report_blocks(json, structure);
  gate_usage_report(json, structure->usage, info);
  report_string(json, "gate_usage_source", structure->usage_source);
  if (structure->tokens)
    report_numbers(json, "module_tokens", structure->tokens, 2 * info->depth);
  else
    report_null(json, "module_tokens");
  report_dial(json, structure);
  report_taught(json, description);
  report_provenance(json, description->provenance);
  json_builder_end_object(json);
  report_print(json);
}

static gboolean write_picture(const Structure *structure, const char *path, GError **error)
{
  g_autofree char *svg = structure_to_svg(structure, error);
  g_autoptr(GError) failure = NULL;
  if (!svg || !output_file_check(path, error))
    return FALSE;
  if (g_file_set_contents(path, svg, -1, &failure))
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: %s", path, failure->message);
  return FALSE;
}

int command_inspect(int argc, char **argv, GError **error)
{
  gboolean as_json = FALSE;
  g_autofree char *picture = NULL, *usage = NULL;
  const GOptionEntry entries[] = {
    { "svg", 0, 0, G_OPTION_ARG_FILENAME, &picture, "Also draw the structure to an SVG file",
      "FILE" },
    { "usage", 0, 0, G_OPTION_ARG_FILENAME, &usage,
      "Show how often gates open and how many tokens remain, from a file with the output of "
      "vitgate eval --json",
      "FILE" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "Print the result as a JSON object", NULL },
    G_OPTION_ENTRY_NULL,
  };
  const CommandSyntax syntax = {
    entries, "MODEL", "Shows what a model file contains.",
    "MMACs are millions of multiply-adds for one image with all modules running. How\n"
    "often gates open comes from the file's calibration at its default dial, or from\n"
    "--usage. How many tokens each module runs for comes from the file's provenance,\n"
    "or from --usage; the picture shows it if it is known.\n"
  };
  g_autofree char *path = command_parse_one(&syntax, argc, argv, "model file", error);
  /* Opens the model fully, so that what is shown is also what runs. */
  g_autoptr(VitgateModel) model = path ? vitgate_model_open(path, error) : NULL;
  g_autoptr(Source) source = model ? vitgate__source_open(path, error) : NULL;
  g_autoptr(Description) description = source ? vitgate__source_describe(source, 0, error) : NULL;
  g_autoptr(Structure) structure =
      description
          ? structure_new(vitgate_model_get_info(model), description, source->file, usage, error)
          : NULL;
  if (!structure || (picture && !write_picture(structure, picture, error)))
    return 1;
  if (as_json)
    print_json(path, structure);
  else
    print_text(structure);
  return 0;
}
