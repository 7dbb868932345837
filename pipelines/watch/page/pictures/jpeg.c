#include "page/pictures/jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "page/pictures/jfif-colours.h"

#define ROWS            16 /* of a row of blocks, with 4:2:0 */
#define MAX_COMMENT     65533
#define N_PLANES        3
#define ROUND_UP(value) (((value) + ROWS - 1) / ROWS * ROWS)

static gboolean fail(GError **error, const char *reason)
{
  g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_ENCODE,
              "the frame cannot be made a JPEG picture: %s", reason);
  return FALSE;
}

/* ---- Scaling ------------------------------------------------------------------------------- */

/* Returns: @region, or all of a frame, without what is beyond the frame; it begins
 * at a pixel with a chroma sample of its own */
static GstVideoRectangle find_region(const GstVideoInfo *info, const GstVideoRectangle *region)
{
  const GstVideoRectangle whole = { 0, 0, info->width, info->height };
  if (!region)
    return whole;
  const int left = CLAMP(region->x, 0, info->width - 1) & ~1;
  const int top = CLAMP(region->y, 0, info->height - 1) & ~1;
  const gint64 right = MIN((gint64)region->x + region->w, info->width);
  const gint64 bottom = MIN((gint64)region->y + region->h, info->height);
  return (GstVideoRectangle){ left, top, (int)MAX(right - left, 1), (int)MAX(bottom - top, 1) };
}

/* Finds the size of the picture, whose pixels are square. */
static void find_size(const GstVideoInfo *info, const GstVideoRectangle *region, guint max_width,
                      int *width, int *height)
{
  const guint64 full =
      MAX(gst_util_uint64_scale_int_round((guint64)region->w, info->par_n, info->par_d), 1);
  const guint64 wanted = MIN(full, max_width ? max_width : JPEG_MAX_DIMENSION);
  *width = (int)wanted;
  *height = (int)CLAMP(gst_util_uint64_scale_round((guint64)region->h, wanted, full), 1,
                       JPEG_MAX_DIMENSION);
}

/* Fills what is right of and below the picture, up to whole blocks, with the colour of its edge. */
static void extend_edges(GstVideoFrame *frame, int width, int height)
{
  for (guint i = 0; i < N_PLANES; i++) {
    const gsize columns = (gsize)(i ? (width + 1) / 2 : width);
    const int rows = i ? (height + 1) / 2 : height;
    const gsize all_columns = (gsize)GST_VIDEO_FRAME_COMP_WIDTH(frame, i);
    const gsize stride = (gsize)GST_VIDEO_FRAME_COMP_STRIDE(frame, i);
    guint8 *plane = GST_VIDEO_FRAME_COMP_DATA(frame, i);
    for (int row = 0; row < rows; row++) {
      guint8 *line = plane + (gsize)row * stride;
      memset(line + columns, line[columns - 1], all_columns - columns);
    }
    for (int row = rows; row < GST_VIDEO_FRAME_COMP_HEIGHT(frame, i); row++)
      memcpy(plane + (gsize)row * stride, plane + (gsize)(rows - 1) * stride, all_columns);
  }
}

/* @info: (out): of the picture, with whole blocks */
static gboolean describe_output(const GstVideoInfo *input, int width, int height,
                                GstVideoInfo *info)
{
  if (!gst_video_info_set_format(info, GST_VIDEO_FORMAT_I420, (guint)ROUND_UP(width),
                                 (guint)ROUND_UP(height)))
    return FALSE;
  /* The converter is fast where colours stay as they are. */
  if (GST_VIDEO_INFO_IS_RGB(input))
    gst_video_colorimetry_from_string(&info->colorimetry, GST_VIDEO_COLORIMETRY_BT601);
  else
    info->colorimetry = input->colorimetry;
  /* A converter refuses other values. */
  info->fps_n = input->fps_n;
  info->fps_d = input->fps_d;
  info->interlace_mode = input->interlace_mode;
  return TRUE;
}

