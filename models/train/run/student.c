#include "train/run/student.h"

#include <string.h>

#include "base/command-error.h"
#include "file/architecture.h"
#include "file/source.h"
#include "train/cut/class-subset.h"
#include "train/cut/cut.h"
#include "train/gates/token-fit.h"
#include "train/network/mask.h"

/* Minimum cost of a module that gets a gate, as a share of the dense network's GMACs. */
#define MIN_GATED 0.005

void student_clear(Student *student)
{
  network_free(&student->network);
  vitgate__description_free(&student->description);
}

void student_take(Student *student, Network *network, Description *description)
{
  student_clear(student);
  *student = (Student){ description, network };
}

/* Copies the heads' rows that belong to the classes. */
static void copy_classes(Network *to, const Network *from, const guint *classes)
{
  for (guint i = 0; i < to->parameters->len; i++) {
    const Parameter *p = &g_array_index(to->parameters, Parameter, i);
    const Parameter *source = network_find(from, p->name);
    const gsize row = p->n / p->shape[0];
    for (guint r = 0; g_str_has_prefix(p->name, "head") && r < p->shape[0]; r++)
      memcpy(to->values + p->offset + r * row, from->values + source->offset + classes[r] * row,
             row * sizeof(real));
  }
}

/* The losses, and what the cut and the dial measure, are for classes that exclude each other. */
static gboolean check_activation(const char *path, const Description *d, GError **error)
{
  if (d->activation == VITGATE_ACTIVATION_SOFTMAX)
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
              "%s: each of its classes has a probability of its own (activation %s), expected a "
              "model with a softmax: only those can be trained or compressed",
              path, vitgate_activation_name(d->activation));
  return FALSE;
}

void student_note_taught(const char *path, const Description *whole)
{
  if (whole->unknown.present || whole->teach)
    command_note("%s: its score for unknown pictures and its stored features do not hold for the "
                 "student; run vitgate teach on the result to get them again",
                 path);
}

gboolean student_load(Student *student, const char *path, const Description *whole,
                      const guint *classes, guint n_classes, GError **error)
{
  if (!check_activation(path, whole, error))
    return FALSE;
  g_autoptr(Source) source = vitgate__source_open(path, error);
  Network *all = source ? network_new(whole, FALSE) : NULL;
  const gboolean fine = all && network_load(all, source->file, error);
  if (fine) {
    Description *d = class_subset_describe(whole, classes, n_classes);
    Network *network = network_new(d, FALSE);
    network_copy_values(network, all);
    if (classes)
      copy_classes(network, all, classes);
    student_take(student, network, d);
  }
  network_free(&all);
  return fine;
}

gboolean student_is_alike(const Description *student, const Description *teacher)
{
  return student->image_size == teacher->image_size && student->patch_size == teacher->patch_size &&
         student->family == teacher->family && student->token_dim == teacher->token_dim &&
         student->n_features == teacher->n_features && student->dim == teacher->dim &&
         student->head_dim == teacher->head_dim && student->depth == teacher->depth &&
         student->distilled == teacher->distilled &&
         student->class_head_only == teacher->class_head_only &&
         student->mean_pooling == teacher->mean_pooling &&
         student->qkv_unbiased == teacher->qkv_unbiased;
}

/* Replaces the network by one with the new description, and copies the values that fit. */
static void rebuild(Student *student, Description *d, gboolean search)
{
  Network *network = network_new(d, search);
  network_copy_values(network, student->network);
  student_take(student, network, d);
}

/* Adds a gate to every module of every block except the first, if it costs enough. */
static void add_gates(Description *d)
{
  const guint tokens = vitgate__description_n_tokens(d);
  description_add_gates(d);
  for (guint b = 0; b < d->depth; b++) {
    BlockShape *shape = &d->blocks[b];
    const guint after = vitgate__description_tokens_after(d, b);
    const double min = MIN_GATED * d->dense_gmacs;
    shape->attention_gate &= vitgate__attention_gmacs(d, shape->heads, tokens, after) >= min;
    shape->mlp_gate &= vitgate__mlp_gmacs(d, shape->neurons, after) >= min;
  }
}

