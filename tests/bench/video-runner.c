/* Runs several ways to classify a clip side by side, and answers the commands described in
 * README.md.
 * usage: video-runner MODEL PRECISION CLIP WIDTH HEIGHT LOGITS SCENE CONTESTANT… */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vitgate.h"

/* One way to classify the clip, with a session and a stream of its own. */
typedef struct {
  VitgateSession *session;
  VitgateStream *stream; /* NULL: each frame is classified by itself */
  VitgateStreamOptions options;
  float *tensor;
  guint64 hash; /* as the element uses it: of the tensor's image, if the frame before stood still */
  gboolean still; /* the last frame was unchanged */
  gboolean fresh; /* the stream forgets before each frame */
  gint64 ns[3];   /* CPU time of pre-processing, of looking at the frame, of the network */
} Contestant;

typedef struct {
  guint width, height, scene; /* scene: frames after which streams forget; 0: never */
  const guint8 *frames;
  guint n_frames, next;
  FILE *logits;
  Contestant *contestants;
  guint n;
} Runner;

static gboolean fail(GError **error, const char *text)
{
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s", text);
  return FALSE;
}

/* With one thread, all work is done on the calling one. */
static gint64 cpu_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (gint64)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Reads a contestant such as "stream=1,eager=1,compute=0.4". Fields that are absent have their
 * defaults. */
static gboolean start(Contestant *c, VitgateModel *model, const char *text, GError **error)
{
  VitgateStreamOptions *o = &c->options;
  gboolean stream = FALSE;
  g_auto(GStrv) fields = g_strsplit(text, ",", 0);
  c->session = vitgate_session_new(model, NULL, error);
  if (!c->session)
    return FALSE;
  const gsize size = vitgate_model_get_info(model)->image_size;
  c->tensor = g_new(float, 3 * size * size);
  *o = vitgate_stream_default_options();
  for (guint i = 0; fields[i]; i++) {
    const char *equals = strchr(fields[i], '=');
    const double value = equals ? g_ascii_strtod(equals + 1, NULL) : 1;
    if (g_str_has_prefix(fields[i], "stream"))
      stream = value != 0;
    else if (g_str_has_prefix(fields[i], "temporal"))
      o->temporal = value != 0;
    else if (g_str_has_prefix(fields[i], "eager"))
      o->eager = value != 0;
    else if (g_str_has_prefix(fields[i], "fresh"))
      c->fresh = value != 0;
    else if (g_str_has_prefix(fields[i], "compute"))
      vitgate_session_set_compute(c->session, value);
    else if (g_str_has_prefix(fields[i], "unchanged"))
      o->unchanged = value;
    else if (g_str_has_prefix(fields[i], "changed"))
      o->changed = value;
    else if (g_str_has_prefix(fields[i], "interval"))
      o->interval = (guint)value;
    else
      return fail(error, fields[i]);
  }
  c->stream = stream ? vitgate_stream_new(model, o, error) : NULL;
  return !stream || c->stream;
}

static const VitgateResult *classify(Runner *r, Contestant *c, const VitgateImage *image,
                                     GError **error)
{
  const gboolean cut = c->fresh || (r->scene && r->next % r->scene == 0);
  const VitgateResult *result = NULL;
  if (c->stream && cut)
    vitgate_stream_forget(c->stream);
  const gint64 first = cpu_ns();
  const guint64 hash = c->still ? vitgate_image_hash(image) : 0;
  if (!(hash && hash == c->hash) &&
      !vitgate_session_preprocess(c->session, image, c->tensor, error))
    return NULL;
  c->hash = hash;
  const gint64 second = cpu_ns();
  if (c->stream)
    c->still =
        vitgate_stream_look(c->stream, c->session, c->tensor)->pass == VITGATE_PASS_UNCHANGED;
  const gint64 third = cpu_ns();
  if (c->stream)
    result = vitgate_session_follow(c->session, &c->stream, c->tensor, 1, error);
  else
    result = vitgate_session_forward(c->session, c->tensor, 1, error);
  c->ns[0] = second - first;
  c->ns[1] = third - second;
  c->ns[2] = cpu_ns() - third;
  return result;
}

/* Prints [[pre-processing ns, looking ns, network ns, GMACs, pass, reason, patches, change] of each
 * contestant] */
