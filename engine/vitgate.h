/* vitgate.h: classify images with a compressed, gated vision transformer.
 *
 * Threads. A VitgateModel is immutable: any number of threads may use one at the same time. A
 * VitgateSession belongs to one thread at a time, and so does a VitgateScene; sessions of one model
 * run beside each other.
 * Nothing here prints, exits or aborts on what a file or an image holds: failures come back as a
 * GError of the domain VITGATE_ERROR.
 *
 * Compatibility. A program keeps working with newer versions of the library without being compiled
 * again, as long as the soname is the same. Structures have reserved fields for what is to come:
 * set them to zero, as an initialiser with named fields does; a call that finds another value fails
 * with VITGATE_ERROR_ARGUMENT or _IMAGE. In a new field zero means what it meant before there was
 * the field. Enumerations grow at their ends; VITGATE_N_PRECISIONS and VITGATE_PIXELS_N_FORMATS
 * count what this header knows, so expect larger values from a newer library.
 *
 * A complete example, for one RGB image already in memory:
 *
 *   g_autoptr(GError) error = NULL;
 *   g_autoptr(VitgateModel) model = vitgate_model_open("deit-tiny.safetensors", &error);
 *   g_autoptr(VitgateSession) session = model ? vitgate_session_new(model, NULL, &error) : NULL;
 *   VitgateImage image = { .format = VITGATE_PIXELS_RGB, .width = 640, .height = 480,
 *                          .planes = { pixels }, .strides = { 640 * 3 } };
 *   const VitgateResult *result = session ? vitgate_session_classify(session, &image, 1, &error)
 *                                         : NULL;
 *   guint best;
 *   if (!result)
 *     g_printerr("%s\n", error->message);
 *   else if (vitgate_result_top_k(result, 1, 0.5f, &best, NULL))
 *     g_print("%s\n", vitgate_model_get_info(model)->labels[best]);
 *   else
 *     g_print("no class is likely\n");
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#ifndef VITGATE_API
#define VITGATE_API __attribute__((visibility("default")))
#endif

/* Most threads and most images per call that a session takes. */
#define VITGATE_MAX_THREADS 64
#define VITGATE_MAX_BATCH   1024

/* ---- Errors ------------------------------------------------------------------------------- */

/* The domain of every GError set by this library. Since: 0.1 */
#define VITGATE_ERROR (vitgate_error_quark())
VITGATE_API GQuark vitgate_error_quark(void);

/* Messages name the file and, where there is one, the tensor or field at fault, what was found
 * and what was expected. Since: 0.1 */
typedef enum {
  VITGATE_ERROR_NOT_FOUND,   /* there is no such file */
  VITGATE_ERROR_IO,          /* a file cannot be read or written, or changed while it was read */
  VITGATE_ERROR_FORMAT,      /* not a safetensors file, or its header contradicts the file */
  VITGATE_ERROR_UNSUPPORTED, /* well formed, but of a family, type or version unknown here */
  VITGATE_ERROR_TENSOR,      /* a tensor is missing, has the wrong shape, or is not finite */
  VITGATE_ERROR_METADATA,    /* a field of the file's "vitgate" metadata is wrong */
  VITGATE_ERROR_LABELS,      /* class labels are unreadable or do not fit the model */
  VITGATE_ERROR_IMAGE,       /* an image's format, size or strides cannot be used */
  VITGATE_ERROR_ARGUMENT,    /* an argument is outside its documented range */
  VITGATE_ERROR_MEMORY,      /* the memory that the request needs cannot be had */
} VitgateError;

/* ---- Models ------------------------------------------------------------------------------- */

