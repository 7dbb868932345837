#include "page/teach/collecting.h"

#include <string.h>

#include "base/console.h"
#include "page/teach/still.h"
#include "page/teach/task-pictures.h"

#define HOURS      12  /* of snapshots */
#define MAX_STILLS 200 /* snapshots that are looked at */

#define INTERVAL (2 * G_USEC_PER_SEC) /* between looks at the camera */
#define THRESHOLD                                                                                  \
  0.75 /* score below which a picture is doubtful: with two classes,                               \
          the better one has at least 0.5 */

/* Stops for good, as something has to be done first.
 * @message: (transfer full) */
static void give_up(Lesson *lesson, char *message)
{
  g_autoptr(GError) error = NULL;
  g_free(lesson->message);
  lesson->message = message;
  lesson->task->collecting = FALSE;
  console_print("task %s: collecting has ended: %s", lesson->task->name, message);
  collecting_stop(lesson);
  if (!task_save(lesson->task, &error))
    console_print("task %s: %s", lesson->task->name, error->message);
  lesson_publish(lesson);
}

static void on_candidate(const Candidate *candidate, gpointer user_data)
{
  Lesson *lesson = user_data;
  g_autoptr(GError) error = NULL;
  if (candidate->error) {
    give_up(lesson, g_strdup(candidate->error->message));
    return;
  }
  if (!candidate->kept)
    return;
  if (candidate->probability >= 0) {
    g_autofree char *name = g_strconcat(candidate->name, ".jpg", NULL);
    task_pictures_doubt(lesson->task, name, candidate->probability, candidate->guess);
    if (!task_save(lesson->task, &error))
      console_print("task %s: %s", lesson->task->name, error->message);
  }
  lesson_publish(lesson);
}

static gboolean start(Lesson *lesson, GError **error)
{
  Task *task = lesson->task;
  const LookConfig *look = lesson_find_look(lesson, NULL);
  g_autofree char *unsorted = task_path(task, TASK_UNSORTED);
  g_autofree char *region = task_region_text(&task->region);
  g_autofree char *model = look ? task_path(task, TASK_IN_USE) : NULL;
  const CandidatesOptions options = { task->folder, unsorted, region, model,
                                      look ? MAX(look->threshold, THRESHOLD) : THRESHOLD };
  if (!task_make_folders(task, error))
    return FALSE;
  lesson->candidates = candidates_new(&options, on_candidate, lesson, error);
  return lesson->candidates != NULL;
}

/* Returns: whether there is room for another picture */
static gboolean check_room(Lesson *lesson)
{
  g_autoptr(GPtrArray) pictures = task_pictures_list(lesson->task);
  if (pictures->len < TASK_MAX_PICTURES)
    return TRUE;
  give_up(lesson,
          g_strdup_printf("the task has %u pictures; delete some to collect more", pictures->len));
  return FALSE;
}

/* ---- The camera ---------------------------------------------------------------------------- */

static void look_at_camera(Lesson *lesson)
{
  const PageWatch *watch = page_get_watch(lesson->page);
  Camera *camera = watch->find_camera(lesson->task->camera, watch->user_data);
  NewestFrame *newest = camera ? camera_get_newest_frame(camera) : NULL;
  const guint64 number = newest ? newest_frame_get_count(newest) : 0;
  lesson->next_look = g_get_monotonic_time() + INTERVAL;
  if (!newest || number == lesson->last_frame || !check_room(lesson))
    return;
  g_autoptr(GstSample) sample = newest_frame_get(newest);
  if (!sample)
    return;
  g_autoptr(GDateTime) now = g_date_time_new_now_local();
  lesson->last_frame = number;
  candidates_offer(lesson->candidates, sample, now);
}

/* ---- Snapshots ----------------------------------------------------------------------------- */

static void free_still(gpointer data)
{
  g_free(((Snapshot *)data)->path);
  g_free(data);
}

void collecting_begin(Lesson *lesson)
{
  const gint64 since = g_get_real_time() - (gint64)HOURS * 3600 * G_USEC_PER_SEC;
  g_queue_clear_full(&lesson->stills, free_still);
  if (!lesson->snapshots)
    return;
  g_autoptr(GPtrArray) list = snapshots_list(lesson->snapshots, lesson->task->camera, since);
  for (guint i = 0; i < MIN(list->len, MAX_STILLS); i++) {
    const Snapshot *snapshot = list->pdata[i];
    Snapshot *still = g_new0(Snapshot, 1);
    *still = (Snapshot){ .time = snapshot->time, .path = g_strdup(snapshot->path) };
    g_queue_push_tail(&lesson->stills, still);
  }
}

typedef struct {
  Lesson *lesson;
  Snapshot *still;
} Load;

static void load_still(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  GstSample *sample = still_load(((Load *)data)->still->path, &error);
  if (sample)
    g_task_return_pointer(task, sample, (GDestroyNotify)gst_sample_unref);
  else
    g_task_return_error(task, error);
}

/* A snapshot that is gone meanwhile, or cannot be read, is left out. */
static void on_still(GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Load *load = user_data;
  Lesson *lesson = load->lesson;
  g_autoptr(GstSample) sample = g_task_propagate_pointer(G_TASK(result), NULL);
  g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(load->still->time / G_USEC_PER_SEC);
  g_autoptr(GDateTime) local = g_date_time_to_local(utc);
  g_autoptr(GDateTime) time = g_date_time_add(local, load->still->time % G_USEC_PER_SEC);
  lesson->loading = FALSE;
  if (sample && lesson->candidates && !candidates_is_busy(lesson->candidates) && check_room(lesson))
    candidates_offer(lesson->candidates, sample, time);
  free_still(load->still);
  lesson_unref(lesson);
}

static void look_at_still(Lesson *lesson)
{
  Load *load = g_new(Load, 1);
  *load = (Load){ lesson_ref(lesson), g_queue_pop_head(&lesson->stills) };
  g_autoptr(GTask) task = g_task_new(NULL, NULL, on_still, load);
  lesson->loading = TRUE;
  g_task_set_task_data(task, load, NULL);
  g_task_run_in_thread(task, load_still);
}

/* ---- Both ---------------------------------------------------------------------------------- */

void collecting_look(Lesson *lesson)
{
  g_autoptr(GError) error = NULL;
  if (!lesson->candidates && !start(lesson, &error)) {
    give_up(lesson, g_strdup(error->message));
    return;
  }
  if (lesson->loading || candidates_is_busy(lesson->candidates))
    return;
  if (g_get_monotonic_time() >= lesson->next_look)
    look_at_camera(lesson);
  else if (!g_queue_is_empty(&lesson->stills))
    look_at_still(lesson);
}

void collecting_stop(Lesson *lesson)
{
  candidates_free(&lesson->candidates);
  if (!lesson->task->collecting)
    g_queue_clear_full(&lesson->stills, free_still);
  lesson->last_frame = 0;
  lesson->next_look = 0;
}