static gboolean run_frame(Runner *r, GError **error)
{
  const gsize pixels = (gsize)r->width * r->height, chroma = (r->width + 1) / 2;
  const guint8 *planes = r->frames + r->next * (pixels + 2 * chroma * ((r->height + 1) / 2));
  const VitgateImage image = {
    .format = VITGATE_PIXELS_I420,
    .width = r->width,
    .height = r->height,
    .planes = { planes, planes + pixels, planes + pixels + chroma * ((r->height + 1) / 2) },
    .strides = { r->width, chroma, chroma },
  };
  printf("[");
  for (guint i = 0; i < r->n; i++) {
    Contestant *c = &r->contestants[i];
    const VitgateResult *result = classify(r, c, &image, error);
    if (!result)
      return FALSE;
    const VitgateDecision *d = result->decision, none = { 0 };
    fwrite(result->logits, sizeof(float), result->n_classes, r->logits);
    printf("%s[%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT
           ",%.6f,\"%s\",\"%s\",%u,%.6f]",
           i ? "," : "", c->ns[0], c->ns[1], c->ns[2], result->gmacs,
           d ? vitgate_pass_name(d->pass) : "", d ? vitgate_reason_name(d->reason) : "",
           (d ? d : &none)->n_patches, (d ? d : &none)->change);
  }
  printf("]");
  return TRUE;
}

static gboolean answer(Runner *r, GError **error)
{
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    guint count = 0;
    if (sscanf(line, "frames %u", &count) != 1)
      return fail(error, "expected: frames N");
    printf("[");
    for (guint i = 0; i < count && r->next < r->n_frames; i++, r->next++) {
      printf("%s", i ? "," : "");
      if (!run_frame(r, error))
        return FALSE;
    }
    printf("]\n");
    fflush(stdout);
    fflush(r->logits);
  }
  return TRUE;
}

static gboolean run(char **argv, guint n, GError **error)
{
  VitgatePrecision precision;
  if (!vitgate_precision_parse(argv[2], &precision, error))
    return FALSE;
  g_autoptr(VitgateModel) model = vitgate_model_open_with(argv[1], precision, error);
  g_autoptr(GMappedFile) clip = model ? g_mapped_file_new(argv[3], FALSE, error) : NULL;
  if (!clip)
    return FALSE;
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  Runner r = {
    .width = (guint)atoi(argv[4]),
    .height = (guint)atoi(argv[5]),
    .scene = (guint)atoi(argv[7]),
    .frames = (const guint8 *)g_mapped_file_get_contents(clip),
    .logits = fopen(argv[6], "wb"),
    .n = n,
  };
  const gsize bytes =
      (gsize)r.width * r.height + 2 * (gsize)((r.width + 1) / 2) * ((r.height + 1) / 2);
  if (!r.logits || !r.width || !r.height)
    return fail(error, "LOGITS cannot be written, or WIDTH or HEIGHT is 0");
  r.n_frames = (guint)(g_mapped_file_get_length(clip) / bytes);
  r.contestants = g_new0(Contestant, n);
  gboolean done = TRUE;
  for (guint i = 0; done && i < n; i++)
    done = start(&r.contestants[i], model, argv[8 + i], error);
  if (done) {
    printf("{\"ready\": \"vitgate " VITGATE_VERSION "\", \"precision\": \"%s\", \"frames\": %u, "
           "\"classes\": %u, \"dial\": [%.4f, %.4f, %.4f], \"input\": [%u, %u]}\n",
           vitgate_precision_name(info->precision), r.n_frames, info->n_classes, info->min_compute,
           info->default_compute, info->max_compute, info->resize, info->image_size);
    fflush(stdout);
    done = answer(&r, error);
  }
  for (guint i = 0; i < n; i++) {
    vitgate_stream_free(&r.contestants[i].stream);
    vitgate_session_free(&r.contestants[i].session);
    g_free(r.contestants[i].tensor);
  }
  g_free(r.contestants);
  fclose(r.logits);
  return done;
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  if (argc < 9) {
    fprintf(stderr, "usage: video-runner MODEL PRECISION CLIP WIDTH HEIGHT LOGITS SCENE "
                    "CONTESTANT…\n");
    return 2;
  }
  if (!run(argv, (guint)argc - 8, &error)) {
    fprintf(stderr, "video-runner: %s\n", error->message);
    return 1;
  }
  return 0;
}
