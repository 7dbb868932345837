#include "base/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/ranks.h"

#define INTERVAL       (G_USEC_PER_SEC / 5)
#define PLAIN_INTERVAL (30 * G_USEC_PER_SEC)

static gboolean writes_lines;

void progress_write_lines(void)
{
  writes_lines = TRUE;
}

/* Lines for programs leave no room for a line that is redrawn. */
static gboolean has_terminal(void)
{
  return !writes_lines && ranks_is_first() && isatty(STDERR_FILENO);
}

Progress progress_start(guint total, const char *unit)
{
  gint64 now = g_get_monotonic_time();
  return (Progress){
    .terminal = has_terminal(), .total = total, .unit = unit, .start = now, .last = now - INTERVAL
  }; /* the first update is drawn at once */
}

Progress progress_start_phase(const char *phase, double total, const char *unit)
{
  gint64 now = g_get_monotonic_time();
  Progress progress = { .terminal = has_terminal(),
                        .phase = phase,
                        .total = total,
                        .unit = unit,
                        .start = now,
                        .last = ranks_is_first() ? now : G_MAXINT64 }; /* never drawn */
  if (progress.terminal) {
    g_printerr("\r%s …\033[K", phase);
    progress.drawn = TRUE;
  }
  return progress;
}

guint progress_columns(void)
{
  struct winsize size = { 0 };
  return !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

char *progress_clock(double seconds)
{
  const guint s = (guint)CLAMP(seconds, 0, 1e9);
  return s < 3600 ? g_strdup_printf("%u:%02u", s / 60, s % 60)
                  : g_strdup_printf("%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
}

/* Returns: (transfer full): such as "ranking: 12 of 24 modules, 1.5 modules/s, 0:08 left" */
static char *describe(const Progress *p, double done, double seconds)
{
  const double rate = done / seconds;
  g_autofree char *left = progress_clock((p->total - done) / rate);
  g_autoptr(GString) text = g_string_new(NULL);
  if (p->phase)
    g_string_append_printf(text, "%s: ", p->phase);
  if (p->unit)
    g_string_append_printf(text, "%.0f of %.0f %s, ", done, p->total, p->unit);
  else
    g_string_append_printf(text, "%.0f %%, ", 100 * done / p->total);
  if (p->unit && (!p->phase || rate >= 1))
    g_string_append_printf(text, "%.1f %s/s, ", rate, p->unit);
  g_string_append_printf(text, "%s left", left);
  return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Writes how much is done. The last step is always written. */
static void write_line(Progress *progress, double done, gint64 now)
{
  if (now - progress->last < INTERVAL && done < progress->total)
    return;
  g_printerr("{\"done\": %.0f, \"total\": %.0f, \"unit\": \"%s\"}\n", done, progress->total,
             progress->unit ? progress->unit : "");
  progress->last = now;
}

void progress_update(Progress *progress, double done)
{
  gint64 now = g_get_monotonic_time();
  if (writes_lines) {
    write_line(progress, done, now);
    return;
  }
  if (now - progress->last < (progress->terminal ? INTERVAL : PLAIN_INTERVAL) || done <= 0 ||
      (!progress->terminal && !progress->phase))
    return;
  const double seconds = (double)(now - progress->start) / G_USEC_PER_SEC;
  g_autofree char *text = describe(progress, MIN(done, progress->total), seconds);
  g_printerr(progress->terminal ? "\r%s\033[K" : "%s\n", text);
  progress->last = now;
  progress->drawn = progress->terminal;
}

void progress_clear(Progress *progress)
{
  if (progress->drawn)
    g_printerr("\r\033[K");
  progress->drawn = FALSE;
}