void student_search(Student *student, Ranking *const *rankings, gboolean gates)
{
  order_units(student->network, rankings);
  Description *d = class_subset_describe(student->description, NULL, 0);
  if (gates)
    add_gates(d);
  rebuild(student, d, TRUE);
}

void student_chosen(const Student *student, BlockShape *shapes)
{
  const Network *network = student->network;
  for (guint b = 0; b < student->description->depth; b++) {
    const Choice *heads = &network->blocks[b].heads_choice;
    const Choice *neurons = &network->blocks[b].neurons_choice;
    shapes[b].heads = heads->n ? heads->counts[mask_chosen(network, heads)] : 0;
    shapes[b].neurons = neurons->n ? neurons->counts[mask_chosen(network, neurons)] : 0;
  }
}

void student_add_gates(Student *student, const Network *from)
{
  Description *d = class_subset_describe(student->description, NULL, 0);
  add_gates(d);
  rebuild(student, d, FALSE);
  if (from)
    network_copy_gates(student->network, from);
}

guint student_add_token_gates(Student *student)
{
  Description *d = class_subset_describe(student->description, NULL, 0);
  const guint n = token_fit_shape(d);
  rebuild(student, d, FALSE);
  return n;
}

void student_remove_token_gates(Student *student)
{
  Description *d = class_subset_describe(student->description, NULL, 0);
  for (guint module = 0; module < 2 * d->depth; module++)
    *description_token_gate(d, module) = (TokenGate){ 0 };
  rebuild(student, d, FALSE);
}

gboolean student_has_gates(const Student *student)
{
  return description_has_gates(student->description);
}

/* Returns: whether @module is the last attention and must stay. No patch tokens remain after the
 * last attention: if it were cut, gates between it and the attention before it would lose them. The
 * only attention stays too, since all later modules need it. */
static gboolean is_needed(const Description *d, guint module)
{
  if (module != 2 * vitgate__description_tail(d))
    return FALSE;
  for (guint b = module / 2; b-- > 0;) {
    if (d->blocks[b].mlp_gate)
      return TRUE;
    if (d->blocks[b].heads)
      return FALSE;
  }
  return TRUE;
}

void student_settle_gates(Student *student, const GateSum *sums, double least_spread,
                          GPtrArray *notes)
{
  Description *d = class_subset_describe(student->description, NULL, 0);
  for (guint module = 0; module < 2 * d->depth; module++) {
    BlockShape *shape = &d->blocks[module / 2];
    gboolean *gate = module % 2 ? &shape->mlp_gate : &shape->attention_gate;
    const double spread = gate_sum_spread(&sums[module]);
    const gboolean stays = sums[module].open > sums[module].n / 2.0;
    if (!*gate || spread >= least_spread || (!stays && is_needed(d, module)))
      continue;
    *gate = FALSE;
    if (!stays)
      *(module % 2 ? &shape->neurons : &shape->heads) = 0;
    g_ptr_array_add(notes, g_strdup_printf("the gate of block %u's %s treats all images alike "
                                           "(spread %.3f), so the module %s",
                                           module / 2, module % 2 ? "MLP" : "attention", spread,
                                           stays ? "stays open" : "is cut"));
  }
  rebuild(student, d, FALSE);
}

gboolean student_open_idle_gates(Student *student, const GateSum *sums, GPtrArray *notes)
{
  Description *d = class_subset_describe(student->description, NULL, 0);
  const guint n_before = notes->len;
  for (guint module = 0; module < 2 * d->depth; module++) {
    BlockShape *shape = &d->blocks[module / 2];
    gboolean *gate = module % 2 ? &shape->mlp_gate : &shape->attention_gate;
    if (!*gate || sums[module].open < sums[module].n)
      continue;
    *gate = FALSE;
    g_ptr_array_add(notes, g_strdup_printf("the gate of block %u's %s never closes at any setting "
                                           "of the dial, so the module stays open",
                                           module / 2, module % 2 ? "MLP" : "attention"));
  }
  const gboolean any = notes->len > n_before;
  if (any)
    rebuild(student, d, FALSE);
  else
    vitgate__description_free(&d);
  return any;
}
