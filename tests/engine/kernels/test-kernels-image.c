/* Compares the image kernels of every instruction set of this machine with plain C in double
 * precision, at odd sizes, on guarded arrays. */
#include <math.h>

#include "float-values.h"

/* Maximum error in float of a sum of up to forty products of a byte and a weight below 1. */
#define SUM_TOLERANCE 1e-3

/* Maximum error of a sum of three products of a byte and a number below 3 of a colour matrix, per
 * unit of the scale. */
#define COLOR_TOLERANCE 2e-4

static const guint widths[] = { 1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 16, 17, 24, 31, 33, 48, 65, 224 };
static const guint taps_list[] = { 1, 2, 3, 4, 5, 8, 13, 40 };

static Guarded *outs, *ins, *weights_area, *starts_area;

static void set_up(void)
{
  outs = guarded_new(1 << 18);
  ins = guarded_new(1 << 18);
  weights_area = guarded_new(1 << 16);
  starts_area = guarded_new(1 << 16);
}

static void tear_down(void)
{
  guarded_free(outs);
  guarded_free(ins);
  guarded_free(weights_area);
  guarded_free(starts_area);
}

static guint8 *place_bytes(gsize n, GuardedPlace where, guint32 *random)
{
  guint8 *bytes = guarded_place(ins, n, where);
  for (gsize i = 0; i < n; i++)
    bytes[i] = (guint8)(fixture_random(random) >> 8);
  return bytes;
}

/* Returns: random weights [n][taps], some negative, as in bicubic; some sums exceed 0 … 255 */
static float *place_weights(guint n, guint taps, guint32 *random)
{
  float *weights = guarded_place(weights_area, (gsize)n * taps * sizeof(float), GUARDED_END);
  for (guint i = 0; i < n; i++)
    for (guint t = 0; t < taps; t++)
      weights[i * taps + t] = (fixture_uniform(random, -0.3f, 1.0f)) / (0.35f * (float)taps);
  return weights;
}

/* Returns: whether @found is @sum, clamped to 0 … 255 and rounded; half way between two integers it
 * may be either */
static gboolean is_rounded(double found, double sum)
{
  return found == floor(found) && found >= 0 && found <= 255 &&
         fabs(found - CLAMP(sum, 0, 255)) <= 0.5 + SUM_TOLERANCE;
}

/* ---- Interleaved rows ---- */

static void check_interleaved(const Kernels *kernels, guint rows, guint n, guint gap,
                              GuardedPlace where, guint32 *random)
{
  const gsize stride = n + gap;
  const guint8 *in = place_bytes((rows - 1) * stride + n, where, random);
  float *out = guarded_place(outs, (gsize)n * IMAGE_LINES * sizeof(float), where);
  kernels->interleave_rows(out, in, stride, rows, n);
  for (guint i = 0; i < n; i++)
    for (guint row = 0; row < IMAGE_LINES; row++)
      assert_each(out[i * IMAGE_LINES + row] == (row < rows ? in[row * stride + i] : 0),
                  "%s: byte %u of row %u of %u is %g", kernels->name, i, row, rows,
                  out[i * IMAGE_LINES + row]);
  assert_each(guarded_intact(outs), "%s: interleave_rows writes beside", kernels->name);
}

START_TEST(rows_are_interleaved)
{
  guint32 random = 1;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(widths); i++)
    for (guint rows = 1; rows <= IMAGE_LINES; rows++)
      for (guint where = GUARDED_END; where <= GUARDED_START; where++)
        check_interleaved(kernels, rows, widths[i], rows % 4, where, &random);
}
END_TEST

static void check_interleaved_16(const Kernels *kernels, guint rows, guint n, guint gap,
                                 GuardedPlace where, guint32 *random)
{
  const gsize stride = 2 * (gsize)n + gap;
  const guint8 *in = place_bytes((rows - 1) * stride + 2 * (gsize)n, where, random);
  float *out = guarded_place(outs, (gsize)n * IMAGE_LINES * sizeof(float), where);
  kernels->interleave_rows16(out, in, stride, 0.25f, rows, n);
  for (guint i = 0; i < n; i++)
    for (guint row = 0; row < IMAGE_LINES; row++) {
      const guint8 *sample = in + row * stride + 2 * i;
      const float expected = row < rows ? 0.25f * (float)(sample[0] + 256 * sample[1]) : 0;
      assert_each(out[i * IMAGE_LINES + row] == expected,
                  "%s: sample %u of row %u of %u is %g, not %g", kernels->name, i, row, rows,
                  out[i * IMAGE_LINES + row], expected);
    }
  assert_each(guarded_intact(outs), "%s: interleave_rows16 writes beside", kernels->name);
}

