#include "labels/lines.h"

#include <string.h>

#include "base/error.h"
#include "labels/rows.h"

#define WORDNET_DIGITS 8
#define MAX_DIGITS     7 /* of a class number */

typedef struct {
  const char *path;
  GArray *rows; /* (element-type LabelRow) */
  gboolean has_header;
} Lines;

/* A column before or after the label, and what sets it apart. */
typedef struct {
  const char *separators;
  gboolean last;
} Column;

/* A column's value in a line, and the rest of the line. */
typedef struct {
  const char *value, *rest;
  gsize length, rest_length;
} Cut;

static gboolean refuse(const Lines *lines, guint i, const char *what, GError **error)
{
  vitgate__set_error(error, VITGATE_ERROR_LABELS, "%s: line %u %s", lines->path,
                     vitgate__label_row(lines->rows, i)->line, what);
  return FALSE;
}

/* Splits @text into lines in place, without empty lines at the end. */
static void split_lines(Lines *lines, char *text)
{
  guint number = 0;
  for (char *line = text, *next; line; line = next) {
    next = strchr(line, '\n');
    if (next)
      *next++ = '\0';
    vitgate__label_rows_add(lines->rows, ++number, g_strdup(g_strchomp(line)));
  }
  while (lines->rows->len && !*vitgate__label_row(lines->rows, lines->rows->len - 1)->text)
    g_array_set_size(lines->rows, lines->rows->len - 1);
}

/* ---- Columns ---- */

static gboolean is_blank(char c)
{
  return c == ' ' || c == '\t';
}

/* Cuts quotes and blanks off the ends. */
static void trim(const char **text, gsize *length, gboolean quotes)
{
  while (*length && is_blank((*text)[*length - 1]))
    --*length;
  while (*length && is_blank(**text)) {
    ++*text;
    --*length;
  }
  if (quotes && *length > 1 && **text == '"' && (*text)[*length - 1] == '"') {
    ++*text;
    *length -= 2;
  }
}

/* Returns: whether @text has a separator and more than blanks on both sides */
static gboolean cut_column(const char *text, const Column *column, Cut *cut)
{
  const gsize length = strlen(text);
  gsize at = strspn(text, " \t");
  if (column->last)
    for (at = length; at && !strchr(column->separators, text[at - 1]);)
      at--;
  else
    at += strcspn(text + at, column->separators) + 1;
  if (at == 0 || at > length)
    return FALSE;
  const Cut before = { text, text + at, at - 1, length - at };
  *cut = column->last ? (Cut){ before.rest, text, before.rest_length, before.length } : before;
  trim(&cut->value, &cut->length, TRUE);
  trim(&cut->rest, &cut->rest_length, FALSE);
  return cut->length && cut->rest_length;
}

static gboolean are_digits(const char *text, gsize length)
{
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isdigit(text[i]))
      return FALSE;
  return length > 0;
}

static gboolean is_number(const Cut *cut)
{
  return cut->length <= MAX_DIGITS && are_digits(cut->value, cut->length);
}

static gboolean is_wordnet_id(const Cut *cut)
{
  return cut->length == 1 + WORDNET_DIGITS && cut->value[0] == 'n' &&
         are_digits(cut->value + 1, WORDNET_DIGITS);
}

/* Leaves only the rest of the line as the label. */
static void keep_rest(LabelRow *row, const Cut *cut)
{
  char *rest = g_strndup(cut->rest, cut->rest_length);
  g_free(row->text);
  row->text = rest;
}

/* ---- The header ---- */

static gboolean is_header_word(const char *word)
{
  static const char *const words[] = {
    "category",    "class",       "classid", "classidx", "classindex", "classname", "code",
    "description", "displayname", "id",      "idx",      "ids",        "index",     "label",
    "labelid",     "labelname",   "labels",  "name",     "names",      "no",        "number",
    "synset",      "synsetid",    "target",  "wnid",     "word",       "wordnetid", "words",
  };
  g_autofree char *lower = g_ascii_strdown(word, -1);
  char *to = lower;
  for (const char *from = lower; *from; from++)
    if (!strchr("\"' _-", *from))
      *to++ = *from;
  *to = '\0';
  for (guint i = 0; i < G_N_ELEMENTS(words); i++)
    if (!strcmp(lower, words[i]))
      return TRUE;
  return FALSE;
}

/* Drops the first line if it names at least two columns. */
static void drop_header(Lines *lines)
{
  if (lines->rows->len < 2)
    return;
  g_auto(GStrv) words = g_strsplit_set(vitgate__label_row(lines->rows, 0)->text, "\t,;", -1);
  lines->has_header = g_strv_length(words) >= 2;
  for (char **word = words; *word; word++)
    lines->has_header &= is_header_word(*word);
  if (lines->has_header)
    g_array_remove_index(lines->rows, 0);
}

