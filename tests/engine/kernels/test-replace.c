/* Packed matrices of which some columns or rows are replaced, against packing the changed matrix
 * from scratch: byte by byte, for every instruction set of this machine, at odd sizes. */
#include <math.h>

#include "fixture.h"
#include "kernels/bf16.h"
#include "kernels/int8.h"
#include "kernels/kernels.h"

enum { MAX = 70, MOST = 20 };

static const guint sizes[] = { 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 70 };

/* The functions of one table, for elements of one type. */
typedef struct {
  const char *name;
  gboolean bytes;                                       /* values are gint8; otherwise float */
  gsize (*size)(gconstpointer table, guint n, guint k); /* bytes of a packed matrix */
  void (*pack)(gconstpointer table, gpointer packed, gconstpointer b, gboolean columns, guint n,
               guint k);
  void (*replace)(gconstpointer table, gpointer packed, gconstpointer b, gboolean columns,
                  const guint *which, guint n_which, guint n, guint k);
} Way;

/* ---- int8 ---- */

static gsize int8_size(gconstpointer table, guint n, guint k)
{
  return vitgate__int8_packed_size(table, n, k);
}

static void int8_pack(gconstpointer table, gpointer packed, gconstpointer b, gboolean columns,
                      guint n, guint k)
{
  const Int8Kernels *kernels = table;
  (columns ? kernels->pack : kernels->pack_transposed)(packed, b, columns ? k : n, n, k);
}

static void int8_replace(gconstpointer table, gpointer packed, gconstpointer b, gboolean columns,
                         const guint *which, guint n_which, guint n, guint k)
{
  const Int8Kernels *kernels = table;
  (columns ? kernels->replace_columns : kernels->replace_rows)(packed, b, which, n_which, n, k);
}

/* ---- float32 and bf16, whose tables have the same functions ---- */

#define DEFINE_WAY(prefix, Table)                                                                  \
  static void prefix##_pack(gconstpointer table, gpointer packed, gconstpointer b,                 \
                            gboolean columns, guint n, guint k)                                    \
  {                                                                                                \
    const Table *kernels = table;                                                                  \
    (columns ? kernels->pack_transposed : kernels->pack)(packed, b, columns ? k : n, n, k);        \
  }                                                                                                \
  static void prefix##_replace(gconstpointer table, gpointer packed, gconstpointer b,              \
                               gboolean columns, const guint *which, guint n_which, guint n,       \
                               guint k)                                                            \
  {                                                                                                \
    const Table *kernels = table;                                                                  \
    (columns ? kernels->replace_columns : kernels->replace_rows)(packed, b, columns ? k : n,       \
                                                                 which, n_which, n, k);            \
  }

DEFINE_WAY(float, Kernels)
DEFINE_WAY(bf16, Bf16Kernels)

static gsize float_size(gconstpointer table, guint n, guint k)
{
  return vitgate__packed_size(n, k) * sizeof(float);
}

static gsize bf16_size(gconstpointer table, guint n, guint k)
{
  return vitgate__bf16_packed_size(n, k) * sizeof(guint16);
}

/* ---- Matrices ---- */

typedef union {
  float floats[MAX * MAX];
  gint8 bytes[MAX * MAX];
} Values;

static void fill(const Way *way, Values *values, gsize n, guint32 *random)
{
  for (gsize i = 0; i < n; i++) {
    const float value = fixture_uniform(random, -127, 127);
    if (way->bytes)
      values->bytes[i] = (gint8)value;
    else
      values->floats[i] = value;
  }
}

static void copy_line(const Way *way, Values *to, guint i, const Values *from, guint j, guint n)
{
  if (way->bytes)
    memcpy(to->bytes + (gsize)i * n, from->bytes + (gsize)j * n, n);
  else
    memcpy(to->floats + (gsize)i * n, from->floats + (gsize)j * n, n * sizeof(float));
}

/* Returns: how many different lines of @n were chosen, in no order */
static guint choose(guint which[MOST], guint n, guint32 *random)
{
  guint n_which = 0;
  const guint wanted = fixture_random(random) % (MIN(n, MOST) + 1);
  while (n_which < wanted) {
    const guint line = fixture_random(random) % n;
    gboolean known = FALSE;
    for (guint i = 0; i < n_which; i++)
      known |= which[i] == line;
    if (!known)
      which[n_which++] = line;
  }
  return n_which;
}