START_TEST(rows_of_two_bytes_are_interleaved_and_scaled)
{
  guint32 random = 5;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(widths); i++)
    for (guint rows = 1; rows <= IMAGE_LINES; rows++)
      for (guint where = GUARDED_END; where <= GUARDED_START; where++)
        check_interleaved_16(kernels, rows, widths[i], rows % 4, where, &random);
}
END_TEST

/* ---- Columns ---- */

typedef struct {
  guint rows, n, taps, step, out_gap;
  GuardedPlace where;
} Columns;

static void check_columns(const Kernels *kernels, const Columns *c, guint32 *random)
{
  const guint n_in = c->taps + 40;
  guint *starts = guarded_place(starts_area, c->n * sizeof(guint), GUARDED_END);
  const float *weights = place_weights(c->n, c->taps, random);
  gsize length = ((gsize)(n_in - 1) * c->step + 1) * IMAGE_LINES;
  float *in = guarded_place(ins, length * sizeof(float), c->where);
  const gsize stride = c->n + c->out_gap;
  guint8 *out = guarded_place(outs, (c->rows - 1) * stride + c->n, c->where);
  for (gsize i = 0; i < length; i++)
    in[i] = (float)(fixture_random(random) >> 24);
  for (guint x = 0; x < c->n; x++)
    starts[x] = x + 1 == c->n ? n_in - c->taps : fixture_random(random) % 40;
  memset(out, 0x77, (c->rows - 1) * stride + c->n);

  kernels->resample_columns(out, stride, in, c->step, starts, weights, c->taps, c->rows, c->n);
  for (guint row = 0; row < c->rows; row++) {
    for (guint x = 0; x < c->n; x++) {
      double sum = 0;
      for (guint t = 0; t < c->taps; t++)
        sum += (double)weights[x * c->taps + t] *
               in[(gsize)(starts[x] + t) * c->step * IMAGE_LINES + row];
      assert_each(is_rounded(out[row * stride + x], sum),
                  "%s: row %u, column %u of %u, %u taps: %u, expected %g", kernels->name, row, x,
                  c->n, c->taps, out[row * stride + x], sum);
    }
    for (guint x = c->n; x < stride && row + 1 < c->rows; x++)
      assert_each(out[row * stride + x] == 0x77, "%s writes between the rows", kernels->name);
  }
  assert_each(guarded_intact(outs), "%s: resample_columns writes beside", kernels->name);
}

START_TEST(columns_are_weighted_and_rounded)
{
  guint32 random = 2;
  guint variant = 0;
  FOR_ALL_KERNELS(kernels)
  for (guint n = 0; n < G_N_ELEMENTS(widths) - 1; n++)
    for (guint taps = 0; taps < G_N_ELEMENTS(taps_list); taps++)
      for (guint rows = 1; rows <= IMAGE_LINES; rows += rows < 4 ? 1 : 4, variant++) {
        Columns c = { rows,
                      widths[n],
                      taps_list[taps],
                      variant % 4 + 1,
                      variant % 3,
                      variant % 2 ? GUARDED_END : GUARDED_START };
        check_columns(kernels, &c, &random);
        c.rows = IMAGE_LINES - rows + 1;
        check_columns(kernels, &c, &random);
      }
}
END_TEST

/* ---- Rows ---- */

static void check_rows(const Kernels *kernels, guint n, guint taps, guint gap, GuardedPlace where,
                       guint32 *random)
{
  const gsize stride = n + gap;
  const guint8 *in = place_bytes((taps - 1) * stride + n, where, random);
  const float *weights = place_weights(1, taps, random);
  float *out = guarded_place(outs, n * sizeof(float), where);
  kernels->resample_rows(out, in, stride, weights, taps, n);
  for (guint i = 0; i < n; i++) {
    double sum = 0;
    for (guint t = 0; t < taps; t++)
      sum += (double)weights[t] * in[t * stride + i];
    assert_each(is_rounded(out[i], sum), "%s: column %u of %u, %u taps: %g, expected %g",
                kernels->name, i, n, taps, out[i], sum);
  }
  assert_each(guarded_intact(outs), "%s: resample_rows writes beside", kernels->name);
}

