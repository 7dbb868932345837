/* Runs a harness without libFuzzer, on its corpus and on a fixed number of mutations of it. The
 * mutations are the same in every run.
 *
 * Usage: fuzz-NAME FOLDER N */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define MAX_SIZE 8192

size_t LLVMFuzzerMutate(guint8 *data, gsize size, gsize max_size);
size_t LLVMFuzzerCustomMutator(guint8 *data, gsize size, gsize max_size, guint seed)
    __attribute__((weak));

static GRand *random_numbers;

static guint below(gsize n)
{
  return (guint)g_rand_int_range(random_numbers, 0, (gint32)n);
}

static gsize insert(guint8 *data, gsize size, gsize max_size, gsize at, gsize n)
{
  n = MIN(n, max_size - size);
  memmove(data + at + n, data + at, size - at);
  return size + n;
}

/* Changes, duplicates, moves or removes some bytes. */
size_t LLVMFuzzerMutate(guint8 *data, gsize size, gsize max_size)
{
  static const char interesting[] = "\"{}[]:,;=#\n\t-0123456789eE.\\/'tfn \x00\x7f\x80\xff";
  if (!size)
    return 0;
  const gsize at = below(size), max = size - at, n = 1 + below(MIN(max, 16));
  switch (below(6)) {
  case 0:
    data[at] = (guint8)below(256);
    return size;
  case 1:
    data[at] = (guint8)interesting[below(sizeof interesting - 1)];
    return size;
  case 2:
    data[at] ^= (guint8)(1 << below(8));
    return size;
  case 3:
    memmove(data + at, data + at + n, size - at - n);
    return size - n;
  case 4:
    memmove(data + below(size - n + 1), data + at, n);
    return size;
  default:
    return insert(data, size, max_size, at, n);
  }
}

static void run_mutation(const char *bytes, gsize n)
{
  guint8 *data = g_malloc(MAX_SIZE);
  gsize size = MIN(n, MAX_SIZE);
  memcpy(data, bytes, size);
  for (guint rounds = 1 + below(4); rounds; rounds--)
    size = LLVMFuzzerCustomMutator ? LLVMFuzzerCustomMutator(data, size, MAX_SIZE, below(1 << 30))
                                   : LLVMFuzzerMutate(data, size, MAX_SIZE);
  guint8 *exact = g_memdup2(data, size); /* so that a sanitizer sees any read past the end */
  g_free(data);
  LLVMFuzzerTestOneInput(exact, size);
  g_free(exact);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Returns: (transfer full) (element-type GBytes): the files of a folder, by name */
static GPtrArray *read_corpus(const char *path)
{
  g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
  require(folder != NULL);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  for (const char *name; (name = g_dir_read_name(folder));)
    g_ptr_array_add(names, g_build_filename(path, name, NULL));
  g_ptr_array_sort(names, compare_names);
  GPtrArray *corpus = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  for (guint i = 0; i < names->len; i++) {
    char *bytes;
    gsize n;
    require(g_file_get_contents(names->pdata[i], &bytes, &n, NULL));
    g_ptr_array_add(corpus, g_bytes_new_take(bytes, n));
  }
  return corpus;
}

int main(int argc, char **argv)
{
  require(argc == 3);
  g_autoptr(GPtrArray) corpus = read_corpus(argv[1]);
  const guint n_mutations = (guint)atoi(argv[2]);
  require(corpus->len > 0);
  random_numbers = g_rand_new_with_seed(20240229);
  for (guint i = 0; i < corpus->len + n_mutations; i++) {
    gsize n;
    const char *bytes = g_bytes_get_data(corpus->pdata[i % corpus->len], &n);
    if (i < corpus->len)
      LLVMFuzzerTestOneInput((const guint8 *)bytes, n);
    else
      run_mutation(bytes, n);
  }
  g_rand_free(random_numbers);
  printf("%u files, %u mutations of them\n", corpus->len, n_mutations);
  return 0;
}