/* What matrix products are computed in; sums, and all that is no product, stay float32. */
typedef enum {
  VITGATE_PRECISION_AUTO, /* the fastest that the model file tells to agree with the teacher on at
                             most 1.5 % fewer photographs than float32, which it is where the file
                             tells nothing */
  VITGATE_PRECISION_FLOAT32,
  VITGATE_PRECISION_BF16, /* bfloat16: of CPUs with AVX-512 BF16 or AMX */
  VITGATE_PRECISION_INT8, /* weights rounded to 8 bits by output channel, activations by token;
                             layers of more than 32768 inputs stay float32 */
} VitgatePrecision;
#define VITGATE_N_PRECISIONS 4

/* The weights and everything else a model file holds. Reference counted, immutable. */
typedef struct _VitgateModel VitgateModel;

/* The structure of one block: what is left of its attention (MSA) and of its MLP. */
typedef struct {
  guint heads;                       /* attention heads; 0: the block has no attention module */
  guint neurons;                     /* hidden neurons of the MLP; 0: the block has no MLP module */
  gboolean attention_gate, mlp_gate; /* a gate decides for each image whether the module runs */
  guint64 attention_parameters, mlp_parameters;
  double attention_gmacs, mlp_gmacs; /* for one image when the module runs and no token merged;
                                        from the last attention on for the class token alone */
  gpointer reserved[4];
} VitgateBlockInfo;

/* What a model is. All of it belongs to the model and lives as long as the model does. */
typedef struct {
  const char *name;    /* for people and metadata; the file's name where the file tells none */
  const char *family;  /* "vit" or "t2t" */
  guint image_size;    /* the network sees image_size x image_size pixels, 3 channels */
  guint patch_size;    /* pixels */
  guint n_tokens;      /* class (and distillation) tokens and patches */
  guint dim, head_dim; /* width of a token; width of one head's query */
  guint depth;
  const VitgateBlockInfo *blocks; /* [depth] */
  guint n_classes;
  const char *const *labels;       /* [n_classes], NULL terminated, never NULL; the class index
                                      as a decimal number where the file has no labels */
  const char *const *label_ids;    /* [n_classes] WordNet ids or the like; NULL: none */
  gboolean has_labels;             /* the labels came from the file */
  guint64 n_parameters;            /* scalars that the network learned */
  double gmacs;                    /* 1e9 multiply-adds for one image, all modules running */
  double dense_gmacs;              /* of the dense teacher, as published: all tokens up to the
                                      end */
  double default_compute;          /* the dial: mean compute ratio that a session starts with */
  double min_compute, max_compute; /* the ratios that it reaches; equal: there is no dial */
  VitgatePrecision precision;      /* of the products, never AUTO */
  guint resize;                    /* pixels of the shorter side before the centre crop */
  gboolean bicubic;                /* else bilinear; both antialiased */
  float mean[3], std[3];           /* red, green, blue; of values from 0 to 1 */
  gpointer reserved[8];
} VitgateModelInfo;

/* Opens a model file (safetensors; engine/FORMAT.md tells what is in one). A file is loaded
 * once per process: opening it again, by any path, returns a new reference to the same model as
 * long as one is held and no file that it was read from has changed. A thread that opens a file
 * which another thread is loading waits for it; every other call goes on meanwhile.
 * Returns: (transfer full): the model, or NULL with @error set to VITGATE_ERROR_NOT_FOUND, _IO,
 * _FORMAT, _UNSUPPORTED, _TENSOR, _METADATA, _LABELS or _MEMORY. Since: 0.1 */
VITGATE_API VitgateModel *vitgate_model_open(const char *path, GError **error);

/* The same, with weights packed for products of @precision; each precision of a file is a model of
 * its own.
 * Returns: as vitgate_model_open(); with @error set to VITGATE_ERROR_UNSUPPORTED where the CPU has
 * no such products, to _ARGUMENT where there is no such precision. Since: 0.1 */
VITGATE_API VitgateModel *vitgate_model_open_with(const char *path, VitgatePrecision precision,
                                                  GError **error);

/* Returns: (transfer none): "auto", "float32", "bf16" or "int8". Since: 0.1 */
VITGATE_API const char *vitgate_precision_name(VitgatePrecision precision);

