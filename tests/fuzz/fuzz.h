/* Helpers shared by the fuzz harnesses.
 *
 * A harness is one function that takes any bytes. libFuzzer calls it (tests/fuzz/run), and so does
 * replay.c, which does not need clang. A failure aborts the program. */
#pragma once

#include <glib.h>

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/* Aborts unless @condition holds. */
#define require(condition) fuzz_require(!!(condition), #condition, G_STRLOC)
void fuzz_require(gboolean holds, const char *condition, const char *place);

/* Writes bytes to a file in memory.
 * Returns: (transfer none): its path, until the next call */
const char *fuzz_file(gconstpointer data, gsize size);

/* Returns: (transfer none): a temporary folder, which is deleted when the process exits */
const char *fuzz_folder(void);

/* Consumes the next @n bytes and returns them as a little-endian number. Missing bytes are 0. */
guint64 fuzz_take(const guint8 **data, gsize *size, guint n);

/* Requires that a call either succeeded without an error or failed with one that has a message.
 * Returns: @result */
gboolean fuzz_succeeded(gboolean result, const GError *error);
