/* vitgate export: writes a model file in a form that other programs read. */
#include <string.h>

#include "base/clean-text.h"
#include "commands/command.h"
#include "file/architecture.h"
#include "file/safetensors-write.h"
#include "file/source.h"
#include "file/tensor-specs.h"
#include "file/weights.h"
#include "report/report.h"
#include "write/onnx-graph.h"
#include "write/output-file.h"

/* Other programs know no gates, so a model with gates would compute something else there. Merging
 * is not stored in the tensors. */
static gboolean check_plain(const Description *d, const char *path, GError **error)
{
  for (guint b = 0; b < d->depth; b++)
    if (d->blocks[b].attention_gate || d->blocks[b].mlp_gate ||
        d->blocks[b].attention_tokens.present || d->blocks[b].mlp_tokens.present) {
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                  "%s: block %u has a gate, expected a model without gates: other programs do not "
                  "support them",
                  path, b);
      return FALSE;
    }
  return TRUE;
}

/* Other programs have no place for what vitgate teach adds. */
static void leave_out_taught(Description *d)
{
  if (d->unknown.present)
    command_note("the score for unknown pictures is not exported");
  if (d->teach)
    command_note("the stored features of taught pictures are not exported");
  if (d->thresholds)
    command_note("the thresholds of the classes are not exported");
  vitgate__description_clear_taught(d);
}

/* Converts integers and their scales to the floats they stand for. Keeps floats as they are. */
static gboolean add_tensor(Safetensors *file, const char *name, GArray *tensors, GError **error)
{
  Tensor tensor = *vitgate__safetensors_find(file, name);
  if (tensor.type == TENSOR_I8) {
    const gsize n = vitgate__tensor_n_elements(&tensor);
    float *values = vitgate__safetensors_allocate(file, name, n * sizeof *values, error);
    if (!values || !vitgate__weights_read(file, name, values, error))
      return FALSE;
    tensor.type = TENSOR_F32;
    tensor.data = values;
    tensor.n_bytes = n * sizeof *values;
  }
  g_array_append_val(tensors, tensor);
  return TRUE;
}

/* Restores the positions as published, without the zeros for tokens before the patches. */
static gboolean cut_positions(Safetensors *file, const Description *d, Tensor *positions,
                              GError **error)
{
  const gsize rows = vitgate__description_n_tokens(d) - vitgate__description_n_patches(d);
  const gsize n_bytes = positions->n_bytes / positions->shape[1] * rows;
  guint8 *bytes = vitgate__safetensors_allocate(file, "pos_embed", positions->n_bytes, error);
  if (!bytes || !vitgate__tensor_copy(bytes, positions, error))
    return FALSE;
  for (gsize i = 0; i < n_bytes; i++)
    if (bytes[i]) {
      g_set_error(error, VITGATE_ERROR, VITGATE_ERROR_TENSOR,
                  "%s: tensor 'pos_embed' has a position for the class token, expected zeros where "
                  "class_position is false",
                  vitgate__safetensors_get_path(file));
      return FALSE;
    }
  positions->data = bytes + n_bytes;
  positions->n_bytes -= n_bytes;
  positions->shape[1] -= rows;
  return TRUE;
}

/* Adds the product of a tensor and @factor under another name, in float32. */
static gboolean add_product(Safetensors *file, const char *from, float factor, const char *name,
                            GArray *tensors, GError **error)
{
  Tensor tensor = *vitgate__safetensors_find(file, from);
  const gsize n = vitgate__tensor_n_elements(&tensor);
  float *values = vitgate__safetensors_allocate(file, name, n * sizeof *values, error);
  if (!values || !vitgate__weights_read(file, from, values, error))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    values[i] = factor ? factor * values[i] : 0; /* not -0 */
  tensor.name = vitgate__safetensors_intern(file, name);
  tensor.type = TENSOR_F32;
  tensor.data = values;
  tensor.n_bytes = n * sizeof *values;
  g_array_append_val(tensors, tensor);
  return TRUE;
}

/* In timm, every distilled model has two heads and takes the mean of their logits. Twice the only
 * head and a second head of zeros have the same mean, without rounding. */
static gboolean add_class_head(Safetensors *file, GArray *tensors, GError **error)
{
  static const char *const heads[][2] = { { "head.weight", "head_dist.weight" },
                                          { "head.bias", "head_dist.bias" } };
  for (guint i = 0; i < G_N_ELEMENTS(heads); i++)
    if (!add_product(file, heads[i][0], 2, heads[i][0], tensors, error) ||
        !add_product(file, heads[i][0], 0, heads[i][1], tensors, error))
      return FALSE;
  return TRUE;
}