/* @precision: (out): what @name says
 * Returns: FALSE with @error set to VITGATE_ERROR_ARGUMENT where it says none. Since: 0.1 */
VITGATE_API gboolean vitgate_precision_parse(const char *name, VitgatePrecision *precision,
                                             GError **error);

/* The file name of the shipped model that is taken where none is named. Since: 0.1 */
#define VITGATE_DEFAULT_MODEL "deit-tiny-imagenet1k.safetensors"

/* Looks for it in the folder that the environment's VITGATE_MODEL_DIR names, then in the installed
 * data folder.
 * Returns: (transfer full): its path, or NULL with @error set to VITGATE_ERROR_NOT_FOUND.
 * Since: 0.1 */
VITGATE_API char *vitgate_default_model_find(GError **error);

/* Returns: (transfer full): @model with one more reference. Since: 0.1 */
VITGATE_API VitgateModel *vitgate_model_ref(VitgateModel *model);

/* Gives one reference back and sets *@model to NULL; *@model may be NULL. Since: 0.1 */
VITGATE_API void vitgate_model_unref(VitgateModel **model);

/* Returns: (transfer none): what @model is. Since: 0.1 */
VITGATE_API const VitgateModelInfo *vitgate_model_get_info(const VitgateModel *model);

/* Returns: the share of photographs with the teacher's class, from 0 to 1, by products of
 * @precision, as the model file records it; 0 if it does not, and for a precision unknown here.
 * Since: 0.1 */
VITGATE_API double vitgate_model_get_precision_agreement(const VitgateModel *model,
                                                         VitgatePrecision precision);

/* Reads class labels from a text file in UTF-8, one class a line, in the order of the classes:
 * "label" or "id<TAB>label". Empty lines at the end are ignored.
 * @n_classes: how many are expected; 0: any number
 * @ids: (out) (optional) (nullable) (transfer full): the ids; NULL where the file has none
 * Returns: (transfer full): a NULL terminated array to free with g_strfreev(), or NULL with
 * @error set to VITGATE_ERROR_NOT_FOUND, _IO or _LABELS. Since: 0.1 */
VITGATE_API char **vitgate_labels_read(const char *path, guint n_classes, char ***ids,
                                       GError **error);

/* ---- Images ------------------------------------------------------------------------------- */

/* Eight bits a component; names and layouts are those of GStreamer's video formats. An X is a
 * byte that is ignored: padding or alpha. */
typedef enum {
  VITGATE_PIXELS_RGB,
  VITGATE_PIXELS_BGR,
  VITGATE_PIXELS_RGBX,
  VITGATE_PIXELS_BGRX,
  VITGATE_PIXELS_XRGB,
  VITGATE_PIXELS_XBGR,
  VITGATE_PIXELS_GRAY8,
  VITGATE_PIXELS_I420, /* planes Y, U, V */
  VITGATE_PIXELS_YV12, /* planes Y, V, U */
  VITGATE_PIXELS_NV12, /* planes Y, UV */
  VITGATE_PIXELS_NV21, /* planes Y, VU */
  VITGATE_PIXELS_YUY2, /* Y0 U Y1 V */
  VITGATE_PIXELS_UYVY, /* U Y0 V Y1 */
  VITGATE_PIXELS_N_FORMATS
} VitgatePixelFormat;

typedef enum {
  VITGATE_MATRIX_BT601,
  VITGATE_MATRIX_BT709,
  VITGATE_MATRIX_BT2020,
} VitgateColorMatrix;

/* Where chroma samples of subsampled formats lie between the luma samples they stand for. */
typedef enum {
  VITGATE_CHROMA_LEFT,     /* on the left luma sample, half way down: MPEG-2, H.264 */
  VITGATE_CHROMA_CENTER,   /* half way in both directions: JPEG, MPEG-1 */
  VITGATE_CHROMA_TOP_LEFT, /* on the upper left luma sample: BT.2020 */
} VitgateChromaSite;

