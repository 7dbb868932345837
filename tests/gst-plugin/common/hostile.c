/* hostile.c: whatever a buffer's metadata says, no byte beyond its memory is used. Caps, metas and
 * memories are drawn at random, the same in each run; each memory lies between forbidden pages. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attached.h"
#include "common/frame.h"
#include "overlay/blend.h"
#include "overlay/overlay-fixture.h"

#define MAX_MEMORIES 3
#define ARENA        (1 << 16) /* bytes between two forbidden pages */
#define CASES        20000     /* for the functions */
#define FRAMES       400       /* for the elements */

static GRand *dice;
static guint8 *arenas[MAX_MEMORIES];
static GstVideoFormat *formats;
static guint n_formats;

/* ---- Set up -------------------------------------------------------------------------------- */

static void list_formats(void)
{
  g_auto(GStrv) names = g_strsplit_set(GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS, "{}, ", -1);

  formats = g_new(GstVideoFormat, g_strv_length(names));
  for (char **name = names; *name; name++)
    if (**name)
      formats[n_formats++] = gst_video_format_from_string(*name);
}

static void setup(void)
{
  const gsize page = sysconf(_SC_PAGESIZE);

  dice = g_rand_new_with_seed(17);
  list_formats();
  for (guint i = 0; i < MAX_MEMORIES; i++) {
    guint8 *map = mmap(NULL, ARENA + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fail_unless(map != MAP_FAILED);
    arenas[i] = map + page;
    fail_unless(mprotect(arenas[i], ARENA, PROT_READ | PROT_WRITE) == 0);
  }
  overlay_setup();
}

static void teardown(void)
{
  const gsize page = sysconf(_SC_PAGESIZE);

  overlay_teardown();
  for (guint i = 0; i < MAX_MEMORIES; i++)
    munmap(arenas[i] - page, ARENA + 2 * page);
  g_clear_pointer(&formats, g_free);
  n_formats = 0;
  g_rand_free(dice);
}

static gint throw(gint from, gint to)
{
  return g_rand_int_range(dice, from, to + 1);
}

/* Returns: TRUE once in @n times */
static gboolean once_in(gint n)
{
  return throw(1, n) == 1;
}

/* ---- Cases --------------------------------------------------------------------------------- */

typedef struct {
  GstVideoInfo info; /* of the caps */
  GstBuffer *buffer;
  gboolean valid; /* nothing was made wrong, so the frame must be accepted */
} Case;

static gint bad_number(gint right)
{
  switch (throw(0, 7)) {
  case 0:
    return 0;
  case 1:
    return -right;
  case 2:
    return G_MAXINT - throw(0, 3);
  case 3:
    return G_MININT;
  case 4:
    return right * throw(2, 1000);
  default:
    return right + throw(-9, 9);
  }
}

/* Appends @size bytes as one or more memories, each with an end at a forbidden page. */
static void append_memories(Case *c, gsize size)
{
  const guint n = throw(1, MAX_MEMORIES);

  for (guint i = 0; i < n; i++) {
    const gsize part = i + 1 < n && size > 0 ? (gsize) throw(0, (gint)size) : size;
    guint8 *data = once_in(3) ? arenas[i] : arenas[i] + ARENA - part;

    memset(data, 100, part);
    gst_buffer_append_memory(c->buffer, gst_memory_new_wrapped(0, data, part, 0, part, NULL, NULL));
    size -= part;
  }
}

/* Adds a video meta for @stored, the layout of the memory. */
static void add_video_meta(Case *c, const GstVideoInfo *stored, gboolean wrong)
{
  GstVideoMeta *meta = gst_buffer_add_video_meta_full(
      c->buffer, 0, GST_VIDEO_INFO_FORMAT(stored), stored->width, stored->height,
      GST_VIDEO_INFO_N_PLANES(stored), (gsize *)stored->offset, (gint *)stored->stride);
  const guint p = throw(0, GST_VIDEO_INFO_N_PLANES(stored) - 1);

  if (!wrong)
    return;
  c->valid = FALSE;
  switch (throw(0, 6)) {
  case 0:
    meta->format = once_in(4) ? GST_VIDEO_FORMAT_UNKNOWN : formats[throw(0, n_formats - 1)];
    break;
  case 1:
    meta->n_planes = throw(0, GST_VIDEO_MAX_PLANES);
    break;
  case 2:
    meta->width = bad_number(meta->width);
    break;
  case 3:
    meta->height = bad_number(meta->height);
    break;
  case 4:
    meta->offset[p] = once_in(3) ? G_MAXSIZE - throw(0, 9) : (gsize)bad_number(meta->offset[p]);
    break;
  default:
    meta->stride[p] = bad_number(meta->stride[p]);
  }
}

static void add_crop_meta(Case *c, const GstVideoInfo *stored, gboolean wrong)
{
  GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(c->buffer);

  crop->x = throw(0, stored->width - 1);
  crop->y = throw(0, stored->height - 1);
  crop->width = throw(1, stored->width - crop->x);
  crop->height = throw(1, stored->height - crop->y);
  if (!wrong)
    return;
  c->valid = FALSE;
  *(once_in(2) ? &crop->x : &crop->y) = (guint)bad_number(crop->x);
  *(once_in(2) ? &crop->width : &crop->height) = (guint)bad_number(crop->width);
}

/* Returns: FALSE if the format has no frames of this size */
static gboolean draw_case(Case *c, GstVideoFormat format)
{
  const gint width = throw(1, 40), height = throw(1, 40);
  const gboolean has_meta = !once_in(3), padded = has_meta && once_in(2);
  GstVideoInfo stored;

  /* GStreamer reaches beyond the last row of a format without windows, so some are left out, and
   * has too little memory for frames of NV12_10BE_8L128. */
  c->valid = gst_vitgate_format_has_windows(gst_video_format_get_info(format)) ||
             (height > 2 && format != GST_VIDEO_FORMAT_NV12_10BE_8L128);
  if (!gst_video_info_set_format(&c->info, format, width, height) ||
      !gst_video_info_set_format(&stored, format, width + (padded ? throw(0, 24) : 0),
                                 height + (padded ? throw(0, 24) : 0)) ||
      stored.size + 8 > ARENA)
    return FALSE;
  c->buffer = gst_buffer_new();
  if (once_in(4)) {
    const gint size = (gint)stored.size + throw(-40, 8);

    c->valid = FALSE;
    append_memories(c, MAX(size, 0));
  } else {
    append_memories(c, stored.size);
  }
  /* A plane of a frame with a meta must not lie in two memories. */
  if (gst_buffer_n_memory(c->buffer) > 1 && has_meta)
    c->valid = FALSE;
  if (has_meta)
    add_video_meta(c, &stored, once_in(2));
  if (once_in(3))
    add_crop_meta(c, has_meta ? &stored : &c->info, once_in(3));
  return TRUE;
}

/* ---- The functions ------------------------------------------------------------------------- */

static guint n_accepted, n_refused;

static void check_verdict(const Case *c, gboolean accepted, const char *reason)
{
  n_accepted += accepted;
  n_refused += !accepted;
  fail_unless(accepted || (reason && *reason));
  fail_unless(accepted || !c->valid, "a good frame of %s, %dx%d, is refused: %s",
              GST_VIDEO_INFO_NAME(&c->info), c->info.width, c->info.height, reason);
}

/* Reads all that the engine would. */
static void try_to_read(const Case *c)
{
  GstCaps *caps = gst_video_info_to_caps(&c->info);
  GstVitgateFrameLayout layout;

  if (gst_vitgate_frame_layout_init(&layout, caps)) {
    const char *reason = NULL;
    GstVitgateFrame frame;
    const gboolean accepted = gst_vitgate_frame_map(&frame, &layout, c->buffer, &reason);

    check_verdict(c, accepted, reason);
    if (accepted) {
      const GstVideoFormatInfo *format = layout.info.finfo;
      guint64 sum = 0;

      for (guint k = 0; k < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); k++) {
        const guint p = GST_VIDEO_FORMAT_INFO_PLANE(format, k);
        const gsize rows = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, k, frame.image.height);
        const gsize bytes = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, k, frame.image.width) *
                            GST_VIDEO_FORMAT_INFO_PSTRIDE(format, k);

        for (gsize y = 0; y < rows; y++)
          sum += frame.image.planes[p][y * frame.image.strides[p]] +
                 frame.image.planes[p][y * frame.image.strides[p] + bytes - 1];
      }
      fail_unless(sum > 0);
      gst_vitgate_frame_unmap(&frame);
    }
  }
  gst_caps_unref(caps);
}

