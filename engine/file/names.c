#include "file/names.h"

#include <string.h>

#include "base/error.h"

/* Prefixes of a network's tensors in files that also hold other things. */
static const char *const wrappers[] = { "model", "model_ema", "module", "state_dict",
                                        "state_dict_ema" };

/* Prefixes of the other things in a training checkpoint. */
static const char *const training_states[] = { "optimizer", "lr_scheduler", "scaler",
                                               "amp_scaler" };

/* Tensors that every network has. Each identifies the naming of a file. */
static const char *const timm_anchors[] = { "patch_embed.proj.weight",
                                            "tokens_to_token.project.weight" };
static const char hugging_face_anchor[] = "embeddings.patch_embeddings.projection.weight";

/* Hugging Face's names and timm's; '#' stands for the number of a block. Queries, keys and values
 * have separate names until they are joined. */
static const struct {
  const char *theirs, *ours;
} hugging_face_names[] = {
  { "embeddings.cls_token", "cls_token" },
  { "embeddings.distillation_token", "dist_token" },
  { "embeddings.position_embeddings", "pos_embed" },
  { "embeddings.patch_embeddings.projection.", "patch_embed.proj." },
  { "encoder.layer.#.layernorm_before.", "blocks.#.norm1." },
  { "encoder.layer.#.attention.attention.query.", "blocks.#.attn.query." },
  { "encoder.layer.#.attention.attention.key.", "blocks.#.attn.key." },
  { "encoder.layer.#.attention.attention.value.", "blocks.#.attn.value." },
  { "encoder.layer.#.attention.output.dense.", "blocks.#.attn.proj." },
  { "encoder.layer.#.layernorm_after.", "blocks.#.norm2." },
  { "encoder.layer.#.intermediate.dense.", "blocks.#.mlp.fc1." },
  { "encoder.layer.#.output.dense.", "blocks.#.mlp.fc2." },
  { "layernorm.", "norm." },
};

/* The names of heads have no network prefix ("vit." or "deit."). */
static const struct {
  const char *theirs, *ours;
} hugging_face_heads[] = {
  { "classifier.", "head." },
  { "cls_classifier.", "head." },
  { "distillation_classifier.", "head_dist." },
};

static gboolean is_among(const char *word, gsize length, const char *const *words, guint n)
{
  for (guint i = 0; i < n; i++)
    if (strlen(words[i]) == length && !strncmp(word, words[i], length))
      return TRUE;
  return FALSE;
}

/* ---- Finding out which names a file has ---- */

/* Returns: whether @prefix, of an anchor, consists of wrappers only */
static gboolean is_wrapping(const char *prefix, gsize length)
{
  while (length) {
    const char *dot = memchr(prefix, '.', length);
    if (!dot || !is_among(prefix, (gsize)(dot - prefix), wrappers, G_N_ELEMENTS(wrappers)))
      return FALSE;
    length -= (gsize)(dot - prefix) + 1;
    prefix = dot + 1;
  }
  return TRUE;
}

/* Returns: (transfer full) (nullable): the part of @name before @anchor */
static char *prefix_of(const char *name, const char *anchor)
{
  if (!g_str_has_suffix(name, anchor))
    return NULL;
  return g_strndup(name, strlen(name) - strlen(anchor));
}

/* Returns: whether the weights are an average over training. If a file has such weights too, they
 * are the ones that its authors evaluate. */
static gboolean is_mean(const char *prefix)
{
  return strstr(prefix, "_ema") != NULL;
}

/* Makes @prefix, of the anchor @name, the prefix of all names, if it consists of wrappers and the
 * dialect has no better one.
 * @prefix: (transfer full) */
static void consider(Dialect *dialect, const char *name, char *prefix, gboolean hugging_face,
                     gboolean deit)
{
  g_autofree char *found = prefix;
  if (!is_wrapping(found, strlen(found)) ||
      (dialect->prefix && is_mean(dialect->prefix) > is_mean(found)))
    return;
  const gboolean alike = dialect->prefix && is_mean(dialect->prefix) == is_mean(found);
  g_free(dialect->rival);
  dialect->rival = alike ? g_strdup(name) : NULL;
  g_free(dialect->prefix);
  dialect->prefix = g_steal_pointer(&found);
  dialect->hugging_face = hugging_face;
  dialect->deit = deit;
}

