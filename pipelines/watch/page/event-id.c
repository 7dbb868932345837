#include "page/event-id.h"

#include <stdlib.h>
#include <string.h>

#define MEMBER "\"wall_clock\""
#define HASH   8 /* hexadecimal digits */

static const char *skip(const char *at, const char *end, const char *characters)
{
  while (at < end && strchr(characters, *at) && *at)
    at++;
  return at;
}

/* A string in the line cannot contain MEMBER, since its quotation marks would be escaped. */
const char *event_find_time(const char *line, gsize length)
{
  static const char form[] = "0000-00-00T00:00:00.000000Z";
  const char *end = line + length, *at = memmem(line, length, MEMBER, strlen(MEMBER));
  if (!at)
    return NULL;
  at = skip(at + strlen(MEMBER), end, " :");
  if (at >= end || *at != '"' || end - ++at < EVENT_TIME_LENGTH)
    return NULL;
  for (guint i = 0; i < EVENT_TIME_LENGTH; i++)
    if (form[i] == '0' ? !g_ascii_isdigit(at[i]) : at[i] != form[i])
      return NULL;
  return at;
}

char *event_id_new(const char *line, gsize length)
{
  const char *text = event_find_time(line, length);
  g_autofree char *copy = text ? g_strndup(text, EVENT_TIME_LENGTH) : NULL;
  g_autoptr(GDateTime) time = copy ? g_date_time_new_from_iso8601(copy, NULL) : NULL;
  if (!time)
    return NULL;
  const gint64 microseconds =
      g_date_time_to_unix(time) * G_USEC_PER_SEC + g_date_time_get_microsecond(time);
  g_autofree char *hash =
      g_compute_checksum_for_data(G_CHECKSUM_SHA1, (const guchar *)line, length);
  return g_strdup_printf("%016" G_GINT64_FORMAT "-%.*s", microseconds, HASH, hash);
}

gint64 event_id_get_time(const char *id)
{
  const gsize length = strlen(id);
  const char *dash = strchr(id, '-');
  if (!dash || dash - id != 16 || length != 16 + 1 + HASH || strspn(id, "0123456789") != 16 ||
      strspn(dash + 1, "0123456789abcdef") != HASH)
    return -1;
  return g_ascii_strtoll(id, NULL, 10);
}
