/* vitgate.h: classify images with a compressed, gated vision transformer.
 *
 * Threads. A VitgateModel is immutable; any number of threads may use it at the same time. Only one
 * thread at a time may use a VitgateSession or a VitgateScene. Sessions of one model may run
 * concurrently.
 *
 * Errors. No function prints, exits or aborts because of the content of a file or an image.
 * Failures are returned as a GError of the domain VITGATE_ERROR.
 *
 * Compatibility. A program works with newer versions of the library without recompilation as long
 * as the soname stays the same. Structures have reserved fields for future use. Set them to zero,
 * as an initialiser with named fields does; a call that finds another value fails with
 * VITGATE_ERROR_ARGUMENT or _IMAGE. In a field added later, zero means the behaviour before the
 * field existed. Enumerations grow at their ends. VITGATE_N_PRECISIONS and VITGATE_PIXELS_N_FORMATS
 * count what this header knows, so expect larger values from a newer library.
 *
 * A complete example, for one RGB image in memory:
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

/* Maximum number of threads of a session, and of images in one call. */
#define VITGATE_MAX_THREADS 64
#define VITGATE_MAX_BATCH   1024

/* ---- Errors ------------------------------------------------------------------------------- */

/* The domain of every GError set by this library. Since: 0.1 */
#define VITGATE_ERROR (vitgate_error_quark())
VITGATE_API GQuark vitgate_error_quark(void);

/* Messages name the file and, if any, the tensor or field at fault, what was found and what was
 * expected. Since: 0.1 */
typedef enum {
  VITGATE_ERROR_NOT_FOUND,   /* the file does not exist */
  VITGATE_ERROR_IO,          /* a file cannot be read or written, or changed during reading */
  VITGATE_ERROR_FORMAT,      /* not a safetensors file, or its header contradicts the file */
  VITGATE_ERROR_UNSUPPORTED, /* well formed, but of an unknown family, type or version */
  VITGATE_ERROR_TENSOR,      /* a tensor is missing, has the wrong shape, or is not finite */
  VITGATE_ERROR_METADATA,    /* a field of the file's "vitgate" metadata is wrong */
  VITGATE_ERROR_LABELS,      /* class labels are unreadable or do not fit the model */
  VITGATE_ERROR_IMAGE,       /* an image's format, size or strides cannot be used */
  VITGATE_ERROR_ARGUMENT,    /* an argument is outside its documented range */
  VITGATE_ERROR_MEMORY,      /* out of memory */
} VitgateError;

/* ---- Models ------------------------------------------------------------------------------- */

/* The number format of matrix products. Sums, and everything that is not a product, use float32. */
typedef enum {
  VITGATE_PRECISION_AUTO, /* the fastest one that, as the model file records, agrees with the
                             teacher on at most 1.5 % fewer photographs than float32; float32 if the
                             file records nothing */
  VITGATE_PRECISION_FLOAT32,
  VITGATE_PRECISION_BF16, /* bfloat16; needs a CPU with AVX-512 BF16, AMX or ARM's BF16 */
  VITGATE_PRECISION_INT8, /* weights rounded to 8 bits per output channel, activations per token;
                             layers with more than 32768 inputs use float32 */
} VitgatePrecision;
#define VITGATE_N_PRECISIONS 4

/* How probabilities follow from logits. */
typedef enum {
  VITGATE_ACTIVATION_SOFTMAX, /* classes exclude each other: their probabilities add up to 1 */
  VITGATE_ACTIVATION_SIGMOID, /* each class has a probability of its own, so that any number of
                                 classes may apply; always so if there is only one class */
} VitgateActivation;

/* How an image becomes the square input of the network. An image of exactly image_size x image_size
 * is taken as it is. */
typedef enum {
  VITGATE_FIT_MODEL,     /* as the model file says */
  VITGATE_FIT_CROP,      /* the shorter side is resized, and the centre cropped */
  VITGATE_FIT_SQUASH,    /* both sides are resized to the same length, whatever the shape */
  VITGATE_FIT_LETTERBOX, /* the longer side is resized; the rest gets the model's mean colour */
} VitgateFit;

