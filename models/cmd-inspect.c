/* vitgate inspect: what a model file holds. */
#include "command.h"
#include "description.h"
#include "report.h"
#include "safetensors.h"
#include "vitgate.h"

static void print_blocks(const VitgateModelInfo *info)
{
  double block_gmacs = 0;
  guint64 block_parameters = 0;
  g_print("%8s %6s %8s %11s %9s\n", "block", "heads", "neurons", "parameters", "MMACs");
  for (guint i = 0; i < info->depth; i++) {
    const VitgateBlockInfo *block = &info->blocks[i];
    guint64 parameters = block->attention_parameters + block->mlp_parameters;
    double gmacs = block->attention_gmacs + block->mlp_gmacs;
    g_print("%8u %6u %8u %11" G_GUINT64_FORMAT " %9.2f\n", i, block->heads, block->neurons,
            parameters, 1e3 * gmacs);
    block_parameters += parameters;
    block_gmacs += gmacs;
  }
  g_print("%8s %6s %8s %11" G_GUINT64_FORMAT " %9.2f   embeddings, last norm, classifier\n", "rest",
          "", "", info->n_parameters - block_parameters, 1e3 * (info->gmacs - block_gmacs));
  g_print("%8s %6s %8s %11" G_GUINT64_FORMAT " %9.2f\n\n", "total", "", "", info->n_parameters,
          1e3 * info->gmacs);
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
    g_autofree char *key = command_clean_text(member->data);
    g_autofree char *clean = command_clean_text(text);
    g_print("  %s: %s\n", key, clean);
  }
}

static void print_text(const VitgateModelInfo *info, const Description *description)
{
  g_autofree char *name = command_clean_text(info->name);
  g_print("%s: family %s%s, %u blocks, %u tokens of %u, heads of %u\n\n", name, info->family,
          description->distilled ? ", distilled" : "", info->depth, info->n_tokens, info->dim,
          info->head_dim);
  print_blocks(info);
  g_print("compute: %.3f GMACs for one image, %.1f %% of the dense %.3f\n", info->gmacs,
          100.0 * info->gmacs / info->dense_gmacs, info->dense_gmacs);
  g_print("pre-processing: shorter side to %u (%s), crop %u x %u, patches of %u,\n"
          "  mean %.3f %.3f %.3f, std %.3f %.3f %.3f\n",
          info->resize, info->bicubic ? "bicubic" : "bilinear", info->image_size, info->image_size,
          info->patch_size, info->mean[0], info->mean[1], info->mean[2], info->std[0], info->std[1],
          info->std[2]);
  g_print("classes: %u, %s\n", info->n_classes,
          !info->has_labels  ? "without labels"
          : !info->label_ids ? "with labels"
                             : "with labels and ids");
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

static void report_blocks(JsonBuilder *json, const VitgateModelInfo *info)
{
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
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
}

static void print_json(const char *path, const VitgateModelInfo *info,
                       const Description *description)
{
  g_autoptr(JsonBuilder) json = json_builder_new();
  json_builder_begin_object(json);
  report_string(json, "model", info->name);
  report_string(json, "file", path);
  report_string(json, "family", info->family);
  report_boolean(json, "distilled", description->distilled);
  report_string(json, "precision", "float32");
  report_count(json, "parameters", info->n_parameters);
  report_begin(json, "gmacs");
  report_number(json, "model", info->gmacs);
  report_number(json, "dense", info->dense_gmacs);
  json_builder_end_object(json);
  report_count(json, "tokens", info->n_tokens);
  report_count(json, "dim", info->dim);
  report_count(json, "head_dim", info->head_dim);
  report_count(json, "depth", info->depth);
  report_count(json, "classes", info->n_classes);
  report_boolean(json, "labels", info->has_labels);
  report_boolean(json, "label_ids", info->label_ids != NULL);
  report_begin(json, "preprocessing");
  report_count(json, "image_size", info->image_size);
  report_count(json, "patch_size", info->patch_size);
  report_count(json, "resize", info->resize);
  report_string(json, "interpolation", info->bicubic ? "bicubic" : "bilinear");
  report_rgb(json, "mean", info->mean);
  report_rgb(json, "std", info->std);
  json_builder_end_object(json);
  report_blocks(json, info);
  json_builder_set_member_name(json, "provenance");
  if (description->provenance) {
    JsonNode *provenance = json_node_new(JSON_NODE_OBJECT);
    json_node_set_object(provenance, description->provenance);
    json_builder_add_value(json, provenance);
  } else {
    json_builder_add_null_value(json);
  }
  json_builder_end_object(json);
  report_print(json);
}

int command_inspect(int argc, char **argv, GError **error)
{
  gboolean as_json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "Print one JSON object", NULL },
    G_OPTION_ENTRY_NULL,
  };
  const CommandSyntax syntax = {
    entries, "MODEL", "Shows what a model file holds.",
    "MMACs are millions of multiply-adds for one image, all modules running.\n"
  };
  g_autofree char *path = command_parse_one(&syntax, argc, argv, "model file", error);
  /* The model is opened whole, so that what is shown is also what runs. */
  g_autoptr(VitgateModel) model = path ? vitgate_model_open(path, error) : NULL;
  g_autoptr(Safetensors) file = model ? vitgate__safetensors_open(path, error) : NULL;
  g_autoptr(Description) description = file ? vitgate__description_read(file, 0, error) : NULL;
  if (!description)
    return 1;
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  if (as_json)
    print_json(path, info, description);
  else
    print_text(info, description);
  return 0;
}
