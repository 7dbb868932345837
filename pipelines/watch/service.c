#include "service.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void service_notify(const char *state)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  const char *path = g_getenv("NOTIFY_SOCKET");
  gsize length = path ? strlen(path) : 0;
  if (length < 2 || length >= sizeof address.sun_path || !strchr("/@", *path))
    return;
  memcpy(address.sun_path, path, length);
  if (*path == '@')
    address.sun_path[0] = '\0';

  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  if (fd < 0 ||
      sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
    g_debug("$NOTIFY_SOCKET: %s", g_strerror(errno));
  if (fd >= 0)
    close(fd);
}

void service_notify_status(const char *status, char **sent)
{
  if (!g_strcmp0(status, *sent))
    return;
  g_autofree char *state = g_strconcat("STATUS=", status, NULL);
  service_notify(state);
  g_free(*sent);
  *sent = g_strdup(status);
}

guint service_watchdog_interval(void)
{
  const char *text = g_getenv("WATCHDOG_USEC"), *process = g_getenv("WATCHDOG_PID");
  guint64 interval, pid;
  if (!text || !g_ascii_string_to_unsigned(text, 10, 1000, G_MAXUINT32, &interval, NULL))
    return 0;
  if (process && (!g_ascii_string_to_unsigned(process, 10, 1, G_MAXINT32, &pid, NULL) ||
                  pid != (guint64)getpid()))
    return 0;
  return (guint)(interval / 1000 / 2);
}
