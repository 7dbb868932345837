#include "train/run/run-options.h"

#include <float.h>
#include <string.h>

#include "base/command-error.h"
#include "base/granularity.h"
#include "base/time-option.h"
#include "write/encoded-tensors.h"

/* ---- Texts that are parsed ---- */

static gboolean parse_time_limit(RunOptions *o, GError **error)
{
  const char *text = o->given.time_limit;
  return !text || time_option_parse("--time-limit", text, &o->time_limit, error);
}

/* FOLDER=NUMBER, split at the last '=' */
static gboolean parse_folder_weights(RunOptions *o, GError **error)
{
  o->folder_weights = g_new0(
      FolderWeight, o->given.folder_weights ? g_strv_length(o->given.folder_weights) + 1 : 1);
  for (char **text = o->given.folder_weights; text && *text; text++) {
    char *equal = strrchr(*text, '='), *end = NULL;
    const double weight = equal ? g_ascii_strtod(equal + 1, &end) : -1;
    if (!equal || end == equal + 1 || *end || !(weight >= 0 && weight <= 1e6))
      return command_fail(
          error, "--folder-weight is \"%s\", expected a folder and a weight, such as imagenet20=3",
          *text);
    *equal = '\0';
    o->folder_weights[o->n_folder_weights++] = (FolderWeight){ *text, weight };
  }
  return TRUE;
}

static JsonNode *describe_folder_weights(const RunOptions *o)
{
  JsonArray *array = json_array_new();
  for (guint i = 0; i < o->n_folder_weights; i++) {
    json_array_add_string_element(array, o->folder_weights[i].folder);
    json_array_add_double_element(array, o->folder_weights[i].weight);
  }
  JsonNode *node = json_node_init_array(json_node_alloc(), array);
  json_array_unref(array);
  return node;
}

static gboolean parse_gates(RunOptions *o, GError **error)
{
  static const struct {
    const char *name;
    gboolean tokens, images;
    TokenControl token_control;
    ModuleControl control;
  } kinds[] = {
    { .name = "token", .tokens = TRUE },
    { .name = "module", .images = TRUE },
    { .name = "none" },
    { .name = "random-tokens", .tokens = TRUE, .token_control = TOKENS_RANDOM },
    { .name = "shuffled", .tokens = TRUE, .token_control = TOKENS_SHUFFLED },
    { .name = "position", .tokens = TRUE, .token_control = TOKENS_POSITION },
    { .name = "constant", .images = TRUE, .control = GATES_CONSTANT },
    { .name = "random", .images = TRUE, .control = GATES_RANDOM },
  };
  for (guint i = 0; o->given.gates && i < G_N_ELEMENTS(kinds); i++)
    if (!strcmp(o->given.gates, kinds[i].name)) {
      o->token_gates = kinds[i].tokens && o->gates && !o->static_only;
      o->token_control = kinds[i].token_control;
      o->module_gates = kinds[i].images && o->gates && !o->static_only;
      o->gate_control = kinds[i].control;
      return TRUE;
    }
  return !o->given.gates ||
         command_fail(error,
                      "--gates is \"%s\", expected token, module, none, random-tokens, shuffled, "
                      "position, constant or random",
                      o->given.gates);
}

static JsonNode *describe_gates(const RunOptions *o)
{
  JsonNode *node = json_node_alloc(); /* of train: null */
  return o->given.gates ? json_node_init_string(node, o->given.gates) : json_node_init_null(node);
}

/* The granularity in use determines which images decide together in training. */
static gboolean parse_granularity(RunOptions *o, GError **error)
{
  static const SubGroups own[] = { [VITGATE_GRANULARITY_SAMPLE] = SUB_GROUPS_SAMPLE,
                                   [VITGATE_GRANULARITY_GROUP] = SUB_GROUPS_EVEN,
                                   [VITGATE_GRANULARITY_BATCH] = SUB_GROUPS_RECURSIVE };
  VitgateSessionOptions use;
  if (!o->given.granularity)
    return TRUE;
  if (!granularity_parse(o->given.granularity, &use, error))
    return FALSE;
  o->sub_groups = own[use.granularity];
  o->group_size = use.group_size;
  return TRUE;
}