static void try_to_draw(const Case *c)
{
  GstVitgatePlacement placement = { NULL, throw(-8, 40), throw(-8, 40), throw(1, 30),
                                    throw(1, 30) };
  const char *reason = NULL;
  GstVitgateVisible visible;
  const gboolean accepted =
      gst_vitgate_visible_map(&visible, &c->info, c->buffer, GST_MAP_READWRITE, &reason);

  check_verdict(c, accepted, reason);
  if (!accepted)
    return;
  placement.pixels =
      gst_buffer_new_allocate(NULL, (gsize)placement.width * placement.height * 4, NULL);
  gst_buffer_memset(placement.pixels, 0, 0xc0, -1);
  gst_buffer_add_video_meta(placement.pixels, GST_VIDEO_FRAME_FLAG_NONE,
                            GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, placement.width,
                            placement.height);
  placement.x += visible.x;
  placement.y += visible.y;
  gst_vitgate_blend(&visible.frame, &placement);
  gst_buffer_unref(placement.pixels);
  gst_vitgate_visible_unmap(&visible);
}

GST_START_TEST(test_no_byte_beyond_the_memory_is_used)
{
  for (guint i = 0; i < CASES; i++) {
    Case c;

    if (!draw_case(&c, formats[i % n_formats]))
      continue;
    try_to_read(&c);
    try_to_draw(&c);
    gst_buffer_unref(c.buffer);
  }
  fail_unless(n_accepted > CASES / 4 && n_refused > CASES / 4, "%u accepted, %u refused",
              n_accepted, n_refused);
}
GST_END_TEST;

