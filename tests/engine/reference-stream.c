#include "reference-stream.h"

#include <math.h>

#include "file/architecture.h"
#include "fixture.h"

/* Shares of full scale, and distances from other decisions, that float32 may not tell apart. */
#define CLOSE  2e-6
#define UNSURE 2e-6

/* ---- Changes ---- */

static guint side_of(const Description *d)
{
  return d->image_size / d->patch_size;
}

/* Cells along a side of a patch. */
static guint cells_of(const Description *d)
{
  return d->patch_size >= 2 ? 2 : 1;
}

static double mean_of(const Description *d, const float *tensor, guint p, guint cell, guint colour)
{
  const guint n = cells_of(d), size = d->image_size, all = n * side_of(d);
  const guint y = p / side_of(d) * n + cell / n, x = p % side_of(d) * n + cell % n;
  const guint top = y * size / all, bottom = (y + 1) * size / all;
  const guint left = x * size / all, right = (x + 1) * size / all;
  double sum = 0;
  for (guint v = top; v < bottom; v++)
    for (guint u = left; u < right; u++)
      sum += tensor[(colour * size + v) * size + u];
  return sum / ((bottom - top) * (right - left)) * d->preprocessing.std[colour];
}

/* Returns: the largest change */
static double measure(ReferenceStream *s, const float *tensor)
{
  const Description *d = s->description;
  const guint cells = cells_of(d) * cells_of(d);
  double largest = 0;
  for (guint p = 0; p < vitgate__description_n_patches(d); p++) {
    s->changes[p] = 0;
    for (guint i = 0; i < 3 * cells; i++) {
      double *seen = &s->seen[p * 3 * cells + i];
      *seen = mean_of(d, tensor, p, i / 3, i % 3);
      s->changes[p] = fmax(s->changes[p], fabs(*seen - s->kept[p * 3 * cells + i]));
    }
    largest = fmax(largest, s->changes[p]);
  }
  return largest;
}

static guint values_of(const Description *d)
{
  return 3 * cells_of(d) * cells_of(d);
}

/* Returns: the largest difference of patch @p to when it last stood still */
static double new_change(const ReferenceStream *s, guint p)
{
  const guint n = values_of(s->description);
  double largest = 0;
  for (guint i = p * n; i < (p + 1) * n; i++)
    largest = fmax(largest, fabs(s->seen[i] - s->ground[i]));
  return largest;
}

static gboolean is_close(const ReferenceStream *s, double largest)
{
  gboolean close = fabs(largest - s->options.unchanged) < CLOSE;
  for (guint p = 0; p < vitgate__description_n_patches(s->description); p++)
    close |= fabs(s->changes[p] - s->options.changed) < CLOSE ||
             fabs(new_change(s, p) - 8.0 / 255) < CLOSE;
  return s->known && close;
}

/* Looks for patches that have stood still for three frames, show something else than the last time
 * that they did, and came with updates. */
static void look_for_new(ReferenceStream *s)
{
  const guint n = values_of(s->description);
  for (guint p = 0; p < vitgate__description_n_patches(s->description); p++) {
    s->calm[p] = s->known && s->changes[p] <= s->options.changed ? s->calm[p] + 1 : 0;
    s->renewed |= s->calm[p] == 3 && s->alone[p] && new_change(s, p) > 8.0 / 255;
    if (!s->known || s->calm[p] == 3)
      memcpy(s->ground + p * n, s->seen + p * n, n * sizeof(double));
  }
}

/* Marks changed patches and their neighbours.
 * Returns: how many are marked */
static guint mark(const ReferenceStream *s, guint8 *marks)
{
  const guint side = side_of(s->description), n = side * side;
  guint sum = 0;
  for (guint p = 0; p < n; p++) {
    marks[p] = FALSE;
    for (guint q = 0; q < n; q++)
      marks[p] |= (!s->known || s->changes[q] > s->options.changed) &&
                  ABS((gint)(p / side) - (gint)(q / side)) <= 1 &&
                  ABS((gint)(p % side) - (gint)(q % side)) <= 1;
    sum += marks[p];
  }
  return sum;
}

/* ---- Decisions ---- */