static void consider_name(Dialect *dialect, const char *name)
{
  for (guint a = 0; a < G_N_ELEMENTS(timm_anchors); a++) {
    char *prefix = prefix_of(name, timm_anchors[a]);
    if (prefix)
      consider(dialect, name, prefix, FALSE, FALSE);
  }
  char *prefix = prefix_of(name, hugging_face_anchor);
  if (!prefix)
    return;
  const gboolean deit = g_str_has_suffix(prefix, "deit.");
  if (deit || g_str_has_suffix(prefix, "vit."))
    prefix[strlen(prefix) - strlen(deit ? "deit." : "vit.")] = '\0';
  consider(dialect, name, prefix, TRUE, deit);
}

static void find_dialect(const Safetensors *file, Dialect *dialect)
{
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  for (guint i = 0; i < n; i++)
    consider_name(dialect, tensors[i].name);
  dialect->names = !dialect->hugging_face ? "timm's names"
                   : dialect->deit        ? "Hugging Face's names (DeiT)"
                                          : "Hugging Face's names (ViT)";
}

/* ---- New names ---- */

/* Returns: (transfer full) (nullable): @ours with the block's number and the rest of @name, if
 * @name begins with @theirs. If @theirs has no number and does not end in a dot, @name must equal
 * it. */
static char *match(const char *name, const char *theirs, const char *ours)
{
  const char *hash = strchr(theirs, '#');
  if (!hash)
    return g_str_has_prefix(name, theirs) &&
                   (g_str_has_suffix(theirs, ".") || strlen(name) == strlen(theirs))
               ? g_strconcat(ours, name + strlen(theirs), NULL)
               : NULL;
  const gsize before = (gsize)(hash - theirs);
  if (strncmp(name, theirs, before))
    return NULL;
  const char *number = name + before, *rest = number + strspn(number, "0123456789");
  if (rest == number || !g_str_has_prefix(rest, hash + 1))
    return NULL;
  const char *place = strchr(ours, '#');
  return g_strdup_printf("%.*s%.*s%s%s", (int)(place - ours), ours, (int)(rest - number), number,
                         place + 1, rest + strlen(hash + 1));
}

/* Returns: (transfer full): timm's name, or "" for a tensor that a classifier does not use */
static char *from_hugging_face(const char *name, gboolean deit)
{
  const char *network = deit ? "deit." : "vit.";
  const char *inner = g_str_has_prefix(name, network) ? name + strlen(network) : name;
  char *found = NULL;
  if (g_str_has_prefix(inner, "pooler.") || !strcmp(inner, "embeddings.mask_token"))
    return g_strdup("");
  for (guint i = 0; !found && i < G_N_ELEMENTS(hugging_face_names); i++)
    found = match(inner, hugging_face_names[i].theirs, hugging_face_names[i].ours);
  for (guint i = 0; !found && i < G_N_ELEMENTS(hugging_face_heads); i++)
    found = match(name, hugging_face_heads[i].theirs, hugging_face_heads[i].ours);
  return found ? found : g_strdup(name);
}

/* facebookresearch's DeiT III has its own names for LayerScale. */
static char *from_timm(const char *name)
{
  static const char *const scales[][2] = { { ".gamma_1", ".ls1.gamma" },
                                           { ".gamma_2", ".ls2.gamma" } };
  for (guint i = 0; i < G_N_ELEMENTS(scales); i++)
    if (g_str_has_prefix(name, "blocks.") && g_str_has_suffix(name, scales[i][0]))
      return g_strdup_printf("%.*s%s", (int)(strlen(name) - strlen(scales[i][0])), name,
                             scales[i][1]);
  return g_strdup(name);
}

/* Returns: whether a tensor without the prefix belongs to another copy of the network or to a
 * training state */
static gboolean is_beside(const char *name)
{
  const gsize word = strcspn(name, ".");
  return name[word] && (is_among(name, word, wrappers, G_N_ELEMENTS(wrappers)) ||
                        is_among(name, word, training_states, G_N_ELEMENTS(training_states)));
}

/* The other class of Hugging Face has a cls_classifier and a distillation_classifier. */
static gboolean is_only_head(const Dialect *dialect, const char *name)
{
  return dialect->deit && g_str_has_prefix(name, dialect->prefix) &&
         !strcmp(name + strlen(dialect->prefix), "classifier.weight");
}

static char *new_name(const Dialect *dialect, const char *name)
{
  if (!g_str_has_prefix(name, dialect->prefix))
    return g_strdup(is_beside(name) ? "" : name);
  name += strlen(dialect->prefix);
  return dialect->hugging_face ? from_hugging_face(name, dialect->deit) : from_timm(name);
}

/* ---- Queries, keys and values ---- */

static gboolean may_join(const Tensor *a, const Tensor *b)
{
  return a->type == b->type && a->n_dims == b->n_dims && a->n_dims >= 1 &&
         !memcmp(a->shape, b->shape, a->n_dims * sizeof *a->shape);
}

