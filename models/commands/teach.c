/* vitgate teach: gives a model classes of your own, from a few pictures of each. */
#include "teach/lesson.h"

#include <string.h>

#include "base/progress.h"
#include "base/ranks.h"
#include "base/time-option.h"
#include "commands/command.h"
#include "teach/lesson-report.h"
#include "write/output-file.h"

#define DEFAULT_OUT "taught.safetensors"

/* What the options say, as text. */
typedef struct {
  char **data, **others;
  char *model, *out, *name, *group_by, *fit, *fine_tune;
  int threads;
  gboolean several, add, forget, no_orientation, as_json, progress;
} Given;

static void given_clear(Given *given)
{
  g_strfreev(given->data);
  g_strfreev(given->others);
  g_free(given->model);
  g_free(given->out);
  g_free(given->name);
  g_free(given->group_by);
  g_free(given->fit);
  g_free(given->fine_tune);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Given, given_clear)

static const char description[] =
    "DIR has one folder for each class, with at least 2 pictures; 10 to 20 that differ\n"
    "are better. A folder named \"none\" can hold what is none of the classes. A\n"
    "labels.tsv in DIR names classes instead: lines with a picture and its class (with\n"
    "--multi-label, several, separated by commas) in columns with the names \"file\" and\n"
    "\"label\", which are separated by tabs.\n"
    "\n"
    "The network stays as it is; its last layer is fitted to the pictures. Whether their\n"
    "mirror images help, and how closely to fit, is chosen by cross-validation: each\n"
    "picture is classified by a fit that has not seen it. More than 1000 pictures need no\n"
    "mirror images. Accuracy, confusions and doubtful pictures are what this found. Probabilities "
    "are calibrated: 0.8 means\n"
    "right four times in five.\n"
    "\n"
    "Pictures that a camera takes one after the other are nearly the same, so that\n"
    "accuracy would lie if one were checked with its neighbours known. They are kept\n"
    "together as a group. --group-by says which they are, within a class:\n"
    "  auto    those with times (from EXIF, or in the name: like 20260102_030405, or\n"
    "          as vitgate collect writes it) that follow each other within a minute;\n"
    "          without times, consecutive numbers in names if the pictures look nearly\n"
    "          the same (cosine of features 0.95)\n"
    "  time    the same, by times alone\n"
    "  name    those whose names are the same up to the last number\n"
    "  folder  those in the same folder, such as DIR/open/monday\n"
    "  none    each picture by itself\n"
    "If a class has a single group, it is cut into five consecutive parts.\n"
    "\n"
    "The network sees all of a picture, distorted to a square if the model would see\n"
    "only the centre. The element vitgate then does the same with frames.\n"
    "\n"
    "OUT also has a score for pictures of none of the classes: vitgate shows them as\n"
    "\"unknown\". --others measures it on pictures that show something else.\n"
    "\n"
    "--fine-tune trains the last two blocks as well. Cross-validation decides: if pictures\n"
    "that took no part in the training are not classified better, or if the time is too\n"
    "short, the blocks stay as they are, and the text says so. It needs all pictures, so\n"
    "--add cannot have it; --add may follow.\n"
    "\n"
    "--add continues from a MODEL that was taught, with more pictures or classes; the\n"
    "old pictures are not needed, since the file stores their features (at most 1 MB,\n"
    "and OUT is at most 5 % larger than MODEL; if more pictures were taught, it stores a\n"
    "sample). Features show roughly what a picture shows: --forget-features leaves them\n"
    "out.\n"
    "\n"
    "The JSON object has the members of the text: pictures, groups, cut_groups (classes\n"
    "with a single group), top1 with its interval of 95 %, calibration_error (these in\n"
    "percent), views_seen of each picture (2 with its mirror image) and views that the fit\n"
    "uses, fine_tuning (null, or what it found; left_out is the reason why the blocks stay\n"
    "as they were, or null), classes, confusions, doubtful (with the probability of the\n"
    "own class), weakest, unknown, and seconds; with --multi-label, all_right and f1 instead\n"
    "of top1. A line of --progress has the members done and total of a step, and unit,\n"
    "which is files, pictures or folds.\n";

