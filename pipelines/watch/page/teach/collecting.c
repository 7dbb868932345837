#include "page/teach/collecting.h"

#include <string.h>

#include "base/console.h"
#include "page/teach/still.h"
#include "page/teach/task-pictures.h"

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
}

void collecting_stop(Lesson *lesson)
{
  candidates_free(&lesson->candidates);
  lesson->last_frame = 0;
  g_queue_clear_full(&lesson->stills, g_free);
  lesson->next_look = 0;
}
