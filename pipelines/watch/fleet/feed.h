/* Reads a fleet's keys, then watches them, for ever: a thread of its own. */
#pragma once

#include "fleet/connect.h"

/* Called by the thread. */
typedef struct {
  /* All keys, as of @revision: what was known before is void. */
  void (*reset)(const GPtrArray *items, gint64 revision, gpointer user_data);
  /* Changes, in their order. */
  void (*apply)(const GPtrArray *items, gpointer user_data);
  /* @error: (nullable): why nothing can be read, or NULL once it can */
  void (*trouble)(const GError *error, gpointer user_data);
} FeedFuncs;

typedef struct _Feed Feed;

Feed *feed_new(const FleetConfig *config, const FeedFuncs *funcs, gpointer user_data);

/* Reads all keys again: etcd may be another one. May be called from any thread. */
void feed_restart(Feed *self);

void feed_free(Feed **self);