START_TEST(rows_are_weighted_and_rounded)
{
  guint32 random = 3;
  FOR_ALL_KERNELS(kernels)
  for (guint n = 0; n < G_N_ELEMENTS(widths); n++)
    for (guint taps = 0; taps < G_N_ELEMENTS(taps_list); taps++)
      for (guint gap = 0; gap < 4; gap++)
        for (guint where = GUARDED_END; where <= GUARDED_START; where++)
          check_rows(kernels, widths[n], taps_list[taps], gap, where, &random);
}
END_TEST

/* ---- Colours ---- */

/* BT.709 in limited range, normalised for ImageNet. Most results are outside 0 … 255. */
static const float matrix[3][3] = { { 1.1644f, 0, 1.7927f },
                                    { 1.1644f, -0.2132f, -0.5329f },
                                    { 1.1644f, 2.1124f, 0 } };
static const float offset[3] = { -248.1f, 76.9f, -289.0f };
static const float scale[3] = { 0.01712f, 0.01751f, 0.01743f };
static const float shift[3] = { -2.1179f, -2.0357f, -1.8044f };

static void check_colors(const Kernels *kernels, guint n, GuardedPlace where, guint32 *random)
{
  Guarded *const in_areas[] = { ins, weights_area, starts_area };
  const float *in[3];
  float *out[3], *planes = guarded_place(outs, (gsize)3 * n * sizeof(float), where);
  for (guint c = 0; c < 3; c++) {
    float *values = guarded_place(in_areas[c], n * sizeof(float), where);
    for (guint i = 0; i < n; i++)
      values[i] = (float)(fixture_random(random) >> 24);
    in[c] = values;
    out[c] = planes + c * n;
  }
  kernels->convert_colors(out, in, matrix, offset, scale, shift, n);
  for (guint c = 0; c < 3; c++)
    for (guint i = 0; i < n; i++) {
      double value = offset[c];
      for (guint j = 0; j < 3; j++)
        value += (double)matrix[c][j] * in[j][i];
      const double expected = scale[c] * CLAMP(value, 0, 255) + shift[c];
      assert_each(fabs(out[c][i] - expected) <= scale[c] * COLOR_TOLERANCE,
                  "%s: colour %u, pixel %u of %u: %.9g, expected %.9g", kernels->name, c, i, n,
                  out[c][i], expected);
    }
  assert_each(guarded_intact(outs), "%s: convert_colors writes beside", kernels->name);
}

START_TEST(colors_are_converted_and_clamped)
{
  guint32 random = 4;
  FOR_ALL_KERNELS(kernels)
  for (guint i = 0; i < G_N_ELEMENTS(widths); i++)
    for (guint round = 0; round < 8; round++)
      check_colors(kernels, widths[i], round % 2 ? GUARDED_END : GUARDED_START, &random);
}
END_TEST

START_TEST(colors_may_come_from_one_plane)
{
  float gray[100], tensor[3][100], *const out[3] = { tensor[0], tensor[1], tensor[2] };
  const float *const in[3] = { gray, gray, gray };
  const float gray_matrix[3][3] = { { 1 }, { 1 }, { 1 } }, no_offset[3] = { 0 };
  FOR_ALL_KERNELS(kernels)
  {
    for (guint i = 0; i < 100; i++)
      gray[i] = (float)i;
    kernels->convert_colors(out, in, gray_matrix, no_offset, scale, shift, 100);
    for (guint c = 0; c < 3; c++)
      for (guint i = 0; i < 100; i++)
        assert_each(fabs(tensor[c][i] - ((double)scale[c] * i + shift[c])) <=
                        scale[c] * COLOR_TOLERANCE,
                    "%s: gray %u is %.9g in colour %u", kernels->name, i, tensor[c][i], c);
  }
}
END_TEST

int main(void)
{
  TCase *kernels = tcase_create("kernels");
  tcase_add_checked_fixture(kernels, set_up, tear_down);
  tcase_add_test(kernels, rows_are_interleaved);
  tcase_add_test(kernels, rows_of_two_bytes_are_interleaved_and_scaled);
  tcase_add_test(kernels, columns_are_weighted_and_rounded);
  tcase_add_test(kernels, rows_are_weighted_and_rounded);
  tcase_add_test(kernels, colors_are_converted_and_clamped);
  tcase_add_test(kernels, colors_may_come_from_one_plane);
  return fixture_run("kernels-image", kernels, NULL);
}