static VitgatePass whole(const ReferenceStream *s, gboolean wanted)
{
  const double full = vitgate__description_gmacs(s->description) / s->description->dense_gmacs;
  const gboolean allowed = s->options.max_compute <= 0 || full <= s->options.max_compute;
  return s->options.temporal && allowed && wanted ? VITGATE_PASS_FULL : VITGATE_PASS_INDEPENDENT;
}

static VitgatePass decide(ReferenceStream *s, double change, guint n, VitgateReason *reason)
{
  const Description *d = s->description;
  const double full = vitgate__description_gmacs(d) / d->dense_gmacs;
  const double update = 1.2 * vitgate__description_update_gmacs(d, n) / d->dense_gmacs;
  *reason = VITGATE_REASON_NONE;
  s->age++;
  s->since_renewal++;
  if (!s->known) {
    *reason = VITGATE_REASON_FIRST;
    return whole(s, s->options.eager);
  }
  if (s->expired) {
    *reason = VITGATE_REASON_EXPIRED;
    return whole(s, s->cached);
  }
  if (change <= s->options.unchanged) {
    s->still++;
    if (s->still < 5 || !s->stale || !s->cached || whole(s, TRUE) != VITGATE_PASS_FULL)
      return VITGATE_PASS_UNCHANGED;
    *reason = VITGATE_REASON_SETTLED;
    return VITGATE_PASS_FULL;
  }
  s->still = 0;
  s->expected = .75 * s->expected + .25 * update;
  if (s->renewed && s->stale && s->cached && s->since_renewal >= 25 &&
      whole(s, TRUE) == VITGATE_PASS_FULL) {
    *reason = VITGATE_REASON_SETTLED;
    return VITGATE_PASS_FULL;
  }
  const gboolean due = s->options.interval > 0 && s->age >= s->options.interval;
  if (s->options.temporal && s->cached && !due && update <= .8 * full && update <= s->independent)
    return VITGATE_PASS_UPDATED;
  *reason = s->cached && due ? VITGATE_REASON_INTERVAL : VITGATE_REASON_MOTION;
  return whole(s, s->expected <= .8 * s->independent);
}

static void record(ReferenceStream *s, const VitgateResult *found)
{
  const guint values = values_of(s->description);
  const VitgatePass pass = found->decision->pass;
  if (pass == VITGATE_PASS_UNCHANGED)
    return;
  for (guint p = 0; p < vitgate__description_n_patches(s->description); p++) {
    if (found->decision->marks[p])
      memcpy(s->kept + p * values, s->seen + p * values, values * sizeof(double));
    s->alone[p] = pass == VITGATE_PASS_UPDATED && (s->alone[p] || found->decision->marks[p]);
  }
  if (pass == VITGATE_PASS_INDEPENDENT)
    s->independent = .75 * s->independent + .25 * found->compute_ratio;
  if (pass == VITGATE_PASS_FULL)
    s->age = 0;
  if (pass == VITGATE_PASS_FULL && s->renewed)
    s->since_renewal = 0;
  if (pass != VITGATE_PASS_UPDATED) {
    s->cached = pass == VITGATE_PASS_FULL;
    s->renewed = FALSE;
  }
  s->stale = pass == VITGATE_PASS_UPDATED;
  s->known = TRUE;
  s->expired = FALSE;
  memcpy(s->logits, found->logits, found->n_classes * sizeof(float));
  memcpy(s->features, found->features,
         vitgate__description_head_inputs(s->description) * sizeof(float));
  s->unknown = found->unknown;
}

/* ---- Passes ---- */