/* The content of a model file: the weights and their description. Reference counted, immutable. */
typedef struct _VitgateModel VitgateModel;

/* The structure of one block: what is left of its attention (MSA) and of its MLP. */
typedef struct {
  guint heads;                       /* attention heads; 0: the block has no attention module */
  guint neurons;                     /* hidden neurons of the MLP; 0: the block has no MLP module */
  gboolean attention_gate, mlp_gate; /* a gate decides for each image whether the module runs */
  gboolean attention_token_gate, mlp_token_gate; /* or for each patch token; one that does not run
                                                    gets a cheaper substitute */
  guint64 attention_parameters, mlp_parameters;
  double attention_gmacs, mlp_gmacs; /* for one image if the module runs and no token has merged;
                                        from the last attention on, for the class token only */
  gpointer reserved[3];
} VitgateBlockInfo;

/* Describes a model. All of it belongs to the model and is valid as long as the model is. */
typedef struct {
  const char *name;    /* for people and metadata; by default, the name of the file */
  const char *family;  /* "vit" or "t2t" */
  guint image_size;    /* the network sees image_size x image_size pixels, 3 channels */
  guint patch_size;    /* pixels */
  guint n_tokens;      /* class (and distillation) tokens and patches */
  guint dim, head_dim; /* width of a token; width of the query of one head */
  guint depth;
  const VitgateBlockInfo *blocks; /* [depth] */
  guint n_classes;
  const char *const *labels;       /* [n_classes], NULL terminated, never NULL; the class index
                                      as a decimal number if the file has no labels */
  const char *const *label_ids;    /* [n_classes] WordNet ids or similar; NULL: none */
  gboolean has_labels;             /* the labels are from the file */
  guint64 n_parameters;            /* number of learned scalars */
  double gmacs;                    /* 1e9 multiply-adds for one image, all modules running */
  double dense_gmacs;              /* of the dense teacher, as published: with all tokens up to
                                      the end */
  double default_compute;          /* the dial: mean compute ratio at the start of a session */
  double min_compute, max_compute; /* range of the dial; equal: there is no dial */
  VitgatePrecision precision;      /* of the products, never AUTO */
  guint resize;                    /* pixels of the side or sides that fit resizes, before the
                                      centre of image_size is cropped */
  gboolean bicubic;                /* FALSE: bilinear; both are antialiased */
  float mean[3], std[3];           /* red, green, blue; for values from 0 to 1 */
  VitgateActivation activation;    /* of the logits */
  VitgateFit fit;                  /* never MODEL */
  guint patch_depth;               /* number of blocks whose modules run for patch tokens; the
                                      others run for the class and distillation tokens only */
  guint n_features;                /* number of values that the classes are computed from */
  gboolean has_fit;        /* the file says how an image becomes square; FALSE: it leaves that
                              open, and fit is CROP, as most models are published */
  gboolean has_unknown;    /* results have a score for pictures of none of the classes */
  const float *thresholds; /* (nullable) [n_classes] with ACTIVATION_SIGMOID: the
                              probability from which each class applies; NULL: none */
  gpointer reserved[4];
} VitgateModelInfo;

/* Opens a model file (safetensors; see engine/FORMAT.md), weights as published, or a folder with
 * them and their config.json, as downloaded from a hub. A file is loaded once per process: opening
 * it again, by any path, returns a new reference to the same model, as long as a reference
 * is held and none of the files it was read from has changed. If another thread is loading the
 * file, the call waits for it. Other calls do not wait. Returns: (transfer full): the model, or
 * NULL with @error set to VITGATE_ERROR_NOT_FOUND, _IO, _FORMAT, _UNSUPPORTED, _TENSOR, _METADATA,
 * _LABELS or _MEMORY. Since: 0.1 */
