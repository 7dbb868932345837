/* Which node of a fleet should have which camera, by weighted rendezvous hashing. It is computed
 * from names and weights alone, so all nodes that know the same nodes agree. A node that comes or
 * goes moves no cameras but its own.
 *
 * Rendezvous hashing: Thaler and Ravishankar, 1998. Weights by -w / ln(u): Schindelhauer and
 * Schomaker, 2005. */
#pragma once

#include <glib.h>

typedef struct {
  const char *name;
  double weight; /* its share is proportional; a node without a positive weight has none */
} AssignmentNode;

/* Returns: the index of the node that should have the camera, or -1 if none has a weight */
int assignment_find_best(const AssignmentNode *nodes, guint n_nodes, const char *camera);

/* Sorts nodes by who should have the camera, the best first. If that one cannot have it, the next
 * should.
 * @order: (out): n_nodes indices
 * Returns: how many of the nodes have a weight; the rest of @order is not set */
guint assignment_rank(const AssignmentNode *nodes, guint n_nodes, const char *camera, guint *order);
