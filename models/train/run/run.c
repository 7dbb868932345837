#include "train/run/run.h"

void run_clear(Run *run)
{
  trainer_free(&run->trainer);
  student_clear(&run->student);
  teacher_free(&run->teacher);
  wide_head_free(&run->wide);
  held_out_free(&run->held_out);
  collection_close(&run->collection);
  vitgate_model_unref(&run->model);
  run_log_free(&run->log);
  g_free(run->classes);
  g_free(run->folder);
  g_free(run->checkpoint);
}
