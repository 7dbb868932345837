/* Reads any bytes as labels.tsv. If the table is accepted, its entries are valid. */
#include "data/labels-tsv.h"

#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
  g_autoptr(GBytes) text =
      g_bytes_new(data, size); /* so that a sanitizer sees any read past the end */
  g_autoptr(GError) error = NULL;
  g_autoptr(GHashTable) labels = labels_tsv_parse(text, &error);
  if (!fuzz_succeeded(labels != NULL, error)) {
    require(g_str_has_prefix(error->message, "labels.tsv"));
    return 0;
  }
  GHashTableIter files;
  gpointer file, label;
  g_hash_table_iter_init(&files, labels);
  while (g_hash_table_iter_next(&files, &file, &label)) {
    const FileLabel *of = label;
    require(*(const char *)file && !strpbrk(file, "\t\n") && of->class_index >= -1);
    require(!of->class_id || (*of->class_id && !strpbrk(of->class_id, "\t\n")));
  }
  return 0;
}
