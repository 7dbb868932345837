#include "camera/sightings.h"

#include "camera/label-names.h"

typedef enum {
  ABSENT,
  ARRIVING, /* seen, but not for long enough */
  PRESENT,
} Presence;

typedef struct {
  char *label;
  char *folded;
  Presence presence;
  guint64 since, until;
  double best;
} Interest;

struct _Sightings {
  SightingOptions options;
  SightingFunc func;
  gpointer user_data;
  GArray *interests;
  guint64 time; /* of the last frame */
};

static double score_of(const Interest *interest, const SeenClass *classes, guint n)
{
  double score = -1;
  for (guint i = 0; i < n; i++)
    if (classes[i].score > score && label_is_called(classes[i].label, interest->folded))
      score = classes[i].score;
  return score;
}

static void report(Sightings *self, const Interest *interest, gboolean appeared, double score)
{
  const Sighting sighting = {
    .appeared = appeared,
    .label = interest->label,
    .score = score,
    .since = interest->since,
    .until = interest->until,
  };
  self->func(&sighting, self->user_data);
}

static void vanish(Sightings *self, Interest *interest)
{
  interest->presence = ABSENT;
  report(self, interest, FALSE, interest->best);
}

static void update_interest(Sightings *self, Interest *interest, guint64 time, double score)
{
  const SightingOptions *options = &self->options;
  gboolean there =
      interest->presence == ABSENT ? score >= options->threshold : score >= options->keep_threshold;
  if (there && interest->presence == ABSENT) {
    interest->presence = ARRIVING;
    interest->since = time;
    interest->best = score;
  }
  if (there) {
    interest->until = time;
    interest->best = MAX(interest->best, score);
  }
  if (interest->presence == ARRIVING && !there) {
    interest->presence = ABSENT;
  } else if (interest->presence == ARRIVING && time - interest->since >= options->appear_after) {
    interest->presence = PRESENT;
    report(self, interest, TRUE, score);
  } else if (interest->presence == PRESENT && !there &&
             time - interest->until >= options->vanish_after) {
    vanish(self, interest);
  }
}

static void start_anew(Interest *interest, guint64 time)
{
  interest->since = interest->until = time;
}

void sightings_see(Sightings *self, guint64 time, const SeenClass *classes, guint n)
{
  for (guint i = 0; i < self->interests->len; i++) {
    Interest *interest = &g_array_index(self->interests, Interest, i);
    if (time < self->time)
      start_anew(interest, time);
    update_interest(self, interest, time, score_of(interest, classes, n));
  }
  self->time = time;
}

void sightings_set_thresholds(Sightings *self, double threshold, double keep_threshold)
{
  self->options.threshold = threshold;
  self->options.keep_threshold = keep_threshold;
}

void sightings_end(Sightings *self)
{
  for (guint i = 0; i < self->interests->len; i++) {
    Interest *interest = &g_array_index(self->interests, Interest, i);
    if (interest->presence == PRESENT)
      vanish(self, interest);
    interest->presence = ABSENT;
  }
  self->time = 0;
}

static void clear_interest(gpointer data)
{
  Interest *interest = data;
  g_free(interest->label);
  g_free(interest->folded);
}

Sightings *sightings_new(char *const *labels, const SightingOptions *options, SightingFunc func,
                         gpointer user_data)
{
  Sightings *self = g_new0(Sightings, 1);
  self->options = *options;
  self->func = func;
  self->user_data = user_data;
  self->interests = g_array_new(FALSE, FALSE, sizeof(Interest));
  g_array_set_clear_func(self->interests, clear_interest);
  for (; labels && *labels; labels++) {
    Interest interest = { .label = g_strdup(*labels), .folded = label_fold(*labels) };
    g_array_append_val(self->interests, interest);
  }
  return self;
}

void sightings_free(Sightings **sightings)
{
  Sightings *self = *sightings;
  *sightings = NULL;
  if (!self)
    return;
  g_array_unref(self->interests);
  g_free(self);
}