static gboolean parse_sub_groups(RunOptions *o, GError **error)
{
  const char *text = o->given.sub_groups;
  return !text || sub_groups_parse(text, &o->sub_groups, &o->group_size) ||
         command_fail(error,
                      "--sub-groups is \"%s\", expected sample, none, even:K, random or recursive",
                      text);
}

static JsonNode *describe_sub_groups(const RunOptions *o)
{
  return json_node_init_int(json_node_alloc(), o->sub_groups);
}

static gboolean parse_precision(RunOptions *o, GError **error)
{
  return !o->given.precision || encoded_tensors_parse(o->given.precision, &o->precision, error);
}

static JsonNode *describe_precision(const RunOptions *o)
{
  return json_node_init_string(json_node_alloc(), vitgate_precision_name(o->precision));
}

/* ---- The table ---- */

#define AT(member_) .place = G_STRUCT_OFFSET(RunOptions, member_)
#define BOTH        (RUN_COMPRESS | RUN_TRAIN)
#define WEIGHT      .low = 0, .high = DBL_MAX, .expected = "0 or more"
#define RATE        .low = DBL_MIN, .high = DBL_MAX, .expected = "more than 0"

static const RunOption table[] = {
  { "teacher", 0, RUN_OPTION_FILE, AT(teacher), BOTH, .required = RUN_COMPRESS,
    .help = { "Dense model that serves as the teacher",
              "Dense model of any architecture to learn from, in addition to the labels" },
    .argument = "MODEL", .member = "teacher", .provenance = "teacher" },
  { "variant", 0, RUN_OPTION_TEXT, AT(variant), RUN_TRAIN,
    .help = { "Start from fresh weights of a published network, such as t2t_vit_7" },
    .argument = "NAME", .member = "variant", .provenance = "variant" },
  { "image-size", 0, RUN_OPTION_COUNT, AT(image_size), RUN_TRAIN,
    .help = { "Side of the variant's input in pixels (default: 224)" }, .argument = "N", .low = 0,
    .high = G_MAXINT, .expected = "1 or more", .member = "image-size" },
  { "from", 0, RUN_OPTION_FILE, AT(from), BOTH,
    .help = { "Start from this model, made by an earlier run without module gates, instead of the "
              "teacher; token gates are fitted again",
              "Start from this model, which must have no gates" },
    .argument = "MODEL", .member = "from", .provenance = "from" },
  { "target", 0, RUN_OPTION_REAL, AT(target), RUN_COMPRESS,
    .help = { "Mean compute ratio to reach: multiply-adds divided by the teacher's" },
    .argument = "R", .defaults = { "0.6" }, .low = 1e-3, .high = 1,
    .expected = "a ratio above 0 and up to 1", .member = "target", .provenance = "target" },
  { "static-target", 0, RUN_OPTION_REAL, AT(static_target), RUN_COMPRESS,
    .help = { "Compute ratio after the cut (default: halfway to the target)" }, .argument = "R",
    .low = 0, .high = 1, .expected = "a ratio above 0 and up to 1" },
  { "params-target", 0, RUN_OPTION_REAL, AT(parameters_target), RUN_COMPRESS,
    .help = { "Maximum number of parameters as a share of the teacher's, gates not counted" },
    .argument = "R", .low = 0, .high = 1, .expected = "a ratio above 0 and up to 1" },
  { "classes", 0, RUN_OPTION_FILE, AT(classes), BOTH,
    .help = { "Keep only the classes in this file, one id or label per line",
              "File with the classes to learn, one per line (default: those of the teacher or of "
              "--from)" },
    .argument = "FILE", .member = "classes" },
  { "search", 0, RUN_OPTION_FLAG, AT(search), RUN_COMPRESS,
    .help = { "Learn the structure together with the gates before the cut" } },
  { "no-gates", 0, RUN_OPTION_NO_FLAG, AT(gates), RUN_COMPRESS, .help = { "Do not add gates" },
    .member = "gates" },
  { "no-merging", 0, RUN_OPTION_NO_FLAG, AT(merging), RUN_COMPRESS,
    .help = { "Do not merge tokens" }, .member = "merging" },
  { "fixed-dial", 0, RUN_OPTION_FLAG, AT(fixed_dial), RUN_COMPRESS,
    .help = { "Train only for the target, not for every setting of the dial" },
    .member = "fixed-dial" },
  { "static-only", 0, RUN_OPTION_FLAG, AT(static_only), RUN_COMPRESS,
    .help = { "Use neither gates nor token merging" } },
  { "no-train", 0, RUN_OPTION_NO_FLAG, AT(train), RUN_COMPRESS,
    .help = { "Cut and compensate, but do not train" } },
  { "gates", 0, RUN_OPTION_TEXT, AT(given.gates), RUN_COMPRESS,
    .help = { "What gates decide for: token, module (all of an image) or none; for experiments, "
              "token gates that are random-tokens, shuffled or position, and module gates that are "
              "constant or random" },
    .argument = "G", .defaults = { "token" }, .member = "gate-kind", .provenance = "gates",
    .parse = parse_gates, .describe = describe_gates },
  { "gate-images", 0, RUN_OPTION_COUNT, AT(gate_images), RUN_COMPRESS,
    .help = { "Maximum number of photographs used to fit token gates" }, .argument = "N",
    .defaults = { "300" }, .low = 1, .high = 1000000, .expected = "1 to 1000000",
    .member = "gate-images" },
  { "learn-gates", 0, RUN_OPTION_FLAG, AT(learn_gates), RUN_COMPRESS,
    .help = { "Train token gates together with the weights (default: they stay as fitted)" },
    .member = "learn-gates" },
  { "granularity", 0, RUN_OPTION_TEXT, AT(given.granularity), RUN_COMPRESS,
    .help = { "Images that share a gate's decision: sample, group:K or batch" }, .argument = "G",
    .defaults = { "sample" }, .parse = parse_granularity },
  { "sub-groups", 0, RUN_OPTION_TEXT, AT(given.sub_groups), RUN_COMPRESS,
    .help = { "Images that decide together in training: sample, none, even:K, random or recursive "
              "(default: depends on --granularity)" },
    .argument = "S", .member = "sub-groups", .parse = parse_sub_groups,
    .describe = describe_sub_groups },
  { NULL, 0, RUN_OPTION_COUNT, AT(group_size), .member = "group-size" },
  { "calibration-images", 0, RUN_OPTION_COUNT, AT(calibration_images), RUN_COMPRESS,
    .help = { "Maximum number of photographs used to rank units" }, .argument = "N",
    .defaults = { "1500" }, .low = 1, .high = 1000000, .expected = "1 to 1000000",
    .member = "calibration-images" },
  { "learning-rate", 0, RUN_OPTION_REAL, AT(rate), BOTH, .help = { "Peak learning rate" },
    .argument = "R", .defaults = { "3e-4", "1e-3" }, RATE, .member = "learning-rate",
    .provenance = "learning_rate", .of_training = TRUE },
  { "gate-rate", 0, RUN_OPTION_REAL, AT(gate_rate), RUN_COMPRESS,
    .help = { "Peak learning rate of gates and structure choices" }, .argument = "R",
    .defaults = { "2e-3" }, RATE, .member = "gate-rate" },
  { "gate-spread", 0, RUN_OPTION_REAL, AT(gate_spread), RUN_COMPRESS,
    .help = { "Weight of the loss on gates that vary too little between images" }, .argument = "W",
    .defaults = { "0" }, WEIGHT, .member = "gate-spread" },
  { "labels", 0, RUN_OPTION_REAL, AT(labels), BOTH, .help = { "Weight of the labels in the loss" },
    .argument = "W", .defaults = { "0.3", "1" }, WEIGHT, .member = "labels", .provenance = "labels",
    .of_training = TRUE },
  { "other-classes", 0, RUN_OPTION_REAL, AT(others), RUN_COMPRESS,
    .help = { "With --classes: weight in the loss of all the teacher's classes" }, .argument = "W",
    .defaults = { "0" }, WEIGHT, .member = "other-classes" },
  { "features", 0, RUN_OPTION_REAL, AT(features), RUN_COMPRESS,
    .help = { "Weight in the loss of the teacher's tokens between blocks" }, .argument = "W",
    .defaults = { "0" }, WEIGHT, .member = "features" },
  { "precision", 0, RUN_OPTION_TEXT, AT(given.precision), RUN_COMPRESS,
    .help = { "Precision of the weights in the file: int8, bf16 or float32" }, .argument = "P",
    .defaults = { "int8" }, .member = "precision", .parse = parse_precision,
    .describe = describe_precision },
  { "output", 'o', RUN_OPTION_FILE, AT(out), BOTH, .required = BOTH,
    .help = { "Model file to write" }, .argument = "OUT" },
  { "data", 'd', RUN_OPTION_FILES, AT(data), BOTH, .required = BOTH,
    .help = { "Archive or folder of photographs; can be repeated" }, .argument = "TAR|DIR",
    .member = "data", .provenance = "data" },
  { "folder", 0, RUN_OPTION_FILES, AT(folders), BOTH,
    .help = { "Use only photographs from this top folder; can be repeated" }, .argument = "FOLDER",
    .member = "folders" },
  { "no-orientation", 0, RUN_OPTION_NO_FLAG, AT(orientation), BOTH,
    .help = { "Ignore the orientation tags of photographs" }, .member = "orientation",
    .provenance = "orientation" },
  { "folder-weight", 0, RUN_OPTION_TEXTS, AT(given.folder_weights), BOTH,
    .help = { "Draw photographs from a top folder more or less often; can be repeated" },
    .argument = "FOLDER=W", .member = "folder-weights", .parse = parse_folder_weights,
    .describe = describe_folder_weights },
  { "mixup", 0, RUN_OPTION_REAL, AT(mixup), BOTH,
    .help = { "Share of images that are blended with another image" }, .argument = "S",
    .defaults = { "0", "0" }, .low = 0, .high = 1, .expected = "0 to 1", .member = "mixup" },
  { "steps", 0, RUN_OPTION_LONG, AT(steps), BOTH, .help = { "Number of training steps" },
    .argument = "N", .low = 0, .high = DBL_MAX, .expected = "1 or more" },
  { "time-limit", 0, RUN_OPTION_TEXT, AT(given.time_limit), BOTH,
    .help = { "Time for the whole run, such as 90m, 2h or 600s, instead of --steps" },
    .argument = "T", .parse = parse_time_limit },
  { "batch-size", 'b', RUN_OPTION_COUNT, AT(batch), BOTH, .help = { "Images per step" },
    .argument = "N", .defaults = { "64", "64" }, .low = 2, .high = 1024, .expected = "2 to 1024",
    .member = "batch-size", .provenance = "batch", .of_training = TRUE },
  { "threads", 't', RUN_OPTION_COUNT, AT(threads), BOTH, .help = { "Number of threads" },
    .argument = "T", .defaults = { "2", "2" }, .low = 1, .high = 64, .expected = "1 to 64" },
  { "seed", 0, RUN_OPTION_LONG, AT(seed), BOTH, .help = { "Seed for everything random" },
    .argument = "S", .defaults = { "0", "0" }, .member = "seed", .provenance = "seed" },
  { "name", 0, RUN_OPTION_TEXT, AT(name), BOTH,
    .help = { "Name of the model (default: the name of OUT without folder and suffix)" },
    .argument = "NAME" },
  { "resume", 0, RUN_OPTION_FILE, AT(resume), BOTH,
    .help = { "Folder for checkpoint and log (default: OUT.training); resumes a run found there" },
    .argument = "DIR" },
};

