/* Runs "vitgate teach" aside, at low priority. It never outlives this program. Used in the main
 * context only. */
#pragma once

#include <gio/gio.h>

typedef struct _TeachJob TeachJob;

/* @progress: 0 to 1 */
typedef void (*TeachJobProgress)(double progress, gpointer user_data);

/* @result: (nullable): the JSON object that it has printed; NULL: it failed
 * @message: (nullable): if it failed, why, in the words of "vitgate teach" */
typedef void (*TeachJobEnd)(const char *result, const char *message, gpointer user_data);

typedef struct {
  TeachJobProgress progress;
  TeachJobEnd end; /* called once; the job is to be freed then or later */
  gpointer user_data;
} TeachJobFuncs;

/* Starts it with the pictures in @folder, to write a model there.
 * @name: of the model
 * Returns: (transfer full) (nullable): NULL with an error */
TeachJob *teach_job_new(const char *folder, const char *name, const TeachJobFuncs *funcs,
                        GError **error);

/* Ends it. The end follows with the message "cancelled". */
void teach_job_cancel(TeachJob *self);

/* Ends it if it still runs, without further calls, and frees it. *@self may be NULL. */
void teach_job_free(TeachJob **self);