/* Pixels of an image, counted from its upper left corner. */
typedef struct {
  guint x, y, width, height;
} VitgateRectangle;

/* Pixels to classify. They stay the caller's and are only read, during the call. */
typedef struct {
  VitgatePixelFormat format;
  VitgateColorMatrix matrix;     /* of Y'CbCr formats */
  VitgateChromaSite chroma_site; /* of Y'CbCr formats */
  gboolean full_range;           /* Y'CbCr and GRAY8: 0 to 255, else 16 to 235 (240) */
  guint width, height;           /* pixels, 1 to 32767 */
  const guint8 *planes[3];       /* in the order of the format */
  gsize strides[3];              /* bytes from one row to the next */
  VitgateRectangle part;         /* to look at; empty: the centre crop of the whole */
  gpointer reserved[4];          /* zeros */
} VitgateImage;

/* ---- Sessions ----------------------------------------------------------------------------- */

/* One stream's working memory and threads. */
typedef struct _VitgateSession VitgateSession;

/* Whose decision a gate takes: every image's own, one for each group of neighbours in a batch, or
 * one for the whole batch. */
typedef enum {
  VITGATE_GRANULARITY_SAMPLE,
  VITGATE_GRANULARITY_GROUP,
  VITGATE_GRANULARITY_BATCH,
} VitgateGranularity;

/* A field that is 0 takes its default. */
typedef struct {
  guint threads;   /* that work on a call, the caller's included; default 1, at most
                      VITGATE_MAX_THREADS. They sleep between calls. */
  guint max_batch; /* most images in one call; default 1, at most VITGATE_MAX_BATCH */
  VitgateGranularity granularity;
  guint group_size;     /* images of a group; default 1 */
  gpointer reserved[8]; /* zeros */
} VitgateSessionOptions;

/* The outcome for one image. It belongs to the session and is valid until the session's next
 * call. */
typedef struct {
  guint n_classes;
  const float *probabilities; /* [n_classes], softmax of the logits, sums to 1 */
  const float *logits;        /* [n_classes] */
  double gmacs;               /* 1e9 multiply-adds spent on this image */
  double compute_ratio;       /* gmacs / dense_gmacs of the model */
  const guint8 *modules;      /* [2 * depth]: 1 where block 0's attention, its MLP, block 1's
                                 attention and so on ran */
  guint n_tokens;             /* that token merging left of the model's */
  gint64 preprocess_ns;       /* time spent on pixels: this image's */
  gint64 forward_ns;          /* time spent in the network: the call's, divided by its images */
  gpointer reserved[4];
} VitgateResult;

/* Plans and allocates all that classifying needs, and starts threads - 1 threads.
 * @model: (transfer none): the session holds a reference of its own
 * @options: (nullable): NULL takes every default
 * Returns: (transfer full): the session, or NULL with @error set to VITGATE_ERROR_ARGUMENT or
 * _MEMORY. Since: 0.1 */
VITGATE_API VitgateSession *
vitgate_session_new(VitgateModel *model, const VitgateSessionOptions *options, GError **error);

/* Turns the dial: the mean compute ratio (multiply-adds over those of the dense teacher) wanted of
 * the images to come. A ratio beyond min_compute or max_compute is taken for the nearer of them;
 * without a call it is the model's default_compute. Since: 0.1 */
VITGATE_API void vitgate_session_set_compute(VitgateSession *session, double compute);

/* Stops the threads, frees the session and sets *@session to NULL; *@session may be NULL.
 * Since: 0.1 */
VITGATE_API void vitgate_session_free(VitgateSession **session);

