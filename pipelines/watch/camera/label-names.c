#include "camera/label-names.h"

#include <string.h>

static char *fold_part(const char *text, gsize length)
{
  g_autofree char *part = g_strndup(text, length);
  return g_utf8_casefold(g_strstrip(part), -1);
}

char *label_fold(const char *text)
{
  return fold_part(text, strlen(text));
}

gboolean label_is_called(const char *class, const char *folded)
{
  g_autofree char *whole = label_fold(class);
  if (!strcmp(whole, folded))
    return TRUE;
  for (const char *name = whole; name; name = strchr(name, ',')) {
    name += *name == ',';
    name += strspn(name, " ");
    gsize length = strcspn(name, ",");
    if (length == strlen(folded) && !strncmp(name, folded, length))
      return TRUE;
  }
  return FALSE;
}

/* ---- Similar names ------------------------------------------------------------------------- */

/* A name, and how far it is from the wanted one. Every name that contains the word is nearer than
 * one that is spelt differently. */
typedef struct {
  char *name;
  guint distance;
} Candidate;

#define CONTAINED 1
#define SPELT     1000

/* Returns: (transfer full): folded text between spaces, so that words can be searched for. Patterns
 * and punctuation become spaces. */
static char *fold_words(const char *text)
{
  g_autofree char *folded = label_fold(text);
  GString *words = g_string_new(" ");
  for (const char *at = folded; *at; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    if (g_unichar_isalnum(c))
      g_string_append_unichar(words, c);
    else if (words->str[words->len - 1] != ' ')
      g_string_append_c(words, ' ');
  }
  if (words->str[words->len - 1] != ' ')
    g_string_append_c(words, ' ');
  return g_string_free(words, FALSE);
}

/* Returns: the number of letters to insert, remove or replace */
static guint edit_distance(const char *a, const char *b)
{
  glong n, m;
  g_autofree gunichar *one = g_utf8_to_ucs4_fast(a, -1, &n);
  g_autofree gunichar *other = g_utf8_to_ucs4_fast(b, -1, &m);
  g_autofree guint *row = g_new(guint, (gsize)m + 1);
  for (glong j = 0; j <= m; j++)
    row[j] = (guint)j;
  for (glong i = 1; i <= n; i++) {
    guint diagonal = row[0];
    row[0] = (guint)i;
    for (glong j = 1; j <= m; j++) {
      guint replaced = diagonal + (one[i - 1] != other[j - 1]);
      diagonal = row[j];
      row[j] = MIN(MIN(row[j], row[j - 1]) + 1, replaced);
    }
  }
  return row[m];
}

/* @wanted, @name: from fold_words()
 * Returns: the distance, or 0 if the names are not similar */
static guint distance_of(const char *wanted, const char *name)
{
  const guint length = (guint)g_utf8_strlen(wanted, -1) - 2;
  guint other = (guint)g_utf8_strlen(name, -1);
  if (strstr(name, wanted))
    return CONTAINED + other;
  guint distance = edit_distance(wanted, name);
  return distance <= MAX(length / 4, 1) ? SPELT + distance : 0;
}

static void add_candidates(GArray *candidates, const char *class, const char *wanted)
{
  g_auto(GStrv) names = g_strsplit(class, ",", -1);
  for (guint i = 0; names[i]; i++) {
    g_autofree char *name = fold_words(names[i]);
    Candidate candidate = { .distance = distance_of(wanted, name) };
    if (!candidate.distance)
      continue;
    candidate.name = g_strdup(g_strstrip(names[i]));
    g_array_append_val(candidates, candidate);
  }
}

static int compare(gconstpointer a, gconstpointer b)
{
  const Candidate *one = a, *other = b;
  return one->distance != other->distance ? (one->distance > other->distance ? 1 : -1)
                                          : strcmp(one->name, other->name);
}

static void clear_candidate(gpointer candidate)
{
  g_free(((Candidate *)candidate)->name);
}

GStrv label_find_similar(const GPtrArray *classes, const char *wanted, guint max)
{
  g_autofree char *words = fold_words(wanted);
  g_autoptr(GArray) candidates = g_array_new(FALSE, FALSE, sizeof(Candidate));
  g_array_set_clear_func(candidates, clear_candidate);
  for (guint i = 0; strcmp(words, " ") && i < classes->len; i++)
    add_candidates(candidates, classes->pdata[i], words);
  g_array_sort(candidates, compare);

  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint i = 0; i < candidates->len && names->len < max; i++) {
    const char *name = g_array_index(candidates, Candidate, i).name;
    if (!names->len || strcmp(names->pdata[names->len - 1], name))
      g_ptr_array_add(names, g_strdup(name));
  }
  g_ptr_array_add(names, NULL);
  return (GStrv)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}
