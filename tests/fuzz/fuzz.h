/* fuzz.h: what the fuzz harnesses share.
 *
 * Each harness is one function that takes any bytes. libFuzzer calls it (tests/fuzz/run), and so
 * does replay.c, which needs no clang. What is wrong ends the program. */
#pragma once

#include <glib.h>

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/* Aborts unless @condition holds. */
#define require(condition) fuzz_require(!!(condition), #condition, G_STRLOC)
void fuzz_require(gboolean holds, const char *condition, const char *place);

/* Puts bytes into a file in memory.
 * Returns: (transfer none): its path, until the next call */
const char *fuzz_file(gconstpointer data, gsize size);

/* Returns: (transfer none): a folder of this process' own; it is removed at the end */
const char *fuzz_folder(void);

/* Reads the next @n bytes as a little-endian number and moves on; bytes that are missing are 0. */
guint64 fuzz_take(const guint8 **data, gsize *size, guint n);

/* Whether a call succeeded: then it left no error, otherwise one with a message. */
gboolean fuzz_succeeded(gboolean result, const GError *error);