VITGATE_API VitgateModel *vitgate_model_open(const char *path, GError **error);

/* Opens a model file for products in @precision. Each precision of a file is a separate model.
 * Returns: (transfer full): as vitgate_model_open(); @error may also be VITGATE_ERROR_UNSUPPORTED
 * if the CPU lacks the instructions, or _ARGUMENT if there is no such precision. Since: 0.1 */
VITGATE_API VitgateModel *vitgate_model_open_with(const char *path, VitgatePrecision precision,
                                                  GError **error);

/* Returns the name of a precision: "auto", "float32", "bf16" or "int8". Since: 0.1 */
VITGATE_API const char *vitgate_precision_name(VitgatePrecision precision);

/* Finds a precision by its name.
 * @precision: (out)
 * Returns: FALSE with @error set to VITGATE_ERROR_ARGUMENT if there is none. Since: 0.1 */
VITGATE_API gboolean vitgate_precision_parse(const char *name, VitgatePrecision *precision,
                                             GError **error);

/* Returns the name of a fit: "model", "crop", "squash" or "letterbox". Since: 0.1 */
VITGATE_API const char *vitgate_fit_name(VitgateFit fit);

/* Finds a fit by its name.
 * @fit: (out)
 * Returns: FALSE with @error set to VITGATE_ERROR_ARGUMENT if there is none. Since: 0.1 */
VITGATE_API gboolean vitgate_fit_parse(const char *name, VitgateFit *fit, GError **error);

/* File name of the default model. Since: 0.1 */
#define VITGATE_DEFAULT_MODEL "deit-tiny-imagenet1k.safetensors"

/* Finds the default model in the folder that the environment variable VITGATE_MODEL_DIR names, or
 * in the installed data folder. Returns: (transfer full): its path, or NULL with @error set to
 * VITGATE_ERROR_NOT_FOUND. Since: 0.1 */
VITGATE_API char *vitgate_default_model_find(GError **error);

/* Adds a reference.
 * Returns: (transfer full): @model. Since: 0.1 */
VITGATE_API VitgateModel *vitgate_model_ref(VitgateModel *model);

/* Drops a reference and sets *@model to NULL. *@model may be NULL. Since: 0.1 */
VITGATE_API void vitgate_model_unref(VitgateModel **model);

/* Returns: (transfer none): the description of @model. Since: 0.1 */
VITGATE_API const VitgateModelInfo *vitgate_model_get_info(const VitgateModel *model);

/* Returns: the share of photographs, from 0 to 1, that get the teacher's class with products in
 * @precision, as the model file records it; 0 if it does not, or if the precision is unknown.
 * Since: 0.1 */
VITGATE_API double vitgate_model_get_precision_agreement(const VitgateModel *model,
                                                         VitgatePrecision precision);

/* Reads class labels from a text file in UTF-8 with one line per class, in class order: "label" or
 * "id<TAB>label". Empty lines at the end are ignored. The forms of other programs are recognised:
 * - lines with the number of the class before or after the label: "87 name", "87: name", "name,87".
 *   Numbers start at 0 or 1 and order the classes
 * - lines with a WordNet id and a label (Caffe's synset_words.txt)
 * - both as CSV, with or without quotes and a first line that names the columns
 * - a Python dictionary or list, or the lines of one
 * - JSON: a list of labels; labels by class number (Hugging Face's id2label, also inside
 *   config.json); ids and labels by class number (Keras); class numbers by label (label2id,
 *   class_indices)
 * A file of which only a part has such a form is refused. Labels that begin with digits stay as
 * they are unless the digits number the classes.
 * @n_classes: expected number of classes; 0: any number
 * @ids: (out) (optional) (nullable) (transfer full): the ids; NULL if the file has none
 * Returns: (transfer full): a NULL terminated array to free with g_strfreev(), or NULL with
 * @error set to VITGATE_ERROR_NOT_FOUND, _IO or _LABELS. Since: 0.1 */