const RunOption *run_options_table(guint *n)
{
  *n = G_N_ELEMENTS(table);
  return table;
}

/* ---- Values ---- */

static const char *default_of(const RunOption *row, RunCommand command)
{
  return row->defaults[command == RUN_TRAIN];
}

static void set_default(RunOptions *o, const RunOption *row)
{
  const char *text = default_of(row, o->command);
  gpointer at = run_option_at(o, row);
  if (!(row->commands & o->command))
    return;
  if (row->kind == RUN_OPTION_NO_FLAG)
    *(gboolean *)at = TRUE;
  else if (text && row->kind == RUN_OPTION_REAL)
    *(double *)at = g_ascii_strtod(text, NULL);
  else if (text && row->kind == RUN_OPTION_COUNT)
    *(guint *)at = (guint)g_ascii_strtoull(text, NULL, 10);
  else if (text && row->kind == RUN_OPTION_LONG)
    *(guint64 *)at = g_ascii_strtoull(text, NULL, 10);
}

/* Runs after GOption, which would leak a text set before. */
static void set_default_text(RunOptions *o, const RunOption *row)
{
  char **text = run_option_at(o, row);
  if (row->kind == RUN_OPTION_TEXT && !*text)
    *text = g_strdup(default_of(row, o->command));
}

