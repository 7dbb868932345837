/* Reports the state to the service manager, with datagrams to $NOTIFY_SOCKET (sd_notify(3)). */
#pragma once

#include <glib.h>

/* Sends a state; does nothing without a service manager.
 * @state: lines such as "READY=1" */
void service_notify(const char *state);

/* Returns: how often to send "WATCHDOG=1" to the service manager, in ms; 0: never */
guint service_watchdog_interval(void);