/* Joins queries, keys and values into one tensor, which replaces the queries in @tensors. */
static gboolean join(Safetensors *file, GArray *tensors, const char *query, GError **error)
{
  static const char *const parts[] = { "query", "key", "value" };
  const char *path = vitgate__safetensors_get_path(file);
  const char *place = strstr(query, "query");
  Tensor *sources[G_N_ELEMENTS(parts)];
  for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
    g_autofree char *name =
        g_strdup_printf("%.*s%s%s", (int)(place - query), query, parts[i], place + strlen("query"));
    sources[i] = vitgate__tensors_find(tensors, name);
    if (!sources[i] || !may_join(sources[0], sources[i])) {
      vitgate__set_error(error, VITGATE_ERROR_TENSOR,
                         "%s: tensor '%s' %s, expected the type and shape of the queries", path,
                         name, sources[i] ? "has another type or shape" : "is missing");
      return FALSE;
    }
  }
  Tensor joined = *sources[0];
  guint8 *data = vitgate__safetensors_allocate(file, query, 3 * joined.n_bytes, error);
  if (!data)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
    if (!vitgate__tensor_copy(data + i * joined.n_bytes, sources[i], error))
      return FALSE;
  g_autofree char *name =
      g_strdup_printf("%.*sqkv%s", (int)(place - query), query, place + strlen("query"));
  joined.name = vitgate__safetensors_intern(file, name);
  joined.data = data;
  joined.shape[0] *= 3;
  joined.n_bytes *= 3;
  *sources[0] = joined;
  return TRUE;
}

static gboolean is_part(const Tensor *tensor, const char *part)
{
  return g_str_has_prefix(tensor->name, "blocks.") && strstr(tensor->name, part);
}

static gboolean join_all(Safetensors *file, GArray *tensors, GError **error)
{
  for (guint i = 0; i < tensors->len; i++) {
    const Tensor *tensor = &g_array_index(tensors, Tensor, i);
    if (is_part(tensor, ".attn.query.") && !join(file, tensors, tensor->name, error))
      return FALSE;
  }
  for (guint i = tensors->len; i-- > 0;) {
    const Tensor *tensor = &g_array_index(tensors, Tensor, i);
    if (is_part(tensor, ".attn.key.") || is_part(tensor, ".attn.value."))
      g_array_remove_index(tensors, i);
  }
  return TRUE;
}

/* ---- The whole ---- */

static gboolean refuse_family(const Safetensors *file, const Dialect *dialect, GError **error)
{
  const char *path = vitgate__safetensors_get_path(file);
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  if (dialect->rival)
    vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                       "%s: holds more than one network: '%s' is the patch embedding of another "
                       "one; save only the one that you want",
                       path, dialect->rival);
  else
    vitgate__set_error(
        error, VITGATE_ERROR_UNSUPPORTED,
        "%s: not a ViT, DeiT or T2T-ViT with known names: found %u tensors, the first named "
        "'%s'; expected a ViT or DeiT with the names of timm, facebookresearch/deit or Hugging "
        "Face, or a T2T-ViT with those of its published checkpoints",
        path, n, n ? tensors[0].name : "");
  return FALSE;
}

gboolean vitgate__names_translate(Safetensors *file, Dialect *dialect, GError **error)
{
  *dialect =
      (Dialect){ .names = "timm's names", .left_out = g_ptr_array_new_with_free_func(g_free) };
  /* Files written by vitgate have timm's names. */
  if (vitgate__safetensors_get_metadata(file, "vitgate")) {
    dialect->prefix = g_strdup("");
    return TRUE;
  }
  find_dialect(file, dialect);
  if (!dialect->prefix || dialect->rival)
    return refuse_family(file, dialect, error);
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  g_autoptr(GArray) named = g_array_new(FALSE, FALSE, sizeof(Tensor));
  for (guint i = 0; i < n; i++) {
    g_autofree char *name = new_name(dialect, tensors[i].name);
    dialect->class_head_only |= is_only_head(dialect, tensors[i].name);
    if (!*name) {
      g_ptr_array_add(dialect->left_out, g_strdup(tensors[i].name));
      continue;
    }
    Tensor tensor = tensors[i];
    tensor.name = vitgate__safetensors_intern(file, name);
    g_array_append_val(named, tensor);
  }
  return (!dialect->hugging_face || join_all(file, named, error)) &&
         vitgate__safetensors_replace(file, named, error);
}

void vitgate__dialect_clear(Dialect *dialect)
{
  g_clear_pointer(&dialect->prefix, g_free);
  g_clear_pointer(&dialect->rival, g_free);
  g_clear_pointer(&dialect->left_out, g_ptr_array_unref);
}