static GstVideoConverter *make_converter(const GstVideoInfo *input, const GstVideoRectangle *region,
                                         const GstVideoInfo *output, int width, int height)
{
  return gst_video_converter_new(
      (GstVideoInfo *)input, (GstVideoInfo *)output,
      gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_SRC_X, G_TYPE_INT, region->x,
                        GST_VIDEO_CONVERTER_OPT_SRC_Y, G_TYPE_INT, region->y,
                        GST_VIDEO_CONVERTER_OPT_SRC_WIDTH, G_TYPE_INT, region->w,
                        GST_VIDEO_CONVERTER_OPT_SRC_HEIGHT, G_TYPE_INT, region->h,
                        GST_VIDEO_CONVERTER_OPT_DEST_WIDTH, G_TYPE_INT, width,
                        GST_VIDEO_CONVERTER_OPT_DEST_HEIGHT, G_TYPE_INT, height,
                        GST_VIDEO_CONVERTER_OPT_FILL_BORDER, G_TYPE_BOOLEAN, FALSE,
                        GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD,
                        GST_VIDEO_DITHER_NONE, GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD,
                        GST_TYPE_VIDEO_RESAMPLER_METHOD, GST_VIDEO_RESAMPLER_METHOD_LINEAR, NULL));
}

/* ---- Encoding ------------------------------------------------------------------------------ */

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
} ErrorManager;

static void on_error(j_common_ptr jpeg)
{
  ErrorManager *errors = (ErrorManager *)jpeg->err;
  jpeg->err->format_message(jpeg, errors->message);
  longjmp(errors->jump, 1);
}

static void on_message(j_common_ptr jpeg)
{
}

static void set_parameters(struct jpeg_compress_struct *jpeg, int width, int height, guint quality)
{
  jpeg->image_width = (JDIMENSION)width;
  jpeg->image_height = (JDIMENSION)height;
  jpeg->input_components = N_PLANES;
  jpeg->in_color_space = JCS_YCbCr;
  jpeg_set_defaults(jpeg); /* 4:2:0 */
  jpeg_set_quality(jpeg, (int)CLAMP(quality, 1, 100), TRUE);
  jpeg->raw_data_in = TRUE;
  jpeg->dct_method = JDCT_ISLOW;
}

static void write_rows(struct jpeg_compress_struct *jpeg, const GstVideoFrame *frame)
{
  JSAMPROW rows[N_PLANES][ROWS];
  JSAMPARRAY planes[N_PLANES] = { rows[0], rows[1], rows[2] };
  while (jpeg->next_scanline < jpeg->image_height) {
    for (guint i = 0; i < N_PLANES; i++) {
      const guint n_rows = i ? ROWS / 2 : ROWS;
      const gsize first = jpeg->next_scanline / (i ? 2 : 1);
      for (guint row = 0; row < n_rows; row++)
        rows[i][row] = (JSAMPROW)GST_VIDEO_FRAME_COMP_DATA(frame, i) +
                       (first + row) * (gsize)GST_VIDEO_FRAME_COMP_STRIDE(frame, i);
    }
    jpeg_write_raw_data(jpeg, planes, ROWS);
  }
}

typedef struct {
  unsigned char *data; /* of malloc() */
  unsigned long size;
} Output;

/* @output: must not be a variable of this function, whose variables are lost when libjpeg fails */
static gboolean compress(const GstVideoFrame *frame, int width, int height, guint quality,
                         Output *output, GError **error)
{
  struct jpeg_compress_struct jpeg;
  ErrorManager errors;
  jpeg.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = on_error;
  errors.base.output_message = on_message;
  if (setjmp(errors.jump)) {
    jpeg_destroy_compress(&jpeg);
    return fail(error, errors.message);
  }
  jpeg_create_compress(&jpeg);
  jpeg_mem_dest(&jpeg, &output->data, &output->size);
  set_parameters(&jpeg, width, height, quality);
  jpeg_start_compress(&jpeg, TRUE);
  write_rows(&jpeg, frame);
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  return TRUE;
}

