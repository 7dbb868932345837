/* Makes text from outside (files, cameras, servers) safe for a terminal.
 *
 * These characters are unsafe: the control characters C0, DEL and C1, which a terminal obeys;
 * separators of lines and paragraphs; and invisible format characters such as the bidirectional
 * controls, which make text look like other text. */
#pragma once

#include <glib.h>

/* Replaces each unsafe character by a space, so that the text stays on one line.
 * Returns: (transfer full): valid UTF-8 */
char *vitgate__clean_text(const char *text);

/* Replaces each unsafe character by its JSON escape, such as \u009b, so that no information is
 * lost.
 * @json: JSON; its newlines are left, since those in strings are escaped already
 * Returns: (transfer full): equivalent JSON in valid UTF-8 */
char *vitgate__escape_json(const char *json);
