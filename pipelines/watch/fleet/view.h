/* What a node knows of its fleet: the keys of etcd as of one revision. Data only; its owner locks
 * it. Names and texts are interned, so that several nodes in one process share them. */
#pragma once

#include "fleet/etcd.h"

typedef struct {
  GRefString *name;
  char *id; /* of the process */
  char *host;
  double capacity; /* GMAC/s */
  gint64 lease;
  gint64 active; /* it came, or claimed a camera: monotonic time */
} ViewNode;

typedef struct {
  GRefString *name;
  GRefString *text;          /* (nullable): NULL: it was removed, but is still claimed */
  gint64 mod_revision;       /* of the text */
  GRefString *owner;         /* (nullable): name of the node that claims it */
  gint64 claim;              /* create revision; 0: nobody claims it */
  gint64 lease;              /* of the claim */
  gint64 since;              /* the claim went, or the camera came: monotonic time */
  const ViewNode *preferred; /* (nullable): that should have it, of those that do not drain */
} ViewCamera;

typedef struct {
  GHashTable *cameras; /* of ViewCamera by name */
  GHashTable *nodes;   /* of ViewNode by name */
  GHashTable *drained; /* set of names of nodes */
  char *prefix;        /* of all keys */
  gint64 revision;     /* 0: nothing was read yet */
} View;

/* @prefix: (transfer full): ends with a slash */
void view_init(View *self, char *prefix);
void view_clear(View *self);

/* Replaces everything.
 * @items: of EtcdItem: all keys of the prefix */
void view_reset(View *self, const GPtrArray *items, gint64 revision);

/* Applies changes, in their order. */
void view_apply(View *self, const GPtrArray *items);

/* Returns: whether the node may have cameras */
gboolean view_is_eligible(const View *self, const ViewNode *node);

/* Returns: how many nodes should have the camera rather than @node; those whose ids are in @passed
 * do not count
 * @passed: (nullable): of char *
 * @limit: it stops counting once there are more, so that a large fleet costs little
 * @active: (out) (optional): when one of those nodes was last active; 0: there is none
 * @better: (nullable): to add the ids of those nodes, (transfer full) */
guint view_rank(const View *self, const ViewCamera *camera, const ViewNode *node,
                const GPtrArray *passed, guint limit, gint64 *active, GPtrArray *better);