VITGATE_API char **vitgate_labels_read(const char *path, guint n_classes, char ***ids,
                                       GError **error);

/* ---- Images ------------------------------------------------------------------------------- */

/* Names and layouts are those of GStreamer's video formats. An X is a byte that is ignored: padding
 * or alpha. Components have eight bits, in formats named 10LE ten bits in two bytes, low byte
 * first. */
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
  VITGATE_PIXELS_Y42B, /* planes Y, U, V: chroma has half the width */
  VITGATE_PIXELS_Y444, /* planes Y, U, V: chroma has the full size */
  VITGATE_PIXELS_I420_10LE,
  VITGATE_PIXELS_I422_10LE,
  VITGATE_PIXELS_Y444_10LE,
  VITGATE_PIXELS_P010_10LE, /* planes Y, UV; the bits are the upper ones */
  VITGATE_PIXELS_N_FORMATS
} VitgatePixelFormat;

typedef enum {
  VITGATE_MATRIX_BT601,
  VITGATE_MATRIX_BT709,
  VITGATE_MATRIX_BT2020,
} VitgateColorMatrix;

/* Position of the chroma samples of subsampled formats, relative to their luma samples. */
typedef enum {
  VITGATE_CHROMA_LEFT,     /* on the left luma sample, half way down: MPEG-2, H.264 */
  VITGATE_CHROMA_CENTER,   /* half way in both directions: JPEG, MPEG-1 */
  VITGATE_CHROMA_TOP_LEFT, /* on the upper left luma sample: BT.2020 */
} VitgateChromaSite;

/* How to turn an image upright, in the order of GStreamer's GstVideoOrientationMethod. Numbers in
 * brackets are those of EXIF. */
typedef enum {
  VITGATE_ORIENTATION_IDENTITY, /* it is upright (1) */
  VITGATE_ORIENTATION_90R,      /* rotate by 90 degrees, clockwise (6) */
  VITGATE_ORIENTATION_180,      /* rotate by 180 degrees (3) */
  VITGATE_ORIENTATION_90L,      /* rotate by 90 degrees, counter-clockwise (8) */
  VITGATE_ORIENTATION_HORIZ,    /* swap left and right (2) */
  VITGATE_ORIENTATION_VERT,     /* swap top and bottom (4) */
  VITGATE_ORIENTATION_UL_LR,    /* mirror at the diagonal from upper left to lower right (5) */
  VITGATE_ORIENTATION_UR_LL,    /* mirror at the diagonal from upper right to lower left (7) */
} VitgateOrientation;

/* A rectangle in an image, in pixels from its upper left corner. */
typedef struct {
  guint x, y, width, height;
} VitgateRectangle;

/* An image to classify. The pixels belong to the caller and are only read during the call. */
typedef struct {
  VitgatePixelFormat format;
  VitgateColorMatrix matrix;       /* of Y'CbCr formats */
  VitgateChromaSite chroma_site;   /* of Y'CbCr formats */
  gboolean full_range;             /* Y'CbCr and GRAY8: 0 to 255; FALSE: 16 to 235 (240) */
  guint width, height;             /* pixels, 1 to 32767 */
  const guint8 *planes[3];         /* in the order of the format */
  gsize strides[3];                /* bytes from one row to the next */
  VitgateRectangle part;           /* to classify, as stored; empty: all, by the session's fit */
  gboolean limited_rgb;            /* RGB formats: 16 to 235; FALSE: 0 to 255 */
  VitgateOrientation orientation;  /* of all pixels, the part's too */
  guint pixel_width, pixel_height; /* shape of a stored pixel, such as 16 and 11; both 0: square */
  gpointer reserved[2];            /* must be zero */
} VitgateImage;

/* ---- Sessions ----------------------------------------------------------------------------- */

/* The working memory and threads of one stream. */
typedef struct _VitgateSession VitgateSession;

