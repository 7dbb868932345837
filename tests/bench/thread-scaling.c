/* How much faster two threads are than one: on one image at a time, and as two streams of one
 * thread each. The kinds take turns, so that a machine that changes its speed does so for all.
 * usage: thread-scaling MODEL [PRECISION [ROUNDS]] */
#include <stdio.h>
#include <stdlib.h>

#include "vitgate.h"

#define SECONDS 0.25 /* of one turn */
#define SIZE    224
#define MOST    2

/* A number of streams, each with a session of its own. */
typedef struct {
  const char *name;
  guint streams, threads;
  VitgateSession *sessions[MOST];
  GArray *rates; /* (element-type double): images per second, one value per round */
} Kind;

typedef struct {
  VitgateSession *session;
  const VitgateImage *image;
  gint64 end;
  guint images;
  GError *error;
} Turn;

/* Draws edges and texture, always the same: work depends on the picture if tokens are merged. */
static void draw(guint8 *pixels)
{
  guint32 noise = 1;
  for (int y = 0; y < SIZE; y++)
    for (int x = 0; x < SIZE; x++, pixels += 3) {
      const int dx = x - SIZE / 2, dy = y - SIZE / 2;
      const gboolean inside = dx * dx + dy * dy < 60 * 60;
      noise = noise * 1664525u + 1013904223u;
      for (int c = 0; c < 3; c++)
        pixels[c] = (guint8)((inside ? 190 - 50 * c : 60 + 40 * c + (x + y) / 8) + (noise >> 27));
    }
}

static gpointer classify(gpointer data)
{
  Turn *turn = data;
  while (!turn->error && g_get_monotonic_time() < turn->end)
    if (vitgate_session_classify(turn->session, turn->image, 1, &turn->error))
      turn->images++;
  return NULL;
}

static gboolean take_turn(Kind *kind, const VitgateImage *image, GError **error)
{
  Turn turns[MOST] = { 0 };
  GThread *threads[MOST] = { 0 };
  const gint64 start = g_get_monotonic_time();
  double images = 0;
  gboolean fine = TRUE;
  for (guint i = 0; i < kind->streams; i++) {
    turns[i] = (Turn){ .session = kind->sessions[i],
                       .image = image,
                       .end = start + (gint64)(SECONDS * G_USEC_PER_SEC) };
    threads[i] = i ? g_thread_new("stream", classify, &turns[i]) : NULL;
  }
  classify(&turns[0]);
  for (guint i = 0; i < kind->streams; i++) {
    if (threads[i])
      g_thread_join(threads[i]);
    images += turns[i].images;
    fine = fine && !turns[i].error;
    if (turns[i].error && !*error)
      *error = g_steal_pointer(&turns[i].error);
    g_clear_error(&turns[i].error);
  }
  const double rate = images * G_USEC_PER_SEC / (double)(g_get_monotonic_time() - start);
  g_array_append_val(kind->rates, rate);
  return fine;
}

static int compare(gconstpointer a, gconstpointer b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(GArray *values)
{
  g_array_sort(values, compare);
  return g_array_index(values, double, values->len / 2);
}

static void report(Kind *kinds, guint n)
{
  g_autofree GArray **ratios = g_new0(GArray *, n);
  for (guint k = 0; k < n; k++) {
    ratios[k] = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint round = 0; round < kinds[k].rates->len; round++) {
      const double ratio = g_array_index(kinds[k].rates, double, round) /
                           g_array_index(kinds[0].rates, double, round);
      g_array_append_val(ratios[k], ratio);
    }
  }
  for (guint k = 0; k < n; k++) {
    const double ratio = median(ratios[k]), rate = median(kinds[k].rates);
    printf("%-26s %8.1f images/s  %5.2f x  (best %.1f)\n", kinds[k].name, rate, ratio,
           g_array_index(kinds[k].rates, double, kinds[k].rates->len - 1));
    g_array_unref(ratios[k]);
  }
}

static gboolean run(const char *path, const char *precision, guint rounds, GError **error)
{
  static guint8 pixels[SIZE * SIZE * 3];
  Kind kinds[] = { { "1 stream of 1 thread", 1, 1 },
                   { "1 stream of 2 threads", 1, 2 },
                   { "2 streams of 1 thread each", 2, 1 } };
  const VitgateImage image = { .format = VITGATE_PIXELS_RGB,
                               .width = SIZE,
                               .height = SIZE,
                               .planes = { pixels },
                               .strides = { 3 * SIZE } };
  VitgatePrecision parsed;
  if (!vitgate_precision_parse(precision, &parsed, error))
    return FALSE;
  g_autoptr(VitgateModel) model = vitgate_model_open_with(path, parsed, error);
  gboolean fine = model != NULL;
  draw(pixels);
  for (guint k = 0; k < G_N_ELEMENTS(kinds); k++) {
    const VitgateSessionOptions options = { .threads = kinds[k].threads, .max_batch = 1 };
    kinds[k].rates = g_array_new(FALSE, FALSE, sizeof(double));
    for (guint i = 0; fine && i < kinds[k].streams; i++)
      fine = (kinds[k].sessions[i] = vitgate_session_new(model, &options, error)) != NULL;
  }
  /* The first round fills the caches. */
  for (guint round = 0; fine && round <= rounds; round++)
    for (guint i = 0; fine && i < G_N_ELEMENTS(kinds); i++) {
      Kind *kind = &kinds[round % 2 ? G_N_ELEMENTS(kinds) - 1 - i : i];
      fine = take_turn(kind, &image, error);
      g_array_set_size(kind->rates, round ? kind->rates->len : 0);
    }
  if (fine) {
    printf("%s, %s, batch 1, %u rounds; medians, ratios within a round\n", path,
           vitgate_precision_name(vitgate_model_get_info(model)->precision), rounds);
    report(kinds, G_N_ELEMENTS(kinds));
  }
  for (guint k = 0; k < G_N_ELEMENTS(kinds); k++) {
    for (guint i = 0; i < MOST; i++)
      vitgate_session_free(&kinds[k].sessions[i]);
    g_array_unref(kinds[k].rates);
  }
  return fine;
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  const int rounds = argc > 3 ? atoi(argv[3]) : 20;
  if (argc < 2 || argc > 4 || rounds < 1) {
    fprintf(stderr, "usage: thread-scaling MODEL [PRECISION [ROUNDS]]\n");
    return 2;
  }
  if (!run(argv[1], argc > 2 ? argv[2] : "auto", (guint)rounds, &error)) {
    fprintf(stderr, "thread-scaling: %s\n", error->message);
    return 1;
  }
  return 0;
}
