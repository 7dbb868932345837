/* When a photograph was taken. */
#pragma once

#include <glib.h>

#define SHOT_TIME_UNKNOWN G_MININT64

/* Finds the time in EXIF (DateTimeOriginal, else DateTimeDigitized, else DateTime) or, without one,
 * in the name: a date of eight digits and a time of six, in this order, with or without separators
 * ("IMG_20260102_030405.jpg", "2026-01-02T03:04:05.jpg"), or ten or thirteen digits that count
 * seconds or milliseconds since 1970, or the time in a clip, as vitgate collect writes it
 * ("yard_00-01-02.250.jpg"). Time zones are ignored.
 * @file: content of the photograph
 * @name: its path; only the last part counts
 * Returns: seconds, which those of two clips differ in by days, or SHOT_TIME_UNKNOWN */
gint64 shot_time_find(GBytes *file, const char *name);

/* The part of shot_time_find() that reads a name. */
gint64 shot_time_from_name(const char *name);
