/* Tells the service manager how it goes, by its datagrams to $NOTIFY_SOCKET (sd_notify(3)). */
#pragma once

#include <glib.h>

/* @state: "READY=1" and the like, lines; without a service manager nothing happens */
void service_notify(const char *state);

/* Returns: how often the service manager wants to hear "WATCHDOG=1", in ms; 0: never */
guint service_watchdog_interval(void);