/* Granularity of a gate's decisions: one for each image, one for each group of neighbours in a
 * batch, or one for the whole batch. The images of a group share a token gate's decision on each
 * position. Where tokens merge, images have no positions in common, so a model that has token gates
 * and merges tokens at some setting of the dial works only with SAMPLE. */
typedef enum {
  VITGATE_GRANULARITY_SAMPLE,
  VITGATE_GRANULARITY_GROUP,
  VITGATE_GRANULARITY_BATCH,
} VitgateGranularity;

/* A field that is 0 means the default. */
typedef struct {
  guint threads;   /* that work on a call, including the caller's; default 1, at most
                      VITGATE_MAX_THREADS. They sleep between calls. */
  guint max_batch; /* maximum number of images in one call; default 1, at most VITGATE_MAX_BATCH */
  VitgateGranularity granularity;
  guint group_size; /* images in a group; default 1 */
  VitgateFit fit;   /* for whole images; CROP resizes the shorter side to the model's resize, SQUASH
                       and LETTERBOX make the whole image fill the input */
  gboolean patches; /* record in each result what happened to each patch; default FALSE */
  gpointer reserved[7]; /* must be zero */
} VitgateSessionOptions;

/* What happened to the token of a patch in a module. From the last attention on, no patch token is
 * computed unless the model averages them, and all flags are 0; so are those of modules that do not
 * exist. */
typedef enum {
  VITGATE_PATCH_RAN = 1,    /* the module ran for it; in attention: as a query */
  VITGATE_PATCH_MERGED = 2, /* it stood for other patches too when it came to the module. Tokens
                               merge at the end of an attention: from the block's MLP on */
} VitgatePatchFlags;

/* What is computed of a frame of a stream: see VitgateStream. */
typedef enum {
  VITGATE_PASS_INDEPENDENT, /* all of it, as vitgate_session_forward() does: tokens merge as the
                               dial says, and nothing is kept but the result */
  VITGATE_PASS_FULL,        /* all of it, no tokens merge, and keys and values are kept */
  VITGATE_PASS_UPDATED,     /* the patches that changed */
  VITGATE_PASS_UNCHANGED,   /* nothing: the last result stands */
} VitgatePass;

/* Why a frame is computed as a whole. */
typedef enum {
  VITGATE_REASON_NONE,     /* it is not */
  VITGATE_REASON_FIRST,    /* there is nothing to compare it with */
  VITGATE_REASON_MOTION,   /* so much changes that an update would not be cheaper */
  VITGATE_REASON_INTERVAL, /* as many frames as the interval allows have passed since the last time
                            */
  VITGATE_REASON_SETTLED,  /* after updates, the picture stands still again, or something new in it
                              does */
  VITGATE_REASON_EXPIRED,  /* vitgate_stream_expire() was called */
  VITGATE_REASON_DIAL,     /* the dial was moved */
} VitgateReason;

/* What was decided on a frame. */
typedef struct {
  VitgatePass pass;
  VitgateReason reason;
  guint n_patches;     /* patches that are computed */
  const guint8 *marks; /* [patches] 1: it is computed; patches in rows from the upper left */
  double change;       /* largest change of a patch; 1 if there is nothing to compare with */
  gpointer reserved[2];
} VitgateDecision;

/* The result for one image. It belongs to the session and is valid until the session's next call.
 */