/* Returns: FALSE if a decision is too close for float32 */
static gboolean check_pass(ReferenceStream *s, const float *tensor, const VitgateResult *found,
                           const char *what)
{
  const Description *d = s->description;
  const guint prefix = vitgate__description_n_prefix(d);
  const VitgatePass pass = found->decision->pass;
  ReferenceSettings settings = s->dial;
  if (pass == VITGATE_PASS_UNCHANGED) {
    ck_assert_mem_eq(found->logits, s->logits, d->n_classes * sizeof(float));
    ck_assert_mem_eq(found->features, s->features,
                     vitgate__description_head_inputs(d) * sizeof(float));
    ck_assert_float_eq(found->unknown, s->unknown);
    ck_assert_double_eq(found->gmacs, 0);
    return TRUE;
  }
  if (pass != VITGATE_PASS_INDEPENDENT) {
    settings.cache = s->cache;
    for (guint b = 0; b < d->depth; b++)
      settings.thresholds[b] = 1;
  }
  if (pass == VITGATE_PASS_UPDATED) {
    settings.rows = s->rows;
    for (guint t = 0; t < vitgate__description_n_tokens(d); t++)
      if (t < prefix || found->decision->marks[t - prefix])
        s->rows[settings.n_rows++] = t;
  }
  ReferenceImage *expected = reference_forward(s->file, d, &settings, tensor, 1);
  const gboolean sure = expected->margin > UNSURE;
  if (sure)
    reference_check(found, expected, 1, d, UNSURE, what);
  reference_free(expected, 1);
  return sure;
}

static void check_decision(ReferenceStream *s, double change, const VitgateDecision *found,
                           const char *what)
{
  const guint patches = vitgate__description_n_patches(s->description);
  g_autofree guint8 *marks = g_new(guint8, patches);
  const guint n = mark(s, marks);
  VitgateReason reason;
  const VitgatePass pass = decide(s, s->known ? change : 1, n, &reason);
  if (pass != VITGATE_PASS_UPDATED)
    memset(marks, pass != VITGATE_PASS_UNCHANGED, patches);
  assert_each(found->pass == pass && found->reason == reason,
              "%s: %s because of %s, expected %s because of %s", what,
              vitgate_pass_name(found->pass), vitgate_reason_name(found->reason),
              vitgate_pass_name(pass), vitgate_reason_name(reason));
  assert_each(!memcmp(found->marks, marks, patches), "%s: other patches", what);
  guint n_marked = 0;
  for (guint p = 0; p < patches; p++)
    n_marked += marks[p];
  assert_each(found->n_patches == n_marked, "%s: %u patches, expected %u", what, found->n_patches,
              n_marked);
}

gboolean reference_stream_check(ReferenceStream *s, const float *tensor, const VitgateResult *found,
                                const char *what)
{
  const double change = measure(s, tensor);
  gboolean sure = !is_close(s, change);
  look_for_new(s);
  if (sure) {
    check_decision(s, change, found->decision, what);
    sure = check_pass(s, tensor, found, what);
  }
  record(s, found);
  return sure;
}

/* ---- Life ---- */

ReferenceStream *reference_stream_new(ModelFile *file, const Description *d,
                                      const ReferenceSettings *dial,
                                      const VitgateStreamOptions *options)
{
  const guint patches = vitgate__description_n_patches(d);
  ReferenceStream *s = g_new0(ReferenceStream, 1);
  s->file = file;
  s->description = d;
  s->dial = *dial;
  s->options = *options;
  s->cache = reference_cache_new(d);
  s->kept = g_new0(double, 12 * patches);
  s->seen = g_new0(double, 12 * patches);
  s->changes = g_new0(double, patches);
  s->ground = g_new0(double, 12 * patches);
  s->calm = g_new0(guint, patches);
  s->alone = g_new0(gboolean, patches);
  s->rows = g_new0(guint, vitgate__description_n_tokens(d));
  s->logits = g_new0(float, d->n_classes);
  s->features = g_new0(float, vitgate__description_head_inputs(d));
  s->independent = vitgate__description_gmacs(d) / d->dense_gmacs;
  reference_stream_forget(s);
  return s;
}

void reference_stream_free(ReferenceStream *s)
{
  reference_cache_free(s->cache);
  g_free(s->kept);
  g_free(s->seen);
  g_free(s->changes);
  g_free(s->ground);
  g_free(s->calm);
  g_free(s->alone);
  g_free(s->rows);
  g_free(s->logits);
  g_free(s->features);
  g_free(s);
}

void reference_stream_forget(ReferenceStream *s)
{
  s->known = s->cached = s->stale = s->expired = s->renewed = FALSE;
  s->still = s->age = 0;
  s->since_renewal = 25;
  s->expected = s->options.eager ? 0 : s->independent;
}
