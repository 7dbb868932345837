/* Removes secrets from text that is printed or sent. Cameras take passwords in many places of a
 * URL, and a password with special characters makes a URL that means something else. So where in
 * doubt, more is hidden than necessary. */
#pragma once

#include <glib.h>

/* Replaces user and password, the query, and the path from the first segment with "=" by asterisks:
 *
 *   URL                                      hidden
 *   rtsp://eve:secret@host:554/live          eve:secret
 *   http://host/video?password=secret        password=secret
 *   rtsp://host/user=eve&password=secret/1   user=eve&password=secret/1
 *
 * If an @ is outside its place, everything after the scheme is hidden. file: and v4l2: URLs have no
 * secrets.
 * @url: may be invalid
 * Returns: (transfer full) */
char *secrets_hide_url(const char *url);

/* Hides the secrets of all URLs in a text, and every word with an @ or = after a colon, such as
 * USER:PASSWORD@HOST.
 * Returns: (transfer full) */
char *secrets_hide(const char *text);