typedef struct {
  guint n_classes;
  const float *probabilities; /* [n_classes] of the logits, by the model's activation */
  const float *logits;        /* [n_classes] */
  double gmacs;               /* 1e9 multiply-adds spent on this image */
  double compute_ratio;       /* gmacs / dense_gmacs of the model */
  const guint8 *modules;      /* [2 * depth]: 1 for each module that ran: attention of block 0,
                                 MLP of block 0, attention of block 1 … */
  guint n_tokens;             /* tokens that remain after merging */
  const guint *module_tokens; /* [2 * depth] tokens that each module ran for, class token included;
                                 in attention: as queries; 0: the module did not run */
  const guint8 *patches;      /* (nullable) [2 * depth][patches] VitgatePatchFlags of each module,
                                 patches in rows from the upper left; NULL unless the session's
                                 options ask for it */
  gint64 preprocess_ns;       /* time for the pixels of this image */
  gint64 forward_ns;          /* time in the network: that of the call, divided by its images */
  const guint *module_substitutes; /* [2 * depth] tokens that got each module's substitute; with
                                      module_tokens: all that came to it, if it ran */
  const VitgateDecision *decision; /* (nullable) on a frame of a stream; NULL for other images */
  const float *features; /* [n_features] what the classes are computed from, after the last
                            norm: the class token, followed by the distillation token if
                            that has a head; or the mean of all patch tokens */
  float unknown;         /* share of the classes' own pictures that are nearer to a class
                            than this image, from 0 to 1: close to 1, it is probably of
                            none of the classes; 0 if the model has no such score */
  gpointer reserved[2];
} VitgateResult;

/* Makes a session: allocates all memory that classification needs, and starts threads - 1 threads.
 * @model: (transfer none): the session holds its own reference
 * @options: (nullable): NULL: all defaults
 * Returns: (transfer full): the session, or NULL with @error set to VITGATE_ERROR_ARGUMENT or
 * _MEMORY. Since: 0.1 */
VITGATE_API VitgateSession *
vitgate_session_new(VitgateModel *model, const VitgateSessionOptions *options, GError **error);

/* Sets the dial: the mean compute ratio (multiply-adds over those of the dense teacher) to aim for
 * in later calls. It is clamped to the model's range, min_compute to max_compute. A new session has
 * the model's default_compute. Since: 0.1 */
VITGATE_API void vitgate_session_set_compute(VitgateSession *session, double compute);

/* Stops the threads, frees the session and sets *@session to NULL. *@session may be NULL.
 * Since: 0.1 */
VITGATE_API void vitgate_session_free(VitgateSession **session);

/* Classifies @n_images images, from 1 to max_batch. Each is turned upright, resized (antialiased)
 * as displayed by the session's fit, cropped at its centre to image_size, and normalised. An image
 * of exactly image_size x image_size square pixels is not resized. If an image has a part, that
 * part is stretched to a square that fills the network's input, whatever the fit; resampling reads
 * beyond the edges of the part. The call allocates memory only if the format, size or shape of
 * pixels of an image differs from the image before. Returns: (transfer none): [n_images] results,
 * or NULL with @error set to VITGATE_ERROR_IMAGE, _ARGUMENT or _MEMORY; the session remains usable.
 * Since: 0.1 */
VITGATE_API const VitgateResult *vitgate_session_classify(VitgateSession *session,
                                                          const VitgateImage *images,
                                                          guint n_images, GError **error);

/* Converts an image to the input of the network: the first half of vitgate_session_classify().
 * @tensor: (out caller-allocates): [3][image_size][image_size], red, green, blue, normalised
 * Returns: FALSE with @error set to VITGATE_ERROR_IMAGE or _MEMORY. Since: 0.1 */
VITGATE_API gboolean vitgate_session_preprocess(VitgateSession *session, const VitgateImage *image,
                                                float *tensor, GError **error);

/* Computes a hash of what vitgate_session_preprocess() reads of an image: its pixels, and the
 * fields that tell how to read them. Two frames of a camera with the same hash have the same
 * tensor, so the second need not be preprocessed. Returns: the hash, or 0 for an image that cannot
 * be preprocessed. Since: 0.1 */
VITGATE_API guint64 vitgate_image_hash(const VitgateImage *image);

/* Finds the part of an image that vitgate_session_preprocess() shows to the network: what is left
 * after a crop, all of it with the other fits, or its part if it has one. Pixels of which only a
 * fraction is left belong to it.
 * @view: (out): as stored, whatever the orientation
 * Returns: FALSE with @error set to VITGATE_ERROR_IMAGE. Since: 0.1 */
