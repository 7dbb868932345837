/* fixture.h: what the engine's test programs share.
 *
 * Environment, set by meson: VITGATE_GOLDENS is the path of tests/reference/goldens. */
#pragma once

#include <check.h>
#include <string.h>

#include "file/safetensors.h"
#include "vitgate.h"

/* Of logits, against a reference in double precision. The project promises 1e-3. Float32 here makes
 * 3e-6; some room above that is for other instruction sets, and still tells an approximate formula
 * from the right one. */
#define LOGIT_TOLERANCE 5e-5

/* Of logits of one image on other numbers of threads, which may part the rows otherwise, and so add
 * in another order: some roundings of logits, which lie below 10. */
#define ORDER_TOLERANCE 1e-5

/* Of costs, relatively: sums of whole numbers in double, in another order. */
#define COUNT_TOLERANCE 1e-9

/* Runs the cases, a NULL at their end, and removes the folder that they wrote to.
 * Returns: the exit status of main() */
int fixture_run(const char *name, TCase *first, ...) G_GNUC_NULL_TERMINATED;

/* Returns: (transfer full): the path of @name in the program's own folder */
char *fixture_path(const char *name);

/* Returns: (transfer full): fixture_path(), where @n_bytes are written to */
char *fixture_write(const char *name, gconstpointer data, gsize n_bytes);

/* Returns: (transfer full): the path of the golden file @prefix-@name */
char *fixture_golden(const char *prefix, const char *name);

/* Reads all tensors of @file, so that their data can be looked at. */
void fixture_read_tensors(Safetensors *file);

/* Returns: (transfer full): that file, opened and read */
Safetensors *fixture_open_golden(const char *prefix, const char *name);

/* Returns: (transfer full): the model in the file @path */
VitgateModel *fixture_open_model(const char *path);

/* Returns: (transfer full): the golden model @name */
VitgateModel *fixture_model(const char *name);

/* Returns: (transfer full): a session of @model, in which each image decides for itself */
VitgateSession *fixture_session(VitgateModel *model, guint threads, guint max_batch);

/* Returns: (transfer full): a session of @model with these options */
VitgateSession *fixture_session_with(VitgateModel *model, const VitgateSessionOptions *options);

/* Runs the network.
 * @tensors: [n][3][image_size][image_size]
 * Returns: (transfer none): [n], until the session's next call */
const VitgateResult *fixture_forward(VitgateSession *session, const float *tensors, guint n);

/* The next of a fixed row of random numbers; *@state starts as anything but 0. */
guint32 fixture_random(guint32 *state);

/* The same, evenly between @low and @high. */
float fixture_uniform(guint32 *state, float low, float high);

/* Sets @n values to such numbers. */
void fixture_fill(float *values, gsize n, float low, float high, guint32 *state);

/* Returns: (transfer full): @n such numbers from -2 to 2, for tensors of images */
float *fixture_tensors(guint32 seed, gsize n);

/* ck_assert_msg() for inner loops: libcheck's own writes every success to a file. */
#define assert_each(condition, ...)                                                                \
  do {                                                                                             \
    if (!(condition))                                                                              \
      ck_abort_msg(__VA_ARGS__);                                                                   \
  } while (0)

/* @error is set to @expected and its message holds @part; clears it. */
#define assert_error(error, expected, part)                                                        \
  do {                                                                                             \
    ck_assert_msg((error) != NULL, "no error, expected %d with \"%s\"", expected, part);           \
    ck_assert_msg(g_error_matches(error, VITGATE_ERROR, expected), "error %d (%s), expected %d",   \
                  (error)->code, (error)->message, expected);                                      \
    ck_assert_msg(strstr((error)->message, part) != NULL, "\"%s\" is not in \"%s\"", part,         \
                  (error)->message);                                                               \
    g_clear_error(&(error));                                                                       \
  } while (0)

/* What was asked for came, and no error. */
#define assert_success(value, error)                                                               \
  ck_assert_msg((value) && !(error), "failed: %s", (error) ? (error)->message : "without an error")