/* ---- Class numbers ---- */

/* What the numbers in a column look like, taken together. */
typedef struct {
  guint n_numbers;  /* lines with a number */
  guint first;      /* 0 or 1: the lowest number of a class */
  guint n_distinct; /* different numbers of a class */
  guint n_in_place; /* lines whose number is that of their place */
  guint64 largest;
  guint odd; /* first line without a number, or with one that is too large or repeated;
                the number of lines if there is none */
  gboolean rests_differ;
} Numbering;

static gboolean cut_number(const Lines *lines, guint i, const Column *column, Cut *cut,
                           guint64 *number)
{
  if (!cut_column(vitgate__label_row(lines->rows, i)->text, column, cut) || !is_number(cut))
    return FALSE;
  *number = g_ascii_strtoull(cut->value, NULL, 10);
  return TRUE;
}

static Numbering examine(const Lines *lines, const Column *column)
{
  const guint n = lines->rows->len;
  Numbering found = { .first = 1, .odd = n };
  g_autofree guint8 *seen = g_new0(guint8, n);
  Cut cut, before = { 0 };
  guint64 number;
  for (guint i = 0; i < n; i++)
    if (cut_number(lines, i, column, &cut, &number) && number == 0)
      found.first = 0;
  for (guint i = 0; i < n; i++) {
    const gboolean fits = cut_number(lines, i, column, &cut, &number);
    const guint64 index = fits ? number - found.first : 0;
    if (!fits || index >= n || seen[index])
      found.odd = MIN(found.odd, i);
    if (!fits)
      continue;
    if (index < n) {
      found.n_distinct += !seen[index];
      seen[index] = 1;
    }
    if (found.n_numbers++ &&
        (cut.rest_length != before.rest_length || memcmp(cut.rest, before.rest, cut.rest_length)))
      found.rests_differ = TRUE;
    before = cut;
    found.n_in_place += index == i;
    found.largest = MAX(found.largest, number);
  }
  return found;
}

static gboolean refuse_numbers(const Lines *lines, const Column *column, const Numbering *found,
                               GError **error)
{
  Cut cut;
  guint64 number = 0;
  if (!cut_number(lines, found->odd, column, &cut, &number))
    return refuse(lines, found->odd,
                  column->last ? "has no class number after the label, unlike other lines"
                               : "has no class number before the label, unlike other lines",
                  error);
  g_autofree char *what = g_strdup_printf(
      "has the class number %" G_GUINT64_FORMAT ", which is repeated or too large: expected each "
      "of %u to %u once",
      number, found->first, lines->rows->len - 1 + found->first);
  return refuse(lines, found->odd, what, error);
}

/* Takes the class numbers out of the lines.
 * @taken: (out): whether the lines have such a column
 * Returns: FALSE if only a part of them has */
static gboolean take_numbers(const Lines *lines, const Column *column, gboolean *taken,
                             GError **error)
{
  const guint n = lines->rows->len;
  const Numbering found = examine(lines, column);
  *taken = FALSE;
  /* "1 euro", "2 euro" */
  if (!found.n_numbers || (!found.rests_differ && !lines->has_header))
    return TRUE;
  if (found.odd < n) {
    const gboolean mostly_distinct =
        found.n_numbers == n && found.largest <= n && 4 * found.n_distinct >= 3 * n;
    const gboolean mostly_in_place =
        found.n_in_place > n / 2 && found.n_in_place >= 2 + found.first;
    if (mostly_distinct || mostly_in_place || (lines->has_header && found.n_numbers > n / 2))
      return refuse_numbers(lines, column, &found, error);
    return TRUE;
  }
  for (guint i = 0; i < n; i++) {
    LabelRow *row = vitgate__label_row(lines->rows, i);
    Cut cut;
    guint64 number;
    if (cut_number(lines, i, column, &cut, &number)) {
      row->number = (gint64)number;
      keep_rest(row, &cut);
    }
  }
  *taken = TRUE;
  return TRUE;
}

static gboolean find_numbers(const Lines *lines, GError **error)
{
  static const Column columns[] = { { ":", FALSE }, { "\t", FALSE }, { ",", FALSE },
                                    { ";", FALSE }, { " ", FALSE },  { "\t", TRUE },
                                    { ",", TRUE },  { ";", TRUE },   { ":", TRUE } };
  gboolean taken = FALSE;
  for (guint c = 0; c < G_N_ELEMENTS(columns) && !taken; c++)
    if (!take_numbers(lines, &columns[c], &taken, error))
      return FALSE;
  return TRUE;
}

/* ---- Ids ---- */

