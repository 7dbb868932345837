/* Helpers shared by the engine's test programs.
 *
 * meson sets the environment variable VITGATE_GOLDENS to the path of tests/reference/goldens. */
#pragma once

#include <check.h>
#include <string.h>

#include "file/safetensors.h"
#include "vitgate.h"

/* Maximum error of logits against a reference in double precision. The project promises 1e-3.
 * float32 has errors of 3e-6. The rest is room for other instruction sets; an approximate formula
 * still fails. */
#define LOGIT_TOLERANCE 5e-5

/* Maximum difference between the logits of an image on different numbers of threads. Threads may
 * divide the rows differently and so add in another order: some roundings of logits below 10. */
#define ORDER_TOLERANCE 1e-5

/* Maximum relative error of costs: sums of integers in double, added in another order. */
#define COUNT_TOLERANCE 1e-9

/* Runs the test cases, which end with NULL, and removes the folder that they wrote to.
 * Returns: the exit status for main() */
int fixture_run(const char *name, TCase *first, ...) G_GNUC_NULL_TERMINATED;

/* Returns: (transfer full): the path of @name in the test program's temporary folder */
char *fixture_path(const char *name);

/* Writes @n_bytes to fixture_path().
 * Returns: (transfer full): the path */
char *fixture_write(const char *name, gconstpointer data, gsize n_bytes);

/* Returns: (transfer full): the path of the golden file @prefix-@name */
char *fixture_golden(const char *prefix, const char *name);

/* Reads all tensors of @file, so that tests can read their data. */
void fixture_read_tensors(Safetensors *file);

/* Opens such a file and reads its tensors.
 * Returns: (transfer full): the file */
Safetensors *fixture_open_golden(const char *prefix, const char *name);

/* Returns: (transfer full): the model in file @path */
VitgateModel *fixture_open_model(const char *path);

/* Returns: (transfer full): the golden model @name */
VitgateModel *fixture_model(const char *name);

/* Returns: (transfer full): a session of @model in which gates decide for each image separately */
VitgateSession *fixture_session(VitgateModel *model, guint threads, guint max_batch);

/* Returns: (transfer full): a session of @model with @options */
VitgateSession *fixture_session_with(VitgateModel *model, const VitgateSessionOptions *options);

/* Runs the network.
 * @tensors: [n][3][image_size][image_size]
 * Returns: (transfer none): [n], valid until the session's next call */
const VitgateResult *fixture_forward(VitgateSession *session, const float *tensors, guint n);

/* Returns: the next number of a fixed pseudo-random sequence
 * @state: (inout): any value but 0 to start with */
guint32 fixture_random(guint32 *state);

/* Returns: the next number, uniform between @low and @high */
float fixture_uniform(guint32 *state, float low, float high);

/* Fills @values with @n uniform numbers. */
void fixture_fill(float *values, gsize n, float low, float high, guint32 *state);

/* Returns: (transfer full): @n uniform numbers from -2 to 2, for the tensors of images */
float *fixture_tensors(guint32 seed, gsize n);

/* Like ck_assert_msg(), for inner loops: libcheck's macro writes every success to a file. */
#define assert_each(condition, ...)                                                                \
  do {                                                                                             \
    if (!(condition))                                                                              \
      ck_abort_msg(__VA_ARGS__);                                                                   \
  } while (0)

/* Checks that @error has the code @expected and a message that contains @part, and clears it. */
#define assert_error(error, expected, part)                                                        \
  do {                                                                                             \
    ck_assert_msg((error) != NULL, "no error, expected %d with \"%s\"", expected, part);           \
    ck_assert_msg(g_error_matches(error, VITGATE_ERROR, expected), "error %d (%s), expected %d",   \
                  (error)->code, (error)->message, expected);                                      \
    ck_assert_msg(strstr((error)->message, part) != NULL, "\"%s\" is not in \"%s\"", part,         \
                  (error)->message);                                                               \
    g_clear_error(&(error));                                                                       \
  } while (0)

/* Checks that a call returned a value and no error. */
#define assert_success(value, error)                                                               \
  ck_assert_msg((value) && !(error), "failed: %s", (error) ? (error)->message : "without an error")
