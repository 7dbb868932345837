#include "train/cut/allocation.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "file/architecture.h"

/* Neurons are removed in groups that fill the kernels' vectors. */
#define NEURONS_AT_ONCE 16

typedef struct {
  Description description; /* with the current shapes */
  Ranking *const *rankings;
  const Budget *budget;
  double price_compute, price_parameters; /* weights of the costs relative to the dense network */
} Allocation;

static guint *count_of(const Allocation *a, guint module)
{
  BlockShape *shape = &a->description.blocks[module / 2];
  return module % 2 ? &shape->neurons : &shape->heads;
}

static guint step_of(guint module)
{
  return module % 2 ? NEURONS_AT_ONCE : 1;
}

/* Returns: the next smaller count; neurons in whole groups */
static guint smaller(guint module, guint count)
{
  const guint step = step_of(module);
  return count ? (count - 1) / step * step : 0;
}

static gboolean is_free(const Allocation *a, guint module)
{
  return a->rankings[module] && (module % 2 || !a->budget->whole_attention);
}

static double compute_ratio(const Allocation *a)
{
  return vitgate__description_gmacs(&a->description) / a->description.dense_gmacs;
}

static double parameter_ratio(const Allocation *a)
{
  return (double)vitgate__description_parameters(&a->description) /
         (double)a->description.dense_parameters;
}

static gboolean within(const Allocation *a)
{
  return (a->budget->compute <= 0 || compute_ratio(a) <= a->budget->compute + 1e-9) &&
         (a->budget->parameters <= 0 || parameter_ratio(a) <= a->budget->parameters + 1e-9);
}

/* Returns: the price of @count units of @module, without any other module */
static double cost_of(const Allocation *a, guint module, guint count)
{
  const Description *d = &a->description;
  const guint tokens = vitgate__description_n_tokens(d);
  const guint after = vitgate__description_tokens_after(d, module / 2);
  const double gmacs = module % 2 ? vitgate__mlp_gmacs(d, count, after)
                                  : vitgate__attention_gmacs(d, count, tokens, after);
  const double parameters = (double)(module % 2 ? vitgate__mlp_parameters(d, count)
                                                : vitgate__attention_parameters(d, count));
  return a->price_compute * gmacs / d->dense_gmacs +
         a->price_parameters * parameters / (double)d->dense_parameters;
}

/* Sets each price to the amount by which the network is over that budget. */
static void set_prices(Allocation *a)
{
  const Budget *b = a->budget;
  a->price_compute = b->compute > 0 ? MAX(0, compute_ratio(a) - b->compute) : 0;
  a->price_parameters = b->parameters > 0 ? MAX(0, parameter_ratio(a) - b->parameters) : 0;
}

/* Removes units of one module, where that adds the least error for the cost it saves. A larger step
 * can be worth more than the smallest one: removing the last head of an attention pays only if the
 * others go too, and so may removing a whole module. */
static void take_away(Allocation *a)
{
  guint best_module = 0, best_count = 0;
  double best = INFINITY;
  for (guint module = 0; module < 2 * a->description.depth; module++) {
    if (!is_free(a, module))
      continue;
    const guint now = *count_of(a, module);
    const double *errors = a->rankings[module]->errors;
    for (guint count = now; count > 0;) {
      count = smaller(module, count);
      const double saved = cost_of(a, module, now) - cost_of(a, module, count);
      const double slope = (errors[count] - errors[now]) / saved;
      if (slope < best) {
        best = slope;
        best_module = module;
        best_count = count;
      }
    }
  }
  *count_of(a, best_module) = best_count;
}

/* Puts back units where that fits the budget and reduces the error most.
 * Returns: FALSE if nothing fits */
static gboolean give_back(Allocation *a)
{
  guint best_module = 0;
  double best = 0;
  gboolean found = FALSE;
  for (guint module = 0; module < 2 * a->description.depth; module++) {
    guint *count = count_of(a, module), before = *count;
    if (!is_free(a, module) || before >= a->rankings[module]->n_units)
      continue;
    const guint more = MIN(before + step_of(module), a->rankings[module]->n_units);
    const double gain = a->rankings[module]->errors[before] - a->rankings[module]->errors[more];
    *count = more;
    if (within(a) && (!found || gain > best)) {
      found = TRUE;
      best = gain;
      best_module = module;
    }
    *count = before;
  }
  if (found)
    *count_of(a, best_module) =
        MIN(*count_of(a, best_module) + step_of(best_module), a->rankings[best_module]->n_units);
  return found;
}

static gboolean check_reach(Allocation *a, GError **error)
{
  const guint depth = a->description.depth;
  g_autofree BlockShape *before = g_memdup2(a->description.blocks, (depth + 1) * sizeof *before);
  for (guint module = 0; module < 2 * depth; module++)
    if (is_free(a, module))
      *count_of(a, module) = 0;
  const double compute = compute_ratio(a), parameters = parameter_ratio(a);
  const gboolean reached = within(a);
  memcpy(a->description.blocks, before, depth * sizeof *before);
  if (reached)
    return TRUE;
  const gboolean slow = a->budget->compute > 0 && compute > a->budget->compute;
  vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                     "a %s ratio of %.3f is out of reach: even %s, %.3f of the dense network's %s "
                     "remain",
                     slow ? "compute" : "parameter",
                     slow ? a->budget->compute : a->budget->parameters,
                     a->budget->whole_attention ? "without any MLP" : "without any block",
                     slow ? compute : parameters, slow ? "multiply-adds" : "parameters");
  return FALSE;
}

gboolean budget_allows(const Budget *budget, const Description *description)
{
  const Allocation a = { .description = *description, .budget = budget };
  return within(&a);
}

gboolean allocate_units(const Description *description, Ranking *const *rankings,
                        const Budget *budget, BlockShape *shapes, GError **error)
{
  Allocation a = { .description = *description, .rankings = rankings, .budget = budget };
  const gsize size = description->depth * sizeof *shapes;
  a.description.blocks = g_new0(BlockShape, description->depth + 1);
  memcpy(a.description.blocks, description->blocks, size);
  const gboolean possible = check_reach(&a, error);
  if (possible) {
    while (!within(&a)) {
      set_prices(&a);
      take_away(&a);
    }
    while (give_back(&a))
      ;
    memcpy(shapes, a.description.blocks, size);
  }
  g_free(a.description.blocks);
  return possible;
}
