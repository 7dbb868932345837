#include "image/resample.h"

#include <math.h>
#include <string.h>

/* Keys' cubic convolution with a = -1/2. */
static double cubic(double x)
{
  const double a = -0.5;
  x = fabs(x);
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double triangle(double x)
{
  return MAX(0, 1 - fabs(x));
}

typedef struct {
  int start, end;
  double center;
} Window;

static Window find_window(guint n_in, double scale, double phase, double support, int out)
{
  double center = (out + 0.5) * scale + phase;
  Window w = { MAX(0, (int)floor(center - support + 0.5)),
               MIN((int)n_in, (int)floor(center + support + 0.5)), center };
  /* Beyond the last sample of an odd plane, use the nearest one. */
  w.start = MIN(w.start, (int)n_in - 1);
  w.end = MAX(w.end, w.start + 1);
  return w;
}

/* Returns: how many input samples the filter reaches on either side of an output sample */
static double support_of(const Resampler *r, double scale)
{
  return (r->bicubic ? 2 : 1) * MAX(scale, 1);
}

gboolean vitgate__resampler_init(Resampler *r, guint n_in, guint n_out, double max_scale,
                                 gboolean bicubic)
{
  *r = (Resampler){ .n_in = n_in, .n_out = n_out, .bicubic = bicubic };
  /* Depending on its position, a window covers up to one sample more than its width. */
  const gsize max_taps = MIN(n_in, (guint)(2 * support_of(r, max_scale)) + 2);
  r->starts = g_try_new(guint, n_out);
  r->weights = g_try_new(float, n_out *max_taps);
  r->window = g_try_new(double, max_taps);
  return r->starts && r->weights && r->window;
}

static void fill_weights(Resampler *r, float *weights, Window w, double stretch)
{
  double (*filter)(double) = r->bicubic ? cubic : triangle;
  double sum = 0;
  for (int x = w.start; x < w.end; x++)
    sum += r->window[x - w.start] = filter((x + 0.5 - w.center) / stretch);
  for (int x = w.start; x < w.end; x++)
    weights[x - w.start] = sum ? (float)(r->window[x - w.start] / sum) : 1.0f;
}

void vitgate__resampler_plan(Resampler *r, double scale, double phase, int first_out)
{
  const double support = support_of(r, scale);
  guint taps = 1, end = 0, first = r->n_in;
  for (guint i = 0; i < r->n_out; i++) {
    Window w = find_window(r->n_in, scale, phase, support, first_out + (int)i);
    taps = MAX(taps, (guint)(w.end - w.start));
    first = MIN(first, (guint)w.start);
    end = MAX(end, (guint)w.end);
  }
  r->taps = MIN(taps, end - first);
  r->first = first;
  r->count = end - first;
  memset(r->weights, 0, (gsize)r->n_out * r->taps * sizeof *r->weights);
  for (guint i = 0; i < r->n_out; i++) {
    Window w = find_window(r->n_in, scale, phase, support, first_out + (int)i);
    /* Every window reads taps samples. A window that would reach past the end starts earlier. */
    guint start = MIN((guint)w.start - first, r->count - r->taps);
    float *weights = r->weights + (gsize)i * r->taps + ((guint)w.start - first - start);
    fill_weights(r, weights, w, MAX(scale, 1));
    r->starts[i] = start;
  }
}

void vitgate__resampler_mirror(Resampler *r)
{
  for (guint low = 0, high = r->n_out - 1; low < high; low++, high--) {
    guint start = r->starts[low];
    r->starts[low] = r->starts[high];
    r->starts[high] = start;
    float *a = r->weights + (gsize)low * r->taps, *b = r->weights + (gsize)high * r->taps;
    for (guint t = 0; t < r->taps; t++) {
      float weight = a[t];
      a[t] = b[t];
      b[t] = weight;
    }
  }
}

void vitgate__resampler_clear(Resampler *r)
{
  g_clear_pointer(&r->starts, g_free);
  g_clear_pointer(&r->weights, g_free);
  g_clear_pointer(&r->window, g_free);
}
