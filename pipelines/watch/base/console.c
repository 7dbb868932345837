#include "base/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean-text.h"
#include "base/secrets.h"
#include "base/times.h"

#define MAX_MESSAGES 200

#define ERASE_LINE "\r\033[K"

static GMutex lock;
static char *status; /* the text on the terminal's last line, or NULL */
static gboolean stamped;
static GQueue messages = G_QUEUE_INIT; /* of char *: the last ones, for those who ask later */

/* systemd sets the variable for the service's first process. Others inherit it, also those whose
 * output goes elsewhere. */
static gboolean writes_to_journal(void)
{
  const char *text = g_getenv("JOURNAL_STREAM");
  unsigned long device, inode;
  struct stat file;
  int end = 0;
  return text && sscanf(text, "%lu:%lu%n", &device, &inode, &end) == 2 && !text[end] &&
         fstat(STDERR_FILENO, &file) == 0 && file.st_dev == device && file.st_ino == inode;
}

void console_stamp(void)
{
  stamped = !writes_to_journal();
}

gboolean console_has_terminal(void)
{
  return isatty(STDERR_FILENO);
}

/* Returns: (transfer full): text from cameras, brokers and key files as one line without secrets */
static char *make_safe(const char *text)
{
  g_autofree char *clean = vitgate__clean_text(text);
  return g_strchomp(secrets_hide(clean));
}

/* Call with the lock held. */
static void keep_message(const char *message)
{
  g_autofree char *time = time_to_utc(g_get_real_time());
  g_queue_push_tail(&messages, g_strdup_printf("%s %s", time, message));
  if (messages.length > MAX_MESSAGES)
    g_free(g_queue_pop_head(&messages));
}

char **console_get_messages(void)
{
  g_mutex_lock(&lock);
  char **copy = g_new0(char *, messages.length + 1);
  guint n = 0;
  for (const GList *at = messages.head; at; at = at->next)
    copy[n++] = g_strdup(at->data);
  g_mutex_unlock(&lock);
  return copy;
}

void console_print(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *message = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *clean = make_safe(message);
  g_autofree char *time = stamped ? time_to_local(g_get_real_time()) : NULL;

  g_mutex_lock(&lock);
  keep_message(clean);
  g_printerr("%s%s%svitgate-watch: %s\n%s", status ? ERASE_LINE : "", time ? time : "",
             time ? " " : "", clean, status ? status : "");
  g_mutex_unlock(&lock);
}

/* Cuts the line to the width of the terminal, since a wrapped line cannot be erased. */
static char *cut_to_terminal(const char *line)
{
  struct winsize window = { 0 };
  glong width =
      ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col ? window.ws_col : 80;
  return g_utf8_substring(line, 0, MIN(g_utf8_strlen(line, -1), width - 1));
}

void console_show_status(const char *line)
{
  if (!console_has_terminal())
    return;
  g_autofree char *clean = make_safe(line);
  g_mutex_lock(&lock);
  g_free(status);
  status = *clean ? cut_to_terminal(clean) : NULL;
  g_printerr("%s%s", ERASE_LINE, status ? status : "");
  g_mutex_unlock(&lock);
}