static void check(const Way *way, gconstpointer table, gboolean columns, guint n, guint k,
                  guint32 *random)
{
  static Values whole, some;
  const guint lines = columns ? n : k, length = columns ? k : n;
  guint which[MOST];
  const guint n_which = choose(which, lines, random);
  const gsize size = way->size(table, n, k);
  /* What a table leaves unwritten is the same in both. */
  g_autofree guint8 *changed = g_malloc0(size), *expected = g_malloc0(size);
  fill(way, &whole, (gsize)n * k, random);
  fill(way, &some, (gsize)n_which * length, random);
  way->pack(table, changed, &whole, columns, n, k);
  way->replace(table, changed, &some, columns, which, n_which, n, k);
  for (guint i = 0; i < n_which; i++)
    copy_line(way, &whole, which[i], &some, i, length);
  way->pack(table, expected, &whole, columns, n, k);
  assert_each(!memcmp(changed, expected, size), "%s: %u %s of [%u][%u] are replaced wrongly",
              way->name, n_which, columns ? "columns" : "rows", k, n);
}

static void check_sizes(Way way, const char *name, gconstpointer table)
{
  guint32 random = 5;
  way.name = name;
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
    for (guint j = 0; j < G_N_ELEMENTS(sizes); j++)
      for (guint columns = 0; columns < 2; columns++)
        check(&way, table, columns, sizes[i], sizes[j], &random);
}

START_TEST(replaced_columns_and_rows_are_as_if_packed)
{
  for (const Int8Kernels *const *t = vitgate__int8_kernels_all(); *t; t++)
    check_sizes(
        (Way){ .bytes = TRUE, .size = int8_size, .pack = int8_pack, .replace = int8_replace },
        (*t)->name, *t);
  for (const Kernels *const *t = vitgate__kernels_all(); *t; t++)
    check_sizes((Way){ .size = float_size, .pack = float_pack, .replace = float_replace },
                (*t)->name, *t);
  if (vitgate__bf16_kernels())
    check_sizes((Way){ .size = bf16_size, .pack = bf16_pack, .replace = bf16_replace },
                vitgate__bf16_kernels()->name, vitgate__bf16_kernels());
}
END_TEST

/* ---- Scaling ---- */

static void check_scaling(const Int8Kernels *kernels, guint n, guint k, float factor,
                          guint32 *random)
{
  static gint8 w[MAX * MAX];
  const gsize size = vitgate__int8_packed_size(kernels, n, k);
  g_autofree guint8 *changed = g_malloc0(size), *expected = g_malloc0(size);
  const guint column = fixture_random(random) % n;
  const guint row = k - 1;
  for (gsize i = 0; i < (gsize)n * k; i++)
    w[i] = (gint8)fixture_uniform(random, -127, 127);
  kernels->pack_transposed(changed, w, n, n, k);
  kernels->scale_column(changed, column, factor, n, k);
  for (guint i = 0; i < k; i++)
    w[i * n + column] = (gint8)rintf((float)w[i * n + column] * factor);
  kernels->replace_rows(changed, w + (gsize)row * n, &row, 1, n, k);
  kernels->pack_transposed(expected, w, n, n, k);
  assert_each(!memcmp(changed, expected, size), "%s: column %u of [%u][%u] is not scaled by %g",
              kernels->name, column, k, n, (double)factor);
}

START_TEST(columns_are_scaled)
{
  guint32 random = 9;
  for (const Int8Kernels *const *t = vitgate__int8_kernels_all(); *t; t++)
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
      for (guint j = 0; j < G_N_ELEMENTS(sizes); j++)
        check_scaling(*t, sizes[i], sizes[j], fixture_uniform(&random, 0, 1), &random);
}
END_TEST

int main(void)
{
  TCase *replace = tcase_create("replace");
  tcase_add_test(replace, replaced_columns_and_rows_are_as_if_packed);
  tcase_add_test(replace, columns_are_scaled);
  return fixture_run("replace", replace, NULL);
}