static gboolean write_timm(Safetensors *file, const Description *d, const char *out, GError **error)
{
  g_autoptr(GArray) specs = vitgate__description_tensors(d);
  g_autoptr(GArray) tensors = g_array_new(FALSE, FALSE, sizeof(Tensor));
  for (guint i = 0; i < specs->len; i++) {
    const char *name = g_array_index(specs, TensorSpec, i).name;
    if (!(d->class_head_only && g_str_has_prefix(name, "head.")) &&
        !add_tensor(file, name, tensors, error))
      return FALSE;
  }
  if (d->class_head_only && !add_class_head(file, tensors, error))
    return FALSE;
  if (d->no_class_position &&
      !cut_positions(file, d, vitgate__tensors_find(tensors, "pos_embed"), error))
    return FALSE;
  g_autoptr(GHashTable) metadata = g_hash_table_new(g_str_hash, g_str_equal);
  g_hash_table_insert(metadata, "format", "pt");
  g_hash_table_insert(metadata, "model", d->name);
  if (d->activation != VITGATE_ACTIVATION_SOFTMAX)
    g_hash_table_insert(metadata, "activation", (gpointer)vitgate_activation_name(d->activation));
  return vitgate__safetensors_write(out, (const Tensor *)(gpointer)tensors->data, tensors->len,
                                    metadata, error);
}

static gboolean write_onnx(const Safetensors *file, const Description *d, const char *out,
                           GError **error)
{
  g_autoptr(GBytes) model = onnx_graph_build(file, d, error);
  g_autoptr(GError) write_error = NULL;
  if (!model)
    return FALSE;
  gsize size;
  const char *data = g_bytes_get_data(model, &size);
  if (g_file_set_contents(out, data, (gssize)size, &write_error))
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_IO, "%s: cannot write: %s", out,
              write_error->message);
  return FALSE;
}

static int run(const char *in, const char *out, gboolean onnx, GError **error)
{
  if (!output_file_check(out, error))
    return 1;
  g_autoptr(Source) source = vitgate__source_open(in, error);
  g_autoptr(Description) d = source ? vitgate__source_describe(source, 0, error) : NULL;
  if (!d || !check_plain(d, in, error))
    return 1;
  leave_out_taught(d);
  if (!(onnx ? write_onnx(source->file, d, out, error) : write_timm(source->file, d, out, error)))
    return 1;
  g_autofree char *name = vitgate__clean_text(out);
  const Preprocessing *p = &d->preprocessing;
  g_autofree char *geometry = report_geometry(p->fit, p->resize, p->bicubic, d->image_size);
  g_print("Written to %s, %s. Input: %s, mean %.3f %.3f %.3f, std %.3f %.3f %.3f.\n", name,
          onnx ? "as ONNX" : "with timm's tensor names", geometry, p->mean[0], p->mean[1],
          p->mean[2], p->std[0], p->std[1], p->std[2]);
  if (d->activation == VITGATE_ACTIVATION_SIGMOID)
    g_print("The probability of a class is the sigmoid of its logit.\n");
  if (d->n_calibration)
    command_note("the dial's token merging is not exported: %s uses all tokens", name);
  return 0;
}

int command_export(int argc, char **argv, GError **error)
{
  g_autofree char *out = NULL;
  gboolean onnx = FALSE;
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &out, "File to write", "OUT" },
    { "onnx", 0, 0, G_OPTION_ARG_NONE, &onnx, "Write ONNX instead of safetensors", NULL },
    G_OPTION_ENTRY_NULL,
  };
  const CommandSyntax syntax = {
    entries, "MODEL", "Writes a model without gates for other programs.",
    "OUT is a safetensors file with timm's tensor names; float32 tensors are\n"
    "bit-identical to those of MODEL. A distilled model with one head gets two that\n"
    "have the same mean, as timm expects. With --onnx, it is a graph in float32 (opset\n"
    "17) with the input \"image\" [batch, 3, S, S], normalised, and the output\n"
    "\"logits\" [batch, classes]. OUT contains no heads or neurons that were cut, and\n"
    "no tensors for a module that was cut entirely. If each class has a probability\n"
    "of its own, the metadata of OUT has the entry \"activation\": \"sigmoid\".\n"
  };
  g_autofree char *in = command_parse_one(&syntax, argc, argv, "model file", error);
  if (!in || !command_check_given("--output", out != NULL, error))
    return 1;
  return run(in, out, onnx, error);
}
