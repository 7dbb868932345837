/* Converts the bytes of a frame to the network's input. Compiled once per instruction set. */
#include "kernels/kernels-isa.h"

/* Converts the bytes of a row from @i on, padded with zeros to a whole vector. */
static inline vec rest_to_floats(const guint8 *row, guint i, guint n)
{
  guint8 rest[LANES] = { 0 };
  memcpy(rest, row + i, n - i);
  return bytes_to_floats(rest);
}

static inline vec round_to_byte(vec x)
{
  return round_vector(min_vector(max_vector(x, zero()), splat(255.0f)));
}

/* Converts the samples of two bytes of a row from @i on, padded with zeros to a whole vector. */
static inline vec rest_of_shorts(const guint8 *row, guint i, guint n)
{
  guint8 rest[2 * LANES] = { 0 };
  memcpy(rest, row + 2 * i, 2 * (n - i));
  return shorts_to_floats(rest);
}

/* Both kernels below: @wide tells apart samples of two bytes and of one, when compiled. */
static inline __attribute__((always_inline)) void interleave(float *out, const guint8 *in,
                                                             gsize in_stride, gboolean wide,
                                                             float scale, guint n_rows, guint n)
{
  for (guint group = 0; group < IMAGE_LINES; group += LANES)
    for (guint i = 0; i < n; i += LANES) {
      vec v[LANES];
      const gboolean whole = i + LANES <= n && group + LANES <= n_rows;
#pragma GCC unroll 16
      for (guint row = 0; row < LANES; row++) {
        const guint8 *line = in + (group + row) * in_stride;
        if (group + row >= n_rows)
          v[row] = zero();
        else if (wide)
          v[row] = scale * (whole ? shorts_to_floats(line + 2 * i)
                                  : rest_of_shorts(line, i, MIN(n, i + LANES)));
        else
          v[row] = whole ? bytes_to_floats(line + i) : rest_to_floats(line, i, MIN(n, i + LANES));
      }
      transpose(v);
#pragma GCC unroll 16
      for (guint column = 0; column < LANES; column++)
        if (whole || i + column < n)
          store(out + (gsize)(i + column) * IMAGE_LINES + group, v[column]);
    }
}

void KERNEL(interleave_rows)(float *out, const guint8 *in, gsize in_stride, guint n_rows, guint n)
{
  interleave(out, in, in_stride, FALSE, 1, n_rows, n);
}

void KERNEL(interleave_rows16)(float *out, const guint8 *in, gsize in_stride, float scale,
                               guint n_rows, guint n)
{
  interleave(out, in, in_stride, TRUE, scale, n_rows, n);
}

void KERNEL(resample_columns)(guint8 *out, gsize out_stride, const float *in, gsize step,
                              const guint *starts, const float *weights, guint taps, guint n_rows,
                              guint n)
{
  const gsize distance = step * IMAGE_LINES;
  for (guint group = 0; group < n_rows; group += LANES)
    for (guint x = 0; x < n; x += LANES) {
      const guint columns = MIN(n - x, LANES), rows = MIN(n_rows - group, LANES);
      vec v[LANES] = { 0 };
      for (guint i = 0; i < columns; i++) {
        const float *source = in + starts[x + i] * distance + group;
        const float *w = weights + (gsize)(x + i) * taps;
        vec even = zero(), odd = zero();
        guint t = 0;
        for (; t + 1 < taps; t += 2) {
          even += load(source + t * distance) * w[t];
          odd += load(source + (t + 1) * distance) * w[t + 1];
        }
        if (t < taps)
          even += load(source + t * distance) * w[t];
        v[i] = round_to_byte(even + odd);
      }
      transpose(v);
      for (guint row = 0; row < rows; row++) {
        bytes b = floats_to_bytes(v[row]);
        memcpy(out + (group + row) * out_stride + x, &b, columns);
      }
    }
}

void KERNEL(resample_rows)(float *out, const guint8 *in, gsize in_stride, const float *weights,
                           guint taps, guint n)
{
  guint i = 0;
  for (; i + LANES <= n; i += LANES) {
    vec sum = zero();
    for (guint t = 0; t < taps; t++)
      sum += bytes_to_floats(in + t * in_stride + i) * weights[t];
    store(out + i, round_to_byte(sum));
  }
  if (i < n) {
    vec sum = zero();
    for (guint t = 0; t < taps; t++)
      sum += rest_to_floats(in + t * in_stride, i, n) * weights[t];
    sum = round_to_byte(sum);
    memcpy(out + i, &sum, (n - i) * sizeof *out);
  }
}

void KERNEL(convert_colors)(float *const out[3], const float *const in[3], const float matrix[3][3],
                            const float offset[3], const float scale[3], const float shift[3],
                            guint n)
{
  for (guint c = 0; c < 3; c++) {
    const float *m = matrix[c];
    guint i = 0;
    for (; i + LANES <= n; i += LANES) {
      vec v = load(in[0] + i) * m[0] + load(in[1] + i) * m[1] + load(in[2] + i) * m[2] + offset[c];
      v = min_vector(max_vector(v, zero()), splat(255.0f));
      store(out[c] + i, v * scale[c] + shift[c]);
    }
    for (; i < n; i++) {
      float v = in[0][i] * m[0] + in[1][i] * m[1] + in[2][i] * m[2] + offset[c];
      out[c][i] = CLAMP(v, 0.0f, 255.0f) * scale[c] + shift[c];
    }
  }
}