void run_options_init(RunOptions *o, RunCommand command)
{
  *o = (RunOptions){ .command = command };
  if (command == RUN_TRAIN) { /* a run with no cut, gates or merging */
    o->target = 1;
    o->static_only = o->fixed_dial = o->train = TRUE;
    o->precision = VITGATE_PRECISION_FLOAT32;
  }
  for (guint i = 0; i < G_N_ELEMENTS(table); i++)
    set_default(o, &table[i]);
}

void run_options_clear(RunOptions *o)
{
  for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
    gpointer at = run_option_at(o, &table[i]);
    switch (table[i].kind) {
    case RUN_OPTION_TEXT:
    case RUN_OPTION_FILE:
      g_clear_pointer((char **)at, g_free);
      break;
    case RUN_OPTION_TEXTS:
    case RUN_OPTION_FILES:
      g_clear_pointer((char ***)at, g_strfreev);
      break;
    default:
      break;
    }
  }
  g_clear_pointer(&o->folder_weights, g_free);
}

static gboolean is_given(const RunOptions *o, const RunOption *row)
{
  const gpointer value = *(gpointer *)run_option_at(o, row);
  const gboolean many = row->kind == RUN_OPTION_TEXTS || row->kind == RUN_OPTION_FILES;
  return value && (!many || *(char **)value);
}