/* ---- The elements -------------------------------------------------------------------------- */

GST_START_TEST(test_hostile_frames_pass_through_the_elements)
{
  GstHarness *vitgate = fixture_harness(fixture_element());
  guint drawn = 0, passed = 0;

  for (guint i = 0; i < FRAMES; i++) {
    GstCaps *caps;
    Case c;

    if (!draw_case(&c, once_in(2) ? GST_VIDEO_FORMAT_NV12 : formats[i % n_formats]))
      continue;
    c.info.fps_n = 25;
    caps = gst_video_info_to_caps(&c.info);
    gst_harness_set_src_caps(overlay_harness, gst_caps_ref(caps));
    if (GST_VIDEO_INFO_FORMAT(&c.info) == GST_VIDEO_FORMAT_NV12) {
      gst_harness_set_src_caps(vitgate, gst_caps_ref(caps));
      c.buffer = fixture_process(vitgate, c.buffer);
    }
    gst_buffer_unref(overlay_draw(c.buffer, "cat", 0.5, 0));
    gst_caps_unref(caps);
    passed++;
  }
  drawn = (guint)overlay_stat("drawn");
  fail_unless(passed > FRAMES / 2 && drawn > FRAMES / 4, "%u passed, %u drawn", passed, drawn);
  fixture_free(vitgate);
}
GST_END_TEST;

static Suite *hostile_suite(void)
{
  Suite *suite = suite_create("hostile");
  TCase *tcase = tcase_create("hostile");

  suite_add_tcase(suite, tcase);
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, test_no_byte_beyond_the_memory_is_used);
  tcase_add_test(tcase, test_hostile_frames_pass_through_the_elements);
  return suite;
}

GST_CHECK_MAIN(hostile);
