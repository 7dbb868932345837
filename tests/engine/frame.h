/* frame.h: frames of every pixel format, written sample by sample. */
#pragma once

#include "image/image.h"

/* What a format is, told otherwise than the engine tells it: the bytes of each plane as a pattern
 * of R, G, B or Y, U, V that repeats along the row; x: a byte of no meaning. */
typedef struct {
  const char *name;
  const char *patterns[3]; /* of the planes in use */
  guint n_planes;
  gboolean ycbcr;
  guint sub_x, sub_y; /* pixels per chroma sample */
} FrameFormat;

extern const FrameFormat frame_formats[VITGATE_PIXELS_N_FORMATS];

/* A frame whose planes hold no byte behind the last pixel. */
typedef struct {
  VitgateImage image;
  guint8 *planes[3]; /* image.planes, to write */
} Frame;

/* @gap: bytes between the end of a row and the next */
Frame *frame_new(VitgatePixelFormat format, guint width, guint height, gsize gap);

void frame_free(Frame *frame);

/* Of a row's pixels, without the gap. */
gsize frame_row_bytes(const Frame *frame, guint plane);

gsize frame_plane_bytes(const Frame *frame, guint plane);

/* Components that a format has: 3, or 1 of GRAY8. */
guint frame_n_components(const Frame *frame);

/* Samples of component @c (red or Y first) in a row, or in a column. */
guint frame_columns(const Frame *frame, guint c);
guint frame_rows(const Frame *frame, guint c);

/* The sample of component @c in its own column @x and row @y. */
guint8 *frame_sample(const Frame *frame, guint c, guint x, guint y);

/* Gives all samples of each component one value. */
void frame_fill(Frame *frame, const guint8 values[3]);

/* Gives every sample a value of its own, and all bytes that are none @poison. */
void frame_fill_random(Frame *frame, guint32 seed, guint8 poison);

/* A crop of a picture of 36 pixels on its shorter side, bicubic, in steps: 0 to 255. */
extern const Preprocessing frame_preprocessing;

/* Returns: (transfer full): [3][size][size] */
float *frame_tensor(const VitgateImage *image, guint size, const Preprocessing *preprocessing);

/* The same in steps, for a resize and interpolation. */
float *frame_convert(const VitgateImage *image, guint size, guint resize, gboolean bicubic);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Frame, frame_free)