static gboolean parse(Given *given, int argc, char **argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "data", 'd', 0, G_OPTION_ARG_FILENAME_ARRAY, &given->data,
      "Folder or archive of pictures; can be repeated", "DIR|TAR" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &given->model,
      "Model to teach: file, or folder from a hub (default: the shipped model)", "MODEL" },
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &given->out,
      "Model file to write (default: " DEFAULT_OUT ")", "OUT" },
    { "name", 0, 0, G_OPTION_ARG_STRING, &given->name,
      "Name of the model (default: the name of the file)", "NAME" },
    { "add", 0, 0, G_OPTION_ARG_NONE, &given->add, "Keep what MODEL was taught, and teach it more",
      NULL },
    { "multi-label", 0, 0, G_OPTION_ARG_NONE, &given->several,
      "Give each class a probability of its own: a picture may be in several folders", NULL },
    { "group-by", 0, 0, G_OPTION_ARG_STRING, &given->group_by,
      "Pictures that were taken one after the other: auto, time, name, folder or none (default: "
      "auto)",
      "G" },
    { "fit", 0, 0, G_OPTION_ARG_STRING, &given->fit,
      "How a picture becomes square: crop, squash or letterbox (default: as the model file says if "
      "that shows all of it, otherwise squash)",
      "F" },
    { "fine-tune", 0, 0, G_OPTION_ARG_STRING, &given->fine_tune,
      "Train the last blocks too, for at most this time: such as 90s, 5m or 1h", "T" },
    { "others", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &given->others,
      "Pictures of none of the classes, to measure with; can be repeated", "DIR|TAR" },
    { "forget-features", 0, 0, G_OPTION_ARG_NONE, &given->forget,
      "Store no features of the pictures in OUT", NULL },
    { "threads", 't', 0, G_OPTION_ARG_INT, &given->threads,
      "Number of threads (default: one for each CPU)", "T" },
    { "no-orientation", 0, 0, G_OPTION_ARG_NONE, &given->no_orientation,
      COMMAND_NO_ORIENTATION_HELP, NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &given->as_json, "Print the result as a JSON object", NULL },
    { "progress", 0, 0, G_OPTION_ARG_NONE, &given->progress,
      "Write progress to standard error as lines of JSON, for programs", NULL },
    G_OPTION_ENTRY_NULL,
  };
  const CommandSyntax syntax = { entries, "",
                                 "Gives a model classes of your own, from a few pictures of each.",
                                 description };
  given->threads = (int)MIN(g_get_num_processors(), VITGATE_MAX_THREADS);
  return command_parse_none(&syntax, argc, argv, error) &&
         command_check_given("--data", given->data != NULL, error) &&
         command_check_range("--threads", given->threads, 1, VITGATE_MAX_THREADS, error);
}

/* Sets the file to write. Only a name that was given may be replaced, or the model itself. Only the
 * first rank writes it, so the others do not look. */
static gboolean choose_out(Given *given, GError **error)
{
  if (!ranks_is_first()) {
    given->out = given->out ? given->out : g_strdup(DEFAULT_OUT);
    return TRUE;
  }
  if (!given->out) {
    given->out = g_strdup(DEFAULT_OUT);
    if (g_file_test(given->out, G_FILE_TEST_EXISTS) &&
        !(given->add && given->model && !strcmp(given->model, given->out)))
      return command_fail(error, "%s: exists; name the file to write with --output", given->out);
  }
  return output_file_check(given->out, error);
}

/* Sets the model to teach. */
static gboolean choose_model(Given *given, GError **error)
{
  if (!given->model)
    given->model = vitgate_default_model_find(error);
  if (!given->model)
    g_prefix_error(error, "--model is missing: ");
  return given->model != NULL;
}

/* Sets the model's name. */
static void choose_name(Given *given)
{
  if (given->name)
    return;
  g_autofree char *base = g_path_get_basename(given->out);
  if (g_str_has_suffix(base, ".safetensors"))
    base[strlen(base) - strlen(".safetensors")] = '\0';
  given->name = g_utf8_make_valid(base, -1);
}

int command_teach(int argc, char **argv, GError **error)
{
  g_auto(Given) given = { 0 };
  LessonOptions options = { 0 };
  if (!parse(&given, argc, argv, error) ||
      !grouping_parse(given.group_by ? given.group_by : "auto", &options.grouping, error))
    return 1;
  if (given.fit && (given.add || !strcmp(given.fit, "model"))) {
    command_fail(error, given.add ? "--fit: with --add, pictures are seen as those before"
                                  : "--fit is \"model\", expected crop, squash or letterbox");
    return 1;
  }
  if (given.fit && !vitgate_fit_parse(given.fit, &options.fit, error)) {
    g_prefix_error(error, "--fit: ");
    return 1;
  }
  if (given.fine_tune && given.add) {
    command_fail(error, "--fine-tune: with --add, the old pictures are missing; leave out --add "
                        "and give all pictures with --data");
    return 1;
  }
  if (given.fine_tune &&
      !time_option_parse("--fine-tune", given.fine_tune, &options.fine_tune, error))
    return 1;
  if (given.add && !given.model) {
    command_fail(error, "--add needs --model, the model that was taught");
    return 1;
  }
  if (given.others && given.several) {
    command_fail(error, "--others measures the score for unknown pictures, which a model with "
                        "--multi-label does not have");
    return 1;
  }
  if (!ranks_all_fine(choose_out(&given, error) && choose_model(&given, error), error))
    return 1;
  if (given.progress && ranks_is_first())
    progress_write_lines();
  choose_name(&given);
  options.data = (const char *const *)given.data;
  options.others = (const char *const *)given.others;
  options.model = given.model;
  options.out = given.out;
  options.name = given.name;
  options.orientation = given.no_orientation ? DECODE_AS_STORED : DECODE_UPRIGHT;
  options.threads = (guint)given.threads;
  options.several = given.several;
  options.add = given.add;
  options.forget = given.forget;
  g_autoptr(Lesson) lesson = lesson_run(&options, error);
  if (lesson && ranks_is_first() && given.as_json)
    lesson_report_json(lesson);
  else if (lesson && ranks_is_first())
    lesson_report_text(lesson);
  return lesson ? 0 : 1;
}
