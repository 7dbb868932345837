/* The cameras of a fleet, as the program starts, changes and ends them. Without libsoup there is no
 * fleet, and these functions do nothing. */
#pragma once

#include "camera/status.h"
#include "config/config.h"
#include "output/outputs.h"

typedef struct _WatchFleet WatchFleet;

/* Called by the main thread: other cameras are this machine's now. Ask watch_fleet_join(), and call
 * watch_fleet_settled() once the cameras that are gone have stopped. */
typedef void (*WatchFleetFunc)(gpointer user_data);

/* @outputs: must outlive it
 * Returns: (transfer full): without a fleet */
WatchFleet *watch_fleet_new(Outputs *outputs, WatchFleetFunc func, gpointer user_data);

/* Returns: (transfer full): @base with the fleet's cameras that are this machine's now */
Config *watch_fleet_join(WatchFleet *self, Config *base);

/* Leaves what retained messages say about cameras that other nodes watch from now on. Call it
 * before the outputs get the new configuration. */
void watch_fleet_hand_over(WatchFleet *self, const Config *old, const Config *config);

/* The cameras of the last watch_fleet_join() run, and no others. */
void watch_fleet_settled(WatchFleet *self);

/* Joins the fleet of a configuration, unless this machine is a member already. Leaves that of the
 * one before if it is another one; its cameras must have stopped, and watch_fleet_join() has none
 * of them then.
 * @base: also for the cameras' [defaults]
 * Returns: FALSE with an error */
gboolean watch_fleet_start(WatchFleet *self, Config *base, GError **error);

/* Sets what all cameras of this machine use, in GMAC/s. */
void watch_fleet_set_load(WatchFleet *self, double load);

/* Sets the fleet's part of a status. */
void watch_fleet_get_status(WatchFleet *self, Status *status);

/* Leaves the fleet. Its cameras must have stopped. */
void watch_fleet_free(WatchFleet **self);
