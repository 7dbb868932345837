#include "page/teach/teach-job.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <json-glib/json-glib.h>

#include "page/teach/task-pictures.h"

#define PROGRAM       "vitgate"
#define PRIORITY      10
#define MAX_MESSAGE   2000 /* characters */
#define PICTURES_PART 0.9  /* of the time; the rest is cross-validation and fit */

struct _TeachJob {
  gatomicrefcount references; /* of the caller, and of each operation that runs */
  TeachJobFuncs funcs;
  GSubprocess *process;
  GDataInputStream *messages;
  GMemoryOutputStream *output;
  gboolean cancelled, exited, written, told;
  gboolean gone; /* the caller has freed it */
  double progress;
  GString *message; /* the last lines that are no progress */
};

static void unref(TeachJob *self)
{
  if (!g_atomic_ref_count_dec(&self->references))
    return;
  g_clear_object(&self->process);
  g_clear_object(&self->messages);
  g_clear_object(&self->output);
  g_string_free(self->message, TRUE);
  g_free(self);
}

static TeachJob *ref(TeachJob *self)
{
  g_atomic_ref_count_inc(&self->references);
  return self;
}

/* ---- The end ------------------------------------------------------------------------------- */

/* Returns: (transfer full): why it failed */
static char *describe_failure(TeachJob *self)
{
  if (self->cancelled)
    return g_strdup("cancelled");
  if (g_subprocess_get_if_signaled(self->process))
    return g_strdup_printf("vitgate teach was ended by a signal: %s",
                           g_strsignal(g_subprocess_get_term_sig(self->process)));
  if (self->message->len > 0)
    return g_strdup(self->message->str);
  return g_strdup("vitgate teach failed without a message");
}

/* Reports the end once the program has exited and all that it wrote is read. */
static void check_end(TeachJob *self)
{
  if (!self->exited || !self->written || !self->told || self->gone)
    return;
  const gboolean good = !self->cancelled && g_subprocess_get_if_exited(self->process) &&
                        g_subprocess_get_exit_status(self->process) == 0;
  if (!good) {
    g_autofree char *message = describe_failure(self);
    self->funcs.end(NULL, message, self->funcs.user_data);
    return;
  }
  const gsize length = g_memory_output_stream_get_data_size(self->output);
  g_autofree char *result =
      length ? g_strndup(g_memory_output_stream_get_data(self->output), length) : g_strdup("");
  self->funcs.end(result, NULL, self->funcs.user_data);
}

static void on_exited(GObject *source, GAsyncResult *result, gpointer user_data)
{
  TeachJob *self = user_data;
  g_subprocess_wait_finish(G_SUBPROCESS(source), result, NULL);
  self->exited = TRUE;
  check_end(self);
  unref(self);
}

static void on_output(GObject *source, GAsyncResult *result, gpointer user_data)
{
  TeachJob *self = user_data;
  g_output_stream_splice_finish(G_OUTPUT_STREAM(source), result, NULL);
  self->written = TRUE;
  check_end(self);
  unref(self);
}

/* ---- Messages and progress ----------------------------------------------------------------- */

/* Steps are the files, which take no time, the pictures, and the folds, several times over. */
static void read_progress(TeachJob *self, JsonObject *line)
{
  const double total = json_object_get_double_member_with_default(line, "total", 0);
  const double done = json_object_get_double_member_with_default(line, "done", 0);
  const char *unit = json_object_get_string_member_with_default(line, "unit", "");
  double progress = self->progress;
  if (total > 0 && !strcmp(unit, "pictures"))
    progress = PICTURES_PART * done / total;
  else if (!strcmp(unit, "folds"))
    progress = progress + (1 - MAX(progress, PICTURES_PART)) / 20;
  progress = CLAMP(progress, self->progress, 0.99);
  if (progress <= self->progress)
    return;
  self->progress = progress;
  self->funcs.progress(progress, self->funcs.user_data);
}

static void read_message(TeachJob *self, const char *line)
{
  static const char prefix[] = "vitgate teach: ";
  g_autofree char *valid = g_utf8_make_valid(line, -1);
  const char *text = g_str_has_prefix(valid, prefix) ? valid + strlen(prefix) : valid;
  if (self->message->len + strlen(text) > MAX_MESSAGE)
    g_string_truncate(self->message, 0);
  g_string_append_printf(self->message, "%s%s", self->message->len ? "\n" : "", text);
}

