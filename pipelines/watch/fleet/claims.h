/* What a node owns, wants and gives away: what to do next follows from what it knows of the fleet.
 * No I/O. For one thread. */
#pragma once

#include "fleet/view.h"

/* A camera that a node owns. */
typedef struct {
  char *name, *text;
  gint64 claim; /* the create revision of the claim: no other ownership has the same */
  gint64 lease; /* that the claim ends with */
} FleetCamera;

/* A camera to claim, or one that this node owns and whose text has changed. */
typedef struct {
  GRefString *name, *text;
  gint64 mod_revision; /* of the text */
  GPtrArray *passed;   /* (nullable): ids of nodes that should have it, but do not claim it */
} Wanted;

void wanted_free(gpointer wanted);

/* A claim that is given up. */
typedef struct {
  GRefString *name;
  gint64 claim;
  guint64 serial;   /* the camera has stopped once this is settled; 0: not yet announced */
  gboolean deleted; /* at etcd, though the view may not know it */
} Leaving;

typedef struct {
  GHashTable *owned;    /* by name */
  GHashTable *leaving;  /* of Leaving by name */
  GHashTable *refused;  /* mod revisions of texts that this node cannot run, by name */
  GHashTable *released; /* times when cameras were given away that nobody has claimed since */
  gint64 lease;         /* 0: the node is no member */
  gint64 since;         /* it has the lease: monotonic time */
  guint64 won, lost;    /* claims of this node; those that ended without its doing */
} Claims;

void claims_init(Claims *self);
void claims_clear(Claims *self);

/* Tells which lease the node has. With another one than before, it owns nothing.
 * Returns: whether cameras were lost */
gboolean claims_set_lease(Claims *self, gint64 lease, gint64 now);

/* Compares what the node owns with etcd, and decides what to give away.
 * @me: this node
 * @texts: of Wanted: to add cameras whose text has changed
 * Returns: whether the cameras that the node runs are other ones now */
gboolean claims_update(Claims *self, const View *view, const ViewNode *me, gint64 now,
                       GPtrArray *texts);

/* Finds cameras to claim now.
 * @max: how many
 * @next: (inout): lowered to when others may be due: monotonic time
 * Returns: (transfer full): of Wanted */
GPtrArray *claims_find_wanted(const Claims *self, const View *view, const ViewNode *me, gint64 now,
                              guint max, gint64 *next);

/* @claim: the create revision */
void claims_add(Claims *self, const Wanted *wanted, gint64 claim);
void claims_set_text(Claims *self, const Wanted *wanted);

/* This node cannot run the text. A camera that it owns goes on with the old one. */
void claims_refuse(Claims *self, const Wanted *wanted);

/* Returns: (transfer full): of FleetCamera: what the node owns */
GPtrArray *claims_list(const Claims *self);

/* Sets the serial of those that leave and have none. */
void claims_announce(Claims *self, guint64 serial);

/* Returns: (transfer full): of Leaving: what leaves and has stopped */
GPtrArray *claims_find_stopped(const Claims *self, guint64 settled);

/* The claim is no longer at etcd. */
void claims_deleted(Claims *self, const Leaving *leaving);
