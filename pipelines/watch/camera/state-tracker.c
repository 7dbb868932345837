#include "camera/state-tracker.h"

#include <math.h>
#include <string.h>

#include "camera/label-names.h"

/* A class that a frame rules out counts as this probable: the logarithm of 0 would rule it out for
 * the whole window. */
#define MIN_PROBABILITY 0.001
static const double log_min = -6.907755278982137; /* of MIN_PROBABILITY */

#define MIN_KNOWN 0.5 /* share of the window */

/* Frames of a long window are merged, so that its memory is bounded. */
#define MAX_MOMENTS 128

#define NO_CLASS (-1)

#define log_at(array, i) g_array_index(array, double, i)

/* Frames at about the same time. The last of them holds until the next moment. */
typedef struct {
  guint64 start;
  guint n, n_known; /* frames; those that show a class */
  GArray *sums; /* of double: logarithms of each class's probability, summed over known frames. It
                   ends before classes that were found later. */
} Moment;

struct _StateTracker {
  StateOptions options;
  StateFunc func;
  gpointer user_data;
  GPtrArray *folded;   /* (nullable): the labels that are states, folded */
  GPtrArray *names;    /* of the classes */
  GHashTable *classes; /* class of each label of the model that was seen; may be NO_CLASS */
  GArray *logs;        /* of double: the current frame's */
  GQueue moments;      /* of Moment; the first one starts at or before the window */
  guint64 time;        /* of the last frame */
  gint state;          /* a class, or NO_CLASS */
  gboolean unknown;    /* without a class: the state is UNKNOWN, not missing */
  gint best;           /* class that the frames until now show one after the other, or NO_CLASS */
  guint64 best_since;  /* their start */
  gboolean nothing_known; /* the frames until now show no class */
  guint64 unknown_since;  /* their start */
};

static void moment_free(gpointer data)
{
  Moment *moment = data;
  g_array_unref(moment->sums);
  g_free(moment);
}

/* ---- Classes ------------------------------------------------------------------------------- */

/* Returns: the class that a label of the model belongs to, or NO_CLASS */
static gint find_class(StateTracker *self, const char *label)
{
  if (!self->folded) {
    g_ptr_array_add(self->names, g_strdup(label));
    return (gint)self->names->len - 1;
  }
  for (guint i = 0; i < self->names->len; i++)
    if (label_is_called(label, self->folded->pdata[i]))
      return (gint)i;
  return NO_CLASS;
}

static gint class_of(StateTracker *self, const char *label)
{
  gpointer found;
  if (!strcmp(label, UNKNOWN))
    return NO_CLASS;
  if (g_hash_table_lookup_extended(self->classes, label, NULL, &found))
    return GPOINTER_TO_INT(found);
  gint class = find_class(self, label);
  g_hash_table_insert(self->classes, g_strdup(label), GINT_TO_POINTER(class));
  return class;
}

/* Computes the logarithms of a frame's probabilities.
 * Returns: the class that the frame shows, or NO_CLASS */
static gint read_frame(StateTracker *self, const SeenClass *classes, guint n)
{
  gint shown = NO_CLASS;
  double best = -1;
  g_array_set_size(self->logs, 0);
  for (guint i = 0; i < n; i++) {
    gint class = class_of(self, classes[i].label);
    while (self->logs->len < self->names->len)
      g_array_append_val(self->logs, log_min);
    if (class != NO_CLASS)
      log_at(self->logs, class) = MAX(log_at(self->logs, class), log(classes[i].score));
    if (classes[i].score > best) {
      best = classes[i].score;
      shown = class;
    }
  }
  return best >= self->options.threshold ? shown : NO_CLASS;
}

/* ---- The window ---------------------------------------------------------------------------- */

static Moment *start_moment(StateTracker *self, guint64 time)
{
  Moment *moment = g_new0(Moment, 1);
  moment->start = time;
  moment->sums = g_array_new(FALSE, TRUE, sizeof(double));
  g_queue_push_tail(&self->moments, moment);
  return moment;
}

static void add_frame(StateTracker *self, guint64 time, gboolean known)
{
  Moment *moment = g_queue_peek_tail(&self->moments);
  if (!moment || time - moment->start > self->options.window / MAX_MOMENTS)
    moment = start_moment(self, time);
  moment->n++;
  if (!known)
    return;
  for (guint i = 0; i < self->logs->len; i++) {
    /* A class that is new was impossible in the frames before. */
    double before = moment->n_known * log_min;
    if (i >= moment->sums->len)
      g_array_append_val(moment->sums, before);
    log_at(moment->sums, i) += log_at(self->logs, i);
  }
  moment->n_known++;
}

/* Removes moments that were over before the window. */
static void forget_moments(StateTracker *self, guint64 time)
{
  const GList *second;
  while ((second = g_list_nth(self->moments.head, 1)) &&
         ((const Moment *)second->data)->start + self->options.window <= time)
    moment_free(g_queue_pop_head(&self->moments));
}

/* Adds @moment to the average.
 * @share: its time as a share of the window */
