/* Frames of every pixel format, written sample by sample. */
#pragma once

#include "image/image.h"

/* Describes a format independently of the engine: the bytes of each plane as a pattern of R, G, B
 * or Y, U, V that repeats along the row; x is an unused byte. */
typedef struct {
  const char *name;
  const char *patterns[3]; /* of the planes in use */
  guint n_planes;
  gboolean ycbcr;
  guint sub_x, sub_y; /* pixels per chroma sample */
  guint bits;         /* of a sample of two bytes; 0: a sample is a byte */
  gboolean upper;     /* the bits are the upper ones */
} FrameFormat;

extern const FrameFormat frame_formats[VITGATE_PIXELS_N_FORMATS];

/* A frame whose planes end with the last pixel. */
typedef struct {
  VitgateImage image;
  guint8 *planes[3]; /* image.planes, writable */
} Frame;

/* @gap: bytes between the end of a row and the next */
Frame *frame_new(VitgatePixelFormat format, guint width, guint height, gsize gap);

void frame_free(Frame *frame);

/* Of a row's pixels, without the gap. */
gsize frame_row_bytes(const Frame *frame, guint plane);

gsize frame_plane_bytes(const Frame *frame, guint plane);

/* Returns: the bytes of a sample: 1 or 2 */
guint frame_sample_bytes(const Frame *frame);

/* Returns: the number of components: 1 for GRAY8, otherwise 3 */
guint frame_n_components(const Frame *frame);

/* Returns: the number of samples of component @c (0: red or Y) in a row or in a column */
guint frame_columns(const Frame *frame, guint c);
guint frame_rows(const Frame *frame, guint c);

/* Returns: the first byte of the sample of component @c in column @x and row @y of its samples */
guint8 *frame_sample(const Frame *frame, guint c, guint x, guint y);

/* Sets a sample. @value: from 0 to 255, where more bits take fractions too */
void frame_set(const Frame *frame, guint c, guint x, guint y, double value);

/* Sets all samples of each component to one value. */
void frame_fill(Frame *frame, const guint8 values[3]);

/* Sets each sample to a random value and all other bytes to @poison. With the same seed, the
 * samples of all formats are the same, to eight bits. */
void frame_fill_random(Frame *frame, guint32 seed, guint8 poison);

/* Bicubic resize to 36 pixels on the shorter side; values are steps from 0 to 255. */
extern const Preprocessing frame_preprocessing;

/* Converts an image.
 * Returns: (transfer full): [3][size][size] */
float *frame_tensor(const VitgateImage *image, guint size, const Preprocessing *preprocessing);

/* Converts an image to steps, with the given resize and interpolation.
 * Returns: (transfer full): [3][size][size] */
float *frame_convert(const VitgateImage *image, guint size, guint resize, gboolean bicubic);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Frame, frame_free)
