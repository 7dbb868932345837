#include "fleet/text-table.h"

#include "base/clean-text.h"

#define GAP 2 /* between columns, characters */

static glong width_of(const GPtrArray *rows, guint column)
{
  glong width = 0;
  for (guint i = 0; i < rows->len; i++)
    width = MAX(width, g_utf8_strlen(((GStrv)rows->pdata[i])[column], -1));
  return width;
}

/* Cells may come from other machines. */
static GPtrArray *clean(const GPtrArray *rows)
{
  GPtrArray *cleaned = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
  for (guint i = 0; i < rows->len; i++) {
    g_autoptr(GStrvBuilder) cells = g_strv_builder_new();
    for (char **cell = rows->pdata[i]; *cell; cell++) {
      g_autofree char *text = vitgate__clean_text(*cell);
      g_strv_builder_add(cells, text);
    }
    g_ptr_array_add(cleaned, g_strv_builder_end(cells));
  }
  return cleaned;
}

char *text_table(const GPtrArray *rows)
{
  g_autoptr(GPtrArray) cleaned = clean(rows);
  const guint n = cleaned->len ? g_strv_length(cleaned->pdata[0]) : 0;
  g_autofree glong *widths = g_new(glong, n + 1);
  GString *text = g_string_new(NULL);
  for (guint k = 0; k < n; k++)
    widths[k] = width_of(cleaned, k);
  for (guint i = 0; i < cleaned->len; i++) {
    char **cells = cleaned->pdata[i];
    for (guint k = 0; k < n; k++) {
      const glong padding = k + 1 < n ? widths[k] + GAP - g_utf8_strlen(cells[k], -1) : 0;
      g_string_append_printf(text, "%s%*s", cells[k], (int)padding, "");
    }
    g_string_append_c(text, '\n');
  }
  return g_string_free(text, FALSE);
}