/* Reads numbers as signed, so that the error shows a negative number as the user wrote it. */
static gboolean check_range(const RunOptions *o, const RunOption *row, GError **error)
{
  gpointer at = run_option_at(o, row);
  if (!row->expected)
    return TRUE;
  const double value = row->kind == RUN_OPTION_REAL   ? *(double *)at
                       : row->kind == RUN_OPTION_LONG ? (double)*(gint64 *)at
                                                      : *(gint *)at;
  return (value >= row->low && value <= row->high) ||
         command_fail(error, "--%s is %g, expected %s", row->name, value, row->expected);
}

static gboolean parse_texts(RunOptions *o, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
    if (!(table[i].commands & o->command))
      continue;
    set_default_text(o, &table[i]);
    if (table[i].parse && !table[i].parse(o, error))
      return FALSE;
  }
  o->merging &= !o->static_only;
  /* Images that merge their own tokens have no positions in common. */
  if (o->token_gates && o->merging && o->sub_groups != SUB_GROUPS_SAMPLE)
    return command_fail(error, "token gates cannot decide for groups of images whose tokens merge; "
                               "add --no-merging, or use --gates module");
  return TRUE;
}

gboolean run_options_check(RunOptions *o, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
    const RunOption *row = &table[i];
    if (!(row->commands & o->command))
      continue;
    if (row->required & o->command && !is_given(o, row))
      return command_fail(error, "--%s is missing (see %s --help)", row->name, g_get_prgname());
    if (!check_range(o, row, error))
      return FALSE;
  }
  return parse_texts(o, error);
}