VITGATE_API gboolean vitgate_session_get_view(const VitgateSession *session,
                                              const VitgateImage *image, VitgateRectangle *view,
                                              GError **error);

/* Classifies preprocessed images: the second half of vitgate_session_classify().
 * @tensors: [n_images][3][image_size][image_size]
 * Returns: (transfer none): as vitgate_session_classify(). Since: 0.1 */
VITGATE_API const VitgateResult *vitgate_session_forward(VitgateSession *session,
                                                         const float *tensors, guint n_images,
                                                         GError **error);

/* Returns the name of an activation: "softmax" or "sigmoid". Since: 0.1 */
VITGATE_API const char *vitgate_activation_name(VitgateActivation activation);

/* Finds the classes with the highest probabilities, best first, equal ones by index.
 * @threshold: minimum probability of a class
 * @indices: (out caller-allocates): [k]
 * @scores: (out caller-allocates) (nullable): [k] their probabilities
 * Returns: the number of classes found, from 0 to @k. Since: 0.1 */
VITGATE_API guint vitgate_result_top_k(const VitgateResult *result, guint k, float threshold,
                                       guint *indices, float *scores);

/* Does the same with a threshold for each class, such as those of a model.
 * @thresholds: [n_classes]
 * Returns: the number of classes found, from 0 to @k. Since: 0.1 */
VITGATE_API guint vitgate_result_top_k_above(const VitgateResult *result, guint k,
                                             const float *thresholds, guint *indices,
                                             float *scores);

/* ---- Streams ------------------------------------------------------------------------------ */

/* The frames of a video are nearly the same picture. A stream keeps what a session computed of the
 * last ones: the result, and the keys and values of all tokens. Of the next frame, only the patches
 * that changed go through the network, together with the class token; the other patches are there
 * as their old keys and values. These go out of date slowly, because patches that did not change do
 * not learn what happened around them. A full pass makes all of them anew.
 *
 * A stream of the default model takes 1 MB in int8 and 3.8 MB in float32. */
typedef struct _VitgateStream VitgateStream;

/* Returns the name of a pass: "independent", "full", "updated" or "unchanged". Since: 0.1 */
VITGATE_API const char *vitgate_pass_name(VitgatePass pass);

/* Returns the name of a reason: "none", "first", "motion", "interval", "settled", "expired" or
 * "dial". Since: 0.1 */
VITGATE_API const char *vitgate_reason_name(VitgateReason reason);

/* When to compute what. Changes are shares of full scale: the largest difference of the mean of a
 * cell (a quarter of a patch) in any colour from the picture that the patch was last computed from.
 * Start from vitgate_stream_default_options(). */
typedef struct {
  gboolean temporal;    /* updates; FALSE: a frame is unchanged or independent */
  gboolean eager;       /* the first frame gets a full pass; FALSE: none does before frames have
                           been alike, so that photographs cost what they cost without a stream */
  double unchanged;     /* the last result stands up to this change; below 0: never */
  double changed;       /* patches that change by more than this are computed, and their neighbours.
                           Below the model's default compute ratio, it grows up to twofold as the dial
                           goes down, and from half way on the neighbours are left out. Below 0: every
                           patch counts as changed */
  guint interval;       /* frames from one full pass to the next while there are changes; 0: no
                           limit */
  double max_compute;   /* compute ratio that a full pass must not exceed; 0: no limit. Without full
                           passes there are no updates */
  gpointer reserved[4]; /* must be zero */
} VitgateStreamOptions;

/* Returns the defaults: updates, not eager, unchanged up to 8/255, changed above 3/255, interval
 * 50, max_compute 0. Since: 0.1 */
VITGATE_API VitgateStreamOptions vitgate_stream_default_options(void);

/* Makes the stream of one camera, or of one object in its pictures.
 * @model: (transfer none): the stream holds its own reference
 * @options: (nullable): NULL: the defaults
 * Returns: (transfer full): the stream, or NULL with @error set to VITGATE_ERROR_ARGUMENT or
 * _MEMORY. Since: 0.1 */
