#include "teach/groups.h"

#include <math.h>
#include <string.h>

#include "base/command-error.h"
#include "teach/shot-time.h"

#define MAX_PARTS 5 /* of a class with a single group */

static const char *const names[] = { "auto", "time", "name", "folder", "none", NULL };

/* An example, with what its place in time follows from. */
typedef struct {
  Example *example;
  const Picture *picture; /* (nullable) */
  int class;              /* -1: classes do not matter */
  char *stem;             /* the path up to its last number */
  guint64 number;
  gboolean numbered;
} Shot;

gboolean grouping_parse(const char *text, Grouping *grouping, GError **error)
{
  for (guint i = 0; names[i]; i++)
    if (!strcmp(text, names[i])) {
      *grouping = (Grouping)i;
      return TRUE;
    }
  return command_fail(error, "--group-by is \"%s\", expected auto, time, name, folder or none",
                      text);
}

const char *grouping_name(Grouping grouping)
{
  return names[grouping];
}

/* Splits "folder/cam1_0012.jpg" into "folder/cam1_" and 12. */
static void split_name(Shot *shot, const char *path)
{
  const char *base = strrchr(path, '/'), *dot;
  base = base ? base + 1 : path;
  dot = strrchr(base, '.');
  const char *end = dot ? dot : base + strlen(base);
  while (end > base && !g_ascii_isdigit(end[-1]))
    end--;
  const char *start = end;
  while (start > base && g_ascii_isdigit(start[-1]))
    start--;
  shot->numbered = start < end;
  shot->number = shot->numbered ? g_ascii_strtoull(start, NULL, 10) : 0;
  shot->stem = shot->numbered ? g_strndup(path, (gsize)(start - path)) : g_strdup(path);
}

static void clear_shot(gpointer data)
{
  g_free(((Shot *)data)->stem);
}

static gint64 time_of(const Shot *shot)
{
  return shot->picture ? shot->picture->time : SHOT_TIME_UNKNOWN;
}

static int compare_numbers(guint64 a, guint64 b)
{
  return (a > b) - (a < b);
}

/* Orders by class; then pictures with a time by it, and the others by name and number. */
static int compare_shots(gconstpointer a, gconstpointer b)
{
  const Shot *x = a, *y = b;
  const gint64 s = time_of(x), t = time_of(y);
  const gboolean timed = s != SHOT_TIME_UNKNOWN, timed_too = t != SHOT_TIME_UNKNOWN;
  int order = x->class - y->class;
  if (!order)
    order = timed_too - timed;
  if (!order && timed)
    order = (s > t) - (s < t);
  if (!order)
    order = strcmp(x->stem, y->stem);
  if (!order)
    order = compare_numbers(x->number, y->number);
  return order ? order : compare_numbers(x->example->hash, y->example->hash);
}

/* @known: leave out examples without a picture
 * Returns: (transfer full) (element-type Shot): in order */
static GArray *list_shots(Examples *examples, const GPtrArray *pictures, gboolean several,
                          gboolean known)
{
  GArray *shots = g_array_new(FALSE, FALSE, sizeof(Shot));
  g_array_set_clear_func(shots, clear_shot);
  for (guint i = 0; i < examples->list->len; i++) {
    Shot shot = { .example = examples_get(examples, i), .picture = pictures->pdata[i] };
    if (known && !shot.picture)
      continue;
    shot.class = several ? -1 : examples_class(examples, i);
    split_name(&shot, shot.picture ? shot.picture->path : "");
    g_array_append_val(shots, shot);
  }
  g_array_sort(shots, compare_shots);
  return shots;
}

static double cosine(const float *a, const float *b, guint n)
{
  double ab = 0, aa = 0, bb = 0;
  for (guint i = 0; i < n; i++) {
    ab += (double)a[i] * b[i];
    aa += (double)a[i] * a[i];
    bb += (double)b[i] * b[i];
  }
  return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 1;
}

/* Returns: whether @next was taken right after @shot */
static gboolean follows(const Shot *shot, const Shot *next, Grouping grouping, guint n_features)
{
  const gint64 time = time_of(shot), other = time_of(next);
  if (shot->class != next->class)
    return FALSE;
  if (time != SHOT_TIME_UNKNOWN && other != SHOT_TIME_UNKNOWN)
    return other - time <= GROUPS_SECONDS;
  return grouping == GROUPS_AUTO && time == other && shot->numbered && next->numbered &&
         next->number - shot->number <= 1 && !strcmp(shot->stem, next->stem) &&
         cosine(shot->example->features, next->example->features, n_features) >= GROUPS_COSINE;
}

static char *key_of(const Shot *shot, Grouping grouping)
{
  if (grouping == GROUPS_FOLDER)
    return g_strdup_printf("%d %s", shot->class, shot->picture->folder);
  return g_strdup_printf("%d %s", shot->class, shot->stem);
}

static gboolean any_timed(const GArray *shots)
{
  for (guint i = 0; i < shots->len; i++)
    if (time_of(&g_array_index(shots, Shot, i)) != SHOT_TIME_UNKNOWN)
      return TRUE;
  return !shots->len;
}

static guint next_group(const Examples *examples)
{
  guint next = 0;
  for (guint i = 0; i < examples->list->len; i++)
    next = MAX(next, examples_get(examples, i)->group + 1);
  return next;
}

gboolean groups_find(Examples *examples, const GPtrArray *pictures, Grouping grouping,
                     gboolean several, GError **error)
{
  g_autoptr(GArray) shots = list_shots(examples, pictures, several, TRUE);
  g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  guint group = next_group(examples);
  if (grouping == GROUPS_TIME && !any_timed(shots))
    return command_fail(error, "--group-by=time: no picture has a time, neither in EXIF nor in its "
                               "name");
  for (guint i = 0; i < shots->len; i++) {
    Shot *shot = &g_array_index(shots, Shot, i);
    gpointer found;
    if (grouping == GROUPS_AUTO || grouping == GROUPS_TIME) {
      group += i && !follows(shot - 1, shot, grouping, examples->n_features);
      shot->example->group = group;
    } else if (grouping == GROUPS_NONE) {
      shot->example->group = group++;
    } else {
      char *key = key_of(shot, grouping);
      if (!g_hash_table_lookup_extended(keys, key, NULL, &found)) {
        found = GUINT_TO_POINTER(group++);
        g_hash_table_insert(keys, g_strdup(key), found);
      }
      g_free(key);
      shot->example->group = GPOINTER_TO_UINT(found);
    }
  }
  return TRUE;
}

/* Cuts shots that share a group. */
static void cut(Shot *shots, guint n, guint first_group)
{
  const guint parts = MIN(n, MAX_PARTS);
  for (guint i = 0; i < n; i++)
    shots[i].example->group = first_group + (guint)((guint64)i * parts / n);
}

GArray *groups_cut(Examples *examples, const GPtrArray *pictures, gboolean several)
{
  g_autoptr(GArray) shots = list_shots(examples, pictures, several, FALSE);
  GArray *classes = g_array_new(FALSE, FALSE, sizeof(int));
  guint group = next_group(examples);
  for (guint first = 0, end; first < shots->len; first = end) {
    Shot *shot = &g_array_index(shots, Shot, first);
    gboolean alike = TRUE;
    for (end = first; end < shots->len && shot[end - first].class == shot->class; end++)
      alike = alike && shot[end - first].example->group == shot->example->group;
    if (!alike || end == first + 1)
      continue;
    cut(shot, end - first, group);
    group += MAX_PARTS;
    g_array_append_val(classes, shot->class);
  }
  return classes;
}
