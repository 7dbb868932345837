#include "teach/shot-time.h"

#include <libexif/exif-data.h>
#include <string.h>

/* Numbers of seconds since 1970 that a camera's clock may show: 2001 to 2100. */
#define FIRST_SECOND G_GINT64_CONSTANT(978307200)
#define LAST_SECOND  G_GINT64_CONSTANT(4102444800)

/* @digits: "YYYYMMDDhhmmss" */
static gint64 parse_digits(const char *digits)
{
  int parts[6], year, used = 0;
  const guint lengths[] = { 4, 2, 2, 2, 2, 2 };
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
    parts[i] = 0;
    for (guint k = 0; k < lengths[i]; k++)
      parts[i] = 10 * parts[i] + g_ascii_digit_value(digits[used++]);
  }
  year = parts[0];
  if (year < 1990 || year > 2100)
    return SHOT_TIME_UNKNOWN;
  g_autoptr(GDateTime) time =
      g_date_time_new_utc(year, parts[1], parts[2], parts[3], parts[4], parts[5]);
  return time ? g_date_time_to_unix(time) : SHOT_TIME_UNKNOWN;
}

/* Reads up to @max digits from @text, over single separators between them.
 * @run: (out): digits before the first separator
 * Returns: the number of digits */
static guint read_digits(const char *text, char *digits, guint max, guint *run)
{
  guint n = 0;
  *run = 0;
  for (const char *at = text; *at && n < max; at++) {
    if (g_ascii_isdigit(*at)) {
      digits[n++] = *at;
      if (n == (guint)(at - text) + 1)
        *run = n;
    } else if (!n || !strchr("-_.:T ", *at) || !g_ascii_isdigit(at[1])) {
      break;
    }
  }
  return n;
}

static gint64 count_since_1970(const char *text, guint n)
{
  gint64 value = g_ascii_strtoll(text, NULL, 10);
  if (n == 13)
    value /= 1000;
  return (n == 10 || n == 13) && value >= FIRST_SECOND && value < LAST_SECOND ? value
                                                                              : SHOT_TIME_UNKNOWN;
}

/* Reads the time in a clip. Each clip gets a week of its own, after all dates. */
static gint64 read_clip_time(const char *base)
{
  const gint64 week = 7 * 24 * 3600;
  g_autoptr(GRegex) pattern = g_regex_new("^(.*)_(\\d\\d)-(\\d\\d)-(\\d\\d)\\.\\d{3}", 0, 0, NULL);
  g_autoptr(GMatchInfo) match = NULL;
  if (!g_regex_match(pattern, base, 0, &match))
    return SHOT_TIME_UNKNOWN;
  g_autofree char *clip = g_match_info_fetch(match, 1);
  gint64 seconds = 0;
  for (int part = 2; part <= 4; part++) {
    g_autofree char *digits = g_match_info_fetch(match, part);
    seconds = 60 * seconds + g_ascii_strtoll(digits, NULL, 10);
  }
  return LAST_SECOND + g_str_hash(clip) * week + seconds;
}

gint64 shot_time_from_name(const char *name)
{
  g_autofree char *base = g_path_get_basename(name);
  for (const char *at = base; *at; at++) {
    char digits[14];
    guint run;
    if (!g_ascii_isdigit(*at) || (at > base && g_ascii_isdigit(at[-1])))
      continue;
    gint64 found = SHOT_TIME_UNKNOWN;
    if (read_digits(at, digits, sizeof digits, &run) == sizeof digits)
      found = parse_digits(digits);
    if (found == SHOT_TIME_UNKNOWN)
      found = count_since_1970(at, (guint)strspn(at, "0123456789"));
    if (found != SHOT_TIME_UNKNOWN)
      return found;
  }
  return read_clip_time(base);
}

static gint64 read_entry(ExifData *data, ExifIfd directory, ExifTag tag)
{
  char text[32], digits[14];
  guint run;
  ExifEntry *entry = exif_content_get_entry(data->ifd[directory], tag);
  if (!entry || entry->format != EXIF_FORMAT_ASCII || !entry->data)
    return SHOT_TIME_UNKNOWN;
  g_strlcpy(text, "", sizeof text);
  memcpy(text, entry->data, MIN(entry->size, sizeof text - 1));
  text[MIN(entry->size, sizeof text - 1)] = '\0';
  return read_digits(text, digits, sizeof digits, &run) == sizeof digits ? parse_digits(digits)
                                                                         : SHOT_TIME_UNKNOWN;
}

static gint64 read_exif(GBytes *file)
{
  static const struct {
    ExifIfd directory;
    ExifTag tag;
  } places[] = { { EXIF_IFD_EXIF, EXIF_TAG_DATE_TIME_ORIGINAL },
                 { EXIF_IFD_EXIF, EXIF_TAG_DATE_TIME_DIGITIZED },
                 { EXIF_IFD_0, EXIF_TAG_DATE_TIME } };
  gsize n;
  const guchar *bytes = g_bytes_get_data(file, &n);
  if (n < 4 || n > G_MAXUINT)
    return SHOT_TIME_UNKNOWN;
  ExifData *data = exif_data_new_from_data(bytes, (guint)n);
  gint64 found = SHOT_TIME_UNKNOWN;
  for (guint i = 0; data && i < G_N_ELEMENTS(places) && found == SHOT_TIME_UNKNOWN; i++)
    found = read_entry(data, places[i].directory, places[i].tag);
  if (data)
    exif_data_unref(data);
  return found;
}

gint64 shot_time_find(GBytes *file, const char *name)
{
  const gint64 found = read_exif(file);
  return found != SHOT_TIME_UNKNOWN ? found : shot_time_from_name(name);
}