/* ---- Checkpoint, log, provenance ---- */

static JsonArray *texts_array(char **texts, gboolean base_names)
{
  JsonArray *array = json_array_new();
  for (; texts && *texts; texts++) {
    g_autofree char *text = base_names ? g_path_get_basename(*texts) : g_strdup(*texts);
    json_array_add_string_element(array, text);
  }
  return array;
}

/* @base_names: record only the last part of a path
 * Returns: (transfer full) */
static JsonNode *value_node(const RunOptions *o, const RunOption *row, gboolean base_names)
{
  JsonNode *node = json_node_alloc();
  gpointer at = run_option_at(o, row);
  switch (row->kind) {
  case RUN_OPTION_FLAG:
  case RUN_OPTION_NO_FLAG:
    return json_node_init_boolean(node, *(gboolean *)at);
  case RUN_OPTION_COUNT:
    return json_node_init_int(node, *(guint *)at);
  case RUN_OPTION_LONG:
    return json_node_init_int(node, (gint64) * (guint64 *)at);
  case RUN_OPTION_REAL:
    return json_node_init_double(node, *(double *)at);
  case RUN_OPTION_TEXTS:
  case RUN_OPTION_FILES: {
    JsonArray *array = texts_array(*(char ***)at, base_names);
    json_node_init_array(node, array);
    json_array_unref(array);
    return node;
  }
  default:
    break;
  }
  const char *text = *(char **)at;
  g_autofree char *base =
      text && base_names && row->kind == RUN_OPTION_FILE ? g_path_get_basename(text) : NULL;
  return text ? json_node_init_string(node, base ? base : text) : json_node_init_null(node);
}

JsonObject *run_options_describe(const RunOptions *o)
{
  JsonObject *object = json_object_new();
  for (guint i = 0; i < G_N_ELEMENTS(table); i++)
    if (table[i].member)
      json_object_set_member(object, table[i].member,
                             table[i].describe ? table[i].describe(o)
                                               : value_node(o, &table[i], FALSE));
  return object;
}

gboolean run_options_check_same(const RunOptions *o, JsonObject *before, const char *path,
                                GError **error)
{
  g_auto(RunOptions) usual = { 0 };
  run_options_init(&usual, o->command);
  if (!parse_texts(&usual, error))
    return FALSE;
  g_autoptr(JsonObject) now = run_options_describe(o), defaults = run_options_describe(&usual);
  for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
    const char *member = table[i].member;
    if (!member)
      continue;
    JsonNode *was = json_object_get_member(before, member);
    g_autofree char *old =
        json_to_string(was ? was : json_object_get_member(defaults, member), FALSE);
    g_autofree char *asked = json_to_string(json_object_get_member(now, member), FALSE);
    if (strcmp(old, asked)) {
      command_fail(error, "%s: the run was started with %s %s, not %s", path, member, old, asked);
      return FALSE;
    }
  }
  return TRUE;
}

void run_options_record(const RunOptions *o, JsonObject *provenance)
{
  for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
    const RunOption *row = &table[i];
    if (!row->provenance || !(row->commands & o->command) || (row->of_training && !o->train))
      continue;
    JsonNode *node = value_node(o, row, TRUE);
    if (JSON_NODE_HOLDS_NULL(node))
      json_node_free(node);
    else
      json_object_set_member(provenance, row->provenance, node);
  }
}
