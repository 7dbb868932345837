/* Reports the state to the service manager, with datagrams to $NOTIFY_SOCKET (sd_notify(3)). */
#pragma once

#include <glib.h>

/* Sends a state; does nothing without a service manager.
 * @state: lines such as "READY=1" */
void service_notify(const char *state);

/* Sends a status for people, which "systemctl status" shows, if it is another one than before.
 * @sent: (inout) (transfer full): the last one that was sent, NULL at first; the caller frees it */
void service_notify_status(const char *status, char **sent);

/* Returns: how often to send "WATCHDOG=1" to the service manager, in ms; 0: never */
guint service_watchdog_interval(void);