VITGATE_API VitgateStream *vitgate_stream_new(VitgateModel *model,
                                              const VitgateStreamOptions *options, GError **error);

/* Frees the stream and sets *@stream to NULL. *@stream may be NULL. Since: 0.1 */
VITGATE_API void vitgate_stream_free(VitgateStream **stream);

/* Changes the options from the next frame on. A stream made without temporal cannot get it.
 * Returns: FALSE with @error set to VITGATE_ERROR_ARGUMENT. Since: 0.1 */
VITGATE_API gboolean vitgate_stream_set_options(VitgateStream *stream,
                                                const VitgateStreamOptions *options,
                                                GError **error);

/* Compares the next frame with those before and decides what to compute of it.
 * @session: of the stream's model; its dial counts
 * @tensor: [3][image_size][image_size], from vitgate_session_preprocess()
 * Returns: (transfer none): the decision, valid until the stream's next call. Since: 0.1 */
VITGATE_API const VitgateDecision *
vitgate_stream_look(VitgateStream *stream, const VitgateSession *session, const float *tensor);

/* Gets how much of the picture changed: 1 after a cut to another scene, little when something
 * moves. Call it before the frame is followed or accepted; from then on, it is the one to compare
 * with.
 * @change: change of a patch's mean that counts
 * Returns: the share of patches that changed by more than @change when the stream last looked; 1 if
 * there was nothing to compare with. Since: 0.1 */
VITGATE_API double vitgate_stream_changed_share(const VitgateStream *stream, double change);

/* Makes the last result count as too old: the next frame that the stream looks at is computed as a
 * whole. Since: 0.1 */
VITGATE_API void vitgate_stream_expire(VitgateStream *stream);

/* Makes the picture that the stream looked at the one to compare later ones with, without computing
 * anything. Since: 0.1 */
VITGATE_API void vitgate_stream_accept(VitgateStream *stream);

/* Drops everything, for example because the camera was turned. Since: 0.1 */
VITGATE_API void vitgate_stream_forget(VitgateStream *stream);

/* Computes what streams decided when they last looked, and continues them with those frames. If all
 * passes are independent, the frames are classified as a batch, otherwise one by one.
 * @session: of the streams' model; gates decide for each image whatever its granularity, unless all
 * passes are independent
 * @streams: [n], all different; from 1 to max_batch
 * @tensors: [n][3][image_size][image_size] that they looked at
 * Returns: (transfer none): [n] results, valid until the next call of session or streams, or NULL
 * with @error set to VITGATE_ERROR_ARGUMENT. For an unchanged frame a result has the last logits,
 * probabilities, features and score, and nothing ran. Since: 0.1 */
VITGATE_API const VitgateResult *vitgate_session_follow(VitgateSession *session,
                                                        VitgateStream *const *streams,
                                                        const float *tensors, guint n,
                                                        GError **error);

/* Classifies the next frame of a stream: vitgate_session_preprocess(), vitgate_stream_look() and
 * vitgate_session_follow().
 * Returns: (transfer none): as vitgate_session_follow(), or NULL with @error set to
 * VITGATE_ERROR_IMAGE, _ARGUMENT or _MEMORY. Since: 0.1 */
VITGATE_API const VitgateResult *vitgate_session_classify_next(VitgateSession *session,
                                                               VitgateStream *stream,
                                                               const VitgateImage *image,
                                                               GError **error);

static inline void vitgate__model_cleanup(VitgateModel *model)
{
  vitgate_model_unref(&model);
}
static inline void vitgate__session_cleanup(VitgateSession *session)
{
  vitgate_session_free(&session);
}
static inline void vitgate__stream_cleanup(VitgateStream *stream)
{
  vitgate_stream_free(&stream);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitgateModel, vitgate__model_cleanup)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitgateSession, vitgate__session_cleanup)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitgateStream, vitgate__stream_cleanup)

G_END_DECLS