static void add_to_means(const StateTracker *self, double *means, const Moment *moment,
                         double share)
{
  for (guint i = 0; i < self->names->len; i++)
    means[i] +=
        share * (i < moment->sums->len ? log_at(moment->sums, i) / moment->n_known : log_min);
}

/* Averages over the window, which ends at @time. A frame counts for the time until the next one.
 * @means: (out): [n classes] logarithms
 * Returns: FALSE if the window is not full, or if less than half of it is known */
static gboolean average(const StateTracker *self, guint64 time, double *means)
{
  const guint64 window = self->options.window;
  const Moment *first = self->moments.head->data;
  double known = 0;
  if (window == 0) {
    memcpy(means, self->logs->data, self->names->len * sizeof *means);
    return TRUE;
  }
  if (time - first->start < window)
    return FALSE;
  for (const GList *item = self->moments.head; item; item = item->next) {
    const Moment *moment = item->data;
    guint64 start = MAX(moment->start, time - window);
    guint64 end = item->next ? ((const Moment *)item->next->data)->start : time;
    if (moment->n_known == 0 || end <= start)
      continue;
    double share = (double)(end - start) / (double)window * moment->n_known / moment->n;
    add_to_means(self, means, moment, share);
    known += share;
  }
  for (guint i = 0; i < self->names->len; i++)
    means[i] /= known > 0 ? known : 1;
  return known >= MIN_KNOWN;
}

/* ---- The state ----------------------------------------------------------------------------- */

static void change(StateTracker *self, gint class, double score, guint64 since)
{
  const StateChange change = {
    .from = state_tracker_get(self),
    .to = class == NO_CLASS ? UNKNOWN : self->names->pdata[class],
    .score = score,
    .since = since,
  };
  self->func(&change, self->user_data);
  self->state = class;
  self->unknown = class == NO_CLASS;
}

/* Another class becomes the state if it leads on average, and in the newest frame too. */
static void see_known(StateTracker *self, guint64 time, gint shown)
{
  g_autofree double *means = g_new0(double, self->names->len);
  self->nothing_known = FALSE;
  if (shown != self->best)
    self->best_since = time;
  self->best = shown;
  if (shown == self->state || !average(self, time, means))
    return;
  for (guint i = 0; i < self->names->len; i++)
    if (means[i] > means[shown])
      return;
  if (self->state == NO_CLASS || means[shown] - means[self->state] >= log(self->options.lead))
    change(self, shown, exp(means[shown]), self->best_since);
}

static void see_unknown(StateTracker *self, guint64 time)
{
  if (!self->nothing_known)
    self->unknown_since = time;
  self->nothing_known = TRUE;
  if (self->unknown || time - self->unknown_since < self->options.vanish_after)
    return;
  self->best = NO_CLASS;
  change(self, NO_CLASS, -1, self->unknown_since);
}

void state_tracker_see(StateTracker *self, guint64 time, const SeenClass *classes, guint n)
{
  if (time < self->time)
    state_tracker_restart(self);
  self->time = time;
  gint shown = read_frame(self, classes, n);
  add_frame(self, time, shown != NO_CLASS);
  forget_moments(self, time);
  if (shown == NO_CLASS)
    see_unknown(self, time);
  else
    see_known(self, time, shown);
}

void state_tracker_restart(StateTracker *self)
{
  g_queue_clear_full(&self->moments, moment_free);
  self->time = 0;
  self->best = NO_CLASS;
  self->nothing_known = FALSE;
}

char *state_tracker_lose(StateTracker *self)
{
  if (self->state == NO_CLASS)
    return NULL;
  char *former = g_strdup(state_tracker_get(self));
  self->state = NO_CLASS;
  self->unknown = TRUE;
  return former;
}

const char *state_tracker_get(const StateTracker *self)
{
  if (self->state != NO_CLASS)
    return self->names->pdata[self->state];
  return self->unknown ? UNKNOWN : NULL;
}

void state_tracker_set_threshold(StateTracker *self, double threshold)
{
  self->options.threshold = threshold;
}

StateTracker *state_tracker_new(char *const *states, const StateOptions *options, StateFunc func,
                                gpointer user_data)
{
  StateTracker *self = g_new0(StateTracker, 1);
  self->options = *options;
  self->func = func;
  self->user_data = user_data;
  self->folded = states ? g_ptr_array_new_with_free_func(g_free) : NULL;
  self->names = g_ptr_array_new_with_free_func(g_free);
  self->classes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  self->logs = g_array_new(FALSE, FALSE, sizeof(double));
  self->state = self->best = NO_CLASS;
  for (; states && *states; states++) {
    g_ptr_array_add(self->names, g_strdup(*states));
    g_ptr_array_add(self->folded, label_fold(*states));
  }
  return self;
}

void state_tracker_free(StateTracker **tracker)
{
  StateTracker *self = *tracker;
  *tracker = NULL;
  if (!self)
    return;
  g_queue_clear_full(&self->moments, moment_free);
  g_clear_pointer(&self->folded, g_ptr_array_unref);
  g_ptr_array_unref(self->names);
  g_hash_table_unref(self->classes);
  g_array_unref(self->logs);
  g_free(self);
}