static GBytes *scale_and_compress(GstVideoFrame *input, const GstVideoRectangle *region, int width,
                                  int height, guint quality, GError **error)
{
  GstVideoInfo info;
  GstVideoFrame output;
  if (!describe_output(&input->info, width, height, &info)) {
    fail(error, "it is too large");
    return NULL;
  }
  g_autoptr(GstBuffer) buffer = gst_buffer_new_allocate(NULL, info.size, NULL);
  GstVideoConverter *converter = make_converter(&input->info, region, &info, width, height);
  Output jpeg = { 0 };
  gboolean good = FALSE;
  if (!buffer || !converter || !gst_video_frame_map(&output, &info, buffer, GST_MAP_READWRITE)) {
    fail(error, "its format cannot be converted");
  } else {
    gst_video_converter_frame(converter, input, &output);
    extend_edges(&output, width, height);
    jfif_colours_apply(&output);
    good = compress(&output, width, height, quality, &jpeg, error);
    gst_video_frame_unmap(&output);
  }
  g_clear_pointer(&converter, gst_video_converter_free);
  if (good)
    return g_bytes_new_with_free_func(jpeg.data, jpeg.size, free, jpeg.data);
  free(jpeg.data);
  return NULL;
}

GBytes *jpeg_encode_now(GstSample *sample, const GstVideoRectangle *region, guint max_width,
                        guint quality, GError **error)
{
  GstCaps *caps = gst_sample_get_caps(sample);
  GstBuffer *buffer = gst_sample_get_buffer(sample);
  GstVideoInfo info;
  GstVideoFrame frame;
  int width, height;
  if (!caps || !buffer || !gst_video_info_from_caps(&info, caps) ||
      GST_VIDEO_INFO_FORMAT(&info) == GST_VIDEO_FORMAT_ENCODED ||
      !gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ)) {
    fail(error, "it is not raw video in memory");
    return NULL;
  }
  const GstVideoRectangle part = find_region(&frame.info, region);
  find_size(&frame.info, &part, max_width, &width, &height);
  GBytes *bytes = scale_and_compress(&frame, &part, width, height, quality, error);
  gst_video_frame_unmap(&frame);
  return bytes;
}

/* ---- In a thread --------------------------------------------------------------------------- */

typedef struct {
  GstSample *sample;
  GstVideoRectangle region;
  gboolean has_region;
  guint width, quality;
} Job;

static void free_job(gpointer data)
{
  Job *job = data;
  gst_sample_unref(job->sample);
  g_free(job);
}

static void run_job(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Job *job = data;
  GError *error = NULL;
  GBytes *bytes = jpeg_encode_now(job->sample, job->has_region ? &job->region : NULL, job->width,
                                  job->quality, &error);
  if (bytes)
    g_task_return_pointer(task, bytes, (GDestroyNotify)g_bytes_unref);
  else
    g_task_return_error(task, error);
}

void jpeg_encode(GstSample *sample, const GstVideoRectangle *region, guint width, guint quality,
                 GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new(NULL, NULL, callback, user_data);
  Job *job = g_new0(Job, 1);
  job->sample = gst_sample_ref(sample);
  job->has_region = region != NULL;
  if (region)
    job->region = *region;
  job->width = width;
  job->quality = quality;
  g_task_set_task_data(task, job, free_job);
  g_task_run_in_thread(task, run_job);
  g_object_unref(task);
}

GBytes *jpeg_encode_finish(GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer(G_TASK(result), error);
}

/* ---- Comments ------------------------------------------------------------------------------ */

GBytes *jpeg_add_comment(GBytes *jpeg, const char *comment)
{
  gsize size;
  const guint8 *data = g_bytes_get_data(jpeg, &size);
  const gsize length = MIN(strlen(comment), MAX_COMMENT);
  /* JFIF's segment must come first, right after the start of the picture. */
  const gsize head = size > 6 && data[2] == 0xff && data[3] == 0xe0
                         ? MIN(4 + (gsize)data[4] * 256 + data[5], size)
                         : MIN(2, size);
  const guint8 segment[] = { 0xff, 0xfe, (guint8)((length + 2) >> 8), (guint8)(length + 2) };
  GByteArray *all = g_byte_array_sized_new((guint)(size + length + sizeof segment));
  g_byte_array_append(all, data, (guint)head);
  g_byte_array_append(all, segment, sizeof segment);
  g_byte_array_append(all, (const guint8 *)comment, (guint)length);
  g_byte_array_append(all, data + head, (guint)(size - head));
  return g_byte_array_free_to_bytes(all);
}