/* Takes WordNet ids out of the lines, if any line has one. */
static gboolean take_wordnet_ids(const Lines *lines, const Column *column, GError **error)
{
  const guint n = lines->rows->len;
  guint n_ids = 0, without = n;
  Cut cut;
  for (guint i = 0; i < n; i++) {
    if (cut_column(vitgate__label_row(lines->rows, i)->text, column, &cut) && is_wordnet_id(&cut))
      n_ids++;
    else if (without == n)
      without = i;
  }
  if (n_ids && n_ids < n)
    return refuse(lines, without,
                  column->last ? "has no label followed by a WordNet id, unlike other lines"
                               : "has no WordNet id followed by a label, unlike other lines",
                  error);
  for (guint i = 0; n_ids && i < n; i++) {
    LabelRow *row = vitgate__label_row(lines->rows, i);
    if (cut_column(row->text, column, &cut)) {
      row->id = g_strndup(cut.value, cut.length);
      keep_rest(row, &cut);
    }
  }
  return TRUE;
}

/* Takes any ids before a tab out of the lines, if the first line has one. */
static gboolean take_ids(const Lines *lines, GError **error)
{
  gboolean with_ids = FALSE;
  for (guint i = 0; i < lines->rows->len; i++) {
    LabelRow *row = vitgate__label_row(lines->rows, i);
    const char *inner = row->text + strspn(row->text, " \t"), *tab = strchr(inner, '\t');
    if (i == 0)
      with_ids = tab != NULL;
    if (with_ids && !tab)
      return refuse(lines, i, "has no id before a tab, unlike the first line", error);
    if (tab && !with_ids)
      return refuse(lines, i, "has an id before a tab, unlike the first line", error);
    if (!with_ids)
      continue;
    const Cut cut = { .rest = tab + 1, .rest_length = strlen(tab + 1) };
    row->id = g_strndup(inner, (gsize)(tab - inner));
    keep_rest(row, &cut);
  }
  return TRUE;
}

static gboolean find_ids(const Lines *lines, GError **error)
{
  static const Column before = { " \t,;", FALSE }, after = { "\t,;", TRUE };
  return take_wordnet_ids(lines, &before, error) &&
         (vitgate__label_row(lines->rows, 0)->id || take_wordnet_ids(lines, &after, error)) &&
         (vitgate__label_row(lines->rows, 0)->id || take_ids(lines, error));
}

/* ---- Quotes ---- */

/* Returns: (nullable): the end of the quoted field that @text begins with */
static const char *end_of_field(const char *text)
{
  if (*text != '"')
    return NULL;
  for (text++; *text; text++)
    if (*text == '"' && *++text != '"')
      return text;
  return NULL;
}

static void unquote(LabelRow *row)
{
  GString *label = g_string_new(NULL);
  for (const char *at = row->text + 1; at[1]; at++) {
    g_string_append_c(label, *at);
    at += *at == '"'; /* the second one of a pair */
  }
  g_free(row->text);
  row->text = g_string_free(label, FALSE);
}

/* Takes the quotes of CSV off the labels, if any label has them. */
static gboolean take_quotes(const Lines *lines, GError **error)
{
  guint n_quoted = 0;
  for (guint i = 0; i < lines->rows->len; i++) {
    const char *end = end_of_field(vitgate__label_row(lines->rows, i)->text);
    n_quoted += end && !*end;
  }
  for (guint i = 0; n_quoted && i < lines->rows->len; i++) {
    LabelRow *row = vitgate__label_row(lines->rows, i);
    const char *end = end_of_field(row->text);
    if (end ? *end : strpbrk(row->text, "\",") != NULL)
      return refuse(lines, i, "is not one field of CSV, unlike other lines", error);
    if (end)
      unquote(row);
  }
  return TRUE;
}

/* ---- The whole ---- */

static gboolean read_columns(Lines *lines, GError **error)
{
  drop_header(lines);
  if (!find_numbers(lines, error) || !find_ids(lines, error))
    return FALSE;
  const LabelRow *first = vitgate__label_row(lines->rows, 0);
  if (first->id && first->number < 0 && !find_numbers(lines, error))
    return FALSE;
  if (lines->has_header && !first->id && first->number < 0) {
    vitgate__set_error(error, VITGATE_ERROR_LABELS,
                       "%s: line %u has neither a class number nor an id, which line 1 announces",
                       lines->path, first->line);
    return FALSE;
  }
  return take_quotes(lines, error);
}

GArray *vitgate__label_lines_read(char *text, const char *path, GError **error)
{
  g_autoptr(GArray) rows = vitgate__label_rows_new();
  Lines lines = { .path = path, .rows = rows };
  split_lines(&lines, text);
  for (guint i = 0; i < rows->len; i++)
    if (!*vitgate__label_row(rows, i)->text) {
      refuse(&lines, i, "has no label", error);
      return NULL;
    }
  return !rows->len || read_columns(&lines, error) ? g_steal_pointer(&rows) : NULL;
}