/* Classifies @n_images images, 1 to max_batch. Each is resized (antialiased) to the model's
 * resize on its shorter side, cropped at its centre to image_size and normalised; an image of
 * exactly image_size x image_size is taken as it is. Where an image names a part of itself, that
 * part, stretched to a square, fills the network's input, and resampling reads across its edges.
 * Allocates only when an image's format or size differs from the one before it.
 * Returns: (transfer none): [n_images] results, or NULL with @error set to VITGATE_ERROR_IMAGE,
 * _ARGUMENT or _MEMORY; the session stays usable. Since: 0.1 */
VITGATE_API const VitgateResult *vitgate_session_classify(VitgateSession *session,
                                                          const VitgateImage *images,
                                                          guint n_images, GError **error);

/* The first half of vitgate_session_classify(): pixels to the network's input.
 * @tensor: (out caller-allocates): [3][image_size][image_size], red, green, blue, normalised
 * Returns: FALSE with @error set to VITGATE_ERROR_IMAGE or _MEMORY. Since: 0.1 */
VITGATE_API gboolean vitgate_session_preprocess(VitgateSession *session, const VitgateImage *image,
                                                float *tensor, GError **error);

/* The second half: @tensors is [n_images][3][image_size][image_size].
 * Returns: as vitgate_session_classify(). Since: 0.1 */
VITGATE_API const VitgateResult *vitgate_session_forward(VitgateSession *session,
                                                         const float *tensors, guint n_images,
                                                         GError **error);

/* The classes with the highest probabilities, best first; equal ones by index.
 * @threshold: classes with a lower probability are left out
 * @indices: (out caller-allocates): [k]
 * @scores: (out caller-allocates) (nullable): [k] their probabilities
 * Returns: how many were written, 0 to @k. Since: 0.1 */
VITGATE_API guint vitgate_result_top_k(const VitgateResult *result, guint k, float threshold,
                                       guint *indices, float *scores);

/* ---- Scenes ------------------------------------------------------------------------------- */

/* Tells how much the picture has changed since the last inferred one, as the network sees it. Its
 * input is cut into 16 x 16 cells. What counts is the mean of each cell and colour: it hardly knows
 * of a sensor's noise. The change is that of the cell that changed most, so that a small object is
 * seen. As the comparison is always with the picture last inferred, slow drift adds up until it is
 * seen. */
typedef struct _VitgateScene VitgateScene;

/* @info: (transfer none): of the model whose input is to be looked at; it need not outlive the call
 * Returns: (transfer full): a scene that has no picture to compare with. Since: 0.1 */
VITGATE_API VitgateScene *vitgate_scene_new(const VitgateModelInfo *info);

/* Frees the scene and sets *@scene to NULL; *@scene may be NULL. Since: 0.1 */
VITGATE_API void vitgate_scene_free(VitgateScene **scene);

/* Looks at a picture, which takes about 0.1 ms for 224 x 224 pixels.
 * @tensor: [3][image_size][image_size], as vitgate_session_preprocess() gives it
 * Returns: the largest change of a cell's mean against the last inferred picture, as a share of
 * full scale; 1 where there is none to compare with. Since: 0.1 */
VITGATE_API double vitgate_scene_look(VitgateScene *scene, const float *tensor);

/* The picture last looked at is being inferred: the next ones are compared with it. Since: 0.1 */
VITGATE_API void vitgate_scene_keep(VitgateScene *scene);

/* The next picture counts as changed. Since: 0.1 */
VITGATE_API void vitgate_scene_forget(VitgateScene *scene);

static inline void vitgate__model_cleanup(VitgateModel *model)
{
  vitgate_model_unref(&model);
}
static inline void vitgate__session_cleanup(VitgateSession *session)
{
  vitgate_session_free(&session);
}
static inline void vitgate__scene_cleanup(VitgateScene *scene)
{
  vitgate_scene_free(&scene);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitgateModel, vitgate__model_cleanup)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitgateSession, vitgate__session_cleanup)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitgateScene, vitgate__scene_cleanup)

G_END_DECLS