static void read_line(TeachJob *self);

static void on_line(GObject *source, GAsyncResult *result, gpointer user_data)
{
  TeachJob *self = user_data;
  g_autofree char *line =
      g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(source), result, NULL, NULL);
  if (!line || self->gone) {
    self->told = TRUE;
    check_end(self);
    unref(self);
    return;
  }
  g_autoptr(JsonNode) node = *line == '{' ? json_from_string(line, NULL) : NULL;
  if (node && JSON_NODE_HOLDS_OBJECT(node))
    read_progress(self, json_node_get_object(node));
  else if (*line)
    read_message(self, line);
  read_line(self);
  unref(self);
}

static void read_line(TeachJob *self)
{
  g_data_input_stream_read_line_async(self->messages, G_PRIORITY_DEFAULT, NULL, on_line, ref(self));
}

/* ---- Start --------------------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): the program that was installed with this one */
static char *find_program(GError **error)
{
  g_autofree char *own = g_file_read_link("/proc/self/exe", NULL);
  g_autofree char *folder = own ? g_path_get_dirname(own) : NULL;
  g_autofree char *beside = folder ? g_build_filename(folder, PROGRAM, NULL) : NULL;
  char *found = beside && g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE) &&
                        !g_file_test(beside, G_FILE_TEST_IS_DIR)
                    ? g_strdup(beside)
                    : g_find_program_in_path(PROGRAM);
  if (!found)
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                "the program " PROGRAM ", which teaches, is neither in %s nor in PATH",
                folder ? folder : "this program's folder");
  return found;
}

/* Runs in the new process: cameras come first, and it ends with this program, also by kill -9. */
static void set_up_child(gpointer user_data)
{
  setpriority(PRIO_PROCESS, 0, PRIORITY);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != GPOINTER_TO_INT(user_data))
    raise(SIGKILL);
}

static GSubprocess *start(const char *folder, const char *name, GError **error)
{
  g_autofree char *program = find_program(error);
  if (!program)
    return NULL;
  g_autofree char *named = g_strconcat("--name=", name, NULL);
  const char *const arguments[] = { program,    "teach", "--data", TASK_PICTURES, "--output",
                                    TASK_MODEL, named,   "--json", "--progress",  NULL };
  g_autoptr(GSubprocessLauncher) launcher =
      g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  g_subprocess_launcher_set_cwd(launcher, folder);
  g_subprocess_launcher_set_child_setup(launcher, set_up_child, GINT_TO_POINTER(getpid()), NULL);
  return g_subprocess_launcher_spawnv(launcher, arguments, error);
}

TeachJob *teach_job_new(const char *folder, const char *name, const TeachJobFuncs *funcs,
                        GError **error)
{
  GSubprocess *process = start(folder, name, error);
  if (!process)
    return NULL;
  TeachJob *self = g_new0(TeachJob, 1);
  g_atomic_ref_count_init(&self->references);
  self->funcs = *funcs;
  self->process = process;
  self->message = g_string_new(NULL);
  self->messages = g_data_input_stream_new(g_subprocess_get_stderr_pipe(process));
  self->output = G_MEMORY_OUTPUT_STREAM(g_memory_output_stream_new_resizable());
  read_line(self);
  g_output_stream_splice_async(G_OUTPUT_STREAM(self->output), g_subprocess_get_stdout_pipe(process),
                               G_OUTPUT_STREAM_SPLICE_NONE, G_PRIORITY_DEFAULT, NULL, on_output,
                               ref(self));
  g_subprocess_wait_async(process, NULL, on_exited, ref(self));
  return self;
}

void teach_job_cancel(TeachJob *self)
{
  self->cancelled = TRUE;
  g_subprocess_force_exit(self->process);
}

void teach_job_free(TeachJob **job)
{
  TeachJob *self = g_steal_pointer(job);
  if (!self)
    return;
  self->gone = TRUE;
  g_subprocess_force_exit(self->process);
  unref(self);
}
